"""From the text of a memory to sentences that stand alone, with headings and pronouns resolved. Pure.

Markdown, ``key: value`` lines, tables and prose all become plain sentences with the topic they stand under.
What cannot be resolved is left out rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memos_cli.operation.wording.clauses import parse_clause
from memos_cli.operation.wording.drafts import common
from memos_cli.operation.wording.facts import Sentence
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.nouns import (
    NAMES,
    capital,
    is_name,
    is_plural,
    to_first_person,
)
from memos_cli.operation.wording.pronouns import resolved
from memos_cli.operation.wording.siblings import groups_of
from memos_cli.operation.wording.speakers import as_said

_ABBREVIATIONS = "".join(
    rf"(?<!\b{word}\.)"
    for word in ("Dr", "Mr", "Mrs", "Ms", "No", "St", r"e\.g", r"i\.e", "vs", "approx", "ca", "Prof")
)
_END = re.compile(
    rf"(?<=[.!?]){_ABBREVIATIONS}[\"'”’)*_]*\s+(?=[\"'“‘(*_`]*[A-Z0-9ÄÖÜÉÀ¿¡]|`)|(?<=[。！？])\s*"
    rf"|(?<=[.!?][\"”*_)])\s+(?=[A-Z])"
)
_LIST_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+(?:\[[ xX]\]\s+)?")
_PAIR = re.compile(r"^(?P<key>[^:：.!?]{2,48}?)\s*(?::|：| [–—=] )\s*(?P<value>\S.*)$")
_LETTER = re.compile(r"[^\W\d_]")
_CODE = re.compile(
    r"[{};]\s*$|^\s*(?:def|class|import|from|return|if|for|while|elif|else|try|const|let|var|public"
    r"|private|function|#include|print)\b.*[:;({\w]$|^\s*[\w.]+ ?[-+]?= ?\S|^\s*[\w.]+\(.*\)\s*$|->|=>"
)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_AMOUNT_ITEM = re.compile(
    r"(?P<n>\d[\d.,]*(?: ?(?:kg|g|ml|cl|l|cups?|tbsp|tsp))?) (?:of )?(?P<what>[a-z][a-z -]*)"
)
_GENERIC_TITLES = word_set(
    """notes note misc todo readme memory memories untitled general facts info information summary about me
    details data other"""
)


def sentences_of(text: str, *, title: str = "", author: str = "") -> list[Sentence]:
    """The statements of a memory; questions, code, and what says nothing by itself are left out."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 2 and sum(bool(_CODE.search(line)) for line in lines) * 5 >= len(lines) * 2:
        return []
    heading = _heading_of(title, text)
    found: list[Sentence] = []
    of_user = False  # whether the sentence before spoke of "the user"
    for sentence in _blocks(text, heading):
        told = sentence.text
        if of_user:
            told = re.sub(r"^(?:They|He|She)\b", "The user", told)
            told = re.sub(r"^(?:Their|His|Her) (?=[a-z])", "The user's ", told)
        of_user = bool(re.match(r"(?:The )?[Uu]ser\b", told))
        spoken = as_said(told, author)
        if spoken:
            found.append(Sentence(spoken, sentence.topic, sentence.heading, bool(author)))
    return found if _CJK.search(text) else list(resolved(found))


def _heading_of(title: str, text: str) -> str:
    """A title that says what the text is about; empty where it is only the beginning of the text."""
    last = title.rpartition(" › ")[2].strip(" .…#")
    said = re.sub(r"\W+", " ", text.lower()).strip()
    if not last or (
        said.startswith(re.sub(r"\W+", " ", last.lower()).strip()) and not text.lstrip().startswith("#")
    ):
        return ""
    return "" if last.lower() in _GENERIC_TITLES or len(last.split()) > 7 else last


def topic_of(heading: str) -> str:
    """A heading as one speaks of it: "Staging database" -> "the staging database", "Larkspur" as it is."""
    heading = re.sub(r"^[\d.)\s]+", "", plain_markdown(heading)).strip(" :#*.")
    words = heading.split()
    if not words or heading.lower() in _GENERIC_TITLES or len(words) > 6 or re.search(r"[,;?!]", heading):
        return ""
    if re.search(r" (?:and|or) ", heading) and len(words) > 3:
        return ""
    first = words[0].lower()
    if first in {"my", "our", "the", "a", "an", "your"}:
        return to_first_person(f"{first} {' '.join(words[1:])}".strip())
    if any(word.lower() in forms_of_finite for word in words):
        return ""
    if len(words) == 1:
        bare = heading.lower()
        return (
            f"the {bare}"
            if common(bare) and bare not in NAMES and not re.search(r"[A-Z]", heading[1:])
            else heading
        )
    if re.search(r"'s$|’s$", words[0]):
        return f"{heading}"
    if words[1][0].islower() or (common(words[0].lower()) and words[0].lower() not in NAMES):
        small = words[0] if re.search(r"[A-Z0-9]", words[0][1:]) else words[0][0].lower() + words[0][1:]
        rest = " ".join(word.lower() if common(word.lower()) else word for word in words[1:])
        return f"the {small} {rest}"
    return heading


forms_of_finite = word_set("is are was were has have how what why when who should can")


def plain_markdown(text: str) -> str:
    """Emphasis, code marks, links and tags taken off."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^<>]{1,80}>", " ", text)
    text = re.sub(r"(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])", r"\1", text)
    text = re.sub(r"(?<!\w)_(?=\S)([^_]+?)(?<=\S)_(?!\w)", r"\1", text)
    return re.sub(r"`+([^`]+)`+", r"\1", text)


def _blocks(text: str, heading: str) -> Iterator[Sentence]:
    text = re.sub(r"\A\s*---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^(```|~~~).*?^\1", "\n", text, flags=re.DOTALL | re.MULTILINE)
    topic = topic_of(heading)
    header: list[str] = []
    paragraph: list[str] = []

    def closed() -> Iterator[Sentence]:
        joined = " ".join(paragraph)
        paragraph.clear()
        about = (topic, heading)
        for piece in _END.split(joined):
            for sentence in _statement(plain_markdown(piece).strip(), *about):
                if sentence.text.startswith("Take ") and sentence.topic:
                    about = sentence.topic, sentence.heading  # a recipe in one line
                yield sentence

    lines = text.splitlines()
    for at, line in enumerate(lines):
        mark = re.match(r"^\s{0,3}(#{1,6})\s+(.+?)\s*#*$", line)
        under = at + 1 < len(lines) and re.match(r"^(?:=+|-{3,})\s*$", lines[at + 1])
        alone = (
            at + 1 < len(lines)
            and not lines[at + 1].strip()
            and (at == 0 or not lines[at - 1].strip())
            and any(later.strip() for later in lines[at + 2 :])
        )
        if mark or (line.strip() and (under or (alone and _is_title(line)))):
            yield from closed()
            heading = mark[2] if mark else line.strip()
            topic = topic_of(heading) or topic
            header = []
            yield from _steps(lines[at + 1 :], topic, heading)
        elif (
            line.rstrip().endswith(":")
            and any(_LIST_ITEM.match(later) for later in lines[at + 1 : at + 3])
            and len(line.split()) < 8
        ):
            yield from closed()
            heading = line.strip().rstrip(":")
            topic = topic_of(heading) or topic
            yield from _steps(lines[at + 1 :], topic, heading)
        elif not line.strip() or re.match(r"^[=\-*_]{3,}\s*$", line):
            yield from closed()
            header = []
        elif line.lstrip().startswith("|"):
            yield from closed()
            cells = [plain_markdown(cell.strip()) for cell in line.strip().strip("|").split("|")]
            if not header:
                header = cells
            elif not all(re.fullmatch(r":?-+:?|", cell) for cell in cells):
                yield from _row(header, cells, heading)
        elif _LIST_ITEM.match(line) or _is_pair_line(line, lines, at):
            yield from closed()
            paragraph.append(_LIST_ITEM.sub("", line).strip())
            if not (
                at + 1 < len(lines)
                and re.match(r"^\s{2,}\S", lines[at + 1])
                and not _LIST_ITEM.match(lines[at + 1])
            ):
                yield from closed()
        else:
            paragraph.append(line.strip())
    yield from closed()


def _steps(lines: list[str], topic: str, heading: str) -> Iterator[Sentence]:
    """The numbered steps below a heading as one sentence: "To do the release process, run the tests, …"."""
    steps = []
    for line in lines:
        if line.strip():
            if not re.match(r"^\s*\d+[.)] ", line):
                break
            steps.append(plain_markdown(_LIST_ITEM.sub("", line)).strip(" ."))
    clauses = [parse_clause(step) for step in steps]
    if (
        topic
        and len(steps) > 1
        and all(clause is None or clause.imperative for clause in clauses)
        and any(clauses)
        and len(" ".join(steps).split()) < 40
    ):
        told = [step[0].lower() + step[1:] for step in steps]
        yield Sentence(f"To do {topic}, {', '.join(told[:-1])} and {told[-1]}.", topic, heading)


def _is_title(line: str) -> bool:
    return (
        len(line.split()) <= 6
        and not re.search(r"[.!?:;,。！？：]$", line.strip())
        and bool(_LETTER.search(line))
        and not _PAIR.match(line)
        and not parse_clause(line)
        and not _CJK.search(line)
    )


def _is_pair_line(line: str, lines: list[str], at: int) -> bool:
    match = _PAIR.match(plain_markdown(line.strip()))
    return (
        bool(match)
        and len(match["key"].split()) <= 5
        and (at == 0 or not lines[at - 1].strip() or bool(_PAIR.match(lines[at - 1])))
        if match
        else False
    )


def _row(header: list[str], cells: list[str], heading: str) -> Iterator[Sentence]:
    """A row of a table: "The price of the bike is 300 euros.", by the names of its columns."""
    entity = cells[0]
    for name, cell in zip(header[1:], cells[1:], strict=False):
        if name and cell and entity and _LETTER.search(entity):
            owner = (
                entity
                if is_name(entity) and not common(entity.lower())
                else f"the {entity[0].lower()}{entity[1:]}"
            )
            yield Sentence(f"The {name.lower()} of {owner} is {cell}.", owner, heading)


def _statement(piece: str, topic: str, heading: str) -> Iterator[Sentence]:
    if not _LETTER.search(piece) or piece.endswith(("?", "？")) or len(piece) < 4:
        return
    pair = _PAIR.match(piece)
    amounts = (
        [_AMOUNT_ITEM.fullmatch(item.strip(" .")) for item in re.split(r",|;", pair["value"])] if pair else []
    )
    if pair and len(amounts) > 1 and all(amounts):
        items = [
            f"{item['n']} of {item['what']}" if re.search(r"[a-z]$", item["n"]) else item[0]
            for item in amounts
            if item
        ]
        yield Sentence(
            f"Take {', '.join(items[:-1])} and {items[-1]}.", topic_of(pair["key"]) or topic, pair["key"]
        )
        return
    if pair and not _CJK.search(pair["key"]):
        key, value = pair["key"].strip(" *_"), pair["value"].strip(" *_")
        if (
            re.match(r"^\d{1,2}$", key)
            or re.match(r"^//", value)
            or (re.search(r"\d$", key) and re.match(r"\d\d\b", value))
        ):
            yield Sentence(piece, topic, heading)  # a clock, a URL
            return
        parsed = parse_clause(value) if len(value.split()) > 3 else None
        verbs = parse_clause(key)
        if verbs is None and len(key.split()) <= 6:
            if (parsed and not parsed.imperative and len(value.split()) > 4) or (
                parsed and parsed.imperative and len(value.split()) > 4
            ):
                yield Sentence(value, topic_of(key) or topic, key)
            else:
                yield Sentence(_pair_sentence(key, value, topic), topic, heading)
            return
        if verbs is not None and parsed and not re.search(r"[,]", pair["key"]):
            yield Sentence(key, topic, heading)
            yield Sentence(capital(value), topic, heading)
            return
    yield Sentence(piece, topic, heading)


def _pair_sentence(key: str, value: str, topic: str) -> str:
    """Port: 5433 under "Staging database" is "The port of the staging database is 5433"."""
    value = value.rstrip(" .;,")
    if re.fullmatch(r"[^,;]{1,40}(?:, [^,;]{1,40})+", value) and " and " not in value:
        value = " and ".join(value.rsplit(", ", 1))
    if key.lower() in {"present", "attendees", "attending", "people present"}:
        return f"The participants of {topic or 'the meeting'} are {value}."
    name = key if re.search(r"[A-Z]", key[1:]) and not re.search(r"[a-z] [A-Z]", key) else key.lower()
    if is_name(key) and not common(key.split()[-1].lower()) and not common(key.lower()):
        name = key
    verb = "are" if is_plural(f"the {name}") else "is"
    if re.match(r"^(?:my|our|your|the) ", name, re.IGNORECASE):
        return f"{capital(to_first_person(name))} {verb} {value}."
    if " of " in name or "'s " in name or not topic:
        person = name if (is_name(name) and not common(name.lower())) or "'s " in name else f"the {name}"
        return f"{capital(person)} {verb} {value}."
    if set(groups_of(name.split()[-1])) & {
        "network",
        "network names",
        "devices",
        "household",
        "furniture",
        "keys",
        "small things",
    }:
        return f"The {name} {verb} {value}."
    owner = {"me": "my", "I": "my"}.get(topic, "")
    if owner:
        return f"My {name} {verb} {value}."
    return f"The {name} of {topic} {verb} {value}."
