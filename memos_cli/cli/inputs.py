"""Arguments, times, names, standard input and files of requests, as users type them.

Bytes that are not UTF-8 are decoded with the most probable encoding, with a note, as in ``memos ingest``.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.cli.output import Output
from memos_cli.errors import MemosError, UsageError
from memos_cli.files import open_input

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""Byte order marks of encodings whose bytes cannot be split at newlines. UTF-32-LE starts as UTF-16-LE."""


def read_stdin() -> bytes:
    """Read all of standard input."""
    if sys.stdin.isatty():
        sys.stderr.write("reading from the terminal; end with Ctrl-D\n")
    return sys.stdin.buffer.read()


def decode_input(output: Output, data: bytes, name: str) -> str:
    """Decode ``data`` without its byte order mark; print a note with the encoding unless it is UTF-8.

    Raises MemosError for bytes that are not text.
    """
    from memos_cli.interface.ingest.sources.decoding import decode

    decoded = decode(data)
    for note in decoded.notes:
        output.note(f"note: {name}: {note}")
    return decoded.text


def read_argument(output: Output, text: str) -> str:
    """Return the argument ``text``, decoded; ``-`` reads standard input."""
    if text == "-":
        return decode_input(output, read_stdin(), "stdin").strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        return decode_input(output, os.fsencode(text), "the argument")
    return text


def read_ids(ids: Sequence[str]) -> list[str]:
    """Return ``ids``; each ``-`` is replaced by the ids on standard input, one a line."""
    named: list[str] = []
    for id in ids:
        if id == "-":
            named += decode_input(Output(), read_stdin(), "stdin").replace("\ufeff", " ").split()
        else:
            named.append(id.strip("\ufeff"))
    if any(not id.strip() for id in named):
        raise UsageError("an id is empty", "`memos list` shows the ids")
    return named


def read_file(file: str, hint: str) -> bytes:
    """Read a whole file, or standard input for ``-``. Raises UsageError with ``hint``."""
    if file == "-":
        return read_stdin()
    with open_input(Path(file), hint) as stream:
        return stream.read()


def read_requests(output: Output, file: str) -> Iterator[str]:
    """Yield the lines of ``file`` ("-": of standard input) that are not blank, as they arrive.

    A line that is not text is yielded as "\\0"; one that is not UTF-8 is decoded with its most probable
    encoding.
    """
    hint = "name a file with one request a line, or -"
    with nullcontext(sys.stdin.buffer) if file == "-" else open_input(Path(file), hint) as stream:
        first = stream.readline()
        if first.startswith(_WIDE_MARKS):
            lines = iter(decode_input(output, first + stream.read(), file).encode().split(b"\n"))
        else:
            lines = chain([first.removeprefix(codecs.BOM_UTF8)], stream)
        notes = output
        for line in lines:
            try:
                text = line.decode()
            except UnicodeDecodeError:
                try:
                    text = decode_input(notes, line, file)
                except MemosError:
                    text = "?\0?"
                notes = Output(quiet=True)  # one note is enough
            if text := text.strip("\0 \t\r\n\ufeff"):
                yield "\0" if "\0" in text else text


def read_text(output: Output, text: str | None) -> str | None:
    """Return the value of --text; for ``-``, standard input without the newline at its end."""
    return decode_input(output, read_stdin(), "stdin").rstrip("\n") if text == "-" else text


def read_time(memos: Memos, text: str, *, end: bool = False) -> int | None:
    """Read a time that the user typed, as ``typed_times.read_time`` does. None if there is none."""
    from memos_cli.interface.time import typed_times

    return typed_times.read_time(text, memos.now(), end=end) if text else None
