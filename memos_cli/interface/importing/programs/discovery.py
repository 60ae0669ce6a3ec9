"""Find the conversations of programs on this machine; nothing is imported, and no message is read."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from glob import has_magic
from itertools import islice
from pathlib import Path

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export, open_export
from memos_cli.interface.importing.programs.conversation import moment
from memos_cli.interface.importing.programs.databases import is_database, open_database
from memos_cli.interface.importing.programs.table import PROGRAMS, conversation_files, recognise_program

_MOST = 500
"""Paths that one pattern may find."""
_ROOTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "CONFIG": {
        "linux": ("$XDG_CONFIG_HOME", "~/.config"),
        "darwin": ("~/Library/Application Support", "$XDG_CONFIG_HOME", "~/.config"),
        "win32": ("$APPDATA",),
    },
    "DATA": {
        "linux": ("$XDG_DATA_HOME", "~/.local/share"),
        "darwin": ("~/Library/Application Support", "$XDG_DATA_HOME"),
        "win32": ("$LOCALAPPDATA", "$APPDATA"),
    },
    "PYTHON": {"": (sys.prefix,)},
}
"""Folders by their names in ``Program.places``, by the platform; the variables of the environment first."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """Conversations of one program in one place."""

    kind: str
    program: str
    path: str
    conversations: int
    first: int | None
    """When the oldest of them was last changed; milliseconds."""
    last: int | None
    bytes: int
    command: str
    """The command to import them."""
    problem: str = ""
    """Why some of them cannot be read."""


def discover() -> Iterator[Discovered]:
    """Yield the conversations in the usual folders of each program on this machine."""
    for kind, program in PROGRAMS.items():
        seen: set[Path] = set()
        for path in (path for place in program.places for path in _existing(place)):
            with suppress(OSError):
                if (real := path.resolve()) in seen:
                    continue
                seen.add(real)
            with suppress(MemosError, OSError), open_export(path) as export:
                if found := _summary(export, kind):
                    yield found


def _existing(place: str) -> Iterator[Path]:
    """Yield the paths of a place that exist. ``{a,b}`` are alternatives, ``$NAME`` is a variable."""
    for name, systems in _ROOTS.items():
        paths = next((paths for system, paths in systems.items() if sys.platform.startswith(system)), ())
        place = re.sub(rf"(?<![^/{{,]){name}(?=[/,}}])", "{" + ",".join(paths) + "}", place)
    for path in _alternatives(place):
        full = os.path.expandvars(path)
        if "$" in full:  # a variable that is not set
            continue
        whole = Path(full).expanduser()
        with suppress(OSError, ValueError, RuntimeError):
            if has_magic(full):
                base = Path(whole.anchor) if whole.is_absolute() else Path()
                rest = str(whole.relative_to(base)) if whole.is_absolute() else str(whole)
                yield from islice(base.glob(rest), _MOST)
            elif whole.exists():
                yield whole


def _alternatives(place: str) -> Iterator[str]:
    """Yield the paths that braces stand for; some of nested ones more than once."""
    if not (match := re.search(r"\{([^{}]*)\}", place)):
        yield place
        return
    for each in match[1].split(","):
        yield from _alternatives(place[: match.start()] + each + place[match.end() :])


def _summary(export: Export, kind: str) -> Discovered | None:
    """Return a summary of a program's conversations in an export; None if there are none."""
    count, size, times, problem = 0, 0, [], ""
    for name in conversation_files(export, kind):
        try:
            about = export.file(name).stat()
            size += about.st_size
            if is_database(export, name):
                stored, moments = _stored(export, name, kind)
                count += stored
                times += moments or ([round(about.st_mtime * 1000)] if stored else [])
            else:
                count += _chats(export, name, kind)
                times.append(round(about.st_mtime * 1000))
        except (OSError, MemosError) as error:
            problem = problem or str(error)
    if not count and not problem:
        return None
    program = PROGRAMS[kind]
    command = f"memos import {shlex.quote(str(export.path))}"
    if recognise_program(export) != kind:  # another program has files there, too
        command += f" --from {kind}"
    return Discovered(
        kind, program.label, str(export.path), count, min(times, default=None), max(times, default=None),
        size, command, problem,
    )  # fmt: skip


def _chats(export: Export, name: str, kind: str) -> int:
    """Return how many conversations a file contains."""
    if not (start := PROGRAMS[kind].starts):
        return 1
    with export.open(name) as stream:
        return sum(line.startswith(start) for line in stream)


def _stored(export: Export, name: str, kind: str) -> tuple[int, list[int]]:
    """Return how many conversations a database lists, and the first and last of their times."""
    count, times = 0, []
    with open_database(export, name) as db:
        for each in PROGRAMS[kind].stored:
            count += db.count_rows(each.table, each.where)
            for value in db.range(each.table, each.time) if each.time else ():
                if (time := moment(value)) is not None:
                    times.append(time)
    return count, times
