"""Mailboxes: each mail once, by thread; and the traps of the mbox format."""

from __future__ import annotations

import io
import mailbox
from email.message import EmailMessage
from pathlib import Path

import exports
import pytest
from cli_harness import Shell

from memos_cli.interface.ingest.sources.structured import mailbox as mailboxes
from memos_cli.interface.ingest.sources.structured.mailbox import read_mails, threads


def mail(id: str, body: str, *, answers: str = "", day: int = 1) -> str:
    lines = [
        f"From ann@example.org Thu May  {day} 10:00:00 2025", "From: Ann <a@example.org>",
        "Subject: Boat", f"Date: Thu, {day} May 2025 10:00:00 +0000", f"Message-ID: <{id}>",
        *([f"References: {' '.join(f'<{each}>' for each in answers.split())}"] if answers else []),
    ]  # fmt: skip
    return "\n".join([*lines, "", body, "", ""])


def read(text: str | bytes) -> list[mailboxes.Mail]:
    faults: list[str] = []
    mails = list(read_mails(io.BytesIO(text if isinstance(text, bytes) else text.encode()), faults))
    assert faults == []
    return mails


@pytest.mark.parametrize("name", ["Inbox.mbox", "Inbox"])
def test_an_ingest_gives_mails_not_one_text(memos: Shell, name: str) -> None:
    path = memos.write(name, exports.MBOX)
    assert memos("ingest", path, "--no-embed", "--json").record["added"] == 3
    rows = sorted(memos("list", "--json").records, key=lambda row: row["time"])
    assert [(row["author"], row["title"], row["type"]) for row in rows] == [
        ("Ann Lee", "Ferry ü", "dialogue"), ("cy@example.org", "Bread", "dialogue"),
        ("Bo Berg", "Re: Ferry", "dialogue"),
    ]  # fmt: skip
    assert [row["ref"] for row in rows] == ["a1@example.org", "b1@example.org", "a2@example.org"]
    assert [row["time"][:16] for row in rows] == ["2025-04-30T08:00", "2025-04-30T08:30", "2025-05-01T09:00"]
    assert memos("ingest", path, "--no-embed", "--json").record["unchanged"] == 3
    path.write_text(exports.MBOX + mail("c1@x", "New."))
    made = memos("ingest", path, "--no-embed", "--json").record
    assert (made["added"], made["versions"], made["unchanged"]) == (1, 0, 3)
    assert memos("import", path, "--no-embed", "--json").record["added"] == 0  # they are the same memories
    memos.check()


def test_a_mailbox_of_the_standard_library(tmp_path: Path) -> None:
    path = tmp_path / "box"
    box = mailbox.mbox(path)
    bodies = ["Plain.", "From the start of a line.\nFrom again.", "Grüße, 你好", "x" * 3000]
    for number, body in enumerate(bodies):
        message = EmailMessage()
        message["From"], message["Message-ID"] = "Ann <a@b.c>", f"<{number}@b>"
        message.set_content(body)
        box.add(message)
    box.close()
    mails = read(path.read_bytes())
    assert [each.text for each in mails] == bodies


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("One.\n\nFrom here it is far.\nSo it is.", "One.\n\nFrom here it is far.\nSo it is."),
        (">From the top", "From the top"),
        (">>From the top", ">From the top"),
        ("Yes.\n\nOn Monday Bo wrote:\n> Really?\n> Sure?", "Yes."),
        ("Yes.\n\nAm Montag schrieb\nBo Berg <b@example.org>:\n> Really?", "Yes."),
        ("Yes.\n> Really?", "Yes."),
        ("> Really?\nYes.\n> And now?\nNo.", "> Really?\nYes.\n> And now?\nNo."),
        ("> Really?", "> Really?"),
        ("We need:\n\n> milk", "We need:\n\n> milk"),
    ],
)
def test_the_text_of_a_mail(body: str, text: str) -> None:
    (first,) = read(mail("a@x", body))
    assert first.text == text


def test_threads_hold_together_by_references() -> None:
    box = "".join(
        [
            mail("c@x", "Third.", answers="a@x b@x", day=3), mail("z@x", "Else.", day=2),
            mail("b@x", "Second.", answers="a@x", day=2), mail("a@x", "First.", day=1),
            mail("e@x", "Lost root.", answers="gone@x d@x", day=5),
            mail("d@x", "Child.", answers="gone@x", day=4),
            mail("l@x", "Itself.", answers="l@x", day=6),
        ]
    )  # fmt: skip
    found = {root: [each.text for each in thread] for root, thread in threads(read(box))}
    assert found == {
        "a@x": ["First.", "Second.", "Third."], "z@x": ["Else."], "gone@x": ["Child.", "Lost root."],
        "l@x": ["Itself."],
    }  # fmt: skip


def test_a_mailbox_that_is_cut_off_gives_no_half_of_a_mail(memos: Shell) -> None:
    path = memos.write("Inbox.mbox", exports.MBOX[: exports.MBOX.index("caf=E9")])
    for command in ("import", "ingest"):
        made = memos(command, path, "--no-embed", "--json", code=3).record
        assert "mail 3: it is cut off" in made["failed"][0]["reason"]
    assert len(memos.ids()) == 2
    path.write_text(exports.MBOX)
    assert memos("ingest", path, "--no-embed", "--json").record["added"] == 1


def test_a_mail_without_an_id_is_known_again_by_its_content() -> None:
    box = mail("a@x", "Hello.").replace("Message-ID: <a@x>\n", "")
    (first,) = read(box)
    assert read(box + mail("b@x", "More."))[0].id == first.id


def test_unreadable_input_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailboxes, "LARGEST", 1000)
    faults: list[str] = []
    box = mail("a@x", "Small.") + mail("b@x", "y" * 2000) + mail("c@x", "Small too.")
    mails = list(read_mails(io.BytesIO(box.encode()), faults))
    assert [each.text for each in mails] == ["Small.", "Small too."]
    assert len(faults) == 1
    assert "mail 2" in faults[0]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"From \n", b"From a\nTo:", b"From a Thu\nFrom: x\n\n" + b"\0\xff" * 1000, b"From " * 10_000,
        b"From a\nSubject: " + b"=?utf-8?q?" * 3000 + b"\n\nx\n",
        b"From a\nContent-Type: text/plain; charset=none\n\nx",
        b"From a" + b"\nContent-Type: multipart/mixed; boundary=x\n\n--x" * 500,
        b"From a\nMessage-ID: " + b"<" * 5000 + b"\nReferences: " + b"<a>" * 5000 + b"\n\nx\n",
    ],
    ids=range(9),
)  # fmt: skip
def test_hostile_mailboxes(memos: Shell, data: bytes) -> None:
    path = memos.work / "odd.mbox"
    path.write_bytes(data)
    for command in ("ingest", "import"):
        done = memos(command, path, "--no-embed", code=None)
        assert done.code in (0, 1, 2, 3)
        assert "internal" not in done.err


def test_secrets_in_mails_are_masked_even_if_encoded(memos: Shell) -> None:
    import base64

    secret = base64.b64encode(b"password = 'hunter2-very-long-9f8e7d'").decode()
    body = mail("a@x", secret).replace("\n\n", "\nContent-Transfer-Encoding: base64\n\n", 1)
    path = memos.write("box.mbox", body)
    memos("ingest", path, "--no-embed")
    assert "password" in memos("list", "--json").record["text"]
    assert "hunter2" not in memos("list", "--json").record["text"]
    memos("import", path, "--no-embed")
    assert all("hunter2" not in row["text"] for row in memos("list", "--json").records)
