"""Read the elements of a long JSON array one by one, so that a large file takes little memory.

An element ends where its brackets close, whatever is between them: so one that is broken inside is a fault,
and the others are still read.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, decoded

CHUNK = 1 << 20
LARGEST = 64 << 20
"""Characters of one element; a larger one is no record."""
# Group 1: where a string has not ended yet.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|(\\?\Z))|[\[\]{},]', re.DOTALL)


class Broken(Exception):
    """An element that cannot be read; the message says which."""


def elements(stream: IO[bytes]) -> Iterator[Any]:
    """Yield the elements of the array in a stream, or its one value. Raises Broken for invalid JSON."""
    for number, piece in enumerate(_Splitter(stream), 1):
        try:
            if piece is None:
                raise ValueError(f"more than {LARGEST >> 20} million characters")
            value = decoded(json.loads(piece))
            yield from value if isinstance(value, list) and piece.lstrip().startswith('"') else [value]
        except RecursionError:
            yield Broken(f"record {number}: nested too deeply")
        except ValueError as error:
            yield Broken(f"record {number}: {error}")


def records(stream: IO[bytes]) -> Iterator[dict[str, Any] | Broken]:
    """Yield the objects of the array in a stream. Raises Broken for invalid JSON."""
    for number, each in enumerate(elements(stream), 1):
        yield each if isinstance(each, (dict, Broken)) else Broken(f"record {number}: no object")


def read_records(export: Export, name: str, read: Callable[[dict[str, Any]], Bundle]) -> Iterator[Bundle]:
    """Yield the bundle of each object in a file, or its fault. Raises MemosError."""
    with export.open(name) as stream:
        for record in records(stream):
            yield Bundle("", faults=[f"{name}: {record}"]) if isinstance(record, Broken) else read(record)


def first_record(export: Export, name: str) -> Any:
    """Return the first element of a JSON file, to detect its format; None if there is none."""
    try:
        with export.open(name) as stream:
            return next((each for each in elements(stream) if not isinstance(each, Broken)), None)
    except MemosError:
        return None


class _Splitter:
    """The text of each element of the outermost array, or the whole; None for one that is too large."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._text, self._ended = "", False

    def _more(self) -> bool:
        data = self._stream.read(CHUNK)
        self._ended = not data
        self._text += self._decode(data, self._ended)
        return not self._ended

    def __iter__(self) -> Iterator[str | None]:
        while not self._text.strip() and self._more():
            pass
        if not self._text.lstrip().startswith("["):
            yield from self._whole()
            return
        start = at = self._text.index("[") + 1
        depth, is_large = 0, False
        while True:
            for match in _TOKEN.finditer(self._text, at):
                if match[1] is not None:
                    break
                at, mark = match.end(), match[0]
                if mark in ("[", "{"):
                    depth += 1
                elif mark in ("]", "}"):
                    depth -= 1
                    if depth < 0:
                        if is_large or self._text[start : match.start()].strip():
                            yield None if is_large else self._text[start : match.start()]
                        return
                elif mark == "," and depth == 0:
                    yield None if is_large else self._text[start : match.start()]
                    start, is_large = at, False
            if len(self._text) - start > LARGEST:
                is_large, start = True, at
            self._text, start, at = self._text[start:], 0, at - start
            if self._ended or len(self._text) - at > LARGEST:  # the latter: a string that does not end
                if is_large or self._text.strip():
                    yield None if is_large or not self._ended else self._text
                return
            self._more()

    def _whole(self) -> Iterator[str | None]:
        while len(self._text) <= LARGEST and self._more():
            pass
        if self._text.strip():
            yield self._text if self._ended else None
