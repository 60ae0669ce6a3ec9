"""Calendar periods around a moment: days, weeks, months ... and dates that leave out their year.

All times here are naive local ones. Weeks begin on Monday. Everything raises ValueError or OverflowError
for days that no calendar has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

Period = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Time:
    """The meaning of one phrase: a period, or a date without a year, to place in a wider one."""

    kind: str
    """``day``, ``week``, ``month``, ``quarter``, ``year``, or ``now``, which only ends a range."""
    period: Period | None = None
    of: str = ""
    """The kind of period it has to be placed in: ``year`` for "May", ``week`` for "Monday"."""
    place: Callable[[datetime], Period] | None = None
    firm: bool = True
    """Whether it is a time wherever it stands; "May", "2022" and "Monday" need a word such as "in"."""
    start: int = 0
    end: int = 0
    moment: datetime | None = None
    """The exact moment, for expressions such as "a month ago"."""

    def resolve(self, now: datetime, *, future: bool = False, lasting: bool = False) -> Period:
        """Return the period. A date without a year is the latest that began by ``now``.

        With ``future`` it is the next to begin; with ``lasting`` the first that is not over by ``now``.
        """
        if self.period is not None:
            return self.period
        assert self.place is not None
        begin = begin_of(now, self.of)
        for _ in range(9):  # 29 February comes every eight years at worst
            try:
                period = self.place(begin)
            except ValueError:
                period = None
            if period and (period[1] > now if lasting else period[0] >= now if future else period[0] <= now):
                return period
            begin = shift(begin, 1 if future or lasting else -1, self.of)
        raise ValueError("no such day")


def begin_of(moment: datetime, kind: str) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match kind:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
        case "hour" | "minute" | "second":
            return moment
        case _:
            return day


def shift(moment: datetime, count: int, kind: str) -> datetime:
    """Move ``moment`` by calendar units; the 31st becomes the last day of a shorter month."""
    months = {"month": 1, "quarter": 3, "year": 12}.get(kind)
    if months is None:
        return moment + count * timedelta(**{f"{kind}s": 1})
    year, month = divmod(moment.year * 12 + moment.month - 1 + count * months, 12)
    first = moment.replace(year=year, month=month + 1, day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(moment.day, last.day))


def period_from(start: datetime, kind: str) -> Period:
    """Return the day, month ... that begins at ``start``; the last one ends with the calendar."""
    try:
        return start, shift(start, 1, kind)
    except (ValueError, OverflowError):
        return start, datetime.max


def calendar(now: datetime, kind: str, count: int) -> Time:
    """Return the calendar day, week, month ... that is ``count`` away from the current one."""
    return Time(kind, period_from(shift(begin_of(now, kind), count, kind), kind))


def ago(now: datetime, kind: str, count: int) -> Time:
    """Return ``count`` units from now (negative: ago); an hour and less with its neighbours."""
    moment = shift(now, count, kind)
    if kind in ("hour", "minute", "second"):
        return Time("hour", (shift(now, count - 1, kind), shift(now, count + 1, kind)), moment=moment)
    return Time(kind, period_from(begin_of(moment, kind), kind), moment=moment)


def rolling(now: datetime, kind: str, count: int) -> Time:
    """Return the last (negative) or next ``count`` units up to, or from, today."""
    tomorrow = shift(begin_of(now, "day"), 1, "day")
    far = shift(begin_of(now, kind if kind in ("hour", "minute", "second") else "day"), count, kind)
    return Time("", (far, tomorrow) if count < 0 else (begin_of(now, "day"), shift(far, 1, "day")))


def date(year: int | None, month: int, day: int | None = None, last: int | None = None) -> Time:
    """Return a month, a day, or the days from ``day`` to ``last`` of a year, or of a year yet to be found."""

    def place(begin: datetime) -> Period:
        start = begin.replace(month=month, day=day or 1)
        return start, period_from(start.replace(day=last or start.day), "day" if day else "month")[1]

    kind = "day" if day else "month"
    return Time(kind, place(datetime(year, 1, 1))) if year else Time(kind, None, "year", place)


def months(year: int | None, first: int, count: int, kind: str) -> Time:
    """Return some months of a year (quarter, season, half), or of a year yet to be found."""

    def place(begin: datetime) -> Period:
        start = begin.replace(month=first)
        return start, shift(start, count, "month")

    return Time(kind, place(datetime(year, 1, 1))) if year else Time(kind, None, "year", place)


def weekday(number: int) -> Time:
    return Time("day", None, "week", lambda monday: period_from(shift(monday, number, "day"), "day"))


def weekend(monday: datetime) -> Time:
    return Time("weekend", (shift(monday, 5, "day"), shift(monday, 7, "day")))
