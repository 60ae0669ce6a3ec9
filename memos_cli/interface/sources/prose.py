"""Plain text and Markdown: passages that read on their own, each an exact part of the source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from memos_cli.cube import SEMANTIC_TYPES, Draft, Span
from memos_cli.interface.sources.pieces import LONGEST, Setting, cut, read_tags, read_time

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*\Z")
_NO_PARAGRAPH = ("#", ">", "-", "*", "+", "|", "`", "~", "    ", "\t")


@dataclass(frozen=True, slots=True)
class _Section:
    """A heading with what follows it, up to the next one; ``path`` names the headings above it too."""

    start: int
    end: int
    path: tuple[str, ...]


def read_text(text: str, span: Callable[[int, int], Span], setting: Setting) -> Iterator[Draft]:
    """A draft for each passage of plain text."""
    for start, end in cut(text, setting.size):
        yield Draft(
            text[start:end], span(start, end), setting.type or "document", setting.title, time=setting.time
        )


def read_lines(text: str, span: Callable[[int, int], Span], setting: Setting) -> Iterator[Draft]:
    """A draft for each line that is not blank, without a title: lines stand for themselves."""
    type, time, at = setting.type or "document", setting.time, 0
    for line in text.split("\n"):
        trimmed = line.strip()
        if trimmed:
            first = at + len(line) - len(line.lstrip())
            if len(trimmed) <= LONGEST:
                yield Draft(trimmed, span(first, first + len(trimmed)), type, time=time)
            else:
                for start, end in cut(text, setting.size, first, first + len(trimmed)):
                    yield Draft(text[start:end], span(start, end), type, time=time)
        at += len(line) + 1


def read_markdown(text: str, span: Callable[[int, int], Span], setting: Setting) -> Iterator[Draft]:
    """A draft for each section under a heading, or for parts of a long one, titled by its headings.

    Front matter (``---``) is not text but says the title, date, type and tags.
    """
    front = _FRONT_MATTER.match(text)
    body, known = (front.end(), _read_front_matter(front[1])) if front else (0, {})
    if not text[body:].strip():
        body = 0
    type = setting.type or (known["type"] if known.get("type") in SEMANTIC_TYPES else "document")
    times = (read_time(known.get(key)) for key in ("date", "time", "created"))
    time = next((time for time in times if time is not None), setting.time)
    author, tags = known.get("author"), read_tags(known.get("tags"))
    sections = list(_sections(text, body))
    title = known.get("title")
    if not isinstance(title, str) or not title:
        tops = {section.path[0] for section in sections if section.path}
        title = tops.pop() if len(tops) == 1 else setting.title  # of several, none names the whole
    for section in sections:
        path = section.path[1:] if section.path[:1] == (title,) else section.path
        for start, end in cut(text, setting.size, section.start, section.end, markdown=True):
            yield Draft(
                text[start:end],
                span(start, end),
                str(type),
                " › ".join(part for part in (title, *path) if part),
                time=time,
                author=author if isinstance(author, str) else "",
                tags=tags,
            )


def _read_front_matter(block: str) -> dict[str, str | list[str]]:
    """The flat part of YAML that front matter uses: ``key: value``, ``[a, b]`` and ``- item`` lists."""
    known: dict[str, str | list[str]] = {}
    items: list[str] = []
    for line in block.splitlines():
        entry = line.strip()
        if entry.startswith("- "):
            items.append(_unquote(entry[2:]))
        elif ":" in entry and not line[:1].isspace() and not entry.startswith("#"):
            key, _, value = entry.partition(":")
            value, items = value.strip(), []
            if value.startswith("[") and value.endswith("]"):
                known[key.lower()] = [_unquote(item) for item in value[1:-1].split(",")]
            else:
                known[key.lower()] = _unquote(value) if value else items
    return known


def _unquote(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _sections(text: str, body: int) -> Iterator[_Section]:
    """Sections from ``body`` on. A heading with nothing under it opens the section that follows it."""
    path: list[tuple[int, str]] = []
    start, content = body, body
    names: tuple[str, ...] = ()
    for place, after, level, name in _headings(text, body):
        if text[content:place].strip():
            yield _Section(start, place, names)
            start = place
        while path and path[-1][0] >= level:
            path.pop()
        path.append((level, name))
        names, content = tuple(name for _, name in path), after
    yield _Section(start, len(text), names)


def _headings(text: str, body: int) -> Iterator[tuple[int, int, int, str]]:
    """Start, end of line, level and words of each heading outside fenced code."""
    at, fence, above = body, "", ""
    above_at, paragraph = body, 0
    for line in text[body:].split("\n"):
        content = line.rstrip("\r")
        mark = _FENCE.match(content)
        if fence:
            if mark and mark[1].startswith(fence) and not content.strip().strip(fence[0]):
                fence = ""
            paragraph = 0
        elif mark:
            fence, paragraph = mark[1], 0
        elif heading := _HEADING.match(content[:500]):
            yield at, at + len(line), len(heading[1]), (heading[2] or "").strip()
            paragraph = 0
        elif paragraph == 1 and (under := _UNDERLINE.match(content)):
            yield above_at, at + len(line), 1 if under[1][0] == "=" else 2, above.strip()
            paragraph = 0
        elif not content.strip():
            paragraph = 0
        else:
            paragraph = 2 if paragraph or content.startswith(_NO_PARAGRAPH) or len(content) > 200 else 1
            above, above_at = content, at
        at += len(line) + 1
