"""``memos audit``: show and verify the audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from memos_cli.cli.context import State
from memos_cli.cli.help_layout import FILTER
from memos_cli.cli.inputs import read_time
from memos_cli.cli.output import local_time, time_of
from memos_cli.cli.shared_options import arg, opt


def show_audit(
    state: State,
    ctx: typer.Context,
    since: Annotated[str, opt("--since TIME", "Since: 2026-05-01, 30d, 'last week'.", FILTER)] = "",
    until: Annotated[str, opt("--until TIME", "Earlier than this time.", FILTER)] = "",
    by: Annotated[str, opt("--by PRINCIPAL", "By this principal: user:ana, agent:coder.", FILTER)] = "",
    cube: Annotated[str, opt("--cube ID", "On this memory.", FILTER)] = "",
    action: Annotated[str, opt("--action ACTION", "Of this kind: add, edit, forget, …", FILTER)] = "",
    head: Annotated[bool, opt("--head", "Print the end of the chain, to store elsewhere.")] = False,
) -> None:
    """Print the audit log: who did what, when, to which memory.

    It contains no text of memories.

    Example:
      memos audit --since 7d --by agent:coder
      memos audit --json >> audit.jsonl
      memos audit --head | mail -s 'memos' me@example.org
      memos audit verify
    """
    if ctx.invoked_subcommand:
        return
    with state.open() as memos:
        if head:
            newest = str(memos.audit_head())
            state.output.result({"head": newest}, newest)
            return
        times = {"since": read_time(memos, since), "until": read_time(memos, until)}
        found = memos.audit(cube=cube, by=by, action=action, **times)
        state.output.listing(
            found,
            lambda row: {**asdict(row), "time": time_of(row.time)},
            "n, time, by, action, memory, version, detail",
            lambda r: (r.n, local_time(r.time), r.principal, r.action, r.cube, r.version, r.detail),
        )


def verify(
    state: State,
    head: Annotated[str, opt("--head N:SEAL", "Compare with an earlier `memos audit --head`.")] = "",
) -> None:
    """Find audit rows that were changed, removed or moved.

    Without --head, a program that can write the vault's files can rewrite the end of the log unnoticed.

    Exit code 1 if there are such rows.

    Example:
      memos audit verify
      memos audit verify --head "$(cat ~/memos.head)"
    """
    with state.open() as memos:
        newest = memos.audit_head()  # taken before verifying: rows added meanwhile are not covered
        breaks = memos.verify_audit(head)
    state.output.result(
        {"ok": not breaks, "breaks": [asdict(each) for each in breaks], "head": str(newest)},
        *([f"row {each.n}: {each.problem}" for each in breaks] or [f"ok  {newest}"]),
    )
    if breaks:
        raise typer.Exit(1)


def reads(
    state: State,
    which: Annotated[str, arg("[WHICH]", "all; or prompts: only memories in a prompt.")] = "",
) -> None:
    """Show or set which reads the audit log records.

    Only the vault's creator may set it.

    Example:
      memos audit reads
      memos audit reads prompts
    """
    with state.open() as memos:
        if which:
            memos.access.set_audited_reads(which)
        recorded = memos.access.audited_reads
    state.output.result({"reads": recorded}, recorded)
