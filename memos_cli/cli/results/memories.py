"""Memories, search results and links as JSON objects.

Keys are only ever added: scripts read them (see tests/test_json.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from memos_cli.cube import Cube, Hit, format_time
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.infrastructure.memories.links import Link


TIMES = ("time", "created", "updated", "expires", "last_hit")
"""The times of a memory, by their names in a row."""


def cube_row(cube: Cube) -> dict[str, Any]:
    """A cube in full."""
    return {
        "id": cube.id,
        "ref": cube.ref,
        "payload": cube.payload,
        "type": cube.type,
        "state": cube.state,
        "version": cube.version,
        "title": cube.title,
        "text": cube.text,
        "author": cube.author,
        "role": cube.role,
        "owner": cube.owner,
        "source": cube.source,
        "span": span_of(cube),
        "time": time_of(cube.time),
        "created": time_of(cube.created),
        "updated": time_of(cube.updated),
        "expires": time_of(cube.expires),
        "priority": cube.priority,
        "frozen": cube.frozen,
        "hits": cube.hits,
        "last_hit": time_of(cube.last_hit),
        "heat": round(cube.heat, 4),
        "tags": list(cube.tags),
        "sensitivity": cube.sensitivity,
        "uses_left": cube.uses_left,
    }


def link_row(link: Link | None) -> dict[str, Any] | None:
    """A link between two memories."""
    if link is None:
        return None
    ends = {"from": link.source_id, "kind": link.kind, "to": link.target_id}
    return {**ends, "created": time_of(link.created)}


def hit_row(hit: Hit) -> dict[str, Any]:
    """A search result."""
    cube = hit.cube
    return {
        "id": cube.id,
        "ref": cube.ref,
        "score": hit.score,
        "text": cube.text,
        "title": cube.title,
        "source": cube.source,
        "span": span_of(cube),
        "time": time_of(cube.time),
        "tags": list(cube.tags),
        "why": dict(hit.why),
        "type": cube.type,
        "author": cube.author,
        "version": cube.version,
        "weak": hit.weak,
    }


def place(cube: Cube) -> str:
    """Where a cube comes from, for a person: path and bytes, or its ref."""
    name = cube.source or ""
    if name.startswith("file://"):
        path = Path(os.fsdecode(unquote_to_bytes(urlsplit(name).path)))
        name = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    if cube.span and cube.source:
        name += f":{cube.span.start}-{cube.span.end}"
    return f"{name} {cube.ref}" if cube.ref else name


def span_of(cube: Cube) -> list[int] | None:
    """Return where the text of a memory stands in its source, in bytes."""
    return [cube.span.start, cube.span.end] if cube.span else None


def local_time(time: int | None) -> str:
    """Return a time for a person; "" for none."""
    return show_time(time) if time else ""


def time_of(time: int | None) -> str | None:
    """Return a time as text; None for none."""
    return None if time is None else format_time(time)
