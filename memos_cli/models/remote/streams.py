"""Streams of model servers: server-sent events, and JSON objects by lines. Pure.

Servers differ in line ends, in comments that keep a connection open, and in how they end. Anything else
raises ProtocolError: an answer is never assembled from fragments.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

LONGEST_LINE = 8 << 20
"""Bytes of one line; the last event of llama-server repeats the prompt."""
_FIELDS = ("event:", "id:", "retry:", ":")
"""Lines of an event stream that have no data."""


class ProtocolError(ValueError):
    """The data does not follow the protocol."""


def split_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a stream without their ends, as soon as each is complete; then what is left.

    Bytes that are not UTF-8 become U+FFFD. Raises ProtocolError for a line that is too long.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pending: list[str] = []
    size = 0
    for chunk in chunks:
        *complete, rest = decoder.decode(chunk).split("\n")  # JSON escapes all other line ends
        for line in complete:
            yield ("".join(pending) + line).removesuffix("\r")
            pending, size = [], 0
        pending.append(rest)
        size += len(rest)
        if size > LONGEST_LINE:
            raise ProtocolError(f"a line of more than {LONGEST_LINE >> 20} MB")
    if rest := "".join(pending) + decoder.decode(b"", final=True):
        yield rest.removesuffix("\r")


def read_events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects of server-sent events (``data: {…}``), up to ``data: [DONE]``.

    An object without ``data:`` is yielded, too: so servers report an error before the stream begins.
    """
    for line in lines:
        if not line.strip() or line.startswith(_FIELDS):
            continue
        data = line.removeprefix("data:").removeprefix("error:").strip()
        if data == "[DONE]":
            return
        yield parse_object(data)


def read_objects(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects of newline-delimited JSON."""
    for line in lines:
        if line.strip():
            yield parse_object(line)


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return a JSON object. Raises ProtocolError for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        start = text[:40].decode("utf-8", "replace") if isinstance(text, bytes) else text[:40]
        raise ProtocolError(f"not JSON: {start!r}") from None
    if not isinstance(value, dict):
        raise ProtocolError("JSON, but not an object")
    return value


def text_at(value: object, *path: str | int) -> str:
    """Return the text at a path of keys and positions; "" where it ends early or is null.

    Raises ProtocolError for a value that is not text or null.
    """
    found = at(value, *path)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise ProtocolError(f"{path[-1]} is not text")
    return found


def number_at(value: object, *path: str | int) -> int:
    """Return the whole number at a path; 0 where there is none, or where it is negative or huge."""
    found = at(value, *path)
    is_number = isinstance(found, int) and not isinstance(found, bool)
    return found if is_number and 0 <= found < 1 << 62 else 0  # type: ignore[operator,return-value]


def at(value: object, *path: str | int) -> object:
    """Return the value at a path of keys and positions in parsed JSON; None if it ends early."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and len(value) > step:
            value = value[step]
        else:
            return None
    return value
