"""The parts of an English sentence: subject, verb, objects, place and time. Verbs by lemminflect. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from memos_cli.errors import ModelUnfit
from memos_cli.operation.adapters.questions.answer_check import CONTRACTIONS
from memos_cli.operation.adapters.questions.spans import (
    JOIN,
    find_spans,
    join_spans,
    joined,
    kind_of,
    part_spans,
)

DETERMINERS = frozenset("the a an my our your his her its their this that these those no some any".split())
POSSESSIVE = {"i": "my", "we": "our", "you": "your", "he": "his", "she": "her", "it": "its", "they": "their"}
PREPOSITIONS = frozenset(
    "in on at to from with without by for under behind near until till since before after into onto over"
    " above below between beside inside outside through via as about against during within opposite"
    " around next\ue000to".split()
)  # "of" binds what it stands between
SMALL = DETERMINERS | PREPOSITIONS | POSSESSIVE.keys()
BE = frozenset("am is are was were be been".split())
AUXILIARIES = BE | frozenset(
    "has have had do does did will would can could may might must shall should not never".split()
)
TIME_UNITS = re.compile(r"\b(?:second|minute|hour|day|night|week|month|year|min|sec|hr|h)s?\b", re.IGNORECASE)
_NEVER_FIRST = frozenset("not never be been".split())
_MAIN = frozenset("has have had does do did".split())
_ADVERBS = frozenset("only also still usually always already just currently mostly often again now".split())
_RELATIVE = frozenset("today yesterday tomorrow tonight".split())
"""When that is, a note cannot say once it is old."""
_NEXT_TO = "next\ue000to"
_APPOSITION = re.compile(r"^((?:The|My|Our|His|Her|Their|Your)(?: [\w'’-]+){1,4}), [^,]{2,40}, (?=[a-z])")
_CUTS = re.compile(r",? (?:because|since we|so that|although|while|which|who|whose|if|when|unless|than)\b.*")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a sentence: "behind the tank", "port 5433", "every night"."""

    preposition: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return joined([self.preposition, *self.words])

    @property
    def noun(self) -> str:
        """The text without its preposition and article."""
        return joined(self.bare)

    @property
    def bare(self) -> tuple[str, ...]:
        return self.words[1:] if self.words[1:] and self.words[0] in DETERMINERS else self.words

    @property
    def kind(self) -> str:
        """The shape of its text; "" for a common noun."""
        spans = find_spans(self.text)  # with its preposition: "in 2019" is a date
        return spans[-1].kind if spans else ""

    @property
    def is_given(self) -> bool:
        """Whether it names a known thing: "the scheduler", "my tea"."""
        known = (DETERMINERS | PRONOUNS) - {"a", "an", "no", "some", "any"}
        return not self.kind and bool(self.words) and self.words[0].casefold() in known


@dataclass(frozen=True, slots=True)
class Clause:
    """A statement in its parts, in the words of the note."""

    subject: str
    auxiliary: str
    """"is", "will"; "" where the verb stands alone."""
    verb: str
    """"listens", "stored"; "" behind a bare "is"."""
    chunks: tuple[Chunk, ...]

    @property
    def predicate(self) -> str:
        return " ".join(filter(None, [self.auxiliary, self.verb]))


PRONOUNS = frozenset("it them him her me us you he she they".split())


def _lexicon() -> Any:
    """Return the module lemminflect. Raises ModelUnfit if it is not installed."""
    try:
        import lemminflect
    except ModuleNotFoundError as error:
        raise ModelUnfit("lemminflect is not installed", "pip install 'memos-cli[distil]'") from error
    return lemminflect


@lru_cache(maxsize=5000)
def tags_of(word: str) -> frozenset[str]:
    """Return the Penn tags of a word as a noun, verb or adjective; empty for a word not in the lexicon."""
    lemminflect, tags = _lexicon(), set[str]()
    for part, lemmas in lemminflect.getAllLemmas(word).items():
        for lemma in lemmas:
            if part == "NOUN":
                tags.add("NN" if lemma == word else "NNS")
            elif part in ("VERB", "AUX"):
                forms = ("VB", "VBP", "VBZ", "VBD", "VBN", "VBG")
                tags |= {tag for tag in forms if word in lemminflect.getInflection(lemma, tag)}
            else:
                tags.add(part)
    return frozenset(tags)


def inflect(verb: str, tag: str) -> str:
    """Inflect the first word of a verb: ``VB`` is the base, ``VBZ`` "goes", ``VBD`` "went"."""
    lemminflect = _lexicon()
    head, *rest = verb.split(" ")
    lemma = lemminflect.getLemma(head, "VERB")[0]
    return " ".join([(lemminflect.getInflection(lemma, tag) or (lemma,))[0], *rest])


def lower_first(phrase: str) -> str:
    """Return a phrase within a sentence: "The ladder" -> "the ladder"; a name keeps its capital."""
    first = phrase.split(" ")[0]
    is_word = first.casefold() in SMALL or bool(tags_of(first.lower()))
    if first == "I" or not is_word or not first[1:].islower():
        return phrase
    return phrase[0].lower() + phrase[1:]


def clauses_of(sentence: str) -> list[Clause]:
    """Return the statements of a sentence. Those without a subject take that of the one before."""
    text = _CUTS.sub("", sentence.strip().rstrip(".!"))
    for pattern, whole in CONTRACTIONS:
        text = re.sub(pattern, whole, text, flags=re.IGNORECASE)
    text = lower_first(_APPOSITION.sub(r"\1 ", re.sub(r" ?\([^()]*\)", "", text)))
    text = text.replace(" next to ", f" {_NEXT_TO} ")
    found: list[Clause] = []
    held = ""
    for part in re.split(r"(,? (?:and|but|so) |, |: | [–—-] )", join_spans(text)):
        if re.fullmatch(r"(?:,? (?:and|but|so) |, |: | [–—-] )", part):
            held += part
            continue
        clause = _parse(part.split(), found[-1] if found else None, is_first=not held)
        if clause is not None and (found or not held.strip(" ,:–—-")):
            found.append(clause)
            held = ""
        elif clause is not None:
            found, held = [clause], ""
        elif found and held.strip() in (",", "and", ", and") and part:
            last = found[-1]
            chunks = _chunks(part.split())
            if chunks and (chunks[0].preposition or not last.chunks):
                found[-1] = replace(last, chunks=(*last.chunks, *chunks))
            elif last.chunks:
                end = last.chunks[-1]
                more = held.replace(" ", JOIN) + JOIN.join(part.split())
                words = (*end.words[:-1], end.words[-1] + more)
                found[-1] = replace(last, chunks=(*last.chunks[:-1], replace(end, words=words)))
            held = ""
        else:
            held = held + part if not found else ""
    return found


def _parse(words: list[str], before: Clause | None, *, is_first: bool) -> Clause | None:
    words = _fronted([word for word in words if word.casefold() not in _RELATIVE | _ADVERBS])
    if len(words) < 2:
        return None
    at = _verb_at(words)
    if at is None and before is not None and tags_of(words[0].casefold()) & {"VBZ", "VBD"}:
        at = 0  # "… and lasts ten weeks"
    if at == 0 and before is not None and not (before.subject == "I" and before.auxiliary == "should"):
        subject = before.subject
    elif at == 0 and is_first:
        subject, words = "I", [words[0].lower(), *words[1:]]
        if "VBD" not in tags_of(words[0]) or "VB" in tags_of(words[0]):
            words = ["should", *words]
    elif not at:
        return None
    else:
        subject = part_spans(" ".join(words[:at]))
    rest = words[at:] if at else words
    auxiliary = ""
    verbs: list[str] = []
    while rest and rest[0].casefold() in AUXILIARIES:
        auxiliary = f"{auxiliary} {rest[0].casefold()}".strip()
        rest = rest[1:]
    if rest and rest[0].islower() and (not auxiliary or _is_participle(rest, auxiliary)):
        verbs, rest = [rest[0]], rest[1:]
        if len(rest) > 2 and rest[0] == "to" and "VB" in tags_of(rest[1]) and rest[2] not in PREPOSITIONS:
            verbs, rest = [*verbs, *rest[:2]], rest[2:]  # "decided to use"
    if auxiliary in _MAIN and not verbs:
        auxiliary, verbs = "", [auxiliary]
    if not rest and not verbs:
        return None
    return Clause(subject, auxiliary, " ".join(verbs), tuple(_chunks(rest)))


def _is_participle(rest: Sequence[str], auxiliary: str) -> bool:
    tags = tags_of(rest[0])
    if auxiliary.split()[0] in BE:
        follows = rest[1].casefold() if len(rest) > 1 else ""
        return bool(tags & {"VBN", "VBG"}) and not ("NN" in tags and "VBN" not in tags and not follows)
    return bool(tags & {"VB", "VBN"})


def _fronted(words: list[str]) -> list[str]:
    """Move the words before the subject to the end: "On Mondays we swim" -> "we swim On Mondays"."""
    first = words[0].casefold() if words else ""
    kind = kind_of(part_spans(words[0])) if words else ""
    size = 1 if kind in ("date", "often", "time") else 2 if first in ("in", "on", "at", "since") else 0
    if size and len(words) > size + 1 and words[size].casefold() in (*POSSESSIVE, *DETERMINERS):
        return [*words[size:], *words[:size]]
    return words


def _verb_at(words: Sequence[str]) -> int | None:
    """Return the index of the finite verb; 0 if the subject is missing; None without a verb."""
    for at, word in enumerate(words):
        if word.casefold() in AUXILIARIES - _NEVER_FIRST or (at and word.islower() and _is_verb(words, at)):
            return at
    first, second = tags_of(words[0].lower()), words[1].casefold()
    is_verb = first & {"VBD", "VBZ", "VB"} and not first & {"NN", "NNS"}
    is_order = first & {"VB", "VBZ"} and second in DETERMINERS | PREPOSITIONS
    return 0 if (is_verb or is_order) and words[0].casefold() not in DETERMINERS else None


def _is_verb(words: Sequence[str], at: int) -> bool:
    """Return whether a word that may be a verb is one here, and agrees with the words before it."""
    word, before, tags = words[at], words[at - 1].casefold(), tags_of(words[at])
    follows = words[at + 1].casefold() if at + 1 < len(words) else ""
    if before in DETERMINERS | PREPOSITIONS | {"of", "and"} or before.endswith("'s") or follows == "of":
        return False
    is_plural = _is_plural(words[:at])
    if not tags & {"VBZ", "VBD"}:
        return "VBP" in tags and is_plural
    after = tags_of(follows) if follows else frozenset()
    is_verb_next = follows in AUXILIARIES or (after & {"VBZ", "VBD"} and "NNS" not in after)
    is_noun = "NNS" in tags and is_verb_next
    return not is_noun and ("VBD" in tags or not is_plural) and JOIN not in word


def _is_plural(subject: Sequence[str]) -> bool:
    last = subject[-1].casefold()
    head = subject[subject.index("of") - 1].casefold() if "of" in subject and subject.index("of") else last
    return last in ("i", "we", "you", "they") or "and" in subject or "NNS" in tags_of(head)


def _chunks(words: Sequence[str]) -> list[Chunk]:
    """Return the rest of a sentence, cut before each preposition and before each time."""
    found: list[list[str]] = []
    for word in words:
        is_time = kind_of(part_spans(word.rstrip(","))) in ("date", "time", "often")
        is_after_preposition = found and found[-1][-1].casefold() in PREPOSITIONS
        if not found or word.casefold() in PREPOSITIONS or (is_time and not is_after_preposition):
            found.append([])
        found[-1].append(word)
    chunks = []
    for first, *rest in found:
        preposition = first.casefold() if first.casefold() in PREPOSITIONS else ""
        parts = rest if preposition else [first, *rest]
        chunks.append(Chunk(preposition, tuple(word.rstrip(",;") for word in parts)))
    return chunks
