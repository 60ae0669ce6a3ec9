"""What leaves a vault: the memories that are chosen, less what may not go, in one of several formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from memos_cli.cube import Cube, Filter, most_sensitive
from memos_cli.errors import Unwritable, UsageError
from memos_cli.infrastructure import catalogue, derived, links, rules
from memos_cli.infrastructure.catalogue import MASKED
from memos_cli.infrastructure.governance import is_feeds
from memos_cli.interface.exchange import adapters, bundle
from memos_cli.interface.exchange.formats import (
    write_data,
    write_letta,
    write_markdown,
    write_mem0,
    write_memos,
)
from memos_cli.interface.exchange.signing import sign

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

PORTABLE = frozenset(
    {"part_of", "follows", "derived_from", "contradicts", "similar_to", "about", "both_hold"}
)
"""The links that go along: a merged memory's parts are not live, and stay."""


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
    if format not in FORMATS:
        raise UsageError(f"there is no format {format!r}", f"one of: {', '.join(FORMATS)}")
    if signed and format != "mip":
        raise UsageError(f"{format} has no signature", "memos export --format mip --sign")
    with memos.vault.snapshot(memos.vault.connection):
        cubes, held_back = _chosen(memos, ids, filter, up_to)
        sha256 = _mip(memos, cubes, stream, sign) if signed else FORMATS[format](memos, cubes, stream)
    notes: tuple[str, ...] = ()
    try:
        with memos.vault.change(memos.principal, memos.now()) as change:
            change.tell_out("export", [(cube.id, cube.version) for cube in cubes])
            change.note("export", {"format": format, "memories": len(cubes), "sha256": sha256})
    except Unwritable as error:  # a vault on read-only media can still be exported
        notes = (f"this export is not in the audit: {error}",)
    return Exported(format, len(cubes), sha256, held_back, notes)


def _chosen(
    memos: Memos, ids: Sequence[str], filter: Filter | None, up_to: str
) -> tuple[list[Cube], dict[str, int]]:
    """Return the memories to export, by id, and how many others are held back, by reason."""
    chosen = memos.several(ids) if filter is None else [*memos.select(filter)]
    held_back: dict[str, int] = {}
    cubes = []
    for cube in chosen:
        if cube.payload != "plaintext":
            continue
        if why := why_held(memos, cube, up_to):
            held_back[why] = held_back.get(why, 0) + 1
        else:
            cubes.append(cube)
    return sorted(cubes, key=lambda cube: cube.id), held_back


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
    memos: Memos,
    cubes: Sequence[Cube],
    stream: IO[bytes],
    sign: Callable[[bytes], Mapping[str, str]] | None = None,
) -> str:
    ids = {cube.n: cube.id for cube in cubes}
    linked = sorted(
        (link.source_id, link.kind, link.target_id)
        for link in links.links_among(memos.vault.connection, ids.keys())
        if link.kind in PORTABLE
    )
    carried = [adapters.to_member(memos, each, ids) for each in adapters.outgoing(memos, ids)]
    carried.sort(key=lambda each: (each[0]["title"], each[1]))
    granted = [rule for rule in rules.all_rules(memos.vault.whole) if rule.kind == "cube"]
    return bundle.write(
        stream,
        {
            "cubes.jsonl": (record(memos, cube) for cube in cubes),
            "links.jsonl": ({"source": s, "kind": kind, "target": t} for s, kind, t in linked),
            "access.jsonl": (
                {"target": r.target, "principal": r.principal, "right": r.right, "expires": r.expires}
                for r in sorted(granted, key=lambda r: (r.target, r.principal, r.right))
                if r.target in ids.values() and r.owner == memos.principal
            ),
            "rebuild.jsonl": _requests(memos, ids) if cubes else (),
            **({adapters.MEMBER: [record for record, _, _ in carried]} if carried else {}),
        },
        sign,
        {name: data for _, name, data in carried},
    )


def _requests(memos: Memos, ids: dict[int, str]) -> list[dict[str, Any]]:
    """The states that were made of these memories alone, to be made again; and those still to be made."""
    made: list[dict[str, Any]] = [
        {"view": each.state.view, "document": [ids[n] for n in each.cubes("document")]}
        for each in memos.activations()
        if each.cubes("document") and {source.cube for source in each.sources} <= ids.keys()
    ]
    waiting = [
        dict(each)
        for each in derived.requests(memos.vault.connection)
        if set(each["document"]) <= set(ids.values()) and each not in made
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
            for each in sorted(catalogue.versions(db, cube.n), key=lambda each: each.version)
        ],
        "places": [
            {
                "uri": source.uri, "kind": source.kind, "start": span.start, "end": span.end,
                "sha256": "" if sha256 == MASKED else sha256.hex(),
            }
            for source, span, sha256 in catalogue.places_of(db, cube.n)
        ],
    }  # fmt: skip


def _jsonl(memos: Memos, cubes: Sequence[Cube], stream: IO[bytes]) -> str:
    return write_data(stream, b"".join(bundle.to_line(record(memos, cube)) for cube in cubes))


FORMATS: dict[str, Callable[[Memos, Sequence[Cube], IO[bytes]], str]] = {
    "mip": _mip, "jsonl": _jsonl, "markdown": write_markdown, "mem0": write_mem0, "memos": write_memos,
    "letta": write_letta,
}  # fmt: skip
