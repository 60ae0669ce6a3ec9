"""Split Markdown into blocks with markdown-it-py, and cut long blocks into pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from memos_cli.interface.ingest.sources.pieces import LINE_END, WHOLE, Piece, cut, measure
from memos_cli.interface.redaction.redaction import find_personal, find_secrets

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_WINDOW = 200_000
"""Characters that are parsed at once: tokens take forty times the memory of the text."""

_NESTING = 20
"""Deepest nesting of lists and quotes; deeper levels are treated as text."""

_NAME_LENGTH = 300
_MARK_LENGTH = 100
_WORD = re.compile(r"\w")
_QUOTED = re.compile(r"[^\s>]")
_UNBROKEN = frozenset(("fence", "code_block", "table", "html_block"))
_ANNOUNCED = frozenset((*_UNBROKEN, "bullet_list", "ordered_list", "blockquote"))
_CONTAINERS = frozenset(("bullet_list", "ordered_list", "list_item", "blockquote"))
_MARGIN_IGNORED = frozenset(("heading", "paragraph", "html_block", "hr", ""))


@dataclass(frozen=True, slots=True)
class Block:
    """A block of Markdown: its kind, as markdown-it-py calls it, and its characters in the source.

    The kind is '' for lines that the parser gives no block for, such as link reference definitions.
    """

    kind: str
    start: int
    end: int
    level: int = 0
    """1 to 6 for a heading."""
    name: str = ""
    """The words of a heading; the backticks or tildes of a fence."""
    closed: bool = False
    """Whether a fence has a closing line."""
    children: tuple[Block, ...] = ()


def parse_blocks(text: str, start: int = 0, whole: int = 0) -> Iterator[Block]:
    """Yield the outermost blocks of ``text[start:]``, in order. They hold all that is not blank.

    Lists and quotes of up to ``whole`` characters have no children. The text is parsed in windows. The last
    block of a window may go on after it, so it is parsed again as the first block of the next window, or
    of a wider one if it fills the whole window.
    """
    width = _WINDOW
    while start < len(text):
        edge = LINE_END.search(text, start + width)
        stop = edge.end() if edge else len(text)
        blocks = _parse_window(text, start, stop, whole)
        if stop == len(text):
            yield from blocks
            return
        if len(blocks) < 2:
            width *= 4
        else:
            yield from blocks[:-1]
            start, width = blocks[-2].end, _WINDOW


def split_block(text: str, blocks: Sequence[Block], size: int) -> Iterator[Piece]:
    """Yield the pieces of neighbouring blocks: the blocks that fit, and the parts of those that do not.

    Code, tables and HTML fit ``WHOLE`` sizes, list items one and a half; else a list or quote is cut
    between its children, a paragraph at sentences, code at line ends. Each part of a fence or table
    inserts the lines that it lacks: the opening and the closing fence, the table's header.
    """
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        cost = measure(text, block.start, block.end)
        introduces = following is not None and following.kind in _ANNOUNCED and _ends_in_colon(text, block)
        if block.kind in _UNBROKEN:
            fits = cost <= WHOLE * size
        else:
            fits = 2 * cost <= (3 if block.kind == "list_item" else 2) * size
        if fits:
            yield Piece(block.start, block.end, cost, count_body(text, block), introduces=introduces)
        elif block.children:
            yield from split_block(text, block.children, size)
        elif block.kind in _UNBROKEN:
            yield from _cut_lines(text, block, size)
        else:
            for start, end in cut(text, size, block.start, block.end, wrapped=True):
                is_last = end == block.end
                yield Piece(start, end, measure(text, start, end), end - start, (), introduces and is_last)


def count_body(text: str, block: Block) -> int:
    """Return how many characters of a block count as content: none of a heading, a rule or an HTML tag."""
    content = text[block.start : block.end]
    if block.kind in ("heading", "hr"):
        return 0
    if block.kind == "html_block":
        if content.startswith("<!--") and content.endswith("-->"):
            return 0
        return sum(len(part.partition(">")[2].strip()) for part in f">{content}".split("<"))
    return len(content) if block.kind or _WORD.search(content) else 0


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": _NESTING})
    return parser.enable("table").disable(["inline", "text_join"])


def _parse_window(text: str, start: int, stop: int, whole: int) -> list[Block]:
    window = text[start:stop]
    lines = [start, *(start + end.end() for end in LINE_END.finditer(window)), stop]
    siblings: list[Block] = []
    outer: list[tuple[Block, list[Block]]] = []
    tokens = _parser().parse(window)
    skipped: int | None = None
    for at, token in enumerate(tokens):
        if skipped is not None:
            skipped = None if token.nesting < 0 and token.level == skipped else skipped
        elif token.nesting < 0:
            block, around = outer.pop()
            children = tuple(_fill_gaps(text, siblings, block.start, block.end))
            around.append(Block(block.kind, block.start, block.end, children=children))
            siblings = around
        else:
            block = _make_block(text, lines, token, tokens[at + 1].content if token.nesting else token.markup)
            if token.nesting and block.kind in _CONTAINERS and block.end - block.start > whole:
                outer.append((block, siblings))
                siblings = []
            else:
                siblings.append(block)
                skipped = token.level if token.nesting else None
    return _fill_gaps(text, siblings, start, stop)


def _make_block(text: str, lines: list[int], token: Token, name: str) -> Block:
    """Return the block of a token, without blank space around it."""
    assert token.map is not None, f"a {token.type} token has no lines"
    last = len(lines) - 1
    kind = token.type.removesuffix("_open")
    start, end = _trim(text, kind, lines[min(token.map[0], last)], lines[min(token.map[1], last)])
    if kind == "heading":
        return Block(kind, start, end, int(token.tag[1]), " ".join(name[:_NAME_LENGTH].split()))
    if kind == "fence":
        content_lines = token.content.count("\n") + (token.content[-1:] not in ("", "\n"))
        closed = token.map[1] - token.map[0] > 1 + content_lines
        return Block(kind, start, end, name=name, closed=closed)
    return Block(kind, start, end)


def _trim(text: str, kind: str, start: int, end: int) -> tuple[int, int]:
    """Return a range without blank lines around it and, unless it has a meaning, without the left margin.

    A range that is blank becomes empty.
    """
    content = text[start:end]  # '' where start > end
    rest = content.lstrip()
    if not rest:
        return start, start
    first = end - len(rest)
    if kind not in _MARGIN_IGNORED and first > start:
        first = max(start, text.rfind("\n", start, first) + 1, text.rfind("\r", start, first) + 1)
    return first, start + len(content.rstrip())


def _fill_gaps(text: str, blocks: list[Block], start: int, end: int) -> list[Block]:
    """Return the blocks and a block for each stretch between them that is not blank, without overlaps."""
    filled: list[Block] = []
    for block in (*blocks, Block("", end, end)):
        if block.start > start:
            filled.append(Block("", *_trim(text, "", start, min(end, block.start))))
        if block.start < start or block.end > end:
            first, last = max(start, block.start), min(end, block.end)
            block = Block(block.kind, *_trim(text, block.kind, first, last), block.level, block.name)
        filled.append(block)
        start = max(start, block.end)
    return [block for block in filled if block.start < block.end]


def _ends_in_colon(text: str, block: Block) -> bool:
    is_mark = text.endswith(":::", block.start, block.end)  # ends a container of VitePress or Pandoc
    return block.kind == "paragraph" and text[block.end - 1] in ":：" and not is_mark


def _cut_lines(text: str, block: Block, size: int) -> Iterator[Piece]:
    """Yield the parts of a fence, a table, code or HTML, cut at line ends into similar lengths."""
    ends = [end.end() for end in LINE_END.finditer(text, block.start, block.end)]
    lines = list(pairwise([block.start, *ends, block.end]))
    head, tail, before, after = 0, 0, "", ""
    if block.kind == "fence":
        before, after = _fence_lines(text, block, lines[0])
        head, tail = 1, int(block.closed)
    elif block.kind == "table":
        before, head = text[block.start : lines[min(1, len(lines) - 1)][1]], 2
    width = measure(text, block.start, block.end) // (block.end - block.start)
    # A part must not repeat a secret that its span does not cover.
    if not before or len(before) * width > size or find_secrets(before) or find_personal(before):
        head, tail, before, after = 0, 0, "", ""
    limit = max(1, size // width - len(before) - len(after), size // width // 2)
    parts = list(_group_lines(text, lines[head : len(lines) - tail], limit, size))
    if not parts:
        parts = [(block.start, block.end)]
    if head:
        parts[0] = (block.start, parts[0][1])
    if tail:
        parts[-1] = (parts[-1][0], block.end)
    for number, (start, end) in enumerate(parts):
        start, end = _trim(text, block.kind, start, end)
        if start < end:
            is_last = number == len(parts) - 1
            inserts = [(start, before)] if number and before else []
            inserts += [(end, after)] if after and not (is_last and tail) else []
            yield Piece(start, end, measure(text, start, end), end - start, tuple(inserts))


def _group_lines(text: str, lines: list[tuple[int, int]], limit: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of whole lines, about as long as each other, of about ``limit`` characters or less.

    A line of more than ``WHOLE`` times the limit is cut. A line belongs to the share that its middle is in.
    """
    if not lines:
        return
    origin, total = lines[0][0], lines[-1][1] - lines[0][0]
    count = -(-total // limit)
    open_since, share = origin, 0
    for start, end in lines:
        own_share = (start + end - 2 * origin) * count // (2 * total)
        is_long = end - start > WHOLE * limit
        if start > open_since and (own_share > share or is_long):
            yield open_since, start
            open_since = start
        share = own_share
        if is_long:
            yield from cut(text, size, start, end)
            open_since = end
    if open_since < lines[-1][1]:
        yield open_since, lines[-1][1]


def _fence_lines(text: str, block: Block, first: tuple[int, int]) -> tuple[str, str]:
    """Return the opening line of a fence, with its line end, and a line end with a closing line."""
    opening = text[slice(*first)]
    words = opening.rstrip("\r\n")
    at = words.find(block.name)
    if at < 0 or len(words) == len(opening) or len(block.name) + at > _MARK_LENGTH:
        return "", ""
    return opening, opening[len(words) :] + _QUOTED.sub(" ", words[:at]) + block.name
