"""File names in zip archives: bytes in an encoding that the archive usually does not state.

APPNOTE.TXT 4.4.4 (bit 11: UTF-8), 4.6.9 (0x7075, Info-ZIP's Unicode path), appendix D (else code page 437);
but Windows writes the code page of its language.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from zipfile import ZipInfo

_USUAL = {
    "cp932": rb"\x81.|\x82[\x4f-\xf1]|\x83[\x40-\x96]|[\x88-\x98].",
    "cp949": rb"[\xb0-\xc8][\xa1-\xfe]",
    "gb18030": rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]",
    "cp950": rb"[\xa1-\xc6].",
    "cp866": rb"[\x80-\xaf\xe0-\xf1]",
}
"""Byte patterns of the common characters of each code page, in order of preference."""
_WORD = re.compile(rb"[\x80-\xff]{3}")
"""Three bytes in a row above ASCII: words in another script have them, accents in Latin words do not."""
_FEW = 8
"""Fewer Korean characters than this may just as well be Chinese."""


def names_of(entries: Sequence[ZipInfo]) -> Iterator[tuple[str, ZipInfo]]:
    """Yield the entries of an archive with their names, separated by ``/``. All names share one guess."""
    raw = [b"" if entry.flag_bits & 0x800 else _bytes(entry) for entry in entries]
    paths = [_unicode_path(entry, name) for entry, name in zip(entries, raw, strict=True)]
    unknown = [name for name, known in zip(raw, paths, strict=True) if not known and not name.isascii()]
    encoding = _guess(b"\n".join(unknown)) if unknown else ""
    for entry, name, known in zip(entries, raw, paths, strict=True):
        if not known and encoding and not name.isascii():
            known = name.decode(encoding, "replace")
        found = (known or entry.filename).partition("\0")[0]
        yield found.encode("utf-8", "replace").decode().replace("\\", "/"), entry


def _bytes(entry: ZipInfo) -> bytes:
    """Return the bytes of a name that zipfile decoded as code page 437; empty if it used another."""
    try:
        return entry.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return b""


def _unicode_path(entry: ZipInfo, raw: bytes) -> str:
    """Return the UTF-8 name that Info-ZIP adds for the name ``raw``; '' if there is none."""
    at, extra = 0, entry.extra
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + size]
        if (
            kind == 0x7075
            and size > 5
            and field[:1] == b"\1"
            and field[1:5] == struct.pack("<I", zlib.crc32(raw))
        ):
            return field[5:].decode("utf-8", "replace")
        at += 4 + size
    return ""


def _guess(names: bytes) -> str:
    """Return the code page in which the largest share of characters is common."""
    try:
        names.decode()
        return "utf-8"
    except UnicodeDecodeError:
        pass
    best, most = "cp437", 0.6
    for encoding, usual in _USUAL.items():
        try:
            wide = [char.encode(encoding) for char in names.decode(encoding) if char > "\x7f"]
        except UnicodeDecodeError:
            continue
        if (encoding == "cp949" and len(wide) < _FEW) or (encoding == "cp866" and not _WORD.search(names)):
            continue
        share = sum(bool(re.fullmatch(usual, char, re.DOTALL)) for char in wide) / len(wide)
        if share > most:
            best, most = encoding, share
    return best
