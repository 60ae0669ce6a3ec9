"""Records (JSON, JSON lines): one draft for each, built from fields with common names.

The text of a dialogue's turn (a role or a name, and content) is its content. The text of a record that has
only fields of a memory (text, title, id, time, author, tags, type) is its text. The text of any other record
is its text, if it has one, and its other fields as lines ``key: value``; so no field of a record is lost.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isinf
from typing import Any

from memos_cli.cube import SEMANTIC_TYPES, Draft, Span
from memos_cli.interface.ingest.sources.decoding import Measure, clean
from memos_cli.interface.ingest.sources.pieces import LONGEST, Setting, cut, first_time, read_tags, try_time
from memos_cli.interface.ingest.sources.structured.notebook import is_notebook, read_notebook

_TEXTS = ("text", "content", "memory", "body", "message", "note")
_TIMES = ("time", "date", "created_at", "timestamp", "created")
_TURN = frozenset(("content", "role", "name", "author", "id", "ref", "title", "tags", "type", *_TIMES))
_AUTHORS, _SENDERS = ("author", "sender"), ("from", "user", "by")
"""Fields that name who wrote a record; those that do if the record is a message. A ``name`` does so only in a
turn of a dialogue: elsewhere it is that of the thing."""
_PAGING = frozenset(
    ("count", "total", "total_count", "page", "pages", "page_size", "per_page", "limit", "offset", "cursor")
) | {"next", "next_cursor", "previous", "prev", "has_more", "version", "object", "took"}
"""Fields beside a list of records that describe the list, such as paging."""
_ANY_LIST = frozenset(
    ("data", "results", "items", "records", "rows", "entries", "list", "values", "messages", "memories")
)
"""Generic names of lists, which make no title."""
_SPACE = re.compile(r"[ \t\n\r\ufeff\x1e]*")
_BETWEEN_LINES = re.compile(r"[\s,\ufeff]*")


def _whole(digits: str) -> int | str:
    """Return an integer; one of thousands of digits, which Python does not read, stays text."""
    return int(digits) if len(digits) < 4000 else digits


def _number(digits: str) -> float | str:
    """Return a number; one that is too large stays text."""
    value = float(digits)
    return digits if isinf(value) else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object that keeps the values of repeated keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = unique([name for name, _ in pairs])
        return dict(zip(names, (value for _, value in pairs), strict=True))
    return found


_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_number, object_pairs_hook=_object)

Seen = dict[int, int]
"""By a hash of what makes two records the same memory: a hash of what else the first one says."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that could not be read: where and why."""

    reason: str


def read_jsonl(text: str, span: Measure, setting: Setting) -> Iterator[Draft | Fault]:
    """Yield a draft for each record. A line that is not JSON yields a Fault.

    A line may hold several values, and a value several lines, up to the first value that does not end.
    """
    at = number = counted = 0
    seen, whole = Seen(), True
    while (at := _skip(text, at, _BETWEEN_LINES)) < len(text):
        stop = text.find("\n", at)
        line = text[at:stop] if stop >= 0 else text[at:]
        try:
            try:
                value, end = _DECODER.raw_decode(line)
                end += at
            except json.JSONDecodeError as error:
                if not whole or error.pos < len(line.rstrip()):
                    raise
                whole = False
                value, end = _DECODER.raw_decode(text, at)
                whole = True
            for first, last, each in _elements(text, at) if _is_list(value) else [(at, end, value)]:
                yield from drafts_of(_cleaned(each, text, first, last), span(first, last), setting, seen)
            at = end
        except (ValueError, RecursionError) as error:
            number += text.count("\n", counted, at)
            counted, at = at, at + len(line)
            yield Fault(f"line {number + 1}: {_reason(error)}")


def read_json(text: str, span: Measure, setting: Setting) -> Iterator[Draft | Fault]:
    """Yield a draft for each element of an array or of an object's one list, or for the value.

    The other fields of an object with a list become a separate draft, and its title is the title of the
    elements. Several values in a row are read one by one. After an error no value can be found, so a Fault is
    always the last item of a file.
    """
    at, number, seen = _skip(text, 0), 0, Seen()
    where = "the start"
    try:
        while at < len(text):
            number += 1
            where = f"value {number}"
            end, title, inner = 0, "", setting
            if text[at] != "[":
                value, end = _DECODER.raw_decode(text, at)
                value = _cleaned(value, text, at, end)
                if is_notebook(value):
                    cells = [each[:2] for each in _elements(text, _member(text, at, "cells"))]
                    yield from read_notebook(value, cells, span, setting)
                    at = _skip(text, end)
                    continue
                if not (path := _list_within(value)):
                    yield from drafts_of(value, span(at, end), setting, seen)
                    at = _skip(text, end)
                    continue
                rest, title, inner = _around(value, path, setting)
                yield from drafts_of(rest, span(at, end), setting, seen)
                for key in path:
                    at = _member(text, at, key)
            last = at + 1
            for index, (first, last, value) in enumerate(_elements(text, at), 1):
                value = _cleaned(value, text, first, last)
                if title and isinstance(value, dict):
                    value = {"title": title, **value}
                yield from drafts_of(value, span(first, last), inner, seen)
                where = f"value {number}, after element {index}"
            at = _skip(text, end or text.index("]", last) + 1)
    except (ValueError, RecursionError) as error:
        yield Fault(f"{where}: {_reason(error)}")


def unique(names: Sequence[str]) -> list[str]:
    """Return the names; repeated ones get a number: ``phone``, ``phone 2``."""
    found, taken, times = [], set(names), Counter[str]()
    if len(taken) == len(names):
        return [*names]
    for name in names:
        times[name] += 1
        new = name
        while times[name] > 1 and (new := f"{name} {times[name]}") in taken:
            times[name] += 1
        taken.add(new)
        found.append(new)
    return found


def drafts_of(value: object, span: Span, setting: Setting, seen: Seen) -> Sequence[Draft]:
    """Yield the draft of one record: none if it is empty, several if it is too long for a model."""
    if isinstance(value, dict):
        draft = _draft(value, span, setting, seen)
    else:
        draft = setting.draft(_show(value), span, setting.title)
    if not (text := draft.text.strip()):
        return ()
    if len(text) <= LONGEST:
        return (draft if text is draft.text else replace(draft, text=text),)
    return [
        replace(
            draft, text=text[start:end], ref=f"{draft.ref}#{part}" if draft.ref and part > 1 else draft.ref
        )
        for part, (start, end) in enumerate(cut(text, setting.size), 1)
    ]


def _draft(record: Mapping[str, Any], span: Span, setting: Setting, seen: Seen) -> Draft:
    """Return the draft of one record, from fields with common names in upper or lower case."""
    names = {key.lower(): key for key in reversed([*record])}  # the first of two
    used = set[str]()

    def take(keys: Sequence[str], read: Callable[[Any], Any]) -> Any:
        """Return the value of the first of these fields that can be read; None if there is none."""
        for key in keys:
            if key in names and (found := read(record[names[key]])):
                used.add(names[key])
                return found
        return None

    role, name, content = (record.get(names.get(key, key)) for key in ("role", "name", "content"))
    is_named = isinstance(name, str) and not setting.is_table
    is_turn = content is not None and (isinstance(role, str) or is_named)
    has_more = is_turn and any(_is_filled(record[names[key]]) for key in names.keys() - _TURN)
    is_turn = is_turn and (isinstance(role, str) or not has_more)
    text = _text(content) if is_turn else None
    if is_turn and text is None and not has_more and not _is_filled(content):
        text = ""  # the record has no content
    if text is None:
        text = take(_TEXTS, _all_text)
    hidden = set(used)  # from the lines of fields
    title, ref = take(("title",), _word) or "", take(("id", "ref"), _word)
    time = take(_TIMES, lambda value: (read := try_time(value)) is not None and (read,))
    if time is None:
        first_time(record[names[key]] for key in _TIMES if key in names)  # counts one that is unread
    is_message = text is not None and names.get("note") not in used
    authors = (*_AUTHORS, *(_SENDERS if is_message else ()), *(("name",) if is_turn else ()))
    author = take(authors, _word) or (_word(role) if is_turn else "")
    tags = take(("tags",), _tags) or ()
    kind = take(("type",), lambda word: word in SEMANTIC_TYPES and setting.type in ("", word) and word)
    draft = Draft(
        text or "", span, setting.type or kind or ("dialogue" if is_turn else "document"),
        title or ("" if is_turn else setting.title), ref, time[0] if time else setting.time,
        author, _word(role), tags,
    )  # fmt: skip
    if is_turn and text is not None:
        return draft

    def body(hidden: set[str]) -> str:
        shown = [
            f"{key}: {_show(item)}" for key, item in record.items() if key not in hidden and _is_filled(item)
        ]
        return "\n".join([text, *shown] if text else shown)

    if text is None or any(key not in used and _is_filled(item) for key, item in record.items()):
        draft = replace(draft, text=body(hidden | {names["title"]} if title else hidden) or body(hidden))
    if ref is None:  # what differs only in what is no part of a memory's identity would become one memory
        event = (draft.time, author, draft.role) if author else ()
        other = hash((title, draft.time, tags))
        if seen.setdefault(hash((draft.text, draft.type, event)), other) != other:
            draft = replace(draft, text=body(hidden))
    return draft


def _is_filled(value: object) -> bool:
    """Return whether a value has content: it is not null, blank or empty."""
    if isinstance(value, str):
        return bool(value) and not value.isspace()
    return value is not None and value != [] and value != {}


def _text(value: object) -> str | None:
    """Return a text, or the parts of a chat message's content that are text; None if there is none."""
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        texts = [part for part in parts if isinstance(part, str)]
        return "\n".join(texts) if texts else None
    return None


def _all_text(value: object) -> str | None:
    """Return a value if it is only text."""
    rich = [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
    return _text(value) if all(part.keys() <= {"type", "text"} for part in rich) else None


def _word(value: object) -> str:
    """Return a name, id or title as text; '' for what cannot be one."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _tags(value: object) -> tuple[str, ...]:
    """Return a value's tags, if it is only tags."""
    is_flat = not isinstance(value, list) or all(isinstance(each, str | int) for each in value)
    return read_tags(value) if is_flat else ()


def _cleaned(value: Any, text: str, start: int, end: int) -> Any:
    """Return a value without NUL and lone surrogates, which escapes can put into a text."""
    return value if text.find("\\u", start, end) < 0 else _clean_value(value)


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    if isinstance(value, dict):
        return _object([(clean(key), _clean_value(item)) for key, item in value.items()])
    return value


def _show(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _list_within(value: object) -> list[str]:
    """Return the keys that lead to the one list of records in an object; empty if it is a record itself.

    A service wraps its list in objects that say nothing else.
    """
    path: list[str] = []
    while isinstance(value, dict):
        lists = [key for key, item in value.items() if _is_list(item)]
        if len(lists) == 1 and all(_text(value.get(key)) is None for key in _TEXTS if key != lists[0]):
            return [*path, lists[0]]
        inner = [key for key, item in value.items() if isinstance(item, dict) and item]
        if lists or len(inner) != 1 or any(_has_data(k, item) for k, item in value.items() if k != inner[0]):
            break
        path.append(inner[0])
        value = value[inner[0]]
    return []


def _is_list(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _around(value: Any, path: Sequence[str], setting: Setting) -> tuple[object, str, Setting]:
    """Return the fields beside an object's list (None if empty), and the title and setting of its records."""
    *outer, name = path
    for key in outer:
        value = value[key]
    rest = {key: item for key, item in value.items() if key != name}
    title = _word(rest.get("title")) or _word(rest.get("name"))
    kept = [key for key, item in rest.items() if _has_data(key, item)]
    if kept == ["title"] and not any("title" in record for record in value[name]):
        kept = []  # each record gets the title
    named = [] if name.lower() in _ANY_LIST else [name]
    inner = replace(
        setting,
        title=": ".join([setting.title, *named]).removeprefix(": "),
        time=first_time((rest.get(key) for key in _TIMES), setting.time),
    )
    return rest if kept else None, title and ": ".join([title, *named]), inner


def _has_data(key: str, value: object) -> bool:
    """Return whether a field beside a list of records has content that is not about paging."""
    if key.lower() in _PAGING or isinstance(value, bool):
        return False
    return any(map(str.isalnum, value)) if isinstance(value, str) else _is_filled(value)


def _member(text: str, at: int, key: str) -> int:
    """Return where the value of a key starts in the object that opens at ``at``."""
    names, places = [], []
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        names.append(clean(name))
        places.append(at)
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return places[unique(names).index(key)]


def _elements(text: str, at: int) -> Iterator[tuple[int, int, object]]:
    """Yield the start, end and value of each element of the array that opens at ``at``."""
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        return
    while True:
        value, end = _DECODER.raw_decode(text, at)
        yield at, end, value
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            return
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)


def _skip(text: str, at: int, what: re.Pattern[str] = _SPACE) -> int:
    space = what.match(text, at)
    return space.end() if space else at


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return f"not JSON: {error}"
