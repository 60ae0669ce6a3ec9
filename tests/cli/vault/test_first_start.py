"""Creating a vault: interrupted anywhere, by several processes at once, with the key in the right place."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from cli_harness import Shell

from memos_cli import files
from memos_cli.infrastructure.storage.encryption import new_cipher
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.access import vault_keys
from memos_cli.interface.access.vault_keys import KeyKeeper

QUICK = {"MEMOS_EMBEDDER": "/nowhere"}


def journal_of(tmp_path: Path) -> bytes:
    """What SQLite has in its journal in the middle of making tables."""
    database = tmp_path / "other.db"
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("CREATE TABLE one (n)")
    db.execute("BEGIN")
    db.execute("CREATE TABLE two (n)")
    db.execute("PRAGMA cache_size = 1")
    db.executemany("INSERT INTO two VALUES (?)", [("x" * 500,) for _ in range(100)])
    found = Path(f"{database}-journal").read_bytes()
    db.execute("ROLLBACK")
    db.close()
    assert found
    return found


@pytest.mark.parametrize("content", [b"", b"\0" * 512, None])
@pytest.mark.parametrize("encrypt", [False, True])
def test_a_journal_stops_no_second_init(
    shell: Shell, tmp_path: Path, content: bytes | None, encrypt: bool
) -> None:
    shell.vault.mkdir()
    for name in ("lock", "memos.db", "memos.db-journal"):
        (shell.vault / name).touch(0o600)
    (shell.vault / "memos.db-journal").write_bytes(journal_of(tmp_path) if content is None else content)
    options = ("--encrypt", "--key-file", "k") if encrypt else ()
    shell("init", *options, env=QUICK)
    shell("init", *options, env=QUICK)
    shell.keep("Owls nest low.")
    shell.check()


@pytest.mark.parametrize("options", [(), ("--encrypt", "--key-file", "new/folder/key")])
def test_four_at_once_make_one_vault(shell: Shell, options: tuple[str, ...]) -> None:
    for _ in range(3):
        shutil.rmtree(shell.vault, ignore_errors=True)
        shutil.rmtree(shell.work / "new", ignore_errors=True)
        started = [shell.start("init", *options, env=QUICK) for _ in range(4)]
        ends = [(process.communicate(timeout=60)[1], process.returncode) for process in started]
        assert [code for _, code in ends] == [0] * 4, ends
        shell.keep("Owls nest low.")
        shell.check()


@pytest.mark.parametrize(
    ("call", "points"),
    [("pwrite64", range(1, 90, 9)), ("fdatasync", range(1, 6)), ("fsync", range(1, 12)), ("rename", (1, 2))],
)
def test_an_init_that_was_killed_can_be_run_again(shell: Shell, call: str, points: Iterable[int]) -> None:
    """Killed by strace in its n-th system call of a kind: SQLite's own are among them."""
    if not shutil.which("strace"):
        pytest.skip("no strace")
    command = ("init", "--encrypt", "--key-file", "keys/k")
    traced = ["strace", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e"]
    for n in points:
        shutil.rmtree(shell.vault, ignore_errors=True)
        shutil.rmtree(shell.work / "keys", ignore_errors=True)
        subprocess.run(
            [*traced, f"inject={call}:signal=KILL:when={n}", sys.executable, "-m", "memos_cli", *command],
            env=shell.environment(QUICK), cwd=shell.work, timeout=60, capture_output=True,
        )  # fmt: skip
        shell(*command, env=QUICK)
        shell.check()


# --- the key -------------------------------------------------------------------------------------------


def test_the_folder_of_the_key_is_made_and_an_empty_key_is_filled(shell: Shell) -> None:
    shell("init", "--encrypt", "--key-file", "new/folder/vault.key", env=QUICK)
    shell.keep("Owls nest low.")
    other = shell.vault.with_name("other")
    (shell.work / "empty.key").touch(0o600)
    shell("init", "--encrypt", "--key-file", "empty.key", "--vault", other, env=QUICK)
    assert "AGE-SECRET-KEY" in (shell.work / "empty.key").read_text()


def test_a_key_that_cannot_be_stored_leaves_no_vault(shell: Shell) -> None:
    shell.write("file", "x")
    shell("init", "--encrypt", "--key-file", "file/key", env=QUICK, code=1)
    assert not (shell.vault / "memos.db").exists()
    said = shell("init", "--encrypt", "--key-file", shell.vault / "key", env=QUICK, code=2).err
    assert "inside the vault" in said
    shell("init", env=QUICK)


def test_two_vaults_that_are_made_at_once_share_a_new_key(shell: Shell) -> None:
    vaults = [shell.folder / f"v{n}" for n in range(4)]
    started = [
        shell.start("init", "--encrypt", "--key-file", "k", "--vault", vault, env=QUICK) for vault in vaults
    ]
    assert [process.communicate(timeout=60) and process.returncode for process in started] == [0] * 4
    for vault in vaults:
        shell("list", "--vault", vault)


def test_a_key_in_the_keyring_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The making was cut short after the database was encrypted."""
    kept: dict[str, str] = {}

    def call_keyring(act: str, name: str, *secrets: str, hint: str) -> str | None:
        kept.update(dict.fromkeys([name], *secrets) if secrets else {})
        return kept.get(name)

    monkeypatch.setattr(vault_keys, "_call_keyring", call_keyring)
    with monkeypatch.context() as patch:
        patch.setattr("memos_cli.infrastructure.vault.creation.write_whole", _killed)
        with pytest.raises(KeyboardInterrupt):
            _make(tmp_path / "v")
    with _make(tmp_path / "v") as vault:
        assert vault.cipher
    assert len(kept) == 1
    assert list((tmp_path / "v" / "tmp").iterdir()) == []


def _make(folder: Path) -> Vault:
    keeper = KeyKeeper(None, lambda vault, twice: "", "keyring")
    return Vault.create(folder, principal="user:ann", now=1, timeout=1.0, lock=keeper, encrypt=True)


def _killed(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_a_plain_vault_in_place_of_an_encrypted_one_is_refused(shell: Shell) -> None:
    key = {"MEMOS_KEY_FILE": str(shell.work / "k")}
    shell("init", "--encrypt", "--key-file", "k", env=QUICK)
    shell.keep("Owls nest low.")
    shell.vault.rename(shell.folder / "encrypted")
    assert "not encrypted" in shell("init", env=QUICK | key, code=14).err
    shell("init", env=QUICK)
    for command in ("list", "ingest -", "check", "init", "search owls", "check --repair"):
        assert "not encrypted, but a key is named" in shell(*command.split(), env=QUICK | key, code=14).err
    shell("list")
    shell("list", env={"MEMOS_KEY_FILE": ""})
    shell("list", "--vault", shell.folder / "encrypted", env=key)


# --- power ---------------------------------------------------------------------------------------------


def test_each_new_name_is_synced_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of vault, key and blob: after the last name in a folder is made, the folder is synced."""
    steps: list[tuple[str, str]] = []
    mkdir, replace, sync = Path.mkdir, Path.replace, files.sync_folder

    def noting_mkdir(path: Path, *rest: int, **options: int) -> None:
        mkdir(path, *rest, **options)
        steps.append(("name", str(path.parent)))

    def noting_replace(path: Path, target: Path) -> Path:
        steps.append(("name", str(Path(target).parent)))
        return replace(path, target)

    def noting_sync(folder: Path) -> None:
        sync(folder)
        steps.append(("sync", str(folder)))

    monkeypatch.setattr(Path, "mkdir", noting_mkdir)
    monkeypatch.setattr(Path, "replace", noting_replace)
    monkeypatch.setattr(files, "sync_folder", noting_sync)
    keeper = KeyKeeper(tmp_path / "keys" / "deep" / "k", lambda vault, twice: "", "file")
    with Vault.create(
        tmp_path / "new" / "vault", principal="user:ann", now=1, timeout=1.0, lock=keeper, encrypt=True
    ) as vault:
        vault.blobs.put(new_cipher().seal(b"data"))
    assert {str(tmp_path), str(tmp_path / "keys" / "deep"), str(tmp_path / "new" / "vault" / "blobs")} <= {
        folder for what, folder in steps if what == "name"
    }
    for at, (what, folder) in enumerate(steps):
        if what == "name":
            assert ("sync", folder) in steps[at + 1 : at + 3], steps
