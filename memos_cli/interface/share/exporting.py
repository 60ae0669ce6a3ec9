"""Export the chosen memories that may leave the vault, in one of several formats."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, cast

from memos_cli.cube import SENSITIVITIES, Cube, Filter, most_sensitive
from memos_cli.errors import MemosError, Unwritable, UsageError, require_known
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import is_feeds
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.memories import links, queries
from memos_cli.infrastructure.memories.queries import MASKED
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.interface import plugins
from memos_cli.interface.selection import select
from memos_cli.interface.share import adapter_files, bundle
from memos_cli.interface.share.export_formats import (
    Exporter,
    write_letta,
    write_markdown,
    write_mem0,
    write_memos,
)
from memos_cli.interface.share.signing import sign

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

PORTABLE = frozenset(
    {"part_of", "follows", "derived_from", "contradicts", "similar_to", "about", "both_hold"}
)
"""The links that are exported: the parts of a merged memory are not live, and are left out."""
_PART = 100
"""Memories that are read at once."""
_ID = 26
"""Characters of an id."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export. ``held_back`` counts the memories that were not exported, by reason."""

    format: str
    memories: int
    sha256: str
    held_back: dict[str, int]
    notes: tuple[str, ...] = ()


def export(
    session: Session,
    ids: Sequence[str],
    filter: Filter | None,
    *,
    format: str,
    up_to: str,
    stream: IO[bytes],
    signed: bool,
) -> Exported:
    """Write the chosen memories into ``stream``. Raises UsageError for an unknown format or sensitivity."""
    exporter, warnings = _exporter(format)
    require_known("sensitivity", up_to, SENSITIVITIES)
    if signed and format != "mip":
        raise UsageError(f"{format} has no signature", "memos export --format mip --sign")
    hashed = _Hashed(stream)
    with session.vault.snapshot(session.vault.connection):
        cubes, held_back = _chosen(session, ids, filter, up_to)
        if signed:
            _mip(session, cubes, cast("IO[bytes]", hashed), sign)
        else:
            exporter.write(session, cubes, cast("IO[bytes]", hashed))
    sha256, notes = hashed.sha256.hexdigest(), warnings
    try:
        with session.vault.change(session.principal, session.now()) as change:
            change.audit_outgoing("export", cubes.versions())
            change.note("export", {"format": format, "memories": len(cubes), "sha256": sha256})
    except Unwritable as error:  # a vault on read-only media can still be exported
        notes = (*notes, f"this export is not in the audit: {error}")
    return Exported(format, len(cubes), sha256, held_back, notes)


def _exporter(format: str) -> tuple[Exporter, tuple[str, ...]]:
    """Return the exporter of a format, and warnings about plug-ins. Raises UsageError for an unknown
    format.
    """
    if format in FORMATS:
        return FORMATS[format], ()
    found, known = _plugins()
    plugins.require_plugin("format", format, FORMATS, found, known)
    return found[format], tuple(each.warning for each in known if each.warning)


def _guard(name: str, exporter: Exporter) -> Exporter:
    """Return a plug-in's exporter that raises only MemosError and OSError."""

    def write(session: Session, cubes: Iterable[Cube], stream: IO[bytes]) -> None:
        try:
            exporter.write(session, cubes, stream)
        except (MemosError, OSError):
            raise
        except (Exception, SystemExit) as error:  # foreign code may raise anything
            problem = f"the plug-in {name!r} failed: {plugins.describe(error)}"
            raise MemosError(problem, "memos plugins") from error

    return Exporter(write, exporter.summary)


def known_plugins() -> list[plugins.Plugin]:
    """Load the exporters of other packages; return the status of each."""
    return _plugins()[1]


@cache
def _plugins() -> tuple[dict[str, Exporter], list[plugins.Plugin]]:
    found, known = plugins.load("exporter", Exporter, FORMATS)
    return {name: _guard(name, each) for name, each in found.items()}, known


class _Hashed(io.RawIOBase):
    """A stream, and the sha256 of what was written to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.sha256 = stream, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return self._stream.write(data)


@dataclass(slots=True)
class Chosen:
    """The memories to export, by id: read a few at a time, at each iteration."""

    db: Connection
    numbers: dict[int, int] = field(default_factory=dict)
    """Versions by row numbers, in the order of the ids."""
    _ids: bytearray = field(default_factory=bytearray)

    def add(self, id: str, n: int, version: int) -> None:
        self.numbers[n] = version
        self._ids += id.encode()

    def versions(self) -> Iterator[tuple[str, int]]:
        """Yield the ids and versions; they are known here, even of memories that are deleted meanwhile."""
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
        """Return whether all memories with these ids are exported."""
        found = queries.by_ids(self.db, [*ids])
        return len(found) == len(set(ids)) and self.numbers.keys() >= set(found.values())


def _chosen(
    session: Session, ids: Sequence[str], filter: Filter | None, up_to: str
) -> tuple[Chosen, dict[str, int]]:
    """Return the memories to export, and how many others are held back, by reason."""
    chosen: Iterable[Cube] = session.access.get_many(ids) if filter is None else select(session, filter)
    held_back: dict[str, int] = {}
    numbers = set()
    for cube in chosen:
        if cube.payload != "plaintext":
            continue
        if why := why_held(session, cube, up_to):
            held_back[why] = held_back.get(why, 0) + 1
        else:
            numbers.add(cube.n)
    made = Chosen(session.vault.connection)
    for id, n, version in made.db.execute("SELECT id, n, version FROM cube ORDER BY id"):
        if n in numbers:
            made.add(id, n, version)
    return made, held_back


def why_held(session: Session, cube: Cube, up_to: str) -> str:
    """Return the reason why a memory may not leave this vault; "" if it may."""
    if most_sensitive(cube.sensitivity, up_to) != up_to:
        return cube.sensitivity
    if is_feeds(cube.owner):
        return "from a feed"
    if cube.owner != session.principal and not session.access.decide(cube, "share").allowed:
        return "not yours to share"
    return ""


# --- the bundle --------------------------------------------------------------------------------------------


def _mip(
    session: Session,
    cubes: Chosen,
    stream: IO[bytes],
    sign: Callable[[bytes], Mapping[str, str]] | None = None,
) -> None:
    db, numbers = session.vault.connection, cubes.numbers.keys()
    linked = sorted(
        (link.source_id, link.kind, link.target_id)
        for link in links.links_among(db, numbers)
        if link.kind in PORTABLE
    )
    carried = [adapter_files.to_member(session, each) for each in adapter_files.outgoing(session, numbers)]
    carried.sort(key=lambda each: (each[0]["title"], each[1]))
    granted = [
        rule
        for rule in rules.all_rules(session.vault.unrestricted)
        if rule.kind == "cube" and rule.owner == session.principal and cubes.have([rule.target])
    ]
    bundle.write(
        stream,
        {
            "cubes.jsonl": bundle.Again(lambda: (record(session, cube) for cube in cubes)),
            "links.jsonl": [{"source": s, "kind": kind, "target": t} for s, kind, t in linked],
            "access.jsonl": [
                {"target": r.target, "principal": r.principal, "right": r.right, "expires": r.expires}
                for r in sorted(granted, key=lambda r: (r.target, r.principal, r.right))
            ],
            "rebuild.jsonl": _requests(session, cubes) if cubes else (),
            **({adapter_files.MEMBER: [record for record, _, _ in carried]} if carried else {}),
        },
        sign,
        {name: data for _, name, data in carried},
    )


def _requests(session: Session, cubes: Chosen) -> list[dict[str, Any]]:
    """Return the saved and the requested states of only these memories, as requests for the other vault."""
    made: list[dict[str, Any]] = [
        {
            "view": each.state.view,
            "document": [source.id for source in each.sources if source.part == "document"],
        }
        for each in saved_states.activations(session.vault.connection, now=session.now())
        if each.cubes("document") and {source.cube for source in each.sources} <= cubes.numbers.keys()
    ]
    waiting = [
        dict(each)
        for each in saved_states.requests(session.vault.connection)
        if cubes.have(each["document"]) and each not in made
    ]
    return sorted(made + waiting, key=lambda each: json.dumps(each, sort_keys=True))


def record(session: Session, cube: Cube) -> dict[str, Any]:
    """Return a memory with all its versions, as in a bundle. Times are milliseconds since 1970 UTC."""
    db = session.vault.connection
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


def _jsonl(session: Session, cubes: Iterable[Cube], stream: IO[bytes]) -> None:
    for cube in cubes:
        stream.write(bundle.to_line(record(session, cube)))


def _write_mip(session: Session, cubes: Iterable[Cube], stream: IO[bytes]) -> None:
    assert isinstance(cubes, Chosen)
    _mip(session, cubes, stream)


FORMATS: dict[str, Exporter] = {
    "mip": Exporter(_write_mip, "a bundle for another vault: everything"),
    "jsonl": Exporter(_jsonl, "JSON lines: all versions"),
    "markdown": Exporter(write_markdown, "one Markdown file, for people"),
    "mem0": Exporter(write_mem0, "mem0"),
    "memos": Exporter(write_memos, "MemOS: a MemCube's texts"),
    "letta": Exporter(write_letta, "Letta: an agent file"),
}
"""The built-in exporters."""
