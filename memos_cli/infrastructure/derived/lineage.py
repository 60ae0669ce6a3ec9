"""The sources of derived cubes: exact versions of memories, and whether they are still current.

Shared by ``saved_states.py`` and ``adapters.py``. A derived cube expires with the first of its memories, and
is stale as soon as one of them is not live, or not in the version that was read. Staleness is computed on
each read and never stored, so that no write can forget to update it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memos_cli.cube import LIVE_STATES, new_ulids
from memos_cli.errors import MemosError
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection

Reading = tuple[int, int, str]
"""A memory that is read: its cube, its version, and its part (``pinned`` or ``document``)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One memory that a derived cube was made from."""

    cube: int
    id: str
    version: int
    """The version that was read."""
    part: str
    """``pinned`` or ``document``."""
    current: int
    """The version that it has now."""
    live: bool
    """Whether it is in a live state and has not expired."""


def staleness(sources: Sequence[Source]) -> str:
    """Return the reason why a cube made from ``sources`` is out of date; "" if it is not."""
    for source in sources:
        if not source.live:
            return "a source is archived, expired or merged"
        if source.version != source.current:
            return "source changed"
    return ""


def sources_of(db: Connection, cube: int, now: int) -> tuple[Source, ...]:
    """Return the memories that a derived cube was made from, in the order in which they were read."""
    rows = db.execute(
        """SELECT d.source, c.id, d.version, d.part, c.version,
             c.state IN ('generated', 'activated') AND (c.expires IS NULL OR c.expires > ?)
           FROM derived d JOIN cube c ON c.n = d.source WHERE d.cube = ? ORDER BY d.position""",
        (now, cube),
    )
    return tuple(
        Source(source, id, version, part, current, bool(live))
        for source, id, version, part, current, live in rows
    )


def readings(db: Connection, cube: int) -> list[Reading]:
    """Return the versions that a derived cube was made from, as (memory, version, part)."""
    return db.execute(
        "SELECT source, version, part FROM derived WHERE cube = ? ORDER BY position", (cube,)
    ).fetchall()


def ids_of(db: Connection, sources: Sequence[Reading]) -> list[str]:
    """Return the ids of memories that were read."""
    return [db.execute("SELECT id FROM cube WHERE n = ?", (cube,)).fetchone()[0] for cube, _, _ in sources]


def earliest_end(change: Transaction, sources: Sequence[Reading]) -> int | None:
    """Return the time at which the first of ``sources`` expires. Raises MemosError if one has changed."""
    ends = []
    for cube, version, _ in sources:
        row = change.db.execute("SELECT version, state, expires FROM cube WHERE n = ?", (cube,)).fetchone()
        is_over = row is not None and row[2] is not None and row[2] <= change.now
        if row is None or row[0] != version or row[1] not in LIVE_STATES or is_over:
            raise MemosError("a memory changed while it was read", "run it again")
        ends.append(row[2])
    return min((end for end in ends if end is not None), default=None)


def write_cube(
    change: Transaction,
    cube: int | None,
    *,
    payload: str,
    state: str,
    digest: bytes,
    title: str,
    sources: Sequence[Reading],
    expires: int | None,
) -> tuple[int, str, int]:
    """Write the header, version and sources of a derived cube: of a new one, or (``cube``) its next version.

    Returns its row number, its id and its version. The caller writes the payload and the audit row.
    """
    db = change.db
    if cube is None:
        version, id = 1, new_ulids(change.now, 1)[0]
        (cube,) = db.execute(
            """INSERT INTO cube (id, payload, type, state, version, digest, author, role, owner, created,
                 updated, expires, priority, frozen, hits, heat)
               VALUES (?, ?, 'document', ?, 1, ?, '', '', ?, ?, ?, ?, 0, 0, 0, 0) RETURNING n""",
            (id, payload, state, digest, change.principal, change.now, change.now, expires),
        ).fetchone()
    else:
        id, version = db.execute(
            """UPDATE cube SET version = version + 1, updated = ?, state = ?, expires = ? WHERE n = ?
               RETURNING id, version""",
            (change.now, state, expires, cube),
        ).fetchone()
        db.execute("DELETE FROM derived WHERE cube = ?", (cube,))
    change.insert_versions([(cube, version, title, "")])
    db.executemany(
        "INSERT INTO derived (cube, position, source, version, part) VALUES (?, ?, ?, ?, ?)",
        [(cube, position, *source) for position, source in enumerate(sources)],
    )
    return cube, id, version


def activate(change: Transaction, sources: Sequence[Reading]) -> None:
    """Set the state of new memories to activated: a derived cube was made from them."""
    for cube, _, _ in sources:
        if change.db.execute("SELECT state FROM cube WHERE n = ?", (cube,)).fetchone() == ("generated",):
            change.set_state(cube, "activated", "promote")


def to_json(value: Mapping[str, Any]) -> str:
    """Write an object with sorted keys, so that equal objects are equal texts."""
    return json.dumps(dict(value), ensure_ascii=False, sort_keys=True)


def from_json(text: str) -> dict[str, Any]:
    """Read an object; a damaged one is empty and matches nothing (`memos check` reports it)."""
    try:
        kept = json.loads(text)
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}
