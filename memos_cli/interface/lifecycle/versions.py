"""Compare the versions of a memory, and go back to an older one."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff

from memos_cli.cube import Cube
from memos_cli.errors import UsageError
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.queries import Version
from memos_cli.interface.lifecycle.archiving import require_unfrozen
from memos_cli.interface.missing_vectors import embed_changed
from memos_cli.interface.results import Edited
from memos_cli.interface.session import Session
from memos_cli.zones import show_time


@dataclass(frozen=True, slots=True)
class Diff:
    """The changes from one version of a memory to another; ``lines`` as ``diff -u`` prints them."""

    id: str
    old: int
    new: int
    lines: tuple[str, ...]


def rollback(session: Session, id: str, to: int) -> Edited:
    """Give a memory a new version with the text of an old one."""
    with session.change() as change:
        cube = session.access.get(id, "write")
        require_unfrozen([cube])
        old = version_of(session, cube, to)
        changed = (old.text, old.title) != (cube.text, cube.title)
        if changed:
            change.edit(cube, old.text, old.title, "rollback")
    embed_changed(session)  # in any case: a rollback that was killed may have left no vector
    return Edited(cube.id, cube.version + changed, changed)


def diff(session: Session, id: str, old: int, new: int) -> Diff:
    """Return what changed between two versions; 0: the newest, and the one before it."""
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
    """Return a version of a memory by its number. Raises UsageError if there is none."""
    for version in queries.versions(session.vault.connection, cube.n):
        if version.version == number:
            return version
    raise UsageError(
        f"{cube.id} has no version {number}: it has 1 to {cube.version}", f"memos history {cube.id}"
    )


def _lines(version: Version) -> list[str]:
    title = [f"title: {version.title}"] if version.title else []
    return [*title, *version.text.splitlines()]
