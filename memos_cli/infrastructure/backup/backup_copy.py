"""Copy a vault that is in use into a backup folder.

In WAL mode only a checkpoint writes to the file of the database, and none runs while a transaction reads that
file alone. So the log is emptied, such a transaction begins, and the file is copied piece by piece while
others read and write. If others keep the log from being emptied, SQLite's backup API makes a copy first. See
https://sqlite.org/walformat.html#locks
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from memos_cli.errors import Damaged, Locked, Unwritable
from memos_cli.files import PRIVATE_FILE, open_regular, read_small, write_all
from memos_cli.infrastructure.backup.backup_folder import BackupFolder
from memos_cli.infrastructure.backup.backup_format import PIECE, Entry, Stamp, blob_path, to_tree
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.audit import Head
from memos_cli.infrastructure.storage.blobs import Blobs
from memos_cli.infrastructure.storage.database import Connection, connect, explain, has_log, raw_descriptor
from memos_cli.infrastructure.storage.encryption import Cipher
from memos_cli.infrastructure.storage.schema import NAMED_BLOBS
from memos_cli.infrastructure.vault import row_checks

_TRIES = 5
"""The maximum attempts to empty the log if another process writes in between."""
_PATIENCE = 1.0
"""Seconds to wait until the log can be emptied, while other writers wait."""
_WORKERS = 4
_BUFFER = 1 << 20
_TICK = 50_000_000
"""Nanoseconds within which two writes to a file may have the same times."""
_SMALL = ("VAULT.toml", "key.age")
_REPAIR = "`memos check` shows what is wrong; `memos check --repair` repairs what it can"


class _Stopped(Exception):
    """Another thread failed, or the run was interrupted."""


class BlobGone(Damaged):
    """A blob of the copied rows is missing: another process may have deleted it."""


@dataclass(frozen=True, slots=True)
class StableDatabase:
    """A database as of one moment: a transaction that reads it, and a file that does not change."""

    db: Connection
    descriptor: int
    is_original: bool
    """Whether the file is that of the vault, not a copy of it."""

    @property
    def stamp(self) -> Stamp:
        """Return a stamp of the file: it is equal until somebody writes to the file."""
        found = os.fstat(self.descriptor)
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def lasting_stamp(self, first: Stamp) -> Stamp | None:
        """Return the stamp if it is still ``first`` and no later write can get the same one; else None.

        Every write sets the times of a file, but two within one tick of the clock set the same.
        """
        changed = first[4]
        if not self.is_original or changed % 1_000_000_000 == 0:  # a file system that counts seconds
            return None
        if 0 <= (passed := time.time_ns() - changed) < _TICK:
            time.sleep((_TICK - passed) / 1e9)
        return first if self.stamp == first and time.time_ns() - changed >= _TICK else None


@contextmanager
def stable_database(
    path: Path, timeout: float, cipher: Cipher | None, scratch: Path
) -> Iterator[StableDatabase]:
    """Yield the database at ``path`` as it is now, for reading, while others write.

    If the vault is too busy for that, yield a copy in ``scratch``. Raises Locked, Unwritable.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(closing(connect(path, timeout, cipher)))
        with closing(connect(path, min(timeout, _PATIENCE), cipher)) as writer:
            is_original = _read_file_alone(reader, writer, path)
        if is_original:
            descriptor = raw_descriptor(path, os.O_RDONLY)
        else:
            _begin(reader)
            copy = scratch / "memos.db"
            stack.callback(copy.unlink, missing_ok=True)
            _copy_by_sqlite(reader, copy, cipher)
            descriptor = os.open(copy, os.O_RDONLY)
            stack.callback(os.close, descriptor)
        yield StableDatabase(reader, descriptor, is_original)


def _read_file_alone(reader: Connection, writer: Connection, path: Path) -> bool:
    """Empty the log, and begin a transaction of ``reader`` that needs none. Returns whether it worked."""
    for _ in range(_TRIES):
        try:
            if writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                return False
            writer.execute("BEGIN IMMEDIATE")  # from here on nobody else writes
        except Locked:
            return False
        except Unwritable:  # a read-only medium
            if has_log(path):
                raise
            _begin(reader)
            return True
        try:
            if not has_log(path):
                _begin(reader)
                return True
        finally:
            writer.execute("ROLLBACK")
    return False


def _begin(reader: Connection) -> None:
    reader.execute("BEGIN")
    reader.execute("SELECT 1 FROM audit LIMIT 1").fetchone()  # only a read begins it


def _copy_by_sqlite(source: Connection, path: Path, cipher: Cipher | None) -> None:
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    with closing(connect(path, 0, cipher)) as target:
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")  # its pieces are synced
        try:
            source.backup(target)
        except Exception as error:
            if hasattr(error, "sqlite_errorcode"):
                raise explain(error) from error
            raise


@dataclass(slots=True)
class Copying:
    """One run that copies a vault into a folder of backups. Objects that exist there are not written
    again.
    """

    backup: BackupFolder
    vault: Path
    present: Mapping[str, int]
    """Bytes of the objects of complete snapshots, by name."""
    on_bytes: Callable[[int], None] = lambda count: None
    written: int = 0
    """Bytes of new objects."""
    new: set[str] = field(default_factory=set)
    """Their names."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_stopped: bool = False

    def small_files(self) -> list[Entry]:
        """Copy VAULT.toml, and the key of a vault with a passphrase, which is encrypted."""
        entries = []
        for name in _SMALL:
            with suppress(FileNotFoundError):
                entries.append(self._put(name, read_small(self.vault / name)))
        return entries

    def large_files(self, database: StableDatabase, head: Head | None) -> list[Entry]:
        """Copy the database and the blobs that its rows name, and verify them.

        ``head`` is that of the audit at an earlier backup. Raises Damaged, BlobGone, Locked and OSError.
        """
        first, size = database.stamp, os.fstat(database.descriptor).st_size
        blobs = Blobs(self.vault / "blobs", self.vault / "tmp")
        names = sorted({str(name) for (name,) in database.db.execute(NAMED_BLOBS)})
        jobs = [
            *(partial(self._put_piece, database.descriptor, start) for start in range(0, size, PIECE)),
            *(partial(self._put_blob, name, blobs.path(name)) for name in names),
        ]
        entries = self._run(jobs, lambda: _examine(database.db, head))
        if database.stamp != first:
            raise Locked("memos.db changed while it was copied", "try again")
        return entries

    def write_tree(self, entries: Sequence[Entry]) -> str:
        """Write the object that lists the files of a snapshot. Returns its name."""
        return self._put("", to_tree(entries)).sha256

    def _run(self, jobs: Sequence[Callable[[], Entry]], beside: Callable[[], None]) -> list[Entry]:
        """Run ``jobs`` on several threads, and ``beside`` on this one. Returns the entries in their order."""
        waiting, made = iter(enumerate(jobs)), dict[int, Entry]()
        self._is_stopped = False

        def work() -> None:
            try:
                while True:
                    with self._lock:
                        number, job = next(waiting, (-1, None))
                    if job is None:
                        return
                    self._check_stopped()
                    made[number] = job()
            except BaseException:
                self._is_stopped = True
                raise

        with ThreadPoolExecutor(_WORKERS) as workers:
            running = [workers.submit(work) for _ in range(_WORKERS)]
            try:
                beside()
            except BaseException:
                self._is_stopped = True
                raise
        errors = [error for each in running if (error := each.exception())]
        for error in sorted(errors, key=lambda error: isinstance(error, _Stopped)):
            raise error
        return [made[number] for number in range(len(jobs))]

    def _check_stopped(self) -> None:
        if self._is_stopped:
            raise _Stopped

    def _put_piece(self, descriptor: int, start: int) -> Entry:
        return self._put("memos.db", os.pread(descriptor, PIECE, start))

    def _put_blob(self, name: str, path: Path) -> Entry:
        if (size := self.present.get(name)) is not None:
            return Entry(blob_path(name), size, name)
        try:
            with open_regular(path, follow=False) as file:
                size = os.fstat(file.fileno()).st_size
                with self._new(name, size) as is_new:
                    if is_new:
                        self._copy_blob(name, file)
        except FileNotFoundError:
            raise BlobGone(f"blob {name} is missing", _REPAIR) from None
        self._count(size)
        return Entry(blob_path(name), size, name)

    def _copy_blob(self, name: str, file: IO[bytes]) -> None:
        digest, buffer = hashlib.sha256(), bytearray(_BUFFER)
        with self.backup.writing(name) as descriptor:
            while count := file.readinto(buffer):  # type: ignore[attr-defined]
                view = memoryview(buffer)[:count]
                digest.update(view)
                self._check_stopped()
                write_all(descriptor, view)
            if digest.hexdigest() != name:
                raise Damaged(f"blob {name} is damaged", _REPAIR)

    def _put(self, path: str, data: bytes) -> Entry:
        sha256 = hashlib.sha256(data).hexdigest()
        with self._new(sha256, len(data)) as is_new:
            if is_new:
                self.backup.put(data, sha256)
        self._count(len(data))
        return Entry(path, len(data), sha256)

    def _count(self, count: int) -> None:
        with self._lock:
            self.on_bytes(count)

    @contextmanager
    def _new(self, sha256: str, size: int) -> Iterator[bool]:
        """Return whether the block must write this object. If it raises, the object counts as not written."""
        with self._lock:
            is_new = self.present.get(sha256) != size and sha256 not in self.new
            if is_new:
                self.new.add(sha256)
        try:
            yield is_new
        except BaseException:
            if is_new:
                self.new.discard(sha256)
            raise
        if is_new:
            with self._lock:
                self.written += size


def _examine(db: Connection, head: Head | None) -> None:
    """Check that the database is intact and that the audit continues from ``head``. Raises Damaged."""
    for finding in row_checks.pages(db, full=False):
        raise Damaged(f"{finding.where} is damaged: {finding.message}", _REPAIR)
    for broken in audit.verify(db, head, only_new=head is not None):
        raise Damaged(f"audit row {broken.n}: {broken.problem}", "memos audit verify")
