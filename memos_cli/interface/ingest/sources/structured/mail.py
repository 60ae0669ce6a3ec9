"""E-mails (``.eml``): the headers with sender, recipients and subject, and the text of the body.

Formats: RFC 5322 and RFC 2045 to 2049, as Python's ``email`` reads them.
"""

from __future__ import annotations

import json
import re
from email import message_from_bytes, policy
from email.message import EmailMessage

from memos_cli.cube import Span
from memos_cli.errors import MemosError

_HEADERS = ("From", "To", "Cc", "Date")
_LONGEST = 20_000
"""Characters of a header that are read. Of a longer one, Python's parser takes minutes, and gigabytes."""
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)


class Policy(policy.EmailPolicy):
    """The usual policy, with headers of bounded length."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        return super().header_fetch_parse(name, value[:_LONGEST])  # type: ignore[no-any-return]


def convert_mail(data: bytes) -> bytes:
    """Return a mail as Markdown in UTF-8, with its subject, date and sender as front matter.

    Attachments are named and left out. Raises MemosError where it is no mail.
    """
    try:
        mail = message_from_bytes(data, policy=Policy())
        assert isinstance(mail, EmailMessage)
        found = {name: " ".join(str(mail[name] or "").split()) for name in (*_HEADERS, "Subject")}
        body, attached, author = body_of(mail), attachments(mail), author_of(mail)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise MemosError(f"this mail cannot be read: {error}", "save it again as .eml") from error
    if not (found["From"] or found["Subject"]):
        raise MemosError("this is not a mail: it has no sender and no subject", "save it again as .eml")
    known = {"title": found["Subject"], "date": found["Date"], "author": author}
    front = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in known.items() if value]
    lines = [f"{name}: {found[name]}" for name in _HEADERS if found[name]]
    lines += [f"Attachment: {name}" for name in attached]
    return "\n".join(["---", *front, "---", "", *lines, "", body, ""]).encode("utf-8", "replace")


def author_of(mail: EmailMessage) -> str:
    """Return the sender of a mail: the name, or else the address."""
    return " ".join(str(mail["From"] or "").split()).partition(" <")[0].strip('" ')


def attachments(mail: EmailMessage) -> list[str]:
    """Return the name or type of each attachment."""
    return [part.get_filename() or part.get_content_type() for part in mail.iter_attachments()]


def body_of(mail: EmailMessage) -> str:
    """Return the text of a mail, or the visible text of its HTML, without the line "-- " above a
    signature.
    """
    part = mail.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        text = str(part.get_content())
    except LookupError:  # an encoding that does not exist
        payload = part.get_payload(decode=True)
        text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    if part.get_content_subtype() != "html":
        return _SIGNATURE.sub("", text).strip()
    from memos_cli.interface.ingest.sources.pieces import Setting
    from memos_cli.interface.ingest.sources.text.webpage import read_html

    setting = Setting("", "", None, "", 900)
    return "\n\n".join(draft.text for draft in read_html(text, Span, setting))
