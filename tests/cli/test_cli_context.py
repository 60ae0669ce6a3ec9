"""Global options, the vault's state, and the exit codes that follow from it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cli_harness import Shell, make_vault

from memos_cli.infrastructure.storage.schema import FORMAT

NEED_A_VAULT = [
    ("ingest", "-"), ("embed",), ("search", "x"), ("query", "x"), ("list",), ("show", "01"),
    ("edit", "01", "--text", "x"), ("tag", "01", "--add", "x"), ("forget", "01", "--yes"), ("history", "01"),
    ("stats",), ("check",), ("view", "list"), ("view", "set", "x", "--tag", "x"), ("view", "remove", "x"),
    ("promote", "01", "--to", "activation"), ("demote", "01"), ("gate", "01"), ("pin", "01"), ("unpin", "01"),
    ("grant", "vault", "agent:x"), ("grant",), ("revoke", "vault", "agent:x"), ("access", "01"),
    ("group", "add", "group:x", "agent:x"), ("group", "list"), ("task", "list"), ("task", "done", "x"),
    ("token", "create", "agent:x"), ("token", "list"), ("token", "revoke", "1"), ("token", "require"),
]  # fmt: skip
WRITE = [
    ("ingest", "-", "--no-embed"), ("tag", "{id}", "--add", "x"), ("edit", "{id}", "--text", "x"),
    ("forget", "{id}", "--yes"), ("view", "set", "x", "--tag", "x"),
    ("pin", "{id}"), ("unpin", "{id}"), ("demote", "{id}"), ("grant", "{id}", "agent:x"),
    ("group", "add", "group:x", "agent:x"), ("token", "create", "agent:x"),
]  # fmt: skip


@pytest.mark.parametrize("command", NEED_A_VAULT, ids=" ".join)
def test_without_a_vault_every_command_ends_with_10_and_makes_none(
    shell: Shell, command: tuple[str, ...]
) -> None:
    assert "memos init" in shell(*command, code=10).err
    assert not shell.vault.exists()


def test_a_vault_that_is_a_file_is_no_vault(shell: Shell) -> None:
    shell.vault.write_text("not a folder")
    shell("list", code=10)
    shell("init", code=2)


# --- options before and after the command -------------------------------------------------------------


def test_options_stand_before_or_after_the_command(memos: Shell) -> None:
    memos.keep("One.")
    for arguments in (("--json", "list"), ("list", "--json")):
        assert memos(*arguments).record["text"] == "One."
    elsewhere = {"MEMOS_VAULT": "/nowhere"}
    for arguments in (("--vault", memos.vault, "list"), ("list", "--vault", memos.vault)):
        assert len(memos(*arguments, env=elsewhere).rows) == 1


def test_the_later_vault_wins(memos: Shell) -> None:
    memos("--vault", memos.vault, "list", "--vault", "/nowhere", code=10)


def test_a_principal_is_a_user_or_an_agent(memos: Shell) -> None:
    (id,) = memos.keep("One.")
    assert memos("show", id, "--json").record["owner"] == "user:ann"
    for name in ("eve", "user:", "robot:r2"):
        memos("--as", name, "list", code=2)


def test_usage_errors_end_with_2(shell: Shell) -> None:
    for arguments in (
        ("frobnicate",),
        ("list", "--frob"),
        ("ingest",),
        ("search", "x", "-k", "few"),
        ("tag", "01"),
    ):
        shell(*arguments, code=2)


def test_help_and_version_need_no_vault(shell: Shell) -> None:
    assert shell("--version").out.startswith("memos ")
    assert "Exit codes" in shell("--help").out


def test_help_lists_all_commands_whatever_else_is_typed(shell: Shell) -> None:
    for arguments in (("--help",), ("--help", "search")):
        out = shell(*arguments).out
        assert all(name in out for name in ("init", "ingest", "query", "forget", "check", "view"))


NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    "command",
    [
        ("edit", "{id}", "--title", NOT_UTF8),
        ("tag", "{id}", "--add", NOT_UTF8),
        ("tag", "{id}", "--add", ""),
        ("tag", "{id}", "--add", "a\x1fb"),
        ("view", "set", NOT_UTF8, "--tag", "x"),
        ("view", "set", " ", "--tag", "x"),
        ("ingest", "-", "--no-embed", "--source", NOT_UTF8),
        ("ingest", "-", "--no-embed", "--tag", ""),
        ("ingest", "-", "--no-embed", "--priority", "9" * 25),
        ("ingest", "-", "--no-embed", "--time", "9999-12-31T23:59:59-12:00"),
        ("ingest", ""),
        ("search", "one", "-k", "9" * 25),
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(memos: Shell, command: tuple[str, ...]) -> None:
    (id,) = memos.keep("One.")
    before = memos("list", "--json").out
    memos(*(part.format(id=id) for part in command), stdin=b"Two.", code=2)
    assert memos("list", "--json").out == before


def test_a_file_whose_name_is_not_utf8_is_a_source(memos: Shell) -> None:
    memos.write(NOT_UTF8, "Odd name.")
    memos("ingest", NOT_UTF8, "--no-embed")
    (place,) = memos("show", memos.ids().pop(), "--json").record["places"]
    assert place["reads"] == "same"


# --- times ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time", ["2026-05-01", "2026-05-01T10:00:00+02:00", "30d", "last week", "上个月", "May 2023"]
)
def test_times_are_read_as_people_write_them(memos: Shell, time: str) -> None:
    memos("list", "--after", time)


@pytest.mark.parametrize("time", ["whenever", "2026-02-30", "99999-01-01", "30q", "\x00"])
def test_what_is_no_time_is_refused(memos: Shell, time: str) -> None:
    memos("list", "--after", time, code=2)


# --- vaults that cannot be used -------------------------------------------------------------------------


def damage_identity(vault: Path) -> None:
    (vault / "VAULT.toml").write_text("format = one")


def damage_database(vault: Path) -> None:
    (vault / "memos.db").write_bytes(b"garbage" * 1000)


def empty_database(vault: Path) -> None:
    (vault / "memos.db").write_bytes(b"")


def remove_database(vault: Path) -> None:
    (vault / "memos.db").unlink()


@pytest.mark.parametrize("damage", [damage_identity, damage_database, empty_database, remove_database])
def test_a_damaged_vault_ends_with_12_and_check_tells_what_is(
    shell: Shell, damage: Callable[[Path], None]
) -> None:
    make_vault(shell)
    for leftover in shell.vault.glob("memos.db-*"):
        leftover.unlink()
    damage(shell.vault)
    for command in (("list",), ("ingest", "-", "--no-embed"), ("search", "x")):
        failed = shell(*command, code=12)
        assert "damaged" in failed.err or "missing" in failed.err or "empty" in failed.err
        assert "try:" in failed.err
    found = shell("check", "--json", code=1).record
    assert found["findings"][0]["rule"] == "must"
    shell("check", "--repair", code=1)


def newer_identity(vault: Path) -> None:
    path = vault / "VAULT.toml"
    path.write_text(path.read_text().replace(f"format = {FORMAT}", "format = 99"))


def newer_tables(vault: Path) -> None:
    with closing(sqlite3.connect(vault / "memos.db")) as db:
        db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("age", [newer_identity, newer_tables])
def test_a_vault_of_a_newer_program_is_left_alone(shell: Shell, age: Callable[[Path], None]) -> None:
    make_vault(shell)
    age(shell.vault)
    for command in (("list",), ("ingest", "-", "--no-embed"), ("init",), ("check",), ("check", "--repair")):
        assert "99" in shell(*command, code=13).err


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The vault's lock, held alone by somebody else."""
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Somebody else's transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


@pytest.mark.parametrize("command", WRITE, ids=" ".join)
def test_a_write_to_a_held_vault_ends_with_11_and_changes_nothing(
    memos: Shell, command: tuple[str, ...]
) -> None:
    (id,) = memos.keep("One.")
    arguments = [part.format(id=id) for part in command]
    quick = {"MEMOS_LOCK_TIMEOUT": "0.05"}
    with held(memos.vault / "lock"):
        assert "lock.timeout" in memos(*arguments, stdin=b"Two.", env=quick, code=11).err
    with writing(memos.vault / "memos.db"):
        assert "lock.timeout" in memos(*arguments, stdin=b"Two.", env=quick, code=11).err
    assert [row["text"] for row in memos("list", "--json").records] == ["One."]


def test_readers_need_no_lock(memos: Shell) -> None:
    (id,) = memos.keep("One.")
    with held(memos.vault / "lock"):
        for command in (("list",), ("show", id), ("search", "one"), ("stats",), ("history", id)):
            memos(*command)


def test_what_cannot_be_audited_is_not_shown(memos: Shell) -> None:
    (id,) = memos.keep("One.")
    quick = {"MEMOS_LOCK_TIMEOUT": "0.05"}
    with writing(memos.vault / "memos.db"):
        for command in (("show", id), ("search", "one")):
            assert "One." not in memos(*command, env=quick, code=11).out
