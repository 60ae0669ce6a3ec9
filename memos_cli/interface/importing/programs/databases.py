"""Open the SQLite databases of other programs: read-only, while the program runs, and without trust in them.

Only real tables are read, by their known columns. Views, virtual tables and generated columns could run
expressions of the file, so they are ignored. Each query reads all of its rows at once, so that no lock is
held between queries.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export

LARGEST = 64 << 20
"""Bytes of one value."""
COPIED = 4 << 30
"""Bytes of a database that is copied when it cannot be opened where it is."""
MOST_STEPS, _STEPS = 4_000_000_000, 1_000_000
"""Steps of SQLite's machine (minutes) that a database may take in all, and how often they are counted: one
that was made to be slow, without indexes, does not keep an import busy for days."""
TRIES = 3
"""Maximum attempts to copy a database that changes during the copy."""
WAIT = 5.0
"""Seconds to wait for a program that holds a lock."""
HEADER = b"SQLite format 3\0"


class Database:
    """The tables of a database."""

    def __init__(self, db: sqlite3.Connection, name: str) -> None:
        self._db, self._name = db, name
        rows = self._run(
            """SELECT name FROM sqlite_schema
               WHERE type = 'table' AND sql NOT LIKE 'create virtual%' LIMIT 1000"""
        )
        self.columns = {
            table: {column for (column,) in self._run("SELECT name FROM pragma_table_info(?)", table)}
            for (table,) in rows
            if isinstance(table, str)
        }

    def has(self, table: str, *columns: str) -> bool:
        """Return whether there is a table with these columns."""
        return table in self.columns and self.columns[table].issuperset(columns)

    def select(
        self, table: str, columns: str, rest: str = "", values: Sequence[object] = ()
    ) -> list[dict[str, Any]]:
        """Return the rows of a table as objects; a column that it lacks is None.

        ``rest`` is what follows FROM; it may use the columns that ``has`` has checked.
        """
        names = columns.split()
        known = [name for name in names if name in self.columns.get(table, ())]
        if not known:
            return []
        empty = dict.fromkeys(names)
        listed = ", ".join(f'"{name}"' for name in known)
        rows = self._run(f'SELECT {listed} FROM "{table}" {rest}', *values)
        return [empty | dict(zip(known, row, strict=True)) for row in rows]

    def count_rows(self, table: str, where: str = "") -> int:
        """Return the number of rows of a table; 0 if there is no such table."""
        rest = f"WHERE {where}" if where else ""
        return int(self._run(f'SELECT count(*) FROM "{table}" {rest}')[0][0]) if table in self.columns else 0

    def range(self, table: str, column: str) -> tuple[Any, ...]:
        """Return the least and the greatest value of a column; nothing if there is no such column."""
        if not self.has(table, column):
            return ()
        return self._run(f'SELECT min("{column}"), max("{column}") FROM "{table}"')[0]

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except (sqlite3.Error, MemoryError, OverflowError) as error:
            reason = "it takes too long to read" if str(error) == "interrupted" else str(error)
            raise MemosError(f"{self._name}: {reason}") from error


@contextmanager
def open_database(export: Export, name: str) -> Iterator[Database]:
    """Open a database of an export. Raises MemosError if it is damaged, or no database."""
    with _connected(export, name) as db, closing(db):
        steps = count(1)
        db.set_progress_handler(lambda: next(steps) > MOST_STEPS // _STEPS, _STEPS)
        db.text_factory = lambda data: data.decode("utf-8", "replace")
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
        for setting in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
            db.execute(f"PRAGMA {setting}")
        yield Database(db, name)


def is_database(export: Export, name: str) -> bool:
    """Return whether a file begins as a database does."""
    return export.head(name).startswith(HEADER)


@contextmanager
def _connected(export: Export, name: str) -> Iterator[sqlite3.Connection]:
    try:
        if export.entries is not None:
            data = bytearray(export.read(name))
            data[18:20] = b"\1\1"  # switch off WAL, which a database in memory cannot use
            db = sqlite3.connect(":memory:")
            db.deserialize(bytes(data))
            yield db
            return
        path = export.file(name)
        try:
            db = _connect(path, "ro")
        except sqlite3.OperationalError:  # WAL in a folder without write access, or a lock that stays
            with tempfile.TemporaryDirectory(prefix="memos-") as folder:
                yield _copied(path, Path(folder))
            return
        yield db
    except (sqlite3.Error, OSError) as error:
        raise MemosError(f"{name}: {error}") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, timeout=WAIT, isolation_level=None)
    try:
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def _copied(path: Path, folder: Path) -> sqlite3.Connection:
    """Return a connection to a copy of a database and of its logs, none of which changed meanwhile.

    Raises OSError, sqlite3.Error.
    """
    for _ in range(TRIES):
        before = _state(path)
        if sum(size for _, size, _ in before) > COPIED:
            break
        for ending, _, _ in before:
            shutil.copyfile(f"{path}{ending}", folder / f"copy{ending}")
        if before == _state(path):
            return _connect(folder / "copy", "rw")  # this applies its logs
        for file in folder.iterdir():
            file.unlink()
    raise OSError("its program has locked the database; close the program first")


def _state(path: Path) -> list[tuple[str, int, int]]:
    """Return the endings, the sizes and the times of the files of a database."""
    found = []
    for ending in ("", "-wal", "-journal"):
        with suppress(FileNotFoundError):
            about = Path(f"{path}{ending}").stat()
            found.append((ending, about.st_size, about.st_mtime_ns))
    return found
