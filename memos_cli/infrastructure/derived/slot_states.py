"""Saved states in the folder of a llama-server: the vault has a receipt for each, as a blob.

The file is deleted with the blob: see ``memos_cli/slot_files.py``.
"""

from __future__ import annotations

from contextlib import suppress

from memos_cli.errors import Damaged
from memos_cli.infrastructure.storage.blobs import Blobs
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.slot_files import LONGEST, Receipt, delete_file, read_receipt


def discard(db: Connection, blobs: Blobs, blob: str) -> list[str]:
    """Delete the slot file of an unused receipt, unless another receipt names it.

    Returns a description of the file if it cannot be deleted.
    """
    receipt = _receipt(blobs, blob)
    if receipt is None:
        return []
    few = db.execute("SELECT CAST(blob AS TEXT) FROM activation WHERE bytes <= ?", (LONGEST,)).fetchall()
    others = [_receipt(blobs, each) for (each,) in few if each != blob]
    if any(each and each.slot_file == receipt.slot_file for each in others):
        return []
    remains = delete_file(receipt)
    return [remains] if remains else []


def _receipt(blobs: Blobs, blob: str) -> Receipt | None:
    with suppress(Damaged, OSError):
        if blobs.path(blob).lstat().st_size <= LONGEST:
            return read_receipt(blobs.get(blob))
    return None
