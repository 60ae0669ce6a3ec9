"""Shared code of the tools: the caller, the memories that it may see, and the fields of a memory in an
answer.

Answers go to a language model: so they leave out memories that the settings keep from models, and those that
wait for a review.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from memos_cli.cube import Cube, Filter
from memos_cli.errors import Refused, UsageError
from memos_cli.interface.mcp.budget import cut
from memos_cli.interface.selection import promptable_memories
from memos_cli.interface.time.typed_times import read_time
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

LEAST = 24
"""Tokens of a memory's text that an answer shows at least."""
OVERHEAD = 90
"""Tokens of an answer beside its memories."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The caller of the tools."""

    program: str = ""
    """The client, as it names itself."""
    view: str = ""
    """The saved filter that the server was started with."""

    @property
    def source(self) -> str:
        """The source of the memories that it saves."""
        return f"mcp:{self.program or 'unknown'}"


Answer = tuple[BaseModel, str]
"""Structured content, and the text block."""


def make_filter(
    memos: Memos, asker: Asker, tags: Sequence[str] = (), type: str = "", after: str = "", before: str = ""
) -> Filter:
    """Return the filter of a call, within the view of the server."""
    base, now = memos.view(asker.view) if asker.view else Filter(), memos.now()
    found = replace(base, tags=(*base.tags, *tags))
    if type:
        # A type outside the view matches nothing.
        found = replace(found, types=(type,) if not base.types or type in base.types else ("none",))
    if after:
        found = replace(found, after=max(read_time(after, now), base.after or -(1 << 62)))
    if before:
        found = replace(found, before=min(read_time(before, now), base.before or 1 << 62))
    return found


def readable(memos: Memos, id: str) -> Cube:
    """Return the memory of an id that a model may read. Raises UsageError, Refused."""
    if not id.strip():
        raise UsageError("an id is empty", "memory_search and memory_recent give the ids")
    (cube,) = memos.access.get_many([id])
    if cube.payload != "plaintext":
        raise UsageError(f"{cube.id} is not a text", "memory_search gives ids of texts")
    if not promptable_memories(memos, [cube]):
        reason = "is kept from models by its sensitivity, or for another agent"
        if cube.state == "quarantined":
            reason = "waits for a review by the user"
        raise Refused(f"{cube.id} {reason}", "the user can read it with `memos show`")
    return cube


def audit(memos: Memos, action: str, cubes: Sequence[Cube]) -> None:
    """Record the shown memories in the audit; a memory that expires after some uses loses one."""
    memos.audit_reads(action, cubes)
    memos.record_use([cube for cube in cubes if cube.uses_left is not None])


def fields_of(cube: Cube) -> dict[str, Any]:
    return {
        "id": cube.id, "text": cube.text, "type": cube.type, "date": day_of(cube),
        "title": cut(cube.title, 30), "author": cut(cube.author, 20), "tags": list(cube.tags[:10]),
        "source": short_source(cube),
    }  # fmt: skip


def day_of(cube: Cube) -> str:
    return show_time(cube.created if cube.time is None else cube.time)[:10]


def short_source(cube: Cube) -> str:
    return cut((cube.source or "").rpartition("/")[2], 20)
