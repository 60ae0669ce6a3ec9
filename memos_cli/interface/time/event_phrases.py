"""Time expressions that name an event: "before I moved to Berlin", "the Tuesday after the launch".

Rules find the words. When the event happened is looked up in memory (``ask/event_times.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from memos_cli.interface.time.dates import milliseconds
from memos_cli.interface.time.numerals import weekday_number
from memos_cli.interface.time.periods import begin_of, shift
from memos_cli.interface.time.times import local_time
from memos_cli.moments import WEEKDAYS
from memos_cli.zones import local_zone

_ENGLISH = re.compile(
    rf"\b(?:the (?P<step>{'|'.join(WEEKDAYS)}|day|week|month|year) )?(?P<relation>before|after|since|until) "
    r"(?P<event>(?:i|we|you|he|she|they|it|my|our|your|his|her|their|the|[A-Z]\w{1,30})\b[^?.!,;]{2,80}?)"
    r"(?= (?:about|regarding|concerning|on the topic of)\b|[?.!,;]|\s*$)",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?P<event>[^，。？！；,?!;\s]{2,24}?)(?P<relation>之前|以前|之后|之後|以后|以後|以来|以來)"
    r"(?:的?(?:那|下|第一)?[个個]?(?:(?:星期|周|礼拜|禮拜)(?P<day>[一二三四五六日天])|(?P<step>[天周年]|月|星期)))?"
)
_RELATIONS = {
    "之前": "before", "以前": "before", "之后": "after", "之後": "after", "以后": "after", "以後": "after",
    "以来": "since", "以來": "since",
}  # fmt: skip
_STEPS = {"天": "day", "周": "week", "星期": "week", "月": "month", "年": "year"}


@dataclass(frozen=True, slots=True)
class Anchor:
    """A time expression that names an event."""

    event: str
    relation: str
    """``before``, ``after``, ``since`` or ``until``."""
    step: str
    """``tuesday``, ``day``, ``week``, ``month``, ``year``: the one next to the event; "": all the time."""
    start: int
    end: int


def read_anchor(question: str) -> Anchor | None:
    """Return the first time expression in ``question`` that names an event, or None. Never raises."""
    if match := _ENGLISH.search(question):
        step, relation = (match["step"] or "").lower(), match["relation"].lower()
        return Anchor(match["event"].strip(), relation, step, match.start(), match.end())
    if match := _CHINESE.search(question):
        day, step = match["day"], _STEPS.get(match["step"] or "", "")
        if day:
            step = WEEKDAYS[weekday_number(day)]
        return Anchor(match["event"], _RELATIONS[match["relation"]], step, match.start(), match.end())
    return None


def range_beside(anchor: Anchor, start: int, end: int) -> tuple[int | None, int | None]:
    """Return the time that ``anchor`` means if its event lasted from ``start`` to ``end`` (exclusive).

    Milliseconds since 1970; None: open.
    """
    if not anchor.step:
        ranges = {"before": (None, start), "until": (None, end), "since": (start, None), "after": (end, None)}
        return ranges[anchor.relation]
    zone = local_zone()
    forward = anchor.relation in ("after", "since")
    if anchor.step in WEEKDAYS:
        day = local_time(end if forward else start, zone)
        day = begin_of(day, "day") - timedelta(days=0 if forward else 1)
        while day.weekday() != WEEKDAYS.index(anchor.step):
            day += timedelta(days=1 if forward else -1)
        return milliseconds(day, zone), milliseconds(day + timedelta(days=1), zone)
    if forward:
        return end, milliseconds(shift(local_time(end, zone), 1, anchor.step), zone)
    return milliseconds(shift(local_time(start, zone), -1, anchor.step), zone), start
