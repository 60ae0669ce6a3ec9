"""aider: ``.aider.chat.history.md`` in a repository, Markdown that grows.

Lines of the user begin with ``#### ``, aider's own with ``> ``; both end with two spaces, unlike headings and
quotations in an answer. If an editor has trimmed the lines, only the marks count.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, each_file
from memos_cli.interface.importing.entries import time as read_time
from memos_cli.interface.importing.programs.conversation import Conversation

KIND = "aider"
NAME = ".aider.chat.history.md"
_START = re.compile(r"^# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[ \t]*$", re.MULTILINE)
_USER = re.compile(r"####(?: (.*))?$")
_COMMAND = re.compile(r"/(?:ask|code|architect|help|context)\s+(?=\S)|(/[a-z-]+\b|!)")


def is_history(head: bytes) -> bool:
    """Return whether a chat starts in the first part of a file."""
    return _START.search(head.decode("utf-8", "replace")) is not None


@each_file
def read_aider(export: Export, name: str) -> Iterator[Bundle]:
    """Read each session of a history. All of its turns have the time at which it started."""
    whole = export.text(name).replace("\r\n", "\n")
    place = export.place(name).parent
    folder = str(place) if export.entries is None else place.name
    signs = [re.search(rf"^{mark} .*  $", whole, re.MULTILINE) is not None for mark in ("####", ">")]
    starts = [*_START.finditer(whole)]
    begin = whole[: starts[0].start() if starts else len(whole)]
    if begin.strip() and not starts and "\n#### " not in f"\n{begin}":
        yield Bundle("", faults=[f"{name}: no aider chat found in it"])
    else:  # a history may be cut at its beginning
        yield _session(folder, "", begin, signs)
    seen: Counter[str] = Counter()
    for at, start in enumerate(starts):
        end = starts[at + 1].start() if at + 1 < len(starts) else len(whole)
        seen[start[1]] += 1
        yield _session(folder, start[1], whole[start.end() : end], signs, seen[start[1]])


def _session(folder: str, started: str, body: str, signs: list[bool], number: int = 1) -> Bundle:
    id = f"{PurePosixPath(folder).name}/{started.replace(' ', 'T') or 'earlier'}"
    id += f"-{number}" if number > 1 else ""  # another one that started in the same second
    conversation = Conversation(f"{KIND}:{id}", KIND, folder=folder)
    time = read_time(started)
    number = 0
    for role, value in _parts(body, signs):
        if role == "user":
            command = _COMMAND.match(value)
            value = "" if command and command[1] else value[command.end() :] if command else value
            value = "" if value.strip() == "<blank>" else value
        if not value.strip():
            continue
        number += 1
        last = conversation.turns[-1:]
        # It repeats what follows /ask.
        if not last or (role, conversation.clean(role, value)) != (last[0]["role"], last[0]["value"]):
            conversation.say(role, value, ref=f"{id}/{number}", time=time)
    return conversation.bundle()


def _parts(body: str, signs: list[bool]) -> Iterator[tuple[str, str]]:
    """Yield role (``user``, ``aider``, ``assistant``) and text. ``signs``: whose lines end in two spaces."""
    role, said, in_code = "", [""], False
    for line in body.split("\n"):
        is_blank, is_ended = not line.strip(), line.endswith("  ")
        user = _USER.match(line.rstrip()) if (is_ended or not signs[0]) and not in_code else None
        is_own = line.startswith(">") and (is_ended or not signs[1]) and not in_code
        now = (
            "user" if user else "aider" if is_own else "" if is_blank and role != "assistant" else "assistant"
        )
        if now == "assistant" and line.startswith("```"):
            in_code = not in_code
        if now != role:
            yield role, "\n".join(said)
            role, said = now, []
        said.append((user[1] or "") if user else line)
    yield role, "\n".join(said)
