"""Notes in Markdown that link to each other: basic-memory, Obsidian.

Their text comes as `memos ingest` reads Markdown; relations and wiki links become links between notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from memos_cli.cube import Span
from memos_cli.errors import MemosError
from memos_cli.interface.importing.bundles import Bundle, Relation
from memos_cli.interface.importing.opening import Export
from memos_cli.interface.sources import Hints, read_bytes
from memos_cli.interface.sources.decoding import decode
from memos_cli.interface.sources.front_matter import as_list, read_front_matter

_LINK = re.compile(r"\[\[([^\]\[|#]{1,200})(?:#[^\]\[|]{0,200})?(?:\|[^\]\[]{0,200})?\]\]")
_OBSERVATION = re.compile(r"^\s*[-*] \[([^\]\[ xX]{1,40}|[^\]\[]{2,40})\] +\S", re.MULTILINE)
_TAG = re.compile(r"(?<![\w/#])#([\w/-]{1,80})")


def read_notes(export: Export) -> Iterator[Bundle]:
    """Each Markdown file: a bundle. The first piece of a note stands for the note in links."""
    found: list[tuple[Bundle, str]] = []
    named: dict[str, str] = {}
    for name in export.named("*.md", "*.markdown"):
        if any(part.startswith(".") for part in name.split("/")):
            continue
        try:
            data = export.read(name)
            hints = Hints(encoding=export.encoding, fallback=export.fallback)
            reading = read_bytes(data, f"notes:{name}", name, hints)
            body = decode(data, "markdown", encoding=export.encoding, fallback=export.fallback).text
        except MemosError as error:
            yield Bundle("", faults=[str(error)])
            continue
        bundle = Bundle(f"notes:{name}", name)
        kinds = {f"observation/{match[1]}" for match in _OBSERVATION.finditer(body)}
        for at, draft in enumerate(reading.drafts):
            tags = {
                *draft.tags,
                *_TAG.findall(draft.text),
                *(k for k in kinds if f"[{k[12:]}]" in draft.text),
            }
            ref = f"{name}#{at}" if at else name
            bundle.drafts.append(replace(draft, span=Span(at, at), ref=ref, tags=tuple(sorted(tags))))
        bundle.faults += [part.reason for part in reading.failed]
        if bundle.drafts:
            _, known = read_front_matter(body)
            others = (*as_list(known.get("aliases")), *as_list(known.get("permalink")))
            for label in (name, name.rsplit("/", 1)[-1], bundle.drafts[0].title, *others):
                named.setdefault(_label(label), name)
            found.append((bundle, name))
    for bundle, name in found:
        for draft in bundle.drafts:
            for match in _LINK.finditer(draft.text):
                target = named.get(_label(match[1]))
                if target and target != name and draft.ref:
                    bundle.relations.append(Relation(draft.ref, "about", target))
        yield bundle


def _label(name: str) -> str:
    """How a note is named in a link: without its ending, in any case."""
    return re.sub(r"\.(?:md|markdown)$", "", name.strip(), flags=re.IGNORECASE).casefold()
