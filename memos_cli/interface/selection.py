"""Select memories: by filters, by saved filters (views), and by pins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from memos_cli.cube import STATES, Cube, Filter
from memos_cli.errors import Refused, UsageError
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import Right, is_feeds
from memos_cli.infrastructure.memories import filters, queries
from memos_cli.interface.options import check_names
from memos_cli.interface.session import NAMED, Session
from memos_cli.letters import nfc

# --- filters ---------------------------------------------------------------------------------------


def select(session: Session, filter: Filter, *, limit: int = -1, newest: bool = True) -> Iterator[Cube]:
    """Return the memories that match ``filter``, without an audit row: the caller writes it."""
    return queries.cubes(session.vault.connection, filter, now=session.now(), limit=limit, newest=newest)


def list_memories(session: Session, filter: Filter, limit: int, *, newest: bool) -> Iterator[Cube]:
    """Return the memories that match ``filter``. The audit row is written before the first is returned."""
    few = [*select(session, filter, limit=NAMED if limit < 0 else min(limit, NAMED), newest=newest)]
    if len(few) < NAMED or limit == NAMED:
        session.audit_reads("list", few)
        return iter(few)
    total = count(session, filter)
    session.audit_reads("list", few, (total if limit < 0 else min(total, limit)) - len(few))
    return select(session, filter, limit=limit, newest=newest)


def count(session: Session, filter: Filter) -> int:
    """Return how many memories match ``filter``."""
    return queries.count(session.vault.connection, filter, now=session.now())


def is_empty(session: Session) -> bool:
    """Return whether the caller can read no memory, in any state."""
    return next(select(session, Filter(states=STATES), limit=1), None) is None


def to_change(
    session: Session, ids: Sequence[str], filter: Filter | None, right: Right = "write"
) -> list[Cube]:
    """Return the memories to change: those of ``ids``, or all that match ``filter`` and are from no feed.

    Raises Refused without ``right`` on all of them.
    """
    if filter is None:
        return session.access.get_many(ids, right)
    cubes = [cube for cube in select(session, filter) if not is_feeds(cube.owner)]
    session.access.require(cubes, right)
    return cubes


def for_caller(session: Session, filter: Filter) -> Filter:
    """Return ``filter`` without the memories that are bound to the tasks of others."""
    is_any_bound = rules.is_anything_bound(session.vault.connection)
    return replace(filter, asker=session.principal) if is_any_bound else filter


def promptable(session: Session, filter: Filter) -> Filter:
    """Return ``filter`` without the memories that may not be in the caller's prompts."""
    return for_caller(session, filter).up_to(session.settings.sensitivity_prompt)


def promptable_memories(session: Session, cubes: Sequence[Cube]) -> list[Cube]:
    """Return those of ``cubes``, in any state but quarantine, that may be in the caller's prompts."""
    wanted = promptable(session, Filter(states=tuple(state for state in STATES if state != "quarantined")))
    numbers = [cube.n for cube in cubes]
    matching = {*queries.filter_ids(session.vault.connection, numbers, now=session.now(), filter=wanted)}
    return [cube for cube in cubes if cube.n in matching]


# --- views -----------------------------------------------------------------------------------------


def views(session: Session) -> dict[str, Filter]:
    """Return the saved filters by name."""
    return filters.views(session.vault.connection)


def view(session: Session, name: str) -> Filter:
    """Return the filter of a view. Raises UsageError if there is none of this name."""
    known, name = views(session), nfc(name)
    if name not in known:
        names = ", ".join(known) or "none yet"
        raise UsageError(f"no view is named {name!r} (there are: {names})", f"memos view set {name} --tag …")
    return known[name]


def set_view(session: Session, name: str, filter: Filter) -> None:
    """Save a filter under a name; it replaces an older one. Raises Refused if that belongs to another."""
    from memos_cli.interface.redaction.redaction import cover

    name = cover(name, session.settings.ingest_secrets)
    _require_own_view(session, name)
    check_names([name], "view")
    with session.change() as change:
        change.set_view(name, filters.filter_to_json(filter))


def remove_view(session: Session, name: str) -> None:
    """Delete a saved filter; the memories stay."""
    view(session, name)
    _require_own_view(session, name)
    with session.change() as change:
        change.remove_view(name)


def _require_own_view(session: Session, name: str) -> None:
    session.access.require_writer()
    owner = filters.view_owner(session.vault.unrestricted, name)
    if owner not in ("", session.principal):
        raise Refused(f"the view {name!r} is {owner}'s", "save yours under another name")


# --- pins ------------------------------------------------------------------------------------------


def pinned(session: Session, view: str, up_to: str = "secret") -> list[Cube]:
    """Return the memories that are in every prompt of a view ("": of no view), up to a sensitivity.

    It adds no audit row: it is used for plans, which are audited.
    """
    filter = promptable(session, Filter()).up_to(up_to)
    return queries.pinned(session.vault.connection, view, now=session.now(), filter=filter)


def pins(session: Session, view_name: str) -> list[tuple[str, Cube]]:
    """Return the pinned cubes, in any state, as (view, memory): of one view, or of all ("")."""
    if view_name:
        view(session, view_name)
    found = queries.pins(session.vault.connection, view_name or None)
    session.audit_reads("list", [cube for _, cube in found])
    return found
