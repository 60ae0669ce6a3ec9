"""Agents that run ``memos hook``: what they send, and what they get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli_harness import Result, Shell, wait_until

PORT = "The staging database listens on port 5435."
SHIP = "The shop is deployed with make ship."
HORSE = "The stable of the horse Bucephalus has a green door."
ASKED = "Which port does the staging database use?"


@dataclass(frozen=True)
class Hooks:
    """A user whose agents run ``memos hook``; time is no matter unless a test makes it one."""

    shell: Shell

    def run(
        self,
        event: str,
        sent: Mapping[str, Any] | bytes,
        *options: str,
        agent: str = "auto",
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """What an agent gets for its input. The exit code is 0 in any case."""
        data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        env = {"MEMOS_HOOK_DEADLINE": "60", **(env or {})}
        return self.shell("hook", event, "--agent", agent, *options, stdin=data, env=env)

    def told(self, event: str, sent: Mapping[str, Any], *options: str, **more: Any) -> str:
        """The text that Claude Code's model gets; "" if nothing is printed."""
        out = self.run(event, sent, *options, agent="claude", **more).out
        return str(json.loads(out)["hookSpecificOutput"]["additionalContext"]) if out else ""

    def wait_for_log(self, count: int) -> list[dict[str, Any]]:
        """The log when it has ``count`` lines: what goes on in the background adds its line at its end."""
        wait_until(lambda: len(self.log) >= count)
        return self.log

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the log, the last one first."""
        files = (self.shell.folder / "home").rglob("hooks.jsonl")
        lines = [line for file in files for line in file.read_text().splitlines()]
        return [json.loads(line) for line in reversed(lines)]

    @property
    def project(self) -> Path:
        """A folder within the repository ``shop``."""
        folder = self.shell.work / "shop" / "src"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / ".git").mkdir(exist_ok=True)
        return folder

    def asking(self, prompt: str = ASKED) -> dict[str, Any]:
        """What Claude Code sends at a prompt."""
        return {
            "session_id": "00893aaf", "transcript_path": "/none.jsonl", "cwd": str(self.project),
            "permission_mode": "default", "hook_event_name": "UserPromptSubmit", "prompt": prompt,
        }  # fmt: skip

    def starting(self, folder: Path | None = None) -> dict[str, Any]:
        """What Claude Code sends when a session starts."""
        return {
            "session_id": "00893aaf", "transcript_path": "/none.jsonl",
            "cwd": str(folder or self.project), "hook_event_name": "SessionStart", "source": "startup",
        }  # fmt: skip
