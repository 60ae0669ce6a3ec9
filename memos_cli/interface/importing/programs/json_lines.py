"""Read JSON lines that a program may still be writing: streamed, with bounded lines, plain or as zstd."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import IO, Any

import msgspec

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import mapping

LONGEST_LINE = 64 << 20
"""Bytes of one line; a longer one is skipped, with a fault."""
MOST = 4 << 30
"""Bytes that a compressed file may unpack to."""
_STEP = 1 << 10
"""Compressed bytes that are unpacked at once: at most 32 MiB, as a block of 128 KiB takes 4 bytes."""
_FIRST = 40
"""Objects of a file that are read to detect its format."""
_INSTALL = "pip install 'memos-cli[zstd]'"


def read_lines(export: Export, name: str, faults: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the object of each line of a file. Add lines that are no JSON objects to ``faults``.

    A last line without a line end that is not complete is left out: its program is still writing it.
    Raises MemosError for a file that cannot be read.
    """
    with export.open(name) as data:
        stream = io.BufferedReader(_Unpacked(data, name)) if name.endswith(".zst") else data
        number = 0
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            is_complete = line.endswith(b"\n")
            if len(line) > LONGEST_LINE and not is_complete:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LONGEST_LINE)
                faults.append(f"{name}: line {number}: more than {LONGEST_LINE >> 20} MiB")
                continue
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip(b"\0 \t\r\n"):
                continue
            try:
                value = parse(line)
            except ValueError as error:
                if is_complete:
                    faults.append(f"{name}: line {number}: {error}")
                continue
            if isinstance(value, dict):
                yield value
            else:
                faults.append(f"{name}: line {number}: no object")


def first_lines(export: Export, name: str) -> list[dict[str, Any]]:
    """Return the first objects of a file, to detect its format; [] if it cannot be read."""
    found: list[dict[str, Any]] = []
    faults: list[str] = []
    try:
        for record in read_lines(export, name, faults):
            found.append(record)
            if len(found) == _FIRST or len(faults) > _FIRST:
                break
    except MemosError:
        return []
    return found


def parse(data: bytes | str) -> Any:
    """Return the value of JSON; lone surrogates and NaN are accepted. Raises ValueError."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return json.loads(data.decode("utf-8", "replace") if isinstance(data, bytes) else data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from None


def load_json(export: Export, name: str) -> Any:
    """Return the value of a whole file. Raises MemosError if it cannot be read or is no JSON."""
    try:
        return parse(export.read(name).removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise MemosError(f"{name}: {error}") from None


def load_named(export: Export, name: str) -> Iterator[Any]:
    """Yield the value of each file with this name, except of those that cannot be read."""
    for each in export.named(name):
        with suppress(MemosError):
            yield load_json(export, each)


def load_beside(export: Export, name: str, other: str) -> Mapping[str, Any]:
    """Return the object of the file ``other`` in the folder of a file; {} if it cannot be read."""
    beside = str(PurePosixPath(name).with_name(other))
    with suppress(MemosError):
        if beside in export.names:
            return mapping(load_json(export, beside))
    return {}


def unpack(data: bytes, name: str, most: int) -> bytes:
    """Return the content of a zstd frame. Raises MemosError if it is damaged, or too large."""
    with io.BufferedReader(_Unpacked(io.BytesIO(data), name)) as stream:
        found = stream.read(most + 1)
    if len(found) > most:
        raise MemosError(f"{name}: unpacks to more than {most >> 20} MiB")
    return found


class _Unpacked(io.RawIOBase):
    """The contents of a zstd file, as a stream. Raises MemosError for a damaged or incomplete one."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        self._new, self._damage = _zstd()
        self._frame = self._new()
        self._ready, self._total, self._is_open = memoryview(b""), 0, False

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into ``buffer``; return the number of bytes, 0 at the end."""
        while not self._ready:
            if not (data := self._stream.read(_STEP)):
                if self._is_open:
                    raise MemosError(f"{self._name}: the file is incomplete")
                return 0
            self._ready = memoryview(self._next(data))
            self._total += len(self._ready)
            if self._total > MOST:
                raise MemosError(f"{self._name}: unpacks to more than {MOST >> 30} GiB")
        taken = min(len(buffer), len(self._ready))
        buffer[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken

    def _next(self, data: bytes) -> bytes:
        found = []
        try:
            while data:
                found.append(self._frame.decompress(data))
                self._is_open, data = not self._frame.eof, b""
                if self._frame.eof:  # another frame may follow
                    data, self._frame = self._frame.unused_data, self._new()
        except self._damage as error:
            raise MemosError(f"{self._name}: {error}") from error
        return b"".join(found)


def _zstd() -> tuple[Any, type[Exception]]:
    """Return the class of a decompressor, and its exception: Python's own (3.14), or zstandard's."""
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]

        return zstd.ZstdDecompressor, zstd.ZstdError
    except ImportError:
        pass
    try:
        import zstandard
    except ImportError:
        raise MemosError("zstd files need the package zstandard", _INSTALL) from None
    return zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj, zstandard.ZstdError
