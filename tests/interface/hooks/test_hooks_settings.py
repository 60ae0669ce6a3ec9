"""``memos hook install``, ``remove`` and ``status`` on the settings files of real agents."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Shell
from hypothesis import given, settings
from hypothesis import strategies as st

from memos_cli.interface.client_settings import json_text
from memos_cli.interface.client_settings.json_text import NotReadable
from memos_cli.interface.hooks.agents import AGENTS

FILES = {
    "claude": (".claude/settings.json", ["SessionStart", "UserPromptSubmit", "PreCompact", "SessionEnd"]),
    "codex": (".codex/hooks.json", ["SessionStart", "UserPromptSubmit", "Stop", "PreCompact"]),
    "gemini": (".gemini/settings.json", ["SessionStart", "BeforeAgent", "PreCompress", "SessionEnd"]),
    "cursor": (".cursor/hooks.json", ["sessionStart", "preCompact", "sessionEnd"]),
}
"""Where each agent looks, and the events that are installed."""

CLAUDE = """{
  // my settings
  "model": "opus", // the large one
  "hooks": {
    "PreToolUse": [
      {"matcher": "Bash", "hooks": [{"type": "command", "command": "guard.sh"}]}, // keep
    ],
    "SessionStart": [
      {
        "matcher": "startup",
        "hooks": [
          {"type": "command", "command": "echo memos hook"} /* not ours */
        ]
      }
    ]
  },
  "permissions": {"allow": ["Bash(memos hook start)"]}
}
"""
CURSOR = """{
  "version": 1,
  "hooks": {
    "sessionStart": [{"command": "./mine.sh"}, {"command": "memoshook start"}], // two
    "beforeShellExecution": [{"command": "audit.sh"}]
  }
}
"""
BARE = ["", "{}", "{\n}\n", '{"hooks": {}}', '{"hooks": null, "a": [1, 2]}', "// nothing yet\n"]


def load(path: Path) -> Any:
    return json_text.load(path.read_text())


def without_empty(value: Any) -> Any:
    """Settings without empty tables and lists, and without the version that Cursor's must have."""
    kept = {name: each for name, each in value.items() if each not in ({}, [], None)}
    kept.pop("version", None)
    return kept


def handlers(agent: str, settings: Any, event: str) -> list[Any]:
    entries = settings["hooks"][event]
    return entries if agent == "cursor" else [each for entry in entries for each in entry["hooks"]]


def test_every_agent_is_in_the_table() -> None:
    assert FILES.keys() == AGENTS.keys()
    assert {name: [AGENTS[name].events[e] for e in AGENTS[name].installed] for name in AGENTS} == {
        name: events for name, (_, events) in FILES.items()
    }


@pytest.mark.parametrize("agent", FILES)
def test_an_agent_runs_the_hooks_by_its_own_file(shell: Shell, agent: str) -> None:
    name, events = FILES[agent]
    file = shell.folder / "home" / name
    diff = shell("hook", "install", agent, "--dry-run").out
    assert f"+++ {file}" in diff and "memos" in diff and not file.exists()
    shell("hook", "install", agent, "--as", "agent:bob", "--view", "work")
    found = load(file)
    assert [*found["hooks"]] == events
    for event in events:
        (handler,) = handlers(agent, found, event)
        command, *words = shlex.split(handler["command"])
        assert Path(command).is_absolute() and os.access(command, os.X_OK)
        at = words.index("hook")
        assert AGENTS[agent].events[words[at + 1]] == event
        assert words[at + 2 :] == [
            "--agent", agent, "--vault", str(shell.vault), "--as", "agent:bob", "--view", "work"
        ]  # fmt: skip
        least, most = (5_000, 10_000) if agent == "gemini" else (5, 10)
        assert agent == "cursor" or (handler["type"] == "command" and least <= handler["timeout"] <= most)
    assert shell("hook", "status", agent, "--json").record["state"] == "installed"
    before = file.read_bytes()
    again = shell("hook", "install", agent, "--as", "agent:bob", "--view", "work")
    assert "nothing to change" in again.out and file.read_bytes() == before
    assert shell("hook", "remove", agent, "--json").record["changed"] is True
    assert without_empty(load(file)) == {}
    assert shell("hook", "status", agent, "--json").record["state"] == "missing"
    assert "nothing to change" in shell("hook", "remove", agent).out


@pytest.mark.parametrize("agent", FILES)
@pytest.mark.parametrize("text", [CLAUDE, CURSOR, *BARE])
def test_what_others_wrote_stays(shell: Shell, agent: str, text: str) -> None:
    if (agent == "cursor") != (text == CURSOR) and text in (CLAUDE, CURSOR):
        pytest.skip("another agent's shape")
    file = shell.write("settings.json", text)
    file.chmod(0o640)
    shell("hook", "install", agent, "--file", file)
    added = load(file)
    for event in FILES[agent][1]:
        old = json_text.load(text).get("hooks") or {}
        assert added["hooks"][event][:-1] == old.get(event, [])
    shell("hook", "install", agent, "--file", file, "--as", "agent:bob")
    assert file.read_text().count("agent:bob") == len(FILES[agent][1])
    shell("hook", "remove", agent, "--file", file)
    assert without_empty(load(file)) == without_empty(json_text.load(text))
    for comment in (
        "// my settings",
        "// the large one",
        "// keep",
        "/* not ours */",
        "// two",
        "// nothing",
    ):
        assert (comment in text) == (comment in file.read_text())
    if text in (CLAUDE, CURSOR):
        assert "".join(file.read_text().split()) == "".join(text.split())
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_the_user_changed_in_a_handler_stays(shell: Shell) -> None:
    file = shell.write("settings.json", "{}")
    shell("hook", "install", "claude", "--file", file)
    found = load(file)
    found["hooks"]["SessionStart"][0] |= {"matcher": "startup"}
    found["hooks"]["SessionStart"][0]["hooks"][0] |= {"timeout": 60, "command": "/gone/memos hook start"}
    found["hooks"]["SessionStart"].append({"hooks": [{"type": "command", "command": "memos hook start"}]})
    found["hooks"]["UserPromptSubmit"][0]["hooks"] = [
        {"type": "command", "command": "mine.sh"},
        {"type": "command", "command": "/old/memos", "args": ["hook", "prompt"], "timeout": 3},
    ]
    found["hooks"]["Stop"] = [{"hooks": [{"command": "python -m memos_cli hook stop --as agent:x"}]}]
    file.write_text(json.dumps(found))
    assert shell("hook", "status", "claude", "--file", file, "--json").record["state"] == "other"
    shell("hook", "install", "claude", "--file", file)
    new = load(file)["hooks"]
    (group,) = new["SessionStart"]
    assert group["matcher"] == "startup" and group["hooks"][0]["timeout"] == 60
    assert "/gone/" not in group["hooks"][0]["command"]
    mine, ours = new["UserPromptSubmit"][0]["hooks"]
    assert mine["command"] == "mine.sh" and ours["timeout"] == 3 and "args" not in ours
    assert "Stop" not in new
    assert shell("hook", "status", "claude", "--file", file, "--json").record["state"] == "installed"


@pytest.mark.parametrize(
    "content",
    ["{", "[]", b"\xff{}", '{"hooks": 3}', '{"hooks": []}', '{"hooks": {"SessionStart": {}}}',
     '{"hooks": {"SessionStart": "x"}}'],
)  # fmt: skip
def test_a_broken_file_is_named_and_left_alone(shell: Shell, content: str | bytes) -> None:
    file = shell.write("settings.json", content)
    before = file.read_bytes()
    for verb in ("install", "remove"):
        result = shell("hook", verb, "claude", "--file", file, code=1)
        assert str(file) in result.err and "Traceback" not in result.err
    assert shell("hook", "status", "claude", "--file", file, "--json").record["state"] == "unreadable"
    assert file.read_bytes() == before


def test_strange_entries_of_others_are_no_reason_to_fail(shell: Shell) -> None:
    strange = {"SessionStart": [None, 3, "x", {}, {"hooks": None}, {"hooks": {"a": 1}}, {"hooks": [7, {}]},
                                {"hooks": [{"command": 'a "unclosed'}, {"command": ["memos", "hook"]}]}],
               "Unknown": 7}  # fmt: skip
    file = shell.write("settings.json", json.dumps({"hooks": strange}))
    shell("hook", "install", "claude", "--file", file)
    shell("hook", "remove", "claude", "--file", file)
    assert load(file)["hooks"] == strange


def test_a_token_is_never_written(shell: Shell) -> None:
    file = shell.work / "settings.json"
    result = shell("hook", "install", "claude", "--file", file, env={"MEMOS_TOKEN": "memos_secret"})
    assert "memos_secret" not in file.read_text() + result.out + result.err and "MEMOS_TOKEN" in result.err


def test_status_shows_the_last_call(shell: Shell) -> None:
    assert [row["agent"] for row in shell("hook", "status", "--json").records] == [*FILES]
    shell("hook", "start", "--agent", "codex", stdin=b'{"session_id": "x"}')
    rows = {row["agent"]: row["last_call"] for row in shell("hook", "status", "--json").records}
    assert rows["codex"]["event"] == "start" and rows["codex"]["outcome"] == "failed"
    assert rows["claude"] == {} and "no vault" in rows["codex"]["reason"]
    late = {"MEMOS_HOOK_DEADLINE": "0.2"}
    with shell.start("hook", "prompt", "--agent", "gemini", env=late) as process:
        assert process.wait(timeout=60) == 0
    row = shell("hook", "status", "gemini", "--json").record["last_call"]
    assert row == {} or (row["outcome"], row["characters"]) == ("late", 0)
    assert "start" in shell("hook", "status", "codex").out


def test_wrong_names_are_refused(shell: Shell) -> None:
    assert "cursor" in shell("hook", "install", "emacs", code=2).err
    shell("hook", "install", "claude", "--as", "bob", code=2)
    shell("hook", "status", "--file", "x", code=2)
    shell("hook", "prompts", code=2)


# --- JSON with comments ----------------------------------------------------------------------------

LISTS = [
    '{"a": []}', '{"a": [1]}', '{"a": [1, 2,]}', '{"a": [\n  1, // one\n  2 // two\n]}', '{"a": null}', "{}",
    '{"a": [\n    {"b": "]"} /* end */,\n]}', '{"a": [[1], {"x": [2]}], "b": 3}', "",
]  # fmt: skip


@pytest.mark.parametrize("text", LISTS)
def test_an_element_comes_and_goes(text: str) -> None:
    before = json_text.load(text).get("a") or []
    added = json_text.put(text, ("a", len(before)), {"new": [1, "//", {}]})
    assert json_text.load(added)["a"] == [*before, {"new": [1, "//", {}]}]
    changed = json_text.put(added, ("a", len(before), "new", 0), "other")
    assert json_text.load(changed)["a"][-1]["new"][0] == "other"
    removed = json_text.remove(changed, ("a", len(before)))
    assert json_text.load(removed)["a"] == before
    for comment in ("// one", "// two", "/* end */"):
        assert (comment in text) == (comment in removed)
    for at in reversed(range(len(before))):
        removed = json_text.remove(removed, ("a", at))
    assert json_text.load(removed)["a"] == []


@pytest.mark.parametrize("place", [("a", 0), ("b", "x"), ("c", "d", 1)])
def test_another_value_in_the_way_is_not_replaced(place: tuple[str | int, ...]) -> None:
    with pytest.raises(NotReadable):
        json_text.put('{"a": {"x": 1}, "b": [1], "c": {"d": "text"}}', place, 1)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
layouts: list[Callable[[Any], str]] = [
    json.dumps,
    lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    lambda value: json.dumps(value, indent="\t").replace("\n]", ",\n]").replace("\n}", "\n// end\n}"),
]


@settings(max_examples=60)
@given(st.lists(values, max_size=4), st.integers(0, 2), values)
def test_any_list_stays_as_it_is(stored: list[Any], layout: int, value: Any) -> None:
    text = layouts[layout if stored else 0]({"k": stored, "z": {"a": 1}})
    added = json_text.put(text, ("k", len(stored)), value)
    assert json_text.load(added) == {"k": [*stored, value], "z": {"a": 1}}
    assert json_text.load(json_text.remove(added, ("k", len(stored)))) == {"k": stored, "z": {"a": 1}}
