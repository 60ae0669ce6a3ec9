"""Read queries: memories by filter, by id, by words. They take no lock."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from memos_cli.cube import SENSITIVITIES, Cube, Filter, Span
from memos_cli.errors import UsageError
from memos_cli.infrastructure.memories.filters import condition
from memos_cli.infrastructure.storage.database import Connection, in_lists
from memos_cli.infrastructure.storage.schema import LIVE_TEXT
from memos_cli.letters import nfc
from memos_cli.validation import Moment, Whole

_CUBES = """
  SELECT c.n, c.id, c.payload, c.type, c.state, c.version, v.text, v.title, c.ref, c.author, c.role,
    c.owner, c.time, c.created, c.updated, c.expires, c.priority, c.frozen, c.hits, c.last_hit, c.heat,
    s.uri, p.start, p.end, c.sensitivity, c.uses_left,
    (SELECT group_concat(tag, char(31)) FROM tag WHERE cube = c.n)
  FROM cube c
  JOIN version v ON v.cube = c.n AND v.version = c.version
  LEFT JOIN place p ON p.n = (SELECT min(n) FROM place WHERE cube = c.n)
  LEFT JOIN source s ON s.n = p.source
"""
_SOURCES = "SELECT n, uri, kind, encoding, sha256, recipe, blob FROM source"
LOOSE = frozenset({"stdin", "memos:merge"})
"""URIs of input that cannot be read again."""
FROM_AGENT = "mcp:"
"""The prefix of the source of memories that an agent saved; the name of its program follows."""
MASKED = bytes(32)
"""A value in place of the sha256 of a memory's bytes in its source, if they contain a masked secret: together
with the rest of the text, a hash would prove a guess of the secret.
"""
_ANY_LIVE = Filter()


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a memory: of this vault, or from a bundle."""

    version: Whole
    title: str
    text: str
    created: Moment
    principal: str


@dataclass(frozen=True, slots=True)
class Place:
    """One place in a source where a memory is."""

    n: int
    cube: int
    digest: bytes
    span: Span
    bytes_sha256: bytes
    ref: str | None
    shared: bool
    """Whether the cube has other places as well."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source as it was last read."""

    n: int
    uri: str
    kind: str
    encoding: str
    sha256: str
    recipe: str
    blob: str | None

    @property
    def path(self) -> Path | None:
        """The path of the source, if it is a file."""
        return path_of(self.uri) if urlsplit(self.uri).scheme == "file" else None


def path_of(uri: str) -> Path:
    """Return the path of a ``file://`` URI."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def cubes(
    db: Connection, filter: Filter, *, now: int, limit: int = -1, newest: bool = False
) -> Iterator[Cube]:
    """Yield the memories that match ``filter``, oldest first (or newest first)."""
    where, values = condition(filter, now)
    order = "DESC" if newest else "ASC"
    rows = db.execute(f"{_CUBES} WHERE {where} ORDER BY c.n {order} LIMIT ?", (*values, limit))
    yield from map(_cube, rows)


def count(db: Connection, filter: Filter, *, now: int) -> int:
    """Count the cubes that match ``filter``."""
    where, values = condition(filter, now)
    return int(db.execute(f"SELECT count(*) FROM cube c WHERE {where}", values).fetchone()[0])


def numbers(db: Connection, filter: Filter, *, now: int) -> list[int]:
    """Return the row numbers of the memories that match ``filter``."""
    where, values = condition(filter, now)
    return [row[0] for row in db.execute(f"SELECT c.n FROM cube c WHERE {where}", values)]


def by_rowid(db: Connection, wanted: Sequence[int]) -> dict[int, Cube]:
    """Return the memories with these row numbers; missing ones are left out."""
    found: dict[int, Cube] = {}
    for marks, part in in_lists(wanted):
        for row in db.execute(f"{_CUBES} WHERE c.n IN ({marks})", part):
            found[row[0]] = _cube(row)
    return found


def get(db: Connection, prefix: str) -> Cube:
    """Return the cube whose id starts with ``prefix``, in any state. Raises UsageError unless there is
    exactly one.
    """
    wanted = prefix.strip().upper()
    rows = []
    if wanted and wanted.isalnum() and wanted.isascii():
        rows = db.execute(f"{_CUBES} WHERE c.id >= ? AND c.id < ? LIMIT 3", (wanted, wanted + "~")).fetchall()
    if not rows:
        rows = db.execute(f"{_CUBES} WHERE c.ref = ? LIMIT 3", (nfc(prefix),)).fetchall()
    if not rows:
        raise UsageError(f"no memory has an id that starts with {prefix!r}", "`memos list` shows the ids")
    if len(rows) > 1:
        some = ", ".join(row[1] for row in rows[:2])
        raise UsageError(f"{prefix!r} names more than one memory: {some}…", "type more of the id")
    return _cube(rows[0])


def matches(
    db: Connection, expression: str, filter: Filter, *, now: int, limit: int
) -> list[tuple[int, float]]:
    """Return memories whose words match an FTS5 expression, with BM25 (higher is better), best first."""
    if filter == _ANY_LIVE:  # all that have words are: only few can have expired meanwhile
        wanted = limit
        while True:
            rows = db.execute(
                "SELECT rowid, -bm25(words, 0.7, 1.0) AS score FROM words WHERE words MATCH ? "
                "ORDER BY score DESC, rowid LIMIT ?",
                (expression, wanted),
            ).fetchall()
            fit = set(filter_ids(db, [n for n, _ in rows], now=now))
            if len(fit) >= limit or len(rows) < wanted:
                return [(n, float(score)) for n, score in rows if n in fit][:limit]
            wanted *= 4
    where, values = condition(filter, now)
    rows = db.execute(
        f"""SELECT words.rowid, -bm25(words, 0.7, 1.0) AS score
            FROM words JOIN cube c ON c.n = words.rowid
            WHERE words MATCH ? AND {where} ORDER BY score DESC, c.n LIMIT ?""",
        (expression, *values, limit),
    ).fetchall()
    return [(n, float(score)) for n, score in rows]


def newest_matches(db: Connection, expression: str, filter: Filter, *, now: int, limit: int) -> list[int]:
    """Return the newest memories whose words match an FTS5 expression."""
    where, values = condition(filter, now)
    rows = db.execute(
        f"""SELECT words.rowid FROM words JOIN cube c ON c.n = words.rowid
            WHERE words MATCH ? AND {where} ORDER BY words.rowid DESC LIMIT ?""",
        (expression, *values, limit),
    )
    return [n for (n,) in rows]


def by_ref(db: Connection, refs: Sequence[str], owner: str) -> dict[str, int]:
    """Return a principal's cubes by their references; if several share one, the oldest."""
    found: dict[str, int] = {}
    for marks, part in in_lists(list(map(nfc, refs))):
        rows = db.execute(
            f"""SELECT ref, min(n) FROM cube WHERE owner = ? AND ref IN ({marks})
                AND state <> 'merged' GROUP BY ref""",
            (owner, *part),
        ).fetchall()
        found |= dict(rows)
    return {ref: found[nfc(ref)] for ref in refs if nfc(ref) in found}


def by_ids(db: Connection, ids: Sequence[str], owner: str = "") -> dict[str, int]:
    """Return row numbers by complete ids: those of one owner, or of anybody."""
    found: dict[str, int] = {}
    for marks, part in in_lists(ids):
        rows = db.execute(
            f"SELECT id, n FROM cube WHERE ?1 IN ('', owner) AND id IN ({marks})", (owner, *part)
        )
        found |= dict(rows.fetchall())
    return found


def matching(db: Connection, expression: str, wanted: Sequence[int]) -> list[int]:
    """Return those of a few cubes whose words match an FTS5 expression."""
    marks = ",".join("?" * len(wanted))
    statement = f"SELECT rowid FROM words WHERE words MATCH ? AND rowid IN ({marks})"
    return [n for (n,) in db.execute(statement, (expression, *wanted)).fetchall()]


def previews(
    db: Connection, wanted: Sequence[int], length: int
) -> list[tuple[int, str, str, str, int | None, str, str, int | None, int]]:
    """Return the beginnings of cubes: (n, type, author, role, time, the first ``length`` characters, last,
    the source and the start there)."""
    found = []
    for marks, part in in_lists(wanted):
        found += db.execute(
            f"""SELECT c.n, c.type, c.author, c.role, c.time, substr(v.text, 1, ?), substr(rtrim(v.text), -1),
                  p.source, coalesce(p.start, 0)
                FROM cube c JOIN version v ON v.cube = c.n AND v.version = c.version
                LEFT JOIN place p ON p.n = (SELECT min(n) FROM place WHERE cube = c.n)
                WHERE c.n IN ({marks})""",
            (length, *part),
        ).fetchall()
    return found


def neighbour_turns(db: Connection, wanted: Sequence[int], apart: int) -> list[tuple[int, int]]:
    """Return the pairs (turn, next turn) of conversations with at least one of ``wanted``.

    Turns more than ``apart`` milliseconds apart are not a pair.
    """
    found: set[tuple[int, int]] = set()
    for marks, part in in_lists(wanted):
        for compare, order, first, second in ((">", "", "a", "b"), ("<", "DESC", "b", "a")):
            found |= set(
                db.execute(
                    f"""SELECT {first}.n, {second}.n FROM cube a JOIN place p ON p.cube = a.n
                        JOIN place q ON q.n = (SELECT n FROM place WHERE source = p.source
                          AND (start, n) {compare} (p.start, p.n) ORDER BY start {order}, n {order} LIMIT 1)
                        JOIN cube b ON b.n = q.cube
                        WHERE a.n IN ({marks}) AND a.type = 'dialogue' AND b.type = 'dialogue'
                          AND a.n <> b.n AND abs(coalesce(b.time - a.time, 0)) <= ?""",
                    (*part, apart),
                ).fetchall()
            )
    return sorted(found)


def versions(db: Connection, cube: int) -> list[Version]:
    """Return all versions of a memory, newest first."""
    rows = db.execute(
        """SELECT version, title, text, created, principal FROM version WHERE cube = ?
           ORDER BY version DESC""",
        (cube,),
    )
    return [Version(*row) for row in rows]


def source(db: Connection, uri: str, owner: str) -> SourceRow | None:
    """Return a source of ``owner`` by its address."""
    row = db.execute(f"{_SOURCES} WHERE uri = ? AND owner = ?", (uri, owner)).fetchone()
    return SourceRow(*row) if row else None


def sources(db: Connection, owner: str, *, with_places: bool = False) -> list[SourceRow]:
    """Return all sources of a principal in order of arrival, or only those with cubes."""
    held = "AND EXISTS (SELECT 1 FROM place WHERE place.source = source.n)" if with_places else ""
    rows = db.execute(f"{_SOURCES} WHERE owner = ? {held} ORDER BY n", (owner,))
    return [SourceRow(*row) for row in rows]


def reached(db: Connection, owner: str, source: int | None = None) -> list[tuple[int, str]]:
    """Return the paths by which folders reached the sources of a principal, or one source: (source, path)."""
    return db.execute(
        """SELECT r.source, r.path FROM reached r JOIN source s ON s.n = r.source
           WHERE s.owner = ?1 AND (?2 IS NULL OR s.n = ?2)""",
        (owner, source),
    ).fetchall()


def places(db: Connection, source: int) -> list[Place]:
    """Return the places of memories in a source, in order."""
    rows = db.execute(
        """SELECT p.n, p.cube, p.digest, p.start, p.end, p.bytes_sha256, c.ref,
             EXISTS (SELECT 1 FROM place q WHERE q.cube = p.cube AND q.n <> p.n)
           FROM place p JOIN cube c ON c.n = p.cube WHERE p.source = ? ORDER BY p.start, p.n""",
        (source,),
    )
    return [
        Place(n, c, digest, Span(s, e), sha, ref, bool(shared))
        for n, c, digest, s, e, sha, ref, shared in rows
    ]


def places_of(db: Connection, cube: int) -> list[tuple[SourceRow, Span, bytes]]:
    """Return all places of a memory: the source, the span, and the sha256 of its bytes."""
    rows = db.execute(
        """SELECT s.n, s.uri, s.kind, s.encoding, s.sha256, s.recipe, s.blob, p.start, p.end, p.bytes_sha256
           FROM place p JOIN source s ON s.n = p.source WHERE p.cube = ? ORDER BY p.n""",
        (cube,),
    )
    return [(SourceRow(*row[:7]), Span(row[7], row[8]), row[9]) for row in rows]


def place_digests(db: Connection, cube: int) -> list[bytes]:
    """Return the digests of the drafts at the places of a memory, in the order of ``places_of``."""
    return [row[0] for row in db.execute("SELECT digest FROM place WHERE cube = ? ORDER BY n", (cube,))]


def common_sources(db: Connection, one: int, other: int) -> list[tuple[int, str]]:
    """Return the sources of both cubes as (number, kind), without unnamed input."""
    return db.execute(
        """SELECT DISTINCT s.n, s.kind FROM place p JOIN place q ON q.source = p.source
           JOIN source s ON s.n = p.source
           WHERE p.cube = ? AND q.cube = ? AND s.uri NOT IN (?, ?) AND s.uri NOT GLOB ?""",
        (one, other, *LOOSE, f"{FROM_AGENT}*"),
    ).fetchall()


def status(db: Connection, cube: int) -> tuple[str, bool] | None:
    """Return the state of a memory and whether it is frozen; None if it is gone."""
    row = db.execute("SELECT state, frozen FROM cube WHERE n = ?", (cube,)).fetchone()
    return (row[0], bool(row[1])) if row else None


def filter_ids(db: Connection, wanted: Sequence[int], *, now: int, filter: Filter = _ANY_LIVE) -> list[int]:
    """Return those of a few memories that match ``filter``; by default, the live ones."""
    where, values = condition(filter, now)
    found: list[int] = []
    for marks, part in in_lists(wanted):
        rows = db.execute(f"SELECT c.n FROM cube c WHERE c.n IN ({marks}) AND {where}", (*part, *values))
        found += [row[0] for row in rows.fetchall()]
    return found


def without_vector(
    db: Connection, embedder: int, *, limit: int, after: int = 0
) -> list[tuple[int, int, str, str, str, str]]:
    """Return the live cubes without a vector of ``embedder``: (n, version, type, title, author, text)."""
    return db.execute(
        """SELECT c.n, c.version, c.type, v.title, c.author, v.text FROM waiting w
           JOIN cube c ON c.n = w.cube JOIN version v ON v.cube = c.n AND v.version = c.version
           WHERE w.embedder = ? AND w.cube > ? ORDER BY w.cube LIMIT ?""",
        (embedder, after, limit),
    ).fetchall()


EMBEDDER = "embedder"
"""The policy with the row of the embedder that searches use."""


def embedder_in_use(db: Connection) -> int:
    """Return the row of the embedder that searches use; 0 if there is none."""
    held = "SELECT CAST(value AS INTEGER) FROM policy WHERE name = ?"
    row = db.execute(
        f"SELECT coalesce((SELECT n FROM embedder WHERE n = ({held})), max(n), 0) FROM embedder", (EMBEDDER,)
    ).fetchone()
    return int(row[0])


def count_without_vector(db: Connection, embedder: int = 0) -> int:
    """Count the live cubes without a vector of an embedder; by default of the one in use."""
    embedder = embedder or embedder_in_use(db)
    if not embedder:
        return int(db.execute(f"SELECT count(*) FROM cube c WHERE {LIVE_TEXT}").fetchone()[0])
    row = db.execute(
        "SELECT count(*) FROM waiting w JOIN cube c ON c.n = w.cube WHERE w.embedder = ?", (embedder,)
    ).fetchone()
    return int(row[0])


def pinned(db: Connection, view: str, *, now: int, filter: Filter = _ANY_LIVE) -> list[Cube]:
    """Return the live memories that a view pins ("": without a view), in the order of the prompt."""
    where, values = condition(filter, now)
    rows = db.execute(
        f"{_CUBES} JOIN pin ON pin.cube = c.n WHERE pin.view = ? AND {where} ORDER BY pin.position",
        (nfc(view), *values),
    )
    return [_cube(row) for row in rows]


def pins(db: Connection, view: str | None = None) -> list[tuple[str, Cube]]:
    """Return the pinned cubes, in any state: (view, cube) in order; of one view, or of all (None)."""
    rows = db.execute(
        f"""SELECT pin.view, cubes.* FROM ({_CUBES}) cubes JOIN pin ON pin.cube = cubes.n
            WHERE ?1 IS NULL OR pin.view = ?1 ORDER BY pin.view, pin.position""",
        (None if view is None else nfc(view),),
    )
    return [(name, _cube(row)) for name, *row in rows]


def _cube(row: Any) -> Cube:
    start, end, sensitivity, uses_left, tags = row[-5:]
    span = None if start is None else Span(start, end)
    labels = tuple(sorted(tags.split("\x1f"))) if tags else ()
    level = SENSITIVITIES[sensitivity] if sensitivity in range(len(SENSITIVITIES)) else SENSITIVITIES[-1]
    fields: tuple[Any, ...] = (*row[:17], bool(row[17]), *row[18:22], span, labels, level, uses_left)
    return Cube(*fields)
