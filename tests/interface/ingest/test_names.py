"""Names as users type them: sources with spaces and letters, tags and views in another Unicode form."""

from __future__ import annotations

import json
from pathlib import Path
from unicodedata import normalize

import pytest
from cli_harness import Shell

FILES = {
    "my notes/the boat.md": "The boat is blue.",
    "会议/纪要.md": "预算通过了。",
    "a%b.md": "A note on per cent.",
    "a%20b.md": "A note on escapes.",
    "c#d.md": "A note on hashes.",
    "e?f&g=h.md": "A note on questions.",
    "résumé.md": "A note in French.",
    normalize("NFD", "Dvořák/Größe.md"): "A note from macOS.",
    normalize("NFD", "é") + "/" + "ü.md": "A note from both.",
    "party 🎉 [1] (x) ~a'b,c;d+e.md": "A note on signs.",
    "plain_file.md": "A plain one.",
}
TYPED = [
    ("my notes", "The boat is blue."),
    ("my notes/the boat.md", "The boat is blue."),
    ("the boat", "The boat is blue."),
    ("my%20notes", "The boat is blue."),
    ("会议", "预算通过了。"),
    ("会议/纪要", "预算通过了。"),
    ("a%b", "A note on per cent."),
    ("a%20b.md", "A note on escapes."),
    ("a%2520b.md", "A note on escapes."),
    ("c#d.md", "A note on hashes."),
    ("e?f&g=h", "A note on questions."),
    ("résumé", "A note in French."),
    ("Dvořák/Größe.md", "A note from macOS."),
    ("é/ü", "A note from both."),
    ("🎉 [1] (x) ~a'b,c;d+e", "A note on signs."),
    ("plain_file", "A plain one."),
    ("MY NOTES", ""),
    ("my_notes", ""),
    ("elsewhere", ""),
]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_source_is_named_as_it_is_listed(memos: Shell, form: str) -> None:
    paths = [memos.write(name, text) for name, text in FILES.items()]
    memos("ingest", *paths, "--no-embed")
    for as_listed, text in TYPED:
        typed = normalize(form, as_listed)
        wanted = [text] if text else []
        word = "通过" if typed.startswith("会") else "note boat plain"
        batch = memos.write("batch", json.dumps({"query": word, "source": typed}) + "\n")
        memos("view", "set", "typed", "--source", typed)
        (answer,) = memos("search", "--batch", batch).records
        for found in (
            memos("list", "--source", typed, "--json").records,
            memos("search", word, "--source", typed, "--json").records,
            memos("list", "--view", "typed", "--json").records,
            answer["results"],
        ):
            assert [row["text"] for row in found] == wanted, typed
        exported = memos("export", "--source", typed, "--format", "markdown").out
        assert [each for each in FILES.values() if each in exported] == wanted
        told = memos("forget", "--source", typed, "--dry-run")
        assert (text in told.out) if text else ("no memory matches" in told.err)


def test_a_name_that_is_not_utf_8_is_named_by_its_bytes(memos: Shell, tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.md"
    path.write_text("A note on bytes.")
    memos("ingest", str(path), "--no-embed")
    assert len(memos("list", "--source", "caf\udce9").rows) == 1


@pytest.mark.parametrize(("first", "then"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_tag_is_the_same_however_it_was_typed(memos: Shell, first: str, then: str) -> None:
    memos.keep("The office is closed.", options=("--tag", normalize(first, "café/été")))
    memos.keep("The bakery is open.", options=("--tag", "other"))
    (row,) = memos("list", "--tag", normalize(then, "café"), "--json").records
    assert row["tags"] == ["café/été"]
    memos("tag", row["id"], "--add", normalize(then, "café/été"))
    assert memos("list", "--tag", "café", "--json").record["tags"] == ["café/été"]
    memos("view", "set", normalize(first, "Café"), "--tag", normalize(first, "café"))
    assert len(memos("list", "--view", normalize(then, "Café")).rows) == 1
    memos("pin", row["id"], "--view", normalize(then, "Café"))
    assert memos("unpin", row["id"], "--view", normalize(first, "Café"), "--json").record["changed"] == 1
    memos("view", "remove", normalize(then, "Café"))
    memos("tag", row["id"], "--remove", normalize(first, "café/été"))
    assert memos("list", "--tag", "café").out == ""


def test_the_name_that_is_given_to_a_source_is_the_same_however_it_was_typed(memos: Shell) -> None:
    for form in ("NFD", "NFC"):
        memos("ingest", "-", "--source", normalize(form, "résumé"), "--no-embed", stdin=b"The only note.")
    (row,) = memos("list", "--json").records
    assert row["source"] == "résumé"


def test_a_reference_is_the_same_however_it_was_typed(memos: Shell) -> None:
    line = json.dumps({"id": normalize("NFD", "entrée-1"), "text": "The kitchen is closed."})
    file = memos.write("notes.jsonl", line + "\n")
    memos("ingest", str(file), "--no-embed")
    assert "kitchen" in memos("show", "entrée-1").out
    assert "kitchen" in memos("show", normalize("NFD", "entrée-1")).out
