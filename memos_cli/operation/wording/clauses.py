"""One English clause, taken apart: who, does what, to what, where and when. Rules over words; pure.

"The backup job runs every night at 02:30" -> subject "The backup job", verb "run" (present), phrases "every
night" and "at 02:30". A clause that does not come apart cleanly gives None: fewer questions are better than
wrong ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from memos_cli.operation.wording.complements import (
    NOUN_COMES,
    PREPOSITIONS,
    STOPS,
    Phrase,
    agreed,
    bare_word,
    expand,
    split_rest,
)
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.moments import moment_at
from memos_cli.operation.wording.nouns import is_plural
from memos_cli.operation.wording.verb_finding import ADVERBS, verb_at, without_adverbs
from memos_cli.operation.wording.verbs import (
    BE,
    MODALS,
    forms_of,
    guess_base,
    past_of,
    third_person,
)

_GIVING = word_set("""give lend send show tell teach bring buy sell offer pay promise hand owe leave write""")
_DOING_FOR = word_set("buy make bake paint cook leave get build knit order book save find")
_PRONOUNS = word_set("me us him her them you it")
_RECIPIENT = re.compile(
    r"^(?P<who>me|us|him|her|them|you|it|[A-Z]\w+|(?:my|our|his|her|the) [a-z]+) (?P<what>(?:the|an?|my"
    r"|our|his|her|their|\d\S*|one|two|three|four|five|some|many) \S.*|[a-z]+)$"
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause by its parts. ``aux`` is what a question puts before the subject: do, did, is, has, will."""

    subject: str
    aux: str
    main: str  # what is left of the verb after aux: "keep", "called", "" of a copula; with not, never
    finite: str  # the whole verb as the clause has it: "keeps", "was called", "is"
    base: str  # base form of the meaning verb
    passive: bool
    object: str
    phrases: tuple[Phrase, ...]
    tail: str = ""  # a subordinate clause that was cut off
    negated: bool = False
    imperative: bool = False

    @property
    def past(self) -> bool:
        return self.aux in {"did", "was", "were", "had"}

    @property
    def copula(self) -> bool:
        return self.base == "be"

    def times(self) -> list[Phrase]:
        return [phrase for phrase in self.phrases if phrase.moment]

    def others(self) -> list[Phrase]:
        return [phrase for phrase in self.phrases if not phrase.moment]


def parse_clause(text: str) -> Clause | None:
    """The parts of a clause; None where no finite verb is found. The text has no final mark."""
    text = expand(text.strip(" .!;,"))
    text, moved = _fronted(text)
    tokens = text.split()
    if not 2 <= len(tokens) <= 60:
        return None
    at = verb_at(tokens)
    if at is None:
        imperative = _imperative(text, tokens)
        return imperative and _finished(imperative, moved)
    subject = " ".join(without_adverbs(tokens[:at]))
    if not _is_subject(subject):
        return None
    clause = _verb_group(subject, tokens, at)
    return clause and _finished(clause, moved)


def _finished(clause: Clause, moved: list[Phrase]) -> Clause:
    rest = clause.object
    found, phrases, tail = split_rest(rest, copula=clause.copula)
    particle = re.match(r"^(up|out|off|down|back|away|along|together|over)(?: (?=\S)|$)(.*)$", found)
    if particle and not clause.copula:
        found = particle[2]
        clause = replace(clause, main=f"{clause.main} {particle[1]}", finite=f"{clause.finite} {particle[1]}")
    given = _RECIPIENT.match(found) if not clause.passive and not clause.copula else None
    if (
        given
        and clause.base not in _GIVING
        and (
            given["who"].lower() not in _PRONOUNS or not re.match(r"(?:the|an?|my|our|some) ", given["what"])
        )
    ):
        given = None
    if given:
        found, phrases = (
            given["what"],
            (Phrase("for" if clause.base in _DOING_FOR else "to", given["who"]), *phrases),
        )
    return replace(clause, object=found, phrases=(*phrases, *moved), tail=tail)


def _fronted(text: str) -> tuple[str, list[Phrase]]:
    """A time or place that leads the sentence ("In May I moved …") goes to its end."""
    found = moment_at(text, 0)
    if found:
        rest = text[found[1] :].lstrip(" ,")
        if (
            rest
            and re.match(r"(?:i|we|he|she|it|they|the|my|our|you|there|[A-Z]\w*)\b", rest)
            and len(rest.split()) > 1
        ):
            word, _, noun = text[: found[1]].partition(" ")
            if word.lower() in PREPOSITIONS:
                return rest, [Phrase(word.lower(), noun, found[0])]
            return rest, [Phrase("", _small(text[: found[1]]), found[0])]
    match = re.match(
        r"((?:In|At|On|For|From|With|Under|Behind|Near|Inside)) ((?:[^\s,]+ ){0,5}[^\s,]+), (?=\S)", text
    )
    if match and not forms_of(match[2].split()[-1]).get("ing"):
        return text[match.end() :], [Phrase(match[1].lower(), match[2])]
    text = re.sub(
        r"^(?:and|but|also|so|then|yes|no|well|oh|okay|ok|by the way|note|reminder|remember|fyi"
        r"|note that|please note(?: that)?"
        r"|remember that|don't forget(?: that)?|unfortunately|fortunately|luckily|finally|actually"
        r"|currently|usually|normally"
        r"|from now on)[,:]? (?=\w)",
        "",
        text,
        flags=re.IGNORECASE,
    )
    return text, []


def _small(text: str) -> str:
    first = text.split(" ")[0]
    return (
        text
        if re.search(r"day|[A-Z].*[A-Z]|\d", first) or first in {"Christmas", "Easter"}
        else text[:1].lower() + text[1:]
    )


def _is_subject(subject: str) -> bool:
    first = bare_word(subject.split(" ")[0]) if subject else ""
    return bool(
        subject
        and len(subject.split()) <= 9
        and not re.search(r"[;:?!]|, ", subject)
        and (first not in PREPOSITIONS or first in {"every", "each"})
        and not STOPS.search(subject)
        and subject.lower() not in _NO_SUBJECTS
        and bare_word(subject.split(" ")[-1])
        not in NOUN_COMES - {"one", "two", "three", "that", "this", "all", "both", "first", "second", "last"}
    )


_NO_SUBJECTS = word_set(
    """seems sounds looks feels got been gonna thanks congrats congratulations love hope glad wow hey yeah
    yes no nope cool nice"""
)


def _verb_group(subject: str, tokens: list[str], at: int) -> Clause | None:
    """The clause from its verb on; what follows the verb still stands whole in ``object``."""
    words = [bare_word(token) for token in tokens]
    first = words[at]
    place = at + 1
    negated = ""
    while place < len(words) and (words[place] in ADVERBS or words[place] == "not"):
        if words[place] in {"not", "never"}:
            negated = words[place]
        place += 1
    leading = {bare_word(token) for token in tokens[max(0, at - 2) : at]}
    if "never" in leading:
        negated = "never"
    rest = " ".join(tokens[place:])
    following = words[place] if place < len(words) else ""
    forms = forms_of(following)
    finite = " ".join(word for word in tokens[at : at + 1] if word)

    def clause(aux: str, main: str, finite: str, base: str, rest: str, passive: bool = False) -> Clause:
        if negated:
            main = f"{negated} {main}".strip()
            if aux in {"do", "did"}:
                word = {"do": "do" if _plural_subject(subject) else "does", "did": "did"}[aux]
                finite = f"{word} not {base}" if negated == "not" else f"never {finite}"
            else:
                finite = finite.replace(aux, f"{aux} {negated}", 1)
        return Clause(subject, aux, main, finite, base, passive, rest, (), negated=bool(negated))

    after = " ".join(tokens[place + 1 :])
    if first in BE:
        if ("participle" in forms and following not in {"left", "set"}) or (
            following in {"left", "set"} and after
        ):
            if following in _ADJECTIVES:
                return clause(first, "", first, "be", rest)
            return clause(
                first, following, f"{first} {following}", forms.get("participle", following), after, True
            )
        if "ing" in forms and len(tokens) > place + 1:
            return clause(first, following, f"{first} {following}", forms["ing"], after)
        return clause(first, "", first, "be", rest)
    if first in {"has", "have", "had"}:
        if following == "got":
            return clause("do", "have", "has" if first == "has" else first, "have", after)
        if following == "been" and place + 1 < len(words):
            inner = forms_of(words[place + 1])
            more = " ".join(tokens[place + 2 :])
            if "participle" in inner:
                return clause(
                    first,
                    f"been {words[place + 1]}",
                    f"{first} been {words[place + 1]}",
                    inner["participle"],
                    more,
                    True,
                )
            if "ing" in inner:
                return clause(
                    first, f"been {words[place + 1]}", f"{first} been {words[place + 1]}", inner["ing"], more
                )
            return clause(first, "been", f"{first} been", "be", after)
        if following == "to" and place + 1 < len(words) and "base" in forms_of(words[place + 1]):
            verb = words[place + 1]
            aux = "did" if first == "had" else "do"
            return clause(aux, f"have to {verb}", f"{first} to {verb}", verb, " ".join(tokens[place + 2 :]))
        if "participle" in forms and following not in {
            "red",
            "left",
            "broken",
            "used",
            "closed",
            "wet",
            "tired",
            "worried",
            "run",
            "set",
        }:
            return clause(first, following, f"{first} {following}", forms["participle"], after)
        aux = "did" if first == "had" else "do"
        return clause(aux, "have", first, "have", rest)
    if first in MODALS:
        if following == "be" and place + 1 < len(words):
            inner = forms_of(words[place + 1])
            more = " ".join(tokens[place + 2 :])
            if "participle" in inner:
                return clause(
                    first,
                    f"be {words[place + 1]}",
                    f"{first} be {words[place + 1]}",
                    inner["participle"],
                    more,
                    True,
                )
            return clause(first, "be", f"{first} be", "be", after)
        if not following:
            return None
        base = forms.get("base") or following
        return clause(first, following, f"{first} {following}", base, after)
    if first in {"do", "does", "did"} and negated and following:
        base = forms.get("base") or following
        return clause("did" if first == "did" else "do", base, base, base, after)
    verb = forms_of(first)
    if (
        first
        in {
            "used",
            "needs",
            "need",
            "wants",
            "want",
            "has",
            "plans",
            "plan",
            "tries",
            "hopes",
            "likes",
            "intends",
        }
        and following == "to"
        and place + 1 < len(words)
    ):
        inner = words[place + 1]
        outer = {"used": "use"}.get(first) or verb.get("s") or verb.get("base") or first
        aux = "did" if first == "used" else "do"
        if "base" in forms_of(inner) or inner == "be":
            return clause(
                aux, f"{outer} to {inner}", f"{first} to {inner}", inner, " ".join(tokens[place + 2 :])
            )
    plain = " ".join(tokens[place:])
    if "past" in verb and not (
        "base" in verb and _plural_subject(subject) and verb["base"] == verb["past"] and _habit(plain)
    ):
        return clause("did", verb["past"], finite, verb["past"], plain)
    if "s" in verb or "base" in verb:
        base = verb.get("s") or verb["base"]
        return clause("do", base, finite, base, plain)
    base = guess_base(first)
    return clause("did" if first.endswith("ed") else "do", base, finite, base, plain)


# Participles that describe rather than tell of an act.
_ADJECTIVES = word_set(
    """tired excited worried interested bored scared married divorced retired red used left closed broken
    lost allergic open clean wet shut grown surprised pleased bent"""
)


def _habit(rest: str) -> bool:
    """Whether "I put …" tells of a habit; otherwise it was put once."""
    return bool(re.search(r"\b(?:every|each|always|usually|never|daily|weekly|twice|\w+days)\b", rest))


def _plural_subject(subject: str) -> bool:
    return subject.lower() in {"i", "we", "you", "they"} or is_plural(subject)


def _imperative(text: str, tokens: list[str]) -> Clause | None:
    """ "Bake the cake at 180 degrees" is read as what I should do; None where the first word is no verb."""
    first = bare_word(tokens[0])
    negated = ""
    if first in {"never", "always", "please"} or text.lower().startswith("do not "):
        skip = 2 if first == "do" else 1
        negated = "never" if first == "never" else "not" if first == "do" else ""
        tokens = tokens[skip:]
        first = bare_word(tokens[0]) if tokens else ""
    if "base" not in forms_of(first) or len(tokens) < 2 or tokens[0].endswith((",", ":")):
        return None
    if bare_word(tokens[1]) in {"is", "are", "was", "of", "and"} or re.match(r"\W", tokens[1]):
        return None
    main = f"{negated} {first}".strip()
    return Clause(
        "I", "should", main, f"should {main}", first, False, " ".join(tokens[1:]), (), "", bool(negated), True
    )


def finite_for(clause: Clause, subject: str) -> str:
    """The verb of ``clause`` as it goes with another subject: "keeps" with "I" is "keep"."""
    many = _plural_subject(subject)
    if clause.aux == "do":
        if clause.negated:
            word = "do" if many else "does"
            return (
                f"never {clause.base if many else third_person(clause.base)}"
                if "never" in clause.main
                else f"{word} {clause.main}"
            )
        head, _, tail = clause.main.partition(" ")
        return f"{head if many else third_person(head)} {tail}".strip()
    if clause.aux == "did":
        if clause.negated:
            return f"did {clause.main}" if "not" in clause.main else f"never {past_of(clause.base)}"
        head, _, tail = clause.main.partition(" ")
        return f"{past_of(head)} {tail}".strip()
    return f"{agreed(clause.aux, subject)} {clause.main}".strip()
