"""``memos man``: a page for each command, that man can show, with all of its help."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_harness import Shell

from memos_cli.cli.commands import COMMANDS, GROUPS, HIDDEN
from memos_cli.cli.help.manuals import _escape, pages

LISTED = {path for paths in COMMANDS.values() for path in paths} - HIDDEN


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("man1")
    for name, text in pages():
        (target / f"{name}.1").write_text(text)
    return target


def test_every_command_and_group_has_a_page(shell: Shell) -> None:
    target = shell.work / "share" / "man1"
    named = {"memos", *(f"memos-{path.replace(' ', '-')}" for path in LISTED | GROUPS.keys())}
    assert shell("man", target, "--json").record == {"folder": str(target), "pages": len(named)}
    assert {file.stem for file in target.iterdir()} == named


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_finds_nothing_wrong(folder: Path) -> None:
    command = ["mandoc", "-T", "lint", "-W", "warning", *sorted(folder.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
@pytest.mark.parametrize("command", ["edit", "mcp", "view set", ""])
def test_a_page_shows_what_help_shows(folder: Path, shell: Shell, command: str) -> None:
    help = shell(*command.split(), "--help", env={"COLUMNS": "100"}).out
    page = folder / f"{'-'.join(['memos', *command.split()])}.1"
    groff = ["groff", "-man", "-t", "-Tutf8", "-P-cbou", "-rLL=300n", "-ww", page]
    done = subprocess.run(groff, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr
    shown = done.stdout.replace("\u2010", "-").replace("\u2212", "-")
    for option in set(re.findall(r"--[a-z][\w-]+", help.split("Exit codes")[0])):
        assert option in shown, option
    for example in re.findall(r"^  (memos .*)$", help.partition("Example:")[2], re.MULTILINE):
        assert example in shown
    assert shown.count("EXAMPLES") == (1 if command else 0)


@pytest.mark.parametrize(
    ("text", "roff"),
    [
        ("a-b", r"a\-b"), (r"a\nb", r"a\enb"), (".so /etc/passwd", r"\&.so /etc/passwd"),
        ("'x", r"\&'x"), ('"x"', r"\(dqx\(dq"), ("ID…", r"ID\[u2026]"), ("plain.", "plain."),
    ],
)  # fmt: skip
def test_nothing_in_a_text_is_a_request_of_roff(text: str, roff: str) -> None:
    assert _escape(text) == roff


def test_pages_have_no_line_of_another_kind() -> None:
    requests = {"TH", "SH", "B", "BR", "TP", "PP", "nf", "fi"}
    for name, text in pages():
        found = set(re.findall(r"^[.'](\w*)", text, re.MULTILINE))
        assert found <= requests, name


def test_a_folder_that_cannot_be_written_is_named(shell: Shell) -> None:
    file = shell.write("file", "")
    assert str(file) in shell("man", file, code=1).err
