"""Commands on memories with each other: link, unlink, merge, slice; and the undoing of a merge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.changing import Ids, tell_changed
from memos_cli.cli.context import state_of, with_global_options
from memos_cli.cli.inputs import decode_input, read_ids, read_stdin
from memos_cli.cli.looking import Id

if TYPE_CHECKING:
    from memos_cli.interface.lifecycle.linking import Merged

Kind = Annotated[
    str, typer.Argument(metavar="KIND", help="part_of, follows, contradicts, similar_to or about.")
]


def register(app: typer.Typer) -> None:
    for command in (link, unlink, merge):
        app.command()(with_global_options(command))
    app.command("slice")(with_global_options(slice_))


def link(ctx: typer.Context, id: Id, kind: Kind, others: Ids) -> None:
    """Link a memory to others. `memos show --graph` walks along links.

    \b
    Example:
      memos link 01K3ZQ part_of 01K3ZR
      memos link 01K3ZQ contradicts 01K400
    """
    _link(ctx, id, kind, others, remove=False)


def unlink(ctx: typer.Context, id: Id, kind: Kind, others: Ids) -> None:
    """Remove links of a memory.

    \b
    Example:
      memos unlink 01K3ZQ contradicts 01K400
    """
    _link(ctx, id, kind, others, remove=True)


def _link(ctx: typer.Context, id: str, kind: str, others: list[str], *, remove: bool) -> None:
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        done = memos.link(id, kind, read_ids(others), remove=remove)
    tell_changed(output, done.cubes, done.changed)


def merge(
    ctx: typer.Context,
    ids: Ids,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="What it says, or - for stdin; usual: all.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Its title.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take one apart that was merged.")] = False,
) -> None:
    """Put memories together into one. They are kept, linked to it, and no longer found; --undo brings
    them back.

    \b
    Example:
      memos merge 01K3ZQ 01K3ZR
      memos merge 01K3ZQ 01K3ZR --text "The cat is called Miso; she is nine."
      memos merge --undo 01K400
    """
    wanted = read_ids(ids)
    if text == "-":
        text = decode_input(state_of(ctx).output, read_stdin(), "stdin").rstrip("\n")
    with state_of(ctx).open() as memos:
        done = memos.part(*wanted) if undo else [memos.merge(wanted, text=text, title=title)]
    for each in done:
        _tell(ctx, each, "parted into" if undo else "merged from")


def slice_(
    ctx: typer.Context,
    id: Id,
    size: Annotated[
        int, typer.Option("--size", metavar="N", min=50, help="Characters in a part, about.")
    ] = 900,
) -> None:
    """Keep the parts of a long memory as memories of their own. It is archived, and they are linked to it.

    \b
    Example:
      memos slice 01K3ZQ --size 500
    """
    with state_of(ctx).open() as memos:
        done = memos.slice(id, size=size)
    _tell(ctx, done, "sliced into")


def _tell(ctx: typer.Context, done: Merged, how: str) -> None:
    output = state_of(ctx).output
    if output.json:
        output.record({"id": done.id, "of": list(done.of)})
    else:
        output.text(f"{done.id}  {how} {' '.join(done.of)}")
