"""Pronouns at the head of a sentence, resolved to whom or what the sentences before spoke of. Pure.

Where that could be another, the sentence is left out: no question is better than one about the wrong person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memos_cli.operation.wording.clauses import parse_clause
from memos_cli.operation.wording.complements import expand
from memos_cli.operation.wording.drafts import in_sentence
from memos_cli.operation.wording.facts import Sentence
from memos_cli.operation.wording.nouns import capital, gender_of, is_name, is_plural, kind_of_noun, possessive


def _it_named(text: str, topic: str, things: list[str]) -> str:
    """ "it" within a sentence named, where it can only be one thing."""
    match = re.search(r"(?<=\w )(?:it)\b(?! (?:is|was|has|will|takes|rains|snows))", text)
    if match is None or re.search(r"\bit\b", text[match.end() :]):
        return text
    known = list(dict.fromkeys(things[-2:]))
    lead = re.match(r"(?:To|If|When|Before|After) ", text)
    noun = topic if lead and topic else known[0] if len(known) == 1 else ""
    if not noun or noun.lower() in text.lower():
        return text
    return f"{text[: match.start()]}{noun}{text[match.end() :]}"


def resolved(found: list[Sentence]) -> Iterator[Sentence]:
    """Pronouns at the head of a sentence replaced by whom or what the sentences before spoke of."""
    people: list[str] = []
    things: list[str] = []
    many: list[str] = []
    heading = ""
    for sentence in found:
        if sentence.heading != heading:
            heading, people, things, many = sentence.heading, [], [], []
            if sentence.topic:
                (
                    many
                    if is_plural(sentence.topic)
                    else people
                    if kind_of_noun(sentence.topic) == "person"
                    else things
                ).append(sentence.topic)
        text = expand(sentence.text)
        lead = re.match(
            r"^(?:(?:And|But|So|Also|Then),? |(?:After|Before|At|In|On|From|Once|For|During|Every|Since"
            r"|Until) [^,.]{2,40}?,? )?(?P<word>He|She|It|They|His|Her|Its|Their|This|That|(?<= )(?:he"
            r"|she|it|they))\b(?! (?:will be|is) (?:why|when|how)\b)",
            text,
        )
        if lead:
            word = lead["word"].lower()
            past = {
                "he": people,
                "she": people,
                "his": people,
                "her": people,
                "it": things,
                "its": things,
                "this": [],
                "that": [],
                "they": many,
                "their": many,
            }[word]
            candidates = list(dict.fromkeys(past[-2:]))
            if word in {"he", "she", "his", "her"} and len(candidates) > 1:
                fitting = [
                    one for one in candidates if gender_of(one) in {"", "m" if word in {"he", "his"} else "f"}
                ]
                candidates = fitting[-1:] if len(fitting) == 1 or word in {"he", "she"} else fitting
            if word in {"it", "its"}:
                candidates = candidates[-1:]
            if len(candidates) != 1:
                continue
            noun = candidates[0]
            rest = text[lead.end() :]
            before = text[: lead.start("word")]
            if word in {"his", "her", "its", "their"}:
                text = f"{before}{possessive(noun) if before else capital(possessive(noun))}{rest}"
            else:
                text = f"{before}{noun if before else capital(noun)}{rest}"
                text = (
                    re.sub(r"^(\S.*?)\b(?:are)\b", r"\1is", text)
                    if word == "they" and not is_plural(noun)
                    else text
                )
        if re.match(r"(?:That|This|It) is (?:why|when|how|because)\b", text):
            continue
        text = _it_named(text, sentence.topic, things)
        clause = parse_clause(text)
        if clause and not clause.imperative and clause.subject.lower() not in {"there", "i", "we", "you"}:
            subject = in_sentence(clause.subject)
            kind = kind_of_noun(subject)
            if is_plural(subject):
                many.append(subject)
            if kind in {"person", "animal"} and not is_plural(subject):
                people.append(subject)
            if kind != "person" and not is_plural(subject):
                if kind == "unknown" and is_name(subject):
                    people.append(subject)
                things.append(subject)
            named = re.search(r"(?:called|named) ([A-Z]\w+)", text)
            if named and kind in {"animal", "thing"}:
                things.append(subject)
        has = re.match(
            r"^(?P<owner>I|We) (?:have|own|got|bought|adopted) (?:an?"
            r"|the) (?P<noun>[\w ]+?)(?: (?:called|named) (?P<name>[A-Z]\w+))?\.?$",
            text,
        )
        if has:
            noun = f"{'my' if has['owner'] == 'I' else 'our'} {has['noun']}"
            (people if kind_of_noun(noun) in {"person", "animal"} else things).append(noun)
            if kind_of_noun(noun) == "animal":
                things.append(noun)
        yield Sentence(text, sentence.topic, sentence.heading, sentence.spoken)
