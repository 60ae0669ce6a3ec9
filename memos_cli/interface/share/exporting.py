"""What leaves a vault: the memories that are chosen, less what may not go, in one of several formats."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, cast

from memos_cli.cube import Cube, Filter, most_sensitive
from memos_cli.errors import Unwritable, UsageError, require_known
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import is_feeds
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.memories import links, queries
from memos_cli.infrastructure.memories.queries import MASKED
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.interface.share import adapter_files, bundle
from memos_cli.interface.share.export_formats import write_letta, write_markdown, write_mem0, write_memos
from memos_cli.interface.share.signing import sign

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

PORTABLE = frozenset(
    {"part_of", "follows", "derived_from", "contradicts", "similar_to", "about", "both_hold"}
)
"""The links that go along: a merged memory's parts are not live, and stay."""
_PART = 100
"""Memories that are read at once."""
_ID = 26
"""Characters of an id."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What went out. ``held_back`` counts why memories stayed: more sensitive, or another's to share."""

    format: str
    memories: int
    sha256: str
    held_back: dict[str, int]
    notes: tuple[str, ...] = ()


def export(
    memos: Memos,
    ids: Sequence[str],
    filter: Filter | None,
    *,
    format: str,
    up_to: str,
    stream: IO[bytes],
    signed: bool,
) -> Exported:
    """Write the chosen memories into ``stream``. Raises UsageError for a format that is none."""
    require_known("format", format, FORMATS)
    if signed and format != "mip":
        raise UsageError(f"{format} has no signature", "memos export --format mip --sign")
    hashed = _Hashed(stream)
    counted = cast("IO[bytes]", hashed)
    with memos.vault.snapshot(memos.vault.connection):
        cubes, held_back = _chosen(memos, ids, filter, up_to)
        if signed:
            _mip(memos, cubes, counted, sign)
        else:
            FORMATS[format](memos, cubes, counted)
    sha256 = hashed.sha256.hexdigest()
    notes: tuple[str, ...] = ()
    try:
        with memos.vault.change(memos.principal, memos.now()) as change:
            change.tell_out("export", cubes.versions())
            change.note("export", {"format": format, "memories": len(cubes), "sha256": sha256})
    except Unwritable as error:  # a vault on read-only media can still be exported
        notes = (f"this export is not in the audit: {error}",)
    return Exported(format, len(cubes), sha256, held_back, notes)


class _Hashed:
    """A stream that is written to, and the sha256 of what was."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.sha256 = stream, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self._stream.write(data)


@dataclass(slots=True)
class Chosen:
    """The memories that go out, by id: read a few at a time, whenever they are iterated."""

    db: Connection
    numbers: dict[int, int] = field(default_factory=dict)
    """Versions by row numbers, in the order of the ids."""
    _ids: bytearray = field(default_factory=bytearray)

    def add(self, id: str, n: int, version: int) -> None:
        self.numbers[n] = version
        self._ids += id.encode()

    def versions(self) -> Iterator[tuple[str, int]]:
        """The ids and versions; they are known here, whatever becomes of the memories."""
        for at, version in enumerate(self.numbers.values()):
            yield self._ids[at * _ID : (at + 1) * _ID].decode(), version

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Cube]:
        rest = iter(self.numbers)
        while part := list(islice(rest, _PART)):
            found = queries.by_rowid(self.db, part)
            yield from (found[n] for n in part)

    def have(self, ids: Collection[str]) -> bool:
        """Return whether all memories with these ids go out."""
        found = queries.by_ids(self.db, [*ids])
        return len(found) == len(set(ids)) and self.numbers.keys() >= set(found.values())


def _chosen(
    memos: Memos, ids: Sequence[str], filter: Filter | None, up_to: str
) -> tuple[Chosen, dict[str, int]]:
    """Return the memories to export, and how many others are held back, by reason."""
    chosen: Iterable[Cube] = memos.several(ids) if filter is None else memos.select(filter)
    held_back: dict[str, int] = {}
    numbers = set()
    for cube in chosen:
        if cube.payload != "plaintext":
            continue
        if why := why_held(memos, cube, up_to):
            held_back[why] = held_back.get(why, 0) + 1
        else:
            numbers.add(cube.n)
    made = Chosen(memos.vault.connection)
    for id, n, version in made.db.execute("SELECT id, n, version FROM cube ORDER BY id"):
        if n in numbers:
            made.add(id, n, version)
    return made, held_back


def why_held(memos: Memos, cube: Cube, up_to: str) -> str:
    """Why a memory does not leave this vault; "" where it may."""
    if most_sensitive(cube.sensitivity, up_to) != up_to:
        return cube.sensitivity
    if is_feeds(cube.owner):
        return "from a feed"
    if cube.owner != memos.principal and not memos.access.decide(cube, "share").allowed:
        return "not yours to share"
    return ""


# --- the bundle --------------------------------------------------------------------------------------------


def _mip(
    memos: Memos, cubes: Chosen, stream: IO[bytes], sign: Callable[[bytes], Mapping[str, str]] | None = None
) -> None:
    db, numbers = memos.vault.connection, cubes.numbers.keys()
    linked = sorted(
        (link.source_id, link.kind, link.target_id)
        for link in links.links_among(db, numbers)
        if link.kind in PORTABLE
    )
    carried = [adapter_files.to_member(memos, each) for each in adapter_files.outgoing(memos, numbers)]
    carried.sort(key=lambda each: (each[0]["title"], each[1]))
    granted = [
        rule
        for rule in rules.all_rules(memos.vault.whole)
        if rule.kind == "cube" and rule.owner == memos.principal and cubes.have([rule.target])
    ]
    bundle.write(
        stream,
        {
            "cubes.jsonl": bundle.Again(lambda: (record(memos, cube) for cube in cubes)),
            "links.jsonl": [{"source": s, "kind": kind, "target": t} for s, kind, t in linked],
            "access.jsonl": [
                {"target": r.target, "principal": r.principal, "right": r.right, "expires": r.expires}
                for r in sorted(granted, key=lambda r: (r.target, r.principal, r.right))
            ],
            "rebuild.jsonl": _requests(memos, cubes) if cubes else (),
            **({adapter_files.MEMBER: [record for record, _, _ in carried]} if carried else {}),
        },
        sign,
        {name: data for _, name, data in carried},
    )


def _requests(memos: Memos, cubes: Chosen) -> list[dict[str, Any]]:
    """The states that were made of these memories alone, to be made again; and those still to be made."""
    made: list[dict[str, Any]] = [
        {
            "view": each.state.view,
            "document": [source.id for source in each.sources if source.part == "document"],
        }
        for each in memos.activations()
        if each.cubes("document") and {source.cube for source in each.sources} <= cubes.numbers.keys()
    ]
    waiting = [
        dict(each)
        for each in saved_states.requests(memos.vault.connection)
        if cubes.have(each["document"]) and each not in made
    ]
    return sorted(made + waiting, key=lambda each: json.dumps(each, sort_keys=True))


def record(memos: Memos, cube: Cube) -> dict[str, Any]:
    """A memory with all its versions, as a bundle holds it. Times are milliseconds since 1970 UTC."""
    db = memos.vault.connection
    return {
        "id": cube.id, "type": cube.type, "state": cube.state, "ref": cube.ref, "author": cube.author,
        "role": cube.role, "time": cube.time, "created": cube.created, "updated": cube.updated,
        "expires": cube.expires, "uses_left": cube.uses_left, "priority": cube.priority,
        "frozen": cube.frozen, "sensitivity": cube.sensitivity, "tags": list(cube.tags),
        "versions": [
            {
                "version": each.version, "title": each.title, "text": each.text, "created": each.created,
                "principal": each.principal,
            }
            for each in sorted(queries.versions(db, cube.n), key=lambda each: each.version)
        ],
        "places": [
            {
                "uri": source.uri, "kind": source.kind, "start": span.start, "end": span.end,
                "sha256": "" if sha256 == MASKED else sha256.hex(),
            }
            for source, span, sha256 in queries.places_of(db, cube.n)
        ],
    }  # fmt: skip


def _jsonl(memos: Memos, cubes: Chosen, stream: IO[bytes]) -> None:
    for cube in cubes:
        stream.write(bundle.to_line(record(memos, cube)))


FORMATS: dict[str, Callable[[Memos, Chosen, IO[bytes]], None]] = {
    "mip": _mip, "jsonl": _jsonl, "markdown": write_markdown, "mem0": write_mem0, "memos": write_memos,
    "letta": write_letta,
}  # fmt: skip
