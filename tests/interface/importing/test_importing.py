"""Memories from elsewhere: what comes, what stays out, and that nothing in an export can do harm."""

from __future__ import annotations

import io
import json
import pickle
import sqlite3
import zipfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import exports
import program_samples
import pytest
from cli_harness import Shell
from hypothesis import given, settings
from hypothesis import strategies as st

from memos_cli.errors import MemosError
from memos_cli.interface.importing import json_streaming
from memos_cli.interface.importing.formats.plain_files import NEAREST
from memos_cli.interface.importing.importers import IMPORTS, open_export, recognise
from memos_cli.interface.importing.json_streaming import Broken, elements

QUIET = ("--no-embed",)


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Path]:
    return exports.write_all(tmp_path / "exports")


def told(shell: Shell, path: Path, *options: str, code: int = 0) -> dict[str, Any]:
    record: dict[str, Any] = shell("import", path, *QUIET, *options, "--json", code=code).record
    return record


def texts(shell: Shell, *options: str) -> list[str]:
    return [each["text"] for each in shell("list", "--oldest", *options, "--json").records]


@pytest.mark.parametrize("kind", IMPORTS)
def test_each_kind_is_recognised_and_comes_once(memos: Shell, found: dict[str, Path], kind: str) -> None:
    plan = told(memos, found[kind], "--dry-run", code=3 if kind == "mem0" else 0)
    assert plan["kind"] == kind
    assert plan["dry_run"] is True
    assert memos.ids() == set()
    first = told(memos, found[kind], code=3 if kind == "mem0" else 0)
    assert first["added"] == sum(source["memories"] for source in plan["sources"]) > 0
    again = told(memos, found[kind], code=3 if kind == "mem0" else 0)
    assert (again["added"], again["versions"], again["unchanged"]) == (0, 0, first["added"])
    memos.check()


def test_of_a_chatgpt_export_the_branch_that_was_kept_comes(memos: Shell, found: dict[str, Path]) -> None:
    told(memos, found["chatgpt"])
    assert texts(memos) == [
        "I sail.", "Answer in one sentence.", "When does the harbour office open?", "It opens at eight.",
        "What is on this photo?", "```python\nprint(1)\n```", "How long does bread rise?", "Two hours.",
    ]  # fmt: skip
    assert texts(memos, "--type", "preference") == ["I sail.", "Answer in one sentence."]
    (answer,) = [each for each in memos("list", "--json").records if each["text"] == "Two hours."]
    assert (answer["ref"], answer["author"], answer["role"]) == ("m2", "ChatGPT", "assistant")
    assert (answer["title"], answer["source"]) == ("Bread", "chatgpt:c-2")
    assert answer["time"].startswith("2025-04-30T")


def test_a_newer_export_brings_what_is_new(memos: Shell, tmp_path: Path) -> None:
    path = exports.write_json(tmp_path / "conversations.json", exports.CHATS)
    told(memos, path)
    more = exports.chat(
        "c-2", "Bread", exports.message("m1", "user", "How long does bread rise?"),
        exports.message("m2", "assistant", "Two hours, or three."), exports.message("m3", "user", "Thanks!"),
    )  # fmt: skip
    exports.write_json(path, [exports.CHATS[0], more])
    made = told(memos, path)
    assert (made["added"], made["versions"]) == (1, 1)
    assert texts(memos)[-2:] == ["Two hours, or three.", "Thanks!"]


def test_shards_and_single_conversations_come_too(memos: Shell, tmp_path: Path) -> None:
    for number, each in enumerate(exports.CHATS):
        exports.write_json(tmp_path / "shards" / f"conversations-{number:03}.json", [each])
    assert told(memos, tmp_path / "shards")["added"] == 8


def test_a_broken_record_stops_no_other(memos: Shell, tmp_path: Path) -> None:
    first, second = map(json.dumps, exports.CHATS)
    path = tmp_path / "conversations.json"
    path.write_text(f'[{first}, {{"mapping": oops}}, 7, {{"title": "Empty", "mapping": {{}}}}, {second}')
    made = told(memos, path, code=3)
    assert made["added"] == 8
    reasons = [each["reason"] for each in made["failed"]]
    assert len(reasons) == 3
    assert "record 2" in reasons[0]
    assert "record 3: no object" in reasons[1]
    assert "Empty" in reasons[2]


def test_of_claude_conversations_projects_and_memories_come(memos: Shell, found: dict[str, Path]) -> None:
    told(memos, found["claude"])
    assert texts(memos) == [
        "When is high tide?\n\ntides.txt\nHigh tide at six.", "At six.", "Ann sails.", "Ann has a cat.",
        "The boat is oak.", "A boat of oak.", "Be brief.", "The keel is of iron.",
    ]  # fmt: skip


def test_of_mem0_what_a_memory_said_before_becomes_its_versions(memos: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "mem0"
    exports.write_json(folder / "memories.json", exports.MEM0)
    with closing(sqlite3.connect(folder / "history.db")) as db:
        db.execute("CREATE TABLE history (memory_id TEXT, old_memory TEXT, new_memory TEXT, created_at TEXT)")
        db.executemany(
            "INSERT INTO history VALUES ('m-1', ?, ?, ?)",
            [(None, "Ann likes coffee.", "1"), ("Ann likes coffee.", "Ann likes milk.", "2"),
             ("Ann likes milk.", "Ann prefers tea.", "3")],
        )  # fmt: skip
        db.commit()
    told(memos, folder, code=3)
    versions = memos("history", "m-1", "--json").record["versions"]
    assert [each["text"] for each in versions] == ["Ann prefers tea.", "Ann likes milk.", "Ann likes coffee."]
    assert memos("show", "m-1", "--json").record["tags"] == ["food", "user/ann"]
    again = told(memos, folder, code=3)
    assert (again["added"], again["versions"]) == (0, 0)
    memos.check()


def test_of_letta_blocks_are_pinned_and_nothing_is_executed(memos: Shell, found: dict[str, Path]) -> None:
    made = told(memos, found["letta"])
    assert made["pinned"] == 2
    assert texts(memos) == [
        "You are Sam.", "The user is Ann.", "I am Sam, who is kind.", "Hi, I am Ann.", "Hello Ann.",
        "The sea is salt.", "Tie a bowline.",
    ]  # fmt: skip
    assert texts(memos, "--type", "dialogue") == ["Hi, I am Ann.", "Hello Ann."]
    assert not Path("/tmp/owned").exists()


def test_what_waits_for_review_is_not_pinned(memos: Shell, found: dict[str, Path]) -> None:
    made = told(memos, found["letta"], "--quarantine")
    assert (made["pinned"], made["quarantined"]) == (0, made["added"])
    assert texts(memos) == []


def test_copies_in_a_memcube_are_one_and_edges_become_links(memos: Shell, found: dict[str, Path]) -> None:
    made = told(memos, found["memos"])
    assert (made["added"], made["links"]) == (2, 1)
    assert texts(memos) == ["Ann sails.", "The boat is oak."]
    graph = memos("show", "n3", "--graph").out
    assert "part_of" in graph


def test_what_was_merged_there_is_not_merged_here(memos: Shell, tmp_path: Path) -> None:
    """Such a link is memos' own: it says that a memory stands in another's place, and can be parted again."""
    edges = [{"source": "n3", "target": "n1", "type": "MERGED_TO"}]
    exports.write_json(tmp_path / "cube" / "textual_memory.json", {**exports.TREE, "edges": edges})
    assert told(memos, tmp_path / "cube")["links"] == 1
    assert "about" in memos("show", "n3", "--graph").out


@pytest.mark.parametrize("shape", [exports.FLAT, exports.PAYLOADS])
def test_the_other_shapes_of_a_memcube(memos: Shell, tmp_path: Path, shape: Any) -> None:
    exports.write_json(tmp_path / "cube" / "textual_memory.json", shape)
    assert told(memos, tmp_path / "cube")["added"] == 1


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("/tmp/memos-owned", "w"))


def test_a_pickle_is_read_and_never_loaded(memos: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "cube"
    exports.write_json(folder / "textual_memory.json", exports.FLAT)
    state = {"id": "k1", "memory": "The keeper lights the lamp.", "metadata": {"source_text": "At dusk."}}
    (folder / "activation_memory.pickle").write_bytes(pickle.dumps([state, Bomb()]))
    made = told(memos, folder)
    assert made["added"] == 3
    assert {"The keeper lights the lamp.", "At dusk."} < set(texts(memos))
    assert not Path("/tmp/memos-owned").exists()
    (folder / "activation_memory.pickle").write_bytes(b"\x80\x05garbage")
    assert told(memos, folder, code=3)["failed"]


def test_notes_are_linked_as_they_link(memos: Shell, found: dict[str, Path]) -> None:
    made = told(memos, found["notes"])
    assert made["links"] == 2
    assert all("Settings" not in text for text in texts(memos))
    assert any("material" in tag for each in memos("list", "--json").records for tag in each["tags"])


def test_relations_of_the_mcp_server_are_memories_and_links(memos: Shell, found: dict[str, Path]) -> None:
    made = told(memos, found["mcp"])
    assert made["links"] == 2
    assert texts(memos) == ["Ann sails.", "Ann has a cat.", "Oslo (city)", "Ann lives in Oslo"]


def test_secrets_are_covered_as_on_ingest(memos: Shell, tmp_path: Path) -> None:
    secret = "password = 'hunter2-very-long-9f8e7d'"
    path = exports.write_json(tmp_path / "mem0.json", [{"id": "s", "memory": secret, "user_id": "a"}])
    told(memos, path)
    assert "hunter2" not in texts(memos)[0]
    refused = told(memos, path, "--secrets", "refuse", code=1)
    assert "refused" in refused["failed"][0]["reason"]


@pytest.mark.parametrize("name", ["keys.md", "keys.csv"])
def test_secrets_in_files_are_treated_as_the_option_says(memos: Shell, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / name).write_text("Keys,of,Ann\n\nthe,password = 'hunter2-very-long-9f8e7d',here\n")
    refused = told(memos, folder, "--secrets", "refuse", code=1)
    assert "refused" in refused["failed"][0]["reason"]
    told(memos, folder, "--secrets", "allow")
    assert any("hunter2" in text for text in texts(memos))


def test_what_is_no_export_is_refused(memos: Shell, tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("Hello.")
    assert "--from" in memos("import", tmp_path / "plain.txt", code=2).err
    assert "does not exist" in memos("import", tmp_path / "nothing.zip", code=2).err
    assert "no kind of export" in memos("import", tmp_path / "plain.txt", "--from", "fax", code=2).err


def test_archives_cannot_do_harm(tmp_path: Path) -> None:
    bomb = exports.write_zip(tmp_path / "bomb.zip", {"conversations.json": "[" + " " * (300 << 20) + "]"})
    with pytest.raises(MemosError, match="too large for an export"), open_export(bomb):
        pass
    outside = exports.write_zip(
        tmp_path / "outside.zip", {"../../conversations.json": json.dumps(exports.CHATS)}
    )
    with open_export(outside) as export:  # its name is only a name
        assert recognise(export) == "chatgpt"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bomb.zip", "outside.zip"]
    secret = tmp_path / "secret.json"
    exports.write_json(secret, exports.CHATS)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "conversations.json").symlink_to(secret)
    with open_export(folder) as export:
        assert export.names == ()
    data = bytearray((tmp_path / "outside.zip").read_bytes())
    data[40:60] = bytes(20)
    (tmp_path / "damaged.zip").write_bytes(data)
    with open_export(tmp_path / "damaged.zip") as export:
        bundles = [*IMPORTS["chatgpt"].read(export)]
    assert all(bundle.faults for bundle in bundles)


# --- streaming -------------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**6) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.integers(1, 7), st.booleans(), st.sampled_from([None, 1]))
def test_elements_are_those_of_the_array(
    some: list[Any], chunk: int, ascii: bool, indent: int | None
) -> None:
    text = json.dumps(some, ensure_ascii=ascii, indent=indent)
    usual, json_streaming.CHUNK = json_streaming.CHUNK, chunk
    try:
        assert [*elements(io.BytesIO(text.encode("utf-8", "surrogatepass")))] == some or not ascii
        if ascii:
            assert [*elements(io.BytesIO(b"\xef\xbb\xbf " + text.encode()))] == some
    finally:
        json_streaming.CHUNK = usual


def test_what_is_too_large_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_streaming, "CHUNK", 10)
    monkeypatch.setattr(json_streaming, "LARGEST", 40)
    large = json.dumps([1, {"a": ["x"] * 30}, 2, {"b": "y" * 25}])
    first, second, third, fourth = elements(io.BytesIO(large.encode()))
    assert (first, third, fourth) == (1, 2, {"b": "y" * 25})
    assert isinstance(second, Broken)
    endless = [*elements(io.BytesIO(b'[1, "' + b"z" * 500))]
    assert endless[0] == 1
    assert isinstance(endless[-1], Broken)
    assert isinstance(next(elements(io.BytesIO(b"[" * 100_000))), Broken)


@pytest.mark.parametrize("kind", IMPORTS)
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_no_mutation_of_an_export_is_more_than_a_fault(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bytes changed, cut out and put in: what cannot be read is told, and raises nothing else."""
    folder = tmp_path_factory.mktemp("mutated")
    write = program_samples.WRITERS.get(kind)
    path = write(folder) if write else exports.write_all(folder, programs=False)[kind]
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    target = data.draw(st.sampled_from(files))
    content = bytearray(target.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        match data.draw(st.sampled_from(["change", "cut", "put", "end"])):
            case "change" if content:
                content[at] = data.draw(st.integers(0, 255))
            case "cut":
                del content[at : at + data.draw(st.integers(1, 50))]
            case "put":
                content[at:at] = data.draw(
                    st.sampled_from([b'"', b"{", b"]", b"null", b"\x00", b"\xff", b"1e999", b"[" * 2000])
                )
            case "end":
                del content[at:]
    target.write_bytes(content)
    with suppress(MemosError), open_export(path) as export:
        for bundle in IMPORTS[kind].read(export):
            for draft in bundle.drafts:
                assert draft.text.strip()
                draft.digest()


def test_a_zip_of_anything_is_refused_or_read(tmp_path: Path) -> None:
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", b"\xff\xfe[")
        archive.writestr("folder/", b"")
    with open_export(path) as export:
        assert recognise(export) == ""


def test_a_zip_with_any_byte_changed_is_refused_or_read(tmp_path: Path) -> None:
    """Every byte of headers and directory: zipfile unpacks some of them unguarded."""
    whole = exports.write_zip(tmp_path / "whole.zip", {"conversations.json": "[]"}).read_bytes()
    path = tmp_path / "changed.zip"
    for at, byte in enumerate(whole):
        for other in {0, 1, 0x2F, 0xFF, byte ^ 1, byte ^ 0x80} - {byte}:
            path.write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
            with suppress(MemosError), open_export(path) as export:
                for name in export.names:
                    export.text(name)


def test_plain_files_come_in(memos: Shell) -> None:
    came = memos("import", exports.write_all(memos.work / "all")["plain"], "--no-embed", "--json").record
    assert (came["kind"], came["added"], came["failed"]) == ("plain", 7, [])
    rows = {row["text"]: row for row in memos("list", "--json").records}
    assert {"Miso is a cat.", "Rex is a dog.", "The pump was replaced.", "It runs."} < rows.keys()
    note = rows["Tomatoes in the first bed\n\nThey like sun."]
    assert (note["title"], note["source"]) == ("Garden / Beds", "plain:garden.opml")
    assert rows["Beans in the second"]["time"] == "2026-05-02T10:00:00Z"
    assert "https://example.org/soil.xml" in " ".join(rows)
    again = memos("import", memos.work / "all" / "plain", "--no-embed", "--json").record
    assert (again["added"], again["unchanged"]) == (0, 7)


def test_an_outline_with_entities_is_refused(memos: Shell) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha">]><opml><body><outline text="&a;"/></body></opml>'
    failed = memos("import", memos.write("bomb.opml", bomb), "--no-embed", "--json", code=1).record
    assert "document type" in failed["failed"][0]["reason"]
    deep = "<opml><body>" + '<outline text="x">' * 5000 + "</outline>" * 5000 + "</body></opml>"
    memos("import", memos.write("deep.opml", deep), "--no-embed")
    (row,) = memos("list", "--json").records  # a title of all that lies above would be quadratic
    assert row["title"].count("/") == NEAREST


@pytest.mark.parametrize("way", ["list", "export"])
def test_the_programs_own_lines_come_in_again(memos: Shell, way: str) -> None:
    ids = memos.keep("Miso is a cat.", "Rex is a dog.", options=("--tag", "pets", "--type", "fact"))
    memos("edit", ids[0], "--text", "Miso is a\u2028tomcat.")
    memos("archive", ids[1])
    options = ("list", "--json", "--state", "all") if way == "list" else ("export", "--format", "jsonl")
    lines = memos(*options).out
    count = lines.count("\n")
    vault = memos.folder / "other"
    memos("init", "--vault", vault)
    there = ("--vault", str(vault), "--json", "--no-embed")
    came = memos("import", "-", *there, stdin=lines.encode()).record
    assert (came["kind"], came["failed"]) == ("jsonl", [])
    assert came["added"] == count
    shown = json.loads(memos("show", ids[0], *there[:3]).out)
    assert (shown["text"], shown["tags"], shown["type"]) == ("Miso is a\u2028tomcat.", ["pets"], "fact")
    assert shown["version"] == (1 if way == "list" else 2)
    again = memos("import", "-", *there, stdin=lines.encode()).record
    assert (again["added"], again["unchanged"]) == (0, came["added"])
    assert memos("import", "-", "--json", "--no-embed", stdin=lines.encode()).record["added"] == 0
    broken = lines.encode() + b'{"id": 3, "payload": "plaintext", "state": 1, "owner": 2}\n{"\xff": 1}\n'
    failed = memos("import", "-", *there, stdin=broken, code=3).record["failed"]
    assert len(failed) == 2


def test_a_store_comes_through_a_pipe(memos: Shell) -> None:
    for layout in ({}, {"indent": 1}):
        data = json.dumps(exports.MEM0, **layout).encode()  # type: ignore[arg-type]
        assert memos("import", "-", "--dry-run", "--json", stdin=data, code=3).record["kind"] == "mem0"


def test_what_ends_in_mem0_ends_here(memos: Shell) -> None:
    store = [
        {"id": "e1", "memory": "The voucher is valid.", "hash": "x", "expiration_date": "2099-03-01"},
        {"id": "e2", "memory": "The old voucher.", "hash": "y", "expiration_date": "2001-03-01"},
        {"id": "e3", "memory": "No voucher.", "hash": "z", "expiration_date": None},
    ]
    memos("import", exports.write_json(memos.work / "mem0.json", store), "--no-embed")
    assert memos("show", "e1", "--json").record["expires"] == "2099-03-02T00:00:00Z"
    assert {row["ref"] for row in memos("list", "--json").records} == {"e1", "e3"}


@pytest.mark.parametrize("encoding", ["UTF-x", "UTF-16", "idna", "rot13", ""])
def test_an_outline_in_no_encoding_is_told(memos: Shell, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><opml><body><outline text="x"/></body></opml>'
    failed = memos("import", memos.write("odd.opml", text), "--no-embed", "--json", code=1).record["failed"]
    assert "no outline" in failed[0]["reason"]


def test_what_a_user_of_mem0_calls_time_is_not_when_it_was(memos: Shell) -> None:
    store = [
        {
            "id": "w1", "memory": "Tea at dawn.", "hash": "x", "updated_at": "2025-03-01T10:00:00Z",
            "metadata": {"time": "morning", "type": "habit"},
        }
    ]  # fmt: skip
    memos("import", exports.write_json(memos.work / "mem0.json", store), "--no-embed")
    (row,) = memos("list", "--json").records
    assert (row["time"], row["type"]) == ("2025-03-01T10:00:00Z", "fact")
