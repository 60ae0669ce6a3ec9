"""Messengers, Keep and mailboxes: the right turns; again, nothing; cut off or hostile, a named error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import exports
import pytest
from cli_harness import Shell

from memos_cli.interface.importing.formats.messengers import from_mrkdwn
from memos_cli.interface.importing.importers import IMPORTS, open_export
from memos_cli.zones import show_time, use_zone

KINDS = ("telegram", "slack", "whatsapp", "keep", "mbox")
TURNS: dict[str, list[tuple[str, str, str, str, str]]] = {
    # source, author, role, time (UTC), text
    "telegram": [
        ("telegram:22", "Bo", "", "2025-04-30T08:00:00Z", "When does the ferry leave?"),
        ("telegram:22", "Ann", "user", "2025-04-30T08:01:00Z", "At nine, see https://example.org/ferry."),
        ("telegram:22", "Deleted account", "", "2025-04-30T08:02:00Z", "I am gone."),
        (
            "telegram:22", "Bo", "", "2025-04-30T08:03:00Z",
            "Forwarded from Harbour office:\n\nThe ferry is late.",
        ),
        ("telegram:22", "Bo", "", "2025-04-30T08:05:00Z", "Fish or soup?\n- Fish\n- Soup"),
        ("telegram:11", "Ann", "user", "2025-04-30T12:00:00Z", "The spare key is under the pot."),
    ],
    "slack": [
        ("slack:D1", "Ann", "", "2025-05-01T09:00:02Z", "Between us."),
        (
            "slack:C1", "Ann", "", "2025-04-30T08:00:10.000Z",
            "@Bo Berg the **deploy** is on `*Friday*`, see #ops & [the plan](https://example.org/plan) @here",
        ),
        ("slack:C1", "Bo Berg", "", "2025-05-01T09:00:00.001Z", "1 < 2: ~~no~~ ok"),
        ("slack:C1", "Bo Berg", "", "2025-04-30T08:00:20.000Z", "Lunch?"),
        ("slack:C1", "CI", "", "2025-04-30T08:00:30.000Z", "Build 7 failed"),
        ("slack:C1", "Cy Guest", "", "2025-05-01T09:00:01Z", "Hello a@example.org"),
    ],
    "whatsapp": [
        (
            "whatsapp:Trip", "Ann 🌳", "", "2025-04-15T15:05:05Z",
            "The key is at the neighbour's.\nSecond floor: ring twice.",
        ),
        ("whatsapp:Trip", "Bo", "", "2025-04-15T15:06:30Z", "Thanks!"),
        ("whatsapp:Trip", "Bo", "", "2025-04-15T15:06:30Z", "Thanks!"),
        ("whatsapp:Trip", "+49 170 1234567", "", "2025-04-16T09:00:00Z", "@Ann hello"),
    ],
    "keep": [
        ("keep:1746000001000000", "", "", "2025-04-30T08:00:01Z", "- [x] milk\n- [ ] bread"),
        (
            "keep:1746000000000000", "", "", "2025-04-30T08:00:00Z",
            "The hull needs paint.\n\nPaint https://example.org/p",
        ),
    ],
    "mbox": [
        (
            "mail:a1@example.org", "Ann Lee", "", "2025-04-30T08:00:00Z",
            "When does it leave?\nFrom the quay, I mean.\nFrom where else?",
        ),
        (
            "mail:a1@example.org", "Bo Berg", "", "2025-05-01T09:00:00Z",
            "At nine, from the café.\nAttachment: map.pdf",
        ),
        ("mail:b1@example.org", "cy@example.org", "", "2025-04-30T08:30:00Z", "Two hours."),
    ],
}  # fmt: skip


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Path]:
    return exports.write_all(tmp_path / "exports")


def bundles(path: Path, kind: str, **known: str) -> list[Any]:
    with open_export(path) as export:
        for name, value in known.items():
            setattr(export, name, value)
        return list(IMPORTS[kind].read(export))


@pytest.mark.parametrize("kind", KINDS)
def test_the_turns_of_each(found: dict[str, Path], kind: str) -> None:
    use_zone("UTC")
    read = bundles(found[kind], kind)
    assert [fault for bundle in read for fault in bundle.faults] == []
    turns = [
        (bundle.uri, draft.author, draft.role, show_time(draft.time), draft.text)
        for bundle in read
        for draft in bundle.drafts
    ]
    assert [(*turn[:3], turn[3][:19], turn[4]) for turn in turns] == [
        (*turn[:3], turn[3][:19], turn[4]) for turn in TURNS[kind]
    ]
    types = {draft.type for bundle in read for draft in bundle.drafts}
    assert types == ({"document"} if kind == "keep" else {"dialogue"})
    refs = [draft.ref for bundle in read for draft in bundle.drafts]
    assert len({*refs}) == len(refs)


@pytest.mark.parametrize("kind", KINDS)
def test_each_comes_once(memos: Shell, found: dict[str, Path], kind: str) -> None:
    made = memos("import", found[kind], "--no-embed", "--json").record
    assert (made["kind"], made["added"], made["failed"]) == (kind, len(TURNS[kind]), [])
    again = memos("import", found[kind], "--no-embed", "--json").record
    assert (again["added"], again["versions"], again["unchanged"]) == (0, 0, len(TURNS[kind]))
    memos.check()


def cut(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


@pytest.mark.parametrize("kind", ["telegram", "slack", "keep"])
def test_an_export_that_is_cut_off_is_named_and_not_half_taken_in(
    memos: Shell, found: dict[str, Path], kind: str
) -> None:
    target = cut(found["telegram"] / "result.json") if kind == "telegram" else cut(found[kind])
    done = memos("import", target, "--from", kind, "--no-embed", code=1)
    assert target.name in done.err
    assert "Traceback" not in done.err
    assert memos.ids() == set()


@pytest.mark.parametrize(
    ("kind", "file", "content"),
    [
        ("slack", "general/2025-05-01.json", '[{"user": "U1", "text": "half'),
        ("slack", "general/2025-05-01.json", "[" * 100_000),
        ("keep", "Takeout/Keep/Bad.json", '{"title": "half'),
        ("keep", "Takeout/Keep/Bad.json", '{"a":' * 100_000),
    ],
)
def test_one_bad_file_is_named_and_stops_no_other(
    memos: Shell, tmp_path: Path, kind: str, file: str, content: str
) -> None:
    files = {name: json.dumps(rows) for name, rows in getattr(exports, kind.upper()).items()}
    path = exports.write_zip(tmp_path / "all.zip", {**files, file: content})
    made = memos("import", path, "--no-embed", "--json", code=3).record
    assert [file.rpartition("/")[2] in each["reason"] for each in made["failed"]] == [True]
    assert made["added"] == len(TURNS[kind]) - (2 if kind == "slack" else 0)
    exports.write_zip(path, files)
    assert memos("import", path, "--no-embed", "--json").record["added"] == (2 if kind == "slack" else 0)


ODD = [None, 7, "x", [], {}, [[]], {"list": 3}, [None, 7, "x", {"ts": 5, "text": ["a"]}], -1e308, "\u202e\0"]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_odd_values_are_faults_at_most(tmp_path: Path, value: Any) -> None:
    message = dict.fromkeys(("id", "type", "from", "from_id", "text", "date", "date_unixtime", "poll"), value)
    chat = {"name": "x", "type": "personal_chat", "id": 1}
    for whole in (
        {**chat, "messages": [message, {**message, "type": "message"}]},
        {**chat, "messages": value},
        {"chats": value},
        {"chats": {"list": value}},
        {"chats": {"list": [value, {**chat, "messages": [value]}]}},
        value,
    ):
        exports.write_json(tmp_path / "result.json", whole)
        bundles(tmp_path / "result.json", "telegram")
    note = dict.fromkeys(exports.KEEP["Takeout/Keep/Boat.json"], value)
    for each in (note, {**note, "createdTimestampUsec": 1}, {**note, "textContent": "x"}, value):
        exports.write_json(tmp_path / "Keep" / "a.json", each)
        bundles(tmp_path / "Keep", "keep")
    row = dict.fromkeys(("user", "text", "ts", "subtype", "thread_ts", "attachments", "user_profile"), value)
    rows = [row, {**row, "ts": "1746000000.1"}, {**row, "ts": "x", "text": "y", "subtype": ""}]
    members = [{"id": value, "name": value, "members": value}]
    for index, inside in (([value], rows), (value, value), (members, rows)):
        for name in ("users.json", "channels.json", "dms.json"):
            exports.write_json(tmp_path / "slack" / name, index)
        exports.write_json(tmp_path / "slack" / "general" / "2025-04-30.json", inside)
        bundles(tmp_path / "slack", "slack")


def test_a_folder_with_two_exports_names_the_other(memos: Shell) -> None:
    exports.write_json(memos.work / "all" / "result.json", exports.TELEGRAM)
    memos.write("all/WhatsApp Chat with Bo.txt", "15/04/16, 15:00 - Bo: Hello\n")
    made = memos("import", memos.work / "all", "--no-embed", "--json").record
    assert (made["kind"], made["added"]) == ("telegram", len(TURNS["telegram"]))
    assert "--from whatsapp" in made["notes"][0]
    made = memos("import", memos.work / "all", "--from", "whatsapp", "--no-embed", "--json").record
    assert (made["added"], made["notes"]) == (1, [])


@pytest.mark.parametrize("kind", ["telegram", "slack", "keep", "chatgpt", "claude", "mem0", "letta", "mcp"])
def test_half_characters_and_nul_in_names_are_no_obstacle(
    memos: Shell, found: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    """JSON can escape what no text can hold. Here it is in every name, title and id."""

    def spoiled(data: str) -> str:
        names = "id|uuid|name|title|from|display_name|real_name|username|conversation_id|memory|label|user|ts"
        return re.sub(rf'("(?:{names})": ")([^"])', r"\1\\ud800\\u0000\2", data)

    with open_export(found[kind]) as export:
        for name in export.names:
            path = tmp_path / "spoiled" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(spoiled(export.text(name)))
    done = memos("import", tmp_path / "spoiled", "--from", kind, "--no-embed", code=None)
    assert done.code in (0, 1, 3)
    assert "internal" not in done.err and "UTF-8" not in done.err
    memos.check()


def test_a_single_chat_of_telegram(tmp_path: Path) -> None:
    chat = exports.TELEGRAM["chats"]["list"][0]  # type: ignore[index]
    path = exports.write_json(tmp_path / "result.json", chat)
    with open_export(path) as export:
        assert IMPORTS["telegram"].recognises(export)
    (bundle,) = bundles(path, "telegram")
    assert [draft.author for draft in bundle.drafts] == ["Bo", "Ann", "Deleted account", "Bo", "Bo"]
    assert {draft.role for draft in bundle.drafts} == {""}  # whose export it is, it does not say


def test_a_newer_export_brings_what_is_new_and_edits_are_versions(memos: Shell, tmp_path: Path) -> None:
    def telegram(*texts: str) -> Path:
        rows = [
            {"id": n, "type": "message", "date_unixtime": str(1746000000 + n), "from": "Bo", "text": each}
            for n, each in enumerate(texts)
        ]
        chat = {"name": "Bo", "type": "personal_chat", "id": 5, "messages": rows}
        return exports.write_json(tmp_path / "result.json", chat)

    memos("import", telegram("one", "two"), "--no-embed")
    made = memos("import", telegram("one", "two, edited", "three"), "--no-embed", "--json").record
    assert (made["added"], made["versions"], made["unchanged"]) == (1, 1, 1)
    memos("import", telegram("one"), "--no-embed")  # what is gone there stays here
    assert len(memos.ids()) == 3


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<@U1> <@U7> <@U7|cy> <#C1|general> <#C9>", "@Ann @U7 @cy #general #C9"),
        ("<https://a.b> <https://a.b|A> <mailto:x@a.b|x@a.b>", "https://a.b [A](https://a.b) x@a.b"),
        ("*bold* a*b*c _it_ ~gone~ 2 * 3 * 4", "**bold** a*b*c _it_ ~~gone~~ 2 * 3 * 4"),
        ("`*code* &lt;b&gt;` ```*x* <https://a.b>```", "`*code* <b>` ```*x* https://a.b```"),
        ("<!channel> <!subteam^S1|@ops> <!date^1746000000^{date}|30 April>", "@channel @ops 30 April"),
        ("a &amp;lt; b <not a tag", "a &lt; b <not a tag"),
    ],
)  # fmt: skip
def test_mrkdwn_becomes_markdown(said: str, shown: str) -> None:
    assert from_mrkdwn(said, {"U1": "Ann"}) == shown
