"""Answer one question: by quoting memories, or with a model that reads them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

from memos_cli.cube import Filter, Plan, Quote
from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure.derived import adapters
from memos_cli.interface.ask.planning import make_plan_for, nearest
from memos_cli.interface.ask.request import Request, read_request
from memos_cli.interface.ask.usage import record_use
from memos_cli.interface.options import AnswerOptions
from memos_cli.interface.results import NOTHING, Answer
from memos_cli.interface.selection import promptable
from memos_cli.interface.session import Session
from memos_cli.moments import format_time
from memos_cli.operation.ask.prompt_layout import CITES_FROM
from memos_cli.operation.ask.quoting import choose_quotes
from memos_cli.operation.states.activation import Restored

_CODE = ("```", "~~~", "|")
_WRAP = re.compile(r"(\S)[ \t]*\r?\n[ \t]*(\S)")


def query(
    session: Session,
    question: str,
    *,
    filter: Filter,
    options: AnswerOptions,
    started: float,
    on_text: Callable[[str], None],
) -> Answer:
    """Answer by quoting or by the model, as ``options`` or the settings say; record the memories used."""
    with session.vault.model_in_use():
        begin = time.perf_counter()
        request = read_request(session, question, promptable(session, filter), options)
        request = replace(request, on_text=on_text, begin=begin, started=started)
        return answer_request(session, request, is_quoted=is_quoted(session, request))


def answer_request(session: Session, request: Request, *, is_quoted: bool) -> Answer:
    """Answer a request, and record the shown memories in the audit."""
    if is_quoted:
        answer = _quote(session, request)
    else:
        from memos_cli.interface.ask.generation import generate

        answer = generate(session, request) or _answer_without_adapters(session, request)
    # Quoted and prompted memories have audit rows already; the user also sees these.
    hits = [each.hit for each in answer.plan.chosen] if answer.mode == "quote" else []
    hits += [answer.nearest] if answer.nearest else []
    seen = {hit.cube.n: hit.cube for hit in hits}
    session.audit_reads("search", [seen[n] for n in seen.keys() - {quote.cube.n for quote in answer.quotes}])
    return answer


def explain(session: Session, question: str, *, filter: Filter, options: AnswerOptions) -> Plan:
    """Return the plan of ``query`` and the state that it would use, without loading the model or a state."""
    request = read_request(session, question, promptable(session, filter), options)
    if is_quoted(session, request):
        plan = make_plan_for(session, None, request)
    else:
        from memos_cli.interface.ask.generation import foresee

        plan = foresee(session, request)
    hits = [each.hit for each in plan.chosen] + [each.hit for each in plan.left_out]
    session.audit_reads("search", [*{hit.cube.n: hit.cube for hit in hits}.values()])
    return plan


def is_quoted(session: Session, request: Request) -> bool:
    """Return whether sentences of memories answer the question, rather than the model.

    ``auto`` uses the model if it has a billion parameters or more, or if an adapter that passed its gate
    was trained on the answer."""
    wanted = request.options.answer or session.settings.query_answer
    if wanted != "auto":
        return wanted == "quote"
    try:
        if session.parameters >= CITES_FROM:
            return False
    except ModelUnfit:
        if session.settings.reader or session.server:  # report a misspelt path, a server that is down
            raise
        return True
    if request.options.text_only or not adapters.is_any_used(session.vault.connection):
        return True
    with session.open_vocabulary() as engine:
        return not make_plan_for(session, engine, request).adapters


def _answer_without_adapters(session: Session, request: Request) -> Answer:
    """Answer without adapters, after an adapter gave an answer that it was not trained on."""
    from memos_cli.interface.ask.generation import generate

    request = replace(request, options=replace(request.options, text_only=True))
    answer = (_quote if is_quoted(session, request) else generate)(session, request)
    assert answer is not None, "only an adapter has learned anything"
    note = "adapter: not used (its answer is not one of the facts that it was trained on)"
    return replace(answer, plan=replace(answer.plan, notes=(*answer.plan.notes, note)))


def _quote(session: Session, request: Request) -> Answer:
    """Answer with the best sentences of memories. Opens no model."""
    plan = make_plan_for(session, None, request)
    quotes = choose_quotes(plan.chosen, words=session.settings.query_words, disputed=plan.disputed)
    dated = {label for pair in plan.disputed for label in pair}
    text = "\n".join(_line(quote, is_dated=quote.label in dated) for quote in quotes) or NOTHING
    request.on_text(text)
    used = {quote.cube.n: quote.cube for quote in quotes}
    record_use(
        session, list(used.values()), Restored(),
        question=request.question if request.options.log else "", forms=dict.fromkeys(used, "text"),
    )  # fmt: skip
    total = time.perf_counter() - request.begin
    timings = {"start": request.started, "search": total, "total": request.started + total}
    return Answer(
        request.question, text, plan, "", {name: round(seconds, 4) for name, seconds in timings.items()},
        mode="quote", answered=bool(quotes), quotes=quotes, nearest=None if quotes else nearest(plan),
        order=tuple(dict.fromkeys([*(each.label for each in quotes), *(each.label for each in plan.chosen)])),
    )  # fmt: skip


def _line(quote: Quote, *, is_dated: bool) -> str:
    line, time = quote_line(quote.cube.author, quote.text), quote.cube.time
    return f"{line} ({format_time(time)[:10]})" if is_dated and time is not None else line


def quote_line(author: str, text: str) -> str:
    """Return a quoted sentence for an answer, with its speaker and with wrapped lines joined."""
    said = text if text.lstrip().startswith(_CODE) else _WRAP.sub(_unwrapped, text)
    return f"{author}: {said}" if author else said


def _unwrapped(wrap: re.Match[str]) -> str:
    """Join two wrapped lines: with a space, but without one between Chinese or Japanese characters."""
    is_wide = wrap[1] >= "\u2e80" and wrap[2] >= "\u2e80"
    return wrap[1] + wrap[2] if is_wide else f"{wrap[1]} {wrap[2]}"
