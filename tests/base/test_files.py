"""Files are written whole or not at all, private, and locks are let go by whoever dies."""

from __future__ import annotations

import errno
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from memos_cli import files
from memos_cli.errors import Locked, MemosError
from memos_cli.files import hold, make_folder, write_whole


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_private_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")
    write_whole(path, b"new" * 1_000_000)
    assert path.read_bytes() == b"new" * 1_000_000
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(files, "sync", fail)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_write_leaves_the_old_file_and_a_part_that_names_the_process(tmp_path: Path) -> None:
    path, scratch = tmp_path / "a", tmp_path / "tmp"
    scratch.mkdir()
    write_whole(path, b"old")
    code = (
        "import os, sys; from pathlib import Path; from memos_cli import files\n"
        "files.sync = lambda descriptor: os.kill(os.getpid(), 9)\n"
        "files.write_whole(Path(sys.argv[1]), b'new', scratch=Path(sys.argv[2]))"
    )
    done = subprocess.Popen([sys.executable, "-c", code, str(path), str(scratch)])
    assert done.wait() == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    (part,) = scratch.iterdir()
    assert part.name.split(".")[2] == str(done.pid)


def test_the_next_write_deletes_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    """What is still written is locked; other files are none of its business."""
    others = [tmp_path / name for name in (".b.1.00000000.part", ".a.part", ".a.x.00000000.part")]
    left = tmp_path / ".a.4194304.00000000.part"
    for path in (left, *others):
        path.write_bytes(b"half")
    with files.replacing(tmp_path / "a") as part:
        assert not left.exists()
        write_whole(tmp_path / "a", b"meanwhile")
        assert part.exists()
        part.write_bytes(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a", *others])


def test_folders_are_private_and_an_existing_one_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_folder(tmp_path / "a" / "b")
    assert (mode(tmp_path), mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o755, 0o700, 0o700)


def test_one_holds_a_lock_alone_and_several_share_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with hold(lock, shared=True), hold(lock, shared=True), pytest.raises(Locked), hold(lock):
        pass
    with hold(lock), pytest.raises(Locked, match=str(tmp_path)), hold(lock, shared=True, timeout=0.05):
        pass
    with hold(lock):
        assert mode(lock) == 0o600


def test_the_lock_of_a_process_that_is_killed_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from memos_cli.files import hold\n"
        "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Locked), hold(lock):
            pass
        other.kill()
        other.wait()
        with hold(lock):
            pass


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_lock_that_cannot_be_opened_names_its_path(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MemosError, match=f"{folder}/lock"), hold(tmp_path / folder / "lock"):
        pass


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; from memos_cli.files import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_whole(Path(sys.argv[1]), bytes(5000))\n"
        "except OSError as error: print(error.errno)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(errno.EFBIG)
    assert list(tmp_path.iterdir()) == []
