"""Files as the vault needs them: written whole or not at all, private, and locked.

Not guaranteed: a disk that lies about fsync. On macOS ``fsync`` does not flush the drive's cache; the
``F_FULLFSYNC`` that would is used where the platform has it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from memos_cli.errors import Locked, Unwritable, UsageError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_FEW = 64
"""Files that are synced one by one: syncing all of a file system also waits for what others have written."""


def sync(descriptor: int) -> None:
    """Flush the data written to ``descriptor`` to the disk."""
    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is not None:
        with suppress(OSError):  # some file systems refuse it; fsync then is all there is
            fcntl.fcntl(descriptor, full_sync)
            return
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable: a rename is not, until its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_files(paths: Sequence[Path]) -> None:
    """Flush files and their names to the disk: all at once if there are many, and the system can do that."""
    if len(paths) > _FEW and _sync_file_system(paths[0]):
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            sync(descriptor)
        finally:
            os.close(descriptor)
    for folder in sorted({path.parent for path in paths}):
        sync_folder(folder)


def _sync_file_system(path: Path) -> bool:
    """Flush the whole file system of ``path`` to the disk. Returns whether the system can do that.

    Linux does, and reports failed writes since 5.8 (syncfs(2)).
    """
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if sys.platform != "linux" or not release or (int(release[1]), int(release[2])) < (5, 8):
        return False
    import ctypes

    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(descriptor)
    return True


def make_folder(folder: Path, mode: int = PRIVATE_FOLDER) -> None:
    """Make ``folder`` and its parents, durable; with this mode. An existing one stays as it is."""
    if not folder.is_dir():
        make_folder(folder.parent, mode)
        with suppress(FileExistsError):
            folder.mkdir(mode=mode)
            with suppress(PermissionError):  # the folder is writable but cannot be listed
                sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Delete a file, if it is there, so that no power cut brings it back."""
    with suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)


def open_input(path: Path, hint: str) -> BinaryIO:
    """Open a file that the user named, for reading.

    Raises UsageError with ``hint`` if it cannot be read or is a folder, device or FIFO: reading one may never
    end. Process substitution of the shell, ``<(…)``, and /dev/null are accepted.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint) from error
    status = os.fstat(descriptor)
    kind = stat.S_IFMT(status.st_mode)
    is_of_shell = path.parts[1:2] == ("proc",) or path.parts[1:3] in (("dev", "fd"), ("dev", "stdin"))
    is_pipe_of_shell = kind == stat.S_IFIFO and path.is_absolute() and is_of_shell
    is_nothing = kind == stat.S_IFCHR and status.st_rdev == Path(os.devnull).stat().st_rdev
    if kind != stat.S_IFREG and not is_pipe_of_shell and not is_nothing:
        os.close(descriptor)
        name = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO"}.get(kind, "a device")
        raise UsageError(f"{path} is {name}, not a file", hint)
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def write_whole(path: Path, data: bytes | memoryview, *, scratch: Path | None = None) -> None:
    """Write ``data`` to ``path``: see ``replacing``."""
    with replacing(path, scratch=scratch) as part:
        descriptor = os.open(part, os.O_WRONLY)
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``: the system may take only a part of it at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def replacing(path: Path, *, scratch: Path | None = None) -> Iterator[Path]:
    """Yield an empty private file that replaces ``path`` when the block ends, durably.

    Afterwards there is the old file or the complete new one, whatever happens. The new one is written in
    ``scratch`` (by default the folder of ``path``; created if missing; on the same file system). A killed
    process leaves it behind; the next one that replaces ``path`` from there deletes it. `memos maintain`
    deletes those in a vault, too.
    """
    folder = scratch or path.parent
    make_folder(folder)
    _delete_unfinished(folder, path.name)
    part = folder / f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part"
    try:  # from here on: an interruption may come between any two steps
        descriptor = _create_locked(part)
        try:
            yield part
            sync(descriptor)
            part.replace(path)  # still locked: nobody deletes it before
        finally:
            os.close(descriptor)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _create_locked(part: Path) -> int:
    """Create a file and lock it, so that no other process treats it as left by a killed process."""
    while True:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        try:
            with suppress(OSError):  # without locks nobody deletes it: see _delete_unfinished
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it was deleted before it was locked


def _delete_unfinished(folder: Path, name: str) -> None:
    """Delete the files with which killed processes wanted to replace the file ``name``."""
    pattern = re.compile(rf"\.{re.escape(name)}\.\d+\.[0-9a-f]{{8}}\.part")
    with suppress(OSError):  # a folder that cannot be listed can be written to
        for left in [each for each in folder.iterdir() if pattern.fullmatch(each.name)]:
            with suppress(OSError), open_regular(left) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()


def read_small(path: Path, most: int = 1 << 20) -> bytes:
    """Read a file of at most ``most`` bytes. Raises OSError for a larger one, and for a pipe or device."""
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most >> 10} KiB", str(path))
    return data


def read_part(path: Path, start: int, end: int) -> bytes:
    """Read the bytes ``start`` to ``end`` of a file; empty if the file is shorter than ``end``.

    Raises OSError, also for a pipe or device.
    """
    with open_regular(path) as file:
        if not 0 <= start <= end <= os.fstat(file.fileno()).st_size:
            return b""
        file.seek(start)
        return file.read(end - start)


@contextmanager
def open_regular(path: Path, *, follow: bool = True) -> Iterator[IO[bytes]]:
    """Open a regular file for reading, without blocking. Raises OSError for a pipe, device or folder.

    Unless ``follow``, also for a symbolic link.
    """
    link = 0 if follow else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | link)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        yield file


def write_output(path: Path, data: bytes) -> None:
    """Write ``data`` to a file that the user named: see ``open_output``."""
    with open_output(path) as file:
        file.write(data)


@contextmanager
def open_output(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that the user named, for writing; symbolic links are followed.

    A regular file is replaced atomically when the block ends. A pipe or character device such as
    ``/dev/null`` is written to. Raises UsageError for a folder, a block device, and any path inside a vault.
    """
    kind = _kind(path)
    if kind is not None and not stat.S_ISREG(kind):
        if stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
            with path.open("wb") as file:
                yield file
            return
        what = "a folder" if stat.S_ISDIR(kind) else "not a file"
        raise UsageError(f"{path} is {what}", "name a file to write to")
    real = Path(os.path.realpath(path))
    forbid_vault(real)
    with replacing(real) as part, part.open("wb") as file:
        yield file


def forbid_vault(path: Path) -> None:
    """Raise UsageError for a path inside a vault, also through links: only memos writes there."""
    for folder in Path(os.path.realpath(path)).parents:
        if (folder / "VAULT.toml").exists() or (
            (folder / "memos.db").exists() and (folder / "lock").exists()
        ):
            raise UsageError(f"{path} is inside the vault {folder}", "name a path outside the vault")


def _kind(path: Path) -> int | None:
    """Return the file mode of ``path``, following links; None if it does not exist."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay SIGINT and SIGTERM until the block ends. Only the main thread can; other threads do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if received:
            signal.raise_signal(received[0])


@contextmanager
def hold(path: Path, *, shared: bool = False, timeout: float = 0.0) -> Iterator[None]:
    """Lock the file ``path`` (created if missing) for the duration of the block; the lock is advisory.

    Raises Locked if it is not free within ``timeout`` seconds. The kernel releases the lock of a process that
    dies. A file that cannot be opened is Unwritable.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    except OSError as error:
        raise Unwritable(f"{path}: {error.strerror}", f"make {path.parent} writable by you") from error
    try:
        mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, mode)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Locked(
                        f"another memos is working on {path.parent}",
                        "wait for it to end, or raise the setting lock.timeout",
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def hold_folder(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Lock a folder, without a lock file in it. Raises Locked if it is in use and ``wait`` is false."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Locked(
            f"another memos process is using {folder}", "wait until it ends, then try again"
        ) from None
    finally:
        os.close(descriptor)
