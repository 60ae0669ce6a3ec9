"""Plain text and Markdown: passages that read on their own, each an exact part of the source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise, takewhile

from memos_cli.cube import SEMANTIC_TYPES, Draft
from memos_cli.interface.ingest.sources.decoding import Measure
from memos_cli.interface.ingest.sources.pieces import (
    LINE_END,
    LONGEST,
    TINY,
    WHOLE,
    Piece,
    Setting,
    cut,
    date_of,
    first_time,
    join_titles,
    measure,
    open_heading,
    pack,
    read_tags,
)
from memos_cli.interface.ingest.sources.text.front_matter import read_front_matter
from memos_cli.interface.ingest.sources.text.markdown import Block, count_body, parse_blocks, split_block

_ITEM = re.compile(r"[ \t]*(?:[-*+•·–—]|\(?\d{1,4}[.)、]|\(?[a-zA-Z][.)])[ \t　]*\S")


@dataclass(frozen=True, slots=True)
class _Passage:
    """A passage of Markdown and the headings above it."""

    piece: Piece
    path: tuple[str, ...]
    opens: bool
    """Whether it starts with the heading of its section, or is text before the first heading."""
    closes: bool
    """Whether it is the last of its section."""


def read_text(text: str, span: Measure, setting: Setting) -> Iterator[Draft]:
    """Yield a draft for each passage of plain text: paragraphs and list items, joined up to the size."""
    for piece in pack(_paragraphs(text, 0, setting.size), setting.size):
        yield setting.draft(piece.read(text), span(piece.start, piece.end), setting.title)


def read_lines(text: str, span: Measure, setting: Setting) -> Iterator[Draft]:
    """Yield a draft for each line that is not blank, without a title."""
    at = 0
    for line in text.split("\n"):
        trimmed = line.strip()
        if trimmed:
            first = at + len(line) - len(line.lstrip())
            whole = first, first + len(trimmed)
            for start, end in [whole] if len(trimmed) <= LONGEST else cut(text, setting.size, *whole):
                yield setting.draft(text[start:end], span(start, end))
        at += len(line) + 1


def read_markdown(text: str, span: Measure, setting: Setting) -> Iterator[Draft]:
    """Yield a draft for each passage of Markdown, titled by the headings above it.

    A passage is a section, or blocks of a long one, or short sections of one heading together. Its text is
    exactly its span, unless it contains a part of a fence or table that was cut: its text then also has the
    opening and closing lines or the table's header, and its span covers only its own lines. Front matter is
    not text: it sets the title, author, date, type and tags. A heading that is a date sets the date of its
    section.
    """
    body, known = read_front_matter(text)
    named = str(known.get("type") or "")
    type = setting.type or (named if named in SEMANTIC_TYPES else "document")
    time = first_time((known.get(key) for key in ("date", "time", "created")), setting.time)
    author, tags = known.get("author", ""), read_tags(known.get("tags"))
    if text[body:].strip():
        passages = _read_passages(text, body, setting.size)
    else:
        passages = _plain_passages(text, 0, setting.size)
    title = " ".join(str(known.get("title", "")).split())
    if not title:
        tops = {passage.path[0] for passage in passages if passage.path}
        title = tops.pop() if len(tops) == 1 else setting.title  # of several, none names the whole
    for piece, path in _join_short(passages, setting.size):
        yield Draft(
            piece.read(text),
            span(piece.start, piece.end),
            type,
            join_titles(title, *(path[1:] if path[:1] == (title,) else path)),
            time=time if (dated := date_of(path)) is None else dated,
            author=author if isinstance(author, str) else ", ".join(author),
            tags=tags,
        )


def _read_passages(text: str, body: int, size: int) -> list[_Passage]:
    """Return the passages of each section of ``text[body:]``, or of its paragraphs if it cannot be parsed."""
    try:
        blocks = list(parse_blocks(text, body, size // 3))
    except (RecursionError, IndexError, ValueError):
        return _plain_passages(text, body, size)
    passages: list[_Passage] = []
    for path, section in _sections(text, blocks):
        pieces = pack(split_block(text, section, size), size)
        last = len(pieces) - 1
        passages += (_Passage(piece, path, at == 0, at == last) for at, piece in enumerate(pieces))
    return passages


def _plain_passages(text: str, start: int, size: int) -> list[_Passage]:
    return [_Passage(piece, (), True, True) for piece in pack(_paragraphs(text, start, size), size)]


def _sections(text: str, blocks: Iterable[Block]) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    """Yield the headings above each section, and its blocks from its own heading on.

    A heading with nothing under it opens the section that follows it. Headings at the end make a section.
    """
    above: list[tuple[int, str]] = []
    path: tuple[str, ...] = ()
    shared: tuple[str, ...] | None = None
    section: list[Block] = []
    has_body = False
    for block in blocks:
        if block.kind == "heading":
            if has_body:
                yield path, section
                section, has_body, shared = [], False, None
            path = open_heading(above, block.level, block.name)
            shared = path if shared is None else _shared(shared, path)
        section.append(block)
        has_body = has_body or count_body(text, block) > 0
    if section:
        yield path if has_body or shared is None else shared, section


def _join_short(passages: list[_Passage], size: int) -> Iterator[tuple[Piece, tuple[str, ...]]]:
    """Yield the passages and their headings, those with next to no body joined to a neighbour.

    A short passage joins the section below its heading or next to it, else the one before it under the
    same heading. The joined passage gets the headings that both share.
    """
    if not passages:
        return
    joined, *rest = passages
    for passage, following in zip(rest, [*rest[1:], None], strict=False):
        if _belongs(joined, passage, following, size):
            joined = _Passage(
                joined.piece.join(passage.piece),
                _shared(joined.path, passage.path),
                joined.opens,
                passage.closes,
            )
        else:
            yield joined.piece, joined.path
            joined = passage
    yield joined.piece, joined.path


def _belongs(before: _Passage, passage: _Passage, following: _Passage | None, size: int) -> bool:
    """Return whether to join a passage to the one before it."""
    if not passage.opens or not _fits(before, passage, size):
        return False
    if not passage.piece.body:
        return True
    if date_of(before.path) != date_of(passage.path):
        return False
    parent = passage.path[:-1]
    if before.opens and before.closes and before.piece.body < TINY:
        return passage.path[: len(before.path)] == before.path or bool(parent and parent == before.path[:-1])
    if not passage.closes or passage.piece.body >= TINY or not parent:
        return False
    if following and following.opens and _fits(passage, following, size):
        if following.path[: len(passage.path)] == passage.path:
            return False
        if following.path[:-1] == parent and before.path != parent:
            return False
    return before.path == parent or (before.opens and before.path[:-1] == parent)


def _fits(before: _Passage, passage: _Passage, size: int) -> bool:
    """Return whether two joined passages are not much longer than one; passages of headings always fit."""
    limit = 1.5 if passage.piece.body else 2 * WHOLE
    return before.piece.join(passage.piece).cost <= limit * size


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Return the headings at the start of both paths."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(name for name, _ in pairs)


def _paragraphs(text: str, start: int, size: int) -> Iterator[Piece]:
    """Yield the paragraphs of plain text from ``start`` on: whole ones, or their list items and sentences."""
    paragraph: list[tuple[int, int]] = []
    ends = (end.end() for end in LINE_END.finditer(text, start))
    for first, end in pairwise(chain((start,), ends, (len(text),))):
        if not text[first:end].isspace() and first < end:
            paragraph.append((first, end))
        elif paragraph:
            yield from _split_paragraph(text, paragraph, size)
            paragraph = []
    if paragraph:
        yield from _split_paragraph(text, paragraph, size)


def _split_paragraph(text: str, lines: list[tuple[int, int]], size: int) -> Iterator[Piece]:
    start, end = lines[0][0], lines[-1][1]
    if measure(text, start, end) <= size:
        yield _trimmed(text, start, end)
        return
    heads = [first for first, last in lines[1:] if _ITEM.match(text, first, min(last, first + 100))]
    items = list(pairwise([start, *heads, end])) if len(heads) > 1 else [(start, end)]
    begins_low = sum(text[first : first + 1].islower() for first, _ in lines[1:])
    is_wrapped = 3 * begins_low >= len(lines) - 1  # else it is verse, a log or a table: lines mean something
    for first, last in items:
        if measure(text, first, last) <= size:
            yield _trimmed(text, first, last)
        else:
            for piece_start, piece_end in cut(text, size, first, last, wrapped=is_wrapped):
                yield _trimmed(text, piece_start, piece_end)


def _trimmed(text: str, start: int, end: int) -> Piece:
    content = text[start:end]
    start, end = end - len(content.lstrip()), start + len(content.rstrip())
    return Piece(start, end, measure(text, start, end), end - start, introduces=text[end - 1] in ":：")
