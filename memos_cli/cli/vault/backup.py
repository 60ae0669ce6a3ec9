"""Copies of the whole vault: ``memos backup`` and ``memos restore-vault``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from memos_cli.cli.context import State
from memos_cli.cli.output import aligned, local_time, time_of
from memos_cli.cli.shared_options import arg, opt
from memos_cli.counts import counted
from memos_cli.errors import UsageError

Folder = Annotated[Path, arg("DIR", "Folder of the backups.")]
_KEEP = "Keep"
"""Section of the options on which snapshots stay."""


def backup(
    state: State,
    folder: Folder,
    last: Annotated[int, opt("--keep-last", "Keep the newest N snapshots.", _KEEP, min=0)] = 0,
    daily: Annotated[
        int, opt("--keep-daily", "Keep the newest snapshot of each of the last N days.", _KEEP, min=0)
    ] = 0,
    weekly: Annotated[
        int, opt("--keep-weekly", "Keep the newest snapshot of each of the last N weeks.", _KEEP, min=0)
    ] = 0,
    check: Annotated[bool, opt("--check", "Verify all snapshots in DIR; back up nothing.")] = False,
) -> None:
    """Back up the whole vault to a folder, also while in use.

    DIR holds snapshots of one vault; each run writes only what changed. The --keep options remove all other
    snapshots, by the rules of restic; without them, all are kept. Old snapshots contain what you have
    forgotten since: with --keep-last 1, only the new one is left. The backup of an encrypted vault is
    encrypted with the same key, and does not contain the key file. Only the vault's creator may back it up.

    Exit code 1 if --check finds a problem.

    Example:
      memos backup /mnt/disk/memos
      memos backup /mnt/disk/memos --keep-daily 7 --keep-weekly 4 --quiet
      memos backup /mnt/disk/memos --check
    """
    from memos_cli.operation.lifecycle.retention import Retention

    keep = Retention(last, daily, weekly)
    if check:
        if keep:
            raise UsageError("--check removes nothing", f'memos backup "{folder}" --check')
        _check(state, folder)
        return
    with state.open() as memos, state.output.progress("bytes") as (count,):
        done = memos.backup(folder, keep, on_bytes=count)
    written = "unchanged" if done.unchanged else f"written {done.written:,}"
    removed = f", removed {len(done.removed)}" if done.removed else ""
    kept = f"{counted(done.snapshots, 'snapshot')}{removed}"
    lines = aligned({"snapshot": done.snapshot, "bytes": f"{done.bytes:,}, {written}", "kept": kept})
    state.output.result(done, *lines, quiet=True)
    state.output.notes(done.notes)


def _check(state: State, folder: Path) -> None:
    from memos_cli.interface.vault.backups import verify

    is_open = state.settings().permissions == "any"
    with state.output.progress("bytes") as (count,):
        complete, problems = verify(folder, is_open=is_open, on_bytes=count)
    lines = problems or [f"ok  {counted(complete, 'snapshot')}"]
    state.output.result({"snapshots": complete, "problems": problems}, *lines)
    if problems:
        raise typer.Exit(1)


def restore_vault(
    state: State,
    folder: Folder,
    to: Annotated[str, opt("--to VAULT", "Where to restore it. Default: the vault of --vault.")] = "",
    snapshot: Annotated[
        str, opt("--snapshot NAME", "Which snapshot. Default: the newest complete one.")
    ] = "",
    list_: Annotated[bool, opt("--list", "List the snapshots; restore nothing.")] = False,
) -> None:
    """Restore a vault from a backup into an empty folder.

    Everything is verified before it is used, and then checked as `memos check` does. An encrypted vault needs
    its key. What you forgot or revoked after the snapshot is there again.

    Example:
      memos restore-vault /mnt/disk/memos --list
      memos restore-vault /mnt/disk/memos
      memos restore-vault /mnt/disk/memos --snapshot 20261127T023000.120Z --to ~/old-vault
    """
    if list_:
        _list(state, folder)
        return
    flags = {"vault": to} if to else {}
    with state.output.progress("bytes") as (count,), state.open(**flags) as memos:
        done = memos.restore_vault(folder, snapshot, on_bytes=count)
    lines = aligned({"vault": done.vault, "snapshot": done.snapshot, "memories": done.memories})
    state.output.result(done, *lines, quiet=True)
    state.output.notes(done.notes)


def _list(state: State, folder: Path) -> None:
    from memos_cli.interface.vault.backups import snapshots

    state.output.listing(
        snapshots(folder, is_open=state.settings().permissions == "any"),
        lambda each: {**asdict(each), "time": time_of(each.time)},
        "snapshot, time, bytes, problem",
        lambda s: (s.snapshot, local_time(s.time), "" if s.bytes is None else f"{s.bytes:,}", s.problem),
        empty="there is no snapshot; make one: memos backup DIR",
    )
