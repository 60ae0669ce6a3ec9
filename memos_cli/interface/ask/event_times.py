"""Times that are told by what happened then: "before I moved to Berlin", "the Tuesday after the launch".

The words are read by rules; when it happened is looked up in memory: a memory that fits them well, and tells
of a time or has one. What memory does not know is no time, and the question is read as if it told none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from memos_cli.interface.ask.question_parser import read_question
from memos_cli.interface.time.dates import milliseconds
from memos_cli.interface.time.periods import begin_of, shift
from memos_cli.interface.time.times import TimeRange, find_range, local_time
from memos_cli.moments import WEEKDAYS
from memos_cli.zones import local_zone

if TYPE_CHECKING:
    from memos_cli.cube import Cube, Filter, MemoryCall
    from memos_cli.interface.memory import Memos

SURE = 0.6
"""The relevance that a memory needs to tell when something was."""
ASKED = 5
"""Memories that may tell it."""

_CJK_DAYS = "一二三四五六日"
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
    """A time that is told by an event."""

    event: str
    relation: str
    """``before``, ``after``, ``since`` or ``until``."""
    step: str
    """``tuesday``, ``day``, ``week``, ``month``, ``year``: the one beside the event; "" for all that time."""
    start: int
    end: int


def read_anchor(question: str) -> Anchor | None:
    """The first time of ``question`` that is told by an event; None where there is none. Never raises."""
    if match := _ENGLISH.search(question):
        step, relation = (match["step"] or "").lower(), match["relation"].lower()
        return Anchor(match["event"].strip(), relation, step, match.start(), match.end())
    if match := _CHINESE.search(question):
        day, step = match["day"], _STEPS.get(match["step"] or "", "")
        if day:
            step = WEEKDAYS[_CJK_DAYS.index("日" if day == "天" else day)]
        return Anchor(match["event"], _RELATIONS[match["relation"]], step, match.start(), match.end())
    return None


def understand(
    memos: Memos, question: str, filter: Filter, *, now: int
) -> tuple[MemoryCall, tuple[str, ...]]:
    """What a question asks for, with the time that memory knows of an event in it; and a note of that."""
    zone = local_zone()
    call = read_question(question, now=now, zone=zone)
    anchor = None if call.when else read_anchor(question)
    if anchor is None:
        return call, ()
    event = read_question(anchor.event, now=now, zone=zone)
    hits = memos.find(anchor.event, filter=filter, k=ASKED, call=event).hits
    for hit in hits:
        if hit.relevance >= SURE and (told := _told(hit.cube)):
            time = TimeRange(*_range(anchor, *told), anchor.start, anchor.end)
            note = f"{question[anchor.start : anchor.end].strip()!r} was dated from memory {hit.cube.id}"
            return read_question(question, now=now, zone=zone, time=time), (note,)
    return call, ()


def _told(cube: Cube) -> tuple[int, int] | None:
    """The time that a memory tells of, or else the day that it has."""
    then = cube.created if cube.time is None else cube.time
    told = find_range(cube.text, now=then, zone=local_zone())
    if told and told.after is not None and told.before is not None:
        return told.after, told.before
    if cube.time is None:
        return None
    zone = local_zone()
    day = begin_of(local_time(cube.time, zone), "day")
    return milliseconds(day, zone), milliseconds(day + timedelta(days=1), zone)


def _range(anchor: Anchor, start: int, end: int) -> tuple[int | None, int | None]:
    if not anchor.step:
        match anchor.relation:
            case "before":
                return None, start
            case "until":
                return None, end
            case "since":
                return start, None
            case _:
                return end, None
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
