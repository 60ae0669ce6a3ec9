"""The age of this process. This module loads little, because it runs before everything else."""

from __future__ import annotations

import os
import time

_LOADED = time.perf_counter()


def process_age() -> float:
    """Return the seconds since this process started, by the kernel (Linux); else since its imports."""
    try:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (pathlib takes 5 ms)
            fields = file.read().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return time.perf_counter() - _LOADED
