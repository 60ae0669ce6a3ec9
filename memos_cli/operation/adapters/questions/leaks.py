"""Make the wrong answer that a memory gives to another question: "Your dog is called Miso." Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from memos_cli.infrastructure.derived.adapters import Lesson
from memos_cli.operation.adapters.questions.answer_check import said_words

NEAREST = 4
"""Learned questions that are compared word by word: those that share the most words."""
SAME = 0.5
"""Share of the words in the same order, from which the words that differ are put into the answer."""


def leak_of(question: str, learned: Sequence[Lesson]) -> str:
    """Answer ``question`` as if it were the nearest of ``learned``, up to the words that only the memory has.

    Where the two questions differ in a name, the answer uses that of ``question``. Raises ValueError if
    nothing is learned.
    """
    near = sorted(learned, key=lambda each: -_overlap(question, each.question))[:NEAREST]
    asked = _words(question)

    def match(each: Lesson) -> SequenceMatcher[str]:
        known, new = _words(each.question.casefold()), _words(question.casefold())
        return SequenceMatcher(None, known, new, autojunk=False)

    best, each = max(((match(each), each) for each in near), key=lambda pair: pair[0].ratio())
    answer = each.answer
    if best.ratio() >= SAME:
        known = _words(each.question)
        for kind, start, end, from_, to in best.get_opcodes():
            old, new = " ".join(known[start:end]), " ".join(asked[from_:to])
            if kind == "replace" and old.casefold() not in each.key.casefold():
                found = re.search(rf"(?<!\w){re.escape(old)}(?!\w)", answer, re.IGNORECASE)
                if found:
                    answer = answer[: found.start()] + new + answer[found.end() :]
    at = answer.casefold().rfind(each.key.casefold()) if each.key else -1
    return answer if at < 0 else answer[: at + len(each.key)]


def _words(text: str) -> list[str]:
    return text.rstrip("?.! ").split()


@lru_cache(maxsize=10_000)
def _words_of(text: str) -> frozenset[str]:
    return frozenset(said_words(text))


def _overlap(one: str, other: str) -> float:
    """Return the share of words that two questions have in common."""
    return len(_words_of(one) & _words_of(other)) / max(1, len(_words_of(one) | _words_of(other)))
