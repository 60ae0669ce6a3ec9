"""What every campaign of damage and hostile input asks of a command: a documented end, in bounded memory."""

from __future__ import annotations

import resource
from pathlib import Path

from common import Campaign, Run

CODES = {0, 1, 2, 3, 10, 11, 12, 13, 14, 15}
LARGEST = 1 << 30
"""Bytes of address space that a command may take beyond what the campaign's process has."""


def limited() -> None:
    """Bound the memory of a fork: what wants more fails with MemoryError, which is a finding."""
    here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (here + LARGEST, here + LARGEST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


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
