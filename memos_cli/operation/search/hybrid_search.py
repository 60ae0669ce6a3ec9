"""MemOperator: search memories by words and by meaning.

Words: BM25 over the full-text table. Meaning: cosine of vectors. Both contribute candidates, and the
neighbouring turns of candidates in conversations are added; ``ranking`` orders them. Each hit also has a
*relevance* that does not depend on the other hits: it decides whether a model reads the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memos_cli.cube import Filter, Hit
from memos_cli.infrastructure.memories import links, queries
from memos_cli.infrastructure.memories.links import Link
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.fulltext import query_terms, script_of
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.models.embed.embedder import DEFAULT, Embedder
from memos_cli.operation.search.embedding import row_in_use
from memos_cli.operation.search.lexical import Weighed, by_words, coverage, found_terms
from memos_cli.operation.search.ranking import SESSION, Asked, Candidate, rank
from memos_cli.operation.search.relevance import BY_WORDS, CALIBRATIONS, Signs, is_weak, relevance, typical
from memos_cli.operation.search.sentence_search import score_sentences

if TYPE_CHECKING:
    from memos_cli.infrastructure.vault.as_of import Snapshot
    from memos_cli.infrastructure.vectors.vector_index import Floats, Near

CANDIDATES = 150
"""The least number of candidates by words, and by meaning."""
QUOTABLE = 40
"""The number of hits, from the best, whose sentences are scored."""
OPENING = 1000
"""The number of characters of a text that are checked for the kind of answer it gives."""
FOREIGN = 0.8
"""The factor on the weight of vectors for a question in Chinese, Japanese or Korean, if the embedder was
trained on English: it finds all such texts a little similar."""
_PROBE = (
    "会议讨论了气候政策和碳税。",
    "我的猫喜欢在沙发上睡觉。",
    "The meeting was about climate policy and the carbon tax.",
)
_known: dict[str, bool] = {}
RERANKED = 30
"""The number of hits, from the best, that a reranker reads."""
WIDENED, WIDENING = 5, frozenset({"part_of", "follows", "about"})
"""The number of hits, from the best, whose linked memories may be added, and the kinds of these links."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The candidates of a search."""

    terms: tuple[Weighed, ...]
    candidates: tuple[Candidate, ...]
    pairs: tuple[tuple[int, int], ...]
    """(turn, the next turn), by cube."""
    foreign: float
    """The share of the question's words in Chinese, Japanese or Korean; 0 where the embedder reads them."""
    near: Mapping[int, Near]
    """The similarity of each cube with vectors."""


def search(
    vault: Vault | Snapshot,
    question: str,
    *,
    filter: Filter,
    k: int,
    now: int,
    embedder: Embedder | None,
    balance: float,
    aside: str = "",
    asked: Asked | None = None,
    least: float = 0.0,
) -> list[Hit]:
    """Return the ``k`` best cubes that match ``filter``, best first; without ``embedder``, by words only.

    ``aside`` has words of the question that a relevant memory need not contain, such as "last month";
    ``asked`` has what was parsed from the question. Hits below the relevance ``least`` are weak, unless their
    words match.
    """
    db = vault.connection
    found = gather(vault, question, filter=filter, now=now, embedder=embedder, limit=max(CANDIDATES, k))
    weight = balance * (1 - FOREIGN * found.foreign) if found.near else 0.0
    ranked = rank(found.candidates, found.pairs, asked or Asked(question), balance=weight)
    best = sorted(ranked, key=lambda n: (-ranked[n].score, n))[:k]
    by_number = {each.cube: each for each in found.candidates}
    cubes = queries.by_rowid(db, best)
    held = found_terms(db, found.terms, best)
    name = embedder.name if embedder else ""
    calibration = BY_WORDS if found.foreign else CALIBRATIONS.get(name, CALIBRATIONS[DEFAULT])
    usual = {foreign: _typical_cosine(found, foreign) for foreign in (False, True)}
    quotable = [cubes[n] for n in best[:QUOTABLE] if n in cubes]
    sentences = score_sentences(question, quotable, [each.term for each in found.terms], found.near)
    # What is left without them is cut again: pairs of characters may reach into the words set aside.
    needed = {term.text for term in query_terms(question.replace(aside, " ") if aside else question)}
    hits = []
    for n in best:
        if n not in cubes:  # forgotten while this search ran
            continue
        each = by_number[n]
        covered = coverage([w for w in found.terms if w.term.text in needed | held[n]], held[n])
        why: dict[str, float | str] = {"words": round(each.words, 3), "coverage": round(covered, 3)}
        if held[n]:
            why["terms"] = " ".join(w.term.text for w in found.terms if w.term.text in held[n])
        near = found.near.get(n)
        signs = Signs(covered, is_foreign=each.is_foreign)
        if near is not None:
            why["cosine"] = round(near.best, 3)
            gap = near.best - usual[each.is_foreign]
            signs = Signs(covered, near.best, gap, each.is_foreign)
            why["gap"] = round(gap, 3)
        if each.is_foreign:
            why["script"] = "not that of the question"
        why |= ranked[n].signs
        probability = relevance(signs, calibration)
        why["relevance"] = round(probability, 3)
        weak = is_weak(probability, covered, least)
        hits.append(Hit(cubes[n], round(ranked[n].score, 4), why, sentences.get(n, ()), weak))
    return hits


def gather(
    vault: Vault | Snapshot, question: str, *, filter: Filter, now: int, embedder: Embedder | None, limit: int
) -> Gathered:
    """Return the candidates: ``limit`` by words, as many by meaning, and the neighbouring turns of these."""
    db = vault.connection
    terms = query_terms(question, across=True)
    # An embedder gives emoji and unknown words nearly the same vector.
    asked = " ".join(term.text for term in terms if any(map(str.isalnum, term.text)))
    row = row_in_use(db, embedder) if embedder is not None and asked and embedder.knows(asked) else 0
    with ThreadPoolExecutor(1) as aside:  # SQLite and the embedder do not wait for each other
        read = aside.submit(embedder.embed, [question], query=True) if embedder is not None and row else None
        weighed, words = by_words(vault, terms, filter=filter, now=now, limit=limit)
    vector = read.result()[0] if read is not None else None
    meaning = nearest_memories(vault, vector, row, filter, now, limit) if vector is not None else {}
    known = list(words.keys() | meaning.keys())
    pairs = queries.neighbour_turns(db, known, SESSION)
    more = {n for pair in pairs for n in pair} - set(known)
    known += queries.filter_ids(db, sorted(more), now=now, filter=filter)
    near: Mapping[int, Near] = {}
    if vector is not None:
        from memos_cli.infrastructure.vectors import vector_index  # numpy, 70 ms: not for a search by words

        near = vector_index.compare(db, row, vector, known)
    script = script_of(question)
    candidates = tuple(
        Candidate(
            n, type, author, role, time, text, type == "dialogue" and last in ("?", "？"), source, start,
            words.get(n, 0.0), near[n].meaning if n in near else None, script_of(text) != script,
        )
        for n, type, author, role, time, text, last, source, start in queries.previews(db, known, OPENING)
    )  # fmt: skip
    foreign = sum(term.cjk for term in terms) / len(terms) if terms else 0.0
    if foreign and embedder is not None and reads_foreign(embedder):
        foreign = 0.0
    return Gathered(tuple(weighed), candidates, tuple(pairs), foreign, near)


def _typical_cosine(found: Gathered, foreign: bool) -> float:
    """Return the cosine of ordinary memories in the question's script, or in other scripts."""
    near = (each.cube for each in found.candidates if each.cube in found.near and each.is_foreign == foreign)
    return typical([found.near[n].best for n in near])


def reads_foreign(embedder: Embedder) -> bool:
    """Return whether an embedder finds a Chinese sentence nearer to its translation than to another Chinese
    one.

    Of all-MiniLM-L6-v2 the cosines are 0.23 and 0.52. The default embedder is known to.
    """
    if embedder.name == DEFAULT:
        return True
    if embedder.fingerprint not in _known:
        said, other, translated = embedder.embed(_PROBE)
        _known[embedder.fingerprint] = float(said @ translated) > float(said @ other)
    return _known[embedder.fingerprint]


def rerank(hits: Sequence[Hit], read: Callable[[Sequence[str]], list[float]]) -> list[Hit]:
    """Reorder the first ``RERANKED`` of ``hits``: half by their scores, half by the scores of ``read``."""
    first, rest = hits[:RERANKED], hits[RERANKED:]
    scores = read([hit.cube.text for hit in first])
    ordered = [
        replace(hit, score=round((hit.score + score) / 2, 4), why={**hit.why, "reranker": round(score, 3)})
        for hit, score in zip(first, scores, strict=True)
    ]
    ordered.sort(key=lambda hit: (-hit.score, hit.cube.n))
    least = ordered[-1].score if ordered else 0.0
    return ordered + [replace(hit, score=min(hit.score, least)) for hit in rest]


def widen(db: Connection, hits: Sequence[Hit], *, filter: Filter, k: int, now: int) -> list[Hit]:
    """Return ``hits`` and the memories that the best of them are linked to: parts, next parts, subjects.

    A linked memory gets half the score of the hit that is linked to it, and names the link in ``why``.
    Returns at most ``k`` hits.
    """
    best = {hit.cube.n: hit for hit in hits[:WIDENED]}
    if not best or not db.execute("SELECT 1 FROM link LIMIT 1").fetchone():
        return list(hits)
    known = {hit.cube.n for hit in hits}
    led: dict[int, tuple[Hit, Link]] = {}
    for link in links.links_of(db, list(best)):
        for start, end in ((link.source, link.target), (link.target, link.source)):
            if link.kind in WIDENING and start in best and end not in known:
                led.setdefault(end, (best[start], link))
    fit = queries.filter_ids(db, list(led), now=now, filter=filter)
    cubes = queries.by_rowid(db, fit)
    more = []
    for n, cube in cubes.items():
        hit, link = led[n]
        why: dict[str, float | str] = {"linked": f"{link.kind} {hit.cube.id}"}
        why["relevance"] = round(hit.relevance / 2, 3)
        more.append(Hit(cube, hit.score / 2, why, weak=hit.weak))
    return sorted([*hits, *more], key=lambda hit: (-hit.score, hit.cube.n))[:k]


def nearest_memories(
    vault: Vault | Snapshot, vector: Floats, embedder: int, filter: Filter, now: int, limit: int
) -> dict[int, float]:
    """Return the ``limit`` memories nearest to a vector, best first, each with its cosine.

    Only memories that the caller may read and that match ``filter`` are returned.
    """
    from memos_cli.infrastructure.vectors import vector_index

    db = vault.connection
    allowed = queries.numbers(db, filter, now=now) if filter != Filter() else None
    if allowed is not None:
        return dict(vector_index.nearest(db, vault.snapshots, embedder, vector, limit, allowed))
    # Without a filter the index is asked for all live cubes. Those drop out here that expired meanwhile, or
    # of others; then it must return more, so that no results depend on hidden memories.
    wanted = limit
    while True:
        near = vector_index.nearest(db, vault.snapshots, embedder, vector, wanted)
        passing = set(queries.filter_ids(db, [n for n, _ in near], now=now))
        kept = [(n, cosine) for n, cosine in near if n in passing]
        if len(kept) >= limit or len(near) < wanted or not vault.is_restricted:
            return dict(kept[:limit])
        wanted = max(2 * wanted, math.ceil(1.2 * limit * len(near) / max(1, len(kept))))
