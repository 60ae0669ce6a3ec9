"""Date the events that questions name ("before I moved to Berlin") from memory.

A memory dates an event if it matches the event well, and its text or its own fields have a time. If no memory
does, the question has no time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from memos_cli.cube import Cube, Filter, MemoryCall
from memos_cli.interface.ask.question_parser import Parsed
from memos_cli.interface.ask.retrieval import retrieve
from memos_cli.interface.session import Session
from memos_cli.interface.time.dates import milliseconds
from memos_cli.interface.time.event_phrases import range_beside
from memos_cli.interface.time.periods import begin_of
from memos_cli.interface.time.times import local_time, parse_range
from memos_cli.zones import local_zone

SURE = 0.6
"""The least relevance of a memory that dates an event."""
ASKED = 5
"""The maximum memories that may date it."""


def resolve_times(session: Session, parsed: Parsed, filter: Filter) -> tuple[MemoryCall, tuple[str, ...]]:
    """Return a parsed question with the time of the event that it names, and a note on that."""
    event = parsed.event
    if event is None:
        return parsed.call, ()
    anchor = event.anchor
    for hit in retrieve(session, anchor.event, event.call, filter=filter, k=ASKED).hits:
        if hit.relevance >= SURE and (period := _period_of(hit.cube)):
            after, before = range_beside(anchor, *period)
            note = f"{event.dated.when!r} was dated from memory {hit.cube.id}"
            return replace(event.dated, after=after, before=before), (note,)
    return parsed.call, ()


def _period_of(cube: Cube) -> tuple[int, int] | None:
    """Return the time in the text of a memory, or else the day of its own time; None without both."""
    then = cube.created if cube.time is None else cube.time
    zone = local_zone()
    after, before = parse_range(cube.text, now=then, zone=zone) or (None, None)
    if after is not None and before is not None:
        return after, before
    if cube.time is None:
        return None
    day = begin_of(local_time(cube.time, zone), "day")
    return milliseconds(day, zone), milliseconds(day + timedelta(days=1), zone)
