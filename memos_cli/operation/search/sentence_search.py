"""Score the sentences of found memories by how well they answer a question.

BM25 over the sentences, in a full-text table in memory with the vault's own tokenizer, and the cosines of
their vectors, each scaled between the least and the greatest value found. So a word counts by its rarity
among these sentences: a word in all of them does not count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Sentence
from memos_cli.infrastructure.storage.fulltext import TOKENIZER, Term, fts_query, index_text, script_of
from memos_cli.operation.search.ranking import FOREIGN_BALANCE
from memos_cli.operation.search.sentences import split_sentences

if TYPE_CHECKING:
    from memos_cli.infrastructure.vectors.vector_index import Near

BALANCE = 0.6
"""The weight of meaning against words."""
_TABLE = f'CREATE VIRTUAL TABLE s USING fts5 (head, body, tokenize = "{TOKENIZER}")'


def score_sentences(
    question: str,
    cubes: Sequence[Cube],
    terms: Sequence[Term],
    near: Mapping[int, Near],
) -> dict[int, tuple[Sentence, ...]]:
    """Return the sentences of each cube with their scores in [0, 1], the best first."""
    script = script_of(question)
    found = [(cube, each) for cube in cubes for each in _sentences(cube, near.get(cube.n))]
    words = _by_words(found, terms)
    most = max(words.values(), default=0.0)
    cosines = [each.cosine for _, each in found if each.cosine is not None]
    lowest, highest = min(cosines, default=0.0), max(cosines, default=0.0)
    scored: dict[int, list[Sentence]] = {cube.n: [] for cube in cubes}
    for at, (cube, each) in enumerate(found):
        by_words = words.get(at, 0.0) / most if most > 0 else 0.0
        if each.cosine is None:
            score = by_words if not cosines else (1 - BALANCE) * by_words
        else:
            by_meaning = (each.cosine - lowest) / (highest - lowest or 1.0)
            is_foreign = script_of(_text(cube, each)) != script
            share = FOREIGN_BALANCE if is_foreign else BALANCE
            score = (1 - share) * by_words + share * by_meaning
        scored[cube.n].append(replace(each, score=score))
    return {n: tuple(sorted(some, key=lambda s: (-s.score, s.start))) for n, some in scored.items()}


def _sentences(cube: Cube, near: Near | None) -> list[Sentence]:
    """Return a cube's sentences, with cosines if the vectors were computed for the same sentences."""
    cosines = {(start, end): cosine for start, end, cosine in near.sentences} if near else {}
    whole = cosines.get((0, len(cube.text)))  # a vector of format 7 is of the whole text
    found = split_sentences(cube.text) or [Sentence(0, len(cube.text))]
    return [replace(each, cosine=cosines.get((each.start, each.end), whole)) for each in found]


def _by_words(found: Sequence[tuple[Cube, Sentence]], terms: Sequence[Term]) -> dict[int, float]:
    """Return the BM25 of the sentences that contain a term, by their index in ``found``."""
    if not terms or not found:
        return {}
    db = sqlite3.connect(":memory:")
    try:
        db.execute(_TABLE)
        db.executemany(
            "INSERT INTO s (rowid, head, body) VALUES (?, ?, ?)",
            (
                (
                    at,
                    index_text(" ".join((cube.title, each.heading, each.columns, cube.author))),
                    index_text(_text(cube, each)),
                )
                for at, (cube, each) in enumerate(found)
            ),
        )
        rows = db.execute("SELECT rowid, -bm25(s, 0.5, 1.0) FROM s WHERE s MATCH ?", (fts_query(terms),))
        return {at: float(score) for at, score in rows.fetchall()}
    finally:
        db.close()


def _text(cube: Cube, sentence: Sentence) -> str:
    return cube.text[sentence.start : sentence.end]
