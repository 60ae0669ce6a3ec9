"""aider: ``.aider.chat.history.md`` in a repository, Markdown that grows.

Lines of the user begin with ``#### ``, aider's own with ``> ``; both end with two spaces, unlike headings and
quotations in an answer. An editor that trims lines removes that sign: then the marks alone count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle
from memos_cli.interface.importing.entries import time as read_time
from memos_cli.interface.importing.programs.conversation import Conversation

KIND = "aider"
NAME = ".aider.chat.history.md"
_START = re.compile(r"^# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[ \t]*$", re.MULTILINE)
_USER = re.compile(r"####(?: (.*))?$")
_COMMAND = re.compile(r"/(?:ask|code|architect|help|context)\s+(?=\S)|(/[a-z-]+\b|!)")


def is_history(head: str) -> bool:
    """Return whether a file begins as a history does."""
    return _START.match(head.lstrip()) is not None


def read_aider(export: Export, names: list[str]) -> Iterator[Bundle]:
    """Read each session of each history. All of its turns have the time at which it started."""
    for name in names:
        try:
            whole = export.text(name).replace("\r\n", "\n")
        except MemosError as error:
            yield Bundle("", faults=[f"{name}: {error}"])
            continue
        path = export.path / name if export.path.is_dir() else export.path
        folder = str(path.absolute().parent) if export.entries is None else PurePosixPath(name).parent.name
        signs = [re.search(rf"^{mark} .*  $", whole, re.MULTILINE) is not None for mark in ("####", ">")]
        starts = [*_START.finditer(whole)]
        if whole.strip() and not starts:
            yield Bundle("", faults=[f"{name}: no chat of aider starts in it"])
        for at, start in enumerate(starts):
            end = starts[at + 1].start() if at + 1 < len(starts) else len(whole)
            yield _session(folder, start[1], whole[start.end() : end], signs)


def _session(folder: str, started: str, body: str, signs: list[bool]) -> Bundle:
    id = f"{PurePosixPath(folder).name}/{started.replace(' ', 'T')}"
    conversation = Conversation(f"{KIND}:{id}", KIND, folder=folder)
    time = read_time(datetime.fromisoformat(started).timestamp())
    role, said, number = "", [""], 0

    def close() -> None:
        nonlocal number
        value = "\n".join(said)
        if role == "user":
            command = _COMMAND.match(value)
            value = "" if command and command[1] else value[command.end() :] if command else value
            value = "" if value.strip() == "<blank>" else value
        if value.strip():
            number += 1
            conversation.say(role, value, ref=f"{id}/{number}", time=time)

    in_code = False
    for line in body.split("\n"):
        is_ended = line.endswith("  ")
        user = _USER.match(line.rstrip()) if (is_ended or not signs[0]) and not in_code else None
        is_own = line.startswith(">") and (is_ended or not signs[1]) and not in_code
        now = (
            "user"
            if user
            else "aider"
            if is_own
            else ""
            if role == "aider" and not line.strip()
            else "assistant"
        )
        if now == "assistant" and role == "user" and not line.strip():
            said.append("")
            continue
        if now == "assistant" and line.startswith("```"):
            in_code = not in_code
        if now and now != role:
            close()
            role, said = now, []
        said.append((user[1] or "") if user else line)
    close()
    return conversation.bundle()
