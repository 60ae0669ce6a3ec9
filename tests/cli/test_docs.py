"""The documents say what the code does: every command, option, setting, exit code, table, column and link."""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from memos_cli.cli import commands
from memos_cli.cli.app import build
from memos_cli.infrastructure.storage.schema import migrate
from memos_cli.settings import Settings, key_of

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "memos_cli" / "guides").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "store_format.md", *GUIDES]
MOST_WORDS = {"README.md": 1500, "store_format.md": 5500}
FOREIGN = {"--lora", "--token", "--force"}
"""An option of llama.cpp, one with a secret in an example, and one that does not exist."""


@pytest.mark.parametrize("script", ["docs", "schema"])
def test_what_scripts_write_into_the_documents_is_current(script: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_of_commands_is_what_exists() -> None:
    def walk(group: Any, above: str = "") -> Iterator[str]:
        for name, command in group.commands.items():
            if not hasattr(command, "commands") or command.invoke_without_command:
                yield above + name
            yield from walk(command, f"{above}{name} ") if hasattr(command, "commands") else ()

    listed = [path for paths in commands.COMMANDS.values() for path in paths]
    assert sorted(walk(typer.main.get_command(build()))) == sorted(listed)
    assert commands.GROUPS.keys() | commands.HIDDEN <= {word for path in listed for word in above(path)}


def above(path: str) -> list[str]:
    """The path and all that stands before it."""
    words = path.split()
    return [" ".join(words[:count]) for count in range(1, len(words) + 1)]


def test_a_command_line_sets_up_the_commands_that_it_names() -> None:
    built: Any = typer.main.get_command(build(["--vault", "show", "search"]))
    assert "search" in built.commands and "init" not in built.commands
    old: Any = typer.main.get_command(build(["subscribe", "https://example.org"]))
    assert [*old.commands] == ["feed"]


def test_help_tells_the_exit_codes() -> None:
    output = CliRunner().invoke(build(), ["--help"]).output
    assert all(f"{code} " in output for code in (0, 1, 2, 3, 10, 11, 12, 13, 14, 15)) and "130/143" in output


def test_the_store_format_names_every_table_and_column(tmp_path: Path) -> None:
    text = (ROOT / "store_format.md").read_text(encoding="utf-8")
    db = sqlite3.connect(tmp_path / "memos.db", isolation_level=None)
    migrate(db)
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    own = [name for name in tables if not name.startswith(("sqlite_", "words_"))]
    for table in own:
        for _, column, *_ in db.execute(f"PRAGMA table_info({table})"):
            assert re.search(rf"`(?:{table}\.)?{column}`", text), f"{table}.{column} is not explained"
    db.close()


def test_the_readme_opens_with_the_two_commands() -> None:
    opening = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:12]
    assert any(line.startswith("scripts/demo") for line in opening)
    assert any(line.startswith("scripts/test") for line in opening)


@pytest.mark.parametrize(("document", "most"), MOST_WORDS.items())
def test_the_main_documents_are_short(document: str, most: int) -> None:
    assert len((ROOT / document).read_text(encoding="utf-8").split()) <= most


def test_the_readme_links_each_guide() -> None:
    linked = re.findall(r"\]\((memos_cli/guides/[^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {ROOT / path for path in linked} == {*GUIDES}
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## Read on")[1]
    assert all(f"| [{guide.stem}](memos_cli/guides/{guide.name}) |" in table for guide in GUIDES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_files_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text):
        if target.startswith("https://"):
            continue
        file = (document.parent / target).resolve() if target else document
        assert file.exists(), f"{document.name} links to {target}"
        headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in anchors, f"{document.name} links to {target}#{anchor}"
    for path in set(re.findall(r"(?:scripts|tests|memos_cli)/[\w./-]*\w", text)):
        assert (ROOT / path).exists(), f"{document.name} names {path}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_documents_exist(document: Path) -> None:
    root: Any = typer.main.get_command(build())
    for line in find_commands(document.read_text(encoding="utf-8")):
        try:
            words = shlex.split(line)
        except ValueError:  # the quotation goes on beyond what was cut off
            words = line.split()
        command = root
        while words and hasattr(command, "commands") and not words[0].startswith("-"):
            if words[0] not in command.commands and command.invoke_without_command and command is not root:
                break
            assert words[0] in command.commands, f"{document.name}: memos {line}"
            command = command.commands[words.pop(0)]
        known = {"-h", *list_options(command)}
        for word in words:
            option = word.split("=")[0]
            assert not re.match(r"--?[a-z]", option) or option in known, f"{document.name}: memos {line}"


def list_options(command: Any) -> set[str]:
    return {"--help", *(name for each in command.params for name in (*each.opts, *each.secondary_opts))}


def find_commands(text: str) -> Iterator[str]:
    """The commands of memos in blocks and in inline code, without ``memos``, up to a pipe or a comment."""
    blocks = re.findall(r"^```(?:sh|console|cron)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    pattern = r"(?:^|[$|(] ?|\* +|`)memos\s+([^|#<>)`\n]+(?:\n--[^|#<>)`\n]+)?)"
    for code in (*blocks, *re.findall(r"`([^`]+)`", rest)):
        for line in re.findall(pattern, code, re.MULTILINE):
            if not line[0].isupper():  # memos COMMAND --help
                yield " ".join(line.split()).rstrip("… ")


@pytest.mark.parametrize("document", [ROOT / "README.md", *GUIDES], ids=lambda path: path.name)
def test_options_and_settings_in_documents_exist(document: Path) -> None:
    if document.name == "figures.md":  # its options are those of scripts
        return
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    known = set(FOREIGN)
    pending: list[Any] = [typer.main.get_command(build())]
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        known |= list_options(command)
    code = " ".join(re.findall(r"`((?:memos|-)[^`]+)`", text))  # not those of other programs
    assert {*re.findall(r"(?<!\S)--[a-z-]+\b", code)} <= known
    keys = {key_of(field) for field in fields(Settings)} | {"parametric.relevance"}
    groups = "|".join({key.split(".")[0] for key in keys if "." in key})
    assert {*re.findall(rf"`((?:{groups})\.[a-z_]+)\b", text)} <= keys | {"key.age"}  # a file


@pytest.mark.parametrize(
    "wrong",
    [
        "`memos serach x`",
        "```sh\nmemos search --kk 3\n```",
        "```console\n$ echo a | memos ingset -\n```",
        "```cron\n0 6 * * *  memos updaet -q\n```",
        "as in `memos\ningest --no-vectors`",
    ],
)
def test_a_wrong_command_in_a_document_is_found(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "x.md").write_text(wrong)
    with pytest.raises(AssertionError):
        test_commands_in_documents_exist(tmp_path / "x.md")


def test_the_map_for_contributors_names_what_exists() -> None:
    package = ROOT / "memos_cli"
    text = (package / "README.md").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`([\w./-]+)`", text) if "/" in name or name.endswith(".py")]
    assert len(named) > 40
    assert [name for name in named if not (package / name).exists() and not (ROOT / name).exists()] == []
    rooms = [each.name for each in (package / "interface").iterdir() if (each / "__init__.py").exists()]
    assert [room for room in rooms if f"interface/{room}" not in text] == []
