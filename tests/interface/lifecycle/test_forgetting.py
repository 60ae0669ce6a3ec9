"""Forgetting that forgets: no byte of a forgotten text is left in any file of the vault."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from adapters_harness import teach
from cli_harness import Shell
from vault_harness import NOW, WHO, draft

from memos_cli.cube import Filter, Origin
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.derived.adapters import Lesson
from memos_cli.infrastructure.derived.saved_states import State
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.storage.blobs import piece_digests
from memos_cli.interface.memory import Memos
from memos_cli.settings import Settings

SECRET = "Zyxomat"
"""Begins every word that only the forgotten memory has: the full text keeps words without their ends."""


def holding(folder: Path, text: bytes) -> list[str]:
    """The files that hold ``text``, in small letters or as it is."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and text.lower() in path.read_bytes().lower()
    )


def test_a_forgotten_text_is_in_no_file(memos: Shell) -> None:
    memos("init")
    lines = "\n".join(f"Fact number {n} is of no interest." for n in range(300))
    memos("ingest", "-", "--lines", "--no-embed", stdin=lines.encode())
    memos.keep(f"The {SECRET}en code of the cabin is 4471.")
    id = memos("search", f"{SECRET}en code", "--json").records[0]["id"]
    memos("edit", id, "--text", f"The {SECRET}ers code of the cabin is 9920, said {SECRET}ine.")
    memos("ingest", "-", "--lines", "--no-embed", stdin=b"More facts.\nAnd more.")
    assert holding(memos.vault, SECRET.encode())
    memos("forget", id, "--yes")
    assert holding(memos.vault, SECRET.encode()) == []
    assert holding(memos.vault, b"9920") == []
    assert memos("check").out == "ok\n"
    assert SECRET not in memos("search", f"{SECRET}ers", "--json").out
    actions = [row["action"] for row in memos("audit", "--cube", id, "--json").records]
    assert [action for action in actions if action != "search"] == ["add", "edit", "forget"]


def test_nothing_that_was_made_of_it_holds_it(tmp_path: Path) -> None:
    secret, folder = f"{SECRET}es nest high.", tmp_path / "vault"
    with Memos(Settings(vault=str(folder), principal=WHO), clock=lambda: NOW) as memos:
        memos.init()
        vault = memos.vault
        blob = vault.blobs.put(f"{secret}\nOwls nest low.".encode())
        drafts = [
            (each, bytes([n] * 32), bytes(32)) for n, each in enumerate((draft(secret), draft("Owls.")))
        ]
        with vault.change(WHO, NOW) as change:
            source, _ = change.claim_source(Origin("file:///birds.pdf", "document", "utf-8", 9), blob)
            first, second = change.add(source, drafts, NewMemoryFields())
            change.log_question(f"Where do {SECRET}es nest?", {first.cube: "text"}, 9)
        lessons = [
            Lesson(f"Where do {SECRET}es nest?", secret, "fact", False, first.cube, "high"),
            Lesson("Where do owls nest?", "Owls nest low.", "fact", False, second.cube, "low"),
        ]
        report = {"passed": True, "questions": [{"adapter": secret}]}
        teach(vault, first.cube, second.cube, content=secret.encode(), report=report, lessons=lessons)
        data = f"state of {secret}".encode()
        state = State(
            "",
            vault.blobs.put(data),
            len(data),
            piece_digests(data),
            range(9),
            70,
            "tiny",
            {"model": "a"},
            1.0,
        )
        with vault.change(WHO, NOW) as change:
            saved_states.keep(change, state, [(first.cube, 1, "document")], title="State", digest=bytes(32))
        (folder / "index" / "vectors-1.bin").write_bytes(secret.encode())
        assert len(holding(folder, SECRET.encode())) > 4
        memos.forget([first.id], dry_run=False)
        assert holding(folder, SECRET.encode()) == []
        assert [each.text for each in memos.cubes(filter=Filter())] == ["Owls."]


def test_while_another_process_reads_bytes_may_remain_and_it_is_said(memos: Shell) -> None:
    memos.keep(f"The {SECRET}en code of the cabin is 4471.", "Owls nest low.")
    quick = {"MEMOS_LOCK_TIMEOUT": "0.1"}
    with closing(sqlite3.connect(memos.vault / "memos.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM cube").fetchone()
        first = memos("search", f"{SECRET}en code", "--json").records[0]["id"]
        told = memos("forget", first, "--yes", env=quick)
        assert "their bytes remain" in told.err
        assert reader.execute("SELECT count(*) FROM version WHERE text LIKE ?", (f"%{SECRET}%",)).fetchone()[
            0
        ]
    (other,) = memos.ids()
    assert memos("forget", other, "--yes", "--json").record["settled"]
    assert holding(memos.vault, SECRET.encode()) == []
