"""A folder of backups: snapshots of one vault, which share equal objects.

Every object is a file that is named by the sha256 of its bytes: a blob of the vault, a piece of its database,
or the tree of a snapshot, which lists the files of the vault and their pieces. A snapshot is complete when
its manifest exists; that is written last. An object that no manifest names is unfinished, and is never
trusted: it is overwritten or swept. ``store_format.md`` describes the files.

Files in the folder may come from anywhere: names, sizes and links are checked before they are used.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from memos_cli.errors import Damaged, MemosError, Refused, TooNew, UsageError
from memos_cli.files import (
    PRIVATE_FILE,
    forbid_vault,
    hold,
    make_folder,
    open_regular,
    read_small,
    sync_files,
    sync_folder,
    write_all,
    write_whole,
)
from memos_cli.infrastructure.backup.backup_format import (
    FORMAT,
    NAME,
    SHA256,
    VERSION,
    Entry,
    Manifest,
    read_header,
    read_manifest,
    read_tree,
    read_vault_id,
)
from memos_cli.infrastructure.vault.vault_file import guard

_MARK = "BACKUP.json"
_OWN_NAMES = frozenset((_MARK, "lock", "objects", "snapshots", "tmp"))
_OTHER = "name another folder of backups"
_LONGEST_TREE = 1 << 28
_BUFFER = 1 << 20


@dataclass(slots=True)
class Survey:
    """The content of the folder: the oldest snapshot first."""

    complete: list[Manifest] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    """Snapshots that cannot be restored, by name, and why."""
    unreadable: bool = False
    """Whether it is unknown what one of these needs."""
    named: dict[str, int] = field(default_factory=dict)
    """Bytes of the objects that snapshots need."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of the objects that are there."""


class BackupFolder:
    """The snapshots of one vault in a folder. The object keeps no file open."""

    def __init__(self, folder: Path, vault: str) -> None:
        self.folder, self.vault = folder, vault
        self.scratch = folder / "tmp"
        self._list = f'memos restore-vault "{folder}" --list'
        self._unsynced: list[Path] = []

    @classmethod
    def make(cls, folder: Path, vault: str, timeout: float, *, is_open: bool = False) -> BackupFolder:
        """Open the folder for backups of the vault with the id ``vault``; make it if it is missing or empty.

        Unless ``is_open``, a folder that everybody may write to is refused. Raises UsageError for a folder
        with other things, Refused for one of another vault or with symbolic links.
        """
        forbid_vault(folder)
        try:
            make_folder(folder)
            names = {path.name for path in folder.iterdir()}
        except OSError as error:
            raise UsageError(f"{folder}: {error.strerror}", "name another folder") from error
        if strangers := sorted(names - _OWN_NAMES):
            if "VAULT.toml" in names or "memos.db" in names:
                raise UsageError(f"{folder} is a vault", "name a new folder for its backups")
            if _MARK not in names:
                raise UsageError(
                    f"{folder} is not empty, and has no backups in it (but {strangers[0]})",
                    f'name a new folder: memos backup "{folder / "memos"}"',
                )
        _guard(folder, is_open=is_open)
        with hold(folder / "lock", timeout=timeout):
            for name in ("objects", "snapshots", "tmp"):
                make_folder(folder / name)
            if not (folder / _MARK).exists():
                mark = {"format": FORMAT, "version": VERSION, "vault": vault}
                write_whole(folder / _MARK, json.dumps(mark).encode() + b"\n", scratch=folder / "tmp")
                sync_folder(folder.parent)
        opened = cls.open(folder, is_open=is_open)
        if opened.vault != vault:
            raise Refused(
                f"{folder} has backups of another vault, {opened.vault}",
                "name another folder for this vault",
            )
        return opened

    @classmethod
    def open(cls, folder: Path, *, is_open: bool = False) -> BackupFolder:
        """Open an existing folder. Raises UsageError, Refused, Damaged and TooNew; nothing is written."""
        path = folder / _MARK
        try:
            data = read_small(path)
            header, vault = read_header(data), read_vault_id(data)
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{folder} has no backups in it", "name a folder of `memos backup`") from None
        except OSError as error:
            raise MemosError(f"{path}: {error.strerror}", f"make {folder} readable by you") from error
        except ValueError as error:
            raise Damaged(f"{path} is damaged", _OTHER) from error
        if header.version > VERSION:
            raise TooNew(f"{folder} was made by a newer memos", "pip install --upgrade memos-cli")
        _guard(folder, is_open=is_open)
        return cls(folder, vault)

    def locked(self, timeout: float, *, shared: bool = False) -> AbstractContextManager[None]:
        """Lock the folder: exclusively for writing, shared for reading. Raises Locked, Unwritable."""
        return hold(self.folder / "lock", shared=shared, timeout=timeout)

    # --- reading ---------------------------------------------------------------------------------

    def survey(self) -> Survey:
        """List all snapshots, and check the names and sizes of all objects; contents are not read."""
        found = Survey(sizes=self._sizes())
        trees: dict[str, str] = {}
        for path in sorted((self.folder / "snapshots").glob("*.json")):
            try:
                manifest = self._manifest(path)
                if manifest.tree not in trees:
                    trees[manifest.tree] = self._needs(manifest, found)
                problem = trees[manifest.tree]
            except (MemosError, OSError) as error:
                problem, found.unreadable = str(error), True
            if problem:
                found.broken[path.name.removesuffix(".json")] = problem
            else:
                found.complete.append(manifest)
        return found

    def _needs(self, manifest: Manifest, found: Survey) -> str:
        """Add the objects that a snapshot needs to ``found``. Returns those that are missing."""
        found.named[manifest.tree] = found.sizes.get(manifest.tree, 0)
        entries = self.tree(manifest)
        found.named.update((entry.sha256, entry.size) for entry in entries)
        for entry in entries:
            if found.sizes.get(entry.sha256) != entry.size:
                return f"the object {entry.sha256} of {entry.path} is missing or of another length"
        return ""

    def manifest(self, name: str) -> Manifest:
        """Read the manifest of a snapshot. Raises UsageError, Damaged."""
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not the name of a snapshot", self._list)
        return self._manifest(self.folder / "snapshots" / f"{name}.json")

    def _manifest(self, path: Path) -> Manifest:
        name = path.name.removesuffix(".json")
        try:
            if path.is_symlink():
                raise ValueError("a symbolic link")
            return read_manifest(name, read_small(path), self.vault)
        except FileNotFoundError:
            raise UsageError(f"there is no snapshot {name}", self._list) from None
        except OSError as error:
            raise MemosError(f"{path}: {error.strerror}", f"make {self.folder} readable by you") from error
        except (ValueError, OverflowError) as error:
            raise Damaged(f"the manifest of the snapshot {name} is damaged", f'rm "{path}"') from error

    def tree(self, manifest: Manifest) -> list[Entry]:
        """Return the files of a snapshot, with the pieces of each file in order. Raises Damaged."""
        path = self.path(manifest.tree)
        try:
            if path.lstat().st_size > _LONGEST_TREE:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            with open_regular(path, follow=False) as file:
                data = file.read(_LONGEST_TREE)
        except OSError as error:
            raise self._damaged(manifest.tree, error.strerror or "") from error
        if hashlib.sha256(data).hexdigest() != manifest.tree:
            raise self._damaged(manifest.tree, "its bytes do not match its name")
        try:
            return read_tree(data, manifest.size)
        except ValueError as error:
            raise self._damaged(manifest.tree, str(error)) from error

    def path(self, sha256: str) -> Path:
        """Return the path of an object. Its name must be a sha256 in hexadecimal."""
        assert SHA256.fullmatch(sha256)
        return self.folder / "objects" / sha256[:2] / sha256

    def read(self, entry: Entry) -> Iterator[memoryview]:
        """Yield the bytes of an object in parts; the last part only after all bytes were verified.

        Raises Damaged if the bytes are altered, or if there are more of them.
        """
        digest, left = hashlib.sha256(), entry.size
        try:
            descriptor = os.open(self.path(entry.sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise self._damaged(entry.sha256, error.strerror or "") from error
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size != left:
                raise self._damaged(entry.sha256, "it has another length")
            buffer = bytearray(min(_BUFFER, left))
            while left:
                count = file.readinto(buffer)
                if not count or count > left:
                    raise self._damaged(entry.sha256, "it has another length")
                part = memoryview(buffer)[:count]
                digest.update(part)
                left -= count
                if left:
                    yield part
        if digest.hexdigest() != entry.sha256:
            raise self._damaged(entry.sha256, "its bytes do not match its name")
        if entry.size:
            yield part

    def _damaged(self, sha256: str, why: str) -> Damaged:
        return Damaged(
            f"the object {self.path(sha256)} is damaged: {why}",
            f'rm "{self.path(sha256)}": the next backup writes it again, if the vault still has it',
        )

    def _sizes(self) -> dict[str, int]:
        """Return the size of every object in bytes, by name."""
        sizes: dict[str, int] = {}
        for folder in self._object_folders():
            with os.scandir(folder) as found:
                for each in found:
                    if SHA256.fullmatch(each.name) and each.is_file(follow_symlinks=False):
                        sizes[each.name] = each.stat(follow_symlinks=False).st_size
        return sizes

    def _object_folders(self) -> Iterator[str]:
        with suppress(FileNotFoundError), os.scandir(self.folder / "objects") as found:
            for each in found:
                if each.is_symlink():
                    raise Refused(
                        f"{each.path} is a symbolic link, which a backup folder must not contain", _OTHER
                    )
                if re.fullmatch("[0-9a-f]{2}", each.name) and each.is_dir(follow_symlinks=False):
                    yield each.path

    # --- writing ---------------------------------------------------------------------------------

    def put(self, data: bytes | memoryview, sha256: str) -> None:
        """Write an object, durable once ``commit`` returns; an unfinished one of this name is replaced."""
        with self.writing(sha256) as descriptor:
            write_all(descriptor, data)

    @contextmanager
    def writing(self, sha256: str) -> Iterator[int]:
        """Yield a descriptor to write a new object; if the block raises, no object is made."""
        path = self.path(sha256)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE_FILE)
        try:
            yield descriptor
            self._unsynced.append(path)
        except BaseException:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def commit(self, manifest: Manifest) -> None:
        """Complete a snapshot whose objects are written: make it durable, with its manifest last."""
        if self._unsynced:
            sync_files(self._unsynced)
            sync_folder(self.folder / "objects")
            self._unsynced.clear()
        write_whole(
            self.folder / "snapshots" / f"{manifest.name}.json",
            manifest.line(self.vault),
            scratch=self.folder / "tmp",
        )

    def remove(self, names: Sequence[str]) -> None:
        """Remove snapshots. Their objects stay until ``sweep``."""
        for name in names:
            assert NAME.fullmatch(name)
            (self.folder / "snapshots" / f"{name}.json").unlink(missing_ok=True)
        if names:
            sync_folder(self.folder / "snapshots")

    def has(self, name: str) -> bool:
        """Return whether the manifest of a snapshot is there."""
        return (self.folder / "snapshots" / f"{name}.json").exists()

    def discard(self, objects: Iterable[str]) -> None:
        """Delete the objects of a failed run; if that fails too, the next run sweeps them."""
        for sha256 in objects:
            with suppress(OSError):
                self.path(sha256).unlink(missing_ok=True)

    def sweep(self, survey: Survey) -> int:
        """Delete files that killed runs left, and objects that no snapshot needs. Returns how many bytes.

        While a snapshot cannot be read, no object is deleted: it may need any of them.
        """
        for path in self.scratch.iterdir():
            if not path.is_dir() or path.is_symlink():
                path.unlink(missing_ok=True)
        gone = 0
        if not survey.unreadable:
            for sha256 in survey.sizes.keys() - survey.named.keys():
                self.path(sha256).unlink(missing_ok=True)
                gone += survey.sizes.pop(sha256)
        return gone


def _guard(folder: Path, *, is_open: bool) -> None:
    guard(folder, is_open=is_open, names=_OWN_NAMES, what="a backup folder", hint=_OTHER)
