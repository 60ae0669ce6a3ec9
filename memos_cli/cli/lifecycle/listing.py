"""Commands that show memories: list, show, history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from memos_cli.cli.context import State, nothing_found
from memos_cli.cli.help_layout import FILTER, OUTPUT
from memos_cli.cli.inputs import read_time
from memos_cli.cli.output import excerpt, local_time, time_of
from memos_cli.cli.shared_options import AsOf, Filters, Id, opt
from memos_cli.errors import UsageError
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.interface.lifecycle.linking import LinkStep
    from memos_cli.interface.results import MemoryDetails


def list_(
    state: State,
    filters: Filters,
    limit: Annotated[int, opt("--limit -n", "At most N memories; 0 is all.", OUTPUT, min=0)] = 0,
    oldest: Annotated[bool, opt("--oldest", "Oldest first.", OUTPUT)] = False,
    states: Annotated[
        list[str] | None, opt("--state STATE", "In this state, such as archived; all: any.", FILTER)
    ] = None,
    payload: Annotated[str, opt("--payload FORM", "plaintext, activation or parametric.", FILTER)] = "",
    as_of: AsOf = "",
) -> None:
    """List memories, saved states and adapters, newest first.

    Example:
      memos list --tag work --after 30d
      memos list --state archived --json | jq -r .id
      memos list --payload activation
      memos list --as-of "last week"
    """
    from memos_cli.cli.results.derived import Derived
    from memos_cli.cube import PAYLOADS, STATES

    if payload not in ("", "plaintext") and (filters.tag or filters.type or filters.source):
        raise UsageError("--tag, --type and --source are for memories", f"memos list --payload {payload}")
    with state.open() as memos:
        filter = filters.read(memos)
        if states:
            filter = replace(filter, states=STATES if "all" in states else tuple(states))
        every = PAYLOADS if not filters.type else ("plaintext",)  # states and adapters have no semantic type
        filter = replace(filter, payloads=(payload,) if payload else every)
        derived = Derived(memos.activations(), memos.adapters())
        at = read_time(memos, as_of)
        read = memos.cubes if at is None else partial(memos.cubes_at, at)
        found = read(filter=filter, limit=limit or -1, newest=not oldest)
        state.output.listing(
            found,
            derived.record,
            "id, time, type, text, from",
            derived.cells,
            empty=lambda: nothing_found(memos),
        )


def show(
    state: State,
    id: Id,
    graph: Annotated[bool, opt("--graph", "Follow its links instead.")] = False,
    depth: Annotated[int, opt("--depth", "Number of links to follow with --graph.", min=1)] = 2,
) -> None:
    """Show a memory and check that its source still matches.

    The id of a saved state or an adapter shows what it was made from, and how an adapter passed its tests.

    Example:
      memos show 01K3ZQ
      memos show 01K3ZQ --graph --depth 3
    """
    if graph:
        _show_links(state, id, depth)
        return
    from memos_cli.cli.results.derived import derived_row
    from memos_cli.cli.results.memories import cube_row, pick

    with state.open() as memos:
        shown = memos.show(id)
    row, own = cube_row(shown.cube), derived_row(shown.activation, shown.parametric)
    places = [
        {**pick(each, "source span encoding reads"), "version": each.version or None} for each in shown.places
    ]
    states, adapters = ([each.id for each in made] for made in (shown.states, shown.adapters))
    record = {**row, "places": places, "states": states, "adapters": adapters, **own}
    state.output.result(record, *_lines(shown, row, *own.values()))


def _show_links(state: State, id: str, depth: int) -> None:
    from memos_cli.cli.results.memories import link_row, pick

    with state.open() as memos:
        steps = memos.walk(id, depth=depth)
    for step in steps:
        record = {"depth": step.depth, **pick(step.cube, "id text"), "link": link_row(step.link)}
        state.output.result(record, _step_line(step))


def _lines(shown: MemoryDetails, row: dict[str, Any], facts: dict[str, Any] | None = None) -> Iterator[str]:
    """Yield a memory, a state or an adapter for a person; ``facts`` are what only the last two have."""
    from memos_cli.cli.results.derived import (
        adapter_line,
        facts_lines,
        lessons_line,
        report_lines,
        state_line,
    )
    from memos_cli.cli.results.memories import TIMES

    skipped = {"text", "source", "span"}
    times = {name: getattr(shown.cube, name) for name in TIMES}
    row = {**row, **{name: show_time(time) for name, time in times.items() if time is not None}}
    parts = [row["text"]]
    if facts:
        skipped |= {"fingerprint", "report", "recipe", "sources"}
        if shown.parametric:
            facts = {**facts, "lessons": lessons_line(facts["lessons"])}
            recipe = ["recipe", *facts_lines(facts["recipe"])] if facts["recipe"] else []
            parts = ["\n".join(report_lines(facts["report"])), "\n".join(recipe)]
        read = [f"{each['part']:<9} {each['id']} version {each['version']}" for each in facts["sources"]]
        parts = [*filter(None, parts), "\n".join(read)]
        row |= {name.replace("_", " "): value for name, value in facts.items()}
    for name, value in row.items():
        if name not in skipped and value not in (None, "", [], False):
            yield f"{name:<9} {', '.join(value) if isinstance(value, list) else value}"
    for place in shown.places:
        is_edited = 0 < place.version < shown.cube.version
        edited = f"; it has version {place.version}, edited since" if is_edited else ""
        yield f"{'source':<9} {place.source}:{place.span.start}-{place.span.end} ({place.reads}{edited})"
    for state in shown.states:
        yield f"{'saved in':<9} {state.id}  {state_line(state)}"
    for adapter in shown.adapters:
        yield f"{'adapter':<9} {adapter.id}  {adapter_line(adapter)}"
    yield from (f"\n{part}" for part in parts)


def _step_line(step: LinkStep) -> str:
    way = ""
    if step.link:
        leads_here = step.link.source_id != step.cube.id
        way = f"{step.link.kind} -> " if leads_here else f"<- {step.link.kind} "
    return f"{'  ' * step.depth}{way}{step.cube.id}  {excerpt(step.cube.text, 60)}"


def history(state: State, id: Id) -> None:
    """Show all versions of a memory, and what happened to it.

    Example:
      memos history 01K3ZQ
    """
    with state.open() as memos:
        past = memos.history(id)
    versions = [{**asdict(each), "created": time_of(each.created)} for each in past.versions]
    audit = [{**asdict(row), "time": time_of(row.time)} for row in past.audit]
    lines = []
    for row in past.audit:
        version = f"version {row.version}" if row.version else ""
        time = local_time(row.time)
        lines.append(f"{time}  {row.action:<8} {version:<11} {row.principal}  {row.detail or ''}")
    for old in past.versions:
        if old.text:  # a state or an adapter has none
            time = local_time(old.created)
            lines.append(f"\n--- version {old.version}, {time}, {old.principal}\n{old.text}")
    state.output.result({"id": past.id, "versions": versions, "audit": audit}, *lines)
