"""Read YAML front matter: the entries between two lines of dashes at the top of a Markdown file."""

from __future__ import annotations

import re

_BLOCK = re.compile(
    r"---[ \t]*\r?\n(?![ \t]*\r?\n)(.{0,65536}?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
_ENTRY = re.compile(r"^(?=[^\s#:-][^\n:]{0,60}:(?:\s|$))", re.MULTILINE)
_NAMES = {"authors": "author", "tag": "tags", "alias": "aliases"}
_READ_NAMES = "title author date time created updated modified type tags aliases permalink id layout"
_READ = frozenset(_READ_NAMES.split())
"""Common names of entries. A block without any of them is text with a colon between two rules."""


def read_front_matter(text: str) -> tuple[int, dict[str, str | list[str]]]:
    """Return where the text after the front matter starts, and the entries that are strings or string lists.

    The names are in lower case and in the plural where they may have several values; values are as written,
    not numbers or dates. Text between two rules (``---``) that is no mapping is no front matter: 0 and {}.
    """
    front = _BLOCK.match(text)
    if not front:
        return 0, {}
    whole = _load(front[1])
    if whole is None:  # an invalid entry does not spoil the others
        comment, *entries = _ENTRY.split(front[1])
        if any(line.strip() and line[0] != "#" for line in comment.split("\n")):
            return 0, {}
        parts: dict[str, object] = {}
        for entry in entries:
            name, _, value = entry.partition(":")
            part = _load(entry)
            parts.update(part if isinstance(part, dict) else {name: value.strip()})
        whole = parts
    if not isinstance(whole, dict):
        return 0, {}
    known: dict[str, str | list[str]] = {}
    for key, value in whole.items():
        name = str(key).strip().lower()
        if isinstance(value, list):
            value = [each.strip() for each in value if isinstance(each, str) and each.strip()]
        if value and isinstance(value, str | list) and value not in ("~", "null"):
            known[_NAMES.get(name, name)] = value
    if not _READ & known.keys():
        return 0, {}
    tags = known.get("tags")
    if isinstance(tags, str) and "," not in tags:
        known["tags"] = tags.split()  # as in Obsidian and Jekyll
    return front.end(), known


def as_list(value: str | list[str] | None) -> list[str]:
    """Return the texts of an entry that may be one or several."""
    return value if isinstance(value, list) else [value] if value else []


def _load(block: str) -> object:
    """Parse YAML into strings, lists and mappings; None if it is invalid.

    The loader makes nothing but these, not even numbers. An alias is the object itself and merges are not
    expanded, so a block cannot grow.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return yaml.load(block, Loader=loader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        return None
