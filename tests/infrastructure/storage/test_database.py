"""The connection: its settings, and SQLite's errors in this program's words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from memos_cli.errors import Damaged, Locked, MemosError
from memos_cli.infrastructure.storage import database
from memos_cli.infrastructure.storage.database import Connection, connect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a #?%41.db"  # what would mean something in a URI
    path.touch()
    return path


@pytest.fixture
def db(path: Path) -> Iterator[Connection]:
    connection = connect(path, 0.05)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")
    yield connection
    connection.close()


def test_every_commit_is_on_the_disk_and_foreign_keys_hold(db: Connection) -> None:
    asked = ("foreign_keys", "synchronous", "journal_mode")
    assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in asked] == [1, 2, "wal"]


def test_a_missing_database_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(MemosError, match=r"memos\.db"):
        connect(tmp_path / "missing.db", 0.0)
    assert not list(tmp_path.iterdir())


def test_another_writer_is_waited_for_and_then_told_of(db: Connection, path: Path) -> None:
    other = connect(path, 0.0)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Locked) as caught:
        db.execute("BEGIN IMMEDIATE")
    assert "lock.timeout" in caught.value.hint
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)  # a reader needs no lock
    other.execute("ROLLBACK")
    other.close()


def test_who_has_waited_longer_tries_more_often(
    db: Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or newcomers would always be first, and somebody would wait until the timeout."""
    now, pauses = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    with closing(connect(path, 0.0)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked):
            database.begin_writing(db, 3.0)
        other.execute("ROLLBACK")
    assert sum(pauses) == pytest.approx(3.0)
    assert pauses[:-1] == sorted(pauses[:-1], reverse=True)
    assert pauses[-2] < pauses[0] / 20
    assert db.execute("PRAGMA busy_timeout").fetchone() == (50,), "as it was"
    database.begin_writing(db, 0.0)
    assert db.in_transaction
    db.execute("ROLLBACK")


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4080])
def test_another_file_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.db").write_bytes(content)
    with pytest.raises(Damaged) as caught:
        connect(tmp_path / "b.db", 0.0).execute("SELECT 1 FROM sqlite_master")
    assert "memos check" in caught.value.hint


def test_a_full_disk_says_so_and_undoes_the_transaction(db: Connection) -> None:
    db.execute("PRAGMA max_page_count = 5")
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(MemosError, match="disk is full"):
        db.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 4000,)] * 50)
    if db.in_transaction:
        db.execute("ROLLBACK")
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_database_that_may_not_be_written_says_so(db: Connection) -> None:
    db.execute("PRAGMA query_only = ON")
    with pytest.raises(MemosError) as caught:
        db.execute("INSERT INTO t (text) VALUES ('a')")
    assert "writable" in caught.value.hint


def test_who_may_not_write_reads_a_database_that_nobody_writes(
    db: Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.execute("INSERT INTO t (text) VALUES ('kept')")
    db.close()
    assert not path.with_name(f"{path.name}-wal").exists()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with closing(connect(path, 0.0)) as reading:
        assert reading.execute("SELECT text FROM t").fetchall() == [("kept",)]
        with pytest.raises(MemosError, match="readonly") as caught:
            reading.execute("INSERT INTO t (text) VALUES ('more')")
    assert "writable" in caught.value.hint
    assert sorted(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("how", ["iterate", "fetchone", "fetchmany", "fetchall"])
def test_an_error_in_the_middle_of_the_rows_is_one_of_ours(db: Connection, how: str) -> None:
    db.execute("INSERT INTO t (text) VALUES ('first'), (CAST(x'ff' AS TEXT))")
    with pytest.raises(Damaged, match="not UTF-8"):
        rows = db.execute("SELECT text FROM t ORDER BY n")
        list(rows) if how == "iterate" else [getattr(rows, how)() for _ in range(2)]


def test_a_plain_mistake_is_an_error_of_ours_too(db: Connection) -> None:
    with pytest.raises(MemosError, match="no such table") as caught:
        db.execute("SELECT * FROM missing")
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    with pytest.raises(MemosError, match="UNIQUE"):
        db.executemany("INSERT INTO t (n) VALUES (?)", [(1,), (1,)])
