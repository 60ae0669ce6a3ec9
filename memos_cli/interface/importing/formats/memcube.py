"""Import a MemCube folder of the MemOS project: its texts, and those of its pickled states.

`activation_memory.pickle` is never unpickled: its opcodes are read, and no object is created. Its states are
for another program; new ones can be made from the texts that they name.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Any

from memos_cli.cube import SEMANTIC_TYPES
from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import (
    Bundle,
    Relation,
    decoded,
    items,
    mapping,
    objects,
    strings,
    text,
    time,
)
from memos_cli.interface.importing.formats.memory_exports import load, rows_of
from memos_cli.interface.share.export_formats import OWN_TIME

_KINDS = {
    **{kind: kind for kind in SEMANTIC_TYPES},
    "procedure": "skill",
    "opinion": "preference",
    "topic": "fact",
}
_LINKS = {"PARENT": "part_of", "FOLLOWING": "follows", "CONTRADICTS": "contradicts"}
"""The kinds of links that are imported. MERGED_TO is not: a merge from there could not be undone here."""
_SAID = {"source_text", "text", "memory", "content"}


def read_memos(export: Export) -> Iterator[Bundle]:
    """Read `textual_memory.json` in its three shapes, and the texts named in `activation_memory.pickle`."""
    texts = export.named("textual_memory.json") or export.named("*.json")
    for name in texts:
        if (value := load(export, name)) is None:
            yield Bundle("", faults=[f"{name}: no JSON"])
        else:
            yield _texts(export, name, value)
    for name in export.named("*.pickle", "*.pkl"):
        yield _states(export, name)
    for name in export.named("parametric_memory.*", "*.adapter"):
        yield Bundle("", notes=[f"{name}: the placeholder of an adapter: there is nothing in it"])


def _texts(export: Export, name: str, value: Any) -> Bundle:
    folder = name.rpartition("/")[0].rpartition("/")[2] or export.path.stem
    bundle = Bundle(f"memos:{folder}", folder)
    rows = mapping(value).get("nodes") if "nodes" in mapping(value) else rows_of(value)
    stands_for: dict[str, str] = {}
    said: dict[str, str] = {}
    for number, record in enumerate(objects(rows), 1):
        inner = mapping(record.get("payload")) or record
        about = mapping(decoded(inner.get("metadata")))
        body = text(inner.get("memory")).strip()
        id = text(record.get("id")) or text(inner.get("id"))
        if not body:
            bundle.faults.append(f"{name}: record {number}: no memory in it")
            continue
        if body in said:  # a working and a long-term copy of one text
            stands_for[id] = said[body]
            continue
        said[body] = stands_for[id] = id
        sources = [_source(each) for each in items(about.get("sources"))]
        bundle.add(
            body, type=_KINDS.get(text(about.get("type")).lower(), "fact"), ref=id,
            title=text(about.get("key")),
            time=time(about[OWN_TIME]) if OWN_TIME in about else
            time(about.get("updated_at")) or time(about.get("created_at")),
            author=next((speaker for speaker, _ in sources if speaker), ""),
            role=next((role for _, role in sources if role in ("user", "assistant", "system")), ""),
            tags=tuple(filter(str.strip, strings(about.get("tags")))),
        )  # fmt: skip
    for edge in objects(mapping(value).get("edges")):
        source, target = stands_for.get(text(edge.get("source"))), stands_for.get(text(edge.get("target")))
        kind = _LINKS.get(text(edge.get("type")), "about")
        if source and target and source != target:
            bundle.relations.append(Relation(source, kind, target))
    return bundle


def _source(value: object) -> tuple[str, str]:
    """Return the author and the role."""
    found = mapping(decoded(value))
    role = text(found.get("role"))
    return text(found.get("speaker")) or ("" if "speaker" in found else role), role


def _states(export: Export, name: str) -> Bundle:
    """Return the texts under the names of memories in a pickle, found in its opcodes."""
    bundle = Bundle(f"memos:{name}", name)
    wanted, seen = False, set[str]()
    try:
        for opcode, argument, _ in pickletools.genops(export.read(name)):
            if isinstance(argument, str) and "UNICODE" in opcode.name:
                if wanted and argument.strip() and argument not in seen:
                    seen.add(argument)
                    bundle.add(argument, type="document", tags=("from-state",))
                wanted = argument in _SAID
            elif opcode.name not in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
                wanted = False
    except MemosError as error:
        bundle.faults.append(str(error))
    except Exception as error:  # noqa: BLE001 (pickletools raises what it meets in a damaged file)
        bundle.faults.append(f"{name}: no whole pickle: {error}")
    if not bundle.drafts:
        bundle.notes.append(f"{name}: its states name no text they were made of, and are left")
    return bundle
