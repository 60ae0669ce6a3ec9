"""Commands that ask: search, query."""

from __future__ import annotations

import json as jsonlib
import os
import time as clock
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos_cli.cli.context import (
    After,
    AsOf,
    Before,
    Model,
    Now,
    Restriction,
    Source,
    Tags,
    Types,
    View,
    make_filter,
    nothing_found,
    read_time,
    state_of,
    with_global_options,
)
from memos_cli.cli.inputs import read_argument, read_requests
from memos_cli.cli.output import excerpt
from memos_cli.cli.rows import SENTENCES, place, sources
from memos_cli.counts import counted
from memos_cli.errors import UsageError
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.cube import Filter, Plan
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.results import Answer

SHOWN = 8
"""Memories that `query --explain` tells a person were left out."""
_LOADED = clock.perf_counter()

Batch = Annotated[
    str, typer.Option("--batch", metavar="FILE", help="Many requests, one a line, from FILE or - (stdin).")
]


def register(app: typer.Typer) -> None:
    app.command()(with_global_options(search))
    app.command()(with_global_options(query))


def search(
    ctx: typer.Context,
    words: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, or - for stdin.")] = "",
    k: Annotated[int, typer.Option("-k", help="How many results; 0: the setting search.k.", min=0)] = 0,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    as_of: AsOf = "",
    now: Now = "",
    batch: Batch = "",
    view: View = None,
) -> None:
    """Find memories by their words and their meaning.

    With --batch, each line is plain text, or {"query": …, "k": …, "tag": …, "type": …, "source": …,
    "after": …, "before": …}, and each answer is {"query": …, "results": […]}.

    \b
    Example:
      memos search "when are backups made" -k 3
      memos search 气候政策 --after 30d --json
    """
    from memos_cli.cli.rows import hit_row

    if batch and words:
        raise UsageError("a query and --batch do not go together", "put the query into the batch")
    if batch and as_of:
        raise UsageError("--as-of and --batch do not go together", "search as of a time one by one")
    state = state_of(ctx)
    output = state.output
    wanted = Restriction(tag, type, source, after, before)
    with state.open() as memos:
        moment = read_time(memos, now) if now else None
        if batch:

            def find(request: str, filter: Filter, k: int) -> dict[str, Any]:
                found = memos.search(request, filter=filter, k=k, now=moment)
                return {"query": request, "results": [hit_row(hit) for hit in found.hits]}

            _answer_batch(ctx, memos, batch, wanted, k, find)
            return
        filter = make_filter(memos, state.view, wanted)
        at = read_time(memos, as_of) if as_of else None
        found = memos.search(read_argument(output, words), filter=filter, k=k, at=at, now=moment)
        nothing = "" if found.hits else nothing_found(memos)
    for note in found.notes:
        output.note(f"note: {note}")
    if output.json:
        for hit in found.hits:
            output.record(hit_row(hit))
        return
    output.table(
        ("score", "id", "text", "from"),
        [(f"{hit.score:.2f}", hit.cube.id, hit.cube.text, place(hit.cube)) for hit in found.hits],
    )
    if nothing:
        output.note(nothing)


def query(
    ctx: typer.Context,
    question: Annotated[str, typer.Argument(help="The question, or - for stdin.")] = "",
    model: Model = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the plan; do not run the model.")] = False,
    max_tokens: Annotated[int, typer.Option(help="Length of the answer; 0: the setting.", min=0)] = 0,
    temperature: Annotated[float | None, typer.Option(help="Randomness; 0: none.", min=0)] = None,
    seed: Annotated[int, typer.Option(help="Seed of the randomness.")] = 0,
    system: Annotated[str, typer.Option(help="Instructions that replace the default ones.")] = "",
    quote: Annotated[bool, typer.Option("--quote", help="Answer with sentences of your memories.")] = False,
    generate: Annotated[bool, typer.Option("--generate", help="Let the model write the answer.")] = False,
    text: Annotated[
        bool, typer.Option("--text", help="Read memories as text, even if a saved state exists.")
    ] = False,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    now: Now = "",
    batch: Batch = "",
    view: View = None,
) -> None:
    """Answer a question from your memories, and list the sources.

    The answer quotes up to three sentences word for word, the most likely first. The model writes the answer
    with --generate, if it has a billion parameters or more, or if an adapter was trained on the answer. The
    setting query.answer changes the default. A time in the question ("last month", "上个月") restricts the
    search. If no memory answers the question, memos says so and names the nearest one. --batch works as in
    `memos search`; each answer line is the object of --json.

    \b
    Example:
      memos query "Which port does the staging database use?"
      memos query "What did we decide last month?" --explain
      memos query "Summarize the meeting" --generate
    """
    from memos_cli.cli.rows import answer_row, plan_row, source_rows

    if batch and question:
        raise UsageError("a question and --batch do not go together", "put the question into the batch")
    if quote and generate:
        raise UsageError("--quote and --generate do not go together", "choose one")
    state = state_of(ctx)
    output = state.output
    wanted = Restriction(tag, type, source, after, before)
    with state.open(reader=model) as memos:
        from memos_cli.interface.memory import Manner

        moment = read_time(memos, now) if now else None
        way = "quote" if quote else "model" if generate else ""
        manner = Manner(max_tokens, temperature, seed, system, state.view, text, moment, way)
        ask = partial(memos.query, manner=manner)
        if batch:
            _answer_batch(
                ctx, memos, batch, wanted, 0,
                lambda request, filter, _: {"query": request, **answer_row(ask(request, filter=filter))},
            )  # fmt: skip
            return
        filter = make_filter(memos, state.view, wanted)
        request = read_argument(output, question)
        if explain:
            plan = memos.plan(request, filter=filter, manner=manner)
            if output.json:
                output.record({"question": request, "plan": plan_row(plan), "sources": source_rows(plan)})
            else:
                _print_plan(output.text, plan)
            return
        if output.json:
            output.record(answer_row(ask(request, filter=filter, started=process_age())))
            return
        # A written answer is printed as it is generated; a quoted one follows with its sources.
        answer = ask(
            request,
            filter=filter,
            started=process_age(),
            on_text=lambda text: output.text(text, end=""),
        )
        output.text("")
        if answer.mode == "quote":
            _print_places(output.text, answer)
        elif answer.answered:
            _print_sources(output.text, answer)
        if not answer.answered and answer.nearest:
            output.text(
                f"The nearest memory: {excerpt(answer.nearest.cube.text, 90)} — {place(answer.nearest.cube)}"
            )
        if not answer.answered and not answer.nearest and memos.is_empty():
            output.note(nothing_found(memos))
        for note in answer.plan.notes:
            output.note(f"note: {note}")
        if answer.unsupported:
            output.note(f"note: unsupported by the sources: {', '.join(answer.unsupported)}")


def _print_places(write: Callable[[str], None], answer: Answer) -> None:
    """Print the sources of a quoted answer, each memory once, in the order of the quotes."""
    if answer.quotes:
        write("\nFrom:")
    first = {quote.label: quote for quote in reversed(answer.quotes)}  # each memory once
    for quote in sorted(first.values(), key=answer.quotes.index):
        cube = quote.cube
        day = "" if cube.time is None else f", {show_time(cube.time)[:10]}"
        columns = f" ({excerpt(quote.columns, 60)})" if quote.columns else ""
        name = excerpt(cube.author or cube.title or cube.text, 60)
        write(f"[{quote.label}] {name}{columns}{day} — {place(cube)}")


def _print_sources(write: Callable[[str], None], answer: Answer) -> None:
    plan = answer.plan
    if plan.chosen:
        write("\nSources:")
    found = sources(plan, answer.order)
    for item in found:
        cube = item.hit.cube
        write(f"[{item.label}] {excerpt(cube.title or cube.text, 60)} — {place(cube)}")
    if more := len(plan.chosen) - len(found):
        write(f"(and {counted(more, 'more that is', 'more that are')} pinned, or of the same document)")


def _print_plan(write: Callable[[str], None], plan: Plan) -> None:
    call = plan.call
    write(f"intent     {call.intent}")
    write(f"topics     {', '.join(call.topics)}")
    if call.when:
        after, before = ("…" if time is None else show_time(time) for time in (call.after, call.before))
        write(f"time       {call.when}: {after} to {before}{', ranks only' if call.forward else ''}")
    retrieved = sum(item.tokens for item in plan.chosen if item.part == "retrieved")
    write(f"memory     {counted(plan.tokens, 'token')}, {retrieved} of {plan.budget} for retrieved memories")
    if plan.reuse and plan.reuse.miss:
        write(f"activation: miss ({plan.reuse.miss}), state {plan.reuse.id}")
    elif plan.reuse:
        write(f"activation: hit, {counted(plan.reuse.tokens, 'token')} from the state of {plan.reuse.id}")
    for adapter in plan.adapters:
        write(f"adapter    {adapter.name}, {adapter.id}, at {adapter.scale:g}, from the question on")
        if near := adapter.likeness:
            write(f"           it has learned {near.question!r}, {near.value:.2f} like this one")
    for item in plan.chosen:
        why = "  ".join(f"{name} {value}" for name, value in item.hit.why.items())
        write(f"\n[{item.label}] as {item.form}, {counted(item.tokens, 'token')}, {item.hit.cube.id}")
        for each in item.hit.sentences[:SENTENCES]:
            write(f"    {each.score:.2f}  {excerpt(item.hit.cube.text[each.start : each.end], 90)}")
        write(f"    {why}")
    if plan.left_out:
        write("\nleft out:")
    for left in plan.left_out[:SHOWN]:
        write(f"    {left.hit.cube.id}  {excerpt(left.hit.cube.text, 50)}  — {left.reason}")
    if len(plan.left_out) > SHOWN:
        write(f"    and {len(plan.left_out) - SHOWN} more, with --json")
    for note in plan.notes:
        write(f"\nnote: {note}")


def _answer_batch(
    ctx: typer.Context,
    memos: Memos,
    file: str,
    usual: Restriction,
    k: int,
    answer: Callable[[str, Filter, int], dict[str, Any]],
) -> None:
    """Answer each line of ``file`` with one JSON line; a bad line gets an error, and the exit code is 3."""
    state, failed = state_of(ctx), 0
    for line in read_requests(state.output, file):
        request: dict[str, Any] = {"query": line}
        try:
            if line.startswith(("{", "\0")):
                request = _request(line)
            own = Restriction(
                tags=_listed(request, "tag", "tags") or usual.tags,
                types=_listed(request, "type", "types") or usual.types,
                source=str(request.get("source", usual.source)),
                after=str(request.get("after", usual.after)),
                before=str(request.get("before", usual.before)),
            )
            filter = make_filter(memos, str(request.get("view", state.view)), own)
            state.output.record(answer(request["query"], filter, request.get("k", k)))
        except UsageError as error:
            failed += 1
            problem = {"message": str(error), "hint": error.hint, "code": error.code}
            state.output.record({"query": request["query"], "error": problem})
    if failed:
        raise typer.Exit(3)


def _request(line: str) -> dict[str, Any]:
    try:
        request = jsonlib.loads(line)
        jsonlib.dumps(request, ensure_ascii=False).encode()  # half a surrogate pair is not text
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict) or not isinstance(request.get("query"), str):
        raise UsageError("not a request", 'write plain text in UTF-8, or {"query": "…", "k": 5}')
    k = request.get("k", 0)
    if not isinstance(k, int) or not 0 <= k < 1 << 31:
        raise UsageError("k is not a number of results", 'write {"query": "…", "k": 5}')
    return request


def _listed(request: dict[str, Any], *names: str) -> list[str]:
    """A value that may be one text or a list of them, under either name."""
    for name in names:
        value = request.get(name)
        values = [value] if isinstance(value, str) else value or []
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise UsageError(f"{name} is neither a text nor a list of texts", f'write "{name}": ["…"]')
        if values:
            return values
    return []


def process_age() -> float:
    """Seconds since this process was started, as the kernel knows it (Linux); else since its imports."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return clock.clock_gettime(clock.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return clock.perf_counter() - _LOADED
