"""Times in a question or an option, English and Chinese (and simple Japanese), as calendar ranges.

``phrases.py`` reads single phrases; here the words around them ("since", "between ... and", "…之前") make
them a range. A date without a year is the latest one that has begun.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from memos_cli.cube import utc
from memos_cli.errors import UsageError
from memos_cli.interface.periods import Period, Time, shift
from memos_cli.interface.phrases import COUNT, UNIT, S, mentions, number_of, read_oddity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open range ``[after, before)`` in milliseconds (``None``: open), and where a text says so."""

    after: int | None
    before: int | None
    start: int
    end: int


def parse_when(text: str, *, now: int, zone: tzinfo = UTC, future: bool = False) -> int:
    """The moment that ``text`` names, in milliseconds: the beginning of the day, month or year it means.

    ``text`` is an ISO 8601 date or time, an offset (``30d``, ``2w``, ``12h``, ``3mo``, ``1y``; a sign decides
    its direction, else ``future``), or words: ``yesterday``, ``last monday``, ``三天前``. ``future`` also
    makes a date without a year the next one. Raises UsageError.
    """
    words = text.strip()
    try:
        local = local_time(now, zone)
        moment = (
            _iso(words)
            or _offset(words, local, future)
            or _whole(words, local, future)
            or _odd(words, local, future)
        )
        if moment is not None:
            return milliseconds(moment, zone)
    except (ValueError, OverflowError):
        pass
    example = "2027-05-08, 30d or 'next monday'" if future else "2023-05-08, 30d or 'last monday'"
    raise UsageError(f"cannot read {text!r} as a time", hint=f"write it like {example}")


def parse_range(text: str, *, now: int, zone: tzinfo = UTC) -> tuple[int | None, int | None] | None:
    """The half-open range ``(after, before)`` in milliseconds that ``text`` speaks of; ``None`` is open."""
    found = find_range(text, now=now, zone=zone)
    return (found.after, found.before) if found else None


def find_range(text: str, *, now: int, zone: tzinfo = UTC) -> TimeRange | None:
    """The first time that ``text`` speaks of, and where; None where it speaks of none. Never raises."""
    try:
        local = local_time(now, zone)
        found = _first_range(text, _narrowed(text, list(mentions(text, local))), local)
        if found is None:
            return None
        (after, before), start, end = found
        return TimeRange(
            None if after is None else milliseconds(after, zone),
            None if before is None else milliseconds(before, zone),
            start,
            end,
        )
    except (ValueError, OverflowError):  # 30 February; 9,999 years ago
        return None


def local_time(now: int, zone: tzinfo) -> datetime:
    """A moment as the clocks of ``zone`` show it."""
    return utc(now).astimezone(zone).replace(tzinfo=None)


def milliseconds(moment: datetime, zone: tzinfo) -> int:
    """The moment of a time; one without a zone is of ``zone``."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


_OFFSET = re.compile(rf"([+-]?)\s?(\d{{1,6}})\s?(s|sec|min|h|d|w|mo|y|(?:{UNIT})s?)", re.IGNORECASE)
_IN = re.compile(rf"in{S}({COUNT}){S}({UNIT})s?", re.IGNORECASE)
_OFFSET_UNITS = {
    "s": "second",
    "sec": "second",
    "min": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        if re.match(r"\d{4}-\d{2}-\d{2}", text):
            raise  # a date that does not exist, such as 2026-13-01, means no other one
        year = re.fullmatch(r"(\d{4})(?:-(\d{2}))?", text)
        return datetime(int(year[1]), int(year[2] or 1), 1) if year else None


def _offset(text: str, now: datetime, future: bool) -> datetime | None:
    """30d, +2w, -12h: from now, to the second; in 3 days."""
    if match := _IN.fullmatch(text):
        sign, count, unit = "+", number_of(match[1]), match[2].lower()
    elif match := _OFFSET.fullmatch(text):
        sign, count, unit = match[1], int(match[2]), match[3].lower()
    else:
        return None
    kind = _OFFSET_UNITS.get(unit, unit.removesuffix("s"))
    if kind == "fortnight":
        count, kind = 2 * count, "week"
    forward = sign == "+" or (future and not sign)
    return shift(now, count if forward else -count, kind)


def _whole(text: str, now: datetime, future: bool) -> datetime | None:
    """The beginning of the one phrase that ``text`` consists of."""
    if text.lower() in ("now", "现在", "今"):
        return now
    for time in _narrowed(text, list(mentions(text, now))):
        if (time.start, time.end) == (0, len(text)):
            begin, end = time.resolve(now, future=future)
            return begin + (end - begin) / 2 if time.kind == "hour" else begin
    return None


def _odd(text: str, now: datetime, future: bool) -> datetime | None:
    if len(text) > 64 or not re.search(r"\d\D|\D\d|[^\W\d]{3}|[^\W\x00-\u2e7f]{2}", text):
        return None  # nothing that could be a date: "7", "x"
    return read_oddity(text, now, future=future)


# From phrases to ranges

_MEANINGS = {
    "since": "ever since|since|starting from|starting|as of|自从|自從|自",
    "after": "later than|after",
    "before": "before|prior to|earlier than",
    "until": "no later than|until|till|up to|by|截至|截止到|截止|直到",
    "from": "from|从|從|由",
    "between": "in between|between",
    "in": "in|during|throughout|around|early|mid|late|在|于|於",
    "on": "on|over|within|for|at|through|of",
}
_LEADS = {word: meaning for meaning, words in _MEANINGS.items() for word in words.split("|")}
_ENGLISH_LEADS = "|".join(sorted((w for w in _LEADS if w.isascii()), key=len, reverse=True)).replace(" ", S)
_CJK_LEADS = "|".join(sorted((w for w in _LEADS if not w.isascii()), key=len, reverse=True))
_PART = rf"(?:the{S})?(?:start|beginning|end|middle){S}of|about|around|early|mid|late|the"
_LEAD = re.compile(
    rf"(?:(?<!\w)({_ENGLISH_LEADS})(?:{S}(?:{_PART}))?(?:{S}|-)|({_CJK_LEADS})\s?)$", re.IGNORECASE
)
_TAILS = {
    "before": "之前|以前|前(?![一二三四五六七八九十几\\d后後端面往台途])",
    "after": "之后|以后|之後|以後|[后後](?![端来來面续悔])",
    "since": "以来|以來|开始|開始|以降|から|起(?![床来來飞码])",
    "until": "まで|为止|為止",
}
_TAIL = re.compile("|".join(rf"(?P<{meaning}>\s?(?:{words}))" for meaning, words in _TAILS.items()))
_ONWARDS = re.compile(rf"{S}on(?:wards?)?\b", re.IGNORECASE)
_TO = re.compile(
    r"\s{0,3}(?:to|until|till|through|thru|up to|[-–—~～到至]|直到|から)\s{0,3}(?:the\s)?", re.IGNORECASE
)
_AND = re.compile(
    r"\s{0,3}(?:and|or|vs\.?|compared (?:to|with)|[&,、和与與及或])\s{0,3}(?:(?:in|on)\s)?(?:the\s)?",
    re.IGNORECASE,
)
_INSIDE = re.compile(r"(?:['’]s)?,?\s{0,3}(?:in|on|of|的|の)?\s{0,3}", re.IGNORECASE)
# Months that are also names of people, or words: "before June" may go on with what June did.
_NAME = re.compile(r"april|may|june|august|mar\.?|march|jan\.?", re.IGNORECASE)
_CLAUSE_END = re.compile(
    rf"\s{{0,3}}(?:$|[?.!,;:)]|{S}?(?:and|or|in|at|about|with|for|on|to|until)\b)", re.IGNORECASE
)


def _narrowed(text: str, times: list[Time]) -> list[Time]:
    """Joins a date without a year to the year beside it: "May of last year", "去年五月", "上个月5号"."""
    joined: list[Time] = []
    for time in times:
        before = joined[-1] if joined else None
        if before and _INSIDE.fullmatch(text, before.end, time.start):
            outer, inner = (before, time) if time.place else (time, before)
            if outer.period and inner.place and inner.of == outer.kind:
                period = inner.place(outer.period[0])
                joined[-1] = Time(inner.kind, period, start=before.start, end=time.end)
                continue
        joined.append(time)
    return joined


def _first_range(
    text: str, times: list[Time], now: datetime
) -> tuple[tuple[datetime | None, datetime | None], int, int] | None:
    """The first range of ``text``, and where it begins and ends."""
    for time, following in zip(times, [*times[1:], None], strict=True):
        lead = _LEAD.search(text[max(0, time.start - 40) : time.start])
        meaning = _LEADS[_plain(lead[1] or lead[2])] if lead else ""
        start = time.start - len(lead[0]) if lead and meaning else time.start
        gap_end = following.start if following else time.end
        to = following is not None and bool(_TO.fullmatch(text, time.end, gap_end))
        together = following is not None and bool(_AND.fullmatch(text, time.end, gap_end))
        if following and (to or (together and meaning == "between")):
            paired = meaning in ("from", "between", "since", "in", "on")
            if paired or (time.firm and following.firm and time.kind != "now"):
                return _between(time, following, now), start, following.end
        if not _meant(text, time, meaning):
            continue
        period = time.resolve(now)
        if following and together and following.kind != "now" and meaning in ("", "in", "on", "from"):
            return _hull(period, following.resolve(now)), start, following.end
        tail = _TAIL.match(text, time.end)
        if tail and not (meaning in ("in", "until") and tail.lastgroup == "since"):
            return _bounded(period, tail.lastgroup or ""), start, tail.end()
        if meaning == "from" and (onwards := _ONWARDS.match(text, time.end)):
            return _bounded(period, "since"), start, onwards.end()
        if meaning == "from" and lead and lead[2]:
            meaning = "since"
        return _bounded(period, meaning), start, time.end
    return None


def _meant(text: str, time: Time, meaning: str) -> bool:
    """Whether a phrase is a time at all: "2022" is after "in", and not in "model 2022"."""
    if time.kind == "now":
        return False
    if time.firm:
        return True
    if meaning == "on":
        return time.kind in ("day", "quarter", "season")
    if _NAME.fullmatch(text, time.start, time.end) and meaning != "in":
        return meaning in ("since", "after", "before", "until") and bool(_CLAUSE_END.match(text, time.end))
    return meaning != ""


def _bounded(period: Period, meaning: str) -> tuple[datetime | None, datetime | None]:
    match meaning:
        case "since":
            return period[0], None
        case "after":
            return period[1], None
        case "before":
            return None, period[0]
        case "until":
            return None, period[1]
        case _:
            return period


def _between(first: Time, last: Time, now: datetime) -> Period:
    """From the begin of one to the end of the other; a year that one leaves out is the other's."""
    if last.period is None and first.period is not None:
        return _hull(first.period, last.resolve(first.period[0], future=True))
    end = last.resolve(now)
    return _hull(first.resolve(end[0]), end)


def _hull(one: Period, other: Period) -> Period:
    return min(one[0], other[0]), max(one[1], other[1])


def _plain(words: str) -> str:
    return " ".join(words.lower().split())
