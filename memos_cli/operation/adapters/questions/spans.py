# ruff: noqa: E501  (tables)
"""Find answers by their shape: numbers with units, dates, times, names, codes, quotations. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from memos_cli.letters import CJK
from memos_cli.moments import MONTHS
from memos_cli.operation.ask.values import NUMBER_OF

_MONTHS = (
    *MONTHS,
    *(name[:3] for name in MONTHS),
    "sept",
    *"januar februar märz mai juni juli oktober dezember".split(),
)
_MONTH = rf"(?:{'|'.join(name.title() for name in _MONTHS)})\b\.?"
_WITHIN = r"(?:(?<=\b[iI]n )|(?<=\b[iI]m )|(?<=\bsince )|(?<=\buntil )|(?<=\bseit ))"
_DAY = (
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day(?:s\b|\b)"
    r"|(?:Mon|Diens|Donners|Frei|Sams|Sonn)tag(?:s\b|\b)|Mittwochs?\b"
)
_NUMBER = r"\d+(?:[.,]\d+)*"
_COUNT = f"{'|'.join(word for word, n in NUMBER_OF.items() if 2 <= n <= 12)}|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn"
_HAN = "[零〇一二两三四五六七八九十百千万\\d]"
_NAME = r"[A-ZÀ-ÖØ-ÞĂČĐĒĞĪŁŃŌŘŚŠŽŻА-ЯΑ-Ω][^\W_]*(?:[-'’&][^\W_]+)*"
_TITLE = r"(?:Dr|Mrs?|Ms|Prof|St)\.|Frau|Herr"

_SHAPES = (
    ("quoted", r"“[^”\n]+”|„[^“”\n]+[“”]|«[^»\n]+»|「[^」\n]+」|《[^》\n]+》|\"[^\"\n]+\"|`[^`\n]+`|(?<!\w)'[^'\n]+'(?!\w)"),
    ("code", r"https?://\S+\w|(?<!\w)/\w[\w./-]*\w|\b[\w.+-]+@[\w-]+\.\w[\w.-]*|\b\d+(?:\.\d+){3}(?::\d+)?\b"),
    (
        "date",
        rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}\.\d{{1,2}}\.\d{{2,4}}\b|\b\d{{1,2}}/\d{{1,2}}/\d{{2,4}}\b"
        rf"|\b\d{{1,2}}(?:st|nd|rd|th|\.)?(?: (?:to|bis|-|–) \d{{1,2}}(?:st|nd|rd|th|\.)?)? (?:of )?{_MONTH}(?: \d{{4}}\b)?"
        rf"|\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}}\b)?|\b{_MONTH} \d{{4}}\b"
        rf"|{_WITHIN}{_MONTH}|\b(?:[Ee]very|jeden) (?:\w+ )?(?:{_DAY})|\b(?:{_DAY})"
        rf"|{_WITHIN}(?:19|20)\d\d\b"
        rf"|{_HAN}+年(?:{_HAN}+月)?(?:{_HAN}+[日号])?|{_HAN}+月{_HAN}+[日号]|每?(?:星期|周|礼拜)[一二三四五六日天]"
        rf"(?:[上下]午|早上|晚上)?(?:{_HAN}+[点时](?:半|{_HAN}+分?)?)?",
    ),
    (
        "time",
        rf"\b\d{{1,2}}:\d\d(?: ?[ap]\.?m\b\.?)?(?: Uhr)?|\b\d{{1,2}} ?(?:[ap]\.?m\b\.?|Uhr(?: \d\d)?\b|o'clock)"
        rf"|(?:[上下中]午|早上|晚上)?{_HAN}+[点时](?:半|{_HAN}+分?)?|(?:[上下中]午|早上|晚上){_HAN}+[点时]",
    ),
    ("often", r"\b(?:[Ee]very|[Ee]ach|alle) (?:\w+ )?(?:second|minute|hour|day|morning|evening|night|week|weekend|month"
              r"|year|Tage|Wochen|Monate)s?\b|\b(?:once|twice|(?:two|three|four) times) an? \w+|\b(?:daily|weekly|monthly|yearly)\b"),
    ("code", r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{2,}(?:[-_./:]\w+)+|\b\w+(?:[-_./]\w+)*[_/]\w+(?:[-_./]\w+)*|\b[A-Za-z]+(?:[-.]\w+)*-\d+\w*"
             r"|\b(?=[A-Za-z]*\d)(?=\d*[A-Z])[A-Za-z\d]{3,}\b(?! ?%)|\b[a-z]+\d+\b|\b0\d+(?: \d{2,})+|\b\d{3,}(?:[- ]\d{3,})+\b"),
    (
        "amount",
        rf"[€$£¥] ?{_NUMBER}(?: (?:an?|per|the) \w+)?|\b{_NUMBER} ?(?:%|€|°C?|元|块|公斤|公里|米|次|个|分钟|小时|天)"
        rf"|(?<![\w.]){_NUMBER} [x×] {_NUMBER}|(?<![\w.])(?:{_NUMBER}|{_COUNT})(?: (?:more|new|full|of)\b)? (?!(?:and|or|in|on|at|to|of|from|with|for|und|per|bis|auf|bei|is|are|was|were|do|does|did|has|have|will|can|must|should)\b)"
        rf"[^\W\d_]+\b(?: (?:an?|per|pro|im|am) [^\W\d_]+\b)?",
    ),
    (
        "name",
        rf"(?:{_TITLE}) {_NAME}(?: {_NAME})*|{_NAME}(?: (?:(?:de|da|van|von|del?l?a?|of|the|and|&) )?{_NAME}| \d[\w.]*+(?!,\d))*",
    ),
    ("number", rf"(?<![\w.]){_NUMBER}\b|{_HAN}{{2,}}|(?<![\w.])(?:{_COUNT})\b"),
)  # fmt: skip
_ALL = re.compile("|".join(f"(?P<s{at}>{pattern})" for at, (_, pattern) in enumerate(_SHAPES)))
_CJK = re.compile(f"[{CJK}]")

JOIN = "\ue000"
"""Stands for a space within a span, while a sentence is taken apart at its spaces."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text that has the shape of an answer."""

    start: int
    end: int
    kind: str
    """``quoted``, ``date``, ``time``, ``often``, ``amount``, ``name``, ``code`` or ``number``."""


def find_spans(text: str) -> list[Span]:
    """Find all spans, in order and without overlaps. The first word of a sentence may be a "name" too."""
    return [
        Span(found.start(), found.end(), _SHAPES[int(found.lastgroup[1:])][0])
        for found in _ALL.finditer(text)
        if found.lastgroup
    ]


def kind_of(text: str) -> str:
    """Return the shape of a whole text; "" if it has none."""
    found = _ALL.match(text)
    if found is None or found.end() < len(text.rstrip(".")) or not found.lastgroup:
        return ""
    return _SHAPES[int(found.lastgroup[1:])][0]


def join_spans(text: str) -> str:
    """Return the text with the spaces within its spans replaced, so that each is one word."""
    for span in find_spans(text):
        part = text[span.start : span.end]
        text = text[: span.start] + part.replace(" ", JOIN) + text[span.end :]
    return text


def part_spans(text: str) -> str:
    """Return the text with its spaces again."""
    return text.replace(JOIN, " ")


def joined(words: Iterable[str]) -> str:
    """Join words to a text, and restore the spaces within spans."""
    return part_spans(" ".join(word for word in words if word))


def is_wide(text: str) -> bool:
    """Return whether a text is mostly written in letters without spaces between words, as Chinese is."""
    return 3 * len(_CJK.findall(text)) > len(text)
