"""Values in a JSON text with comments and trailing commas, such as the settings of another program.

An edit changes one value and nothing else: comments, layout and order of all else stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memos_cli.errors import MemosError

Path = Sequence[str | int]
"""The way to a value: names of members, and numbers of elements."""


class NotReadable(MemosError):
    """The text is not valid, or there is another value in the place of the entry of memos."""


_STRING = r'"(?:[^"\\\n]|\\.)*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])")
_VISIBLE = re.compile(r"[^\n]")
_SPACE = re.compile(r"[ \t\r\n]*")
_decode_at = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class _Member:
    key: str | int
    start: int
    """Of its name; of its value, in an array."""
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Container:
    start: int
    """Of its bracket."""
    end: int
    """Of its closing bracket."""
    members: tuple[_Member, ...]

    def find(self, key: str | int) -> int:
        """Return the index of a member, -1 if there is none. Of two with one name, the last counts."""
        return max((n for n, member in enumerate(self.members) if member.key == key), default=-1)


class _Text:
    """A text, and the same text with comments and trailing commas blanked: no character moves."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.bare = _COMMENT.sub(lambda match: match[1] or _VISIBLE.sub(" ", match[0]), text)
        self.plain = _LAST_COMMA.sub(lambda match: match[1] or " ", self.bare)
        indented = re.search(r'\n([ \t]+)"', self.plain)
        self.unit = indented[1] if indented else "  "

    def container_at(self, at: int, key: str | int) -> _Container:
        """Return the object or array at ``at`` that may have the member ``key``. Raises NotReadable."""
        members = list[_Member]()
        at = self._skip(at)
        opening, closing = "{}" if isinstance(key, str) else "[]"
        if self.plain[at : at + 1] != opening:
            what = "a table" if isinstance(key, str) else "a list"
            raise NotReadable(f"there is another value where {what} belongs")
        start, at = at, self._skip(at + 1)
        while self.plain[at] != closing:
            name, value = len(members), at
            if isinstance(key, str):
                name, colon = _decode_at(self.plain, at)
                value = self._skip(self._skip(colon) + 1)
            _, end = _decode_at(self.plain, value)
            members.append(_Member(name, at, value, end))
            at = self._skip(end)
            if self.plain[at] == ",":
                at = self._skip(at + 1)
        return _Container(start, at, tuple(members))

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self.plain, at)
        assert match is not None  # it also matches nothing
        return match.end()

    def layout(self, value: object, indent: str) -> str:
        return json.dumps(value, indent=self.unit, ensure_ascii=False).replace("\n", f"\n{indent}")

    def indent_of(self, at: int) -> str:
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]


def load(text: str) -> Any:
    """Return the value of the text; {} if it is empty. Raises NotReadable."""
    plain = _Text(text).plain
    try:
        found = json.loads(plain) if plain.strip() else {}
    except (ValueError, RecursionError) as error:
        raise NotReadable(f"it is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotReadable("it is JSON, but not an object")
    return found


def put(text: str, path: Path, value: object) -> str:
    """Return ``text`` with the value, new or changed; an element after the last one is added to its array.

    Missing parents are created. Raises NotReadable if another value is there.
    """
    source = _Text(text)
    if not source.plain.strip():
        above = f"{text.rstrip()}\n" if text.strip() else ""
        return f"{above}{source.layout(_nested(path, value), '')}\n"
    at = 0
    for depth, key in enumerate(path):
        here = source.container_at(at, key)
        found = here.find(key)
        rest = _nested(path[depth + 1 :], value)
        if found < 0:
            return _insert(source, here, key, rest)
        member = here.members[found]
        if depth == len(path) - 1 or source.plain.startswith("null", member.value):
            laid_out = source.layout(rest, source.indent_of(member.start))
            return text[: member.value] + laid_out + text[member.end :]
        at = member.value
    return text


def _insert(source: _Text, here: _Container, key: str | int, value: object) -> str:
    """Return the text with a new last member of ``here``; comments behind the one before stay with it."""
    text, outer = source.text, source.indent_of(here.start)
    inner = source.indent_of(here.members[0].start) if here.members else ""
    inner = inner if len(inner) > len(outer) else outer + source.unit
    name = f"{json.dumps(key, ensure_ascii=False)}: " if isinstance(key, str) else ""
    member = name + source.layout(value, inner)
    last = here.members[-1].end if here.members else here.start + 1
    ends_with_comma = "," in source.bare[last : here.end]
    comma = "," if here.members and not ends_with_comma else ""
    member += "," * ends_with_comma
    place = last + len(text[last : here.end].rstrip(" \t\r\n"))
    behind = text[place : here.end]
    behind = behind if "\n" in behind else f"\n{outer}"
    return f"{text[:last]}{comma}{text[last:place]}\n{inner}{member}{behind}{text[here.end :]}"


def remove(text: str, path: Path) -> str:
    """Return ``text`` without the value at ``path``, which must exist."""
    source = _Text(text)
    place = 0
    for key in path[:-1]:
        above = source.container_at(place, key)
        place = above.members[above.find(key)].value
    here = source.container_at(place, path[-1])
    at = here.find(path[-1])
    member = here.members[at]
    start, end = member.start, member.end
    following = here.members[at + 1].start if at + 1 < len(here.members) else here.end
    comma = source.bare.find(",", end, following)
    before = source.text[:start].rstrip(" \t")
    start = len(before) - 1 if before.endswith("\n") else start
    if comma >= 0:
        end = comma + 1
    elif at > 0:
        last = source.bare.rindex(",", 0, member.start)
        return text[:last] + text[last + 1 : start] + text[end:]
    if len(here.members) == 1 and not (text[here.start + 1 : start] + text[end : here.end]).strip():
        start, end = here.start + 1, here.end
    return text[:start] + text[end:]


def _nested(path: Path, value: object) -> object:
    for key in reversed(path):
        value = {key: value} if isinstance(key, str) else [value]
    return value
