"""What other programs export, in the shapes that they are known to have."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import program_samples

from memos_cli.interface.share import bundle

MAY = 1_746_000_000.0


def message(id: str, role: str, *parts: Any, kind: str = "text", **known: Any) -> dict[str, Any]:
    content = (
        {"content_type": kind, "parts": list(parts)} if kind in ("text", "multimodal_text") else parts[0]
    )
    return {
        "id": id, "author": {"role": role, "metadata": {}}, "weight": 1.0, "recipient": "all",
        "create_time": MAY + int(id.rpartition("m")[2]), "metadata": {}, "content": content, **known,
    }  # fmt: skip


def chat(
    id: str, title: str, *messages: dict[str, Any], aside: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A ChatGPT conversation; ``aside`` is an abandoned answer to its first message."""
    mapping: dict[str, Any] = {"root": {"id": "root", "parent": None, "children": [], "message": None}}
    last = "root"
    for each in messages:
        mapping[each["id"]] = {"id": each["id"], "parent": last, "children": [], "message": each}
        mapping[last]["children"].append(each["id"])
        last = each["id"]
    if aside:
        first = messages[0]["id"]
        mapping[aside["id"]] = {"id": aside["id"], "parent": first, "children": [], "message": aside}
        mapping[first]["children"].insert(0, aside["id"])
    return {
        "conversation_id": id, "id": id, "title": title, "create_time": MAY, "update_time": MAY + 9,
        "mapping": mapping, "current_node": last,
    }  # fmt: skip


CHATS = [
    chat(
        "c-1", "The harbour",
        message(
            "m0", "user", {"content_type": "user_editable_context", "user_profile": "I sail.",
                           "user_instructions": "Answer in one sentence."},
            kind="user_editable_context", metadata={"is_user_system_message": True,
                                                    "is_visually_hidden_from_conversation": True},
        ),
        message("m1", "user", "When does the harbour office open?"),
        message("m2", "assistant", "search('harbour')", recipient="browser"),
        message("m3", "tool", {"content_type": "tether_browsing_display", "result": "noise"},
                kind="tether_browsing_display"),
        message("m4", "assistant", "It opens at eight."),
        message("m5", "user", {"content_type": "image_asset_pointer", "asset_pointer": "file://x"},
                "What is on this photo?", kind="multimodal_text"),
        message("m6", "assistant", {"content_type": "code", "language": "python", "text": "print(1)"},
                kind="code"),
        message("m7", "assistant", "Hidden.", metadata={"is_visually_hidden_from_conversation": True}),
        message("m8", "assistant", "Weightless.", weight=0),
        aside=message("m9", "assistant", "It opens at nine."),
    ),
    chat("c-2", "Bread", message("m1", "user", "How long does bread rise?"),
         message("m2", "assistant", "Two hours.")),
]  # fmt: skip

CLAUDE = [
    {
        "uuid": "u-1", "name": "Tides", "created_at": "2026-05-01T10:00:00Z",
        "chat_messages": [
            {"uuid": "a", "sender": "human", "text": "old", "created_at": "2026-05-01T10:00:00Z",
             "content": [{"type": "text", "text": "When is high tide?"}],
             "attachments": [{"file_name": "tides.txt", "extracted_content": "High tide at six."}]},
            {"uuid": "b", "sender": "assistant", "text": "At six.",
             "content": [{"type": "thinking", "text": "hm"}]},
            {"uuid": "c", "sender": "assistant", "text": "", "content": []},
        ],
    }
]  # fmt: skip
PROJECTS = [
    {
        "uuid": "p-1", "name": "Boat", "description": "A boat of oak.", "prompt_template": "Be brief.",
        "docs": [{"uuid": "d-1", "filename": "keel.md", "content": "The keel is of iron."}],
    }
]  # fmt: skip
MEMORIES = [{"conversations_memory": "Ann sails.\n\nAnn has a cat.", "account_uuid": "x",
             "project_memories": {"p-1": "The boat is oak."}}]  # fmt: skip

MEM0 = {
    "results": [
        {
            "id": "m-1", "memory": "Ann prefers tea.", "hash": "x", "user_id": "ann",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-02-01T00:00:00Z",
            "metadata": {"category": "drinks"}, "categories": ["food"],
        },
        {"id": "m-2", "memory": "Ann lives in Oslo.", "user_id": "ann", "created_at": "2026-01-01T00:00:00Z"},
        {"id": "m-3", "memory": ""},
    ]
}  # fmt: skip

LETTA = {
    "agents": [{"id": "agent-0", "name": "Sam", "system": "You are Sam.", "block_ids": ["block-0", "block-1"],
                "in_context_message_ids": ["message-1", "message-0"],
                "messages": [
                    {"id": "message-0", "role": "assistant",
                     "content": [{"type": "text", "text": "Hello Ann."}]},
                    {"id": "message-1", "role": "user", "content": "Hi, I am Ann.",
                     "created_at": "2026-05-01T10:00:00Z"},
                    {"id": "message-2", "role": "tool", "content": "rm -rf"},
                ]}],
    "blocks": [{"id": "block-0", "label": "human", "value": "The user is Ann."},
               {"id": "block-1", "label": "persona", "value": "I am Sam, who is kind."}],
    "files": [{"file_name": "sea.txt", "content": "The sea is salt."}],
    "skills": [{"name": "knots", "files": {"SKILL.md": "Tie a bowline."}}],
    "tools": [{"name": "x", "source_code": "import os; os.system('touch /tmp/owned')"}],
}  # fmt: skip

MCP = [
    {
        "type": "entity",
        "name": "Ann",
        "entityType": "person",
        "observations": ["Ann sails.", "Ann has a cat."],
    },
    {"type": "entity", "name": "Oslo", "entityType": "city", "observations": []},
    {"type": "relation", "from": "Ann", "to": "Oslo", "relationType": "lives in"},
]

TREE = {
    "nodes": [
        {"id": "n1", "memory": "Ann sails.", "metadata": {
            "memory_type": "WorkingMemory", "type": "fact", "key": "Sailing", "tags": ["sea"],
            "sources": [json.dumps({"type": "chat", "role": "user"})], "updated_at": "2026-05-01T10:00:00"}},
        {"id": "n2", "memory": "Ann sails.", "metadata": {"memory_type": "LongTermMemory", "type": "fact"}},
        {"id": "n3", "memory": "The boat is oak.", "metadata": {"memory_type": "LTM", "type": "opinion"}},
    ],
    "edges": [{"source": "n3", "target": "n2", "type": "PARENT"}],
}  # fmt: skip
FLAT = [{"id": "f1", "memory": "The tea is green.", "metadata": {"memory_type": "UserMemory"}}]
PAYLOADS = [
    {"id": "q1", "vector": [0.1], "payload": {"memory": "The cup is blue.", "metadata": {"type": "fact"}}}
]

NOTES = {
    "boat.md": "---\ntitle: Boat\ntags: [sea]\n---\n\n# Boat\n\n- [material] The hull is of oak #wood (old)\n"
    "- [ ] paint it\n- built_in [[Yard]]\n",
    "Yard.md": "# Yard\n\nThe yard lies at the [[boat|old boat]] slip.\n",
    ".obsidian/plugin.md": "# Not a note\n\nSettings of a program.\n",
}


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_zip(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


PLAIN = {
    "pets.csv": "id,text,time\np1,Miso is a cat.,2026-05-01\np2,Rex is a dog.,2026-05-02\n",
    "log.jsonl": '{"id": "l1", "text": "The pump was replaced."}\n{"id": "l2", "text": "It runs."}\n',
    "garden.opml": """<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0"><head><title>Garden</title></head><body>
  <outline text="Beds" category="/garden/beds,plan">
    <outline text="Tomatoes in the first bed" _note="They like sun."/>
    <outline text="Beans in the second" created="Sat, 02 May 2026 10:00:00 GMT"/>
  </outline>
  <outline text="A blog on soil" type="rss" xmlUrl="https://example.org/soil.xml"/>
</body></opml>
""",
}


RECORDS = [
    {
        "id": f"01M8BJ2DYDEM247NB1BM7ZK4F{n}", "type": "fact", "state": "generated", "ref": f"r{n}",
        "author": "Ann", "role": "user", "time": 1_750_000_000_000, "created": 1_750_000_000_000,
        "updated": 1_750_000_000_000, "expires": None, "uses_left": None, "priority": 0, "frozen": False,
        "sensitivity": "open", "tags": ["pets"],
        "versions": [
            {"version": v, "title": "Pets", "text": f"Pet {n}, {v}.", "created": v, "principal": "user:ann"}
            for v in (1, 2)
        ],
        "places": [{"uri": "file:///pets.txt", "kind": "text", "start": 0, "end": 5, "sha256": "ab" * 32}],
    }
    for n in range(3)
]  # fmt: skip
LINK = {"source": RECORDS[0]["id"], "kind": "about", "target": RECORDS[1]["id"]}


def write_all(folder: Path, *, programs: bool = True) -> dict[str, Path]:
    """Every kind of export, by its name; ``programs``: also the stores of programs on this machine."""
    folder.mkdir(exist_ok=True)
    claude, memos, notes = folder / "claude", folder / "cube", folder / "notes"
    write_json(claude / "conversations.json", CLAUDE)
    write_json(claude / "projects.json", PROJECTS)
    write_json(claude / "memories.json", MEMORIES)
    write_json(memos / "textual_memory.json", TREE)
    write_json(memos / "config.json", {"model_schema": "x"})
    for name, content in NOTES.items():
        (notes / name).parent.mkdir(parents=True, exist_ok=True)
        (notes / name).write_text(content)
    mcp = folder / "memory.jsonl"
    mcp.write_text("".join(json.dumps(line) + "\n" for line in MCP))
    plain = folder / "plain"
    plain.mkdir()
    for name, content in PLAIN.items():
        (plain / name).write_text(content)
    with (folder / "all.mip").open("wb") as stream:
        bundle.write(stream, {"cubes.jsonl": RECORDS, "links.jsonl": [LINK]})
    (folder / "all.jsonl").write_bytes(b"".join(map(bundle.to_line, RECORDS)))
    return {
        "mip": folder / "all.mip",
        "jsonl": folder / "all.jsonl",
        "chatgpt": write_zip(
            folder / "chatgpt.zip", {"x/conversations.json": json.dumps(CHATS), "x/user.json": "{}"}
        ),
        "claude": claude,
        "mem0": write_json(folder / "mem0.json", MEM0),
        "memos": memos,
        "letta": write_json(folder / "sam.af", LETTA),
        "notes": notes,
        "mcp": mcp,
        "plain": plain,
        **(program_samples.write_all(folder / "programs") if programs else {}),
    }
