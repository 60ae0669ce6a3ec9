"""One question, from its words to the answer: MemReader, MemOperator, MemScheduler, model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from memos_cli.cube import Filter, MemoryCall, Plan
from memos_cli.errors import UsageError
from memos_cli.interface.reader import read_question
from memos_cli.interface.results import Answer
from memos_cli.operation.injection import costs, make_prompt, room_for_memories
from memos_cli.operation.scheduler import make_plan
from memos_cli.runtime.engine import Engine

if TYPE_CHECKING:
    from memos_cli.interface.memory import Manner, Memos

NOTHING = "Nothing in memory answers this."
CANDIDATES = 40
"""Memories that a plan chooses from."""


def answer(
    memos: Memos,
    question: str,
    filter: Filter,
    manner: Manner,
    started: float,
    on_text: Callable[[str], None],
) -> Answer:
    """Plan, inject, generate; and note which memories were used."""
    settings, begin = memos.settings, time.perf_counter()
    engine = memos.engine
    loaded = time.perf_counter()
    plan = make_plan_for(memos, engine, question, filter, manner)
    planned = time.perf_counter()
    text, injected, first = "", 0.0, 0.0
    if plan.chosen:
        engine.clear()
        prompt = make_prompt(engine, plan, question, manner.system)
        engine.decode(prompt.prefix)
        injected = time.perf_counter() - planned
        engine.decode(prompt.question)
        for piece in engine.generate(
            limit=manner.max_tokens or settings.query_max_tokens,
            temperature=settings.query_temperature if manner.temperature is None else manner.temperature,
            seed=manner.seed,
        ):
            first = first or time.perf_counter() - planned
            text += piece
            on_text(piece)
        memos.use([injection.hit.cube for injection in plan.chosen])
    else:
        text = NOTHING
        on_text(text)
    timings = {
        "start": started,
        "search": planned - loaded,
        "load": loaded - begin,
        "inject": injected,
        "first_token": first,
        "total": started + time.perf_counter() - begin,
    }
    rounded = {name: round(seconds, 4) for name, seconds in timings.items()}
    return Answer(question, text.strip(), plan, memos.reader.name, rounded)


def make_plan_for(memos: Memos, engine: Engine, question: str, filter: Filter, manner: Manner) -> Plan:
    """What goes before the model. Raises UsageError when nothing is asked, or no room is left."""
    if not question.strip():
        raise UsageError("the question is empty", "type a question")
    settings = memos.settings
    call = read_question(question, now=memos.now())
    length = manner.max_tokens or settings.query_max_tokens
    room = room_for_memories(engine, question, manner.system, length)

    # "List", "summarize" and their like are words of the request; no memory on the topic need hold them.
    sought = " ".join(call.topics) if call.topics and call.intent != "recall" else question

    def choose(filter: Filter, relevance: float, *notes: str) -> Plan:
        found = memos.search(sought, filter=filter, k=CANDIDATES, aside=call.when)
        return make_plan(
            call, found.hits, costs(engine, found.hits),
            budget=min(settings.query_memory, room), most=settings.query_sources,
            relevance=relevance, notes=found.notes + notes,
        )  # fmt: skip

    usual = settings.query_relevance
    if not call.when:
        return choose(filter, usual)
    within = _within(filter, call)
    # A question for a time and nothing else is about all that was then, and what has no time was not.
    plan = choose(within, usual) if call.topics else choose(replace(within, undated=False), 0.0)
    if plan.chosen:
        return plan
    wider = choose(filter, usual, f"nothing fits from {call.when!r}; looked at all times")
    return wider if wider.chosen else plan


def _within(filter: Filter, call: MemoryCall) -> Filter:
    """``filter`` narrowed to the time that a question speaks of; memories without a time stay in."""
    if call.after is None and call.before is None:
        return filter
    after = max((t for t in (filter.after, call.after) if t is not None), default=None)
    before = min((t for t in (filter.before, call.before) if t is not None), default=None)
    return replace(filter, after=after, before=before, undated=True)
