"""The project of a conversation, as a tag: the git repository of the folder that it was held in."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from memos_cli.interface.projects import clean_name, project_name

_HOMES = re.compile(r"/|/root|/(?:home|Users)(?:/[^/]+)?|/tmp|[A-Za-z]:\\(?:Users(?:\\[^\\]+)?)?|~")
"""Folders that are no project."""
_DEEPEST = 40
"""Levels of folders above one that are looked at."""


def project_tags(folder: str) -> tuple[str, ...]:
    """Return the tag of the project that a folder belongs to: ``project/NAME``; none for a home folder."""
    name = _project(folder.strip())
    return (f"project/{name}",) if name else ()


@lru_cache(maxsize=1024)
def _project(folder: str) -> str:
    """Return the name of the repository that contains a folder, else of the folder; "" if it has none."""
    if not folder or _HOMES.fullmatch(folder.rstrip("/") or "/") or "\0" in folder:
        return ""
    is_windows = re.match(r"[A-Za-z]:[\\/]|\\\\", folder) is not None
    if not is_windows and folder.startswith("/") and not folder.startswith(("//", "/net/")):
        with suppress(OSError, ValueError):
            return project_name(Path(folder))
    return clean_name((PureWindowsPath(folder) if is_windows else PurePosixPath(folder)).name)


def path_of(uri: str) -> str:
    """Return the path of a ``file:`` address, or of another one; a path stays as it is."""
    try:
        path = unquote(urlsplit(uri).path) if re.match(r"[a-z-]{2,}:", uri) else uri
    except ValueError:
        return ""
    return path[1:] if re.match(r"/[A-Za-z]:", path) else path


def folder_of(encoded: str) -> str:
    """Return the existing folder whose path reads as ``encoded``, with ``-`` for all but letters and digits.

    Claude Code and Cursor name a project's folder so. "" if there is none on this machine.
    """
    rest, here = encoded.lstrip("-"), Path("/")
    for _ in range(_DEEPEST):
        try:
            below = [each for each in here.iterdir() if _starts(rest, _encode(each.name)) and each.is_dir()]
        except OSError:
            return ""
        if not below:
            return ""
        here = max(below, key=lambda each: len(each.name))
        rest = rest[len(_encode(here.name)) :].removeprefix("-")
        if not rest:
            return str(here)
    return ""


def _encode(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "-", name).lstrip("-")


def _starts(rest: str, name: str) -> bool:
    return bool(name) and (rest == name or rest.startswith(name + "-"))
