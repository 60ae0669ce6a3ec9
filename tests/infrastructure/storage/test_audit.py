"""The audit: every row is sealed, and every edit of it is found."""

from __future__ import annotations

import fcntl
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cli_harness import Shell, has_open, wait_until
from vault_harness import NOW, WHO, draft, keep

from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.audit import Head
from memos_cli.infrastructure.storage.database import Connection, connect
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.memory import Memos
from memos_cli.settings import Settings


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Vault]:
    """A vault in which a good deal happened, and may be damaged."""
    with Vault.create(tmp_path / "vault", principal=WHO, now=NOW, timeout=5.0) as vault:
        for number in range(20):
            keep(vault, draft(f"Fact number {number}, “quoted” in 日本."))
        with vault.change("agent:coder", NOW + 5) as change:
            change.set_view("größer", "{}")
            for cube in range(1, 6):
                change.tag(cube, ["tag"])
        yield vault


def test_every_row_is_sealed_with_its_transaction(filled: Vault) -> None:
    db = filled.connection
    rows = list(audit.rows(db))
    assert [row.n for row in rows] == [*range(1, len(rows) + 1)]
    assert db.execute("SELECT count(*) FROM seal").fetchone() == (len(rows),)
    assert list(audit.verify(db)) == []
    assert list(audit.verify(db, audit.head(db))) == []


def test_nothing_of_a_transaction_that_fails_is_kept(filled: Vault) -> None:
    before = audit.head(filled.connection)
    with pytest.raises(RuntimeError), filled.change(WHO, NOW) as change:
        change.set_view("other", "{}")
        raise RuntimeError
    assert audit.head(filled.connection) == before
    keep(filled, draft("One more."))
    assert list(audit.verify(filled.connection, before)) == []


def test_a_head_that_was_kept_finds_a_chain_written_anew(filled: Vault) -> None:
    db, kept = filled.connection, audit.head(filled.connection)
    db.execute("UPDATE audit SET principal = 'user:mallory' WHERE n = 7")
    db.execute("DELETE FROM seal")
    audit.seal(db)
    assert list(audit.verify(db)) == []
    assert [found.n for found in audit.verify(db, kept)] == [kept.n]
    assert [found.n for found in audit.verify(db, Head(10_000, bytes(32)))] == [10_000]


Edit = Callable[[Connection, random.Random, int], None]


def _change(db: Connection, draw: random.Random, n: int) -> None:
    column, value = draw.choice(
        [("time", "time + 1"), ("principal", "principal || 'x'"), ("action", "action || ' '"),
         ("cube", "coalesce(cube, '') || 'A'"), ("version", "coalesce(version, 0) + 1"),
         ("detail", "coalesce(detail, '') || '!'")]
    )  # fmt: skip
    db.execute(f"UPDATE audit SET {column} = {value} WHERE n = ?", (n,))


def _remove(db: Connection, draw: random.Random, n: int) -> None:
    db.execute("DELETE FROM seal WHERE n = ?", (n,))
    db.execute("DELETE FROM audit WHERE n = ?", (n,))


def _swap(db: Connection, draw: random.Random, n: int) -> None:
    other = n + 1 if n == 1 else n - 1
    for table in draw.choice([("audit",), ("audit", "seal")]):
        for old, new in ((n, -1), (other, n), (-1, other)):
            db.execute(f"UPDATE {table} SET n = ? WHERE n = ?", (new, old))


def _insert(db: Connection, draw: random.Random, n: int) -> None:
    (last,) = db.execute("SELECT max(n) FROM audit").fetchone()
    for row in range(last, n - 1, -1):
        for table in ("audit", "seal"):
            db.execute(f"UPDATE {table} SET n = n + 1 WHERE n = ?", (row,))
    db.execute("INSERT INTO audit (n, time, principal, action) VALUES (?, 1, 'user:x', 'add')", (n,))
    db.execute("INSERT INTO seal (n, hash) VALUES (?, ?)", (n, draw.randbytes(32)))


def _reseal(db: Connection, draw: random.Random, n: int) -> None:
    db.execute("UPDATE seal SET hash = ? WHERE n = ?", (draw.randbytes(32), n))


def test_a_thousand_random_edits_are_found(filled: Vault) -> None:
    db, draw = filled.connection, random.Random(7)
    (last,) = db.execute("SELECT max(n) FROM audit").fetchone()
    db.execute("PRAGMA foreign_keys = OFF")
    for _ in range(1000):
        edit = draw.choice([_change, _remove, _swap, _insert, _reseal])
        db.execute("BEGIN")
        edit(db, draw, draw.randint(1, last))
        assert next(audit.verify(db), None) is not None, edit.__name__
        db.execute("ROLLBACK")
    assert list(audit.verify(db)) == []


def test_what_verify_says_is_where_it_is(filled: Vault) -> None:
    db = filled.connection
    db.execute("UPDATE audit SET action = 'edit' WHERE n = 9")
    assert [found.n for found in audit.verify(db)] == [9]
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("DELETE FROM audit WHERE n IN (12, 13)")
    assert [(found.n, found.problem) for found in audit.verify(db)][1:] == [
        (12, "the rows 12 to 13 are missing")
    ]
    found = [each.what for each in check.examine(filled.folder, timeout=1.0)]
    assert "audit-altered" in found


def test_the_document_verifies_it_by_hand(filled: Vault) -> None:
    document = (Path(__file__).parents[3] / "store_format.md").read_text()
    code = document.split("<<'CODE'\n")[1].split("\nCODE\n")[0]

    def run() -> str:
        return subprocess.run(
            [sys.executable, "-c", code], cwd=filled.folder, capture_output=True, text=True, check=True
        ).stdout

    assert run() == ""
    filled.connection.execute("UPDATE audit SET action = 'edit' WHERE n = 9")
    assert run() == "audit row 9\n"


def test_the_command_shows_filters_and_verifies(memos: Shell) -> None:
    memos("init")
    memos("ingest", "-", "--as", "agent:coder", "--quiet", "--no-embed", stdin=b"The build runs at 2:30.\n")
    id = memos("list", "--as", "agent:coder", "--json").record["id"]
    rows = memos("audit", "--json").records
    assert [row["action"] for row in rows][:2] == ["init", "add"]
    assert {*rows[0]} == {"n", "time", "principal", "action", "cube", "version", "detail"}
    assert "build" not in memos("audit").out
    by = memos("audit", "--by", "agent:coder", "--json").records
    assert by
    assert {row["principal"] for row in by} == {"agent:coder"}
    assert {row["cube"] for row in memos("audit", "--cube", id[:10].lower(), "--json").records} == {id}
    assert memos("audit", "--since", "2999-01-01", "--json").out == ""
    head = memos("audit", "--head").out.strip()
    assert memos("audit", "verify").out == f"ok  {head}\n"
    memos("tag", id, "-a", "work", "--as", "agent:coder")
    assert memos("audit", "verify", "--head", head, "--json").record["ok"]
    other = head.partition(":")[0] + ":" + "0" * 64
    assert "is not in this audit" in memos("audit", "verify", "--head", other, code=1).out
    assert "audit --head" in memos("audit", "verify", "--head", "nonsense", code=2).err


def test_who_looks_is_in_the_audit_and_not_in_the_history(memos: Shell) -> None:
    ids = memos.keep("The cat is called Miso.", "The cat sleeps on the oven.")
    memos("search", "cat")
    memos("show", ids[0])
    memos("list")
    rows = [(row["action"], row["cube"]) for row in memos("audit", "--json").records]
    looks = [row for row in rows if row[0] in ("search", "show", "list")]
    assert sorted(looks) == sorted(
        [("search", id) for id in ids] + [("show", ids[0])] + [("list", id) for id in ids]
    )
    assert "search" not in memos("history", ids[0]).out


def test_a_long_list_is_told_by_number(memos: Shell) -> None:
    memos("ingest", "-", "--lines", "--no-embed", stdin="\n".join(f"Note {n}." for n in range(130)).encode())
    memos("list", "--json")
    rows = memos("audit", "--json", "--action", "list").records
    assert len(rows) == 101
    assert (rows[-1]["cube"], rows[-1]["detail"]) == (None, "30")


def looks(memos: Shell) -> list[str]:
    """Whom the audit tells to have looked, in the order of the looks."""
    return [row["principal"] for row in memos("audit", "--json", "--action", "search").records]


def test_a_read_waits_for_a_writer_to_be_audited(memos: Shell) -> None:
    memos.keep("The cat is called Miso.")
    with closing(connect(memos.vault / "memos.db", 1.0)) as db:
        db.execute("BEGIN IMMEDIATE")
        told = memos("search", "cat", env={"MEMOS_LOCK_TIMEOUT": "0.3"}, code=11)
        assert (told.out, looks(memos)) == ("", []), "what cannot be recorded is not shown"
        search = memos.start("search", "cat", "--json")
        wait_until(lambda: has_open(search, memos.vault / "memos.db"))
        db.execute("ROLLBACK")
        assert b"Miso" in search.communicate(timeout=60)[0]
    assert looks(memos) == ["user:ann"]


@pytest.mark.parametrize("how", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_no_reader_can_disable_the_audit(memos: Shell, how: int) -> None:
    """Neither by its settings, nor by holding the file that writers hold."""
    memos.keep("The cat is called Miso.")
    with (memos.vault / "lock").open("w") as file:
        fcntl.flock(file, how)
        memos("search", "cat", env={"MEMOS_AUDIT_READS": "prompts", "MEMOS_LOCK_TIMEOUT": "0.1"})
    assert looks(memos) == ["user:ann"]


def test_the_vault_decides_which_reads_are_audited(memos: Shell) -> None:
    memos.keep("The cat is called Miso.")
    assert memos("audit", "reads").out == "all\n"
    memos("audit", "reads", "prompts", "--as", "agent:coder", code=14)
    memos("audit", "reads", "some", code=2)
    memos("audit", "reads", "prompts")
    memos("search", "cat", env={"MEMOS_AUDIT_READS": "all"})
    assert looks(memos) == []
    memos("audit", "reads", "all")
    memos("search", "cat")
    assert looks(memos) == ["user:ann"]
    other = {"MEMOS_VAULT": str(memos.folder / "other"), "MEMOS_AUDIT_READS": "prompts"}
    with Memos(Settings(vault=other["MEMOS_VAULT"], audit_reads="prompts")) as made:
        made.create_vault()
    assert memos("audit", "reads", env=other).out == "prompts\n", "the setting is for a new vault"


def test_audit_verify_passes_while_others_write(memos: Shell) -> None:
    """Each run reads one snapshot: what comes after its first statement is not there for any."""
    code = """
import sys
from memos_cli.infrastructure.vault.vault import Vault
from pathlib import Path
with Vault.open(Path(sys.argv[1]), timeout=10.0) as vault:
    print("up", flush=True)
    while True:
        with vault.change("user:bo", 1_700_000_000_000) as change:
            change.set_view("busy", "{}")
"""
    command = [sys.executable, "-c", code, str(memos.vault)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=memos.environment()) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            with Memos(Settings(vault=str(memos.vault), principal="user:ann")) as reader:
                first = reader.audit_head().n
                found, runs = [], 0
                while runs < 150 or reader.audit_head().n < first + 10:  # on a busy machine writes are rare
                    found += reader.verify_audit(str(reader.audit_head()))
                    runs += 1
        finally:
            writer.kill()
    assert found == []
