"""Memories that wait for somebody to look at them, and how far a memory may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memos_cli.cube import SENSITIVITIES, Cube, Filter
from memos_cli.errors import Refused, UsageError
from memos_cli.infrastructure.access.governance import is_feeds
from memos_cli.interface.lifecycle.standing import require_unfrozen
from memos_cli.interface.results import Tagged
from memos_cli.operation.lifecycle.states import next_state

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos


def review(memos: Memos, ids: Sequence[str], filter: Filter | None, *, approve: bool) -> list[Cube]:
    """Let quarantined memories in, or archive them: those of ``ids``, or all that pass ``filter``.

    Raises Refused for an agent: what came from outside is let in by a person.
    """
    if not memos.principal.startswith("user:"):
        raise Refused(
            "only a user may approve or reject memories in quarantine", "memos quarantine --as user:NAME"
        )
    action = "approve" if approve else "reject"
    with memos.vault.change(memos.principal, memos.now()) as change:
        cubes = _waiting(memos, ids, filter)
        for cube in cubes:
            if cube.state != "quarantined":
                raise UsageError(f"{cube.id} is not in quarantine: it is {cube.state}", "memos quarantine")
            change.set_state(cube.n, next_state(cube.state, action, cube.id), action)
    return cubes


def _waiting(memos: Memos, ids: Sequence[str], filter: Filter | None) -> list[Cube]:
    """What is to be reviewed: one's own, and what came from a feed that one follows. Raises Refused."""
    if filter is None:
        cubes = memos.several(ids)
    else:
        cubes = [*memos.select(replace(filter, states=("quarantined",)))]
    memos.access.require([cube for cube in cubes if not is_feeds(cube.owner)], "write")
    memos.access.require([cube for cube in cubes if is_feeds(cube.owner)], "share")
    return cubes


def mark(memos: Memos, ids: Sequence[str], level: str) -> Tagged:
    """Say how sensitive memories are."""
    if level not in SENSITIVITIES:
        raise UsageError(f"there is no sensitivity {level!r}", f"one of: {', '.join(SENSITIVITIES)}")
    with memos.vault.change(memos.principal, memos.now()) as change:
        cubes = memos.several(ids, "write")
        require_unfrozen(cubes)
        memos.access.require(cubes, "share")  # it decides where a memory may go
        changed = sum(change.mark(cube.n, level) for cube in cubes)
    return Tagged(len(cubes), changed)
