"""simonw/llm: ``logs.db``, with calls in ``responses`` and, since 0.32, in ``turns`` and ``messages``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, decoded, each_file, mapping, objects, text
from memos_cli.interface.importing.programs.conversation import Conversation, moment
from memos_cli.interface.importing.programs.databases import Database, open_database

KIND = "llm"
_MOST = 1000
"""Messages of one turn."""


@each_file
def read_llm(export: Export, name: str) -> Iterator[Bundle]:
    """Read conversations, and threads that go on in the newer tables, under one address."""
    with open_database(export, name) as db:
        for id, title in _conversations(db).items():
            yield _conversation(db, id, title)


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
    conversation = Conversation(f"{KIND}:{id}", "llm", title)
    turns = _turns(db, id)
    newer = {turn["id"] for turn in turns}
    columns = "id model prompt response datetime_utc"
    where = "WHERE conversation_id = ?1 OR id = ?1 ORDER BY id"
    has_calls = db.has("responses", "conversation_id")
    for row in db.select("responses", columns, where, (id,)) if has_calls else ():
        if row["id"] in newer:
            continue
        time, model = moment(row["datetime_utc"]), text(row["model"])
        conversation.say("user", text(row["prompt"]), ref=f"{row['id']}/prompt", time=time)
        response = text(row["response"])
        conversation.say("assistant", response, ref=f"{row['id']}/response", time=time, model=model)
    known = [(turn["role"], turn["value"]) for turn in conversation.turns]
    seen = _before_fork(db, id)
    for turn in turns:
        _turn(db, conversation, turn, seen, known)
    return conversation.bundle()


def _turns(db: Database, thread: object) -> list[dict[str, Any]]:
    columns = "id tip_message_hash model resolved_model datetime_utc"
    where = "WHERE thread_id = ? ORDER BY id"
    return db.select("turns", columns, where, (thread,)) if db.has("turns", "thread_id") else []


def _before_fork(db: Database, thread: object) -> set[str]:
    """Return the messages of the threads that a thread was forked from."""
    seen: set[str] = set()
    threads = {thread}
    while found := db.select("threads", "forked_from", "WHERE id = ?", (thread,)):
        thread = found[0]["forked_from"]
        if thread is None or thread in threads:
            break
        threads.add(thread)
        for turn in _turns(db, thread):
            _chain(db, turn["tip_message_hash"], seen)
    return seen


def _chain(db: Database, at: object, seen: set[str]) -> list[dict[str, Any]]:
    """Return the messages up to ``at`` that are not in ``seen``, and add them to it."""
    chain: list[dict[str, Any]] = []
    while isinstance(at, str) and at not in seen and len(chain) < _MOST:
        if not (found := db.select("messages", "hash parent_hash role", "WHERE hash = ?", (at,))):
            break
        seen.add(at)
        chain.append(found[0])
        at = found[0]["parent_hash"]
    return chain[::-1]


def _turn(
    db: Database,
    conversation: Conversation,
    turn: dict[str, Any],
    seen: set[str],
    known: list[tuple[str, str]],
) -> None:
    """Add the messages of one call: those up to its tip that no earlier call had.

    The first call of a thread that began in the older table repeats what is ``known`` from there.
    """
    time, model = moment(turn["datetime_utc"]), text(turn["resolved_model"]) or text(turn["model"])
    names = {"user": "prompt", "assistant": "response"}
    counts: Counter[str] = Counter()
    for message in _chain(db, turn["tip_message_hash"], seen):
        role, order = text(message["role"]), "WHERE message_hash = ? ORDER BY position"
        parts = db.select("parts", "type text payload", order, (message["hash"],))
        said = "".join(_literal(part) for part in parts if part["type"] == "text")
        if known and (role, conversation.clean(role, said)) == known[0]:
            known.pop(0)
            continue
        ref = f"{turn['id']}/{names.get(role, role)}" + (f"-{counts[role]}" if counts[role] else "")
        if conversation.say(role, said, ref=ref, time=time, model=model):
            counts[role] += 1


def _literal(part: dict[str, Any]) -> str:
    """Return the text of a part, without the files (fragments) that it quotes."""
    if isinstance(part["text"], str):
        return part["text"]
    payload = mapping(decoded(part["payload"]))
    pieces = objects(payload.get("text_ref"))
    return text(payload.get("text")) or "".join(text(each.get("literal")) for each in pieces)
