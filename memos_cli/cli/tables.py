"""Tables on a terminal of any width: one line for each row, or several lines on a narrow terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

CROPPED = ("text", "older text", "newer text")
"""Columns that may be cut at the end."""
PLACES = ("from",)
"""Columns that may be cut at the start: the end names the file."""
TYPED = ("import with",)
"""Columns of commands. They are never wrapped, so that they can be copied."""
GAP = 2
LEAST = {**dict.fromkeys(CROPPED, 30), **dict.fromkeys(PLACES, 16)}
"""Least width of such a column, in terminal cells. Any other column wraps at WRAPPED."""
WRAPPED = 30
NARROW = 60
"""Below this width, times are shown as days."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print ``rows`` to standard output, as wide as the terminal is."""
    console = Console(highlight=False)
    shown = [[_shorten(" ".join(cell.split()), console.width) for cell in row] for row in rows]
    columns = [*zip(headers, *shown, strict=True)]
    wanted = [max(map(cell_len, column)) for column in columns]
    least = [_least(header, cells, width) for (header, *cells), width in zip(columns, wanted, strict=True)]
    room = console.width - GAP * (len(headers) - 1) - sum(least)
    if room < 0:
        for row in shown:
            for line in _stack(headers, row, console):
                console.print(line, soft_wrap=True)
        return
    more = sum(wanted) - sum(least)
    widths = [
        few + min(width - few, room * (width - few) // max(1, more))
        for few, width in zip(least, wanted, strict=True)
    ]
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for header, width in zip(headers, widths, strict=True):
        table.add_column(header, width=width, overflow="fold")
    for row in shown:
        table.add_row(*(Text(_crop(*each)) for each in zip(headers, row, widths, strict=True)))
    console.print(table)


def _least(header: str, cells: Sequence[str], width: int) -> int:
    """Return the least width of a column, in terminal cells: ``width`` if it cannot be cropped or wrapped."""
    if header in TYPED:
        return width
    if header in LEAST:
        return min(width, LEAST[header])
    return min(width, WRAPPED) if any(" " in cell for cell in cells) else width


def _stack(headers: Sequence[str], row: Sequence[str], console: Console) -> Iterator[Text]:
    """Yield the lines of one row: the short cells side by side, then each long cell below them."""
    width, line, is_first = console.width, "", True
    below = []
    for header, cell in zip(headers, row, strict=True):
        least = min(cell_len(cell), LEAST.get(header, WRAPPED))
        if header in (*CROPPED, *TYPED) or (header not in LEAST and least < cell_len(cell) and " " in cell):
            below.append((header, cell))
            continue
        if not cell:
            continue
        if line.strip() and cell_len(line) + GAP + least > width:
            yield Text(line, style="bold" if is_first else "")
            line, is_first = "", False
        start = f"{line}{' ' * GAP}" if line.strip() else "" if is_first else " " * GAP
        line = start + _crop(header, cell, max(least, width - cell_len(start)))
    if line.strip():
        yield Text(line, style="bold" if is_first else "")
    for header, cell in below:
        if header in TYPED:
            yield Text(" " * GAP + cell)
            continue
        for part in Text(_crop(header, cell, width - GAP)).wrap(console, width - GAP):
            yield Text(" " * GAP) + part


def _crop(header: str, cell: str, width: int) -> str:
    """Return as much of a cell as fits, if its column may be cropped."""
    if cell_len(cell) <= width or header not in LEAST:
        return cell
    if header in PLACES:
        start = len(cell)
        while start and cell_len(cell[start - 1 :]) < width:
            start -= 1
        return f"…{cell[start:]}"
    return f"{set_cell_size(cell, width - 1).rstrip()}…"


def _shorten(cell: str, width: int) -> str:
    """Return a time in local time, to the minute or the day; any other cell unchanged."""
    if not _TIME.fullmatch(cell):
        return cell
    try:
        time = datetime.fromisoformat(cell)
        time = time.astimezone() if cell.endswith("Z") else time
    except (ValueError, OverflowError):
        return cell
    return f"{time:%Y-%m-%d %H:%M}" if width >= NARROW else f"{time:%Y-%m-%d}"
