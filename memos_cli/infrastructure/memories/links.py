"""Links between memories: "part of", "made from", "contradicts" and others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from memos_cli.cube import CHAT, LIVE_STATES
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection, in_lists

End = TypeVar("End", int, str)
LinkKind = Literal[
    "part_of", "follows", "derived_from", "merged_into", "contradicts", "similar_to", "about", "both_hold"
]
LINK_KINDS: tuple[LinkKind, ...] = get_args(LinkKind)
MUTUAL: frozenset[str] = frozenset({"contradicts", "similar_to", "both_hold"})
"""Mutual kinds: stored once, from the older memory to the newer."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link, by the row numbers and the ids of its ends."""

    source: int
    kind: str
    target: int
    source_id: str
    target_id: str
    created: int


_LINKS = """SELECT l.source, l.kind, l.target, s.id, t.id, l.created FROM link l
  JOIN cube s ON s.n = l.source JOIN cube t ON t.n = l.target"""


def links_among(db: Connection, cubes: Collection[int]) -> list[Link]:
    """Return the links that start and end at one of ``cubes``."""
    rows = (
        row
        for marks, part in in_lists(list(cubes))
        for row in db.execute(f"{_LINKS} WHERE l.source IN ({marks})", part).fetchall()
    )
    return [link for link in (Link(*row) for row in rows) if link.target in cubes]


def links_of(db: Connection, cubes: Sequence[int]) -> list[Link]:
    """Return the links that start or end at one of a few memories, oldest first."""
    marks = ",".join("?" * len(cubes))
    where = f"l.source IN ({marks}) OR l.target IN ({marks})"
    rows = db.execute(f"{_LINKS} WHERE {where} ORDER BY l.created, l.source, l.target", (*cubes, *cubes))
    return [Link(*row) for row in rows]


def links_by_kind(db: Connection, kind: str) -> list[Link]:
    """Return all links of a kind, oldest first."""
    rows = db.execute(f"{_LINKS} WHERE l.kind = ? ORDER BY l.created, l.source, l.target", (kind,))
    return [Link(*row) for row in rows]


def add(change: Transaction, source: int, kind: str, target: int) -> bool:
    """Link two cubes. Returns whether the link is new."""
    source, target = in_order(source, kind, target)
    statement = "INSERT OR IGNORE INTO link (source, kind, target, created) VALUES (?, ?, ?, ?)"
    is_new = change.db.execute(statement, (source, kind, target, change.now)).rowcount > 0
    if is_new:
        change.tell(source, "link", [kind, _id(change, target)])
    return is_new


def remove(change: Transaction, source: int, kind: str, target: int) -> bool:
    """Remove a link. Returns whether there was one."""
    source, target = in_order(source, kind, target)
    statement = "DELETE FROM link WHERE source = ? AND kind = ? AND target = ?"
    was_there = change.db.execute(statement, (source, kind, target)).rowcount > 0
    if was_there:
        change.tell(source, "unlink", [kind, _id(change, target)])
    return was_there


def reached(db: Connection, cubes: Iterable[int], kind: str, *, back: bool = False) -> list[int]:
    """Return the targets of links of ``kind`` from ``cubes``; with ``back``, the origins of links to them."""
    start, end = ("target", "source") if back else ("source", "target")
    found: dict[int, None] = {}
    for cube in cubes:
        statement = f"SELECT {end} FROM link WHERE {start} = ? AND kind = ? ORDER BY created, {end}"
        found |= dict.fromkeys(n for (n,) in db.execute(statement, (cube, kind)).fetchall())
    return list(found)


def relatives(db: Connection, cubes: Iterable[int]) -> set[int]:
    """Return ``cubes`` with all memories that share text with them: those made from them, and their archived
    origins (merged or sliced).

    The sources of a chat answer are not included: the answer is not another form of their text."""
    named = set(cubes)
    found = set(named)
    for back in (True, False):
        edge = named if back else {n for n in named if not _is_of_chat(db, n)}
        while edge:
            ahead = {*reached(db, edge, "derived_from", back=back)} - found
            edge = ahead if back else {n for n in ahead if not _is_live(db, n)}
            found |= edge
    return found


def _is_of_chat(db: Connection, cube: int) -> bool:
    statement = """SELECT 1 FROM place p JOIN source s ON s.n = p.source
      WHERE p.cube = ? AND substr(s.uri, 1, ?) = ?"""
    return db.execute(statement, (cube, len(CHAT), CHAT)).fetchone() is not None


def _is_live(db: Connection, cube: int) -> bool:
    (state,) = db.execute("SELECT state FROM cube WHERE n = ?", (cube,)).fetchone()
    return state in LIVE_STATES


def in_order(source: End, kind: str, target: End) -> tuple[End, End]:
    """Return the ends of a link as they are stored: the smaller row first, if the link is mutual."""
    return (min(source, target), max(source, target)) if kind in MUTUAL else (source, target)


def _id(change: Transaction, cube: int) -> str:
    (id,) = change.db.execute("SELECT id FROM cube WHERE n = ?", (cube,)).fetchone()
    return str(id)
