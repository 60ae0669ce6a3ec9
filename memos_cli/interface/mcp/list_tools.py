"""Tools that list memories: memory_search and memory_recent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from memos_cli.cube import Filter, Hit
from memos_cli.interface.ask.searching import find
from memos_cli.interface.mcp.budget import cut, fill, make_cursor, read_cursor, tokens_of, tokens_of_json
from memos_cli.interface.mcp.schemas import Listing, Memory, RecentArguments, SearchArguments
from memos_cli.interface.mcp.tool_results import (
    LEAST,
    OVERHEAD,
    Answer,
    Asker,
    audit,
    fields_of,
    make_filter,
)
from memos_cli.interface.selection import for_caller, promptable, promptable_memories, select

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.results import SearchResult

_SHORT = 400
"""Characters of a text that is shown from its beginning, wherever it matches."""
_LINE = 30
"""Tokens of a memory in the text block."""


def search(memos: Memos, asked: SearchArguments, asker: Asker) -> Answer:
    (start,) = read_cursor(asked.cursor, "memory_search", asked.model_dump())
    wanted = make_filter(memos, asker, asked.tags, asked.type, asked.after, asked.before)
    found = _find(memos, asked.query, wanted, start + asked.k + 1)
    hits = found.hits[start : start + asked.k]
    notes = list(found.notes)
    if hits and not start and all(hit.weak for hit in hits):
        notes.append("no memory matches well; these are the nearest")
    if not hits:
        notes.append(_why_nothing(memos, asked))
    listing = _page(hits, _of_hit, asked.max_tokens, notes)
    shown = hits[: len(listing.memories)]
    if len(found.hits) > start + len(shown):
        listing.next_cursor = make_cursor("memory_search", asked.model_dump(), start + len(shown))
    audit(memos, "search", [hit.cube for hit in shown])
    return listing, _lines(listing)


def _find(memos: Memos, query: str, wanted: Filter, k: int) -> SearchResult:
    """Find memories that a model may read.

    A filter makes a search of 100,000 memories twice as slow, and seldom excludes a memory: so it is only
    used if it does, or if a note reveals something about a memory.
    """
    found = find(memos, query, for_caller(memos, wanted), k)
    if not found.notes and len(promptable_memories(memos, [hit.cube for hit in found.hits])) == len(
        found.hits
    ):
        return found
    return find(memos, query, promptable(memos, wanted), k)


def recent(memos: Memos, asked: RecentArguments, asker: Asker) -> Answer:
    (start,) = read_cursor(asked.cursor, "memory_recent", asked.model_dump())
    wanted = promptable(memos, make_filter(memos, asker, asked.tags, asked.type, asked.since, ""))
    cubes = [*islice(select(memos, wanted, limit=start + asked.k + 1), start, None)]
    notes = [] if cubes or start else [f"nothing since {asked.since}; try an earlier time"]
    listing = _page(cubes[: asked.k], fields_of, asked.max_tokens, notes)
    shown = cubes[: len(listing.memories)]
    if len(cubes) > len(shown):
        listing.next_cursor = make_cursor("memory_recent", asked.model_dump(), start + len(shown))
    audit(memos, "list", shown)
    return listing, _lines(listing)


def _page(
    items: Sequence[Any], fields: Callable[[Any], dict[str, Any]], tokens: int, notes: list[str]
) -> Listing:
    """Return as many of ``items`` as fit, the first ones with as much text as their equal share allows."""
    left = tokens - OVERHEAD - 2 * tokens_of_json(notes)

    def rows() -> Iterable[Memory]:
        nonlocal left
        for at, item in enumerate(items):
            row = Memory(**fields(item))
            share = left // (len(items) - at)
            text, room = row.text, max(share, LEAST + 1)
            while _cost(row) > share and room > LEAST:
                room = max(LEAST, min(room * 4 // 5, room - (_cost(row) - share) // 2))
                row = row.model_copy(update={"text": cut(text, room), "cut": True})
            yield row
            left -= _cost(row)

    memories = fill(rows(), left, _cost)
    return Listing(ids=[row.id for row in memories], memories=memories, notes=notes)


def _cost(row: Memory) -> int:
    return tokens_of_json(row.model_dump()) + tokens_of(row.id) + tokens_of(_line(row)) + 4


def _of_hit(hit: Hit) -> dict[str, Any]:
    """Return the fields of a hit; a long text begins with the sentence that matches best."""
    found = {**fields_of(hit.cube), "score": round(hit.score, 2)}
    start = hit.sentences[0].start if hit.sentences else 0
    if start and len(hit.cube.text) > _SHORT:
        found |= {"text": f"…{hit.cube.text[start:]}", "cut": True}
    return found


def _lines(listing: Listing) -> str:
    more = ["more follows: call again with next_cursor"] if listing.next_cursor else []
    return "\n".join([*map(_line, listing.memories), *listing.notes, *more])


def _line(row: Memory) -> str:
    words = " ".join(row.text[: 8 * _LINE].split())
    return f"{row.id} {row.date} {row.type}: {cut(words, _LINE)}"


def _why_nothing(memos: Memos, asked: SearchArguments) -> str:
    if memos.is_empty():
        return "the vault has no memories yet"
    narrowed = [name for name in ("after", "before", "tags", "type") if getattr(asked, name)]
    if narrowed:
        return f"nothing found with {', '.join(narrowed)}; memory_status shows what is left out"
    return "nothing found; memory_status shows what is left out"
