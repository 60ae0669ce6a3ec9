#!/usr/bin/env python3
"""Let system calls fail. Nothing acknowledged may be lost, errors must be clear, and a second run must work.

Every command that writes is run undisturbed first, which says what it should leave and how many calls it
makes; then from the same start with one of them failing, drawn at random: a full disk (once, or from then
on), a failing disk, an interrupted call, a missing permission, a write of half the bytes; then once more; and
so on, five times from each start.
The calls go through a small library that this compiles with cc and loads with LD_PRELOAD.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from enum import IntFlag
from functools import partial
from itertools import islice
from pathlib import Path

from commands import User
from common import Campaign, Run, main
from trials import TIMES, Disturbed, try_command
from world import Command


class Calls(IntFlag):
    """Groups of system calls, as faults.c numbers them."""

    READS = 1
    WRITES = 2
    SYNCS = 4
    OPENS = 8
    NAMES = 16
    SIZES = 32
    MAPS = 64
    CREATES = 128


_SPACE = Calls.WRITES | Calls.SIZES | Calls.CREATES
FAULTS: dict[str, tuple[int, Calls, bool]] = {
    "ENOSPC": (errno.ENOSPC, _SPACE | Calls.SYNCS, False),
    "full disk": (errno.ENOSPC, _SPACE, True),
    "EIO": (errno.EIO, ~Calls(0), False),
    "EINTR": (errno.EINTR, ~(Calls.NAMES | Calls.MAPS), False),
    "EACCES": (errno.EACCES, Calls.OPENS | Calls.NAMES, False),
    "short write": (0, Calls.WRITES, False),
}
"""Name → error, the calls that can end with it, and whether all later ones do, too."""


def work(campaign: Campaign) -> None:
    library = ctypes.CDLL(None)
    library.memos_arm.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_uint, ctypes.c_int, ctypes.c_char_p)
    library.memos_what.restype = ctypes.c_char_p
    library.memos_counted.restype = library.memos_fired.restype = ctypes.c_long
    user = User(campaign)
    area = os.fsencode(user.area)
    tries = campaign.tries()
    for _ in tries:
        name, (error, calls, lasts) = campaign.chance.choice(tuple(FAULTS.items()))
        if not lasts and campaign.chance.random() < 0.5:  # or nearly all would be writes of SQLite
            calls = campaign.chance.choice([each for each in Calls if each & calls])
        arm = partial(_arm, library, area, error, calls, lasts)

        def fail(command: Command, _: Run, name: str = name, arm: partial[None] = arm) -> Disturbed:
            calls = library.memos_counted()
            call = campaign.chance.randrange(calls) if calls else 0
            run = user.run(*command.arguments, stdin=command.stdin, env=command.env, arm=partial(arm, call))
            fired, what = library.memos_fired() > 0, library.memos_what().decode()
            campaign.counts["failed"] += fired
            campaign.counts[f"failed with {name}"] += fired
            campaign.counts[f"failed: {command.kind}"] += fired
            campaign.counts[f"failed: call {what.split()[0]}" if fired else "not hit"] += 1
            return run, f"{name} at {call} of {calls}: {what}"

        try_command(user, user.next(), fail, partial(arm, -1), islice(tries, TIMES - 1))


def _arm(library: ctypes.CDLL, area: bytes, error: int, calls: Calls, lasts: bool, call: int) -> None:
    library.memos_arm(call, error, int(calls) & 255, lasts, area)


def load() -> None:
    """Compile the library, and begin again with it; exit where that cannot be."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        print("faults: skipped: it needs Linux and a C compiler (apt install gcc)")
        sys.exit(0)
    folder = Path(tempfile.mkdtemp(prefix="memos-faults-library-"))
    source, made = Path(__file__).with_suffix(".c"), folder / "faults.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "LD_PRELOAD": str(made)})


if __name__ == "__main__":
    if not os.environ.get("LD_PRELOAD", "").endswith("faults.so"):
        load()
    shutil.rmtree(Path(os.environ["LD_PRELOAD"]).parent)  # it is loaded
    main("faults", __doc__ or "", work)
