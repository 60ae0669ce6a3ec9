"""Migrations: every older vault comes to the newest format, whole, or stays as it was."""

from __future__ import annotations

import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import NOW, WHO
from teaching import teach

from memos_cli.cube import STATES, Filter
from memos_cli.errors import MemosError, TooNew
from memos_cli.infrastructure import audit, catalogue, check, derived, schema
from memos_cli.infrastructure.database import Connection, connect
from memos_cli.infrastructure.vault import Vault, read_identity

VAULTS = Path(__file__).parent / "vaults"


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


@pytest.mark.parametrize("format", [1, 2, 4, 5, 6, 7])
def test_an_older_vault_is_brought_to_the_newest_with_nothing_lost(tmp_path: Path, format: int) -> None:
    """Vaults that the program of that time wrote, with something in each of its tables."""
    folder = tmp_path / f"format-{format}"
    with tarfile.open(VAULTS / f"{folder.name}.tar.xz") as archive:
        # Python 3.11.3 and older know no filter; from 3.14 on, the usual one changes who may read.
        archive.extractall(tmp_path, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
    assert [finding.what for finding in check.examine(folder, timeout=1.0)] == ["format-old"]
    old = sqlite3.connect(folder / "memos.db", isolation_level=None)
    columns, before = _columns(old), _rows(old)
    old.close()
    assert all(before.values()), "a table that is empty shows nothing"
    with Vault.open(folder, timeout=1.0) as new:
        after = _rows(new.connection, columns)
        assert {name: after[name] for name in before if name != "seal"} == {
            name: rows for name, rows in before.items() if name != "seal"
        }
        assert [name for name in _rows(new.connection) if name not in before and after.get(name)] == []
        assert new.connection.execute("SELECT uri, owner FROM source").fetchall() == [
            ("file:///notes.md", WHO)
        ]
        assert catalogue.view_owner(new.connection, "work") == WHO
        assert catalogue.views(new.connection) == {"work": Filter(tags=("work",), after=5)}
        cubes = list(catalogue.cubes(new.connection, Filter(payloads=("plaintext",), states=STATES), now=NOW))
        read = "activated" if format >= 2 else "generated"  # a state was made of it
        assert [(cube.text, cube.version, cube.state, cube.tags) for cube in cubes] == [
            ("Larks nest high.", 2, read, ("work",)),
            ("Owls nest high.", 1, "activated", ("night", "work")),
            ("Crows nest anywhere.", 1, "archived", ("work",)),
        ]
        assert len(catalogue.matches(new.connection, '"nest"', Filter(), now=NOW, limit=9)) == 2
        states = derived.activations(new.connection, now=NOW)
        assert [each.state.tokens.tolist() for each in states] == [[*range(64)]] * (format >= 2)
        assert list(audit.verify(new.connection)) == []
        vectors = new.connection.execute(
            "SELECT x.start, x.end, v.text FROM vector x JOIN cube c ON c.n = x.cube "
            "JOIN version v ON v.cube = c.n AND v.version = c.version"
        ).fetchall()
        assert vectors
        assert all((start, end) == (0, len(text)) for start, end, text in vectors)  # what they were made of
        with new.change(WHO, NOW) as change:
            change.pin("work", cubes[0].n)
            change.log_question("Where do larks nest?", {1: "text"}, 9)
        if format < 4:
            teach(new, 1, 2)
    assert read_identity(folder).format == schema.FORMAT
    assert check.examine(folder, timeout=1.0) == []


def _columns(connection: sqlite3.Connection) -> dict[str, list[str]]:
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'words%' "
        "AND name NOT LIKE 'sqlite%' ORDER BY name"
    ).fetchall()
    return {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for (name,) in names}


def _rows(
    connection: sqlite3.Connection, columns: dict[str, list[str]] | None = None
) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables but those that FTS5 keeps for itself; or some columns of some tables."""
    return {
        name: connection.execute(
            f"SELECT {', '.join(some)} FROM {name} ORDER BY {', '.join(some[:2])}"
        ).fetchall()
        for name, some in (columns or _columns(connection)).items()
    }


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
