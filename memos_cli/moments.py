"""Times as whole milliseconds since 1970-01-01 UTC: parse and format them; English names of the calendar.

A time without a zone is read as UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from memos_cli.errors import Damaged

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
FIRST_TIME, LAST_TIME = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999: what Python can show."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str) -> int:
    """Parse an ISO 8601 date or time as milliseconds. Raises ValueError."""
    value = datetime.fromisoformat(text.strip())
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - _EPOCH) // timedelta(milliseconds=1)


class ImpossibleTime(Damaged, ValueError):
    """A stored time is outside the years 1 to 9999: the vault is damaged."""


def utc(time: int) -> datetime:
    """Convert milliseconds since 1970 to a datetime in UTC. Raises ImpossibleTime."""
    try:
        # In whole numbers: a float loses the millisecond of a time far ahead.
        return datetime.fromtimestamp(time // 1000, UTC).replace(microsecond=time % 1000 * 1000)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise ImpossibleTime(
            f"{time!r} is not a time in the years 1 to 9999", "`memos check` shows which memory has it"
        ) from error


def format_time(time: int, zone: tzinfo = UTC) -> str:
    """Format milliseconds since 1970 as an RFC 3339 time in ``zone``; whole seconds get no fraction."""
    value = utc(time)
    if zone is not UTC:
        value = value.astimezone(zone)
    return value.isoformat(timespec="milliseconds" if time % 1000 else "seconds").replace("+00:00", "Z")
