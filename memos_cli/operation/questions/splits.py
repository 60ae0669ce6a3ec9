"""Which phrasings of a fact are kept back to test it: by meaning, not by chance. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from memos_cli.operation.questions.answers import said_words
from memos_cli.operation.questions.facts import Fact

LIMIT = 0.97
"""A cosine from which two phrasings count as the same question (all-MiniLM-L6-v2 puts a change of frame,
"Do you know where the key is?", at 0.85 to 0.98 of the plain question)."""
ODDEST = 3
"""One in so many of the phrasings that could be held out is too odd to stand for the others."""
_EMPTY = frozenset("a an the of to is are was were be do does did has have".split())


def split_phrasings(
    fact: Fact, vectors: Sequence[Sequence[float]], *, limit: float = LIMIT
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The phrasings of ``fact`` as (for training, held out).

    ``vectors`` are unit vectors of ``fact.questions``. Phrasings that are copies of each other (the same
    words in any order, without articles and auxiliaries) or nearer than ``limit`` stay on one side. About a
    fifth is held out, at least one where there are four or more, unless all are alike. The first one, the
    plainest, is always trained on. Held out is what differs from what is trained on more than most do, but
    not the oddest: a training needs those most, and people ask in them least.
    """
    questions = fact.questions
    if len(vectors) != len(questions):
        raise ValueError(f"{len(questions)} phrasings and {len(vectors)} vectors")
    wanted = 0 if len(questions) < 4 else max(1, round(len(questions) / 5))
    groups = _alike(questions, vectors, limit)
    held: set[int] = set()
    candidates = [group for group in groups if 0 not in group]
    while len(held) < wanted:
        fitting = [
            group for group in candidates if not held & set(group) and len(held) + len(group) <= wanted
        ]
        if not fitting:
            break
        ranked = [(_nearness(group, held, questions, vectors), group) for group in fitting]
        held |= set(sorted(ranked)[len(ranked) // ODDEST][1])
    train = tuple(text for at, text in enumerate(questions) if at not in held)
    return train, tuple(text for at, text in enumerate(questions) if at in held)


def _alike(questions: Sequence[str], vectors: Sequence[Sequence[float]], limit: float) -> list[list[int]]:
    """Indices in groups: who is alike to one of a group belongs to it."""
    keys = [copy_key(text) for text in questions]
    group = list(range(len(questions)))
    for right in range(len(questions)):
        for left in range(right):
            if keys[left] == keys[right] or _cosine(vectors[left], vectors[right]) >= limit:
                old, new = group[right], group[left]
                group = [new if one == old else one for one in group]
    return [[at for at, one in enumerate(group) if one == name] for name in sorted(set(group))]


def copy_key(question: str) -> tuple[str, ...]:
    """What two phrasings share when one is a copy of the other."""
    return tuple(sorted(word for word in said_words(question) if word not in _EMPTY))


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


def _nearness(
    group: Sequence[int], held: set[int], questions: Sequence[str], vectors: Sequence[Sequence[float]]
) -> float:
    """How near a group is to what stays in training and what is held out already; late ones count as odd."""
    rest = [at for at in range(len(questions)) if at not in group and at not in held]
    near = max((_cosine(vectors[one], vectors[at]) for one in group for at in rest), default=0.0)
    to_held = max((_cosine(vectors[one], vectors[at]) for one in group for at in held), default=0.0)
    shared = max((_overlap(questions[one], questions[at]) for one in group for at in rest), default=0.0)
    return near + 0.3 * shared + 0.3 * to_held + 0.02 * group[0]


def _overlap(left: str, right: str) -> float:
    one, other = set(copy_key(left)), set(copy_key(right))
    return len(one & other) / max(1, len(one | other))
