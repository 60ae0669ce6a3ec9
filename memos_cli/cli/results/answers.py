"""Answers and plans: as JSON objects, and as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from memos_cli.cli.output import excerpt, time_of
from memos_cli.cli.results.memories import hit_row, pick, place
from memos_cli.counts import counted
from memos_cli.cube import Attached, Hit, Injection, Plan, Quote
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.interface.ask.chat_session import ChatTurn
    from memos_cli.interface.results import Answer

SENTENCES = 3
"""The number of best sentences of a memory to show with a plan, or without an answer."""
SHOWN = 8
"""The maximum memories left out that `query --explain` lists."""


def plan_row(plan: Plan) -> dict[str, Any]:
    """Return a plan as a row: the memories in the prompt, their forms, and those left out."""
    call, reuse = plan.call, plan.reuse
    times = {"after": time_of(call.after), "before": time_of(call.before)}
    return {
        "call": {**pick(call, "intent topics types"), **times, **pick(call, "when forward")},
        **pick(plan, "budget tokens"),
        "chosen": [_chosen_row(item) for item in plan.chosen],
        "left_out": [
            {"id": item.hit.cube.id, "score": item.hit.score, "reason": item.reason} for item in plan.left_out
        ],
        "notes": list(plan.notes),
        "activation": reuse
        and {"result": "miss" if reuse.miss else "hit", "reason": reuse.miss, **pick(reuse, "id tokens")},
        "adapters": [_attached_row(each) for each in plan.adapters],
    }


def _chosen_row(item: Injection) -> dict[str, Any]:
    hit = item.hit
    sentences = [
        {
            "text": hit.cube.text[each.start : each.end],
            "score": round(each.score, 4),
            "cosine": None if each.cosine is None else round(each.cosine, 3),
        }
        for each in hit.sentences[:SENTENCES]
    ]
    row = {"label": item.label, "id": hit.cube.id, **pick(item, "form part found tokens")}
    return {**row, "score": hit.score, "why": dict(hit.why), "sentences": sentences}


def _attached_row(adapter: Attached) -> dict[str, Any]:
    near = adapter.likeness
    likeness = {"learned": near and near.question, "likeness": near and round(near.value, 4)}
    return {**pick(adapter, "id name scale"), **likeness}


def source_rows(plan: Plan, order: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Return the rows of ``sources``."""
    return [{"label": item.label, **hit_row(item.hit)} for item in sources(plan, order)]


def sources(plan: Plan, order: Sequence[int] = ()) -> list[Injection]:
    """Return the memories of a plan that were found for the question, by label or in ``order`` of labels."""
    place_of = {label: at for at, label in enumerate(order)}
    found = [item for item in plan.chosen if item.found]
    return sorted(found, key=lambda item: place_of.get(item.label, item.label))


def quote_row(quote: Quote) -> dict[str, Any]:
    """Return a quoted sentence and its source as a row."""
    return {
        "label": quote.label,
        "id": quote.cube.id,
        "text": quote.text,
        **pick(quote.cube, "author title"),
        **pick(quote, "heading columns"),
        **pick(quote.cube, "time source span"),
        "characters": [quote.start, quote.end],
        "score": quote.score,
    }


def answer_row(answer: Answer) -> dict[str, Any]:
    """Return an answer with its plan and sources."""
    return {
        **pick(answer, "question answer answered mode"),
        "quotes": [quote_row(quote) for quote in answer.quotes],
        "support": pick(answer, "unsupported stopped"),
        "nearest": nearest_row(answer.nearest) if answer.nearest else None,
        "model": answer.model,
        "plan": plan_row(answer.plan),
        "sources": source_rows(answer.plan, answer.order),
        "timings": dict(answer.timings),
    }


def turn_row(turn: ChatTurn, chat: str) -> dict[str, Any]:
    """Return a turn of a chat: its answer, and how many tokens were read for it."""
    counts = {name: turn.answer.tokens.get(name, 0) for name in ("prompt", "read", "reused")}
    return {
        "chat": chat,
        **pick(turn, "turn follows"),
        "stored": list(turn.ids),
        "tokens": {**counts, "read_ahead": turn.read_ahead, "folded_turns": turn.folded},
        "notes": list(turn.notes),
        **answer_row(turn.answer),
    }


def quoted_lines(answer: Answer) -> Iterator[str]:
    """Yield the sources of a quoted answer, each memory once, in the order of the quotes."""
    if answer.quotes:
        yield "\nFrom:"
    first = {quote.label: quote for quote in reversed(answer.quotes)}  # each memory once
    for quote in sorted(first.values(), key=answer.quotes.index):
        cube = quote.cube
        day = "" if cube.time is None else f", {show_time(cube.time)[:10]}"
        columns = f" ({excerpt(quote.columns, 60)})" if quote.columns else ""
        name = excerpt(cube.author or cube.title or cube.text, 60)
        yield f"[{quote.label}] {name}{columns}{day} — {place(cube)}"


def source_lines(answer: Answer) -> Iterator[str]:
    """Yield the sources of a written answer."""
    plan = answer.plan
    if plan.chosen:
        yield "\nSources:"
    found = sources(plan, answer.order)
    for item in found:
        cube = item.hit.cube
        yield f"[{item.label}] {excerpt(cube.title or cube.text, 60)} — {place(cube)}"
    if more := len(plan.chosen) - len(found):
        yield f"(and {counted(more, 'more that is', 'more that are')} pinned, or of the same document)"


def nearest_row(hit: Hit) -> dict[str, Any]:
    """Return the memory nearest to a question without an answer, with its best sentences."""
    return {**hit_row(hit), "sentences": _best_sentences(hit)}


def nearest_line(hit: Hit) -> str:
    """Return the line for the memory nearest to a question without an answer: its best sentences."""
    best = " … ".join(excerpt(text, 160) for text in _best_sentences(hit))
    return f"The nearest memory: {best or excerpt(hit.cube.text, 90)} — {place(hit.cube)}"


def _best_sentences(hit: Hit) -> list[str]:
    return [hit.cube.text[each.start : each.end] for each in hit.sentences[:SENTENCES]]


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines of `query --explain`."""
    call = plan.call
    yield f"intent     {call.intent}"
    yield f"topics     {', '.join(call.topics)}"
    if call.when:
        after, before = ("…" if time is None else show_time(time) for time in (call.after, call.before))
        yield f"time       {call.when}: {after} to {before}{', ranks only' if call.forward else ''}"
    retrieved = sum(item.tokens for item in plan.chosen if item.part == "retrieved")
    yield f"memory     {counted(plan.tokens, 'token')}, {retrieved} of {plan.budget} for retrieved memories"
    yield from _shortcut_lines(plan)
    for item in plan.chosen:
        why = "  ".join(f"{name} {value}" for name, value in item.hit.why.items())
        yield f"\n[{item.label}] as {item.form}, {counted(item.tokens, 'token')}, {item.hit.cube.id}"
        for each in item.hit.sentences[:SENTENCES]:
            yield f"    {each.score:.2f}  {excerpt(item.hit.cube.text[each.start : each.end], 90)}"
        yield f"    {why}"
    if plan.left_out:
        yield "\nleft out:"
    for left in plan.left_out[:SHOWN]:
        yield f"    {left.hit.cube.id}  {excerpt(left.hit.cube.text, 50)}  — {left.reason}"
    if len(plan.left_out) > SHOWN:
        yield f"    and {len(plan.left_out) - SHOWN} more, with --json"
    for note in plan.notes:
        yield f"\nnote: {note}"


def _shortcut_lines(plan: Plan) -> Iterator[str]:
    """Yield the saved state and the adapters of a plan."""
    if plan.reuse and plan.reuse.miss:
        yield f"activation: miss ({plan.reuse.miss}), state {plan.reuse.id}"
    elif plan.reuse:
        yield f"activation: hit, {counted(plan.reuse.tokens, 'token')} from the state of {plan.reuse.id}"
    for adapter in plan.adapters:
        yield f"adapter    {adapter.name}, {adapter.id}, at {adapter.scale:g}, from the question on"
        if near := adapter.likeness:
            yield f"           trained on {near.question!r}, similarity {near.value:.2f}"
