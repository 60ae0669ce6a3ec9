"""Open WebUI: ``webui.db`` with chats and memories, and the JSON that it exports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import (
    Bundle,
    branch,
    decoded,
    each_file,
    mapping,
    objects,
    strings,
    text,
)
from memos_cli.interface.importing.json_streaming import read_records
from memos_cli.interface.importing.programs.conversation import Conversation, blocks, moment
from memos_cli.interface.importing.programs.databases import Database, open_database

KIND = "open-webui"
_DETAILS = re.compile(r'<details type="[a-z_]+"')
_END = "</details>"


def is_chat(record: Mapping[str, Any]) -> bool:
    """Return whether an object is a chat of an export."""
    chat = mapping(record.get("chat"))
    return "history" in chat or isinstance(chat.get("messages"), list)


@each_file
def read_open_webui(export: Export, name: str) -> Iterator[Bundle]:
    """Read the current branch of chats, and the memories of users as preferences.

    With several users, the turns of each have the name as author and as tag: ``user/NAME``.
    """
    if name.lower().endswith(".json"):
        yield from read_records(export, name, _chat)
        return
    with open_database(export, name) as db:
        yield from _database(db)


def _database(db: Database) -> Iterator[Bundle]:
    owners = {row["user_id"] for table in ("chat", "memory") for row in db.select(table, "user_id")}
    names = {row["id"]: text(row["name"]) or str(row["id"]) for row in db.select("user", "id name")}
    users = {id: names.get(id, str(id)) for id in owners} if len(owners) > 1 else {}
    columns = "id user_id title chat created_at updated_at meta"
    for row in db.select("chat", "id", "ORDER BY created_at, id" if db.has("chat", "created_at") else ""):
        for record in db.select("chat", columns, "WHERE id = ?", (row["id"],)):
            record["chat"] = decoded(record["chat"])
            record["meta"] = decoded(record["meta"])
            yield _chat(record, users.get(record["user_id"], ""), _rows(db, record))
    if db.has("memory", "id", "user_id", "content"):
        for owner in sorted(owners, key=str):
            yield _memories(db, owner, users.get(owner, ""))


def _rows(db: Database, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of a chat whose JSON has none: newer versions have a table of them."""
    chat = mapping(record.get("chat"))
    if mapping(mapping(chat.get("history")).get("messages")) or not db.has("chat_message", "chat_id", "role"):
        return []
    columns = "id parent_id role content model_id created_at"
    order = ", ".join(name for name in ("created_at", "id") if db.has("chat_message", name))
    rows = db.select(
        "chat_message", columns, f"WHERE chat_id = ? ORDER BY {order or 'role'}", (record["id"],)
    )
    return [row | {"content": decoded(row["content"]), "model": row["model_id"]} for row in rows]


def _memories(db: Database, owner: object, user: str) -> Bundle:
    bundle = Bundle(f"{KIND}:memory/{owner}", "Open WebUI memories")
    order = "created_at, id" if db.has("memory", "created_at") else "id"
    columns = "id content created_at updated_at"
    rows = db.select("memory", columns, f"WHERE user_id = ? ORDER BY {order}", (owner,))
    for row in rows:
        bundle.add(
            text(row["content"]), type="preference", ref=text(row["id"]), title="Open WebUI memories",
            time=moment(row["updated_at"]) or moment(row["created_at"]), tags=_tags(user), author=user,
        )  # fmt: skip
    return bundle


def _tags(user: str) -> tuple[str, ...]:
    return ("user/" + "-".join(user.split()),) if user else ()


def _chat(record: Mapping[str, Any], user: str = "", rows: Sequence[Mapping[str, Any]] = ()) -> Bundle:
    chat = mapping(decoded(record.get("chat")))
    id = text(record.get("id")) or text(chat.get("id"))
    title = text(record.get("title")) or text(chat.get("title"))
    labels = strings(mapping(record.get("meta")).get("tags"))
    conversation = Conversation(
        f"{KIND}:{id}", "Open WebUI", title, user=user,
        tags=(*_tags(user), *("-".join(each.split()) for each in labels)),
    )  # fmt: skip
    if not id or not chat:
        conversation.faults.append(f"chat {title or id or '?'}: no messages, or no id")
        return conversation.bundle()
    begun = moment(record.get("created_at")) or moment(chat.get("timestamp"))
    messages = _branch(mapping(chat.get("history"))) or [*objects(chat.get("messages"))]
    for number, message in enumerate(messages or rows):
        begun = moment(message.get("timestamp")) or moment(message.get("created_at")) or begun
        conversation.say(
            text(message.get("role")), _visible_text(blocks(message.get("content"))),
            ref=f"{id}/{message.get('id') or number}", time=begun,
            model=text(message.get("modelName")) or text(message.get("model")),
        )  # fmt: skip
    return conversation.bundle()


def _branch(history: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the messages from the root to the current one; without one, to the newest."""
    messages = mapping(history.get("messages"))
    at = text(history.get("currentId"))
    if at not in messages:
        at = next(reversed([*messages]), "")
    return branch(messages, at, "parentId")


def _visible_text(value: str) -> str:
    """Return an answer without its collapsed parts: reasoning, calls of tools, executed code."""
    parts, at = [], 0
    while match := _DETAILS.search(value, at):
        end = value.find(_END, match.end())
        if end < 0:
            break
        parts.append(value[at : match.start()])
        at = end + len(_END)
    return "".join((*parts, value[at:]))
