"""Import chats that WhatsApp exports as text: each chat becomes a source, each message a turn.

The phone's language decides the format of the dates, and the file does not contain the order of day and
month. WhatsApp marks its own text on iPhones, and names of files, with U+200E.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, Importer, each_file
from memos_cli.interface.time.dates import milliseconds
from memos_cli.zones import local_zone

_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff"))
_GAP = r"[\s\u200e\u200f]{0,2}"
_STAMP = (
    rf"(\d{{1,4}}){_GAP}[./年년-]{_GAP}(\d{{1,2}}){_GAP}[./月월-]{_GAP}(\d{{1,4}})[日일.]?"
    r"(?P<%s1>[^\d\[\]:-]{0,24}?)(\d{1,2})[:.](\d\d)(?:[:.](\d\d))?(?P<%s2>[^\d\[\]:-]{0,16}?)"
)
_LINE = re.compile(
    rf"[\u200e\u200f\ufeff]*(?:\[{_STAMP % ('a', 'a')}\]\s?|{_STAMP % ('b', 'b')}\s[-–]\s)(?P<said>.*)",
    re.DOTALL,
)
"""The first line of a message: ``[15/04/16, 15:04:05] …`` on iPhones, ``15.04.16, 15:04 - …`` on Android."""
_AFTERNOON = frozenset("pm 下午 晚上 中午 午後 오후 μμ م मउ अपराह्न du ip ch".split())
_MORNING = frozenset("am 上午 早上 凌晨 清晨 午前 오전 πμ ص मपू पूर्वाह्न de ap sa".split())
_PLACEHOLDER = re.compile(
    r"<(?=[^<>]*[\s\u0080-\uffff])[^<>\n]{3,80}>|[A-Z]{3}-\d{8}-WA\d+\.\w{2,5} \([^()\n]{3,40}\)"
)
"""Placeholders for media, in every language: ``<Media omitted>``, ``IMG-1.jpg (file attached)``."""
_EDITED = re.compile(r"\s<(?=[^<>]*\s)[^<>\n]{14,60}>$")
_OWN_WORDS = re.compile(r"\s?\u200e[^\n]{0,60}$", re.MULTILINE)
"""Text that an iPhone adds: ``<attached: …>``, ``2 pages``."""
_DELETED = {
    "this message was deleted", "you deleted this message", "missed voice call", "missed video call",
    "diese nachricht wurde gelöscht", "du hast diese nachricht gelöscht", "se eliminó este mensaje",
    "este mensaje fue eliminado", "eliminaste este mensaje", "ce message a été supprimé",
    "vous avez supprimé ce message", "questo messaggio è stato eliminato", "hai eliminato questo messaggio",
    "mensagem apagada", "esta mensagem foi apagada", "você apagou esta mensagem", "dit bericht is verwijderd",
    "je hebt dit bericht verwijderd", "u hebt dit bericht verwijderd", "данное сообщение удалено",
    "вы удалили данное сообщение", "bu mesaj silindi", "bu mesajı sildiniz", "ta wiadomość została usunięta",
    "detta meddelande raderades", "pesan ini dihapus", "anda menghapus pesan ini", "此消息已被删除",
    "您删除了此消息", "このメッセージは削除されました", "삭제된 메시지입니다", "تم حذف هذه الرسالة",
    "यह मैसेज मिटाया गया",
}  # fmt: skip
"""Placeholders of Android for a deleted message or a missed call, in lower case."""
_ENCRYPTED = re.compile(
    r"end-to-end|ende-zu-ende|extremo a extremo|bout en bout|ponta a ponta|crittografi|сквозн|uçtan uca"
    r"|szyfrowan|端到端|端对端|エンド|종단간",
    re.IGNORECASE,
)
"""Words of the notice that opens a chat; some phones sign it with the name of the chat."""
_CHAT = re.compile(
    r".*WhatsApp.*?(?: with | mit | con | avec | com | met | med | с контактом | - )(.+)", re.I
)
_CUT = re.compile(r"\u200e?(?:\[|\d+[./-]\d+[./-])[\d/., :-]*")
"""A last line that was cut off within the time of a message."""
_COPY = re.compile(r"\s*\(\d+\)$")
_AUTHOR = 80
"""Maximum characters of a name; a line with a longer text before its colon is a system line."""


@dataclass(slots=True)
class _Message:
    numbers: tuple[int, int, int]
    clock: tuple[int, int, int]
    stamp: str
    said: str


def _is_whatsapp(export: Export) -> bool:
    return any(_opens_chat(export.head(name)) for name in export.named("*.txt")[:50])


def _opens_chat(head: bytes) -> bool:
    lines = [line for line in head.decode("utf-8-sig", "replace").splitlines()[:20] if line.strip()]
    return bool(lines) and bool(_LINE.match(lines[0])) and any(map(_author_of, lines))


def read_whatsapp(export: Export) -> Iterator[Bundle]:
    """Read the `.txt` files of exported chats, also in a zip. Media, calls and system lines stay out."""
    return _read(export, export.named("*.txt"))


@each_file
def _read(export: Export, name: str) -> Iterator[Bundle]:
    if _opens_chat(export.head(name)):  # others are texts that somebody sent
        yield _chat(export, name)


def _chat(export: Export, name: str) -> Bundle:
    title = _title(export, name)
    bundle = Bundle(f"whatsapp:{title}", title)
    messages = list(_messages(export.text(name)))
    is_dotted = any("." in message.stamp.split()[0] for message in messages[:1])
    order, note = _order([message.numbers for message in messages], export.date_order, is_dotted=is_dotted)
    if note:
        bundle.notes.append(f"{name}: {note}")
    times = Counter[str]()
    for number, message in enumerate(messages):
        author, said = _split_author(message.said)
        if number == 0 and _ENCRYPTED.search(said):
            continue
        if not author or not (said := _written_text(said)):
            continue
        # The same person may write twice in a minute. The date in the key is as written, not as parsed.
        ref = f"{message.stamp} {author}"
        times[ref] += 1
        bundle.add(
            said, type="dialogue", author=author, title=title, time=_moment(message, order),
            ref=f"{ref} {times[ref]}" if times[ref] > 1 else ref,
        )  # fmt: skip
    if not bundle.drafts:
        bundle.faults.append(f"{name}: no messages in it")
    return bundle


def _messages(whole: str) -> Iterator[_Message]:
    """Yield the messages and system lines. A line that begins with no time belongs to the one before it."""
    open_message: _Message | None = None
    is_bracketed: bool | None = None
    *lines, last = whole.split("\n")
    for line in lines if _CUT.fullmatch(last) else (*lines, last):
        line = line.removesuffix("\r")
        found = _LINE.fullmatch(line)
        if found and is_bracketed in (None, found["a1"] is not None) and (message := _begun(found)):
            if open_message:
                yield open_message
            is_bracketed = found["a1"] is not None
            open_message = message
        elif open_message:
            open_message.said += f"\n{line}"
    if open_message:
        yield open_message


def _begun(found: re.Match[str]) -> _Message | None:
    """Parse the first line of a message; return None if its numbers are no time of day."""
    at, side = (0, "a") if found["a1"] is not None else (8, "b")
    one, two, three = (int(found[at + number]) for number in (1, 2, 3))
    hour, minute, second = int(found[at + 5]), int(found[at + 6]), int(found[at + 7] or 0)
    half = _half(found[f"{side}1"]) or _half(found[f"{side}2"] or "")
    if half and 1 <= hour <= 12:
        hour = hour % 12 + 12 * (half == "pm")
    if hour > 23 or minute > 59 or second > 59:
        return None
    stamp = " ".join(found[0][: found.start("said")].translate(_MARKS).split()).strip("[] -–")
    return _Message((one, two, three), (hour, minute, second), stamp, found["said"])


def _half(words: str) -> str:
    word = "".join(each for each in unicodedata.normalize("NFKC", words).casefold() if each.isalpha())
    return "pm" if word in _AFTERNOON else "am" if word in _MORNING else ""


def _author_of(line: str) -> str:
    found = _LINE.fullmatch(line)
    return _split_author(found["said"])[0] if found else ""


def _split_author(said: str) -> tuple[str, str]:
    """Return the author and the text of a message; "" as the author of a system line."""
    author, colon, rest = said.partition(":")
    author = author.translate(_MARKS).strip().removeprefix("~").strip()
    is_name = colon and rest[:1] in (" ", "\n", "", "\u200e") and 0 < len(author) <= _AUTHOR
    return (author, rest.removeprefix(" ")) if is_name and not set(author) & set('"“„«\n') else ("", said)


def _written_text(said: str) -> str:
    """Return the text that a person wrote: without text of WhatsApp, placeholders and direction marks."""
    first, line_end, rest = said.partition("\n")
    if first.startswith("\u200e") or _PLACEHOLDER.fullmatch(first.strip()):
        first, line_end = "", ""  # a file, with its caption in the lines below
    said = _EDITED.sub("", _OWN_WORDS.sub("", first + line_end + rest)).translate(_MARKS).strip()
    return "" if said.casefold().rstrip(".") in _DELETED else said


def _moment(message: _Message, order: str) -> int | None:
    day = _day(message.numbers, order) if order else None
    if day is None:
        return None
    return milliseconds(datetime(day.year, day.month, day.day, *message.clock), local_zone())


def _day(numbers: Sequence[int], order: str) -> date | None:
    known = dict(zip(order, numbers, strict=True))
    year = known["y"]
    if year > 2400:  # the Buddhist calendar
        year -= 543
    try:
        return date(year + 2000 if year < 100 else year, known["m"], known["d"])
    except ValueError:
        return None


def _order(numbers: Sequence[tuple[int, int, int]], asked: str, *, is_dotted: bool) -> tuple[str, str]:
    """Return the order of day, month and year in a file ("" if it is unknown), and a note if it is uncertain.

    An order is possible if the dates exist and are not in the future. Of two orders, the one that sorts the
    messages is right. Otherwise, the order in which the days of the chat are much closer together is likely.
    """
    if asked:
        return asked, ""
    latest = date.fromtimestamp(time.time() + 86_400)
    years_first = any(one > 31 for one, _, _ in numbers)
    possible: dict[str, list[date]] = {}
    for order in ("ymd",) if years_first else ("dmy",) if is_dotted else ("dmy", "mdy"):
        days = [day for each in numbers if (day := _day(each, order)) and day <= latest]
        if len(days) >= 0.9 * len(numbers):  # others are pasted, not sent
            possible[order] = days
    most = max(map(len, possible.values()), default=0)
    possible = {order: days for order, days in possible.items() if len(days) == most}
    again = "import it again with --date-order"
    if not possible:
        return "", f"the dates were not read: some do not exist or are in the future; {again} dmy or mdy"
    if len(possible) == 1 or possible["dmy"] == possible["mdy"]:
        return next(iter(possible)), ""
    backwards = {order: sum(b < a for a, b in pairwise(days)) for order, days in possible.items()}
    if backwards["dmy"] != backwards["mdy"]:
        return min(backwards, key=lambda order: backwards[order]), ""
    spans = {order: (max(days) - min(days)).days for order, days in possible.items()}
    likely, other = sorted(spans, key=lambda order: spans[order])
    if len({*numbers}) > 2 and spans[other] > 5 * spans[likely]:
        first = "day" if likely == "dmy" else "month"
        return likely, f"the dates are probably {first} first; if that is wrong, {again} {other}"
    return "", f"the dates were not read: the day or the month may come first; {again} dmy or mdy"


def _title(export: Export, name: str) -> str:
    """Return the name of a chat: in the file's name, or in that of the zip or folder around `_chat.txt`."""
    stem = name.rpartition("/")[2].rpartition(".")[0]
    if stem.strip("_").casefold() == "chat":
        folder = name.rpartition("/")[0].rpartition("/")[2]
        stem = folder or (export.path.name if export.path.is_dir() else export.path.stem)
        if not folder and export.entries is None and not export.path.is_dir():
            stem = export.path.resolve().parent.name
    stem = _COPY.sub("", stem.strip())
    found = _CHAT.fullmatch(stem)
    return (found[1] if found else stem).strip()


WHATSAPP = Importer(read_whatsapp, _is_whatsapp, "WhatsApp: exported chats (text)")
