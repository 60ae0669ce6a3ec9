"""A memory of another vault, kept as it was there: its id, its times, all its versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memos_cli.cube import Draft, Span, compose_names
from memos_cli.infrastructure.changes import Change

Outcome = Literal["added", "versions", "unchanged", "differs"]


@dataclass(frozen=True, slots=True)
class ForeignVersion:
    """One version, the first of which is 1."""

    version: int
    title: str
    text: str
    created: int
    principal: str
    """Who wrote it there."""


@dataclass(frozen=True, slots=True)
class ForeignPlace:
    """Where the memory stood in a source there."""

    uri: str
    kind: str
    start: int
    end: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Foreign:
    """A memory as a bundle tells it."""

    id: str
    type: str
    state: str
    ref: str | None
    author: str
    role: str
    time: int | None
    created: int
    updated: int
    expires: int | None
    uses_left: int | None
    priority: int
    frozen: bool
    sensitivity: int
    tags: tuple[str, ...]
    versions: tuple[ForeignVersion, ...]
    places: tuple[ForeignPlace, ...]

    def __post_init__(self) -> None:
        compose_names(self)

    def digest(self) -> bytes:
        """What tells it from another memory: see ``Draft.digest``."""
        last = self.versions[-1]
        return Draft(
            last.text, Span(0, 0), self.type, last.title, self.ref, self.time, self.author, self.role
        ).digest()


def adopt(change: Change, cube: Foreign, *, quarantine: bool) -> Outcome:
    """Keep a memory; or, where it is here, what it has become since."""
    db = change.db
    row = db.execute("SELECT n, owner FROM cube WHERE id = ?", (cube.id,)).fetchone()
    if row is not None:
        return _go_on(change, cube, row[0]) if row[1] == change.principal else "differs"
    alike = db.execute(
        "SELECT n FROM cube WHERE digest = ? AND owner = ? AND state <> 'merged'",
        (cube.digest(), change.principal),
    ).fetchone()
    if alike is not None:  # the same words under another id
        change.tag(alike[0], cube.tags)
        return "unchanged"
    insert(change, cube, "quarantined" if quarantine else cube.state)
    change.insert_audit(
        [(change.now, change.principal, "import", cube.id, each.version, None) for each in cube.versions]
    )
    return "added"


def insert(change: Change, cube: Foreign, state: str) -> int:
    """Write a memory that is not here, as the principal's own. Returns its row number.

    The caller leaves the audit row.
    """
    db = change.db
    (n,) = db.execute(
        """INSERT INTO cube (id, payload, type, state, version, digest, ref, author, role, owner, time,
             created, updated, expires, priority, frozen, hits, last_hit, heat, sensitivity, uses_left)
           VALUES (?, 'plaintext', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, ?, ?) RETURNING n""",
        (
            cube.id, cube.type, state, len(cube.versions), cube.digest(), cube.ref, cube.author, cube.role,
            change.principal, cube.time, cube.created, cube.updated, cube.expires, cube.priority,
            cube.frozen, cube.sensitivity, cube.uses_left,
        ),
    ).fetchone()  # fmt: skip
    change.insert_versions((n, v.version, v.title, v.text, v.created, v.principal) for v in cube.versions)
    db.executemany("INSERT OR IGNORE INTO tag (cube, tag) VALUES (?, ?)", [(n, tag) for tag in cube.tags])
    db.executemany(
        "INSERT INTO place (source, cube, digest, start, end, bytes_sha256) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (change.unread_source(p.uri, p.kind), n, cube.digest(), p.start, p.end, p.sha256)
            for p in cube.places
        ],
    )
    change.enter(n)
    return int(n)


def _go_on(change: Change, cube: Foreign, n: int) -> Outcome:
    """The versions that a memory has got where it comes from, if those that are here are its own."""
    here = change.db.execute(
        "SELECT title, text FROM version WHERE cube = ? ORDER BY version", (n,)
    ).fetchall()
    there = [(each.title, each.text) for each in cube.versions]
    if here[-1] == there[-1]:
        return "unchanged"
    if here != there[: len(here)]:
        return "differs"
    (frozen,) = change.db.execute("SELECT frozen FROM cube WHERE n = ?", (n,)).fetchone()
    if frozen:
        return "differs"
    change.db.execute("UPDATE cube SET digest = ? WHERE n = ?", (cube.digest(), n))
    for each in cube.versions[len(here) :]:
        change.revise(n, each.text, each.title, "import")
    return "versions"
