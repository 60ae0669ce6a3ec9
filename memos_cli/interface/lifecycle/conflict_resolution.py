"""Find duplicate and contradicting memories, report them, and let the user resolve them.

The result is a guess, and never hides a memory: a plan includes both memories of a pair, with their dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from memos_cli.cube import LIVE_STATES, Cube, Filter, Hit
from memos_cli.errors import UsageError
from memos_cli.infrastructure.access.governance import is_feeds
from memos_cli.infrastructure.memories import links, queries
from memos_cli.interface.lifecycle.archiving import require_unfrozen
from memos_cli.interface.session import Session
from memos_cli.operation.lifecycle.states import next_state
from memos_cli.operation.search.conflict_detection import compare
from memos_cli.operation.search.hybrid_search import nearest_memories

FEW = 50
"""The maximum new memories that are compared with the others at once; ``memos maintain`` compares more."""
NEAR, NEIGHBOURS = 0.6, 8
"""Cosine from which two memories are compared word by word, and with how many each is."""
DATED_TYPES = ("dialogue", "event")
"""Types whose memories are each about their own time: two that differ do not contradict each other."""
SETTLED = "both_hold"
"""The kind of link between two memories that the user resolved with keep-both."""
ROWS = ("csv", "json", "jsonl")
"""Kinds of sources in which each record is about a different thing."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two live memories of which one contradicts the other, the newer one second."""

    older: Cube
    newer: Cube
    kind: str
    archived: str = ""
    """The id of the one that was archived to settle it; "" if both are kept."""


def conflicts(session: Session, ids: Sequence[str] = (), *, similar: bool = False) -> list[Conflict]:
    """Return pairs of memories that contradict each other; with ``similar``, also duplicates.

    With ``ids``, only the pairs of these memories.
    """
    named = {cube.n for cube in session.access.get_many(ids)}
    db = session.vault.connection
    found = [
        each
        for kind in ("contradicts", *(["similar_to"] if similar else []))
        for each in links.links_by_kind(db, kind)
    ]
    cubes = queries.by_rowid(db, [end for each in found for end in (each.source, each.target)])
    pairs = []
    for each in found:
        one, other = cubes.get(each.source), cubes.get(each.target)
        if one and other and one.state in LIVE_STATES and other.state in LIVE_STATES:
            older, newer = sorted((one, other), key=_age)
            pairs.append(Conflict(older, newer, each.kind))
    if ids:
        pairs = [pair for pair in pairs if named & {pair.older.n, pair.newer.n}]
    session.audit_reads("list", [cube for pair in pairs for cube in (pair.older, pair.newer)])
    return pairs


def resolve(session: Session, how: str, ids: Sequence[str]) -> list[Conflict]:
    """Resolve conflicts of these memories: ``keep-newest``, ``keep-both``, or the id of the one to keep.

    Without names, resolves all contradictions, but no duplicates, and none with a memory of a feed. Archives
    the memories that are not kept. Returns the resolved conflicts, each with the archived memory. Raises
    Refused for a memory of a feed: it cannot be changed.
    """
    session.access.require_writer()
    pairs = conflicts(session, similar=bool(ids) or how not in ("keep-newest", "keep-both"))
    named = {cube.n for cube in session.access.get_many(ids, "write")}
    mine = [
        pair
        for pair in pairs
        if named & {pair.older.n, pair.newer.n} or not (named or not _may_settle(session, pair))
    ]
    kept = None if how in ("keep-newest", "keep-both") else session.access.get(how, "write")
    if kept is not None:
        mine = [pair for pair in mine if kept.n in (pair.older.n, pair.newer.n)]
    if not mine and (named or kept is not None):
        raise UsageError("there is no such conflict", "memos conflicts")
    settled = []
    with session.change() as change:
        for pair in mine:
            loser = pair.older if kept is None or kept.n == pair.newer.n else pair.newer
            links.remove(change, pair.older.n, pair.kind, pair.newer.n)
            links.add(change, pair.older.n, SETTLED, pair.newer.n)
            standing = queries.status(change.db, loser.n)
            settled.append(pair if how == "keep-both" else replace(pair, archived=loser.id))
            if how != "keep-both" and standing and standing[0] in LIVE_STATES:
                session.access.require([loser], "write")
                require_unfrozen([loser])
                change.set_state(loser.n, next_state(standing[0], "archive"), "archive")
    return settled


def link_conflicts(
    session: Session, cube: int, embedder: int, *, dry_run: bool = False
) -> Iterator[tuple[str, Cube, Cube]]:
    """Link a memory with its duplicates and contradictions among the nearest memories."""
    db = session.vault.connection
    mine = queries.by_rowid(db, [cube]).get(cube)
    if mine is None or mine.type in DATED_TYPES:
        return
    from memos_cli.infrastructure.vectors import vector_index

    vector = vector_index.stored(db, embedder, cube)
    if vector is None:
        return
    near = nearest_memories(session.vault, vector, embedder, Filter(), session.now(), NEIGHBOURS)
    others = queries.by_rowid(db, [n for n, cosine in near.items() if n != cube and cosine >= NEAR])
    linked = {end for each in links.links_of(db, [cube]) for end in (each.source, each.target)}
    found = {
        other.n: compare(mine.text, other.text)
        for other in others.values()
        if _compared(session, mine, other) and other.type not in DATED_TYPES
    }
    rivals = [others[n] for n, kind in found.items() if kind == "contradicts"]
    apart = _in_one_list(session, mine, rivals) | {each.n for each in rivals if _is_of_other(mine, each)}
    for n, kind in found.items():
        if not kind or n in linked or n in apart:
            continue
        if not dry_run:
            with session.change() as change:
                links.add(change, cube, kind, n)
        yield kind, mine, others[n]


def _in_one_list(session: Session, mine: Cube, rivals: Sequence[Cube]) -> set[int]:
    """Return the ``rivals`` in one list with ``mine``: rows of one table, or three similar lines of a source.

    Entries of a list, such as a timetable, are about different things and contradict nothing."""
    found: dict[int, list[tuple[int, str]]] = {}
    for other in rivals:
        for source, kind in queries.common_sources(session.vault.connection, mine.n, other.n):
            found.setdefault(source, []).append((other.n, kind))
    return {n for held in found.values() for n, kind in held if kind in ROWS or len(held) > 1}


def _is_of_other(one: Cube, other: Cube) -> bool:
    """Return whether two memories have different headings or speakers, so are about different things."""
    names = [(cube.author, _heading(cube)) for cube in (one, other)]
    return any(mine and theirs and mine != theirs for mine, theirs in zip(*names, strict=True))


def _heading(cube: Cube) -> str:
    """Return the headings above a memory in its source, without the name of the file."""
    name, _, heading = cube.title.partition(" › ")
    return heading or ("" if name == PurePath(cube.source or "").stem else name)


def _compared(session: Session, one: Cube, other: Cube) -> bool:
    """Return whether both are the caller's, or one of them came from a feed."""
    owners = {one.owner, other.owner}
    return session.principal in owners and all(is_feeds(each) for each in owners - {session.principal})


def link_new(session: Session, ids: Sequence[str]) -> list[str]:
    """Compare a few new memories with all others; link conflicts. Returns notes for the user."""
    if not 0 < len(ids) <= FEW:
        return []
    embedder = queries.embedder_in_use(session.vault.connection)
    notes = []
    for cube in session.access.get_many(ids):
        for kind, mine, other in link_conflicts(session, cube.n, embedder):
            if kind == "contradicts":
                notes.append(f"{mine.id} may contradict {other.id}; see `memos conflicts`")
    return notes


def _age(cube: Cube) -> tuple[int, int]:
    """Return a key that sorts memories by their time, the oldest first."""
    return (cube.created if cube.time is None else cube.time, cube.n)


def _may_settle(session: Session, pair: Conflict) -> bool:
    """Return whether the caller may change both memories; those of a feed cannot be changed."""
    return all(session.access.decide(cube, "write").allowed for cube in (pair.older, pair.newer))


def disputed(session: Session, hits: Sequence[Hit], relevance: float) -> list[tuple[Cube, Cube]]:
    """Return the pairs among ``hits`` that may contradict each other, the newer first.

    A link may come from a bundle, so it does not make a memory relevant: both must reach ``relevance``,
    unless they differ in one value only. The user's own memory comes before one of a feed, whatever its time.
    """
    by_number = {hit.cube.n: hit for hit in hits}
    pairs = []
    for each in links.links_of(session.vault.connection, list(by_number)) if by_number else ():
        if each.kind == "contradicts" and {each.source, each.target} <= by_number.keys():
            both = [by_number[each.source], by_number[each.target]]
            one, other = (hit.cube for hit in both)
            if min(hit.relevance for hit in both) < relevance and not compare(one.text, other.text):
                continue
            older, newer = sorted((one, other), key=lambda cube: (not is_feeds(cube.owner), _age(cube)))
            pairs.append((newer, older))
    return pairs
