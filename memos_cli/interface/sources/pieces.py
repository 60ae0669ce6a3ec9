"""What the readers of the single kinds share: what is known of the whole source, and cutting to size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from memos_cli.cube import parse_time

LONGEST = 16_000
"""Characters that one record or line may have and still be one draft. Longer ones are cut to size."""

_WINDOW = 10
"""Pieces that the splitter sees at once: on text without any boundary its time is quadratic (two million
letters in one word took 85 s), so it never gets more than this."""

_FILE_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_TIMES = range(-62_135_596_800_000, 253_402_300_800_000)
"""Milliseconds that have a date: the years 1 to 9999."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a whole source says about each of its pieces, unless the piece says otherwise."""

    name: str
    title: str
    """What to call it where it does not say so itself."""
    time: int | None
    type: str
    """A semantic type that the user asked for, or ''."""
    size: int
    """Characters that a piece should have at most, in a script of letters."""


def cut(
    text: str, size: int, start: int = 0, end: int | None = None, markdown: bool = False
) -> Iterator[tuple[int, int]]:
    """Ranges of characters in ``text[start:end]``, trimmed, none blank, of about ``size`` or less.

    They end at paragraphs, else sentences, else words. Text that is mostly Chinese, Japanese or Korean
    says in a third of the characters what English does, so its pieces are a third as long.
    """
    end = len(text) if end is None else end
    size = max(1, size // 3 if _mostly_cjk(text[start : start + 2000]) else size)
    while start < end:
        stop = min(end, start + _WINDOW * size)
        window = text[start:stop]
        if len(window.strip()) <= size:
            offsets = [(0, window)]
        else:
            offsets = _splitter(markdown, size).chunk_indices(window)
            if stop < end and len(offsets) > 1:  # the last piece is cut by the window: look at it again
                stop = start + offsets.pop()[0]
        for offset, chunk in offsets:
            trimmed = chunk.strip()
            if trimmed:
                first = start + offset + len(chunk) - len(chunk.lstrip())
                yield first, first + len(trimmed)
        start = stop


def read_time(value: object) -> int | None:
    """Milliseconds from what a record says: ISO 8601 or seconds, milli-, micro- or nanoseconds since 1970.

    None where it says nothing that can be read. Which unit a number has is told by its size: seconds
    reach 10^11 in the year 5138, milliseconds did in 1973.
    """
    try:
        if isinstance(value, str):
            value = value.strip()
            time = _epoch(int(value)) if len(value) > 8 and value.isdecimal() else parse_time(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            time = _epoch(value)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return time if time in _TIMES else None


def _epoch(value: float) -> int:
    scale = 1000.0
    while abs(value) * scale >= 1e14 and scale > 1e-6:
        scale /= 1000
    return round(value * scale)


def date_in(name: str) -> int | None:
    """The date that a file name carries (``2025-06-12-minutes.md``, ``20250612.txt``), as a time."""
    found = _FILE_DATE.search(name)
    return read_time(f"{found[1]}-{found[3]}-{found[4]}") if found else None


def clean_name(name: str) -> str:
    """A file's name as text: bytes of it that are not UTF-8 become U+FFFD; ``-`` is no name."""
    return "" if name == "-" else name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_tags(value: object) -> tuple[str, ...]:
    """Tags from a list of texts or from one text with commas; a leading ``#`` is dropped, order is kept."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return ()
    tags = (str(tag).strip().lstrip("#").strip() for tag in value if isinstance(tag, str | int))
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _mostly_cjk(sample: str) -> bool:
    if sample.isascii():
        return False
    wide = sum("\u2e80" <= character <= "\ud7ff" or character >= "\uf900" for character in sample)
    return 2 * wide > len(sample)


@lru_cache(maxsize=8)
def _splitter(markdown: bool, size: int) -> Any:
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    return (MarkdownSplitter if markdown else TextSplitter)(size)
