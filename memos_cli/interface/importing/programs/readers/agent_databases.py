"""Coding agents with a database: Goose, OpenCode (also its older folder of JSON files), Zed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, decoded, each_file, mapping, objects, text
from memos_cli.interface.importing.programs.conversation import Conversation, blocks, moment
from memos_cli.interface.importing.programs.databases import Database, open_database
from memos_cli.interface.importing.programs.json_lines import load_json, parse, unpack
from memos_cli.interface.importing.programs.readers.chat_files import GOOSE, goose_file

_LARGEST = 256 << 20
"""Bytes of one thread of Zed."""


@each_file
def read_goose(export: Export, name: str) -> Iterator[Bundle]:
    """Read sessions: of the database, or a file of JSON lines each."""
    if name.endswith(".jsonl"):
        yield goose_file(export, name).bundle()
        return
    with open_database(export, name) as db:
        for row in db.select("sessions", "id name description working_dir session_type", "ORDER BY id"):
            yield _goose(db, row)


def _goose(db: Database, row: Mapping[str, Any]) -> Bundle:
    id, folder = text(row["id"]), text(row["working_dir"])
    title = text(row["description"]) or text(row["name"])
    user = "Goose" if row["session_type"] == "sub_agent" else ""
    conversation = Conversation(f"goose:{id}", "Goose", title, folder, GOOSE, user=user)
    order = "id" if db.has("messages", "id") else "rowid"
    columns = "id message_id role content_json created_timestamp metadata_json"
    for message in db.select("messages", columns, f"WHERE session_id = ? ORDER BY {order}", (id,)):
        if mapping(decoded(message["metadata_json"])).get("userVisible") is False:
            continue
        said, role = blocks(decoded(message["content_json"])), text(message["role"])
        ref = f"{id}/{message['message_id'] or message['id']}"
        conversation.say(role, said, ref=ref, time=moment(message["created_timestamp"]))
    return conversation.bundle()


def read_opencode(export: Export, names: list[str]) -> Iterator[Bundle]:
    """Read sessions of the database, or of ``storage/{session,message,part}``."""
    below: dict[str, list[str]] = {}
    if any(name.endswith(".json") for name in names):
        for name in export.names:
            below.setdefault(str(PurePosixPath(name).parent), []).append(name)

    @each_file
    def read(export: Export, name: str) -> Iterator[Bundle]:
        if name.endswith(".json"):
            yield _opencode_files(export, name, below)
            return
        with open_database(export, name) as db:
            for row in db.select("session", "id title directory parent_id", "ORDER BY id"):
                yield _opencode_rows(db, row)

    return read(export, names)


def _opencode_rows(db: Database, row: Mapping[str, Any]) -> Bundle:
    messages = db.select("message", "id time_created data", "WHERE session_id = ?", (row["id"],))
    found: list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]] = []
    parts_of: dict[object, list[Mapping[str, Any]]] = {}
    for part in db.select("part", "message_id data", "WHERE session_id = ? ORDER BY id", (row["id"],)):
        parts_of.setdefault(part["message_id"], []).append(mapping(decoded(part["data"])))
    for each in messages:
        about = {"time": {"created": each["time_created"]}} | dict(mapping(decoded(each["data"])))
        found.append((about | {"id": each["id"]}, parts_of.get(each["id"], [])))
    return _opencode(row["id"], row["title"], row["directory"], bool(row["parent_id"]), found)


def _opencode_files(export: Export, name: str, below: Mapping[str, list[str]]) -> Bundle:
    session, places = mapping(load_json(export, name)), PurePosixPath(name).parents
    id, base = text(session.get("id")), places[min(2, len(places) - 1)]
    found: list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]] = []
    older = base / "session"  # before the messages moved out of it

    def files(*places: PurePosixPath) -> list[str]:
        return next((sorted(found) for place in places if (found := below.get(str(place)))), [])

    for each in files(base / "message" / id, older / "message" / id):
        message = mapping(load_json(export, each))
        key = text(message.get("id"))
        parts = files(base / "part" / key, older / "part" / id / key)
        found.append((message, [mapping(load_json(export, part)) for part in parts]))
    return _opencode(id, session.get("title"), session.get("directory"), bool(session.get("parentID")), found)


def _opencode(
    id: str,
    title: object,
    folder: object,
    is_agent: bool,
    messages: list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]],
) -> Bundle:
    known = text(title)
    known = "" if known.startswith(("New session - ", "Child session - ")) else known
    user = "OpenCode" if is_agent else ""
    conversation = Conversation(f"opencode:{id}", "OpenCode", known, text(folder), user=user)

    def begun(message: Mapping[str, Any]) -> int | None:
        return moment(mapping(message.get("time")).get("created"))

    for message, parts in sorted(messages, key=lambda each: (begun(each[0]) or 0, text(each[0].get("id")))):
        spoken = [part for part in parts if not part.get("synthetic") and not part.get("ignored")]
        said = "" if message.get("summary") is True else blocks(spoken)
        ref = text(message.get("id"))
        conversation.say(text(message.get("role")), said, ref=ref, time=begun(message))
    return conversation.bundle()


@each_file
def read_zed(export: Export, name: str) -> Iterator[Bundle]:
    """Read threads: JSON, usually as zstd. Their messages have no times."""
    columns = "id summary created_at data_type data parent_id folder_paths"
    with open_database(export, name) as db:
        for row in db.select("threads", "id", "ORDER BY id"):
            for thread in db.select("threads", columns, "WHERE id = ?", (row["id"],)):
                yield _zed(name, thread)


def _zed(name: str, row: Mapping[str, Any]) -> Bundle:
    id, data = text(row["id"]), row["data"]
    folder, _, _ = text(row["folder_paths"]).partition("\n")
    user = "Zed" if row["parent_id"] else ""
    conversation = Conversation(f"zed:{id}", "Zed", text(row["summary"]), folder, user=user)
    try:
        data = data.encode() if isinstance(data, str) else data or b""
        if row["data_type"] == "zstd":
            data = unpack(data, f"{name}: thread {id}", _LARGEST)
        thread = mapping(parse(data))
    except ValueError as error:
        conversation.faults.append(f"{name}: thread {id}: {error}")
        return conversation.bundle()
    # The time at which it was last changed would be another one at each import.
    time = moment(row["created_at"])
    for number, message in enumerate(objects(thread.get("messages"))):
        role, said = _zed_message(message)
        conversation.say(role, said, ref=f"{id}/{number}", time=time)
    return conversation.bundle()


def _zed_message(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return the role and the text of a message, of this version or an older one."""
    for name, role in (("User", "user"), ("Agent", "assistant")):
        if name in message:
            parts = objects(mapping(message[name]).get("content"))
            return role, "".join(text(part.get("Text")) for part in parts)
    return text(message.get("role")), blocks(message.get("segments"))
