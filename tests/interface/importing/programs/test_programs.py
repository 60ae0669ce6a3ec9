"""Conversations of coding agents and local chat programs: what was said comes in, once, and nothing else."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import exports
import program_samples as samples
import pytest
from cli_harness import Shell
from program_samples import (
    ANSWER,
    ASK,
    FOLDER,
    LAST,
    MORE,
    TALK,
    TURNS,
    WRITERS,
    claude_line,
    lines,
    said,
    uuid,
)

from memos_cli.errors import MemosError
from memos_cli.interface.importing.importers import IMPORTS, open_export, recognise
from memos_cli.interface.importing.programs import databases, discovery
from memos_cli.interface.importing.programs.conversation import Conversation, Wrappers
from memos_cli.interface.importing.programs.table import PROGRAMS

KINDS = [*WRITERS]


def load(shell: Shell, path: Path, *options: str, code: int = 0) -> dict[str, Any]:
    record: dict[str, Any] = shell("import", path, "--no-embed", *options, "--json", code=code).record
    return record


def turns(shell: Shell) -> list[dict[str, Any]]:
    return shell("list", "--oldest", "--type", "dialogue", "--json").records


def spoken(shell: Shell) -> list[tuple[str, str, str]]:
    return [(each["role"], each["author"], each["text"]) for each in turns(shell)]


def test_each_program_has_a_sample() -> None:
    assert set(KINDS) == set(PROGRAMS) == set(TURNS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_said_comes_once(memos: Shell, tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / "it")
    made = load(memos, path)
    assert made["kind"] == kind
    assert sorted(spoken(memos)) == sorted(TURNS[kind])
    stored = json.dumps(memos("list", "--json").records)
    assert "NOISE" not in stored
    assert "UNDONE" not in stored
    again = load(memos, path)
    assert (again["added"], again["versions"], again["unchanged"]) == (0, 0, made["added"])


@pytest.mark.parametrize("kind", KINDS)
def test_turns_have_a_place_a_title_and_a_project(memos: Shell, tmp_path: Path, kind: str) -> None:
    load(memos, WRITERS[kind](tmp_path / "it"))
    by_place = sorted((each["source"], each["span"][0], each["text"]) for each in turns(memos))
    first = (
        "cursor:c-1" if kind == "cursor" else by_place[0][0]
    )  # its transcripts have neither times nor titles
    texts = [text.removesuffix(" (editor)") for source, _, text in by_place if source == first]
    assert texts[:2] == [ASK, ANSWER]
    known = next(each for each in turns(memos) if each["source"] == first)
    has_project = kind not in ("llm", "open-webui", "lm-studio", "jan")
    assert known["tags"] == (["project/harbour"] if has_project else ["ops"] if kind == "open-webui" else [])
    assert known["title"] == (ASK if kind in ("aider", "cline") else "Staging database")
    assert known["ref"]
    if kind != "aider":  # its times are local
        assert known["time"].startswith("2025-11-24T16:00:0")


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_file_is_recognised(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / "it")
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    found = set()
    for file in files:
        with open_export(file) as export:
            found.add(recognise(export))
    assert kind in found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.75, 0.98])
def test_of_a_truncated_file_no_turn_comes_in_half(
    memos: Shell, tmp_path: Path, kind: str, share: float
) -> None:
    path = WRITERS[kind](tmp_path / "it")
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    for file in files:
        data = file.read_bytes()
        file.write_bytes(data[: int(len(data) * share)])
    result = memos("import", path, "--no-embed", "--from", kind, code=None)
    assert result.code in (0, 1, 3)
    assert "Traceback" not in result.err
    if result.code:
        assert any(file.name in result.err for file in files)
    if kind != "aider":  # its text has no ends
        found = {text for _, _, text in spoken(memos) if not text.startswith("UNDONE")}
        assert found <= {text for _, _, text in TURNS[kind]}


HOSTILE: dict[str, bytes] = {
    "deep": b'{"type":"user","uuid":"a","sessionId":"b","message":' + b"[" * 200_000 + b"\n{}\n",
    "zero": b"\0" * 4096,
    "binary": bytes(range(256)) * 64,
    "types": b'{"type":["user"],"uuid":{},"sessionId":7,"message":[],"parentUuid":[1]}\n' * 3,
    "numbers": b"[1, 2, 3]\n7\nnull\n",
    "surrogate": b'{"type":"user","uuid":"a","sessionId":"b","message":{"content":"\\ud800 x"}}\n',
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_files_are_reported_or_have_nothing(tmp_path: Path, kind: str, name: str) -> None:
    for ending in ("jsonl", "json", "db", "md"):
        file = tmp_path / f"it.{ending}"
        file.write_bytes(HOSTILE[name])
        with open_export(file) as export:
            for bundle in IMPORTS[kind].read(export):
                assert all(file.name in fault or "zstd" in fault for fault in bundle.faults) or bundle.uri
                for draft in bundle.drafts:
                    draft.text.encode()


def replaced(whole: Any, other: Any) -> Iterator[Any]:
    """Yield ``whole`` with one of its parts, at any depth, replaced by ``other``."""
    yield other
    if isinstance(whole, (dict, list)):
        for key in [*whole] if isinstance(whole, dict) else range(len(whole)):
            for part in replaced(whole[key], other):
                changed = whole.copy()
                changed[key] = part
                yield changed


OTHERS = (None, 7, -1e300, "2025-13-45T99:99:99Z", [7], {"text": ["x"]})


@pytest.mark.parametrize("kind", [*KINDS, "opencode files", "open-webui export"])
def test_a_value_of_any_type_anywhere_raises_nothing(tmp_path: Path, kind: str) -> None:
    chat = [{"id": "w1", "chat": samples.webui_chat()}]
    more = {
        "opencode files": samples.opencode_files,
        "open-webui export": lambda folder: samples.document(folder / "chats.json", chat),
    }
    path = (WRITERS | more)[kind](tmp_path / "it")
    name = kind.split()[0]
    for file in [path] if path.is_file() else sorted(path.rglob("*.json*")):
        whole, is_lines = file.read_bytes(), file.suffix == ".jsonl"
        if not whole.startswith((b"{", b"[")):
            return  # a database, or text: mutated elsewhere
        records = [json.loads(line) for line in whole.splitlines()] if is_lines else json.loads(whole)
        for other in OTHERS:
            for changed in replaced(records[:6] if is_lines else records, other):
                lines(file, *(changed if is_lines and isinstance(changed, list) else [changed]))
                with suppress(MemosError), open_export(path) as export:
                    for bundle in IMPORTS[name].read(export):
                        assert all(draft.digest() for draft in bundle.drafts)
        file.write_bytes(whole)


def test_a_fork_with_new_times_brings_only_what_is_new(memos: Shell, tmp_path: Path) -> None:
    base = samples.codex(tmp_path)
    load(memos, base)
    fork = samples.codex_lines(
        "11111111-0000-4000-8000-000000000000", second=5, forked_from_id=samples.SESSION
    )
    news = [{"timestamp": "2025-12-01T10:00:00Z", "type": "event_msg",
             "payload": {"type": "user_message", "message": "And on Sundays?"}}]  # fmt: skip
    lines(base / "archived_sessions" / "rollout-2025-12-01T10-00-00-fork.jsonl", *fork, *news)
    made = load(memos, base)
    assert (made["added"], made["versions"]) == (1, 0)
    assert spoken(memos)[-1] == ("user", "", "And on Sundays?")
    assert load(memos, base)["added"] == 0


def test_a_resumed_session_brings_only_what_is_new(memos: Shell, tmp_path: Path) -> None:
    project = samples.claude_code(tmp_path) / "projects" / "-srv-work-harbour"
    news = claude_line(uuid(31), uuid(11), "user", "And on Sundays?", 40)
    copied = [{**each, "sessionId": "fork"} for each in samples.CLAUDE]
    lines(project / "00000000-4e5f-4061-8071-2a3b4c5d6e7f.jsonl", *copied, news)
    made = load(memos, project.parent)
    assert made["added"] == len(TURNS["claude-code"]) + 2  # the memory file, and the new turn
    assert sorted(text for _, _, text in spoken(memos)).count(ASK) == 1
    assert load(memos, project.parent)["added"] == 0


def test_a_running_session_grows(memos: Shell, tmp_path: Path) -> None:
    path = lines(tmp_path / "running.jsonl", *samples.CLAUDE[:6])
    half = json.dumps(claude_line(uuid(10), uuid(5), "user", MORE, 8))
    with path.open("a") as file:
        file.write(half[:90])
    assert load(memos, path)["added"] == 2
    with path.open("a") as file:
        file.write(half[90:] + "\n")
    assert load(memos, path)["added"] == 1
    more = claude_line(uuid(11), uuid(10), "assistant", said("One."), 9)
    rest = claude_line(uuid(12), uuid(11), "assistant", said("Two."), 9)
    rest["message"]["id"] = more["message"]["id"]  # one message over two lines
    lines(path, *samples.CLAUDE[:6], json.loads(half), more)
    assert load(memos, path)["added"] == 1
    lines(path, *samples.CLAUDE[:6], json.loads(half), more, rest)
    assert (made := load(memos, path))["added"] == 0
    assert made["versions"] == 1
    assert spoken(memos)[-1] == ("assistant", "Claude", "One.\n\nTwo.")


def test_a_queued_prompt_comes_once_and_a_repeated_one_twice(memos: Shell, tmp_path: Path) -> None:
    queued = {"type": "queued_command", "prompt": "Also run the tests.", "commandMode": "prompt"}
    talk = [
        claude_line(uuid(1), "", "user", "Yes."),
        claude_line(uuid(2), uuid(1), "assistant", [{"type": "tool_use", "input": {}}]),
        claude_line(uuid(3), uuid(2), "user", "Yes.", 5),
        {"type": "attachment", "uuid": uuid(4), "parentUuid": uuid(3), "sessionId": "s",
         "timestamp": samples.iso(6), "attachment": queued},
        claude_line(uuid(5), uuid(4), "user", "Also run the tests.", 7),
    ]  # fmt: skip
    load(memos, lines(tmp_path / "session.jsonl", *talk))
    assert [text for _, _, text in spoken(memos)] == ["Yes.", "Yes.", "Also run the tests."]


def test_a_broken_line_stops_no_other(memos: Shell, tmp_path: Path) -> None:
    path = lines(tmp_path / "session.jsonl", *samples.CLAUDE)
    path.write_text(path.read_text().replace('{"parentUuid": "00000003', '{"parentUuid": 00000003', 1))
    made = load(memos, path, code=3)
    assert "session.jsonl: line 5" in made["failed"][0]["reason"]
    assert [text for _, _, text in spoken(memos)] == [ASK, ANSWER, MORE, LAST]


def test_half_characters_are_replaced_wherever_they_stand(memos: Shell, tmp_path: Path) -> None:
    half = "\ud800\0"
    talk = [
        claude_line(f"a{half}", "", "user", f"Hello{half}.", cwd=f"/srv/x{half}y"),
        {"type": "custom-title", "sessionId": f"s{half}", "customTitle": f"T{half}"},
    ]
    load(memos, lines(tmp_path / "session.jsonl", *talk))
    version = {"role": "assistant", "senderInfo": {"senderName": f"m{half}"}, "content": said("Hi.")}
    chat = {"name": f"T{half}", "messages": [{"versions": [version]}]}
    load(memos, samples.document(tmp_path / "chat.json", chat))
    export = [exports.chat(f"c{half}", f"T{half}", exports.message("m1", "user", f"Third{half}."))]
    load(memos, samples.document(tmp_path / "conversations.json", export))
    assert [(each["text"], each["title"]) for each in turns(memos)] == [
        ("Hello\ufffd.", "T\ufffd"), ("Hi.", "T\ufffd"), ("Third\ufffd.", "T\ufffd"),
    ]  # fmt: skip
    assert [each["author"] for each in turns(memos)][1] == "m\ufffd"


def test_memory_files_of_claude_code_are_facts_of_the_project(memos: Shell, tmp_path: Path) -> None:
    load(memos, samples.claude_code(tmp_path))
    (fact,) = memos("list", "--type", "fact", "--json").records
    assert "The harbour master prefers short reports." in fact["text"]
    assert fact["tags"] == ["project/harbour"]


def test_memories_of_open_webui_are_preferences(memos: Shell, tmp_path: Path) -> None:
    load(memos, samples.open_webui(tmp_path))
    (wish,) = memos("list", "--type", "preference", "--json").records
    assert wish["text"] == "Ann prefers tea."


def test_users_of_one_database_keep_their_names(memos: Shell, tmp_path: Path) -> None:
    path = samples.open_webui(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO user VALUES ('u2', 'Bo Ek')")
        greeting = {"id": "x", "role": "user", "content": "Hi from Bo."}
        chat = json.dumps({"history": {"messages": {"x": greeting}, "currentId": "x"}})
        db.execute("INSERT INTO chat VALUES ('w2', 'u2', 'Hello', ?, 1, 1, NULL)", (chat,))
        db.commit()
    load(memos, path)
    assert ("user", "Bo Ek", "Hi from Bo.") in spoken(memos)
    assert ("user", "Ann", ASK) in spoken(memos)
    (bo,) = [each for each in turns(memos) if each["text"] == "Hi from Bo."]
    assert bo["tags"] == ["user/Bo-Ek"]


def test_an_export_of_open_webui_has_the_same_addresses(memos: Shell, tmp_path: Path) -> None:
    load(memos, samples.open_webui(tmp_path))
    rows = [{"id": "w1", "user_id": "u1", "title": "Staging database", "chat": samples.webui_chat(),
             "created_at": samples.START}]  # fmt: skip
    made = load(memos, samples.document(tmp_path / "chat-export.json", rows))
    assert made["kind"] == "open-webui"
    assert (made["added"], made["versions"]) == (0, 0)


def test_older_stores_come_too(memos: Shell, tmp_path: Path) -> None:
    older = tmp_path / "older"
    history = lines(
        older / "goose.jsonl", {"working_dir": FOLDER, "description": "Staging database", "message_count": 4},
        *({"role": role, "created": samples.START, "content": said(value)} for role, value in TALK),
    )  # fmt: skip
    chat = samples.document(older / "session.json", {
        "sessionId": "s", "projectHash": "0" * 64, "startTime": samples.iso(0),
        "messages": [{"id": str(at), "type": {"user": "user"}.get(role, "gemini"), "content": value,
                      "timestamp": samples.iso(at)} for at, (role, value) in enumerate(TALK)],
    })  # fmt: skip
    items = [{"type": "message", "role": role, "content": said(v, "input_text")} for role, v in TALK]
    rollout = lines(
        older / "rollout.jsonl", {"id": "r", "timestamp": samples.iso(0), "instructions": None}, *items
    )
    for path, kind, author in (
        (history, "goose", "Goose"), (chat, "gemini-cli", "Gemini"), (rollout, "codex", "Codex"),
        (samples.opencode_files(older), "opencode", "OpenCode"),
    ):  # fmt: skip
        made = load(memos, path)
        assert (made["kind"], made["added"]) == (kind, 4)
        assert spoken(memos)[-4:] == samples.talk(author) or set(spoken(memos)) >= set(samples.talk(author))


def test_cline_without_a_view_comes_from_what_was_sent(memos: Shell, tmp_path: Path) -> None:
    sent = [
        {"role": "user", "content": [*said(f"<task>\n{ASK}\n</task>"),
                                     *said("<environment_details>NOISE</environment_details>")]},
        {"role": "assistant",
         "content": f"<thinking>NOISE</thinking>\n{ANSWER}\n<read_file><path>NOISE</path></read_file>"},
        {"role": "user", "content": [*said("[read_file for 'x'] Result:\nNOISE"),
                                     *said(f"<feedback>\n{MORE}\n</feedback>")]},
        {"role": "assistant",
         "content": f"<attempt_completion>\n<result>\n{LAST}\n</result>\n</attempt_completion>"},
    ]  # fmt: skip
    load(memos, samples.document(tmp_path / "1764000000000" / "api_conversation_history.json", sent))
    assert spoken(memos) == samples.talk("Cline")


def test_recalled_memories_do_not_come_back(memos: Shell, tmp_path: Path) -> None:
    recalled = "<memos-recall id=0a1b>\nNOISE\n</memos-recall id=0a1b>\n<memos-recall>NOISE</memos-recall>"
    talk = [
        claude_line(uuid(1), "", "user", recalled + ASK),
        claude_line(uuid(2), uuid(1), "user", "<memos-recall>NOISE"),
    ]
    load(memos, lines(tmp_path / "session.jsonl", *talk))
    assert [text for _, _, text in spoken(memos)] == [ASK]


def test_wrappers_are_left_out_and_opened() -> None:
    known = Conversation("x:1", "X", wrappers=Wrappers(dropped=("rules",), opened=("user_query",)))
    for value, left in {
        "<rules>NOISE</rules>\n<user_query>\nWhat?\n</user_query>\nNOISE": "What?",
        "<user_query>Is <rules>a</rules> right?</user_query>": "Is <rules>a</rules> right?",
        "One <rules a='b'>NOISE</rules> two": "One  two",
        "An open <rules> tag": "An open <rules> tag",
        "`<user_query>` is a tag </user_query>": "`<user_query>` is a tag </user_query>",
        "A picture ![x](data:image/png;base64,AAAA) here": "A picture  here",
        "<system-reminder>NOISE</system-reminder>": "",
        "a < b and c > d": "a < b and c > d",
    }.items():
        assert known.clean("user", value) == left
    assert (
        known.clean("assistant", "<think>NOISE</think>A tag: <rules>a</rules>") == "A tag: <rules>a</rules>"
    )


def test_secrets_are_masked(memos: Shell, tmp_path: Path) -> None:
    key = "ghp_" + "A1b2C3d4E5" * 4
    load(
        memos, lines(tmp_path / "session.jsonl", claude_line(uuid(1), "", "user", f"My token is {key[:40]}."))
    )
    (turn,) = turns(memos)
    assert key[:40] not in json.dumps(turn)


def test_compressed_rollouts_come_and_truncated_ones_are_named(memos: Shell, tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    base = samples.codex(tmp_path)
    (plain,) = base.rglob("rollout-*.jsonl")
    packed = plain.with_name(plain.name + ".zst")
    whole = zstandard.ZstdCompressor(write_content_size=False).compress(plain.read_bytes())
    packed.write_bytes(whole)
    assert load(memos, base)["added"] == 4  # the plain one wins
    plain.unlink()
    assert load(memos, base)["added"] == 0
    for data in (whole[:-20], b"\x28\xb5\x2f\xfd" + b"x" * 50):
        packed.write_bytes(data)
        made = load(memos, base, code=1)
        assert packed.name in made["failed"][0]["reason"]
        assert made["sources"] == []
    thread = samples.zed(tmp_path / "zed", "zstd", zstandard.ZstdCompressor().compress)
    assert load(memos, thread)["added"] == 4


def test_a_database_is_read_while_its_program_writes(memos: Shell, tmp_path: Path) -> None:
    path = samples.goose(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        row = (10, "20251124_1", "user", json.dumps(said("Only in the log.")), samples.START, "{}", "m10")
        db.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        db.commit()
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM messages")
        before = path.read_bytes()
        assert load(memos, path)["added"] == 5
        assert path.read_bytes() == before
        db.rollback()


def test_a_locked_database_is_read_from_a_copy(
    memos: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "WAIT", 0.05)
    path = samples.goose(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")  # changes reach the file before they are committed
        db.execute("BEGIN EXCLUSIVE")
        db.execute("UPDATE messages SET content_json = ?", (json.dumps(said("NOISE " * 2000)),))
        assert b"NOISE NOISE" in path.read_bytes()
        assert load(memos, path)["added"] == 4
        db.execute("ROLLBACK")
    assert sorted(spoken(memos)) == sorted(TURNS["goose"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_zip_of_a_store_reads_as_the_store(memos: Shell, tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / "it")
    base = tmp_path / "it"
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        for file in sorted(base.rglob("*")):
            archive.write(file, file.relative_to(base))
    made = load(memos, tmp_path / "it.zip")
    assert made["kind"] == kind
    assert sorted(spoken(memos)) == sorted(TURNS[kind])
    assert load(memos, path)["added"] == 0


def test_views_and_triggers_of_a_database_are_not_run(memos: Shell, tmp_path: Path) -> None:
    path = samples.goose(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            """ALTER TABLE messages RENAME TO real;
               CREATE VIEW messages AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
               SELECT i AS id, '20251124_1' AS session_id, 'user' AS role, '"x"' AS content_json FROM n;"""
        )
    made = memos("import", path, "--from", "goose", "--no-embed", "--json", code=None)
    assert made.code in (0, 3)
    assert memos.ids() == set()


def test_a_database_that_takes_too_long_is_reported(
    memos: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "MOST_STEPS", 2_000)
    monkeypatch.setattr(databases, "_STEPS", 100)
    path = samples.goose(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO messages SELECT a.* FROM messages a, messages b, messages c, messages d")
        db.commit()
    assert "too long" in load(memos, path, code=1)["failed"][0]["reason"]


def test_discover_lists_and_imports_nothing(memos: Shell, tmp_path: Path) -> None:
    home = tmp_path / "a home"
    (home / ".config").mkdir(parents=True)
    known = ("CLAUDE_CONFIG_DIR", "LLM_USER_PATH", "DATA_DIR")
    env = {**dict.fromkeys(known, "/nowhere"), "HOME": str(home), "CODEX_HOME": "/nowhere"}
    env |= {"XDG_CONFIG_HOME": str(home / ".config"), "XDG_DATA_HOME": str(home / "data")}
    assert memos("import", "--discover", env=env).out == ""
    env["CODEX_HOME"] = str(samples.codex(tmp_path / "elsewhere"))
    samples.claude_code(home)
    samples.gemini(home)
    samples.llm(home / ".config")
    samples.goose(home / "data")
    found = memos("import", "--discover", "--json", env=env).records
    assert [(each["kind"], each["conversations"]) for each in found] == [
        ("claude-code", 1), ("codex", 1), ("gemini-cli", 1), ("llm", 1), ("goose", 1),
    ]  # fmt: skip
    assert all(each["bytes"] > 0 and each["first"] and each["last"] and not each["problem"] for each in found)
    assert found[-1]["last"] == "2025-11-24T16:00:00Z"
    assert found[0]["command"] == f"memos import '{home}/.claude/projects'"
    for columns in ("60", "100", "300"):
        env |= {"COLUMNS": columns, "NO_COLOR": "1", "TERM": "dumb"}
        shown = memos.terminal("import", "--discover", env=env).out
        assert all(each["command"] in shown for each in found), "a command can be copied"
    assert " 0." not in memos("import", "--discover", env=env).out, "small files have a size, too"
    assert memos.ids() == set()
    assert "--discover" in memos("import", code=2).err
    memos("import", "--discover", home, code=2)


@pytest.mark.parametrize(
    ("platform", "place"),
    [("darwin", "Library/Application Support"), ("linux", ".config"), ("win32", "AppData/Roaming")],
)
def test_places_are_those_of_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, place: str
) -> None:
    monkeypatch.setattr(discovery.sys, "platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path / "AppData" / "Roaming"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    samples.cursor(tmp_path / "it")
    user = tmp_path / place / "Cursor" / "User"
    user.parent.mkdir(parents=True)
    (tmp_path / "it" / ".cursor" / "User").rename(user)
    samples.cline(user)
    samples.cline(user / "more")
    found = {each.kind: each for each in discovery.discover() if each.path.startswith(str(tmp_path))}
    assert found["cursor"].path == str(user)
    assert found["cursor"].command.endswith(" --from cursor")  # most files there are of Cline
    assert found["cline"].conversations == 1
