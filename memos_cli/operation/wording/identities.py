"""Questions about who or what somebody or something is: names, jobs, roles, kinds and states. Pure."""

from __future__ import annotations

import re

from memos_cli.operation.wording.clauses import Clause
from memos_cli.operation.wording.drafts import (
    Draft,
    draft,
    full_of,
    in_sentence,
    measure_way,
    trim,
    who_or_what,
)
from memos_cli.operation.wording.moments import kind_of
from memos_cli.operation.wording.nouns import PEOPLE, an, head_of, is_name, kind_of_noun, possessive
from memos_cli.operation.wording.properties import property_asks, split_property
from memos_cli.operation.wording.siblings import kind_word

SYMBOLIC = re.compile(r"^[\"'“`(]?\S*\d\S*[\"'”`)]?$|^\S*[@_/\\]\S*$|^[A-Z]{2,}\S*$")


def called(clause: Clause) -> list[Draft]:
    """My cat is called Miso: asks for the name."""
    return [
        item for item in naming(in_sentence(clause.subject), trim(clause.object), full_of(clause)) if item
    ]


def naming(subject: str, name: str, full: str) -> list[Draft | None]:
    person = kind_of_noun(subject) == "person" or subject.split()[-1].lower() in PEOPLE
    templates = [
        "what [be] * called",
        "what [be] <{s} name>",
        "what [be] <the name of *>",
        "who [be] *" if person else "what name [do] * have",
        "which name [do] * go by" if person else "how do people call *",
        "what [be] * named",
        "what did we call *" if not person else "what name [do] * have",
    ]
    nominals = [f"the name of {subject}", f"{possessive(subject)} name"]
    out = [draft(name, full, templates, subject, nominals=nominals, single=True, weight=2)]
    mine = re.match(r"^(?:my|our) (.+)$", subject)
    noun = mine[1] if mine else ""
    if noun and is_name(name):
        wh = "who" if kind_of_noun(subject) in {"person", "animal"} else "what"
        back = [
            f"{wh} [be] *",
            f"{wh} [be] * to me",
            "what do you know about *",
            "how do I know *" if wh == "who" else "what thing [be] *",
        ]
        out.append(draft(noun, f"{name} is {subject}", back, name, weight=0.6))
    return out


def keep(drafts: list[Draft | None]) -> list[Draft]:
    return [item for item in drafts if item]


def class_drafts(clause: Clause, subject: str, whole: str, value: str) -> list[Draft | None]:
    """Ana is a dentist, my car is a Skoda, Larkspur is a small machine."""
    head = head_of(value)
    full = full_of(clause)
    answer = trim(value)
    with_phrases = trim(whole)
    person = kind_of_noun(subject) in {"person"} or (is_name(subject) and head in PEOPLE)
    if person and head in PEOPLE:
        templates = [
            "what [do] * do for a living",
            "what [be] <{s} job>",
            "what [do] * do",
            "what [be] <{s} profession>",
            "what [do] * work as",
            "what kind of work [do] * do",
        ]
        if subject != "I":
            templates.append("who [be] *")
        nominals = [f"{possessive(subject)} job", f"{possessive(subject)} profession"]
        out = [draft(answer, full, templates, subject, nominals=nominals, clause=clause, weight=1.5)]
        if subject != "I":
            back = [f"who is {an(answer)}", f"who works as {an(answer)}", f"which {answer} do we know"]
            out.append(draft(trim(subject), full, back, subject, weight=0.7))
        return out
    of = re.match(r"^(?:my|our|the) (?P<noun>[\w ]+)$", subject)
    wh = "who" if person else "what"
    templates = [f"{wh} [be] *", "what kind of person [be] *" if person else "what sort of thing [be] *"]
    if of and subject.startswith(("my", "our")):
        owner = "I" if subject.startswith("my") else "we"
        noun = re.sub(r"^(?:first|last|old|previous|former|next|new) ", "", of["noun"])
        verb = {"car": "drive", "bike": "ride", "dog": "have"}.get(noun, "have")
        templates = [
            f"what kind of {noun} do {owner} have",
            f"which {noun} do {owner} have",
            f"what [be] <{subject}>",
            f"what {noun} do {owner} {verb}",
            f"what sort of {noun} [be] <{subject}>",
            "what make [be] *"
            if noun in {"car", "bike", "laptop", "phone", "camera", "van"}
            else f"what type of {noun} do {owner} have",
        ]
    else:
        templates += ["what do you know about *", "how would you describe *"]
    return [
        draft(
            answer if len(answer.split()) <= 6 else with_phrases,
            full,
            templates,
            subject,
            clause=clause,
            weight=1.2,
        )
    ]


def identity_drafts(clause: Clause, subject: str, value: str) -> list[Draft | None]:
    """Ana is my sister: who is Ana."""
    if not is_name(subject) and kind_of_noun(subject) == "thing" and not trim(value)[:1].isupper():
        wh = "what"
    else:
        wh = who_or_what(subject)
    templates = [
        f"{wh} [be] *",
        f"{wh} exactly [be] *",
        "what do you know about *",
        "what [be] <the role of *>" if wh == "who" else "which thing [be] *",
    ]
    match = re.match(r"^(?:my|our) (.+)$", value)
    if match and wh == "who":
        templates += ["who [be] * to me", "how do I know *", "what [be] * to me"]
    return [draft(trim(value), full_of(clause), templates, subject, clause=clause, weight=0.9)]


def bearer_drafts(clause: Clause, subject: str, value: str) -> list[Draft | None]:
    """Marta is the head of the school: who is the head; Miso is my cat: what is my cat called."""
    if not (is_name(subject) or kind_of_noun(subject) == "person") or subject == "I":
        return []
    if kind_of(value) or measure_way(value) or kind_word(head_of(value)) == "colour":
        return []
    if not re.match(r"^(?:the|my|our|your|his|her|their) |^[\w .]+'s ", value, re.IGNORECASE):
        return []
    target = in_sentence(value)
    if kind_of_noun(target) == "animal":
        return list(naming(target, trim(subject), full_of(clause)))[:1]
    owned = split_property(target)
    full = full_of(clause)
    role = kind_of_noun(target) == "person" or head_of(target) in PEOPLE
    if owned:
        attribute, owner = owned
        templates, nominals = property_asks(
            attribute,
            in_sentence(owner),
            subject if kind_of_noun(subject) == "person" or not role else f"Dr. {subject}",
        )
        return [
            draft(
                trim(subject),
                full,
                templates,
                owner,
                nominals=nominals,
                clause=clause,
                single=True,
                weight=1.9,
            )
        ]
    wh = "who" if role else "what"
    templates = [f"{wh} [be] *", f"{wh} exactly [be] *", "what [be] <the name of *>", "what [be] * called"]
    return [
        draft(
            trim(subject),
            full,
            templates,
            target,
            nominals=[] if role else [target],
            clause=clause,
            single=True,
            weight=1.5,
        )
    ]


def trait_draft(clause: Clause, subject: str, whole: str) -> Draft | None:
    """Ana is vegetarian: what is Ana like. Only a few questions; they are vague by nature."""
    templates = [
        "what do you know about *",
        "how would you describe *",
        "what can you tell me about *",
        "what is there to know about *",
    ]
    if whole.split()[0].lower() in {"vegetarian", "vegan"}:
        templates = ["what diet [do] * follow", "what kind of food [do] * eat", "how [do] * eat", *templates]
    elif whole.split()[0].lower() in {"married", "single", "divorced", "engaged", "widowed"}:
        templates = ["what [be] <{s} marital status>", "what [be] <{s} relationship status>", *templates]
    return draft(trim(whole), full_of(clause), templates, subject, clause=clause, weight=0.8)


def state_drafts(clause: Clause, subject: str, whole: str) -> list[Draft | None]:
    templates = [
        "what [be] <the state of *>",
        "what do you know about *",
        "how [be] *",
        "what should I know about *",
        "what is there to know about *",
    ]
    if is_name(whole) or SYMBOLIC.match(whole):
        templates = ["what [be] *", *templates]
    if re.match(
        r"(?:out of|broken|missing|empty|bent|leaking|down|stuck|cracked|dead|blocked|offline|full|loose"
        r"|faulty|worn|damaged|noisy)\b",
        whole,
    ):
        templates = [f"what {'was' if clause.past else 'is'} wrong with *", *templates]
    return [draft(trim(whole), full_of(clause), templates, subject, clause=clause, weight=0.8)]
