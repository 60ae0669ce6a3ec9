"""Examination finds what is wrong and only that; repair makes anew what can be made from the rest."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from adapters_harness import teach
from vault_harness import NOW, WHO, draft, keep

from memos_cli.cube import Filter, Origin
from memos_cli.errors import MemosError, NoVault
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.derived.adapters import Adapter
from memos_cli.infrastructure.derived.saved_states import State
from memos_cli.infrastructure.memories import filters, queries
from memos_cli.infrastructure.memories.forgetting import forget
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.blobs import piece_digests
from memos_cli.infrastructure.vault import fulltext_sums
from memos_cli.infrastructure.vault.check import MANY, examine, repair
from memos_cli.infrastructure.vault.row_checks import Finding
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vectors import vector_index

EVER = ("generated", "activated", "merged", "archived", "expired")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A vault with some of everything, closed."""
    path = tmp_path / "vault"
    with Vault.create(path, principal=WHO, now=NOW, timeout=1.0) as vault:
        keep(
            vault, *(draft(f"Lark number {n} sings 气候政策.", n * 40, title=f"Birds {n}") for n in range(12))
        )
        keep(vault, draft("Hello!", type="dialogue", ref="D1", author="Ann", time=NOW), uri="file:///d.jsonl")
        with vault.change(WHO, NOW) as change:
            blob = vault.blobs.put(b"converted text")
            change.claim_source(Origin("file:///a.pdf", "pdf", "", 9), blob)
            row = change.embedder("fingerprint", "name", 8)
            vectors = np.eye(8, dtype=np.float32)
            codes = vector_index.encode(vectors)
            change.put_vectors(
                row, [(n + 1, 1, [(0, 4, data), (5, 9, codes[n - 1])]) for n, data in enumerate(codes)]
            )
            change.revise(3, "Owls fly at night.", "Night", "edit")
            change.set_state(4, "archived", "archive")
            forget(change, 5)
            change.tag(1, ["a/b"])
            change.use({1: 1.0})
            change.set_view("work", filters.filter_to_json(Filter(tags=("a",))))
        vector_index.refresh(vault.connection, vault.snapshots, row, 8, force=True)
    assert examine(path, timeout=1.0) == examine(path, timeout=1.0, full=False) == []
    return path


def told(folder: Path, *, full: bool = True) -> list[tuple[str, str]]:
    return [(finding.rule, finding.what) for finding in examine(folder, timeout=1.0, full=full)]


def repaired(folder: Path) -> list[Finding]:
    with Vault.open(folder, timeout=1.0) as vault:
        return repair(vault, examine(folder, timeout=1.0), principal=WHO, now=NOW)


def break_rows(folder: Path, statement: str, *values: object) -> None:
    """Change rows as only damage does."""
    db = sqlite3.connect(folder / "memos.db", isolation_level=None)
    db.execute("PRAGMA ignore_check_constraints = ON")
    assert db.execute(statement, values).rowcount != 0
    db.close()


def texts(folder: Path) -> dict[tuple[str, int], str]:
    with Vault.open(folder, timeout=1.0) as vault:
        return {
            (cube.id, version.version): version.text
            for cube in queries.cubes(vault.connection, Filter(states=EVER), now=NOW)
            for version in queries.versions(vault.connection, cube.n)
        }


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("text-damaged", "UPDATE version SET text = 'Lark number 1 sinks' WHERE cube = 2"),
        ("text-damaged", "UPDATE version SET text = CAST(x'ff' AS TEXT) WHERE cube = 3 AND version = 1"),
        ("header-damaged", "UPDATE cube SET author = 'Bo' WHERE ref = 'D1'"),
        ("header-damaged", "UPDATE cube SET time = time + 1 WHERE ref = 'D1'"),
        ("version-missing", "DELETE FROM version WHERE cube = 3 AND version = 1"),
        ("version-missing", "UPDATE cube SET version = 2 WHERE n = 1"),
        ("audit-missing", "DELETE FROM audit WHERE action = 'edit'"),
        ("audit-missing", "DELETE FROM audit WHERE action = 'init'"),
        ("audit-missing", "UPDATE cube SET id = substr(id, 1, 25) || 'U' WHERE n = 1"),
        ("identity-differs", "UPDATE audit SET detail = 'other' WHERE action = 'init'"),
        ("row-without-parent", "DELETE FROM source WHERE uri LIKE '%d.jsonl'"),
        ("row-damaged", "UPDATE cube SET time = 'noon' WHERE n = 1"),
        ("row-damaged", "UPDATE cube SET created = 1 << 60 WHERE n = 1"),
        ("row-damaged", "UPDATE cube SET type = 'dacument' WHERE n = 1"),
        ("row-damaged", "UPDATE version SET title = x'00ff' WHERE cube = 1"),
        ("row-damaged", "UPDATE place SET end = -1 WHERE n = 1"),
        ("row-damaged", "UPDATE embedder SET dimension = 'many'"),
        ("database-damaged", "UPDATE cube SET state = 'lost' WHERE n = 1"),
        ("database-damaged", "UPDATE version SET title = CAST(x'ff' AS TEXT) WHERE cube = 1"),
        ("schema-differs", "DROP INDEX cube_digest"),
        ("schema-differs", "DROP TABLE place"),
        ("schema-differs", "CREATE TRIGGER spy AFTER INSERT ON cube BEGIN SELECT 1; END"),
        ("application-id", "PRAGMA application_id = 1"),
        ("blob-missing", "UPDATE source SET blob = '../../etc/passwd' WHERE blob IS NOT NULL"),
    ],
)
def test_lost_or_altered_data_is_found_and_never_called_repairable(
    folder: Path, what: str, statement: str
) -> None:
    break_rows(folder, statement)
    findings = examine(folder, timeout=1.0)
    assert ("must", what) in [(finding.rule, finding.what) for finding in findings]
    assert findings[0].rule == "must"
    assert not any(finding.repairable for finding in findings if finding.rule == "must")


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("words-differ", "INSERT INTO words (words) VALUES ('delete-all')"),
        ("words-differ", "INSERT INTO words (rowid, head, body) VALUES (999, 'a', 'b')"),
        ("words-differ", "DELETE FROM words_docsize WHERE id = 1"),
        ("words-differ", "DELETE FROM words_data WHERE id > 100"),
        ("words-differ", "UPDATE words_data SET block = x'0102030405' WHERE id = 10"),
        ("words-differ", "UPDATE words_config SET v = 99"),
        ("words-differ", "UPDATE words_idx SET pgno = 7777"),
        ("words-differ", "UPDATE words_docsize SET sz = x'0909' WHERE id = 1"),
        ("vectors-useless", "UPDATE vector SET data = x'00' WHERE cube = 1"),
        ("vectors-useless", "UPDATE vector SET data = x'00' WHERE cube = 1 AND start = 5"),
        (
            "vectors-useless",
            "INSERT INTO vector (cube, embedder, start, end, data) VALUES (4, 1, 0, 9, zeroblob(12))",
        ),
        ("waiting-differs", "DELETE FROM waiting"),
        ("waiting-differs", "INSERT INTO waiting (cube, embedder) VALUES (1, 1)"),
        ("index-damaged", "UPDATE vector SET data = zeroblob(12) WHERE cube = 1"),
        ("index-damaged", "UPDATE vector SET cube = 10 WHERE cube = 1"),
    ],
)
def test_what_can_be_made_again_is_found_and_repaired(folder: Path, what: str, statement: str) -> None:
    before = texts(folder)
    break_rows(folder, statement)
    findings = examine(folder, timeout=1.0)
    assert what in [finding.what for finding in findings]
    assert all(finding.rule == "should" and finding.repairable for finding in findings)
    assert repaired(folder) == findings
    assert examine(folder, timeout=1.0) == []
    assert texts(folder) == before


def test_a_memory_that_lost_the_vector_of_one_sentence_waits_for_all(folder: Path) -> None:
    """Else nobody would ever find it by that sentence again."""
    break_rows(folder, "UPDATE vector SET data = x'00' WHERE cube = 1 AND start = 5")
    assert "vectors-useless" in [what for _, what in told(folder)]
    repaired(folder)
    with Vault.open(folder, timeout=1.0) as vault:
        assert 1 in [item[0] for item in queries.without_vector(vault.connection, 1, limit=99)]


def test_a_word_that_was_changed_in_the_full_text_alone_is_found(folder: Path) -> None:
    with Vault.open(folder, timeout=1.0) as vault:
        db = vault.connection
        head, body = "Birds 0", "Lark number 0 sings  气候 候政 政策 策 ."
        db.execute("INSERT INTO words (words, rowid, head, body) VALUES ('delete', 1, ?, ?)", (head, body))
        db.execute("INSERT INTO words (rowid, head, body) VALUES (1, ?, ?)", (head, body))
        assert examine(folder, timeout=1.0) == []
        db.execute("INSERT INTO words (words, rowid, head, body) VALUES ('delete', 1, ?, ?)", (head, body))
        db.execute(
            "INSERT INTO words (rowid, head, body) VALUES (1, ?, ?)", (head, body.replace("sings", "sinks"))
        )
    assert told(folder) == [("should", "words-differ")]
    assert told(folder, full=False) == []
    repaired(folder)
    assert told(folder) == []


def test_a_word_that_no_search_comes_to_is_found(folder: Path) -> None:
    """The full-text index finds words by a table of its own, which reading all of them does not use."""
    db = sqlite3.connect(folder / "memos.db", isolation_level=None)
    assert db.execute("UPDATE words_idx SET pgno = pgno + 20").rowcount
    db.close()
    assert told(folder) == [("should", "words-differ")]
    repaired(folder)
    assert told(folder) == []


def blob_of(folder: Path) -> Path:
    (path,) = (path for path in (folder / "blobs").rglob("*") if path.is_file())
    return path


def test_a_named_blob_that_is_lost_or_altered_is_data_loss(folder: Path) -> None:
    blob_of(folder).write_bytes(b"other text")
    assert told(folder) == [("must", "blob-damaged")]
    blob_of(folder).unlink()
    assert told(folder) == told(folder, full=False) == [("must", "blob-missing")]
    assert repaired(folder) == []


def test_every_bit_of_a_blob_counts(folder: Path) -> None:
    path = blob_of(folder)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        assert told(folder) == [("must", "blob-damaged")]


def test_orphans_and_leftovers_are_removed_and_what_is_in_use_stays(folder: Path) -> None:
    named = blob_of(folder)
    with Vault.open(folder, timeout=1.0) as vault:
        orphan = vault.blobs.path(vault.blobs.put(b"nobody names me"))
    mine, dead = f"{os.getpid()}.0123abcd", "99999999.0123abcd"
    working, old = folder / "tmp" / f".a.{mine}.part", folder / "tmp" / f".b.{mine}.part"
    killed, elsewhere = folder / "index" / f".vectors-1.bin.{dead}.part", folder / "tmp" / "odd"
    for path in (working, old, killed, elsewhere):
        path.touch(0o600)
    os.utime(old, (time.time() - 4000,) * 2)
    gone = {orphan, old, killed, elsewhere}
    assert {folder / finding.where for finding in examine(folder, timeout=1.0)} == gone
    assert {folder / finding.where for finding in repaired(folder)} == gone
    assert not any(path.exists() for path in gone)
    assert named.exists()
    assert working.exists()
    assert told(folder) == []


def test_no_byte_of_the_full_text_table_breaks_the_examination(folder: Path) -> None:
    """Damage makes FTS5 return NULL where it never does otherwise."""
    with Vault.open(folder, timeout=1.0) as vault:
        db = vault.unrestricted
        fulltext_sums.watch(db)
        wanted = fulltext_sums.of_table(db)
        blocks = db.execute("SELECT id, block FROM words_data WHERE id > 1").fetchall()
        db.execute("BEGIN")
        for id, block in blocks:
            for at, bits in product(range(len(block)), (0x01, 0x06, 0x80)):
                changed = bytearray(block)
                changed[at] ^= bits
                db.execute("SAVEPOINT damage")
                db.execute("UPDATE words_data SET block = ? WHERE id = ?", (bytes(changed), id))
                with suppress(MemosError):
                    fulltext_sums.of_table(db)
                db.execute("ROLLBACK TO damage")
        for value in (None, "text", 7, 0.5):
            db.execute("UPDATE words_data SET block = ? WHERE id = 1", (value,))
            assert fulltext_sums.of_table(db) != wanted
        db.execute("ROLLBACK")


def test_a_young_orphan_beside_a_writer_may_still_get_its_row(folder: Path) -> None:
    with Vault.open(folder, timeout=1.0) as vault:
        with vault.change(WHO, NOW):
            orphan = vault.blobs.path(vault.blobs.put(b"not yet named"))
            assert told(folder) == []
            os.utime(orphan, (time.time() - 4000,) * 2)
            assert told(folder) == [("should", "blob-orphan")]
        assert told(folder) == [("should", "blob-orphan")]


def test_what_others_may_read_is_found_and_closed_to_them(folder: Path) -> None:
    opened = {"memos.db": 0o644, "blobs": 0o755, f"{blob_of(folder).relative_to(folder)}": 0o606, ".": 0o777}
    for name, mode in opened.items():
        (folder / name).chmod(mode)
    findings = examine(folder, timeout=1.0)
    assert {finding.where for finding in findings} == opened.keys()
    assert {finding.what for finding in findings} == {"permissions"}
    repaired(folder)
    assert told(folder) == []
    folder.chmod(0o755)  # what is in it is private still
    assert told(folder) == []


def test_an_index_of_an_unknown_embedder_is_removed(folder: Path) -> None:
    shutil.copy(folder / "index" / "vectors-1.bin", folder / "index" / "vectors-7.bin")
    assert told(folder) == [("should", "index-damaged")]
    repaired(folder)
    assert [path.name for path in (folder / "index").iterdir()] == ["vectors-1.bin"]


def test_many_findings_of_a_kind_are_counted(folder: Path) -> None:
    break_rows(folder, "UPDATE version SET sha256 = zeroblob(32)")
    findings = examine(folder, timeout=1.0)
    assert len(findings) == MANY + 1
    (versions,) = sqlite3.connect(folder / "memos.db").execute("SELECT count(*) FROM version").fetchone()
    assert findings[-1].message == f"and {versions - MANY} more like this"


def test_a_lost_identity_is_told_with_what_mends_it(folder: Path) -> None:
    (folder / "VAULT.toml").unlink()
    (finding,) = examine(folder, timeout=1.0)
    assert (finding.rule, finding.what) == ("should", "identity-missing")
    assert "memos init" in finding.message
    Vault.create(folder, principal=WHO, now=NOW, timeout=1.0).close()
    assert told(folder) == []


def test_where_there_is_nothing_there_is_nothing_to_examine(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NoVault):
            examine(path, timeout=1.0)


def test_examination_changes_no_byte_and_needs_no_lock(folder: Path) -> None:
    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    before = state()
    examine(folder, timeout=1.0)
    assert state() == before
    with Vault.open(folder, timeout=1.0) as vault, vault.change(WHO, NOW), Vault.open(folder, timeout=0.0):
        assert told(folder) == []


# --- saved states --------------------------------------------------------------------------------


@pytest.fixture
def promoted(folder: Path) -> tuple[Path, Path]:
    """The vault with two states in it, and the blob of the second."""
    fingerprint = {"model": "0" * 64, "batch": "64"}
    for number, cubes in enumerate(((1,), (2, 6, 7))):
        with Vault.open(folder, timeout=1.0) as vault:
            blob = vault.blobs.put(bytes([number]) * 900)
            state = State(
                "",
                blob,
                900,
                piece_digests(bytes([number]) * 900),
                array("i", range(64)),
                70,
                "tiny",
                fingerprint,
                1.5,
            )
            with vault.change(WHO, NOW) as change:
                saved_states.keep(
                    change, state, [(n, 1, "document") for n in cubes],
                    title="State", digest=bytes([number]) * 32,
                )  # fmt: skip
            path = vault.blobs.path(blob)
    assert examine(folder, timeout=1.0) == []
    return folder, path


def states_in(folder: Path) -> int:
    with Vault.open(folder, timeout=1.0) as vault:
        return len(saved_states.activations(vault.connection, now=NOW))


def flip(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def link(path: Path) -> None:
    aside = path.parent.parent.parent.parent / "aside"
    path.rename(aside)
    path.symlink_to(aside)


@pytest.mark.parametrize(
    ("spoil", "what", "fully"),
    [
        (Path.unlink, "state-missing", False),
        (lambda path: os.truncate(path, 899), "state-missing", False),
        (lambda path: os.truncate(path, 0), "state-missing", False),
        (link, "state-missing", False),
        (flip, "state-damaged", True),
    ],
)
def test_a_state_whose_bytes_are_not_there_is_told_and_dropped(
    promoted: tuple[Path, Path], spoil: Callable[[Path], None], what: str, fully: bool
) -> None:
    folder, path = promoted
    before = texts(folder)
    spoil(path)
    (finding,) = [each for each in examine(folder, timeout=1.0) if each.what == what]
    assert (finding.rule, finding.repairable) == ("should", True)
    assert "memos promote" in finding.message
    assert (("should", what) in told(folder, full=False)) is not fully
    repaired(folder)
    assert told(folder) == []
    assert states_in(folder) == 1
    assert not path.exists()
    # What is gone is the state: the memories are all as they were.
    assert texts(folder).items() >= {key: text for key, text in before.items() if text}.items()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE activation SET key = zeroblob(32) WHERE cube = {n}",
        "UPDATE activation SET tokens = zeroblob(256) WHERE cube = {n}",
        "UPDATE activation SET fingerprint = '{{}}' WHERE cube = {n}",
        "UPDATE activation SET fingerprint = 'x' || substr(fingerprint, 2) WHERE cube = {n}",
        "UPDATE activation SET prompt = 63 WHERE cube = {n}",
        "UPDATE activation SET bytes = 901 WHERE cube = {n}",
        "UPDATE activation SET blob = '../../../etc/passwd' WHERE cube = {n}",
        "DELETE FROM derived WHERE cube = {n}",
        "DELETE FROM derived WHERE cube = {n} AND position = 1",
        "DELETE FROM activation WHERE cube = {n}",
    ],
)
def test_a_state_whose_row_does_not_fit_is_told_and_dropped(
    promoted: tuple[Path, Path], statement: str
) -> None:
    folder, _ = promoted
    before = {key: text for key, text in texts(folder).items() if text}
    with Vault.open(folder, timeout=1.0) as vault:
        n = saved_states.activations(vault.connection, now=NOW)[-1].cube
    break_rows(folder, statement.format(n=n))
    findings = examine(folder, timeout=1.0)
    assert {finding.what for finding in findings} <= {"state-broken", "state-missing", "blob-orphan"}
    assert findings
    repaired(folder)
    assert told(folder) == []
    assert states_in(folder) == 1
    assert texts(folder).items() >= before.items()


def test_an_orphan_state_is_swept(promoted: tuple[Path, Path]) -> None:
    folder, path = promoted
    with Vault.open(folder, timeout=1.0) as vault, vault.change(WHO, NOW) as change:
        last = saved_states.activations(vault.connection, now=NOW)[-1]
        assert vault.blobs.path(saved_states.drop(change, last.cube)) == path
    assert told(folder) == [("should", "blob-orphan")]
    repaired(folder)
    assert told(folder) == []
    assert not path.exists()
    assert states_in(folder) == 1


def test_a_repair_that_drops_a_state_is_in_the_audit(promoted: tuple[Path, Path]) -> None:
    folder, path = promoted
    path.unlink()
    repaired(folder)
    with Vault.open(folder, timeout=1.0) as vault:
        last = [row.action for row in audit.rows(vault.connection, newest=True)]
    assert "repair" in last


# --- adapters ------------------------------------------------------------------------------------


@pytest.fixture
def taught(folder: Path) -> tuple[Path, Path]:
    """The vault with two adapters in it, and the blob of the second."""
    with Vault.open(folder, timeout=1.0) as vault:
        teach(vault, 1, name="Larks", content=b"some weights")
        made, _ = teach(vault, 2, 6, 7, name="More larks")
        path = vault.blobs.path(made.blob or "")
    assert examine(folder, timeout=1.0) == []
    return folder, path


def adapters_in(folder: Path) -> list[Adapter]:
    with Vault.open(folder, timeout=1.0) as vault:
        return adapters.adapters(vault.connection, now=NOW)


def lessons_in(folder: Path) -> list[tuple[object, ...]]:
    with Vault.open(folder, timeout=1.0) as vault:
        return vault.connection.execute("SELECT * FROM lesson ORDER BY cube, position").fetchall()


@pytest.mark.parametrize(
    ("spoil", "what", "fully"),
    [
        (Path.unlink, "adapter-missing", False),
        (lambda path: os.truncate(path, 3), "adapter-missing", False),
        (link, "adapter-missing", False),
        (flip, "adapter-damaged", True),
    ],
)
def test_an_adapter_whose_bytes_are_not_there_is_set_aside_and_keeps_its_lessons(
    taught: tuple[Path, Path], spoil: Callable[[Path], None], what: str, fully: bool
) -> None:
    folder, path = taught
    (first, second), before, lessons = adapters_in(folder), texts(folder), lessons_in(folder)
    spoil(path)
    (finding,) = [each for each in examine(folder, timeout=1.0) if each.what == what]
    assert (finding.rule, finding.repairable, finding.where) == ("should", True, second.id)
    assert "keeps its lessons" in finding.message
    assert (("should", what) in told(folder, full=False)) is not fully
    repaired(folder)
    assert told(folder) == []
    assert not path.exists()
    other, aside = adapters_in(folder)
    assert other == first
    assert (aside.state, aside.blob, aside.stale) == ("archived", None, "its weights were damaged")
    assert (aside.recipe, aside.report, aside.sources) == (second.recipe, second.report, second.sources)
    assert (lessons_in(folder), texts(folder)) == (lessons, before)
    with Vault.open(folder, timeout=1.0) as vault:
        assert next(audit.rows(vault.connection, cube=second.id, newest=True)).action == "repair"
        again, _ = teach(vault, 2, 6, 7, name="More larks")
        assert (again.id, again.version, again.stale) == (second.id, 2, "")
    assert told(folder) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE parametric SET fingerprint = '{{}}' WHERE cube = {n}",
        "UPDATE parametric SET fingerprint = 'x' || substr(fingerprint, 2) WHERE cube = {n}",
        "UPDATE parametric SET fingerprint = replace(fingerprint, 'abab', 'abac') WHERE cube = {n}",
        "UPDATE parametric SET recipe = '[1]' WHERE cube = {n}",
        "UPDATE parametric SET report = substr(report, 2) WHERE cube = {n}",
        "UPDATE parametric SET bytes = 8 WHERE cube = {n}",
        "UPDATE parametric SET bytes = -1 WHERE cube = {n}",
        "UPDATE parametric SET seconds = -1 WHERE cube = {n}",
        "UPDATE parametric SET blob = '../../../etc/passwd' WHERE cube = {n}",
        "UPDATE parametric SET blob = NULL WHERE cube = {n}",
        "UPDATE parametric SET lost = 'forgotten' WHERE cube = {n}",
        "UPDATE parametric SET blob = NULL, lost = 'forgotten' WHERE cube = {n}",
        "UPDATE parametric SET blob = NULL, lost = 'stolen' WHERE cube = {n}",
        "DELETE FROM derived WHERE cube = {n}",
        "DELETE FROM derived WHERE cube = {n} AND position = 1",
        "UPDATE derived SET source = 8 WHERE cube = {n} AND position = 1",
        "UPDATE lesson SET source = 8 WHERE cube = {n} AND position = 0",
        "UPDATE version SET title = 'Owls' WHERE cube = {n}",
        "UPDATE cube SET digest = zeroblob(32) WHERE n = {n}",
        "DELETE FROM parametric WHERE cube = {n}",
    ],
)
def test_an_adapter_whose_row_does_not_fit_is_set_aside(taught: tuple[Path, Path], statement: str) -> None:
    folder, path = taught
    (first, second), before = adapters_in(folder), texts(folder)
    break_rows(folder, statement.format(n=second.cube))
    lessons = lessons_in(folder)
    findings = examine(folder, timeout=1.0)
    assert {finding.what for finding in findings} <= {"adapter-broken", "adapter-missing", "blob-orphan"}
    assert second.id in {finding.where for finding in findings}
    repaired(folder)
    assert told(folder) == []
    assert not path.exists()
    other, aside = adapters_in(folder)
    assert other == first
    assert (aside.id, aside.state, aside.blob) == (second.id, "archived", None)
    assert (lessons_in(folder), texts(folder)) == (lessons, before)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE parametric SET bytes = 'many'",
        "UPDATE parametric SET blob = CAST(blob AS BLOB)",
        "UPDATE parametric SET report = x'00ff'",
        "UPDATE lesson SET question = x'00ff' WHERE position = 0",
        "UPDATE question SET time = 1 << 60",
        "UPDATE question SET text = x'00'",
        "UPDATE question_cube SET form = 5",
    ],
)
def test_values_that_no_write_leaves_are_no_affair_of_a_repair(
    taught: tuple[Path, Path], statement: str
) -> None:
    folder, _ = taught
    with Vault.open(folder, timeout=1.0) as vault, vault.change(WHO, NOW) as change:
        change.log_question("Where do larks nest?", {1: "text"}, 9)
    break_rows(folder, statement)
    findings = examine(folder, timeout=1.0)
    assert findings[0].rule == "must"
    assert findings[0].what in ("row-damaged", "database-damaged")


def test_an_adapter_that_lost_its_weights_and_is_kept_is_whole(taught: tuple[Path, Path]) -> None:
    folder, path = taught
    with Vault.open(folder, timeout=1.0) as vault:
        with vault.change(WHO, NOW) as change:
            blobs = forget(change, 6)
        assert told(folder) == [("should", "blob-orphan")]
        vault.discard_blobs(blobs)
    assert told(folder) == []
    assert not path.exists()
    second = adapters_in(folder)[1]
    break_rows(folder, "UPDATE cube SET state = 'activated' WHERE n = ?", second.cube)
    assert told(folder) == [("should", "adapter-broken")]
    repaired(folder)
    assert told(folder) == []
    assert adapters_in(folder)[1].state == "archived"


def test_an_orphan_adapter_is_swept(taught: tuple[Path, Path]) -> None:
    folder, path = taught
    with Vault.open(folder, timeout=1.0) as vault, vault.change(WHO, NOW) as change:
        assert forget(change, adapters_in(folder)[1].cube) == [path.name]
    assert told(folder) == [("should", "blob-orphan")]
    repaired(folder)
    assert told(folder) == []
    assert not path.exists()


# --- bits that flip ------------------------------------------------------------------------------


def flips(whole: bytes, count: int) -> Iterator[tuple[int, bytes]]:
    """``count`` damaged copies, each with one bit flipped, evenly spread."""
    for turn in range(count):
        at = turn * len(whole) // count + turn % 7
        if at < len(whole):
            yield at, whole[:at] + bytes([whole[at] ^ (1 << turn % 8)]) + whole[at + 1 :]


def check_damage(folder: Path, path: Path, damaged: bytes, intact: Callable[[], bool]) -> str:
    """What comes of a damaged file: it is ``told``, or refused, or what is protected is ``intact``."""
    path.write_bytes(damaged)
    try:
        findings = examine(folder, timeout=0.2)
        with Vault.open(folder, timeout=0.2) as vault:
            list(queries.cubes(vault.connection, Filter(states=EVER), now=NOW))
            queries.matches(vault.connection, '"lark"', Filter(), now=NOW, limit=10)
    except MemosError:
        return "refused"
    if findings:
        return "told"
    assert intact(), "damage was neither told nor harmless"
    return "intact"


def test_a_flipped_bit_anywhere_in_the_database_is_told_or_harmless(folder: Path) -> None:
    path = folder / "memos.db"
    whole, before = path.read_bytes(), texts(folder)
    outcomes = []
    for at, damaged in flips(whole, 160):
        for name in ("memos.db-wal", "memos.db-shm"):
            (folder / name).unlink(missing_ok=True)
        try:
            outcomes.append(check_damage(folder, path, damaged, lambda: texts(folder) == before))
        except AssertionError:
            raise AssertionError(f"byte {at}") from None
    assert {"told", "intact"} <= set(outcomes)


@pytest.mark.parametrize("cut", [0, 100, 5000, -4096])
def test_a_database_that_was_cut_off_is_told(folder: Path, cut: int) -> None:
    path = folder / "memos.db"
    path.write_bytes(path.read_bytes()[:cut])
    assert check_damage(folder, path, path.read_bytes(), lambda: False) in ("told", "refused")


def test_a_flipped_bit_in_the_identity_is_told_or_harmless(folder: Path) -> None:
    path = folder / "VAULT.toml"
    whole, before = path.read_bytes(), texts(folder)
    for _, damaged in flips(whole, len(whole) // 2):
        check_damage(folder, path, damaged, lambda: texts(folder) == before)
