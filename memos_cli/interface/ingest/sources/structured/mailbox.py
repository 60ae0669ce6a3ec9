"""Mailboxes in the mbox format: the mails one by one, and their threads.

Formats: RFC 4155 and its variants (mboxo, mboxrd), RFC 5322 for ids and references.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import CloseBoundaryNotFoundDefect
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import IO

from memos_cli.errors import MemosError
from memos_cli.interface.ingest.sources.decoding import clean
from memos_cli.interface.ingest.sources.structured.mail import Policy, attachments, author_of, body_of
from memos_cli.interface.time.dates import milliseconds
from memos_cli.zones import local_zone

LARGEST = 64 << 20
"""Maximum bytes of one mail; a larger one is skipped."""
_LINE = 1 << 20
_ENVELOPE = re.compile(rb"From \S+ [^\n]*\d\d:\d\d[^\n]* \d{4}\b[^\n]*\n")
_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:|>?From ")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_ID = re.compile(r"<([^<>\s]{1,500})>")
_ID_HEADERS = ("message-id", "references", "in-reply-to")
_REFERENCES = 200
"""References of one mail that are read."""


@dataclass(frozen=True, slots=True)
class Mail:
    """The content of a mail, and the mails that it replies to."""

    id: str
    references: tuple[str, ...]
    """The first is the start of its thread."""
    subject: str
    author: str
    time: int | None
    """Milliseconds since 1970."""
    text: str


def read_mails(stream: IO[bytes], faults: list[str]) -> Iterator[Mail]:
    """Yield the mails of a mailbox that have a text. Adds errors to ``faults``."""
    for number, (data, is_last) in enumerate(_split(stream), 1):
        try:
            if data is None:
                raise MemosError(f"more than {LARGEST >> 20} MiB")
            if (mail := _read(data, may_be_cut=is_last)).text:
                yield mail
        except (MemosError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            faults.append(f"mail {number}: {error}")


def threads(mails: Iterable[Mail]) -> Iterator[tuple[str, list[Mail]]]:
    """Yield each thread, by the id of its first mail: its mails in the order of their times."""
    found: dict[str, list[Mail]] = {}
    roots: dict[str, str] = {}
    for mail in sorted(mails, key=lambda mail: (mail.time is None, mail.time or 0)):
        known = next((roots[each] for each in mail.references if each in roots), None)
        root = known or (mail.references[0] if mail.references else mail.id)
        for each in (mail.id, *mail.references):
            roots.setdefault(each, root)
        found.setdefault(root, []).append(mail)
    yield from found.items()


def convert_mbox(data: bytes, faults: list[str]) -> bytes:
    """Return a mailbox as JSON lines of a dialogue, thread by thread. ``faults``: see ``read_mails``."""
    lines = [
        {
            "id": mail.id, "name": mail.author, "title": mail.subject, "content": mail.text,
            "time": None if mail.time is None else datetime.fromtimestamp(mail.time / 1000, UTC).isoformat(),
        }
        for _, thread in threads(read_mails(io.BytesIO(data), faults))
        for mail in thread
    ]  # fmt: skip
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _split(stream: IO[bytes]) -> Iterator[tuple[bytes | None, bool]]:
    """Yield the bytes of each mail, None for one that is too large; and whether it is the last.

    A line ``From …`` starts a mail if a header follows, and it is the first, comes after an empty line, or
    has the time of an envelope.
    """
    lines: list[bytes] = []
    size, is_open, was_blank, envelope = 0, False, True, b""
    while line := stream.readline(_LINE):
        if envelope:
            if _HEADER.match(line):
                if is_open:
                    yield None if size > LARGEST else b"".join(lines), False
                lines, size, is_open = [], 0, True
            elif is_open:
                lines.append(envelope)
            envelope = b""
        if _ENVELOPE.match(line) or (was_blank and line.startswith(b"From ") and line.endswith(b"\n")):
            envelope, was_blank = line, False
            continue
        size += len(line)
        if is_open and size <= LARGEST:
            lines.append(line)
        was_blank = line in (b"\n", b"\r\n")
    if is_open:
        yield None if size > LARGEST else b"".join([*lines, envelope]), True


def _read(data: bytes, *, may_be_cut: bool) -> Mail:
    mail = message_from_bytes(_QUOTED_FROM.sub(rb"\1", data), policy=Policy())
    assert isinstance(mail, EmailMessage)
    if may_be_cut and any(isinstance(each, CloseBoundaryNotFoundDefect) for each in mail.defects):
        raise MemosError("it is cut off: the mailbox ends in the middle of it", "copy the mailbox again")
    raw = {name.lower(): str(value) for name, value in mail.raw_items()}  # parsing them takes longest
    id, before, answered = (_ID.findall(raw.get(name, "")) for name in _ID_HEADERS)
    text = _without_quotes(body_of(mail))
    attached = [f"Attachment: {clean(name)}" for name in attachments(mail)]
    return Mail(
        clean(id[0]) if id else hashlib.sha256(data).hexdigest()[:32],
        tuple(map(clean, (*before[:_REFERENCES], *answered[:1]))),
        " ".join(clean(str(mail["Subject"] or "")).split()),
        clean(author_of(mail)),
        _time(raw.get("date", "")),
        clean("\n".join(filter(None, [text, *attached]))).strip(),
    )


def _time(date: str) -> int | None:
    """Return the time of a mail in milliseconds; None if the header has none."""
    try:
        return milliseconds(parsedate_to_datetime(date), local_zone())
    except (ValueError, TypeError, OverflowError):
        return None


def _without_quotes(text: str) -> str:
    """Return a reply without the mail that it quotes at its end, and without the line that announces it.

    Quotations between lines of the reply stay; a mail that contains only a quotation is not changed.
    """
    lines = text.rstrip().split("\n")
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith(">")):
        end -= 1
    if end == len(lines):
        return text
    first = end
    while first and lines[first - 1].strip() and end - first < 3:
        first -= 1
    if end and lines[end - 1].rstrip().endswith(":"):
        end = first
    kept = "\n".join(lines[:end]).rstrip()
    return kept or text
