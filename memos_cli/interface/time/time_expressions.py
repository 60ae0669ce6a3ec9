"""Single time phrases ("last Friday", "May 2023", "三天前") and what they mean.

Each rule is a pattern and the reading of its match; ``times.py`` joins phrases to ranges. Seasons
are the northern meteorological ones (winter 2022 begins in December 2022). ``last week`` is a calendar
week; ``the past week`` and ``last 7 days`` reach from that long ago to the end of today.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from memos_cli.interface.time.dates import numeric_date
from memos_cli.interface.time.numerals import COUNT, S, alternatives, number_of, single_spaced, weekday_number
from memos_cli.interface.time.periods import (
    Time,
    ago,
    begin_of,
    calendar,
    date,
    months,
    period_from,
    rolling,
    shift,
    weekday,
    weekend,
)
from memos_cli.moments import MONTHS, WEEKDAYS

_YEAR = r"(?:19|20)\d\d"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_SEASONS = {
    "spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12, "春": 3, "夏": 6, "秋": 9, "冬": 12
}  # fmt: skip
UNIT = r"second|minute|hour|day|week|fortnight|month|quarter|year"
_ORDINALS = ("first", "second", "third", "fourth")
_NEAR = {"this": 0, "current": 0, "last": -1, "previous": -1, "past": -1, "next": 1, "coming": 1}
_DAY_WORDS = {
    **dict.fromkeys(["today", "tonight", "this morning", "this afternoon", "this evening"], 0),
    **dict.fromkeys(["yesterday", "last night"], -1),
    "the day before yesterday": -2,
    "day before yesterday": -2,
    "tomorrow": 1,
    "the day after tomorrow": 2,
    "day after tomorrow": 2,
}
_SEASON = "|".join(name for name in _SEASONS if name.isascii())
_CJK_DAYS = {
    "大前": -3, "前": -2, "一昨": -2, "昨": -1, "今": 0, "明": 1, "后": 2, "後": 2, "大后": 3, "大後": 3
}  # fmt: skip
_CJK_YEARS = {"大前": -3, "前": -2, "去": -1, "昨": -1, "今": 0, "明": 1, "后": 2, "後": 2}
_CJK_NEAR = {
    "上上": -2, "上": -1, "先": -1, "这": 0, "這": 0, "本": 0, "今": 0, "下": 1, "来": 1, "來": 1, "下下": 2
}  # fmt: skip
_CJK_COUNT = r"(?<!\d)\d{1,3}|[一二三四五六七八九十两兩几幾数數]{1,3}"
_CJK_MONTH = r"1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九]"
_CJK_DAY = r"[12]\d|3[01]|0?[1-9]|三十一?|二?十[一二三四五六七八九]?|[一二三四五六七八九]"
_CJK_YEAR = rf"{_YEAR}|[一二][九零〇○][〇零○一二三四五六七八九]{{2}}"
_CJK_UNITS = {
    **dict.fromkeys(["周", "週", "週間", "星期", "礼拜", "禮拜"], "week"),
    **dict.fromkeys(["天", "日"], "day"),
    **dict.fromkeys(["季度", "季"], "quarter"),
    **dict.fromkeys(["小时", "小時", "時間"], "hour"),
    **dict.fromkeys(["分钟", "分鐘", "分"], "minute"),
    "月": "month",
    "年": "year",
}
_CJK_UNIT = alternatives(_CJK_UNITS)


def _maybe(word: str | None) -> int | None:
    return number_of(word) if word else None


def _season(name: str, year: int | None) -> Time:
    return months(year, _SEASONS[name.lower()], 3, "season")


def _month(name: str) -> int:
    return next(n for n, month in enumerate(MONTHS, 1) if month.startswith(name[:3].lower()))


def _counted(
    now: datetime, count: str, unit: str, sign: int, way: Callable[[datetime, str, int], Time]
) -> Time:
    number, kind = number_of(count), unit.lower()
    if kind == "fortnight":
        number, kind = 2 * number, "week"
    return way(now, kind, sign * number)


def _near(word: str, what: str, now: datetime) -> Time:
    """Read this, last or next, and week, weekend, Monday, May, summer ..."""
    step, name = _NEAR[word.lower()], what.lower()
    if name == "weekend":
        return weekend(shift(begin_of(now, "week"), step, "week"))
    if name in WEEKDAYS:
        number = WEEKDAYS.index(name)
        days = number - now.weekday()
        if step:  # strictly before, or after, today
            days += 7 * ((days >= 0) * -1 if step < 0 else days <= 0)
        return calendar(now, "day", days)
    if name in UNIT.split("|"):
        return rolling(now, name, -1) if word.lower() == "past" else calendar(now, name, step)
    time = months(None, _SEASONS[name], 3, "season") if name in _SEASONS else date(None, _month(name))
    if step == 0:
        return replace(time, period=time.place(begin_of(now, "year"))) if time.place else time
    if step > 0:
        return Time(time.kind, time.resolve(now, future=True))
    period = time.resolve(now)
    running = period[1] > now
    return Time(time.kind, time.resolve(period[0] - timedelta(days=1)) if running else period)


def _cjk_near(match: re.Match[str], now: datetime) -> Time:
    """Read 上周五, 这周末, 下个月, 先週の金曜日."""
    near, unit, day, japanese = match.groups()
    time = calendar(now, _CJK_UNITS[unit], _CJK_NEAR[near])
    assert time.period is not None
    if day == "末":
        return weekend(time.period[0])
    number = weekday_number(day) if day else "月火水木金土日".index(japanese or "月")
    return calendar(time.period[0], "day", number) if day or japanese else time


def _numeric(match: re.Match[str], now: datetime) -> Time:
    first, separator, second, year = match.groups()
    return calendar(numeric_date(first, second, year, separator), "day", 0)


def _decade(first: int) -> Time:
    start = datetime(first, 1, 1)
    return Time("decade", (start, shift(start, 10, "year")))


def _part(kind: str, number: int, year: int | None) -> Time:
    """Return a quarter or a half of a year."""
    if kind.lower().startswith("q"):
        return months(year, 3 * number - 2, 3, "quarter")
    if number > 2:
        raise ValueError(number)
    return months(year, 6 * number - 5, 6, "half")


def _part_of(match: re.Match[str], now: datetime) -> Time:
    """Read "the second half of 2025" or "the first quarter of last year"."""
    which, kind, near, year = match.groups()
    number = _ORDINALS.index(which.lower()) + 1
    return _part(kind, number, int(year) if year else now.year + _NEAR[(near or "this").lower()])


def _day_of_month(number: int) -> Time:
    return Time("day", None, "month", lambda first: period_from(first.replace(day=number), "day"))


def _years(match: re.Match[str], now: datetime) -> Time:
    first, last = datetime(int(match[1]), 1, 1), datetime(int(match[2]), 1, 1)
    return Time("years", (first, shift(last, 1, "year")))


def _year(text: str) -> Time:
    return Time("year", period_from(datetime(number_of(text), 1, 1), "year"))


def _now(match: re.Match[str], now: datetime) -> Time:
    return replace(calendar(now, "day", 0), kind="now")


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: str
    read: Callable[[re.Match[str], datetime], Time]
    firm: bool = True


_THE = rf"(?:\bthe{S})?\b"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_TO_DAY = rf"(?:{S}(?:and|to|until|till|through){S}|\s?[-–—]\s?)(?:the{S})?{_DAY}"
_OF_YEAR = rf"(?:,?{S}({_YEAR})\b)?"
_ISO_END = r"(?:[T ]\d{1,2}:\d\d[\d:.]*Z?)?(?![\w-])"
ENGLISH_RULES: tuple[_Rule, ...] = (
    # Dates
    _Rule(
        rf"(?<![\w./-])({_YEAR})([-/])(\d{{1,2}})\2(\d{{1,2}}){_ISO_END}",
        lambda m, now: date(int(m[1]), int(m[3]), int(m[4])),
    ),
    _Rule(
        rf"(?<![\w./-])({_YEAR})[-/](0?[1-9]|1[0-2])(?![\w/-])",
        lambda m, now: date(int(m[1]), int(m[2])),
        firm=False,
    ),
    _Rule(r"(?<![\w./-])(\d{1,2})([-./])(\d{1,2})\2(\d{4})(?![\w/-]|\.\d)", _numeric),
    _Rule(r"(?<![\w./-])(\d\d)(\.)(\d\d)\.(\d\d)(?![\w/.-])", _numeric, firm=False),
    _Rule(
        rf"{_THE}{_DAY}(?:{S}of)?{S}({_MONTH}){_OF_YEAR}",
        lambda m, now: date(_maybe(m[3]), _month(m[2]), int(m[1])),
    ),
    _Rule(
        rf"\b({_MONTH}){S}(?:the{S})?{_DAY}\b(?![:.]\d){_OF_YEAR}",
        lambda m, now: date(_maybe(m[3]), _month(m[1]), int(m[2])),
    ),
    _Rule(
        rf"{_THE}{_DAY}{_TO_DAY}(?:{S}of)?{S}({_MONTH}){_OF_YEAR}",
        lambda m, now: date(_maybe(m[4]), _month(m[3]), int(m[1]), int(m[2])),
    ),
    _Rule(
        rf"\b({_MONTH}){S}{_DAY}{_TO_DAY}\b{_OF_YEAR}",
        lambda m, now: date(_maybe(m[4]), _month(m[1]), int(m[2]), int(m[3])),
    ),
    _Rule(
        rf"\b({_MONTH}),?{S}(?:of{S})?(?:({_YEAR})|['’](\d\d))\b",
        lambda m, now: date(int(m[2] or f"20{m[3]}"), _month(m[1])),
    ),
    _Rule(rf"{_THE}(\d{{1,2}})(?:st|nd|rd|th)\b", lambda m, now: _day_of_month(int(m[1])), firm=False),
    _Rule(rf"\b({_MONTH})(?!\w|-|['’]s)", lambda m, now: date(None, _month(m[1])), firm=False),
    # Quarters, seasons, years
    _Rule(r"\bQ([1-4])\b", lambda m, now: _part("q", int(m[1]), None), firm=False),
    _Rule(rf"\b([QH])([1-4]),?{S}(?:of{S})?({_YEAR})\b", lambda m, now: _part(m[1], int(m[2]), int(m[3]))),
    _Rule(rf"\b({_YEAR})[- ]?([QH])([1-4])\b", lambda m, now: _part(m[2], int(m[3]), int(m[1]))),
    _Rule(
        rf"{_THE}({'|'.join(_ORDINALS)}){S}(quarter|half){S}of{S}"
        rf"(?:(?:the{S})?(?:({alternatives(_NEAR)}){S})?year|({_YEAR}))\b",
        _part_of,
    ),
    _Rule(
        rf"{_THE}({'|'.join(_ORDINALS)}){S}quarter\b(?!{S}of\b)",
        lambda m, now: _part("q", _ORDINALS.index(m[1].lower()) + 1, None),
        firm=False,
    ),
    _Rule(rf"{_THE}({_SEASON}),?{S}(?:of{S})?({_YEAR})\b", lambda m, now: _season(m[1], int(m[2]))),
    _Rule(rf"{_THE}({_SEASON})\b(?!{S}(?-i:[A-Z]))", lambda m, now: _season(m[1], None), firm=False),
    _Rule(rf"\bthe{S}year{S}({_YEAR})\b", lambda m, now: _year(m[1])),
    _Rule(rf"(?<![\w.:/-])({_YEAR})(?![\w:/年-]|\.\d|\s?[%°€$£¥])", lambda m, now: _year(m[1]), firm=False),
    _Rule(rf"(?<![\w./-])({_YEAR})\s?[-–—]\s?({_YEAR})(?![\w/-])", _years, firm=False),
    _Rule(rf"{_THE}((?:19|20)\d0)['’]?s\b", lambda m, now: _decade(int(m[1])), firm=False),
    # Relative to now
    _Rule(
        rf"\b({alternatives(_DAY_WORDS)})\b(?:{S}(?:morning|afternoon|evening|night)\b)?(?!['’]s{S}(?-i:[A-Z]))",
        lambda m, now: calendar(now, "day", _DAY_WORDS[single_spaced(m[1])]),
    ),
    _Rule(rf"\b({COUNT}){S}({UNIT})s?{S}ago\b", lambda m, now: _counted(now, m[1], m[2], -1, ago)),
    _Rule(rf"\b({COUNT}){S}({UNIT})s?{S}from{S}now\b", lambda m, now: _counted(now, m[1], m[2], 1, ago)),
    _Rule(
        rf"{_THE}(last|past|previous|next|coming){S}({COUNT}){S}({UNIT})s?\b",
        lambda m, now: _counted(now, m[2], m[3], 1 if m[1].lower() in ("next", "coming") else -1, rolling),
    ),
    _Rule(
        rf"{_THE}({alternatives(_NEAR)}){S}(week|month|quarter|year|weekend|{'|'.join(WEEKDAYS)}|{_SEASON}|{_MONTH})"
        rf"(?:{S}(?:morning|afternoon|evening|night))?\b(?!-)",
        lambda m, now: _near(m[1], m[2], now),
    ),
    _Rule(
        rf"{_THE}(week|month|year){S}before{S}last\b",
        lambda m, now: calendar(now, m[1].lower(), -2),
    ),
    _Rule(rf"\b({'|'.join(WEEKDAYS)})\b", lambda m, now: weekday(WEEKDAYS.index(m[1].lower())), firm=False),
    _Rule(r"\bnow\b|\bthe present\b", _now, firm=False),
)
CJK_RULES: tuple[_Rule, ...] = (
    _Rule(r"现在|現在|如今|至今", _now, firm=False),
    _Rule(
        rf"({_CJK_YEAR})\s?年\s?({_CJK_MONTH})\s?月份?(?:\s?({_CJK_DAY})\s?[日号號](?:\s?[到至~～—–-]\s?({_CJK_DAY})\s?[日号號])?)?",
        lambda m, now: date(number_of(m[1]), number_of(m[2]), _maybe(m[3]), _maybe(m[4])),
    ),
    _Rule(rf"(?<!\d)({_CJK_YEAR})\s?年(?!代|[级級款])", lambda m, now: _year(m[1])),
    _Rule(
        rf"(?<![\d一二三四五六七八九十个個年])({_CJK_MONTH})\s?月份?(?:\s?({_CJK_DAY})\s?[日号號](?:\s?[到至~～—–-]\s?({_CJK_DAY})\s?[日号號])?)?(?!天|\s?\d{{1,2}}\s?[日号號])",
        lambda m, now: date(None, number_of(m[1]), _maybe(m[2]), _maybe(m[3])),
    ),
    _Rule(
        rf"(?<=年)\s?({_CJK_MONTH})\s?月份?(?:\s?({_CJK_DAY})\s?[日号號])?",
        lambda m, now: date(None, number_of(m[1]), _maybe(m[2])),
    ),
    _Rule(rf"(?<!\d)({_CJK_DAY})\s?[日号號]", lambda m, now: _day_of_month(number_of(m[1])), firm=False),
    _Rule(
        rf"(?<![目之以此])({alternatives(_CJK_DAYS)})[天日晚夜早晨](?![气氣])(?:[早晚]上|上午|下午|中午)?",
        lambda m, now: calendar(now, "day", _CJK_DAYS[m[1]]),
    ),
    _Rule(r"(おととい)|きのう", lambda m, now: calendar(now, "day", -2 if m[1] else -1)),
    _Rule(
        rf"(?<![目之以此])({alternatives(_CJK_YEARS)})年(?!代)",
        lambda m, now: calendar(now, "year", _CJK_YEARS[m[1]]),
    ),
    _Rule(
        rf"(?<![以晚早线線网網日基版成样書课文原未近天一底之回])({alternatives(_CJK_NEAR)})一?[个個]?"
        rf"(周|週|星期|礼拜|禮拜|月|季度|季|年)(?!末?报|刊)(?:(?<=[周週期拜])([一二三四五六日天末])|の([月火水木金土日])曜日?)?",
        _cjk_near,
    ),
    _Rule(
        rf"({_CJK_COUNT})\s?[个個かヶカケ]?\s?({_CJK_UNIT})(?:之前|以前|前)(?![后後面端])",
        lambda m, now: _counted(now, m[1], _CJK_UNITS[m[2]], -1, ago),
    ),
    _Rule(
        rf"({_CJK_COUNT})\s?[个個かヶカケ]?\s?({_CJK_UNIT})(?:之后|以后|之後|以後|后|後)(?![面端])",
        lambda m, now: _counted(now, m[1], _CJK_UNITS[m[2]], 1, ago),
    ),
    _Rule(
        r"半(年)(?:之前|以前|前)|半[个個]月(?:之前|以前|前)",
        lambda m, now: ago(now, "month", -6) if m[1] else ago(now, "week", -2),
    ),
    _Rule(
        rf"(最近|过去|過去|近|这|這|直近|未来|未來|接下来)的?\s?({_CJK_COUNT})\s?[个個かヶ]?\s?({_CJK_UNIT})(?:以[来來内內]|[内內]|間)?",
        lambda m, now: _counted(now, m[2], _CJK_UNITS[m[3]], 1 if m[1][0] in "未接" else -1, rolling),
    ),
    _Rule(r"第?([一二三四1-4])季度", lambda m, now: months(None, 3 * number_of(m[1]) - 2, 3, "quarter")),
    _Rule(r"(上|下)半年", lambda m, now: months(None, 1 if m[1] == "上" else 7, 6, "half")),
    _Rule(r"(春|夏|秋|冬)[天季]", lambda m, now: _season(m[1], None), firm=False),
    _Rule(
        r"(?<![每逢一二两三四五六七八九十\d几幾单双])(?:周|週|星期|礼拜|禮拜)([一二三四五六日天])",
        lambda m, now: weekday(weekday_number(m[1])),
    ),
)

# Texts that are a time only if they are the whole text.
WHOLE_RULES: tuple[_Rule, ...] = (
    _Rule(
        rf"({'|'.join(day[:3] for day in WEEKDAYS)}|tues|wednes|thurs?)\b\.?",
        lambda m, now: weekday([day[:3] for day in WEEKDAYS].index(m[1][:3].lower())),
    ),
    _Rule(r"(?:the\s)?['’]?([3-9]0)['’]?s", lambda m, now: _decade(1900 + int(m[1]))),
    _Rule(r"(\d{1,2})\.\s?(\d{1,2})\.", lambda m, now: date(None, int(m[2]), int(m[1]))),
)

# What every English rule needs at least.
_ENGLISH_CUE = re.compile(
    rf"\d|\b(?:{_SEASON}|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|yesterday|to(?:day|night|morrow)|now|present"
    rf"|ago|last|this|past|previous|next|coming|current|the{S}day|(?:week|month|year){S}before|quarter"
    rf"|{'|'.join(WEEKDAYS)})",
    re.IGNORECASE,
)
# "may" and "march" in lower case are verbs, unless a word such as "in" says otherwise.
_VERB = re.compile(r"\b(?:may|march)\b(?!.*\d{4})", re.DOTALL)


def mentions(text: str, now: datetime) -> Iterator[Time]:
    """Yield the time phrases of ``text`` in order; where two overlap, the earlier, then the longer."""
    found = [
        (match.start(), -match.end(), n, match, rule)
        for rules in (ENGLISH_RULES if _ENGLISH_CUE.search(text) else (), () if text.isascii() else CJK_RULES)
        for n, rule in enumerate(rules)
        for match in re.finditer(_compiled(rule.pattern), text)
    ]
    end = 0
    for start, _, _, match, rule in sorted(found, key=lambda item: item[:3]):
        if start < end:
            continue
        try:
            time = rule.read(match, now)
        except (ValueError, OverflowError):  # 30 February; 9,999 years ago
            continue
        end = match.end()
        yield replace(time, start=start, end=end, firm=rule.firm and not _VERB.search(match[0]))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when it is first needed: all together take 30 ms."""
    return re.compile(pattern, re.IGNORECASE)


def read_whole(text: str, now: datetime) -> Time | None:
    """Return the time expression that is the whole of ``text``, or None."""
    for rule in WHOLE_RULES:
        if match := re.fullmatch(_compiled(rule.pattern), text):
            return rule.read(match, now)
    return next((time for time in mentions(text, now) if (time.start, time.end) == (0, len(text))), None)
