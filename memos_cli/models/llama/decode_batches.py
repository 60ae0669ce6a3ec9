"""Divide a sequence into calls of llama.cpp, each with its adapters. Pure.

The last bits of a token's values depend on which tokens are computed with it. So a sequence is always divided
in the same way, and of a sequence in memory only calls that would be repeated exactly are reused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memos_cli.models.llama.loaded_adapters import Attached


@dataclass(frozen=True, slots=True)
class Call:
    """Tokens that are computed together: those from the end of the call before to ``end``."""

    end: int
    adapters: Attached


def plan_calls(length: int, batch: int, adapters: Attached = (), adapted_from: int = 0) -> list[Call]:
    """Return the calls that read ``length`` tokens, those from ``adapted_from`` on with ``adapters``.

    Calls end at multiples of ``batch``, and where the adapters are switched on.
    """
    edge = min(adapted_from, length) if adapters else length
    ends = {*range(batch, length, batch), edge, length} - {0}
    return [Call(end, adapters if end > edge else ()) for end in sorted(ends)]


def count_same(
    calls: Sequence[Call], held: Sequence[int], planned: Sequence[Call], wanted: Sequence[int]
) -> int:
    """Count the ``held`` tokens, read by ``calls``, that equal those that ``planned`` would read of
    ``wanted``.
    """
    same = 0
    for mine, other in zip(calls, planned, strict=False):
        if mine != other or list(held[same : mine.end]) != list(wanted[same : mine.end]):
            break
        same = mine.end
    return same
