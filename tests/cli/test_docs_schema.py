"""store_format.md says what the code does: its schema, its columns, and commands that verify a vault."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from adapters_harness import REFUSED, teach
from vault_harness import NOW, WHO, draft, keep

from memos_cli.cube import Origin
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.vault.vault import Vault

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "store_format.md").read_text(encoding="utf-8")

needs_sqlite3 = pytest.mark.skipif(
    not (shutil.which("sqlite3") and shutil.which("sha256sum")), reason="needs sqlite3 and sha256sum"
)


def run(name: str, vault: Vault, tmp_path: Path, **variables: str) -> str:
    """What the commands of one block print."""
    block = re.search(rf"^```sh {name}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert block is not None
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    found = shutil.which("sqlite3")
    assert found is not None
    environment = {
        "VAULT": str(vault.folder),
        "TMP": str(scratch),
        "PATH": f"{Path(found).parent}:/usr/bin:/bin",
    }
    done = subprocess.run(
        ["sh", "-u", "-c", block[1]], env={**environment, **variables}, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_the_schema_in_the_document_is_that_of_the_code() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "schema", "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_table_and_column_is_explained(vault: Vault) -> None:
    prose = re.sub(r"```.*?```", "", DOCUMENT, flags=re.DOTALL)
    tables = vault.connection.execute(
        """SELECT name FROM sqlite_master
           WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'words_*'"""
    ).fetchall()
    assert len(tables) == 33
    for (table,) in tables:
        section = re.search(rf"^\*\*{table}\*\*.*?(?=^\*\*|^## )", prose, re.DOTALL | re.MULTILINE)
        assert section is not None, table
        for _, column, *_ in vault.connection.execute(f"PRAGMA table_info({table})"):
            known = column == "n" or f"`{column}`" in section[0] or (table, column) in {
                ("waiting", "cube"), ("waiting", "embedder"),
            }  # fmt: skip
            assert known, f"{table}.{column}"


@needs_sqlite3
def test_a_whole_vault_passes_the_commands_and_a_damaged_one_does_not(vault: Vault, tmp_path: Path) -> None:
    keep(vault, draft("Larks 'nest' low.\n\n", title="Birds"), "气候政策", "", 'a "quoted" é\ttext')
    with vault.change(WHO, NOW) as change:
        blob = vault.blobs.put(b"converted")
        change.claim_source(Origin("file:///a.pdf", "pdf", "", 9), blob)
        change.set_state(2, "archived", "archive")
        change.revise(1, "Owls nest high.", "", "edit")
    good, _ = teach(vault, 3, 4, name='The "é" of 气候', content=b"first")
    beside, _ = teach(vault, 3, 4, name='The "é" of 气候', state="archived", report=REFUSED)
    bare, _ = teach(vault, name="Imported", content=b"third", lessons=[])
    assert beside.id != good.id
    assert run("verify", vault, tmp_path) == "ok\n"
    copy = Vault(tmp_path / "copy", vault.identity, vault.connection, 1.0)
    shutil.copytree(vault.folder, copy.folder)
    db = sqlite3.connect(copy.folder / "memos.db", isolation_level=None)
    db.execute("UPDATE version SET text = 'Owls nest low.' WHERE version = 2")
    db.execute("DELETE FROM audit WHERE action = 'edit'")
    db.execute("UPDATE cube SET version = 9 WHERE n = 3")
    db.execute("DELETE FROM words_docsize WHERE id = 4")
    db.execute("DELETE FROM derived WHERE cube = ? AND position = 1", (beside.cube,))
    db.execute("UPDATE parametric SET blob = NULL WHERE cube = ?", (bare.cube,))
    db.close()
    copy.blobs.path(good.blob or "").unlink()
    copy.blobs.path(blob).write_bytes(b"Converted")
    said = run("verify", copy, tmp_path)
    ids = dict(vault.connection.execute("SELECT n, id FROM cube").fetchall())
    (edited,) = vault.connection.execute("SELECT n FROM version WHERE version = 2").fetchone()
    (lost,) = vault.connection.execute("SELECT n FROM audit WHERE action = 'edit'").fetchone()
    assert sorted(said.splitlines()) == sorted(
        [
            "ok",
            f"seal|{lost}|audit|0",
            f"text of version {edited}",
            f"audit row {lost + 1}",
            f"no audit of {ids[1]} 2",
            f"versions of {ids[3]}",
            f"blob {blob}",
            f"no blob {good.blob}",
            "no words of 4",
            f"memories of adapter {beside.cube}",
            f"lesson of another memory {beside.cube} 3",
            f"lesson of another memory {beside.cube} 4",
            f"no weights of {bare.id}",
        ]
    )


@needs_sqlite3
def test_a_place_is_verified_by_its_bytes(vault: Vault, tmp_path: Path) -> None:
    source = tmp_path / "birds.md"
    source.write_bytes("é Larks nest low. ü".encode())
    one = draft("Larks nest low.", 3)
    with vault.change(WHO, NOW) as change:
        n, _ = change.claim_source(Origin(source.as_uri(), "text", "", 9), None)
        change.add(n, [(one, one.digest(), hashlib.sha256(one.text.encode()).digest())], NewMemoryFields())
    kept, read = run("place", vault, tmp_path, SOURCE=str(source)).splitlines()
    assert read == f"{kept}  -"
