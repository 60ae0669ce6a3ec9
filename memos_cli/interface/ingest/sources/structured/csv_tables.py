"""Tables as text (CSV, TSV): a record for each row, its fields named by the header.

Files of programs differ from RFC 4180: other delimiters, which must not be confused with decimal commas, a
first line ``sep=;``, titles above the header, columns without a name, rows without a header.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from memos_cli.cube import Draft
from memos_cli.interface.ingest.sources.decoding import Measure
from memos_cli.interface.ingest.sources.pieces import Setting
from memos_cli.interface.ingest.sources.structured.records import Fault, Seen, drafts_of, unique

_DELIMITERS = "\t;|,"
"""The likeliest comes first of those that explain a file as well: commas stand in text, too."""
_SAMPLE = 1 << 16
"""Characters at the start that show how a file is written."""
_ROWS = 200
"""Rows, and cells of a row, that show it."""
_TITLE = 120
"""Characters of a line above the header that can be a title, and of a cell that can be a column's name."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SEP = re.compile(r'"?sep=(.)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
_VALUES = {
    "year": re.compile(r"(?:19|20)\d\d"),
    "number": re.compile(r"[-+(]?[$€£¥]? ?\d[\d.,' \u00a0\u202f]*[)%]?(?: ?[$€£¥]| EUR| USD)?"),
    "date": re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T]\d.*)?"),
    "address": re.compile(r"[^\s@]+@[^\s@]+\.\w+|\w+://\S+"),
}
"""Cell values that are unlikely as names of columns."""

_Row = tuple[int, int, list[str]]
"""Where a row starts and ends, and its cells."""


def read_csv(text: str, span: Measure, setting: Setting) -> Iterator[Draft | Fault]:
    """Yield a draft for each row below the header, without blank rows. The first line above the header is the
    title; if there are several, they are also a draft."""
    csv.field_size_limit(1 << 30)
    setting = replace(setting, is_table=True)
    named = _SEP.match(text)
    at = named.end() if named else 0
    rows = _rows(text, at, named[1] if named else _delimiter(text[at : at + _SAMPLE + 1]))
    first = list(islice(rows, _ROWS))
    seen = Seen()
    header = _header_of(first)
    if above := first[:header]:
        lines = [[said for cell in cells if (said := cell.strip())] for _, _, cells in above]
        title = next((line[0] for line in lines if len(line) == 1 and len(line[0]) <= _TITLE), "")
        setting = replace(setting, title=title or setting.title)
        if len(lines) > 1 or not title:
            said = "\n".join(": ".join(each.rstrip(":") for each in line) for line in lines)
            yield from drafts_of(said, span(above[0][0], above[-1][1]), setting, seen)
    names: list[str] = []
    if header < len(first) and not _is_data(first[header:]):
        titles = (" ".join(cell.split()) for cell in first[header][2])
        names = unique([title or f"column {number}" for number, title in enumerate(titles, 1)])
        header += 1
    for start, end, cells in chain(first[header:], rows):
        cells = [cell.strip() for cell in cells]
        if len(cells) > len(names):
            names = unique([*names, *(f"column {n}" for n in range(len(names) + 1, len(cells) + 1))])
        record = dict(zip(names, cells, strict=False))
        value = cells[0] if names == ["column 1"] else record
        yield from drafts_of(value, span(start, end), setting, seen)


def is_table(text: str) -> bool:
    """Return whether every line of a text has the same number of tabs, not zero: Excel's "Unicode Text"."""
    widths = _widths(text[: _SAMPLE + 1], "\t")
    return len(widths) > 1 and len(set(widths)) == 1 and widths[0] > 1


def _rows(text: str, at: int, delimiter: str, is_rest: bool = False) -> Iterator[_Row]:
    """Yield the rows that are not blank. A quote that is never closed ends with its line, once."""
    consumed = at

    def lines() -> Iterator[str]:
        nonlocal consumed
        for line in _LINE.finditer(text, at):
            consumed = line.end()
            yield line[0]

    start = at
    for cells in csv.reader(lines(), delimiter=delimiter):
        place, start = start, consumed
        if consumed == len(text) and not is_rest and text.count('"', place) % 2:
            line = next(_LINE.finditer(text, place))
            if line.end() < consumed:
                cells = next(csv.reader([line[0]], delimiter=delimiter, quoting=csv.QUOTE_NONE))
                yield place, place + len(line[0].rstrip("\r\n")), cells
                yield from _rows(text, line.end(), delimiter, is_rest=True)
                return
        if any(cell and not cell.isspace() for cell in cells):
            yield place, place + len(text[place:consumed].rstrip("\r\n")), cells


def _widths(sample: str, delimiter: str) -> list[int]:
    """Return the number of cells in each of the first rows that are not blank."""
    reader = csv.reader(io.StringIO(sample[:_SAMPLE], newline=""), delimiter=delimiter)
    widths = [len(row) for row in islice(reader, _ROWS) if any(cell.strip() for cell in row)]
    if len(sample) > _SAMPLE and len(widths) > 1:
        widths.pop()  # cut off
    return widths


def _delimiter(sample: str) -> str:
    """Return the delimiter: the one by which most rows have the same number of cells, outside quotes.

    Where the first row has none, it is a title, and a table follows; or the file has one column of prose.
    """
    best, score = "\x1f", (0.0, 0)
    for delimiter in _DELIMITERS:
        if not (widths := _widths(sample, delimiter)) or max(widths) == 1:
            continue
        width, hits = max(Counter(w for w in widths if w > 1).items(), key=lambda item: (item[1], item[0]))
        if widths[0] == 1:
            below = len(widths) - widths.index(width)
            if (
                3 * hits < 2 * below
                or hits < 2
                or 2 * sample.count(delimiter + " ") > sample.count(delimiter)
            ):
                continue
        if (found := (hits / len(widths), width)) > score:
            best, score = delimiter, found
    return best


def _header_of(rows: Sequence[_Row]) -> int:
    """Return the index of the header: the first row with about as many filled cells as most rows."""
    filled = [sum(map(bool, map(str.strip, cells))) for _, _, cells in rows]
    if not filled:
        return 0
    usual = max(Counter(filled).items(), key=lambda item: item[0] * item[1])[0]
    return next(at for at, count in enumerate(filled) if count >= min(usual, max(2, 0.6 * usual)))


def _is_data(rows: Sequence[_Row]) -> bool:
    """Return whether the first row is data: it looks like the second row, or has cells that are not names."""
    cells, *below = [[cell.strip() for cell in row[:_ROWS]] for _, _, row in rows[:2]]
    is_prose = len(cells) == 1 and re.search(r"\s.*[.!?。]$", cells[0])
    if is_prose or any(len(cell) > _TITLE for cell in cells):
        return True
    digits = [cell for cell in cells if cell.isdecimal()]
    if len(digits) > 1 and digits == [str(number) for number in range(1, len(digits) + 1)]:
        return False  # days of a month, places
    kinds = [_kind(cell) for cell in cells]
    if not below:
        return any(kinds)
    pairs = [pair for pair in zip(kinds, map(_kind, below[0]), strict=False) if any(pair)]
    return 2 * sum(here == there for here, there in pairs) > len(pairs)


def _kind(cell: str) -> str:
    return next((kind for kind, form in _VALUES.items() if form.fullmatch(cell)), "")
