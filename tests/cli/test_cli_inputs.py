"""Input of commands in any encoding: batch files, ids, texts on stdin and in arguments."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_harness import Shell

BOAT = '{"query": "boat", "k": 1}'
BATCHES: dict[str, tuple[bytes, list[str | None]]] = {
    "UTF-8": (f"{BOAT}\nblue\n".encode(), ["boat", "blue"]),
    "UTF-8 with a mark and CRLF": (f"\ufeff{BOAT}\r\nblue\r\n".encode(), ["boat", "blue"]),
    "a mark and nothing": (codecs.BOM_UTF8, []),
    "UTF-16-LE": (f"\ufeff{BOAT}\r\nblue\r\n".encode("utf-16-le"), ["boat", "blue"]),
    "UTF-16-BE": (f"\ufeff{BOAT}\nblue".encode("utf-16-be"), ["boat", "blue"]),
    "UTF-16 without a mark": ("boat\nblue\n".encode("utf-16-le"), [None, None]),
    "Latin-1": ("blå båt\nblue\n".encode("latin-1"), ["blå båt", "blue"]),
    "NUL": (b"bo\0at\nblue\n", [None, "blue"]),
    "an object that does not parse": (b'{"query": "boat", k: 1}\nblue\n', [None, "blue"]),
    "an object with a mark that does not parse": (b"\xef\xbb\xbf{boat\nblue\n", [None, "blue"]),
    "half of a pair": (b'{"query": "\\ud800"}\nblue\n', [None, "blue"]),
    "binary": (b"\x01\x02\x03\xff\xfe\nblue\n", [None, "blue"]),
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_batch_is_read_in_any_encoding_and_a_bad_line_fails_alone(
    memos: Shell, name: str, way: str
) -> None:
    content, expected = BATCHES[name]
    memos.keep("The boat is blue.", "The boat is red.")
    file = memos.write("questions.txt", content) if way == "file" else "-"
    done = memos("search", "--batch", file, stdin=content, code=3 if None in expected else 0)
    assert [None if "error" in row else row["query"] for row in done.records] == expected
    for row in done.records:
        if row["query"] == "boat":
            assert len(row["results"]) == 1
        elif row["query"] == "blue":
            assert row["results"][0]["text"] == "The boat is blue."


@pytest.mark.parametrize(
    "encode",
    [
        lambda id: f"\ufeff{id}\r\n".encode(),
        lambda id: f"\ufeff{id}\n".encode("utf-16-le"),
        lambda id: f"\n \ufeff{id}\n\n".encode(),
    ],
)
def test_ids_are_read_in_any_encoding(memos: Shell, encode: Callable[[str], bytes]) -> None:
    (id,) = memos.keep("One.")
    assert "changed 1" in memos("tag", "-", "--add", "x", stdin=encode(id)).out
    assert "changed 1" in memos("tag", f"\ufeff{id}", "--add", "y").out


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("früh am Abend".encode("latin-1"), "früh am Abend"),
        ("\ufefffrüh\n".encode(), "früh"),
        ("\ufefffrüh".encode("utf-16-le"), "früh"),
        ("Grüße — schön".encode("cp1252"), "Grüße — schön"),
        ("Завтра в восемь утра".encode("cp1251"), "Завтра в восемь утра"),
    ],
)
def test_a_new_text_from_stdin_or_an_editor_is_decoded_with_a_note(
    memos: Shell, data: bytes, text: str
) -> None:
    first, second = memos.keep("One.", "Two.")
    note = memos("edit", first, "--text", "-", stdin=data).err
    assert memos("show", first, "--json").record["text"] == text
    assert ("note:" in note) == (not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE)))
    editor = memos.write("editor.py", f"import sys; open(sys.argv[1], 'wb').write({data!r})")
    shown = memos.terminal("edit", second, env={"EDITOR": f"{sys.executable} {editor}"}).out
    assert memos("show", second, "--json").record["text"] == text
    assert ("note:" in shown) == ("note:" in note)


def test_binary_data_is_refused_as_a_new_text(memos: Shell) -> None:
    (id,) = memos.keep("One.")
    memos("edit", id, "--text", "-", stdin=b"\0\1\2", code=1)
    assert memos("show", id, "--json").record["text"] == "One."


BAD = os.fsdecode(b"fr\xfch")
STORING = [
    "edit ID --text BAD", "edit ID --title BAD", "tag ID --add BAD", "ingest - --source BAD",
    "ingest - --tag BAD",
    "ingest - --for agent:x --task BAD", "merge ID ID2 --text BAD", "merge ID ID2 --title BAD",
    "view set BAD --tag x", "view set x --tag BAD", "view set x --source BAD", "grant ID user:BAD",
    "grant tag:BAD user:x", "group add group:BAD user:x", "group add group:x user:BAD",
    "token create agent:BAD",
    "list --as user:BAD", "link ID about BAD", "promote ID --to parametric --name BAD --dry-run",
    "expire ID --at BAD", "mark BAD ID", "publish BAD --yes",
]  # fmt: skip


@pytest.mark.parametrize("command", STORING)
def test_what_is_stored_must_be_text(memos: Shell, command: str) -> None:
    ids = dict(zip(("ID", "ID2"), memos.keep("One.", "Two."), strict=True))
    before = memos("list", "--json", "--state", "all").out
    words = [ids.get(word, word).replace("BAD", BAD) for word in command.split()]
    memos(*words, stdin=b"Three.", code=2)
    assert memos("list", "--json", "--state", "all").out == before
    assert memos("view", "list", "--json").records == []


def test_a_question_in_another_encoding_is_understood(memos: Shell) -> None:
    memos.keep("Kurse beginnen früh.")
    assert memos("search", BAD, "--json").records[0]["text"] == "Kurse beginnen früh."
    assert memos("query", BAD, "--quote").out.startswith("Kurse beginnen früh.")


@pytest.mark.parametrize("kind", ["FIFO", "folder", "device", "missing"])
@pytest.mark.parametrize(
    "command",
    [
        "search --batch F",
        "query --batch F",
        "promote ID --to parametric --dry-run --qa F",
        "ingest F",
        "import F",
    ],
)  # fmt: skip
def test_an_input_that_is_not_a_file_is_refused(memos: Shell, kind: str, command: str) -> None:
    (id,) = memos.keep("One.")
    path = memos.work / "there"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    arguments = command.replace("ID", id).replace("F", str(path)).split()
    if (kind, command) == ("folder", "ingest F"):
        assert "nothing" in memos(*arguments).err
        return
    failed = memos(*arguments, code=1 if command == "ingest F" else 2)
    assert str(path) in failed.err


def test_a_pipe_of_the_shell_is_a_file_of_requests(memos: Shell) -> None:
    memos.keep("The boat is blue.")
    ours, theirs = os.pipe()
    os.write(theirs, b"boat\n")
    os.close(theirs)
    try:
        assert memos("search", "--batch", f"/dev/fd/{ours}").record["query"] == "boat"
    finally:
        os.close(ours)


def test_standard_input_may_be_named_as_a_file(memos: Shell) -> None:
    done = memos.process("search", "--batch", "/dev/stdin", stdin=b"boat\n")
    assert done.record["query"] == "boat"


@pytest.mark.parametrize("kind", ["FIFO", "folder", "/dev/zero"])
def test_settings_are_in_a_file(memos: Shell, kind: str) -> None:
    path = Path(kind) if kind.startswith("/") else memos.work / "there"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    assert str(path) in memos("list", env={"MEMOS_CONFIG": str(path)}, code=2).err
    memos("list", env={"MEMOS_CONFIG": os.devnull})
