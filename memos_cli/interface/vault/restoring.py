"""Restore a vault from a folder of backups.

The vault is made and checked in ``tmp/restore`` of its folder, and moved into place at the end, VAULT.toml
last: an interrupted restore is no vault, and the next one starts over.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.errors import Damaged, Unwritable, UsageError
from memos_cli.files import PRIVATE_FILE, forbid_vault, hold, make_folder, sync, sync_folder, write_all
from memos_cli.infrastructure.backup.backup_folder import BackupFolder, Survey
from memos_cli.infrastructure.backup.backup_format import Entry, Manifest
from memos_cli.infrastructure.storage.database import require_no_log
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.creation import RESTORING
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vault.vault_file import OWN_NAMES
from memos_cli.interface.vault.backups import apart
from memos_cli.moments import format_time
from memos_cli.settings import principal_of

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

_ROOM = 64 << 20
"""Bytes of disk that a vault needs beside its files while it is restored."""


@dataclass(frozen=True, slots=True)
class RestoredVault:
    """A restored vault, with its folder and its snapshot."""

    vault: str
    id: str
    snapshot: str
    time: int
    """When the snapshot was taken, in milliseconds since 1970 UTC."""
    bytes: int
    memories: int
    notes: tuple[str, ...] = ()


def restore(
    session: Session, folder: Path, name: str = "", on_bytes: Callable[[int], None] = lambda count: None
) -> RestoredVault:
    """Restore the snapshot ``name`` ("": the newest) of ``folder`` as the vault of ``memos``.

    That must not exist, or be an empty folder. Every byte is verified, and then the vault as by ``memos
    check``. Raises UsageError, Damaged, Unwritable, and Refused without the key of an encrypted vault.
    """
    target = Path(os.path.realpath(session.folder))
    source = BackupFolder.open(apart(folder, target), is_open=session.settings.permissions == "any")
    forbid_vault(target)
    timeout = session.settings.lock_timeout
    with ExitStack() as stack:
        with suppress(Unwritable):  # a folder on a read-only medium: nobody removes anything there
            stack.enter_context(source.locked(timeout, shared=True))
        chosen = _choose(source, source.survey(), name)
        entries = source.tree(chosen)
        _require_free(target)
        make_folder(target)
        stack.enter_context(hold(target / "lock", timeout=timeout))
        _require_free(target)  # another process may have made a vault there meanwhile
        _require_room(target, chosen.size)
        _clear(target)
        staging = target / RESTORING
        _write(source, entries, staging, on_bytes)
        memories, id = _complete(session, staging, chosen, source.folder)
        _move(staging, target)
    when = format_time(chosen.time)
    notes = (
        f"memories that were forgotten after {when} are here again: forget them again",
        f"tokens, grants and trusted signers are those of {when}: revoke again what you revoked since",
    )
    return RestoredVault(str(target), id, chosen.name, chosen.time, chosen.size, memories, notes)


def _choose(source: BackupFolder, survey: Survey, name: str) -> Manifest:
    if not name:
        if not survey.complete and survey.broken:
            newest, problem = max(survey.broken.items())
            raise Damaged(
                f"no snapshot in {source.folder} is complete; of {newest}, {problem}",
                "use another folder of backups",
            )
        if not survey.complete:
            raise UsageError(f"{source.folder} has no complete snapshot", "memos backup DIR makes one")
        return survey.complete[-1]
    chosen = source.manifest(name)
    if (wrong := survey.broken.get(name)) is not None:
        others = f"--snapshot {survey.complete[-1].name}" if survey.complete else "use another folder"
        raise Damaged(f"the snapshot {name} is damaged: {wrong}", others)
    return chosen


def _require_free(target: Path) -> None:
    """Raise UsageError unless there is nothing at ``target``, or only what an earlier restore left."""
    advice = "name a new folder: --to VAULT"
    if (target / "VAULT.toml").exists():
        raise UsageError(f"there is a vault at {target}; it is not overwritten", advice)
    try:
        names = {path.name for path in target.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}", advice) from error
    scratch, begun = target / "tmp", target / RESTORING
    is_bare = not scratch.is_symlink() and (not scratch.exists() or not any(scratch.iterdir()))
    is_begun = begun.is_dir() and not begun.is_symlink() and not scratch.is_symlink()
    if not names <= (OWN_NAMES if is_begun else {"lock", "tmp"} if is_bare else {"lock"}):
        stranger = sorted(names - {"lock"})[0]
        raise UsageError(f"{target} is not empty (it has {stranger})", advice)


def _require_room(target: Path, size: int) -> None:
    free = shutil.disk_usage(target).free
    if free < size + _ROOM:
        raise Unwritable(
            f"the vault has {size:,} bytes, and the disk of {target} has {free:,} left", "--to a larger disk"
        )


def _clear(target: Path) -> None:
    """Delete what an interrupted restore left; its folder last, because that marks it as one."""
    left = [target / name for name in sorted(OWN_NAMES - {"lock", "tmp"})]
    for path in (*left, target / RESTORING):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    make_folder(target / RESTORING)


def _write(
    source: BackupFolder, entries: Sequence[Entry], staging: Path, on_bytes: Callable[[int], None]
) -> None:
    """Write the files of a snapshot, and verify each object."""
    for name in ("blobs", "index", "tmp"):
        make_folder(staging / name)
    for entry in entries:
        path = staging / entry.path
        make_folder(path.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        descriptor = os.open(path, flags, PRIVATE_FILE)
        try:
            for part in source.read(entry):
                write_all(descriptor, part)
                on_bytes(len(part))
            if entry.path != "memos.db":
                sync(descriptor)
        finally:
            os.close(descriptor)
    with (staging / "memos.db").open("rb") as file:
        sync(file.fileno())


def _complete(session: Session, staging: Path, chosen: Manifest, source: Path) -> tuple[int, str]:
    """Check the vault in ``staging``, build its index and add the audit row. Returns (memories, id)."""
    timeout = session.settings.lock_timeout
    cipher = check.cipher_of(staging, session.keys)
    findings = check.examine(staging, timeout=timeout, cipher=cipher)
    missing = [each for each in findings if each.what == "index-missing"]
    wrong = [each for each in findings if each.what not in ("index-missing", "format-old")]
    if wrong:
        raise Damaged(
            f"the vault of the snapshot {chosen.name} is damaged: {wrong[0].where} {wrong[0].message}",
            f'an earlier one: memos restore-vault "{source}" --list',
        )
    principal, now = principal_of(session.settings), session.now()
    with Vault.open(staging, timeout=timeout, lock=session.keys) as vault:
        with vault.change(principal, now) as change:
            change.note("restore-vault", {"snapshot": chosen.name, "audit": chosen.audit})
        check.repair(vault, missing, principal=principal, now=now)
        return vault.texts, vault.identity.id


def _move(staging: Path, target: Path) -> None:
    """Move the files into place, VAULT.toml last: with that, it is a vault."""
    require_no_log(staging / "memos.db")
    for folder in sorted(path for path in staging.rglob("*") if path.is_dir()):
        sync_folder(folder)
    for name in ("lock", "memos.db-wal", "memos.db-shm"):
        (staging / name).unlink(missing_ok=True)
    shutil.rmtree(staging / "tmp")
    for name in ("blobs", "index", "key.age", "memos.db"):
        if (staging / name).exists():
            (staging / name).rename(target / name)
    sync_folder(target)
    (staging / "VAULT.toml").rename(target / "VAULT.toml")
    sync_folder(target)
    staging.rmdir()
