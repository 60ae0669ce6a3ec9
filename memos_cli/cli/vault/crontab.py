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

_ARGUMENTS = "maintain --quiet --max-minutes 120"


def command(folder: Path, arguments: str = _ARGUMENTS) -> str:
    """Return a command for this program and this vault: by default, the one that runs each night."""
    found = shutil.which("memos")
    program = [str(Path(found).absolute())] if found else [sys.executable, "-m", "memos_cli"]
    return f"{shlex.join(program)} --vault {shlex.quote(str(folder))} {arguments}"


def crontab_line(folder: Path, at: str) -> str:
    """Return the line of crontab. A per cent sign ends a command there, unless it is escaped."""
    hour, minute = _time(at)
    _require_one_line(command(folder))
    return f"{minute} {hour} * * *  {command(folder)}  {_mark(folder)}".replace("%", r"\%")


def units(folder: Path, at: str) -> dict[str, str]:
    """Return a service and a timer of systemd, by the name of their files."""
    hour, minute = _time(at)
    _require_one_line(command(folder))
    name = _unit_name("memos", folder)
    run, place = _escape(command(folder).replace("$", "$$")), _escape(str(folder))
    return {
        f"~/.config/systemd/user/{name}.service": "[Unit]\nDescription=memos maintenance of "
        f"{place}\n\n[Service]\nType=oneshot\nNice=10\nIOSchedulingClass=idle\nExecStart={run}\n",
        f"~/.config/systemd/user/{name}.timer": "[Unit]\nDescription=memos maintenance, each night\n"
        "\n[Timer]\n"
        f"OnCalendar=*-*-* {hour:02}:{minute:02}:00\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
    }


def watch_unit(folder: Path, folders: Sequence[str], stores: Sequence[str]) -> dict[str, str]:
    """Return a service of systemd that watches folders and stores, by the name of its file."""
    paths = [str(Path(each).expanduser().absolute()) for each in folders]
    words = ["watch", "--quiet", *paths]
    for each in stores:
        words += ["--store", str(Path(each).expanduser().absolute())]
    run = command(folder, shlex.join(words))
    _require_one_line(run)
    return {
        f"~/.config/systemd/user/{_unit_name('memos-watch', folder)}.service": "[Unit]\n"
        f"Description=memos watch for {_escape(str(folder))}\n\n[Service]\nNice=10\nIOSchedulingClass=idle\n"
        f"ExecStart={_escape(run.replace('$', '$$'))}\nRestart=on-failure\nRestartSec=60\n"
        "\n[Install]\nWantedBy=default.target\n"
    }


def _unit_name(start: str, folder: Path) -> str:
    return f"{start}-{re.sub(r'[^A-Za-z0-9]+', '-', str(folder)).strip('-')}"


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def installed(folder: Path) -> str:
    """Return the line of the user's crontab for this vault, or the file of its systemd timer; "" for neither.

    Raises MemosError if the crontab cannot be read.
    """
    if (home := home_folder()) and (
        timer := home / f".config/systemd/user/{_unit_name('memos', folder)}.timer"
    ).exists():
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


def _require_one_line(run: str) -> None:
    if not {"\n", "\r", "\0"}.isdisjoint(run):
        raise UsageError(
            f"crontab and systemd cannot run {run!r}: a name in it has a line break",
            "move the folder to a path without line breaks",
        )


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
