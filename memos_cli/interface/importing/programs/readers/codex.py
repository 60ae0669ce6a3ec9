"""Codex CLI: rollouts below ``~/.codex/sessions`` and ``~/.codex/archived_sessions``, plain or zstd.

Each turn occurs up to three times: as an event, as a completed item and as an item of the model. A fork
copies the turns before it, with new times and no ids, so the id of a turn is a hash of all turns up to it.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, each_file, mapping, text
from memos_cli.interface.importing.programs.conversation import Conversation, Wrappers, blocks, moment
from memos_cli.interface.importing.programs.json_lines import read_lines

KIND = "codex"
WRAPPERS = Wrappers(
    dropped=(
        "environment_context", "user_instructions", "INSTRUCTIONS", "permissions instructions",
        "collaboration_mode", "skills_instructions", "turn_aborted", "subagent_notification", "user_action",
        "apps_instructions", "plugins_instructions", "user_shell_command", "hook_prompt", "model_switch",
    )
)  # fmt: skip
_REQUEST = re.compile(
    r"\A# Context from my IDE setup:.*?^## My request for Codex:[ \t]*\n?", re.DOTALL | re.MULTILINE
)
_INJECTED = re.compile(
    r"\s*(?:# AGENTS\.md instructions\b|<(?P<tag>[a-z_]+)(?:\s[^>]*)?>.*</(?P=tag)>\s*\Z)", re.DOTALL
)
"""A message in the role of the user that the program writes."""
_TYPES = {"input_text", "output_text", "text", "Text"}
_EVENTS = {"user_message": "user", "agent_message": "assistant"}
_ITEMS = {"UserMessage": "user", "AgentMessage": "assistant"}
_SEEN = ("event", "item", "response")
"""The forms in which a turn is recorded; the first that a file has for a role is read."""


def is_rollout(records: list[dict[str, Any]]) -> bool:
    """Return whether the first lines of a file are those of a rollout."""
    kinds = ("session_meta", "response_item", "event_msg", "turn_context")
    for record in records[:3]:
        if record.get("type") in kinds and isinstance(record.get("payload"), dict):
            return True
        if {"id", "timestamp", "instructions"} <= record.keys():  # before the envelope
            return True
    return False


def read_codex(export: Export, names: list[str]) -> Iterator[Bundle]:
    """Read rollouts. Of a plain and a compressed one of the same name, the plain one."""
    titles, plain = _titles(export), {*names}

    @each_file
    def read(export: Export, name: str) -> Iterator[Bundle]:
        rollout = _Rollout(name)
        for record in read_lines(export, name, rollout.faults):
            rollout.take(record)
        yield rollout.bundle(titles)

    return read(export, [n for n in names if not (n.endswith(".zst") and n.removesuffix(".zst") in plain)])


def _titles(export: Export) -> dict[str, str]:
    """Return the names of sessions by their ids; the last one counts."""
    found: dict[str, str] = {}
    for name in export.named("session_index.jsonl"):
        try:
            for record in read_lines(export, name, []):
                found[text(record.get("id"))] = text(record.get("thread_name"))
        except MemosError:
            continue
    return found


@dataclass(slots=True)
class _Rollout:
    """A rollout, line by line."""

    name: str
    faults: list[str] = field(default_factory=list)
    _ids: list[str] = field(default_factory=list)
    _about: Mapping[str, Any] = field(default_factory=dict)
    _title: str = ""
    _said: list[tuple[str, str, str, int | None]] = field(default_factory=list)
    """The form, the role, the text and the time of each record."""

    def take(self, record: Mapping[str, Any]) -> None:
        """Process one line."""
        time, payload = moment(record.get("timestamp")), mapping(record.get("payload"))
        kind, what = text(record.get("type")), text(payload.get("type"))
        match kind:
            case "session_meta":
                self._take_header(payload)
            case "event_msg" if what in _EVENTS:
                if payload.get("kind") in (None, "plain", ""):
                    self._add("event", _EVENTS[what], text(payload.get("message")), time)
            case "event_msg" if what == "item_completed":
                item = mapping(payload.get("item"))
                if role := _ITEMS.get(text(item.get("type"))):
                    self._add("item", role, blocks(item.get("content"), _TYPES), time)
            case "event_msg" if what == "thread_rolled_back":
                turns = payload.get("num_turns")
                self._roll_back(turns if isinstance(turns, int) else 0)
            case "event_msg" if what in ("thread_name_updated", "session_name_updated"):
                self._title = text(payload.get("thread_name")) or text(payload.get("name")) or self._title
            case "response_item" if what in ("message", ""):
                self._add_response(payload, time)
            case "message":
                self._add_response(record, time)
            case "" if "instructions" in record:
                self._take_header(record)
            case "" if "role" in record:
                time = time or moment(record.get("created_at"))
                self._add_response({"content": record.get("message"), **record}, time)

    def _take_header(self, header: Mapping[str, Any]) -> None:
        self._about = self._about or header
        for id in (header.get("id") or header.get("session_id"), header.get("forked_from_id")):
            if (id := text(id)) and id not in self._ids:
                self._ids.append(id)

    def _add(self, form: str, role: str, value: str, time: int | None) -> None:
        if role == "user":
            value = _REQUEST.sub("", value)
        if value.strip():
            self._said.append((form, role, value, time))

    def _add_response(self, message: Mapping[str, Any], time: int | None) -> None:
        role, said = text(message.get("role")), blocks(message.get("content"), _TYPES)
        if role in ("user", "assistant") and not (role == "user" and _INJECTED.match(said)):
            self._add("response", role, said, time)

    def _roll_back(self, turns: int) -> None:
        """Remove the last turns of the user, and the turns after them, in every form."""
        for form in _SEEN:
            users = [at for at, each in enumerate(self._said) if each[:2] == (form, "user")]
            if users and turns > 0:
                start = users[max(0, len(users) - turns)]
                self._said = [e for at, e in enumerate(self._said) if e[0] != form or at < start]

    def bundle(self, titles: Mapping[str, str]) -> Bundle:
        """Return the conversation."""
        stem = PurePosixPath(self.name.removesuffix(".zst")).stem
        id = self._ids[0] if self._ids else stem
        # A subagent is instructed by the agent that started it.
        is_agent = isinstance(self._about.get("source"), dict)
        conversation = Conversation(
            f"{KIND}:{id}", "Codex", self._title or titles.get(id, ""), text(self._about.get("cwd")),
            WRAPPERS, faults=self.faults, has_copies=True, user="Codex" if is_agent else "",
        )  # fmt: skip
        forms: defaultdict[str, set[str]] = defaultdict(set)
        for form, role, _, _ in self._said:
            forms[role].add(form)
        chain = hashlib.sha256((self._ids[-1] if self._ids else stem).encode()).hexdigest()
        for form, role, value, time in self._said:
            if form != next(each for each in _SEEN if each in forms[role]):
                continue
            if turn := conversation.say(role, value, time=time):
                chained = f"{chain}\n{role}\n{turn['value']}"
                chain = hashlib.sha256(chained.encode("utf-8", "replace")).hexdigest()
                turn["ref"] = chain[:40]
        return conversation.bundle()
