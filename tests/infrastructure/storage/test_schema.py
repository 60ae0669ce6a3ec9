"""Migrations: every older vault comes to the newest format, whole, or stays as it was."""

from __future__ import annotations

import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from adapters_harness import teach
from vault_harness import NOW, WHO

from memos_cli.cube import STATES, Draft, Filter, Span
from memos_cli.errors import MemosError, TooNew
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.memories import filters, queries
from memos_cli.infrastructure.storage import audit, migrations, schema
from memos_cli.infrastructure.storage.database import Connection, connect
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vault.vault_file import read_identity

VAULTS = Path(__file__).parents[2] / "vaults"


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
            patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:version])
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


@pytest.mark.parametrize("format", [1, 2, 4, 5, 6, 7, 8])
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
        assert filters.view_owner(new.connection, "work") == WHO
        assert filters.views(new.connection) == {"work": Filter(tags=("work",), after=5)}
        cubes = list(queries.cubes(new.connection, Filter(payloads=("plaintext",), states=STATES), now=NOW))
        read = "activated" if format >= 2 else "generated"  # a state was made of it
        assert [(cube.text, cube.version, cube.state, cube.tags) for cube in cubes] == [
            ("Larks nest high.", 2, read, ("work",)),
            ("Owls nest high.", 1, "activated", ("night", "work")),
            ("Crows nest anywhere.", 1, "archived", ("work",)),
        ]
        assert len(queries.matches(new.connection, '"nest"', Filter(), now=NOW, limit=9)) == 2
        states = saved_states.activations(new.connection, now=NOW)
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


def test_format_9_composes_names_and_finds_folded_letters(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What macOS typed in format 8, beside the same in NFC; killed on the way, it is done again."""
    bring_to(db, 8, monkeypatch)
    nfd, nfc = "cafe\u0301", "café"
    digests = {}
    for n, ref in enumerate((nfd, nfc, "plain"), 1):
        draft = Draft(f"Łódź {n}", Span(0, 0), type="fact", ref=nfc)
        digests[n] = draft.digest()
        object.__setattr__(draft, "ref", ref)
        db.execute(
            """INSERT INTO cube (n, id, payload, type, state, version, digest, ref, author, role,
                 owner, created, updated, priority, frozen, hits, heat)
               VALUES (?, ?, 'plaintext', 'fact', 'generated', 1, ?, ?, '', '', ?, 1, 1, 0, 0, 0, 0)""",
            (n, str(n), draft.digest(), ref, WHO),
        )
        db.execute("INSERT INTO version VALUES (?, ?, 1, '', ?, x'', 1, ?)", (n, n, draft.text, WHO))
        db.execute("INSERT INTO words (rowid, head, body) VALUES (?, '', ?)", (n, draft.text))
    db.executemany("INSERT INTO tag VALUES (?, ?)", [(1, nfd), (2, nfd), (2, nfc), (3, f"{nfd}/x"), (3, "a")])
    db.executemany(
        "INSERT INTO view VALUES (?, ?, 1, ?)", [(nfd, "{}", WHO), (nfc, "{}", WHO), ("v", "{}", WHO)]
    )
    db.executemany("INSERT INTO pin VALUES (?, 1, 1)", [(nfd,), (nfc,), ("v",)])
    rules = [("tag", nfd), ("tag", nfc), ("view", nfd), ("cube", "1")]
    db.executemany(
        """INSERT INTO rule (owner, kind, target, principal, right, giver, created)
           VALUES (?, ?, ?, 'u', 'read', ?, 1)""",
        [(WHO, *rule, WHO) for rule in rules],
    )
    before = [*db.iterdump()]
    with monkeypatch.context() as patch:
        patch.setattr(migrations.format_9, "compose_names", lambda db: db.execute("SELECT * FROM missing"))
        with pytest.raises(MemosError, match="missing"):
            schema.migrate(db)
    assert [*db.iterdump()] == before
    schema.migrate(db)
    assert db.execute("SELECT cube, tag FROM tag ORDER BY 1, 2").fetchall() == [
        (1, nfc), (2, nfc), (3, "a"), (3, f"{nfc}/x")
    ]  # fmt: skip
    assert db.execute("SELECT name FROM view ORDER BY 1").fetchall() == [(nfc,), (f"{nfc} (2)",), ("v",)]
    assert db.execute("SELECT view FROM pin ORDER BY 1").fetchall() == [(nfc,), (f"{nfc} (2)",), ("v",)]
    targets = "SELECT kind, target FROM rule ORDER BY 1, 2"
    assert db.execute(targets).fetchall() == [("cube", "1"), ("tag", nfc), ("view", f"{nfc} (2)")]
    assert db.execute("SELECT n, ref FROM cube ORDER BY 1").fetchall() == [(1, nfc), (2, nfc), (3, "plain")]
    found = dict(db.execute("SELECT n, digest FROM cube").fetchall())
    assert {n: found[n] for n in (1, 2)} == {n: digests[n] for n in (1, 2)}
    assert len(queries.matches(db, '"lodz"', Filter(), now=NOW, limit=9)) == 3


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

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
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
