"""Detect changed files: by events of the system where watchfiles is installed, else by polling."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

Stamp = tuple[int, int, int]
_STEP = 0.5
"""Maximum seconds of a wait."""
_OFTEN, _SELDOM = 1.0, 5.0
"""Seconds between two checks of single files, and of whole folders."""


class FileChanges:
    """The changes below some paths since this object was created. Folders behind links are not seen."""

    def __init__(self, paths: Sequence[Path], interval: float, on_note: Callable[[str], None]) -> None:
        """Start watching. ``interval`` is the seconds between two checks; 0 waits for events, if possible."""
        self._folders = [path for path in paths if path.is_dir()] if not interval else []
        self._polled, self._interval = [*paths], interval or _SELDOM
        self._events: Iterator[set[Path]] | None = None
        if self._folders:
            try:
                self._events = _events(self._folders)
            except (ImportError, OSError, RuntimeError) as error:  # the latter: too many folders for inotify
                hint = f"{error}"
                if isinstance(error, ImportError):
                    hint = "pip install 'memos-cli[watch]' sees them at once"
                on_note(f"checking for changes every {self._interval:g} seconds; {hint}")
                self._folders = []
            else:
                self._polled = [path for path in paths if path not in self._folders]
                self._interval = _OFTEN
        self._known = self._read_stamps()
        self._next = time.monotonic() + self._interval

    def wait(self) -> set[Path]:
        """Return the paths that were changed, created or deleted; empty after a moment without changes."""
        changed = set[Path]()
        if self._events:
            changed |= next(self._events, changed)
        else:
            time.sleep(min(_STEP, self._interval))
        if time.monotonic() >= self._next:
            found = self._read_stamps()
            changed |= {path for path in {*found, *self._known} if found.get(path) != self._known.get(path)}
            if not changed.isdisjoint(self._folders):  # a folder was replaced: events are of the old one
                with suppress(OSError, RuntimeError):
                    self._events = _events([folder for folder in self._folders if folder.is_dir()])
            self._known = found
            self._next = time.monotonic() + self._interval
        return changed

    def _read_stamps(self) -> dict[Path, Stamp]:
        """Return the stamp of each polled file, and the inode of each folder that is watched by events.

        The write-ahead log of a database counts, too.
        """
        found: dict[Path, Stamp] = {}
        for path in self._polled:
            if path.is_dir():
                for root, _, names in os.walk(path):
                    found |= _stamps(Path(root, name) for name in names)
            else:
                found |= _stamps((path, path.with_name(f"{path.name}-wal")))
        for folder in self._folders:
            with suppress(OSError):
                found[folder] = (0, 0, folder.stat().st_ino)
        return found


def _stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    found = {}
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _events(folders: Sequence[Path]) -> Iterator[set[Path]]:
    """Yield the sets of paths that change from now on; empty after a moment. Raises ImportError without
    watchfiles."""
    import watchfiles

    events = watchfiles.watch(
        *folders, watch_filter=None, debounce=400, step=50, rust_timeout=int(_STEP * 1000),
        yield_on_timeout=True, ignore_permission_denied=True,
    )  # fmt: skip
    first = {Path(path) for _, path in next(events)}  # the watch begins here

    def rest() -> Iterator[set[Path]]:
        yield first
        for changes in events:
            yield {Path(path) for _, path in changes}

    return rest()
