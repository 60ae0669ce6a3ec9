"""Commands that change the form of memories: promote, demote; and pin, unpin."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.changing import Ids
from memos_cli.cli.context import (
    After,
    Before,
    Model,
    Restriction,
    Source,
    Tags,
    Types,
    View,
    make_filter,
    state_of,
    with_global_options,
)
from memos_cli.cli.inputs import read_ids
from memos_cli.counts import counted
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.operation.states.activation import Promoted

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and its cost; do nothing.")]


def register(app: typer.Typer) -> None:
    for command in (promote, demote, pin, unpin):
        app.command()(with_global_options(command))


def promote(
    ctx: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Ids, or - for stdin.")] = None,
    to: Annotated[
        str,
        typer.Option("--to", metavar="FORM", help="activation: a saved state. parametric: an adapter."),
    ] = "",
    pinned: Annotated[bool, typer.Option("--pinned", help="Only the pinned memories (of --view).")] = False,
    name: Annotated[str, typer.Option("--name", help="Name of the adapter.")] = "",
    qa: Annotated[
        str, typer.Option("--qa", metavar="FILE", help="More questions and answers, JSONL; - for stdin.")
    ] = "",
    lessons: Annotated[
        str, typer.Option("--lessons", metavar="FILE", help="Train with these questions alone: a --dump.")
    ] = "",
    dump: Annotated[
        str, typer.Option("--dump", metavar="FILE", help="Write the questions there; train nothing.")
    ] = "",
    steps: Annotated[int, typer.Option("--steps", help="Steps of training; 0: by the questions.", min=0)] = 0,
    max_minutes: Annotated[
        float, typer.Option("--max-minutes", help="Minutes of training, at most; 0: no limit.", min=0)
    ] = 0,
    model: Model = None,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    dry_run: DryRun = False,
    view: View = None,
) -> None:
    """Give memories a cheaper form: a saved state of the model, or an adapter that knows them without text.

    --to activation reads them once and saves the state as one document. A query whose best memory is in it
    loads the whole document. The answers are exactly those that the text gives.

    --to parametric trains an adapter (LoRA) of the model for minutes, with questions made from the memories,
    and tests it with questions that it has not seen. It is used only if it passes; otherwise its report is
    stored, and the exit code is 1. ^C saves a checkpoint, and the same command continues.

    Promote a state or adapter by its id to make it again from the current text of its memories.

    \b
    Example:
      memos promote --source handbook.md --to activation --dry-run
      memos promote 01K3ZQ 01K3ZR --to activation
      memos promote --tag me --to parametric --name "about me"
      memos promote --tag me --to parametric --dump lessons.jsonl
    """
    state = state_of(ctx)
    wanted = Restriction(tag, type, source, after, before)
    filtered = bool(wanted) or (bool(state.view) and not ids and not pinned)
    if to not in ("activation", "parametric"):
        raise UsageError(f"there is no form {to!r} to promote to" if to else "no form was named",
                         "add --to activation, or --to parametric")  # fmt: skip
    own = {"--name": name, "--qa": qa, "--lessons": lessons, "--dump": dump, "--steps": steps,
           "--max-minutes": max_minutes}  # fmt: skip
    if to == "activation" and (strange := [option for option, value in own.items() if value]):
        raise UsageError(f"{strange[0]} is for --to parametric", "memos promote --help")
    if sum((bool(ids), filtered, pinned)) != 1 or (pinned and to == "parametric"):
        raise UsageError(
            "name memories by ids, or by filters, or --pinned (for a state): one of these",
            "memos promote --help",
        )
    if to == "parametric":
        from memos_cli.cli.distilling import distil, read_wanted

        with state.open(reader=model) as memos:
            filter = make_filter(memos, state.view, wanted) if filtered else None
            asked = read_wanted(name, qa, lessons, steps, max_minutes)
            distil(state, memos, read_ids(ids or []), filter, asked, dump=dump, dry_run=dry_run)
        return
    with state.open(reader=model) as memos, state.output.progress("tokens") as (count,):
        filter = make_filter(memos, state.view, wanted) if filtered else None
        made = memos.promote(
            read_ids(ids or []),
            filter=filter,
            view=state.view,
            pinned=pinned,
            dry_run=dry_run,
            on_tokens=count,
        )
    if state.output.json:
        state.output.record({**asdict(made), "break_even": made.break_even})
    else:
        state.output.text(_told(made))


def _told(made: Promoted) -> str:
    uses = made.break_even
    pays = "it never pays" if uses is None else f"it pays from use {max(1, uses)} on"
    return "\n".join(
        (
            f"state       {made.id or 'would be made' if made.new else made.id or 'is there'}"
            + ("" if made.new else "  unchanged"),
            f"memories    {made.memories}",
            f"tokens      {made.tokens:,}, of which {made.held:,} in the state",
            f"bytes       {made.bytes:,}",
            f"to build    {made.seconds:.1f} s",
            f"a use saves {made.saved:.1f} s; {pays}",
        )
    )


def demote(ctx: typer.Context, ids: Ids, model: Model = None, dry_run: DryRun = False) -> None:
    """Drop saved states and detach adapters. Their memories stay, and are read as text from now on.

    Name states and adapters, or memories: then all that they stand in. An adapter is kept, and promoting its
    memories again attaches it without training. One whose memories are gone is asked its questions first, and
    its answers become memories.

    \b
    Example:
      memos demote 01K3ZQ
      memos list --payload activation --json | jq -r .id | memos demote -
    """
    output = state_of(ctx).output
    with state_of(ctx).open(reader=model) as memos:
        done = memos.demote(read_ids(ids), dry_run=dry_run)
    if output.json:
        output.record(
            {
                "ids": [each.id for each in done.states],
                "bytes": sum(each.state.size for each in done.states),
                "dry_run": dry_run,
                "adapters": [each.id for each in done.adapters],
                "verbalised": list(done.said),
            }
        )
        return
    would = "would " if dry_run else ""
    for state in done.states:
        output.text(f"{would + 'drop' if dry_run else 'dropped'} {state.id}, {state.state.size:,} bytes")
    for adapter in done.adapters:
        output.text(f"{would + 'detach' if dry_run else 'detached'} {adapter.id}, {adapter.title}")
    for id in done.said:
        output.text(f"put into words {id}")
    if not done.states and not done.adapters:
        output.note("no state and no adapter is made from these memories")


def pin(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID…]", help="Ids, or their beginnings; - reads them from stdin."),
    ] = None,
    view: View = None,
) -> None:
    """Put memories at the start of every prompt: who you are, how to answer. Without ids: list them.

    With --view, only in that view.

    \b
    Example:
      memos pin 01K3ZQ
      memos pin 01K3ZR --view work
      memos pin
    """
    if ids:
        _pin(ctx, ids, remove=False)
        return
    from memos_cli.cli.rows import cube_row, place

    state = state_of(ctx)
    with state.open() as memos:
        pinned = memos.pins(state.view)
    items = [
        ({**cube_row(cube), "view": view}, (cube.id, view, cube.state, cube.text or cube.title, place(cube)))
        for view, cube in pinned
    ]
    empty = "nothing is pinned; pin a memory: memos pin ID"
    state.output.listing(("id", "view", "state", "text", "from"), items, empty=empty)


def unpin(ctx: typer.Context, ids: Ids, view: View = None) -> None:
    """Remove memories from the start of every prompt.

    \b
    Example:
      memos unpin 01K3ZQ
    """
    _pin(ctx, ids, remove=True)


def _pin(ctx: typer.Context, ids: list[str], *, remove: bool) -> None:
    state = state_of(ctx)
    with state.open() as memos:
        result = memos.pin(read_ids(ids), state.view, remove=remove)
        pinned = [cube.id for cube in memos.pinned(state.view)]
        made = sum(each.state.view == state.view for each in memos.activations()) if result.changed else 0
    if made:
        states = counted(made, "state was", "states were")
        state.output.note(
            f"note: {states} made with other pinned memories; make them again: memos promote ID"
        )
    if state.output.json:
        state.output.record({"changed": result.changed, "view": state.view, "pinned": pinned})
    else:
        done, now = "unpinned" if remove else "pinned", counted(len(pinned), "is", "are")
        state.output.text(f"{done} {result.changed}; {now} pinned")
