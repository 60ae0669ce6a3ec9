"""One entry in the settings file of another program: JSON with comments, TOML or YAML.

An edit changes the entry and nothing else: comments, layout and order of all else stay. Each edit is checked
before it is returned: the new text must have the values of the old one, with that one change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from memos_cli.interface.client_settings import json_text
from memos_cli.interface.client_settings.json_text import NotReadable

Keys = tuple[str, ...]
"""The way to an entry: the names of the tables above it, and its own."""
Entry = dict[str, Any]
__all__ = ["Entry", "Keys", "NotReadable", "read_entry", "remove_entry", "set_entry"]


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
    """Return whether the table of ``keys`` is empty or missing: YAML and TOML cannot always distinguish
    these.
    """
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return not value


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
    "json": _Format(json_text.load, json_text.put, json_text.remove),
    "toml": _Format(_load_toml, _put_toml, _take_toml),
    "yaml": _Format(_load_yaml, _put_yaml, _take_yaml),
}
