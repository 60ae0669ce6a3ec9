"""Review memories in quarantine, and set how sensitive memories are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memos_cli.cube import SENSITIVITIES, Cube, Filter
from memos_cli.errors import Refused, UsageError, require_known
from memos_cli.infrastructure.access.governance import is_feeds
from memos_cli.interface import selection
from memos_cli.interface.lifecycle.archiving import require_unfrozen
from memos_cli.interface.missing_vectors import embed_changed
from memos_cli.interface.results import Tagged
from memos_cli.interface.session import Session
from memos_cli.operation.ask.injection_cues import suspicions
from memos_cli.operation.lifecycle.states import next_state


def review(session: Session, ids: Sequence[str], filter: Filter | None, *, approve: bool) -> list[Cube]:
    """Approve quarantined memories, or archive them: those of ``ids``, or all that match ``filter``.

    Raises Refused for an agent: only a person approves memories from outside.
    """
    if not session.principal.startswith("user:"):
        raise Refused("only a user can review quarantined memories", "memos quarantine --as user:NAME")
    action = "approve" if approve else "reject"
    with session.change() as change:
        cubes = _waiting(session, ids, filter)
        for cube in cubes:
            if cube.state != "quarantined":
                raise UsageError(f"{cube.id} is not in quarantine: it is {cube.state}", "memos quarantine")
            change.set_state(cube.n, next_state(cube.state, action, cube.id), action)
    if approve:
        embed_changed(session)
    return cubes


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A memory in quarantine, with its parts that look like instructions to the model."""

    cube: Cube
    suspicions: tuple[str, ...]


def quarantined(session: Session, ids: Sequence[str], filter: Filter) -> list[Quarantined]:
    """Return the memories in quarantine that match ``filter``; with ``ids`` only those, oldest first."""
    wanted = replace(filter, states=("quarantined",))
    found = [*selection.select(session, wanted, newest=False)]
    if ids:
        named = {cube.n for cube in session.access.get_many(ids)}
        found = [cube for cube in found if cube.n in named]
    session.audit_reads("list", found)
    return [Quarantined(cube, tuple(suspicions(f"{cube.title}\n{cube.text}"))) for cube in found]


def _waiting(session: Session, ids: Sequence[str], filter: Filter | None) -> list[Cube]:
    """Return the memories to review: the caller's, and those of its feeds. Raises Refused."""
    if filter is None:
        cubes = session.access.get_many(ids)
    else:
        cubes = [*selection.select(session, replace(filter, states=("quarantined",)))]
    session.access.require([cube for cube in cubes if not is_feeds(cube.owner)], "write")
    session.access.require([cube for cube in cubes if is_feeds(cube.owner)], "share")
    return cubes


def mark(session: Session, ids: Sequence[str], level: str) -> Tagged:
    """Set how sensitive memories are."""
    require_known("sensitivity", level, SENSITIVITIES)
    with session.change() as change:
        cubes = session.access.get_many(ids, "write")
        require_unfrozen(cubes)
        session.access.require(cubes, "share")  # it decides where a memory may go
        changed = sum(change.mark(cube.n, level) for cube in cubes)
    return Tagged(len(cubes), changed)
