"""A user without a name or a home folder, as in a container with only a user id."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest
from cli_harness import Shell

from memos_cli.errors import UsageError
from memos_cli.folders import cache_folder, config_file, expand_home
from memos_cli.settings import Settings, check_principal, principal_of, vault_folder

VARIABLES = (
    "HOME",
    "LOGNAME",
    "USER",
    "LNAME",
    "USERNAME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No name, no home folder; a temporary folder of the test's own."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder that MEMOS_CACHE or MEMOS_CONFIG names (conftest sets both)."""
    for name in ("MEMOS_CACHE", "MEMOS_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_the_number_is_the_name() -> None:
    assert principal_of(Settings()) == f"user:{os.getuid()}"


@pytest.mark.usefixtures("no_cache")
def test_there_is_no_config_file_and_the_cache_is_temporary(tmp_path: Path) -> None:
    assert config_file() is None
    assert cache_folder() == tmp_path / f"memos-cache-{os.getuid()}"
    assert cache_folder().stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("home", ["/proc", "/dev/null"])
def test_a_home_folder_that_cannot_be_written_is_no_place_for_a_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str
) -> None:
    monkeypatch.setenv("HOME", home)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache_folder().parent == tmp_path


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("kind", ["open folder", "link", "file"])
def test_no_model_is_loaded_from_a_cache_of_somebody_else(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"memos-cache-{os.getuid()}"
    if kind == "open folder":
        path.mkdir()
        path.chmod(0o777)
    elif kind == "link":
        (tmp_path / "other").mkdir(mode=0o700)
        path.symlink_to(tmp_path / "other")
    else:
        path.touch()
    with pytest.raises((UsageError, FileExistsError)):
        cache_folder()


def test_only_what_needs_a_home_folder_asks_for_one(tmp_path: Path) -> None:
    assert vault_folder(Settings(vault=str(tmp_path))) == tmp_path
    for failing in (
        lambda: vault_folder(Settings()),
        lambda: vault_folder(Settings(vault="~/v")),
        lambda: expand_home("~nobody-at-all/v"),
    ):
        with pytest.raises(UsageError) as caught:
            failing()
        assert "HOME" in caught.value.hint


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("list",), 0), (("search", "boat"), 0), (("config",), 0), (("check",), 0), (("models",), 0),
        (("stats",), 0), (("key", "show"), 2), (("token", "list"), 0), (("cron",), 0),
        (("embed", "--embedder", "~/x.gguf"), 2),
    ],
)  # fmt: skip
def test_commands_work_with_a_named_vault(
    memos: Shell, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], code: int
) -> None:
    environment = {k: v for k, v in memos.environment().items() if k not in (*VARIABLES, "MEMOS_AS")}
    monkeypatch.setattr(Shell, "environment", lambda self, extra=None: environment)
    memos(*command, code=code)


@pytest.mark.parametrize(
    "name", ["", "user:", "user: ", "ann", "group:x", "user:a\x1b[31m", "agent:a\nb", "user:\u202e"]
)
def test_names_are_of_a_known_kind_and_can_be_seen(name: str) -> None:
    with pytest.raises(UsageError):
        check_principal(name)
