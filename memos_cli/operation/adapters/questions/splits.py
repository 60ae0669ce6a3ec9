"""Choose the held-out questions of a fact: some of a trained kind, and all of another kind. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memos_cli.operation.adapters.questions.answer_check import said_words
from memos_cli.operation.adapters.questions.facts import Fact

LIMIT = 0.97
"""A cosine from which two questions count as the same (all-MiniLM-L6-v2 puts a change of frame, "Do you know
where the key is?", at 0.85 to 0.98 of the plain question)."""
SHARE = 6
"""One in this many frames of a fact is held out; at least one of four."""
APART = ("cloze", "keywords")
"""Of each fact, one of these kinds is trained and the other is held out: then the gate asks in a way that the
adapter has not seen for this fact, from another generator than that of the frames."""
_EMPTY = frozenset("a an the of to is are was were be do does did has have".split())


def split_questions(
    fact: Fact, vectors: Sequence[Sequence[float]], turn: int, *, limit: float = LIMIT
) -> list[bool]:
    """Return for each question of ``fact`` whether it is held out.

    ``vectors`` are unit vectors of the questions; ``turn`` decides which kind is trained and which is held
    out. A question is not held out if it copies a trained one: the same words in any order, without articles
    and auxiliaries, or nearer than ``limit``. The first question is always trained. The held-out frames are
    those that differ most from the trained ones, except the most unusual.
    """
    questions, made = fact.questions, fact.made or ("frame",) * len(fact.questions)
    if len(vectors) != len(questions):
        raise ValueError(f"{len(questions)} questions and {len(vectors)} vectors")
    trained_kind, apart = APART[turn % 2], APART[1 - turn % 2]
    if trained_kind not in made and "frame" not in made:
        apart = ""
    keys = [copy_key(text) for text in questions]
    near = np.asarray(vectors) @ np.asarray(vectors).T - 2 * np.eye(len(questions))
    copied = (near >= limit) | np.array([[one == other for other in keys] for one in keys])
    held = np.array([kind == apart for kind in made])
    frames = [at for at, kind in enumerate(made) if kind in ("frame", "model")]
    wanted = 0 if len(frames) < 4 else max(1, round(len(frames) / SHARE))
    ranked = sorted(frames[1:], key=lambda at: float(near[at, frames].max()))
    for at in ranked[len(ranked) // 4 :]:
        if wanted and not (copied[at] & ~held & (np.arange(len(held)) != at)).any():
            held[at] = True
            wanted -= 1
    return [bool(held[at] and not (copied[at] & ~held).any()) for at in range(len(held))]


def copy_key(question: str) -> tuple[str, ...]:
    """Return a key that is equal for two questions if one is a copy of the other."""
    return tuple(sorted(word for word in said_words(question) if word not in _EMPTY))
