"""Jupyter notebooks, read as Markdown: their cells in order, code and the text it printed in fences.

Pictures, metadata and counts are left out.
Format: https://nbformat.readthedocs.io/en/latest/format_description.html
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from memos_cli.cube import Draft, Span
from memos_cli.interface.ingest.sources.decoding import Measure
from memos_cli.interface.ingest.sources.pieces import Setting
from memos_cli.interface.ingest.sources.text.prose import read_markdown

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_OBJECT = re.compile(r"\s*<[^<>\n]*>\s*")
"""What Python prints for an object that has no text: ``<Figure size 640x480 with 1 Axes>``."""


def is_notebook(value: object) -> bool:
    """Return whether a value of JSON is a notebook of format 4, which Jupyter has written since 2015."""
    if not isinstance(value, dict) or not isinstance(value.get("nbformat"), int):
        return False
    cells = value.get("cells")
    return isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells)


def read_notebook(
    value: dict[str, Any], places: Sequence[tuple[int, int]], span: Measure, setting: Setting
) -> Iterator[Draft]:
    """Yield the drafts of a notebook, which span whole cells. ``places`` are the characters of each cell."""
    language = _language(value.get("metadata"))
    parts: list[str] = []
    starts: list[int] = []
    known: list[tuple[int, int]] = []
    length = 0
    for place, cell in zip(places, value["cells"], strict=True):
        if shown := _show_cell(cell, language).strip("\r\n"):
            parts.append(shown)
            starts.append(length)
            known.append(place)
            length += len(shown) + 2

    def locate(start: int, end: int) -> Span:
        first, last = (bisect_right(starts, each) - 1 for each in (start, max(start, end - 1)))
        return span(known[first][0], known[last][1])

    yield from read_markdown("\n\n".join(parts), locate, setting)


def _show_cell(cell: dict[str, Any], language: str) -> str:
    source = _join(cell.get("source"))
    if cell.get("cell_type") != "code":
        return source
    outputs = cell.get("outputs")
    printed = "".join(map(_show_output, outputs if isinstance(outputs, list) else ()))
    return _fence(source, language) + (f"\n\nOutput:\n\n{_fence(printed)}" if printed.strip() else "")


def _show_output(output: object) -> str:
    """Return the text of an output: what was printed, a result, or an error without its trace."""
    if not isinstance(output, dict):
        return ""
    if output.get("output_type") == "error":
        return f"{output.get('ename')}: {output.get('evalue')}\n"
    data = output.get("data")
    text = _join(output.get("text")) or _join(data.get("text/plain") if isinstance(data, dict) else None)
    text = _ESCAPE.sub("", text)
    return "" if _OBJECT.fullmatch(text) else text if text.endswith("\n") or not text else f"{text}\n"


def _join(value: object) -> str:
    """Return a text, which a notebook may store as a list of its lines."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))


def _fence(code: str, language: str = "") -> str:
    if not code.strip():
        return ""
    mark = "`" * (1 + max(map(len, re.findall("`{2,}", code)), default=2))
    return f"{mark}{language}\n{code.rstrip()}\n{mark}"


def _language(metadata: object) -> str:
    """Return the programming language of a notebook; '' if it does not say."""
    for kind, key in (("language_info", "name"), ("kernelspec", "language")):
        block = metadata.get(kind) if isinstance(metadata, dict) else None
        name = block.get(key) if isinstance(block, dict) else None
        if isinstance(name, str) and re.fullmatch(r"[\w+#.-]{1,30}", name):
            return name.lower()
    return ""
