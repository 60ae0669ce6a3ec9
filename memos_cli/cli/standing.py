"""Commands on where a memory stands: archive, restore, expire, freeze, unfreeze, diff, rollback."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from memos_cli.cli.changing import Ids, tell_changed, tell_edited
from memos_cli.cli.context import (
    After,
    Before,
    Restriction,
    Source,
    Tags,
    Types,
    View,
    make_filter,
    read_end,
    state_of,
    with_global_options,
)
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.looking import Id
from memos_cli.errors import UsageError

SomeIds = Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Ids, or - for stdin.")]


def register(app: typer.Typer) -> None:
    for command in (archive, restore, expire, freeze, unfreeze, diff, rollback):
        app.command()(with_global_options(command))


def archive(
    ctx: typer.Context,
    ids: SomeIds = None,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    view: View = None,
) -> None:
    """Archive memories: they are no longer found and used. Nothing is deleted; `memos restore` undoes it.

    \b
    Example:
      memos archive 01K3ZQ
      memos archive --tag old-job
    """
    _move(ctx, "archive", ids, Restriction(tag, type, source, after, before))


def restore(
    ctx: typer.Context,
    ids: SomeIds = None,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    view: View = None,
) -> None:
    """Make archived or expired memories found and used again. They no longer expire.

    A memory that no user has approved goes back to quarantine (`memos review`).

    \b
    Example:
      memos restore 01K3ZQ
      memos list --state archived --tag work --json | jq -r .id | memos restore -
    """
    _move(ctx, "restore", ids, Restriction(tag, type, source, after, before))


def _move(ctx: typer.Context, action: str, ids: list[str] | None, wanted: Restriction) -> None:
    shared = state_of(ctx)
    if ids and (wanted or shared.view):
        raise UsageError("ids and filters exclude each other", f"memos {action} ID…, or --tag, --view …")
    if not (ids or wanted or shared.view):
        raise UsageError("no memory was named", f"memos {action} ID…, or --tag, --view …")
    with shared.open() as memos:
        filter = None if ids else make_filter(memos, shared.view, wanted)
        run = memos.archive if action == "archive" else memos.restore
        done = run(read_ids(ids or []), filter=filter)
    tell_changed(shared.output, done.cubes, done.changed)
    shared.output.note_quarantine(done.waiting)


def expire(
    ctx: typer.Context,
    ids: Ids,
    at: Annotated[
        str, typer.Option("--at", metavar="WHEN", help="30d, 2026-12-31, 'after 3 uses', or never.")
    ],
) -> None:
    """Set when memories expire: from then on they are stored, but not found and used.

    \b
    Example:
      memos expire 01K3ZQ --at 30d
      memos expire 01K3ZQ --at "after 3 uses"
      memos expire 01K3ZQ --at never
    """
    with state_of(ctx).open() as memos:
        end, uses = read_end(memos, at)
        done = memos.expire(read_ids(ids), end, uses=uses)
    tell_changed(state_of(ctx).output, done.cubes, done.changed)


def freeze(ctx: typer.Context, ids: Ids) -> None:
    """Make memories read-only: they cannot be edited or forgotten.

    \b
    Example:
      memos freeze 01K3ZQ
    """
    with state_of(ctx).open() as memos:
        done = memos.freeze(read_ids(ids))
    tell_changed(state_of(ctx).output, done.cubes, done.changed)


def unfreeze(ctx: typer.Context, ids: Ids) -> None:
    """Make frozen memories editable again.

    \b
    Example:
      memos unfreeze 01K3ZQ
    """
    with state_of(ctx).open() as memos:
        done = memos.freeze(read_ids(ids), thaw=True)
    tell_changed(state_of(ctx).output, done.cubes, done.changed)


def diff(
    ctx: typer.Context,
    id: Id,
    old: Annotated[
        int, typer.Option("--from", min=0, help="The older version. Default: the one before.")
    ] = 0,
    new: Annotated[int, typer.Option("--to", min=0, help="The newer version. Default: the newest.")] = 0,
) -> None:
    """Show what changed from one version of a memory to another, as `diff -u` does.

    \b
    Example:
      memos diff 01K3ZQ
      memos diff 01K3ZQ --from 1 --to 3
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        found = memos.diff(id, old=old, new=new)
    if output.json:
        output.record(asdict(found))
        return
    for line in found.lines:
        output.text(line)


def rollback(
    ctx: typer.Context,
    id: Id,
    to: Annotated[int, typer.Option("--to", metavar="N", min=1, help="The version to go back to.")],
) -> None:
    """Go back to an older version of a memory. It becomes a new version; none is lost.

    \b
    Example:
      memos rollback 01K3ZQ --to 2
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        done = memos.rollback(id, to)
    tell_edited(output, done)
