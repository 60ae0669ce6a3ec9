"""Scrubbing a database: all rows stay, and all other bytes are overwritten."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from memos_cli.errors import Damaged
from memos_cli.infrastructure.storage.database import Connection, connect
from memos_cli.infrastructure.storage.scrubbing import scrub

MARK = b"Zyxomat"


def make(path: Path, page: int, seed: int) -> Connection:
    """A database whose rows came and went in many sizes; what went had the mark."""
    chance = random.Random(seed)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.create_function("chance", 0, lambda: chance.randrange(3))
        db.execute(f"PRAGMA page_size = {page}")
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE one (n INTEGER PRIMARY KEY, text TEXT, other TEXT UNIQUE)")
        db.execute("CREATE TABLE two (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID")
        db.execute("CREATE INDEX other ON one (text)")
        for _ in range(12):
            db.execute("BEGIN")
            for _ in range(60):
                length = chance.choice((3, 30, 300, page - 40, page, 3 * page, 20 * page))
                text = chance.choice(("Zyxomat", "owl")) * (1 + chance.randrange(length) // 7)
                key = f"{text[: chance.randrange(1, 200)]}{chance.random()}"
                db.execute("INSERT INTO one (text, other) VALUES (?, ?)", (text, key))
                db.execute("INSERT OR REPLACE INTO two VALUES (?, ?)", (key, text))
            for table in ("one", "two"):
                db.execute(f"DELETE FROM {table} WHERE text LIKE 'Zyxo%' AND chance() < 2")
            db.execute("COMMIT")
        db.execute("DELETE FROM one WHERE text LIKE 'Zyxo%'")
        db.execute("DELETE FROM two WHERE text LIKE 'Zyxo%'")
    return connect(path, 0.1)


PAGES = [(512, 1), (512, 8), (512, 9), (1024, 2), (4096, 3), (4096, 4), (65536, 5)]


@pytest.mark.parametrize(("page", "seed"), PAGES)
def test_only_rows_remain(tmp_path: Path, page: int, seed: int) -> None:
    path = tmp_path / "memos.db"
    with closing(make(path, page, seed)) as db:
        contents = [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("one", "two")]
        assert MARK in path.read_bytes() + (tmp_path / "memos.db-wal").read_bytes()
        assert scrub(db, path)
        assert MARK not in path.read_bytes() + (tmp_path / "memos.db-wal").read_bytes()
        assert [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("one", "two")] == contents
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.execute("UPDATE one SET text = text || 'x'")  # nothing of it is in memory, either
        db.execute("PRAGMA wal_checkpoint").fetchone()
        assert MARK not in path.read_bytes() + (tmp_path / "memos.db-wal").read_bytes()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_pages_cached_by_another_process_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "memos.db"
    with closing(make(path, 4096, 6)) as db, closing(connect(path, 0.1)) as other:
        other.execute("SELECT sum(length(text)) FROM one").fetchone()
        assert scrub(db, path)
        other.execute("UPDATE one SET text = text || 'x'")
        assert MARK not in path.read_bytes() + (tmp_path / "memos.db-wal").read_bytes()


def test_nothing_is_scrubbed_while_another_process_reads(tmp_path: Path) -> None:
    path = tmp_path / "memos.db"
    with closing(make(path, 4096, 7)) as db, closing(connect(path, 0.1)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM one").fetchone()
        db.execute("DELETE FROM one WHERE n % 2")
        assert not scrub(db, path)
        other.execute("ROLLBACK")
        assert scrub(db, path)


def test_a_damaged_database_is_not_damaged_more(tmp_path: Path) -> None:
    """Whichever byte of a page's head is another: what can be read still reads the same."""
    path = tmp_path / "memos.db"
    make(path, 512, 8).close()
    whole = path.read_bytes()
    chance = random.Random(8)
    for _ in range(400):
        page = chance.randrange(1, len(whole) // 512)
        at = page * 512 + chance.randrange(24)
        data = bytearray(whole)
        data[at] = chance.randrange(256)
        path.write_bytes(data)
        with closing(connect(path, 0.1)) as db:
            before = _rows(db)
            try:
                scrub(db, path)
            except Damaged:
                continue
        with closing(connect(path, 0.1)) as db:
            assert _rows(db) == before


def _rows(db: Connection) -> list[object]:
    found: list[object] = []
    for table in ("one", "two"):
        try:
            found.append(db.execute(f"SELECT * FROM {table}").fetchall())
        except Exception as error:  # noqa: BLE001 (a damaged page, told one way or another)
            found.append(type(error))
    return found
