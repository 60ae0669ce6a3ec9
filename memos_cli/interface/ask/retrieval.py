"""Retrieve the memories that match a parsed question, by words and by meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate

from memos_cli.cube import CHAT, Filter, Hit, MemoryCall
from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.interface.results import SearchResult
from memos_cli.interface.session import Session
from memos_cli.interface.time.times import parse_range
from memos_cli.models.embed.embedder import Embedder
from memos_cli.operation.search.embedding import row_in_use
from memos_cli.operation.search.hybrid_search import rerank, search, widen
from memos_cli.operation.search.ranking import Asked, side_of
from memos_cli.zones import local_zone


def retrieve(
    session: Session,
    query: str,
    call: MemoryCall,
    *,
    filter: Filter,
    k: int,
    aside: str = "",
    with_chats: bool = False,
) -> SearchResult:
    """Return the ``k`` best memories for ``query``, which is the question of ``call`` or a part of it.

    ``aside`` are words of the query that a relevant memory need not contain. ``with_chats`` includes the
    questions and answers of chats. It adds no audit row: the caller knows what is shown.
    """
    db, now, settings = session.vault.connection, session.now(), session.settings
    filter = filter if with_chats else without_chats(db, filter, call.question)
    embedder, notes = _embedder_in_use(session)
    hits = search(
        session.vault, query, filter=filter, k=k, now=now,
        embedder=embedder, balance=settings.search_balance, aside=aside,
        asked=asked_of(call), least=settings.query_relevance,
    )  # fmt: skip
    if (reranker := session.reranker) is not None:
        hits = rerank(hits, partial(reranker.scores, query))
    return SearchResult(query, tuple(widen(db, hits, filter=filter, k=k, now=now)), notes)


def without_chats(db: Connection, filter: Filter, question: str) -> Filter:
    """Return a filter that leaves out what chats asked and answered, unless the question is about that.

    These turns resemble a question more than its sources do: they would push the sources out of a search.
    """
    is_about_chats = filter.source or "dialogue" in filter.types or side_of(question) == "assistant"
    if is_about_chats or not db.execute("SELECT 1 FROM source WHERE uri GLOB ?", (f"{CHAT}*",)).fetchone():
        return filter
    return replace(filter, stated=True)


def sources_first(
    db: Connection, question: str, filter: Filter, k: int, find: Callable[[Filter], Sequence[Hit]]
) -> tuple[Hit, ...]:
    """Return the ``k`` best hits of ``find``: what chats asked and answered after the memories that match."""
    every = find(filter)
    chats = [hit for hit in every if (hit.cube.source or "").startswith(CHAT)]
    if not chats or (stated := without_chats(db, filter, question)) == filter:
        return tuple(every)
    sources = find(stated)
    known = {hit.cube.n for hit in sources}
    hits = [hit for hit in sources if not hit.weak]
    hits += [hit for hit in chats if hit.cube.n not in known]
    hits += [hit for hit in sources if hit.weak]
    scores = accumulate((hit.score for hit in hits), min)
    return tuple(replace(hit, score=score) for hit, score in zip(hits[:k], scores, strict=False))


def asked_of(call: MemoryCall) -> Asked:
    """Return the input of ranking: the question's words, its time, and a function that finds the time in a
    text.
    """
    return Asked(call.question, call.after, call.before, _time_in)


def _time_in(text: str, then: int) -> tuple[int | None, int | None] | None:
    """Return the time that a text names, if any; ``then`` is the time of the text."""
    return parse_range(text, now=then, zone=local_zone())


def has_vectors(session: Session) -> bool:
    """Return whether a memory that the caller may read has a vector."""
    vault = session.vault
    any_vector = "SELECT 1 FROM vector v JOIN cube c ON c.n = v.cube LIMIT 1"
    sees_none = vault.is_restricted and not vault.texts  # or SQLite would scan all vectors
    return not sees_none and vault.connection.execute(any_vector).fetchone() is not None


def _embedder_in_use(session: Session) -> tuple[Embedder | None, tuple[str, ...]]:
    """Return the embedder if the vault has its vectors; else None, and a note if that limits the search."""
    # Vectors of memories that the caller may not read must not decide it.
    if session.by_words or not has_vectors(session):
        return None, ()
    try:
        embedder = session.embedder
    except ModelUnfit as error:
        return None, (f"searched by words alone: {error}; {error.hint}",)
    if row_in_use(session.vault.connection, embedder):
        return embedder, ()
    advice = f"run memos embed --embedder {embedder.name}"
    return None, (f"searched by words alone: the vault has no vectors of {embedder.name}; {advice}",)
