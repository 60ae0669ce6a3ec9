"""One connection to ``memos.db``: its settings, and SQLite's errors in this program's words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memos_cli.errors import Damaged, Locked, MemosError

_RESTORE = "`memos check` tells what is; restore a backup"
_PRAGMAS = (
    "foreign_keys = ON",
    "synchronous = FULL",
    "temp_store = MEMORY",
    "cache_size = -65536",  # KiB
    "wal_autocheckpoint = 1000",  # pages: a checkpoint syncs twice, however many there are
)
_ERRORS = (sqlite3.Error, UnicodeDecodeError)  # the latter: Python meets damaged text in an error's message


class Cursor(sqlite3.Cursor):
    """A cursor whose failures are MemosErrors, whichever step of a statement meets them."""

    def execute(self, *arguments: Any) -> Cursor:
        try:
            super().execute(*arguments)
        except _ERRORS as error:
            raise explain(error) from error
        return self

    def executemany(self, *arguments: Any) -> Cursor:
        try:
            super().executemany(*arguments)
        except _ERRORS as error:
            raise explain(error) from error
        return self

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except _ERRORS as error:
            raise explain(error) from error

    def fetchmany(self, *arguments: Any) -> list[Any]:
        try:
            return super().fetchmany(*arguments)
        except _ERRORS as error:
            raise explain(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except _ERRORS as error:
            raise explain(error) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except _ERRORS as error:
            raise explain(error) from error


class Connection(sqlite3.Connection):
    """A connection whose statements all run on such cursors."""

    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)

    def _cursor(self) -> Cursor:
        return super().cursor(Cursor)

    # sqlite3's own execute and executemany do not go through cursor().
    def execute(self, *arguments: Any) -> Cursor:
        return self._cursor().execute(*arguments)

    def executemany(self, *arguments: Any) -> Cursor:
        return self._cursor().executemany(*arguments)


def connect(path: Path, timeout: float) -> Connection:
    """Open the database at ``path`` for reading and writing; it must exist.

    Transactions are explicit. A write waits ``timeout`` seconds for another writer.

    Who may not write to the folder cannot make the files through which SQLite reads a database with a
    write-ahead log. While there is no such log, nobody writes, and the file is read as it stands.
    """
    as_it_stands = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{'mode=ro&immutable=1' if as_it_stands else 'mode=rw'}",
            uri=True,
            timeout=timeout,
            isolation_level=None,
            factory=Connection,
        )
    except sqlite3.Error as error:
        raise explain(error) from error
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def patience(db: Connection, seconds: float) -> Iterator[None]:
    """Let statements of the block wait that long for another writer."""
    (usual,) = db.execute("PRAGMA busy_timeout").fetchone()
    if round(seconds * 1000) == usual:
        yield
        return
    db.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    try:
        yield
    finally:
        db.execute(f"PRAGMA busy_timeout = {usual}")


def explain(error: sqlite3.Error | UnicodeDecodeError) -> MemosError:
    """SQLite's error as one of this program's."""
    # Python's own error, which would go on with the whole text.
    if isinstance(error, UnicodeDecodeError) or str(error).startswith("Could not decode to UTF-8"):
        return Damaged("memos.db is damaged: text that is not UTF-8", _RESTORE)
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Locked(
                "another memos is writing to the vault", "try again, or raise the setting lock.timeout"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Damaged(f"memos.db is damaged: {error}", _RESTORE)
        case sqlite3.SQLITE_FULL:
            return MemosError(
                "the disk is full; what was stored before is safe", "free some space and try again"
            )
        case sqlite3.SQLITE_IOERR:
            return MemosError(f"memos.db: {error}", "look at the disk: is it full, read-only or failing?")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return MemosError(f"memos.db: {error}", "make the vault's folder and files writable by you")
    return MemosError(f"memos.db: {error}", "`memos check` examines the vault")
