"""Feeds: publications of others, as memories of this vault.

The memories of a feed belong to ``feed:NAME``, a principal that nobody can use. So they are read-only, and
their ids, tags and sources are in a separate namespace: a publisher can neither imitate nor replace a memory
of a principal of this vault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from memos_cli.cube import LIVE_STATES, to_ulid_digits
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import FEED, Rule
from memos_cli.infrastructure.memories import links
from memos_cli.infrastructure.memories.forgetting import forget
from memos_cli.infrastructure.memories.queries import MASKED
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.share import foreign_memories
from memos_cli.infrastructure.share.foreign_memories import ForeignMemory, ForeignPlace
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.fulltext import word_row


@dataclass(frozen=True, slots=True)
class Feed:
    """A publication that this vault follows."""

    n: int
    name: str
    url: str
    publication: str
    """Its name at the publisher."""
    signer: str
    principal: str
    """The principal that follows it."""
    quarantine: bool
    serial: int
    """That of its publication that is here; 0: none yet."""
    sha256: str
    """Of the index of that publication, in hexadecimal."""
    licence: str
    expires: int | None
    """The time when the publication expires, unless it is published again."""
    updated: int

    @property
    def owner(self) -> str:
        return FEED + self.name

    @property
    def tag(self) -> str:
        """The tag of all its memories; their own tags are below it."""
        return f"feed/{self.name}"


@dataclass(frozen=True, slots=True)
class Item:
    """A memory of a feed."""

    memory: ForeignMemory
    links: tuple[tuple[str, str], ...]
    """Its links in the feed: (kind, id); of mutual links, those to later ids."""
    sha256: bytes
    """Of its lines in the bundle."""


_FEEDS = """SELECT n, name, url, publication, signer, principal, quarantine, serial, sha256, licence,
  expires, updated FROM feed"""


def feeds(db: Connection) -> list[Feed]:
    """Return the feeds that the vault follows, by name."""
    return [_feed(row) for row in db.execute(f"{_FEEDS} ORDER BY name").fetchall()]


def by_name(db: Connection, name: str) -> Feed | None:
    row = db.execute(f"{_FEEDS} WHERE name = ?", (name,)).fetchone()
    return _feed(row) if row else None


def _feed(row: Sequence[Any]) -> Feed:
    n, name, url, publication, signer, principal, quarantine, *rest = row
    return Feed(n, name, url, publication, signer, principal, bool(quarantine), *rest)


def held(db: Connection, feed: int) -> dict[str, tuple[int, bytes]]:
    """Return the memories of a feed: id in the feed to row number and sha256 of the record."""
    rows = db.execute("SELECT id, cube, sha256 FROM feed_cube WHERE feed = ?", (feed,)).fetchall()
    return {id: (cube, sha256) for id, cube, sha256 in rows}


def seal(memory: bytes, links: Iterable[bytes]) -> bytes:
    """Return the sha256 of a memory's line in a bundle and of its sorted links, to detect changes."""
    return hashlib.sha256(memory + b"".join(sorted(links))).digest()


def root(items: Mapping[str, bytes]) -> str:
    """Return a fingerprint of a feed: equal for the same ids and records in any order."""
    lines = sorted(f"{id} {sha256.hex()}\n" for id, sha256 in items.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def follow(
    change: Transaction, name: str, url: str, publication: str, signer: str, *, quarantine: bool
) -> Feed:
    """Add a feed for a publication, without memories yet. The caller may read and share it."""
    (n,) = change.db.execute(
        """INSERT INTO feed (name, url, publication, signer, principal, quarantine, serial, sha256, licence,
             updated) VALUES (?, ?, ?, ?, ?, ?, 0, '', '', ?) RETURNING n""",
        (name, url, publication, signer, change.principal, quarantine, change.now),
    ).fetchone()
    change.note("subscribe", {"feed": name, "url": url, "signer": signer})
    owner = FEED + name
    rules.grant(change, Rule(owner, "vault", "", change.principal, "share", owner, change.now))
    feed = by_name(change.db, name)
    assert feed is not None and feed.n == n
    return feed


def set_quarantine(change: Transaction, feed: Feed, quarantine: bool) -> None:
    """Set whether new memories of the feed go into quarantine."""
    change.db.execute("UPDATE feed SET quarantine = ? WHERE n = ?", (quarantine, feed.n))
    change.note("subscribe", {"feed": feed.name, "quarantine": quarantine})


def put(change: Transaction, feed: Feed, item: Item) -> str:
    """Store a memory of a feed in its present form. Returns ``added``, ``versions``, ``header`` (only its
    words have not changed) or ``unchanged``.

    ``change`` is a transaction of the feed's principal. ``link`` adds the links later, because their targets
    may not be stored yet.
    """
    db, there = change.db, item.memory
    row = db.execute(
        "SELECT cube, sha256 FROM feed_cube WHERE feed = ? AND id = ?", (feed.n, there.id)
    ).fetchone()
    mine = replace(
        there, id=local_id(feed, there.id), tags=_tags(feed, there.tags),
        places=(ForeignPlace(feed.url, "feed", 0, 0, MASKED),),
    )  # fmt: skip
    if row is None:
        n = foreign_memories.insert(change, mine, "quarantined" if feed.quarantine else "generated")
        change.tell(n, "import", {"id": there.id})
        what = "added"
    elif row[1] == item.sha256:
        return "unchanged"
    else:
        n, what = row[0], _renew(change, row[0], mine, quarantine=feed.quarantine)
    db.execute(
        "INSERT OR REPLACE INTO feed_cube (feed, id, cube, sha256, expires) VALUES (?, ?, ?, ?, ?)",
        (feed.n, there.id, n, item.sha256, there.expires),
    )
    return what


def _renew(change: Transaction, n: int, memory: ForeignMemory, *, quarantine: bool) -> str:
    """Update a memory to its form in the feed; changed words are a new version."""
    db, last = change.db, memory.versions[-1]
    old = db.execute(
        """SELECT v.title, v.text, c.time, c.author, c.role, c.state FROM cube c
           JOIN version v ON v.cube = c.n AND v.version = c.version WHERE c.n = ?""",
        (n,),
    ).fetchone()
    changed = old[:2] != (last.title, last.text)
    if changed:
        change.revise(n, last.text, last.title, "version")
    change.leave_words(n)  # they name the author and the time
    db.execute(
        """UPDATE cube SET digest = ?, type = ?, ref = ?, author = ?, role = ?, time = ?, sensitivity = ?,
             updated = ? WHERE n = ?""",
        (
            memory.digest(), memory.type, memory.ref, memory.author, memory.role, memory.time,
            memory.sensitivity, change.now, n,
        ),
    )  # fmt: skip
    if old[5] in LIVE_STATES:
        change.insert_words([(n, *word_row(last.title, memory.author, memory.time, last.text))])
    db.execute("DELETE FROM tag WHERE cube = ?", (n,))
    db.executemany("INSERT OR IGNORE INTO tag (cube, tag) VALUES (?, ?)", [(n, tag) for tag in memory.tags])
    if quarantine and old[5] in (*LIVE_STATES, "expired"):  # what has ended may be published again
        change.set_state(n, "quarantined", "quarantine")
    return "versions" if changed else "header"


def link(change: Transaction, feed: Feed, items: Sequence[Item]) -> None:
    """Set the links of these memories to those in the feed."""
    ids = {cube: id for id, (cube, _) in held(change.db, feed.n).items()}
    numbers = {id: cube for cube, id in ids.items()}
    named = {item.memory.id for item in items}
    wanted = {
        (numbers[item.memory.id], kind, numbers[id])
        for item in items
        for kind, id in item.links
        if id in numbers and id != item.memory.id
    }
    there = set()
    for each in links.links_among(change.db, ids.keys()):
        ends = links.in_order(ids[each.source], each.kind, ids[each.target])
        if ends[0] in named:
            there.add((numbers[ends[0]], each.kind, numbers[ends[1]]))
    for source, kind, target in sorted(there - wanted):
        links.remove(change, source, kind, target)
    for source, kind, target in sorted(wanted - there):
        links.add(change, source, kind, target)


def withdraw(change: Transaction, feed: Feed, ids: Iterable[str]) -> tuple[int, list[str]]:
    """Forget memories that are no longer published, by their ids in the feed, and all cubes made from them.

    Returns how many were forgotten, and the blobs that may be deleted after the commit.
    """
    here = held(change.db, feed.n)
    blobs: list[str] = []
    gone = [here[id][0] for id in ids if id in here]
    for cube in gone:
        blobs += forget(change, cube)
    return len(gone), blobs


def settle(
    change: Transaction, feed: Feed, *, serial: int, sha256: str, licence: str, expires: int | None
) -> None:
    """Record the present release of the publication. Its memories expire with it, or before."""
    change.db.execute(
        "UPDATE feed SET serial = ?, sha256 = ?, licence = ?, expires = ?, updated = ? WHERE n = ?",
        (serial, sha256, licence, expires, change.now, feed.n),
    )
    for cube, state, until in change.db.execute(
        """SELECT f.cube, c.state, min(coalesce(f.expires, ?1), coalesce(?1, f.expires)) AS until
           FROM feed_cube f JOIN cube c ON c.n = f.cube WHERE f.feed = ?2 AND c.expires IS NOT until""",
        (expires, feed.n),
    ).fetchall():
        _end(change, cube, state, until)
    change.note("update", {"feed": feed.name, "serial": serial, "sha256": sha256})


def _end(change: Transaction, cube: int, state: str, until: int | None) -> None:
    """Set the expiry of a memory; restore an expired memory if it now expires later."""
    change.renew(cube, until)
    if state == "expired" and (until is None or until > change.now):
        change.set_state(cube, "activated", "restore")


def adapters(db: Connection, feed: int) -> dict[str, int | None]:
    """Return the fetched adapter files of a feed: sha256 to the stored adapter, if any."""
    rows = db.execute("SELECT sha256, cube FROM feed_adapter WHERE feed = ?", (feed,))
    return dict(rows.fetchall())


def put_adapter(change: Transaction, feed: Feed, sha256: str, cube: int | None) -> None:
    """Record that the file of an adapter was fetched, and the adapter that it became."""
    change.db.execute(
        "INSERT OR REPLACE INTO feed_adapter (feed, sha256, cube) VALUES (?, ?, ?)", (feed.n, sha256, cube)
    )


def withdraw_adapters(change: Transaction, feed: Feed, published: Iterable[str]) -> list[str]:
    """Forget the adapters whose files are not ``published`` any more.

    Returns the blobs that may be deleted after the commit.
    """
    blobs: list[str] = []
    known = adapters(change.db, feed.n)
    for sha256 in sorted(known.keys() - {*published}):
        if (cube := known[sha256]) is not None:
            blobs += forget(change, cube)
        change.db.execute("DELETE FROM feed_adapter WHERE feed = ? AND sha256 = ?", (feed.n, sha256))
    return blobs


def leave(change: Transaction, feed: Feed, *, keep: bool) -> tuple[int, list[str]]:
    """Unsubscribe from a feed. Its memories are deleted or, with ``keep``, transferred to the caller.

    Memories that the caller has live already are not stored twice. An expiry time of the publication is
    removed. Returns the number of memories, and the blobs that may be deleted after the commit.
    """
    db, blobs = change.db, list[str]()
    cubes = [cube for cube, _ in held(db, feed.n).values()]
    alike = """SELECT 1 FROM cube c JOIN cube o ON o.digest = c.digest AND o.owner = ?
      AND o.state IN ('generated', 'activated') AND (o.expires IS NULL OR o.expires > ?) WHERE c.n = ?"""
    for cube in cubes:
        if not keep or db.execute(alike, (change.principal, change.now, cube)).fetchone():
            blobs += forget(change, cube)
    if keep:
        own = """SELECT f.cube, c.state, f.expires FROM feed_cube f JOIN cube c ON c.n = f.cube
          WHERE f.feed = ?"""
        for cube, state, until in db.execute(own, (feed.n,)).fetchall():
            _end(change, cube, state, until)
        db.execute("UPDATE cube SET owner = ? WHERE owner = ?", (change.principal, feed.owner))
        db.execute("UPDATE OR IGNORE source SET owner = ? WHERE owner = ?", (change.principal, feed.owner))
    made = "SELECT n FROM cube WHERE owner = ? ORDER BY n"
    for (cube,) in db.execute(made, (feed.owner,)).fetchall():  # adapters without a memory
        blobs += forget(change, cube)
    for rule in rules.all_rules(db):
        if rule.owner == feed.owner:
            rules.revoke(change, rule)
    db.execute("DELETE FROM feed WHERE n = ?", (feed.n,))
    change.note("unsubscribe", {"feed": feed.name, "kept": keep})
    return len(cubes), blobs


def local_id(feed: Feed, id: str) -> str:
    """Return the local id of a memory of the feed: its time, and a hash that no other feed has."""
    digest = hashlib.sha256(f"{feed.n} {feed.signer} {id}".encode()).digest()[:10]
    return id[:10] + to_ulid_digits(digest)


def _tags(feed: Feed, tags: Iterable[str]) -> tuple[str, ...]:
    return (feed.tag, *(f"{feed.tag}/{tag}" for tag in tags))
