"""Decode bytes to text, and map places in the text back to places in the bytes.

Every piece of a source is located by a span of *bytes* in the source on disk. So nothing is normalised here:
line ends, BOMs and encodings stay as they are, and each character of ``Decoded.text`` has its place in the
bytes.

The encoding is decided by, in this order: the user, a BOM, UTF-16 and UTF-32 by their zeros, what the source
declares, UTF-8, the 7-bit codes that switch with escapes, the setting ``ingest.encoding``, a guess.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace

from memos_cli.cube import Span
from memos_cli.errors import MemosError, UsageError

Measure = Callable[[int, int], Span]
"""Gives the bytes in the source of a range of characters."""
HEAD = 8192
"""Bytes at the start of a source that decide whether it is text."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose BOM it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UNICODE_BOMS = tuple(bom for bom, _ in _BOMS)
_WIDE = {"utf-32-le": 4, "utf-32-be": 4, "utf-16-le": 2, "utf-16-be": 2}
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\b\x0e\x0f\x1b"))
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_TEXT = frozenset(("Cc", "Cn", "Co", "Cs"))
_USUAL = re.compile(
    "[\t-\r -~\u0370-\u06ff\u0900-\u097f\u0e00-\u0e7f\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e]"
)
"""What most characters of a text are, in the scripts that most people write."""
_SAMPLE = 1 << 16

_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_DECLARATIONS = (
    re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)"""),
    re.compile(rb'@charset "([\w.:-]+)"'),
    re.compile(rb"(?:[^\n]*\n)?[^\n]*-\*-[^\n]*?coding:[ \t]*([\w.-]+?)(?:-unix|-dos|-mac)?[ \t;]"),
)
_META = re.compile(rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_CODING = re.compile(rb"(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([\w.-]+)")
"""PEP 263: the encoding in the first two lines of Python code, and of other code with such comments."""

_SUPERSETS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "big5": "big5hkscs", "shift_jis": "cp932", "euc_kr": "cp949", "iso2022_jp": "iso2022_jp_ext",
}  # fmt: skip
"""The encoding that a name means in practice, as in browsers: the larger set that is really used."""

_MULTIBYTE = frozenset(("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"))
_STATEFUL = re.compile(r"iso2022|hz|utf-7")
_GUESSES = """
cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 iso-8859-2 iso-8859-5 iso-8859-6
koi8-r koi8-u cp866 cp850 mac-roman gb18030 big5hkscs cp932 euc-jp cp949 iso2022_jp_2 iso2022_kr hz
"""
_FOREIGN = re.compile("[A-Za-z]?[\u0370-\u0e7f]+[A-Za-z]?")
_KANA = re.compile("[\u3041-\u30fa]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A source as text. ``raw`` differs from ``text`` only where bytes could not be decoded.

    ``raw`` holds those as lone surrogates, which ``errors`` turns back into the bytes; in ``text`` each is
    U+FFFD, as is NUL, so that ``text`` can be encoded, stored and printed. ``start`` is the BOM's length.
    """

    text: str
    raw: str
    encoding: str
    errors: str
    start: int
    notes: tuple[str, ...] = ()
    places: array[int] | None = None
    """Where each character ends in the bytes, for stateful encodings."""


def looks_binary(head: bytes) -> bool:
    """Return whether the first bytes of a source are no text: NUL, or many control characters."""
    head = head[:HEAD]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return False
    if b"\0" in head:
        return not _find_wide(head)
    return 20 * (len(head) - len(head.translate(None, _CONTROL))) > len(head)


def find_codec(label: str) -> str:
    """Return Python's name of an encoding, from its name in web pages or in Python.

    Raises UsageError for a name that is unknown. Labels: https://encoding.spec.whatwg.org/#names-and-labels
    """
    from webencodings import lookup

    known = lookup(label)
    name = known.codec_info.name if known else label.strip()
    try:
        info = codecs.lookup(label if name == "replacement" else name)  # browsers refuse to decode it
        "".encode(info.name)  # raises LookupError for codecs such as base64
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"there is no encoding called {label!r}", "use one such as utf-8, latin-1, gbk or shift_jis"
        ) from error
    return _SUPERSETS.get(info.name, info.name)


def decode(data: bytes, kind: str = "", *, encoding: str = "", fallback: str = "") -> Decoded:
    """Read a source of a kind as text, in ``encoding`` if the user names one.

    ``fallback`` is the encoding of texts that are not Unicode and declare none; '' guesses. A UTF-8 text with
    a few broken bytes stays UTF-8. Raises MemosError for binary data, UsageError for an unknown name.
    """
    if encoding:
        return _decode_named(data, find_codec(encoding))
    if looks_binary(data):
        raise MemosError("this is binary data, not text", "name a text, PDF or Office file")
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _decode_as(name, data, len(bom))
    if b"\0" in data[:HEAD]:
        return _decode_as(_find_wide(data[:HEAD]), data)
    declared = _find_declared(data[:HEAD], kind)
    first_bad = len(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        first_bad = error.start
    else:
        # Valid UTF-8 overrides what a page declares, except for a few words of Chinese or similar.
        if not (declared in _MULTIBYTE or _STATEFUL.match(declared)) or max(text, default="") >= "\u0800":
            if not text.isascii() or (b"\x1b" not in data and b"~{" not in data):
                return _finish(text, "utf-8", "strict", 0)
            declared = declared or _guess_stateful(data)
        if not declared or (text.isascii() and not _STATEFUL.match(declared)):
            return _finish(text, "utf-8", "strict", 0)
    if declared and (found := _decode_mostly(data, declared)):
        return found
    raw = data.decode("utf-8", "surrogateescape")
    bad = len(_SURROGATE.findall(raw))
    good = len(raw) - bad - len(data.translate(None, bytes(range(128, 256))))
    if good > bad or not bad:
        return _finish(raw, "utf-8", "surrogateescape" if bad else "strict", 0)
    if fallback and (found := _decode_mostly(data, find_codec(fallback))):
        return found
    name = _guess(data[max(0, first_bad - 1000) :][:_SAMPLE])
    found = _decode_mostly(data, name) or _decode_as("cp1252", data)
    return replace(found, notes=(f"not UTF-8: read as {found.encoding}", *found.notes))


def ruler(decoded: Decoded) -> Measure:
    """Return a function from a range of characters to its Span of bytes.

    It stores the last place and encodes only the text since then, so finding all places in order is linear in
    the text, and free if each character is a byte.
    """
    raw, encoding, errors, shift = decoded.raw, decoded.encoding, decoded.errors, decoded.start
    if (places := decoded.places) is not None:
        return lambda start, end: Span(places[start - 1] if start else 0, places[end - 1] if end else 0)
    if raw.isascii() and encoding not in _WIDE:
        return lambda start, end: Span(start + shift, end + shift)
    character, byte = 0, shift

    def place(target: int) -> int:
        nonlocal character, byte
        if target >= character:
            byte += len(raw[character:target].encode(encoding, errors))
        else:
            byte -= len(raw[target:character].encode(encoding, errors))
        character = target
        return byte

    return lambda start, end: Span(place(start), place(end))


def clean(text: str) -> str:
    """Return a text that can be stored: without NUL, and with U+FFFD for each lone surrogate."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _decode_named(data: bytes, name: str) -> Decoded:
    """Decode in the user's encoding; a BOM of the same family is skipped and decides the byte order."""
    for bom, marked in _BOMS:
        if name.startswith(marked[:6]) and data.startswith(bom):
            return _decode_as(marked, data, len(bom))
    return _decode_as(name, data)


def _decode_mostly(data: bytes, name: str) -> Decoded | None:
    """Decode, unless more than one character in a hundred is invalid."""
    found = _decode_as(name, data)
    return found if found.text.count("\ufffd") <= 1 + len(found.text) // 100 else None


def _decode_as(name: str, data: bytes, start: int = 0) -> Decoded:
    """Decode in a known encoding; invalid bytes are replaced."""
    body = data[start:]
    try:
        raw = body.decode(name)
    except UnicodeDecodeError:
        if name == "utf-8":
            return _finish(body.decode(name, "surrogateescape"), name, "surrogateescape", start)
        if name.startswith("utf-16"):
            even = body[: len(body) // 2 * 2]
            return _finish(even.decode(name, "surrogatepass"), name, "surrogatepass", start)
        return _decode_bytewise(name, data, start)
    if _STATEFUL.match(name) or (name in _MULTIBYTE and len(raw.encode(name, "replace")) != len(body)):
        return _decode_bytewise(name, data, start)
    return _finish(raw, name, "strict", start)


def _decode_bytewise(name: str, data: bytes, start: int) -> Decoded:
    """Decode byte by byte, noting where each character ends; a switch belongs to the character after it."""
    decoder = codecs.getincrementaldecoder(name)("replace")
    parts: list[str] = []
    places = array("q")
    for place in range(start, len(data)):
        if part := decoder.decode(data[place : place + 1], place == len(data) - 1):
            parts.append(part)
            places.extend([place + 1] * len(part))
    raw = "".join(parts)
    return replace(_finish(raw, name, "replace" if "\ufffd" in raw else "strict", start), places=places)


def _finish(raw: str, encoding: str, errors: str, start: int) -> Decoded:
    text = raw.replace("\0", "\ufffd")
    notes = []
    if errors != "strict":
        text = _SURROGATE.sub("\ufffd", text)
        notes.append(f"not valid {encoding.upper()} throughout: invalid bytes are shown as \ufffd")
    return Decoded(text, raw, encoding, errors, start, tuple(notes))


def _find_wide(head: bytes) -> str:
    """Return which of UTF-16 and UTF-32 bytes with zeros are, if all characters are assigned; else ''."""
    best = (0, "")
    for name in (name for name, width in _WIDE.items() if len(head) % width == 0):
        try:
            text = codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        plain, usual = len(text.encode("ascii", "ignore")), len(_USUAL.findall(text))
        # Latin letters with their bytes swapped are Chinese ones, so those count less.
        is_likely = 2 * usual > len(text) and (plain or usual > 4)
        if (
            is_likely
            and plain + usual > best[0]
            and not any(unicodedata.category(c) in _NO_TEXT for c in set(text) - set("\t\n\r\f"))
        ):
            best = (plain + usual, name)
    return best[1] if len(head) > 3 else ""


def _find_declared(head: bytes, kind: str) -> str:
    """Return the codec that a source declares at its beginning; '' if there is none or it cannot be right."""
    patterns = list(_DECLARATIONS)
    if kind == "html" or (not kind and head.lstrip().startswith(b"<")):
        patterns.append(_META)
        head = _COMMENT.sub(b"", head)
    if kind == "code" or head.startswith(b"#!"):
        patterns.append(_CODING)
    for pattern in patterns:
        find = pattern.search if pattern is _META else pattern.match
        if label := find(head):
            try:
                name = find_codec(label[1].decode())
            except UsageError:
                return ""
            return "" if name.startswith("utf") else name
    return ""


def _guess_stateful(data: bytes) -> str:
    """Return the codec of a 7-bit text with escape sequences (ISO-2022, HZ), or ''."""
    from chardet import detect

    name = detect(data[:_SAMPLE], include_encodings=["iso2022_jp_2", "iso2022_kr", "hz", "ascii"])["encoding"]
    name = find_codec(name) if name else ""
    return name if _STATEFUL.match(name) else ""


def _guess(sample: bytes) -> str:
    """Return the most probable encoding of bytes that are not UTF-8: cp1252 if it comes near the best."""
    from chardet import detect_all

    found = detect_all(sample, ignore_threshold=True, include_encodings=_GUESSES.split())
    sure = {find_codec(each["encoding"]): each["confidence"] for each in found if each["encoding"]}
    names = list(sure) or ["cp1252"]
    if names[0] not in ("cp850", "mac-roman") and sure.get("cp1252", 0) >= 0.8 * sure.get(names[0], 0):
        names.insert(0, "cp1252")
    name = next((name for name in names if _is_plausible(sample, name)), names[0])
    text = sample.decode(name, "ignore")
    if name in _MULTIBYTE - {"cp932"} and 20 * len(_KANA.findall(text)) > len(text):
        # Kana have the same bytes in EUC-JP and in Chinese and Korean encodings, but only Japanese uses them.
        return "euc_jp" if "\ufffd" not in sample.decode("euc_jp", "replace")[:-1] else name
    return name


def _is_plausible(sample: bytes, name: str) -> bool:
    """Return whether a codec decodes all, without control characters or foreign letters in Latin words."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(sample)
    except UnicodeDecodeError:
        return False
    foreign = _FOREIGN.findall(text)
    mixed = sum(word[0].isascii() or word[-1].isascii() for word in foreign)
    return not any("\x80" <= each < "\xa0" for each in text) and (not foreign or 2 * mixed < len(foreign))
