# ruff: noqa: E501  (tables)
"""Split a note into statements: sentences, ``key: value`` lines, rows of tables and fragments, under a topic.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from memos_cli.operation.adapters.questions.spans import find_spans, is_wide
from memos_cli.operation.search.sentences import HEADING, split_sentences

LONGEST = 300
"""Characters of a sentence that is taken apart; a longer one says too much for one question."""
_ITEM = re.compile(r"[ \t>]*(?:[-*+•–]|\d{1,3}[.)、])[ \t]+(?:\[[ xX]\] )?")
_MARKS = re.compile(r"\*\*|__|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)|\[(?=[^\]]+\]\()|(?<=\w)\]\([^)]*\)")
_FIELD = re.compile(
    r"(?P<name>[^\W\d_][^:：=|.!?]{0,38}?)\s*(?:[:：]\s+|：|=\s*)(?P<value>\S.*)\Z", re.DOTALL
)
_QUESTION = re.compile(r"[?？]\s*\Z")
_CODE = re.compile(
    r"[{};]\s*\Z|^\s*(?:import|def|class|return|from \w+ import|if .*:|for .*:|#include|\$ )|\w\(.*\)\s*\Z"
)
_MARK_WORDS = {
    "de": "der die das und ist nicht ein eine mit für im den dem auf sind wird am zum zur von ich wir mein meine unser"
          " unsere bei seit vom es",
    "fr": "le la les des est une un du dans pour sur avec je mon ma mes notre et au aux ce cette qui",
    "es": "el los las es una un del en para con mi mis nuestro nuestra y al que se su",
    "en": "the a an is are was were of to in on at for and my our with by it i we has have his her their from until",
}  # fmt: skip
_KNOWN = {language: frozenset(words.split()) for language, words in _MARK_WORDS.items()}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a note: a sentence, or a named value."""

    text: str
    """The sentence; of a named value, the value."""
    name: str = ""
    """The name of the value: "Port"; "" for a sentence."""
    topic: str = ""
    """Its subject: a heading, the first cell of a row, the text before a colon."""


def language_of(text: str) -> str:
    """Detect the language: ``zh`` for Chinese, Japanese and Korean; else by common small words; else
    ``en``.
    """
    if is_wide(text):
        return "zh"
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = {language: sum(word in known for word in words) for language, known in _KNOWN.items()}
    return max(counts, key=lambda language: (counts[language], language == "en"))


def statements_of(text: str, title: str = "") -> list[Statement]:
    """Return the statements of a note, in order. Questions, code and overlong statements are left out."""
    found: list[Statement] = []
    topic, last = "", ""
    for part in split_sentences(text):
        if part.kind == "code":
            continue
        heading = _clean(part.heading) or _heading_of(title)
        if heading != last:
            topic, last = heading, heading
        topic = topic or heading
        body = text[part.start : part.end]
        if part.kind == "row":
            found += _row(body, part.columns)
            continue
        for line in _lines(body):
            new, topic = _line(line, topic)
            found += new
    return [each for each in found if each.text]


def _heading_of(title: str) -> str:
    """Return the last part of a title: of "Plans › Garden wall" the garden wall; not the name of a file."""
    last = re.split(r"\s*[›>/]\s*", title)[-1]
    return "" if re.search(r"\.\w{1,5}\Z|\d{4}", last) else _clean(last)


def _clean(text: str) -> str:
    return " ".join(_MARKS.sub("", text).split()).strip(" #|")


def _lines(body: str) -> Iterator[str]:
    """Yield the sentences of a block, which may have joined short ones and lines of fields."""
    for line in body.split("\n") if _is_list(body) else [" ".join(body.split("\n"))]:
        line = _clean(line[found.end() :] if (found := _ITEM.match(line)) else line)
        start = 0
        for stop in re.finditer(
            r"(?<=[^\W\d]{3})[.!;]\s+(?=[^\W_])|(?<=[\d%)\"”’'])[.!;]\s+(?=[A-ZÄÖÜ])|[。！；]", line
        ):
            if not re.search(r"\b(?:Dr|Mrs?|Ms|Prof|St|No|Nr)\Z", line[start : stop.start()]):
                yield line[start : stop.start() + 1]
                start = stop.end()
        yield line[start:]


def _is_list(body: str) -> bool:
    lines = body.split("\n")
    return all(_ITEM.match(line) or _FIELD.match(line) or len(line) < 50 for line in lines)


def _line(line: str, topic: str) -> tuple[list[Statement], str]:
    """Return the statements of one sentence, and the topic of those that follow."""
    line = line.strip()
    if not line or len(line) > LONGEST or _QUESTION.search(line) or _CODE.search(line):
        return [], topic
    if heading := HEADING.match(line):
        return [], heading[1]
    field = _FIELD.match(line)
    if field is None or "://" in line[: field.end("name") + 3]:
        return [Statement(line, topic=topic)], topic
    name, value = _clean(field["name"]), field["value"].strip()
    if line.endswith(":"):
        return [], _clean(line[:-1])
    if len(name.split()) <= 5 and not _is_long(value):
        return [Statement(value.rstrip(".。"), name=name, topic=topic)], topic
    # "Trip to Porto: flight TP553 leaves at 7:05": the topic of the rest, too.
    return [Statement(value, topic=name)], name


def _is_long(value: str) -> bool:
    """Return whether a value is rather a sentence, or a list of several things."""
    if is_wide(value):
        return len(value) > 16 or "，" in value
    return len(value.split()) > 6 or ("," in value and len(find_spans(value)) > 1)


def _row(body: str, columns: str) -> list[Statement]:
    """Return a row of a table as statements: its first cell names the topic, the others the values."""
    names = [_clean(name) for name in columns.split(" | ")]
    cells = [_clean(cell) for cell in body.strip().strip("|").split("|")]
    pairs = zip(names[1:], cells[1:], strict=False) if len(names) == len(cells) and cells[0] else ()
    return [Statement(cell, name, cells[0]) for name, cell in pairs if cell and name]
