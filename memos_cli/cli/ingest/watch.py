"""``memos watch``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import State
from memos_cli.cli.ingest.source_options import READING, SourceOptions
from memos_cli.cli.output import counts, time_of
from memos_cli.cli.shared_options import arg, opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.interface.watch.watching import Round

Stores = Annotated[
    list[str] | None, opt("--store PATH", "Import this export, or a program's conversations; repeatable.")
]


def watch(
    state: State,
    folders: Annotated[list[str] | None, arg("[FOLDER…]", "Folders to ingest.")] = None,
    store: Stores = None,
    *,
    sources: SourceOptions,
    prune: Annotated[bool, opt("--prune", "Archive memories whose text is no longer in the source.")] = False,
    settle: Annotated[
        float, opt("--settle SECONDS", "Read a file when it has not changed for this long.", READING, min=0)
    ] = 2.0,
    interval: Annotated[
        float,
        opt("--interval SECONDS", "Check for changes this often. 0: at once, if possible.", READING, min=0),
    ] = 0.0,
    once: Annotated[bool, opt("--once", "Bring everything up to date, and stop.")] = False,
) -> None:
    """Keep folders and imported conversations up to date.

    It ingests folders as `memos ingest` does, and with --store it imports exports and conversations as
    `memos import` does: first everything, then whatever changes. A file is read when it has stopped changing.
    A file that fails is reported and tried again. Only one process can watch for a vault; ^C or SIGTERM ends
    it. With memos-cli[watch] it sees changes at once, otherwise within five seconds. To run it as a service:
    `memos cron --watch FOLDER` prints a systemd unit.

    Exit codes: 11 if another process watches; with --once, 3 if some of it cannot be read.

    Example:
      memos watch ~/notes --tag notes --prune
      memos watch --store ~/Downloads/Telegram/result.json --once
    """
    from memos_cli.interface.watch.watching import WatchOptions
    from memos_cli.interface.watch.watching import watch as keep_up_to_date

    output, failed = state.output, False
    paths, stores = _paths(folders, is_folder=True), _paths(store, is_folder=False)

    def report(found: Round) -> None:
        nonlocal failed
        failed = failed or bool(found.error or found.done.failed)
        _report(state, found, memos.now(), always=once)

    with state.open() as memos:
        options = WatchOptions(
            paths, stores, sources.read(memos, prune=prune), sources.embed, settle, interval, once
        )
        with nullcontext() if once else _until_stopped(state):
            keep_up_to_date(
                memos, options, report, lambda note: output.note(f"note: {note}"),
                lambda: output.progress("memories", "vectors"),
            )  # fmt: skip
    if once and failed:
        raise typer.Exit(3)


@contextmanager
def _until_stopped(state: State) -> Iterator[None]:
    """Let a signal end the block without an error: this is how `memos watch` ends."""
    try:
        yield
    except KeyboardInterrupt:
        state.output.note("stopped")
    except SystemExit as end:
        if not isinstance(end.code, int) or end.code <= 128:
            raise
        state.output.note("stopped")


def _paths(given: list[str] | None, *, is_folder: bool) -> tuple[Path, ...]:
    """Return the paths to watch. Raises UsageError for an empty name, and for a folder that is a file."""
    if given and "" in given:
        raise UsageError("a path is empty", "name a folder; the current folder is .")
    paths = tuple(Path(each) for each in given or ())
    for path in paths if is_folder else ():
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is not a folder", f"memos watch --store {path}, or watch its folder")
    return paths


def _report(state: State, found: Round, now: int, *, always: bool) -> None:
    output, done = state.output, found.done
    if output.json and (found.is_new or always):
        row = {"time": time_of(now), "path": str(found.path), "what": found.what}
        output.record({**row, "error": found.error, **asdict(done)})
    elif not output.json and (always or output.verbose or (found.is_new and not found.error)):
        output.result(None, f"{found.path}: {counts(done, 'added versions archived')}", quiet=True)
    if found.error:
        output.failure(f"failed: {found.path}: {found.error}")
    for failure in done.failed:
        output.failure(f"failed: {failure.source}: {failure.reason}")
    output.notes(done.notes)
