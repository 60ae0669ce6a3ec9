"""Commands that change the form of memories: promote, demote; and pin, unpin."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.changing import Ids, read_ids
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
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.operation.activation import Promoted

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done, and what it costs.")]


def register(app: typer.Typer) -> None:
    for command in (promote, demote, pin, unpin):
        app.command()(with_global_options(command))


def promote(
    ctx: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Ids, or - for stdin.")] = None,
    to: Annotated[str, typer.Option("--to", metavar="FORM", help="activation: a saved state.")] = "",
    pinned: Annotated[bool, typer.Option("--pinned", help="The pinned memories (of --view) alone.")] = False,
    model: Model = None,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    dry_run: DryRun = False,
    view: View = None,
) -> None:
    """Read memories through the model once and keep its state, so that no query reads them again.

    They become one document: a query whose best memory is in it takes all of it, at the cost of loading the
    state instead of reading the text. Answers are those that the text gives, to the letter. Promoted again, a
    state is made anew from what its memories say now; the id of a state stands for its memories.

    \b
    Example:
      memos promote --source handbook.md --to activation --dry-run
      memos promote 01K3ZQ 01K3ZR --to activation
      memos promote --pinned --view work --to activation
    """
    state = state_of(ctx)
    wanted = Restriction(tag, type, source, after, before)
    filtered = bool(wanted) or (bool(state.view) and not ids and not pinned)
    if to != "activation":
        raise UsageError(f"there is no form {to!r} to promote to" if to else "no form was named",
                         "add --to activation")  # fmt: skip
    if sum((bool(ids), filtered, pinned)) != 1:
        raise UsageError(
            "name memories by ids, or by filters, or --pinned: one of these", "memos promote --help"
        )
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


def demote(ctx: typer.Context, ids: Ids, dry_run: DryRun = False) -> None:
    """Drop saved states. Their memories stay, and are read as text from now on.

    Name states, or memories: then all states that they stand in are dropped.

    \b
    Example:
      memos demote 01K3ZQ
      memos list --payload activation --json | jq -r .id | memos demote -
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        dropped = memos.demote(read_ids(ids), dry_run=dry_run)
    if output.json:
        freed = sum(each.state.size for each in dropped)
        output.record({"ids": [each.id for each in dropped], "bytes": freed, "dry_run": dry_run})
        return
    for each in dropped:
        output.text(f"{'would drop' if dry_run else 'dropped'} {each.id}, {each.state.size:,} bytes")
    if not dropped:
        output.note("no state is made from these memories")


def pin(ctx: typer.Context, ids: Ids, view: View = None) -> None:
    """Let memories stand first in every prompt: who you are, how to answer. With --view, in that view's.

    \b
    Example:
      memos pin 01K3ZQ
      memos pin 01K3ZR --view work
    """
    _pin(ctx, ids, remove=False)


def unpin(ctx: typer.Context, ids: Ids, view: View = None) -> None:
    """Let memories no longer stand in every prompt.

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
        state.output.note(f"note: {made} states were made with other pinned memories: promote them again")
    if state.output.json:
        state.output.record({"changed": result.changed, "view": state.view, "pinned": pinned})
    else:
        state.output.text(f"{'unpinned' if remove else 'pinned'} {result.changed}; {len(pinned)} are pinned")
