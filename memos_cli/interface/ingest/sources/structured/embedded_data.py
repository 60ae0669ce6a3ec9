"""Remove embedded base64 files and recalled memories from the text of a source."""

from __future__ import annotations

import re
from bisect import bisect_right

from memos_cli.cube import Span
from memos_cli.interface.ingest.sources.decoding import Measure
from memos_cli.interface.recalled import find_recalled

LEAST = 1000
"""Least characters of base64 that count as a file, not a key or hash: an RSA 4096 public key has 716."""

_LINE = 60
_BASE64 = bytes(range(48, 58)) + bytes(range(65, 91)) + bytes(range(97, 123)) + b"+/%"
_PROBE = bytes(0x61 if each in _BASE64 else 0x20 for each in range(256))
_URI = r"(?P<uri>data:[a-z]+/[\w.+-]+)[\w;=.+-]*,(?:[^\s\"'()<>\\]|\\/){60,}+"
_RUN = r"(?<![A-Za-z0-9+/])(?:(?:[A-Za-z0-9+/]|\\/){60,}+={0,2}(?:\\[rn]|[ \t]*[\r\n]+[ \t>]*)*+)++"
_TAIL = r"(?:[A-Za-z0-9+/]{1,59}={1,2}|[A-Za-z0-9+/]{20,59}(?![^\s\"\\<]))?"
_EMBEDDED = re.compile(f"{_URI}|{_RUN}{_TAIL}")
_KINDS = tuple(map(re.compile, ("[A-Z]", "[a-z]", "[0-9]")))
"""What base64 has of each; hexadecimal and DNA have not."""

Cut = tuple[int, int, str]
"""A range of characters to remove, and its replacement."""


def leave_out(text: str, measure: Measure, *, is_data: bool = False) -> tuple[str, Measure, list[str]]:
    """Return a text without recalled memories and embedded files, the places of its characters in the source,
    and notes.

    A data URI keeps its type, such as ``data:image/png``. The span of a part covers what was left out of it.
    In data, such as JSON, the rest of the text is kept where recalled memories break off.
    """
    notes = []
    if recalled := find_recalled(text, to_end=not is_data):
        text, measure, left = _without(text, measure, [(*span, "") for span in recalled])
        notes.append(f"left out recalled memories: {left:,} characters")
    if b"a" * _LINE in text.encode("ascii", "replace").translate(_PROBE) and (cuts := _find_files(text)):
        text, measure, left = _without(text, measure, cuts)
        notes.append(f"left out files embedded as base64: {len(cuts)}, {left:,} characters")
    return text, measure, notes


def _find_files(text: str) -> list[Cut]:
    return [
        (match.start(), match.start() + len(match[0].rstrip()), match["uri"] or "(base64)")
        for match in _EMBEDDED.finditer(text)
        if match["uri"]
        or (len(match[0]) >= LEAST and all(kind.search(match[0], 0, LEAST) for kind in _KINDS))
    ]


def _without(text: str, measure: Measure, cuts: list[Cut]) -> tuple[str, Measure, int]:
    """Return a text with each cut replaced, the places of its characters, and how many are gone."""
    parts: list[str] = []
    ends, shifts = [0], [0]
    at = length = 0
    for start, end, instead in cuts:
        parts += (text[at:start], instead)
        length += start - at + len(instead)
        at = end
        ends.append(length)
        shifts.append(end - length)

    def place(start: int, end: int) -> Span:
        first, last = (shifts[bisect_right(ends, each) - 1] for each in (start, end))
        return measure(start + first, end + last)

    return "".join((*parts, text[at:])), place, shifts[-1]
