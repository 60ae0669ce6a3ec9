"""One connection to ``memos.db``: its settings, and SQLite's errors as MemosErrors."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import unquote

from memos_cli.errors import Damaged, Locked, MemosError, Unwritable
from memos_cli.infrastructure.storage.encryption import Cipher, not_installed
from memos_cli.letters import nfc

_RESTORE = "`memos check` shows what is; restore a backup"
_DISK = "check whether the disk is full, read-only or failing"
_PRAGMAS = (
    "foreign_keys = ON",
    "synchronous = FULL",
    "temp_store = MEMORY",
    "cache_size = -65536",  # KiB
    "wal_autocheckpoint = 1000",  # pages: a checkpoint syncs twice, however many there are
)
_IMMUTABLE = "mode=ro&immutable=1"
_IN_LIST = 500
_PAUSE = 0.02
"""Seconds until a writer that has just come tries again."""
_Value = TypeVar("_Value")
_SQLCIPHER = "cipher_log_level = NONE"  # its errors have the same information

_descriptors: dict[tuple[int, int, int], int] = {}
"""Descriptors of database files, by device, inode and flags: see ``raw_descriptor``."""

# What both SQLite and SQLCipher have; their own classes come after these.
if TYPE_CHECKING:
    from sqlite3 import Connection as _AnyConnection
    from sqlite3 import Cursor as _AnyCursor
else:
    _AnyCursor = _AnyConnection = object


class _ExplainingCursor(_AnyCursor):
    """A cursor whose errors are MemosErrors, at any step of a statement."""

    # The latter: Python meets damaged text in an error's message.
    _errors: tuple[type[Exception], ...] = (sqlite3.Error, UnicodeDecodeError)

    def _run(self, step: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return step(*arguments)
        except self._errors as error:
            raise explain(error, getattr(self.connection, "path", None)) from error

    def execute(self, *arguments: Any) -> Self:
        self._run(super().execute, *arguments)
        return self

    def executemany(self, *arguments: Any) -> Self:
        self._run(super().executemany, *arguments)
        return self

    def fetchone(self) -> Any:
        return self._run(super().fetchone)

    def fetchmany(self, *arguments: Any) -> list[Any]:
        rows: list[Any] = self._run(super().fetchmany, *arguments)
        return rows

    def fetchall(self) -> list[Any]:
        rows: list[Any] = self._run(super().fetchall)
        return rows

    def __next__(self) -> Any:
        try:  # not through ``_run``: this is called for each row
            return super().__next__()
        except self._errors as error:
            raise explain(error, getattr(self.connection, "path", None)) from error


class _ExplainingConnection(_AnyConnection):
    """A connection whose statements all run on such cursors."""

    _cursors: type[_ExplainingCursor]
    path: Path | None = None
    """Its file; None for one in memory."""
    is_immutable = False
    """Whether it reads the file as it stood, and sees no later change."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.create_function("readable", 1, readable_address, deterministic=True)

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or self._cursors)

    # sqlite3's own execute and executemany do not go through cursor().
    def execute(self, *arguments: Any) -> _ExplainingCursor:
        return super().cursor(self._cursors).execute(*arguments)

    def executemany(self, *arguments: Any) -> _ExplainingCursor:
        return super().cursor(self._cursors).executemany(*arguments)


class Cursor(_ExplainingCursor, sqlite3.Cursor):
    """SQLite's."""


class Connection(_ExplainingConnection, sqlite3.Connection):
    """A connection of SQLite, or with a cipher one of SQLCipher, which has the same methods."""

    _cursors = Cursor


def connect(
    path: Path, timeout: float, cipher: Cipher | None = None, *, immutable: bool = False
) -> Connection:
    """Open the existing database at ``path`` for reading and writing, with ``cipher`` if it is encrypted.

    Transactions are explicit. A write waits ``timeout`` seconds for another writer.

    Without write access to the folder, or with a full disk, SQLite cannot create the files that it needs to
    read a database with a write-ahead log. Without such a log nobody is writing, and the file is read without
    locks; also with ``immutable``, if another connection of the same command reads it so.
    """
    log = path.with_name(f"{path.name}-wal")
    if not immutable and (os.access(path.parent, os.W_OK) or log.exists()):
        try:
            return _connect(path, timeout, cipher, "mode=rw")
        except Unwritable:
            if has_log(path):
                raise
    return _connect(path, timeout, cipher, _IMMUTABLE)


def connect_read_only(path: Path, cipher: Cipher | None = None) -> Connection:
    """Open the database at ``path`` without writing or creating any file; never waits.

    Raises Unwritable if its write-ahead log can only be read after another process has prepared it.
    """
    if has_log(path) or path.with_name(f"{path.name}-shm").exists():  # in use, or not closed at the end
        return _connect(path, 0.0, cipher, "mode=ro&readonly_shm=1")
    return _connect(path, 0.0, cipher, _IMMUTABLE)


def _connect(path: Path, timeout: float, cipher: Cipher | None, mode: str) -> Connection:
    library, factory = (sqlite3, Connection) if cipher is None else _sqlcipher()
    try:
        connection: Connection = library.connect(
            f"{path.absolute().as_uri()}?{mode}",
            uri=True,
            timeout=timeout,
            isolation_level=None,
            factory=factory,
        )
    except library.Error as error:
        raise explain(error, path) from error
    connection.path, connection.is_immutable = path, mode == _IMMUTABLE
    try:
        if cipher is not None:
            connection.execute(f"PRAGMA {_SQLCIPHER}")
            connection.execute(f"PRAGMA key = \"x'{cipher.database_key.hex()}'\"")
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA schema_version").fetchone()  # reads the file, as far as that can be
    except BaseException:
        connection.close()
        raise
    return connection


def raw_descriptor(path: Path, flags: int) -> int:
    """Open the file of a database beside SQLite. Do not close it: it stays open until the process ends.

    Closing any descriptor of a file releases the locks that SQLite has on it in this process.
    """
    found = path.stat()
    key = (found.st_dev, found.st_ino, flags)
    if key not in _descriptors:
        _descriptors[key] = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    return _descriptors[key]


def has_log(path: Path) -> bool:
    """Return whether the database at ``path`` has a write-ahead log that is not empty."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def require_no_log(path: Path) -> None:
    """Raise Unwritable if the database at ``path`` is not whole without its log, though nobody has it open.

    Closing a database merges its log. If that fails, as on a full disk, SQLite reports no error.
    """
    if has_log(path):
        raise Unwritable("memos.db could not be written in full", f"{_DISK}, and try again")


@cache
def _sqlcipher() -> tuple[Any, Any]:
    """Return the module of SQLCipher, and its connection class. Raises UsageError if it is not installed."""
    try:
        from sqlcipher3 import dbapi2
    except ImportError as error:
        raise not_installed() from error

    class SealedCursor(_ExplainingCursor, dbapi2.Cursor):  # type: ignore[misc]
        _errors = (dbapi2.Error, UnicodeDecodeError)

    class SealedConnection(_ExplainingConnection, dbapi2.Connection):  # type: ignore[misc]
        _cursors = SealedCursor

    return dbapi2, SealedConnection


def readable_address(uri: str) -> str:
    """Return the URI of a source as users read and type it: decoded, in NFC."""
    return nfc(unquote(uri))


def in_lists(values: Sequence[_Value]) -> Iterator[tuple[str, Sequence[_Value]]]:
    """Yield values for ``IN (…)`` in chunks, each with its placeholders: few statements, below any limit."""
    for start in range(0, len(values), _IN_LIST):
        part = values[start : start + _IN_LIST]
        yield ",".join("?" * len(part)), part


@contextmanager
def one_moment(db: Connection) -> Iterator[Connection]:
    """Run the block on the rows of one commit, whatever others write."""
    if db.in_transaction:
        yield db
        return
    db.execute("BEGIN")
    try:
        yield db
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def begin_writing(db: Connection, timeout: float) -> None:
    """Begin a transaction that writes. Raises Locked if others still write after ``timeout`` seconds.

    SQLite itself retries less and less often: with many writers, the last one gets the lock first, and some
    wait for ever. Here a writer retries more often the longer it has waited.
    """
    (usual,) = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute("PRAGMA busy_timeout = 0")
    start = time.monotonic()
    try:
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
                return
            except Locked:
                waited = time.monotonic() - start
                if waited >= timeout:
                    raise
            time.sleep(min(_PAUSE / (1 + 10 * waited), timeout - waited))
    finally:
        db.execute(f"PRAGMA busy_timeout = {usual}")


@cache
def _read_error(path: Path) -> OSError | None:
    """Read the database at ``path`` and its log once, to the end. Returns the error if that fails."""
    for each in (path, path.with_name(f"{path.name}-wal")):
        try:
            descriptor, at = raw_descriptor(each, os.O_RDONLY), 0
            while part := os.pread(descriptor, 1 << 20, at):
                at += len(part)
        except FileNotFoundError:
            continue
        except OSError as error:
            return error
    return None


def explain(error: Exception, path: Path | None = None) -> MemosError:
    """Return SQLite's error as one of this program's; ``path`` is the file of the database."""
    # Python's own error, which would go on with the whole text.
    if isinstance(error, UnicodeDecodeError) or str(error).startswith("Could not decode to UTF-8"):
        return Damaged("memos.db is damaged: text that is not UTF-8", _RESTORE)
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Locked(
                "another memos is writing to the vault", "try again, or raise the setting lock.timeout"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            # It is also what SQLite says when the system cannot read the file.
            if path is not None and (failed := _read_error(path)):
                return MemosError(f"{path.name} cannot be read: {failed.strerror}", _DISK)
            return Damaged(f"memos.db is damaged: {error}", _RESTORE)
        case sqlite3.SQLITE_FULL:
            return Unwritable(
                "the disk is full; what was stored before is safe", "free some space and try again"
            )
        case sqlite3.SQLITE_IOERR:
            return Unwritable(f"memos.db: {error}", _DISK)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return Unwritable(
                f"memos.db: {error}", "free disk space, or make the vault's folder and files writable by you"
            )
    return MemosError(f"memos.db: {error}", "`memos check` examines the vault")
