"""One entry in the settings file of another program: JSON with comments, TOML or YAML.

An edit touches the entry and nothing else: comments, layout and order of all that is not ours stay as they
are. Each edit is checked before it is given back: the new text must read as the old one with that one change.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from memos_cli.errors import MemosError

Keys = tuple[str, ...]
"""The way to an entry: the names of the tables above it, and its own."""
Entry = dict[str, Any]


class NotReadable(MemosError):
    """The file is not what its name says, or has something else where the entry belongs."""


def read_entry(kind: str, text: str, keys: Keys) -> Entry | None:
    """Return the entry, or None if there is none. Raises NotReadable."""
    found: Any = _FORMATS[kind].load(text)
    for depth, key in enumerate(keys, 1):
        if found.get(key) is None:
            return None
        found = found[key]
        if not isinstance(found, Mapping):
            raise NotReadable(f"its {'.'.join(keys[:depth])} is not a table")
    return dict(found)


def set_entry(kind: str, text: str, keys: Keys, entry: Entry) -> str:
    """Return ``text`` with the entry, new or changed. Raises NotReadable."""
    if read_entry(kind, text, keys) == entry:
        return text
    return _checked(kind, text, _FORMATS[kind].put(text, keys, entry), keys, entry)


def remove_entry(kind: str, text: str, keys: Keys) -> str:
    """Return ``text`` without the entry. Raises NotReadable."""
    if read_entry(kind, text, keys) is None:
        return text
    return _checked(kind, text, _FORMATS[kind].take(text, keys), keys, None)


def _checked(kind: str, old: str, new: str, keys: Keys, entry: Entry | None) -> str:
    wanted: Any = deepcopy(_FORMATS[kind].load(old))
    table = wanted
    for key in keys[:-1]:
        if table.get(key) is None:
            table[key] = {}
        table = table[key]
    if entry is None:
        del table[keys[-1]]
    else:
        table[keys[-1]] = entry
    try:
        found = _FORMATS[kind].load(new)
    except NotReadable:
        found = None
    if found != wanted and not (entry is None and _is_bare(found, keys[:-1]) and _is_bare(wanted, keys[:-1])):
        raise NotReadable("its layout is too unusual to be edited")
    return new


def _is_bare(value: Any, keys: Keys) -> bool:
    """Whether the table of ``keys`` is empty or missing: YAML and TOML cannot always tell these apart."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return not value


# --- JSON with comments and trailing commas ------------------------------------------------------------

_STRING = r'"(?:[^"\\\n]|\\.)*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])")
_VISIBLE = re.compile(r"[^\n]")
_SPACE = re.compile(r"[ \t\r\n]*")
_decode_at = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    start: int
    """Of its key."""
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Object:
    start: int
    """Of its brace."""
    end: int
    """Of its closing brace."""
    members: tuple[_Member, ...]

    def find(self, key: str) -> int:
        """The number of a member, -1 if there is none. Of two with one name, the last counts."""
        return max((n for n, member in enumerate(self.members) if member.key == key), default=-1)


class _Json:
    """A text, and the same text without comments and last commas: every character stands where it was."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.bare = _COMMENT.sub(lambda match: match[1] or _VISIBLE.sub(" ", match[0]), text)
        self.plain = _LAST_COMMA.sub(lambda match: match[1] or " ", self.bare)
        indented = re.search(r'\n([ \t]+)"', self.plain)
        self.unit = indented[1] if indented else "  "

    def object_at(self, at: int) -> _Object:
        members = []
        at = self._skip(at)
        if self.plain[at : at + 1] != "{":
            raise NotReadable("there is another value where a table belongs")
        start, at = at, self._skip(at + 1)
        while self.plain[at] != "}":
            key, colon = _decode_at(self.plain, at)
            value = self._skip(self._skip(colon) + 1)
            _, end = _decode_at(self.plain, value)
            members.append(_Member(key, at, value, end))
            at = self._skip(end)
            if self.plain[at] == ",":
                at = self._skip(at + 1)
        return _Object(start, at, tuple(members))

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self.plain, at)
        assert match is not None  # it also matches nothing
        return match.end()

    def layout(self, value: object, indent: str) -> str:
        return json.dumps(value, indent=self.unit, ensure_ascii=False).replace("\n", f"\n{indent}")

    def indent_of(self, at: int) -> str:
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]


def _load_json(text: str) -> Any:
    plain = _Json(text).plain
    try:
        found = json.loads(plain) if plain.strip() else {}
    except (ValueError, RecursionError) as error:
        raise NotReadable(f"it is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotReadable("it is JSON, but not an object")
    return found


def _put_json(text: str, keys: Keys, entry: Entry) -> str:
    source = _Json(text)
    if not source.plain.strip():
        above = f"{text.rstrip()}\n" if text.strip() else ""
        return f"{above}{source.layout(_nested(keys, entry), '')}\n"
    here = source.object_at(0)
    for depth, key in enumerate(keys):
        at = here.find(key)
        rest = _nested(keys[depth + 1 :], entry)
        if at < 0:
            return _insert(source, here, key, rest)
        member = here.members[at]
        if depth == len(keys) - 1 or source.plain.startswith("null", member.value):
            laid_out = source.layout(rest, source.indent_of(member.start))
            return text[: member.value] + laid_out + text[member.end :]
        here = source.object_at(member.value)
    return text


def _insert(source: _Json, here: _Object, key: str, value: object) -> str:
    """Return the text with a new last member of ``here``; comments behind the one before stay with it."""
    text, outer = source.text, source.indent_of(here.start)
    inner = source.indent_of(here.members[0].start) if here.members else ""
    inner = inner if len(inner) > len(outer) else outer + source.unit
    member = f"{json.dumps(key, ensure_ascii=False)}: {source.layout(value, inner)}"
    last = here.members[-1].end if here.members else here.start + 1
    ends_with_comma = "," in source.bare[last : here.end]
    comma = "," if here.members and not ends_with_comma else ""
    member += "," * ends_with_comma
    place = last + len(text[last : here.end].rstrip(" \t\r\n"))
    behind = text[place : here.end]
    behind = behind if "\n" in behind else f"\n{outer}"
    return f"{text[:last]}{comma}{text[last:place]}\n{inner}{member}{behind}{text[here.end :]}"


def _take_json(text: str, keys: Keys) -> str:
    source = _Json(text)
    here = source.object_at(0)
    for key in keys[:-1]:
        here = source.object_at(here.members[here.find(key)].value)
    at = here.find(keys[-1])
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


def _nested(keys: Keys, entry: Entry) -> Entry:
    for key in reversed(keys):
        entry = {key: entry}
    return entry


# --- TOML ----------------------------------------------------------------------------------------------


def _load_toml(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotReadable(f"it is not TOML: {error}") from error


def _edit_toml(text: str, keys: Keys, change: Callable[[Any], None]) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        table: Any = document
        for key in keys[:-1]:
            if key not in table:
                table[key] = tomlkit.table(is_super_table=True)
            table = table[key]
        change(table)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, TypeError) as error:
        raise NotReadable(f"it cannot be edited as TOML: {error}") from error


def _put_toml(text: str, keys: Keys, entry: Entry) -> str:
    import tomlkit

    if read_entry("toml", text, keys) is None:  # a table of its own at the end, where that is possible
        lines = tomlkit.dumps({name: value for name, value in entry.items() if not isinstance(value, dict)})
        inner = {name: value for name, value in entry.items() if isinstance(value, dict)}
        tables = [f"[{'.'.join(keys)}]\n{lines}"]
        tables += [f"[{'.'.join((*keys, name))}]\n{tomlkit.dumps(value)}" for name, value in inner.items()]
        appended = "\n".join([*([f"{text.rstrip()}\n"] if text.strip() else []), *tables])
        with suppress(NotReadable):
            if read_entry("toml", appended, keys) == entry:
                return appended

    def put(table: Any) -> None:
        if keys[-1] not in table:
            table[keys[-1]] = entry
            return
        for name in {*table[keys[-1]]} - {*entry}:
            del table[keys[-1]][name]
        for name, value in entry.items():
            if table[keys[-1]].get(name) != value:
                table[keys[-1]][name] = value

    return _edit_toml(text, keys, put)


def _take_toml(text: str, keys: Keys) -> str:
    left = _edit_toml(text, keys, lambda table: table.__delitem__(keys[-1]))
    return f"{left.rstrip()}\n" if left.strip() else ""


# --- YAML ----------------------------------------------------------------------------------------------


def _load_yaml(text: str) -> Any:
    import yaml

    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotReadable(f"it is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict | None):
        raise NotReadable("it is YAML, but not a mapping")
    return found or {}


def _dump_yaml(value: object, *, flow: bool = False) -> str:
    import yaml

    return str(
        yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=10_000)
    )


def _indented(text: str, columns: int) -> str:
    return "".join(f"{' ' * columns}{line}" for line in text.splitlines(keepends=True))


def _yaml_child(node: Any, key: str) -> tuple[Any, Any] | None:
    return next(((k, v) for k, v in node.value if k.value == key), None) if node is not None else None


def _put_yaml(text: str, keys: Keys, entry: Entry) -> str:
    """Return ``text`` with the entry; ``keys`` are the name of one mapping, and that of the entry in it."""
    import yaml

    outer, name = keys
    ours = _dump_yaml({name: entry})
    root = yaml.compose(text)
    found = _yaml_child(root, outer)
    in_flow = root is not None and root.flow_style
    if found is None:
        if in_flow:
            return _put_in_flow(text, root, {outer: {name: entry}})
        above = text if text.endswith("\n") or not text else f"{text}\n"
        return f"{above}{outer}:\n{_indented(ours, 2)}"
    key, mapping = found
    is_mapping = isinstance(mapping, yaml.MappingNode)
    if is_mapping and _yaml_child(mapping, name):
        return _put_yaml(_take_yaml(text, keys), keys, entry)
    if is_mapping and mapping.flow_style and (mapping.value or in_flow):
        return _put_in_flow(text, mapping, {name: entry})
    if in_flow:  # null
        above, below = text[: mapping.start_mark.index], text[mapping.end_mark.index :]
        return f"{above} {_dump_yaml({name: entry}, flow=True).strip()}{below}"
    if not is_mapping or not mapping.value:  # null, or {}
        line, _, below = text[mapping.end_mark.index :].partition("\n")
        above = text[: mapping.start_mark.index].rstrip(" ") + line.rstrip()
        return f"{above}\n{_indented(ours, key.start_mark.column + 2)}{below}"
    at = text.index("\n", key.end_mark.index) + 1
    return text[:at] + _indented(ours, mapping.start_mark.column) + text[at:]


def _put_in_flow(text: str, mapping: Any, value: Entry) -> str:
    """Return ``text`` with ``value`` as the first member of a mapping in braces."""
    at = mapping.start_mark.index + 1
    more = ", " if mapping.value else ""
    return f"{text[:at]}{_dump_yaml(value, flow=True).strip()[1:-1]}{more}{text[at:]}"


def _take_yaml(text: str, keys: Keys) -> str:
    import yaml

    outer, name = keys
    found = _yaml_child(yaml.compose(text), outer)
    assert found is not None  # it was read before
    mapping = found[1]
    at = [key.value for key, _ in mapping.value].index(name)
    key, value = mapping.value[at]
    if mapping.flow_style:
        if at + 1 < len(mapping.value):
            return text[: key.start_mark.index] + text[mapping.value[at + 1][0].start_mark.index :]
        start = mapping.value[at - 1][1].end_mark.index if at else key.start_mark.index
        return text[:start] + text[value.end_mark.index :]
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    lines = text[start:].splitlines(keepends=True)
    length = 1
    while length < len(lines) and (lines[length].isspace() or _depth(lines[length]) > key.start_mark.column):
        length += 1
    while lines[length - 1].isspace():  # empty lines below it stay
        length -= 1
    left = text[:start] + "".join(lines[length:])
    if len(mapping.value) > 1:
        return left
    end = found[0].end_mark.index + 1  # its colon
    return f"{left[:end]} {{}}{left[end:]}"


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


@dataclass(frozen=True, slots=True)
class _Format:
    load: Callable[[str], Any]
    put: Callable[[str, Keys, Entry], str]
    take: Callable[[str, Keys], str]


_FORMATS = {
    "json": _Format(_load_json, _put_json, _take_json),
    "toml": _Format(_load_toml, _put_toml, _take_toml),
    "yaml": _Format(_load_yaml, _put_yaml, _take_yaml),
}
