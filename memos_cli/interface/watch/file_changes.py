"""Which files changed: told by the system where watchfiles is installed, else by looking again and again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

Stamp = tuple[int, int, int]
_STEP = 0.5
"""Seconds that a wait lasts at most."""


class FileChanges:
    """The changes below some paths since this was made. Folders behind links are not seen."""

    def __init__(self, paths: Sequence[Path], interval: float, on_note: Callable[[str], None]) -> None:
        """``interval`` is the number of seconds between two looks; 0 waits for events, if it can."""
        folders = [path for path in paths if path.is_dir()]
        self._polled = [*paths]
        self._interval = interval or 5.0
        self._events: Iterator[set[Path]] | None = None
        if folders and not interval:
            try:
                self._events = _events(folders)
                next(self._events)
                self._polled = [path for path in paths if path not in folders]
                self._interval = 1.0
            except ImportError:
                on_note(
                    f"looking for changes every {self._interval:g} seconds; "
                    "pip install 'memos-cli[watch]' sees them at once"
                )
            except (OSError, RuntimeError) as error:  # too many folders for inotify
                on_note(f"looking for changes every {self._interval:g} seconds: {error}")
        self._known = self._look()
        self._next = time.monotonic() + self._interval

    def wait(self) -> set[Path]:
        """Return the paths that changed, were made or are gone; empty after a moment without changes."""
        changed = next(self._events, set[Path]()) if self._events else set[Path]()
        if not self._events:
            time.sleep(min(_STEP, self._interval))
        if time.monotonic() >= self._next:
            found = self._look()
            changed |= {path for path in {*found, *self._known} if found.get(path) != self._known.get(path)}
            self._known = found
            self._next = time.monotonic() + self._interval
        return changed

    def _look(self) -> dict[Path, Stamp]:
        """Return the stamp of each file. Beside a database, its write-ahead log counts."""
        found: dict[Path, Stamp] = {}
        for path in self._polled:
            if path.is_dir():
                for folder, _, names in os.walk(path):
                    found |= _stamps(Path(folder, name) for name in names)
            else:
                found |= _stamps((path, path.with_name(f"{path.name}-wal")))
        return found


def _stamps(paths: Iterator[Path] | tuple[Path, ...]) -> dict[Path, Stamp]:
    found = {}
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _events(folders: Sequence[Path]) -> Iterator[set[Path]]:
    """Yield what changed, or nothing after a moment. Raises ImportError without watchfiles."""
    import watchfiles

    told = watchfiles.watch(
        *folders, watch_filter=None, debounce=400, step=50, rust_timeout=int(_STEP * 1000),
        yield_on_timeout=True, ignore_permission_denied=True,
    )  # fmt: skip
    for changes in told:
        yield {Path(path) for _, path in changes}
