"""Questions about the object of a verb, and about what its prepositions lead to. Pure."""

from __future__ import annotations

import re

from memos_cli.operation.wording.clauses import Clause
from memos_cli.operation.wording.complements import Phrase
from memos_cli.operation.wording.drafts import (
    Draft,
    amount_of,
    counted,
    draft,
    full_of,
    is_price,
    measure_way,
    object_words,
    trim,
    typed,
)
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.nouns import gender_of, head_of, is_name, kind_of_noun, possessive
from memos_cli.operation.wording.siblings import groups_of, kind_word
from memos_cli.operation.wording.verb_ways import ways_of
from memos_cli.operation.wording.whens import question_tail


def stranded_draft(clause: Clause, subject: str, phrase: Phrase) -> Draft | None:
    """A preposition whose noun is asked for stays at the end: what is the service written in."""
    answer, noun = trim(phrase.noun), phrase.noun
    verb = " ".join(part for part in (clause.main, clause.object) if part)
    kind = kind_word(head_of(noun))
    value = typed(noun)
    full = full_of(clause, keep=phrase)
    if phrase.word in {"after", "before", "during", "until"} and not value:
        templates = [
            f"when [{clause.aux}] * {verb}",
            f"when exactly [{clause.aux}] * {verb}",
            f"at what point [{clause.aux}] * {verb}",
        ]
        return draft(phrase.text, full, templates, subject, clause=clause, weight=1.1)
    if phrase.word in {"as"}:
        templates = [f"what [{clause.aux}] * {verb} as", *ways_of(clause.base, "as")]
        return draft(answer, full, templates, subject, clause=clause, weight=1.4)
    if value:
        templates = [
            f"which {value[0]} [{clause.aux}] * {verb} {phrase.word}",
            f"what {value[0]} [{clause.aux}] * {verb} {phrase.word}",
            f"{phrase.word} which {value[0]} [{clause.aux}] * {verb}",
        ]
        if value[0] == "port":
            templates += ways_of(clause.base, "port") or ways_of("listen", "port")
        else:
            templates.append(f"what [be] <the {value[0]} of *>")
        return draft(
            value[1],
            full,
            templates,
            subject,
            nominals=[f"{possessive(subject)} {value[0]}"] if not clause.object else [],
            clause=clause,
            single=True,
            weight=1.8,
        )
    if measure_way(noun):
        way = measure_way(noun)
        lead = {
            "how many kilometres": "how far",
            "what temperature": "at what temperature",
            "how much": f"{phrase.word} how much",
        }.get(way, way)
        templates = [f"{lead} [{clause.aux}] * {verb}"]
        if way == "what temperature":
            templates += [
                f"how hot [{clause.aux}] * {verb}" if not clause.imperative else "",
                f"at how many degrees [{clause.aux}] * {verb}",
                f"which temperature [{clause.aux}] * {verb} at",
            ]
        if is_price(noun):
            templates = [
                f"how much [{clause.aux}] * {verb} for",
                f"for how much [{clause.aux}] * {verb}",
                f"at what price [{clause.aux}] * {verb}",
            ]
        return draft(
            answer,
            full,
            [text for text in templates if text],
            subject,
            clause=clause,
            single=True,
            weight=1.4,
        )
    amount = amount_of(noun)
    if amount:
        templates = [
            f"how much {amount[1]} [{clause.aux}] * {verb} {phrase.word}",
            f"what amount of {amount[1]} [{clause.aux}] * {verb} {phrase.word}",
        ]
        return draft(amount[0], full, templates, subject, clause=clause, single=True, weight=1.5)
    person = kind_of_noun(noun) == "person" or (
        is_name(answer)
        and phrase.word in {"with", "for", "to", "by", "against"}
        and clause.base not in {"move", "go", "travel", "connect"}
        and not kind
    )
    word = "who" if person else "what"
    templates = [f"{word} [{clause.aux}] * {verb} {phrase.word}"]
    if kind:
        templates.append(f"which {kind} [{clause.aux}] * {verb} {phrase.word}")
    templates += [text for text in ways_of(clause.base, phrase.word) if text not in templates]
    if phrase.word in {"without", "with"} and not person:
        templates.append(f"how [{clause.aux}] * {verb}")
    if phrase.word in {"to", "with", "for", "about", "on", "from"}:
        templates.append(f"{phrase.word} {'whom' if person else 'what'} [{clause.aux}] * {verb}")
    return draft(answer, full, templates, subject, clause=clause, weight=1.3)


def wish_draft(clause: Clause, subject: str) -> Draft | None:
    """Joanna likes to climb on weekends: what does she like to do."""
    outer = re.match(r"^(?:not )?(like|love|want|plan|need|hate|hope|prefer|have) to \w", clause.main)
    if not outer or clause.negated:
        return None
    deed = f"{clause.main.split(' to ', 1)[1]} {clause.object}".strip()
    when = next((phrase.text for phrase in clause.times()), "")
    first = f"what [{clause.aux}] * {outer[1]} to do"
    templates = [
        first,
        f"{first} {when}" if when else "",
        "what would * like to do" if outer[1] in {"want", "hope", "plan"} else "",
        "what [do] * enjoy doing" if outer[1] in {"like", "love"} else "",
        "what [be] <{s} plan>" if outer[1] == "plan" else "",
        "what [do] * do for fun" if outer[1] in {"like", "love"} else "",
        f"what is it that * {clause.finite.split(' to ')[0]} to do" if subject != "I" else "",
    ]
    return draft(
        deed, full_of(clause), [text for text in templates if text], subject, clause=clause, weight=1.5
    )


def object_drafts(clause: Clause, subject: str) -> list[Draft | None]:
    thing, tail = clause.object, question_tail(clause)
    verb = clause.main
    full = full_of(clause)
    aux = clause.aux
    mine = [f"{verb} {tail}".strip()]
    if re.fullmatch(r"(?:very )?(?:[a-z]+ly|alone|well|fast|barefoot)", thing) and thing not in {
        "family",
        "fly",
        "jelly",
    }:
        templates = [
            f"how [{aux}] * {verb}",
            f"in what way [{aux}] * {verb}",
            f"how exactly [{aux}] * {verb}",
        ]
        return [draft(thing, full, templates, subject, clause=clause, weight=1.0)]
    way = measure_way(thing)
    if way and clause.base in {"take", "last", "need"} and way == "how long":
        templates = [f"how long [{aux}] * {verb}", *ways_of("take", "duration")]
        return [
            draft(
                trim(thing),
                full,
                templates,
                subject,
                clause=clause,
                single=True,
                weight=1.8,
                nominals=[f"the duration of {subject}"],
            )
        ]
    if way or is_price(thing):
        templates = [f"{way} [{aux}] * {mine[0]}", *ways_of(clause.base, "object")]
        return [draft(trim(thing), full, templates, subject, clause=clause, single=True, weight=1.7)]
    if clause.base in {"cost", "weigh"}:
        return [
            draft(
                trim(thing),
                full,
                ways_of(clause.base, "object"),
                subject,
                clause=clause,
                single=True,
                weight=1.7,
            )
        ]
    part = amount_of(thing)
    if part:
        templates = [
            f"how much {part[1]} [{aux}] * {mine[0]}",
            f"what amount of {part[1]} [{aux}] * {mine[0]}",
            f"how much {part[1]} [{aux}] * {verb}",
        ]
        return [draft(part[0], full, templates, subject, clause=clause, single=True, weight=1.5)]
    valued = re.match(r"^(?:an?|the|my|our) (?P<noun>[a-z][a-z -]+) of (?P<value>.+)$", thing)
    if valued and (measure_way(valued["value"]) or is_price(valued["value"])):
        noun = valued["noun"]
        way = "how high" if is_price(valued["value"]) else "what"
        templates = [
            f"what {noun} [{aux}] * {mine[0]}",
            f"{way} [be] <the {noun}>",
            f"how big [be] <the {noun}> that {subject} {clause.finite}",
            f"which {noun} [{aux}] * {verb}",
        ]
        return [draft(valued["value"], full, templates, subject, clause=clause, single=False, weight=1.6)]
    count = counted(thing)
    if count:
        what = count[1]
        templates = [f"how many {what} [{aux}] * {mine[0]}"]
        if tail:
            templates.append(f"how many {what} [{aux}] * {verb}")
        return [draft(count[0], full, templates, subject, clause=clause, single=True, weight=1.5)]
    named = re.match(
        r"^(?:an?|the|my|his|her|our|their) (?P<noun>[\w -]+?) (?:called|named) (?P<name>.+)$", thing
    )
    value = typed(thing)
    if value and clause.base in {"use", "have", "need", "occupy", "run", "take"}:
        templates = [
            f"which {value[0]} [{aux}] * {verb}",
            f"what {value[0]} [{aux}] * {verb}",
            f"what [be] <{{s}} {value[0]}>",
        ]
        if value[0] == "port":
            templates += ways_of("listen", "port")
        return [draft(value[1], full, templates, subject, clause=clause, single=True, weight=1.8)]
    if clause.base in {"keep", "leave", "see", "hear", "find"} and re.search(r" \w+ing$", thing):
        return []
    words = object_words(thing)
    plural_verb = [f"{word} [{aux}] * {mine[0]}" for word in words]
    table = (
        []
        if clause.negated or clause.aux in {"should", "must", "can", "could"}
        else ways_of(clause.base, "object")
    )
    if kind_of_noun(thing) == "person":
        table = [text.replace("what ", "who ", 1) for text in table if "which" not in text]
    templates = [plural_verb[0], *table[:2], *plural_verb[1:], *table[2:]]
    kind = kind_word(head_of(thing))
    if clause.base in {"like", "love", "prefer", "enjoy", "favour"} and kind and not clause.negated:
        templates += [
            f"which {kind} [do] * like",
            f"what {kind} [do] * like best",
            f"what [be] <{{s}} favourite {kind}>",
        ]
    described = (
        len(trim(thing).split()) in {2, 3}
        and trim(thing).islower()
        and " and " not in thing
        and " of " not in thing
    )
    if (
        clause.base
        in {"like", "love", "prefer", "enjoy", "hate", "want", "need", "use", "drink", "eat", "wear", "drive"}
        and described
        and words[0] == "what"
    ):
        templates.append(f"what kind of {head_of(thing)} [{aux}] * {verb}")
    if tail and not table and clause.base not in _LIGHT:
        templates.append(f"{words[0]} [{aux}] * {verb}")
    times = [phrase for phrase in clause.times() if phrase.moment != "relative"]
    if times and not table:
        templates.append(f"{words[0]} [{aux}] * {verb} {times[0].text}")
    if len(templates) < 4 and words[0] == "what":
        templates.append(f"what exactly [{aux}] * {mine[0]}")
        if len(trim(thing).split()) > 1 and head_of(thing).islower() and not named:
            templates.append(f"which {head_of(thing)} [{aux}] * {mine[0]}")
        if not clause.negated and aux in {"do", "did"}:
            templates.append(
                f"what is it that * {clause.finite} {tail}".strip()
                if subject != "I"
                else f"what was it that I {clause.finite} {tail}".strip()
                if aux == "did"
                else ""
            )
    out = [
        draft(
            trim(clause.object),
            full,
            [text for text in templates if text],
            subject,
            clause=clause,
            weight=1.5,
        )
    ]
    if named:
        out += [
            draft(
                trim(named["name"]),
                full,
                [
                    f"what is the {named['noun']} called that * {clause.finite}",
                    f"what is the name of the {named['noun']} that * {clause.finite}",
                    f"which {named['noun']} [{aux}] * {verb}",
                ],
                subject,
                weight=1.6,
            )
        ]
    return out


# "What do I keep?" alone could mean anything.
_LIGHT = word_set("""keep put have get take store leave park give send make do bring set add hold place""")


def taking_draft(clause: Clause, subject: str, phrase: Phrase) -> Draft | None:
    """Ines prefers tea without sugar: how does Ines take her tea."""
    thing = trim(clause.object)
    given = re.match(r"^(my|our|his|her|their) ", clause.object)
    own = (
        "my"
        if subject == "I"
        else "our"
        if subject == "we"
        else given[1]
        if given
        else {"f": "her", "m": "his"}.get(gender_of(subject), "their")
    )
    verb = "eat" if {"dishes", "bakery"} & set(groups_of(head_of(thing))) else "drink"
    templates = [
        f"how [do] * take {own} {thing}",
        f"how [do] * like {own} {thing}",
        f"how [do] * {verb} {thing}",
        f"how [do] * {clause.base} {thing}" if clause.base not in {"like", verb} else "",
        f"what kind of {thing} [do] * like",
        f"how should I make {thing} for *",
        f"what does * want in {own} {thing}"
        if phrase.word == "with"
        else f"what does * leave out of {own} {thing}",
    ]
    return draft(
        phrase.text, full_of(clause, keep=phrase), [text for text in templates if text], subject, weight=1.9
    )


def purpose_draft(clause: Clause, subject: str, phrase: Phrase) -> Draft | None:
    verb = " ".join(part for part in (clause.main, clause.object) if part)
    if (
        clause.base
        in {
            "like",
            "love",
            "want",
            "plan",
            "need",
            "prefer",
            "hope",
            "decide",
            "agree",
            "promise",
            "try",
            "learn",
            "forget",
            "remember",
            "hate",
            "start",
            "begin",
            "go",
            "refuse",
            "offer",
            "manage",
        }
        and not clause.object
    ):
        templates = [f"what [{clause.aux}] * {clause.main} to do", *ways_of(clause.base, "to")]
        if clause.base in {"want", "plan", "hope"}:
            templates += ["what [be] <{s} plan>", "what would * like to do", "what [be] * planning to do"]
        if clause.base in {"like", "love"}:
            templates += ["what [do] * enjoy doing", "what [be] <{s} hobby>", "what [do] * like doing"]
        return draft(phrase.noun, full_of(clause, keep=phrase), templates, subject, clause=clause, weight=1.5)
    templates = [
        f"why [{clause.aux}] * {verb}",
        f"what [{clause.aux}] * {verb} for",
        f"for what reason [{clause.aux}] * {verb}",
    ]
    return draft(phrase.text, full_of(clause, keep=phrase), templates, subject, clause=clause, weight=1.1)
