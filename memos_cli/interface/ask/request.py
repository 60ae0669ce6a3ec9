"""A question on its way to an answer: parsed, with its times resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memos_cli.cube import Filter, MemoryCall
from memos_cli.errors import UsageError
from memos_cli.interface.ask.event_times import resolve_times
from memos_cli.interface.ask.follow_up import Follows, follow_up
from memos_cli.interface.ask.question_parser import parse
from memos_cli.interface.options import AnswerOptions
from memos_cli.interface.results import SearchResult
from memos_cli.interface.session import ignore
from memos_cli.zones import local_zone

if TYPE_CHECKING:
    from memos_cli.interface.session import Session
    from memos_cli.operation.ask.chat_prompt import Conversation, Turn


def never() -> bool:
    """Return False: the answer is not stopped."""
    return False


@dataclass(frozen=True, slots=True)
class Request:
    """A question with its parsed form."""

    question: str
    filter: Filter
    """Which memories may be used."""
    options: AnswerOptions
    call: MemoryCall
    notes: tuple[str, ...] = ()
    found: dict[tuple[str, Filter], SearchResult] = field(default_factory=dict)
    """What was retrieved for the plans of this question, by words and filter: each is retrieved once."""
    conversation: Conversation | None = None
    """The turns of a chat before the question, if the model reads them."""
    follows: Follows | None = None
    """The earlier texts that the search of this question needs."""
    own: frozenset[int] = frozenset()
    """The memories that are turns of this conversation, by row number: the model reads them already."""
    is_stopped: Callable[[], bool] = never
    """Whether the user has stopped the answer."""
    on_text: Callable[[str], None] = ignore
    """Gets the answer in pieces."""
    begin: float = 0.0
    """When the question came (``time.perf_counter``)."""
    started: float = 0.0
    """How many seconds the process ran before that."""


def read_request(
    session: Session, question: str, filter: Filter, options: AnswerOptions, last: Turn | None = None
) -> Request:
    """Parse a question and date the events that it names; ``last`` is the previous turn of the chat.

    Raises UsageError if the question is empty.
    """
    if not question.strip():
        raise UsageError("the question is empty", "type a question")
    now = session.now() if options.now is None else options.now
    parsed = parse(question, now=now, zone=local_zone())
    call, notes = resolve_times(session, parsed, filter) if parsed.event else (parsed.call, ())
    call, follows = follow_up(call, last) if last else (call, None)
    return Request(question, filter, options, call, notes, follows=follows)
