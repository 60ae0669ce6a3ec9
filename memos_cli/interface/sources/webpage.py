"""HTML: the visible text, block by block, with the bytes that each stretch of it came from."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from itertools import accumulate, groupby

from memos_cli.cube import Draft, Span
from memos_cli.interface.sources.decoding import clean
from memos_cli.interface.sources.pieces import WHOLE, Piece, Setting, cut, first_time, measure, pack

_HIDDEN = frozenset(("noscript", "template", "svg", "iframe", "select", "button", "nav"))
_INLINE_NAMES = """
a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q rp rt ruby s samp
small span strike strong sub sup time tt u var wbr
"""
_INLINE = frozenset(_INLINE_NAMES.split())
_OPENING = re.compile(r"<!--|<(/?)([a-zA-Z][^\s/>]*+)|<[!?]")
_TAG_END = re.compile(r"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
_TAG_END_UNQUOTED = re.compile(r"[^>]*+>")
_RAW = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style")}
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_TIMES = ("article:published_time", "date", "dc.date", "dcterms.created", "article:modified_time")


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph, heading, cell or the like: its characters in the source, and its text as shown."""

    start: int
    end: int
    text: str
    level: int = 0
    """1 to 6 for a heading."""
    group: int = 0
    """Number of the table or preformatted element that it is part of, if any."""


class _Page:
    """Collects the blocks of a page. Text inside the elements named by ``hidden`` is left out."""

    def __init__(self, text: str, hidden: frozenset[str]) -> None:
        self.blocks: list[_Block] = []
        self.title = ""
        self.known: dict[str, str] = {}
        self._words: list[str] = []
        self._start = self._end = self._level = 0
        self._group = self._depth = 0
        self._preformatted = False
        outer, depth, in_title = "", 0, False
        for start, end, tag, closing in _tokens(text):
            if outer:  # inside a hidden element, only its own tags count
                depth += (tag == outer) * (-1 if closing else 1)
                outer = outer if depth else ""
            elif tag in hidden:
                outer, depth = ("", 0) if closing else (tag, 1)
            elif tag == "title":
                in_title = not closing and not self.title
            elif tag == "" and in_title:
                self.title += unescape(text[start:end])
            elif tag == "":
                self._add(unescape(text[start:end]), start, end)
            elif tag == "meta":
                self._learn(text[start:end])
            elif tag == "br":
                self._words.append("\n")
            elif tag not in _INLINE:
                self._end_block()
                self._level = 0 if closing else _HEADINGS.get(tag, 0)
                self._preformatted = not closing if tag == "pre" else self._preformatted
                if tag in ("pre", "table"):
                    self._group += not self._depth
                    self._depth = max(0, self._depth + (-1 if closing else 1))
        self._end_block()

    def _add(self, words: str, start: int, end: int) -> None:
        if words.strip():
            if not self._end:
                self._start = start
            self._end = end
        self._words.append(words if self._preformatted else words.replace("\n", " "))

    def _learn(self, tag: str) -> None:
        given = {
            key.lower(): unescape(double or single) for key, double, single in _ATTRIBUTE.findall(tag[:2000])
        }
        name = (given.get("property") or given.get("name") or "").lower()
        self.known.setdefault(name, given.get("content", ""))

    def _end_block(self) -> None:
        text = "".join(self._words)
        if not self._preformatted:
            text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
        text = text.strip()
        if text and self._end:
            self.blocks.append(
                _Block(self._start, self._end, text, self._level, self._group if self._depth else 0)
            )
        self._words, self._end = [], 0


def read_html(text: str, span: Callable[[int, int], Span], setting: Setting) -> Iterator[Draft]:
    """Yield a draft for each run of blocks under one heading that fits the size, titled page › heading.

    Scripts, styles and navigation are left out. The span covers the raw bytes of the blocks; the text is
    what a reader of the page sees.
    """
    page = _Page(text, _HIDDEN)
    if not page.blocks:  # an element that was never closed hid everything
        page = _Page(text, frozenset())
    title = clean(" ".join(page.title.split())) or setting.title
    time = first_time(page.known.get(key) for key in _TIMES)
    if time is None:
        time = setting.time
    author = clean(page.known.get("author", "")).strip()
    for blocks, path in _sections(page.blocks):
        whole = "\n".join(block.text for block in blocks)
        starts = list(accumulate((len(block.text) + 1 for block in blocks[:-1]), initial=0))
        names = (title, *(name for name in path if name != title))
        for piece in pack(_pieces(whole, blocks, starts, setting.size), setting.size):
            first, last = (blocks[bisect_right(starts, place) - 1] for place in (piece.start, piece.end - 1))
            yield Draft(
                clean(piece.read(whole)),
                span(first.start, last.end),
                setting.type or "document",
                " › ".join(name for name in names if name),
                time=time,
                author=author,
            )


def _tokens(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Start, end, lower-case name and whether it closes of each tag; text between tags has the name ''.

    Not html.parser, whose time is quadratic on broken tags (300 KB of ``<a `` took minutes). As in a
    browser, a comment or script that never ends takes the rest. After a quote that never ends in a tag,
    tags end at the first ``>``. So no part of the page is looked at more than a few times.
    """
    at, to_end = 0, _TAG_END
    while opening := _OPENING.search(text, at):
        start = opening.start()
        if start > at:
            yield at, start, "", False
        name = (opening[2] or "").lower()
        if name:
            ending = to_end.match(text, opening.end())
            if not ending and to_end is _TAG_END:
                to_end = _TAG_END_UNQUOTED
                ending = to_end.match(text, opening.end())
            if not ending:
                return
            at = ending.end()
            yield start, at, name, bool(opening[1])
            if name in _RAW and not opening[1]:
                closing = _RAW[name].search(text, at)
                at = closing.start() if closing else len(text)
        else:
            mark = "-->" if opening[0] == "<!--" else ">"
            place = text.find(mark, opening.end())
            at = len(text) if place < 0 else place + len(mark)
    if at < len(text):
        yield at, len(text), "", False


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
            while above and above[-1][0] >= block.level:
                above.pop()
            above.append((block.level, block.text.replace("\n", " ")))
            path = tuple(name for _, name in above)
        section.append(block)
        has_body = has_body or not block.level
    if section:
        yield section, path


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
        for block, start in zip(members, starts[first:at], strict=True):
            for piece_start, end in cut(whole, size, start, start + len(block.text)):
                body = 0 if block.level else end - piece_start
                yield Piece(piece_start, end, measure(whole, piece_start, end), body)
