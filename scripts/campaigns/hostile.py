"""Hostile input, drawn at random: values of JSON, damaged bytes, and archives.

Nothing here knows memos. Structured input is a small grammar (nested, deep, long, of the wrong type, with
characters that harm a terminal); ``damage`` changes bytes of what was valid.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from random import Random
from typing import Any

BIDI = "\u202e\u2066\u2069"
ODD = (
    "", " ", "\n", "\t", "\0", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2J", "\x7f", "\r", "\u2028",
    BIDI, "\ufeff", "\ud800", "\udfff", "é", "e\u0301" * 40, "🎉", "👨‍👩‍👧", "\u200b", "气候政策", "ﷺ" * 20,
    "../../etc/passwd", "<script>", "${x}", "{{7*7}}", "%s%n", "=cmd|' /C calc'!A0",
    "'; DROP TABLE cube;--", "---", "```", "\\", '"', "\x00\x01", "<|im_start|>system",
    "password: hunter2hunter2", "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5", "true", "NaN", "1e999",
    "-1", "9" * 400, "2026-05-01", "0000-00-00", "9999-12-31T23:59:59Z",
    "Sat, 32 Foo 99999 25:61:61 +9999", "P1Y", "a/b//c", "feed/x", "user:ann",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400, 1e308, -0.0, 1e-320,
    253402300800000,
)  # fmt: skip
Value = Any


def text(chance: Random, most: int = 400) -> str:
    """Words with odd strings among them; now and then very long."""
    words = ["harbour", "otter", "the", "sings", "at", "dusk.", "Oslo", "42", "気候", "Ärger"]
    parts = [
        chance.choice(ODD) if chance.random() < 0.15 else chance.choice(words)
        for _ in range(chance.randint(0, 30))
    ]
    if chance.random() < 0.02:
        parts.append(
            chance.choice(("x", "a ", "\n", "é", "𐍈", "- ", "[", "<b>", "|", "**", "_a", "\u0301"))
            * chance.randint(most, 60_000)
        )
    return " ".join(parts)


def value(chance: Random, depth: int = 0) -> Value:
    """Any value of JSON, its strings odd."""
    match chance.randrange(9 if depth < 4 else 6):
        case 0:
            return None
        case 1:
            return chance.choice((True, False))
        case 2:
            return chance.choice(NUMBERS)
        case 3:
            return chance.choice(ODD)
        case 4 | 5:
            return text(chance)
        case 6 | 7:
            return [value(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    return {
        chance.choice((*ODD[:20], "id", "text", "content")): value(chance, depth + 1)
        for _ in range(chance.randint(0, 4))
    }


def hurt(whole: Value, chance: Random) -> Value:
    """A copy of a value of JSON in which some parts are replaced, lost, repeated, renamed or wrapped."""
    whole = json.loads(json.dumps(whole))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        holder, key = _place(whole, chance)
        if holder is None:
            return value(chance)
        old = holder[key]
        match chance.randrange(9):
            case 0 | 1:
                holder[key] = value(chance)
            case 2:
                holder[key] = chance.choice(ODD)
            case 3:
                del holder[key]
            case 4:
                holder[key] = [old] * chance.choice((1, 2, 50))
            case 5:
                holder[key] = {"id": old, "text": old}
            case 6 if isinstance(holder, dict):
                holder[chance.choice((*holder, "name"))] = holder.pop(key)
            case 7:
                holder[key] = json.dumps(old)
            case _:
                holder[key] = text(chance) if isinstance(old, str) else chance.choice(NUMBERS)
    return whole


def _place(whole: Value, chance: Random) -> tuple[Any, Any]:
    """A place in a value: its list or object, and the index or key."""
    places: list[tuple[Any, Any]] = []
    waiting = [whole]
    while waiting:
        each = waiting.pop()
        if isinstance(each, (dict, list)):
            keys = list(each) if isinstance(each, dict) else range(len(each))
            places += [(each, key) for key in keys]
            waiting += [each[key] for key in keys]
    return chance.choice(places) if places else (None, None)


def as_json(whole: Value, chance: Random) -> bytes:
    """A value as text of JSON, as different writers write it; sometimes broken, or nested deeply."""
    written = json.dumps(whole, ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, None, 2)))
    if chance.random() < 0.04:
        deep = chance.choice((500, 5_000, 200_000))
        opening, closing = chance.choice((("[", "]"), ('{"a":', "}")))
        if "null" in written:
            written = written.replace("null", opening * deep + "1" + closing * deep, 1)
        else:
            written = opening * deep + written
    if chance.random() < 0.05:
        instead = chance.choice(("", ",,", ": NaN,", "\\u12", "//x\n"))
        written = written.replace(chance.choice((":", ",", "}", '"')), instead, 1)
    return written.encode(chance.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")), "surrogatepass")


def damage(data: bytes, chance: Random) -> bytes:
    """Bytes changed, cut out, put in, repeated, or cut off."""
    content = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(max(1, len(content)))
        match chance.randrange(7):
            case 0 | 1 if content:
                content[at] = chance.randrange(256)
            case 2:
                del content[at : at + chance.randint(1, 50)]
            case 3:
                content[at:at] = chance.choice(
                    (b'"', b"{", b"]", b"null", b"\0", b"\xff", b"1e999", b"[" * 2000, b"\x1b[2J", b"\r")
                )
            case 4:
                del content[at:]
            case 5:
                content[at:at] = content[at : at + chance.randint(1, 2000)] * chance.choice((1, 3, 20))
            case _ if content:
                content[at] ^= 1 << chance.randrange(8)
    return bytes(content)


# --- archives --------------------------------------------------------------------------------------

NAMES = (
    "../../evil.json", "/etc/evil.json", "C:\\evil.json", "a\0b.json", "a" * 300 + ".json", "\x1b[2Jx.md",
    "con", "./a/./b.json", "é.md", "x/", "",
)  # fmt: skip


def archive(files: dict[str, bytes], chance: Random, depth: int = 0) -> bytes:
    """A zip of files: with bad names, links, a bomb, an archive inside, wrong sizes, damage."""
    buffer = io.BytesIO()
    ways = (zipfile.ZIP_STORED, *[zipfile.ZIP_DEFLATED] * 2, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    way = chance.choice(ways)
    with zipfile.ZipFile(buffer, "w", way) as made:
        for name, data in files.items():
            entry = zipfile.ZipInfo(chance.choice(NAMES) + name if chance.random() < 0.15 else name)
            entry.compress_type = way
            if chance.random() < 0.05:
                entry.external_attr = 0o120777 << 16  # a symbolic link
                data = b"/etc/passwd"
            made.writestr(entry, data)
        if chance.random() < 0.1:
            name = chance.choice(("conversations.json", "x.md", "a.zip"))
            made.writestr(name, bytes(chance.choice((1, 100))) * (1 << 20))
        if chance.random() < 0.05:
            for n in range(3000):
                made.writestr(f"{n}.md", b"x")
        if chance.random() < 0.15 and depth < 6:
            made.writestr("inner.zip", archive(files, chance, depth + 1))
    whole = bytearray(buffer.getvalue())
    if chance.random() < 0.15:  # a size or a checksum in the directory that is not so
        at = whole.rfind(b"PK\x01\x02")
        field = at + chance.choice((8, 10, 16, 20, 24, 42))
        whole[field : field + 4] = struct.pack("<I", chance.choice((0, 1, 1 << 30, 0xFFFFFFFF)))
    return damage(bytes(whole), chance) if chance.random() < 0.2 else bytes(whole)


NO_FILES = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)


def tar(members: dict[str, bytes], chance: Random) -> bytes:
    """A tar of members, some of which are no files, or claim to be long."""
    buffer = io.BytesIO()
    format = chance.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=buffer, mode="w", format=format) as made:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if chance.random() < 0.03:
                entry.type = chance.choice(NO_FILES)
                entry.size, entry.linkname = 0, "/etc/passwd"
            made.addfile(entry, io.BytesIO(data))
            if chance.random() < 0.05:
                made.addfile(entry, io.BytesIO(data))
    data = buffer.getvalue()
    return sparse(data, chance) if chance.random() < 0.05 else data


def sparse(data: bytes, chance: Random) -> bytes:
    """A tar whose last member is of a few bytes, and says that it is a sparse file of a gigabyte."""
    size = chance.choice((1 << 29, 1 << 30, 1 << 40))
    header = bytearray(tarfile.TarInfo("zeros.jsonl").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % size if size < 1 << 33 else b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % 512) + bytes(header) + bytes(1024)
