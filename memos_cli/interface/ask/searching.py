"""Search memories: parse the query, resolve its times, retrieve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memos_cli.cube import Filter, Hit
from memos_cli.errors import UsageError
from memos_cli.interface.ask.event_times import resolve_times
from memos_cli.interface.ask.question_parser import parse
from memos_cli.interface.ask.retrieval import retrieve, sources_first
from memos_cli.interface.results import SearchResult
from memos_cli.interface.selection import for_caller
from memos_cli.interface.session import Session
from memos_cli.zones import local_zone


def search(
    session: Session, query: str, *, filter: Filter, k: int, aside: str, at: int | None, now: int | None
) -> SearchResult:
    """Return the memories that match ``query`` best; ``at`` a time in the past, by words only."""
    wanted, most = for_caller(session, filter), k or session.settings.search_k
    if at is None:
        found = find(session, query, wanted, most, aside=aside, now=now)
    else:
        from memos_cli.interface.ask import past_search

        _require_words(query)
        found = past_search.search(session, query, wanted, most, at)
    session.audit_reads("search", [hit.cube for hit in found.hits])
    if found.hits and all(hit.weak for hit in found.hits):
        asked = query if len(query) <= 40 else f"{query[:39]}…"
        return replace(found, notes=(*found.notes, f"no memory matches {asked!r} well; the nearest:"))
    return found


def find(
    session: Session, query: str, filter: Filter, k: int, *, aside: str = "", now: int | None = None
) -> SearchResult:
    """Return the memories that match ``query`` best, without an audit row: the caller writes it."""
    _require_words(query)
    parsed = parse(query, now=session.now() if now is None else now, zone=local_zone())
    call, notes = resolve_times(session, parsed, filter)
    found: list[SearchResult] = []

    def find_in(wanted: Filter) -> Sequence[Hit]:
        found.append(retrieve(session, query, call, filter=wanted, k=k, aside=aside, with_chats=True))
        return found[-1].hits

    hits = sources_first(session.vault.connection, call.question, filter, k, find_in)
    return SearchResult(query, hits, found[0].notes + notes)


def _require_words(query: str) -> None:
    if not query.strip():
        raise UsageError("the query is empty", "type some words to search for")
