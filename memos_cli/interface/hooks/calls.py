"""One call of a hook: parses the input of the agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memos_cli.errors import UsageError
from memos_cli.interface.hooks.agents import AUTO, Agent, agent_named, recognise
from memos_cli.interface.projects import project_tag
from memos_cli.interface.recalled import without_recalled

MOST_BYTES = 8 << 20
"""Largest input of a hook."""
_ASKED = 2_000
"""Characters of a prompt that are searched for: half at its beginning, half at its end."""


@dataclass(frozen=True, slots=True)
class Call:
    """The agent, the event and the input of a call."""

    agent: Agent
    event: str
    folder: Path
    """The folder that the agent works in."""
    prompt: str
    transcript: Path | None
    """The file of the session."""

    @property
    def project(self) -> str:
        """The tag of the project, "" if there is none."""
        return project_tag(self.folder)

    def answer(self, text: str) -> str:
        """Return what to print so that the agent's model reads ``text``."""
        sent = self.agent.answer(self.agent.events[self.event], text)
        return json.dumps(sent, ensure_ascii=False)


def read_call(event: str, name: str, data: bytes, environment: Mapping[str, str]) -> Call:
    """Parse the input ``data`` of an agent; ``name`` is that of the agent, or ``auto``.

    Raises UsageError for input that is damaged, or of another agent that reads the settings of this one.
    """
    if len(data) > MOST_BYTES:
        raise UsageError(f"the input has more than {MOST_BYTES >> 20} MB")
    try:
        sent = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError("the input is not JSON", "memos hook install AGENT") from error
    if not isinstance(sent, dict):
        raise UsageError("the input is JSON, but not an object", "memos hook install AGENT")
    agent = recognise(sent) if name == AUTO else agent_named(name)
    if agent.name != "cursor" and "cursor_version" in sent:
        # Cursor also runs the hooks of Claude Code: it would get the memories twice, or in a wrong format.
        raise UsageError(f"Cursor runs the hooks of {agent.title}", "memos hook install cursor")
    return Call(agent, event, _folder(agent, sent, environment), _prompt(sent), _transcript(sent))


def _folder(agent: Agent, sent: Mapping[str, Any], environment: Mapping[str, str]) -> Path:
    """Return the folder of the project: as the agent sets it for hooks, else where it works."""
    roots = sent.get("workspace_roots")
    first = roots[0] if isinstance(roots, list) and roots else None
    named = [*(environment.get(variable) for variable in agent.folders), first, sent.get("cwd")]
    for each in named:
        if (path := _absolute(each)) is not None:
            return path
    return Path.cwd()


def _prompt(sent: Mapping[str, Any]) -> str:
    """Return the words of the user, of a long prompt the beginning and the end."""
    prompt = sent.get("prompt")
    if not isinstance(prompt, str):
        return ""
    said = without_recalled(prompt).encode("utf-8", "replace").decode().replace("\0", "").strip()
    return said if len(said) <= _ASKED else f"{said[: _ASKED // 2]}\n{said[-_ASKED // 2 :]}"


def _transcript(sent: Mapping[str, Any]) -> Path | None:
    found = _absolute(sent.get("transcript_path"))
    with suppress(OSError):
        if found is not None and found.is_file():
            return found
    return None


def _absolute(path: object) -> Path | None:
    """Return an absolute path; None for anything else, such as one of another system."""
    if not isinstance(path, str) or "\0" in path:
        return None
    with suppress(RuntimeError, ValueError, UnicodeError):
        found = Path(path).expanduser()
        path.encode()
        return found if found.is_absolute() else None
    return None
