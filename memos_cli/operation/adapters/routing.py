"""Route questions to adapters: a question must be like learned ones, and not like their near misses.

The gate compares with the trained questions; the held-out ones count once the adapter is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memos_cli.cube import Likeness
from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.derived.adapters import Lesson
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.vectors import vector_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

NEAREST = 48
"""Questions of the training that decide on one question."""
SHARPNESS, NOISE = 8.0, 0.01
"""The decrease of a question's weight with the distance, and the distrust in a single one: of all
tried, these let most questions through at one in ten natural near misses (`memos help adapters`).
"""

Embed = Callable[[Sequence[str]], "Floats"]
"""Unit vectors of questions, shape (n, d)."""


@dataclass(frozen=True, slots=True)
class Repertoire:
    """The questions of an adapter's training, and their unit vectors, shape (n, d)."""

    questions: tuple[str, ...]
    vectors: Floats
    is_miss: NDArray[np.bool_]
    """Whether a question is a near miss, which its memories do not answer."""
    sources: tuple[int | None, ...]
    """The memory that a question is from, by number."""

    def likeness(self, question: Floats) -> Likeness | None:
        """Return the likeness of a question, as a unit vector, to these; None if none of them was learned.

        By Gaussian process regression (Rasmussen and Williams 2006, eq. 2.25) from the nearest questions: 1
        at learned questions, 0 at near misses and far from all; then converted to the cosine to a single
        learned question with the same result.
        """
        if self.is_miss.all():
            return None
        cosines = self.vectors @ question
        best = int(np.where(self.is_miss, -1, cosines).argmax())
        near = np.argsort(-cosines)[:NEAREST]
        vectors = self.vectors[near]
        kernel = np.exp(SHARPNESS * (vectors @ vectors.T - 1)) + NOISE * np.eye(len(near))
        weights = np.linalg.solve(kernel, ~self.is_miss[near])
        share = float(np.exp(SHARPNESS * (cosines[near] - 1)) @ weights)
        value = 1 + float(np.log(max(share * (1 + NOISE), 1e-9))) / SHARPNESS
        return Likeness(self.questions[best], min(1.0, value), self.sources[best])


def repertoire_of(lessons: Sequence[Lesson], embed: Embed) -> Repertoire:
    """Return the repertoire for the gate: of the trained questions, with vectors computed now."""
    asked = [each for each in lessons if not each.held_out and each.kind != "control"]
    return _repertoire([(each.question, each.kind, each.source) for each in asked], embed)


def stored_repertoire(db: Connection, cube: int, embedder: int, dimension: int, embed: Embed) -> Repertoire:
    """Return the repertoire of an adapter: as stored for a row of ``embedder``, else computed now."""
    rows = adapters.asked(db, cube, embedder)
    data = [vector for *_, vector in rows if vector is not None]
    asked = [(question, kind, source) for question, kind, source, _ in rows]
    if len(data) < len(rows):
        return _repertoire(asked, embed)
    return _repertoire(asked, lambda _: vector_index.decode(data, dimension))


def _repertoire(asked: Sequence[tuple[str, str, int | None]], embed: Embed) -> Repertoire:
    questions = tuple(question for question, *_ in asked)
    vectors = embed(questions) if questions else np.zeros((0, 0), np.float32)
    is_miss = np.array([kind == "near miss" for _, kind, _ in asked], bool)
    return Repertoire(questions, vectors, is_miss, tuple(source for *_, source in asked))
