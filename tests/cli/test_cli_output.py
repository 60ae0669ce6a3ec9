"""How results are printed: on a terminal, into a pipe, as JSON; and how failures are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_harness import Shell

EVIL = "Press \x1b[2J\x1b]0;owned\x07 any\x9b31m key \x08\x08\x08now"
CLEAN = "Press [2J]0;owned any31m key now"


@pytest.fixture
def evil(memos: Shell) -> str:
    """The id of a memory that would play with the terminal."""
    (id,) = memos.keep("placeholder")
    memos("edit", id, "--text", EVIL)
    return id


def test_control_characters_reach_a_program_and_not_a_terminal(memos: Shell, evil: str) -> None:
    assert EVIL in memos("show", evil).out
    shown = memos.terminal("show", evil).out
    assert CLEAN in shown
    assert not {"\x1b", "\x07", "\x08", "\x9b"} & set(shown)
    assert memos("show", evil, "--json").record["text"] == EVIL


def test_a_table_on_a_terminal_is_clean_too(memos: Shell, evil: str) -> None:
    shown = memos.terminal("list", env={"NO_COLOR": "1", "COLUMNS": "200"}).out
    assert CLEAN in shown
    assert "\x1b]" not in shown
    assert "\x07" not in shown
    assert "text" in shown.splitlines()[0]


def test_markup_in_a_memory_is_text(memos: Shell) -> None:
    memos.keep("See [bold red]here[/bold red] and [link=http://evil]there[/link].")
    shown = memos.terminal("list", env={"NO_COLOR": "1", "COLUMNS": "200"}).out
    assert "[bold red]here[/bold red]" in shown


def test_a_program_gets_one_line_a_row_with_tabs_and_no_headers(memos: Shell) -> None:
    ids = memos.keep("One\tand a half.", "Two.")
    memos("edit", ids[1], "--text", "Two\nlines\tand a tab.")
    rows = memos("list").rows
    assert [len(row) for row in rows] == [5, 5]
    assert [row[3] for row in rows] == ["Two lines and a tab.", "One and a half."]


def test_a_note_is_no_result(memos: Shell) -> None:
    result = memos("ingest", "-", "--no-embed", stdin=b"One.")
    assert result.out == "added 1  versions 0  unchanged 0  archived 0  embedded 0\n"
    assert "memos embed" in result.err
    assert memos("-q", "ingest", "-", "--no-embed", stdin=b"Two.").err == ""


def test_no_progress_without_a_terminal(memos: Shell) -> None:
    memos.write("a.txt", "".join(f"Line {n}.\n" for n in range(500)))
    assert memos("ingest", "a.txt", "--lines", "--no-embed", "--json").err == ""


def test_json_keeps_other_scripts_readable(memos: Shell) -> None:
    memos.keep("气候政策 — façade 😀")
    assert "气候政策 — façade 😀" in memos("list", "--json").out


def test_a_failure_says_what_and_what_to_type_next(shell: Shell) -> None:
    failed = shell("list", code=10)
    assert failed.out == ""
    assert failed.err == (
        f"memos: there is no vault at {shell.vault}\n"
        "  try: create one with `memos init`, or name one with --vault\n"
    )


def test_a_failure_is_an_object_where_results_are(shell: Shell) -> None:
    failed = shell("list", "--json", code=10)
    assert failed.out == ""
    assert failed.error == {
        "message": f"there is no vault at {shell.vault}",
        "hint": "create one with `memos init`, or name one with --vault",
        "code": 10,
    }


def test_a_traceback_is_shown_only_for_debug(shell: Shell) -> None:
    assert "Traceback" not in shell("list", code=10).err
    assert "Traceback" in shell("--debug", "list", code=10).err


def test_a_failure_does_not_play_with_the_terminal(memos: Shell) -> None:
    assert "\x1b" not in memos("show", "\x1b[2J", code=2).err.replace(repr("\x1b[2J"), "")


def test_a_reader_that_leaves_is_no_failure_of_ours(memos: Shell) -> None:
    memos("ingest", "-", "--lines", "--no-embed", stdin=b"".join(b"Line %d.\n" % n for n in range(5000)))
    with memos.start("list", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output_is_reported(memos: Shell) -> None:
    memos.keep("One.")
    with open("/dev/full", "wb") as full, memos.start("list", stdout=full) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"disk is full" in err
    assert b"Traceback" not in err


def test_a_terminal_without_utf8_is_no_reason_to_fail(memos: Shell) -> None:
    memos.keep("气候政策 😀")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    with memos.start("list", env=ascii_only) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    assert out


def test_closed_streams_are_nowhere_and_no_failure(memos: Shell) -> None:
    memos.keep("One.")
    for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        for command in ("list", "ingest - --no-embed"):
            script = f'exec "$0" -m memos_cli {command} {closing}'
            done = subprocess.run(
                ["sh", "-c", script, sys.executable], env=memos.environment(), stdin=subprocess.DEVNULL,
                capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (closing, command, done.stderr)


def test_a_program_gets_the_whole_text(memos: Shell) -> None:
    text = "A long memory. " * 20
    memos.keep(text)
    assert memos("list").rows[0][3] == memos("search", "memory").rows[0][2] == text.strip()
    assert "…" in memos.terminal("list").out


def test_closed_standard_error_does_not_hide_the_exit_code(shell: Shell) -> None:
    with open(os.devnull, "wb") as nowhere, shell.start("list", stderr=nowhere) as process:
        assert process.wait(timeout=60) == 10
