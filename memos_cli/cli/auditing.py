"""Commands of ``memos audit``: who did what, and whether the record of it is as it was written."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from memos_cli.cli.context import read_time, state_of, with_global_options

app = typer.Typer(rich_markup_mode=None)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="audit")


@app.callback(invoke_without_command=True)
@with_global_options
def show_audit(
    ctx: typer.Context,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Not before: 2026-05-01, 30d, 'last week'.")
    ] = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Earlier than this time.")] = "",
    by: Annotated[
        str, typer.Option("--by", metavar="PRINCIPAL", help="What this one did: user:ana, agent:coder.")
    ] = "",
    cube: Annotated[str, typer.Option("--cube", metavar="ID", help="What was done to this memory.")] = "",
    action: Annotated[
        str, typer.Option("--action", metavar="ACTION", help="Of this kind: add, edit, forget, …")
    ] = "",
    head: Annotated[
        bool, typer.Option("--head", help="Print the end of the chain, to store elsewhere.")
    ] = False,
) -> None:
    """Print the audit log: who did what, when, to which memory. It contains no text of memories.

    \b
    Example:
      memos audit --since 7d --by agent:coder
      memos audit --json >> audit.jsonl       for a collector
      memos audit --head | mail -s 'memos' me@example.org
      memos audit verify
    """
    if ctx.invoked_subcommand:
        return
    from memos_cli.cube import format_time
    from memos_cli.zones import show_time

    shared = state_of(ctx)
    with shared.open() as memos:
        if head:
            newest = memos.audit_head()
            if shared.output.json:
                shared.output.record({"head": str(newest)})
            else:
                shared.output.text(str(newest))
            return
        found = memos.audit(
            cube=cube,
            by=by,
            action=action,
            since=read_time(memos, since) if since else None,
            until=read_time(memos, until) if until else None,
        )
        if shared.output.json:
            for row in found:
                shared.output.record({**asdict(row), "time": format_time(row.time)})
            return
        rows = [
            (row.n, show_time(row.time), row.principal, row.action, row.cube, row.version, row.detail)
            for row in found
        ]
    headers = ("n", "time", "by", "action", "memory", "version", "detail")
    shared.output.table(headers, [["" if each is None else each for each in row] for row in rows])


@app.command("verify")
@with_global_options
def verify(
    ctx: typer.Context,
    head: Annotated[
        str, typer.Option("--head", metavar="N:SEAL", help="Compare with what --head printed earlier.")
    ] = "",
) -> None:
    """Find audit rows that were changed, removed or moved. Exit code 1 if there are any.

    Without --head, a program that can write the vault's files can rewrite the end of the log unnoticed.

    \b
    Example:
      memos audit verify
      memos audit verify --head "$(cat ~/memos.head)"
    """
    shared = state_of(ctx)
    with shared.open() as memos:
        newest = memos.audit_head()  # taken before verifying: rows added meanwhile are not covered
        breaks = memos.verify_audit(head)
    if shared.output.json:
        broken = [asdict(each) for each in breaks]
        shared.output.record({"ok": not breaks, "breaks": broken, "head": str(newest)})
    else:
        for each in breaks:
            shared.output.text(f"row {each.n}: {each.problem}")
        if not breaks:
            shared.output.text(f"ok  {newest}")
    if breaks:
        raise typer.Exit(1)


@app.command("reads")
@with_global_options
def reads(
    ctx: typer.Context,
    which: Annotated[
        str, typer.Argument(metavar="[WHICH]", help="all, or prompts: only memories in a prompt.")
    ] = "",
) -> None:
    """Show or set which reads the audit of this vault records. Only the vault's creator may set it.

    \b
    Example:
      memos audit reads
      memos audit reads prompts
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        if which:
            memos.access.set_audited_reads(which)
        recorded = memos.access.audited_reads
    if output.json:
        output.record({"reads": recorded})
    else:
        output.text(recorded)
