"""Private temporary folders for texts that need a file, such as one in an editor.

They are in the user's runtime folder, which is in memory and private, or else in the vault. A process locks
its folder; an unlocked one was left by a killed process.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from memos_cli.errors import Locked
from memos_cli.files import hold_folder

_PREFIX = "memos-"


@contextmanager
def scratch_folder(vault: Path) -> Iterator[Path]:
    """Create an empty folder that only the user can read; delete it when the block ends."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_runtime_folder() or vault / "tmp"))
        with suppress(FileNotFoundError, Locked), hold_folder(folder, wait=False):
            if folder.exists():  # nobody swept it before it was locked
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
                return


def sweep(vault: Path) -> None:
    """Delete the folders that killed processes left behind."""
    for base in filter(None, (_runtime_folder(), vault / "tmp")):
        for folder in base.glob(f"{_PREFIX}*"):
            with suppress(OSError, Locked), hold_folder(folder, wait=False):
                shutil.rmtree(folder, ignore_errors=True)


def is_in_use(file: Path) -> bool:
    """Return whether a file is in such a folder that a process is using."""
    if not file.parent.name.startswith(_PREFIX):
        return False
    try:
        with hold_folder(file.parent, wait=False):
            return False
    except (Locked, OSError):
        return True


def _runtime_folder() -> Path | None:
    """Return XDG_RUNTIME_DIR, if only the user can read it; else None."""
    named = os.environ.get("XDG_RUNTIME_DIR")
    if not named:
        return None
    try:
        found = Path(named).stat()
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return Path(named) if private and os.access(named, os.W_OK) else None
