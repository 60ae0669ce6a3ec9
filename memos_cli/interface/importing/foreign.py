"""Guard the importer of a plug-in: its output is checked as hostile input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memos_cli.cube import SEMANTIC_TYPES, SENSITIVITIES, Draft
from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, Importer, Relation, items, text
from memos_cli.interface.ingest.sources.decoding import clean
from memos_cli.interface.ingest.sources.pieces import try_time
from memos_cli.interface.plugins import describe

LONGEST_NAME = 1_000
"""Characters of an address, title, author, reference or tag; more of it is cut off."""
_LINKS = ("part_of", "follows", "contradicts", "similar_to", "about")
_ROLES = ("user", "assistant", "system")


def guard_importer(name: str, importer: Importer) -> Importer:
    """Return a plug-in's importer that yields only valid bundles, with addresses below ``name``.

    Every exception becomes a MemosError that names the plug-in. If ``recognises`` fails, the result is False.
    """

    def read(export: Export) -> Iterator[Bundle]:
        try:
            for bundle in importer.read(export):
                yield _sanitize_bundle(name, bundle)
        except MemosError:
            raise
        except (Exception, SystemExit) as error:  # foreign code may raise anything
            raise MemosError(f"the plug-in {name!r} failed: {describe(error)}", "memos plugins") from error

    def recognises(export: Export) -> bool:
        try:
            return bool(importer.recognises(export))
        except (Exception, SystemExit) as error:  # noqa: BLE001
            describe(error)
            return False

    return Importer(read, recognises, importer.summary)


def _sanitize_bundle(name: str, given: Bundle) -> Bundle:
    """Return a bundle with only valid fields, and an address that belongs to this plug-in."""
    if not isinstance(given, Bundle):
        raise MemosError(f"the plug-in {name!r} yields {type(given).__name__}, not a Bundle", "memos plugins")
    uri = _one_line(given.uri)
    bundle = Bundle(uri if uri.startswith(f"{name}:") else f"{name}:{uri}", _one_line(given.title))
    for draft in items(given.drafts):
        if isinstance(draft, Draft) and text(draft.text).strip():
            bundle.add(draft.text, **_fields(draft))
        else:
            bundle.faults.append(f"not a memory: {type(draft).__name__}")
    bundle.pinned = [_one_line(each) for each in items(given.pinned)]
    bundle.relations = [
        Relation(
            _one_line(each.source), each.kind if each.kind in _LINKS else "about", _one_line(each.target)
        )
        for each in items(given.relations)
        if isinstance(each, Relation)
    ]
    bundle.ends = {_one_line(ref): end for ref, end in given.ends.items() if try_time(end) is not None}
    bundle.earlier = {
        _one_line(ref): [clean(was) for was in texts if text(was)] for ref, texts in given.earlier.items()
    }
    bundle.faults += [_one_line(each) for each in items(given.faults)]
    bundle.notes = [_one_line(each) for each in items(given.notes)]
    return bundle


def _fields(draft: Draft) -> dict[str, Any]:
    """Return the valid fields of a draft beside its text; others are dropped."""
    known = {
        "title": _one_line(draft.title),
        "ref": _one_line(draft.ref) or None,
        "time": try_time(draft.time),
        "author": _one_line(draft.author),
        "role": draft.role if draft.role in _ROLES else "",
        "tags": tuple(filter(None, (_one_line(each) for each in draft.tags))) if draft.tags else (),
        "sensitivity": draft.sensitivity if draft.sensitivity in SENSITIVITIES else "personal",
    }
    return {**known, "type": draft.type} if draft.type in SEMANTIC_TYPES else known


def _one_line(value: object) -> str:
    """Return a text on one line: without control characters, cut to the longest name."""
    words = clean(text(value)[:LONGEST_NAME])
    return "".join(each for each in words if each.isprintable()).strip()
