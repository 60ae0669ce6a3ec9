"""What each agent sends and takes, by the schemas that their makers document."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hooks_harness import ASKED, HORSE, PORT, Hooks

ID = "00893aaf-19fa-41d2-8238-13269b9b3ca0"


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(required), "additionalProperties": False
    }  # fmt: skip


def _output(event: str) -> dict[str, Any]:
    """Of Claude Code (hooks reference, "JSON output" and "Add context for Claude") and Codex (its generated
    ``session-start.command.output`` and ``user-prompt-submit.command.output``)."""
    specific = _closed({"hookEventName": {"const": event}, "additionalContext": TEXT}, "hookEventName")
    return _closed(
        {
            "continue": {"type": "boolean"}, "stopReason": {"type": "string"},
            "suppressOutput": {"type": "boolean"}, "systemMessage": {"type": "string"},
            "hookSpecificOutput": specific,
        },
        "hookSpecificOutput",
    )  # fmt: skip


TEXT = {"type": "string", "minLength": 1, "maxLength": 10_000}
GEMINI = _closed(
    {"hookSpecificOutput": _closed({"additionalContext": TEXT}), "systemMessage": {"type": "string"}},
    "hookSpecificOutput",
)
"""hooks reference of Gemini CLI, SessionStart and BeforeAgent."""
CURSOR = _closed({"env": {"type": "object"}, "additional_context": TEXT}, "additional_context")
"""hooks reference of Cursor, sessionStart."""

CLAUDE_SENDS = {"session_id": ID, "transcript_path": f"/home/u/.claude/projects/p/{ID}.jsonl", "cwd": "CWD"}
CODEX_SENDS = {
    "session_id": ID, "transcript_path": None, "cwd": "CWD", "model": "gpt-5.5-codex",
    "permission_mode": "default",
}  # fmt: skip
GEMINI_SENDS = {
    "session_id": ID, "transcript_path": "/home/u/.gemini/tmp/p/chats/session.json", "cwd": "CWD",
    "timestamp": "2026-11-27T09:00:00.000Z",
}  # fmt: skip
CURSOR_SENDS = {
    "conversation_id": ID, "generation_id": "g", "model": "default", "cursor_version": "3.2.1",
    "workspace_roots": ["CWD"], "user_email": "u@example.org", "transcript_path": None,
}  # fmt: skip

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any] | None]] = [
    # agent, our event, what it sends, the schema of what it takes (None: nothing is printed)
    ("claude", "start", {**CLAUDE_SENDS, "hook_event_name": "SessionStart", "source": "startup"},
     _output("SessionStart")),
    ("claude", "start", {**CLAUDE_SENDS, "hook_event_name": "SessionStart", "source": "compact",
                         "model": "claude-sonnet-5"}, _output("SessionStart")),
    ("claude", "prompt", {**CLAUDE_SENDS, "permission_mode": "plan", "hook_event_name": "UserPromptSubmit",
                          "prompt": ASKED, "prompt_id": "p1"}, _output("UserPromptSubmit")),
    ("claude", "stop", {**CLAUDE_SENDS, "hook_event_name": "Stop", "stop_hook_active": False,
                        "last_assistant_message": PORT, "background_tasks": [], "session_crons": []}, None),
    ("claude", "compact", {**CLAUDE_SENDS, "hook_event_name": "PreCompact", "trigger": "manual",
                           "custom_instructions": ""}, None),
    ("claude", "end", {**CLAUDE_SENDS, "hook_event_name": "SessionEnd", "reason": "other"}, None),
    ("codex", "start", {**CODEX_SENDS, "transcript_path": f"/home/u/.codex/sessions/rollout-{ID}.jsonl",
                        "hook_event_name": "SessionStart", "source": "clear"}, _output("SessionStart")),
    ("codex", "prompt", {**CODEX_SENDS, "turn_id": "t", "hook_event_name": "UserPromptSubmit",
                         "prompt": ASKED}, _output("UserPromptSubmit")),
    ("codex", "stop", {**CODEX_SENDS, "turn_id": "t", "hook_event_name": "Stop", "stop_hook_active": False,
                       "last_assistant_message": None}, None),
    ("codex", "compact", {**CODEX_SENDS, "turn_id": "t", "hook_event_name": "PreCompact",
                          "trigger": "auto"}, None),
    ("gemini", "start", {**GEMINI_SENDS, "hook_event_name": "SessionStart", "source": "resume"}, GEMINI),
    ("gemini", "prompt", {**GEMINI_SENDS, "hook_event_name": "BeforeAgent", "prompt": ASKED}, GEMINI),
    ("gemini", "stop", {**GEMINI_SENDS, "hook_event_name": "AfterAgent", "prompt": ASKED,
                        "prompt_response": PORT, "stop_hook_active": False}, None),
    ("gemini", "end", {**GEMINI_SENDS, "hook_event_name": "SessionEnd", "reason": "exit"}, None),
    ("gemini", "compact", {**GEMINI_SENDS, "hook_event_name": "PreCompress", "trigger": "auto"}, None),
    ("cursor", "start", {**CURSOR_SENDS, "hook_event_name": "sessionStart", "session_id": ID,
                         "is_background_agent": False, "composer_mode": "agent"}, CURSOR),
    ("cursor", "prompt", {**CURSOR_SENDS, "hook_event_name": "beforeSubmitPrompt", "prompt": ASKED,
                          "attachments": []}, None),  # it takes no text there
    ("cursor", "stop", {**CURSOR_SENDS, "hook_event_name": "stop", "status": "completed",
                        "loop_count": 0}, None),
    ("cursor", "end", {**CURSOR_SENDS, "hook_event_name": "sessionEnd", "session_id": ID,
                       "reason": "user_close"}, None),
    ("cursor", "compact", {**CURSOR_SENDS, "hook_event_name": "preCompact", "trigger": "manual"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "event", "sent", "schema"), CASES)
def test_an_agent_gets_what_its_schema_allows(
    hooks: Hooks, agent: str, event: str, sent: dict[str, Any], schema: dict[str, Any] | None
) -> None:
    sent = json.loads(json.dumps(sent).replace("CWD", str(hooks.project)))
    named = hooks.run(event, sent, agent=agent)
    found = hooks.run(event, sent)
    assert [row["agent"] for row in hooks.wait_for_log(2)] == [agent, agent]
    assert not named.err and not found.err
    if schema is None:
        assert named.out == found.out == ""
        return
    for out in (named.out, found.out):
        (line,) = out.splitlines()
        answer = json.loads(line)
        jsonschema.validate(answer, schema)
        assert PORT in line and HORSE not in line


def test_an_answer_has_dates_and_sources_and_says_that_it_is_data(hooks: Hooks) -> None:
    (id,) = hooks.shell.ids("--tag", "project/stable")
    told = hooks.told("prompt", hooks.asking("Which door has the stable of Bucephalus?"))
    first, about, head, text, last = told.splitlines()
    assert first.startswith("<memos-recall id=") and last == f"</{first[1:]}"
    assert "not" not in first and "data" in about and "instruction" in about
    assert head.startswith(f"[{id}] 2") and "fact" in head and "stdin" in head and "#project/stable" in head
    assert text == f"> {HORSE}"


def test_cursor_gets_no_memories_twice_when_it_runs_the_hooks_of_claude_code(hooks: Hooks) -> None:
    sent = {**hooks.starting(), "cursor_version": "3.2.1"}
    assert hooks.run("start", sent, agent="claude").out == ""
    assert "Cursor runs" in hooks.log[0]["reason"]


@pytest.mark.parametrize(
    ("env", "sent", "is_told"),
    [
        ({}, {}, True),
        ({"CLAUDE_PROJECT_DIR": "STABLE"}, {}, False),
        ({"GEMINI_PROJECT_DIR": "STABLE"}, {}, True),  # of another agent
        ({}, {"cwd": "STABLE"}, False),
        ({}, {"cwd": 7}, False),
        ({}, {"cwd": "relative"}, False),
        ({"CLAUDE_PROJECT_DIR": "SHOP"}, {"cwd": "STABLE"}, True),
    ],
)
def test_the_folder_of_the_project_is_what_the_agent_says(
    hooks: Hooks, env: dict[str, str], sent: dict[str, Any], is_told: bool
) -> None:
    stable = hooks.shell.work / "stable"
    stable.mkdir()
    places = {"STABLE": str(stable), "SHOP": str(hooks.project)}
    sent = {**hooks.starting(), **{key: places.get(value, value) for key, value in sent.items()}}
    told = hooks.told("start", sent, env={key: places[value] for key, value in env.items()})
    assert (PORT in told) == is_told
