"""Search by words: BM25 over the full-text table, at a cost that does not grow with the table.

The more frequent a word is, the more it costs to search, and the less it says. So BM25 searches the rare
words of a question, as many as the limit on the cost allows. The other words count only where two words of
the question are next to each other: SQLite finds such pairs at the cost of the rarer word.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memos_cli.cube import Filter
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.fulltext import Term, fts_query

if TYPE_CHECKING:
    from memos_cli.infrastructure.vault.as_of import Snapshot
    from memos_cli.infrastructure.vault.vault import Vault

POSTINGS = 15_000
"""The number of occurrences of words that a search scores (measured: 0.8 µs each)."""
TOGETHER = 300
"""The number of memories, from the newest, that a pair of words with a frequent one contributes."""
FREQUENT = 4
"""The number of frequent words that are searched in pairs."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A term of the question, the number of cubes that contain it, and its weight."""

    term: Term
    cubes: int
    idf: float


def by_words(
    vault: Vault | Snapshot, terms: Sequence[Term], *, filter: Filter, now: int, limit: int
) -> tuple[list[Weighed], dict[int, float]]:
    """Return the terms, and the ``limit`` best cubes of ``filter`` that contain any of them, with their
    scores.
    """
    db, total = vault.connection, vault.texts
    if vault.is_restricted:
        return _seen(db, terms, total, filter, now, limit)
    weighed = weigh(db, terms, total)
    rare, frequent = _split_by_cost([each for each in weighed if each.cubes])
    asked = fts_query([each.term for each in rare])
    scores = dict(queries.matches(db, asked, filter, now=now, limit=limit)) if rare else {}
    if frequent:
        for n, held in _together(db, rare, frequent, filter, now).items():
            bare = sum(each.idf for each in held if each in frequent or n not in scores)
            scores[n] = scores.get(n, 0.0) + bare
        if len(scores) < limit and not rare:
            lone = fts_query([frequent[0].term])
            found = queries.matches(db, lone, filter, now=now, limit=limit)
            scores = dict(found) | scores
    best = sorted(scores, key=lambda n: (-scores[n], n))[:limit]
    return weighed, {n: scores[n] for n in best}


def weigh(db: Connection, terms: Sequence[Term], total: int) -> list[Weighed]:
    """Return each term with its inverse document frequency among ``total`` cubes, BM25's:
    ln(1 + (N - n + 0.5) / (n + 0.5))."""
    counted = "SELECT count(*) FROM words WHERE words MATCH ?"
    return [_weighed(term, db.execute(counted, (term.fts,)).fetchone()[0], total) for term in terms]


def coverage(terms: Sequence[Weighed], found: set[str]) -> float:
    """Return the share of the question's words that a cube contains; rare words count more."""
    total = sum(w.idf for w in terms)
    return sum(w.idf for w in terms if w.term.text in found) / total if total else 0.0


def found_terms(db: Connection, terms: Sequence[Weighed], cubes: Sequence[int]) -> dict[int, set[str]]:
    """Return for each of a few cubes the terms that it contains."""
    found: dict[int, set[str]] = {n: set() for n in cubes}
    for weighed in terms:
        if weighed.cubes:
            for n in queries.matching(db, weighed.term.fts, cubes):
                found[n].add(weighed.term.text)
    return found


def _weighed(term: Term, cubes: int, total: int) -> Weighed:
    return Weighed(term, cubes, math.log(1 + (max(0, total - cubes) + 0.5) / (cubes + 0.5)))


def _split_by_cost(terms: Sequence[Weighed]) -> tuple[list[Weighed], list[Weighed]]:
    """Return the rare terms that fit into ``POSTINGS``, and some of the others; both the rarest first."""
    ordered = sorted(terms, key=lambda each: (each.cubes, each.term.text))
    rare, spent = list[Weighed](), 0
    for each in ordered:
        spent += each.cubes
        if spent > POSTINGS:
            break
        rare.append(each)
    return rare, ordered[len(rare) :][:FREQUENT]


def _together(
    db: Connection, rare: Sequence[Weighed], frequent: Sequence[Weighed], filter: Filter, now: int
) -> dict[int, set[Weighed]]:
    """Return the cubes that contain a frequent term and another one, with the terms found in them."""
    held: dict[int, set[Weighed]] = defaultdict(set)
    for at, each in enumerate(frequent):
        for other in (*rare, *frequent[at + 1 :]):
            both = f"{each.term.fts} AND {other.term.fts}"
            for n in queries.newest_matches(db, both, filter, now=now, limit=TOGETHER):
                held[n] |= {each, other}
    return held


def _seen(
    db: Connection, terms: Sequence[Term], total: int, filter: Filter, now: int, limit: int
) -> tuple[list[Weighed], dict[int, float]]:
    """Return the terms, and the cubes that contain them, best first, for a caller with limited access.

    BM25 counts the memories of everybody: a score would reveal hidden memories. So the weight of a word
    depends on the caller's own cubes with it, and the score of a cube on its words, however often they occur.
    """
    holding = "SELECT c.n FROM words JOIN cube c ON c.n = words.rowid WHERE words MATCH ?"
    found = {term: [n for (n,) in db.execute(holding, (term.fts,)).fetchall()] for term in terms}
    weighed = [_weighed(term, len(found[term]), total) for term in terms]
    rare, frequent = _split_by_cost([each for each in weighed if each.cubes])
    scores: dict[int, float] = {}
    for each in rare or frequent[:1]:
        for n in found[each.term]:
            scores[n] = scores.get(n, 0.0) + each.idf
    for each in frequent:
        for n in found[each.term]:
            if n in scores:
                scores[n] += each.idf
    best = sorted(scores, key=lambda n: (-scores[n], n))
    passing: list[int] = []
    while best and len(passing) < limit:
        part, best = best[:limit], best[limit:]
        fit = set(queries.filter_ids(db, part, now=now, filter=filter))
        passing += [n for n in part if n in fit]
    return weighed, {n: scores[n] for n in passing[:limit]}
