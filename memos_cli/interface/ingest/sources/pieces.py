"""Shared by all source readers: settings of a source, cutting to size, joining to passages, dates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from memos_cli.counts import counted
from memos_cli.cube import Draft, Span
from memos_cli.interface.time.dates import CLOCK, milliseconds, read_date
from memos_cli.letters import WIDE
from memos_cli.moments import FIRST_TIME, LAST_TIME
from memos_cli.zones import local_zone

LONGEST = 16_000
"""Characters that one record or line may have and still be one draft. Longer ones are cut to size."""

_WINDOW = 10
"""Pieces that the splitter sees at once: on text without any boundary its time is quadratic (two million
letters in one word took 85 s), so it never gets more than this."""

WHOLE = 2
"""Largest size of an uncut block of code or table, as a multiple of the passage size."""

TINY = 40
"""A body with fewer characters joins another passage if it can."""

REST = 80
"""Length below which the end of a section joins the passage before it."""

LINE_END = re.compile(r"\r\n?|\n")
_SAMPLE = 2000
_WIDE = re.compile(f"[{WIDE}]")
_TO_SPACES = {10: " ", 13: " "}
_FILE_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_CLOCK = re.compile(CLOCK, re.IGNORECASE)
"""A time of day, as a table has it beside the date."""
_SECONDS = re.compile(r"\d{9,19}(?:\.\d{1,9})?")
_TIMES = range(FIRST_TIME, LAST_TIME + 1)
"""Milliseconds that have a date: the years 1 to 9999."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The fields of a source that apply to each of its pieces, unless the piece has its own."""

    name: str
    title: str
    """The title, if the source has none itself."""
    time: int | None
    type: str
    """A semantic type that the user asked for, or ''."""
    size: int
    """Characters that a piece should have at most, in a script of letters."""
    is_table: bool = False
    """Whether its records are rows of a table, where a column ``name`` names the thing, not a speaker."""

    def draft(self, text: str, span: Span, *names: str, author: str = "") -> Draft:
        """Return a piece of the source; ``names`` are the parts of its title."""
        return Draft(text, span, self.type or "document", join_titles(*names), time=self.time, author=author)


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of characters that stays together: a block of a source, or neighbouring blocks joined."""

    start: int
    end: int
    cost: int
    """Its length by ``measure``."""
    body: int
    """Characters in it that are not headings, rules or markup."""
    inserts: tuple[tuple[int, str], ...] = ()
    """Text that is not in the source, by place: repeated and closing lines of a block that was cut."""
    introduces: bool = False
    """Whether it ends with a colon that announces the next piece."""

    @property
    def continues(self) -> bool:
        """Whether it starts inside a block that was cut."""
        return bool(self.inserts) and self.inserts[0][0] == self.start

    def join(self, after: Piece) -> Piece:
        """Return this piece and the piece after it as one."""
        cost, body = self.cost + after.start - self.end + after.cost, self.body + after.body
        return Piece(self.start, after.end, cost, body, self.inserts + after.inserts, after.introduces)

    def read(self, text: str) -> str:
        """Return the characters of ``text`` in this piece, with the inserts in their places."""
        parts: list[str] = []
        at = self.start
        for place, added in self.inserts:
            parts += (text[at:place], added)
            at = place
        return "".join((*parts, text[at : self.end]))


def measure(text: str, start: int, end: int) -> int:
    """Return the length of a range; a character counts three where most of them are CJK.

    Chinese, Japanese and Korean need a third of the characters that English needs.
    """
    return (end - start) * _width(text, start, end)


def pack(pieces: Iterable[Piece], size: int) -> list[Piece]:
    """Join neighbouring pieces into passages of at most ``size``.

    A piece without a body, such as a heading, joins the next piece. A piece that announces the next one
    joins it if the two fit ``WHOLE`` sizes. A passage of a few words joins the next piece up to
    ``WHOLE`` sizes, or the passage before it up to one and a half.
    """
    passages: list[Piece] = []
    for piece in _bind(pieces, size):
        if passages and not piece.continues:
            last = passages[-1]
            joined = last.join(piece)
            is_small = last.cost < REST or last.body < TINY
            if joined.cost <= (WHOLE * size if is_small else size):
                passages[-1] = joined
                continue
        _join_rest(passages, size)
        passages.append(piece)
    _join_rest(passages, size)
    return passages


def _bind(pieces: Iterable[Piece], size: int) -> Iterator[Piece]:
    """Join the pieces that ``pack`` must not separate."""
    bound: Piece | None = None
    for piece in pieces:
        if bound is None:
            bound = piece
            continue
        joined = bound.join(piece)
        if bound.body:
            fits = bound.introduces and joined.cost <= WHOLE * size
        else:
            fits = joined.cost - piece.cost <= size
        if not fits:
            yield bound
        bound = joined if fits else piece
    if bound is not None:
        yield bound


def _join_rest(passages: list[Piece], size: int) -> None:
    """Join a small last passage to the one before it, if both fit one and a half times the size."""
    if len(passages) > 1:
        before, rest = passages[-2:]
        joined = before.join(rest)
        is_small = rest.cost < REST and not rest.continues
        limit = 2 * WHOLE if not rest.body else 1.5 if is_small else 0
        if joined.cost <= limit * size:
            passages[-2:] = [joined]


def cut(
    text: str, size: int, start: int = 0, end: int | None = None, wrapped: bool = False
) -> Iterator[tuple[int, int]]:
    """Cut ``text[start:end]`` into ranges of characters, trimmed, none blank, of about ``size`` or less.

    They end at paragraphs, else lines, else sentences, else words. Lines mean nothing in ``wrapped`` text.
    Where most characters are CJK, a range has a third of ``size``.
    """
    end = len(text) if end is None else end
    size = max(1, size // _width(text, start, end))
    while start < end:
        stop = min(end, start + _WINDOW * size)
        window = text[start:stop]
        if len(window.strip()) <= size:
            offsets = [(0, window)]
        else:
            offsets = _splitter(size).chunk_indices(window.translate(_TO_SPACES) if wrapped else window)
            if stop < end and len(offsets) > 1:  # the last piece is cut by the window: look at it again
                stop = start + offsets.pop()[0]
        for offset, chunk in offsets:
            trimmed = chunk.strip()
            if trimmed:
                first = start + offset + len(chunk) - len(chunk.lstrip())
                yield first, first + len(trimmed)
        start = stop


def read_time(value: object) -> int | None:
    """Return the milliseconds of a value: a date (``read_date``) or seconds, milli-, micro- or nanoseconds
    since 1970. A date without a zone is in the user's.

    None if it is not a time; ``count_unread`` counts texts like a date. The size of a number decides
    its unit: seconds reach 10^11 in the year 5138, milliseconds did in 1973.
    """
    return first_time((value,))


def end_time(value: object) -> int | None:
    """Return when a record expires (milliseconds): a moment or the end of a day; None as in ``read_time``."""
    day = read_date(value) if isinstance(value, str) else None
    return milliseconds(day.period[1], local_zone()) if day else read_time(value)


def first_time(values: Iterable[object], default: int | None = None) -> int | None:
    """Return the first of ``values`` that ``read_time`` reads, or ``default``; count one text as unread."""
    unread = ""
    for value in values:
        if (time := try_time(value)) is not None:
            return time
        text = value.strip() if isinstance(value, str) else ""
        if not unread and any(map(str.isdecimal, text)) and not _CLOCK.fullmatch(text):
            unread = text
    if unread and (counter := _unread.get()) is not None:
        counter.add(unread)
    return default


def try_time(value: object) -> int | None:
    """Return what ``read_time`` returns, but do not count what cannot be read."""
    try:
        time = _milliseconds(value)
    except (ValueError, OverflowError):
        return None
    return time if time is not None and time in _TIMES else None  # a range looks for None one by one


@dataclass(slots=True)
class UnreadDates:
    """A counter of dates that could not be read."""

    count: int = 0
    first: str = ""

    def add(self, text: str, count: int = 1) -> None:
        """Count a date as unread."""
        self.first = self.first or text
        self.count += count

    @property
    def notes(self) -> tuple[str, ...]:
        """Return one note with the count and the first date, or none."""
        if not self.count:
            return ()
        first = self.first if len(self.first) <= 40 else f"{self.first[:40]}…"
        only = "" if self.count == 1 else ", first"
        return (f"{counted(self.count, 'date')} could not be read{only}: {first}",)


_unread: ContextVar[UnreadDates | None] = ContextVar("unread", default=None)


@contextmanager
def count_unread() -> Iterator[UnreadDates]:
    """Count the dates that ``read_time`` cannot read in this block; an outer counter counts them too."""
    counter, outer = UnreadDates(), _unread.get()
    token = _unread.set(counter)
    try:
        yield counter
    finally:
        _unread.reset(token)
        if outer is not None and counter.count:
            outer.add(counter.first, counter.count)


def _milliseconds(value: object) -> int | None:
    if isinstance(value, str):
        value = value.strip()
        if len(value) > 8 and _SECONDS.fullmatch(value):
            return _epoch(float(value) if "." in value else int(value))
        said = read_date(value)
        return None if said is None else milliseconds(said.moment, local_zone())
    if isinstance(value, date):  # as YAML reads one
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return milliseconds(moment, local_zone())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _epoch(value)
    return None


def _epoch(value: float) -> int:
    scale = 1000.0
    while abs(value) * scale >= 1e14 and scale > 1e-6:
        scale /= 1000
    return round(value * scale)


def date_in(name: str) -> int | None:
    """Return the date in a file name (``2025-06-12-minutes.md``, ``20250612.txt``), in the user's zone."""
    found = _FILE_DATE.search(name)
    return read_time(f"{found[1]}-{found[3]}-{found[4]}") if found else None


def date_of(headings: Sequence[str]) -> int | None:
    """Return the date that the innermost heading begins with (``2026-06-12 Retro``), in the user's zone."""
    for heading in reversed(headings):
        found = _FILE_DATE.match(heading)
        day = read_date(f"{found[1]}-{found[3]}-{found[4]}" if found else heading.rstrip(" :"))
        if day is not None:
            return milliseconds(day.moment, local_zone())
    return None


def open_heading(above: list[tuple[int, str]], level: int, name: str) -> tuple[str, ...]:
    """Add a heading to those ``above`` it, without those it ends. Return their names, the outermost first."""
    while above and above[-1][0] >= level:
        above.pop()
    above.append((level, name))
    return tuple(each for _, each in above)


def join_titles(*names: str) -> str:
    """Return the title of a piece from the names of its source and headings."""
    return " › ".join(name for name in names if name)


def clean_name(name: str) -> str:
    """Return a file's name as text: bytes that are not UTF-8 become U+FFFD; ``-`` is no name."""
    return "" if name == "-" else name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_tags(value: object) -> tuple[str, ...]:
    """Return the tags in a list of texts, or in one text with commas; without a leading ``#``."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return ()
    tags = (str(tag).strip().lstrip("#").strip() for tag in value if isinstance(tag, str | int))
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _width(text: str, start: int, end: int) -> int:
    """Return 3 if the range begins in a script that is mostly CJK, else 1."""
    sample = text[start : min(end, start + _SAMPLE)]
    return 3 if not sample.isascii() and 2 * len(_WIDE.findall(sample)) > len(sample) else 1


@lru_cache(maxsize=8)
def _splitter(size: int) -> Any:
    from semantic_text_splitter import TextSplitter

    return TextSplitter(size)
