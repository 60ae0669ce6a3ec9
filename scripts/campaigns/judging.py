"""What every campaign of damage and hostile input asks of a command: a documented end, in bounded memory."""

from __future__ import annotations

import io
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import FAILED_TO_END, Campaign, Run, memos

CODES = {0, 1, 2, 3, 10, 11, 12, 13, 14, 15}
LARGEST = 1 << 30
"""Bytes of address space that a command may take beyond what the campaign's process has."""


def limited() -> None:
    """Bound the memory of a fork: what wants more fails with MemoryError, which is a finding."""
    here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (here + LARGEST, here + LARGEST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def memos_in_turn(
    commands: Sequence[Sequence[object]],
    *,
    stdin: Sequence[bytes] = (),
    first: Callable[[], None] = limited,
    **options: Any,
) -> list[Run]:
    """Run commands one after the other in a single fork, which costs a fraction of a fork each.

    The runs end with the command that ended the fork, if one did. ``stdin`` has the standard input of each;
    ``options`` are those of ``memos``.
    """
    folder = Path(tempfile.mkdtemp())
    given = [tuple(map(str, command)) for command in commands]

    def run_all() -> None:
        first()
        for number, arguments in enumerate(given):
            _run_here(arguments, folder / str(number), stdin[number] if stdin else b"")
        os._exit(0)  # the command of the fork itself is not wanted

    last = memos("--version", first=run_all, **options)
    runs: list[Run] = []
    for number, arguments in enumerate(given):
        out, err, end = (folder / f"{number}.{part}" for part in ("out", "err", "end"))
        said, errors = (each.read_text("utf-8", "replace") if each.exists() else "" for each in (out, err))
        if end.exists():
            code, seconds, used = end.read_text().split()
            runs.append(Run(arguments, int(code), 0, said, errors, float(seconds), processor=float(used)))
            continue
        runs.append(replace(last, arguments=arguments, out=said, err=errors))
        break
    shutil.rmtree(folder)
    return runs


def _run_here(arguments: tuple[str, ...], path: Path, stdin: bytes) -> None:
    """Run a command in this process; write its output, and at its end its exit code, seconds and those of the
    processor."""
    from memos_cli.cli.app import main

    start, used, code = time.monotonic(), time.process_time(), FAILED_TO_END
    with tempfile.TemporaryFile() as typed:
        typed.write(stdin)
        typed.seek(0)
        os.dup2(typed.fileno(), 0)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False))
    for number, part in enumerate(("out", "err"), 1):
        with path.with_name(f"{path.name}.{part}").open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv = ["memos", *arguments]
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001 (as in a process of its own)
        import traceback

        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    ended = f"{code & 255} {time.monotonic() - start} {time.process_time() - used}"
    path.with_name(f"{path.name}.end").write_text(ended)


def judge(campaign: Campaign, done: Run) -> str:
    """What is wrong with the end of a command, or an empty text."""
    campaign.counts["commands"] += 1
    if done.broke:
        return "broke"
    if done.signal or done.code not in CODES:
        return "undocumented end"
    if done.code and not done.err.strip() and not (done.code in (1, 3) and done.out.strip()):
        return "error without words"
    return ""
