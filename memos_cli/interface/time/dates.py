"""Texts that are dates: ISO 8601, RFC 2822, numbers, and months by name in many languages.

The whole text must be a date; no part of it is ignored. Dates with dots are day first. Numbers with slashes
or dashes that could be day or month first are not accepted.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from importlib import import_module

from memos_cli.interface.time.periods import period_from
from memos_cli.moments import MONTHS, WEEKDAYS

_LANGUAGES = "de fr es it pt nl sv da nb fi pl cs sk hu ro ru uk tr el id".split()

CLOCK = (
    r"(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?:\s?(?P<half>[ap])\.?m\.?)?"
)
"""A time of day: 14:30, 2:30:15.5 pm, 8am; also a bare hour, which callers accept only in some places."""
_CLOCK_AND_ZONE = re.compile(
    rf"(?P<date>.*?[^\s\d:,].*?|\d+)(?:(?<=\d)T|,?\s(?:(?:at|um|à)\s)?){CLOCK}(?:\sUhr)?"
    r"(?:\s?(?P<zone>Z|[+-]\d\d:?\d\d|[+-]\d\d|UTC|UT|GMT|[ECMP][SD]T)(?:\s\(?[A-Z]{2,5}\)?|\[[\w/+-]{1,40}\])?)?",
    re.IGNORECASE,
)
# Zone names of RFC 2822, section 4.3, in hours; other names are ambiguous.
_ZONES = {
    "Z": 0, "UTC": 0, "UT": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7,
}  # fmt: skip
_ISO = re.compile(r"\d{4}-?(?:\d\d-?\d\d|W\d\d-?\d)([Tt ]\d[\d:.,]*(?:[Zz]|[+-][\d:]+)?)?")
_WORD = r"([^\W\d_]{2,20})\.?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th|er|\.|º)?"
_YEAR_FIRST = re.compile(
    r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|\.\s(\d{1,2})\.\s(\d{1,2})\.|[年년]\s?(\d{1,2})[月월]\s?(\d{1,2})[日일])"
)
_NUMBERS = re.compile(r"(\d{1,2})(?:([-/])(\d{1,2})\2(\d{4})|\.\s?(\d{1,2})\.\s?(\d{4}|\d\d))")
_DAY_FIRST = re.compile(
    rf"(?:{_WORD},?\s)?{_DAY}(?:\s(?:de|of)\s|[\s-]){_WORD}(?:\s(?:de|del)\s|,?\s|-)(\d{{4}})(?:\s[гr]\.)?"
)
_MONTH_FIRST = re.compile(rf"(?:{_WORD},?\s)?{_WORD}\s{_DAY},?\s(\d{{4}})")
# As `date`, ctime and Twitter write it: Fri May 12 10:00:00 +0000 2023.
_YEAR_LAST = re.compile(r"(\w{3} \w{3}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d(?: \S{1,6})?) (\d{4})")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Date:
    """A day, or a moment of a day."""

    moment: datetime
    """With a time zone if the text names one."""
    has_clock: bool

    @property
    def period(self) -> tuple[datetime, datetime]:
        """Return the moment as an empty period, or the whole day."""
        return (self.moment, self.moment) if self.has_clock else period_from(self.moment, "day")


def milliseconds(moment: datetime, zone: tzinfo) -> int:
    """Return the milliseconds since 1970 of a time; a time without a zone is in ``zone``."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def read_date(text: str) -> Date | None:
    """Parse the whole of ``text`` as a date or time; None if it is neither. Never raises."""
    if len(text) > 100:
        return None
    text = unicodedata.normalize("NFKC", text).strip()
    text = _YEAR_LAST.sub(r"\1 \2 \4 \3", text) if _YEAR_LAST.fullmatch(text) else text
    try:
        return _iso(text) or _read(text)
    except (ValueError, OverflowError):  # 30 February, 25:00
        return None


def _iso(text: str) -> Date | None:
    match = _ISO.fullmatch(text)
    try:
        return Date(datetime.fromisoformat(text), bool(match[1])) if match else None
    except ValueError:  # a text with a zone name may still be read
        return None


def _read(text: str) -> Date | None:
    clock = _CLOCK_AND_ZONE.fullmatch(text)
    if clock and (clock["minute"] or clock["half"]) and (day := _read_day(clock["date"].rstrip(","))):
        return Date((day + clock_of(clock)).replace(tzinfo=_zone(clock["zone"])), True)
    day = _read_day(text)
    return Date(day, False) if day else None


def clock_of(match: re.Match[str]) -> timedelta:
    """Return the time of day of a match of ``CLOCK``. Raises ValueError for 25:00 and 13 pm."""
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(match[0])
        hour = hour % 12 + 12 * (match["half"].lower() == "p")
    if hour > 23:
        raise ValueError(match[0])
    fraction = int((match["fraction"] or "").ljust(6, "0")[:6])
    minute, second = int(match["minute"] or 0), int(match["second"] or 0)
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)


def numeric_date(first: str, second: str, year: str, separator: str) -> datetime:
    """Return the date of three numbers with the year last; a two-digit year is 1969 to 2068.

    Raises ValueError if slashes or dashes leave open which number is the day.
    """
    day, month, number = int(first), int(second), int(year)
    if separator != "." and (day <= 12) == (month <= 12):
        raise ValueError("it is unclear which number is the day")
    if separator != "." and day <= 12:
        day, month = month, day
    if len(year) == 2:  # as POSIX reads %y
        number += 1900 if number >= 69 else 2000
    return datetime(number, month, day)


def two_days(text: str) -> tuple[datetime, datetime] | None:
    """Return the days that a date of numbers can be, with the day first and with the month first.

    None if the text is no such date.
    """
    match = _NUMBERS.match(unicodedata.normalize("NFKC", text).strip())
    if not match or not match[2]:
        return None
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if not (1 <= first <= 12 and 1 <= second <= 12 and year):
        return None
    return datetime(year, second, first), datetime(year, first, second)


def _read_day(text: str) -> datetime | None:
    if match := _YEAR_FIRST.fullmatch(text):
        year, _, *numbers = match.groups()
        month, day = (int(number) for number in numbers if number)
        return datetime(int(year), month, day)
    if match := _NUMBERS.fullmatch(text):
        first, separator, second, year, dotted, its_year = match.groups()
        return numeric_date(first, second or dotted, year or its_year, separator or ".")
    if match := _DAY_FIRST.fullmatch(text):
        weekday, day_of_month, month_name, year = match.groups()
    elif match := _MONTH_FIRST.fullmatch(text):
        weekday, month_name, day_of_month, year = match.groups()
    else:
        return None
    named = number_of_name(month_name, "month")
    if named is None:
        return None
    moment = datetime(int(year), named, int(day_of_month))
    return None if weekday and number_of_name(weekday, "weekday") != moment.isoweekday() else moment


def _zone(name: str | None) -> tzinfo | None:
    if not name:
        return None
    if name.upper() in _ZONES:
        return timezone(timedelta(hours=_ZONES[name.upper()]))
    digits = name[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if name[0] == "-" else offset)


def number_of_name(word: str, kind: str) -> int | None:
    """Return the number of a ``month`` or ``weekday`` (Monday is 1) from its name, or None."""
    word = word.casefold()
    names = MONTHS if kind == "month" else WEEKDAYS
    for number, name in enumerate(names, 1):
        if word in (name, name[:3]) or (len(word) == 4 and word == name[:4] and kind == "month"):
            return number
    return _names(kind).get(word)


@cache
def _names(kind: str) -> dict[str, int]:
    """Return the names of months or weekdays in other languages, except names that are ambiguous.

    Imported here because the import takes 0.2 s.
    """
    known: dict[str, int] = {}
    for language in _LANGUAGES:
        info = import_module(f"dateparser.data.date_translation_data.{language}").info
        for number, english in enumerate(MONTHS if kind == "month" else WEEKDAYS, 1):
            for name in info[english]:
                word = name.casefold().rstrip(".")
                known[word] = number if known.get(word, number) == number else 0
    return {word: number for word, number in known.items() if number}
