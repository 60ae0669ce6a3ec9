"""Remove pictures and other files that are embedded in a text as base64."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from memos_cli.cube import Span

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

Measure = Callable[[int, int], Span]


def leave_out(text: str, measure: Measure) -> tuple[str, Measure, str]:
    """Return a text without embedded files, the places of its characters in the source, and a note.

    A data URI keeps its type, such as ``data:image/png``. The span of a part covers what was left out of it.
    """
    if b"a" * _LINE not in text.encode("ascii", "replace").translate(_PROBE):
        return text, measure, ""
    parts: list[str] = []
    ends, shifts = [0], [0]
    at = length = count = 0
    for found in _EMBEDDED.finditer(text):
        instead = found["uri"] or "(base64)"
        blank = len(found[0]) - len(found[0].rstrip())
        if not found["uri"] and (len(found[0]) < LEAST or not _is_mixed(found[0])):
            continue
        end = found.end() - blank
        parts += (text[at : found.start()], instead)
        length += found.start() - at + len(instead)
        at, count = end, count + 1
        ends.append(length)
        shifts.append(end - length)
    if not count:
        return text, measure, ""
    left = shifts[-1]

    def place(start: int, end: int) -> Span:
        first, last = (shifts[bisect_right(ends, each) - 1] for each in (start, end))
        return measure(start + first, end + last)

    note = f"left out files embedded as base64: {count}, {left:,} characters"
    return "".join((*parts, text[at:])), place, note


def _is_mixed(run: str) -> bool:
    """Return whether a run has capitals, small letters and digits: hexadecimal and DNA have not."""
    return all(kind.search(run, 0, LEAST) for kind in _KINDS)
