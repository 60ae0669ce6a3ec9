"""The vault as it was at a time: its memories, and what a search found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Filter
from memos_cli.errors import UsageError
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.vault.as_of import Snapshot
from memos_cli.interface.results import Found
from memos_cli.operation.search.search import search as find

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

_BY_WORDS = "searched by words alone: vectors are those of now"


def cubes(memos: Memos, filter: Filter, limit: int, newest: bool, at: int) -> list[Cube]:
    """The memories that passed ``filter`` at ``at``."""
    with Snapshot(memos.vault, at) as past:
        return list(queries.cubes(past.connection, filter, now=at, limit=limit, newest=newest))


def search(memos: Memos, query: str, filter: Filter, k: int, at: int) -> Found:
    """What a search found at ``at``, by its words."""
    if not query.strip():
        raise UsageError("the query is empty", "type some words to search for")
    with Snapshot(memos.vault, at) as past:
        hits = find(past, query, filter=filter, k=k, now=at, embedder=None, balance=0.0,
                    least=memos.settings.query_relevance)  # fmt: skip
    return Found(query, tuple(hits), (_BY_WORDS,))
