"""Compare two memories: detect duplicates and contradictions, as guesses for the user to judge. Pure.

Texts are compared word by word. They contradict each other if they differ only in a "not", or in exactly one
value (a number, a date, a name) that belongs to the statement and not to its subject. A value that is
followed by another one ("Bus 21 leaves at 7:10") identifies the subject; so does a value next to its noun
("invoice 17 was paid"). If a noun or a verb differs, the texts have different subjects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

from memos_cli.letters import KANA_HAN
from memos_cli.moments import MONTHS, WEEKDAYS

Conflict = Literal["similar_to", "contradicts", ""]

ALIKE = 0.65
"""The least share of words that two compared texts have in common, in their order."""
SAME = 0.9
"""The share of common words from which two texts with the same values are duplicates."""
LONGEST = 60
"""The maximum words of a text to compare: longer texts agree or differ in too many points."""
_WORD = re.compile(
    rf"\d+(?:[.,:/-]\d+)*(?![^\W{KANA_HAN}])"  # 9:00, 1,200, 2026-05-01
    rf"|[^\W_{KANA_HAN}]+(?:['’][^\W\d_]+)?|[{KANA_HAN}]|[:=：€$£¥%°]"
)
_MEASURE = re.compile(r"\d{1,2}[:.]\d\d|\d{1,3}(?:[.,]\d{3})*(?:[.,]\d+)?|\d+(?:[.,]\d+)?")
_CLOCK_OR_FRACTION = re.compile(r"\d{1,2}:\d\d|\d+[.,]\d+(?:[.,]\d+)?")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NOT = _words(
    "no not never none neither nor without isn't aren't doesn't don't didn't can't won't wasn't weren't "
    "nicht kein keine nie pas jamais ne nunca jamás 不 没 沒 未"
)
_DO = _words("do does did")
_SAYS = _words(
    "is are was were be been has have had in on at by until since now : = "
    "ist sind war waren hat heißt im am um bis est sont était a dans es son era tiene en 是 在 为 為 有 叫"
)
"""Words before a value that is stated. Not "to", "from", "for", "with": one can go to two places."""
_SMALL = _SAYS | _words(
    "the an do does did of to for with and or our my his her its their your then der die das le la les el"
)
_DAYS = frozenset((*WEEKDAYS, *MONTHS, "today", "tomorrow", "yesterday"))
_UNITS = _words(
    "€ $ £ ¥ % ° euro euros eur dollar dollars usd pound pounds yen yuan franc francs cent cents "
    "second seconds minute minutes min hour hours h day days week weeks month months year years "
    "stunde stunden minuten tage wochen monate jahre heures jours mois ans horas días meses años "
    "km m cm mm mile miles meter meters metre metres kg g gram grams l liter liters litre litres ml "
    "kb mb gb tb percent degrees kwh kw w v 元 块 塊 円 点 點 小 分 天 年 月 公"
)


def compare(one: str, other: str) -> Conflict:
    """Return whether two texts say the same, contradict each other, or neither, in either order."""
    one, other = sorted((one, other))
    a, b = _WORD.findall(one), _WORD.findall(other)
    if not a or not b or max(len(a), len(b)) > LONGEST:
        return ""
    denied = _negates(a) != _negates(b)
    a, b = ([word for word in words if word.casefold() not in _NOT | _DO] for words in (a, b))
    small_a, small_b = [_stem(word) for word in a], [_stem(word) for word in b]
    if not a or not b or _subject(small_a) != _subject(small_b):
        return ""
    matcher = SequenceMatcher(None, small_a, small_b, autojunk=False)
    if matcher.ratio() < ALIKE:
        return ""
    differing = [
        ((start, end), (begin, stop))
        for kind, start, end, begin, stop in matcher.get_opcodes()
        if kind != "equal" and _content_words([*a[start:end], *b[begin:stop]])
    ]
    if not differing and (denied or small_a == small_b or matcher.ratio() >= SAME):
        return "contradicts" if denied else "similar_to"
    if len(differing) == 1 and not denied:
        ((start, end), (begin, stop)) = differing[0]
        if _is_said(a, start, end) and _is_said(b, begin, stop):
            return "contradicts"
    values = any(_is_value(a, *one) and _is_value(b, *other) for one, other in differing)
    return "similar_to" if not (values or denied) and matcher.ratio() >= SAME else ""


def _stem(word: str) -> str:
    """Return a word in lower case and in the singular: "like" for "likes"."""
    small = word.casefold()
    return small[:-1] if len(small) > 3 and small.endswith("s") and not small.endswith("ss") else small


def _content_words(words: Sequence[str]) -> list[str]:
    return [word for word in words if word.casefold() not in _SMALL]


def _subject(words: Sequence[str]) -> str:
    """Return the first content word, with which the subject of a text begins."""
    return next(iter(_content_words(words)), "")


def _negates(words: Sequence[str]) -> bool:
    return any(word.casefold() in _NOT for word in words)


def _is_value(words: Sequence[str], start: int, end: int) -> bool:
    """Return whether the words from ``start`` to ``end`` are numbers, dates or names."""
    telling = [at for at in range(start, end) if words[at].casefold() not in _SMALL]
    return bool(telling) and all(_is_one(words, at) for at in telling)


def _is_one(words: Sequence[str], at: int) -> bool:
    word = words[at]
    return any(map(str.isdigit, word)) or _is_day(word) or (word[0].isupper() and at > 0)


def _is_day(word: str) -> bool:
    return _stem(word) in _DAYS


def _is_said(words: Sequence[str], start: int, end: int) -> bool:
    """Return whether the value from ``start`` to ``end`` is stated, and not the subject of the statement."""
    if not _is_value(words, start, end):
        return False
    while start and _is_one(words, start - 1) and words[start - 1].casefold() not in _SMALL:
        start -= 1  # "Dr Okafor", "May 3"
    while end < len(words) and _is_one(words, end) and _is_day(words[end]):
        end += 1  # "3 May"
    is_measured = _is_measured(words, start, end)
    while end < len(words) and words[end].casefold() in _UNITS:
        end += 1
    before = words[start - 1].casefold() if start else ""
    rest = [at for at in range(end, len(words)) if words[at].casefold() not in _SMALL]
    if any(_is_one(words, at) and not (is_measured and _is_day(words[at])) for at in rest):
        return False  # another value follows: this one names the subject
    is_number = words[start][0].isdigit()
    if is_measured or (is_number and before in _SAYS):
        return len(rest) <= 2
    # "on port 5433": a number may have its noun before it; "is called Miso".
    with_noun = any(map(str.isdigit, words[start])) or before in ("called", "named")
    ahead = words[start - 2].casefold() if start > 1 and with_noun else ""
    return not rest and (before in _SAYS or ahead in _SAYS)


def _is_measured(words: Sequence[str], start: int, end: int) -> bool:
    """Return whether a value is an amount or a time of day, by form or unit: it never names a thing."""
    if end - start != 1 or not _MEASURE.fullmatch(words[start]):
        return False
    beside = [words[end]] if end < len(words) else []
    beside += [words[start - 1]] if start and words[start - 1] in "€$£¥" else []
    return bool(_CLOCK_OR_FRACTION.fullmatch(words[start])) or any(w.casefold() in _UNITS for w in beside)
