"""A draft: one answer of a clause and the questions for it, before it is a fact; what all drafts share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from memos_cli.operation.wording.attributes import is_attribute
from memos_cli.operation.wording.clauses import Clause
from memos_cli.operation.wording.complements import Phrase
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.moments import NUMBER, kind_of
from memos_cli.operation.wording.nouns import (
    NAMES,
    PEOPLE,
    POSSESSIVES,
    capital,
    head_of,
    is_name,
    is_plural,
    kind_of_noun,
    to_second_person,
)
from memos_cli.operation.wording.posing import Ask, pose
from memos_cli.operation.wording.siblings import kind_word, known_small
from memos_cli.operation.wording.verbs import forms_of, past_of, third_person

LONGEST_FULL = 14
_CURRENCY = r"(?:[€$£¥]|EUR|USD|CHF|GBP)"
_COSTS = re.compile(
    rf"^(?:about |around |roughly |only )?(?:{_CURRENCY} ?\d[\d.,]*(?: ?(?:k|million|thousand))?"
    rf"|{NUMBER} ?(?:{_CURRENCY}"
    r"|euros?|dollars?|pounds?|francs?|yuan|yen|cents?|crowns?|rupees?))(?: (?:a|per|each|every) [a-z]+"
    r"| each)?$"
)
_UNITS = {
    "seconds?|minutes?|mins?|hours?|days?|nights?|weeks?|months?|years?|decades?": "how long",
    "km|kilomet(?:er|re)s?|miles?": "how many kilometres",
    "kg|kilos?|kilograms?|grams?|g|lbs?|tons?|tonnes?|ounces?": "how much",
    "litres?|liters?|l|ml|cups?|spoonfuls?|teaspoons?|tablespoons?|gallons?|pints?": "how much",
    "GB|TB|MB|gigabytes?|terabytes?|megabytes?": "how much",
    "degrees?(?: (?:Celsius|Fahrenheit))?|°C|°F": "what temperature",
    "percent|per cent|%": "what percentage",
    "m|cm|mm|met(?:er|re)s?|centimet(?:er|re)s?|inch(?:es)?|feet": "how many metres",
    "Mbit/s|Gbit/s|km/h|mph|rpm": "how fast",
    "kWh|watts?|W|volts?|V|amps?|A": "how many",
    "people|persons?": "how many people",
}
_MEASURES = [
    (
        re.compile(
            rf"^(?:about |around |roughly |nearly |over |at least |up to |only "
            rf"|exactly )?{NUMBER}(?: and a half)? ?(?:{unit})$"
        ),
        way,
    )
    for unit, way in _UNITS.items()
]
_SHORT_UNITS = "kg|g|mg|ml|cl|l|GB|TB|MB|m|cm|km|grams?|litres?|cups?|tablespoons?|teaspoons?|kilos?"
_COUNTED = re.compile(
    rf"^(?:about |around |roughly |only |exactly |at least )?(?P<count>{NUMBER}) (?P<noun>[a-z][^,]*)$",
    re.IGNORECASE,
)
_TYPED = re.compile(
    r"^(?:the )?(?P<type>[a-z][a-z-]{2,})s? (?:number |no\. ?)?(?P<value>\S*\d\S*|[A-Z]{1,3})$"
)
_LOST = re.compile(
    r"\b(?:it|them|him|he|she|they|this|that|these|those|there|here|himself|herself|itself|everything"
    r"|something|ones?|things?|stuff|so|same)\b",
    re.IGNORECASE,
)


_EMPTY_ANSWERS = word_set(
    "a an the do be to for of in on at now just best more most some any all lot what so too then well"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """One answer, and the ways to ask for it."""

    answer: str
    full: str
    asks: tuple[Ask, ...]
    nominals: tuple[str, ...] = ()
    about: str = ""
    single: bool = False
    weight: float = 1.0  # the larger, the more likely somebody asks
    extra: tuple[str, ...] = field(default=())  # whole questions, as they stand


def draft(
    answer: str,
    full: str,
    templates: Sequence[str],
    subject: str,
    *,
    nominals: Sequence[str] = (),
    clause: Clause | None = None,
    object: str = "",
    single: bool = False,
    weight: float = 1.0,
) -> Draft | None:
    """A draft from templates; None where the answer is empty, lost in a pronoun, or no template is left."""
    answer = to_second_person(answer).strip(' ,;:"“”')
    answer = re.sub(rf"^(?:about|around|roughly) (?={NUMBER}\b)", "", answer)
    if not re.search(r"\w\w|\d|[A-Z]", answer) or answer.lower() in _EMPTY_ANSWERS:
        return None
    if not answer or _LOST.fullmatch(answer) or answer in {"you", "your", "me", "her", "us", "your own"}:
        return None
    if (
        re.search(r"\b(?:it|them|him|this|these|those|here|something|anything)\b", answer)
        and len(answer.split()) < 7
    ):
        return None
    full = sentence_of(to_second_person(full))
    found = re.search(re.escape(answer), full, re.IGNORECASE)
    if found is None:
        return None
    answer = found[0] if found.start() else answer if answer in full else found[0]
    asks = [
        pose(in_tense(template.replace("{o}", object), clause), subject)
        for template in templates
        if template and not ("{o}" in template and not object)
    ]
    asks = [ask for ask in asks if not leaks(answer, ask.direct) and _sound(ask.direct)]
    names = [name for name in nominals if not leaks(answer, name)]
    if not asks:
        return None
    return Draft(answer, full, tuple(asks), tuple(names), about=subject, single=single, weight=weight)


def in_tense(template: str, clause: Clause | None) -> str:
    """A template of the table in the tense of the clause it asks about; empty where it does not go."""
    past = clause is not None and clause.aux in {"did", "was", "were", "had"}
    modal = (
        clause.aux
        if clause and clause.aux in {"will", "should", "must", "would", "can", "could", "might", "may"}
        else ""
    )
    if modal:
        template = template.replace("[do]", f"[{modal}]")
        return re.sub(r"~(\w+)", rf"{modal} \1", template)
    if past:
        template = template.replace("[do]", "[did]").replace("[be]", "[was]")
        template = re.sub(r"^(who|what|which \w+) is (?!it\b)", r"\1 was ", template)
        return re.sub(r"~(\w+)", lambda match: past_of(match[1]), template)
    return re.sub(r"~(\w+)", lambda match: third_person(match[1]), template)


def _sound(question: str) -> bool:
    """Whether a question reads well enough: no unresolved pronoun, no doubled word, not too long."""
    words = question.lower().split()
    return (
        len(words) <= 18
        and len(words) > 1
        and not any(left == right and left not in {"had", "that"} for left, right in pairwise(words))
        and not re.search(r"\b(?:it|them|him|he|she|they|himself|herself)\b", question)
        and not re.search(r"\bher(?:$| (?:in|on|at|to|for|from|with|a|the)\b)", question)
        and not re.search(r"\b(?:my|your|the|a) (?:my|your|the|a|his|her|our)\b", question)
        and not re.search(r"[!;:{}\u2026]|[-\u2013\u2014]{2}| [-\u2013\u2014] ", question)
    )


def leaks(answer: str, question: str) -> bool:
    """Whether a question holds its own answer, as whole words."""
    core = re.escape(plain(answer))
    return bool(core) and bool(re.search(rf"(?<!\w){core}(?!\w)", plain(question)))


def plain(text: str) -> str:
    """Small letters, single spaces, no leading article: for comparing."""
    return re.sub(r"^(?:the|a|an|my|your|in|on|at) ", "", re.sub(r"[\s,;]+", " ", text.lower()).strip(" .?!"))


def sentence_of(text: str) -> str:
    """Made a sentence: a capital, one full stop, single spaces."""
    text = re.sub(r"\s+", " ", text).strip(" ,;:")
    return capital(text) + ("" if text.endswith((".", "!", "?")) else ".")


def trim(noun: str) -> str:
    """The shortest form of a noun as an answer: "the blue pot" -> "blue pot", "my desk" -> "desk"."""
    noun = noun.strip(" ,;:.")
    noun = re.sub(r"^(?:the|a|an|my|your|our|his|her|its|their) (?=\S)", "", noun, flags=re.IGNORECASE)
    return noun.strip('*_`"“”')


_KIN = word_set("mum mom dad mama papa grandma grandpa granny mother father")


def in_sentence(subject: str) -> str:
    """A subject as it stands within a question: "The lease" -> "the lease"; names and "I" stay large."""
    words = subject.split()
    if not words or subject == "I":
        return subject
    first = words[0].lower()
    if first in POSSESSIVES or first in {
        "the",
        "a",
        "an",
        "this",
        "that",
        "these",
        "those",
        "every",
        "each",
        "all",
        "both",
        "we",
        "you",
        "they",
        "he",
        "she",
        "it",
        "some",
        "any",
        "one",
        "two",
        "three",
    }:
        return f"{words[0].lower()} {' '.join(words[1:])}".strip()
    bare = first.removesuffix("'s")
    if (len(words) == 1 and bare in _KIN) or (words[0].endswith("'s") and bare in _KIN):
        return subject  # "Grandma" as a name
    if bare in NAMES or re.search(r"[A-Z0-9]", words[0][1:]):
        return subject
    if bare in PEOPLE and len(words) > 1 and words[1][0].isupper():
        return subject
    if (len(words) > 1 and words[1][0].islower()) or is_plural(subject.lower()):
        return subject[0].lower() + subject[1:] if common(bare) else subject
    return subject


_COMMON = word_set(
    """network note team release power health food travel shopping finance school house home kitchen
    process style config configuration deployment setup installation contact friend passwords account
    recipe appointment plan idea goal book film music sport holiday budget architecture infrastructure
    security release monitoring database server work office family birthday wifi agenda summary
    decision background requirement feature test design meeting trip packing garden"""
)


def common(word: str) -> bool:
    """Whether a word is known to be no name."""
    one = word.removesuffix("s")
    if word in NAMES:
        return False
    return (
        bool(
            _COMMON & {word, one}
            or known_small(word)
            or known_small(one)
            or is_attribute(word)
            or is_attribute(one)
            or forms_of(word)
        )
        or word in PEOPLE
    )


def who_or_what(subject: str, base: str = "") -> str:
    """Which word asks for a subject: who for people and for names that do what people do, else what."""
    kind = kind_of_noun(subject)
    if "ing" in forms_of(subject.split()[0]):
        return "what"
    if kind in {"person", "animal"}:
        return "who"
    if kind == "unknown" and is_name(subject) and base not in _THINGS_DO:
        return "who"
    return "what"


# What a bare name that does it is no person.
_THINGS_DO = word_set(
    """run listen contain cost open close start end stop support use include consist expire take last hold
    weigh measure serve store require need depend cause belong be happen crash fail work last backup
    copy"""
)


def measure_way(noun: str) -> str:
    """How one asks for a measured amount: "40 minutes" -> how long; empty where it is no measure."""
    if _COSTS.match(noun):
        return "how much"
    for pattern, way in _MEASURES:
        if pattern.match(noun):
            return way
    return ""


def is_price(noun: str) -> bool:
    return bool(_COSTS.match(noun))


def counted(noun: str) -> tuple[str, str] | None:
    """The count and what is counted: "three cats" -> (three, cats). None for measures and dates."""
    if measure_way(noun) or kind_of(noun):
        return None
    match = _COUNTED.match(noun)
    if not match or match["count"].lower() == "one" or re.match(rf"(?:{_SHORT_UNITS}) of\b", match["noun"]):
        return None
    return match["count"], match["noun"].split(" and ")[0]


def amount_of(noun: str) -> tuple[str, str] | None:
    """A measured amount of something: "200 g of butter" -> (200 g, butter)."""
    match = re.match(
        rf"^(?P<n>(?:about )?\d[\d.,]* ?(?:{_SHORT_UNITS})|an? (?:teaspoon|tablespoon|cup|pinch|spoonful"
        rf"|litre|kilogram|glass|stick|bottle|handful)"
        r"(?: and a half)?|half an? [a-z]+|(?:two|three|four|five|six) (?:teaspoons|tablespoons|cups"
        r"|glasses|litres)) of (?P<what>[a-z][a-z -]+)$",
        noun,
    )
    return (match["n"], re.split(r" (?:and|or) ", match["what"])[0]) if match else None


def typed(noun: str) -> tuple[str, str] | None:
    """A value by its type: "port 5433" -> (port, 5433), "the second floor" -> (floor, second floor)."""
    match = _TYPED.match(noun)
    if match and not measure_way(noun):
        return match["type"], match["value"]
    ordinal = re.match(
        r"^the ((?:first|second|third|fourth|fifth|sixth|top|ground|last|\d+(?:st|nd|rd|th)) (floor"
        r"|shelf|row|drawer|door|page|street|exit|level))$",
        noun,
    )
    return (ordinal[2], ordinal[1]) if ordinal else None


def object_words(noun: str) -> tuple[str, ...]:
    """What asks for an object, best first: who; what; "which drink" where a word list knows what it is."""
    if kind_of_noun(noun) == "person":
        return ("who",)
    kind = kind_word(head_of(noun))
    return (
        ("what", f"which {kind}")
        if kind and kind not in {"place", "room"} and not noun.endswith("ing")
        else ("what",)
    )


def phrases_text(phrases: Sequence[Phrase]) -> str:
    return " ".join(phrase.text for phrase in phrases)


def full_of(clause: Clause, *, keep: Phrase | None = None, object: str | None = None) -> str:
    """The clause as a short sentence; the phrase to keep stays, others go where it would be too long."""
    told = clause.object if object is None else object
    head = f"{clause.subject} {clause.finite} {told}".strip()
    kept = list(clause.phrases)
    while len(f"{head} {phrases_text(kept)}".split()) > LONGEST_FULL and kept:
        for at in range(len(kept) - 1, -1, -1):
            if kept[at] is not keep:
                del kept[at]
                break
        else:
            break
    if keep and len(f"{head} {keep.text}".split()) > LONGEST_FULL and told:
        head = f"{clause.subject} {clause.finite}"
    return f"{head} {phrases_text(kept)}".strip()
