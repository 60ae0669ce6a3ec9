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
_GIVING_TO = word_set("give lend send show tell teach offer pay promise hand owe")
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
    became = re.match(r"^(married|engaged|divorced|promoted|hired|fired|lost|sick|stuck)(?: |$)(.*)$", found)
    if became and clause.base == "get":
        found = became[2]
        clause = replace(clause, main=f"{clause.main} {became[1]}", finite=f"{clause.finite} {became[1]}")
    given = _RECIPIENT.match(found) if not clause.passive and not clause.copula else None
    if (
        given
        and clause.base not in _GIVING
        and (
            given["who"].lower() not in _PRONOUNS or not re.match(r"(?:the|an?|my|our|some) ", given["what"])
        )
    ):
        given = None
    if given and _is_compound(clause.base, given["who"], given["what"]):
        given = None
    if given:
        found, phrases = (
            given["what"],
            (Phrase("for" if clause.base in _DOING_FOR else "to", given["who"]), *phrases),
        )
    return replace(clause, object=found, phrases=(*phrases, *moved), tail=tail)


def _is_compound(base: str, who: str, what: str) -> bool:
    """Whether "the import" and "script" are one thing: one writes no script to an import."""
    return base not in _GIVING_TO and who.lower().startswith(("the ", "my ", "our ")) and what.isalpha()


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


@dataclass(frozen=True, slots=True)
class _Verb:
    """The first finite word of a clause, with what stands around it."""

    subject: str
    tokens: tuple[str, ...]
    words: tuple[str, ...]  # the tokens, bare
    at: int  # of the finite word
    next: int  # of the word after it, past "not" and adverbs
    negated: str  # "", "not" or "never"

    @property
    def first(self) -> str:
        return self.words[self.at]

    def word(self, further: int = 0) -> str:
        """A word after the finite one; empty past the end."""
        place = self.next + further
        return self.words[place] if place < len(self.words) else ""

    def rest(self, further: int = 0) -> str:
        return " ".join(self.tokens[self.next + further :])

    def clause(self, aux: str, main: str, finite: str, base: str, rest: str, passive: bool = False) -> Clause:
        if self.negated:
            main = f"{self.negated} {main}".strip()
            if aux not in {"do", "did"}:
                finite = finite.replace(aux, f"{aux} {self.negated}", 1)
            elif self.negated == "never":
                finite = f"never {finite}"
            else:
                word = "did" if aux == "did" else "do" if _plural_subject(self.subject) else "does"
                finite = f"{word} not {base}"
        return Clause(self.subject, aux, main, finite, base, passive, rest, (), negated=bool(self.negated))


def _verb_group(subject: str, tokens: list[str], at: int) -> Clause | None:
    """The clause from its verb on; what follows the verb still stands whole in ``object``."""
    words = tuple(bare_word(token) for token in tokens)
    place, negated = at + 1, ""
    while place < len(words) and (words[place] in ADVERBS or words[place] == "not"):
        if words[place] in {"not", "never"}:
            negated = words[place]
        place += 1
    if "never" in words[max(0, at - 2) : at]:
        negated = "never"
    verb = _Verb(subject, tuple(tokens), words, at, place, negated)
    if verb.first in BE:
        return _being(verb)
    if verb.first in {"has", "have", "had"}:
        return _having(verb)
    if verb.first in MODALS:
        return _modal(verb)
    if verb.first in {"do", "does", "did"} and negated and verb.word():
        base = forms_of(verb.word()).get("base") or verb.word()
        return verb.clause("did" if verb.first == "did" else "do", base, base, base, verb.rest(1))
    return _wishing(verb) or _plain(verb)


def _being(verb: _Verb) -> Clause:
    """is kept, is working, is in the drawer"""
    first, following = verb.first, verb.word()
    forms = forms_of(following)
    described = following in _ADJECTIVES or (following in {"left", "set"} and not verb.rest(1))
    if "participle" in forms and not described:
        base = forms["participle"]
        return verb.clause(first, following, f"{first} {following}", base, verb.rest(1), True)
    if "ing" in forms and "participle" not in forms and verb.word(1):
        return verb.clause(first, following, f"{first} {following}", forms["ing"], verb.rest(1))
    return verb.clause(first, "", first, "be", verb.rest())


def _having(verb: _Verb) -> Clause:
    """has got, has been kept, had to leave, has painted, has three cats"""
    first, following = verb.first, verb.word()
    aux = "did" if first == "had" else "do"
    if following == "got":
        return verb.clause("do", "have", "has" if first == "has" else first, "have", verb.rest(1))
    if following == "been" and verb.word(1):
        word, inner = verb.word(1), forms_of(verb.word(1))
        if "participle" in inner or "ing" in inner:
            passive = "participle" in inner
            base = inner["participle"] if passive else inner["ing"]
            return verb.clause(first, f"been {word}", f"{first} been {word}", base, verb.rest(2), passive)
        return verb.clause(first, "been", f"{first} been", "be", verb.rest(1))
    if following == "to" and "base" in forms_of(verb.word(1)):
        word = verb.word(1)
        return verb.clause(aux, f"have to {word}", f"{first} to {word}", word, verb.rest(2))
    forms = forms_of(following)
    if "participle" in forms and following not in _BEFORE_NOUNS:
        return verb.clause(first, following, f"{first} {following}", forms["participle"], verb.rest(1))
    return verb.clause(aux, "have", first, "have", verb.rest())


def _modal(verb: _Verb) -> Clause | None:
    """will start, must be kept, can be cold"""
    first, following = verb.first, verb.word()
    if following == "be" and verb.word(1):
        word, inner = verb.word(1), forms_of(verb.word(1))
        if "participle" in inner:
            base = inner["participle"]
            return verb.clause(first, f"be {word}", f"{first} be {word}", base, verb.rest(2), True)
        return verb.clause(first, "be", f"{first} be", "be", verb.rest(1))
    if not following:
        return None
    base = forms_of(following).get("base") or following
    return verb.clause(first, following, f"{first} {following}", base, verb.rest(1))


def _wishing(verb: _Verb) -> Clause | None:
    """wants to learn, used to live, plans to sell"""
    first, inner = verb.first, verb.word(1)
    if first not in _WISHES or verb.word() != "to" or not ("base" in forms_of(inner) or inner == "be"):
        return None
    forms = forms_of(first)
    outer = "use" if first == "used" else forms.get("s") or forms.get("base") or first
    aux = "did" if first == "used" else "do"
    return verb.clause(aux, f"{outer} to {inner}", f"{first} to {inner}", inner, verb.rest(2))


def _plain(verb: _Verb) -> Clause:
    """keeps, kept; an unknown word by its ending"""
    first, rest = verb.first, verb.rest()
    forms = forms_of(first)
    past = forms.get("past")
    # "I put" may be either; it was put once unless the sentence tells of a habit.
    habit = forms.get("base") == past and _plural_subject(verb.subject) and _habit(rest)
    if past and not habit:
        return verb.clause("did", past, first, past, rest)
    base = forms.get("s") or forms.get("base")
    if base:
        return verb.clause("do", base, first, base, rest)
    base = guess_base(first)
    return verb.clause("did" if first.endswith("ed") else "do", base, first, base, rest)


_WISHES = word_set("used needs need wants want plans plan tries hopes likes intends")
# Participles that, after "have", belong to the noun: "has broken windows".
_BEFORE_NOUNS = word_set("red left broken used closed wet tired worried run set")
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
