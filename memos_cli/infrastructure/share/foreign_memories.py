"""Memories of other vaults, stored unchanged (id, times, all versions), and the limits of an import.

See ``Adoption`` for bundles, and ``of_sources`` for the exports of other programs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from memos_cli.cube import LIVE_STATES, compose_names, digest_of, new_ulids
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import Right, Rule
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.memories import links
from memos_cli.infrastructure.memories.queries import Version
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection, in_lists

Outcome = Literal["added", "versions", "unchanged", "differs", "left"]
"""The result for a memory. ``differs``: the memory here has another text. ``left``: it has later versions
there, but did not come from there.
"""


@dataclass(frozen=True, slots=True)
class ForeignPlace:
    """The place of the memory in a source of the other vault."""

    uri: str
    kind: str
    start: int
    end: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class ForeignMemory:
    """A memory from a bundle."""

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
    versions: tuple[Version, ...]
    places: tuple[ForeignPlace, ...]

    def __post_init__(self) -> None:
        compose_names(self)

    def digest(self) -> bytes:
        """Return the digest that identifies it: see ``Draft.digest``."""
        text = self.versions[-1].text
        return digest_of(text, self.type, self.ref, self.time, self.author, self.role)


@dataclass(frozen=True, slots=True)
class ForeignGrant:
    """A grant on one memory, from a bundle."""

    target: str
    principal: str
    right: Right
    expires: int | None


class Adoption:
    """One import of a bundle. It does not change memories that were in the vault before.

    It links, grants and requests states only for memories that it added itself. The one exception is a later
    version of a memory that came from the same ``signer`` before (``_is_theirs``).
    """

    def __init__(self, change: Transaction, *, signer: str, is_own: bool, quarantine: bool) -> None:
        """Start an import. ``signer`` is "" for an unsigned bundle; ``is_own``: the user's key signed it."""
        self._change, self._signer, self._is_own, self._quarantine = change, signer, is_own, quarantine
        self.brought: dict[str, int] = {}
        """The memories that are new from this bundle: row numbers by the ids in the bundle."""
        self._ids: dict[str, str] = {}
        """The ids of memories here, by the ids in the bundle, where they differ."""
        self._may_stand: dict[str, bool] = {}

    def take(self, cube: ForeignMemory) -> Outcome:
        """Store a memory, or the later versions of one that came from the same signer before."""
        db, owner = self._change.db, self._change.principal
        row = db.execute("SELECT n, owner FROM cube WHERE id = ?", (cube.id,)).fetchone()
        if row is not None and row[1] == owner:
            return self._go_on(cube, row[0])
        alike = "SELECT 1 FROM cube WHERE digest = ? AND owner = ? AND state <> 'merged'"
        if db.execute(alike, (cube.digest(), owner)).fetchone():  # the same words under another id
            return "unchanged"
        # Do not reveal to the caller that another principal has a memory with this id.
        id = cube.id if row is None else new_ulids(self._change.now, 1)[0]
        places = tuple(place for place in cube.places if self._may_stand_in(place.uri))
        state = "quarantined" if self._quarantine else cube.state
        self.brought[cube.id] = insert(self._change, replace(cube, id=id, places=places), state)
        if id != cube.id:
            self._ids[cube.id] = id
        self._tell(id, cube.versions)
        return "added"

    def here(self, id: str) -> str:
        """Return the id in this vault of the memory ``id`` in the bundle."""
        return self._ids.get(id, id)

    def link(self, source: str, kind: str, target: str) -> bool:
        """Link two memories of the bundle. Returns whether they are linked now."""
        one, other = self.brought.get(source), self.brought.get(target)
        if one is None or other is None or one == other:
            return False
        return links.add(self._change, one, kind, other)

    def is_linked(self, source: str, kind: str, target: str) -> bool:
        """Return whether two of the principal's memories have this link, by their ids in the bundle."""
        ends = self.here(source), self.here(target)
        both = [ends, ends[::-1]] if kind in links.MUTUAL else [ends]
        there = """SELECT 1 FROM link l JOIN cube s ON s.n = l.source JOIN cube t ON t.n = l.target
          WHERE s.id = ? AND t.id = ? AND l.kind = ? AND s.owner = ? AND t.owner = s.owner"""
        me = self._change.principal
        return any(self._change.db.execute(there, (*each, kind, me)).fetchone() for each in both)

    def grant(self, wanted: ForeignGrant) -> bool:
        """Apply a grant on a memory of the bundle. Returns whether it is granted now."""
        is_theirs = wanted.target in self.brought
        if is_theirs:
            me, id, now = self._change.principal, self.here(wanted.target), self._change.now
            rule = Rule(me, "cube", id, wanted.principal, wanted.right, me, now, wanted.expires)
            rules.grant(self._change, rule)
        return is_theirs

    def request(self, view: str, document: Sequence[str]) -> bool:
        """Request a saved state of memories of the bundle. Returns whether it is requested now."""
        is_theirs = bool(document) and self.brought.keys() >= {*document} and not self._quarantine
        if is_theirs:
            saved_states.request(self._change, {"view": view, "document": [self.here(id) for id in document]})
        return is_theirs

    def _go_on(self, cube: ForeignMemory, n: int) -> Outcome:
        """Add later versions from a bundle to a memory, if its versions here are the first of them."""
        change = self._change
        here = change.db.execute(
            "SELECT title, text FROM version WHERE cube = ? ORDER BY version", (n,)
        ).fetchall()
        there = [(each.title, each.text) for each in cube.versions]
        if here[-1] == there[-1]:
            return "unchanged"
        state, frozen = change.db.execute("SELECT state, frozen FROM cube WHERE n = ?", (n,)).fetchone()
        if here != there[: len(here)] or frozen:
            return "differs"
        if not self._is_theirs(cube.id):
            return "left"
        change.db.execute("UPDATE cube SET digest = ? WHERE n = ?", (cube.digest(), n))
        for each in cube.versions[len(here) :]:
            change.revise(n, each.text, each.title, "import")
        if self._quarantine and state in (*LIVE_STATES, "expired"):
            change.set_state(n, "quarantined", "quarantine")
        return "versions"

    def _is_theirs(self, id: str) -> bool:
        """Return whether a memory of the principal came from this signer; the user's own key counts as every
        signer.

        Anybody may continue a memory that came without a signature.
        """
        first = "SELECT detail FROM audit WHERE cube = ? AND action = 'import' AND version = 1 ORDER BY n"
        row = self._change.db.execute(first, (id,)).fetchone()
        return self._is_own or (row is not None and row[0] in (None, self._detail()))

    def _may_stand_in(self, uri: str) -> bool:
        """Return whether an imported memory may have a place in a source: not if the source was ingested
        here, because the next ingest would treat the memory as a piece of it.
        """
        if uri not in self._may_stand:
            read = "SELECT 1 FROM source WHERE uri = ? AND owner = ? AND (recipe <> '' OR claim IS NOT NULL)"
            row = self._change.db.execute(read, (uri, self._change.principal)).fetchone()
            self._may_stand[uri] = row is None
        return self._may_stand[uri]

    def _tell(self, id: str, versions: Iterable[Version]) -> None:
        head = (self._change.now, self._change.principal, "import", id)
        self._change.insert_audit([(*head, each.version, self._detail()) for each in versions])

    def _detail(self) -> str | None:
        return json.dumps({"signer": self._signer}) if self._signer else None


def of_sources(db: Connection, refs: Sequence[str], owner: str, uris: Collection[str]) -> dict[str, int]:
    """Return a principal's memories by their references, if all their places are in these sources.

    If several have one reference, return the oldest.
    """
    sources: dict[tuple[str, int], set[str]] = {}
    for marks, part in in_lists(refs):
        for ref, n, uri in db.execute(
            f"""SELECT c.ref, c.n, s.uri FROM cube c JOIN place p ON p.cube = c.n
                JOIN source s ON s.n = p.source
                WHERE c.owner = ? AND c.ref IN ({marks}) AND c.state <> 'merged' ORDER BY c.n""",
            (owner, *part),
        ):
            sources.setdefault((ref, n), set()).add(uri)
    found: dict[str, int] = {}
    for (ref, n), named in sources.items():
        if named <= {*uris}:
            found.setdefault(ref, n)
    return found


def insert(change: Transaction, cube: ForeignMemory, state: str) -> int:
    """Insert a new memory that the principal owns. Returns its row number.

    The caller adds the audit row.
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
