"""Import conversations of ChatGPT and Claude: each becomes a source, each message a turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import (
    Bundle,
    branch,
    decoded,
    each_file,
    items,
    mapping,
    objects,
    parts_of,
    text,
    time,
)
from memos_cli.interface.importing.json_streaming import read_records

_ASIDE = {
    "thoughts", "reasoning_recap", "model_editable_context", "app_pairing_content", "system_error",
    "execution_output", "computer_output", "citable_code_output", "tether_browsing_display", "tether_quote",
    "sonic_webpage", "super_widget",
}  # fmt: skip
"""ChatGPT's content types that users do not see: reasoning, and results of tools."""
_MARK = re.compile(r"[ \t]*\ue200([a-z_]*)\ue202?([^\ue200\ue201]*)\ue201|[ \t]*【[^【】\n]*†[^【】\n]*】")
"""A mark in an answer of ChatGPT: a citation, a name or a link."""
_UNSHOWN = {"thinking", "redacted_thinking", "tool_use", "tool_result", "token_budget", "flag"}
"""Types of parts in Claude's messages that users do not see."""
_PLACEHOLDER = re.compile(
    r"(?:```\w*\s*)?This block is not supported on your current device yet\.(?:\s*```)?"
)
"""The text in Claude's exports in place of parts that are not shown."""
_ROLES = {"human": "user", "user": "user", "assistant": "assistant", "system": "system"}


def conversations(export: Export) -> list[str]:
    """Return the files of an export that contain conversations: one, or shards of it."""
    found = [name for name in export.named("*.json") if _last(name).startswith("conversations")]
    return sorted(found, key=lambda name: (len(name), name))


def read_chatgpt(export: Export) -> Iterator[Bundle]:
    """Read ChatGPT's `conversations.json`, or shards of it, in a zip or a folder (https://help.openai.com).

    Of each tree of messages the branch that ends in `current_node` is read; abandoned branches are left out,
    and so are messages that are hidden or not meant for the user.
    """
    read = each_file(partial(read_records, read=partial(_chatgpt, seen=set())))
    return read(export, conversations(export) or export.named("*.json"))


def _chatgpt(record: Mapping[str, Any], seen: set[str]) -> Bundle:
    id = text(record.get("conversation_id")) or text(record.get("id"))
    bundle = Bundle(f"chatgpt:{id}", text(record.get("title")))
    nodes = mapping(record.get("mapping"))
    if not id or not nodes:
        bundle.faults.append(f"conversation {bundle.title or id or '?'}: no messages, or no id")
        return bundle
    begun = time(record.get("create_time"))
    for node in _branch(nodes, text(record.get("current_node"))):
        message = mapping(node.get("message"))
        _chatgpt_message(bundle, message, begun, seen)
        begun = time(message.get("create_time")) or begun
    return bundle


def _branch(nodes: Mapping[str, Any], current: str) -> list[Mapping[str, Any]]:
    """Return the messages from the root to the current one; without one, to the last leaf."""
    if current not in nodes:
        leaves = [id for id, node in nodes.items() if not mapping(node).get("children")]
        current = max(leaves, key=lambda id: _written(nodes[id]), default="")
    return branch(nodes, current, "parent")


def _written(node: object) -> float:
    value = mapping(mapping(node).get("message")).get("create_time")
    return float(value) if isinstance(value, int | float) else 0.0


def _chatgpt_message(bundle: Bundle, message: Mapping[str, Any], begun: int | None, seen: set[str]) -> None:
    content, about = mapping(message.get("content")), mapping(message.get("metadata"))
    kind, role = text(content.get("content_type")), text(mapping(message.get("author")).get("role"))
    if kind == "user_editable_context":  # the user's own instructions stand in every conversation
        for name in ("user_profile", "user_instructions"):
            said = text(content.get(name)).strip()
            if said and said not in seen:
                seen.add(said)
                bundle.add(said, type="preference", title="Custom instructions", time=begun)
        return
    hidden = about.get("is_visually_hidden_from_conversation") or message.get("weight") == 0
    is_call = role == "assistant" and (message.get("recipient") or "all") != "all"
    is_reasoning = role == "assistant" and message.get("channel") == "analysis"
    if hidden or is_call or is_reasoning or kind in _ASIDE or role not in ("user", "assistant"):
        return
    said = parts_of(content.get("parts")) or text(content.get("text"))
    if role == "assistant":
        said = _MARK.sub(_shown, said) if "\ue200" in said or "【" in said else said
        if kind == "code" and said.strip():
            said = f"```{text(content.get('language'))}\n{said}\n```"
    bundle.add(
        said, type="dialogue", ref=text(message.get("id")), role=role,
        author="" if role == "user" else "ChatGPT", title=bundle.title,
        time=time(message.get("create_time")) or begun,
    )  # fmt: skip


def _shown(mark: re.Match[str]) -> str:
    """Return the visible text of a mark: the name of an entity, the text and address of a link."""
    kind, value = mark[1], mark[2] or ""
    space = mark[0][: len(mark[0]) - len(mark[0].lstrip(" \t"))]
    if kind == "entity":
        found = decoded(value)
        name = next((text(each) for each in [*items(found)][1:2]), "") if isinstance(found, list) else value
        return space + name
    if kind == "url":
        words, _, address = value.partition("\ue202")
        return space + (f"[{words}]({address})" if address.startswith("http") else words)
    return ""


def read_claude(export: Export) -> Iterator[Bundle]:
    """Read Claude's `conversations.json`, projects (`projects.json`, `projects/*.json`) and memories
    (likewise).
    """
    files = export.named("*.json")
    read = each_file(partial(read_records, read=_claude))
    yield from read(export, conversations(export) or files)
    yield from _read_beside(export, files)


@each_file
def _read_beside(export: Export, name: str) -> Iterator[Bundle]:
    """Read a file of projects or memories; no other."""
    place = f"/{name}"
    if "/projects/" in place or _last(name) == "projects.json":
        yield from read_records(export, name, _project)
    elif "/memories/" in place or _last(name) == "memories.json":
        yield from read_records(export, name, _memories)


def _claude(record: Mapping[str, Any]) -> Bundle:
    id, title = text(record.get("uuid")), text(record.get("name"))
    bundle = Bundle(f"claude:{id}", title)
    if not id or not isinstance(record.get("chat_messages"), list):
        bundle.faults.append(f"conversation {title or id or '?'}: no messages, or no id")
        return bundle
    for message in objects(record["chat_messages"]):
        role = _ROLES.get(text(message.get("sender")), "")
        said = [_claude_text(message, role)]
        for attached in objects(message.get("attachments")):
            if held := text(attached.get("extracted_content")).strip():
                said.append(f"{text(attached.get('file_name'))}\n{held}")
        if role:
            bundle.add(
                "\n\n".join(filter(None, (part.strip() for part in said))), type="dialogue", role=role,
                ref=text(message.get("uuid")), author="" if role == "user" else "Claude",
                title=title, time=time(message.get("created_at")) or time(record.get("created_at")),
            )  # fmt: skip
        elif message:
            bundle.faults.append(f"conversation {title or id}: a message of no known sender")
    return bundle


def _claude_text(message: Mapping[str, Any], role: str) -> str:
    """Return the text of a message: its visible parts, dictated ones too. Without such parts, return the
    message's own text without thinking and placeholders."""
    parts = [*objects(message.get("content"))]
    shown = [part for part in parts if text(part.get("type")) not in _UNSHOWN]
    said = "\n\n".join(filter(str.strip, (text(p.get("text")) or text(p.get("transcript")) for p in shown)))
    whole = said or text(message.get("text"))
    if role != "assistant":
        return whole
    for part in parts if not said else ():
        if thought := text(part.get("thinking")):
            whole = whole.replace(thought, "")
    return _PLACEHOLDER.sub("", whole)


def _project(record: Mapping[str, Any]) -> Bundle:
    id, name = text(record.get("uuid")), text(record.get("name"))
    bundle = Bundle(f"claude-project:{id}", name)
    when = time(record.get("created_at"))
    for kind, key in (("document", "description"), ("instruction", "prompt_template")):
        bundle.add(text(record.get(key)), type=kind, title=name, time=when, ref=f"{id}/{key}")
    for document in objects(record.get("docs")):
        bundle.add(
            text(document.get("content")), title=text(document.get("filename")) or name,
            ref=text(document.get("uuid")), time=time(document.get("created_at")) or when,
        )  # fmt: skip
    return bundle


def _memories(record: Mapping[str, Any]) -> Bundle:
    """Return Claude's memory of its user, which is Markdown, with a draft for each paragraph."""
    bundle = Bundle(f"claude-memories:{text(record.get('account_uuid'))}", "Claude's memories")
    parts = {"": record.get("conversations_memory"), **mapping(record.get("project_memories"))}
    for project, value in parts.items():
        for paragraph in text(value).split("\n\n"):
            bundle.add(
                paragraph,
                type="fact",
                title="Claude's memories",
                tags=("project/" + project,) if project else (),
            )
    return bundle


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1].lower()
