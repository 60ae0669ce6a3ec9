"""Times that a user or an agent typed: of a filter, or of when a memory expires."""

from __future__ import annotations

import re

from memos_cli.errors import UsageError
from memos_cli.interface.time.times import parse_when
from memos_cli.moments import format_time
from memos_cli.zones import local_zone

_USES = re.compile(r"(?:after )?([1-9]\d{0,8}) uses?")


def read_time(text: str, now: int, *, end: bool = False) -> int:
    """Read a time such as ``2026-05-01``, ``30d`` or ``last week``, in milliseconds since 1970.

    With ``end``, it is when something expires: a day, month or year counts to its end. Raises UsageError
    for text that is not a time.
    """
    time = parse_when(text, now=now, zone=local_zone(), future=end, end=end)
    try:
        format_time(time)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is beyond the years 1 to 9999", "write it as 2026-05-01") from None
    return time


def read_end(text: str, now: int) -> tuple[int | None, int | None]:
    """Read when a memory expires: at a time, or after a number of uses; "never" is neither.

    Raises UsageError.
    """
    if text.strip().casefold() == "never":
        return None, None
    if counted := _USES.fullmatch(text.strip()):
        return None, int(counted[1])
    return read_time(text, now, end=True), None
