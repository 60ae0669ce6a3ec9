"""The documents say what the code does: every command, setting, exit code, table and column."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from memos_cli.cli import commands
from memos_cli.cli.app import build
from memos_cli.infrastructure.storage.schema import migrate

ROOT = Path(__file__).parent.parent
COMMANDS = [path for paths in commands.COMMANDS.values() for path in paths if path != "view create"]


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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_of_itself(command: str) -> None:
    result = CliRunner().invoke(build(), [*command.split(), "--help"])
    assert result.exit_code == 0
    assert re.search(rf"Example:\n.*memos {command}\b", result.output, re.DOTALL), result.output


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


def test_every_file_that_the_documents_name_exists() -> None:
    for document in ("README.md", "store_format.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for path in set(re.findall(r"(?:scripts|tests|memos_cli)/[\w./-]*\w", text)):
            assert (ROOT / path).exists(), f"{document} names {path}"
