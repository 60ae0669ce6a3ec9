"""MemVault: the folder of a vault, and the only way to change it.

Readers take no lock. Every change runs in ``Vault.change()``: a shared lock on the file ``lock`` (sweeping
and migrating lock it exclusively), one ``BEGIN IMMEDIATE`` transaction, and the audit row of each change in
the same commit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from memos_cli.cube import Cube
from memos_cli.errors import Damaged, Locked, MemosError, TooNew, UsageError
from memos_cli.files import hold, remove, uninterrupted, write_whole
from memos_cli.infrastructure.access.row_access import Scope
from memos_cli.infrastructure.derived import slot_states
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.blobs import Blobs
from memos_cli.infrastructure.storage.database import Connection, begin_writing, connect, one_moment
from memos_cli.infrastructure.storage.encryption import Cipher
from memos_cli.infrastructure.storage.schema import FORMAT, NAMED_BLOBS, migrate, version_of
from memos_cli.infrastructure.storage.scrubbing import scrub
from memos_cli.infrastructure.vault.creation import create_files, prepare_folder
from memos_cli.infrastructure.vault.vault_file import Identity, Lock, open_lock, read_identity
from memos_cli.infrastructure.vectors.vector_snapshots import Snapshots

_LOOKING = 0.25
"""Seconds that a reader waits for a writer, to record its read before anything is shown."""
_MERGED = 100  # pages of the full-text index that one transaction merges
_DISCARDING = 0.25
"""Seconds that the deletion of blobs waits for other processes to leave the vault."""
MAINTAINED, ASKING, WATCHED = "maintain.lock", "asking", "watch.lock"
"""Lock files (flock) of maintenance, of processes that use a model, and of `memos watch`."""
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
        self.remaining: list[str] = []
        """Descriptions of slot files of deleted states that memos could not delete."""
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
        """Create a vault at ``folder``, or complete one whose creation was interrupted; an existing one is
        opened.

        ``lock`` finds the key of an encrypted vault, or makes one for a new vault with ``encrypt``. Raises
        UsageError if the folder has other things, or a vault without encryption where ``encrypt`` wants one;
        Refused without the key.
        """
        made = folder / "VAULT.toml"
        prepare_folder(folder)
        with nullcontext() if made.exists() else hold(folder / "lock", timeout=timeout):
            if not made.exists():  # another process may have made it since
                create_files(
                    folder, principal=principal, now=now, timeout=timeout, lock=lock, encrypt=encrypt
                )
        if encrypt and read_identity(folder).encryption is None:
            raise UsageError(f"{folder} exists and is not encrypted", "create a new vault with --vault DIR")
        return cls.open(folder, timeout=timeout, lock=lock)

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

    def restrict_to(self, principal: str, clock: Callable[[], int], *, at_once: bool = False) -> None:
        """Restrict ``connection`` to the memories that ``principal`` may read.

        ``at_once``: even while the vault has nothing of others, so that nothing changes later.
        """
        self._scope = Scope(self._connection, principal, clock, at_once=at_once)

    @property
    def connection(self) -> Connection:
        """The connection for reading, with the rows that the caller may see."""
        self._refresh_scope()
        return self._connection

    def _refresh_scope(self) -> None:
        # Within a transaction of this very connection nobody else can have put anything in since it began.
        if self._scope is not None and not self._connection.in_transaction:
            self._scope.refresh()

    @property
    def is_restricted(self) -> bool:
        """Whether ``connection`` is restricted to the rows that its principal may read."""
        return self._scope is not None and self._scope.is_restricted

    def visible(self, ids: Iterable[str]) -> set[str]:
        """Return those ids of existing memories that the caller may read."""
        return {*queries.by_ids(self.connection, [*ids])} if self.is_restricted else {*ids}

    @property
    def texts(self) -> int:
        """Count the live memories that the caller may read."""
        self._refresh_scope()
        if self._scope is not None and self._scope.is_restricted:
            return self._scope.texts
        return int(self._connection.execute("SELECT count(*) FROM words_docsize").fetchone()[0])

    @property
    def unrestricted(self) -> Connection:
        """A connection to all of the vault: for writes, access rules and the care of its files."""
        self._refresh_scope()  # else a change would begin on a connection that is to be narrowed yet
        if not self.is_restricted:
            return self._connection
        if self._whole is None:
            # Never write beside a connection that does not see it.
            self._whole = connect(
                self.folder / "memos.db", self._timeout, self.cipher, immutable=self._connection.is_immutable
            )
        return self._whole

    @contextmanager
    def change(self, principal: str, now: int) -> Iterator[Transaction]:
        """Run one transaction: durable when the block ends, undone if it raises.

        Raises Locked if another writer does not finish in time.
        """
        try:
            with self._locked_commit() as db:
                yield Transaction(db, principal, now)
        except BaseException:
            if self._refusals and not self.unrestricted.in_transaction:
                self._audit_refusals(principal, now)
            raise

    @contextmanager
    def _locked_commit(self) -> Iterator[Connection]:
        db = self.unrestricted
        with self.pin_blobs(), self._commit(db, self._timeout):
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

    snapshot = staticmethod(one_moment)

    def audit_reads(
        self, principal: str, now: int, action: str, cubes: Sequence[Cube], more: int = 0
    ) -> None:
        """Record in the audit that a principal read ``cubes``, and ``more`` unnamed ones.

        A reader does not wait for writers: rows that cannot be written now are written with the next read, or
        when the vault is closed. A read-only vault is no error: see ``unaudited``.
        """
        self._looks += [(now, principal, action, cube.id, cube.version, None) for cube in cubes]
        self._looks += [(now, principal, action, None, None, json.dumps(more))] if more else []
        with suppress(Locked):
            self._audit_reads(_LOOKING)

    def _audit_reads(self, timeout: float) -> None:
        """Write the pending audit rows of reads. Raises Locked."""
        db = self._connection
        if not self._looks or db.in_transaction or self.unrestricted.in_transaction:
            return
        try:
            # On the reading connection: a write by another connection would invalidate its page cache. And
            # without ``lock``, which changes lock: reads must be recorded even then.
            with self._commit(db, timeout):
                Transaction(db, "", 0).insert_audit(self._looks)
        except Locked:
            raise
        except (MemosError, OSError) as error:
            self.unaudited = str(error)
        self._looks = []

    def refuse(self, principal: str, now: int, cube: str, version: int | None, right: str) -> None:
        """Record in the audit that a principal was refused a right on a memory; in its own transaction.

        Within a change, the change is undone, and this is written after it. A read-only vault refuses, too,
        without a record.
        """
        self._refusals.append((now, principal, "refused", cube, version, right))
        if not self.unrestricted.in_transaction:
            self._audit_refusals(principal, now)

    def _audit_refusals(self, principal: str, now: int) -> None:
        rows, self._refusals = self._refusals, []
        with self.if_writable(), self.change(principal, now) as change:
            change.insert_audit(rows)

    @contextmanager
    def if_writable(self) -> Iterator[None]:
        """Run a block that records reads; if the vault cannot be written, set ``unaudited`` to the reason."""
        try:
            yield
        except (MemosError, OSError) as error:
            self.unaudited = str(error)

    def pin_blobs(self) -> AbstractContextManager[None]:
        """Lock the vault so that no process deletes a blob that no row names yet."""
        return hold(self.folder / "lock", shared=True, timeout=self._timeout)

    @contextmanager
    def blob_changes(self) -> Iterator[set[str]]:
        """Add or remove blobs and the rows that refer to them in this block: see ``discarding``.

        No other process deletes a blob meanwhile.
        """
        with self.discarding() as names, self.pin_blobs():
            yield names

    @contextmanager
    def discarding(self) -> Iterator[set[str]]:
        """Collect names of blobs; when the block ends, delete those that no row refers to.

        Add a name to the set before its file is written, and before its row is committed. A nested block
        shares the set of the outer one, which deletes the blobs.
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
    def model_in_use(self) -> Iterator[None]:
        """Pause a run of maintenance, if possible, while the block uses a model."""
        with ExitStack() as stack:
            with suppress(MemosError):
                stack.enter_context(hold(self.folder / ASKING, shared=True, timeout=0.5))
            yield

    def exclusive(self) -> AbstractContextManager[None]:
        """Lock the vault so that no other process changes it: to sweep files that no row names."""
        return hold(self.folder / "lock", timeout=self._timeout)

    def discard_blobs(self, blobs: Iterable[str]) -> None:
        """Delete those of ``blobs`` that no row names any more.

        The caller has committed. While others write they stay: `memos check --repair` sweeps them.
        """
        # As texts: damage leaves values of any type.
        if unnamed := [blob for blob in map(str, blobs) if blob and not self._is_named(blob)]:
            with suppress(Locked), hold(self.folder / "lock", timeout=_DISCARDING):
                for blob in unnamed:
                    with suppress(Damaged):  # what a damaged row called a blob
                        if not self._is_named(blob):
                            self.remaining += slot_states.discard(self.unrestricted, self.blobs, blob)
                            self.blobs.remove(blob)

    def scrub(self) -> bool:
        """Overwrite deleted data in all files, with little disk space and memory. The caller has committed.

        Snapshots of vectors are deleted, the full-text index is merged, because a part of it names the
        deleted words, and all bytes of the database outside its rows are overwritten. Returns False if some
        bytes may remain: another process uses the vault, or the disk is full.
        """
        for file in (self.folder / "index").glob("vectors-*.bin"):
            remove(file)  # made again by the next search
        try:
            while self._merge_words():
                # Or the log would grow.
                self.unrestricted.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if self.cipher is None:
                return scrub(self.unrestricted, self.folder / "memos.db")
            with closing(connect(self.folder / "memos.db", self._timeout, self.cipher)) as db:
                db.execute("PRAGMA temp_store = FILE")  # SQLCipher encrypts the copy, too
                db.execute("VACUUM")
                return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except (MemosError, OSError):
            return False

    def _merge_words(self) -> bool:
        """Merge a part of the full-text index. Returns whether there was something to merge."""
        with self._locked_commit() as db:
            before = db.total_changes
            db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (-_MERGED,))
            return db.total_changes - before > 1

    def _is_named(self, blob: str) -> bool:
        statement = f"SELECT 1 FROM ({NAMED_BLOBS}) WHERE blob = ? LIMIT 1"
        return self.unrestricted.execute(statement, (blob,)).fetchone() is not None

    def set_models(self, reader: str, embedder: str) -> None:
        """Record the models that the vault is used with."""
        self.identity = replace(self.identity, reader=reader, embedder=embedder)
        write_whole(self.folder / "VAULT.toml", self.identity.toml(), scratch=self.folder / "tmp")

    def close(self) -> None:
        """Close the vault. Raises Locked if pending reads could not be recorded in the audit."""
        try:
            self._audit_reads(self._timeout)
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
