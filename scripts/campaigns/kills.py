#!/usr/bin/env python3
"""Kill commands at random moments. Nothing acknowledged may be lost, and the same command must complete it.

Every command that writes is run undisturbed first, which says what it should leave and how long it takes;
then from the same start with SIGKILL after a random part of that time; then once more.
"""

from __future__ import annotations

from signal import SIGKILL

from commands import User
from common import Campaign, Run, main
from trials import Disturbed, try_command
from world import Command


def work(campaign: Campaign) -> None:
    user = User(campaign)

    def kill(command: Command, undisturbed: Run) -> Disturbed:
        moment = campaign.chance.uniform(0, undisturbed.seconds)
        run = user.run(*command.arguments, stdin=command.stdin, env=command.env, kill_after=moment)
        campaign.counts["killed" if run.signal == SIGKILL else "ended before"] += 1
        campaign.counts[f"killed: {command.kind}"] += run.signal == SIGKILL
        return run, f"killed after {moment:.3f} of {undisturbed.seconds:.3f} s"

    for _ in campaign.tries():
        try_command(user, user.next(), kill)


if __name__ == "__main__":
    main("kills", __doc__ or "", work)
