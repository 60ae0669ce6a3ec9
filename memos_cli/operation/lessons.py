"""The lessons of a memory: its facts, and the many ways to ask for each. Pure and deterministic; no model.

A small model learns a fact from its questions, not from its text (next-token training on the text alone
works poorly). So every sentence is taken apart by rules of grammar, and each of its answers gets phrasings
as people would put them. A sentence that no rule understands is taught whole, under its heading or first
noun.

    facts_of         a memory's text -> facts with their questions
    near_misses      questions close to the facts that none of them answers
    split_phrasings  which phrasings are trained on, which are kept to test
    is_right         whether a model's answer holds the fact's answer
    says_any         whether an answer gives a fact away
    contradictions   facts of different memories that cannot both be right
    CONTROLS         prompts that have nothing to do with anyone's memories
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from memos_cli.operation.wording.answers import is_right, said_words, says_any
from memos_cli.operation.wording.clauses import Clause, parse_clause
from memos_cli.operation.wording.controls import CONTROLS
from memos_cli.operation.wording.drafts import Draft, sentence_of
from memos_cli.operation.wording.facts import Fact, Sentence
from memos_cli.operation.wording.fallback import fallback_drafts
from memos_cli.operation.wording.near_misses import near_misses
from memos_cli.operation.wording.other_languages import foreign_drafts, language_of
from memos_cli.operation.wording.phrasings import drafts_of
from memos_cli.operation.wording.posing import compose
from memos_cli.operation.wording.sentences import sentences_of
from memos_cli.operation.wording.splits import split_phrasings
from memos_cli.operation.wording.splitting import clauses_of, inner_clause, named_person, special_drafts
from memos_cli.operation.wording.told import at_its_time, in_recipe

__all__ = [
    "CONTROLS",
    "Fact",
    "contradictions",
    "facts_of",
    "is_right",
    "near_misses",
    "says_any",
    "split_phrasings",
]

MOST_FACTS = 12
"""Facts of one memory. A longer text should be cut into several memories; search needs that as well."""


def facts_of(
    text: str, *, source: int, title: str = "", author: str = "", type: str = "fact", time: int | None = None
) -> list[Fact]:
    """What a memory says, most useful first; empty where it holds no sentence.

    ``source`` is the caller's number for the memory; ``time`` (ms) is when it was said, and dates
    "yesterday". ``author`` is who speaks: their "I" is named; without one, "I" is the user who asks.
    """
    del type  # the rules read it from the sentence
    language = language_of(text)
    rounds: list[list[Fact]] = []
    used: set[str] = set()  # topics that a whole sentence was taught under
    for sentence in sentences_of(text, title=title, author=author):
        if language == "en":
            drafts = _english(sentence, time, used)
        else:
            drafts = foreign_drafts(sentence, language, author, used)
        rounds.append([_fact(sentence, one, source) for one in drafts])
    return _most_useful(rounds)


def _english(sentence: Sentence, time: int | None, used: set[str]) -> list[Draft]:
    text = at_its_time(sentence.text, time)
    special = special_drafts(text, sentence.topic)
    drafts: list[Draft] = list(special)
    for part in clauses_of(text) if not special else clauses_of(_main_of(text)):
        clause = parse_clause(part)
        if clause is None:
            continue
        if clause.imperative:
            drafts += in_recipe(clause, part, sentence.topic)
            continue
        drafts += _with_name(clause, part)
    if (
        sentence.spoken
    ):  # in a dialogue, only what is said of things and times; not how somebody feels about it
        drafts = [one for one in drafts if one.weight >= 1]
    if drafts or (sentence.spoken and not re.search(r"\d", text)):
        return drafts  # small talk that no rule understands is not worth a lesson
    return fallback_drafts(sentence, used)


def _with_name(clause: Clause, text: str) -> list[Draft]:
    """The drafts of a clause; where it says "my sister Ana", asked for as my sister and as Ana."""
    drafts = drafts_of(clause)
    person = named_person(text)
    if person is None:
        return drafts
    who, name, both = person
    called = parse_clause(f"{who} is called {name}")
    by_role = parse_clause(text.replace(both, who, 1))
    by_name = parse_clause(text.replace(both, name, 1))
    if called is None or by_role is None or by_name is None:
        return drafts
    roles, names = drafts_of(by_role), drafts_of(by_name)
    if len(roles) == len(names) == len(drafts):
        drafts = [_both_ways(*three) for three in zip(drafts, roles, names, strict=True)]
    return [*drafts, *drafts_of(called)[:1]]


def _both_ways(whole: Draft, role: Draft, name: Draft) -> Draft:
    asks = [ask for pair in zip(role.asks, name.asks, strict=False) for ask in pair]
    same = role.answer == name.answer
    return replace(
        whole,
        answer=name.answer if name.answer in whole.full else whole.answer,
        asks=tuple(asks) if same else name.asks,
        nominals=(*role.nominals[:1], *name.nominals[:1]),
        about=role.about,
    )


def _main_of(text: str) -> str:
    """The main clause of a sentence whose reason or condition has its own draft."""
    if inner_clause(text):
        return inner_clause(text)
    for word in (" because of ", " because ", " due to ", " thanks to ", " so that "):
        if word in text:
            return text.split(word)[0].rstrip(" ,")
    return ""


def _fact(sentence: Sentence, one: Draft, source: int) -> Fact:
    return Fact(
        sentence=sentence_of(sentence.text),
        answer=one.answer,
        full=one.full,
        questions=(*one.extra, *compose(one.asks, one.nominals, f"{sentence.text}{one.answer}"))[:14],
        source=source,
        about=one.about,
        single=one.single,
    )


def _most_useful(rounds: list[list[Fact]]) -> list[Fact]:
    """The best of every sentence first, then the second best, as far as there is room; no question twice."""
    out: list[Fact] = []
    asked: set[str] = set()
    for rank in range(max(map(len, rounds), default=0)):
        for facts in rounds:
            if rank < len(facts) and len(out) < MOST_FACTS:
                fact = facts[rank]
                first = " ".join(said_words(fact.questions[0])) if fact.questions else ""
                if first and first not in asked:
                    asked.add(first)
                    out.append(fact)
    order = {id(fact): (at, rank) for at, facts in enumerate(rounds) for rank, fact in enumerate(facts)}
    return sorted(out, key=lambda fact: order[id(fact)])


def contradictions(facts: Sequence[Fact]) -> list[tuple[Fact, Fact]]:
    """Pairs of facts of different memories with one question in common and no answer in common.

    Careful: only where a single answer can be right (a port, a name; not what somebody likes).
    """
    by_question: dict[str, list[Fact]] = {}
    found: dict[tuple[int, int], tuple[Fact, Fact]] = {}
    for fact in facts:
        if not fact.single:
            continue
        for question in {" ".join(said_words(text)) for text in fact.questions}:
            for other in by_question.get(question, []):
                words, others = set(said_words(fact.answer)), set(said_words(other.answer))
                if other.source != fact.source and not words & others:
                    found.setdefault((id(other), id(fact)), (other, fact))
            by_question.setdefault(question, []).append(fact)
    return list(found.values())
