"""One conversation of a program: its turns, without text that the program added."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from memos_cli.interface.importing.entries import Bundle, objects, text
from memos_cli.interface.importing.entries import time as read_time
from memos_cli.interface.importing.programs.project_tags import project_tags

LONGEST_TITLE = 80
LONGEST_NAME = 300
"""Characters of an address, an author or a reference; the rest of it is cut off."""
RECALLED = ("memos-recall", "claude-mem-context", "supermemory-context")
"""Elements with recalled memories in a prompt: they must not be stored again."""
_ADDED = {"user": ("system-reminder",), "assistant": ("think", "thinking")}
"""Elements to remove, by role: reminders of the program, and reasoning of a model."""
_DATA_URL = re.compile(
    r"!?\[[^\]\n]{0,200}\]\(data:[^)\s]*\)|data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]{64,}"
)
_GAP = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Wrappers:
    """The tags in which a program wraps text."""

    dropped: tuple[str, ...] = ()
    """Elements to remove with their content."""
    opened: tuple[str, ...] = ()
    """If one of these begins a line, only its content is the text of the user."""


NONE = Wrappers()


@dataclass(slots=True)
class Conversation:
    """A conversation as it is read, turn by turn."""

    uri: str
    """The same whenever it is read: ``codex:ID``."""
    speaker: str
    """The author of the program's turns."""
    user: str = field(default="", kw_only=True)
    """The author of the user's turns: of several users, or the agent that instructs a subagent."""
    title: str = ""
    folder: str = ""
    """The folder in which it was held; "" if the program has none."""
    wrappers: Wrappers = NONE
    tags: tuple[str, ...] = ()
    turns: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    has_copies: bool = False

    def clean(self, role: str, value: str) -> str:
        """Return a text without wrappers, recalled memories and embedded files."""
        known = self.wrappers if role == "user" else NONE
        return without_wrappers(value, Wrappers((*_ADDED.get(role, ()), *known.dropped), known.opened))

    def say(
        self, role: str, value: str, *, ref: str = "", time: int | None = None, model: str = ""
    ) -> dict[str, Any] | None:
        """Add a turn and return it; None if nothing remains of it. ``model`` is the author of an answer."""
        if role not in ("user", "assistant") or not (said := self.clean(role, value)):
            return None
        author = self.user if role == "user" else model or self.speaker
        turn = {"value": said, "ref": ref[:LONGEST_NAME], "role": role, "time": time}
        turn["author"] = author[:LONGEST_NAME]
        self.turns.append(turn)
        return turn

    def bundle(self) -> Bundle:
        """Return the turns as drafts of memories. Without a title, the first line of a user is the title."""
        first = next((turn["value"] for turn in self.turns if turn["role"] == "user"), "")
        title = " ".join(self.title.split()) or first.split("\n", 1)[0]
        if len(title) > LONGEST_TITLE:
            title = title[: LONGEST_TITLE - 1].rstrip() + "…"
        bundle = Bundle(self.uri[:LONGEST_NAME], title, faults=self.faults, has_copies=self.has_copies)
        tags = (*self.tags, *project_tags(self.folder))
        for turn in self.turns:
            bundle.add(type="dialogue", title=title, tags=tags, **turn)
        return bundle


def without_wrappers(value: str, wrappers: Wrappers) -> str:
    """Return a text without the blocks that programs add to it. Linear in its length."""
    if "<" in value:
        value = _drop(value, RECALLED)
        inside = next(filter(None, (_inside(value, name) for name in wrappers.opened)), "")
        value = _drop(inside or value, () if inside else wrappers.dropped)
    if "data:" in value:
        value = _DATA_URL.sub("", value)
    return _GAP.sub("\n\n", value).strip()


def _drop(value: str, names: Collection[str]) -> str:
    """Return a text without the elements ``names``. Of those that are not closed, only recalled memories are
    left out: a program may have cut them."""
    if not names:
        return value
    parts, at, unclosed = [], 0, set[str]()
    for match in _openings(tuple(names)).finditer(value):
        name = match[1]
        if match.start() < at or name in unclosed:
            continue
        end = _closing(name).search(value, match.end())
        if end is None:
            if name in RECALLED:
                parts.append(value[at : match.start()])
                return "".join(parts)
            unclosed.add(name)
            continue
        parts.append(value[at : match.start()])
        at = end.end()
    return "".join((*parts, value[at:])) if at else value


def _inside(value: str, name: str) -> str:
    """Return what the elements ``name`` of a text contain that begin a line; "" if there are none."""
    found, at = [], 0
    while (start := value.find(f"<{name}>", at)) >= 0:
        end = value.find(f"</{name}>", start)
        if end < 0 or value[max(0, start - 80) : start].rstrip(" \t")[-1:] not in ("", "\n"):
            break
        found.append(value[start + len(name) + 2 : end].strip())
        at = end + len(name) + 3
    return "\n\n".join(found)


@lru_cache(maxsize=32)
def _openings(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"<({'|'.join(map(re.escape, names))})(?:\s[^<>]{{0,500}})?>")


@lru_cache(maxsize=128)
def _closing(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{re.escape(name)}(?:\s[^<>]{{0,500}})?>")


def blocks(content: object, kinds: Iterable[str] = ("text",)) -> str:
    """Return the text of a message: a string, or those of its parts that are of these types."""
    if isinstance(content, str):
        return content
    wanted = {*kinds}
    said = [text(part.get("text")) for part in objects(content) if text(part.get("type")) in wanted]
    return "\n\n".join(each for each in said if each.strip())


def moment(value: object) -> int | None:
    """Return a time in milliseconds; a text without a zone is UTC, as these programs write it."""
    if isinstance(value, str) and value[4:5] == "-":
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return read_time(value)
        return read_time((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    return read_time(value)
