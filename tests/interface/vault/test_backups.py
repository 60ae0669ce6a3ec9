"""Backups: consistent while others write, incremental, verified, and never half."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cli_harness import Shell, apart, make_vault
from crash_harness import kill_everywhere
from crash_runner import read_content
from vault_harness import all_bytes

from memos_cli.infrastructure.backup import backup_copy, backup_folder
from memos_cli.infrastructure.backup.backup_folder import BackupFolder
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.operation.lifecycle.retention import Retention, kept

MARK = "Zyxomat"


@pytest.fixture
def filled(memos: Shell) -> Shell:
    """A user with a few memories, one of them with a blob."""
    memos.keep(f"The {MARK}en code is 4471.", "Owls nest low.", options=("--tag", "home"))
    with Vault.open(memos.vault, timeout=1.0) as vault, vault.blob_changes() as names:
        name = vault.blobs.put(b"converted text", names)
        with vault.change("user:ann", 1_700_000_000_000) as change:
            change.db.execute("UPDATE source SET blob = ?", (name,))
    return memos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def objects(folder: Path) -> dict[str, int]:
    """The objects of a folder and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("objects/??/*")}


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("snapshots/*.json"))


def restored(shell: Shell, folder: Path, *options: object) -> dict[str, object]:
    """What a snapshot holds: it is restored, checked and removed."""
    new = shell.folder / "restored"
    shell("restore-vault", folder, "--to", new, *options)
    assert shell("check", "--json", "--vault", new).record["findings"] == []
    assert shell("audit", "verify", "--json", "--vault", new).record["ok"]
    content = read_content(new)
    shutil.rmtree(new)
    return content


def test_a_backup_holds_the_vault(filled: Shell, folder: Path) -> None:
    filled("edit", filled("list", "--json").records[0]["id"], "--text", "Owls nest high.")
    made = filled("backup", folder, "--json").record
    assert made["snapshot"] == names(folder)[0] and not made["unchanged"]
    assert (
        made["written"]
        >= made["bytes"]
        == sum(
            path.stat().st_size
            for name in ("VAULT.toml", "memos.db", "blobs/??/*")
            for path in filled.vault.glob(name)
        )
    )
    assert restored(filled, folder) == read_content(filled.vault)
    assert filled("backup", folder, "--check").out == "ok  1 snapshot\n"
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    (row,) = [row for row in filled("audit", "--action", "backup", "--json").records]
    assert json.loads(row["detail"]) == {"folder": folder.as_uri(), "snapshot": made["snapshot"]}


def test_nothing_is_read_or_written_again_when_nothing_changed(
    filled: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = filled("backup", folder, "--json").record
    there, rows = objects(folder), filled("audit", "--json").out
    monkeypatch.setattr(backup_copy, "PIECE", None)  # who reads the database fails
    for _ in range(2):
        again = filled("backup", folder, "--json").record
        assert again["unchanged"] and again["written"] == 0
    assert objects(folder) == there and len(names(folder)) == 3
    assert filled("audit", "--json").out == rows
    assert restored(filled, folder) == restored(filled, folder, "--snapshot", first["snapshot"])


NO_CHECKPOINT = "PRAGMA wal_autocheckpoint = 0"
CHANGES: dict[str, tuple[str, ...]] = {
    # What no audit row tells, and what leaves the file as long as it was.
    "heat": ("UPDATE cube SET heat = 7",),
    "a policy": ("INSERT INTO policy VALUES ('pace:x', '{}')", "UPDATE cube SET heat = 8"),
    "a log that is left": (NO_CHECKPOINT, "UPDATE cube SET hits = 9"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_is_noticed(filled: Shell, folder: Path, what: str) -> None:
    filled("backup", folder)
    found = (filled.vault / "memos.db").stat()
    with closing(sqlite3.connect(filled.vault / "memos.db", isolation_level=None)) as db:
        for statement in CHANGES[what]:
            db.execute(statement)
        if "log" not in what:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            os.utime(filled.vault / "memos.db", ns=(found.st_atime_ns, found.st_mtime_ns))
        made = filled("backup", folder, "--json").record
    assert not made["unchanged"] and made["written"] > 0
    with closing(sqlite3.connect(filled.vault / "memos.db")) as db:
        wanted = db.execute("SELECT hits, heat FROM cube ORDER BY n").fetchall()
    filled("restore-vault", folder, "--to", filled.folder / "new")
    with closing(sqlite3.connect(filled.folder / "new" / "memos.db")) as db:
        assert db.execute("SELECT hits, heat FROM cube ORDER BY n").fetchall() == wanted


def test_only_changed_pieces_are_written(
    filled: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_copy, "PIECE", 4096)
    whole = filled("backup", folder, "--json").record["written"]
    before = objects(folder)
    filled("tag", filled("list", "--json").records[0]["id"], "--add", "x")
    part = filled("backup", folder, "--json").record["written"]
    assert part < whole / 3
    assert before.items() <= objects(folder).items()


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_backup_is_of_one_time_while_others_write(
    filled: Shell, folder: Path, is_busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction adds two rows: a snapshot never has one of them alone. An old reader keeps the log."""
    env = {"MEMOS_LOCK_TIMEOUT": "5"} if is_busy else {}
    stop, count = threading.Event(), [0]
    monkeypatch.setattr(backup_copy, "PIECE", 4096)

    def write() -> None:
        with Vault.open(filled.vault, timeout=9.0) as vault:
            vault.unrestricted.execute("PRAGMA wal_autocheckpoint = 1")
            while not stop.wait(0.002):
                with vault.change("user:ann", 1_700_000_000_000) as change:
                    count[0] += 1
                    for half in ("a", "b"):
                        change.note("test", {half: count[0], "filler": "x" * 2000})

    with closing(sqlite3.connect(filled.vault / "memos.db", isolation_level=None)) as old:
        if is_busy:
            old.execute("BEGIN")
            old.execute("SELECT * FROM cube").fetchone()
        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = [filled("backup", folder, "--json", env=env).record["snapshot"] for _ in range(4)]
        finally:
            stop.set()
            writer.join()
    assert count[0] > 4
    halves = []
    for name in made:
        new = filled.folder / name
        filled("restore-vault", folder, "--to", new, "--snapshot", name)
        with closing(sqlite3.connect(new / "memos.db")) as db:
            (rows,) = db.execute("SELECT count(*) FROM audit WHERE action = 'test'").fetchone()
        assert rows % 2 == 0
        halves.append(rows)
    assert halves == sorted(halves) and halves[-1] > 0


def test_a_blob_that_goes_meanwhile_starts_the_copy_again(
    filled: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, calls = backup_copy.Copying.large_files, []

    def lose(copying: backup_copy.Copying, database: backup_copy.StableDatabase, head: object) -> object:
        if not calls:
            calls.append(1)
            with Vault.open(filled.vault, timeout=1.0) as vault:
                (name,) = vault.blobs.names()
                with vault.change("user:ann", 1_700_000_000_000) as change:
                    change.db.execute("UPDATE source SET blob = NULL")
                vault.blobs.remove(name)
        return copy(copying, database, head)  # type: ignore[arg-type]

    monkeypatch.setattr(backup_copy.Copying, "large_files", lose)
    filled("backup", folder)
    assert restored(filled, folder) == read_content(filled.vault)


def test_a_damaged_vault_makes_no_snapshot(shell: Shell, folder: Path) -> None:
    make_vault(shell)
    shell.keep("Owls nest low.")
    shell("backup", folder)
    with Vault.open(shell.vault, timeout=1.0) as vault, vault.blob_changes() as names_:
        name = vault.blobs.put(b"converted text", names_)
        with vault.change("user:ann", 1_700_000_000_000) as change:
            change.db.execute("UPDATE source SET blob = ?", (name,))
    path = shell.vault / "blobs" / name[:2] / name
    for damage in (lambda: path.write_bytes(b"converted texT"), path.unlink):
        damage()
        before = all_bytes(folder)
        error = shell("backup", folder, "--keep-last", "1", "--json", code=12).error
        assert "check --repair" in error["hint"]
        assert all_bytes(folder) == before
    path.write_bytes(b"converted text")
    with closing(sqlite3.connect(shell.vault / "memos.db")) as db:
        db.execute("UPDATE audit SET principal = 'user:eve' WHERE n = (SELECT max(n) FROM audit)")
        db.commit()
    assert "audit row" in shell("backup", folder, code=12).err
    assert len(names(folder)) == 1


# --- the folder ------------------------------------------------------------------------------------


def _other_vault(shell: Shell, folder: Path) -> None:
    other = Shell(shell.folder / "other")
    make_vault(other)
    other("backup", folder)


def _link(name: str) -> Callable[[Shell, Path], None]:
    def make(shell: Shell, folder: Path) -> None:
        shell("backup", folder)
        path = folder / name
        path = next(path.glob("*")) if name == "objects" else path
        path.rename(shell.folder / "moved")
        path.symlink_to(shell.folder / "moved")

    return make


def _mark(content: str) -> Callable[[Shell, Path], None]:
    def make(shell: Shell, folder: Path) -> None:
        shell("backup", folder)
        (folder / "BACKUP.json").write_text(content)

    return make


PLACES: dict[str, tuple[Callable[[Shell, Path], object], int, str]] = {
    "a file": (lambda shell, folder: folder.write_text("x"), 2, "Not a directory"),
    "other things": (lambda shell, folder: (folder.mkdir(), (folder / "x").touch()), 2, "is not empty"),
    "a vault": (lambda shell, folder: shell("init", "--vault", folder), 2, "vault"),
    "another vault's": (_other_vault, 14, "another vault"),
    "open to all": (lambda shell, folder: (folder.mkdir(), folder.chmod(0o777)), 14, "everybody may write"),
    "a link for snapshots": (_link("snapshots"), 14, "symbolic link"),
    "a link for objects": (_link("objects"), 14, "symbolic link"),
    "a link for the lock": (_link("lock"), 14, "symbolic link"),
    "a link for the mark": (_link("BACKUP.json"), 14, "symbolic link"),
    "a newer format": (_mark('{"format": "memos-backup", "version": 2, "vault": "x"}'), 13, "newer"),
    "no JSON": (_mark("{"), 12, "damaged"),
    "deep JSON": (_mark("[" * 100_000), 12, "damaged"),
    "another program's": (_mark('{"format": "x", "version": 1, "vault": "x"}'), 12, "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_folder_of_something_else_is_refused(filled: Shell, folder: Path, place: str) -> None:
    make, code, said = PLACES[place]
    make(filled, folder)
    before = all_bytes(folder) if folder.is_dir() else b""
    result = filled("backup", folder, "--json", code=code)
    assert said in result.error["message"] and result.error["hint"]
    assert (all_bytes(folder) if folder.is_dir() else b"") == before


def test_the_folder_is_outside_the_vault(filled: Shell) -> None:
    link = filled.folder / "link"
    link.symlink_to(filled.vault)
    for inside in (filled.vault, filled.vault / "blobs", filled.vault / "new", link / "new"):
        assert "inside the vault" in filled("backup", inside, code=2).err
    assert "is inside" in filled("backup", filled.folder, code=2).err
    assert not (filled.folder / "BACKUP.json").exists() and not (filled.vault / "new").exists()


def test_one_backup_at_a_time(filled: Shell, folder: Path) -> None:
    filled("backup", folder)
    with backup_folder.hold(folder / "lock"):
        filled("backup", folder, env={"MEMOS_LOCK_TIMEOUT": "0.1"}, code=11)
    running = [filled.start("backup", folder) for _ in range(4)]
    for process in running:
        process.communicate()
    assert [process.returncode for process in running] == [0] * 4
    assert len(names(folder)) == 5
    filled("backup", folder, "--check")


# --- rights ----------------------------------------------------------------------------------------


def test_only_the_creator_backs_up(filled: Shell, folder: Path) -> None:
    for role in ("reader", "writer"):
        token = filled("token", "create", "user:ann", "--role", role).out.strip()
        filled("backup", folder, env={"MEMOS_TOKEN": token}, code=14)
    filled("grant", "vault", "agent:x", "admin")
    filled("backup", folder, "--as", "agent:x", code=14)
    assert not folder.exists()


# --- keep ------------------------------------------------------------------------------------------

DAYS = "0101T0900 0101T2000 0102T0900 0103T0900 0103T2000 0105T0900 0112T0900 0120T0900"
"""Of 2026: January 1 is a Thursday, the 5th and 12th are Mondays, the 20th is a Tuesday."""
KEEP: dict[tuple[int, int, int], str] = {
    # last, daily, weekly: what stays.
    (0, 0, 0): DAYS,
    (1, 0, 0): "0120T0900",
    (3, 0, 0): "0105T0900 0112T0900 0120T0900",
    (99, 0, 0): DAYS,
    (0, 1, 0): "0120T0900",
    (0, 4, 0): "0103T2000 0105T0900 0112T0900 0120T0900",
    (0, 6, 0): "0101T2000 0102T0900 0103T2000 0105T0900 0112T0900 0120T0900",
    (0, 7, 0): "0101T0900 0101T2000 0102T0900 0103T2000 0105T0900 0112T0900 0120T0900",  # and the oldest
    (0, 0, 2): "0112T0900 0120T0900",
    (0, 0, 4): "0103T2000 0105T0900 0112T0900 0120T0900",
    (0, 0, 5): "0101T0900 0103T2000 0105T0900 0112T0900 0120T0900",  # and the oldest
    (2, 3, 4): "0103T2000 0105T0900 0112T0900 0120T0900",
}


@pytest.mark.parametrize("rules", KEEP)
def test_the_rules_of_what_is_kept(rules: tuple[int, int, int]) -> None:
    def times(text: str) -> set[datetime]:
        return {datetime.strptime(f"2026{each}", "%Y%m%dT%H%M").replace(tzinfo=UTC) for each in text.split()}

    assert kept([*times(DAYS)], Retention(*rules)) == times(KEEP[rules])
    assert kept([], Retention(*rules)) == set()


def test_removed_snapshots_leave_nothing(filled: Shell, folder: Path) -> None:
    for text in ("one", "two", "three"):
        filled.keep(f"{MARK} {text}")
        filled("backup", folder)
    (first, second, third) = names(folder)
    made = filled("backup", folder, "--keep-last", "2", "--json").record
    assert made["removed"] == [first, second] and names(folder) == [third, made["snapshot"]]
    assert restored(filled, folder, "--snapshot", third) == read_content(filled.vault)
    filled("backup", folder, "--keep-last", "1")
    survey = BackupFolder.open(folder).survey()
    assert survey.named == survey.sizes and survey.sizes.keys() == objects(folder).keys()


def test_the_day_of_a_snapshot_is_the_users(filled: Shell, folder: Path) -> None:
    filled("backup", folder)
    (name,) = names(folder)
    for other in ("20260101T233000.000Z", "20260102T003000.000Z"):
        shutil.copy(folder / "snapshots" / f"{name}.json", folder / "snapshots" / f"{other}.json")
    made = filled("backup", folder, "--keep-daily", "3", "--json", env={"TZ": "Europe/Berlin"}).record
    assert made["removed"] == [name]  # of today the newest, of 2 January the newest, and the oldest


def test_a_snapshot_of_the_future_is_told(filled: Shell, folder: Path) -> None:
    filled("backup", folder)
    (name,) = names(folder)
    later = folder / "snapshots" / "20990101T000000.000Z.json"
    shutil.copy(folder / "snapshots" / f"{name}.json", later)
    assert "in the future" in filled("backup", folder).err
    later.unlink()
    assert filled("backup", folder).err == ""


def test_what_is_forgotten_stays_in_old_snapshots_until_they_go(filled: Shell, folder: Path) -> None:
    filled("backup", folder)
    id = filled("search", MARK + "en", "--json").records[0]["id"]
    forgot = filled("forget", id, "--yes")
    assert f"snapshots in {folder} may still contain" in forgot.err
    assert MARK.encode() in all_bytes(folder)
    filled("backup", folder)
    assert MARK.encode() in all_bytes(folder)
    command = forgot.err.split("to remove them: memos ")[1].split()
    filled(*command)
    assert MARK.encode() not in all_bytes(folder)
    (new,) = filled.keep("Herons nest high.")
    with closing(sqlite3.connect(filled.vault / "memos.db")) as db:  # an hour later
        db.execute("UPDATE policy SET value = value - 3600000 WHERE name GLOB 'backup:*'")
        db.commit()
    assert "backups" not in filled("forget", new, "--yes", "--json").record


# --- kills and full disks --------------------------------------------------------------------------


@pytest.mark.parametrize("is_first", [True, False])
def test_a_killed_backup_is_done_again(shell: Shell, folder: Path, is_first: bool) -> None:
    make_vault(shell)
    shell.keep("Owls nest low.")
    folder.mkdir()
    if not is_first:
        shell("backup", folder)
        shell.keep("Herons nest high.")
    writes = kill_everywhere(
        shell, "backup", folder, "--keep-last", "1", beside=folder, verify=("backup", folder, "--check")
    )
    assert writes["os.rename"] >= 1 and writes["os.write"] >= 3 and writes["os.fsync"] >= 4
    assert len(names(folder)) == 1


def test_no_failing_write_makes_half_a_snapshot(
    filled: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled("backup", folder)
    filled("tag", filled("list", "--json").records[0]["id"], "--add", "x")
    write, sync = os.write, os.fsync
    failed = 0
    for number in range(30):
        left = [number]

        def counted(call: Callable[..., int], left: list[int] = left) -> Callable[..., int]:
            def run(descriptor: int, *arguments: object) -> int:
                if str(folder) in os.readlink(f"/proc/self/fd/{descriptor}"):
                    left[0] -= 1
                    if left[0] < 0:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return call(descriptor, *arguments)

            return run

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", counted(write))
            patch.setattr(os, "fsync", counted(sync))
            done = filled("backup", folder, "--keep-last", "9", code=None)
        if done.code == 0:
            break
        failed += 1
        assert done.code == 1 and "disk" in done.err and "free some space" in done.err
        assert filled("backup", folder, "--check").code == 0
    else:
        pytest.fail("it never ended well")
    assert failed > 3
    assert restored(filled, folder) == read_content(filled.vault)


def test_a_full_disk_keeps_earlier_snapshots(filled: Shell, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = (filled.vault / "memos.db").stat().st_size >> 10
    more = filled.write("more.txt", "\n".join(f"Fact {n}: {os.urandom(99).hex()}." for n in range(3000)))
    script = f"""mount -t tmpfs -o size={size + 300}k none '{disk}' && chmod 700 '{disk}' && cd '{disk}' &&
      M() {{ "$0" -m memos_cli "$@" < /dev/null; }}
      M backup '{disk}/b' && M ingest '{more}' --lines --no-embed &&
      ! M backup '{disk}/b' && M backup '{disk}/b' --check"""
    done = apart(filled, script)
    assert b"ok  1 snapshot\n" in done.stdout
    assert b"free some space" in done.stderr


def test_a_vault_on_a_read_only_medium_is_backed_up(filled: Shell, folder: Path) -> None:
    vault = filled.vault
    script = f"""mount --bind '{vault}' '{vault}' && mount -o remount,ro,bind '{vault}' &&
      "$0" -m memos_cli backup '{folder}'"""
    assert b"this backup is not in the audit" in apart(filled, script).stderr
    assert restored(filled, folder) == read_content(filled.vault)


def test_a_terminal_shows_progress(filled: Shell, folder: Path) -> None:
    shown = filled.terminal("backup", folder).out
    assert "snapshot" in shown


def test_quiet_says_nothing(filled: Shell, folder: Path) -> None:
    done = filled.process("backup", folder, "--quiet", "--keep-last", "1")
    assert (done.out, done.err) == ("", "")
    assert subprocess.run(["find", folder, "-name", "*.part"], capture_output=True).stdout == b""
