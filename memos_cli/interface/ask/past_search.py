"""Search and list the memories of a vault as of a time."""

from __future__ import annotations

from memos_cli.cube import Cube, Filter
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.vault.as_of import Snapshot
from memos_cli.interface.results import SearchResult
from memos_cli.interface.session import Session
from memos_cli.operation.search.hybrid_search import search as find

_BY_WORDS = "searched by words alone: vectors are those of now"


def list_memories(session: Session, filter: Filter, limit: int, newest: bool, at: int) -> list[Cube]:
    """Return the memories that matched ``filter`` at the time ``at``, as they were then."""
    with Snapshot(session.vault, at) as past:
        found = list(queries.cubes(past.connection, filter, now=at, limit=limit, newest=newest))
    session.audit_reads("list", found)
    return found


def search(session: Session, query: str, filter: Filter, k: int, at: int) -> SearchResult:
    """Search the memories as of the time ``at``, by words."""
    with Snapshot(session.vault, at) as past:
        hits = find(past, query, filter=filter, k=k, now=at, embedder=None, balance=0.0,
                    least=session.settings.query_relevance)  # fmt: skip
    return SearchResult(query, tuple(hits), (_BY_WORDS,))
