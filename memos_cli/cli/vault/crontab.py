"""The daily maintenance in crontab and systemd, and `memos watch` as a service: texts, the user's crontab."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from memos_cli.errors import MemosError, UsageError
from memos_cli.folders import home_folder

_UNITS = ".config/systemd/user"
"""The folder of a user's units, in the home folder."""
_BACKGROUND: dict[str, object] = {"Nice": 10, "IOSchedulingClass": "idle"}


def crontab_line(folder: Path, at: str) -> str:
    """Return the line of crontab. A per cent sign ends a command there, unless it is escaped."""
    hour, minute = _time(at)
    return f"{minute} {hour} * * *  {_maintain(folder)}  {_mark(folder)}".replace("%", r"\%")


def units(folder: Path, at: str) -> dict[str, str]:
    """Return a service and a timer of systemd, by the name of their files."""
    hour, minute = _time(at)
    name = f"~/{_UNITS}/{_unit_name('memos', folder)}"
    service = _unit(
        Unit={"Description": f"memos maintenance of {folder}"},
        Service={"Type": "oneshot", **_BACKGROUND, "ExecStart": _maintain(folder).replace("$", "$$")},
    )
    timer = _unit(
        Unit={"Description": "memos maintenance, each night"},
        Timer={"OnCalendar": f"*-*-* {hour:02}:{minute:02}:00", "Persistent": "true"},
        Install={"WantedBy": "timers.target"},
    )
    return {f"{name}.service": service, f"{name}.timer": timer}


def watch_unit(folder: Path, folders: Sequence[str], stores: Sequence[str]) -> dict[str, str]:
    """Return a service of systemd that watches folders and stores, by the name of its file."""
    paths, stored = ([str(Path(each).expanduser().absolute()) for each in some] for some in (folders, stores))
    words = ["watch", "--quiet", *paths, *(word for path in stored for word in ("--store", path))]
    run = _command(folder, words).replace("$", "$$")
    service = _unit(
        Unit={"Description": f"memos watch for {folder}"},
        Service={**_BACKGROUND, "ExecStart": run, "Restart": "on-failure", "RestartSec": 60},
        Install={"WantedBy": "default.target"},
    )
    return {f"~/{_UNITS}/{_unit_name('memos-watch', folder)}.service": service}


def _unit(**sections: dict[str, object]) -> str:
    """Return the text of a unit. A per cent sign would start a specifier of systemd, unless it is doubled."""
    return "\n".join(
        "\n".join([f"[{title}]", *(f"{name}={value}" for name, value in lines.items()), ""]).replace(
            "%", "%%"
        )
        for title, lines in sections.items()
    )


def _maintain(folder: Path) -> str:
    """Return the command that runs each night."""
    return _command(folder, ["maintain", "--quiet", "--max-minutes", "120"])


def _command(folder: Path, words: Sequence[str]) -> str:
    """Return a command of this program for this vault. Raises UsageError for a line break in it."""
    found = shutil.which("memos")
    program = [str(Path(found).absolute())] if found else [sys.executable, "-m", "memos_cli"]
    run = shlex.join([*program, "--vault", str(folder), *words])
    if not {"\n", "\r", "\0"}.isdisjoint(run):
        raise UsageError(
            f"crontab and systemd cannot run {run!r}: a name in it has a line break",
            "move the folder to a path without line breaks",
        )
    return run


def _unit_name(start: str, folder: Path) -> str:
    return f"{start}-{re.sub(r'[^A-Za-z0-9]+', '-', str(folder)).strip('-')}"


def installed(folder: Path) -> str:
    """Return the line of the user's crontab for this vault, or the file of its systemd timer; "" for neither.

    Raises MemosError if the crontab cannot be read.
    """
    home = home_folder()
    if home and (timer := home / _UNITS / f"{_unit_name('memos', folder)}.timer").exists():
        return str(timer)
    mark = _escaped_mark(folder)
    lines = (each.rstrip() for each in (_crontab("-l") if shutil.which("crontab") else b"").split(b"\n"))
    return next((os.fsdecode(each) for each in lines if each.endswith(mark) and each[:1] != b"#"), "")


def change_crontab(folder: Path, line: str | None) -> bool:
    """Put ``line`` into the user's crontab, in place of an older one of this vault; None removes it.

    Returns whether anything changed. All other lines stay as they are.
    """
    before = _crontab("-l")
    mark = _escaped_mark(folder)
    lines = [each for each in before.split(b"\n") if not each.rstrip().endswith(mark)]
    if lines[-1:] == [b""]:
        lines.pop()
    after = b"".join(each + b"\n" for each in [*lines, *([os.fsencode(line)] if line else [])])
    if after == before:
        return False
    _crontab("-", after)
    return True


def _crontab(argument: str, text: bytes | None = None) -> bytes:
    """Run ``crontab`` and return what it prints. As bytes: other lines may be in any encoding."""
    try:
        done = subprocess.run(
            [shutil.which("crontab") or "/usr/bin/crontab", argument],
            input=text,
            capture_output=True,
            check=False,
            timeout=30,
        )
    except FileNotFoundError as error:
        raise MemosError("the program crontab is not installed", "memos cron --systemd") from error
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode and not (argument == "-l" and "no crontab" in said):
        raise MemosError(f"crontab: {said}", "crontab -e")
    return done.stdout if argument == "-l" and not done.returncode else b""


def _time(at: str) -> tuple[int, int]:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if match is None:
        raise UsageError(f"{at!r} is not a time of day", "--at 03:30")
    return int(match[1]), int(match[2])


def _mark(folder: Path) -> str:
    return f"# memos: {folder}"


def _escaped_mark(folder: Path) -> bytes:
    """Return the end of a vault's line in the crontab, with escaped per cent signs."""
    return os.fsencode(_mark(folder).replace("%", r"\%"))
