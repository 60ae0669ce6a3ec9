"""Migrations: every older vault comes to the newest format, whole, or stays as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from memos_cli.errors import MemosError, TooNew
from memos_cli.infrastructure import schema
from memos_cli.infrastructure.database import Connection, connect


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    (tmp_path / "memos.db").touch()
    connection = connect(tmp_path / "memos.db", 1.0)
    yield connection
    connection.close()


def dump(connection: Connection) -> list[str]:
    return [
        row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql <> '' ORDER BY name")
    ]


def bring_to(connection: Connection, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database as the program that knew ``version`` migrations left it."""
    if version:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
            patch.setattr(schema, "FORMAT", version)
            schema.migrate(connection)


@pytest.mark.parametrize("version", range(schema.FORMAT + 1))
def test_every_older_version_becomes_the_newest(
    db: Connection, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_to(db, version, monkeypatch)
    assert schema.version_of(db) == version
    schema.migrate(db)
    assert schema.version_of(db) == schema.FORMAT
    assert db.execute("PRAGMA application_id").fetchone() == (0x4D454D43,)
    fresh = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    schema.migrate(fresh)
    assert dump(db) == dump(fresh)
    fresh.close()


def test_migrating_again_changes_nothing(db: Connection) -> None:
    schema.migrate(db)
    before = dump(db)
    schema.migrate(db)
    assert dump(db) == before


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.migrate(db)
    before = dump(db)

    def broken(database: object) -> None:
        db.execute("CREATE TABLE half (n)")
        db.execute("SELECT * FROM missing")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    monkeypatch.setattr(schema, "FORMAT", schema.FORMAT + 1)
    with pytest.raises(MemosError, match="missing"):
        schema.migrate(db)
    assert not db.in_transaction
    assert (dump(db), schema.version_of(db)) == (before, schema.FORMAT - 1)


def test_a_full_disk_leaves_the_database_as_it_was(db: Connection) -> None:
    db.execute("PRAGMA max_page_count = 3")
    with pytest.raises(MemosError, match="disk is full"):
        schema.migrate(db)
    assert not db.in_transaction
    assert schema.version_of(db) == 0
    db.execute("PRAGMA max_page_count = 100000")
    schema.migrate(db)
    assert schema.version_of(db) == schema.FORMAT


def test_what_a_newer_program_migrated_meanwhile_is_not_taken_back(db: Connection) -> None:
    schema.migrate(db)
    db.execute(f"PRAGMA user_version = {schema.FORMAT + 1}")
    with pytest.raises(TooNew):
        schema.migrate(db)
    assert schema.version_of(db) == schema.FORMAT + 1
