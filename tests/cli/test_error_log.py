"""The log file of an unexpected error: what it has, what it must not have, and how many are kept."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from unittest import mock

import pytest
from cli_harness import Shell

from memos_cli.cli.error_log import KEPT, write_error_log

BROKEN = """
import sys
from memos_cli.__main__ import main
from memos_cli.infrastructure.vault.vault import Vault

def fail(*arguments, **options):
    raise KeyError("the word larkspur")

Vault.open = fail
sys.argv[0] = "memos"
main()
"""


def run(shell: Shell, state: Path, *arguments: str) -> str:
    """Run a ``memos`` whose search fails, in a process of its own. Returns what it writes to stderr."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", BROKEN, *arguments],
        env={**shell.environment(), "XDG_STATE_HOME": str(state)}, cwd=shell.work, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_an_unexpected_error_writes_a_log_that_has_no_text_of_the_user(memos: Shell, tmp_path: Path) -> None:
    said = run(memos, tmp_path / "state", "search", "larkspur", "-k", "7", "--tag=secretplan")
    (path,) = (tmp_path / "state" / "memos" / "log").iterdir()
    assert str(path) in said and "internal error: KeyError" in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    for wanted in (
        "command: memos search -k --tag\n", "memos-cli ", "Python ", "SQLite ", "llama-cpp-python ",
        "platform: ", "Traceback", "KeyError", "app.py",
    ):  # fmt: skip
        assert wanted in text, wanted
    for secret in ("larkspur", "secretplan"):
        assert secret not in text


def test_the_newest_logs_are_kept(tmp_path: Path) -> None:
    with mock.patch.dict("os.environ", {"XDG_STATE_HOME": str(tmp_path)}):
        paths = [write_error_log(ValueError("no"), [], ()) for _ in range(KEPT + 3)]
    assert {*(tmp_path / "memos" / "log").iterdir()} == {*paths[3:]}


def test_a_state_folder_that_cannot_be_made_is_no_second_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with mock.patch.dict("os.environ", {"XDG_STATE_HOME": str(tmp_path / "file")}):
        assert write_error_log(ValueError("no"), ["search"], ("search",)) is None


def test_the_cause_is_logged_by_its_type_alone() -> None:
    from memos_cli.cli.error_log import _frames

    with pytest.raises(ValueError) as caught:
        try:
            raise KeyError("larkspur")
        except KeyError as error:
            raise ValueError("larkspur") from error
    text = "\n".join(_frames(caught.value))
    lines = text.splitlines()
    assert "KeyError" in lines and lines[-1] == "ValueError"
