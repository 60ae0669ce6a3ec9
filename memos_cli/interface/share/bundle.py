"""The interchange bundle: a tar of a manifest and JSON lines, the same bytes for the same content.

The manifest comes first and names every other member with its length and its sha256, so that a reader knows
the content before it imports any of it.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Any, Generic, TypeVar

from msgspec import Struct

from memos_cli.errors import Damaged, MemosError
from memos_cli.validation import Header, Sha256, parse_json

FORMAT, VERSION = "mip", 1
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
MOST, MOST_LINES = 1 << 30, 32 << 30
"""Bytes of a member that is read: of a file, and of one of lines."""
LONGEST = 256 << 20
"""Bytes of a record that is read."""
_PIECE = 1 << 20
LINES = ".jsonl"
"""The end of the names of members with records, one a line; others are files as they are."""
_AGAIN = "copy the whole file again, or export it again"
_PARTS = ("cubes.jsonl", "links.jsonl", "access.jsonl", "rebuild.jsonl")
"""Members that every bundle has."""


_Item = TypeVar("_Item")


def to_line(record: Mapping[str, Any]) -> bytes:
    """Return a record as one line of JSON: keys sorted, no spaces, UTF-8."""
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


class _Member(Struct):
    sha256: Sha256


class _Manifest(Struct):
    """The manifest: the other members by name."""

    members: dict[str, _Member]


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of a bundle, verified against its manifest."""

    parts: Mapping[str, Sequence[dict[str, Any]]]
    """Records by member."""
    files: dict[str, bytes]
    """The other members, by name."""
    manifest: bytes
    signature: dict[str, Any] | None
    """The signature, not verified yet."""


Sign = Callable[[bytes], Mapping[str, str]]
"""Returns the signature of a manifest."""


class Again(Generic[_Item]):
    """An iterable that computes its items at each iteration, so that none stays in memory."""

    def __init__(self, make: Callable[[], Iterable[_Item]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[_Item]:
        return iter(self._make())


def write(
    stream: IO[bytes],
    parts: Mapping[str, Iterable[Mapping[str, Any]]],
    sign: Sign | None = None,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a bundle of ``parts``, records by the names of members, and of ``files``.

    The records are iterated twice, because the manifest comes first: ``Again``.
    """
    lines = {name: Again(partial(map, to_line, records)) for name, records in parts.items()}
    write_lines(stream, lines, sign, files)


def write_lines(
    stream: IO[bytes],
    parts: Mapping[str, Iterable[bytes]],
    sign: Sign | None = None,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write records that are lines already."""
    names = [*_PARTS, *sorted(name for name in parts if name not in _PARTS)]
    members = {name: parts.get(name, ()) for name in names}
    members |= {name: [files[name]] for name in sorted(files)} if files else {}
    infos = {name: _describe(name, pieces) for name, pieces in members.items()}
    head = to_line({"format": FORMAT, "version": VERSION, "members": infos})
    archive = _Archive(stream)
    archive.add(MANIFEST, len(head), [head])
    for name, pieces in members.items():
        archive.add(name, infos[name]["bytes"], pieces)
    if sign:
        signature = to_line(sign(head))
        archive.add(SIGNATURE, len(signature), [signature])
    archive.end()


def _describe(name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
    """Return the entry of a member in the manifest."""
    size = records = 0
    sha256 = hashlib.sha256()
    for piece in pieces:
        sha256.update(piece)
        size += len(piece)
        records += piece.count(b"\n")
    counted = {"records": records} if name.endswith(LINES) else {}
    return {"bytes": size, **counted, "sha256": sha256.hexdigest()}


class _Archive:
    """A tar that is written member by member, without a copy in memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._size = stream, 0

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._size += len(data)

    def add(self, name: str, size: int, pieces: Iterable[bytes]) -> None:
        entry = tarfile.TarInfo(name)  # no time, no owner: nothing but the content
        entry.size, entry.mode = size, 0o600
        self._write(entry.tobuf(tarfile.USTAR_FORMAT))
        for piece in pieces:
            self._write(piece)
        self._write(bytes(-size % tarfile.BLOCKSIZE))

    def end(self) -> None:
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._write(bytes(-self._size % tarfile.RECORDSIZE))


def is_bundle(head: bytes) -> bool:
    """Return whether a file that begins so may be a bundle."""
    return head[:14] == MANIFEST.encode() + b"\0" and head[257:262] == b"ustar"


class Records(Sequence[dict[str, Any]]):
    """The records of a member, read from the stream at each iteration."""

    def __init__(self, stream: IO[bytes], start: int, size: int) -> None:
        """Open the records. Raises ValueError for a line that is no record, or has more than LONGEST
        bytes.
        """
        self._stream, self._start, self._end = stream, start, start + size
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        at = self._start
        while at < self._end:
            self._stream.seek(at)  # another member may have been read meanwhile
            line = self._stream.readline(min(self._end - at, LONGEST + 1))
            if not line or len(line) > LONGEST:
                raise ValueError("a record that does not end")
            at += len(line)
            yield _record(line)

    def __getitem__(self, at: Any) -> Any:
        return [*self][at]


def read(stream: IO[bytes]) -> Bundle:
    """Read a bundle in memory; see ``scan``."""
    found = scan(stream)
    return replace(found, parts={name: [*records] for name, records in found.parts.items()})


def scan(stream: IO[bytes]) -> Bundle:
    """Verify a bundle against its manifest and return it. Its records are read from ``stream`` later.

    Raises Damaged if it does not match its manifest, MemosError for a newer version of the format.
    """
    places: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for entry in archive:
                # A sparse member may claim any size: its zeros are not in the file.
                most = MOST_LINES if entry.name.endswith(LINES) else MOST
                if not entry.isreg() or entry.issparse() or entry.size > most or entry.name in places:
                    raise Damaged(f"not a bundle: {entry.name}", _AGAIN)
                places[entry.name] = (entry.offset_data, entry.size)
        head = b"".join(_bytes(stream, *places.pop(MANIFEST)))
        signed = places.pop(SIGNATURE, None)
        signature = _record(b"".join(_bytes(stream, *signed))) if signed else None
        header = parse_json(head, Header)
        if header.format != FORMAT:
            raise Damaged("not a bundle of memories", _AGAIN)
        if header.version > VERSION:
            raise MemosError(
                f"the bundle is of version {header.version}, newer than this program", "update memos-cli"
            )
        members = parse_json(head, _Manifest).members
        for name, place in places.items():
            if members[name].sha256 != _describe(name, _bytes(stream, *place))["sha256"]:
                raise Damaged(f"{name} does not match the manifest", _AGAIN)
        if missing := members.keys() - places.keys():
            raise Damaged(f"{min(missing)} is missing", _AGAIN)
        parts = {name: Records(stream, *place) for name, place in places.items() if name.endswith(LINES)}
        files = {name: b"".join(_bytes(stream, *places[name])) for name in places.keys() - parts.keys()}
        return Bundle(parts, files, head, signature)
    except (tarfile.TarError, ValueError, KeyError, RecursionError, EOFError) as error:
        raise Damaged(f"not a whole bundle: {error}", _AGAIN) from error


def _bytes(stream: IO[bytes], start: int, size: int) -> Iterator[bytes]:
    """Yield the bytes of a member, a piece at a time. Raises EOFError if it is truncated."""
    stream.seek(start)
    while size:
        piece = stream.read(min(size, _PIECE))
        if not piece:
            raise EOFError("it is cut short")
        size -= len(piece)
        yield piece


def _record(line: bytes) -> dict[str, Any]:
    found = json.loads(line.decode("utf-8", "surrogatepass"))
    if not isinstance(found, dict):
        raise ValueError("a record is not an object")
    return found
