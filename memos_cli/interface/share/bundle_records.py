"""The records of bundles, one class for each kind of line; ``store_format.md`` describes them.

Bundles may come from anywhere: a record is checked against its class before anything of it is used.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from memos_cli.cube import SENSITIVITIES, SemanticType, Sensitivity
from memos_cli.infrastructure.access.governance import Right
from memos_cli.infrastructure.derived.adapters import LessonKind
from memos_cli.infrastructure.memories.queries import MASKED, Version
from memos_cli.infrastructure.share.foreign_memories import ForeignGrant, ForeignMemory, ForeignPlace
from memos_cli.interface.access.access import principal_named
from memos_cli.validation import Count, Moment, Sha256, Ulid, Whole, convert_record


class PlaceRecord(Struct):
    uri: str
    kind: str
    start: Count
    end: Count
    sha256: Annotated[str, Meta(pattern=r"\A([0-9a-fA-F]{64})?\Z")]
    """Empty where secrets were masked: the text is then not that of the source."""


class MemoryRecord(Struct):
    """A line of ``cubes.jsonl``. Times are milliseconds since 1970 UTC."""

    id: Ulid
    type: SemanticType
    state: Literal["generated", "activated", "archived", "expired"]
    ref: str | None
    author: str
    role: str
    time: Moment | None
    created: Moment
    updated: Moment
    expires: Moment | None
    uses_left: Whole | None
    priority: Whole
    frozen: bool
    sensitivity: Sensitivity
    tags: list[str]
    versions: Annotated[list[Version], Meta(min_length=1)]
    places: list[PlaceRecord]


class LinkRecord(Struct):
    """A line of ``links.jsonl``."""

    source: str
    kind: str
    target: str


class GrantRecord(Struct):
    """A line of ``access.jsonl``."""

    target: str
    principal: str
    right: Right
    expires: Moment | None = None


class StateRecord(Struct):
    """A line of ``rebuild.jsonl``: a saved state to make again, of memories by id."""

    document: list[str]
    view: str = ""


class IdRecord(Struct):
    """A line of ``withdrawn.jsonl``, and the minimum of a memory record."""

    id: str


class AdapterSource(Struct):
    id: str
    version: Whole


class ExampleRecord(Struct):
    """A question of an adapter's training set."""

    kind: LessonKind
    held_out: bool
    source: str | None
    question: str = ""
    answer: str = ""
    key: str = ""
    made: str = ""


class AdapterRecord(Struct):
    """A line of ``adapters.jsonl``."""

    title: str
    model: str
    fingerprint: dict[str, str]
    recipe: dict[str, Any]
    report: dict[str, Any]
    seconds: float
    sha256: Sha256
    sources: list[AdapterSource]
    lessons: list[ExampleRecord]


def read_memory(value: object) -> ForeignMemory:
    """Check a memory of a bundle. Raises ValueError."""
    record = convert_record(value, MemoryRecord)
    if [each.version for each in record.versions] != list(range(1, len(record.versions) + 1)):
        raise ValueError("its versions do not count from 1")
    if any(place.end < place.start for place in record.places):
        raise ValueError("a place ends before it starts")
    return ForeignMemory(
        id=record.id, type=record.type, state=record.state, ref=record.ref, author=record.author,
        role=record.role, time=record.time, created=record.created, updated=record.updated,
        expires=record.expires, uses_left=record.uses_left, priority=record.priority, frozen=record.frozen,
        sensitivity=SENSITIVITIES.index(record.sensitivity), tags=tuple(record.tags),
        versions=tuple(record.versions),
        places=tuple(
            ForeignPlace(each.uri, each.kind, each.start, each.end, bytes.fromhex(each.sha256) or MASKED)
            for each in record.places
        ),
    )  # fmt: skip


def read_link(value: object) -> tuple[str, str, str]:
    """Check a link: (source, kind, target). Raises ValueError."""
    link = convert_record(value, LinkRecord)
    return link.source, link.kind, link.target


def read_grant(value: object) -> ForeignGrant:
    """Check a grant. Raises ValueError, and UsageError for a name that is no principal."""
    grant = convert_record(value, GrantRecord)
    return ForeignGrant(grant.target, principal_named(grant.principal, "group"), grant.right, grant.expires)


def read_state(value: object) -> tuple[str, list[str]]:
    """Check a request for a saved state: (view, ids). Raises ValueError."""
    state = convert_record(value, StateRecord)
    return state.view, state.document
