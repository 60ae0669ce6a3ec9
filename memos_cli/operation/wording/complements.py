"""What follows a verb, taken apart: object, then phrases of place, time and the like. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.moments import NUMBER, MomentKind, moment_at
from memos_cli.operation.wording.nouns import is_plural
from memos_cli.operation.wording.verbs import forms_of

PREPOSITIONS = word_set(
    """about above across after against along among around as at before behind below beneath beside besides
    between beyond by down during except for from in inside into near next off on onto opposite out
    outside over past per since than through throughout till to toward towards under underneath until up
    upon via with within without every each"""
)


PLACES_BEFORE = word_set(
    """above across at behind below beneath beside between in inside into near next off on onto opposite
    outside over through under underneath to around from past"""
)


NOUN_COMES = word_set(
    """the a an my your his her its our their this that these those every each some any no another both all
    in on at of for with from to by near under and or very new old big small other first second third
    one two three four five last next main own"""
)


STOPS = re.compile(
    r"\b(?:that|how|why|whether|what|when|whenever|while|whilst|if|unless|where|which|who|whose|whom|so"
    r"|because|but|although"
    r"|though"
    r"|since (?=\w+ (?:is|are|was|were|has))|as (?=(?:he|she|it|they|we|i|the) )|and then|until (?=(?:he"
    r"|she|it|they|we|i) ))\b",
    re.IGNORECASE,
)


_CONTRACTIONS = (
    (r"\bI'm\b", "I am"),
    (r"\b(you|we|they)'re\b", r"\1 are"),
    (r"\b(I|you|we|they)'ve\b", r"\1 have"),
    (r"\b(I|you|he|she|it|we|they)'ll\b", r"\1 will"),
    (r"\b(I|you|he|she|it|we|they)'d (?=\w+(?:ed|en)\b)", r"\1 had "),
    (r"\b(I|you|he|she|it|we|they)'d\b", r"\1 would"),
    (r"\bcan't\b", "can not"),
    (r"\bcannot\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\b(do|does|did|is|are|was|were|has|have|had|would|could|should|must|might)n't\b", r"\1 not"),
    (r"(\w)'s (?=got\b|been\b)", r"\1 has "),
    (r"\b(he|she|it|that|there|here|what|who|where)'s\b", r"\1 is"),
    (
        r"(\w)'s (?=(?:called|named|not|allergic|in|at|on|under|behind|near|from|a|an|the|about|located"
        r"|kept|due|born|over)\b)",
        r"\1 is ",
    ),
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """What follows verb and object: "on port 5433", "every night", "to restart the router"."""

    word: str  # the preposition; empty for a bare time
    noun: str
    moment: MomentKind | None = None
    verbal: bool = False  # "to" and a verb

    @property
    def text(self) -> str:
        return f"{self.word} {self.noun}".strip()


def expand(text: str) -> str:
    """Contractions written out: "doesn't" -> "does not", "my cat's called" -> "my cat is called"."""
    text = text.replace("’", "'")
    for pattern, whole in _CONTRACTIONS:
        text = re.sub(pattern, whole, text, flags=re.IGNORECASE)
    return re.sub(r"\bi\b(?=[ '])", "I", text)


def bare_word(token: str) -> str:
    return token.strip('.,;:!?()"“”*_').lower()


def split_rest(rest: str, *, copula: bool = False) -> tuple[str, tuple[Phrase, ...], str]:
    """What follows a verb: (object or complement, phrases of place, time and the like, cut-off tail)."""
    rest = rest.strip(" ,")
    stop = STOPS.search(rest)
    tail = ""
    if stop:
        rest, tail = rest[: stop.start()].rstrip(" ,"), rest[stop.start() :]
    cut = _comma_end(rest)
    if cut is not None:
        tail = rest[cut:].lstrip(" ,") + (f" {tail}" if tail else "")
        rest = rest[:cut]
    if rest.endswith((" and", " or")):
        rest = rest.rpartition(" ")[0]
    chunks: list[Phrase] = []
    place, begin, word = 0, 0, ""
    moment: MomentKind | None = None

    def close(end: int) -> None:
        noun = rest[begin:end].strip(" ,")
        if noun or word:
            chunks.append(Phrase(word, noun, moment, verbal=word == "to" and _verbal(noun)))

    starts = [match.start() for match in re.finditer(r"\S+", rest)]
    for at in starts:
        if at < place:
            continue
        current = bare_word(rest[at:].split(" ", 1)[0])
        before = bare_word(rest[:at].split(" ")[-2]) if at else ""
        found = moment_at(rest, at)
        if found and not _moment_stands_alone(rest, before, found[1]):
            found = None
        if found:
            close(at)
            lead, _, noun = rest[at : found[1]].partition(" ")
            lead_is_word = lead.lower() in PREPOSITIONS - {"every", "each", "next"} and bool(noun)
            chunks.append(
                Phrase(
                    lead.lower() if lead_is_word else "",
                    noun if lead_is_word else rest[at : found[1]],
                    found[0],
                )
            )
            place = begin = found[1]
            word, moment = "", None
        elif current in {"about", "around", "over", "under"} and re.match(rf"\w+ (?:{NUMBER})\b", rest[at:]):
            continue  # about ten hours
        elif before in {"the", "an", "a", "my"} and current in {"inside", "outside", "past", "over", "off"}:
            continue
        elif current in PREPOSITIONS - {"every", "each", "than", "past"} and not (
            current in {"next", "past"} and before in NOUN_COMES
        ):
            if word in {"next", "close", "out", "up", "down", "off", "along"} and not rest[begin:at].strip():
                word, begin = f"{word} {current}", at + len(current)
                continue
            if current in {"up", "out", "off", "down"} and at == 0:
                continue  # part of the verb; stays with the object
            if copula and current == "to" and at and chunks == [] and not before:
                continue
            close(at)
            word, begin, moment = current, at + len(current), None
            if current == "to" and _verbal(rest[begin:].strip()):
                noun = rest[begin:].strip()
                chunks.append(Phrase("to", noun, None, verbal=True))
                begin, word, place = len(rest), "", len(rest)
                break
    close(len(rest))
    head = ""
    if chunks and not chunks[0].word and not chunks[0].moment:
        head = chunks.pop(0).noun
    return head, tuple(chunk for chunk in chunks if chunk.noun), tail


def _verbal(noun: str) -> bool:
    words = noun.split()
    return (
        len(words) > 0
        and ("base" in forms_of(bare_word(words[0])) or words[0] == "be")
        and words[0].islower()
    )


def _moment_stands_alone(rest: str, before: str, end: int) -> bool:
    """Whether a time phrase is no part of a noun: not "the Monday meeting", not "a daily report"."""
    if before in {"the", "a", "an", "my", "our", "his", "her", "their", "this", "of", "is", "and", "or"}:
        return False
    following = rest[end:].lstrip(" ")
    if not following or following[0] in ",;(.":
        return True
    word = bare_word(following.split(" ", 1)[0])
    return (
        word in PREPOSITIONS
        or word in {"and", "or", "of", "the", "a", "my"}
        or moment_at(following, 0) is not None
    )


def _comma_end(rest: str) -> int | None:
    """Where a comma ends what belongs to the verb; None where commas only part the items of a list."""
    for match in re.finditer(r",(?= )| [—–-] |\(|: ", rest):
        after = rest[match.start() :]
        if match[0] == "," and re.fullmatch(r"(?:, [^,]{1,40})*,? (?:and|or) [^,]{1,60}", after):
            return None
        if match[0] == "," and moment_at(rest, match.end() + 1):
            continue
        return match.start()
    return None


def agreed(aux: str, subject: str) -> str:
    """An auxiliary that agrees with a subject: is -> am, are; do -> does; has -> have; was -> were."""
    low = subject.lower()
    many = low in {"we", "you", "they"} or (low != "i" and is_plural(subject))
    if aux in {"is", "are", "am"}:
        return "am" if low == "i" else "are" if many else "is"
    if aux in {"was", "were"}:
        return "were" if many else "was"
    if aux in {"do", "does"}:
        return "do" if many or low == "i" else "does"
    if aux in {"has", "have"}:
        return "have" if many or low == "i" else "has"
    return aux
