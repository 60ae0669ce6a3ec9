"""The thing that a question is about, changed for another one, as a whole or in part. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from zlib import crc32

from memos_cli.operation.wording.facts import Fact
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.near_templates import OTHER_THINGS
from memos_cli.operation.wording.nouns import is_plural
from memos_cli.operation.wording.siblings import groups, siblings_of

SMALL = word_set(
    """what which who whom whose where when why how is are was were am be been do does did has have had can
    could would should will you me i to of in on at for from with by as about and or not it this that
    there tell know remember remind please any idea forgot forget need again exactly one we us our so
    sort kind thing called name again need recall"""
) - {"name", "called"}


_LITTLE = SMALL | {"the", "a", "an", "my", "our"}
# Words of the groups that stand for no thing one can name alone.
_NO_THINGS = frozenset(
    (
        "orders", "positions", "ages", "sizes", "colours", "times of day", "environments", "seasons",
        "weather", "body", "allergens", "office hours", "accounts", "children", "money", "music", "sports",
        "hobbies",
    )
)  # fmt: skip
_THING = re.compile(r"\b(?=((?:the|my|our)((?: [\w-]+){1,4})))", re.IGNORECASE)


def thing_of(fact: Fact) -> str:
    """The thing that most questions name, with its article: "the payment scheduler"; "" if there is none."""
    counts: dict[str, int] = {}
    for question in fact.questions:
        for match in _THING.finditer(question):
            words = match[1].lower().split()
            for size in range(2, len(words) + 1):
                if words[size - 1] not in _LITTLE:
                    phrase = " ".join(words[:size])
                    counts[phrase] = counts.get(phrase, 0) + 1
    best = max(counts, key=lambda phrase: counts[phrase] * phrase.count(" "), default="")
    return best if counts.get(best, 0) > 1 else ""


def elsewhere(fact: Fact, seed: int) -> Iterator[str]:
    """The thing changed as a whole, for one of its kind and for one of another: who maintains the garden."""
    thing = thing_of(fact)
    if not thing:
        return
    owner, _, name = thing.partition(" ")
    head = name.split(" of ")[0].split()[-1]
    beside = _ordered([f"{owner} {other}" for other in siblings_of(head)], thing, seed)
    far = _ordered([f"{owner} {other}" for other in OTHER_THINGS], thing, seed)
    pool = [other for pair in zip(beside, far, strict=False) for other in pair] + far[len(beside) :]
    yield from _instead(fact, thing, [other for other in pool if is_plural(other) == is_plural(thing)])


def changed_in_part(fact: Fact, seed: int) -> Iterator[str]:
    """One word of the thing changed: the garden scheduler, the lease of the boat."""
    thing = thing_of(fact)
    words = thing.split()
    places = [at for at in range(1, len(words)) if words[at] not in _LITTLE]
    if len(places) < 2:
        return
    pool = []
    for at, noun in enumerate(_ordered(_nouns(), thing, seed)):
        place = places[at % len(places)]
        if noun not in words and is_plural(noun) == is_plural(words[place]):
            pool.append(" ".join([*words[:place], noun, *words[place + 1 :]]))
    yield from _instead(fact, thing, pool)


def renamed(question: str, old: str, new: str) -> str:
    """A question about another; empty where it does not name whom it is about."""
    if old == "I":
        return ""
    pattern = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)", re.IGNORECASE)
    if not pattern.search(question):
        return ""
    new = new.lower() if question == question.lower() else new
    return tidy(pattern.sub(lambda _: new, question, count=1))


def tidy(text: str) -> str:
    """With the article that the next word needs, and a capital where it is a sentence."""
    text = re.sub(r"\b([Aa]) (?=[aeioAEIO])", r"\1n ", text)
    text = re.sub(r"\b([Aa])n (?=[bcdfghjklmnpqrstvwxyz])", r"\1 ", text)
    return text[0].upper() + text[1:] if text and text[-1] in "?." else text


def _instead(fact: Fact, thing: str, others: Sequence[str]) -> Iterator[str]:
    for question, other in zip(fact.questions, others, strict=False):
        if text := renamed(question, thing, other):
            yield text


def _ordered(texts: Sequence[str], thing: str, seed: int) -> list[str]:
    return sorted(texts, key=lambda text: crc32(f"{seed} {thing} {text}".encode()))


@cache
def _nouns() -> tuple[str, ...]:
    """Names of things and of people's parts in life, in small letters."""
    return tuple(
        dict.fromkeys(
            word
            for name, (_, words) in groups().items()
            if name not in _NO_THINGS and not name.startswith("properties")
            for word in words
            if word == word.lower()
        )
    )
