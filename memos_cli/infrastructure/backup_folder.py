"""A folder of backups: snapshots of one vault, which share what they have in common.

Every object is a file that is named by the sha256 of its bytes: a blob of the vault, a piece of its database,
or the tree of a snapshot, which lists the files of the vault and their pieces. A snapshot is complete when
its manifest is there; that is written last. What no manifest leads to is unfinished, and is never trusted: it
is overwritten or swept. ``store_format.md`` describes the files.

What lies in the folder may come from anywhere: names, sizes and links are checked before they are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from memos_cli.cube import format_time, parse_time, utc
from memos_cli.errors import Damaged, MemosError, Refused, TooNew, UsageError
from memos_cli.files import (
    PRIVATE_FILE,
    forbid_vault,
    hold,
    make_folder,
    read_small,
    sync,
    sync_folder,
    write_whole,
)
from memos_cli.infrastructure import policies
from memos_cli.infrastructure.changes import Change
from memos_cli.infrastructure.database import Connection

VERSION = 1
"""The version of the format of a backup folder."""
PIECE = 1 << 18
"""Bytes of the database in one object. SQLite changes single pages: smaller pieces share more, and more of
them are slower to write."""
_FORMAT = "memos-backup"
_MARK = "BACKUP.json"
_OWN_NAMES = frozenset((_MARK, "lock", "objects", "snapshots", "tmp"))
_KNOWN = "backup:"
"""How the names of policies begin that name a folder; the value is the time of its newest content."""
_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(
    r"([0-9a-f]{64}) (0|[1-9]\d{0,14}) (VAULT\.toml|key\.age|memos\.db|blobs/[0-9a-f]{2}/[0-9a-f]{64})"
)
_LONGEST_TREE = 1 << 30
_BUFFER = 1 << 20

Stamp = tuple[int, ...]
"""What tells whether the file of a database was written to: its device, inode, size and times."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a vault in a snapshot, or one of its pieces, in their order."""

    path: str
    """In the vault: ``VAULT.toml``, ``key.age``, ``memos.db`` or ``blobs/ab/abcd…``."""
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A snapshot: the vault at one time."""

    name: str
    time: int
    """Milliseconds since 1970 UTC."""
    tree: str
    """The object that lists its files."""
    bytes: int
    """Of its files together."""
    audit: str = ""
    """The head of the vault's audit; empty for an encrypted vault."""
    stamp: Stamp | None = None
    """That of the database when it was copied; None if another write could have the same one."""


@dataclass(slots=True)
class Survey:
    """What is in the folder: the oldest snapshot first."""

    complete: list[Manifest] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    """Snapshots that cannot be restored, by name, and why."""
    unreadable: bool = False
    """Whether it is unknown what one of these needs."""
    named: set[str] = field(default_factory=set)
    """Objects that snapshots need."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of the objects that are there."""


def name_of(time: int) -> str:
    """The name of a snapshot that was taken at ``time``."""
    return utc(time).strftime("%Y%m%dT%H%M%S.") + f"{time % 1000:03}Z"


def _time_of(name: str) -> int:
    return parse_time(datetime.strptime(name, "%Y%m%dT%H%M%S.%fZ").isoformat())  # without a zone it is UTC


class BackupFolder:
    """The snapshots of one vault in a folder. Objects of the class hold nothing open."""

    def __init__(self, folder: Path, vault: str) -> None:
        self.folder, self.vault = folder, vault
        self.scratch = folder / "tmp"
        self._list = f'memos restore-vault "{folder}" --list'
        self._made: set[Path] = set()

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
                    f"{folder} is not empty, and holds no backups (it has {strangers[0]})",
                    f'name a new folder: memos backup "{folder / "memos"}"',
                )
        _guard(folder, is_open=is_open)
        with hold(folder / "lock", timeout=timeout):
            for name in ("objects", "snapshots", "tmp"):
                make_folder(folder / name)
            if not (folder / _MARK).exists():
                mark = {"format": _FORMAT, "version": VERSION, "vault": vault}
                write_whole(folder / _MARK, _line(mark), scratch=folder / "tmp")
                sync_folder(folder.parent)
        opened = cls.open(folder, is_open=is_open)
        if opened.vault != vault:
            raise Refused(
                f"{folder} holds backups of another vault, {opened.vault}",
                "name another folder for this vault",
            )
        return opened

    @classmethod
    def open(cls, folder: Path, *, is_open: bool = False) -> BackupFolder:
        """Open an existing folder. Raises UsageError, Refused, Damaged and TooNew; nothing is written."""
        path = folder / _MARK
        try:
            known = json.loads(read_small(path))
            if known["format"] != _FORMAT or not isinstance(known["version"], int):
                raise ValueError("it is of another program")
            vault = str(known["vault"])
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{folder} holds no backups", "name a folder of `memos backup`") from None
        except OSError as error:
            raise MemosError(f"{path}: {error.strerror}", f"make {folder} readable by you") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Damaged(f"{path} is damaged", "name another folder of backups") from error
        if known["version"] > VERSION:
            raise TooNew(f"{folder} was made by a newer memos", "pip install --upgrade memos-cli")
        _guard(folder, is_open=is_open)
        return cls(folder, vault)

    @contextmanager
    def locked(self, timeout: float, *, shared: bool = False) -> Iterator[None]:
        """Hold the folder: writers alone, readers together. Raises Locked, Unwritable."""
        with hold(self.folder / "lock", shared=shared, timeout=timeout):
            yield

    # --- reading ---------------------------------------------------------------------------------

    def survey(self) -> Survey:
        """Look at all snapshots and at the names and sizes of all objects; contents are not read."""
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
        """Add what a snapshot needs to ``found``. Returns what is missing of it."""
        found.named.add(manifest.tree)
        entries = self.tree(manifest)
        found.named.update(entry.sha256 for entry in entries)
        for entry in entries:
            if found.sizes.get(entry.sha256) != entry.bytes:
                return f"the object {entry.sha256} of {entry.path} is missing or of another length"
        return ""

    def manifest(self, name: str) -> Manifest:
        """Read the manifest of a snapshot. Raises UsageError, Damaged."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a snapshot", self._list)
        return self._manifest(self.folder / "snapshots" / f"{name}.json")

    def _manifest(self, path: Path) -> Manifest:
        name = path.name.removesuffix(".json")
        try:
            if not _NAME.fullmatch(name) or path.is_symlink():
                raise ValueError("not a file of ours")
            known: dict[str, Any] = json.loads(read_small(path))
            if known["format"] != _FORMAT or known["vault"] != self.vault or known["version"] != VERSION:
                raise ValueError("of another vault or version")
            stamp, tree, size = known["stamp"], known["tree"], known["bytes"]
            if not _SHA256.fullmatch(tree) or not isinstance(size, int) or size < 0:
                raise ValueError("no tree")
            is_stamp = isinstance(stamp, list) and all(isinstance(each, int) for each in stamp)
            made = Manifest(
                name, _time_of(name), tree, size, str(known["audit"]), tuple(stamp) if is_stamp else None
            )
        except FileNotFoundError:
            raise UsageError(f"there is no snapshot {name}", self._list) from None
        except OSError as error:
            raise MemosError(f"{path}: {error.strerror}", f"make {self.folder} readable by you") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise Damaged(f"the manifest of the snapshot {name} is damaged", f'rm "{path}"') from error
        return made

    def tree(self, manifest: Manifest) -> list[Entry]:
        """The files of a snapshot, pieces of one file in their order. Raises Damaged."""
        path = self.path(manifest.tree)
        try:
            data = read_small(path, _LONGEST_TREE)
        except OSError as error:
            raise self._damaged(manifest.tree, error.strerror or "") from error
        if hashlib.sha256(data).hexdigest() != manifest.tree:
            raise self._damaged(manifest.tree, "its bytes are not those that its name tells")
        entries, seen, last = [], set(), ""
        for line in data.decode("ascii", "replace").splitlines():
            match = _ENTRY.fullmatch(line)
            if match is None:
                raise self._damaged(manifest.tree, "a line of it names no file of a vault")
            entry = Entry(match[3], int(match[2]), match[1])
            if entry.path.startswith("blobs/") and entry.path != blob_path(entry.sha256):
                raise self._damaged(manifest.tree, "it names a blob that is another one")
            if entry.path in seen and not entry.path == last == "memos.db":
                raise self._damaged(manifest.tree, "it names a file twice")
            seen.add(entry.path)
            last = entry.path
            entries.append(entry)
        if not {"VAULT.toml", "memos.db"} <= seen or sum(entry.bytes for entry in entries) != manifest.bytes:
            raise self._damaged(manifest.tree, "it is not the tree of a vault")
        return entries

    def path(self, sha256: str) -> Path:
        """Where an object lies. Its name must be a sha256 in hexadecimal."""
        assert _SHA256.fullmatch(sha256)
        return self.folder / "objects" / sha256[:2] / sha256

    def read(self, entry: Entry) -> Iterator[memoryview]:
        """The bytes of an object, a part at a time; the last one comes after all were verified.

        Raises Damaged if they are others, or more.
        """
        digest, left = hashlib.sha256(), entry.bytes
        try:
            descriptor = os.open(self.path(entry.sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise self._damaged(entry.sha256, error.strerror or "") from error
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size != left:
                raise self._damaged(entry.sha256, "it is of another length")
            buffer = bytearray(min(_BUFFER, left))
            while left:
                count = file.readinto(buffer)
                if not count or count > left:
                    raise self._damaged(entry.sha256, "it is of another length")
                part = memoryview(buffer)[:count]
                digest.update(part)
                left -= count
                if left:
                    yield part
        if digest.hexdigest() != entry.sha256:
            raise self._damaged(entry.sha256, "its bytes are not those that its name tells")
        if entry.bytes:
            yield part

    def _damaged(self, sha256: str, why: str) -> Damaged:
        return Damaged(
            f"the object {self.path(sha256)} is damaged: {why}",
            f'rm "{self.path(sha256)}": the next backup writes it again, if the vault still has it',
        )

    def _sizes(self) -> dict[str, int]:
        """Bytes of every object that is there, by name."""
        sizes: dict[str, int] = {}
        for folder in self._object_folders():
            with os.scandir(folder) as found:
                for each in found:
                    if _SHA256.fullmatch(each.name) and each.is_file(follow_symlinks=False):
                        sizes[each.name] = each.stat(follow_symlinks=False).st_size
        return sizes

    def _object_folders(self) -> Iterator[str]:
        with suppress(FileNotFoundError), os.scandir(self.folder / "objects") as found:
            for each in found:
                if each.is_symlink():
                    raise _is_link(Path(each.path))
                if re.fullmatch("[0-9a-f]{2}", each.name) and each.is_dir(follow_symlinks=False):
                    yield each.path

    # --- writing ---------------------------------------------------------------------------------

    def put(self, data: bytes | memoryview, sha256: str) -> None:
        """Write an object, durable once ``commit`` returns; an unfinished one of this name is replaced."""
        with self.writing(sha256) as descriptor:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]

    @contextmanager
    def writing(self, sha256: str) -> Iterator[int]:
        """A descriptor for the bytes of a new object; if the block raises, there is none."""
        path = self.path(sha256)
        if path.parent not in self._made:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._made.add(path.parent)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE_FILE)
        try:
            yield descriptor
            sync(descriptor)
        except BaseException:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def commit(self, manifest: Manifest) -> None:
        """Make a snapshot whose objects are written complete: durable, with its manifest last."""
        for folder in sorted(self._made):
            sync_folder(folder)
        if self._made:
            sync_folder(self.folder / "objects")
            self._made.clear()
        known = {
            "format": _FORMAT, "version": VERSION, "vault": self.vault, "time": format_time(manifest.time),
            "tree": manifest.tree, "bytes": manifest.bytes, "audit": manifest.audit, "stamp": manifest.stamp,
        }  # fmt: skip
        write_whole(
            self.folder / "snapshots" / f"{manifest.name}.json", _line(known), scratch=self.folder / "tmp"
        )

    def remove(self, names: Sequence[str]) -> None:
        """Remove snapshots. Their objects stay until ``sweep``."""
        for name in names:
            assert _NAME.fullmatch(name)
            (self.folder / "snapshots" / f"{name}.json").unlink(missing_ok=True)
        if names:
            sync_folder(self.folder / "snapshots")

    def has(self, name: str) -> bool:
        """Return whether the manifest of a snapshot is there."""
        return (self.folder / "snapshots" / f"{name}.json").exists()

    def discard(self, objects: Iterable[str]) -> None:
        """Delete objects of a run that failed; where that fails too, the next run sweeps them."""
        for sha256 in objects:
            with suppress(OSError):
                self.path(sha256).unlink(missing_ok=True)

    def sweep(self, survey: Survey) -> int:
        """Delete what killed runs left, and objects that no snapshot needs. Returns how many bytes.

        While a snapshot cannot be read, no object is deleted: it may need any of them.
        """
        for path in (self.folder / "tmp").iterdir():
            if not path.is_dir() or path.is_symlink():
                path.unlink(missing_ok=True)
        gone = 0
        if not survey.unreadable:
            for sha256 in survey.sizes.keys() - survey.named:
                self.path(sha256).unlink(missing_ok=True)
                gone += survey.sizes.pop(sha256)
        return gone


def blob_path(sha256: str) -> str:
    """Where a blob lies in a vault."""
    return f"blobs/{sha256[:2]}/{sha256}"


def note_backup(change: Change, folder: Path, time: int) -> None:
    """Leave in the vault that it is copied to ``folder``: what is in it now is there, too, from then on."""
    change.note("backup", {"folder": folder.as_uri(), "snapshot": name_of(time)})
    policies.put(change, _KNOWN + folder.as_uri(), str(time))


def holding(db: Connection, created: int) -> tuple[str, ...]:
    """The folders of backups that may hold a memory that was created at ``created``."""
    return tuple(
        unquote(urlsplit(uri).path)
        for uri, time in policies.starting(db, _KNOWN).items()
        if time.isdecimal() and created <= int(time)
    )


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _guard(folder: Path, *, is_open: bool) -> None:
    """Refuse a folder with links in it, or (unless ``is_open``) one that everybody may write to."""
    for path in (folder, *(folder / name for name in _OWN_NAMES)):
        try:
            mode = (path.stat() if path == folder else path.lstat()).st_mode
        except OSError:
            continue
        if stat.S_ISLNK(mode):
            raise _is_link(path)
        if mode & stat.S_IWOTH and not is_open:
            raise Refused(
                f"everybody may write to {path}",
                f'chmod -R o-w "{folder}", or set permissions = "any" if the file system has none',
            )


def _is_link(path: Path) -> Refused:
    return Refused(
        f"{path} is a symbolic link, which a backup folder must not contain", "name another folder of backups"
    )
