"""Two memories that say the same, or of the same thing something else. Pure; a guess, for people to judge.

Texts are compared word by word. They are rivals where they begin alike, agree in most of their words, and
what differs is a value on both sides (a number, a date, a name), or a "not" on one. Where a noun or a verb
differs, they speak of two things.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

Rivalry = Literal["similar_to", "contradicts", ""]

ALIKE = 0.65
"""Share of words that rivals have in common, in their order."""
SAME = 0.9
"""From this share on two texts whose values agree say the same."""
LONGEST = 60
"""Words: longer texts agree or differ in too many things to be compared so."""
_WORD = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[\u4e00-\u9fff]")
_NOT = frozenset(
    [
        "no",
        "not",
        "never",
        "none",
        "neither",
        "nor",
        "without",
        "isn't",
        "aren't",
        "doesn't",
        "don't",
        "didn't",
        "can't",
        "won't",
        "wasn't",
        "weren't",
        "nicht",
        "kein",
        "keine",
        "nie",
        "pas",
        "jamais",
        "ne",
        "nunca",
        "jamás",
        "不",
        "没",
        "沒",
        "未",
    ]
)
_SMALL = frozenset(
    [
        "the",
        "a",
        "an",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "has",
        "have",
        "had",
        "do",
        "does",
        "did",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "for",
        "with",
        "and",
        "or",
        "our",
        "my",
        "his",
        "her",
        "its",
        "their",
        "your",
        "now",
        "then",
        "der",
        "die",
        "das",
        "ist",
        "war",
        "le",
        "la",
        "les",
        "est",
        "el",
        "es",
    ]
)
_DAYS = frozenset(
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "today",
        "tomorrow",
        "yesterday",
    ]
)


def compare(one: str, other: str) -> Rivalry:
    """How two texts stand to each other. The order does not matter."""
    one, other = sorted((one, other))
    a, b = _WORD.findall(one), _WORD.findall(other)
    if not a or not b or max(len(a), len(b)) > LONGEST:
        return ""
    denied = _negates(a) != _negates(b)
    a, b = ([word for word in words if not _is_grammar(word)] for words in (a, b))
    small_a, small_b = [_stem(word) for word in a], [_stem(word) for word in b]
    if not a or not b or _subject(small_a) != _subject(small_b):
        return ""
    if small_a == small_b:
        return "contradicts" if denied else "similar_to"
    matcher = SequenceMatcher(None, small_a, small_b, autojunk=False)
    if matcher.ratio() < ALIKE:
        return ""
    values, others = int(denied), 0
    for kind, start, end, begin, stop in matcher.get_opcodes():
        left, right = a[start:end], b[begin:stop]
        if kind == "equal" or {word.casefold() for word in (*left, *right)} <= _SMALL:
            continue
        if _is_value(left, start) and _is_value(right, begin):
            values += 1
        else:
            others += 1
    if values and not others:
        return "contradicts"
    return "similar_to" if not values and matcher.ratio() >= SAME else ""


def _stem(word: str) -> str:
    """A word without its case and its plural: "likes" is "like"."""
    small = word.casefold()
    return small[:-1] if len(small) > 3 and small.endswith("s") and not small.endswith("ss") else small


def _is_grammar(word: str) -> bool:
    return word.casefold() in _NOT or word.casefold() in ("do", "does", "did")


def _subject(words: list[str]) -> str:
    """The first word that says something: what a text is about begins with it."""
    return next((word for word in words if word not in _SMALL), "")


def _negates(words: list[str]) -> bool:
    return any(word.casefold() in _NOT for word in words)


def _is_value(words: list[str], start: int) -> bool:
    """Whether words are a number, a date or a name: what a statement says of its subject."""
    telling = [word for word in words if word.casefold() not in _SMALL]
    return bool(telling) and all(
        word[0].isdigit() or word.casefold() in _DAYS or (word[0].isupper() and start > 0) for word in telling
    )
