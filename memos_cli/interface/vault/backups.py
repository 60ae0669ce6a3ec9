"""Back up a vault into a folder of snapshots, and verify such a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.errors import Damaged, Unwritable, UsageError
from memos_cli.infrastructure.backup.backup_copy import BlobGone, Copying, StableDatabase, stable_database
from memos_cli.infrastructure.backup.backup_folder import BackupFolder, Survey
from memos_cli.infrastructure.backup.backup_format import Entry, Manifest, name_of, note_backup
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.audit import Head
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.moments import utc
from memos_cli.operation.lifecycle.retention import Retention, kept
from memos_cli.zones import local_zone

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

_TRIES = 3
"""The maximum attempts if another process deletes a blob that is being copied."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """The result of a backup."""

    folder: str
    snapshot: str
    time: int
    bytes: int
    """Of the files of the vault."""
    written: int
    """Bytes of new objects in the folder."""
    unchanged: bool
    """Whether the snapshot is the same as the one before it."""
    removed: tuple[str, ...] = ()
    """Snapshots that no rule keeps."""
    snapshots: int = 0
    """The number of complete ones now."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A snapshot in a list; ``problem`` is empty if it is complete."""

    snapshot: str
    time: int | None
    bytes: int | None
    problem: str


def back_up(
    session: Session, folder: Path, keep: Retention, on_bytes: Callable[[int], None] = lambda count: None
) -> BackedUp:
    """Add a snapshot of the vault to ``folder``, and remove those that no rule of ``keep`` keeps.

    Other processes may read and write meanwhile. Raises Refused unless the caller created the vault;
    UsageError for a folder of other things, Damaged for a vault that is not intact. If it raises, earlier
    snapshots are as they were.
    """
    session.access.require_maker("back it up")
    place = apart(folder, session.folder)
    timeout = session.settings.lock_timeout
    backup = BackupFolder.make(
        place, session.vault.identity.id, timeout, is_open=session.settings.permissions == "any"
    )
    with backup.locked(timeout):
        survey = backup.survey()
        backup.sweep(survey)
        run = _Run(session, backup, survey, on_bytes)
        try:
            done = run.add()
        except BaseException as error:
            if not backup.has(run.name):
                backup.discard(run.copying.new - survey.named.keys())
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unwritable(
                    f"the disk of {place} is full; the earlier snapshots are complete",
                    f'free some space, or keep fewer snapshots: memos backup "{place}" --keep-last 2',
                ) from error
            raise
        removed = _remove_old(backup, keep, done.snapshot)
        left = len(backup.survey().complete) if removed else len(survey.complete) + 1
    notes = [*done.notes, *(f"the snapshot {name} is damaged: {why}" for name, why in survey.broken.items())]
    return replace(done, removed=removed, snapshots=left, notes=tuple(notes))


def apart(folder: Path, vault: Path) -> Path:
    """Return the real path of a folder of backups. Raises UsageError if one is inside the other."""
    real, inside = Path(os.path.realpath(folder)), Path(os.path.realpath(vault))
    if real.is_relative_to(inside):
        raise UsageError(f"{folder} is inside the vault {vault}", "name a folder outside the vault")
    if inside.is_relative_to(real):
        raise UsageError(f"the vault {vault} is inside {folder}", "name a folder that the vault is not in")
    return real


class _Run:
    """One backup; the caller has locked the folder."""

    def __init__(
        self, session: Session, backup: BackupFolder, survey: Survey, on_bytes: Callable[[int], None]
    ) -> None:
        self._session, self._backup = session, backup
        self._notes: list[str] = []
        self._before = survey.complete[-1] if survey.complete else None
        present = dict(survey.named.items() & survey.sizes.items())
        self.copying = Copying(backup, session.folder, present, on_bytes)
        taken = {*survey.broken, *(each.name for each in survey.complete)}
        self._time = session.now()
        if self._before and self._before.time > self._time:
            path = backup.folder / "snapshots" / f"{self._before.name}.json"
            self._notes.append(
                f"the snapshot {self._before.name} has a time in the future, so restore-vault takes it for"
                f' the newest; check the clock, then: rm "{path}"'
            )
        while name_of(self._time) in taken:
            self._time += 1
        self.name = name_of(self._time)

    def add(self) -> BackedUp:
        """Copy what has changed, and complete the snapshot."""
        made = self._same() or self._copied()
        self._backup.commit(made)
        unchanged = self._before is not None and made.tree == self._before.tree
        if encryption := self._session.vault.identity.encryption:
            where = {
                "file": f"the file {self._session.settings.key_file or encryption.file}",
                "keyring": "the system's keyring",
                "passphrase": "your passphrase",
            }[encryption.keeper]
            self._notes.append(
                f"the backup is encrypted and does not contain the key; keep a copy of it elsewhere ({where})"
            )
        return BackedUp(
            str(self._backup.folder), made.name, made.time, made.size, self.copying.written, unchanged,
            notes=tuple(self._notes),
        )  # fmt: skip

    def _same(self) -> Manifest | None:
        """Return the last snapshot if nobody has written to the database since; else None."""
        if self._before is None or self._before.stamp is None:
            return None
        with self._database() as database:
            if not database.is_original or database.stamp != self._before.stamp:
                return None
        large = [
            entry for entry in self._backup.tree(self._before)
            if entry.path == "memos.db" or entry.path.startswith("blobs/")
        ]  # fmt: skip
        return replace(self._manifest(large), audit=self._before.audit, stamp=self._before.stamp)

    def _copied(self) -> Manifest:
        self._record()
        vault = self._session.vault
        for attempt in range(1, _TRIES + 1):
            is_last = attempt == _TRIES
            with vault.pin_blobs() if is_last else nullcontext(), self._database() as database:
                try:
                    first = database.stamp
                    large = self.copying.large_files(database, self._head(database.db))
                except BlobGone:
                    if is_last:
                        raise
                    continue
                head = "" if vault.cipher else str(audit.head(database.db))
                stamp = database.lasting_stamp(first)
            return replace(self._manifest(large), audit=head, stamp=stamp)
        raise AssertionError("the last attempt returns or raises")

    def _database(self) -> AbstractContextManager[StableDatabase]:
        vault = self._session.vault
        return stable_database(
            vault.folder / "memos.db", self._session.settings.lock_timeout, vault.cipher, self._backup.scratch
        )

    def _head(self, db: Connection) -> Head | None:
        """Return the head of the audit at the last snapshot: rows up to it were verified then.

        None if there is none, or the audit does not continue it: then all of it is verified.
        """
        if self._before is None or not self._before.audit:
            return None
        head = Head.of(self._before.audit)
        if audit.stands(db, head):
            return head
        self._notes.append(
            f"the audit of the vault does not continue that of the snapshot {self._before.name}:"
            " the vault was restored from an older one, or replaced"
        )
        return None

    def _manifest(self, large: Sequence[Entry]) -> Manifest:
        entries = [*self.copying.small_files(), *large]
        tree = self.copying.write_tree(entries)
        return Manifest(self.name, self._time, tree, sum(entry.size for entry in entries))

    def _record(self) -> None:
        """Record in the audit that the vault is copied, before it is copied."""
        session = self._session
        try:
            with session.vault.change(session.principal, session.now()) as change:
                note_backup(change, self._backup.folder, self._time)
        except Unwritable as error:  # a vault on read-only media can still be backed up
            self._notes.append(f"this backup is not in the audit: {error}")


def _remove_old(backup: BackupFolder, keep: Retention, newest: str) -> tuple[str, ...]:
    """Remove the complete snapshots that no rule keeps, and the objects that only they needed."""
    if not keep:
        return ()
    zone = local_zone()
    times = {utc(each.time).astimezone(zone): each.name for each in backup.survey().complete}
    stay = kept([*times], keep)
    gone = tuple(name for time, name in sorted(times.items()) if time not in stay and name != newest)
    backup.remove(gone)
    backup.sweep(backup.survey())
    return gone


def snapshots(folder: Path, *, is_open: bool) -> list[Listed]:
    """Return the snapshots in a folder of backups, newest first. Compares names and sizes, not contents."""
    survey = BackupFolder.open(Path(os.path.realpath(folder)), is_open=is_open).survey()
    found = [Listed(each.name, each.time, each.size, "") for each in survey.complete]
    found += [Listed(name, None, None, why) for name, why in survey.broken.items()]
    return sorted(found, key=lambda each: each.snapshot, reverse=True)


def verify(
    folder: Path, *, is_open: bool, on_bytes: Callable[[int], None] = lambda count: None
) -> tuple[int, list[str]]:
    """Read every object of a folder. Returns the number of complete snapshots, and the problems."""
    backup = BackupFolder.open(Path(os.path.realpath(folder)), is_open=is_open)
    survey = backup.survey()
    problems = [f"the snapshot {name} is damaged: {why}" for name, why in survey.broken.items()]
    for sha256, size in sorted(survey.named.items() & survey.sizes.items()):
        try:
            for part in backup.read(Entry("", size, sha256)):
                on_bytes(len(part))
        except Damaged as error:
            problems.append(error.with_hint)
    return len(survey.complete), problems
