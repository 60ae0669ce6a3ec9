"""Read-only media and full disks: reading works, and forgetting needs little disk space."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from cli_harness import REPOSITORY, Shell, apart, has_models, with_models

from memos_cli.errors import MemosError, Unwritable
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage import database
from memos_cli.interface.share.feeds.remote import Registry

MARK = "Zyxomat"


def limit(size: int) -> Callable[[], None]:
    """Return a preexec function that limits files to ``size`` bytes, like a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def run(shell: Shell, *command: object, room: int, code: int = 0) -> tuple[str, str]:
    env = {"PYTHONDONTWRITEBYTECODE": "1"}  # half a module would stay
    process = shell.start(*command, env=env, preexec_fn=limit(room))
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    return out.decode(), err.decode()


def test_forgetting_needs_no_disk_space_for_a_copy(memos: Shell, tmp_path: Path) -> None:
    """On a disk that has 2 MB left beside the vault, which is larger than that."""
    lines = "\n".join(f"Fact {n} is of no interest: {'owl ' * (n % 90)}{n * 7919}." for n in range(9000))
    memos("ingest", "-", "--lines", "--no-embed", stdin=lines.encode())
    (id,) = memos.keep(f"The {MARK}en code of the cabin is 4471.")
    memos.keep("Owls nest low.")
    size = sum(path.stat().st_size for path in memos.vault.rglob("*"))
    assert size > 4e6
    disk = tmp_path / "disk"
    disk.mkdir()
    room = (size >> 10) + 2000
    script = f"""mount -t tmpfs -o size={room}k none '{disk}' && cp -r '{memos.vault}' '{disk}/v' &&
      "$0" -m memos_cli forget {id} --yes --json --vault '{disk}/v' &&
      "$0" -m memos_cli check --vault '{disk}/v' && ! grep -ri {MARK} '{disk}/v'"""
    done = apart(memos, script)
    assert b'"settled": true' in done.stdout
    assert done.stdout.endswith(b"ok\n")


FORMATS = ("mip", "jsonl", "markdown", "mem0", "memos", "letta")
LOOKS = (  # commands that look at memories: the audit has a row of each, or the user is told
    ("search", "owls"), ("list",), ("list", "--tag", "owls", "--json"), ("show", "ID"), ("diff", "ID"),
    ("query", "Where do owls nest?", "--quote"), ("query", "Where do owls nest?", "--explain"),
    ("query", "Where do owls nest?", "--generate", "--max-tokens", "4"), ("conflicts",), ("stats",),
    ("publish", "owls", "--tag", "owls", "--to", "public", "--dry-run"),
    ("forget", "--tag", "owls", "--dry-run"), *(("export", "--format", each) for each in FORMATS),
)  # fmt: skip
READS = (
    *LOOKS, ("check",), ("check", "--json"), ("maintain", "--dry-run"), ("maintain", "--history"),
    ("history", "ID"), ("audit",), ("audit", "--head"), ("audit", "verify"), ("review",), ("view", "list"),
    ("access", "ID"), ("group", "list"), ("token", "list"), ("task", "list"), ("publish",), ("subscribe",),
    ("key", "list"), ("config",), ("access", "ID", "--for", "agent:coder"),
    ("promote", "ID", "--to", "activation", "--dry-run"), ("export", "ID", "-o", "one.mip"),
)  # fmt: skip


@pytest.fixture
def nest(memos: Shell) -> tuple[str, dict[str, str]]:
    """The id of a memory with two versions, and what lets a user read by a tiny model."""
    (id,) = memos.keep("Owls nest high.", options=("--tag", "owls"))
    memos("edit", id, "--text", "Owls nest low.")
    memos("link", id, "contradicts", *memos.keep("Owls nest in towers."))
    memos("key", "new")
    env = {"MEMOS_EMBEDDER": "/nowhere"}
    if has_models():
        from tiny_models import write_model

        env |= {"MEMOS_READER": str(write_model(memos.folder / "tiny.gguf", "llama", context=4096))}
    return id, env


def test_a_vault_on_a_full_disk_can_be_read(memos: Shell) -> None:
    (id,) = memos.keep("Owls nest low.", options=("--tag", "owls"))
    for command in (("search", "owls"), ("export",), ("check",), ("maintain", "--dry-run"), ("show", id)):
        out, err = run(memos, *command, room=1000)
        if command[0] == "export":
            assert "Owls nest low." in out
            assert "this export is not in the audit" in err
    assert "disk" in run(memos, "tag", id, "--add", "x", room=1000, code=1)[1]


@with_models
def test_a_vault_on_a_read_only_medium_can_be_read(memos: Shell, nest: tuple[str, dict[str, str]]) -> None:
    """In a mount namespace of its own, as far as this system lets a user have one."""
    id, env = nest
    commands = [[id if part == "ID" else part for part in command] for command in READS]
    mount = f"mount --bind '{memos.vault}' '{memos.vault}' && mount -o remount,ro,bind '{memos.vault}'"
    given = (
        str(Path(__file__).parents[1] / "harness"),
        str(memos.folder),
        json.dumps(env),
        json.dumps(commands),
    )
    done = apart(memos, mount + ' && "$0" -c "$@"', RUN, *given)
    results = json.loads(done.stdout)
    told = "not in the audit"
    for command, (code, out, err) in zip(READS, results, strict=True):
        assert code == 0, (command, out, err)
        if command in LOOKS and command[0] != "stats":  # which names hot memories only
            assert told in err, (command, out, err)
        if command[0] == "export" and "-o" not in command:
            assert "Owls nest low." in out
    assert id[:10] in results[READS.index(("search", "owls"))][1]
    assert [each for each in memos("audit", "--json").records if each["action"] == "search"] == []


RUN = """
import json, sys
from pathlib import Path
sys.path.append(sys.argv[1])
from cli_harness import Shell
shell, env, results = Shell(Path(sys.argv[2])), json.loads(sys.argv[3]), []
for command in json.loads(sys.argv[4]):
    done = shell(*command, env=env, code=None)
    results.append((done.code, done.out, done.err))
print(json.dumps(results))
"""


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "writable by you")]
)
def test_a_publication_on_a_full_disk_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("memos_cli.interface.share.feeds.remote.write_whole", full)
    with pytest.raises(MemosError, match=os.strerror(number)) as caught:
        Registry(str(tmp_path)).write("index.jsonl", b"{}")
    assert advice in caught.value.hint


def test_who_could_open_only_a_snapshot_writes_nothing(memos: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full for a moment, while the vault is opened: what follows would be decided on old rows."""
    (id,) = memos.keep("Owls nest low.", options=("--tag", "owls"))
    memos("grant", "tag:owls", "agent:bo", "write")  # so that reading and writing are two connections
    real, calls = database._connect, []

    def full_once(*arguments: Any) -> database.Connection:
        calls.append(arguments)
        if len(calls) == 1:
            raise Unwritable("the disk is full")
        return real(*arguments)

    monkeypatch.setattr(database, "_connect", full_once)
    assert "disk" in memos("edit", id, "--text", "Owls nest high.", "--as", "agent:bo", code=1).err
    assert len(calls) == 3


def test_a_change_is_done_although_its_vectors_are_not(memos: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure would say that nothing was done: and a second run, that there is nothing to do it on."""

    def full(*arguments: object, **options: object) -> None:
        raise Unwritable("the disk is full")

    monkeypatch.setattr("memos_cli.operation.search.embedding.embed_waiting", full)
    ids = memos.keep("Owls nest low. " * 9, "Owls nest high.", "Owls hunt.", "Owls sleep.")
    for command in (
        ("edit", ids[1], "--text", "Owls nest here."), ("rollback", ids[1], "--to", "1"), ("archive", ids[1]),
        ("restore", ids[1]), ("slice", ids[0], "--size", "50"), ("merge", *ids[2:]),
    ):  # fmt: skip
        done = memos(*command)
        assert done.out
        assert ("run `memos embed`" in done.err) == (command[0] != "archive")


def test_a_command_that_fails_in_the_middle_has_done_nothing(
    memos: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a tag without the removal of another, nor one of two merges undone."""
    ids = memos.keep("Owls nest low.", "Owls nest high.", options=("--tag", "owls"))
    merged = memos("merge", *ids, "--json").record["id"]
    assert "not a merged memory" in memos("merge", "--undo", merged, ids[0], code=2).err
    assert {memos("show", id, "--json").record["state"] for id in ids} == {"merged"}
    assert len(memos("merge", "--undo", merged, "--json").records) == 1

    real = Transaction.tag

    def full(change: Transaction, cube: int, tags: Iterable[str], *, remove: bool = False) -> int:
        if remove:
            raise Unwritable("the disk is full")
        return real(change, cube, tags)

    monkeypatch.setattr(Transaction, "tag", full)
    memos("tag", *ids, "--add", "birds", "--remove", "owls", code=1)
    assert memos("show", ids[0], "--json").record["tags"] == ["owls"]


_FAULTS = """
import ctypes, os, shutil, sys
error, calls, lasts, first, step, folder, *command = sys.argv[1:]
arm = ctypes.CDLL(None).memos_arm
from memos_cli.cli import app
def run(number, *command, fork=os.fork):
    if not (child := fork()):
        arm(ctypes.c_long(number), int(error), int(calls), int(lasts), os.fsencode(folder))
        sys.argv[:] = ["memos", *command]
        try:
            app.main()
        except SystemExit as end:
            if fork is os.fork:
                os._exit(end.code or 0)
        return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
for number in (-1, *range(int(first), 1000, int(step))):
    if command[0] != "list":
        shutil.rmtree(folder, ignore_errors=True)
    if number < 0:  # here, so that the forks need not import everything
        run(-1, *command, fork=int), run(1 << 40, "check", fork=int)
    elif number >= ctypes.CDLL(None).memos_counted():
        break
    else:
        print(number, run(number, *command), run(1 << 40, *command), run(1 << 40, "check"), file=sys.stderr)
"""
READ, WRITE, SYNC = 1, 2, 4


@pytest.fixture
def failing(shell: Shell, tmp_path: Path) -> Callable[..., list[list[str]]]:
    """Run a command with each of some of its system calls failing, again without, and then check.

    Returns the words that they write to standard error, and lines of numbers: which call, three exit codes.
    """
    if not sys.platform.startswith("linux") or not shutil.which("cc"):
        pytest.skip("needs Linux and cc")
    source, library = REPOSITORY / "scripts" / "campaigns" / "faults.c", tmp_path / "faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    vault = tmp_path / "other"  # a copy
    extra = {"LD_PRELOAD": str(library), "PYTHONWARNINGS": "ignore", "MEMOS_VAULT": str(vault)}
    env = {**shell.environment(), **extra}

    def run(error: int, calls: int, first: int, step: int, *given: str, lasts: int = 0) -> list[list[str]]:
        given = tuple(map(str, (error, calls, lasts, first, step, vault, *given)))
        shutil.copytree(shell.vault, vault, dirs_exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", _FAULTS, *given], env=env, capture_output=True, text=True
        )
        assert done.returncode == 0
        return [line.split() for line in done.stderr.splitlines()]

    return run


def test_a_disk_that_cannot_be_read_is_not_a_damaged_vault(
    memos: Shell, failing: Callable[..., list[list[str]]]
) -> None:
    memos.keep("Owls nest low.")
    said = failing(errno.EIO, READ, 2, 4, "list", lasts=1)  # the first ones read VAULT.toml
    ends = [line for line in said if line[0].isdigit()]
    assert len(ends) > 3
    assert {line[1] for line in ends} <= {"0", "1"}  # 0: only the audit's row could not be written
    assert {*map(tuple, (line[2:] for line in ends))} == {("0", "0")}
    assert "damaged" not in str(said)


def test_init_and_a_restore_on_a_full_disk_leave_a_whole_vault_or_none(
    memos: Shell, failing: Callable[..., list[list[str]]], tmp_path: Path
) -> None:
    """A database takes in its log when it is closed; SQLite does not say that this failed."""
    memos.keep("Owls nest low.")
    memos("backup", tmp_path / "backups")
    for step, *command in ((31, "init"), (8, "restore-vault", str(tmp_path / "backups"))):
        ends = [line for line in failing(errno.ENOSPC, WRITE | SYNC, 0, step, *command) if line[0].isdigit()]
        assert len(ends) > 4
        for _, first, again, check in ends:
            assert (again, check) == ("2" if first == "0" and command[0] != "init" else "0", "0")
