"""Expressions of time in English text: where they stand, and how one asks for them. Pure.

"on 12 December at 8:15" answers "when", "every night" answers "how often", "for two weeks" answers "how
long". A phrase that is relative to the day it was written ("yesterday") is worth nothing later on unless
that day is known; ``dated`` then says which day it was.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from memos_cli.cube import utc

MomentKind = Literal["clock", "day", "month", "year", "often", "long", "relative"]

NUMBER_WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
]
_WORDS = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
NUMBER = (
    rf"(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
    rf"|(?:{_WORDS})(?:[ -](?:{_WORDS}))?(?: (?:thousand|million|billion))?)"
)
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_WEEKDAY = r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|(?:Mon|Tues?|Wed|Thurs?|Fri|Sat|Sun)\b)"
_PART = r"(?:mornings?|afternoons?|evenings?|nights?|noon|lunchtime)"
_ORDINAL = r"(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last)"
_YEAR = r"(?:1[5-9]|20)\d\d"
_UNIT = r"(?:seconds?|minutes?|hours?|days?|nights?|weeks?|fortnights?|months?|quarters?|years?|decades?)"
_SEASON = r"(?:spring|summer|autumn|fall|winter)"
_FEAST = r"(?:Christmas(?: Eve| Day)?|Easter|New Year's(?: Eve| Day)?|Thanksgiving|Halloween|Ramadan|Diwali)"
_AMPM = r"\s?[ap]\.?m\b\.?"
_CLOCK = (
    rf"(?:\d{{1,2}}[:.h]\d\d(?:{_AMPM})?|\d{{1,2}}{_AMPM}|noon|midnight|\d{{1,2}} o'clock"
    rf"|(?:{_WORDS}) o'clock"
    rf"|(?:half|(?:a )?quarter|{NUMBER}(?: minutes)?) (?:past|to) (?:\d{{1,2}}|{_WORDS})(?:{_AMPM})?"
    rf"|(?:\d{{1,2}}|{_WORDS}) in the (?:morning|afternoon|evening))"
    rf"(?: in the (?:morning|afternoon|evening)| at night)?(?: sharp)?(?: (?:UTC|GMT|CET|CEST|EST|PST))?"
)
_DATE = (
    rf"(?:\d{{4}}-\d\d-\d\d|\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}}"
    rf"|(?:the )?(?:\d{{1,2}}|{_ORDINAL})(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? {_YEAR})?"
    rf"|{_MONTH} (?:the )?\d{{1,2}}(?:st|nd|rd|th)?\b(?!:)(?:,? {_YEAR})?"
    rf"|the \d{{1,2}}(?:st|nd|rd|th)(?: of (?:the|each|every) month)?"
    rf"|the {_ORDINAL} (?:of (?:the|each|every) month|(?:day|{_WEEKDAY})(?: of (?:the|each"
    rf"|every) (?:month|year))?))"
)
_DAY = (
    rf"(?:(?:(?:the (?:week|weekend) before )|{_WEEKDAY},? )?{_DATE}|(?:the )?{_WEEKDAY}(?: {_PART})?"
    rf"|{_FEAST}(?: {_YEAR})?|weekends?"
    rf"|weekdays)"
)
_MONTHS = (
    rf"(?:(?:the )?(?:(?:early|late|mid)[ -])?{_MONTH}(?: {_YEAR})?|(?:the )?(?:(?:early"
    rf"|late) )?{_SEASON}(?: (?:of )?{_YEAR})?)"
)
_OFTEN = (
    rf"(?:(?:every|each) (?:(?:other|single|{_ORDINAL}|{NUMBER}|few|couple of) )?(?:{_UNIT}|{_PART}"
    rf"|{_WEEKDAY}|weekend|weekday|{_MONTH}|{_SEASON}|time)"
    rf"(?: {_PART})?|(?:once|twice|thrice|{NUMBER} times|several times) (?:a|an|per|every|each) (?:{_UNIT})"
    rf"|hourly|daily|nightly|weekly|fortnightly|biweekly|monthly|quarterly|yearly|annually"
    rf"|(?:on |at )?(?:weekdays|weekends)|(?:on )?(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days(?: {_PART})?)"
)
_LONG = (
    rf"(?:(?:about|around|roughly|nearly|almost|at least|up to|over|only|exactly) )?(?:{NUMBER}|an?"
    rf"|half an?|a few|several)(?: (?:and a half|or {NUMBER}))?[ -]{_UNIT}(?: and (?:a half"
    rf"|{NUMBER} {_UNIT}))?"
)
_RELATIVE = (
    rf"(?:(?:the )?day (?:before yesterday|after tomorrow)|yesterday(?: {_PART})?|today|tonight"
    rf"|tomorrow(?: {_PART})?"
    rf"|this (?:{_PART}|week(?:end)?|month|year|{_SEASON}|{_WEEKDAY})|(?:last|next) (?:{_WEEKDAY}"
    rf"|week(?:end)?|month|year|night|{_SEASON}|{_MONTH})"
    rf"|{NUMBER} {_UNIT} ago|an? {_UNIT} ago|a few {_UNIT} ago|recently|lately|now|currently|soon)"
)
_AND = r"(?:(?:,| and|,? and| or| to| till| until|-|–) (?:in |on |at )?)"


def _many(one: str) -> str:
    return rf"(?:{one})(?:{_AND}(?:{one}))*"


_BETWEEN = r"(?:between {0} and {0}|from {0} (?:to|till|until) {0})"
_PHRASES: tuple[tuple[MomentKind, str], ...] = (
    ("often", rf"(?:in |on )?{_many(_OFTEN)}|(?:in|on) {_many(_DAY)} (?:of )?(?:every|each) year"),
    ("relative", _RELATIVE),
    ("long", rf"(?:for|within|in|over|after|during) {_LONG}|for (?:years|months|weeks|ages|days)"),
    (
        "clock",
        rf"(?:at|by|from|until|till|before|after|around|about|since) (?:about |around )?{_many(_CLOCK)}"
        rf"|{_BETWEEN.format(_CLOCK)}",
    ),
    (
        "day",
        rf"(?:(?:on|by|from|until|till|before|after|around|since|at|for|over|in) )?(?:next |this "
        rf"|last )?{_many(_DAY)}|{_BETWEEN.format(_DAY)}",
    ),
    (
        "month",
        rf"(?:in|by|from|until|till|before|after|around|since|during|for|at the (?:end|start"
        rf"|beginning) of|in the middle of)"
        rf" {_many(_MONTHS)}|{_BETWEEN.format(_MONTHS)}",
    ),
    (
        "year",
        rf"(?:in|by|from|until|till|before|after|around|since)(?: the year)? {_many(_YEAR)}"
        rf"|{_BETWEEN.format(_YEAR)}",
    ),
    ("clock", _CLOCK),
    (
        "clock",
        r"(?:at|by|from|until|till|before|after) \d{1,2}(?=\s*(?:[.,;!?]|$|(?:on|in|every|each|and)\b))",
    ),
    ("clock", rf"at night|at dawn|at dusk|at lunch(?:time)?|overnight|in the (?:early |late )?{_PART}"),
)
_COMPILED = [(kind, re.compile(rf"(?:{pattern})(?![\w-])", re.IGNORECASE)) for kind, pattern in _PHRASES]
_LEADING_WORD = re.compile(
    r"^(?:on|in|at|for|by|from|around|about|during|over|the year)\s+(?=\S)(?:the year )?", re.IGNORECASE
)
_BARE: tuple[tuple[MomentKind, str], ...] = (
    ("clock", _many(_CLOCK)),
    ("day", _many(_DAY)),
    ("month", _many(_MONTHS)),
    ("year", _many(_YEAR)),
    ("long", _LONG),
)
_BARE_COMPILED = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _BARE]
# "may" and "march" are verbs more often than months when they are not written large.
_NOT_MONTHS = re.compile(r"\b(?:may|march|mar|sun|sat|wed|mon|fri|tue|thu)\b")


def moment_at(text: str, start: int) -> tuple[MomentKind, int] | None:
    """The kind and the end of the longest time phrase of ``text`` that begins at ``start``."""
    best: tuple[MomentKind, int] | None = None
    for kind, pattern in _COMPILED:
        match = pattern.match(text, start)
        if match and (best is None or match.end() > best[1]) and _plausible(match[0]):
            best = kind, match.end()
    return best


def kind_of(phrase: str) -> MomentKind | None:
    """What a whole phrase is as a time, with or without its preposition; None where it is none."""
    phrase = phrase.strip(" .")
    found = moment_at(phrase, 0)
    if found and found[1] == len(phrase):
        return found[0]
    for kind, pattern in _BARE_COMPILED:
        if pattern.fullmatch(phrase) and _plausible(phrase):
            return kind
    return None


def _plausible(phrase: str) -> bool:
    return not _NOT_MONTHS.search(phrase) or bool(re.search(r"\d", phrase))


def bare(phrase: str) -> str:
    """A time phrase without the words that lead to it: "on 12 December" -> "12 December"."""
    return _LEADING_WORD.sub("", phrase.strip())


def dated(phrase: str, time: int | None) -> str | None:
    """The day, month or year that a relative phrase meant at ``time`` (ms); None where that is not clear."""
    if time is None:
        return None
    day = utc(time)
    words = phrase.lower().strip(" .")
    steps = {"today": 0, "tonight": 0, "this": 0, "yesterday": -1, "last night": -1, "tomorrow": 1}
    if words in steps or re.match(
        r"(?:yesterday|tomorrow|this (?:morning|afternoon|evening|night))\b", words
    ):
        moved = day + timedelta(days=steps[words if words in steps else words.split()[0]])
        return f"{moved.day} {moved:%B} {moved.year}"
    ago = re.fullmatch(r"(\d+|an?|[a-z]+) (day|week|month|year)s? ago", words)
    if ago:
        count = _count(ago[1])
        if count and ago[2] in {"day", "week"}:
            moved = day - timedelta(days=count * (7 if ago[2] == "week" else 1))
            return f"{moved.day} {moved:%B} {moved.year}"
        if count and ago[2] == "month":
            months = day.year * 12 + day.month - 1 - count
            return f"{datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC):%B} {months // 12}"
        return str(day.year - count) if count else None
    if words in {"last year", "this year", "next year"}:
        return str(day.year + {"last": -1, "this": 0, "next": 1}[words.split()[0]])
    if words in {"last month", "this month", "next month"}:
        months = day.year * 12 + day.month - 1 + {"last": -1, "this": 0, "next": 1}[words.split()[0]]
        return f"{datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC):%B} {months // 12}"
    if words in {"last week", "last weekend"}:
        return f"the {words.split()[1]} before {day.day} {day:%B} {day.year}"
    weekday = re.fullmatch(r"(last|next) ((?:mon|tue|wed|thu|fri|sat|sun)\w*)", words)
    if weekday:
        names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        away = [name[:3] for name in names].index(weekday[2][:3]) - day.weekday()
        away += -7 if weekday[1] == "last" and away >= 0 else 7 if weekday[1] == "next" and away <= 0 else 0
        moved = day + timedelta(days=away)
        return f"{moved.day} {moved:%B} {moved.year}"
    return None


def _count(word: str) -> int | None:
    if word.isdecimal():
        return int(word)
    if word in {"a", "an"}:
        return 1
    return NUMBER_WORDS.index(word) + 1 if word in NUMBER_WORDS[:20] else None
