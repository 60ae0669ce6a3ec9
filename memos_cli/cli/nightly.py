"""The night's run in crontab and systemd: texts, and the user's crontab."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from memos_cli.errors import MemosError, UsageError

_ARGUMENTS = "maintain --quiet --max-minutes 120"


def command(folder: Path) -> str:
    """What runs each night, for this program and this vault."""
    found = shutil.which("memos")
    program = [str(Path(found).absolute())] if found else [sys.executable, "-m", "memos_cli"]
    return f"{shlex.join(program)} --vault {shlex.quote(str(folder))} {_ARGUMENTS}"


def crontab_line(folder: Path, at: str) -> str:
    """The line of crontab. A per cent sign ends a command there, unless it is escaped."""
    hour, minute = _time(at)
    return f"{minute} {hour} * * *  {command(folder)}  {_mark(folder)}".replace("%", r"\%")


def units(folder: Path, at: str) -> dict[str, str]:
    """A service and a timer of systemd, by the name of their files."""
    hour, minute = _time(at)
    name = f"memos-{re.sub(r'[^A-Za-z0-9]+', '-', str(folder)).strip('-')}"
    run = command(folder).replace("%", "%%")
    return {
        f"~/.config/systemd/user/{name}.service": "[Unit]\nDescription=memos looks after "
        f"{folder}\n\n[Service]\nType=oneshot\nNice=10\nIOSchedulingClass=idle\nExecStart={run}\n",
        f"~/.config/systemd/user/{name}.timer": f"[Unit]\nDescription=memos, each night\n\n[Timer]\n"
        f"OnCalendar=*-*-* {hour:02}:{minute:02}:00\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
    }


def change_crontab(folder: Path, line: str | None) -> bool:
    """Put ``line`` into the user's crontab, in place of an older one of this vault; None takes that out.

    Returns whether anything changed. All other lines stay as they are.
    """
    before = _crontab("-l")
    mark = _mark(folder).replace("%", r"\%")
    lines = [each for each in before.splitlines() if not each.rstrip().endswith(mark)]
    after = "".join(f"{each}\n" for each in [*lines, *([line] if line else [])])
    if after == before:
        return False
    _crontab("-", after)
    return True


def _crontab(argument: str, text: str | None = None) -> str:
    try:
        done = subprocess.run(
            [shutil.which("crontab") or "/usr/bin/crontab", argument],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except FileNotFoundError as error:
        raise MemosError("there is no crontab here", "memos cron --systemd") from error
    if done.returncode and not (argument == "-l" and "no crontab" in done.stderr):
        raise MemosError(f"crontab: {done.stderr.strip()}", "crontab -e")
    return done.stdout if argument == "-l" and not done.returncode else ""


def _time(at: str) -> tuple[int, int]:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if match is None:
        raise UsageError(f"{at!r} is no time of day", "--at 03:30")
    return int(match[1]), int(match[2])


def _mark(folder: Path) -> str:
    return f"# memos: {folder}"
