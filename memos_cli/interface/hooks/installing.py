"""Add, update and remove the handlers of memos in an agent's settings of hooks. Nothing else is changed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from memos_cli.errors import MemosError
from memos_cli.interface.client_settings import json_text
from memos_cli.interface.client_settings.json_text import NotReadable
from memos_cli.interface.client_settings.program_files import (
    NAME,
    FileChange,
    Status,
    edit_file,
    home_path,
    own_command,
    read_text,
)
from memos_cli.interface.hooks.agents import EVENTS, Agent

_HOOKS = "hooks"
"""The member with all hooks, and in a group that with its handlers."""
Place = tuple[str | int, ...]


def settings_file(agent: Agent) -> Path:
    """Return the user's settings of an agent's hooks."""
    return home_path(*agent.file, variable=agent.variable)


def install(agent: Agent, options: Sequence[str], file: Path, *, dry_run: bool) -> FileChange:
    """Add our handlers, with the ``options`` of this vault, or bring their command up to date.

    What the user changed in a handler stays. Raises MemosError.
    """

    def edit(text: str) -> str:
        for name, value in agent.top.items():
            if name not in _load(text):
                text = json_text.put(text, (name,), value)
        text = _without(text, agent, [agent.events[event] for event in agent.installed])
        for event in agent.installed:
            name = agent.events[event]
            command = shlex.join([*own_command(), "hook", event, "--agent", agent.name, *options])
            places = [place for place, handler in _ours(text, agent) if place[1] == name]
            if places:
                text = json_text.put(text, (*places[0], "command"), command)
                if "args" in _value(text, places[0]):
                    text = json_text.remove(text, (*places[0], "args"))
                continue
            handler = agent.handler(event, command)
            count = len((_load(text).get(_HOOKS) or {}).get(name) or ())
            text = json_text.put(
                text, (_HOOKS, name, count), {_HOOKS: [handler]} if agent.is_grouped else handler
            )
        return text

    return edit_file(file, _checked(edit, agent), dry_run=dry_run)


def remove(agent: Agent, file: Path, *, dry_run: bool) -> FileChange:
    """Remove our handlers, and lists that become empty. Raises MemosError."""
    return edit_file(file, _checked(lambda text: _without(text, agent, ()), agent), dry_run=dry_run)


def status(agent: Agent, file: Path) -> Status[Agent]:
    """Return whether the agent runs this program."""
    try:
        found = [(place, _words(handler)) for place, handler in _ours(read_text(file), agent)]
    except MemosError as error:
        return Status(agent, file, "unreadable", str(error))
    if not found:
        return Status(agent, file, "missing")
    words = found[0][1]
    if not shutil.which(words[0]):
        return Status(agent, file, "other", f"{words[0]} does not exist")
    if any(tuple(each[: len(own_command())]) != own_command() for _, each in found):
        return Status(agent, file, "other", shlex.join(words))
    events = {place[1] for place, _ in found}
    lacking = [event for event in agent.installed if agent.events[event] not in events]
    detail = f"without {', '.join(lacking)}" if lacking else shlex.join(words[: len(own_command())])
    return Status(agent, file, "partly" if lacking else "installed", detail)


def _load(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json_text.load(text)
    return found


def _ours(text: str, agent: Agent) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield our handlers and where each is, in order. Raises NotReadable for settings of another shape."""
    hooks = _load(text).get(_HOOKS)
    if not isinstance(hooks, dict | None):
        raise NotReadable(f"its {_HOOKS} is not a table")
    for event, entries in (hooks or {}).items():
        if event not in agent.events.values() or entries is None:
            continue
        if not isinstance(entries, list):
            raise NotReadable(f"its {_HOOKS}.{event} is not a list")
        for at, entry in enumerate(entries):
            place: Place = (_HOOKS, event, at)
            inner = entry.get(_HOOKS) if agent.is_grouped and isinstance(entry, dict) else None
            below = enumerate(inner) if isinstance(inner, list) else ()
            handlers = [((*place, _HOOKS, n), each) for n, each in below]
            for where, handler in handlers if agent.is_grouped else [(place, entry)]:
                if isinstance(handler, dict) and _is_ours(handler):
                    yield where, handler


def _is_ours(handler: dict[str, Any]) -> bool:
    """Return whether a handler runs ``memos hook EVENT``, whatever path and options it has."""
    words = _words(handler)
    at = next((at for at, word in enumerate(words) if word == "hook"), 0)
    program = [Path(word).name for word in words[:at]]
    return bool({NAME, "memos_cli"} & {*program}) and words[at + 1 : at + 2] in [[each] for each in EVENTS]


def _words(handler: dict[str, Any]) -> list[str]:
    command, args = handler.get("command"), handler.get("args")
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        words = []
    return words + (list(map(str, args)) if isinstance(args, list) else [])


def _without(text: str, agent: Agent, kept: Sequence[str]) -> str:
    """Return the text without our handlers, except the first one of each of the events ``kept``."""
    seen = set[str | int]()
    surplus = []
    for place, _ in _ours(text, agent):
        if place[1] in kept and place[1] not in seen:
            seen.add(place[1])
        else:
            surplus.append(place)
    for place in reversed(surplus):  # from the end, so that the numbers of the others stay
        text = json_text.remove(text, place)
        # Also remove a group without handlers, an event without groups, and settings without events.
        above = [(place[:4], place[:3])] if agent.is_grouped else []
        for container, whole in (*above, (place[:2], place[:2]), (place[:1], place[:1])):
            if _value(text, container):
                break
            text = json_text.remove(text, whole)
    return text


def _checked(edit: Callable[[str], str], agent: Agent) -> Callable[[str], str]:
    """Return ``edit`` with a check that it changes only the handlers of memos."""

    def change(text: str) -> str:
        new = edit(text)
        if _foreign(new, agent) != _foreign(text, agent):
            raise NotReadable("its layout is too unusual to be edited")
        return new

    return change


def _foreign(text: str, agent: Agent) -> dict[str, Any]:
    """Return the settings without our handlers and without empty lists."""
    found = _load(text)
    for place, _ in reversed([*_ours(text, agent)]):
        group = _at(found, place[:-1])
        del group[place[-1]]
        if agent.is_grouped and not group:
            del found[_HOOKS][place[1]][place[2]]
    hooks = {event: entries for event, entries in (found.pop(_HOOKS, None) or {}).items() if entries}
    return {**agent.top, **found, _HOOKS: hooks}


def _value(text: str, place: Place) -> Any:
    return _at(_load(text), place)


def _at(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value
