"""E-mails: the text of the body and the headers, in every encoding that a mail can have."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from memos_cli.errors import MemosError
from memos_cli.interface.ingest.sources.pieces import read_time
from memos_cli.interface.ingest.sources.reading import Reading, read_bytes
from memos_cli.interface.options import ReadOptions

BODY = "Hallo Ana,\n\ndie Schlüsselübergabe ist am 28. November um 10:30 Uhr.\n\n-- \nMarek Wójcik\n"
DATE = "Wed, 18 Nov 2026 09:12:00 +0100"


def reading(data: bytes) -> Reading:
    return read_bytes(data, "x", "keys.eml", ReadOptions())


def mail(body: str = BODY, **how: Any) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = "Marek Wójcik <marek@example.org>", "ana@example.org"
    made["Subject"], made["Date"] = "Schlüsselübergabe: Garage", DATE
    made.set_content(body, **how)
    return made


@pytest.mark.parametrize("cte", ["quoted-printable", "base64", "8bit"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-2"])
def test_a_mail_is_its_headers_and_its_text(cte: str, charset: str) -> None:
    result = reading(mail(cte=cte, charset=charset).as_bytes())
    (draft,) = result.drafts
    assert (draft.title, draft.author) == ("Schlüsselübergabe: Garage", "Marek Wójcik")
    assert draft.time == read_time(DATE)
    assert "die Schlüsselübergabe ist am 28. November um 10:30 Uhr." in draft.text
    assert "To: ana@example.org" in draft.text
    assert result.data[draft.span.start : draft.span.end].decode() == draft.text


def test_the_text_is_taken_of_a_mail_with_html_and_attachments_are_named() -> None:
    made = mail()
    made.add_alternative("<p>Only <b>HTML</b> says this.</p>", subtype="html")
    made.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="lease.pdf")
    (draft,) = reading(made.as_bytes()).drafts
    assert "10:30" in draft.text
    assert "Attachment: lease.pdf" in draft.text
    assert "HTML" not in draft.text
    assert "PDF-1.7" not in draft.text


def test_a_mail_of_html_alone_is_what_it_shows() -> None:
    (draft,) = reading(mail("<p>The keys are <b>here</b>.</p>", subtype="html").as_bytes()).drafts
    assert "The keys are here." in draft.text
    assert "<p>" not in draft.text


@pytest.mark.parametrize("header", ["Cc: " + "(" * 5000, "From: " + "<" * 5000, "To: " + "a:" * 5000])
def test_a_mail_whose_headers_are_nested_too_deeply_is_no_internal_error(header: str) -> None:
    try:
        reading(f"{header}\nSubject: Keys\n\nThey are here.\n".encode())
    except MemosError as error:
        assert "nested" in str(error)


@pytest.mark.parametrize("part", ["=?utf-8?Q?a?= ", "a@b.c, ", "word "])
def test_of_a_long_header_the_beginning_is_read(part: str) -> None:
    """Of all of it, Python's parser would take minutes, and gigabytes."""
    data = f"From: Ann <a@b.c>\nTo: {part * 100_000}\nSubject: {part * 100_000}\n\nThey are here.\n"
    drafts = reading(data.encode()).drafts
    assert drafts[0].author == "Ann"
    assert "They are here." in drafts[-1].text


@pytest.mark.parametrize("charset", ["no-such-charset", "utf-8"])
def test_a_wrong_encoding_loses_no_mail(charset: str) -> None:
    data = b"From: a@b.example\nSubject: Hi\nContent-Type: text/plain; charset=%s\n\nKeys \xff are here.\n"
    (draft,) = reading(data % charset.encode()).drafts
    assert "are here." in draft.text


@pytest.mark.parametrize("data", [b"", b"no mail at all", b"\x00\xff" * 20])
def test_what_is_no_mail_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(MemosError, match="not a mail"):
        reading(data)
