"""Import mailboxes (mbox): each thread becomes a source, each mail a turn."""

from __future__ import annotations

from collections.abc import Iterator

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, Importer, each_file
from memos_cli.interface.ingest.sources.kinds import is_mbox
from memos_cli.interface.ingest.sources.structured.mailbox import read_mails, threads

_FEW = 100
"""Maximum files without an extension that are read."""


def _names(export: Export) -> list[str]:
    """Return the mailboxes of an export: Thunderbird's and the system's have no file extension."""
    plain = [name for name in export.names if "." not in name.rpartition("/")[2]][:_FEW]
    return [name for name in (*export.named("*.mbox", "*.mbx"), *plain) if is_mbox(export.head(name))]


@each_file
def _read(export: Export, name: str) -> Iterator[Bundle]:
    faults: list[str] = []
    with export.open(name) as stream:
        mails = list(read_mails(stream, faults))
    if not mails and not faults:
        faults.append("no mails found")
    for root, thread in threads(mails):
        bundle = Bundle(f"mail:{root}", thread[0].subject)
        for mail in thread:
            bundle.add(
                mail.text, type="dialogue", ref=mail.id, author=mail.author, title=mail.subject,
                time=mail.time,
            )  # fmt: skip
        yield bundle
    if faults:
        yield Bundle("", faults=[f"{name}: {fault}" for fault in faults])


def read_mboxes(export: Export) -> Iterator[Bundle]:
    """Read mailboxes in the mbox format (RFC 4155). The address of a thread is the id of its first mail."""
    return _read(export, _names(export) or export.names)


MBOX = Importer(read_mboxes, lambda export: bool(_names(export)), "mailboxes (mbox): mails by thread")
