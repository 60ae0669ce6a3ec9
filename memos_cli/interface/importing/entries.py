"""The records that a reader of an export yields, and helpers to read values of unknown type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from memos_cli.cube import Draft, Span
from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.ingest.sources.decoding import clean
from memos_cli.interface.ingest.sources.pieces import read_time
from memos_cli.interface.ingest.sources.reading import read_bytes
from memos_cli.interface.options import ReadOptions
from memos_cli.interface.recalled import without_recalled

LONGEST = 30_000
"""Characters of one memory; a longer text is cut into several."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A link in an export between two memories, by their references."""

    source: str
    kind: str
    target: str


@dataclass(slots=True)
class Bundle:
    """The drafts of one conversation, store or note."""

    uri: str
    """The address of the source, the same in each export: ``chatgpt:ID``."""
    title: str = ""
    drafts: list[Draft] = field(default_factory=list)
    pinned: list[str] = field(default_factory=list)
    """References of drafts that are pinned in the program that exported them."""
    relations: list[Relation] = field(default_factory=list)
    earlier: dict[str, list[str]] = field(default_factory=dict)
    """By reference the texts that a memory had before, the oldest first."""
    ends: dict[str, int] = field(default_factory=dict)
    """By reference when a memory expires."""
    faults: list[str] = field(default_factory=list)
    """The records that could not be read, with the reason."""
    notes: list[str] = field(default_factory=list)
    has_copies: bool = False
    """Whether it may repeat turns of another source with the same references, as a fork does."""

    def clean(self) -> None:
        """Clean the address, the title and all references, as ``add`` cleans drafts, for texts that JSON can
        escape and no file can contain."""
        self.uri, self.title = clean(self.uri), clean(self.title)
        self.pinned = [*map(clean, self.pinned)]
        ends = ((each, clean(each.source), clean(each.target)) for each in self.relations)
        self.relations = [Relation(source, each.kind, target) for each, source, target in ends]
        self.earlier = {clean(ref): [*map(clean, texts)] for ref, texts in self.earlier.items()}
        self.ends = {clean(ref): end for ref, end in self.ends.items()}

    def add(self, value: str, **known: Any) -> None:
        """Add a draft of a text, or several if it is too long for one; none of an empty text.

        Memories that were recalled in it are left out.
        """
        whole = without_recalled(clean(value)).strip()
        known |= {name: clean(known[name]) for name in ("title", "author") if name in known}
        ref = clean(known.pop("ref", None) or "") or None
        if tags := known.get("tags"):
            known["tags"] = tuple(map(clean, tags))
        for number, start in enumerate(range(0, len(whole), LONGEST)):
            at = len(self.drafts)
            part = f"{ref}#{number + 1}" if ref and number else ref
            self.drafts.append(Draft(whole[start : start + LONGEST], Span(at, at), ref=part, **known))


@dataclass(frozen=True, slots=True)
class Importer:
    """An importer for the exports of one program, built in or of a plug-in.

    ``read`` yields a bundle for each conversation, store or note. What cannot be read becomes a fault of a
    bundle, or is raised as MemosError; nothing is executed or written.
    """

    read: Callable[[Export], Iterator[Bundle]]
    recognises: Callable[[Export], bool]
    """Returns whether an export is from this program. Must be fast: it is called for every export."""
    summary: str = ""
    """A short description of what it reads, for ``memos plugins``."""


def each_file(
    read: Callable[[Export, str], Iterable[Bundle]],
) -> Callable[[Export, Iterable[str]], Iterator[Bundle]]:
    """Return ``read`` for several files of an export; a file that cannot be read becomes a fault."""

    def read_files(export: Export, names: Iterable[str]) -> Iterator[Bundle]:
        for name in names:
            try:
                yield from read(export, name)
            except MemosError as error:
                yield Bundle("", faults=[fault_of(name, error)])

    return read_files


def read_document(export: Export, name: str, bundle: Bundle, called: str) -> list[Draft]:
    """Return the drafts of a file that `memos ingest` would read, titled and dated by ``called``.

    Parts that cannot be read become faults of ``bundle``. Nothing is masked or marked: the import does that.
    """
    hints = ReadOptions(encoding=export.encoding, fallback=export.fallback, secrets="allow")
    try:
        reading = read_bytes(export.read(name), bundle.uri, called, hints)
    except MemosError as error:
        bundle.faults.append(f"{name}: {error}")
        return []
    bundle.faults += [f"{name}: {each.reason}" for each in reading.failed]
    return [replace(draft, sensitivity="open") for draft in reading.drafts]


def fault_of(name: str, error: MemosError) -> str:
    """Return why a file cannot be read, and what to do, with its name."""
    return error.with_hint if name in error.with_hint else f"{name}: {error.with_hint}"


def text(value: object) -> str:
    """Return a string; "" for anything else."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Iterator[Any]:
    """Return the elements of a list; none for anything else."""
    yield from value if isinstance(value, list) else ()


def objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Return the elements of a list; {} for those that are no objects."""
    return map(mapping, items(value))


def strings(value: object) -> Iterator[str]:
    """Return the elements of a list that are strings."""
    return (each for each in items(value) if isinstance(each, str))


def decoded(value: object) -> Any:
    """Decode a string that is JSON (some programs encode twice); return anything else unchanged."""
    for _ in range(3):
        if not isinstance(value, str) or not value.lstrip("\ufeff \t\r\n").startswith(("{", "[", '"')):
            break
        try:
            value = json.loads(value.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            break
    return value


def time(value: object) -> int | None:
    """Return a time in milliseconds, from seconds or text; None for anything else."""
    return None if isinstance(value, bool) else read_time(value)


def branch(nodes: Mapping[str, Any], end: str, parent: str) -> list[Mapping[str, Any]]:
    """Return the nodes of a tree from its root to ``end``; ``parent`` is the key of the node before."""
    found, seen = [], set()
    while end in nodes and end not in seen:
        seen.add(end)
        found.append(mapping(nodes[end]))
        end = text(found[-1].get(parent))
    return found[::-1]


def parts_of(content: object) -> str:
    """Return the text of a message's content: a string, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    found = [text(each) or text(mapping(each).get("text")) for each in items(content)]
    return "\n\n".join(part for part in found if part.strip())
