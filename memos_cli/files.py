"""Files as the vault needs them: written whole or not at all, private, and locked.

Not guaranteed: a disk that lies about fsync. On macOS ``fsync`` does not flush the drive's cache; the
``F_FULLFSYNC`` that would is used where the platform has it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from memos_cli.errors import Locked, MemosError, UsageError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def sync(descriptor: int) -> None:
    """Put what was written to ``descriptor`` on the disk."""
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


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents, readable by the owner alone. An existing one stays as it is."""
    if not folder.is_dir():
        make_folder(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=PRIVATE_FOLDER)


def open_input(path: Path, hint: str) -> BinaryIO:
    """Open a file that the user named, for reading.

    Raises UsageError with ``hint`` where it cannot be read, and for a folder, device or FIFO, which may never
    end; a pipe of the shell, ``<(…)``, and /dev/null are read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint) from error
    status = os.fstat(descriptor)
    kind = stat.S_IFMT(status.st_mode)
    is_pipe_of_shell = kind == stat.S_IFIFO and path.is_absolute() and path.parts[1] in ("dev", "proc")
    is_nothing = kind == stat.S_IFCHR and status.st_rdev == Path(os.devnull).stat().st_rdev
    if kind != stat.S_IFREG and not is_pipe_of_shell and not is_nothing:
        os.close(descriptor)
        name = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO"}.get(kind, "a device")
        raise UsageError(f"{path} is {name}, not a file", hint)
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def write_whole(path: Path, data: bytes | memoryview, *, scratch: Path | None = None) -> None:
    """Write ``data`` to ``path``: afterwards there is the old file or the whole new one, durable.

    The bytes go first to a file in ``scratch`` (by default beside ``path``; made if missing; on the
    same file system). A killed process leaves that one behind.
    """
    folder = scratch or path.parent
    make_folder(folder)
    part = folder / f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            sync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def hold(path: Path, *, shared: bool = False, timeout: float = 0.0) -> Iterator[None]:
    """Hold the advisory lock on the file ``path`` (made if missing) for the length of the block.

    Raises Locked when it isn't free within ``timeout`` seconds. The kernel lets go of the lock of a
    process that dies. A file that cannot be opened is a MemosError.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    except OSError as error:
        raise MemosError(f"{path}: {error.strerror}", f"make {path.parent} writable by you") from error
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
