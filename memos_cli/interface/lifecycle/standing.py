"""Where a memory stands: archived and back, frozen and not, and its way back to an older version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import TYPE_CHECKING

from memos_cli.cube import LIVE_STATES, Cube, Filter
from memos_cli.errors import UsageError
from memos_cli.infrastructure.access.governance import is_feeds
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.queries import Version
from memos_cli.interface import selection
from memos_cli.interface.missing_vectors import embed_changed
from memos_cli.interface.results import Edited, Tagged
from memos_cli.operation.lifecycle.states import next_state
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.infrastructure.access.governance import Right
    from memos_cli.interface.session import Session


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from one version of a memory to another; ``lines`` as ``diff -u`` prints them."""

    id: str
    old: int
    new: int
    lines: tuple[str, ...]


def move(session: Session, ids: Sequence[str], filter: Filter | None, action: str) -> Tagged:
    """``archive`` memories, or ``restore`` them: those of ``ids``, or all that pass ``filter``.

    A memory in that state already is left unchanged. A restored memory no longer expires; one that was never
    approved goes back to quarantine.
    """
    wanted = "archived" if action == "archive" else "activated"
    if filter and action == "restore" and filter.states == LIVE_STATES:
        filter = replace(filter, states=("archived", "expired"))
    with session.vault.change(session.principal, session.now()) as change:
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
    """Let memories expire at a time, or after so many uses; both None: never."""
    with session.vault.change(session.principal, session.now()) as change:
        cubes = _memories(session, ids, None)
        for cube in cubes:
            change.renew(cube.n, at, uses)
    return Tagged(len(cubes), sum((cube.expires, cube.uses_left) != (at, uses) for cube in cubes))


def freeze(session: Session, ids: Sequence[str], *, thaw: bool) -> Tagged:
    """Let memories refuse every change, and to be forgotten; or no longer."""
    with session.vault.change(session.principal, session.now()) as change:
        cubes = session.access.get_many(ids, "write")
        changed = sum(change.freeze(cube.n, thaw=thaw) for cube in cubes)
    return Tagged(len(cubes), changed)


def rollback(session: Session, id: str, to: int) -> Edited:
    """Give a memory a new version that says what an old one said."""
    with session.vault.change(session.principal, session.now()) as change:
        cube = session.access.get(id, "write")
        require_unfrozen([cube])
        old = version_of(session, cube, to)
        if (old.text, old.title) == (cube.text, cube.title):
            return Edited(cube.id, cube.version, False)
        change.edit(cube, old.text, old.title, "rollback")
    embed_changed(session)
    return Edited(cube.id, cube.version + 1, True)


def diff(session: Session, id: str, old: int, new: int) -> Diff:
    """What changed between two versions; 0 stands for the newest, and for the one before it."""
    with session.vault.snapshot(session.vault.connection):
        cube = session.access.get(id)
        after = version_of(session, cube, new or cube.version)
        before = version_of(session, cube, old or max(1, after.version - 1))
    session.audit_reads("show", [cube])
    lines = unified_diff(
        _lines(before), _lines(after), f"version {before.version}", f"version {after.version}",
        show_time(before.created), show_time(after.created), lineterm="",
    )  # fmt: skip
    return Diff(cube.id, before.version, after.version, tuple(lines))


def version_of(session: Session, cube: Cube, number: int) -> Version:
    """A version of a cube by its number. Raises UsageError where there is none."""
    for version in queries.versions(session.vault.connection, cube.n):
        if version.version == number:
            return version
    raise UsageError(
        f"{cube.id} has no version {number}: it has 1 to {cube.version}", f"memos history {cube.id}"
    )


def require_unfrozen(cubes: Sequence[Cube]) -> None:
    """Raise UsageError for a memory that is frozen."""
    for cube in cubes:
        if cube.frozen:
            raise UsageError(f"{cube.id} is frozen", f"memos unfreeze {cube.id}")


def chosen(session: Session, ids: Sequence[str], filter: Filter | None, right: Right = "write") -> list[Cube]:
    """What is to be changed: the cubes of ``ids``, or all that pass ``filter`` and came from no feed.

    Raises Refused.
    """
    if filter is None:
        return session.access.get_many(ids, right)
    cubes = [cube for cube in selection.select(session, filter) if not is_feeds(cube.owner)]
    session.access.require(cubes, right)
    return cubes


def _memories(session: Session, ids: Sequence[str], filter: Filter | None) -> list[Cube]:
    cubes = chosen(session, ids, filter)
    require_unfrozen(cubes)
    for cube in cubes:
        if cube.payload != "plaintext":
            raise UsageError(f"{cube.id} is made from memories", f"memos demote {cube.id}")
    return cubes


def _lines(version: Version) -> list[str]:
    title = [f"title: {version.title}"] if version.title else []
    return [*title, *version.text.splitlines()]
