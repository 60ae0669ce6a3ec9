"""From one English clause to its answers and the questions for them: the rules, by kind of clause. Pure."""

from __future__ import annotations

import re

from memos_cli.operation.wording.being import copula
from memos_cli.operation.wording.clauses import Clause, finite_for
from memos_cli.operation.wording.complements import Phrase
from memos_cli.operation.wording.drafts import (
    Draft,
    counted,
    draft,
    full_of,
    in_sentence,
    is_price,
    measure_way,
    trim,
    typed,
    who_or_what,
)
from memos_cli.operation.wording.having import possession, there_is
from memos_cli.operation.wording.identities import called, keep
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.nouns import head_of, is_name, kind_of_noun
from memos_cli.operation.wording.objects import (
    object_drafts,
    purpose_draft,
    stranded_draft,
    taking_draft,
    wish_draft,
)
from memos_cli.operation.wording.siblings import groups_of, kind_word
from memos_cli.operation.wording.verb_ways import ways_of
from memos_cli.operation.wording.verbs import participle_of, past_of, third_person
from memos_cli.operation.wording.whens import is_place, place_drafts, question_tail, time_drafts

_NAMING = word_set("call name title nickname dub")


def drafts_of(clause: Clause) -> list[Draft]:
    """All that one can ask of a clause, the most useful first."""
    subject = in_sentence(clause.subject)
    if subject.lower() == "there" and clause.copula:
        return there_is(clause)
    if subject.lower() in {
        "it",
        "this",
        "that",
        "he",
        "she",
        "they",
        "these",
        "those",
        "there",
        "which",
        "who",
        "what",
        "you",
    }:
        return []
    if clause.passive and clause.base in _NAMING and clause.object:
        return called(clause)
    if clause.copula:
        found = copula(clause)
    elif clause.base == "have" and clause.object and not clause.negated:
        found = possession(clause)
    elif clause.passive:
        found = _passive(clause, subject)
    else:
        found = _active(clause, subject)
    return sorted(found, key=lambda item: -item.weight)


def _passive(clause: Clause, subject: str) -> list[Draft]:
    """The kitchen was painted by Ines in 2019; the table is made of oak."""
    out: list[Draft | None] = [*place_drafts(clause, subject), *time_drafts(clause, subject)]
    placed = bool(out) and any(is_place(phrase) for phrase in clause.phrases)
    for phrase in clause.others()[:2]:
        if placed and is_place(phrase):
            continue
        if phrase.word == "by" and not phrase.verbal and not phrase.noun.split()[0].endswith("ing"):
            out.append(_agent(clause, subject, phrase))
        elif phrase.verbal:
            templates = [f"what [{clause.aux}] * {clause.main} for", f"why [{clause.aux}] * {clause.main}"]
            out.append(draft(phrase.text, full_of(clause, keep=phrase), templates, subject, clause=clause))
        else:
            out.append(stranded_draft(clause, subject, phrase))
    if clause.object.startswith("of "):
        templates = [f"what [{clause.aux}] * {clause.main} of"]
        if clause.base == "make":
            templates += [
                "what [be] <the material of *>",
                "which material [be] * made of",
                "what material [be] *",
            ]
        out.append(
            draft(trim(clause.object[3:]), full_of(clause), templates, subject, clause=clause, weight=1.4)
        )
    elif clause.object and clause.base in {
        "give",
        "pay",
        "teach",
        "send",
        "allow",
        "offer",
        "promise",
        "deny",
    }:
        out.append(
            draft(
                trim(clause.object),
                full_of(clause),
                [f"what [{clause.aux}] * {clause.main}"],
                subject,
                clause=clause,
            )
        )
    if not keep(out) and not clause.object and not clause.tail:
        templates = ["what happened to *", "what do you know about *", "what [be] <the state of *>"]
        if clause.aux in {"is", "are"}:
            templates = templates[1:]
        out.append(draft(clause.main, full_of(clause), templates, subject, clause=clause, weight=0.5))
    return keep(out)


def _agent(clause: Clause, subject: str, phrase: Phrase) -> Draft | None:
    who = trim(phrase.noun)
    person = kind_of_noun(phrase.noun) != "thing" or is_name(who)
    wh = "who" if person else "what"
    active = (
        past_of(clause.base)
        if clause.aux in {"was", "were", "had", "has", "have"}
        else third_person(clause.base)
    )
    templates = [
        f"{wh} {active} *",
        f"{wh} [{clause.aux}] * {clause.main} by",
        f"by {'whom' if wh == 'who' else 'what'} [{clause.aux}] * {clause.main}",
        *(text.replace("{o}", "*") for text in ways_of(clause.base, "subject")),
    ]
    full = full_of(clause, keep=phrase)
    return draft(who, full, templates, subject, clause=clause, single=True, weight=1.8)


def _active(clause: Clause, subject: str) -> list[Draft]:
    """X keeps Y in Z, X lives in Z, X prefers Y."""
    thing = clause.object
    out: list[Draft | None] = []
    if thing:
        out += object_drafts(clause, subject)
    out.append(wish_draft(clause, subject))
    if subject.lower() not in {"i", "we"} or not clause.imperative:
        moved_from = next(
            (phrase for phrase in clause.phrases if phrase.word == "from" and is_place(phrase)), None
        )
        if moved_from and any(phrase.word == "to" and is_place(phrase) for phrase in clause.phrases):
            templates = [
                f"where [{clause.aux}] * {clause.main} from",
                f"from where [{clause.aux}] * {clause.main}",
                f"which place [{clause.aux}] * {clause.main} from",
            ]
            out.append(
                draft(
                    trim(moved_from.noun), full_of(clause, keep=moved_from), templates, subject, clause=clause
                )
            )
    placed = next((phrase for phrase in clause.phrases if is_place(phrase)), None)
    value = next(
        (phrase for phrase in clause.others() if typed(phrase.noun) or measure_way(phrase.noun)), None
    )
    if value:
        out.append(stranded_draft(clause, subject, value))
    if placed and placed is not value and not kind_stranded(clause, placed):
        out += place_drafts(clause, subject)
    out += time_drafts(clause, subject)
    for phrase in clause.others()[:3]:
        if phrase is value or (is_place(phrase) and not kind_stranded(clause, phrase)):
            continue
        if phrase.verbal:
            out.append(purpose_draft(clause, subject, phrase))
        elif (
            thing
            and phrase.word in {"without", "with"}
            and {"hot drinks", "cold drinks", "dishes", "bakery"} & set(groups_of(head_of(thing)))
        ):
            out.append(taking_draft(clause, subject, phrase))
        elif phrase.noun:
            out.append(stranded_draft(clause, subject, phrase))
    if (thing or clause.phrases) and not clause.imperative:
        out.append(_subject(clause, subject))
    return keep(out)


def kind_stranded(clause: Clause, phrase: Phrase) -> bool:
    """Whether "on" and "to" after this verb lead to a thing rather than to a place: depend on, report to."""
    return bool(
        (
            phrase.word in {"on", "to", "from", "at", "for"}
            and ways_of(clause.base, phrase.word)
            and clause.base != "come"
        )
        or clause.base
        in {
            "subscribe",
            "listen",
            "depend",
            "rely",
            "react",
            "connect",
            "belong",
            "object",
            "decide",
            "spend",
            "concentrate",
            "comment",
            "plan",
            "report",
            "mentor",
            "agree",
            "reply",
            "respond",
            "talk",
            "speak",
            "write",
            "insist",
            "focus",
            "believe",
            "specialise",
            "specialize",
            "participate",
            "invest",
            "consist",
            "vote",
            "switch",
            "add",
            "attach",
            "assign",
            "look",
            "sing",
            "laugh",
        }
        or (clause.base == "work" and phrase.word == "on")
        or (clause.base in {"play"} and phrase.word in {"for"})
    )


def _subject(clause: Clause, subject: str) -> Draft | None:
    """Who maintains the scheduler; nothing where the subject is I, or no more than "the meeting"."""
    low = subject.lower()
    wh = who_or_what(subject, clause.base)
    if low in {"i", "we", "you", "they"} or (
        wh == "what" and not is_name(subject) and len(subject.split()) < 3
    ):
        return None
    if low.startswith(("my ", "our ", "the ")) and wh == "what" and not clause.object:
        return None
    if wh == "what" and (measure_way(clause.object) or is_price(clause.object) or counted(clause.object)):
        return None
    object_ = re.sub(r"\b(?:his|her|its)\b", "their", clause.object)
    drink = re.match(r"^their (\w+)$", object_)
    if drink and kind_word(drink[1]) == "drink":
        object_ = drink[1]
    verb = finite_for(clause, "Ana")  # in the third person
    rest = " ".join(part for part in (object_, question_tail(clause, most=2)) if part)
    short = " ".join(part for part in (object_, "" if object_ else question_tail(clause)) if part)
    if not rest:
        return None
    templates = [f"{wh} {verb} {short}"]
    if rest != short:
        templates.append(f"{wh} {verb} {rest}")
    if clause.negated is False:
        templates += ways_of(clause.base, "subject") if object_ and wh == "who" else []
        templates.append(f"who is it that {verb} {short}" if wh == "who" else f"which one {verb} {short}")
        if wh == "who":
            templates.append(f"which person {verb} {short}")
            if object_ and clause.aux == "did" and not ways_of(clause.base, "subject"):
                templates.append(f"who [was] <{object_}> {participle_of(clause.base)} by")
    if re.search(r"\b(?:his|her|its|their)\b", f"{object_} {rest}"):
        templates = [text for text in templates if "[was]" not in text]
    return draft(
        trim(subject),
        full_of(clause),
        templates,
        subject,
        object=object_,
        clause=clause,
        weight=1.4 if ways_of(clause.base, "subject") and object_ else 0.9,
    )
