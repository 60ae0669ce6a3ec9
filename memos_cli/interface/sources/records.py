"""Records (JSON, JSONL, CSV): one draft for each, made from the fields that name what it is."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from memos_cli.cube import SEMANTIC_TYPES, Draft, Span
from memos_cli.interface.sources.decoding import clean
from memos_cli.interface.sources.pieces import LONGEST, Setting, cut, first_time, read_tags

_TEXTS = ("text", "content", "memory", "body", "message", "note")
_TIMES = ("time", "date", "created_at", "timestamp", "created")
_SPACE = re.compile(r"[ \t\n\r]*")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def _whole(digits: str) -> int | str:
    """An integer; one of thousands of digits, which Python does not read, stays as it is written."""
    return int(digits) if len(digits) < 4000 else digits


_DECODER = json.JSONDecoder(parse_int=_whole)


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that could not be taken, in words that say where and why."""

    reason: str


def read_jsonl(text: str, span: Callable[[int, int], Span], setting: Setting) -> Iterator[Draft | Fault]:
    """A draft for each line. A line that is not JSON is a Fault, and the rest goes on."""
    at = 0
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip()
        if entry:
            start = at + line.index(entry[0])
            try:
                value = _DECODER.decode(entry)
                if "\\u" in entry:
                    value = _mend(value)
                yield from _drafts(value, span(start, start + len(entry)), setting)
            except (ValueError, RecursionError) as error:
                yield Fault(f"line {number}: {_reason(error)}")
        at += len(line) + 1


def read_json(text: str, span: Callable[[int, int], Span], setting: Setting) -> Iterator[Draft | Fault]:
    """A draft for each element of an array, for each object of an object's one list, or for the value.

    Several values after one another are taken one by one. What follows a mistake cannot be found again,
    so a Fault is the last thing of a file.
    """
    at, number, escapes = _skip(text, 0), 0, "\\u" in text
    where = "the start"
    try:
        while at < len(text):
            number += 1
            where = f"value {number}"
            after, items = _items(text, at)
            last = at + 1
            for index, (first, last, value) in enumerate(items, 1):
                if escapes:
                    value = _mend(value)
                yield from _drafts(value, span(first, last), setting)
                where = f"value {number}, after element {index}"
            at = _skip(text, after or text.index("]", last) + 1)
    except (ValueError, RecursionError) as error:
        yield Fault(f"{where}: {_reason(error)}")


def read_csv(text: str, span: Callable[[int, int], Span], setting: Setting) -> Iterator[Draft | Fault]:
    """A draft for each row under the header row, which names the fields; blank rows are passed over."""
    consumed = 0

    def lines() -> Iterator[str]:
        nonlocal consumed
        for line in _LINE.finditer(text):
            consumed = line.end()
            yield line[0]

    header_line = next((line for line in text.splitlines() if line.strip()), "")
    rows = csv.reader(lines(), delimiter=max(",;\t|", key=header_line.count))
    names: list[str] = []
    start = number = 0
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(f"row {number}: not CSV: {error}")
            start = consumed
            continue
        place, start = start, consumed
        if not any(cell.strip() for cell in row):
            continue
        if not names:
            names = [name.strip() or f"column {index}" for index, name in enumerate(row, 1)]
            continue
        names.extend(f"column {index}" for index in range(len(names) + 1, len(row) + 1))
        record = dict(zip(names, row, strict=False))
        lowered = {name.lower(): cell for name, cell in record.items()}
        end = place + len(text[place:consumed].rstrip("\r\n"))
        filled = {name: cell for name, cell in record.items() if cell.strip()}
        yield from _drafts(lowered, span(place, end), setting, filled)


def _drafts(
    value: object, span: Span, setting: Setting, shown: Mapping[str, object] | None = None
) -> Sequence[Draft]:
    """The draft of one record: none if it says nothing, and several where no model could read it at once.

    ``shown`` is the record with its names as they are written.
    """
    if isinstance(value, dict):
        draft = _draft(value, span, setting, shown or value)
    else:
        draft = Draft(_show(value), span, setting.type or "document", setting.title, time=setting.time)
    text = draft.text.strip()
    if not text:
        return ()
    if len(text) <= LONGEST:
        return (draft if text is draft.text else replace(draft, text=text),)
    parts = [text[start:end] for start, end in cut(text, setting.size)]
    refs = [
        f"{draft.ref}#{number}" if draft.ref and number > 1 else draft.ref
        for number in range(1, len(parts) + 1)
    ]
    return [replace(draft, text=part, ref=ref) for part, ref in zip(parts, refs, strict=True)]


def _draft(record: Mapping[str, Any], span: Span, setting: Setting, shown: Mapping[str, object]) -> Draft:
    """What one record says, from the fields that are named as such fields mostly are."""
    get = record.get
    role, name, content = get("role"), get("name"), get("content")
    turn = content is not None and (isinstance(role, str) or isinstance(name, str))
    text: str | None
    if turn and (isinstance(content, str) or not content):
        text = content or ""  # '' for a turn in which nothing was said
    else:
        text = next((text for key in _TEXTS if (text := _text(get(key))) is not None), None)
    if text is None:
        text = "\n".join(f"{key}: {_show(item)}" for key, item in shown.items() if item not in (None, ""))
    time = first_time(map(get, _TIMES))
    if time is None:
        time = setting.time
    kind, tags = get("type"), get("tags")
    role = _word(role)
    return Draft(
        text,
        span,
        setting.type or (kind if kind and kind in SEMANTIC_TYPES else "dialogue" if turn else "document"),
        _word(get("title")) or ("" if turn else setting.title),
        _word(get("id")) or _word(get("ref")) or None,
        time,
        _word(get("author")) or _word(name) or (role if turn else ""),
        role,
        read_tags(tags) if tags else (),
    )


def _text(value: object) -> str | None:
    """Text as it stands, or the parts of a chat message's content that are text; None if there is none."""
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        texts = [part for part in parts if isinstance(part, str)]
        return "\n".join(texts) if texts else None
    return None


def _word(value: object) -> str:
    """A name, id or title as text; '' for what cannot be one."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _mend(value: Any) -> Any:
    """The value without what an escape can smuggle into a text: NUL and lone surrogates."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _mend(item) for key, item in value.items()}
    return value


def _show(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _items(text: str, at: int) -> tuple[int, Iterable[tuple[int, int, object]]]:
    """What the value at ``at`` holds: start, end and value of each record; and where the value ends, 0
    for an array, whose end is known only after its elements."""
    if text[at] == "[":
        return 0, _elements(text, at)
    value, end = _DECODER.raw_decode(text, at)
    listed = _list_within(text, at, value) if isinstance(value, dict) else None
    return end, [(at, end, value)] if listed is None else _elements(text, listed)


def _elements(text: str, at: int) -> Iterator[tuple[int, int, object]]:
    """Start, end and value of each element of the array that opens at ``at``."""
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


def _list_within(text: str, at: int, value: dict[str, object]) -> int | None:
    """Where the array opens that holds all an object has to say: its one list of objects."""
    lists = [k for k, v in value.items() if isinstance(v, list) and v and all(isinstance(i, dict) for i in v)]
    if len(lists) != 1 or any(_text(value.get(key)) is not None for key in _TEXTS if key != lists[0]):
        return None
    found, at = None, _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        if key == lists[0]:
            found = at  # of a repeated key the last counts, as in the value
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return f"not JSON: {error}"
