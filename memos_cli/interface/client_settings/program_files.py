"""The settings files of other programs: their paths, and atomic changes to them."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Generic, TypeVar

from memos_cli.errors import MemosError, UsageError
from memos_cli.files import read_small, replacing, write_all
from memos_cli.folders import home_folder
from memos_cli.interface.client_settings.json_text import NotReadable

NAME = "memos"
"""The name of this program."""
_MOST = 64 << 20
"""Largest settings file, in bytes: Claude Code keeps the history of projects in its own."""


_Program = TypeVar("_Program")


@dataclass(frozen=True, slots=True)
class Status(Generic[_Program]):
    """The status of memos in a program's settings. ``state`` is ``installed``, ``partly`` (some events of an
    agent are missing), ``other`` (another command, or one that is gone), ``missing`` or ``unreadable``.
    """

    program: _Program
    file: Path
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """The result of an edit of a settings file, or of a dry run."""

    file: Path
    changed: bool
    diff: str


def home_path(*parts: str, variable: str = "") -> Path:
    """Return a path below the home folder; or its last part in the folder that ``variable`` names."""
    if variable and (named := os.environ.get(variable)):
        return Path(named).expanduser() / parts[-1]
    if (home := home_folder()) is None:
        raise UsageError("there is no home folder", "set HOME, or name the settings file with --file")
    return home.joinpath(*parts)


def own_command() -> tuple[str, ...]:
    """Return the command line that starts this very program, with an absolute path."""
    typed = shutil.which(sys.argv[0]) if sys.argv else None
    scripts = Path(sysconfig.get_path("scripts")) / NAME
    for path in (Path(typed) if typed else scripts, scripts):
        if path.name == NAME and os.access(path, os.X_OK):
            return (str(path.absolute()),)  # a link such as that of `uv tool` outlives updates
    return (sys.executable, "-m", "memos_cli")


def edit_file(file: Path, change: Callable[[str], str], *, dry_run: bool) -> FileChange:
    """Change a settings file; through a link, the file that it names. Raises MemosError."""
    target = file.resolve()
    data = _read(target)
    try:
        text, encode = _decode(data)
        new = encode(change(text))
    except NotReadable as error:
        raise MemosError(f"{file}: {error}", f"correct {file}, or add the entry by hand") from error
    if new == data:
        return FileChange(file, False, "")
    name, old = str(file), data.decode().splitlines()
    diff = unified_diff(old, new.decode().splitlines(), name, name, n=1, lineterm="")
    if not dry_run:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        with replacing(target) as part:
            with part.open("wb") as stream:
                write_all(stream.fileno(), new)
            part.chmod(mode)
            if _read(target) != data:
                raise MemosError(f"{file} was changed meanwhile", "run it again")
    return FileChange(file, True, "".join(f"{line}\n" for line in diff))


def read_text(file: Path) -> str:
    """Return the text of a settings file; "" if there is none. Raises NotReadable, MemosError."""
    return _decode(_read(file))[0]


def _read(file: Path) -> bytes:
    try:
        return read_small(file, _MOST)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise MemosError(f"{file}: {error.strerror or error}", f"ls -l {file}") from error


def _decode(data: bytes) -> tuple[str, Callable[[str], bytes]]:
    """Return the text of a file with plain line ends, and a function that encodes a changed text."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise NotReadable(f"it is not UTF-8: {error.reason}") from error
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    returns = 0 < text.count("\n") == text.count("\r\n")
    body = text.removeprefix(mark)

    def encode(new: str) -> bytes:
        return (mark + (new.replace("\n", "\r\n") if returns else new)).encode()

    return (body.replace("\r\n", "\n") if returns else body), encode
