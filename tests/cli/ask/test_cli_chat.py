"""``memos chat``: line by line for scripts, and on a terminal."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cli_harness import Shell, apart, tiny_reader, with_models
from model_servers import ANSWER, serve
from tiny_models import write_model

NOTES = ("The ferry to Larkspur leaves at 7:10 from the second jetty.", "The harbour wall is of granite.")
TURN = {
    "chat", "turn", "follows", "stored", "tokens", "notes",
    "question", "answer", "answered", "mode", "quotes", "support", "nearest", "model", "plan",
    "sources", "timings",
}  # fmt: skip
TOKENS = {"prompt", "read", "reused", "read_ahead", "folded_turns"}


@pytest.fixture
def notes(memos: Shell) -> Shell:
    memos.keep(*NOTES)
    return memos


def history(shell: Shell) -> Path:
    return shell.folder / "home" / ".local" / "state" / "memos" / "chat_history"


# --- for scripts -------------------------------------------------------------------------------------


def test_each_line_is_a_turn(notes: Shell) -> None:
    result = notes("chat", "--quote", stdin=b"When does the ferry leave?\n\nand from where?\n")
    assert result.lines == [NOTES[0]] * 2


def test_json_has_an_object_a_turn(notes: Shell) -> None:
    lines = ["When does the ferry to Larkspur leave?", "/sources", "And from which jetty?"]
    lines += ["/remember The boat is blue.", "/help", "/new", "/model", "/view", "/save", "/forget", "/quit"]
    done = notes("chat", "--quote", "--json", stdin="\n".join([*lines, "never read"]).encode())
    turns = [row for row in done.records if "turn" in row]
    assert all(row.keys() == TURN and row["tokens"].keys() == TOKENS for row in turns)
    assert [row["turn"] for row in turns] == [1, 2]
    assert [row["follows"] for row in turns] == [False, True]
    others = {row["command"]: row for row in done.records if "command" in row}
    assert [*others] == [
        "/sources", "/remember", "/help", "/new", "/model", "/view", "/save", "/forget",
    ]  # fmt: skip
    assert others["/sources"]["sources"] == turns[0]["sources"]
    assert others["/sources"]["sources"][0]["text"] == NOTES[0]
    assert others["/new"]["chat"] != turns[0]["chat"]
    assert {*others["/remember"]} == {"command", "id", "new", "quarantined"}
    assert notes("show", others["/remember"]["id"], "--json").record["text"] == "The boat is blue."


@with_models
def test_tokens_and_times_of_a_written_answer(notes: Shell) -> None:
    lines = b"When does the ferry to Larkspur leave?\nAnd from which jetty?\nWhat is the harbour wall of?\n"
    turns = notes("chat", "--generate", "--max-tokens", "8", "--json", stdin=lines).records
    for row in turns:
        counts = row["tokens"]
        assert counts["read"] + counts["reused"] == counts["prompt"] > 0
        assert row["timings"]["first_token"] > 0
        assert row["mode"] == "model"
        assert row["stored"]
    assert all(row["tokens"]["reused"] >= 64 for row in turns[1:])
    said = notes("chat", "--generate", "--max-tokens", "8", "--no-save", "-v", stdin=lines).err
    assert f"of {turns[0]['tokens']['prompt']} tokens; first token after" in said


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_a_server_answers(notes: Shell, kind: str) -> None:
    pytest.importorskip("httpx2")
    lines = b"When does the ferry to Larkspur leave?\n/model\n"
    with serve(kind) as server:
        from_start = notes("chat", "--model", server.url, "--generate", "--no-save", stdin=lines).lines
        changed = f"/model {server.url}\n".encode() + lines
        later = notes("chat", "--quote", "--no-save", stdin=changed).lines
        ask = [(b"> ", b"When does the ferry leave?\n"), (b"5433.", b"/quit\n")]
        shown = notes.terminal("chat", "--model", server.url, "--generate", answers=ask).out
    assert from_start == ["".join(ANSWER), from_start[1]]
    assert later == [from_start[1], NOTES[0], from_start[1]]
    assert f"{from_start[1]} answers." in shown
    stopped = notes("chat", "--model", server.url, stdin=lines, code=15)
    assert "no server answers" in stopped.err
    assert stopped.out == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"/nope", "there is no command /nope; there are: /sources, /remember"),
        (b"/remember", "/remember needs a text"),
        (b"/view nowhere", "no view is named"),
        (b"/model /nowhere.gguf", "no such model file"),
        (b"/forget 7", "no source [7]"),
        (b"/forget chat", "would be forgotten"),
        (b"caf\xe9\x00\xff", "not text"),
    ],
)
def test_a_line_that_fails_does_not_end_the_chat(notes: Shell, line: bytes, message: str) -> None:
    lines = b"When does the ferry leave?\n" + line + b"\nWhat is the wall of?\n"
    done = notes("chat", "--quote", "--json", stdin=lines, code=3)
    first, error, last = done.records
    assert message in error["error"]["message"]
    assert (first["turn"], last["turn"]) == (1, 2)
    assert message in notes("chat", "--quote", stdin=lines, code=3).err


def test_filters_and_views(notes: Shell) -> None:
    notes.keep("The ferry to Nesvik leaves at 9:30.", options=("--tag", "north"))
    notes("view", "set", "north", "--tag", "north")
    ask = b"When does the ferry leave?\n"
    for options in (("--tag", "north"), ("--view", "north")):
        assert "9:30" in notes("chat", "--quote", "--no-save", *options, stdin=ask).out
        assert "7:10" not in notes("chat", "--quote", "--no-save", *options, stdin=ask).out
    out = notes("chat", "--quote", "--no-save", stdin=b"/view north\n" + ask + b"/view -\n" + ask).lines
    assert any("7:10" in line for line in out[out.index("The ferry to Nesvik leaves at 9:30.") :])


def test_an_empty_vault_says_what_to_type(memos: Shell) -> None:
    done = memos("chat", "--quote", stdin=b"When does the ferry leave?\n/remember It leaves at 7:10.\n")
    assert "Nothing in memory answers this." in done.out
    assert "/remember TEXT, or memos ingest FILE" in done.err


def test_no_save_stores_nothing(notes: Shell) -> None:
    before = notes.ids()
    notes("chat", "--quote", "--no-save", stdin=b"My dog is called Rex.\nWhen does the ferry leave?\n")
    assert notes.ids() == before
    assert notes("stats", "--json").record["questions"] == 0


def test_chats_of_agents_are_their_own(notes: Shell) -> None:
    notes("chat", "--quote", "--as", "agent:coder", stdin=b"When does the ferry leave?\n")
    assert notes("chat", "--quote", "--as", "agent:coder", stdin=b"When does the ferry leave?\n").lines == [
        "Nothing in memory answers this."
    ]
    assert {row["owner"] for row in notes("list", "--as", "agent:coder", "--json").records} == {"agent:coder"}


def test_forget_needs_yes_in_a_script(notes: Shell) -> None:
    lines = b"When does the ferry leave?\n/forget 1\nWhen does the ferry leave?\n"
    notes("chat", "--quote", stdin=lines, code=3)
    done = notes("chat", "--quote", "--yes", stdin=lines)
    assert done.lines[-1] == "Nothing in memory answers this."
    assert NOTES[0] not in notes("list", "--json").out
    assert "7:10" not in notes("search", "ferry", "--json").out


def test_a_vault_that_cannot_be_written(notes: Shell) -> None:
    script = 'mount --bind "$MEMOS_VAULT" "$MEMOS_VAULT" && mount -o remount,bind,ro "$MEMOS_VAULT" && '
    script += 'echo "When does the ferry leave?" | "$0" "$@"'
    done = apart(notes, script, "-m", "memos_cli", "chat", "--quote")
    assert NOTES[0] in done.stdout.decode()
    assert b"this chat is not stored: the vault is read-only" in done.stderr


# --- on a terminal -----------------------------------------------------------------------------------


def test_a_terminal_asks_line_by_line(notes: Shell) -> None:
    answers = [(b"> ", b"When does the ferry leave?\n"), (b"> ", b"/sources\n"), (b"> ", b"\x04")]
    shown = notes.terminal("chat", "--quote", answers=answers).out
    assert NOTES[0] in shown
    assert "[1]" in shown
    assert stat.S_IMODE(history(notes).stat().st_mode) == 0o600
    assert history(notes).read_text() == "When does the ferry leave?\n/sources\n"


def test_the_arrow_key_brings_back_a_line_of_the_last_chat(notes: Shell) -> None:
    notes.terminal("chat", "--quote", answers=[(b"> ", b"When does the ferry leave?\n"), (b"> ", b"\x04")])
    shown = notes.terminal("chat", "--quote", answers=[(b"> ", b"\x1b[A\n"), (b"> ", b"\x04")]).out
    assert NOTES[0] in shown


def test_what_is_private_is_not_in_the_history(notes: Shell) -> None:
    typed = [
        b"/remember The alarm code is 4711.\n",
        b"Is aws_access_key_id = AKIAIOSFODNN7EXAMPLE right?\n",
        b"When does the ferry leave?\n",
    ]
    answers = [*((b"> ", line) for line in typed), (b"> ", b"\x04")]
    notes.terminal("chat", "--quote", answers=answers)
    assert history(notes).read_text() == "When does the ferry leave?\n"
    notes.terminal("chat", "--quote", "--no-save", answers=[(b"> ", b"Who is Rex?\n"), (b"> ", b"\x04")])
    assert "Rex" not in history(notes).read_text()


def test_the_chat_of_an_encrypted_vault_leaves_no_history(shell: Shell) -> None:
    shell("init", "--encrypt", "--key-file", "k")
    answers = [(b"> ", b"Who is Rex?\n"), (b"> ", b"\x04")]
    shell.terminal("chat", "--quote", answers=answers)
    assert not history(shell).exists()
    assert [row["text"] for row in shell("list", "--type", "dialogue", "--json").records][-1] == "Who is Rex?"


def test_forgetting_takes_the_line_out_of_the_history(notes: Shell) -> None:
    answers = [
        (b"> ", b"What is the wall of?\n"), (b"> ", b"When does the ferry leave?\n"), (b"> ", b"/forget 1\n"),
        (b"[y/N]", b"y\n"), (b"> ", b"\x1b[A\x1b[A\n"), (b"> ", b"\x04"),
    ]  # fmt: skip
    shown = notes.terminal("chat", "--quote", answers=answers).out
    assert "forgot" in shown
    assert "ferry" not in history(notes).read_text()
    assert "What is the wall of?" in history(notes).read_text()


def test_ctrl_c_at_the_prompt_ends_no_chat(notes: Shell) -> None:
    ask = b"When does the ferry leave?\n"
    answers = [(b"> ", b"When does\x03"), (b"chat.\r\n", ask), (b"jetty.\r\n", b"/quit\n")]
    assert NOTES[0] in notes.terminal("chat", "--quote", answers=answers, signals=True).out


@pytest.mark.model
def test_ctrl_c_stops_an_answer_and_not_the_chat(notes: Shell) -> None:
    write_model(notes.folder / "tiny.gguf", "llama", context=4096)
    options = ("--temperature", "1", "--max-tokens", "3500")
    ask = "Tell me all about the ferry to Larkspur\n"
    answers = [(b"> ", ask.encode()), (f"{ask.strip()}\r\n".encode(), b"\x03"), (b"(stopped)", b"/quit\n")]
    shown = notes.terminal("chat", *options, answers=answers, env=tiny_reader(notes), signals=True).out
    assert "(stopped)" in shown
    stored = [row["text"] for row in notes("list", "--type", "dialogue", "--json").records]
    assert ask.strip() in stored
    assert len(stored) <= 2


def test_a_process_that_is_ended_has_stored_what_was_shown(notes: Shell) -> None:
    with notes.start("chat", "--quote") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"When does the ferry leave?\n")
        process.stdin.flush()
        assert NOTES[0].encode() in process.stdout.readline()
        process.kill()
    texts = {row["text"] for row in notes("list", "--type", "dialogue", "--json").records}
    assert "When does the ferry leave?" in texts or not texts  # killed at once: whole or not there
    notes.check()


def test_hostile_text_reaches_no_terminal(memos: Shell) -> None:
    memos.keep("placeholder")
    (id,) = memos.ids()
    memos("edit", id, "--text", "The lamp\x1b[2J is \x9b31m red \u202eand\x07 lit.")
    answers = [(b"> ", b"Is the lamp red?\n"), (b"> ", b"/sources\n"), (b"> ", b"\x04")]
    shown = memos.terminal("chat", "--quote", answers=answers, env={"TERM": "dumb"}).out
    assert "red" in shown
    assert not {"\x9b", "\u202e", "\x07"} & {*shown}
    assert "\x1b[2J" not in shown


def test_a_home_without_state_folder(notes: Shell) -> None:
    os.makedirs(notes.folder / "home" / ".local", exist_ok=True)
    (notes.folder / "home" / ".local" / "state").write_text("a file")
    answers = [(b"> ", b"When does the ferry leave?\n"), (b"> ", b"\x04")]
    assert NOTES[0] in notes.terminal("chat", "--quote", answers=answers).out
