"""MemVault: the directory that holds everything, and the one way to change it.

Readers take no lock. Every change runs in ``Vault.change()``: a shared hold on the ``lock`` file (so that
sweeping and migrating, which hold it alone, never run beside it), one ``BEGIN IMMEDIATE`` transaction,
and the audit row of each change in the same commit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from memos_cli.cube import Cube, format_time, new_ulids
from memos_cli.errors import Damaged, Locked, MemosError, Refused, TooNew, UsageError
from memos_cli.files import PRIVATE_FILE, hold, make_folder, remove, replacing, uninterrupted, write_whole
from memos_cli.infrastructure import audit
from memos_cli.infrastructure.blobs import Blobs
from memos_cli.infrastructure.changes import Change
from memos_cli.infrastructure.database import Connection, begin_writing, connect, one_moment, require_no_log
from memos_cli.infrastructure.encryption import PENDING, Cipher
from memos_cli.infrastructure.identity import (
    OWN_NAMES,
    Identity,
    Lock,
    is_encrypted,
    not_encrypted,
    open_lock,
    read_identity,
)
from memos_cli.infrastructure.schema import FORMAT, NAMED_BLOBS, migrate, version_of
from memos_cli.infrastructure.scope import Scope
from memos_cli.infrastructure.scrubbing import scrub
from memos_cli.infrastructure.snapshots import Snapshots

_LOOKING = 0.25
"""Seconds that a reader waits for a writer, to record its read before anything is shown."""
_MERGED = 100
"""Pages of the full-text index that are merged in one transaction."""
_DISCARDING = 0.25
"""Seconds that the deletion of blobs waits for other processes to leave the vault."""
MAINTAINED, ASKING = "maintain.lock", "asking"
"""Files that processes hold with flock: to look after the vault, and while a model is asked."""
RESTORING = "tmp/restore"
"""Folder in a vault that is being restored from a backup."""
MIGRATION_TIMEOUT = 60.0
"""Seconds to wait for other processes to leave the vault before its tables are changed."""


class Vault:
    """An open vault. Close it, or use it as a context manager."""

    def __init__(
        self,
        folder: Path,
        identity: Identity,
        connection: Connection,
        timeout: float,
        cipher: Cipher | None = None,
    ) -> None:
        self.folder = folder
        self.identity = identity
        self._connection = connection
        self._whole: Connection | None = None
        self._scope: Scope | None = None
        self._names: set[str] | None = None
        self._refusals: list[tuple[object, ...]] = []
        self._looks: list[tuple[object, ...]] = []
        self.unaudited = ""
        """Why reads could not be recorded in the audit: the vault is read-only, or the disk is full."""
        self.cipher = cipher
        self.blobs = Blobs(folder / "blobs", folder / "tmp", cipher)
        self.snapshots = Snapshots(folder / "index", cipher)
        self._timeout = timeout

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        principal: str,
        now: int,
        timeout: float,
        lock: Lock | None = None,
        encrypt: bool = False,
    ) -> Vault:
        """Make a vault at ``folder``, or complete one whose making was cut short; an existing one is opened.

        ``lock`` finds the key of one that is encrypted, and makes that of a new one which is to be. Raises
        UsageError when the folder holds other things, or a plain vault where one was to be encrypted;
        Refused without the key.
        """
        try:
            make_folder(folder)
            strangers = sorted({path.name for path in folder.iterdir()} - OWN_NAMES)
        except OSError as error:
            raise UsageError(
                f"{folder}: {error.strerror}", "choose another folder with --vault DIR"
            ) from error
        made = folder / "VAULT.toml"
        if strangers and not made.exists():
            raise UsageError(
                f"{folder} is not empty (it has {strangers[0]})", "choose a new folder with --vault DIR"
            )
        if (folder / RESTORING).exists() and not made.exists():
            raise UsageError(f"the restore of {folder} was interrupted", "run memos restore-vault again")
        with nullcontext() if made.exists() else hold(folder / "lock", timeout=timeout):
            if not made.exists():  # another process may have made it meanwhile
                cls._make(folder, principal=principal, now=now, timeout=timeout, lock=lock, encrypt=encrypt)
        if encrypt and read_identity(folder).encryption is None:
            raise UsageError(f"{folder} exists and is not encrypted", "create a new vault with --vault DIR")
        return cls.open(folder, timeout=timeout, lock=lock)

    @staticmethod
    def _make(
        folder: Path, *, principal: str, now: int, timeout: float, lock: Lock | None, encrypt: bool
    ) -> None:
        """Create the missing parts of a vault, VAULT.toml last. The caller holds the lock."""
        if lock and lock.is_named and not encrypt:
            raise not_encrypted(folder, "memos init --encrypt, or unset key.file")
        # Store the key first: if that fails, no vault is created.
        encryption, cipher = lock.make(folder) if lock and encrypt else (None, None)
        for name in ("blobs", "index", "tmp"):
            make_folder(folder / name)
        for left in (folder / "tmp").glob(".*.part*"):
            left.unlink()  # a killed process left it: the lock is exclusive
        with _database(folder, encrypt) as path, closing(connect(path, timeout, cipher)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            if version_of(connection) > FORMAT:
                raise TooNew(f"{folder} was made by a newer memos", "pip install --upgrade memos-cli")
            migrate(connection)
            known = connection.execute("SELECT detail FROM audit WHERE action = 'init'").fetchone()
            identity = Identity(
                FORMAT,
                known[0] if known else new_ulids(now, 1)[0],
                format_time(now),
                encryption=encryption,
            )
            if not known:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(
                    "INSERT INTO audit (time, principal, action, detail) VALUES (?, ?, 'init', ?)",
                    (now, principal, identity.id),
                )
                audit.seal(connection)
                connection.execute("COMMIT")
        write_whole(folder / "VAULT.toml", identity.toml(), scratch=folder / "tmp")
        (folder / PENDING).unlink(missing_ok=True)

    @classmethod
    def open(cls, folder: Path, *, timeout: float, lock: Lock | None = None) -> Vault:
        """Open the vault at ``folder``; one of an older format is brought up to date first.

        ``lock`` finds the key of one that is encrypted. Raises NoVault, Damaged, TooNew, Locked; and Refused
        without the key.
        """
        identity = read_identity(folder)
        cipher = open_lock(folder, identity, lock)
        if not (folder / "memos.db").exists():
            raise Damaged(f"{folder / 'memos.db'} is missing", "restore it from a backup")
        connection = connect(folder / "memos.db", timeout, cipher)
        try:
            version = version_of(connection)
            if version > FORMAT:
                raise TooNew(
                    f"{folder} has tables of format {version}; this program knows {FORMAT}",
                    "pip install --upgrade memos-cli",
                )
            if version == 0:
                raise Damaged(f"{folder / 'memos.db'} is empty", "restore it from a backup")
            if version < FORMAT:
                with hold(folder / "lock", timeout=MIGRATION_TIMEOUT):
                    migrate(connection)
                    identity = replace(identity, format=FORMAT)
                    write_whole(folder / "VAULT.toml", identity.toml(), scratch=folder / "tmp")
        except BaseException:
            connection.close()
            raise
        return cls(folder, identity, connection, timeout, cipher)

    def narrow(self, principal: str, clock: Callable[[], int], *, at_once: bool = False) -> None:
        """From now on, ``connection`` shows what ``principal`` may read, and nothing else is there.

        ``at_once``: also where nobody else has anything, so that nothing changes when somebody has.
        """
        self._scope = Scope(self._connection, principal, clock, at_once=at_once)

    @property
    def connection(self) -> Connection:
        """For reading: what the caller may see."""
        self._look_who_asks()
        return self._connection

    def _look_who_asks(self) -> None:
        # Within a transaction of this very connection nobody else can have put anything in since it began.
        if self._scope is not None and not self._connection.in_transaction:
            self._scope.refresh()

    @property
    def is_narrow(self) -> bool:
        """Whether ``connection`` shows less than there is, or may do so."""
        return self._scope is not None and self._scope.is_narrow

    @property
    def texts(self) -> int:
        """How many live memories the caller may read."""
        self._look_who_asks()
        if self._scope is not None and self._scope.is_narrow:
            return self._scope.texts
        return int(self._connection.execute("SELECT count(*) FROM words_docsize").fetchone()[0])

    @property
    def whole(self) -> Connection:
        """All of the vault, whoever asks: for writing, for its rules, and for looking after its files."""
        self._look_who_asks()  # else a change would begin on a connection that is to be narrowed yet
        if not self.is_narrow:
            return self._connection
        if self._whole is None:
            # Never write beside a connection that does not see it.
            self._whole = connect(
                self.folder / "memos.db", self._timeout, self.cipher, immutable=self._connection.is_immutable
            )
        return self._whole

    @contextmanager
    def change(self, principal: str, now: int) -> Iterator[Change]:
        """One transaction. It is durable when the block ends, or undone when the block raises.

        Raises Locked when another writer does not let go in time.
        """
        try:
            with self._transaction(self.whole, self._timeout) as db:
                yield Change(db, principal, now)
        except BaseException:
            if self._refusals and not self.whole.in_transaction:
                self._tell_refusals(principal, now)
            raise

    @contextmanager
    def _transaction(self, db: Connection, timeout: float) -> Iterator[Connection]:
        with hold(self.folder / "lock", shared=True, timeout=timeout), self._commit(db, timeout):
            yield db

    @contextmanager
    def _commit(self, db: Connection, timeout: float) -> Iterator[None]:
        begin_writing(db, timeout)
        try:
            yield
            audit.seal(db)
            db.execute("COMMIT")
        except BaseException:
            # SQLite has already rolled back by itself after some errors (a full disk).
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    @contextmanager
    def snapshot(self, db: Connection) -> Iterator[Connection]:
        """Open a read transaction: all statements of the block see the vault as of one commit."""
        with one_moment(db):
            yield db

    def tell_looks(self, principal: str, now: int, action: str, cubes: Sequence[Cube], more: int = 0) -> None:
        """Leave in the audit that somebody looked at ``cubes``, and at ``more`` that are not named.

        A reader waits for no writer: what cannot be written at once is written with the next look, or when
        the vault is closed. A vault that cannot be written at all is no reason to fail: see ``unaudited``.
        """
        self._looks += [(now, principal, action, cube.id, cube.version, None) for cube in cubes]
        self._looks += [(now, principal, action, None, None, json.dumps(more))] if more else []
        with suppress(Locked):
            self._tell_looks(_LOOKING)

    def _tell_looks(self, timeout: float) -> None:
        """Write the pending audit rows of reads. Raises Locked."""
        db = self._connection
        if not self._looks or db.in_transaction or self.whole.in_transaction:
            return
        try:
            # On the reading connection: a write by another connection would invalidate its page cache. And
            # without ``lock``, which changes of memories hold: reads must be recorded even while it is held.
            with self._commit(db, timeout):
                Change(db, "", 0).insert_audit(self._looks)
        except Locked:
            raise
        except (MemosError, OSError) as error:
            self.unaudited = str(error)
        self._looks = []

    def refuse(self, principal: str, now: int, cube: str, version: int | None, right: str) -> None:
        """Leave in the audit that somebody was refused a right on a cube; in its own transaction.

        Where it comes up within a change, that is undone, and this is written after it. A vault that cannot
        be written now refuses all the same.
        """
        self._refusals.append((now, principal, "refused", cube, version, right))
        if not self.whole.in_transaction:
            self._tell_refusals(principal, now)

    def _tell_refusals(self, principal: str, now: int) -> None:
        rows, self._refusals = self._refusals, []
        with self.if_writable(), self.change(principal, now) as change:
            change.insert_audit(rows)

    @contextmanager
    def if_writable(self) -> Iterator[None]:
        """Record in this block what was read; if that fails, ``unaudited`` says why."""
        try:
            yield
        except (MemosError, OSError) as error:
            self.unaudited = str(error)

    @contextmanager
    def unswept(self) -> Iterator[None]:
        """Hold the vault so that no process deletes a blob that no row names yet."""
        with hold(self.folder / "lock", shared=True, timeout=self._timeout):
            yield

    @contextmanager
    def blob_changes(self) -> Iterator[set[str]]:
        """Add or remove blobs and the rows that refer to them in this block: see ``discarding``.

        No other process deletes a blob meanwhile.
        """
        with self.discarding() as names, self.unswept():
            yield names

    @contextmanager
    def discarding(self) -> Iterator[set[str]]:
        """Collect names of blobs; when the block ends, delete those that no row refers to.

        For that a name belongs in the set before its file is written, and before its row is committed. A
        block within another one shares its set, and leaves the deletion to it.
        """
        if self._names is not None:
            yield self._names
            return
        names = self._names = set()
        try:
            yield names
        finally:
            self._names = None
            with uninterrupted():
                self.discard_blobs(names)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let a run of maintenance pause while the block asks a model; if that cannot be told, it goes on."""
        with ExitStack() as stack:
            with suppress(MemosError):
                stack.enter_context(hold(self.folder / ASKING, shared=True, timeout=0.5))
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the vault so that no other process changes it: for sweeping what no row names."""
        with hold(self.folder / "lock", timeout=self._timeout):
            yield

    def discard_blobs(self, blobs: Iterable[str]) -> None:
        """Delete those of ``blobs`` that no row names any more.

        The caller has committed. While others write they stay: `memos check --repair` sweeps them.
        """
        unnamed = [
            blob for blob in map(str, blobs) if blob and not self._is_named(blob)
        ]  # damage leaves any kind
        if unnamed:
            with suppress(Locked), hold(self.folder / "lock", timeout=_DISCARDING):
                for blob in unnamed:
                    with suppress(Damaged):  # what a damaged row called a blob
                        if not self._is_named(blob):
                            self.blobs.remove(blob)

    def settle(self) -> bool:
        """Overwrite deleted data in all files, with little disk space and memory. The caller has committed.

        Snapshots of vectors go, the full-text index is merged, because a part of it names the words that
        left, and what the database has beside its rows is overwritten. Returns False where some bytes may
        remain: another process uses the vault, or the disk is full.
        """
        for file in (self.folder / "index").glob("vectors-*.bin"):
            remove(file)  # made again by the next search
        try:
            while self._merge_words():
                self.whole.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # or the log would grow
            if self.cipher is None:
                return scrub(self.whole, self.folder / "memos.db")
            with closing(connect(self.folder / "memos.db", self._timeout, self.cipher)) as db:
                db.execute("PRAGMA temp_store = FILE")  # SQLCipher encrypts the copy, too
                db.execute("VACUUM")
                return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except (MemosError, OSError):
            return False

    def _merge_words(self) -> bool:
        """Merge a part of the full-text index. Returns whether there was something to merge."""
        with self._transaction(self.whole, self._timeout) as db:
            before = db.total_changes
            db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (-_MERGED,))
            return db.total_changes - before > 1

    def _is_named(self, blob: str) -> bool:
        statement = f"SELECT 1 FROM ({NAMED_BLOBS}) WHERE blob = ? LIMIT 1"
        return self.whole.execute(statement, (blob,)).fetchone() is not None

    def set_models(self, reader: str, embedder: str) -> None:
        """Remember which models the vault is used with."""
        self.identity = replace(self.identity, reader=reader, embedder=embedder)
        write_whole(self.folder / "VAULT.toml", self.identity.toml(), scratch=self.folder / "tmp")

    def close(self) -> None:
        """Close the vault. Raises Locked if pending reads could not be recorded in the audit."""
        try:
            self._tell_looks(self._timeout)
        except Locked as error:
            raise Locked(
                "the audit could not record what was read: another process is writing", error.hint
            ) from None
        finally:
            self._connection.close()
            if self._whole is not None:
                self._whole.close()

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Locked) if kind else nullcontext():
            self.close()


@contextmanager
def _database(folder: Path, encrypt: bool) -> Iterator[Path]:
    """Yield the database of a vault whose VAULT.toml is missing; a new one takes its place when complete."""
    database = folder / "memos.db"
    if not any(database.with_name(f"{database.name}{end}").exists() for end in ("", "-wal", "-journal")):
        with replacing(database, scratch=folder / "tmp") as part:
            yield part
            require_no_log(part)
        return
    # Made here, so that SQLite's own default permissions never apply.
    os.close(os.open(database, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))
    if not encrypt and is_encrypted(database):
        raise Refused(
            f"{database} is encrypted, and VAULT.toml is gone",
            "memos init --encrypt --key-file FILE, with the file of its key",
        )
    yield database
