"""HTML: extract the visible text, block by block, with the source bytes of each part.

lexbor builds the tree as browsers do, but without places in the source: ``html_tags`` marks the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from memos_cli.cube import Draft
from memos_cli.interface.ingest.sources.decoding import Measure, clean
from memos_cli.interface.ingest.sources.pieces import (
    WHOLE,
    Piece,
    Setting,
    cut,
    first_time,
    measure,
    open_heading,
    pack,
)
from memos_cli.interface.ingest.sources.text.html_tags import HIDDEN, INLINE, MARKS, VOID, mark

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_TIMES = ("article:published_time", "date", "dc.date", "dcterms.created", "article:modified_time")

_DECLARATION = re.compile(r"([\w-]+)\s*:\s*([^;!]*)")
_ZERO = re.compile(r"[+-]?0*\.?0+(?:[a-z%]+)?$")
_OFF_PAGE = re.compile(r"-\d{3,}(?:\.\d+)?(?:px|r?em|v[wh]|%)?$")
"""A distance by which something is moved out of the page."""


class _Block(NamedTuple):
    """A paragraph, heading, cell or the like: its characters in the source, and its text as shown."""

    start: int
    end: int
    text: str
    level: int = 0
    """1 to 6 for a heading."""
    group: int = 0
    """Number of the table or preformatted element that contains it, if any."""
    row: int = 0
    """Number of the table row that it is a cell of by itself, if any."""
    column: int = 0
    is_header: bool = False


class _Around(NamedTuple):
    """The state that an element passes to its children."""

    level: int = 0
    group: int = 0
    row: int = 0
    column: int = 0
    is_header: bool = False
    preformatted: bool = False
    invisible: frozenset[str] = frozenset()
    """The properties that hide text; unlike ``display: none``, a descendant may show it again."""


class _Page:
    """Collect the blocks of a page, its title, and its ``meta`` elements."""

    def __init__(self, text: str) -> None:
        from selectolax.lexbor import LexborHTMLParser

        self.blocks: list[_Block] = []
        self.title = ""
        self.known: dict[str, str] = {}
        self._words: list[str] = []
        self._start = self._end = self._groups = 0
        self._columns = [0]
        """Of each table row, how many cells it has so far."""
        self._length = len(text)
        marked, self._stretches = mark(text)
        root = LexborHTMLParser(marked).root
        if root is not None:
            self._walk(root)

    def _walk(self, node: LexborNode | None) -> None:
        """Go through the elements below a node, depth first."""
        stack: list[tuple[LexborNode, _Around]] = []
        around = _Around()
        while node is not None:
            name = node.tag or ""
            inner = None
            if node.is_text_node:
                self._add(node.text_content or "", around)
            elif node.is_element_node:
                inner = self._enter(node, name, around)
            child = node.first_child if inner is not None else None
            if inner is not None and child is not None:
                stack.append((node, around))
                node, around = child, inner
                continue
            if inner is not None:
                self._leave(name, inner)
            while node.next is None and stack:
                inner = around
                node, around = stack.pop()
                self._leave(node.tag or "", inner)
            node = node.next

    def _enter(self, node: LexborNode, name: str, around: _Around) -> _Around | None:
        """Return the state that an element passes to its children; None if nothing in it is visible."""
        if name == "title":
            self.title = self.title or MARKS.sub("", node.text_content or node.text())
            return None
        if name == "br":
            self._words.append("\n")
        if name in HIDDEN or name in VOID:
            if name == "meta":
                given = node.attributes
                key = (given.get("property") or given.get("name") or "").lower()
                self.known.setdefault(key, given.get("content") or "")
            elif name == "hr":
                self._end_block(around)
            return None
        attributes = node.attributes
        invisible = _find_invisible(name, attributes, around.invisible) if attributes else around.invisible
        if name == "dialog" and "open" not in attributes:
            invisible |= {"display"}
        if "display" in invisible:
            return None
        if name in INLINE:
            return around if invisible == around.invisible else around._replace(invisible=invisible)
        self._end_block(around)
        group = around.group
        if name in ("pre", "table") and not group:
            group = self._groups = self._groups + 1
        row, column = around.row, around.column
        if name == "tr":
            row = len(self._columns)
            self._columns.append(0)
        elif name in ("td", "th"):
            column = self._columns[row]
            self._columns[row] += 1
        is_header = name == "th" or (around.is_header and name != "td")
        is_preformatted = around.preformatted or name == "pre"
        level = _HEADINGS.get(name, around.level)
        return _Around(level, group, row, column, is_header, is_preformatted, invisible)

    def _leave(self, name: str, inner: _Around) -> None:
        if name not in INLINE:
            self._end_block(inner)

    def _add(self, words: str, around: _Around) -> None:
        if around.invisible:
            return
        parts = MARKS.split(words)
        for number in parts[1::2]:
            if number and int(number) < len(self._stretches):
                start, end = self._stretches[int(number)]
                self._start = min(self._start, start) if self._end else start
                self._end = max(self._end, end)
        words = "".join(parts[::2])
        self._words.append(words if around.preformatted else words.replace("\n", " "))

    def _end_block(self, around: _Around) -> None:
        if not self._words:
            return
        text = "".join(self._words)
        if not around.preformatted:
            text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
        text = text.strip()
        if text and not self._end and self.blocks:  # no mark reached it: it stands near the last block
            self._start, self._end = self.blocks[-1].start, self.blocks[-1].end
        if text:
            end = self._end or self._length
            level, group, row, column, is_header, is_preformatted, _ = around
            row = 0 if is_preformatted or level else row
            self.blocks.append(_Block(self._start, end, text, level, group, row, column, is_header))
        self._words, self._start, self._end = [], 0, 0


def read_html(text: str, span: Measure, setting: Setting) -> Iterator[Draft]:
    """Yield a draft for each run of blocks under one heading that fits the size, titled page › heading.

    Scripts, styles, navigation and what is hidden are left out. The span covers the raw bytes of the blocks;
    the text is what a reader of the page sees.
    """
    page = _Page(text)
    title = clean(" ".join(page.title.split())) or setting.title
    setting = replace(setting, time=first_time((page.known.get(key) for key in _TIMES), setting.time))
    author = clean(page.known.get("author", "")).strip()
    for blocks, path in _sections(_find_rows(page.blocks)):
        ends = [_end_of(block, after) for block, after in pairwise(blocks)]
        parts = [block.text + end for block, end in zip(blocks, [*ends, ""], strict=True)]
        whole = "".join(parts)
        starts = list(accumulate(map(len, parts[:-1]), initial=0))
        names = (title, *(name for name in path if name != title))
        for piece in pack(_pieces(whole, blocks, starts, setting.size), setting.size):
            first, last = (bisect_right(starts, place) - 1 for place in (piece.start, piece.end - 1))
            held = blocks[first : last + 1]  # a browser moves text out of tables, so they may not be in order
            place = span(min(block.start for block in held), max(block.end for block in held))
            yield setting.draft(clean(piece.read(whole)), place, *names, author=author)


def _find_invisible(name: str, attributes: dict[str, str | None], before: frozenset[str]) -> frozenset[str]:
    """Return the properties that hide an element's text, given those of its parent.

    ``display`` stands for all that nothing within can undo. ``aria-hidden`` counts for icons only: sighted
    readers see what else it hides.
    """
    style = re.sub(r"/\*.*?\*/", "", (attributes.get("style") or "").lower(), flags=re.DOTALL)
    given = {key: value.strip() for key, value in _DECLARATION.findall(style)}
    is_icon = name == "i" or "icon" in (attributes.get("class") or "")
    if (
        (attributes.get("hidden", "until-found") or "").lower() != "until-found"
        or "popover" in attributes
        or given.get("display") == "none"
        or given.get("content-visibility") == "hidden"
        or _ZERO.match(given.get("opacity", ""))
        or any(_OFF_PAGE.match(given.get(key, "")) for key in ("left", "top", "text-indent"))
        or (is_icon and attributes.get("aria-hidden") == "true")
    ):
        return before | {"display"}
    if size := given.get("font-size"):
        before = before | {"font-size"} if _ZERO.match(size) else before - {"font-size"}
    if seen := given.get("visibility"):
        before = before | {"visibility"} if seen in ("hidden", "collapse") else before - {"visibility"}
    return before


def _sections(blocks: list[_Block]) -> Iterator[tuple[list[_Block], tuple[str, ...]]]:
    """Yield the blocks under each heading, from the heading on, and the headings that they stand under.

    A heading with nothing under it opens the next section; after the last text it ends the last section.
    """
    above: list[tuple[int, str]] = []
    path: tuple[str, ...] = ()
    section: list[_Block] = []
    has_body = False
    last_body = max((at for at, block in enumerate(blocks) if not block.level), default=len(blocks))
    for at, block in enumerate(blocks):
        if block.level and at < last_body:
            if has_body:
                yield section, path
                section, has_body = [], False
            path = open_heading(above, block.level, block.text.replace("\n", " "))
        section.append(block)
        has_body = has_body or not block.level
    if section:
        yield section, path


def _find_rows(blocks: list[_Block]) -> list[_Block]:
    """Return the blocks, without the rows of tables for layout: a cell of theirs holds several blocks."""
    held = Counter((block.row, block.column) for block in blocks)
    layout = {row for (row, _), count in held.items() if count > 1}
    return [
        block._replace(row=0) if block.row in layout else block._replace(text=block.text.replace("\n", " "))
        if block.row else block
        for block in blocks
    ]  # fmt: skip


def _end_of(block: _Block, after: _Block) -> str:
    """Return the text between two blocks: cells of one row are on one line, as in a table of Markdown."""
    if block.row and block.row == after.row:
        return " | " * max(1, after.column - block.column)
    is_head = block.row and block.is_header and block.column and after.row and after.group == block.group
    ruler = "\n" + "---|" * (block.column + 1) if is_head else ""
    return f"{ruler}\n" + "| " * after.column * (after.row > 0)


def _pieces(whole: str, blocks: list[_Block], starts: list[int], size: int) -> Iterator[Piece]:
    """Yield the pieces of the joined text of blocks: tables and preformatted text whole where they fit."""
    at = 0
    for group, run in groupby(blocks, key=lambda block: block.group):
        members = list(run)
        first, at = at, at + len(members)
        last_end = starts[at - 1] + len(blocks[at - 1].text)
        cost = measure(whole, starts[first], last_end)
        if group and cost <= WHOLE * size:
            yield Piece(starts[first], last_end, cost, last_end - starts[first])
            continue
        for _, row in groupby(range(first, at), key=lambda n: blocks[n].row or -n):
            cells = list(row)
            row_end = starts[cells[-1]] + len(blocks[cells[-1]].text)
            for piece_start, end in cut(whole, size, starts[cells[0]], row_end):
                body = 0 if blocks[cells[0]].level else end - piece_start
                yield Piece(piece_start, end, measure(whole, piece_start, end), body)
