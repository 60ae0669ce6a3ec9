"""Read memories from JSON lines, as `memos export --format jsonl` and `memos list --json` write them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import IO, Any

from msgspec import Struct

from memos_cli.interface.share.bundle import LONGEST, Bundle, Records
from memos_cli.moments import parse_time
from memos_cli.validation import convert_record


def is_memory(value: Mapping[str, Any]) -> bool:
    """Return whether a line is a memory that this program wrote."""
    return {"id", "versions", "places"} <= value.keys() or {"id", "payload", "state", "owner"} <= value.keys()


def read(stream: IO[bytes]) -> tuple[Bundle, list[str]]:
    """Return the memories of all lines as a bundle, and the lines that could not be read.

    A line of ``list`` has only the current text of a memory, which becomes its first version here. Saved
    states and adapters are left out. ``stream`` must stay open: the lines are read again whenever they are
    iterated.
    """
    faults: list[str] = []
    return Bundle({"cubes.jsonl": _Lines(stream, faults)}, {}, b"", None), faults


class _Lines(Records):
    """The memories of lines."""

    def __init__(self, stream: IO[bytes], faults: list[str]) -> None:
        self._lines, self._count = stream, 0
        for each in self._read():
            if isinstance(each, str):
                faults.append(each)
            else:
                self._count += 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (each for each in self._read() if not isinstance(each, str))

    def _read(self) -> Iterator[dict[str, Any] | str]:
        self._lines.seek(0)
        for number in count(1):
            line = self._lines.readline(LONGEST)
            if not line:
                return
            try:
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.strip() and (record := _to_record(line)) is not None:
                    yield record
            except (ValueError, RecursionError) as error:
                yield f"line {number}: {error}"


def _to_record(line: bytes) -> dict[str, Any] | None:
    """Return the memory of a line; None for a saved state or an adapter. Raises ValueError and others."""
    value = json.loads(line.decode("utf-8", "surrogatepass"))
    if not isinstance(value, dict) or not is_memory(value):
        raise ValueError("no memory")
    if value.get("payload", "plaintext") != "plaintext":
        return None
    return value if "versions" in value else _as_record(value)


class _ListedMemory(Struct):
    """The fields of a line of ``memos list --json`` that differ from a bundle."""

    title: str
    text: str
    owner: str
    time: str | None
    created: str
    updated: str
    expires: str | None
    source: str | None
    span: tuple[int, int] | None


def _as_record(value: Mapping[str, Any]) -> dict[str, Any]:
    row = convert_record(value, _ListedMemory)
    times = {
        name: None if (time := getattr(row, name)) is None else parse_time(time)
        for name in ("time", "created", "updated", "expires")
    }
    version = {
        "version": 1, "title": row.title, "text": row.text, "created": times["updated"],
        "principal": row.owner,
    }  # fmt: skip
    start, end = row.span or (0, 0)
    place = {"uri": row.source, "kind": "text", "start": start, "end": end, "sha256": ""}
    return {**value, **times, "versions": [version], "places": [place] if row.source else []}
