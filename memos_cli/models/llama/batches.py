"""How a sequence is cut into calls of llama.cpp, and under which adapters each was made. Pure.

The last bits of what a token becomes depend on which tokens are computed with it. So a sequence is always
cut in the same way, and of one that is held, only calls that would be made again are used again.
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
    """The calls that read ``length`` tokens, those from ``adapted_from`` on with ``adapters``.

    Calls end at multiples of ``batch``, and where the adapters are switched on.
    """
    edge = min(adapted_from, length) if adapters else length
    ends = {*range(batch, length, batch), edge, length} - {0}
    return [Call(end, adapters if end > edge else ()) for end in sorted(ends)]


def count_same(
    calls: Sequence[Call], held: Sequence[int], planned: Sequence[Call], wanted: Sequence[int]
) -> int:
    """How many of the ``held`` tokens, read by ``calls``, are what ``planned`` makes of the ``wanted``."""
    same = 0
    for mine, other in zip(calls, planned, strict=False):
        if mine != other or list(held[same : mine.end]) != list(wanted[same : mine.end]):
            break
        same = mine.end
    return same
