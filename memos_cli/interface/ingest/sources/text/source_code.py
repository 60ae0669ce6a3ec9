"""Source code and configuration: blocks that start where a definition starts at the left margin."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from memos_cli.cube import Draft
from memos_cli.interface.ingest.sources.decoding import Measure
from memos_cli.interface.ingest.sources.pieces import Setting, cut

_NAME = re.compile(
    r"(?:(?:export|default|public|private|protected|static|abstract|final|async|pub(?:\([a-z]+\))?|unsafe|open|sealed|data"
    r"|inline|extern|local|declare|override)\s+)*"
    r"(?:(?:def|class|function\*?|func|fn|fun|struct|enum|trait|impl|interface|type|module|namespace|object|protocol"
    r"|macro_rules!|const|let|var|val|#define|sub|package)\s+(?:\([^()]*\)\s*)?"
    r"|(?i:create\s+(?:or\s+replace\s+)?(?:table|view|index|function|procedure|trigger)\s+(?:if\s+not\s+exists\s+)?))"
    r"[\"'`]?([^\W\d][\w.:-]*)"
)
_CALLABLE = re.compile(r"(?:[\w*&:<>,]+\s+){0,6}[*&]*([^\W\d][\w:~]*)\s*\(")
_NO_CALLABLE = re.compile(r"(?:if|for|while|switch|return|import|from|else|elif|assert|raise|print)\b")
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)*")
_CONTINUES = (" ", "\t", ")", "]", "}", "end", "else", "except", "finally", "fi", "done")


def read_code(text: str, span: Measure, setting: Setting) -> Iterator[Draft]:
    """Yield a draft for each run of whole blocks that fits the size, or for parts of a longer block.

    A block starts at a line without indentation after a blank line, so comments and decorators stay with
    what they describe. The title names the file and the definition that the piece starts with or is in.
    """
    tops, paragraphs, lines = _starts(text)
    name = ""
    for start, end in _pack(text, (tops, paragraphs, lines), 0, len(text), setting.size):
        if blank := _BLANK_LINES.match(text, start, end):
            start = blank.end()
        end = start + len(text[start:end].rstrip())
        if start == end:
            continue
        name = _first_name(text, start, end) or name
        yield setting.draft(text[start:end], span(start, end), setting.name, name)


def _starts(text: str) -> tuple[list[int], list[int], list[int]]:
    """Return where blocks start, where lines after a blank line do, and where lines do."""
    tops: list[int] = []
    paragraphs: list[int] = []
    lines: list[int] = []
    at, after_blank = 0, True
    for line in text.split("\n"):
        lines.append(at)
        blank = not line or line.isspace()
        if after_blank and not blank:
            paragraphs.append(at)
            if not line.startswith(_CONTINUES):
                tops.append(at)
        after_blank = blank
        at += len(line) + 1
    return tops, paragraphs, lines


def _pack(
    text: str, levels: Sequence[list[int]], start: int, end: int, size: int
) -> Iterator[tuple[int, int]]:
    """Join neighbours up to ``size``; what is longer by itself is packed again by the next finer level."""
    if end - start <= size:
        yield start, end
        return
    if not levels:
        yield from cut(text, size, start, end)
        return
    cuts, *finer = levels
    bounds = [start, *cuts[bisect_right(cuts, start) : bisect_left(cuts, end)], end]
    open_since = start
    for here, there in pairwise(bounds):
        if there - open_since <= size:
            continue
        if here > open_since:
            yield open_since, here
        open_since = here
        if there - here > size:
            yield from _pack(text, finer, here, there, size)
            open_since = there
    if open_since < end:
        yield open_since, end


def _first_name(text: str, start: int, end: int) -> str:
    """Return the first name that a piece defines: at the margin if there is one, else indented."""
    inner = ""
    for line in text[start:end].split("\n"):
        head = line[:200]
        found = _NAME.match(head.lstrip())
        if found and head[:1].strip():
            return found[1].rstrip(":.-")
        if found and not inner:
            inner = found[1].rstrip(":.-")
        if head.rstrip().endswith(("{", ")")) and head[:1].isalpha() and not _NO_CALLABLE.match(head):
            called = _CALLABLE.match(head)
            if called:
                return called[1]
    return inner
