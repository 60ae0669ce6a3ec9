"""Archive, restore, expire and freeze memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memos_cli.cube import LIVE_STATES, Cube, Filter
from memos_cli.errors import UsageError
from memos_cli.interface import selection
from memos_cli.interface.missing_vectors import embed_changed
from memos_cli.interface.results import Tagged
from memos_cli.interface.session import Session
from memos_cli.operation.lifecycle.states import next_state


def move(session: Session, ids: Sequence[str], filter: Filter | None, action: str) -> Tagged:
    """Archive or restore memories (``action``): those of ``ids``, or all that match ``filter``.

    A memory in that state already is left unchanged. A restored memory no longer expires; one that was never
    approved goes back to quarantine.
    """
    wanted = "archived" if action == "archive" else "activated"
    if filter and action == "restore" and filter.states == LIVE_STATES:
        filter = replace(filter, states=("archived", "expired"))
    with session.change() as change:
        cubes = _memories(session, ids, filter)
        changed = waiting = 0
        for cube in cubes:
            is_over = cube.state == "expired" or (cube.expires is not None and cube.expires <= change.now)
            if action == "restore" and is_over:
                change.renew(cube.n, None)
            if cube.state == wanted or (action == "restore" and cube.state == "generated"):
                changed += action == "restore" and is_over
                continue
            state = next_state(cube.state, action, cube.id)
            if action == "restore":
                waiting += change.restore(cube.n)
            else:
                change.set_state(cube.n, state, action)
            changed += 1
    if action == "restore":
        embed_changed(session)
    return Tagged(len(cubes), changed, waiting)


def expire(session: Session, ids: Sequence[str], at: int | None, uses: int | None) -> Tagged:
    """Set when memories expire: at a time, or after so many uses; both None: never."""
    with session.change() as change:
        cubes = _memories(session, ids, None)
        for cube in cubes:
            change.renew(cube.n, at, uses)
    return Tagged(len(cubes), sum((cube.expires, cube.uses_left) != (at, uses) for cube in cubes))


def freeze(session: Session, ids: Sequence[str], *, thaw: bool) -> Tagged:
    """Make memories read-only, or with ``thaw`` editable again."""
    with session.change() as change:
        cubes = session.access.get_many(ids, "write")
        changed = sum(change.freeze(cube.n, thaw=thaw) for cube in cubes)
    return Tagged(len(cubes), changed)


def require_unfrozen(cubes: Sequence[Cube]) -> None:
    """Raise UsageError for a memory that is frozen."""
    for cube in cubes:
        if cube.frozen:
            raise UsageError(f"{cube.id} is frozen", f"memos unfreeze {cube.id}")


def _memories(session: Session, ids: Sequence[str], filter: Filter | None) -> list[Cube]:
    cubes = selection.to_change(session, ids, filter)
    require_unfrozen(cubes)
    for cube in cubes:
        if cube.payload != "plaintext":
            raise UsageError(f"{cube.id} is made from memories", f"memos demote {cube.id}")
    return cubes
