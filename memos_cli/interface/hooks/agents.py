"""The agents that run ``memos hook``: their input, the output they accept, and where their settings are.

Their makers document both: https://code.claude.com/docs/en/hooks (Claude Code),
https://developers.openai.com/codex/hooks (Codex CLI), docs/hooks/reference.md in google-gemini/gemini-cli,
https://cursor.com/docs/agent/hooks (Cursor). They ignore or reject output in another format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from memos_cli.errors import UsageError, require_known

START, PROMPT, STOP, END, COMPACT = "start", "prompt", "stop", "end", "compact"
EVENTS = (START, PROMPT, STOP, END, COMPACT)
AUTO = "auto"
MOST_LETTERS = 9_000
"""Characters of an answer. Claude Code and Codex replace a longer one than 10,000 by its beginning."""

Handler = dict[str, Any]


def _answer_with_event(event: str, text: str) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}


def _answer_without_event(event: str, text: str) -> dict[str, Any]:
    return {"hookSpecificOutput": {"additionalContext": text}}


def _answer_of_cursor(event: str, text: str) -> dict[str, Any]:
    return {"additional_context": text}


def _command(event: str, command: str) -> Handler:
    """Return a handler for Claude Code and Codex; its timeout is in seconds."""
    return {"type": "command", "command": command, "timeout": 10 if event == START else 5}


def _command_of_gemini(event: str, command: str) -> Handler:
    """Return a handler for Gemini CLI; its timeout is in milliseconds."""
    timed = _command(event, command)
    return {**timed, "name": "memos", "timeout": 1000 * timed["timeout"]}


@dataclass(frozen=True, slots=True)
class Agent:
    """A coding agent that runs commands at events of a session."""

    name: str
    title: str
    events: Mapping[str, str]
    """Its name for each event of memos."""
    installed: tuple[str, ...]
    """The events that ``memos hook install`` adds: enough to recall, and to import each session."""
    file: tuple[str, ...]
    """The user's settings of hooks, below the home folder."""
    variable: str = ""
    """The environment variable that may name another folder for them."""
    answer: Callable[[str, str], dict[str, Any]] = _answer_with_event
    """Returns the output that gives a text to its model, at an event by its own name."""
    context_events: tuple[str, ...] = (START, PROMPT)
    """The events at which it accepts a text for its model."""
    handler: Callable[[str, str], Handler] = _command
    """Its settings for one event and our command."""
    is_grouped: bool = True
    """Whether its handlers stand in groups, below a matcher."""
    top: Mapping[str, Any] = field(default_factory=dict)
    """Other members that its settings file must have."""
    folders: tuple[str, ...] = ()
    """Environment variables with the folder of the project, which it sets for a hook."""
    importers: tuple[str, ...] = ()
    """The kinds of import that its transcripts may be."""
    next_step: str = "start a new session"
    """The user's next step, so that the agent loads the hooks."""


_CLAUDE_EVENTS = {START: "SessionStart", PROMPT: "UserPromptSubmit", STOP: "Stop", COMPACT: "PreCompact"}
AGENTS = {
    agent.name: agent
    for agent in (
        Agent(
            "claude", "Claude Code",
            {**_CLAUDE_EVENTS, END: "SessionEnd"}, (START, PROMPT, COMPACT, END),
            (".claude", "settings.json"), "CLAUDE_CONFIG_DIR",
            folders=("CLAUDE_PROJECT_DIR",), importers=("claude-code",),
        ),
        Agent(  # it has no event for the end of a session
            "codex", "Codex CLI", _CLAUDE_EVENTS, (START, PROMPT, STOP, COMPACT),
            (".codex", "hooks.json"), "CODEX_HOME",
            importers=("codex", "codex-cli"), next_step="start it and trust the hooks: /hooks",
        ),
        Agent(
            "gemini", "Gemini CLI",
            {
                START: "SessionStart", PROMPT: "BeforeAgent", STOP: "AfterAgent", END: "SessionEnd",
                COMPACT: "PreCompress",
            },
            (START, PROMPT, COMPACT, END),
            (".gemini", "settings.json"), answer=_answer_without_event,
            handler=_command_of_gemini, folders=("GEMINI_PROJECT_DIR",),
            importers=("gemini", "gemini-cli"),
        ),
        Agent(  # its beforeSubmitPrompt accepts no text
            "cursor", "Cursor",
            {
                START: "sessionStart", PROMPT: "beforeSubmitPrompt", STOP: "stop", END: "sessionEnd",
                COMPACT: "preCompact",
            },
            (START, COMPACT, END),
            (".cursor", "hooks.json"), answer=_answer_of_cursor, context_events=(START,),
            handler=lambda event, command: {"command": command}, is_grouped=False,
            top={"version": 1}, folders=("CURSOR_PROJECT_DIR",), importers=("cursor",),
            next_step="restart it",
        ),
    )
}  # fmt: skip
"""The agents by name."""


def agent_named(name: str) -> Agent:
    """Return an agent by its name, as typed. Raises UsageError."""
    typed = name.strip().casefold().replace("_", "-").replace(" ", "-")
    typed = {"claude-code": "claude", "codex-cli": "codex", "gemini-cli": "gemini"}.get(typed, typed)
    require_known("agent", typed, AGENTS)
    return AGENTS[typed]


def recognise(sent: Mapping[str, Any]) -> Agent:
    """Return the agent that sent this input to a hook. Raises UsageError."""
    event = sent.get("hook_event_name")
    if {"cursor_version", "conversation_id"} & sent.keys() or event in AGENTS["cursor"].events.values():
        return AGENTS["cursor"]
    if event in ("BeforeAgent", "AfterAgent", "PreCompress") or "timestamp" in sent:
        return AGENTS["gemini"]
    if "turn_id" in sent or "/.codex/" in str(sent.get("transcript_path")):
        return AGENTS["codex"]
    if isinstance(event, str) or "session_id" in sent or "prompt" in sent:
        return AGENTS["claude"]
    raise UsageError("no known agent sends such input", f"use --agent {'|'.join(AGENTS)}")
