"""Import files of no special program: JSON lines, CSV with a header, and outlines (OPML)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, read_document, time

NEAREST = 50
"""Levels of an outline above an entry that its title names at most."""
ENDINGS = ("*.jsonl", "*.ndjson", "*.csv", "*.json", "*.opml")


def read_plain(export: Export) -> Iterator[Bundle]:
    """Read each file as `memos ingest` does; of outlines, each entry with the entries above it."""
    for name in export.named(*ENDINGS):
        last = name.rsplit("/", 1)[-1]
        bundle = Bundle(f"plain:{name}", last)
        if last.lower().endswith(".opml"):
            try:
                _outline(export.read(name), bundle)
            except MemosError as error:
                bundle.faults.append(f"{name}: {error}")
        else:
            bundle.drafts += read_document(export, name, bundle, last)
        yield bundle


def _outline(data: bytes, bundle: Bundle) -> None:
    """Return the entries of an OPML file (http://opml.org/spec2.opml) that have a note, or none below them.

    The title of an entry is the entries above it. A document type is refused, because it could define
    entities.
    """
    if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data:
        bundle.faults.append("an outline with a document type is not read")
        return
    try:
        # No entities can be defined, so nothing expands.
        root = ElementTree.fromstring(data)  # noqa: S314
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the latter of its encoding
        bundle.faults.append(f"no outline: {error}")
        return
    bundle.title = (root.findtext("head/title") or bundle.title).strip()
    body = root.find("body")
    waiting = [(each, [bundle.title]) for each in reversed(list(body if body is not None else ()))]
    while waiting:
        entry, path = waiting.pop()
        said = (entry.get("text") or entry.get("title") or "").strip()
        below = [each for each in entry if each.tag == "outline"]
        more = [entry.get(name, "").strip() for name in ("_note", "description", "url", "xmlUrl", "htmlUrl")]
        if said and (not below or any(more)):
            tags = [tag.strip("/ ") for tag in entry.get("category", "").split(",")]
            bundle.add(
                "\n\n".join([said, *dict.fromkeys(filter(None, more))]),
                title=" / ".join(filter(None, path)), time=time(entry.get("created", "")),
                tags=tuple(filter(None, tags)),
            )  # fmt: skip
        waiting += [(each, [*path[-NEAREST:], said]) for each in reversed(below)]
