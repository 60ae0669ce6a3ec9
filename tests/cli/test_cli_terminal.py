"""Narrow terminals, and hostile text on terminals: tables, JSON, exports."""

from __future__ import annotations

import re

import pytest
from cli_harness import Shell

TEXTS = (
    "The boat is blue and white and lies at the second jetty of the harbour.",
    "你好世界这是一个很长的句子关于气候政策的讨论以及其他许多事情",
    "Чайник закипает ровно в пять часов вечера каждый день недели.",
)
EVIL = "Press \x1b[2J\x1b]0;owned\x07 \x9b31m\x7f \u202egnp.exe\u2066 now"
HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\x1b(?!\\[[0-9;]*m)")


@pytest.mark.parametrize("columns", [40, 56, 60, 80, 100, 200])
@pytest.mark.parametrize("command", ["list", "search boat 你好世界 Чайник"])
def test_the_text_is_shown_at_every_width(memos: Shell, columns: int, command: str) -> None:
    memos.write("a-long-name-of-a-file-of-notes.txt", "\n".join(TEXTS))
    ids = memos("ingest", "a-long-name-of-a-file-of-notes.txt", "--lines", "--no-embed", "--json").record[
        "ids"
    ]
    name, *words = command.split(" ", 1)
    env = {"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"}
    shown = memos.terminal(name, *words, env=env).out
    for text in TEXTS:
        assert text[:12] in shown
    assert all(id in shown for id in ids)
    assert len(shown.splitlines()) <= 3 * len(TEXTS) + 1


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize(
    "command", ["config", "models", "view list", "audit", "access ID", "maintain --dry-run"]
)
def test_no_table_loses_its_words(memos: Shell, columns: int, command: str) -> None:
    (id,) = memos.keep("One.")
    env = {"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"}
    shown = memos.terminal(*command.replace("ID", id).split(), env=env).out
    for cell in memos(*command.replace("ID", id).split()).out.split("\t"):
        word = cell.split()[0] if cell.split() and not cell[:2].isdigit() else ""
        assert word in shown.replace("\r\n", "") or word in shown


@pytest.mark.parametrize(
    "command", ["list", "list --json", "show ID", "show ID --json", "history ID", "export --format markdown",
                "export --format jsonl", "search press", "search press --json",
                "query press --quote", "stats"],
)  # fmt: skip
def test_nothing_harmful_reaches_a_terminal(memos: Shell, command: str) -> None:
    (id,) = memos.keep("placeholder")
    memos("edit", id, "--text", EVIL)
    shown = memos.terminal(*command.replace("ID", id).split(), env={"TERM": "dumb"}).out
    assert not HARMFUL.search(shown), repr(shown)


def test_json_escapes_what_it_does_not_print(memos: Shell) -> None:
    (id,) = memos.keep("placeholder")
    memos("edit", id, "--text", EVIL)
    result = memos("show", id, "--json")
    assert not HARMFUL.search(result.out)
    assert result.record["text"] == EVIL


def test_a_bundle_is_not_printed_to_a_terminal(memos: Shell) -> None:
    memos.keep("One.")
    assert "-o FILE" in memos.terminal("export", code=2).out


@pytest.mark.parametrize(
    "command", ["grant vault user:a\x1b[2J", "group add group:a\x07 user:x", "group add group:x user:\u202e",
                "token create agent:\x9b", "list --as user:\x1b"],
)  # fmt: skip
def test_invisible_names_of_principals_and_groups_are_refused(memos: Shell, command: str) -> None:
    memos(*command.split(" "), code=2)


def test_other_lines_of_a_crontab_stay_as_they_are(memos: Shell) -> None:
    tab, crontab = memos.folder / "tab", memos.folder / "bin" / "crontab"
    before = b'# fr\xfch am Morgen\x0b\x85\n@daily echo "a%b"\n'
    tab.write_bytes(before)
    crontab.parent.mkdir()
    crontab.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then cat "{tab}"; else cat > "{tab}"; fi\n')
    crontab.chmod(0o755)
    env = {"PATH": f"{crontab.parent}:/usr/bin:/bin"}
    memos("cron", "--install", env=env)
    assert tab.read_bytes().startswith(before)
    memos("cron", "--remove", env=env)
    assert tab.read_bytes() == before


@pytest.mark.parametrize(("name", "code"), [("50% of $HOME's #1", 0), ("new\nline", 2), ("return\r", 2)])
def test_the_folder_of_a_vault_in_crontab_and_units(shell: Shell, name: str, code: int) -> None:
    folder = shell.work / name
    shell("init", "--vault", folder)
    shell("cron", "--vault", folder, code=code)
    shown = shell("cron", "--systemd", "--vault", folder, code=code).out
    if not code:
        assert "50%% of" in shown
        assert not re.search("[^%]%(?!%)", shown)
