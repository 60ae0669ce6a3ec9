"""Check JSON and TOML that come from files against typed classes, with msgspec.

A class (a dataclass or ``msgspec.Struct``) lists the fields with their types and limits. Values come back
typed, or a ValueError names the field: ``Expected `int`, got `str` - at `$.versions[0].created```. Unknown
fields are ignored, so that newer programs can add some. ``bool`` is not a number, and no text holds half a
character (a lone surrogate).
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from memos_cli.moments import FIRST_TIME, LAST_TIME

T = TypeVar("T")

_LIMIT = 1 << 62
"""Larger numbers are not exchanged: they would not fit SQLite after an addition."""

Whole = Annotated[int, Meta(ge=-_LIMIT, le=_LIMIT)]
Count = Annotated[int, Meta(ge=0, le=_LIMIT)]
Positive = Annotated[int, Meta(ge=1, le=_LIMIT)]
Moment = Annotated[int, Meta(ge=FIRST_TIME, le=LAST_TIME)]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Ulid = Annotated[str, Meta(pattern=r"\A[0-9A-Z]{26}\Z")]


class Header(msgspec.Struct):
    """The header of every file of memos-cli; read before the rest, because a newer version may differ."""

    format: str
    version: int


def parse_json(data: bytes | str, kind: type[T]) -> T:
    """Parse JSON as ``kind``. Raises ValueError for anything else, also if it is nested too deeply."""
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def convert(value: Any, kind: type[T]) -> T:
    """Check a value that was parsed already, such as a table of TOML. Raises ValueError."""
    try:
        return msgspec.convert(value, kind)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def convert_record(value: Any, kind: type[T]) -> T:
    """Check a record of parsed JSON, also for lone surrogates (unlike ``convert``). Raises ValueError."""
    try:
        return msgspec.json.decode(msgspec.json.encode(value), type=kind)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def to_json(value: object) -> bytes:
    """Write a value of such a class, or a dict of them, as JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1)
