"""The files of a backup folder: manifests, trees and names; and a vault's record of its backups.

``store_format.md`` describes them. These files may come from anywhere: they can name only files of a vault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from memos_cli.infrastructure.memories import key_values
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.moments import format_time, parse_time, utc
from memos_cli.validation import Count, Header, Sha256, parse_json

FORMAT = "memos-backup"
VERSION = 1
"""The version of the format of a backup folder."""
PIECE = 1 << 18
"""Bytes of the database in one object. SQLite changes single pages: smaller pieces share more, and more of
them are slower to write."""
NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z")
SHA256 = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(
    r"([0-9a-f]{64}) (0|[1-9]\d{0,14}) (VAULT\.toml|key\.age|memos\.db|blobs/[0-9a-f]{2}/[0-9a-f]{64})"
)
_KNOWN = "backup:"
"""The prefix of the names of policies that name a folder. Memories older than their value may be there."""
_BEGINS = 60_000
"""Milliseconds within which a backup begins to copy after that note."""

Stamp = tuple[int, ...]
"""Device, inode, size and times of a database file: they change with every write."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a vault in a snapshot, or one of its pieces, in their order."""

    path: str
    """In the vault: ``VAULT.toml``, ``key.age``, ``memos.db`` or ``blobs/ab/abcd…``."""
    size: int
    """In bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A snapshot: the vault at one time."""

    name: str
    time: int
    """Milliseconds since 1970 UTC."""
    tree: str
    """The object that lists its files."""
    size: int
    """Bytes of its files together."""
    audit: str = ""
    """The head of the vault's audit; empty for an encrypted vault."""
    stamp: Stamp | None = None
    """That of the database when it was copied; None if another write could have the same one."""

    def line(self, vault: str) -> bytes:
        """Return the content of the manifest file; ``vault`` is the id of the vault."""
        known = {
            "format": FORMAT, "version": VERSION, "vault": vault, "time": format_time(self.time),
            "tree": self.tree, "bytes": self.size, "audit": self.audit, "stamp": self.stamp,
        }  # fmt: skip
        return json.dumps(known).encode() + b"\n"


def name_of(time: int) -> str:
    """Return the name of a snapshot taken at ``time``."""
    return utc(time).strftime("%Y%m%dT%H%M%S.") + f"{time % 1000:03}Z"


def time_of(name: str) -> int:
    """Return the time at which the snapshot of this name was taken. Raises ValueError."""
    return parse_time(datetime.strptime(name, "%Y%m%dT%H%M%S.%fZ").isoformat())  # without a zone it is UTC


class _Mark(Struct):
    vault: str


class _ManifestFile(Struct):
    vault: str
    tree: Sha256
    bytes: Count
    audit: str
    stamp: tuple[int, ...] | None


def read_header(data: bytes) -> Header:
    """Read the format and version of a manifest or ``BACKUP.json``. Raises ValueError."""
    header = parse_json(data, Header)
    if header.format != FORMAT:
        raise ValueError("it is of another program")
    return header


def read_vault_id(data: bytes) -> str:
    """Return the id of the vault that ``BACKUP.json`` names. Raises ValueError."""
    return parse_json(data, _Mark).vault


def read_manifest(name: str, data: bytes, vault: str) -> Manifest:
    """Read the manifest of a snapshot of ``vault``. Raises ValueError."""
    file = parse_json(data, _ManifestFile)
    if not NAME.fullmatch(name) or read_header(data).version != VERSION or file.vault != vault:
        raise ValueError("it is of another vault or version")
    return Manifest(name, time_of(name), file.tree, file.bytes, file.audit, file.stamp)


def to_tree(entries: Sequence[Entry]) -> bytes:
    """Return the object that lists the files of a snapshot: lines of sha256, bytes and path."""
    return "".join(f"{entry.sha256} {entry.size} {entry.path}\n" for entry in entries).encode()


def read_tree(data: bytes, size: int) -> list[Entry]:
    """Parse an object that ``to_tree`` wrote; the files have ``size`` bytes. Raises ValueError for others."""
    entries: list[Entry] = []
    seen: set[str] = set()
    for line in data.decode("ascii").splitlines():
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise ValueError("a line does not name a file of a vault")
        entry = Entry(match[3], int(match[2]), match[1])
        if entry.path.startswith("blobs/") and entry.path != blob_path(entry.sha256):
            raise ValueError("a blob has the path of another one")
        is_next_piece = entry.path == "memos.db" and entries and entries[-1].path == "memos.db"
        if entry.path in seen and not is_next_piece:
            raise ValueError("it names a file twice")
        seen.add(entry.path)
        entries.append(entry)
    if not {"VAULT.toml", "memos.db"} <= seen or sum(entry.size for entry in entries) != size:
        raise ValueError("it is not the tree of a vault")
    return entries


def blob_path(sha256: str) -> str:
    """Return the path of a blob in a vault."""
    return f"blobs/{sha256[:2]}/{sha256}"


def note_backup(change: Transaction, folder: Path, time: int) -> None:
    """Record in the vault that it is backed up to ``folder``: it contains all present memories from now
    on.
    """
    change.note("backup", {"folder": folder.as_uri(), "snapshot": name_of(time)})
    key_values.put(change, _KNOWN + folder.as_uri(), str(time + _BEGINS))


def holding(db: Connection, created: int) -> tuple[str, ...]:
    """Return the backup folders that may contain a memory created at ``created``."""
    return tuple(
        unquote(urlsplit(uri).path)
        for uri, time in key_values.starting(db, _KNOWN).items()
        if time.isdecimal() and created <= int(time)
    )
