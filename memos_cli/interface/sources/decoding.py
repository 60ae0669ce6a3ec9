"""Bytes to text, and places in the text back to places in the bytes.

Every piece of a source is located by a span of *bytes* in the source as it lies on disk. So nothing is
normalised here: line ends, BOMs and encodings stay what they are, and one character of ``Decoded.text``
always stands for one character of ``Decoded.raw``, whose encoding gives the original bytes back.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from memos_cli.cube import Span
from memos_cli.errors import MemosError

HEAD = 8192
"""Bytes at the start of a source that decide whether it is text."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b"))
_SURROGATE = re.compile("[\ud800-\udfff]")
_LEGACY = "cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 koi8_r gb18030 big5 cp932 euc_jp cp949"
"""What files that are not Unicode are mostly in. All are stateless: a part reads as it does in the whole."""
_TWO_BYTES = frozenset(["gb18030", "big5", "cp932", "euc_jp", "cp949"])


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

    def instead(self, text: str) -> Decoded:
        """The same bytes, read as ``text``, which has as many characters."""
        return replace(self, text=text)


def looks_binary(head: bytes) -> bool:
    """Whether the first bytes of a source are no text: NUL, or more control characters than text has."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return False
    head = head[:HEAD]
    return b"\0" in head or 20 * (len(head) - len(head.translate(None, _CONTROL))) > len(head)


def decode(data: bytes) -> Decoded:
    """Reads UTF-8 (with or without BOM), UTF-16 with a BOM, or else the most probable legacy encoding.

    A UTF-8 text with a few broken bytes stays UTF-8. Raises MemosError for binary data.
    """
    if looks_binary(data):
        raise MemosError("this is binary data, not text", "name a text, PDF or Office file")
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _decode_as(encoding, data, len(bom))
    try:
        return _finish(data.decode("utf-8"), "utf-8", "strict", 0)
    except UnicodeDecodeError as error:
        first_bad = error.start
    raw = data.decode("utf-8", "surrogateescape")
    bad = len(_SURROGATE.findall(raw))
    good = len(raw) - bad - len(data.translate(None, bytes(range(128, 256))))
    if good > bad:
        return _finish(raw, "utf-8", "surrogateescape", 0)
    encoding = _guess(
        data[:HEAD] if first_bad < HEAD else data[first_bad - HEAD // 2 : first_bad + HEAD // 2]
    )
    for name in (encoding, "cp1252"):
        try:
            text = data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        if len(text) == len(data) or len(text.encode(name, "replace")) == len(data):
            return _finish(text, name, "strict", 0, f"not UTF-8: read as {name}")
    return _finish(data.decode("latin-1"), "latin-1", "strict", 0, "not UTF-8: read as latin-1")


def ruler(decoded: Decoded) -> Callable[[int, int], Span]:
    """A function from a range of characters to its Span of bytes.

    It remembers the last place and encodes only what lies between, so asking for places in order is
    linear in the text altogether, and free where a character is a byte.
    """
    raw, encoding, errors, shift = decoded.raw, decoded.encoding, decoded.errors, decoded.start
    if raw.isascii() and not encoding.startswith("utf-16"):
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
    """The text without what cannot be stored: NUL is dropped, a lone surrogate becomes U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _decode_as(encoding: str, data: bytes, start: int) -> Decoded:
    """Decodes after a BOM, which is a promise: what breaks it is replaced, not guessed at."""
    body = data[start:]
    try:
        return _finish(body.decode(encoding), encoding, "strict", start)
    except UnicodeDecodeError:
        if encoding == "utf-8":
            return _finish(body.decode(encoding, "surrogateescape"), encoding, "surrogateescape", start)
        even = body[: len(body) // 2 * 2]
        return _finish(even.decode(encoding, "surrogatepass"), encoding, "surrogatepass", start)


def _finish(raw: str, encoding: str, errors: str, start: int, note: str = "") -> Decoded:
    text = raw.replace("\0", "\ufffd")
    notes = [note] if note else []
    if errors != "strict":
        text = _SURROGATE.sub("\ufffd", text)
        notes.append(f"not quite {encoding.upper()}: what could not be read is shown as \ufffd")
    return Decoded(text, raw, encoding, errors, start, tuple(notes))


def _guess(sample: bytes) -> str:
    """The most probable encoding of some bytes that are not UTF-8.

    cp1252 is the most common by far, so it is the answer unless the sample reads as some language in another.
    """
    from charset_normalizer import from_bytes

    # In the encodings of East Asia most characters are two bytes above 127; a text without two such bytes in
    # a row is in an alphabet.
    is_alphabet = not re.search(rb"[\x80-\xff]{2}", sample)
    names = [name for name in _LEGACY.split() if not (is_alphabet and name in _TWO_BYTES)]
    matches = from_bytes(sample, cp_isolation=names)
    best = matches.best()
    if best is None or "cp1252" in best.could_be_from_charset:
        return "cp1252"
    western = [match for match in matches if match.encoding == "cp1252"]
    return "cp1252" if western and western[0].coherence >= best.coherence else best.encoding
