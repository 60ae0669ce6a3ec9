"""The signed index of a publication. It has two lines: the index, and its signature."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from msgspec import Meta

from memos_cli.errors import Damaged, MemosError
from memos_cli.interface.share import signing
from memos_cli.interface.share.bundle import to_line
from memos_cli.validation import Count, Header, Positive, Sha256, parse_json

FORMAT, VERSION = "memos-feed", 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The pattern of names of publications and feeds."""
LARGEST = 4 << 30
"""Bytes of a file that an index may name."""
Text = Annotated[str, Meta(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a publication, by its content."""

    sha256: Sha256
    bytes: Annotated[int, Meta(ge=0, le=LARGEST)]

    @property
    def name(self) -> str:
        return f"{self.sha256}.mip"


@dataclass(frozen=True, slots=True)
class Delta(Stored):
    """The changes since a serial: current records, and withdrawn ids. Compressed (gzip)."""

    since: Count

    @property
    def name(self) -> str:
        return f"{self.sha256}.mip.gz"


@dataclass(frozen=True, slots=True)
class StoredAdapter(Stored):
    """An adapter, in a bundle of its own."""

    id: Text
    model: Text
    """The sha256 of the base that it is for."""


@dataclass(frozen=True, slots=True)
class Index:
    """The content of a publication. Times are milliseconds since 1970 UTC."""

    name: Text
    serial: Positive
    """Counts the publications, from 1."""
    time: Count
    expires: Count | None
    licence: Text
    """An SPDX expression; "" where none was given."""
    memories: Count
    root: Text
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
    """Read an index with a valid signature; the caller checks the signer.

    Raises Damaged for other data, MemosError for a newer version of the format.
    """
    head, _, rest = data.partition(b"\n")
    line = head + b"\n"
    try:
        header, signature = parse_json(line, Header), parse_json(rest, dict[str, Any])
        if header.format != FORMAT:
            raise Damaged(f"{where} is not the index of a publication")
        if header.version > VERSION:
            raise MemosError(f"{where} is of a newer version than this program", "update memos-cli")
        signer = signing.verify(line, signature)
        index = parse_json(line, Index)
    except ValueError as error:
        raise Damaged(
            f"{where} is not a complete index of a publication: {error}", "try again later"
        ) from error
    return Signed(index, signer, hashlib.sha256(line).hexdigest())
