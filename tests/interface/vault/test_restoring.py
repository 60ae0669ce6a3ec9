"""Restoring a vault: the same vault again, never over another one, and nothing that a hostile backup says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_harness import REPOSITORY, Shell, make_vault
from crash_harness import kill_everywhere
from crash_runner import read_content

from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vectors import vector_index

CAT = "My cat is called Miso."


@pytest.fixture
def backed(shell: Shell) -> Shell:
    """A user with a vault and a backup of it in ``folder/backups``."""
    make_vault(shell)
    shell.keep(CAT, "Owls nest low.", options=("--tag", "home"))
    with Vault.open(shell.vault, timeout=1.0) as vault, vault.blob_changes() as names:
        name = vault.blobs.put(b"converted text", names)
        with vault.change("user:ann", 1_700_000_000_000) as change:
            change.db.execute("UPDATE source SET blob = ?", (name,))
    shell("backup", shell.folder / "backups")
    return shell


def folder(shell: Shell) -> Path:
    return shell.folder / "backups"


def new(shell: Shell) -> Path:
    return shell.folder / "new"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_restored_vault_goes_on_where_it_was(backed: Shell) -> None:
    head = backed("audit", "--head").out.strip()
    token = backed("token", "create", "user:ann", "--role", "writer").out.strip()
    backed("grant", "tag:home", "agent:x")
    backed("backup", folder(backed))
    answers = [
        backed(*each).out for each in (("search", "cat"), ("list",), ("search", "owls", "--as", "agent:x"))
    ]
    done = backed("restore-vault", folder(backed), "--to", new(backed), "--json")
    assert done.record["memories"] == 2
    assert "forgotten after" in done.err and "revoke again" in done.err
    at = {"MEMOS_VAULT": str(new(backed))}
    again = [
        backed(*each, env=at).out
        for each in (("search", "cat"), ("list",), ("search", "owls", "--as", "agent:x"))
    ]
    assert again == answers
    assert read_content(new(backed)) == read_content(backed.vault)
    assert backed("check", "--json", env=at).record["findings"] == []
    assert backed("audit", "verify", "--head", head, env=at).out.startswith("ok")
    assert backed("stats", "--json", env=at).record["id"] == done.record["id"]
    backed("ingest", "-", "--no-embed", env={**at, "MEMOS_TOKEN": token}, stdin=b"Herons nest high.")
    (row,) = backed("audit", "--action", "restore-vault", "--json", env=at).records
    assert json.loads(row["detail"])["snapshot"] == done.record["snapshot"]
    for path in (new(backed), *new(backed).rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert "restore" not in {path.name for path in new(backed).rglob("*")}


def test_the_restored_vault_is_backed_up_to_the_same_folder(backed: Shell) -> None:
    first = backed("restore-vault", folder(backed), "--list", "--json").records[0]["snapshot"]
    backed.keep("Herons nest high.")
    backed("backup", folder(backed))
    backed("restore-vault", folder(backed), "--snapshot", first, "--to", new(backed))
    done = backed("backup", folder(backed), "--vault", new(backed))
    assert "does not continue" in done.err
    shown = backed("backup", folder(backed), "--vault", new(backed), "--json")
    assert shown.record["unchanged"] and "does not continue" not in shown.err
    assert len(backed("restore-vault", folder(backed), "--list").lines) == 4


def test_the_index_is_built_again(backed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "FEW", 1)
    with (
        Vault.open(backed.vault, timeout=1.0) as vault,
        vault.change("user:ann", 1_700_000_000_000) as change,
    ):
        change.db.execute("INSERT INTO embedder VALUES (1, 'x/sentences-2', 'x', 4)")
        change.db.execute(
            """INSERT INTO vector (cube, embedder, start, end, data)
               SELECT n, 1, 0, 2, x'0402013c7f000000' FROM cube"""
        )
    backed("backup", folder(backed))
    backed("restore-vault", folder(backed), "--to", new(backed))
    assert (new(backed) / "index" / "vectors-1.bin").exists()
    assert backed("check", "--json", "--vault", new(backed)).record["findings"] == []


def test_by_hand(backed: Shell) -> None:
    document = (REPOSITORY / "store_format.md").read_text()
    (script,) = re.findall(r"```sh restore\n(.*?)```", document, re.DOTALL)
    env = {**os.environ, "DIR": str(folder(backed)), "VAULT": str(new(backed))}
    subprocess.run(["sh", "-eu", "-c", script], env=env, check=True)
    assert backed("check", "--json", "--vault", new(backed)).record["findings"] == []
    assert read_content(new(backed)) == read_content(backed.vault)


# --- where to --------------------------------------------------------------------------------------

TARGETS: dict[str, tuple[Callable[[Shell, Path], object], str]] = {
    "the vault": (lambda shell, to: shutil.copytree(shell.vault, to), "there is a vault"),
    "a vault without VAULT.toml": (
        lambda shell, to: (shutil.copytree(shell.vault, to), (to / "VAULT.toml").unlink()), "is not empty",
    ),
    "other things": (lambda shell, to: (to.mkdir(), (to / "x").touch()), "is not empty"),
    "a file": (lambda shell, to: to.write_text("x"), "Not a directory"),
    "a link in it": (lambda shell, to: (to.mkdir(), (to / "tmp").symlink_to(shell.vault)), "is not empty"),
    "in a vault": (lambda shell, to: to.symlink_to(shell.vault / "tmp" / "x"), "inside the vault"),
    "in the backups": (lambda shell, to: to.symlink_to(folder(shell) / "x"), "is inside"),
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_overwritten(backed: Shell, target: str) -> None:
    make, said = TARGETS[target]
    make(backed, new(backed))
    before = files(backed.folder)
    error = backed("restore-vault", folder(backed), "--to", new(backed), "--json", code=2).error
    assert said in error["message"] and error["hint"]
    after = files(backed.folder)
    assert {path: data for path, data in after.items() if not path.endswith("/lock")} == {
        path: data for path, data in before.items() if not path.endswith("/lock")
    }


def test_an_empty_folder_and_the_usual_vault_will_do(backed: Shell) -> None:
    assert "there is a vault" in backed("restore-vault", folder(backed), code=2).err
    wanted = read_content(backed.vault)
    shutil.rmtree(backed.vault)
    backed.vault.mkdir(mode=0o700)
    backed("restore-vault", folder(backed))
    backed.check()
    assert read_content(backed.vault) == wanted


def test_a_killed_restore_is_done_again(backed: Shell) -> None:
    shutil.rmtree(backed.vault)
    writes = kill_everywhere(backed, "restore-vault", folder(backed), codes=(0, 2), limit=20)
    assert writes["os.rename"] >= 4 and writes["os.write"] >= 3
    (backed.folder / "c").mkdir()
    assert kill_everywhere(
        Shell(backed.folder / "c"), "restore-vault", folder(backed), codes=(0, 2), by=signal.SIGINT
    )


def test_init_does_not_complete_an_interrupted_restore(backed: Shell) -> None:
    for path in (new(backed), new(backed) / "tmp", new(backed) / "tmp" / "restore"):
        path.mkdir(mode=0o700)
    assert "interrupted" in backed("init", "--vault", new(backed), code=2).err
    backed("restore-vault", folder(backed), "--to", new(backed))
    assert backed("check", "--json", "--vault", new(backed)).record["findings"] == []


# --- hostile folders -------------------------------------------------------------------------------


class Forged:
    """The newest snapshot of a folder, to be changed by who knows how it is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = sorted(folder.glob("snapshots/*.json"))[-1]
        self.manifest = json.loads(self.path.read_text())

    def put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        path = self.object(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return name

    def object(self, name: str) -> Path:
        return self.folder / "objects" / name[:2] / name

    @property
    def lines(self) -> list[str]:
        return self.object(self.manifest["tree"]).read_text().splitlines()

    def first(self, path: str) -> tuple[str, str, str]:
        sha256, size, path = next(line for line in self.lines if line.split()[2].startswith(path)).split()
        return sha256, size, path

    def write(self, lines: list[str] | None = None, **changed: object) -> None:
        if lines is not None:
            data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
            changed = {
                "tree": self.put(data),
                "bytes": sum(int(line.split()[1]) for line in lines),
                **changed,
            }
        self.path.write_text(json.dumps(self.manifest | changed))


def with_file(path: str) -> Callable[[Forged], object]:
    """A tree that names one more file."""

    def forge(forged: Forged) -> None:
        forged.write([*forged.lines, f"{forged.put(b'evil')} 4 {path}"])

    return forge


def renamed(old: str, path: str) -> Callable[[Forged], object]:
    return lambda forged: forged.write([line.replace(old, path) for line in forged.lines])


def replaced(path: str, data: bytes) -> Callable[[Forged], object]:
    """A tree with another file of the same name, hashes and lengths as they should be."""

    def forge(forged: Forged) -> None:
        lines = [line for line in forged.lines if line.split()[2] != path]
        forged.write([f"{forged.put(data)} {len(data)} {path}", *lines])

    return forge


def on_object(start: str, change: Callable[[Path], object]) -> Callable[[Forged], object]:
    return lambda forged: change(forged.object(forged.first(start)[0]))


def to_link(path: Path) -> None:
    path.rename(path.with_suffix(".x"))
    path.symlink_to(path.with_suffix(".x"))


def to_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def huge(path: Path) -> None:
    os.truncate(path, 1 << 40)


HOSTILE: dict[str, Callable[[Forged], object]] = {
    "an absolute path": with_file("/tmp/evil"),
    "a path upwards": with_file("../evil"),
    "a path upwards in blobs": with_file("blobs/../../evil"),
    "a file of no vault": with_file("evil"),
    "a file in tmp": with_file("tmp/evil"),
    "a lock": with_file("lock"),
    "an index": with_file("index/vectors-1.bin"),
    "a blob of another name": with_file("blobs/aa/" + "a" * 64),
    "a blob in another folder": with_file(f"blobs/aa/{hashlib.sha256(b'evil').hexdigest()}"),
    "a second VAULT.toml": with_file("VAULT.toml"),
    "a control character": with_file("VAULT.toml\x1b"),
    "a line separator": with_file("VAULT.toml\u2028"),
    "no UTF-8": with_file("VAULT\udcff.toml"),
    "no database": renamed("memos.db", "key.age"),
    "no VAULT.toml": renamed("VAULT.toml", "key.age"),
    "another vault's VAULT.toml": replaced(
        "VAULT.toml", b'format = 9\nid = "01J00000000000000000000000"\ncreated = ""\n'
    ),
    "a newer format": replaced("VAULT.toml", b'format = 99\nid = "x"\ncreated = ""\n'),
    "a VAULT.toml of nothing": replaced("VAULT.toml", b""),
    "a database of nothing": replaced("memos.db", b""),
    "a database of noise": replaced("memos.db", b"SQLite format 3\0" + b"x" * 9000),
    "negative bytes": lambda forged: forged.write(tree=forged.put(b"a" * 64 + b" -1 memos.db\n")),
    "many bytes": lambda forged: forged.write([*forged.lines, f"{'a' * 64} 999999999999999 memos.db"]),
    "more bytes than it has": lambda forged: forged.write(bytes=10**15),
    "text for bytes": lambda forged: forged.write(bytes="10"),
    "a tree upwards": lambda forged: forged.write(tree="../../../../../../etc/passwd"),
    "no tree": lambda forged: forged.write(tree="a" * 64),
    "an empty tree": lambda forged: forged.write([], bytes=0),
    "a list": lambda forged: forged.path.write_text("[]"),
    "nothing": lambda forged: forged.path.write_text(""),
    "deep JSON": lambda forged: forged.path.write_text("[" * 100_000),
    "a long manifest": lambda forged: os.truncate(forged.path, 1 << 32),
    "another version": lambda forged: forged.write(version=2),
    "another vault": lambda forged: forged.write(vault="x"),
    "a manifest that is a link": lambda forged: to_link(forged.path),
    "a manifest that is a FIFO": lambda forged: to_fifo(forged.path),
    "no time": lambda forged: forged.path.rename(forged.path.with_name("20269999T000000.000Z.json")),
    "a flipped bit in the database": on_object("memos.db", flip),
    "a flipped bit in a blob": on_object("blobs", flip),
    "a flipped bit in the tree": lambda forged: flip(forged.object(forged.manifest["tree"])),
    "a missing blob": on_object("blobs", Path.unlink),
    "a huge object": on_object("blobs", huge),
    "an empty object": on_object("memos.db", lambda path: os.truncate(path, 0)),
    "an object that is a link": on_object("blobs", to_link),
    "an object that is a FIFO": on_object("blobs", to_fifo),
    "a tree that is a FIFO": lambda forged: to_fifo(forged.object(forged.manifest["tree"])),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_folder_is_refused(backed: Shell, what: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder(backed), copy)
    HOSTILE[what](Forged(copy))
    before = {*tmp_path.rglob("*")}
    done = backed("restore-vault", copy, "--to", new(backed), "--json", code=None)
    assert done.code in (2, 12, 13), done
    assert done.error["hint"] and "internal" not in done.error["message"]
    assert not (new(backed) / "VAULT.toml").exists()
    assert {path for path in {*tmp_path.rglob("*")} - before if not path.is_relative_to(new(backed))} == set()
    backed("restore-vault", copy, "--list")
    # Who does what --check says gets a good snapshot from the next backup.
    for wrong in backed("backup", copy, "--check", "--json", code=None).record["problems"]:
        for path in re.findall(r'rm "([^"]+)"', wrong):
            assert Path(path).is_relative_to(copy)
            Path(path).unlink()
    backed.keep("Herons nest high.")
    made = backed("backup", copy, "--json").record
    backed("restore-vault", copy, "--to", new(backed), "--snapshot", made["snapshot"])
    assert read_content(new(backed)) == read_content(backed.vault)


def test_a_backup_heals_what_was_damaged(backed: Shell) -> None:
    forged = Forged(folder(backed))
    blob = forged.object(forged.first("blobs")[0])
    for damage in (blob.unlink, lambda: os.truncate(blob, 1)):
        damage()
        backed("backup", folder(backed), "--check", code=1)
        backed("backup", folder(backed))
    backed("restore-vault", folder(backed), "--snapshot", forged.path.stem, "--to", new(backed))


def test_the_newest_complete_snapshot_is_restored(backed: Shell) -> None:
    backed.keep("Herons nest high.")
    backed("backup", folder(backed))
    forged = Forged(folder(backed))
    forged.object(forged.manifest["tree"]).unlink()
    shown = backed("restore-vault", folder(backed), "--list").rows
    assert "damaged" in shown[0][3] and shown[1][3] == ""
    assert backed("restore-vault", folder(backed), "--to", new(backed), "--json").record["memories"] == 2
    error = backed(
        "restore-vault", folder(backed), "--snapshot", shown[0][0], "--to", "x", "--json", code=12
    ).error
    assert error["hint"]
    check = backed("backup", folder(backed), "--check", code=1)
    assert "is damaged" in check.out
    # Nothing is deleted while it is unknown what that snapshot needs, and it does not count as one to keep.
    there = {*folder(backed).glob("objects/??/*")}
    done = backed("backup", folder(backed), "--keep-last", "1")
    assert there <= {*folder(backed).glob("objects/??/*")} and "is damaged" in done.err


@pytest.mark.parametrize("name", ["x", "../BACKUP", "20260101T000000.000Z"])
def test_a_snapshot_that_is_not_there(backed: Shell, name: str) -> None:
    done = backed(
        "restore-vault", folder(backed), "--snapshot", name, "--to", new(backed), code=0 if not name else 2
    )
    assert not name or "snapshot" in done.err


def test_a_folder_without_backups(backed: Shell, tmp_path: Path) -> None:
    for command in (("restore-vault",), ("restore-vault", "--list"), ("backup", "--check")):
        assert "has no backups" in backed(*command, tmp_path / "nowhere", code=2).err
        assert "no backups" in backed(*command, backed.vault, "--vault", new(backed), code=2).err


# --- encryption ------------------------------------------------------------------------------------


def test_an_encrypted_vault_stays_encrypted(shell: Shell) -> None:
    pytest.importorskip("pyrage")
    pytest.importorskip("sqlcipher3")
    key = shell.folder / "vault.key"
    none = {"MEMOS_READER": "/none.gguf"}
    shell("init", "--encrypt", "--key-file", key, env=none)
    (id,) = shell.keep(CAT, options=("--tag", "household"))
    done = shell("backup", folder(shell))
    assert str(key) in done.err and "does not contain the key" in done.err
    assert shell("backup", folder(shell), "--json").record["unchanged"]
    shell("tag", id, "--add", "x")
    assert not shell("backup", folder(shell), "--json").record["unchanged"]
    kept = b"".join(files(folder(shell)).values())
    for word in (CAT, "household", "SQLite format", id, key.read_text().splitlines()[1]):
        assert word.encode() not in kept
    shell("backup", folder(shell), "--check", env={"MEMOS_KEY_FILE": "/nowhere"})
    key.rename(shell.folder / "kept.key")
    assert "key" in shell("restore-vault", folder(shell), "--to", new(shell), code=14).err
    assert not (new(shell) / "VAULT.toml").exists()
    env = {"MEMOS_KEY_FILE": str(shell.folder / "kept.key")}
    shell("restore-vault", folder(shell), "--to", new(shell), env=env)
    assert shell("check", "--json", "--vault", new(shell), env=env).record["findings"] == []
    assert [row["text"] for row in shell("list", "--json", "--vault", new(shell), env=env).records] == [CAT]


def test_a_vault_with_a_passphrase_takes_its_wrapped_key_along(shell: Shell) -> None:
    pytest.importorskip("pyrage")
    pytest.importorskip("sqlcipher3")
    answers = [(b"Passphrase", b"correct horse\n"), (b"Repeat", b"correct horse\n")]
    shell.terminal("init", "--encrypt", answers=answers, env={"MEMOS_READER": "/none.gguf"})
    assert "passphrase" in shell.terminal("backup", folder(shell), answers=answers[:1]).out
    shell.terminal("restore-vault", folder(shell), "--to", new(shell), answers=answers[:1])
    assert (new(shell) / "key.age").read_bytes() == (shell.vault / "key.age").read_bytes()
    assert "ok" in shell.terminal("check", "--vault", new(shell), answers=answers[:1]).out
