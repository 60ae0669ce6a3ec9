"""Forgotten memories do not come back with their source, except with --reread."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest
from cli_harness import Shell

DIARY = "# One\n\nThe lawyer is called Dr Vance.\n\n# Two\n\nThe boat is blue.\n"


def texts(memos: Shell) -> list[str]:
    return [row["text"] for row in memos("list", "--oldest", "--state", "all", "--json").records]


def forget(memos: Shell, word: str) -> None:
    (id,) = [r["id"] for r in memos("list", "--state", "all", "--json").records if word in r["text"]]
    memos("forget", id, "--yes")


def database(memos: Shell) -> sqlite3.Connection:
    return sqlite3.connect(memos.vault / "memos.db")


AGAIN = {
    "the same again": (),
    "with a tag": ("--tag", "nightly"),
    "with a type": ("--type", "fact"),
    "with an end": ("--expires", "2099-01-01"),
    "pruned": ("--prune",),
}


@pytest.mark.parametrize("how", AGAIN)
@pytest.mark.parametrize("is_changed", [False, True])
def test_a_file_does_not_bring_it_back(memos: Shell, how: str, *, is_changed: bool) -> None:
    memos.write("diary/today.md", DIARY)
    memos("ingest", "diary", "--no-embed")
    forget(memos, "lawyer")
    more = "\n# Three\n\nTea is at five.\n" if is_changed else ""
    memos.write("diary/today.md", f"# Zero\n\nNew above.\n\n{DIARY}{more}" if is_changed else DIARY)
    done = memos("ingest", "diary", "--no-embed", *AGAIN[how])
    assert "left out 1 memory that you forgot" in done.err
    assert not any("lawyer" in text for text in texts(memos))
    assert any("boat" in text for text in texts(memos))
    memos("ingest", "diary", "--no-embed", *AGAIN[how], "--reread")
    assert any("lawyer" in text for text in texts(memos))
    memos("ingest", "diary", "--no-embed")
    memos("check")


def test_an_edited_and_forgotten_memory_does_not_come_back(memos: Shell) -> None:
    memos.write("a.txt", "The code is 1234.")
    memos("ingest", "a.txt", "--no-embed")
    (row,) = memos("list", "--json").records
    memos("edit", row["id"], "--text", "The code is 5678.")
    forget(memos, "5678")
    memos.write("a.txt", "The code is 1234.\n\n")
    memos("ingest", "a.txt", "--no-embed", "--reread", "--dry-run", code=2)
    memos("ingest", "a.txt", "--no-embed")
    assert texts(memos) == []


def test_a_forgotten_memory_without_a_source_does_not_come_back(memos: Shell) -> None:
    memos.write("a.md", DIARY)
    memos("ingest", "a.md", "--no-embed")
    memos.write("a.md", DIARY[DIARY.index("# Two") :])
    memos("ingest", "a.md", "--no-embed", "--prune")
    forget(memos, "lawyer")
    memos.write("a.md", DIARY)
    memos("ingest", "a.md", "--no-embed")
    assert [text for text in texts(memos) if "lawyer" in text] == []


FERRY = "The ferry leaves at nine."
ELSEWHERE = {
    "a renamed file": ("b.txt", FERRY),
    "a file in another folder": ("old/a.txt", FERRY),
    "a file of another kind": ("b.md", f"{FERRY}\n"),
    "a part of a longer file": ("b.md", f"# Ferry\n\n{'A long text on other things. ' * 60}\n\n{FERRY}\n"),
    "a row of a table": ("b.csv", f"text\n{FERRY}\nThe boat is blue.\n"),
}


@pytest.mark.parametrize("where", ELSEWHERE)
@pytest.mark.parametrize("first", ["a.txt", "-"])
def test_no_other_file_brings_it_back(memos: Shell, first: str, where: str) -> None:
    path = memos.write("a.txt", FERRY)
    memos("ingest", first, "--no-embed", stdin=FERRY.encode())
    forget(memos, "ferry")
    path.unlink()
    name, text = ELSEWHERE[where]
    memos.write(name, text)
    done = memos("ingest", name, "--no-embed", "--lines" if name.endswith("md") else "--embed")
    assert "left out 1 memory that you forgot; to bring back what you forgot, add --reread" in done.err
    assert FERRY not in texts(memos)
    memos("ingest", name, "--no-embed", "--lines" if name.endswith("md") else "--embed", "--reread")
    assert FERRY in texts(memos)


def test_typed_text_may_repeat_it(memos: Shell) -> None:
    memos("ingest", "-", "--no-embed", stdin=FERRY.encode())
    forget(memos, "ferry")
    memos("ingest", "-", "--no-embed", stdin=FERRY.encode())
    assert texts(memos) == [FERRY]


def test_what_stands_in_a_file_stays_though_the_same_was_forgotten_elsewhere(memos: Shell) -> None:
    for name, hour in (("a", 9), ("b", 10)):
        turn = {"id": "t1", "role": "user", "time": f"2026-05-01T{hour:02}:00:00Z", "content": "Thanks!"}
        memos.write(f"{name}.jsonl", json.dumps(turn))
        memos("ingest", f"{name}.jsonl", "--no-embed")
    memos("forget", "--source", "a.jsonl", "--yes")
    memos.write("b.jsonl", json.dumps(turn) + "\n" + json.dumps({**turn, "id": "t2", "content": "Welcome!"}))
    memos("ingest", "b.jsonl", "--no-embed", "--prune")
    assert sorted(row["text"] for row in memos("list", "--json").records) == ["Thanks!", "Welcome!"]


def test_one_of_two_equal_turns_is_forgotten(memos: Shell) -> None:
    turns = [{"id": f"t{n}", "role": "user", "name": "Ann", "content": "Thanks!"} for n in range(3)]
    memos.write("chat.jsonl", "\n".join(map(json.dumps, turns)))
    memos("ingest", "chat.jsonl", "--no-embed")
    memos("forget", "t1", "--yes")
    turns.append({"id": "t3", "role": "user", "name": "Ann", "content": "Thanks!"})
    memos.write("chat.jsonl", "\n".join(map(json.dumps, turns)))
    memos("ingest", "chat.jsonl", "--no-embed")
    assert {row["ref"] for row in memos("list", "--json").records} == {"t0", "t2", "t3"}


def test_the_next_export_does_not_bring_it_back(memos: Shell) -> None:
    rows = [{"id": str(n), "memory": f"Ann likes {what}."} for n, what in enumerate(("tea", "oak", "rain"))]
    memos.write("mem0.json", json.dumps({"results": rows}))
    memos("import", "mem0.json", "--from", "mem0", "--no-embed")
    forget(memos, "oak")
    memos.write("mem0.json", json.dumps({"results": [*rows, {"id": "9", "memory": "Ann likes snow."}]}))
    assert (
        "left out 1 memory that you forgot"
        in memos("import", "mem0.json", "--from", "mem0", "--no-embed").err
    )
    assert {text[10:] for text in texts(memos)} == {"tea.", "rain.", "snow."}
    memos("import", "mem0.json", "--from", "mem0", "--no-embed", "--reread")
    assert "Ann likes oak." in texts(memos)


def test_a_bundle_does_not_bring_it_back(memos: Shell) -> None:
    memos.write("a.md", DIARY)
    memos("ingest", "a.md", "--no-embed")
    memos("export", "-o", "all.mip")
    forget(memos, "lawyer")
    assert "left out 1 memory that you forgot" in memos("import", "all.mip", "--no-embed").err
    assert len(texts(memos)) == 1
    memos("import", "all.mip", "--no-embed", "--reread")
    assert len(texts(memos)) == 2


def test_no_hash_that_proves_a_guess_remains(memos: Shell) -> None:
    path = memos.write("notes/hush.md", DIARY)
    memos("ingest", "notes", "--no-embed")
    forget(memos, "lawyer")
    memos("ingest", "notes", "--no-embed")
    proof = hashlib.sha256(path.read_bytes()).hexdigest()
    assert proof not in _dump(memos)
    forget(memos, "boat")
    memos("ingest", "notes", "--no-embed", "--prune")
    left = _dump(memos)
    assert proof not in left
    assert "hush" not in left
    assert texts(memos) == []


def _dump(memos: Shell) -> str:
    with database(memos) as db:
        rows = [
            row
            for table in ("source", "place", "reached", "policy")
            for row in db.execute(f"SELECT * FROM {table}")
        ]
    return repr(rows)


def test_a_digest_needs_the_key_of_the_vault(memos: Shell, tmp_path: Path) -> None:
    other = Shell(tmp_path / "other")
    other("init")
    found = []
    for shell in (memos, other):
        memos_file = memos.write("a.txt", "The code is 1234.")
        shell("ingest", memos_file, "--no-embed")
        forget(shell, "code")
        with database(shell) as db:
            found.append({row[0] for row in db.execute("SELECT digest FROM forgotten")})
    assert found[0]
    assert not found[0] & found[1]
