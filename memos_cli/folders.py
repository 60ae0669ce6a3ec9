"""The folders of memos on this machine, by the XDG rules: settings, cache, logs, histories, vaults."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path, user_log_path, user_state_path

from memos_cli.errors import UsageError


def home_folder() -> Path | None:
    """Return the user's home folder; None if there is none, as for an unnamed user id in a container."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def expand_home(path: str | Path) -> Path:
    """Return ``path`` with a ``~`` at its start replaced. Raises UsageError if there is no home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{path}: this home folder is not known", "set HOME, or write the path in full"
        ) from None


def config_file() -> Path | None:
    """Return the path of ``config.toml``, or of ``MEMOS_CONFIG``; None if there is no home folder."""
    if named := os.environ.get("MEMOS_CONFIG"):
        return Path(named)
    folder = _user_folder(user_config_path)
    return folder / "config.toml" if folder else None


def cache_folder(*, create: bool = True) -> Path:
    """Return the cache folder: compiled embedders, fingerprints. ``MEMOS_CACHE`` moves it.

    Without a writable home folder, it is a folder of the user inside the temporary folder, which is created
    unless ``create`` is false. Raises UsageError if that folder belongs to another user, because models are
    loaded from it.
    """
    if named := os.environ.get("MEMOS_CACHE"):
        return Path(named)
    folder = _user_folder(user_cache_path)
    if folder and (folder.is_dir() or _is_writable(folder)):
        return folder
    folder = Path(tempfile.gettempdir()) / f"memos-cache-{os.getuid()}"
    if create:
        folder.mkdir(mode=0o700, exist_ok=True)
    elif not folder.exists():
        return folder
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise UsageError(f"other users can write to {folder}", "set MEMOS_CACHE to a folder of your own")
    return folder


def log_folder() -> Path | None:
    """Return the folder of log files, on Linux ``$XDG_STATE_HOME/memos/log``; None without a home folder."""
    return _user_folder(user_log_path)


def state_folder() -> Path | None:
    """Return the folder of histories, on Linux ``$XDG_STATE_HOME/memos``; None without a home folder."""
    return _user_folder(user_state_path)


def data_folder() -> Path | None:
    """Return the folder of the default vault; None without a home folder."""
    return _user_folder(user_data_path)


def _user_folder(find: Callable[[str], Path]) -> Path | None:
    """Return one of platformdirs' folders for memos; None if it needs a home folder and there is none."""
    try:
        folder = find("memos")
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None


def _is_writable(folder: Path) -> bool:
    """Return whether the nearest existing parent of ``folder`` is writable."""
    parent = next((each for each in folder.parents if each.is_dir()), folder)
    return os.access(parent, os.W_OK)
