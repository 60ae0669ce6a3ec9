"""Maintenance of a vault: ``memos maintain`` and ``memos cron``."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos_cli.cli.context import State
from memos_cli.cli.output import local_time, time_of
from memos_cli.cli.shared_options import DryRun, opt
from memos_cli.errors import Locked, UsageError, require_known

if TYPE_CHECKING:
    from memos_cli.infrastructure.storage.audit import AuditRow
    from memos_cli.interface.vault.maintenance import Report


def maintain(
    state: State,
    only: Annotated[list[str] | None, opt("--only STEP", "Run only this step.")] = None,
    skip: Annotated[list[str] | None, opt("--skip STEP", "Skip this step.")] = None,
    distil: Annotated[
        bool, opt("--distil", "Also train adapters on memories that are used often. Takes minutes.")
    ] = False,
    minutes: Annotated[float, opt("--max-minutes", "Stop after N minutes; 0 is no limit.", min=0)] = 0.0,
    dry_run: DryRun = False,
    history: Annotated[bool, opt("--history", "Show what earlier runs did.")] = False,
) -> None:
    """Run scheduled maintenance on the vault.

    The steps: expire, archive, embed, rivals (find contradictions), states, adapters, sweep, optimize. You
    can stop it; the next run continues. It pauses while a query runs a model.

    Exit code 3 if a step fails.

    Example:
      memos maintain --dry-run
      memos maintain --max-minutes 30 --quiet
      memos maintain --only states --only sweep
    """
    from memos_cli.interface.vault.maintenance import STEPS

    for step in (*(only or ()), *(skip or ())):
        require_known("step", step, STEPS)
    output = state.output
    if history:
        _show_history(state)
        return
    wanted = [step for step in STEPS if (not only or step in only) and step not in (skip or ())]
    if not wanted:
        raise UsageError("no step is left", "memos maintain")
    os.nice(10)
    with state.open(threads=1) as memos:
        try:
            report = memos.maintain(
                steps=wanted, distil=distil, dry_run=dry_run, minutes=minutes, on_step=output.detail
            )
        except Locked:
            if output.quiet:  # cron starts the next run while this one still works: nothing to report
                return
            raise
    if not (output.json or output.quiet) and (dry_run or output.verbose):
        headers = ("step", "what", "id", "why")
        output.table(headers, [(each.step, each.what, each.id, each.reason) for each in report.deeds])
    output.result(report, *_lines(report, with_counts=not (dry_run or output.verbose)), quiet=True)
    if report.left:
        output.hint(f"note: out of time; left for the next run: {', '.join(report.left)}")
    for step, reason in report.failed.items():
        output.failure(f"failed: {step}: {reason}")
    if report.failed:
        raise typer.Exit(3)


def _lines(report: Report, *, with_counts: bool) -> list[str]:
    if not report.deeds:
        return ["nothing to do"]
    names = (each.what if each.what == each.step else f"{each.step}: {each.what}" for each in report.deeds)
    return [f"{what} {count}" for what, count in Counter(names).items()] if with_counts else []


def _show_history(state: State) -> None:
    with state.open() as memos:
        rows = list(memos.audit(action="maintain"))
    details: dict[int, Any] = {row.n: json.loads(row.detail or "{}") for row in rows}

    def did(row: AuditRow) -> str:
        return ", ".join(f"{what} {count}" for what, count in details[row.n].get("did", {}).items())

    state.output.listing(
        rows,
        lambda row: {"time": time_of(row.time), "principal": row.principal, **details[row.n]},
        "time, did, failed",
        lambda row: (local_time(row.time), did(row), ", ".join(details[row.n].get("failed", {}))),
        empty="no run yet; start one: memos maintain",
    )


def cron(
    state: State,
    at: Annotated[str, opt("--at HH:MM", "Time of the daily run.")] = "03:30",
    systemd: Annotated[bool, opt("--systemd", "Print units for a systemd timer instead.")] = False,
    install: Annotated[bool, opt("--install", "Add the line to your crontab.")] = False,
    remove: Annotated[bool, opt("--remove", "Remove it from your crontab.")] = False,
    watch: Annotated[
        list[str] | None, opt("--watch FOLDER", "Print a systemd unit for `memos watch FOLDER`.")
    ] = None,
    store: Annotated[
        list[str] | None, opt("--store PATH", "Print a systemd unit for `memos watch --store PATH`.")
    ] = None,
) -> None:
    """Print a crontab line that runs maintenance every night.

    --systemd prints systemd units instead; --watch prints one that keeps `memos watch` running.

    Example:
      memos cron
      memos cron --at 04:15 --install
      memos cron --watch ~/notes
    """
    from memos_cli.cli.vault import crontab

    if watch or store:
        if install or remove:
            raise UsageError("--watch prints a systemd unit, not a crontab line", "memos cron --watch DIR")
        with state.open() as memos:
            units = crontab.watch_unit(memos.vault.folder.absolute(), watch or (), store or ())
        ((name, text),) = units.items()
        state.output.result({"units": units}, f"# {name}\n{text}")
        state.output.note(f"note: to start it: systemctl --user enable --now {name.rpartition('/')[2]}")
        return
    if install and remove:
        raise UsageError("--install and --remove exclude each other", "memos cron")
    with state.open() as memos:
        folder = memos.vault.folder.absolute()
    line = crontab.crontab_line(folder, at)
    if install or remove:
        changed = crontab.change_crontab(folder, None if remove else line)
        done = "removed" if remove else "installed"
        state.output.result({"line": line, "changed": changed}, done if changed else "nothing to change")
    elif systemd:
        units = crontab.units(folder, at)
        lines = [f"# {name}\n{text}" for name, text in units.items()]
        state.output.result({"line": line, "units": units}, *lines)
    else:
        state.output.result({"line": line}, line)
