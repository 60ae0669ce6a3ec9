"""Cursor: transcripts of its agent below ``~/.cursor/projects``, and the editor's ``state.vscdb``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, decoded, each_file, items, mapping, objects, text
from memos_cli.interface.importing.programs.conversation import Conversation, Wrappers, blocks, moment
from memos_cli.interface.importing.programs.databases import Database, open_database
from memos_cli.interface.importing.programs.json_lines import load_beside, read_lines
from memos_cli.interface.importing.programs.project_tags import folder_of, path_of

KIND = "cursor"
WRAPPERS = Wrappers(
    dropped=(
        "additional_data", "attached_files", "open_and_recently_viewed_files", "git_status",
        "project_layout", "user_info", "rules", "cursor_rules", "agent_skills", "agent_transcripts",
        "system_reminder",
        "external_links", "image_files", "timestamp", "linter_errors",
        "mcp_instructions",
    ),
    opened=("user_query",),
)  # fmt: skip
_TIME = re.compile(r"<timestamp>([^<]{4,80})</timestamp>")
_REDACTED = "[REDACTED]"
_ROLES = {1: "user", 2: "assistant", "user": "user", "ai": "assistant", "assistant": "assistant"}


def is_transcript(records: list[dict[str, Any]]) -> bool:
    """Return whether the first lines of a file are those of a transcript."""
    first = records[0] if records else {}
    return first.get("role") in ("user", "assistant") and "content" in mapping(first.get("message"))


@each_file
def read_cursor(export: Export, name: str) -> Iterator[Bundle]:
    """Read transcripts and databases. Transcripts have no times."""
    if name.endswith(".jsonl"):
        yield _transcript(export, name)
        return
    workspace = load_beside(export, name, "workspace.json")
    with open_database(export, name) as db:
        yield from _state(db, path_of(text(workspace.get("folder"))))


def _transcript(export: Export, name: str) -> Bundle:
    id, parts = PurePosixPath(name).stem, export.place(name).parts
    at = parts.index("agent-transcripts") if "agent-transcripts" in parts else 0
    user = "Cursor" if "subagents" in parts[at:] else ""
    conversation = Conversation(f"{KIND}:{id}", "Cursor", wrappers=WRAPPERS, user=user)
    if at and export.entries is None:
        conversation.folder = folder_of(parts[at - 1])
    time = None
    for number, record in enumerate(read_lines(export, name, conversation.faults), 1):
        said = blocks(mapping(record.get("message")).get("content"))
        if match := _TIME.search(said):
            time = moment(match[1]) or time
        if said.strip() != _REDACTED:
            said = said.replace(f"\n\n{_REDACTED}", "")
            conversation.say(text(record.get("role")), said, ref=f"{id}/{number}", time=time)
    return conversation.bundle()


def _state(db: Database, folder: str) -> Iterator[Bundle]:
    where = "WHERE key >= 'composerData:' AND key < 'composerData;' ORDER BY key"
    for row in db.select("cursorDiskKV", "key", where):
        key = text(row["key"])
        (found,) = db.select("cursorDiskKV", "value", "WHERE key = ?", (key,)) or [{"value": None}]
        if composer := _json(found["value"]):
            yield _composer(db, composer, key.partition(":")[2], folder)
    for row in db.select("ItemTable", "key value", "WHERE key = 'composer.composerData'"):
        for each in objects(_json(row["value"]).get("allComposers")):
            if each.get("conversation"):
                yield _composer(db, each, text(each.get("composerId")), folder)
    chats = "WHERE key = 'workbench.panel.aichat.view.aichat.chatdata'"
    for row in db.select("ItemTable", "key value", chats):
        for number, each in enumerate(objects(_json(row["value"]).get("tabs"))):
            yield _tab(each, number, folder)


def _json(value: object) -> Mapping[str, Any]:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return mapping(decoded(value))


def _composer(db: Database, composer: Mapping[str, Any], id: str, folder: str) -> Bundle:
    begun = moment(composer.get("createdAt"))
    folder = folder or path_of(
        text(mapping(mapping(composer.get("workspaceIdentifier")).get("uri")).get("fsPath"))
    )
    conversation = Conversation(f"{KIND}:{id}", "Cursor", text(composer.get("name")), folder, WRAPPERS)
    for number, bubble in enumerate(_bubbles(db, composer, id)):
        if not conversation.folder:
            first = text(next(items(bubble.get("workspaceUris")), ""))
            conversation.folder = path_of(text(bubble.get("workspaceProjectDir")) or first)
        timing = mapping(bubble.get("timingInfo"))  # of older versions
        times = bubble.get("createdAt"), bubble.get("timestamp"), timing.get("clientStartTime")
        begun = next(filter(None, map(moment, times)), begun)
        kind = bubble.get("type")
        conversation.say(
            _ROLES.get(kind, "") if isinstance(kind, int | str) else "",
            text(bubble.get("text")) or text(bubble.get("rawText")),
            ref=text(bubble.get("bubbleId")) or f"{id}/{number}", time=begun,
        )  # fmt: skip
    return conversation.bundle()


def _bubbles(db: Database, composer: Mapping[str, Any], id: str) -> list[Mapping[str, Any]]:
    """Return the bubbles of a composer, in order: its own (older versions), or those in rows of their own."""
    known = mapping(composer.get("conversationMap"))
    own = [*objects(composer.get("conversation"))]
    order = [text(each.get("bubbleId")) for each in objects(composer.get("fullConversationHeadersOnly"))]
    if own or not order:
        return own or [mapping(each) for each in known.values()]
    first, last = f"bubbleId:{id}:", f"bubbleId:{id};"
    rows = db.select("cursorDiskKV", "key value", "WHERE key >= ? AND key < ?", (first, last))
    found = {text(row["key"]).rpartition(":")[2]: row["value"] for row in rows}
    bubbles = [mapping(known[each]) if each in known else _json(found.get(each)) for each in order]
    return [{"bubbleId": id, **bubble} for id, bubble in zip(order, bubbles, strict=True)]


def _tab(tab: Mapping[str, Any], number: int, folder: str) -> Bundle:
    id = text(tab.get("tabId")) or f"tab-{number}"
    conversation = Conversation(
        f"{KIND}:{id}", "Cursor", text(tab.get("chatTitle")) or text(tab.get("title")), folder, WRAPPERS
    )
    begun = moment(tab.get("lastSendTime"))
    for at, bubble in enumerate(objects(tab.get("bubbles"))):
        said = text(bubble.get("text")) or text(bubble.get("rawText"))
        conversation.say(_ROLES.get(text(bubble.get("type")), ""), said, ref=f"{id}/{at}", time=begun)
    return conversation.bundle()
