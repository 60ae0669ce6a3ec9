"""A hook never fails, never waits, and reveals nothing that its agent may not read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Shell, wait_until
from hooks_harness import ASKED, HORSE, PORT, SHIP, Hooks

from memos_cli.cli.agents.hook_guard import EVENTS, event_of
from memos_cli.interface.hooks import agents
from memos_cli.interface.mcp.budget import tokens_of

DAMAGED: list[bytes] = [
    b"", b"{", b"null", b"[]", b'"prompt"', b"7", b"{}", b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 50_000,
    b'{"prompt": "' + b"x" * (9 << 20) + b'"}', b'{"prompt": 7}', b'{"prompt": null}', b'{"prompt": {}}',
    b'{"prompt": ""}', b'{"prompt": "\\ud800"}', b'{"prompt": "\\u0000"}', b'{"hook_event_name": []}',
    b'{"session_id": "x", "cwd": "/none/\\u0000", "transcript_path": {"a": 1}}',
    b'{"session_id": "x", "prompt": "-", "transcript_path": "-rf"}',
    b'{"conversation_id": "x", "workspace_roots": [3]}', b'{"prompt": "\\"*^:() NEAR AND OR NOT"}',
]  # fmt: skip


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_input_gives_nothing(hooks: Hooks, data: bytes) -> None:
    for event in EVENTS:
        result = hooks.run(event, data)
        assert (result.code, result.out, result.err) == (0, "", "") or (
            SHIP in result.out and event == "start"
        )


def test_the_reason_is_in_the_log_and_with_verbose_on_standard_error(hooks: Hooks) -> None:
    hooks.run("prompt", b"{")
    assert hooks.log[0]["outcome"] == "failed" and "not JSON" in hooks.log[0]["reason"]
    process = hooks.shell.process(
        "hook", "prompt", "--verbose", stdin=b"{", env={"MEMOS_HOOK_DEADLINE": "60"}
    )
    assert "not JSON" in process.err and process.out == ""


@pytest.mark.parametrize(
    ("options", "env"),
    [
        (("--vault", "/none"), {}),
        (("--as", "bob"), {}),
        (("--agent", "emacs"), {}),
        (("--wrong",), {}),
        (("surplus",), {}),
        (("--view", "none"), {}),
        ((), {"MEMOS_TOKEN": "memos_wrong"}),
        ((), {"MEMOS_HOOK_DEADLINE": "soon"}),
        ((), {"MEMOS_HOOK_DEADLINE": "inf"}),
        ((), {"MEMOS_HOOK_DEADLINE": "1e300"}),
        ((), {"MEMOS_HOOK_DEADLINE": "nan"}),
        ((), {"MEMOS_HOOK_DEADLINE": "-1"}),
        ((), {"MEMOS_QUERY_RELEVANCE": "7"}),
        ((), {"HOME": "", "MEMOS_VAULT": ""}),
        ((), {"MEMOS_HOOKS": "off"}),
        ((), {"MEMOS_HOOKS": " OFF "}),
    ],
)
def test_nothing_that_is_wrong_fails(hooks: Hooks, options: tuple[str, ...], env: dict[str, str]) -> None:
    for event, sent in (("prompt", hooks.asking()), ("start", hooks.starting()), ("end", hooks.starting())):
        result = hooks.run(event, sent, *options, env=env)
        assert (result.out, result.err) == ("", "")


def test_an_internal_error_is_logged_without_words(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    from memos_cli.interface.memory import Memos

    def fail(*args: object, **more: object) -> None:
        raise ZeroDivisionError(PORT)

    monkeypatch.setattr(Memos, "context", fail)
    assert hooks.run("prompt", hooks.asking()).out == ""
    assert hooks.log[0]["reason"] == "internal error: ZeroDivisionError"


def test_a_damaged_vault_gives_nothing(hooks: Hooks) -> None:
    for name, content in (("VAULT.toml", b"format ="), ("memos.db", b"SQLite format 3\0" + b"x" * 5000)):
        file = hooks.shell.vault / name
        before = file.read_bytes()
        file.write_bytes(content)
        assert hooks.run("prompt", hooks.asking()).out == hooks.run("start", hooks.starting()).out == ""
        file.write_bytes(before)


def test_an_encrypted_vault_without_its_key_gives_nothing(shell: Shell) -> None:
    pytest.importorskip("sqlcipher3")
    key = shell.work / "key"
    none = {"MEMOS_READER": "/none.gguf", "MEMOS_EMBEDDER": "/none.gguf"}
    shell("init", "--encrypt", "--key-file", key, env=none)
    hooks = Hooks(shell)
    shell.keep(PORT, options=("--tag", "project/shop", "--type", "fact"))
    assert PORT in hooks.told("start", hooks.starting())
    key.rename(shell.work / "elsewhere")
    assert hooks.run("start", hooks.starting()).out == hooks.run("prompt", hooks.asking()).out == ""
    assert "elsewhere" not in hooks.log[0]["reason"] and hooks.log[0]["outcome"] == "failed"


# --- the deadline ----------------------------------------------------------------------------------


@contextmanager
def locked(vault: Path, how: str) -> Iterator[None]:
    """Hold a vault as another process: its lock file, or its database."""
    script = {
        "file": "import fcntl, sys; f = open(sys.argv[1] + '/lock', 'a'); fcntl.flock(f, fcntl.LOCK_EX)",
        "database": "import sqlite3, sys; d = sqlite3.connect(sys.argv[1] + '/memos.db')"
        "; d.isolation_level = None; d.execute('BEGIN EXCLUSIVE')",
    }[how]
    command = [sys.executable, "-c", f"{script}; print(flush=True); sys.stdin.read()", str(vault)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        yield
        process.stdin.close()


@pytest.mark.parametrize("how", ["file", "database"])
@pytest.mark.parametrize("deadline", ["0.8", "2"])
def test_a_locked_vault_gives_nothing(hooks: Hooks, how: str, deadline: str) -> None:
    """What cannot be audited is not told."""
    data = json.dumps(hooks.asking()).encode()
    with locked(hooks.shell.vault, how):
        result = hooks.shell.process("hook", "prompt", stdin=data, env={"MEMOS_HOOK_DEADLINE": deadline})
        assert (result.out, result.err) == ("", "")
        assert {row["outcome"] for row in hooks.log} <= {"late", "failed"}
        assert not any(row["characters"] for row in hooks.log)
    assert PORT in hooks.told("prompt", hooks.asking())


def test_a_child_that_never_ends_does_not_hold_the_agent_up(hooks: Hooks) -> None:
    """Nobody closes standard input, and nobody could interrupt a busy interpreter."""
    with hooks.shell.start("hook", "prompt", env={"MEMOS_HOOK_DEADLINE": "1"}) as process:
        assert process.wait(timeout=60) == 0
        assert process.stdout is not None and process.stdout.read() == b""
    busy = (
        "import sys, re; sys.argv = ['memos', 'hook', 'prompt']\n"
        "from memos_cli.cli.agents.hook_guard import guard\n"
        "guard('prompt', lambda: re.match(r'(a|a)*$', 'a' * 60 + 'b'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", busy], env=hooks.shell.environment({"MEMOS_HOOK_DEADLINE": "0.5"}),
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_hook_whose_agent_has_gone_ends_quietly(hooks: Hooks) -> None:
    with hooks.shell.start("hook", "prompt", env={"MEMOS_HOOK_DEADLINE": "30"}) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdout.close()
        process.stdin.write(json.dumps(hooks.asking()).encode())
        process.stdin.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        (["hook", "prompt"], "prompt"),
        (["--vault", "x", "hook", "start", "--agent", "claude"], "start"),
        (["--as=agent:x", "-v", "hook", "end"], "end"),
        (["hook", "install", "claude"], ""),
        (["hook", "prompt", "--help"], ""),
        (["search", "hook", "prompt"], ""),
        (["--vault", "hook", "prompt", "x"], ""),
        (["hook"], ""),
        ([], ""),
    ],
)
def test_only_an_event_is_guarded(arguments: list[str], event: str) -> None:
    assert event_of(arguments) == event
    assert EVENTS == agents.EVENTS


# --- what is told ----------------------------------------------------------------------------------


def test_nothing_is_printed_where_nothing_is_relevant(hooks: Hooks) -> None:
    for prompt in ("Rename x to count in main.rs", "continue", "yes", "?", "..."):
        assert hooks.run("prompt", hooks.asking(prompt)).out == ""
    assert hooks.log[0]["outcome"] == "done" and hooks.log[0]["characters"] == 0
    assert hooks.run("prompt", hooks.asking(), env={"MEMOS_QUERY_RELEVANCE": "1"}).out == ""
    empty = hooks.shell.work / "empty"
    empty.mkdir()
    assert hooks.run("start", hooks.starting(empty)).out == ""


def test_one_sentence_of_a_long_prompt_is_enough(hooks: Hooks) -> None:
    prompt = f"Refactor the cart so that prices are decimals, and add a test for it. Thanks! {ASKED}"
    assert PORT in hooks.told("prompt", hooks.asking(prompt))
    assert PORT in hooks.told(
        "prompt", hooks.asking(f"{ASKED}\n{'at com.example.Cart.run(Cart.java)' * 900}")
    )


def test_memories_that_a_model_may_not_read_are_not_recalled(hooks: Hooks) -> None:
    shell = hooks.shell
    (port,) = (row["id"] for row in shell("list", "--json").records if row["text"] == PORT)
    for change, back in (
        (("mark", "secret", port), ("mark", "open", port)),
        (("archive", port), ("restore", port)),
    ):
        shell(*change)
        assert PORT not in hooks.told("prompt", hooks.asking()) + hooks.told("start", hooks.starting())
        shell(*back)
        assert PORT in hooks.told("prompt", hooks.asking())
    shell("mark", "personal", port)
    lower = {"MEMOS_SENSITIVITY_PROMPT": "open"}
    assert PORT not in hooks.told("prompt", hooks.asking(), env=lower)
    shell.keep("The vault of the bank opens with the word heron.", options=("--quarantine",))
    assert hooks.told("prompt", hooks.asking("Which word opens the vault of the bank?")) == ""


def test_an_agent_gets_what_it_may_read_and_the_audit_records_it(hooks: Hooks) -> None:
    bob = ("--as", "agent:bob")
    assert hooks.told("prompt", hooks.asking(), *bob) == hooks.told("start", hooks.starting(), *bob) == ""
    hooks.shell("grant", "tag:project/shop", "agent:bob")
    assert PORT in hooks.told("prompt", hooks.asking(), *bob)
    assert PORT in hooks.told("start", hooks.starting(), *bob)
    rows = hooks.shell("audit", "--by", "agent:bob", "--json").records
    assert [row["action"] for row in rows].count("read") == 3  # one at the prompt, two at the start
    assert hooks.told("prompt", hooks.asking("Which door has the stable of Bucephalus?"), *bob) == ""


def test_a_view_limits_the_recalled_memories(hooks: Hooks) -> None:
    hooks.shell("view", "set", "horses", "--tag", "project/stable")
    horse = hooks.asking("Which door has the stable of Bucephalus?")
    assert HORSE in hooks.told("prompt", horse, "--view", "horses")
    assert hooks.told("prompt", hooks.asking(), "--view", "horses") == ""
    assert hooks.told("start", hooks.starting(), "--view", "horses") == ""


def test_a_session_starts_with_what_is_pinned_and_new(hooks: Hooks) -> None:
    shell = hooks.shell
    (who,) = shell.keep("Ann writes commit messages in English.", options=("--type", "preference"))
    (horse,) = shell.ids("--tag", "project/stable")
    shell("pin", who)
    shell("pin", horse)
    shell.keep("A passage of the handbook.", options=("--tag", "project/shop"))
    shell.keep("A part of the shop.", options=("--tag", "project/shop/cart", "--type", "fact"))
    lines = [line[2:] for line in hooks.told("start", hooks.starting()).splitlines() if line[0] == ">"]
    assert lines == [
        "Ann writes commit messages in English.", "A part of the shop.", SHIP, PORT,
        "A passage of the handbook.",
    ]  # fmt: skip
    few = hooks.told("start", hooks.starting(), env={"MEMOS_HOOK_TOKENS": "130"})
    assert "Ann writes" in few and PORT not in few
    assert hooks.told("start", hooks.starting(shell.work)) != ""  # what is pinned belongs to no project


def test_a_long_memory_is_cut_and_ten_thousand_letters_are_never_reached(hooks: Hooks) -> None:
    long = " ".join(f"The gate of dock {n} is painted green." for n in range(2000))
    hooks.shell("ingest", "-", "--tag", "project/shop", "--type", "fact", "--no-embed", stdin=long.encode())
    for event, sent in (
        ("start", hooks.starting()),
        ("prompt", hooks.asking("Which gate is painted green?")),
    ):
        out = hooks.run(event, sent, env={"MEMOS_HOOK_TOKENS": "100000"}).out
        assert 500 < len(out) < 10_000


def test_a_memory_that_expires_after_a_use_is_recalled_once(hooks: Hooks) -> None:
    hooks.shell.keep("The door code of the archive is 4711.", options=("--expires", "1 use"))
    asked = hooks.asking("What is the door code of the archive?")
    assert "4711" in hooks.told("prompt", asked)
    assert hooks.told("prompt", asked) == ""


# --- transcripts -----------------------------------------------------------------------------------


def test_a_session_is_imported_where_its_files_can_be_read(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memos_cli.interface.hooks import transcripts
    from memos_cli.interface.hooks.calls import read_call
    from memos_cli.interface.importing import importers

    file = hooks.shell.write("session.jsonl", "{}\n")
    sent: dict[str, Any] = {**hooks.starting(), "transcript_path": str(file)}
    monkeypatch.setattr(importers, "IMPORTS", {"claude-code": importers.IMPORTS["plain"]})
    call = read_call("end", "claude", json.dumps(sent).encode(), {})
    assert transcripts.import_arguments(call)[:4] == ["import", str(file), "--from", "claude-code"]
    monkeypatch.setattr(importers, "IMPORTS", {})
    with pytest.raises(Exception, match="cannot import sessions"):
        transcripts.import_arguments(call)
    hooks.run("end", sent, agent="claude", env={"MEMOS_HOOK_TRANSCRIPTS": "never"})
    assert hooks.log[0]["outcome"] == "done"


def test_the_import_outlives_the_hook_and_holds_none_of_its_streams(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memos_cli.interface.hooks import transcripts

    done = hooks.shell.work / "done"
    os.mkfifo(gate := hooks.shell.work / "gate")  # it waits there until the hook has returned
    command = [sys.executable, "-c", f"open({str(gate)!r}).readline(); open({str(done)!r}, 'w').close()"]
    monkeypatch.setattr(transcripts, "import_arguments", lambda call: command[1:])
    monkeypatch.setattr(
        "memos_cli.interface.client_settings.program_files.own_command", lambda: (command[0],)
    )
    monkeypatch.setattr("memos_cli.cli.agents.hooks.options_given", lambda state: [])
    assert hooks.run("end", hooks.starting()).out == ""
    assert not done.exists()
    opened = os.open(gate, os.O_RDWR)
    os.write(opened, b"\n")
    wait_until(done.exists)
    os.close(opened)


def test_an_import_that_takes_its_time_is_started_all_the_same(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memos_cli.cli.agents import hook_guard
    from memos_cli.interface.hooks import transcripts

    done, returned = hooks.shell.work / "done", hooks.shell.work / "returned"

    def look(call: object) -> list[str]:
        wait_until(returned.exists)
        done.touch()
        return ["--version"]

    monkeypatch.setattr(transcripts, "import_arguments", look)
    monkeypatch.setitem(hook_guard._SECONDS, "end", 0.5)
    hooks.run("end", hooks.starting(), env={"MEMOS_HOOK_DEADLINE": "0.5"})
    assert hooks.log == [] and not done.exists()
    returned.touch()
    assert hooks.wait_for_log(1)[0]["outcome"] == "done" and done.exists()


@pytest.mark.parametrize("tokens", [1, 100, 150, 300, 1200])
def test_an_agent_never_gets_more_tokens_than_the_setting_allows(hooks: Hooks, tokens: int) -> None:
    hooks.shell.keep(*(f"Dock {n} of the harbour has a green gate." for n in range(30)))
    told = hooks.told("prompt", hooks.asking("Which gate has dock 7 of the harbour?"),
                      env={"MEMOS_HOOK_TOKENS": str(tokens)})  # fmt: skip
    assert tokens_of(told) <= tokens
    assert told or tokens < 150
