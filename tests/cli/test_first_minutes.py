"""What a new user meets in the first minutes: messages that say what happened, and what to type next."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from adapters_harness import teach
from cli_harness import Shell, with_models
from exports import CHATS, CLAUDE, LETTA, MCP, MEM0
from tiny_models import write_model

from memos_cli.errors import UsageError
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.ask import follow_up
from memos_cli.interface.ingest.sources.reading import read_bytes
from memos_cli.interface.options import ReadOptions
from memos_cli.interface.results import SearchResult
from memos_cli.interface.session import Session
from memos_cli.interface.share import bundle
from memos_cli.interface.time.times import parse_when

SECRET = "password: hunter22x"
NOTES = (
    "The kiln cools for eleven hours.",
    "Backups are made at two in the night.",
    "Mia is allergic to nuts, and to cats.",
    "The ferry to the island leaves at nine.",
)


# --- a search that finds nothing near ---------------------------------------------------------------


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Shell:
    """A vault with a few notes and their vectors. Tests only read it."""
    shell = Shell(tmp_path_factory.mktemp("known"))
    with mock.patch.dict(os.environ, {"MEMOS_CACHE": str(shared_cache)}):  # before the fixtures of a test
        shell("init")
        for note in NOTES:
            shell("ingest", "-", "--lines", stdin=note.encode())
    return shell


@with_models
@pytest.mark.parametrize(
    ("query", "is_weak"),
    [
        ("zzzz", True),
        ("qwxv plugh", True),
        ("photosynthesis of algae", True),
        ("щщщщ", True),
        ("kiln", False),
        ("when are backups made", False),
        ("how many hours does the kiln need", False),
        ("船几点出发", False),
    ],
)
def test_a_search_says_if_nothing_matches(known: Shell, query: str, *, is_weak: bool) -> None:
    done = known("search", query)
    assert len(done.rows) == len(NOTES)  # nothing is hidden
    assert (f"no memory matches {query!r} well; the nearest:" in done.err) == is_weak
    best = known("search", query, "--json").records[0]
    assert best["weak"] == is_weak
    assert known("search", "--batch", "-", stdin=query.encode()).record["results"][0]["weak"] == is_weak
    assert "matches" not in known("search", query, "--quiet").err


def test_words_alone_make_no_weak_result_of_a_match(memos: Shell) -> None:
    memos.keep(*NOTES)
    assert "well" not in memos("search", "ferry island").err
    assert "well" in memos("search", "island submarine periscope torpedo").err


# --- nothing is there -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("search", "tea"), ("query", "What is tea?"), ("list",)])
def test_an_empty_vault_names_the_next_step(memos: Shell, command: tuple[str, ...]) -> None:
    assert "memos ingest FILE" in memos(*command).err
    memos.keep(*NOTES)
    other = (*command, "--tag", "none")
    assert "memos ingest" not in memos(*other).err
    assert ("nothing found" in memos(*other).err) == (command[0] != "query")


# --- pins -------------------------------------------------------------------------------------------


def test_pin_without_ids_lists_what_is_pinned(memos: Shell) -> None:
    assert "nothing is pinned" in memos("pin").err
    one, two, three, _ = memos.keep(*NOTES)
    memos("tag", three, "--add", "work")
    memos("view", "set", "office", "--tag", "work")
    memos("pin", two, one)
    memos("pin", three, "--view", "office")
    memos("archive", one)
    rows = memos("pin").rows
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (two, "", "generated"), (one, "", "archived"), (three, "office", "generated"),
    ]  # fmt: skip
    assert [(row["id"], row["view"]) for row in memos("pin", "--json", "--view", "office").records] == [
        (three, "office")
    ]
    assert "memos view set" in memos("pin", "--view", "nowhere", code=2).err
    memos("pin", "-", stdin=b"")  # no ids on standard input are no wish to list
    assert len(memos("pin").rows) == 3


# --- conflicts --------------------------------------------------------------------------------------


@with_models
@pytest.mark.parametrize(
    ("how", "done"),
    [("keep-newest", "archived the older"), ("keep-both", "kept both"), ("OLD", "archived the newer")],
)
def test_resolve_says_what_it_did(memos: Shell, how: str, done: str) -> None:
    assert "no memories contradict" in memos("conflicts").err
    assert "nothing to resolve" in memos("conflicts", "--resolve", "keep-newest").err
    ids = [
        memos("ingest", "-", "--lines", "--time", f"2026-05-0{day}", "--json", stdin=text.encode()).record[
            "ids"
        ][0]
        for day, text in enumerate(("The ferry leaves at 9:00.", "The ferry leaves at 10:00."), 1)
    ]
    assert "--resolve keep-newest" in memos("conflicts").err
    told = memos("conflicts", "--resolve", {"OLD": ids[0]}.get(how, how))
    assert told.rows[0][0] == done
    assert "resolved 1 conflict" in told.err
    archived = {row["id"] for row in memos("list", "--state", "archived", "--json").records}
    assert (
        archived == {"archived the older": {ids[0]}, "kept both": set(), "archived the newer": {ids[1]}}[done]
    )


# --- exports that are ingested ----------------------------------------------------------------------


def _zip(content: object, name: str = "conversations.json") -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, json.dumps(content))

    return write


def _json(content: object) -> Callable[[Path], None]:
    return lambda path: path.write_text(json.dumps(content)) and None


def _bundle(path: Path) -> None:
    with path.open("wb") as stream:
        bundle.write(stream, {"cubes.jsonl": []})


EXPORTS: dict[str, Callable[[Path], None]] = {
    "all.mip": _bundle,
    "a chat.zip": _zip(CHATS),
    "claude.zip": _zip(CLAUDE),
    "notes.zip": _zip("Some text.", "note.md"),
    "conversations.json": _json(CHATS),
    "mem0.json": _json(MEM0),
    "agent.af": _json(LETTA),
    "memory.jsonl": lambda path: path.write_text("\n".join(map(json.dumps, MCP))) and None,
}


@pytest.mark.parametrize("name", EXPORTS)
def test_ingest_of_an_export_names_the_command_that_imports_it(memos: Shell, name: str) -> None:
    EXPORTS[name](memos.work / name)
    binary = name.endswith((".zip", ".mip"))
    done = memos("ingest", name, "--no-embed", code=1 if binary else 0)
    quoted = f"'{memos.work / name}'" if " " in name else str(name)
    assert "memos import " in done.err
    assert quoted in done.err or name in done.err
    failed = [line for line in done.err.splitlines() if line.startswith("failed: ")]
    assert [line.count(name.replace(" ", "%20")) for line in failed] == [2 if " " not in name else 1] * binary
    memos("import", name, "--no-embed", "--dry-run", code=None)  # it is true


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("photo.txt", b"\x89PNG\0\0"),
        ("a.zip", b"PK\3\4 damaged"),
        ("recipe.json", b'{"name": "Soup", "time": "20 minutes"}'),
        ("books.jsonl", b'{"name": "Dune", "year": 1965}\n{"name": "Momo", "year": 1973}'),
    ],
)
def test_what_is_no_export_is_called_none(memos: Shell, name: str, content: bytes) -> None:
    memos.write(name, content)
    is_binary = name.endswith((".txt", ".zip"))
    assert "memos import" not in memos("ingest", name, "--no-embed", code=1 if is_binary else 0).err


# --- what is said once ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("a.txt", SECRET, "masked 1 × password"),
        ("a.md", f"![x](data:image/png;base64,{'iVBORw0K' * 90})\n\nA picture.", "embedded as base64"),
        ("a.csv", "text,date\nTea.,05/09/2026\n", "1 date could not be read"),
        ("a.jsonl", json.dumps({"text": SECRET}), "masked 1 × password"),
    ],
)
def test_a_note_on_a_file_is_repeated_only_when_something_changed(
    memos: Shell, name: str, content: str, note: str
) -> None:
    memos.write(name, content)
    assert note in memos("ingest", name, "--no-embed").err
    assert note not in memos("ingest", name, "--no-embed").err
    assert note not in memos("ingest", name, "--no-embed", "--reread").err
    memos.write(
        name, content.replace("Tea", "Rum").replace("A pic", "No pic").replace(SECRET, f"{SECRET} ok")
    )
    assert note in memos("ingest", name, "--no-embed").err


@pytest.mark.parametrize("what", ["mem0.json", "all.mip"])
def test_an_import_says_what_it_masked_as_an_ingest_does(memos: Shell, what: str) -> None:
    memos.write("mem0.json", json.dumps([{"id": "1", "memory": SECRET}, {"id": "2", "memory": "Tea."}]))
    if what == "all.mip":
        memos(
            "import", "mem0.json", "--no-embed", "--secrets", "allow", "--vault", memos.folder / "o", code=10
        )
        memos("init", "--vault", memos.folder / "o")
        memos("import", "mem0.json", "--no-embed", "--secrets", "allow", "--vault", memos.folder / "o")
        memos("export", "-o", "all.mip", "--up-to", "secret", "--vault", memos.folder / "o")
    note = f"{what}: masked 1 × password or key; --secrets allow keeps it"
    assert note in memos("import", what, "--no-embed", "--dry-run").err or what == "all.mip"
    assert note in memos("import", what, "--no-embed").err
    assert "masked" not in memos("import", what, "--no-embed").err


# --- an edited memory and its source ----------------------------------------------------------------


def test_show_says_that_a_memory_was_edited(memos: Shell) -> None:
    memos.write("a.txt", "The port is 5433.")
    memos("ingest", "a.txt", "--no-embed")
    (id,) = memos.ids()
    assert "edited" not in memos("show", id).out
    memos("edit", id, "--text", "The port is 5434.")
    assert "(same; it has version 1, edited since)" in memos("show", id).out
    assert memos("show", id, "--json").record["places"][0]["version"] == 1
    memos("rollback", id, "--to", "1")
    assert "edited" not in memos("show", id).out
    memos.write("a.txt", "The port is 5435.")
    memos("ingest", "a.txt", "--no-embed")
    assert (
        memos("show", id, "--json").record["places"][0]["version"]
        == memos("show", id, "--json").record["version"]
    )


# --- times, tables, models --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("05/09/2026", ("2026-09-05 for 5 September", "2026-05-09 for 9 May")),
        ("1-2-2025", ("2025-02-01 for 1 February", "2025-01-02 for 2 January")),
        ("05/09/2026 10:00", ("2026-09-05", "2026-05-09")),
        ("05/09/26", ("2023-05-08",)),
        ("31/02/2026", ("2023-05-08",)),
    ],
)
def test_an_ambiguous_day_is_refused_with_both_readings(text: str, both: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as refused:
        parse_when(text, now=1_780_000_000_000)
    assert all(each in refused.value.hint for each in both)


@pytest.mark.parametrize(
    ("name", "content", "author"),
    [
        ("books.csv", "name,year,note\nDune,1965,On the shelf\nMomo,1973,Lent\n", ""),
        ("notes.csv", "name,content\nSoup,Soak the lentils.\nCake,Bake it.\n", ""),
        ("books.jsonl", '{"name": "Dune", "year": 1965}', ""),
        ("flights.csv", "from,to,note\nOslo,Rome,window\nRome,Oslo,aisle\n", ""),
        ("books.csv", "title,author\nDune,Frank Herbert\nMomo,Michael Ende\n", "Frank Herbert"),
        ("mail.csv", "sender,subject\nAnn,Boat\nBo,Tea\n", "Ann"),
        ("mail.csv", "from,to,message\nAnn,Bo,Hello\nBo,Ann,Hi\n", "Ann"),
        ("chat.jsonl", '{"user": "Ann", "text": "Hello"}', "Ann"),
        ("chat.csv", "role,name,content\nuser,Ann,Hello\nuser,Bo,Hi\n", "Ann"),
        ("chat.jsonl", '{"name": "Ann", "content": "Hello"}', "Ann"),
    ],
)
def test_who_wrote_a_record(name: str, content: str, author: str) -> None:
    first = read_bytes(content.encode(), f"file:///{name}", name, ReadOptions()).drafts[0]
    assert first.author == author
    assert author or content.splitlines()[-1].split(",")[0] or "name: Dune" in first.text


@with_models
def test_models_lists_the_embedder_and_whether_it_is_ready(shell: Shell, tmp_path: Path) -> None:
    def embedder(cache: Path) -> dict[str, object]:
        found = shell("models", "--json", env={"MEMOS_CACHE": str(cache)}).records
        return next(each for each in found if each["name"] == "multilingual-e5-small")

    fresh = embedder(tmp_path)
    assert (fresh["kind"], fresh["source"], fresh["ready"]) == ("embedder", "embedded", False)
    assert Path(str(fresh["path"])).is_file()


# --- one search a question --------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--explain",)])
def test_a_question_is_searched_for_once(
    memos: Shell, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    memos.keep(*NOTES)
    model = write_model(memos.folder / "tiny.gguf", "llama", context=4096)
    with Vault.open(memos.vault, timeout=5.0) as vault:
        teach(vault, 1, 2)  # with an adapter, it is the plan that decides who answers
    searched = []
    retrieve = follow_up.retrieve

    def count(session: Session, query: str, *more: Any, **options: Any) -> SearchResult:
        searched.append(query)
        return retrieve(session, query, *more, **options)

    monkeypatch.setattr(follow_up, "retrieve", count)
    done = memos("query", "When are backups made?", *options, env={"MEMOS_READER": str(model)})
    assert "Backups are made" in done.out
    assert len(searched) == 1


# --- lists without an entry -------------------------------------------------------------------------

LISTS = (
    "review", "maintain --history", "conflicts", "pin", "publish", "subscribe", "group list", "task list",
    "token list", "grant", "key list", "view list",
)  # fmt: skip


@pytest.mark.parametrize("command", LISTS)
def test_an_empty_list_says_so(memos: Shell, command: str) -> None:
    done = memos(*command.split())
    assert (done.out, len(done.err.splitlines())) == ("", 1)
    assert memos(*command.split(), "--quiet").err == ""
    told = memos(*command.split(), "--json")
    assert (told.out, told.err) == ("", "")
