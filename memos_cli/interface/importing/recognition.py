"""Detect which program made an export, by its file names and its first records."""

from __future__ import annotations

import json
from collections.abc import Callable

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import items, mapping
from memos_cli.interface.importing.formats.chats import conversations
from memos_cli.interface.importing.json_streaming import first_record
from memos_cli.interface.importing.programs.table import recognise_program
from memos_cli.interface.share import bundle
from memos_cli.interface.share.memory_lines import is_memory
from memos_cli.interface.share.signing import is_sealed

_HEAD = 1 << 20


def is_kind(kind: str) -> Callable[[Export], bool]:
    """Return whether ``recognise`` finds this kind, as a function of an export."""
    return lambda export: recognise(export) == kind


def recognise(export: Export) -> str:
    """Return ``mip``, ``jsonl`` or one of the kinds that are known by their first records; "" for others."""
    if export.kind is None:
        export.kind = _recognise(export)
    return export.kind


def _recognise(export: Export) -> str:
    if len(export.names) == 1 and export.entries is None and _is_bundle(export):
        return "mip"
    if export.named("textual_memory.json", "activation_memory.pickle"):
        return "memos"
    if export.named("*.af"):
        return "letta"
    for name in conversations(export):
        if kind := _of_record(mapping(first_record(export, name))):
            return kind
    if kind := recognise_program(export):
        return kind
    for name in export.named("*.json", "*.jsonl"):
        if kind := _of_lines(export, name) or _of_file(export, name):
            return kind
    if export.named("*.md", "*.markdown"):
        return "notes"
    return "plain" if export.named("*.jsonl", "*.ndjson", "*.csv", "*.opml") else ""


def _is_bundle(export: Export) -> bool:
    head = export.head(export.names[0])
    return bundle.is_bundle(head) or is_sealed(head)


def _of_record(record: object) -> str:
    found = mapping(record)
    if "mapping" in found:
        return "chatgpt"
    if {"chat_messages", "conversations_memory", "prompt_template"} & found.keys():
        return "claude"
    about = mapping(found.get("metadata"))
    if "payload" in found or {"memory_type", "usage", "embedding"} & about.keys():
        return "memos"
    return "mem0" if "memory" in found and {"hash", "user_id", "created_at", "id"} & found.keys() else ""


def _of_lines(export: Export, name: str) -> str:
    try:
        with export.open(name) as stream:
            line = stream.readline(_HEAD)
        first = mapping(json.loads(line))
    except (ValueError, RecursionError, MemosError):
        return ""
    if is_memory(first):
        return "jsonl"
    return "mcp" if first.get("type") in ("entity", "relation") else ""


def _of_file(export: Export, name: str) -> str:
    first = first_record(export, name)
    found = mapping(first)
    if kind := _of_record(found):
        return kind
    if ("agents" in found and "blocks" in found) or ("core_memory" in found and "messages" in found):
        return "letta"
    if "nodes" in found and "edges" in found:
        return "memos"
    for key in ("results", "memories", "data"):
        if rows := [*items(found.get(key))]:
            return _of_record(rows[0])
    return ""
