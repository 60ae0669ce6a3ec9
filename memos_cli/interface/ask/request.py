"""A question on its way to an answer: parsed, with its times resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memos_cli.cube import Filter, MemoryCall
from memos_cli.errors import UsageError
from memos_cli.interface.ask.event_times import resolve_times
from memos_cli.interface.ask.question_parser import parse
from memos_cli.interface.options import AnswerOptions
from memos_cli.interface.results import SearchResult
from memos_cli.zones import local_zone

if TYPE_CHECKING:
    from memos_cli.interface.session import Session


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, and what was understood of it."""

    question: str
    filter: Filter
    """Which memories may be used."""
    options: AnswerOptions
    call: MemoryCall
    notes: tuple[str, ...] = ()
    found: dict[tuple[str, Filter], SearchResult] = field(default_factory=dict)
    """What was retrieved for the plans of this question, by words and filter: each is retrieved once."""


def read_request(session: Session, question: str, filter: Filter, options: AnswerOptions) -> Request:
    """Parse a question and date the events that it names. Raises UsageError if it is empty."""
    if not question.strip():
        raise UsageError("the question is empty", "type a question")
    now = session.now() if options.now is None else options.now
    parsed = parse(question, now=now, zone=local_zone())
    call, notes = resolve_times(session, parsed, filter) if parsed.event else (parsed.call, ())
    return Request(question, filter, options, call, notes)
