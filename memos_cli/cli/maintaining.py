"""Commands that look after the vault: maintain, cron, conflicts."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos_cli.cli.context import state_of, with_global_options
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.output import excerpt
from memos_cli.counts import counted
from memos_cli.errors import Locked, UsageError

if TYPE_CHECKING:
    from memos_cli.interface.vault.maintenance import Report


def register(app: typer.Typer) -> None:
    for command in (maintain, conflicts, cron):
        app.command()(with_global_options(command))


def maintain(
    ctx: typer.Context,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="STEP", help="Only this step.")] = None,
    skip: Annotated[list[str] | None, typer.Option("--skip", metavar="STEP", help="Not this step.")] = None,
    distil: Annotated[
        bool,
        typer.Option("--distil", help="Also train adapters on memories that are used often. Takes minutes."),
    ] = False,
    minutes: Annotated[
        float, typer.Option("--max-minutes", metavar="N", min=0, help="Stop after so long; 0: no limit.")
    ] = 0.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and why; do nothing.")
    ] = False,
    history: Annotated[bool, typer.Option("--history", help="Show what earlier runs did.")] = False,
) -> None:
    """Run maintenance on the vault. You can stop it; the next run continues.

    The steps: expire, archive, embed, rivals, states, adapters, sweep, optimize. It pauses while a query
    runs a model.

    \b
    Example:
      memos maintain --dry-run
      memos maintain --max-minutes 30 --quiet
      memos maintain --only states --only sweep
    """
    from memos_cli.interface.vault.maintenance import STEPS

    for step in (*(only or ()), *(skip or ())):
        if step not in STEPS:
            raise UsageError(f"there is no step {step!r}", f"one of: {', '.join(STEPS)}")
    output = state_of(ctx).output
    if history:
        _show_history(ctx)
        return
    wanted = [step for step in STEPS if (not only or step in only) and step not in (skip or ())]
    if not wanted:
        raise UsageError("no step is left", "memos maintain")
    os.nice(10)
    with state_of(ctx).open(threads=1) as memos:
        try:
            report = memos.maintain(
                steps=wanted, distil=distil, dry_run=dry_run, minutes=minutes,
                on_step=output.note if output.verbose else lambda step: None,
            )  # fmt: skip
        except Locked:
            if output.quiet:  # cron starts the next one while this one still works: nothing to tell
                return
            raise
    if output.json:
        output.record(asdict(report))
    elif not output.quiet:
        _tell(ctx, report)
    for step, reason in report.failed.items():
        output.failure(f"failed: {step}: {reason}")
    if report.failed:
        raise typer.Exit(3)


def _tell(ctx: typer.Context, report: Report) -> None:
    output = state_of(ctx).output
    if report.dry_run or output.verbose:
        output.table(
            ("step", "what", "id", "why"),
            [(deed.step, deed.what, deed.id, deed.reason) for deed in report.deeds],
        )
    counts = Counter(
        deed.what if deed.what == deed.step else f"{deed.step}: {deed.what}" for deed in report.deeds
    )
    if not (report.dry_run or output.verbose):
        for what, count in counts.items():
            output.text(f"{what} {count}")
    if not counts:
        output.text("nothing to do")
    if report.left:
        output.note(f"note: out of time; left for the next run: {', '.join(report.left)}")


def _show_history(ctx: typer.Context) -> None:
    import json

    from memos_cli.cube import format_time
    from memos_cli.zones import show_time

    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        rows = list(memos.audit(action="maintain"))
    items = []
    for row in rows:
        detail = json.loads(row.detail or "{}")
        record = {"time": format_time(row.time), "principal": row.principal, **detail}
        did = ", ".join(f"{what} {count}" for what, count in detail.get("did", {}).items())
        items.append((record, (show_time(row.time), did, ", ".join(detail.get("failed", {})))))
    output.listing(("time", "did", "failed"), items, empty="no run yet; start one: memos maintain")


def conflicts(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", help="Only those of these memories.")
    ] = None,
    resolve: Annotated[
        str,
        typer.Option("--resolve", metavar="HOW", help="keep-newest, keep-both, or the ID of one to keep."),
    ] = "",
    similar: Annotated[bool, typer.Option("--similar", help="Also pairs that say the same.")] = False,
) -> None:
    """List pairs of memories that may contradict each other, and resolve them by archiving one.

    `memos maintain` and `memos ingest` find them by a guess. Until you resolve a pair, answers show both.

    \b
    Example:
      memos conflicts
      memos conflicts 01K3ZQ --resolve keep-newest
      memos conflicts --resolve 01K3ZQ
    """
    from memos_cli.cli.rows import cube_row

    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        if resolve:
            pairs = memos.resolve(resolve, read_ids(ids or []))
        else:
            pairs = memos.conflicts(read_ids(ids or []), similar=similar)
    items = []
    for pair in pairs:
        row: dict[str, Any] = {
            "kind": pair.kind,
            "older": cube_row(pair.older),
            "newer": cube_row(pair.newer),
        }
        one, other = pair.older, pair.newer
        cells = [pair.kind, one.id, excerpt(one.text, 60), other.id, excerpt(other.text, 60)]
        if resolve:
            row |= {"archived": pair.archived or None}
            cells[0] = f"archived the {'older' if pair.archived == one.id else 'newer'}"
            cells[0] = cells[0] if pair.archived else "kept both"
        items.append((row, cells))
    empty = "there is nothing to resolve" if resolve else "no memories contradict each other"
    output.listing(("done" if resolve else "kind", "older", "says", "newer", "says"), items, empty=empty)
    if output.json or not pairs:
        return
    if resolve:
        output.note(f"resolved {counted(len(pairs), 'conflict')}")
    else:
        output.note("resolve them with `memos conflicts --resolve keep-newest`, keep-both, or the ID to keep")


def cron(
    ctx: typer.Context,
    at: Annotated[str, typer.Option("--at", metavar="HH:MM", help="When, each night.")] = "03:30",
    systemd: Annotated[bool, typer.Option("--systemd", help="Print units for a systemd timer.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Put the line into your crontab.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take it out again.")] = False,
) -> None:
    """Print a crontab line or systemd units that run maintenance on this vault each night.

    \b
    Example:
      memos cron
      memos cron --at 04:15 --install
      memos cron --systemd
    """
    from memos_cli.cli import nightly

    if install and remove:
        raise UsageError("--install and --remove exclude each other", "memos cron")
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        folder = memos.vault.folder.absolute()
    line = nightly.crontab_line(folder, at)
    if install or remove:
        changed = nightly.change_crontab(folder, None if remove else line)
        output.record({"line": line, "changed": changed}) if output.json else output.text(
            ("removed" if remove else "installed") if changed else "nothing to change"
        )
        return
    units = nightly.units(folder, at) if systemd else {}
    if output.json:
        output.record({"line": line, "units": units} if systemd else {"line": line})
    elif systemd:
        for name, text in units.items():
            output.text(f"# {name}\n{text}")
    else:
        output.text(line)
