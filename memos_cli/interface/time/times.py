"""Times in a question or an option, English and Chinese (and simple Japanese), as calendar ranges.

``dates.py`` reads whole dates and ``time_expressions.py`` single phrases; here the words around them
("since", "between ... and", "…之前") make them a range. An option must be understood as a whole, or it is
refused. In a question, no time is better than a wrong one. A date without a year is the latest one that
began.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from memos_cli.errors import UsageError
from memos_cli.infrastructure.storage.fulltext import STOP_WORDS
from memos_cli.interface.time.dates import CLOCK, clock_of, milliseconds, read_date, two_days
from memos_cli.interface.time.numerals import COUNT, NUMBERS, S, alternatives, number_of, single_spaced
from memos_cli.interface.time.periods import Period, Time, begin_of, period_from, shift
from memos_cli.interface.time.tense import is_ahead
from memos_cli.interface.time.time_expressions import UNIT, mentions, read_whole
from memos_cli.moments import LAST_TIME, MONTHS, WEEKDAYS, utc


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open range ``[after, before)`` in milliseconds (``None``: open), and where a text says so."""

    after: int | None
    before: int | None
    start: int
    end: int
    forward: bool = False
    """Whether it is in the future, such as a deadline: memories about it may have any time."""


def parse_when(text: str, *, now: int, zone: tzinfo = UTC, future: bool = False, end: bool = False) -> int:
    """Read the moment ``text``, in milliseconds since 1970: the beginning of the day, month or year it names.

    ``text`` is an ISO 8601 date or another full date, an offset (``30d``, ``2w``, ``12h``, ``3mo``, ``1y``; a
    sign decides its direction, else ``future``), or words: ``yesterday``, ``last monday``, ``三天前``.
    With ``future``, a date without a year is the next one. With ``end``, the moment is the end of the day,
    month or year, and a date without a year is the first that is not over. Raises UsageError.
    """
    words = " ".join(unicodedata.normalize("NFKC", text).split())
    example = "2027-05-08, 30d or 'next monday'" if future else "2023-05-08, 30d or 'last monday'"
    if re.fullmatch(r"[+-]?\s?\d+\s?m", words, re.IGNORECASE):
        number = words[:-1].strip()
        raise UsageError(
            f"{text!r} can mean months or minutes",
            hint=f"write {number}mo for months or {number}min for minutes",
        )
    try:
        if words.lower() in ("now", "现在", "今"):
            return now
        if (moment := _offset(words, now, zone, future)) is not None:
            return moment
        date = read_date(words)
        period = date.period if date else _period(words, local_time(now, zone), future, lasting=end)
        if period and milliseconds(period[0], zone) <= LAST_TIME:
            return min(milliseconds(period[end], zone), LAST_TIME)
    except (ValueError, OverflowError):
        pass
    if (days := two_days(words)) and days[0] != days[1]:
        (day, one), (month, other) = (
            (f"{d.day} {MONTHS[d.month - 1].title()}", f"{d:%Y-%m-%d}") for d in days
        )
        raise UsageError(f"{text!r} can be {day} or {month}", f"write {one} for {day}, {other} for {month}")
    raise UsageError(f"cannot read {text!r} as a time", hint=f"write it like {example}")


def parse_range(text: str, *, now: int, zone: tzinfo = UTC) -> tuple[int | None, int | None] | None:
    """Return the half-open range ``(after, before)`` in milliseconds that ``text`` names; None: open."""
    found = find_range(text, now=now, zone=zone)
    return (found.after, found.before) if found else None


def find_range(text: str, *, now: int, zone: tzinfo = UTC) -> TimeRange | None:
    """Return the first time that ``text`` names, and where; None if it names none. Never raises."""
    try:
        local = local_time(now, zone)
        found = _first_range(text, _narrowed(text, list(mentions(text, local))), local)
        if found is None:
            return None
        after, before = (None if each is None else milliseconds(each, zone) for each in found.period)
        return TimeRange(after, before, found.start, found.end, found.forward)
    except (ValueError, OverflowError):  # 30 February; 9,999 years ago
        return None


def local_time(now: int, zone: tzinfo) -> datetime:
    """Return a moment as the clocks of ``zone`` show it."""
    return utc(now).astimezone(zone).replace(tzinfo=None)


# Options

_UNITS = {
    name: unit
    for unit, names in {
        "second": "s sec secs second seconds",
        "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "day": "d day days",
        "week": "w wk wks week weeks",
        "fortnight": "fortnight fortnights",
        "month": "mo mos mon mons month months",
        "quarter": "quarter quarters",
        "year": "y yr yrs year years",
    }.items()
    for name in names.split()
}
_UNIT_NAMES = alternatives(_UNITS)
_OFFSET = re.compile(
    rf"(?!(?:19|20)\d0s$)(?:(?P<in>in){S}|(?P<sign>[+-])\s?)?"
    rf"(?P<counts>(?:\d{{1,6}}\s?(?:{_UNIT_NAMES})\s?)+|(?:[a-z]{{1,6}}{S})(?:{_UNIT_NAMES}))(?P<when>{S}from{S}now|{S}ago)?",
    re.IGNORECASE,
)
_STEP = re.compile(rf"(\d+|[a-z]+)\s?({_UNIT_NAMES})", re.IGNORECASE)
# Vague times: a part of a day has no exact hour, and "a few" may be three or five.
_VAGUE = re.compile(
    r"\b(?:morning|afternoon|evening|night|tonight|few|couple|several)\b|[几幾数數早晚夜晨]|[上中下]午",
    re.IGNORECASE,
)
_CLOCK_LAST = re.compile(rf"(?P<day>.+?)(?P<at>,?{S}at{S}|,?{S}){CLOCK}", re.IGNORECASE)
_CLOCK_FIRST = re.compile(rf"{CLOCK}(?P<at>{S}on{S}|{S})(?P<day>.+)", re.IGNORECASE)
_COUNT_OR_THE = rf"{COUNT}|the(?={S}(?:{UNIT}){S})"
_COUNTED = re.compile(rf"({_COUNT_OR_THE}){S}({UNIT})s?{S}(before|after)", re.IGNORECASE)


def _offset(text: str, now: int, zone: tzinfo, future: bool) -> int | None:
    """Read an offset from now: 30d, +2w, -12h, one month, in 3 days, three days ago.

    Hours and shorter units are exact; longer units follow the calendar.
    """
    match = _OFFSET.fullmatch(text)
    if not match or (match["when"] and (match["in"] or match["sign"])):
        return None
    ago = bool(match["when"]) and match["when"].lower().endswith("ago")
    forward = not ago and bool(
        match["in"] or match["when"] or match["sign"] == "+" or (future and not match["sign"])
    )
    local = local_time(now, zone)
    moment, exact = local, timedelta()
    for word, name in _STEP.findall(match["counts"]):
        if not word.isdecimal() and (word.lower() not in NUMBERS or _VAGUE.fullmatch(word)):
            return None  # "last week", "few days"
        count, unit = number_of(word), _UNITS[name.lower()]
        count, unit = (2 * count, "week") if unit == "fortnight" else (count, unit)
        count = count if forward else -count
        if unit in ("hour", "minute", "second"):
            exact += timedelta(**{f"{unit}s": count})
        else:
            moment = shift(moment, count, unit)
    if ago and not exact:
        moment = begin_of(moment, "day")
    begin = now if moment == local else milliseconds(moment, zone)
    return begin + exact // timedelta(milliseconds=1)


def _period(text: str, now: datetime, future: bool, lasting: bool) -> Period | None:
    """Return the period of the time expression that is the whole of ``text``; a moment is an empty period."""
    if re.fullmatch(r"\d{4}(?:-\d\d)?", text):
        return period_from(datetime(int(text[:4]), int(text[5:] or 1), 1), "month" if text[4:] else "year")
    if re.match(r"\d{4}[-/.]\d", text):  # ``read_date`` did not read it
        return None
    text = re.sub(rf"^on{S}", "", text, flags=re.IGNORECASE)
    if match := _COUNTED.match(text):
        anchor = _period(text[match.end() :].strip(), now, future, lasting)
        return _beside(match, anchor, "day") if anchor else None
    time = None if _VAGUE.search(text) else _only(text, now)
    if time is None:
        return _with_clock(text, now, future, lasting)
    if time.kind == "hour" and time.moment:
        return time.moment, time.moment
    if time.moment:
        return period_from(begin_of(time.moment, "day"), "day")
    return time.resolve(now, future=future, lasting=lasting)


def _only(text: str, now: datetime) -> Time | None:
    time = read_whole(text, now)
    if time is None:
        joined = _narrowed(text, list(mentions(text, now)))
        time = joined[0] if joined and (joined[0].start, joined[0].end) == (0, len(text)) else None
    return time


def _with_clock(text: str, now: datetime, future: bool, lasting: bool) -> Period | None:
    """Read a day with a time: tomorrow at 8, 8 tomorrow, Friday 9:30."""
    for pattern in (_CLOCK_LAST, _CLOCK_FIRST):
        match = pattern.fullmatch(text)
        if match and (match["minute"] or match["half"] or pattern is _CLOCK_FIRST or match["at"].strip(", ")):
            time = None if _VAGUE.search(match["day"]) else _only(match["day"], now)
            if time and time.kind == "day":
                moment = time.resolve(now, future=future, lasting=lasting)[0] + clock_of(match)
                return moment, moment
    return None


def _beside(match: re.Match[str], anchor: Period, kind: str = "") -> Period:
    """Return the day (or ``kind``) that is a number of days, weeks … before or after the day ``anchor``."""
    count, unit = match[1].lower(), match[2].lower()
    if anchor[1] != anchor[0] + timedelta(days=1) or unit not in ("day", "week", "month", "year"):
        raise ValueError(match[0])
    number = 1 if count == "the" else number_of(count)
    moment = shift(anchor[0], number if match[3].lower() == "after" else -number, unit)
    return period_from(begin_of(moment, kind or unit), kind or unit)


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
_ENGLISH_LEADS = alternatives(word for word in _LEADS if word.isascii())
_CJK_LEADS = alternatives(word for word in _LEADS if not word.isascii())
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

# Expressions that would be read only in part: "the weeks after 5 May", "half a year ago", "2.5 years ago".
_COUNTED_BEFORE = re.compile(rf"\b({_COUNT_OR_THE}){S}({UNIT})s?{S}(before|after){S}$", re.IGNORECASE)
_HALF_READ = re.compile(
    rf"(?:\b(?:half|every|each)|\b(?:{UNIT}|weekend|{'|'.join(WEEKDAYS)})s?{S}(?:before|after|from|following)){S}(?:the{S})?$"
    r"|\d[.,/]$|[½¼¾]\s?$",
    re.IGNORECASE,
)
_CJK_COUNTED = re.compile(
    r"\s?(?:之?[前后後]|以[前后後])?的?\s?(?:\d{1,3}|[一二三四五六七八九十两兩几幾]{1,3})(?:[天周週]|[个個]月|星期|小时)"
)
_UNIT_AFTER = re.compile(r"[\s-]{1,3}([^\W\d_][\w/]{0,20})")
_ORDINAL = re.compile(r"\d(?:st|nd|rd|th)$", re.IGNORECASE)
# "五月" is a month before a word such as 我 or 的; 二月兰 and 五月天 are names.
_CJK_MONTH = re.compile(r"[一二三四五六七八九十]{1,3}月")
_CJK_MONTH_END = re.compile(
    r"$|[^\u4e00-\u9fff]|[份的里裡中内初底末上下之以前后後起开開到至和与與及或跟我你他她它咱谁誰哪什怎有没沒是在去来來做"
    r"发發会會要买買吃看见見说說想给給把被都还還也就所每花过過了]"
)


@dataclass(frozen=True, slots=True)
class _Range:
    period: tuple[datetime | None, datetime | None]
    start: int
    end: int
    forward: bool = False


def _narrowed(text: str, times: list[Time]) -> list[Time]:
    """Join a date without a year to the year beside it: "May of last year", "去年五月", "上个月5号"."""
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


def _first_range(text: str, times: list[Time], now: datetime) -> _Range | None:
    """Return the first range in ``text``; None if a part of it was not understood."""
    times = [time for time in times if not _is_quantity(text, time)]
    for time, following in zip(times, [*times[1:], None], strict=True):
        lead = _LEAD.search(text[max(0, time.start - 40) : time.start])
        meaning = _LEADS[single_spaced(lead[1] or lead[2])] if lead else ""
        start = time.start - len(lead[0]) if lead and meaning else time.start
        gap_end = following.start if following else time.end
        to = following is not None and bool(_TO.fullmatch(text, time.end, gap_end))
        together = following is not None and bool(_AND.fullmatch(text, time.end, gap_end))
        if following and (to or (together and meaning == "between")):
            paired = meaning in ("from", "between", "since", "in", "on")
            if paired or (time.firm and following.firm and time.kind != "now"):
                return _Range(_between(time, following, now), start, following.end)
        if not _is_time(text, time, meaning):
            continue
        tail = _TAIL.match(text, time.end)
        end = tail.end() if tail else time.end
        if counted := _COUNTED_BEFORE.search(text[: time.start]):
            return _Range(_beside(counted, time.resolve(now)), counted.start(), time.end)
        if _HALF_READ.search(text[: time.start]) or _CJK_COUNTED.match(text, end):
            return None
        ahead = is_ahead(text, start, end)
        if meaning == "until" and time.place and ahead is None and lead and lead[1]:
            return None  # "Who paid by Friday?" may mean the last or the next Friday
        if meaning not in ("since", "after", "from", "between"):
            period = time.resolve(now, lasting=bool(ahead))
            if period[1] > now if ahead else period[0] > now:
                return _Range(period, start, end, forward=True)
        period = time.resolve(now)
        if following and together and following.kind != "now" and meaning in ("", "in", "on", "from"):
            return _Range(_hull(period, following.resolve(now)), start, following.end)
        if tail and not (meaning in ("in", "until") and tail.lastgroup == "since"):
            return _Range(_bounded(period, tail.lastgroup or ""), start, tail.end())
        if meaning == "from" and (onwards := _ONWARDS.match(text, time.end)):
            return _Range(_bounded(period, "since"), start, onwards.end())
        if meaning == "from" and lead and lead[2]:
            meaning = "since"
        return _Range(_bounded(period, meaning), start, time.end)
    return None


def _is_quantity(text: str, time: Time) -> bool:
    """Return whether a number that could be a year counts the next word: "2000 meters", "2048 MB"."""
    unit = _UNIT_AFTER.match(text, time.end) if time.kind == "year" and not time.firm else None
    if not unit:
        return False
    word = unit[1]
    if word[0].islower():
        return word not in STOP_WORDS and not word.startswith("onward")
    return word > "\u2e80" or word in ("Hz", "Kg", "Km") or (len(word) > 1 and word.isupper())


def _is_time(text: str, time: Time, meaning: str) -> bool:
    """Return whether a phrase is a time at all: "2022" is after "in", and not in "model 2022"."""
    if time.kind == "now":
        return False
    if _CJK_MONTH.fullmatch(text, time.start, time.end) and not meaning:
        return bool(_CJK_MONTH_END.match(text, time.end))
    if time.firm:
        return True
    if _ORDINAL.search(text, time.start, time.end) and (
        meaning == "in" or not _CLAUSE_END.match(text, time.end)
    ):
        return False
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
    """Return the time from one to the end of the other; a year that one leaves out is the other's."""
    if last.period is None and first.period is not None:
        return _hull(first.period, last.resolve(first.period[0], future=True))
    end = last.resolve(now)
    return _hull(first.resolve(end[0]), end)


def _hull(one: Period, other: Period) -> Period:
    return min(one[0], other[0]), max(one[1], other[1])
