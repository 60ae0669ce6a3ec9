"""The index of a publication: what is published now, signed. Two lines: the index, and its signature."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from memos_cli.errors import Damaged, MemosError
from memos_cli.interface.share import signing
from memos_cli.interface.share.bundle import to_line

FORMAT, VERSION = "memos-feed", 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a publication, and a feed, may be called."""
_SHA256 = re.compile("[0-9a-f]{64}")
LARGEST = 4 << 30
"""Bytes of a file that an index may name."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a publication, by its content."""

    sha256: str
    bytes: int

    @property
    def name(self) -> str:
        return f"{self.sha256}.mip"


@dataclass(frozen=True, slots=True)
class Delta(Stored):
    """The changes since a serial: current records, and withdrawn ids. Compressed (gzip)."""

    since: int

    @property
    def name(self) -> str:
        return f"{self.sha256}.mip.gz"


@dataclass(frozen=True, slots=True)
class StoredAdapter(Stored):
    """An adapter, in a bundle of its own."""

    id: str
    model: str
    """The sha256 of the base that it is for."""


@dataclass(frozen=True, slots=True)
class Index:
    """What is published. Times are milliseconds since 1970 UTC."""

    name: str
    serial: int
    """Counts the publications, from 1."""
    time: int
    expires: int | None
    licence: str
    """An SPDX expression; "" where none was given."""
    memories: int
    root: str
    """See ``feeds.root``."""
    bundle: Stored
    deltas: tuple[Delta, ...] = ()
    adapters: tuple[StoredAdapter, ...] = ()

    def files(self) -> list[Stored]:
        """Return every file that it names."""
        return [self.bundle, *self.deltas, *self.adapters]


@dataclass(frozen=True, slots=True)
class Signed:
    """An index as it was read, and its signer."""

    index: Index
    signer: str
    sha256: str
    """Of its first line, in hexadecimal."""


def write(index: Index) -> tuple[bytes, str]:
    """Return an index, signed with the user's key, and its sha256. Raises UsageError without a key."""
    line = to_line({"format": FORMAT, "version": VERSION, **asdict(index)})
    return line + to_line(signing.sign(line)), hashlib.sha256(line).hexdigest()


def read(data: bytes, where: str) -> Signed:
    """Return an index whose signature is valid; the caller checks whose it is.

    Raises Damaged for what is none, MemosError for a version of the future.
    """
    head, _, rest = data.partition(b"\n")
    line = head + b"\n"
    try:
        value, signature = json.loads(line), json.loads(rest)
        if value["format"] != FORMAT or not isinstance(value["version"], int):
            raise Damaged(f"{where} is not the index of a publication")
        if value["version"] > VERSION:
            raise MemosError(f"{where} is of a newer version than this program", "update memos-cli")
        signer = signing.verify(line, signature)
        index = Index(
            name=_text(value["name"]),
            serial=_number(value["serial"], 1),
            time=_number(value["time"]),
            expires=None if value["expires"] is None else _number(value["expires"]),
            licence=_text(value["licence"]),
            memories=_number(value["memories"]),
            root=_text(value["root"]),
            bundle=Stored(**_stored(value["bundle"])),
            deltas=tuple(Delta(**_stored(each), since=_number(each["since"])) for each in value["deltas"]),
            adapters=tuple(
                StoredAdapter(**_stored(each), id=_text(each["id"]), model=_text(each["model"]))
                for each in value["adapters"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(
            f"{where} is not a complete index of a publication: {error}", "try again later"
        ) from error
    return Signed(index, signer, hashlib.sha256(line).hexdigest())


def _stored(value: dict[str, Any]) -> dict[str, Any]:
    sha256 = value["sha256"]
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError("a file without its sha256")
    size = _number(value["bytes"])
    if size > LARGEST:
        raise ValueError("a file that is too large")
    return {"sha256": sha256, "bytes": size}


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise TypeError("no text where one should be")
    return value


def _number(value: object, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 1 << 62:
        raise TypeError("no number where one should be")
    return value
