"""Programs with a file for each conversation: LM Studio, Continue, Cline and relatives, Jan, older Goose.

Their messages have no ids of their own, so that a message is known by its place: ``CONVERSATION/NUMBER``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, decoded, each_file, items, mapping, objects, text
from memos_cli.interface.importing.programs.conversation import Conversation, Wrappers, blocks, moment
from memos_cli.interface.importing.programs.json_lines import load_beside, load_json, load_named, read_lines
from memos_cli.interface.importing.programs.project_tags import path_of

CLINE = Wrappers(
    dropped=("environment_details", "file_content", "explicit_instructions", "folder_content"),
    opened=("task", "feedback", "user_message", "answer"),
)
CONTINUE = Wrappers(dropped=("important_rules",))
GOOSE = Wrappers(dropped=("info-msg",))
_TOOL_RESULT = re.compile(r"\[[a-z_]+(?: for [^\n]*)?\] Result:")
_TOOL_CALL = re.compile(r"<([a-z]+_[a-z_]+)>(.*?)</\1>", re.DOTALL)
_SAID_BY_TOOL = re.compile(r"<(result|question|response)>(.*?)</\1>", re.DOTALL)
_FEEDBACK = {"user_feedback", "user_feedback_diff"}
_ANSWERS = {"text", "completion_result", "plan_mode_respond", "followup"}


def is_lm_studio(record: Mapping[str, Any]) -> bool:
    """Return whether a file's object is a conversation of LM Studio."""
    return "versions" in next(objects(record.get("messages")), {})


@each_file
def read_lm_studio(export: Export, name: str) -> Iterator[Bundle]:
    """Read the selected version of each message; reasoning and tool calls stay out."""
    record = _object(export, name)
    id = PurePosixPath(name).name.removesuffix(".json").removesuffix(".conversation")
    begun = moment(record.get("createdAt"))
    conversation = Conversation(f"lm-studio:{id}", "LM Studio", text(record.get("name")))
    for number, message in enumerate(objects(record.get("messages"))):
        versions = [*objects(message.get("versions"))]
        chosen = message.get("currentlySelected")
        at = chosen if isinstance(chosen, int) and 0 <= chosen < len(versions) else 0
        if not versions:
            continue
        version = versions[at]
        parts = [*objects(version.get("steps"))] or [version]
        shown = [p for p in parts if p.get("type") != "debugInfoBlock" and not _is_reasoning(p)]
        said = "\n\n".join(filter(None, (blocks(part.get("content")) for part in shown)))
        model = text(mapping(version.get("senderInfo")).get("senderName"))
        conversation.say(text(version.get("role")), said, ref=f"{id}/{number}", time=begun, model=model)
    yield conversation.bundle()


def _is_reasoning(step: Mapping[str, Any]) -> bool:
    return mapping(step.get("style")).get("type") == "thinking" or "prefix" in mapping(step.get("style"))


def is_continue(record: Mapping[str, Any]) -> bool:
    """Return whether a file's object is a session of Continue."""
    return "sessionId" in record and isinstance(record.get("history"), list)


def read_continue(export: Export, names: list[str]) -> Iterator[Bundle]:
    """Read sessions; the files that were given as context stay out."""
    listed = (each for value in load_named(export, "sessions.json") for each in objects(value))
    begun = {text(each.get("sessionId")): moment(each.get("dateCreated")) for each in listed}
    return each_file(lambda export, name: [_continue(export, name, begun)])(export, names)


def _continue(export: Export, name: str, begun: Mapping[str, int | None]) -> Bundle:
    record = _object(export, name)
    id = text(record.get("sessionId")) or PurePosixPath(name).stem
    title, folder = text(record.get("title")), text(record.get("workspaceDirectory"))
    conversation = Conversation(f"continue:{id}", "Continue", title, path_of(folder), CONTINUE)
    time = begun.get(id) or moment(record.get("dateCreated"))
    for number, each in enumerate(objects(record.get("history"))):
        message = mapping(each.get("message"))
        said = blocks(message.get("content"))
        conversation.say(text(message.get("role")), said, ref=f"{id}/{number}", time=time)
    return conversation.bundle()


def read_cline(export: Export, names: list[str]) -> Iterator[Bundle]:
    """Read tasks: what was shown (``ui_messages.json``), else what was sent to the model."""
    listed = (each for value in load_named(export, "taskhistory.json") for each in objects(value))
    folders = {text(each.get("id")): text(each.get("cwdOnTaskInitialization")) for each in listed}
    shown = {str(PurePosixPath(name).parent) for name in names if name.endswith("ui_messages.json")}
    wanted = [n for n in names if n.endswith("ui_messages.json") or str(PurePosixPath(n).parent) not in shown]
    return each_file(lambda export, name: [_cline(export, name, folders)])(export, wanted)


def _cline(export: Export, name: str, folders: Mapping[str, str]) -> Bundle:
    value = load_json(export, name)
    if not isinstance(value, list):
        raise MemosError(f"{name}: not a list of messages")
    place = export.place(name)
    id, whole = place.parent.name or name, place.as_posix()
    speaker = "Roo" if "roo-cline" in whole else "Kilo Code" if "kilo" in whole else "Cline"
    conversation = Conversation(f"cline:{id}", speaker, folder=folders.get(id, ""), wrappers=CLINE)
    is_shown = PurePosixPath(name).name == "ui_messages.json"
    begun = moment(int(id)) if id.isdecimal() and 12 < len(id) < 15 else None
    for number, message in enumerate(objects(value)):
        role, said = _shown(message, not conversation.turns) if is_shown else _sent(message)
        time = moment(message.get("ts")) or moment(message.get("timestamp")) or begun
        key = message.get("ts") if is_shown else number
        conversation.say(role, said, ref=f"{id}/{key or number}", time=time)
    if value and not conversation.turns:
        conversation.faults.append(f"{name}: no messages in a known format")
    return conversation.bundle()


def _shown(message: Mapping[str, Any], is_first: bool) -> tuple[str, str]:
    """Return the role and the text of a message of the view; it begins with the task."""
    if "role" in message:
        return text(message["role"]), blocks(message.get("content"))
    kind, said = text(message.get("say")) or text(message.get("ask")), text(message.get("text"))
    if message.get("partial"):
        return "", ""
    if kind in _FEEDBACK or (is_first and kind in ("text", "task")):
        return "user", said
    if kind not in _ANSWERS:
        return "", ""
    found = mapping(decoded(said)) if said.startswith("{") else {}
    return "assistant", text(found.get("question")) or text(found.get("response")) or said


def _sent(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return the role and the text of a message to or from the model, without the calls of tools in it."""
    role, content = text(message.get("role")), message.get("content")
    parts = [content] if isinstance(content, str) else [blocks([part]) for part in items(content)]
    said = "\n\n".join(part for part in parts if part and not _TOOL_RESULT.match(part))
    if role == "assistant":
        said = _TOOL_CALL.sub(
            lambda call: "\n\n".join(m[2].strip() for m in _SAID_BY_TOOL.finditer(call[2])), said
        )
    return role, said


def is_jan(records: list[dict[str, Any]]) -> bool:
    """Return whether the first lines of a file are messages of Jan."""
    return bool(records) and records[0].get("object") == "thread.message"


@each_file
def read_jan(export: Export, name: str) -> Iterator[Bundle]:
    """Read threads: ``messages.jsonl``, with the title in ``thread.json`` beside it."""
    about = load_beside(export, name, "thread.json")
    conversation = Conversation("", "Jan", text(about.get("title")))
    found: dict[str, Mapping[str, Any]] = {}
    for record in read_lines(export, name, conversation.faults):
        conversation.uri = conversation.uri or f"jan:{text(record.get('thread_id'))}"
        found[text(record.get("id")) or str(len(found))] = record
    for id, message in found.items():
        said = []
        for part in objects(message.get("content")):
            value = part.get("text")
            said.append(
                text(mapping(value).get("value")) or text(value) if part.get("type") == "text" else ""
            )
        conversation.say(
            text(message.get("role")), "\n\n".join(filter(None, said)), ref=id,
            model=text(mapping(message.get("metadata")).get("model")),
            time=moment(message.get("created_at")) or moment(message.get("created")),
        )  # fmt: skip
    conversation.uri = conversation.uri or f"jan:{PurePosixPath(name).parent.name}"
    yield conversation.bundle()


def is_goose_file(records: list[dict[str, Any]]) -> bool:
    """Return whether the first lines of a file are a session of an older Goose."""
    first = records[0] if records else {}
    if {"role", "created"} <= first.keys() and isinstance(first.get("content"), list):  # before that line
        return True
    return "working_dir" in first and ("message_count" in first or "description" in first)


def goose_file(export: Export, name: str) -> Conversation:
    """Read a session of Goose before its database: a line about it, then its messages."""
    id = PurePosixPath(name).stem
    conversation = Conversation(f"goose:{id}", "Goose", wrappers=GOOSE)
    for number, record in enumerate(read_lines(export, name, conversation.faults)):
        if "working_dir" in record:
            conversation.title = text(record.get("description"))
            conversation.folder = text(record.get("working_dir"))
            continue
        said, role = blocks(record.get("content")), text(record.get("role"))
        ref = text(record.get("id")) or f"{id}/{number}"
        conversation.say(role, said, ref=ref, time=moment(record.get("created")))
    return conversation


def _object(export: Export, name: str) -> Mapping[str, Any]:
    value = load_json(export, name)
    if not isinstance(value, dict):
        raise MemosError(f"{name}: not a JSON object")
    return value
