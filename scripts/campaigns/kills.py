#!/usr/bin/env python3
"""Kill commands at random moments. Nothing acknowledged may be lost, and the same command must complete it.

Every command that writes is run undisturbed first, which says what it should leave and how long it takes;
then from the same start with SIGKILL after a random part of that time; then once more. Half of the times are
those of the clock, the others those of the processor: on a busy machine these hit more often.
"""

from __future__ import annotations

import ctypes
import time
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage
from signal import SIGKILL

from commands import User
from common import Campaign, Run, main
from trials import Disturbed, try_command
from world import Command


def work(campaign: Campaign) -> None:
    user = User(campaign)

    def kill(command: Command, undisturbed: Run, before: float) -> Disturbed:
        clock, most = time.CLOCK_MONOTONIC, undisturbed.seconds
        if campaign.chance.random() < 0.5:
            clock, most = time.CLOCK_PROCESS_CPUTIME_ID, processor_time() - before
        moment = campaign.chance.uniform(0, most)
        arm = partial(kill_self, clock, moment)
        run = user.run(*command.arguments, stdin=command.stdin, env=command.env, arm=arm)
        campaign.counts["killed" if run.signal == SIGKILL else "ended before"] += 1
        campaign.counts[f"killed: {command.kind}"] += run.signal == SIGKILL
        return run, f"killed after {moment:.4f} of {most:.4f} s"

    for _ in campaign.tries():
        command = user.next()
        try_command(user, command, partial(kill, before=processor_time()))


def processor_time() -> float:
    """Seconds of processor that the commands have taken so far."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
