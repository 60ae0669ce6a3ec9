"""The audit log: principal, action, memory and time of each event; a hash chain reveals every later change.

Each row has a seal: SHA-256 of the seal before it (32 zero bytes before the first) followed by the row as
JSON (``sealed_bytes``). A transaction seals its rows before it commits, so no row is without a seal.

The chain cannot reveal that somebody with write access to the files rewrote everything from some row to the
end. To detect that, store the head elsewhere (``memos audit --head``) and verify against it.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from memos_cli.errors import UsageError
from memos_cli.infrastructure.storage.database import Connection

_to_json = json.JSONEncoder(separators=(",", ":"), default=repr).encode
FIRST = bytes(32)
"""The seal before the first row."""
_COLUMNS = "a.n, a.time, a.principal, a.action, a.cube, a.version, a.detail"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One event. It has no text of a memory."""

    n: int
    time: int
    principal: str
    action: str
    cube: str | None
    version: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain, which depends on every row before it."""

    n: int
    seal: bytes

    @classmethod
    def of(cls, text: str) -> Head:
        """Parse a head that was printed. Raises UsageError."""
        match = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip().lower())
        if not match:
            raise UsageError(f"{text!r} is not a head of the audit", "use the output of `memos audit --head`")
        return cls(int(match[1]), bytes.fromhex(match[2]))

    def __str__(self) -> str:
        return f"{self.n}:{self.seal.hex()}"


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the audit was altered."""

    n: int
    problem: str


LOOKS = frozenset({"show", "search", "list"})
"""The actions that only read: there may be many, and none of them changes a cube."""


def rows(
    db: Connection,
    *,
    cube: str | None = None,
    by: str | None = None,
    action: str | None = None,
    since: int | None = None,
    until: int | None = None,
    newest: bool = False,
) -> Iterator[AuditRow]:
    """Return events in order, or with ``newest`` the newest first. ``until`` is exclusive."""
    found = db.execute(
        f"""SELECT {_COLUMNS} FROM audit a
            WHERE (?1 IS NULL OR cube >= ?1 AND cube < ?1 || 'a') AND (?2 IS NULL OR principal = ?2)
              AND (?3 IS NULL OR action = ?3) AND (?4 IS NULL OR time >= ?4) AND (?5 IS NULL OR time < ?5)
            ORDER BY n {"DESC" if newest else ""}""",
        (cube, by, action, since, until),
    )
    return (AuditRow(*row) for row in found)


def sealed_bytes(row: AuditRow) -> bytes:
    """Return the bytes of a row that its seal covers: a JSON array of its columns, ASCII, without spaces."""
    return _to_json([row.n, row.time, row.principal, row.action, row.cube, row.version, row.detail]).encode()


def seal(db: sqlite3.Connection) -> None:
    """Seal the rows that have no seal yet. Called at the end of each transaction."""
    last = head(db)
    rows = db.execute(f"SELECT {_COLUMNS} FROM main.audit a WHERE n > ? ORDER BY n", (last.n,))
    db.executemany("INSERT INTO main.seal (n, hash) VALUES (?, ?)", _seals(rows, last.seal))


def _seals(rows: Iterable[Sequence[Any]], before: bytes) -> Iterator[tuple[int, bytes]]:
    for values in rows:
        row = AuditRow(*values)
        before = _next(before, row)
        yield row.n, before


def head(db: sqlite3.Connection) -> Head:
    """Return the newest seal."""
    row = db.execute("SELECT n, hash FROM main.seal ORDER BY n DESC LIMIT 1").fetchone()
    return Head(*row) if row else Head(0, FIRST)


def verify(db: Connection, kept: Head | None = None, *, only_new: bool = False) -> Iterator[Break]:
    """Yield the places where the audit was changed, shortened or reordered; compare it with the head
    ``kept``, too.

    With ``only_new``, skip the rows up to ``kept``.
    """
    wanted, before = (kept.n + 1, kept.seal) if kept and only_new else (1, FIRST)
    for *values, hash in db.execute(
        f"""SELECT {_COLUMNS}, s.hash FROM audit a LEFT JOIN seal s ON s.n = a.n
            WHERE a.n >= ? ORDER BY a.n""",
        (wanted,),
    ):
        row = AuditRow(*values)
        if row.n != wanted:
            yield Break(wanted, _missing(wanted, row.n - 1))
        elif hash is None:
            yield Break(row.n, "this row has no seal")
        elif hash != _next(before, row):
            yield Break(row.n, "this row or the previous one was altered")
        wanted = row.n + 1
        before = hash if isinstance(hash, bytes) else FIRST
    given = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
    last = max(given[0] if given and isinstance(given[0], int) else 0, head(db).n)
    if last >= wanted:
        yield Break(wanted, _missing(wanted, last))
    if kept is not None and not stands(db, kept):
        yield Break(kept.n, "your head is not in this audit: all rows up to it may have been replaced")


def stands(db: Connection, kept: Head) -> bool:
    """Return whether a head is still in the audit, so that the rows up to it are unchanged."""
    found = db.execute("SELECT hash FROM seal WHERE n = ?", (kept.n,)).fetchone()
    return (found[0] if found else FIRST) == kept.seal and (found is not None or kept.n == 0)


def _missing(first: int, last: int) -> str:
    return "this row is missing" if first >= last else f"the rows {first} to {last} are missing"


def _next(before: bytes, row: AuditRow) -> bytes:
    return hashlib.sha256(before + sealed_bytes(row)).digest()
