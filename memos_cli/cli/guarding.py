"""Commands that decide how far a memory may go: mark, review."""

from __future__ import annotations

from typing import Annotated

import typer

from memos_cli.cli.changing import Ids, tell_changed
from memos_cli.cli.context import Restriction, Source, Tags, make_filter, state_of, with_global_options
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.output import excerpt
from memos_cli.errors import UsageError


def register(app: typer.Typer) -> None:
    for command in (mark, review):
        app.command()(with_global_options(command))


def mark(
    ctx: typer.Context,
    level: Annotated[str, typer.Argument(metavar="LEVEL", help="open, personal, confidential or secret.")],
    ids: Ids,
) -> None:
    """Set how sensitive memories are: high levels keep them out of prompts and adapters.

    The settings sensitivity.prompt (confidential) and sensitivity.adapter (personal) are the highest levels
    that are allowed there.

    \b
    Example:
      memos mark secret 01K3ZQ
      memos list --tag bank --json | jq -r .id | memos mark confidential -
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        marked = memos.mark(read_ids(ids), level)
    tell_changed(output, marked.cubes, marked.changed)


def review(
    ctx: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Ids, or - for stdin.")] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Release them from quarantine.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Archive them.")] = False,
    tag: Tags = None,
    source: Source = "",
) -> None:
    """List memories in quarantine; approve them, or archive them.

    Searches and queries do not find a memory from `memos ingest --quarantine` until you approve it here. The
    list shows which parts of a memory look like instructions to the model.

    \b
    Example:
      memos review
      memos review 01K3ZQ --approve
      memos review --source example.org --reject
    """
    from memos_cli.cli.rows import cube_row, place

    if approve and reject:
        raise UsageError("--approve and --reject exclude each other", "memos review")
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        filter = make_filter(memos, "", Restriction(tag, None, source, "", ""))
        if not (approve or reject):
            waiting = memos.quarantined(read_ids(ids) if ids else (), filter=filter)
        elif not (ids or tag or source):
            raise UsageError("no memory is named", "memos review ID… --approve, or --source, --tag")
        else:
            done = memos.review(read_ids(ids) if ids else (), filter=None if ids else filter, approve=approve)
    if approve or reject:
        what = "approved" if approve else "rejected"
        if output.json:
            output.record({what: [cube.id for cube in done]})
        else:
            output.text(f"{what} {len(done)}")
        return
    items = []
    for each in waiting:
        cube = each.cube
        row = (cube.id, "; ".join(each.suspicions), excerpt(cube.text, 80), place(cube))
        items.append(({**cube_row(cube), "suspicions": list(each.suspicions)}, row))
    output.listing(("id", "looks as if it", "text", "from"), items, empty="no memory is in quarantine")
