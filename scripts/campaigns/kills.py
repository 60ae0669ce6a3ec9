#!/usr/bin/env python3
"""Kill commands at random moments. Nothing acknowledged may be lost, and the same command must complete it.

Every command that writes is run undisturbed first, which says what it should leave and how long it takes;
then from the same start with SIGKILL after a random part of that time; then once more; and so on, five times
from each start. Half of the times are of the clock, the others of the processor: on a busy machine these hit
more often. Commands are forks of this process; one in twenty starts a Python interpreter of its own.
"""

from __future__ import annotations

import ctypes
import os
import time
from functools import partial
from itertools import islice
from signal import SIGKILL
from typing import Any

from commands import User
from common import Campaign, Run, main
from trials import FRESH, TIMES, Disturbed, try_command
from world import Command


def work(campaign: Campaign) -> None:
    user = User(campaign)
    forks = [user.run("--version", arm=partial(os._exit, 0)) for _ in range(9)]
    fork, fork_used = min(each.seconds for each in forks), min(each.processor for each in forks)
    start = user.run("--version", fresh=True).seconds

    def kill(command: Command, undisturbed: Run) -> Disturbed:
        ways = {
            "clock": undisturbed.seconds - fork,
            "processor": undisturbed.processor - fork_used,
            "fresh": start + undisturbed.seconds,
        }
        way = campaign.chance.choices([*ways], ((1 - FRESH) / 2, (1 - FRESH) / 2, FRESH))[0]
        moment = campaign.chance.uniform(0, ways[way])
        if way == "fresh":
            options: dict[str, Any] = {"fresh": True, "kill_after": moment}
        else:
            clock = time.CLOCK_MONOTONIC if way == "clock" else time.CLOCK_PROCESS_CPUTIME_ID
            options = {"arm": partial(kill_self, clock, moment)}
        run = user.run(*command.arguments, stdin=command.stdin, env=command.env, **options)
        campaign.counts["killed" if run.signal == SIGKILL else "ended before"] += 1
        campaign.counts[f"killed: {command.kind}"] += run.signal == SIGKILL
        return run, f"killed after {moment:.4f} of {ways[way]:.4f} s ({way})"

    tries = campaign.tries()
    for _ in tries:
        try_command(user, user.next(), kill, more=islice(tries, TIMES - 1))


def kill_self(clock: int, seconds: float) -> None:
    """Let the kernel kill this process so many ``seconds`` of ``clock`` from now."""

    class Event(ctypes.Structure):
        _fields_ = [("value", ctypes.c_void_p), ("signal", ctypes.c_int), ("notify", ctypes.c_int),
                    ("rest", ctypes.c_char * 48)]  # fmt: skip

    library, timer = ctypes.CDLL("librt.so.1", use_errno=True), ctypes.c_void_p()
    moment = (ctypes.c_long * 4)(0, 0, int(seconds), max(1, int(seconds % 1 * 1e9)))  # once, not again
    if library.timer_create(clock, ctypes.byref(Event(signal=SIGKILL)), ctypes.byref(timer)) or (
        library.timer_settime(timer, 0, moment, None)
    ):
        raise OSError(ctypes.get_errno(), "no timer")


if __name__ == "__main__":
    main("kills", __doc__ or "", work)
