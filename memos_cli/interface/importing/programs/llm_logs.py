"""simonw/llm: ``logs.db``, with calls in ``responses`` and, since 0.32, in ``turns`` and ``messages``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, decoded, items, mapping, text
from memos_cli.interface.importing.programs.conversation import Conversation, Wrappers, moment
from memos_cli.interface.importing.programs.databases import Database, open_database

KIND = "llm"
_MOST = 1000
"""Messages of one turn."""


def is_logs(db: Database) -> bool:
    """Return whether a database is that of llm."""
    return db.has("responses", "prompt", "response") or db.has("turns", "thread_id", "tip_message_hash")


def read_llm(export: Export, names: list[str]) -> Iterator[Bundle]:
    """Read conversations, and threads that go on in the newer tables, under one address."""
    for name in names:
        try:
            with open_database(export, name) as db:
                for id, title in _conversations(db).items():
                    yield _conversation(db, id, title)
        except MemosError as error:
            yield Bundle("", faults=[str(error)])


def _conversations(db: Database) -> dict[str, str]:
    """Return the titles of conversations by id; calls outside any conversation are conversations of one."""
    found: dict[str, str] = {}
    for table in ("conversations", "threads"):
        for row in db.select(table, "id name", "ORDER BY id"):
            found[text(row["id"])] = text(row["name"]) or found.get(text(row["id"]), "")
    if db.has("responses", "conversation_id"):
        loose = "WHERE conversation_id IS NULL OR conversation_id NOT IN (SELECT id FROM conversations)"
        for row in db.select("responses", "id", loose if db.has("conversations", "id") else ""):
            found.setdefault(text(row["id"]), "")
    return found


def _conversation(db: Database, id: str, title: str) -> Bundle:
    conversation = Conversation(f"{KIND}:{id}", "llm", title, wrappers=Wrappers(("think",)))
    turns = db.select(
        "turns", "id parent_message_hash tip_message_hash model resolved_model datetime_utc",
        "WHERE thread_id = ? ORDER BY id", (id,),
    ) if db.has("turns", "thread_id") else []  # fmt: skip
    newer = {turn["id"] for turn in turns}
    rows = db.select(
        "responses", "id model prompt response datetime_utc",
        "WHERE conversation_id = ?1 OR id = ?1 ORDER BY id", (id,),
    ) if db.has("responses", "conversation_id") else []  # fmt: skip
    for row in rows:
        if row["id"] in newer:
            continue
        time, author = moment(row["datetime_utc"]), text(row["model"])
        conversation.say("user", text(row["prompt"]), ref=f"{row['id']}/prompt", time=time)
        conversation.say(
            "assistant", text(row["response"]), ref=f"{row['id']}/response", time=time, author=author
        )
    for turn in turns:
        _turn(db, conversation, turn)
    return conversation.bundle()


def _turn(db: Database, conversation: Conversation, turn: dict[str, Any]) -> None:
    """Add what one call contributed: the messages after the parent, up to its tip."""
    chain: list[dict[str, Any]] = []
    at = turn["tip_message_hash"]
    while isinstance(at, str) and at != turn["parent_message_hash"] and len(chain) < _MOST:
        if not (found := db.select("messages", "hash parent_hash role", "WHERE hash = ?", (at,))):
            break
        chain.append(found[0])
        at = found[0]["parent_hash"]
    time = moment(turn["datetime_utc"])
    names = {"user": "prompt", "assistant": "response"}
    for number, message in enumerate(reversed(chain)):
        role = text(message["role"])
        parts = db.select(
            "parts", "type text payload", "WHERE message_hash = ? ORDER BY position", (message["hash"],)
        )
        said = "".join(_literal(part) for part in parts if part["type"] == "text")
        is_edge = number in (0, len(chain) - 1)
        ref = f"{turn['id']}/{names.get(role, role)}" + ("" if is_edge else f"-{number}")
        author = text(turn["resolved_model"]) or text(turn["model"]) if role == "assistant" else ""
        conversation.say(role, said, ref=ref, time=time, author=author)


def _literal(part: dict[str, Any]) -> str:
    """Return the text of a part, without the files (fragments) that it quotes."""
    if isinstance(part["text"], str):
        return part["text"]
    payload = mapping(decoded(part["payload"]))
    pieces = items(payload.get("text_ref"))
    return text(payload.get("text")) or "".join(text(mapping(each).get("literal")) for each in pieces)
