"""Split a memory into sentences: the units that a search scores and an answer quotes.

A memory is a self-contained passage with several facts, and one vector of all of them resembles no question.
So each sentence, list item, table row and short block of code has its own vector, together with the headings
above it. Pure: text in, ranges of characters out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from memos_cli.cube import Sentence
from memos_cli.letters import WIDE

LONGEST = 400
"""Most characters of a sentence; a longer one is cut at a comma or a space."""
_SHORT = 24
"""A sentence with fewer characters is too short: it joins the one before it. A Chinese,
Japanese or Korean character counts three times."""
_WRAPPED = 50
"""A line with at least as many characters may be wrapped: its sentence continues on the next line."""
_RECORD = 250
"""Short fields (``name: value`` on lines) stay together up to this length: alone, each lacks its subject."""
_WHOLE_CODE = 600
"""Longest block of code that stays one sentence, in characters."""
_BLOCK = 2000
"""Characters that the segmenter gets at once: its time grows with the square of this length."""

_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]*)?(`{3,}|~{3,})")
HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t#]*\Z")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*\Z")
_DELIMITERS = re.compile(r"[ \t]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?\Z")
_ITEM = re.compile(r"[ \t>]*(?:[-*+•–]|\d{1,9}[.)、]|[（(]?[一二三四五六七八九十]+[)）、.])[ \t]*(?=\S)")
_FIELD = re.compile(r"[\w .-]{1,40}[:：=]\s*\S")
_NAME = re.compile(r"[\w .-]{1,40}[:：][ \t]*\Z")
_ENDS = re.compile(r"[.!?…。！？؟।;；:：][\"'”’)\]》」』*_`]*[ \t]*\Z")
_STOPS = re.compile(r"[.!?…]\s+|[。！？؟।]\s*|\n")
# A sentence goes on after the point of an ordinal: before a month, or after "im", "der" and the like.
_DAY = re.compile(r"(?:\A|[^\w.,])\d{1,2}\.\s+\Z")
_ORDINAL = re.compile(r"\b(?:im|vom|zum|zur|beim|der|dem|des) \d{1,3}\.\s+\Z", re.IGNORECASE)
# German alone writes ordinals with a point and months with a capital; elsewhere a small letter goes on.
_MONTH = re.compile(
    r"(?:Jan(?:uar)?|Jänner|Feb(?:ruar)?|März|Apr(?:il)?|Mai|Juni?|Juli?|Aug(?:ust)?|Sept(?:ember)?|Okt(?:ober)?"
    r"|Nov(?:ember)?|Dez(?:ember)?)\b"
)
_BREAKS = re.compile(r"[,，、;；:：—][ \t]*|[ \t\n]+")
_WIDE = re.compile(f"[{WIDE}]")
_LETTER = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def split_sentences(text: str) -> list[Sentence]:
    """Split the text of a memory, in order. Text without letters or digits is one sentence, blank text is
    none.

    Headings and the delimiters of tables and code are not sentences, unless the text has nothing else.
    """
    found = [each for each in _split(text) if _LETTER.search(text, each.start, each.end)]
    if found:
        return _joined(text, found)
    trimmed = text.strip()
    if not trimmed:
        return []
    start = text.index(trimmed[0])
    return [Sentence(start, start + len(trimmed))]


def _split(text: str) -> Iterator[Sentence]:
    """Split a text into all its sentences, including short ones."""
    lines, heading, at = _lines(text), "", 0
    while at < len(lines):
        line = lines[at]
        follows = lines[at + 1].text if at + 1 < len(lines) else ""
        if not line.text.strip():
            at += 1
        elif fence := _FENCE.match(line.text):
            end = _fence_end(lines, at, fence[1])
            yield from _code(lines[at:end], heading)
            at = end
        elif found := HEADING.match(line.text[:500]):
            heading, at = found[1], at + 1
        elif len(line.text) < 200 and "|" not in line.text and _UNDERLINE.match(follows):
            heading, at = line.text.strip(), at + 2
        elif "|" in line.text and _DELIMITERS.match(follows):
            end = at + 2
            while end < len(lines) and "|" in lines[end].text:
                end += 1
            columns = " | ".join(cell.strip() for cell in line.text.strip().strip("|").split("|"))
            if end == at + 2:
                yield _trimmed(text, line.start, line.end, heading, "row")
            for row in lines[at + 2 : end]:
                yield replace(_trimmed(text, row.start, row.end, heading, "row"), columns=columns)
            at = end
        else:
            end = _paragraph_end(lines, at)
            kind = "item" if _ITEM.match(line.text) else "sentence"
            yield from _paragraph(text, line.start, lines[end - 1].end, heading, kind)
            at = end


def _lines(text: str) -> list[_Line]:
    lines, at = [], 0
    for line in text.split("\n"):
        lines.append(_Line(at, line.rstrip("\r")))
        at += len(line) + 1
    return lines


def _fence_end(lines: list[_Line], at: int, fence: str) -> int:
    for number in range(at + 1, len(lines)):
        closing = lines[number].text.strip(" \t>")
        if closing.startswith(fence) and not closing.strip(fence[0]):
            return number + 1
    return len(lines)


def _code(lines: list[_Line], heading: str) -> Iterator[Sentence]:
    """Yield a block of code as one sentence, or as groups of its lines."""
    start = 0
    for number, line in enumerate(lines):
        last = number + 1 == len(lines)
        if last or lines[number + 1].end - lines[start].start > _WHOLE_CODE:
            yield Sentence(lines[start].start, line.end, heading, kind="code")
            start = number + 1


def _paragraph_end(lines: list[_Line], at: int) -> int:
    """Return the index of the line after a paragraph or list item."""
    end = at + 1
    while end < len(lines):
        line, before = lines[end].text, lines[end - 1].text
        if not line.strip() or _FENCE.match(line) or HEADING.match(line[:500]) or _ITEM.match(line):
            break
        if _FIELD.match(line):
            if not _goes_with(before, line) or lines[end].end - lines[at].start > _RECORD:
                break
        elif _ENDS.search(before[-20:]) or not _is_wrapped(before):
            break
        end += 1
    return end


def _goes_with(before: str, field: str) -> bool:
    """Return whether a field belongs to the record of the line before it: short fields, or fields below a
    name.
    """
    deeper = _indent(field) - _indent(before)
    if _NAME.match(before):
        return deeper > 0
    return bool(_FIELD.match(before)) and deeper >= 0 and not (_is_wrapped(before) or _is_wrapped(field))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_wrapped(line: str) -> bool:
    return len(line) + 2 * len(_WIDE.findall(line[:_WRAPPED])) >= _WRAPPED


def _paragraph(text: str, start: int, end: int, heading: str, kind: str) -> Iterator[Sentence]:
    if kind == "item" and end - start <= LONGEST:
        yield _trimmed(text, start, end, heading, kind)
        return
    for block, block_end in _blocks(text, start, end):
        for first, last in _segments(text, block, block_end):
            while last - first > LONGEST:
                middle = _break_in(text, first, last)
                yield _trimmed(text, first, middle, heading, kind)
                first = middle
            if text[first:last].strip():
                yield _trimmed(text, first, last, heading, kind)


def _segments(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the sentences of a block; do not split "14. Januar" and Fritz!Box as the segmenter does."""
    from sentencex import get_sentence_boundaries

    first = start
    # The segmenter recognises Chinese and Japanese full stops by the characters: one language is enough.
    for part in get_sentence_boundaries("en", text[start:end]):
        last = start + part["end_index"]
        if last >= end or not _goes_on(text, first, last):
            yield first, last
            first = last
    if first < end:
        yield first, end


def _goes_on(text: str, first: int, last: int) -> bool:
    """Return whether the sentence that starts at ``first`` continues at ``last``."""
    before, after = text[max(first, last - 20) : last], text[last : last + 12]
    if text[last - 1] in ".!?" and after[0].isalnum():
        return True
    if not _DAY.search(before):
        return bool(_ORDINAL.search(before))
    return after[0].islower() or bool(_MONTH.match(after) or _ORDINAL.search(before))


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a paragraph in blocks of at most ``_BLOCK`` characters that end where a sentence may end."""
    while end - start > _BLOCK:
        half, full = start + _BLOCK // 2, start + _BLOCK
        places = [found.end() for found in _STOPS.finditer(text, half, full)]
        places = places or [found.end() for found in _BREAKS.finditer(text, half, full)]
        yield start, (places or [full])[-1]
        start = (places or [full])[-1]
    yield start, end


def _break_in(text: str, start: int, end: int) -> int:
    """Return where to cut a sentence that is too long: after the last comma or space that fits."""
    places = [found.end() for found in _BREAKS.finditer(text, start + LONGEST // 2, start + LONGEST)]
    return places[-1] if places else min(end, start + LONGEST)


def _trimmed(text: str, start: int, end: int, heading: str, kind: str) -> Sentence:
    part = text[start:end]
    first = start + len(part) - len(part.lstrip())
    return Sentence(first, max(first, start + len(part.rstrip())), heading, kind=kind)


def _joined(text: str, found: list[Sentence]) -> list[Sentence]:
    """Join sentences that are too short to the one before, or else to the one after."""
    joined: list[Sentence] = []
    for each in found:
        before = joined[-1] if joined else None
        fits = (
            before is not None
            and before.kind == each.kind == "sentence"
            and before.heading == each.heading
            and text.count("\n", before.end, each.start) < 2
            and each.end - before.start <= LONGEST
        )
        introduces = _NAME.match(text[each.start : each.end])
        if before and fits and not introduces and (_is_short(text, each) or _is_short(text, before)):
            joined[-1] = Sentence(before.start, each.end, each.heading)
        else:
            joined.append(each)
    return joined


def _is_short(text: str, sentence: Sentence) -> bool:
    part = text[sentence.start : sentence.end]
    return len(part) < _SHORT and len(part) + 2 * len(_WIDE.findall(part)) < _SHORT
