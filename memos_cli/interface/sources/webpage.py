"""HTML: the visible text, block by block, with the bytes that each stretch of it came from.

The tree is built by lexbor, as browsers do it. It knows no places in the source, so each stretch of text gets a
mark with its number before it is parsed. What a tree builder would let swallow the page is taken out then as
well: elements that are never closed, self-closed ones as in XHTML, nesting without end.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from memos_cli.cube import Draft, Span
from memos_cli.interface.sources.decoding import clean
from memos_cli.interface.sources.pieces import WHOLE, Piece, Setting, cut, measure, pack, read_time

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_DEPTH = 256
"""Levels of elements that are told apart. The time of a tree builder grows with the square of the depth."""

_RAW = frozenset("script style title textarea iframe noframes noembed noscript xmp".split())
"""Elements whose text may hold what looks like tags. They are not nested; of three the text is kept."""
_HIDDEN = frozenset("template svg select datalist button nav audio video canvas".split())
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark nobr q rb rp rt rtc ruby s"
    " samp small span strike strong sub sup time tt u var wbr".split()
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_OPEN_END = frozenset("html head body p li dt dd td th tr thead tbody tfoot colgroup caption option".split())
"""Elements whose closing tag may be left out: they end with the next of their kind or with their parent."""
_BOUNDS = frozenset("table template object marquee applet".split())
"""Elements that the closing tag of an element around them does not close."""
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_TIMES = ("article:published_time", "date", "dc.date", "dcterms.created", "article:modified_time")

_MARKUP = re.compile(
    r"<!--|<!\[CDATA\[|<[!?][^<>]*>?"
    r"""|<(/?)([a-zA-Z][^\s/><]*)((?:[^<>"']|"[^"<]*"|'[^'<]*')*+|[^<>]*)>"""
)
_SELF_CLOSED = re.compile(r"""(?<!=)(?:["'\s]|^|\s[\w:-]+)/\s*$""")
_ENDS = {
    "<!--": re.compile("--!?>|(?<=<!--)-?>"),
    "<![CDATA[": re.compile(r"\]\]>"),
    **{name: re.compile(f"</{name}[^<>]*>?", re.IGNORECASE) for name in _RAW},
}
_LONGEST = 2000
"""Characters of the attributes of a tag; longer ones are not looked at."""
_SHOWS = re.compile(r"hidden|style|open|popover|content", re.IGNORECASE)
_MARK, _MARK_END = "\ufdd0", "\ufdd1"
_MARKS = re.compile(f"{_MARK}(\\d+){_MARK_END}|[{_MARK}{_MARK_END}]")
_DECLARATION = re.compile(r"([\w-]+)\s*:\s*([^;!]*)")
_NOUGHT = re.compile(r"[+-]?0*\.?0+(?:[a-z%]+)?$")


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


@dataclass(frozen=True, slots=True)
class _Around:
    """What an element hands down to what it holds."""

    level: int = 0
    group: int = 0
    preformatted: bool = False
    invisible: frozenset[str] = frozenset()
    """The properties by which text is not shown; unlike ``display``, an element within may show it again."""


class _Page:
    """Collects the blocks of a page, what it is called, and what its ``meta`` elements say."""

    def __init__(self, text: str) -> None:
        from selectolax.lexbor import LexborHTMLParser

        self.blocks: list[_Block] = []
        self.title = ""
        self.known: dict[str, str] = {}
        self._words: list[str] = []
        self._start = self._end = self._groups = 0
        marked, self._stretches = _mark(text)
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
        """Return what an element hands down; None if nothing in it is shown."""
        if name == "title":
            self.title = self.title or _MARKS.sub("", node.text_content or node.text())
            return None
        if name == "br":
            self._words.append("\n")
        if name in _HIDDEN or name in _VOID:
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
        if name in _INLINE:
            return _Around(around.level, around.group, around.preformatted, invisible)
        self._end_block(around)
        group = around.group
        if name in ("pre", "table") and not group:
            group = self._groups = self._groups + 1
        return _Around(_HEADINGS.get(name, around.level), group, around.preformatted or name == "pre", invisible)

    def _leave(self, name: str, inner: _Around) -> None:
        if name not in _INLINE:
            self._end_block(inner)

    def _add(self, words: str, around: _Around) -> None:
        if around.invisible:
            return
        for mark in _MARKS.finditer(words):
            if mark[1] and int(mark[1]) < len(self._stretches):
                start, end = self._stretches[int(mark[1])]
                self._start = min(self._start, start) if self._end else start
                self._end = max(self._end, end)
        words = _MARKS.sub("", words)
        self._words.append(words if around.preformatted else words.replace("\n", " "))

    def _end_block(self, around: _Around) -> None:
        text = "".join(self._words)
        if not around.preformatted:
            text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
        text = text.strip()
        if text and self._end:
            self.blocks.append(_Block(self._start, self._end, text, around.level, around.group))
        self._words, self._end = [], 0


def read_html(text: str, span: Callable[[int, int], Span], setting: Setting) -> Iterator[Draft]:
    """Yield a draft for each run of blocks under one heading that fits the size, titled page › heading.

    Scripts, styles, navigation and what is hidden are left out. The span covers the raw bytes of the blocks;
    the text is what a reader of the page sees.
    """
    page = _Page(text)
    title = clean(" ".join(page.title.split())) or setting.title
    times = (read_time(page.known.get(key)) for key in _TIMES)
    time = next((time for time in times if time is not None), setting.time)
    author = clean(page.known.get("author", "")).strip()
    for blocks, path in _sections(page.blocks):
        whole = "\n".join(block.text for block in blocks)
        starts = list(accumulate((len(block.text) + 1 for block in blocks[:-1]), initial=0))
        names = (title, *(name for name in path if name != title))
        for piece in pack(_pieces(whole, blocks, starts, setting.size), setting.size):
            first, last = (bisect_right(starts, place) - 1 for place in (piece.start, piece.end - 1))
            held = blocks[first : last + 1]  # a browser moves text out of tables, so they may not be in order
            yield Draft(
                clean(piece.read(whole)),
                span(min(block.start for block in held), max(block.end for block in held)),
                setting.type or "document",
                " › ".join(name for name in names if name),
                time=time,
                author=author,
            )


def _find_invisible(name: str, attributes: dict[str, str | None], before: frozenset[str]) -> frozenset[str]:
    """Return the properties by which an element's text is not shown, given those of its parent.

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
        or _NOUGHT.match(given.get("opacity", ""))
        or (is_icon and attributes.get("aria-hidden") == "true")
    ):
        return before | {"display"}
    if size := given.get("font-size"):
        before = before | {"font-size"} if _NOUGHT.match(size) else before - {"font-size"}
    if seen := given.get("visibility"):
        before = before | {"visibility"} if seen in ("hidden", "collapse") else before - {"visibility"}
    return before


def _mark(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return HTML that is safe to parse, with numbered marks before each stretch of text, and their places.

    Tags that only format are left out, with the attributes that hide nothing; so is the opening tag of an
    element that is never closed and would hide what follows.
    """
    tokens = list(_scan(text))
    unclosed = _find_unclosed(tokens)
    parts: list[str] = []
    stretches: list[tuple[int, int]] = []
    opened: dict[str, list[str]] = {}
    depth = 0
    for start, end, tag in tokens:
        if tag is None or not tag[2]:
            words = _MARKS.sub("\ufffd", escape(text[start + 9 : end - 3]) if tag else text[start:end])
            trimmed = words.lstrip()
            if trimmed:
                parts.append(f"{words[: -len(trimmed)]}{_MARK}{len(stretches)}{_MARK_END}{trimmed}")
                stretches.append((start, end) if tag else (end - len(trimmed), start + len(words.rstrip())))
            else:
                parts.append(words)
            continue
        name, attributes = tag[2].lower(), tag[3]
        if name in _VOID:
            parts.append(tag[0] if name == "meta" and len(attributes) < _LONGEST else f"<{name}>")
            continue
        waiting = opened.setdefault(name, [])
        if tag[1]:
            if waiting and (emitted := waiting.pop()):
                depth -= name not in _OPEN_END
                parts.append(f"</{emitted}>")
            continue
        if len(attributes) >= _LONGEST or not _SHOWS.search(attributes):
            attributes = ""
        emitted = "span" if name in _INLINE else name
        if start in unclosed and (attributes or name in _HIDDEN) or depth >= _DEPTH and name not in _OPEN_END:
            emitted = ""
            parts.append("" if name in _INLINE else "<br>")
        elif name in _INLINE and not attributes:
            emitted = ""
        else:
            parts.append(f"<{emitted} {attributes}>")
            if _closes_itself(tag):
                parts.append(f"</{emitted}>")
                continue
            depth += name not in _OPEN_END
        if not _closes_itself(tag):
            waiting.append(emitted)
    return "".join(parts), stretches


def _scan(text: str) -> Iterator[tuple[int, int, re.Match[str] | None]]:
    """Yield the places of the tags of a page and, with None, of the text between them.

    Comments, scripts and the like are left out, and what opens one that is never closed. No part of the page is
    looked at more than a few times.
    """
    at = 0
    missing: set[str] = set()
    while tag := _MARKUP.search(text, at):
        if tag.start() > at:
            yield at, tag.start(), None
        at = tag.end()
        name = (tag[2] or "").lower()
        opens = name or tag[0]
        if opens not in _ENDS or tag[1] or (name and _closes_itself(tag)):
            if name and name not in _RAW:
                yield tag.start(), at, tag
            continue
        ending = None if opens in missing else _ENDS[opens].search(text, at)
        if not ending:
            missing.add(opens)
        elif opens == "<![CDATA[":
            at = ending.end()
            yield tag.start(), at, tag
        else:
            if name in ("title", "textarea", "xmp"):
                yield tag.start(), at, tag
                yield at, ending.start(), None
                yield ending.start(), ending.end(), _MARKUP.match(ending[0])
            at = ending.end()
    if at < len(text):
        yield at, len(text), None


def _find_unclosed(tokens: list[tuple[int, int, re.Match[str] | None]]) -> set[int]:
    """Return where the elements begin that neither a closing tag nor the end of their parent closes."""
    inline: dict[str, list[int]] = {}
    stack: list[tuple[str, int]] = []
    count: dict[str, int] = {}
    for start, _, tag in tokens:
        if tag is None or not tag[2]:
            continue
        name = tag[2].lower()
        if name in _VOID or name in _OPEN_END or _closes_itself(tag):
            continue
        if name in _INLINE:
            waiting = inline.setdefault(name, [])
            if not tag[1]:
                waiting.append(start)
            elif waiting:
                waiting.pop()
        elif not tag[1]:
            stack.append((name, start))
            count[name] = count.get(name, 0) + 1
        else:
            while count.get(name) and (stack[-1][0] == name or stack[-1][0] not in _BOUNDS):
                inner, _ = stack.pop()
                count[inner] -= 1
                if inner == name:
                    break
    return {start for waiting in inline.values() for start in waiting} | {start for _, start in stack}


def _closes_itself(tag: re.Match[str]) -> bool:
    """Tell whether a tag ends in a slash that is no part of an attribute's value."""
    return tag[3].rstrip().endswith("/") and bool(_SELF_CLOSED.search(tag[3]))


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
