"""Commands of ``memos view``: filters with a name."""

from __future__ import annotations

from typing import Annotated

import typer

from memos_cli.cli.context import (
    After,
    Before,
    Restriction,
    Source,
    Tags,
    Types,
    make_filter,
    state_of,
    with_global_options,
)
from memos_cli.errors import UsageError

app = typer.Typer(
    help="Saved filters: `memos search --view work …` looks only there.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="view")


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the view.")]


@app.command("create", hidden=True)  # what people type first
@app.command("set")
@with_global_options
def set_view(
    ctx: typer.Context,
    name: Name,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    pin: Annotated[
        list[str] | None,
        typer.Option("--pin", metavar="ID", help="Put this memory at the start of every prompt of the view."),
    ] = None,
) -> None:
    """Save a filter under a name; it replaces an older one of that name.

    \b
    Example:
      memos view set work --tag work --pin 01K3ZQ
    """
    output = state_of(ctx).output
    wanted = Restriction(tag, type, source, after, before)
    if not wanted:
        raise UsageError("the view would contain every memory", "give at least one filter, such as --tag")
    with state_of(ctx).open() as memos:
        filter = make_filter(memos, "", wanted)
        memos.set_view(name, filter)
        if pin:
            memos.pin(pin, name)
    if output.json:
        output.record({"name": name, "filter": filter.as_saved()})
    else:
        output.text(name)


@app.command("list")
@with_global_options
def list_views(ctx: typer.Context) -> None:
    """List the saved filters.

    \b
    Example:
      memos view list
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        saved = memos.views()
    items = []
    for name, filter in saved.items():
        kept = filter.as_saved()
        parts = {k: v for k, v in kept.items() if v and k not in ("states", "payloads")}
        shown = "  ".join(f"{k} {v}" for k, v in parts.items())
        items.append(({"name": name, "filter": kept}, (name, shown)))
    output.listing(
        ("view", "filter"), items, empty="there are no views; save one: memos view set NAME --tag TAG"
    )


@app.command("remove")
@with_global_options
def remove_view(ctx: typer.Context, name: Name) -> None:
    """Delete a saved filter; the memories stay.

    \b
    Example:
      memos view remove work
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        memos.remove_view(name)
    if output.json:
        output.record({"name": name, "removed": True})
    else:
        output.text(f"removed {name}")
