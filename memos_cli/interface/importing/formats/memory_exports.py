"""Import memories of mem0, Letta's agent files, and the MCP memory server."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from memos_cli.cube import SEMANTIC_TYPES
from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import (
    Bundle,
    Relation,
    decoded,
    items,
    mapping,
    objects,
    parts_of,
    strings,
    text,
    time,
)
from memos_cli.interface.importing.programs.databases import open_database
from memos_cli.interface.ingest.sources.pieces import end_time
from memos_cli.interface.recalled import without_recalled
from memos_cli.interface.share.export_formats import OWN_TIME
from memos_cli.letters import nfc

_OWNERS = ("user_id", "agent_id", "app_id", "run_id", "session_id")


def load(export: Export, name: str) -> Any:
    """Return the value of a JSON file; None if it is not JSON."""
    try:
        return decoded(json.loads(export.text(name)))
    except (ValueError, RecursionError, MemosError):
        return None


def rows_of(value: Any) -> list[Any]:
    """Return the records of a file: a list, or that of `results`, `memories` or `data`."""
    if isinstance(value, list):
        return value
    lists = (mapping(value).get(name) for name in ("results", "memories", "data"))
    return next((each for each in lists if isinstance(each, list)), [])


def read_mem0(export: Export) -> Iterator[Bundle]:
    """Read `{"results": [{id, memory, …}]}` or the plain list; `history.db` has the earlier texts."""
    earlier, bundle = _history(export), Bundle("mem0:memories", "mem0")
    for name in export.named("*.json"):
        if (value := load(export, name)) is None:
            bundle.faults.append(f"{name}: no JSON")
        for number, record in enumerate(objects(rows_of(value)), 1):
            said = next(
                (text(record.get(key)) for key in ("memory", "text", "content") if record.get(key)), ""
            )
            if not said.strip():
                bundle.faults.append(f"{name}: record {number}: no memory in it")
                continue
            about, id = mapping(record.get("metadata")), text(record.get("id"))
            labels = [
                f"{key.removesuffix('_id')}/{text(record.get(key))}" for key in _OWNERS if record.get(key)
            ]
            labels += strings(record.get("categories") or about.get("categories"))
            kind = text(about.get("type"))
            when = time(record.get("updated_at")) or time(record.get("created_at"))
            bundle.add(
                said, type=kind if kind in SEMANTIC_TYPES else "fact", ref=id,
                title=text(about.get("title")), role=text(record.get("role")),
                author=text(record.get("actor_id")), tags=tuple(map(_tag, labels)),
                time=time(about[OWN_TIME]) if OWN_TIME in about else when,
            )  # fmt: skip
            if id in earlier:
                before = map(without_recalled, earlier[id])
                bundle.earlier[nfc(id)] = [was for was in before if was.strip() and was != said]
            if id and (end := end_time(record.get("expiration_date"))) is not None:
                bundle.ends[id] = end
    yield bundle


def _history(export: Export) -> dict[str, list[str]]:
    """Return the earlier texts of each memory, the oldest first; none of a damaged database."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in export.named("history.db"):
        with suppress(MemosError), open_database(export, name) as db:
            for row in db.select("history", "memory_id old_memory", "ORDER BY created_at, rowid"):
                id, was = row["memory_id"], row["old_memory"]
                if isinstance(id, str) and isinstance(was, str) and was not in found[id]:
                    found[id].append(was)
    return found


def read_letta(export: Export) -> Iterator[Bundle]:
    """Read an agent file: blocks become pinned memories, messages a conversation; nothing is executed."""
    for name in export.named("*.af", "*.json"):
        if not (value := mapping(load(export, name))):
            yield Bundle("", faults=[f"{name}: no agent file"])
            continue
        agents = [*objects(value.get("agents"))] or [value]
        blocks = {text(block.get("id")): block for block in objects(value.get("blocks"))}
        for agent in agents:
            yield _letta(agent, blocks, text(agent.get("id")) or name)
        bundle = Bundle(f"letta:files:{name}", name)
        for held in objects(value.get("files")):
            label = text(held.get("file_name")) or text(held.get("original_file_name"))
            bundle.add(text(held.get("content")), title=label, time=time(held.get("created_at")))
        for skill in objects(value.get("skills")):
            for path, content in mapping(skill.get("files")).items():
                bundle.add(text(content), type="skill", title=f"{text(skill.get('name'))}: {path}")
        if bundle.drafts:
            yield bundle


def _letta(agent: Mapping[str, Any], blocks: Mapping[str, Mapping[str, Any]], id: str) -> Bundle:
    name = text(agent.get("name")) or id
    bundle = Bundle(f"letta:{name}", name)
    bundle.add(
        text(agent.get("system")), type="instruction", title=f"{name}: instructions", ref=f"{name}/system"
    )
    own = [blocks[each] for each in strings(agent.get("block_ids")) if each in blocks]
    own += objects(agent.get("core_memory"))  # the flat shape, before 2025
    for block in own:
        label = text(block.get("label")) or "block"
        ref = f"{name}/{label}"
        before = len(bundle.drafts)
        kind = "preference" if label == "human" else "fact"
        bundle.add(text(block.get("value")), type=kind, title=f"{name}: {label}", ref=ref)
        bundle.pinned += [draft.ref for draft in bundle.drafts[before:] if draft.ref]
    messages = {text(message.get("id")): message for message in objects(agent.get("messages"))}
    listed = [id for id in strings(agent.get("in_context_message_ids")) if id in messages]
    loose = [m for m in objects(agent.get("messages")) if text(m.get("id")) not in listed]
    for message in [*loose, *(messages[each] for each in listed)] if listed else loose:
        role = text(message.get("role"))
        said = parts_of(message.get("content") or message.get("text"))
        if role in ("user", "assistant"):
            bundle.add(
                said, type="dialogue", role=role, ref=text(message.get("id")), title=name,
                author=text(message.get("name")) or ("" if role == "user" else name),
                time=time(message.get("created_at")),
            )  # fmt: skip
    return bundle


def read_mcp(export: Export) -> Iterator[Bundle]:
    """Read JSON lines: observations of an entity become memories, a relation a memory and a link."""
    bundle, first, relations = Bundle("mcp:memory", "MCP memory"), dict[str, str](), []
    for name in export.named("*.jsonl", "*.json"):
        for number, line in enumerate(export.text(name).split("\n"), 1):
            if not line.strip():
                continue
            try:
                record = mapping(json.loads(line))
            except (ValueError, RecursionError) as error:
                bundle.faults.append(f"{name}: line {number}: no JSON: {error}")
                continue
            if record.get("type") == "entity" and text(record.get("name")):
                entity, kind = text(record.get("name")), text(record.get("entityType"))
                observations = [text(each) for each in items(record.get("observations"))]
                for said in filter(str.strip, observations or [f"{entity} ({kind})"]):
                    ref = f"{entity}#{hashlib.sha256(said.encode('utf-8', 'replace')).hexdigest()[:8]}"
                    first.setdefault(entity, ref)
                    tags = (_tag(f"entity/{kind}"),) if kind else ()
                    bundle.add(said, type="fact", title=entity, ref=ref, tags=tags)
            elif record.get("type") == "relation":
                relations.append(record)
            else:
                bundle.faults.append(f"{name}: line {number}: neither an entity nor a relation")
    for record in relations:
        source, target = text(record.get("from")), text(record.get("to"))
        ref = f"{source} {text(record.get('relationType'))} {target}"
        bundle.add(ref, type="fact", title=source, ref=ref)
        for end in (source, target):
            if end in first:
                bundle.relations.append(Relation(ref, "about", first[end]))
    yield bundle


def _tag(label: str) -> str:
    return "-".join(label.split())[:100]
