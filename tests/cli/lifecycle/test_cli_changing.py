"""memos edit, tag, forget."""

from __future__ import annotations

import json
import os
import pty
from pathlib import Path

import pytest
from adapters_harness import teach
from cli_harness import Shell

from memos_cli.infrastructure.vault.vault import Vault


@pytest.fixture
def cat(memos: Shell) -> str:
    (id,) = memos.keep("My cat is called Miso.")
    return id


def editor(shell: Shell, script: str) -> dict[str, str]:
    """An EDITOR that does ``script`` with the file "$1"."""
    path = shell.write("editor.sh", f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"EDITOR": str(path)}


# --- edit ------------------------------------------------------------------------------------------


def test_an_edit_makes_a_version_and_keeps_the_old_one(memos: Shell, cat: str) -> None:
    assert memos("edit", cat, "--text", "My cat is called Tofu.", "--json").record == {
        "id": cat, "version": 2, "changed": True, "notes": [],
    }  # fmt: skip
    assert memos("search", "tofu", "--json").record["id"] == cat
    versions = memos("history", cat, "--json").record["versions"]
    assert [version["text"] for version in versions] == ["My cat is called Tofu.", "My cat is called Miso."]


def test_an_edited_memory_has_a_vector_at_once(memos: Shell, cat: str) -> None:
    memos("edit", cat, "--text", "My cat is called Tofu.")
    assert memos("stats", "--json").record["without_vector"] == 0
    memos("rollback", cat, "--to", "1")
    assert memos("stats", "--json").record["without_vector"] == 0


def test_an_edit_that_changes_nothing_makes_no_version(memos: Shell, cat: str) -> None:
    assert memos("edit", cat, "--text", "My cat is called Miso.").lines == [f"{cat}  version 1  unchanged"]


def test_an_edit_may_come_from_standard_input(memos: Shell, cat: str) -> None:
    memos("edit", cat, "--text", "-", stdin="Die Katze heißt Miso.\n".encode())
    assert memos("show", cat, "--json").record["text"] == "Die Katze heißt Miso."


def test_a_title_alone_leaves_the_text(memos: Shell, cat: str) -> None:
    memos("edit", cat, "--title", "Pets")
    shown = memos("show", cat, "--json").record
    assert (shown["title"], shown["text"]) == ("Pets", "My cat is called Miso.")
    assert memos("search", "pets", "--json").record["id"] == cat


def test_an_empty_text_is_no_edit(memos: Shell, cat: str) -> None:
    assert "forget" in memos("edit", cat, "--text", "  ", code=2).err
    assert memos("show", cat, "--json").record["version"] == 1


def test_an_edit_of_nothing_known_is_refused(memos: Shell) -> None:
    memos("edit", "01ZZZZ", "--text", "x", code=2)


def test_without_a_terminal_no_editor_is_opened(memos: Shell, cat: str) -> None:
    assert "--text" in memos("edit", cat, env=editor(memos, "exit 0"), code=2).err


def test_the_editor_gets_the_text_and_gives_the_new_one(memos: Shell, cat: str) -> None:
    env = editor(memos, 'sed -i s/Miso/Tofu/ "$1"; echo >> "$1"')
    assert "version 2" in memos.terminal("edit", cat, env=env).out
    assert memos("show", cat, "--json").record["text"] == "My cat is called Tofu."


def test_line_ends_survive_an_editor_that_leaves_them(memos: Shell) -> None:
    memos.write("dos.txt", b"One.\r\nTwo.\r\n")
    (id,) = memos("ingest", "dos.txt", "--no-embed", "--json").record["ids"]
    assert "unchanged" in memos.terminal("edit", id, env=editor(memos, "exit 0")).out


def test_an_editor_that_fails_changes_nothing(memos: Shell, cat: str) -> None:
    shown = memos.terminal("edit", cat, env=editor(memos, 'echo broken > "$1"; exit 7'), code=2)
    assert "7" in shown.out
    memos.terminal("edit", cat, env={"EDITOR": "/nowhere/vi"}, code=2)
    assert memos("show", cat, "--json").record["version"] == 1


# --- tag -------------------------------------------------------------------------------------------


def test_tags_are_added_and_removed(memos: Shell) -> None:
    ids = memos.keep("One.", "Two.")
    assert memos("tag", *ids, "-a", "home", "-a", "work/net", "--json").record == {"cubes": 2, "changed": 2}
    assert memos("tag", ids[0], "--remove", "home", "--json").record == {"cubes": 1, "changed": 1}
    assert memos("tag", ids[0], "--remove", "home", "--json").record == {"cubes": 1, "changed": 0}
    assert memos.ids("--tag", "home") == {ids[1]}
    assert memos.ids("--tag", "work") == set(ids)
    assert memos.ids("--tag", "wor") == set()


def test_ids_may_come_from_another_command(memos: Shell) -> None:
    ids = memos.keep("One.", "Two.")
    memos("tag", "-", "--add", "both", stdin="\n".join(ids).encode())
    assert memos.ids("--tag", "both") == set(ids)


def test_one_unknown_id_leaves_all_as_they_were(memos: Shell, cat: str) -> None:
    memos("tag", cat, "01ZZZZ", "--add", "home", code=2)
    assert memos.ids("--tag", "home") == set()


def test_no_tag_and_no_id_are_refused(memos: Shell, cat: str) -> None:
    memos("tag", cat, code=2)
    memos("tag", "", "--add", "home", code=2)
    memos("tag", "--add", "home", code=2)


# --- forget ----------------------------------------------------------------------------------------


def test_forgotten_is_gone_with_all_versions(memos: Shell, cat: str) -> None:
    memos("edit", cat, "--text", "My cat is called Tofu.")
    assert memos("forget", cat, "--yes", "--json").record == {
        "ids": [cat], "versions": 2, "vectors": 1, "dry_run": False, "states": [], "adapters": [],
        "settled": True,
    }  # fmt: skip
    memos("show", cat, code=2)
    assert memos("search", "cat").out == ""
    assert b"Tofu" not in (memos.vault / "memos.db").read_bytes()


def test_a_dry_run_tells_and_keeps(memos: Shell, cat: str) -> None:
    told = memos("forget", cat, "--dry-run")
    assert told.lines[0].startswith(cat)
    assert told.lines[-1] == "would forget 1 memory, 1 version, 0 vectors"
    assert memos.ids() == {cat}


def test_without_a_terminal_forget_names_the_flag(memos: Shell, cat: str) -> None:
    assert "--yes" in memos("forget", cat, code=2).err
    assert memos.ids() == {cat}


def test_on_a_terminal_forget_asks(memos: Shell, cat: str) -> None:
    assert "[y/N]" in memos.terminal("forget", cat, keys=b"n\n", code=2).out
    assert memos.ids() == {cat}
    assert "forgot 1" in memos.terminal("forget", cat, keys=b"y\n").out
    assert memos.ids() == set()


def test_with_json_forget_asks_on_stderr_and_prints_only_its_result(memos: Shell, cat: str) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")
    with memos.start("forget", cat, "--json", stdin=theirs) as process:
        out, err = process.communicate(timeout=120)
    for end in (ours, theirs):
        os.close(end)
    assert process.returncode == 0
    assert json.loads(out)["ids"] == [cat]
    assert cat in err.decode() and "[y/N]" in err.decode()


def test_forget_by_filter_takes_just_those(memos: Shell) -> None:
    old = memos.keep("Old job.", options=("--tag", "job/old"))
    new = memos.keep("New job.", options=("--tag", "job/new"))
    assert memos("forget", "--tag", "job/old", "--yes", "--json").record["ids"] == old
    assert memos.ids() == set(new)


def test_forget_by_filter_that_nothing_passes_is_fine(memos: Shell, cat: str) -> None:
    assert memos("forget", "--tag", "nothing", "--json").record["ids"] == []
    assert memos.ids() == {cat}


def test_forget_needs_ids_or_filters_and_not_both(memos: Shell, cat: str) -> None:
    memos("forget", "--yes", code=2)
    memos("forget", cat, "--tag", "home", "--yes", code=2)
    assert memos.ids() == {cat}


def test_forget_leaves_the_source_as_it_is(memos: Shell) -> None:
    file: Path = memos.write("a.txt", "Alpha.")
    memos("ingest", "a.txt", "--no-embed")
    memos("forget", "--source", "a.txt", "--yes")
    assert file.read_text() == "Alpha."


def test_adapters_that_lose_their_weights_are_listed(memos: Shell) -> None:
    one, two = memos.keep("One.", "Two.")
    with Vault.open(memos.vault, timeout=1.0) as vault:
        made, _ = teach(vault, 1, 2)
        other, _ = teach(vault, 2, name="Other", content=b"other weights")
    told = memos("forget", one, "--dry-run")
    assert told.lines == [
        f"{one}  One.",
        f"{made.id}  adapter: loses its weights",
        "would forget 1 memory, 1 version, 0 vectors, the weights of 1 adapter",
    ]
    assert memos("forget", one, "--dry-run", "--json").record["adapters"] == [made.id]
    done = memos("forget", one, "--yes")
    assert done.lines == ["forgot 1 memory, 1 version, 0 vectors, the weights of 1 adapter"]
    assert f"memos show {made.id}" in done.err
    assert memos("forget", other.id, "--yes").lines == ["forgot 0 memories, 1 version, 0 vectors, 1 adapter"]
    assert memos("forget", two, made.id, "--yes", "--json").record["adapters"] == []
    assert not [path for path in (memos.vault / "blobs").rglob("*") if path.is_file()]
