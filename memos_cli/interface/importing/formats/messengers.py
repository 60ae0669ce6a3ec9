"""Import chats of Telegram and Slack: each chat or channel becomes a source, each message a turn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, Importer, items, mapping, objects, text, time

# --- Telegram ----------------------------------------------------------------------------------------------

_TELEGRAM_CHATS = re.compile(
    rb'"type":\s*"(?:personal_chat|bot_chat|saved_messages|replies|verification_codes|'
    rb'(?:private|public)_(?:group|supergroup|channel))"'
)
_TELEGRAM_ALL = re.compile(rb'"personal_information":|"chats":\s*\{')


class _Chat(msgspec.Struct):
    id: int | str | None = None
    name: str | None = None
    type: str | None = None
    messages: list[msgspec.Raw] | None = None


class _Chats(msgspec.Struct, rename={"chats": "list"}):
    chats: list[msgspec.Raw] = []  # msgspec copies the default


class _Telegram(_Chat):
    """The whole file: one chat, or all of them. Messages stay bytes until they are read."""

    chats: _Chats | None = None
    left_chats: _Chats | None = None
    personal_information: dict[str, Any] | None = None


def _is_telegram(export: Export) -> bool:
    names = export.named("result.json") or export.named("*.json")[:1]
    heads = map(export.head, names[:3])
    return any(_TELEGRAM_CHATS.search(head) or _TELEGRAM_ALL.search(head) for head in heads)


def read_telegram(export: Export) -> Iterator[Bundle]:
    """Read `result.json` of Telegram Desktop: one chat, or all chats. Service messages and media stay out."""
    for name in export.named("result.json") or export.named("*.json"):
        try:
            data = export.read(name).removeprefix(b"\xef\xbb\xbf")
            whole = msgspec.json.decode(data, type=_Telegram)
        except (MemosError, msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            yield Bundle("", faults=[f"{name}: incomplete Telegram export: {error}"])
            continue
        own = mapping(whole.personal_information).get("user_id")
        if whole.messages is not None:
            yield _telegram_chat(whole, name, "")
        elif whole.chats is None and whole.left_chats is None:
            yield Bundle("", faults=[f"{name}: no Telegram chats in it"])
        for part in (whole.chats, whole.left_chats):
            for number, raw in enumerate(part.chats if part else (), 1):
                try:
                    chat = msgspec.json.decode(raw, type=_Chat)
                except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
                    yield Bundle("", faults=[f"{name}: chat {number}: {error}"])
                else:
                    yield _telegram_chat(chat, name, f"user{own}" if own else "")


def _telegram_chat(chat: _Chat, file: str, own: str) -> Bundle:
    title = chat.name or ("Saved messages" if chat.type == "saved_messages" else "Deleted account")
    id = title if chat.id is None else chat.id
    bundle = Bundle(f"telegram:{id}", title)
    for number, raw in enumerate(chat.messages or (), 1):
        try:
            message = mapping(msgspec.json.decode(raw))
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            bundle.faults.append(f"{file}: {title}: message {number}: {error}")
            continue
        if message.get("type", "message") != "message":
            continue
        sender = text(message.get("from_id"))
        bundle.add(
            _telegram_text(message), type="dialogue", ref=f"{id}/{message.get('id', number)}", title=title,
            time=time(message.get("date_unixtime")) or time(message.get("date")),
            author=text(message.get("from")) or "Deleted account",
            role="user" if own and sender == own else "",
        )  # fmt: skip
    return bundle


def _telegram_text(message: Mapping[str, Any]) -> str:
    """Return the text of a message: its text or caption, or a poll; and the sender of a forwarded one."""
    said = _runs(message.get("text")) or _runs(message.get("text_entities"))
    if poll := mapping(message.get("poll")):
        options = [f"- {_runs(each.get('text'))}" for each in objects(poll.get("answers"))]
        said = "\n".join(filter(None, [said, _runs(poll.get("question")), *options]))
    if said.strip() and (source := text(message.get("forwarded_from"))):
        return f"Forwarded from {source}:\n\n{said}"
    return said


def _runs(value: object) -> str:
    """Return a text that Telegram writes as a string, or as a list of strings and runs with a format."""
    if isinstance(value, str):
        return value
    return "".join(text(each) or text(mapping(each).get("text")) for each in items(value))


# --- Slack -------------------------------------------------------------------------------------------------

_SLACK_LISTS = ("channels.json", "groups.json", "dms.json", "mpims.json")
_SAID = {"", "bot_message", "me_message", "thread_broadcast", "reply_broadcast", "file_share", "file_comment"}
"""Subtypes of messages with text of a person; the others report who joined, what was renamed, …"""
_REFERENCE = re.compile(r"<([^<>\s][^<>]*)>")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]*[^*\s])\*(?![\w*])")
_STRIKE = re.compile(r"(?<![\w~])~(?=\S)([^~\n]*[^~\s])~(?![\w~])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d\.json")


def _is_slack(export: Export) -> bool:
    return bool(export.named("users.json") and export.named(*_SLACK_LISTS))


def read_slack(export: Export) -> Iterator[Bundle]:
    """Read a Slack export: each channel is a source; the replies of a thread follow its start.

    https://slack.com/help/articles/220556107. Names stand in place of ids, Markdown in place of mrkdwn.
    """
    faults: list[str] = []
    names: dict[str, str] = {}
    for file in export.named("users.json", "org_users.json"):
        for each in _records(export, file, faults):
            names[text(each.get("id"))] = _shown(mapping(each.get("profile"))) or _shown(each)
    names.pop("", None)
    channels: dict[str, tuple[str, str]] = {}
    for file in export.named(*_SLACK_LISTS):
        for each in _records(export, file, faults):
            id, name = text(each.get("id")), text(each.get("name"))
            members = [names.get(text(who), "") for who in items(each.get("members"))]
            is_direct = file.rpartition("/")[2] in ("dms.json", "mpims.json")
            title = ", ".join(filter(None, members)) or name or id if is_direct else f"#{name}"
            channels[name or id] = (id, title)
            names[id] = title.removeprefix("#")
    days: dict[str, list[str]] = {}
    for file in export.named("*.json"):
        folder, _, last = file.rpartition("/")
        if folder and _DAY.fullmatch(last):
            days.setdefault(folder, []).append(file)
    for folder, files in days.items():
        name = folder.rpartition("/")[2]
        id, title = channels.get(name, (name, name))
        yield _slack_channel(export, sorted(files), Bundle(f"slack:{id}", title), names)
    if faults:
        yield Bundle("", faults=faults)


def _slack_channel(export: Export, files: list[str], bundle: Bundle, names: Mapping[str, str]) -> Bundle:
    """Add the messages of a channel, by thread, in the order of the threads' starts."""
    found: dict[str, Mapping[str, Any]] = {}
    for file in files:
        for each in _records(export, file, bundle.faults):
            if text(each.get("subtype")) in _SAID and (at := text(each.get("ts"))):
                found[at] = each
    for at in sorted(found, key=lambda at: (text(found[at].get("thread_ts")) or at, at)):
        message = found[at]
        user = text(message.get("user"))
        said = text(message.get("text")) or "\n".join(
            text(each.get("text")) or text(each.get("fallback"))
            for each in objects(message.get("attachments"))
        )
        bundle.add(
            from_mrkdwn(said, names), type="dialogue", title=bundle.title, time=time(at),
            author=names.get(user) or _author(message),
            ref=f"{bundle.uri.removeprefix('slack:')}/{at}",
        )  # fmt: skip
    return bundle


def _shown(about: Mapping[str, Any]) -> str:
    """Return the name that users see, of a user's record or profile, or of a bot's message."""
    names = (about.get(key) for key in ("display_name", "real_name", "name", "username"))
    return next(filter(None, map(text, names)), "")


def _author(message: Mapping[str, Any]) -> str:
    """Return the sender of a message who is not in the list of users: a guest of another team, or a bot."""
    profiles = (mapping(message.get(key)) for key in ("user_profile", "bot_profile"))
    return next(filter(None, (*map(_shown, profiles), _shown(message), text(message.get("user")))), "bot")


def _records(export: Export, name: str, faults: list[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a JSON array, all or none: a file that is cut off gives a fault."""
    try:
        found = json.loads(export.read(name))
    except (MemosError, ValueError, RecursionError) as error:
        faults.append(str(error) if name in str(error) else f"{name}: {error}")
        return
    yield from (each for each in items(found) if isinstance(each, dict))


def from_mrkdwn(said: str, names: Mapping[str, str]) -> str:
    """Return Slack's mrkdwn as Markdown, with ``names`` by id (https://docs.slack.dev/messaging/formatting)."""
    parts = _CODE.split(said)
    for at, part in enumerate(parts):
        if at % 2 == 0:
            part = _STRIKE.sub(r"~~\1~~", _BOLD.sub(r"**\1**", part))
        parts[at] = _REFERENCE.sub(lambda match: _reference(match[1], names, is_code=at % 2 == 1), part)  # noqa: B023
    return "".join(parts).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _reference(value: str, names: Mapping[str, str], *, is_code: bool) -> str:
    """Return the visible text of ``<…>``: a name, a channel, a group, a date or a link."""
    target, _, label = value.partition("|")
    match target[0]:
        case "@":
            return f"@{names.get(target[1:]) or label or target[1:]}"
        case "#":
            return f"#{label or names.get(target[1:]) or target[1:]}"
        case "!":
            return label or f"@{target[1:].partition('^')[0]}"
    shown = target.removeprefix("mailto:")
    return shown if is_code or label in ("", shown) else f"[{label}]({target})"


TELEGRAM = Importer(read_telegram, _is_telegram, "Telegram Desktop: chats (JSON)")
SLACK = Importer(read_slack, _is_slack, "Slack: channels and threads")
