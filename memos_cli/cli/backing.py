"""Commands that copy the whole vault: backup, restore-vault."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import State, state_of, with_global_options
from memos_cli.counts import counted
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.interface.vault.backups import BackedUp

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the backups.")]


def register(app: typer.Typer) -> None:
    app.command()(with_global_options(backup))
    app.command("restore-vault")(with_global_options(restore_vault))


def backup(
    ctx: typer.Context,
    folder: Folder,
    last: Annotated[
        int, typer.Option("--keep-last", metavar="N", min=0, help="Keep the newest N snapshots.")
    ] = 0,
    daily: Annotated[
        int,
        typer.Option("--keep-daily", metavar="N", min=0, help="Keep the newest of each of the last N days."),
    ] = 0,
    weekly: Annotated[
        int,
        typer.Option("--keep-weekly", metavar="N", min=0, help="The same for each of the last N weeks."),
    ] = 0,
    check: Annotated[
        bool, typer.Option("--check", help="Read and verify all snapshots in DIR; back up nothing.")
    ] = False,
) -> None:
    """Back up the whole vault to a folder, while others may use it. A second run writes only what changed.

    DIR holds snapshots of one vault. The --keep options remove the snapshots that none of them keeps, by the
    rules of restic; without them, all are kept. Old snapshots contain what you have forgotten since: with
    --keep-last 1, only the new one is left. The backup of an encrypted vault is encrypted with the same key,
    and does not contain the key file. Only the vault's creator may back it up.

    \b
    Example:
      memos backup /mnt/disk/memos
      memos backup /mnt/disk/memos --keep-daily 7 --keep-weekly 4 --quiet
      memos backup /mnt/disk/memos --check
    """
    from memos_cli.operation.lifecycle.retention import Retention

    state = state_of(ctx)
    keep = Retention(last, daily, weekly)
    if check:
        if keep:
            raise UsageError("--check removes nothing", f'memos backup "{folder}" --check')
        _check(state, folder)
        return
    with state.open() as memos, state.output.progress("bytes") as (count,):
        done = memos.backup(folder, keep, on_bytes=count)
    _show(state, done)


def _show(state: State, done: BackedUp) -> None:
    output = state.output
    if output.json:
        output.record(asdict(done))
    elif not output.quiet:  # as cron wants it
        what = "unchanged" if done.unchanged else f"written {done.written:,}"
        output.text(f"snapshot  {done.snapshot}")
        output.text(f"bytes     {done.bytes:,}, {what}")
        removed = f", removed {len(done.removed)}" if done.removed else ""
        output.text(f"kept      {counted(done.snapshots, 'snapshot')}{removed}")
    for note in done.notes:
        output.note(f"note: {note}")


def _check(state: State, folder: Path) -> None:
    from memos_cli.interface.vault.backups import verify
    from memos_cli.settings import load_settings

    output = state.output
    settings, _ = load_settings(state.flags)
    with output.progress("bytes") as (count,):
        complete, problems = verify(folder, is_open=settings.permissions == "any", on_bytes=count)
    if output.json:
        output.record({"snapshots": complete, "problems": problems})
    else:
        for problem in problems:
            output.text(problem)
        if not problems:
            output.text(f"ok  {counted(complete, 'snapshot')}")
    if problems:
        raise typer.Exit(1)


def restore_vault(
    ctx: typer.Context,
    folder: Folder,
    to: Annotated[
        str, typer.Option("--to", metavar="VAULT", help="Where to restore it. Default: the vault of --vault.")
    ] = "",
    snapshot: Annotated[
        str, typer.Option(metavar="NAME", help="Which snapshot. Default: the newest complete one.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the snapshots; restore nothing.")] = False,
) -> None:
    """Restore a vault from a backup, into a folder that does not exist or is empty.

    Everything is verified before it is used, and then checked as `memos check` does. An encrypted vault needs
    its key. What you forgot or revoked after the snapshot is there again.

    \b
    Example:
      memos restore-vault /mnt/disk/memos --list
      memos restore-vault /mnt/disk/memos
      memos restore-vault /mnt/disk/memos --snapshot 20261127T023000.120Z --to ~/old-vault
    """
    state = state_of(ctx)
    output = state.output
    if list_:
        _list(state, folder)
        return
    flags = {"vault": to} if to else {}
    with output.progress("bytes") as (count,), state.open(**flags) as memos:
        done = memos.restore_vault(folder, snapshot, on_bytes=count)
    if output.json:
        output.record(asdict(done))
    elif not output.quiet:
        output.text(f"vault     {done.vault}")
        output.text(f"snapshot  {done.snapshot}")
        output.text(f"memories  {done.memories}")
    for note in done.notes:
        output.note(f"note: {note}")


def _list(state: State, folder: Path) -> None:
    from memos_cli.cube import format_time
    from memos_cli.interface.vault.backups import snapshots
    from memos_cli.settings import load_settings
    from memos_cli.zones import show_time

    settings, _ = load_settings(state.flags)
    items = []
    for each in snapshots(folder, is_open=settings.permissions == "any"):
        time = None if each.time is None else format_time(each.time)
        shown = "" if each.time is None else show_time(each.time)
        size = "" if each.bytes is None else f"{each.bytes:,}"
        items.append(({**asdict(each), "time": time}, (each.snapshot, shown, size, each.problem)))
    headers = ("snapshot", "time", "bytes", "problem")
    state.output.listing(headers, items, empty="there is no snapshot: `memos backup DIR` makes one")
