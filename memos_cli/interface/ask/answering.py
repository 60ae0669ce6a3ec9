"""Answer one question: by quoting memories, or by a model that reads them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from memos_cli.cube import Filter, Plan, Quote, format_time
from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure.derived import adapters
from memos_cli.interface.ask.planning import Searched, make_plan_for, nearest
from memos_cli.interface.results import NOTHING, Answer
from memos_cli.operation.ask.prompt_layout import CITES_FROM
from memos_cli.operation.ask.quoting import choose_quotes
from memos_cli.operation.states.activation import Restored

if TYPE_CHECKING:
    from memos_cli.interface.memory import AnswerOptions, Memos

_CODE = ("```", "~~~", "|")
_WRAP = re.compile(r"(\S)[ \t]*\r?\n[ \t]*(\S)")


def answer(
    memos: Memos,
    question: str,
    filter: Filter,
    manner: AnswerOptions,
    started: float,
    on_text: Callable[[str], None],
) -> Answer:
    """Answer by quoting or by the model, as ``manner`` or the settings say; record the memories used."""
    searched: Searched = {}
    if is_quoted(memos, question, filter, manner, searched):
        return _quote(memos, question, filter, manner, started, on_text, searched)
    from memos_cli.interface.ask.generation import generate

    return generate(memos, question, filter, manner, started, on_text, searched)


def is_quoted(memos: Memos, question: str, filter: Filter, manner: AnswerOptions, searched: Searched) -> bool:
    """Return whether sentences of memories answer the question, rather than the model.

    ``auto`` uses the model if it has a billion parameters or more, or if an adapter that passed its gate
    was trained on the answer. What it finds is kept in ``searched``, for the plan of the answer."""
    wanted = manner.answer or memos.settings.query_answer
    if wanted != "auto":
        return wanted == "quote"
    try:
        if memos.reader.parameters >= CITES_FROM:
            return False
    except ModelUnfit:
        if memos.settings.reader:  # report a misspelt path
            raise
        return True
    if manner.text_only or not adapters.is_any_used(memos.vault.connection):
        return True
    with memos.open_vocabulary() as engine:
        return not make_plan_for(memos, engine, question, filter, manner, searched=searched).adapters


def _quote(
    memos: Memos,
    question: str,
    filter: Filter,
    manner: AnswerOptions,
    started: float,
    on_text: Callable[[str], None],
    searched: Searched,
) -> Answer:
    """Answer with the sentences of memories that answer best. Opens no model."""
    begin = time.perf_counter()
    plan = make_plan_for(memos, None, question, filter, manner, searched=searched)
    quotes = choose_quotes(plan.chosen, words=memos.settings.query_words, disputed=plan.disputed)
    dated = {label for pair in plan.disputed for label in pair}
    text = "\n".join(_line(quote, is_dated=quote.label in dated) for quote in quotes) or NOTHING
    on_text(text)
    used = {quote.cube.n: quote.cube for quote in quotes}
    memos.use(list(used.values()), Restored(), question=question, forms=dict.fromkeys(used, "text"))
    total = time.perf_counter() - begin
    timings = {"start": started, "search": total, "total": started + total}
    return Answer(
        question, text, plan, "", {name: round(seconds, 4) for name, seconds in timings.items()},
        mode="quote", answered=bool(quotes), quotes=quotes, nearest=None if quotes else nearest(plan),
        order=tuple(dict.fromkeys([*(each.label for each in quotes), *(each.label for each in plan.chosen)])),
    )  # fmt: skip


def _line(quote: Quote, *, is_dated: bool) -> str:
    line, time = quote_line(quote.cube.author, quote.text), quote.cube.time
    return f"{line} ({format_time(time)[:10]})" if is_dated and time is not None else line


def quote_line(author: str, text: str) -> str:
    """Return a quoted sentence for an answer: with its speaker, and wrapped lines joined."""
    said = text if text.lstrip().startswith(_CODE) else _WRAP.sub(_unwrapped, text)
    return f"{author}: {said}" if author else said


def _unwrapped(wrap: re.Match[str]) -> str:
    """Join two wrapped lines: with a space, but without one between Chinese or Japanese characters."""
    is_wide = wrap[1] >= "\u2e80" and wrap[2] >= "\u2e80"
    return wrap[1] + wrap[2] if is_wide else f"{wrap[1]} {wrap[2]}"


def explain(memos: Memos, question: str, filter: Filter, manner: AnswerOptions) -> Plan:
    """Return the plan of ``answer``, and which state it would use, without loading the model or a state."""
    searched: Searched = {}
    if is_quoted(memos, question, filter, manner, searched):
        return make_plan_for(memos, None, question, filter, manner, searched=searched)
    from memos_cli.interface.ask.generation import foresee

    return foresee(memos, question, filter, manner, searched)
