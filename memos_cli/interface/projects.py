"""The project that a folder belongs to, and its tag. No git process is started."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from memos_cli.files import read_small
from memos_cli.folders import home_folder
from memos_cli.letters import nfc

TAG = "project"
_SMALL = 4096
"""Largest file of git that is read here, in bytes."""


def project_tag(folder: Path) -> str:
    """Return the tag of the project of ``folder``, ``project/NAME``; "" if there is none."""
    name = project_name(folder)
    return f"{TAG}/{name}" if name else ""


def project_name(folder: Path) -> str:
    """Return the name of the project that ``folder`` belongs to; "" if there is none.

    It is the name of the repository's root folder; a worktree belongs to the repository that it was made
    from. Without a repository it is the folder's own name, but not that of a home or temporary folder.
    """
    folder = folder.absolute()
    with suppress(OSError, RuntimeError):
        folder = folder.resolve()
    root = next((each for each in (folder, *folder.parents) if _has(each / ".git")), None)
    name = (_main_root(root) if root else folder).name
    if root is None and folder in {Path("/"), home_folder(), Path(tempfile.gettempdir())}:
        return ""
    return clean_name(name)


def clean_name(name: str) -> str:
    """Return the name of a folder as a tag can have it."""
    return "".join(letter for letter in nfc(name)[:80] if letter.isprintable() and letter != ",").strip(" /")


def _has(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _main_root(root: Path) -> Path:
    """Return the root folder of the repository that the worktree ``root`` belongs to; else ``root``.

    https://git-scm.com/docs/gitrepository-layout: the file ``.git`` of a worktree names its folder in the
    main repository, where ``commondir`` leads to that, and ``gitdir`` back to the file. A submodule has no
    ``commondir``: it is a project of its own.
    """
    if not (root / ".git").is_file():
        return root
    try:
        place = root / _line(root / ".git").removeprefix("gitdir:").strip()
        if (place / _line(place / "gitdir")).resolve() != (root / ".git").resolve():
            return root  # the repository does not know of it
        common = (place / _line(place / "commondir")).resolve()
    except (OSError, ValueError, RuntimeError):
        return root
    return common.parent if common.name == ".git" else common.with_suffix("")


def _line(file: Path) -> str:
    return read_small(file, _SMALL).decode().strip()
