"""The settings, the vault and the disk that it is on."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from memos_cli.counts import sized
from memos_cli.errors import Damaged, MemosError, NoVault, Refused, Unwritable, UsageError
from memos_cli.folders import config_file
from memos_cli.infrastructure.storage.database import connect_read_only
from memos_cli.infrastructure.storage.encryption import INSTALL, Cipher
from memos_cli.infrastructure.storage.schema import APPLICATION_ID, FORMAT, version_of
from memos_cli.infrastructure.vault.vault_file import Identity, guard, read_identity
from memos_cli.interface.access.vault_keys import cipher_without_asking
from memos_cli.interface.doctor.report import Line
from memos_cli.settings import Settings, load_settings, principal_of, vault_folder

_LONGEST = 0.3
"""Seconds for SQLite's own check, and for adding up sizes."""
_STEPS = 10_000
"""Steps of SQLite's virtual machine between two checks of the time."""
_LITTLE, _TOO_LITTLE = 256_000_000, 16_000_000
"""Bytes of free disk."""


def read_settings(flags: dict[str, object]) -> tuple[Settings, Line]:
    """Return the settings and a line on them; if they are invalid, the defaults."""
    file = config_file()
    try:
        settings, _ = load_settings(flags)
        principal_of(settings)
    except UsageError as error:
        kept = {name: value for name, value in os.environ.items() if name == "MEMOS_VAULT"}
        nothing = Path(os.devnull, "none")
        flags = {name: value for name, value in flags.items() if name == "vault"}
        return load_settings(flags, kept, nothing)[0], Line("settings", "fail", str(error), error.hint)
    if file is None:
        return settings, Line("settings", "ok", "defaults; there is no home folder")
    where = f"{file}" if file.exists() else f"defaults; {file} does not exist"
    return settings, Line("settings", "ok", where, "", {"file": str(file), "exists": file.exists()})


def find_vault(settings: Settings) -> tuple[Path | None, Identity | None]:
    """Return the folder of the vault and its VAULT.toml; None for what is not known or cannot be read."""
    folder = None
    with suppress(MemosError):
        folder = vault_folder(settings).absolute()
        return folder, read_identity(folder)
    return folder, None


def check_vault(settings: Settings) -> Iterator[Line]:
    """Check that there is a vault of a known format that only its user can write to."""
    folder = vault_folder(settings)
    details: dict[str, object] = {"folder": str(folder)}
    try:
        identity = read_identity(folder)
    except NoVault as error:
        place = _existing(folder)
        if (folder / "memos.db").exists():
            yield Line("vault", "fail", str(error), "memos init", details)
        elif not place.is_dir() or not os.access(place, os.W_OK):
            message = f"{error}, and {place} is not a folder that you can write to"
            yield Line("vault", "fail", message, "memos init --vault DIR", details)
        else:
            yield Line("vault", "warn", str(error), "memos init", details)
        return
    guard(folder, is_open=settings.permissions == "any")
    database = folder / "memos.db"
    if not database.exists():
        raise Damaged(f"{database} is missing", "restore it from a backup: memos restore-vault")
    size, is_all = _measure(folder)
    details |= {
        "format": identity.format, "encrypted": identity.encryption is not None, "size": size,
        "database_size": database.stat().st_size,
    }  # fmt: skip
    kind = "encrypted" if identity.encryption else "not encrypted"
    much = sized(size) if is_all else f"more than {sized(size)}"
    yield Line("vault", "ok", f"{folder}: format {identity.format}, {kind}, {much}", "", details)
    if not os.access(folder, os.W_OK) or not os.access(database, os.W_OK):
        yield Line("vault", "warn", f"{folder} is read-only for you", f'ls -ld "{folder}"')


def check_database(settings: Settings, folder: Path | None, identity: Identity | None) -> Iterator[Line]:
    """Check the database of the vault, for a limited time."""
    if folder is None or identity is None or not (folder / "memos.db").exists():
        return
    if encryption := identity.encryption:
        missing = [name for name in ("sqlcipher3", "pyrage") if importlib.util.find_spec(name) is None]
        if missing:
            yield Line("key", "fail", f"an encrypted vault needs {' and '.join(missing)}", INSTALL)
            return
        if encryption.keeper != "file" and not settings.key_file:
            where = "in the keyring" if encryption.keeper == "keyring" else "under a passphrase"
            yield Line("key", "ok", f"{where}; the database was not opened", "memos check")
            return
    try:
        cipher = cipher_without_asking(folder, identity, settings.key_file)
    except Refused as error:
        yield Line("key", "fail", str(error), error.hint)
        return
    yield _check_database(folder / "memos.db", cipher)


def _check_database(database: Path, cipher: Cipher | None) -> Line:
    """Run SQLite's quick check until it ends or the time is over."""
    try:
        db = connect_read_only(database, cipher)
    except Unwritable as error:
        message = f"{error}; a process that was killed left its write-ahead log"
        return Line("database", "warn", message, "memos check")
    with closing(db):
        version = version_of(db)
        (mark,) = db.execute("PRAGMA application_id").fetchone()
        if mark != APPLICATION_ID or not version:
            return Line("database", "fail", f"{database} is not the database of a vault", "memos check")
        end = time.monotonic() + _LONGEST
        db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
        except Damaged:
            raise
        except MemosError:  # interrupted
            message = f"no damage found in {_LONGEST:g} s; the check did not finish"
            return Line("database", "ok", message, "memos check", {"complete": False})
    if found != ["ok"]:
        hint = "memos check lists all damage; restore a backup with memos restore-vault"
        return Line("database", "fail", f"damaged: {'; '.join(found)[:300]}", hint)
    if version < FORMAT:
        message = f"sound; format {version}, which the next command upgrades to {FORMAT}"
        return Line("database", "ok", message, "", {"complete": True})
    return Line("database", "ok", "sound (SQLite's quick check)", "", {"complete": True})


def check_disk(folder: Path | None) -> Iterator[Line]:
    """Check that the disk of the vault has room."""
    if folder is None:
        return
    place = _existing(folder)
    total, _, free = shutil.disk_usage(place)
    if not total:  # not a file system for files, such as /proc
        return
    details: dict[str, object] = {"free": free, "folder": str(place)}
    message = f"{sized(free)} free at {place}"
    if free >= _LITTLE:
        yield Line("disk", "ok", message, "", details)
    else:
        yield Line("disk", "fail" if free < _TOO_LITTLE else "warn", message, "free some disk space", details)


def _existing(folder: Path) -> Path:
    """Return ``folder``, or the nearest folder above it that exists."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())


def _measure(folder: Path) -> tuple[int, bool]:
    """Return the bytes of all files in ``folder``, and whether all were counted in time."""
    end, size = time.monotonic() + _LONGEST, 0
    for place, _, files in os.walk(folder):
        for file in files:
            try:
                size += Path(place, file).lstat().st_size
            except OSError:
                continue
        if time.monotonic() > end:
            return size, False
    return size, True
