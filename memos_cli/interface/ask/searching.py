"""Search memories: parse the query, resolve its times, retrieve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memos_cli.cube import CHAT, Filter, Hit
from memos_cli.errors import UsageError
from memos_cli.interface.ask.event_times import resolve_times
from memos_cli.interface.ask.question_parser import parse
from memos_cli.interface.ask.retrieval import retrieve, without_chats
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
    found = retrieve(session, query, call, filter=filter, k=k, aside=aside)
    if without_chats(session.vault.connection, filter, call) != filter:
        every = retrieve(session, query, call, filter=filter, k=k, aside=aside, with_chats=True)
        found = replace(found, hits=_with_chats(found.hits, every.hits)[:k])
    return replace(found, notes=found.notes + notes)


def _with_chats(sources: Sequence[Hit], every: Sequence[Hit]) -> tuple[Hit, ...]:
    """Return the hits that match, then what chats asked and answered, then the weak hits."""
    found = {hit.cube.n for hit in sources}
    good = [hit for hit in sources if not hit.weak]
    chats = [hit for hit in every if hit.cube.n not in found and (hit.cube.source or "").startswith(CHAT)]
    least = min((hit.score for hit in good), default=1.0)
    later = [replace(hit, score=min(hit.score, least)) for hit in chats]
    least = min((hit.score for hit in later), default=least)
    weak = [replace(hit, score=min(hit.score, least)) for hit in sources if hit.weak]
    return (*good, *later, *weak)


def _require_words(query: str) -> None:
    if not query.strip():
        raise UsageError("the query is empty", "type some words to search for")
