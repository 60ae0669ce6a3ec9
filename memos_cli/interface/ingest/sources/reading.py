"""Files, folders and standard input as drafts of cubes.

``find`` walks, ``read`` and ``read_bytes`` turn one source into drafts. Each kind of source has a reader
that yields drafts with the bytes they came from; nothing here knows the vault.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from memos_cli.cube import Draft, Origin
from memos_cli.errors import MemosError, UsageError, require_known
from memos_cli.interface.ingest.sources.decoding import Decoded, Measure, decode, ruler
from memos_cli.interface.ingest.sources.kinds import KINDS, kind_of_bytes, kind_of_name, kind_of_text
from memos_cli.interface.ingest.sources.pieces import Setting, clean_name, count_unread, date_in
from memos_cli.interface.ingest.sources.structured.csv_tables import is_table, read_csv
from memos_cli.interface.ingest.sources.structured.embedded_data import leave_out
from memos_cli.interface.ingest.sources.structured.records import Fault, read_json, read_jsonl
from memos_cli.interface.ingest.sources.text.prose import read_lines, read_markdown, read_text
from memos_cli.interface.ingest.sources.text.source_code import read_code
from memos_cli.interface.ingest.sources.text.webpage import read_html
from memos_cli.interface.ingest.sources.walk import Found, Unreadable
from memos_cli.interface.options import ReadOptions
from memos_cli.interface.recalled import without_recalled
from memos_cli.interface.redaction.redaction import (
    Sensitive,
    find_personal,
    find_secrets,
    mask,
    note_masked,
    summary,
)

_Reader = Callable[[str, Measure, Setting], Iterable[Draft | Fault]]
_READERS: dict[str, _Reader] = {
    "text": read_text,
    "markdown": read_markdown,
    "code": read_code,
    "html": read_html,
    "json": read_json,
    "jsonl": read_jsonl,
    "csv": read_csv,
    "document": read_markdown,
    "mbox": read_jsonl,
}
_WRITTEN_OTHERWISE = {"json": b"\\", "jsonl": b"\\", "html": b""}
"""By kind what is in the source of a text that may read otherwise there: escapes, any markup."""
_EXPORTED = ("json", "jsonl")
"""Kinds in which other programs export what they hold."""
_CHAT = re.compile(r"(?i).*WhatsApp.*|_chat\.txt")
"""Names of chats that WhatsApp exports as text."""
_NOTES = 10
"""Number of failures that are listed in the notes; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A source that was read. ``data`` are the bytes that the spans of the drafts locate."""

    origin: Origin
    data: bytes
    drafts: tuple[Draft, ...]
    failed: tuple[Unreadable, ...] = ()
    """The parts of the source that could not be read."""


def read(
    found: Found, hints: ReadOptions, import_command: Callable[[Path], str] = lambda path: ""
) -> Reading:
    """Read a file. Raises MemosError if it cannot be read or is no text.

    ``import_command`` gives the command that imports a file if another program exported it, or "": a note, or
    the hint of the error, names it.
    """
    try:
        data = found.path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MemosError(reason, f"ls -l {found.path}") from error
    try:
        reading = read_bytes(data, found.uri, found.path.name, hints)
    except UsageError:
        raise
    except MemosError as error:
        raise MemosError(str(error), import_command(found.path) or error.hint) from error
    may_be_export = reading.origin.kind in _EXPORTED or _CHAT.fullmatch(found.path.name)
    if may_be_export and (command := import_command(found.path)):
        note = f"this looks like an export; to import what is in it: {command}"
        return replace(reading, origin=replace(reading.origin, notes=(note, *reading.origin.notes)))
    return reading


def read_bytes(data: bytes, uri: str, name: str, hints: ReadOptions) -> Reading:
    """Read bytes in memory: standard input, or a file's bytes. ``name`` may be ''.

    Raises MemosError for binary data, for data that is nested too deeply, and for documents without a
    converter; UsageError for a kind that does not exist. Parts that cannot be read do not raise: they are in
    ``failed`` and the notes.
    """
    try:
        return _read_bytes(data, uri, name, hints)
    except RecursionError as error:  # of a parser that is not ours: mails in mails, documents
        raise MemosError("it is nested too deeply", "save its parts as separate files") from error


def _read_bytes(data: bytes, uri: str, name: str, hints: ReadOptions) -> Reading:
    if hints.kind:
        require_known("kind of source", hints.kind, KINDS)
    kind = hints.kind or kind_of_name(name) or kind_of_bytes(data)
    faults: list[str] = []
    converted = None if hints.lines else _convert(data, kind, name, faults)
    if converted is None:
        decoded = decode(data, kind, encoding=hints.encoding, fallback=hints.fallback)
    else:
        decoded = decode(converted, encoding="utf-8")
    secrets = find_secrets(decoded.text)
    if secrets and hints.secrets == "mask":
        covered = mask(decoded.text, secrets)
        if converted is None:
            decoded = replace(decoded, text=covered)
        else:
            converted = covered.encode()
            decoded = decode(converted)
    located = data if converted is None else converted
    if hints.lines:
        kind = "text"
    elif not kind:
        kind = kind_of_text(decoded.text)
    elif kind == "text" and not hints.kind and decoded.encoding[:6] == "utf-16" and is_table(decoded.text):
        kind = "csv"
    drafts, notes = _read_drafts(decoded, kind, clean_name(name), hints, faults)
    if personal := find_personal(decoded.text):
        drafts = _marked(drafts, decoded, personal, sensitivity="personal")
    hidden = _find_hidden(drafts, located, kind)
    if secrets or hidden:  # after it: a secret is the more sensitive
        drafts, refused, masked = _guarded(drafts, decoded, secrets, hidden, hints.secrets)
        faults += refused
        notes += masked
    notes += faults[:_NOTES]
    if len(faults) > _NOTES:
        notes.append(f"and {len(faults) - _NOTES} more that could not be read")
    if not drafts and not faults:
        notes.append("empty")
    # Of a file with a covered secret no hash is kept: it would prove a guess.
    is_covered = (secrets or hidden) and hints.secrets == "mask"
    origin = Origin(
        uri, kind, "" if is_covered else hashlib.sha256(data).hexdigest(), len(data), decoded.encoding,
        converted, tuple(notes),
    )  # fmt: skip
    return Reading(origin, located, tuple(drafts), tuple(Unreadable(uri, fault) for fault in faults))


def _convert(data: bytes, kind: str, name: str, faults: list[str]) -> bytes | None:
    """Return the text of a source that is not text itself, or None. Adds errors to ``faults``."""
    if kind == "document":
        from memos_cli.interface.ingest.sources.structured.office import convert

        return convert(data, name)
    if kind == "mbox":
        from memos_cli.interface.ingest.sources.structured.mailbox import convert_mbox

        return convert_mbox(data, faults)
    return None


def _read_drafts(
    decoded: Decoded, kind: str, name: str, hints: ReadOptions, faults: list[str]
) -> tuple[list[Draft], list[str]]:
    """Return the drafts of a text, without recalled memories, and notes. Adds errors to ``faults``."""
    setting = Setting(name, PurePath(name).stem, date_in(name), hints.type, max(1, hints.chunk_chars))
    is_data = kind in _WRITTEN_OTHERWISE
    text, measure, left_out = leave_out(decoded.text, ruler(decoded), is_data=is_data)
    drafts: list[Draft] = []
    with count_unread() as unread:
        for result in (read_lines if hints.lines else _READERS[kind])(text, measure, setting):
            if isinstance(result, Fault):
                faults.append(result.reason)
            elif not is_data or (said := without_recalled(result.text)) == result.text:
                drafts.append(result)
            elif said.strip():
                drafts.append(replace(result, text=said.strip()))
    return drafts, [*left_out, *decoded.notes, *unread.notes]


def _find_hidden(drafts: list[Draft], data: bytes, kind: str) -> dict[int, list[Sensitive]]:
    """Return the secrets in drafts, by their number, that are written in another way in the source."""
    sign = _WRITTEN_OTHERWISE.get(kind)
    if sign is None:
        return {}
    spans = {(draft.span.start, draft.span.end) for draft in drafts}  # parts of a record share theirs
    otherwise = {span for span in spans if data.find(sign, *span) >= 0}
    texts = ((at, d.text) for at, d in enumerate(drafts) if (d.span.start, d.span.end) in otherwise)
    return {at: found for at, text in texts if (found := find_secrets(text))}


def _guarded(
    drafts: list[Draft],
    decoded: Decoded,
    secrets: list[Sensitive],
    hidden: dict[int, list[Sensitive]],
    what: str,
) -> tuple[list[Draft], list[str], list[str]]:
    """Return the drafts treated as ``--secrets`` says, the refused ones with the reason, and a note on
    masks.
    """
    for at, found in hidden.items():
        if what == "allow":
            drafts[at] = replace(drafts[at], sensitivity="secret")
        else:
            drafts[at] = replace(drafts[at], text=mask(drafts[at].text, found), masked=True)
    if what == "allow":
        return _marked(drafts, decoded, secrets, sensitivity="secret"), [], []
    held = _marked(drafts, decoded, secrets, masked=True)
    if what == "mask":
        every = [*secrets, *(each for found in hidden.values() for each in found)]
        return held, [], [note_masked(every)]
    lines = [f"memory {at + 1}: {summary(found)}" for at, found in hidden.items()]
    lines += [f"line {decoded.text.count(chr(10), 0, each.start) + 1}: {each.what}" for each in secrets]
    return [draft for draft in held if not draft.masked], [f"{line}, refused" for line in lines], []


def _marked(drafts: list[Draft], decoded: Decoded, found: list[Sensitive], **marks: Any) -> list[Draft]:
    """Return the drafts, with ``marks`` on those at the places of the findings."""
    measure = ruler(decoded)
    spans = [measure(each.start, each.end) for each in found]
    ends = [span.end for span in spans]

    def is_hit(draft: Draft) -> bool:
        at = bisect_right(ends, draft.span.start)
        return at < len(spans) and spans[at].start < draft.span.end

    return [replace(draft, **marks) if is_hit(draft) else draft for draft in drafts]
