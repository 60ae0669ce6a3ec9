"""Keyed digests of forgotten memories, so that no file brings them back, whatever its path.

A digest is HMAC-SHA-256, cut to 16 bytes, over the owner and the text, with a random key of the vault
(``policy.forgotten``). Without the key it proves no guess. Digests of memos 0.1.0 are of one source each.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Sequence

from memos_cli.cube import Cube, Draft
from memos_cli.infrastructure.memories import key_values, queries
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection

KEY = "forgotten"
ANYWHERE = ""
"""A value in place of the address of a source: the text is forgotten in all sources."""


def remember(change: Transaction, cubes: Sequence[Cube]) -> None:
    """Store the digests of cubes that will be forgotten, and delete hashes over their sources.

    A hash over a source with a forgotten text would prove a guess of the text.
    """
    key = key_values.get(change.db, KEY) or os.urandom(32).hex()
    key_values.put(change, KEY, key)
    digests = set()
    for cube in cubes:
        sources = [row for row, _, _ in queries.places_of(change.db, cube.n)]
        texts = {version.text for version in queries.versions(change.db, cube.n)}
        digests |= {_digest(key, cube.owner, ANYWHERE, cube.ref, cube.role, text) for text in texts}
        digests.add(_digest(key, cube.owner, "id", cube.id, "id", ""))
        change.db.executemany("UPDATE source SET sha256 = '' WHERE n = ?", [(row.n,) for row in sources])
    change.db.executemany(
        "INSERT OR IGNORE INTO forgotten (digest) VALUES (?)", [(each,) for each in digests]
    )


def find(db: Connection, owner: str, uri: str, drafts: Sequence[Draft]) -> dict[int, list[bytes]]:
    """Find the forgotten memories among ``drafts`` of the source ``uri``: index to digests.

    A draft that is in the source is not forgotten, even if another memory with the same words was forgotten:
    a turn of another conversation, for example.
    """
    if not (key := key_values.get(db, KEY)):
        return {}
    row = queries.source(db, uri, owner)
    standing = {place.digest for place in queries.places(db, row.n)} if row else set()
    found = {}
    for at, draft in enumerate(drafts):
        if standing and draft.digest() in standing:
            continue
        both = [_digest(key, owner, each, draft.ref, draft.role, draft.text) for each in (uri, ANYWHERE)]
        if known := [digest for digest in both if _is_known(db, digest)]:
            found[at] = known
    return found


def find_ids(db: Connection, owner: str, ids: Iterable[str]) -> dict[str, list[bytes]]:
    """Find the forgotten memories among the ids in a bundle: id to digest."""
    if not (key := key_values.get(db, KEY)):
        return {}
    digests = {id: _digest(key, owner, "id", id, "id", "") for id in ids}
    return {id: [digest] for id, digest in digests.items() if _is_known(db, digest)}


def lift(change: Transaction, digests: Iterable[bytes]) -> None:
    """Delete digests, so that these memories can come back."""
    change.db.executemany("DELETE FROM forgotten WHERE digest = ?", [(each,) for each in digests])


def seal(db: Connection, sha256: str) -> str:
    """Return the keyed hash that is stored for a source with forgotten texts, instead of its sha256."""
    key = key_values.get(db, KEY)
    return (
        f"hmac:{hmac.digest(bytes.fromhex(key), sha256.encode(), 'sha256').hex()}" if key and sha256 else ""
    )


def _digest(key: str, owner: str, uri: str, ref: str | None, role: str, text: str) -> bytes:
    # Turns of a dialogue keep their id: two "Thanks!" stay two.
    said = [owner, uri, (ref or "") if role else "", " ".join(text.split())]
    message = "\0".join(said).encode("utf-8", "surrogatepass")
    return hmac.digest(bytes.fromhex(key), message, "sha256")[:16]


def _is_known(db: Connection, digest: bytes) -> bool:
    return db.execute("SELECT 1 FROM forgotten WHERE digest = ?", (digest,)).fetchone() is not None
