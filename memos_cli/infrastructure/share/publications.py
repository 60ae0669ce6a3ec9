"""The publications of this vault: their addresses, their memories, and the serial of each memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection, in_lists


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication of a principal of this vault, as of its last release."""

    n: int
    name: str
    owner: str
    target: str
    """The address of its folder."""
    wanted: Mapping[str, Any] | None
    """The options of the publication; None: it is withdrawn."""
    serial: int
    sha256: str
    """Of its index, in hexadecimal."""
    replaces: str
    """The sha256 of the previous index there, which remains if this one was interrupted; "": none."""
    updated: int


_PUBLICATIONS = "SELECT n, name, owner, target, wanted, serial, sha256, replaces, updated FROM publication"


def publications(db: Connection, owner: str) -> list[Publication]:
    """Return the publications of a principal, by name."""
    rows = db.execute(f"{_PUBLICATIONS} WHERE owner = ? ORDER BY name", (owner,)).fetchall()
    return [
        Publication(n, name, by, target, json.loads(wanted), *rest)
        for n, name, by, target, wanted, *rest in rows
    ]


def published(db: Connection, publication: int) -> dict[str, tuple[int, bytes | None]]:
    """Return by id the serial of the last change, and the sha256 of the record (None: withdrawn)."""
    rows = db.execute("SELECT id, serial, sha256 FROM published WHERE publication = ?", (publication,))
    return {id: (serial, sha256) for id, serial, sha256 in rows.fetchall()}


def holding(db: Connection, ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return the publications of any principal that contain some of these memories: (name, owner)."""
    found: set[tuple[str, str]] = set()
    for marks, part in in_lists(ids):
        rows = db.execute(
            f"""SELECT DISTINCT p.name, p.owner FROM published o JOIN publication p ON p.n = o.publication
                WHERE o.sha256 IS NOT NULL AND o.id IN ({marks})""",
            part,
        )
        found |= {*rows.fetchall()}
    return sorted(found)


def record_release(
    change: Transaction,
    name: str,
    target: str,
    wanted: Mapping[str, Any] | None,
    serial: int,
    sha256: str,
    replaces: str,
    items: Mapping[str, tuple[int, bytes | None]],
) -> None:
    """Record a release of a publication, replacing the previous one."""
    db = change.db
    db.execute("DELETE FROM publication WHERE owner = ? AND name = ?", (change.principal, name))
    (n,) = db.execute(
        """INSERT INTO publication (name, owner, target, wanted, serial, sha256, replaces, updated)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING n""",
        (name, change.principal, target, json.dumps(wanted), serial, sha256, replaces, change.now),
    ).fetchone()
    db.executemany(
        "INSERT INTO published (publication, id, serial, sha256) VALUES (?, ?, ?, ?)",
        [(n, id, since, seal) for id, (since, seal) in items.items()],
    )
    sent = [id for id, (since, seal) in items.items() if since == serial and seal is not None]
    versions = [db.execute("SELECT id, version FROM cube WHERE id = ?", (id,)).fetchone() for id in sent]
    change.audit_outgoing("publish", [row for row in versions if row])
    live = sum(seal is not None for _, seal in items.values())
    change.note("publish", {"name": name, "target": target, "serial": serial, "memories": live})
