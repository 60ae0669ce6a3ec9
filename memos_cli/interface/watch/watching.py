"""`memos watch`: ingest folders and import stores again whenever they have changed and are quiet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.errors import Locked, MemosError, NoVault, Refused, UsageError
from memos_cli.files import hold, read_small
from memos_cli.infrastructure.vault.vault import WATCHED
from memos_cli.interface.options import IngestOptions
from memos_cli.interface.results import Failure, Ingested
from memos_cli.interface.watch.file_changes import FileChanges

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

WHOLE = 3600.0
"""Seconds after which everything is checked again: an event may be lost."""
RETRY = 30.0
"""Seconds after which a failed file is tried again."""
REST = 10.0
"""An import reads a whole store, so the next one starts only after this many times its duration."""
PATIENCE = 60.0
"""Seconds that a single run waits for files that are being written."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """The options of `memos watch`."""

    folders: tuple[Path, ...] = ()
    stores: tuple[Path, ...] = ()
    """Exports and conversations of other programs, which are imported."""
    ingest: IngestOptions = field(default_factory=IngestOptions)
    embed: bool = True
    settle: float = 2.0
    """Seconds without a change after which a file is read."""
    interval: float = 0.0
    """Seconds between two checks for changes; 0 waits for events where watchfiles is installed."""
    once: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one run for a folder or store; ``error`` if the whole run failed."""

    path: Path
    what: str
    """``ingest`` or ``import``."""
    done: Ingested = field(default_factory=Ingested)
    error: str = ""

    @property
    def is_new(self) -> bool:
        """Whether there is something to report."""
        done = self.done
        return bool(
            self.error or done.added or done.versions or done.archived or done.failed or done.unpruned
        )


class _Target:
    """A folder or store, with the paths that changed in it and when."""

    def __init__(self, path: Path, *, is_store: bool) -> None:
        self.path, self.is_store = path.resolve(), is_store
        self.is_whole, self.not_before = True, 0.0
        self._changed: dict[Path, float] = {}
        self._failed = set[Failure]()

    def only_new(self, done: Ingested) -> Ingested:
        """Return a result without the failures that the previous one also had."""
        failed = tuple(each for each in done.failed if each not in self._failed)
        self._failed = {*done.failed}
        return replace(done, failed=failed)

    def note(self, path: Path) -> None:
        """Record that ``path`` has changed, if it belongs to this target and an ingest would read it."""
        if not (path == self.path or self.path in path.parents):
            if not (self.is_store and path == self.path.with_name(f"{self.path.name}-wal")):
                return
        elif not self.is_store:
            names = path.relative_to(self.path).parts
            if names[-1:] == (".gitignore",):
                self.is_whole = True
            if any(name.startswith(".") for name in names):
                return
        self._changed[path] = time.monotonic()

    def take(self, settle: float) -> set[Path] | None:
        """Return the changed paths that are quiet, and forget them; None stands for all of the target.

        An import reads a whole store, so all of it must be quiet.
        """
        now = time.monotonic()
        quiet = {path for path, at in self._changed.items() if now - at >= settle}
        if now < self.not_before or (self.is_store and len(quiet) < len(self._changed)):
            return set()
        for path in quiet:
            del self._changed[path]
        if self.is_whole or (self.is_store and quiet):
            self.is_whole = False
            return None
        return quiet

    @property
    def is_pending(self) -> bool:
        return self.is_whole or bool(self._changed)

    @property
    def pending(self) -> list[Path]:
        """The paths that were not quiet yet."""
        return sorted(self._changed)


Progress = Callable[[], AbstractContextManager[Sequence[Callable[[int], None]]]]
"""Shows the progress of one run; yields the counters of memories and of vectors."""


def watch(
    memos: Memos,
    options: WatchOptions,
    on_round: Callable[[Round], None],
    on_note: Callable[[str], None],
    progress: Progress,
) -> None:
    """Keep the folders and stores up to date until a signal ends the process; with ``once``, return then.

    Errors are reported, and the source is tried again. Raises Locked while another process watches for this
    vault, UsageError for a path that does not exist, Refused and NoVault also later on.
    """
    memos.access.require_writer()
    if not (options.folders or options.stores):
        raise UsageError("there is nothing to watch", "memos watch FOLDER, or memos watch --store PATH")
    for path in (*options.folders, *options.stores):
        if not path.exists():
            raise UsageError(f"{path} does not exist", "name a folder that exists: memos watch FOLDER")
    folders = [_Target(path, is_store=False) for path in options.folders]
    targets = [*folders, *(_Target(path, is_store=True) for path in options.stores)]
    with _claim(memos.vault.folder):
        if options.once:
            _run_once(memos, targets, options, on_round, on_note, progress)
            return
        changes = FileChanges([target.path for target in targets], options.interval, on_note)
        vault, whole, is_first = memos.vault.folder.resolve(), time.monotonic() + WHOLE, True
        while True:
            for target in targets:
                if (paths := target.take(options.settle)) is None or paths:
                    on_round(_round(memos, target, paths, options, progress))
            if is_first:
                on_note("waiting for changes; press ^C to stop")
                is_first = False
            for path in changes.wait():
                if vault != path and vault not in path.parents:
                    for target in targets:
                        target.note(path)
            if time.monotonic() > whole:
                whole = time.monotonic() + WHOLE
                for target in targets:
                    target.is_whole = True


def _run_once(
    memos: Memos,
    targets: Sequence[_Target],
    options: WatchOptions,
    on_round: Callable[[Round], None],
    on_note: Callable[[str], None],
    progress: Progress,
) -> None:
    """Read everything that is quiet, and wait a while for the rest."""
    end = time.monotonic() + PATIENCE
    for target in targets:
        found = None
        while target.is_pending:
            if (paths := target.take(options.settle)) is None or paths:
                found = _round(memos, target, paths, options, progress)
                if found.is_new:
                    on_round(found)
                if found.error:
                    break
            elif time.monotonic() > end:
                for path in target.pending:
                    on_note(f"{path} is still being written; the next run reads it")
                break
            else:
                time.sleep(0.05)
        if found and not found.is_new:
            on_round(found)


def _round(
    memos: Memos, target: _Target, paths: set[Path] | None, options: WatchOptions, progress: Progress
) -> Round:
    """Ingest or import a target again: only ``paths`` and what is below them, or all of it."""
    what, started = ("import" if target.is_store else "ingest"), time.monotonic()
    try:
        memos.identify_again()
        if target.is_store:
            if fresh := _newest(target.path, options.settle):
                target.note(fresh)
                return Round(target.path, what)
            ingest_options = replace(options.ingest, prune=False)  # an export need not have everything
            with progress() as (on_drafts, on_vectors):
                done = memos.import_export(
                    target.path, options=ingest_options, embed=options.embed, on_drafts=on_drafts,
                    on_vectors=on_vectors,
                ).done  # fmt: skip
            target.not_before = time.monotonic() + REST * (time.monotonic() - started)
            return Round(target.path, what, target.only_new(done))

        stores = {store.resolve() for store in options.stores}

        def wanted(path: Path) -> bool:
            if path in stores or not stores.isdisjoint(path.parents):
                return False  # it is imported
            if paths is not None and path not in paths and paths.isdisjoint(path.parents):
                return False
            if _is_settled(path, options.settle):
                return True
            target.note(path)
            return False

        with progress() as (on_drafts, on_vectors):
            done = memos.ingest(
                [target.path], options=options.ingest, embed=options.embed, wanted=wanted,
                on_drafts=on_drafts, on_vectors=on_vectors,
            )  # fmt: skip
        return Round(target.path, what, target.only_new(done))
    except (Refused, NoVault):
        raise
    except (MemosError, OSError) as error:
        if not (memos.folder / "VAULT.toml").exists():
            raise NoVault(f"the vault {memos.folder} is gone", "mount its disk, or: memos init") from error
        target.is_whole, target.not_before = True, time.monotonic() + RETRY
        return Round(target.path, what, error=getattr(error, "with_hint", str(error)))


def _is_settled(path: Path, settle: float) -> bool:
    """Return whether a file was not written for ``settle`` seconds. Its modification time may be a copy."""
    try:
        return abs(time.time() - path.stat().st_ctime) >= settle
    except OSError:
        return True


def _newest(store: Path, settle: float) -> Path | None:
    """Return a file of a store that is being written; None if there is none."""
    if not store.is_dir():
        return None if _is_settled(store, settle) else store
    files = (Path(folder, name) for folder, _, names in os.walk(store) for name in names)
    return next((file for file in files if not _is_settled(file, settle)), None)


@contextmanager
def _claim(folder: Path) -> Iterator[None]:
    """Hold the lock of the only process that watches for a vault. Raises Locked with the id of the other."""
    file = folder / WATCHED
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(file))
        except Locked:
            with suppress(OSError, ValueError):
                other = int(read_small(file))
                raise Locked(
                    f"process {other} already watches for this vault", f"to stop it: kill {other}"
                ) from None
            raise
        file.write_text(f"{os.getpid()}\n")
        try:
            yield
        finally:
            with suppress(OSError):  # the vault may be gone
                file.write_text("")
