"""Migrations: every older vault comes to the newest format, whole, or stays as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import NOW, WHO, draft, keep
from teaching import teach

from memos_cli.cube import STATES, Filter
from memos_cli.errors import MemosError, TooNew
from memos_cli.infrastructure import audit, catalogue, check, derived, schema, vault
from memos_cli.infrastructure.blobs import piece_digests
from memos_cli.infrastructure.database import Connection, connect
from memos_cli.infrastructure.derived import State
from memos_cli.infrastructure.vault import Vault, read_identity


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


def test_a_vault_of_format_1_is_brought_to_the_newest_with_nothing_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        for module in (schema, vault):
            patch.setattr(module, "FORMAT", 1)
        patch.setattr(audit, "seal", lambda db: None)  # seals are of format 4
        with Vault.create(tmp_path / "vault", principal=WHO, now=NOW, timeout=1.0) as old:
            _fill(old)
            before = _rows(old.connection)
        assert read_identity(old.folder).format == 1
    assert all(before.values()), "a table that is empty shows nothing"
    assert [finding.what for finding in check.examine(old.folder, timeout=1.0)] == ["format-old"]
    with Vault.open(old.folder, timeout=1.0) as new:
        after = _rows(new.connection)
        assert {name: after[name] for name in before} == before
        assert {name for name in after if name not in before} == {
            "activation", "derived", "pin", "parametric", "lesson", "question", "question_cube", "seal",
        }  # fmt: skip
        assert [name for name in after if name not in before and after[name]] == ["seal"]
        assert catalogue.views(new.connection) == {"work": Filter(tags=("work",), after=5)}
        cubes = list(catalogue.cubes(new.connection, Filter(states=STATES), now=NOW))
        assert [(cube.text, cube.version, cube.state, cube.tags) for cube in cubes] == [
            ("Larks nest high.", 2, "generated", ("work",)),
            ("Owls nest high.", 1, "activated", ("night", "work")),
            ("Crows nest anywhere.", 1, "archived", ("work",)),
        ]
        assert len(catalogue.matches(new.connection, '"nest"', Filter(), now=NOW, limit=9)) == 2
        with new.change(WHO, NOW) as change:
            change.pin("work", cubes[0].n)
    assert (read_identity(old.folder).format, read_identity(old.folder).id) == (
        schema.FORMAT,
        old.identity.id,
    )
    assert check.examine(old.folder, timeout=1.0) == []


def test_a_vault_of_format_2_keeps_its_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
        for module in (schema, vault):
            patch.setattr(module, "FORMAT", 2)
        patch.setattr(audit, "seal", lambda db: None)
        with Vault.create(tmp_path / "vault", principal=WHO, now=NOW, timeout=1.0) as old:
            _fill(old)
            state = State(
                "", old.blobs.put(b"state"), 5, piece_digests(b"state"), range(64), 70, "tiny",
                {"model": "ab"}, 2.5,
            )  # fmt: skip
            with old.change(WHO, NOW + 2) as change:
                derived.keep(change, state, [(1, 2, "document")], title="State", digest=bytes(32))
                change.pin("", 2)
            before = _rows(old.connection)
    assert all(before.values()), "a table that is empty shows nothing"
    with Vault.open(old.folder, timeout=1.0) as new:
        after = _rows(new.connection)
        assert {name: after[name] for name in before} == before
        assert {name for name in after if name not in before} == {
            "parametric", "lesson", "question", "question_cube", "seal",
        }  # fmt: skip
        assert [each.state.tokens.tolist() for each in derived.activations(new.connection, now=NOW)] == [
            [*range(64)]
        ]
        teach(new, 1, 2)
        with new.change(WHO, NOW) as change:
            change.log_question("Where do larks nest?", {1: "state"}, 9)
    assert read_identity(old.folder).format == schema.FORMAT
    assert check.examine(old.folder, timeout=1.0) == []


def _fill(old: Vault) -> None:
    """Something in every table, as a program of format 1 wrote it."""
    one, two, three = keep(
        old, "Larks nest low.", draft("Owls nest high.", 50, type="fact", tags=("night",)),
        draft("Crows nest anywhere.", 90, time=NOW, author="Ann"), tags=["work"],
    )  # fmt: skip
    with old.change(WHO, NOW + 1) as change:
        row = change.embedder("f", "name", 2)
        change.put_vectors(row, [(two.cube, 1, bytes(6))])
        change.revise(one.cube, "Larks nest high.", "Birds", "edit")
        change.set_state(three.cube, "archived", "archive")
        change.use({two.cube: 2.0})
        filter = '{"tags": ["work"], "types": [], "source": "", "after": 5, "before": null, '
        change.set_view("work", filter + '"undated": false, "states": ["generated", "activated"]}')


def _rows(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables but those that FTS5 keeps for itself."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'words%' "
        "AND name NOT LIKE 'sqlite%' ORDER BY name"
    ).fetchall()
    return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for (name,) in names}


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
