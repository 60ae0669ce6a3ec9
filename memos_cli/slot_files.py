"""Receipts of states that a llama-server saved in its folder (``--slot-save-path``).

The vault stores the receipt as a blob, like the state of a model in this process. Code that deletes the blob
must delete the file, too, if its folder is reachable: the server has no endpoint for that.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from msgspec import Struct

from memos_cli.errors import UsageError
from memos_cli.files import open_input
from memos_cli.validation import parse_json, to_json

LONGEST = 4096
"""Maximum bytes of a receipt; a longer blob is not a receipt."""
_NAME = re.compile(r"memos-[0-9a-f]{32}\.bin")


class Receipt(Struct):
    """A state in the folder of a server."""

    slot_file: str
    """The name of the file: ``memos-…bin``, with a hash of the conditions of the state."""
    server: str
    """The URL of the server."""
    folder: str
    """The folder as this machine sees it; "" if that is not known."""
    tokens: int
    bytes: int
    sha256: str = ""
    """Of the file, in hexadecimal; "" if it cannot be seen from here."""


def write_receipt(receipt: Receipt) -> bytes:
    """Return a receipt as the vault stores it."""
    return to_json(receipt)


def read_receipt(data: bytes | memoryview) -> Receipt | None:
    """Return the receipt in a blob; None if it is not a receipt. It may come from another vault: names are
    checked.
    """
    if len(data) > LONGEST:
        return None
    try:
        receipt = parse_json(bytes(data), Receipt)
    except ValueError:
        return None
    is_sound = _NAME.fullmatch(receipt.slot_file) and (
        not receipt.folder or Path(receipt.folder).is_absolute()
    )
    return receipt if is_sound else None


def digest_file(folder: str | Path, slot_file: str) -> str:
    """Return the sha256 of a slot file, in hexadecimal; "" if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open_input(Path(folder) / slot_file, "memos promote makes it again") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except (OSError, UsageError):
        return ""
    return digest.hexdigest()


def delete_file(receipt: Receipt) -> str:
    """Delete the file of a receipt. Returns a description of a file that remains; "" if none does.

    Only a file with a name of memos is deleted, and only in the folder where the server saved it.
    """
    place = f"{receipt.slot_file} in the folder of {receipt.server}"
    if not receipt.folder:
        return place
    path = Path(receipt.folder) / receipt.slot_file
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            return str(path)
        path.unlink(missing_ok=True)
    except OSError:
        return str(path)
    return "" if path.parent.is_dir() else place
