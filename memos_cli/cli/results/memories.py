"""Memories, search results and links as JSON objects.

Keys are only ever added: scripts read them (see tests/cli/test_json.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from memos_cli.cli.output import time_of
from memos_cli.cube import Cube, Hit, Span

if TYPE_CHECKING:
    from memos_cli.infrastructure.memories.links import Link

TIMES = ("time", "created", "updated", "expires", "last_hit")
"""The times of a memory, by their names in a row."""


def pick(value: object, names: str) -> dict[str, Any]:
    """Return these attributes as a JSON object: times as text, a span as its two ends, tuples as lists."""

    def plain(name: str) -> Any:
        found = getattr(value, name)
        if name in TIMES:
            return time_of(found)
        if isinstance(found, Span):
            return [found.start, found.end]
        return (
            list(found) if isinstance(found, tuple) else dict(found) if isinstance(found, Mapping) else found
        )

    return {name: plain(name) for name in names.split()}


def cube_row(cube: Cube) -> dict[str, Any]:
    """Return a memory in full."""
    row = pick(
        cube,
        "id ref payload type state version title text author role owner source span time created updated"
        " expires priority frozen hits last_hit heat tags sensitivity uses_left",
    )
    return {**row, "heat": round(cube.heat, 4)}


def link_row(link: Link | None) -> dict[str, Any] | None:
    """Return a link between two memories."""
    if link is None:
        return None
    ends = {"from": link.source_id, "kind": link.kind, "to": link.target_id}
    return {**ends, "created": time_of(link.created)}


def hit_row(hit: Hit) -> dict[str, Any]:
    """Return a search result."""
    return {
        **pick(hit.cube, "id ref"),
        "score": hit.score,
        **pick(hit.cube, "text title source span time tags"),
        "why": dict(hit.why),
        **pick(hit.cube, "type author version"),
        "weak": hit.weak,
    }


def place(cube: Cube) -> str:
    """Return the place of a memory in its source, for a person: path and bytes, or its ref."""
    name = cube.source or ""
    if name.startswith("file://"):
        path = Path(os.fsdecode(unquote_to_bytes(urlsplit(name).path)))
        name = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    if cube.span and cube.source:
        name += f":{cube.span.start}-{cube.span.end}"
    return f"{name} {cube.ref}" if cube.ref else name
