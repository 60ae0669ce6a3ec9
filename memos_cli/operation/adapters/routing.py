"""Which questions an adapter is asked: those near one that it has learned, nearer than to any near miss.

What was held out of its training for the gate does not count: else the gate would ask what it has told.
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
        """Return how near a question, as a unit vector, is to these; None if none of them was learned."""
        if self.is_miss.all():
            return None
        cosines = self.vectors @ question
        best = int(np.where(self.is_miss, -1, cosines).argmax())
        miss = float(cosines.max(where=self.is_miss, initial=-1))
        return Likeness(self.questions[best], min(1.0, float(cosines[best])), miss, self.sources[best])


def repertoire_of(lessons: Sequence[Lesson], embed: Embed) -> Repertoire:
    """Return the repertoire of a training set, with vectors made now."""
    asked = [each for each in lessons if not each.held_out and each.kind != "control"]
    return _repertoire([(each.question, each.kind, each.source) for each in asked], embed)


def stored_repertoire(db: Connection, cube: int, embedder: int, dimension: int, embed: Embed) -> Repertoire:
    """Return the repertoire of an adapter: as it is stored for a row of ``embedder``, else made now."""
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
