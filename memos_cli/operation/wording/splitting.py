"""One sentence into clauses that each say one thing; and the sentences that are more than a clause. Pure.

"She has a cat called Miso and a dog called Rex" says two things. "To restart the router, hold the button"
is an instruction, "… because the cable was bent" a reason: these give their own drafts.
"""

from __future__ import annotations

import re

from memos_cli.operation.wording.clauses import Clause, parse_clause
from memos_cli.operation.wording.complements import bare_word, expand
from memos_cli.operation.wording.drafts import Draft, draft, in_sentence, sentence_of, trim
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.nouns import (
    PEOPLE,
    POSSESSIVES,
    is_name,
    is_plural,
    kind_of_noun,
    to_second_person,
)
from memos_cli.operation.wording.verbs import forms_of

_SUBJECT_START = (
    r"(?:I|we|he|she|it|they|you|the|my|our|his|her|its|their|a|an|this|these|there|everyone|[A-Z][\w-]+)"
)
_JOINT = re.compile(
    rf"(?:;|,? —| –|, (?:and|but|so|while|whereas|yet)|(?<=\w) (?:and|but)) (?={_SUBJECT_START}\b)"
)
_APPOSITION = re.compile(
    r"^(?P<name>(?:[A-Z][\w.'-]*|(?:[Tt]he|[Mm]y|[Oo]ur) [a-z]+)(?: [A-Z][\w.'-]*)*), (?P<role>(?:the|a"
    r"|an|my|our"
    r"|his|her|their|[A-Z][\w-]+'s) [^,]{2,60}), (?P<rest>\S.*)$"
)
_RELATIVE = re.compile(r"^(?P<head>[^,]{2,50}), (?:who|which) (?P<inner>[^,]{3,80}), (?P<rest>\S.*)$")
_RELATIVE_END = re.compile(r"^(?P<main>[^,]{8,}), (?:who|which) (?P<inner>[^,]{3,80})$")
_BRACKETS = re.compile(r"\s*\((?P<inner>[^()]{2,80})\)")


def clauses_of(sentence: str) -> list[str]:
    """The clauses of a sentence as sentences of their own, without a final mark."""
    text = expand(sentence.strip().rstrip(".!;:").strip())
    text = re.sub(
        r"^(?:and|but|so|also|well|oh|yes|no|yeah|ok|okay|hey|wow|great|perfect|thanks"
        r"|thank you)[,!]? (?=\w)",
        "",
        text,
        flags=re.IGNORECASE,
    )
    out: list[str] = []
    brackets = _BRACKETS.search(text)
    if brackets:
        text = (text[: brackets.start()] + text[brackets.end() :]).strip()
    apposed = _APPOSITION.match(text)
    if (
        apposed
        and not re.search(r" and ", apposed["role"])
        and parse_clause(f"{apposed['name']} {apposed['rest']}")
    ):
        out.append(f"{apposed['name']} {'are' if is_plural(apposed['name']) else 'is'} {apposed['role']}")
        text = f"{apposed['name']} {apposed['rest']}"
    relative = _RELATIVE.match(text)
    if relative and parse_clause(f"{relative['head']} {relative['rest']}"):
        text = f"{relative['head']} {relative['rest']}"
        out += _vouched(f"{relative['head']} {relative['inner']}")
    ending = _RELATIVE_END.match(text)
    if ending:
        main = parse_clause(ending["main"])
        last = main and (
            main.object if main.object and not main.phrases else main.phrases[-1].noun if main.phrases else ""
        )
        text = ending["main"]
        if last and (is_name(trim(last)) or re.match(r"^(?:the|my|our) ", last)):
            out += _vouched(f"{last[0].upper()}{last[1:]} {ending['inner']}")
    pieces = _split_joints(text)
    for piece in pieces:
        out += _shared_subject(piece)
    return [clause for piece in out for clause in _named_twice(piece)]


def _vouched(text: str) -> list[str]:
    return [text] if parse_clause(text) else []


def _split_joints(text: str) -> list[str]:
    """At "and", "but", ";" where a whole clause stands on both sides."""
    for joint in _JOINT.finditer(text):
        left, right = text[: joint.start()].rstrip(" ,"), text[joint.end() :]
        first, second = parse_clause(left), parse_clause(right)
        if (
            first
            and second
            and not first.imperative
            and not second.imperative
            and not second.tail.startswith("and")
        ):
            subject = second.subject
            if subject.lower() in {"he", "she", "it", "they"}:
                same = _same_subject(first, subject)
                if not same:
                    return [left]
                right = f"{same} {right[len(subject) :].lstrip()}"
            elif (
                subject.split()[0].lower() in {"his", "her", "its", "their"}
                and kind_of_noun(first.subject) != "unknown"
            ):
                right = (
                    f"{in_sentence(first.subject)}'s {' '.join(right.split()[1:])}"
                    if first.subject not in {"I", "We", "we"}
                    else right
                )
            return [left, *_split_joints(right)]
    return [text]


def _same_subject(first: Clause, pronoun: str) -> str:
    """The subject that a pronoun repeats; empty where it may be another."""
    if pronoun.lower() == "they":
        return first.subject if is_plural(first.subject) else ""
    person = kind_of_noun(first.subject) in {"person", "unknown", "animal"} and first.subject.lower() not in {
        "i",
        "we",
        "you",
    }
    if pronoun.lower() in {"he", "she"}:
        return first.subject if person else ""
    return first.subject if kind_of_noun(first.subject) != "person" and not is_plural(first.subject) else ""


def _shared_subject(text: str) -> list[str]:
    """ "It copies the photos and keeps the last fourteen days": both halves with the subject."""
    clause = parse_clause(text)
    if clause is None or clause.imperative:
        return [text]
    for joint in re.finditer(r",? (?:and|but)(?: (?:also|then|now))? (?=[a-z]+\b)", text):
        word = bare_word(text[joint.end() :].split(" ", 1)[0])
        forms = forms_of(word)
        left, right = text[: joint.start()], f"{clause.subject} {text[joint.end() :]}"
        plural = clause.subject.lower() in {"i", "we", "they"} or is_plural(clause.subject)
        fits = (
            word in {"is", "was", "has", "are", "were"}
            or (clause.aux == "do" and ("base" if plural else "s") in forms)
            or (clause.past and clause.aux == "did" and "past" in forms)
            or (clause.passive and "past" in forms)
            or (clause.copula and ("base" if plural else "s") in forms)
            or (clause.aux == "do" and "past" in forms and "base" not in forms and "participle" not in forms)
        )
        if clause.passive and "participle" in forms and clause.aux in {"is", "was", "are", "were"}:
            right = f"{clause.subject} {clause.aux} {text[joint.end() :]}"
        if fits and len(left.split()) > 2:
            second = parse_clause(right)
            if second and parse_clause(left):
                return [left, *_shared_subject(right)]
    return [text]


def _named_twice(text: str) -> list[str]:
    """She has a cat called Miso and a dog called Rex."""
    match = re.match(
        r"^(?P<head>.+? (?:has|have|own|owns|adopted|got|had)) (?P<one>an? [\w ]+? (?:called"
        r"|named) \w+),? and (?P<two>an? [\w ]+? (?:called|named) \w+)$",
        text,
    )
    if match:
        return [f"{match['head']} {match['one']}", f"{match['head']} {match['two']}"]
    return [text]


def special_drafts(sentence: str, topic: str) -> list[Draft]:
    """Drafts of a sentence that is more than a clause: how to, if, when, because, so that."""
    text = expand(sentence.strip().rstrip(".!").strip())
    return [item for item in (_how_to(text), _if(text), _told(text), *_because(text)) if item]


def _how_to(text: str) -> Draft | None:
    match = re.match(r"^(?:In order to|To) (?P<goal>[a-z]+ [^,]{3,60}), (?P<steps>.{6,200})$", text)
    if not match or "base" not in forms_of(match["goal"].split()[0]):
        match = re.match(
            r"^(?P<steps>[A-Z][a-z]+ .{6,160}?) (?:in order )?to (?P<goal>[a-z]+ [^,]{3,50})$", text
        )
        if (
            not match
            or "base" not in forms_of(match["goal"].split()[0])
            or not (parsed := parse_clause(match["steps"]))
            or not parsed.imperative
        ):
            return None
    goal, steps = match["goal"], match["steps"]
    if re.search(r"\b(?:it|them)\b", goal):
        return None
    asks = [
        f"how do I {goal}",
        f"what do I have to do to {goal}",
        f"how can I {goal}",
        f"what [is] <the way to {goal}>",
        f"how do you {goal}",
        f"what should I do to {goal}",
        f"what [are] <the steps to {goal}>",
    ]
    told = steps
    small = (
        told[0].lower() + told[1:]
        if told.split()[0].lower() in _SMALL_START or forms_of(told.split()[0].lower())
        else told
    )
    full = sentence_of(f"To {goal}, {small}") if len(f"{goal} {steps}".split()) <= 13 else sentence_of(told)
    found = draft(small if small in full else told, full, asks, "I", weight=2)
    return found and Draft(
        found.answer, found.full, found.asks, (f"how to {goal}",), _object_of(goal), False, 2
    )


def _object_of(goal: str) -> str:
    """What an instruction is about: restart the router -> the router."""
    match = re.search(r"\b(?:the|my|our) [\w -]+?(?= (?:in|on|at|to|from|with|for|by) |$)", goal)
    return match[0] if match else ""


_SMALL_START = POSSESSIVES | word_set("the a an you i we it there this that use")


def _if(text: str) -> Draft | None:
    match = re.match(
        r"^(?P<word>If|When|Whenever|Before|After|In case|Once"
        r"|As soon as) (?P<case>[^,]{4,80}), (?:then )?(?P<then>.{4,160})$",
        text,
    )
    if match:
        word, case, then = match["word"].lower(), match["case"], match["then"]
    else:
        match = re.match(
            r"^(?P<then>[A-Z].{4,100}?),? (?P<word>if|when|whenever|before|after"
            r"|unless) (?P<case>[^,]{6,80})$",
            text,
        )
        if not match:
            return None
        word, case, then = match["word"].lower(), match["case"], match["then"]
    inner = parse_clause(case)
    result = parse_clause(then)
    if (
        (inner is None and word not in {"before", "after"})
        or result is None
        or (not result.imperative and inner is None)
    ):
        return None
    if re.search(r"^(?:it|they|he|she|this|that)\b", case) or (
        inner is not None and inner.imperative and word not in {"before", "after"}
    ):
        return None
    told = (
        then[0].lower() + then[1:]
        if then.split()[0].lower() in _SMALL_START - {"i"}
        or (forms_of(then.split()[0].lower()) and not is_name(then))
        or result.imperative
        else then
    )
    lead = f"{word} {case}"
    if result.imperative or result.aux in {"should", "must"} or result.subject.lower() in {"you", "i"}:
        asks = [
            f"what should I do {lead}",
            f"what do I do {lead}",
            f"what do I have to do {lead}",
            f"what needs to be done {lead}",
            f"what is to be done {lead}",
            f"!{lead}, what should I do",
        ]
    else:
        if re.match(r"(?:it|they|he|she)\b", then):
            return None
        asks = [
            f"what happens {lead}",
            f"!{lead}, what happens",
            f"what will happen {lead}",
            f"what is the consequence {lead}",
        ]
    full = f"{lead}, {told}" if len(f"{lead} {told}".split()) <= 14 else told
    found = draft(told, full, asks, "I", weight=1.6)
    return found and Draft(found.answer, found.full, found.asks, (), "", False, 1.6)


_TELLING = (
    r"(?:says?|said|thinks?|thought|found(?= that)|discovered|decided(?= that)|learned(?= that)"
    r"|believes?|believed|hopes?|hoped|told (?:me|us)|mentioned|announced"
    r"|confirmed|explained|claims?|suggests|noticed|heard|realised|realized)"
)


def _told(text: str) -> Draft | None:
    """Ana says that the shop closes at six: what does Ana say."""
    match = re.match(
        rf"^(?P<who>(?:[Tt]he |[Mm]y "
        rf"|[Oo]ur )?[\w' -]{{1,30}}?) (?P<verb>{_TELLING})(?: that)? (?P<what>.{{8,120}})$",
        text,
    )
    if (
        not match
        or parse_clause(match["what"]) is None
        or match["who"].lower() in {"he", "she", "it", "they", "you", "who"}
    ):
        return None
    if re.match(r"(?:he|she|it|they|his|her)\b", match["what"]):
        return None
    base = next(iter(forms_of(match["verb"].split()[0]).values()), "")
    aux = "did" if "past" in forms_of(match["verb"].split()[0]) else "do"
    verb = f"{base} {match['verb'].partition(' ')[2]}".strip()
    asks = [
        f"what [{aux}] * {verb}",
        f"what exactly [{aux}] * {verb}",
        "what [be] <{s} opinion>" if base in {"think", "believe"} else "",
    ]
    found = draft(match["what"], text, [ask for ask in asks if ask], in_sentence(match["who"]), weight=1.1)
    return found


def inner_clause(text: str) -> str:
    """What is said to be so in "Ana says that it is so"; empty where it is only thought or hoped."""
    match = re.match(
        r"^(?:[Tt]he |[Mm]y |[Oo]ur )?[\w' -]{1,30}? (?:says?|said|told (?:me|us)|mentioned|announced"
        r"|confirmed|explained|noticed|knows?|remembers?)(?: that)? (?P<what>.{8,160})$",
        text,
    )
    inner = parse_clause(match["what"]) if match else None
    if (
        match is None
        or inner is None
        or inner.imperative
        or re.match(r"(?:he|she|it|they|his|her)\b", match["what"])
    ):
        return ""
    return match["what"]


def _because(text: str) -> list[Draft | None]:
    match = re.match(
        r"^(?P<fact>.{6,140}?),? (?P<word>because of|because|due to|thanks to|so that) (?P<why>.{3,120})$",
        text,
    )
    if not match:
        return []
    clause = parse_clause(_shared_subject(match["fact"])[-1])
    if (
        clause is None
        or clause.imperative
        or clause.subject.lower() in {"it", "this", "that", "he", "she", "they"}
    ):
        return []
    subject = in_sentence(clause.subject)
    rest = " ".join(
        part for part in (clause.main, clause.object, *(phrase.text for phrase in clause.phrases)) if part
    )
    short = " ".join(part for part in (clause.main, clause.object) if part) or rest
    why = match["why"].split(", ")[0] if len(match["why"].split()) > 14 else match["why"]
    if re.match(r"^(?:he|she|it|they)\b", why):
        pronoun = why.split()[0].lower()
        if (pronoun in {"it", "they"}) and kind_of_noun(subject) == "person":
            return []
    asks = [
        f"why [{clause.aux}] * {rest}",
        f"for what reason [{clause.aux}] * {short}",
        f"!what is the reason that * {clause.finite} {clause.object}".strip(),
        f"!how come * {clause.finite} {clause.object}".strip(),
        f"!why is it that * {clause.finite} {clause.object}".strip(),
    ]
    joined = f"{match['word']} {why}"
    full = f"{clause.subject} {clause.finite} {rest.removeprefix(clause.main).strip()} {joined}"
    if len(full.split()) > 14:
        full = f"{joined[0].upper()}{joined[1:]}"
    answer = to_second_person(why)
    return [draft(answer, full, asks, subject, weight=1.8)]


_APPOSED_NAME = re.compile(
    r"(?P<who>\b(?:[Mm]y|[Oo]ur|[Hh]is|[Hh]er|[Tt]heir"
    r"|[A-Z]\w+'s) (?:[a-z-]+ )?(?P<role>[a-z-]+)) (?P<name>[A-Z][\w-]+)(?=\b(?!\w))"
)


def named_person(text: str) -> tuple[str, str, str] | None:
    """ "My sister Ana lives in Oslo": (my sister, her name, the words for both); else None."""
    match = _APPOSED_NAME.search(text)
    if match is None or match.start() > 20:
        return None
    if match["role"] not in PEOPLE and kind_of_noun(f"my {match['role']}") != "animal":
        return None
    return in_sentence(match["who"]), match["name"], match[0]
