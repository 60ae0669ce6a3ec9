"""The time zone of the user, in which times without a zone are read and all times are shown."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from memos_cli.errors import UsageError
from memos_cli.moments import format_time

_LOCALTIME = "/etc/localtime"
_named = ""


def use_zone(name: str) -> None:
    """Set the time zone of this process, such as ``Europe/Berlin``; '' is the system's.

    Raises UsageError for a name that the zone database does not have.
    """
    global _named
    if name:
        try:
            _load(name)
        except (KeyError, ValueError, OSError):
            raise UsageError(
                f"there is no time zone {name!r}", "write a name such as Europe/Berlin or Asia/Tokyo"
            ) from None
    _named = name


def local_zone() -> tzinfo:
    """Return the setting ``time.zone``, else the zone of TZ, else that of /etc/localtime, else UTC."""
    return _load(_named) if _named else _system_zone(os.environ.get("TZ"))


def show_time(time: int) -> str:
    """Return milliseconds as an RFC 3339 time in the user's zone."""
    try:
        return format_time(time, local_zone())
    except OverflowError:  # the last hours of the year 9999, east of Greenwich
        return format_time(time)


@lru_cache(maxsize=8)
def _load(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)  # raises ZoneInfoNotFoundError, which is a KeyError, or ValueError


@lru_cache(maxsize=8)
def _system_zone(variable: str | None) -> tzinfo:
    """Return the zone that the C library uses: TZ is a name, a path or a POSIX rule; empty is UTC."""
    from zoneinfo import ZoneInfo

    value = (variable or "").removeprefix(":")
    path = _LOCALTIME if variable is None else value if value.startswith("/") else ""
    try:
        if path:
            with Path(path).open("rb") as file:
                return ZoneInfo.from_file(file, key=value or None)
        return _load(value) if value else UTC
    except (KeyError, ValueError, OSError):
        pass
    try:
        return ZoneInfo.from_file(BytesIO(_rule_file(value)), key=value)
    except (ValueError, OSError):
        return UTC


def _rule_file(rule: str) -> bytes:
    """Return a minimal zone file (RFC 8536) with a POSIX rule, such as ``JST-9``."""
    header = b"TZif2" + bytes(15) + bytes(16) + (1).to_bytes(4, "big") + (1).to_bytes(4, "big")
    return 2 * (header + bytes(6) + b"\0") + b"\n" + rule.encode("ascii", "replace") + b"\n"
