"""Gemini CLI: chats below ``~/.gemini/tmp``: logs to replay, or (before 0.40) a JSON object each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, each_file, items, mapping, objects, strings, text
from memos_cli.interface.importing.programs.conversation import Conversation, Wrappers, moment
from memos_cli.interface.importing.programs.json_lines import load_json, load_named, read_lines

KIND = "gemini-cli"
WRAPPERS = Wrappers(dropped=("session_context", "hook_context", "user_context", "state_snapshot"))
_FILES = re.compile(r"\n?--- Content from referenced files ---.*?(?:--- End of content ---|\Z)", re.DOTALL)
_ROLES = {"user": "user", "gemini": "assistant"}
_SETUP = ("This is the Gemini CLI. We are setting up the context for our chat.",)


def is_chat(records: list[dict[str, Any]]) -> bool:
    """Return whether the first lines of a file, or its one object, are those of a chat."""
    first = records[0] if records else {}
    return "sessionId" in first and ("projectHash" in first or "startTime" in first)


def read_gemini(export: Export, names: list[str]) -> Iterator[Bundle]:
    """Read the final state of chats after all changes in their logs: replaced answers are left out."""
    paths = _project_paths(export)

    @each_file
    def read(export: Export, name: str) -> Iterator[Bundle]:
        chat = _Chat()
        if name.endswith(".jsonl"):
            for record in read_lines(export, name, chat.faults):
                chat.take(record)
        else:
            chat.set(mapping(load_json(export, name)))
        yield chat.bundle(name, _folder(export, name, chat.about, paths))

    return read(export, names)


@dataclass(slots=True)
class _Chat:
    """A chat, as far as its log was replayed."""

    about: dict[str, Any] = field(default_factory=dict)
    messages: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By id, in order."""
    faults: list[str] = field(default_factory=list)

    def take(self, record: Mapping[str, Any]) -> None:
        """Apply one line of the log."""
        if "$set" in record:
            self.set(mapping(record["$set"]))
        elif "$rewindTo" in record:
            self._rewind(text(record["$rewindTo"]))
        elif "id" in record and "type" in record:
            self.messages[text(record["id"])] = record
        elif "sessionId" in record:
            self.set(record)

    def set(self, values: Mapping[str, Any]) -> None:
        """Set fields of the chat; ``messages`` replaces all messages."""
        self.about |= {key: value for key, value in values.items() if key != "messages"}
        if isinstance(values.get("messages"), list):
            found = enumerate(objects(values["messages"]))
            self.messages = {text(each.get("id")) or str(at): each for at, each in found}

    def _rewind(self, id: str) -> None:
        ids = [*self.messages]
        for gone in ids[ids.index(id) :] if id in self.messages else ():
            del self.messages[gone]

    def bundle(self, name: str, folder: str) -> Bundle:
        """Return the conversation."""
        id = text(self.about.get("sessionId")) or PurePosixPath(name).stem
        is_agent = self.about.get("kind") == "subagent"
        uri = f"{KIND}:{id}/{PurePosixPath(name).stem}" if is_agent else f"{KIND}:{id}"
        conversation = Conversation(
            uri, "Gemini", text(self.about.get("summary")), folder, WRAPPERS, faults=self.faults,
            user="Gemini" if is_agent else "",
        )  # fmt: skip
        for key, message in self.messages.items():
            role = _ROLES.get(text(message.get("type")), "")
            said = _text(message.get("displayContent")) if role == "user" else ""
            said = said or _text(message.get("content"))
            if role == "user":
                said = "" if said.startswith(_SETUP) else _FILES.sub("", said)
            conversation.say(role, said, ref=f"{id}/{key}", time=moment(message.get("timestamp")))
        return conversation.bundle()


def _text(content: object) -> str:
    """Return the text of a content: a string, a part, or a list of parts; not of thoughts."""
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, dict) else [*items(content)]
    said = [
        p if isinstance(p, str) else "" if mapping(p).get("thought") else text(mapping(p).get("text"))
        for p in parts
    ]
    return "\n".join(each for each in said if each.strip())


def _project_paths(export: Export) -> dict[str, str]:
    """Return the folders of projects by their ids and by the hashes of the folders."""
    found: dict[str, str] = {}
    for value in load_named(export, "projects.json"):
        for path, id in mapping(mapping(value).get("projects")).items():
            found[text(id)] = path
            found[hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()] = path
    return found


def _folder(export: Export, name: str, about: Mapping[str, Any], paths: Mapping[str, str]) -> str:
    """Return the folder of a chat's project: recorded, listed, or the id of the project if it is a name."""
    if recorded := next(strings(about.get("directories")), ""):
        return recorded
    parts = export.place(name).parts
    id = parts[parts.index("chats") - 1] if "chats" in parts[1:] else ""
    for key in (id, text(about.get("projectHash"))):
        if key in paths:
            return paths[key]
    if export.entries is None and id:
        with suppress(OSError):
            mark = Path(*parts[: parts.index("chats")]) / ".project_root"
            return mark.read_bytes()[:4096].decode("utf-8", "replace").strip()
    return "" if re.fullmatch(r"[0-9a-f]{64}|", id) else id
