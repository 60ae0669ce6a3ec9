"""Memories as JSON lines: what `memos export --format jsonl` and `memos list --json` write, read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from memos_cli.cube import parse_time
from memos_cli.interface.exchange.bundle import Bundle

_TIMES = ("time", "created", "updated", "expires")


def is_memory(value: Mapping[str, Any]) -> bool:
    """Whether a line is of a memory that this program wrote."""
    return {"id", "versions", "places"} <= value.keys() or {"id", "payload", "state", "owner"} <= value.keys()


def read(data: bytes) -> tuple[Bundle, list[str]]:
    """The memories of all lines, as a bundle has them, and what could not be read.

    A line of ``list`` tells only what the memory says now: that is its first version here. What was made
    from memories is left.
    """
    records, faults = [], []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8", "surrogatepass"))
            if not isinstance(value, dict) or not is_memory(value):
                raise ValueError("no memory")
            if value.get("payload", "plaintext") == "plaintext":
                records.append(value if "versions" in value else _as_record(value))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            faults.append(f"line {number}: {type(error).__name__} {error}")
    return Bundle({"cubes.jsonl": records}, {}, b"", None), faults


def _as_record(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: None if row[name] is None else parse_time(row[name]) for name in _TIMES}
    version = {
        "version": 1, "title": row["title"], "text": row["text"], "created": times["updated"],
        "principal": row["owner"],
    }  # fmt: skip
    start, end = row["span"] or (0, 0)
    place = {"uri": row["source"], "kind": "text", "start": start, "end": end, "sha256": ""}
    return {**row, **times, "versions": [version], "places": [place] if row["source"] else []}
