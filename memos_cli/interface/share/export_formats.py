"""Write memories in the formats of other programs. `memos help sharing` says what each format lacks.

None of them contains earlier versions, places, sensitivity or rights. `memos import` can read each of them,
and finds every text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from memos_cli.cube import Cube
from memos_cli.infrastructure.memories import links
from memos_cli.moments import format_time
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

OWN_TIME = "memos_time"
"""The key of a memory's own time (or null), in formats that only have times of records."""
_EDGES = {"part_of": "PARENT", "follows": "FOLLOWING"}


@dataclass(frozen=True, slots=True)
class Exporter:
    """An exporter to one format, built in or of a plug-in.

    ``write`` gets the open vault, the memories that may be exported, in the order of their ids, and the
    stream. The memories can be iterated over repeatedly; they are read again each time.
    """

    write: Callable[[Session, Iterable[Cube], IO[bytes]], None]
    summary: str = ""
    """A short description of the format, for ``memos plugins``."""


def write_markdown(session: Session, cubes: Iterable[Cube], stream: IO[bytes]) -> None:
    """Write one file for people: each memory under a heading, with its fields in a comment. No links."""
    for cube in cubes:
        when = f" {format_time(cube.time)}" if cube.time is not None else ""
        tags = f" tags: {', '.join(cube.tags)}" if cube.tags else ""
        head = f"## {cube.title or cube.author or cube.id}\n\n<!-- {cube.id} {cube.type}{when}{tags} -->\n\n"
        stream.write(f"{head}{cube.text}\n\n".encode())


def write_mem0(session: Session, cubes: Iterable[Cube], stream: IO[bytes]) -> None:
    """Write the JSON that mem0's `get_all` returns. No links; expiry by the day."""
    rows = (
        {
            "id": cube.id, "memory": cube.text, "user_id": session.principal.partition(":")[2],
            "created_at": format_time(cube.created), "updated_at": format_time(cube.updated),
            "categories": list(cube.tags), "actor_id": cube.author or None, "role": cube.role or None,
            "metadata": {"type": cube.type, "title": cube.title, OWN_TIME: _when(cube.time)},
            "expiration_date": cube.expires and show_time(cube.expires - 1)[:10],
        }
        for cube in cubes
    )  # fmt: skip
    _write_json(stream, {"results": rows})


def write_memos(session: Session, cubes: Iterable[Cube], stream: IO[bytes]) -> None:
    """Write a `textual_memory.json` of the MemOS project. Of links, `part_of` and `follows` keep their kind;
    no expiry.
    """
    nodes = (
        {
            "id": cube.id, "memory": cube.text,
            "metadata": {
                "memory_type": "LongTermMemory", "type": cube.type, "key": cube.title,
                "tags": list(cube.tags), "status": "activated", "created_at": format_time(cube.created),
                "updated_at": format_time(cube.updated), OWN_TIME: _when(cube.time),
                "sources": [json.dumps({"role": cube.role, "speaker": cube.author}, ensure_ascii=False)],
            },
        }
        for cube in cubes
    )  # fmt: skip
    edges = sorted(
        (link.source_id, _EDGES.get(link.kind, "RELATE_TO"), link.target_id)
        for link in links.links_among(session.vault.connection, {cube.n for cube in cubes})
    )
    rows = [{"source": s, "type": kind, "target": t} for s, kind, t in dict.fromkeys(edges)]
    _write_json(stream, {"nodes": nodes, "edges": rows})


def write_letta(session: Session, cubes: Iterable[Cube], stream: IO[bytes]) -> None:
    """Write an agent file: dialogues become its messages, everything else a block. No tags, links or expiry;
    of blocks no times, and no type but `fact`.
    """
    blocks = (
        {
            "id": f"block-{at}", "label": cube.title or f"memory-{at}", "value": cube.text,
            "limit": max(5_000, len(cube.text)), "read_only": False, "metadata": {"id": cube.id},
        }
        for at, cube in enumerate(cube for cube in cubes if cube.type != "dialogue")
    )  # fmt: skip
    messages = (
        {
            "id": f"message-{at}", "role": cube.role if cube.role in ("user", "assistant") else "user",
            "name": cube.author or None, "content": [{"type": "text", "text": cube.text}],
            "created_at": format_time(cube.created if cube.time is None else cube.time),
        }
        for at, cube in enumerate(cube for cube in cubes if cube.type == "dialogue")
    )  # fmt: skip
    kinds = Counter(cube.type == "dialogue" for cube in cubes)
    agent = {
        "id": "agent-0", "name": session.principal.partition(":")[2], "system": "",
        "block_ids": (f"block-{at}" for at in range(kinds[False])), "messages": messages,
        "in_context_message_ids": (f"message-{at}" for at in range(kinds[True])),
    }  # fmt: skip
    _write_json(stream, {"agents": iter([agent]), "blocks": blocks, "files": [], "tools": []})


def _when(time: int | None) -> str | None:
    return None if time is None else format_time(time)


def _write_json(stream: IO[bytes], value: Any) -> None:
    """Write an object as ``json.dumps`` does with ``indent=1``; an iterator in it becomes a list."""
    for piece in _pieces(value, ""):
        stream.write(piece.encode("utf-8", "surrogatepass"))
    stream.write(b"\n")


def _pieces(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Iterator):
        parts, brackets = (("", each) for each in value), "[]"
    elif isinstance(value, dict) and any(isinstance(each, Iterator) for each in value.values()):
        parts, brackets = ((f"{json.dumps(key)}: ", value[key]) for key in sorted(value)), "{}"
    else:
        yield json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).replace("\n", f"\n{indent}")
        return
    before = brackets[0]
    for key, each in parts:
        yield f"{before}\n{indent} {key}"
        yield from _pieces(each, f"{indent} ")
        before = ","
    yield brackets if before == brackets[0] else f"\n{indent}{brackets[1]}"
