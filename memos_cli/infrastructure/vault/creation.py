"""Create the files of a vault: its folders, its database, and VAULT.toml last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from memos_cli.cube import new_ulids
from memos_cli.errors import Refused, TooNew, UsageError
from memos_cli.files import PRIVATE_FILE, make_folder, replacing, write_whole
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.database import connect, require_no_log
from memos_cli.infrastructure.storage.encryption import PENDING
from memos_cli.infrastructure.storage.schema import FORMAT, migrate, version_of
from memos_cli.infrastructure.vault.vault_file import OWN_NAMES, Identity, Lock, is_encrypted, not_encrypted
from memos_cli.moments import format_time

RESTORING = "tmp/restore"
"""Folder in a vault that is being restored from a backup."""


def prepare_folder(folder: Path) -> None:
    """Create the folder of a vault. Raises UsageError if it has other things, or a partial restore."""
    try:
        make_folder(folder)
        strangers = sorted({path.name for path in folder.iterdir()} - OWN_NAMES)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}", "choose another folder with --vault DIR") from error
    if (folder / "VAULT.toml").exists():
        return
    if strangers:
        raise UsageError(
            f"{folder} is not empty (it has {strangers[0]})", "choose a new folder with --vault DIR"
        )
    if (folder / RESTORING).exists():
        raise UsageError(f"the restore of {folder} was interrupted", "run memos restore-vault again")


def create_files(
    folder: Path, principal: str, now: int, *, timeout: float, lock: Lock | None, encrypt: bool
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
            FORMAT, known[0] if known else new_ulids(now, 1)[0], format_time(now), encryption=encryption
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


@contextmanager
def _database(folder: Path, encrypt: bool) -> Iterator[Path]:
    """Yield the database of a vault whose VAULT.toml is missing; put a new one in place when it is
    complete.
    """
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
