"""Questions about what somebody or something has, and what there is somewhere. Pure."""

from __future__ import annotations

import re

from memos_cli.operation.wording.clauses import Clause
from memos_cli.operation.wording.complements import PLACES_BEFORE
from memos_cli.operation.wording.drafts import (
    Draft,
    amount_of,
    counted,
    draft,
    full_of,
    in_sentence,
    object_words,
    phrases_text,
    trim,
)
from memos_cli.operation.wording.identities import keep, naming
from memos_cli.operation.wording.nouns import (
    an,
    head_of,
    is_name,
    is_plural,
    kind_of_noun,
    possessive,
    singular,
)
from memos_cli.operation.wording.siblings import kind_word
from memos_cli.operation.wording.whens import place_drafts, time_drafts


def possession(clause: Clause) -> list[Draft]:
    """S has three cats, a dog called Rex, blue eyes, an appointment on Monday."""
    subject, thing = in_sentence(clause.subject), clause.object.strip()
    others = clause.others()
    out: list[Draft | None] = []
    full = full_of(clause)
    named = re.match(
        r"^(?:an?|one|the|my) (?P<noun>.+?),? (?:called|named|whose name is|by the name of) (?P<name>.+)$",
        thing,
    )
    if named:
        owner = possessive(subject)
        about = f"{owner} {named['noun']}"
        told = f"{about} is called {named['name']}"
        out += naming(about, trim(named["name"]), told)[:1]
        kind = kind_word(head_of(named["noun"]))
        templates = [
            f"which {kind or 'one'} [do] * have",
            "what [do] * have",
            f"what [do] * have called {named['name']}",
        ]
        if kind == "animal":
            templates = ["which animal [do] * have", "what pet [do] * have", "what kind of pet [do] * have"]
        out.append(draft(named["noun"], full, templates, subject, clause=clause, weight=0.7))
        if subject != "I":
            out.append(
                draft(
                    trim(subject),
                    full,
                    [
                        f"who has {an(named['noun'])} called {named['name']}",
                        f"whose {named['noun']} is called {named['name']}",
                        f"who owns {named['name']}",
                    ],
                    subject,
                    weight=0.6,
                )
            )
        return keep(out)
    listed = re.match(
        r"^(?P<count>\w+) (?P<noun>[\w -]+?)(?:,? (?:called"
        r"|named))?[:,]? (?P<names>[A-Z]\w+(?:, [A-Z]\w+)*,? and [A-Z]\w+)$",
        thing,
    )
    if listed:
        count = counted(f"{listed['count']} {listed['noun']}")
        about = f"{possessive(subject)} {listed['noun']}"
        templates = [
            "what [be] * called",
            "what [be] <the names of *>",
            "what [be] <{s} names>",
            "which names [do] * have",
        ]
        out.append(
            draft(
                listed["names"],
                f"{about} are called {listed['names']}",
                templates,
                about,
                nominals=[f"the names of {about}"],
                weight=1.8,
            )
        )
        thing = f"{listed['count']} {listed['noun']}" if count else thing
        full = f"{clause.subject} {clause.finite} {thing}"
    count = counted(thing)
    extra = phrases_text(others[:1])
    if count:
        noun = count[1]
        templates = [
            f"how many {noun} [do] * have",
            f"how many {noun} are there {extra}"
            if extra and not extra.startswith("of ")
            else f"how many {noun} [have] * got",
        ]
        if others:
            templates.insert(0, f"how many {noun} [do] * have {extra}")
        if kind_of_noun(subject) != "person":
            templates.append(f"how many {noun} are in *")
        nominals = (
            [f"the number of {possessive(subject)} {noun}"]
            if subject in {"I", "we"}
            else [f"the number of {noun} that {subject} has"]
        )
        out.append(
            draft(
                count[0], full, templates, subject, nominals=nominals, clause=clause, single=True, weight=1.8
            )
        )
        return keep([*out, *time_drafts(clause, subject)])
    amount = amount_of(thing)
    if amount:
        templates = [
            f"how much {amount[1]} [do] * have",
            f"what amount of {amount[1]} [do] * have",
            f"how much {amount[1]} is in *",
        ]
        out.append(draft(amount[0], full, templates, subject, clause=clause, single=True, weight=1.6))
        return keep(out)
    part = re.match(
        r"^(?P<adj>[a-z-]+(?: and [a-z-]+)?) (?P<noun>hair|eyes|fur|walls|roof|door|doors|curtains"
        r"|handle|lid|cover|roses|petals|wheels|paws|feathers)$",
        re.sub(r"^an? ", "", thing),
    )
    if part:
        about = f"{possessive(subject)} {part['noun']}"
        way = (
            "colour"
            if kind_word(part["adj"].split()[-1]) == "colour"
            or part["adj"] in {"blond", "dark", "brown", "grey"}
            else "kind of"
        )
        templates = [
            f"what {way} [be] *" if way == "colour" else f"what kind of {part['noun']} [do] <{subject}> have"
        ]
        if way == "colour":
            templates += [
                f"what colour {part['noun']} [do] <{subject}> have",
                "what [be] <the colour of *>",
                "which colour [be] *",
            ]
        out.append(draft(part["adj"], full, templates, about, clause=clause, weight=1.4))
        return keep(out)
    first = others[0] if others else None
    if first and head_of(thing) in {"allergy", "intolerance"} and first.word in {"to", "against"}:
        templates = [
            "what [be] * allergic to",
            "which allergy [do] * have",
            "what [be] <{s} allergy>",
            "what should * not eat",
        ]
        out.append(draft(trim(first.noun), full, templates, subject, clause=clause, weight=1.6))
        return keep(out)
    if clause.times() and re.match(r"^(?:an?|the|my|his|her|our|their) ", thing):
        out += time_drafts(clause, subject)
        about = re.sub(r"^an? ", f"{possessive(subject)} ", thing)
        for time in out[:1]:
            if time:
                extra_asks = draft(
                    time.answer,
                    time.full,
                    [
                        "when [be] *",
                        "what day [be] * on",
                        "at what time [be] *" if clause.times()[0].moment == "clock" else "",
                    ],
                    about,
                )
                if extra_asks:
                    out[0] = Draft(
                        time.answer,
                        time.full,
                        (time.asks[0], *extra_asks.asks, *time.asks[1:]),
                        (about,),
                        time.about,
                        True,
                        1.8,
                    )
    if (
        first
        and first.word in {"with", "at", "from", "in", "on", "about"}
        and re.match(r"^(?:an?|the|my|his|her|our|their) ", thing)
    ):
        word = (
            "who"
            if kind_of_noun(first.noun) == "person" or (is_name(first.noun) and first.word == "with")
            else "what"
        )
        if first.word in {"at", "in", "on"} and word == "what":
            out += place_drafts(clause, subject)
        else:
            out.append(
                draft(
                    trim(first.noun),
                    full_of(clause, keep=first),
                    [
                        f"{word} [do] * have {thing} {first.word}",
                        f"{word} [be] <{possessive(subject)} {head_of(thing)}> {first.word}",
                    ],
                    subject,
                    clause=clause,
                    weight=1.2,
                )
            )
    if first and first.word in {"to", "for"} and not first.verbal:
        thing, extra = f"{thing} {first.text}", ""
    words = object_words(thing)
    head = head_of(thing)
    templates = [f"{word} [do] * have" for word in words]
    if extra:
        templates = [f"{words[0]} [do] * have {extra}", *templates]
    else:
        templates += [
            "what [have] * got",
            f"what kind of {singular(head)} [do] * have"
            if len(trim(thing).split()) > 1 and not is_plural(thing) and head.islower()
            else "",
        ]
    if kind_of_noun(subject) not in {"person", "animal"}:
        templates += ["what is part of *"]
    out.append(draft(trim(thing), full, templates, subject, clause=clause, weight=1.0))
    if subject != "I" and kind_of_noun(subject) in {"person", "unknown"}:
        out.append(
            draft(
                trim(subject),
                full,
                [f"who has {thing}", f"who of us has {thing}", f"who has got {thing}"],
                subject,
                weight=0.6,
            )
        )
    return keep(out)


def there_is(clause: Clause) -> list[Draft]:
    """There are three bikes in the shed: how many, what, where."""
    thing, others = clause.object.strip(), clause.others()
    if not thing:
        return []
    place = next((phrase for phrase in others if phrase.word in PLACES_BEFORE), None)
    full = full_of(clause)
    out: list[Draft | None] = []
    count = counted(thing)
    where = place.text if place else ""
    if count:
        out.append(
            draft(
                count[0],
                full,
                [
                    f"how many {count[1]} are there {where}".strip(),
                    f"how many {count[1]} are {where}" if where else "",
                    f"how many {count[1]} do we have {where}".strip(),
                ],
                count[1],
                single=bool(where),
                weight=1.5,
            )
        )
    if place:
        about = in_sentence(place.noun)
        if not count:
            out.append(
                draft(
                    trim(thing),
                    full,
                    [
                        f"what is {where}",
                        f"what is there {where}",
                        f"what can I find {where}",
                        f"what do we have {where}",
                    ],
                    about,
                )
            )
        noun = re.sub(r"^an? ", "the ", thing) if not count else f"the {count[1]}"
        out.append(
            draft(
                trim(place.noun),
                full,
                [
                    "where [be] *",
                    "where can I find *",
                    "where do I find *",
                    "where [be] * kept",
                    f"where is there {thing}" if not count else "",
                ],
                noun,
                weight=1.3,
            )
        )
    return keep([*out, *(time_drafts(clause, f"the {singular(head_of(thing))}") if clause.times() else [])])
