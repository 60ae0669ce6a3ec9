"""From a memory to its facts, and from all facts to what must not stand together. Pure and deterministic."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memos_cli.operation.questions import plain
from memos_cli.operation.questions.answers import is_right, said_words
from memos_cli.operation.questions.english import POSSESSIVE, Clause, clauses_of, tags_of
from memos_cli.operation.questions.facts import Fact
from memos_cli.operation.questions.frames import (
    Draft,
    as_told,
    draft_of_value,
    drafts_of_clause,
    lower_first,
    with_article,
)
from memos_cli.operation.questions.notes import Statement, language_of, statements_of
from memos_cli.operation.questions.spans import find_spans

MOST_FACTS = 12
"""Facts of one memory. A longer text should be cut into several memories; search needs that as well."""
MOST_FRAMES = 15
"""Frames of one fact, beside cloze, keywords and topic."""
_THIRD = {"he", "she", "it", "they"}
_OWN = {"his", "her", "its", "their"}


def facts_of(text: str, *, source: int, title: str = "", author: str = "") -> list[Fact]:
    """What a memory says, in its order; empty where it says nothing that can be asked for.

    ``source`` is the caller's number for the memory. ``author`` is who speaks: their "I" is named; without
    one, "I" is the user who asks.
    """
    language = language_of(text)
    found: list[tuple[Statement, Draft]] = []
    subjects = _Subjects(author)
    for statement in statements_of(text, title):
        if language == "en":
            drafts = _english(statement, subjects)
        elif statement.name:
            drafts = [plain.draft_of_value(statement.name, statement.text, statement.topic, language)]
        else:
            drafts = plain.drafts_of_sentence(statement.text, statement.topic, language)
        found += [(statement, draft) for draft in drafts]
    if not found and (whole := _whole(text, title, language)):
        found = [whole]
    topics = [draft.about.casefold() for _, draft in found]
    facts: list[Fact] = []
    known: set[str] = set()
    for statement, draft in found:
        if (
            language == "en"
            and topics.count(draft.about.casefold()) == 1
            and draft.about.casefold() not in POSSESSIVE
        ):
            draft.topic = [f"Tell me about {draft.about}.", f"What do you know about {draft.about}?"]
        elif topics.count(draft.about.casefold()) > 1:
            draft.topic = []
        fact = _fact(statement, draft, source, language, known)
        if fact is not None and len(facts) < MOST_FACTS:
            facts.append(fact)
    return facts


class _Subjects:
    """Whom "he" and "it" mean: the subject of the sentence before."""

    def __init__(self, author: str) -> None:
        self.author = author
        self.last = ""

    def named(self, clause: Clause) -> Clause | None:
        """The clause with its pronoun resolved; None where nobody knows whom it means."""
        from dataclasses import replace

        first, _, rest = clause.subject.partition(" ")
        low = first.casefold()
        if self.author and low in ("i", "my", "me"):
            name = self.author if low == "i" else f"{self.author}'s"
            subject = f"{name} {rest}".strip()
            verb, auxiliary = clause.verb, clause.auxiliary
            if low == "i":
                auxiliary = {"am": "is", "have": "has", "do": "does"}.get(auxiliary, auxiliary)
                from memos_cli.operation.questions.english import inflect

                verb = (
                    inflect(verb, "VBZ")
                    if not auxiliary and "VBP" in tags_of(verb) and "VBD" not in tags_of(verb)
                    else verb
                )
            clause = replace(clause, subject=subject, verb=verb, auxiliary=auxiliary)
        elif low in _THIRD or low in _OWN:
            if not self.last:
                return None
            name = self.last if low in _THIRD else f"{self.last}'s"
            return replace(clause, subject=f"{name} {rest}".strip())
        elif low in ("this", "that", "these", "there", "here") and not rest:
            return None
        if low not in POSSESSIVE and len(clause.subject.split()) <= 5:
            self.last = lower_first(clause.subject)
            if "'s" in self.last:
                return clause
        elif low in POSSESSIVE:
            things = [chunk for chunk in clause.chunks if chunk.words and chunk.kind in ("", "name")]
            if things:
                self.last = things[0].text.removeprefix(f"{things[0].preposition} ")
        return clause


def _english(statement: Statement, subjects: _Subjects) -> list[Draft]:
    value, name, topic = statement.text, statement.name, statement.topic
    clauses = clauses_of(value)
    clauses = [clause for clause in clauses if not name or (clause.subject != "I" and clause.chunks)]
    if not clauses:
        if name:
            return [draft_of_value(name, value, topic)]
        return _fragments(value, topic)
    if not subjects.last and topic:
        subjects.last = with_article(topic)
    drafts = []
    for clause in clauses:
        named = subjects.named(clause)
        if named is not None:
            drafts += drafts_of_clause(named)
    return drafts[:4]


def _fragments(text: str, topic: str) -> list[Draft]:
    """What is said without a verb: "Warranty until 4 April 2027", "500 g flour"."""
    drafts = []
    parts = re.split(r",\s+(?=[^\W\d])|;\s+|,\s+(?=\d+ ?[a-zA-Z]+ [a-z])", text.rstrip("."))
    for part in parts:
        spans = [span for span in find_spans(part) if span.start or span.kind != "name"]
        if not spans:
            continue
        span = spans[-1]
        before, after = part[: span.start].strip(), part[span.end :].strip()
        if span.start == 0 and after and len(after.split()) <= 3:
            drafts.append(draft_of_value(after, part[: span.end], topic))
        elif before and len(before.split()) <= 5 and re.search(r"[^\W\d]{2}", before):
            drafts.append(draft_of_value(before, part[span.start : span.end], topic))
    return drafts[:4]


def _whole(text: str, title: str, language: str) -> tuple[Statement, Draft] | None:
    """The first sentence that nothing understands, taught whole under its topic."""
    for statement in statements_of(text, title):
        words = re.findall(r"[^\W\d_]{2,}", statement.text)
        names = [span for span in find_spans(statement.text) if span.start and span.kind == "name"]
        topic = statement.topic or (statement.text[names[0].start : names[0].end] if names else "")
        if len(words) >= 4 and topic:
            about = with_article(topic) if language == "en" else topic
            asks = plain.WORDS[language].about if language in plain.WORDS else "What do you know about {}?"
            draft = Draft(statement.text.rstrip(".!"), as_told(statement.text), about)
            draft.frames = [asks.format(about)]
            if language == "en":
                draft.frames += [
                    f"Tell me about {about}.",
                    f"What did I note on {about}?",
                    f"Remind me of {about}.",
                ]
            draft.keywords = [topic]
            return statement, draft
    return None


def _fact(statement: Statement, draft: Draft, source: int, language: str, known: set[str]) -> Fact | None:
    """A draft as a fact, if its answer can be told from its questions."""
    answer = draft.answer.strip(" ,;:")
    key = " ".join(said_words(answer))
    if not key or not draft.full or len(answer) > 160:
        return None
    kinds = (
        ("frame", draft.frames[:MOST_FRAMES]),
        ("topic", draft.topic),
        ("cloze", draft.cloze),
        ("keywords", draft.keywords),
    )
    questions, made = [], []
    for kind, texts in kinds:
        for text in texts:
            plain_text = " ".join(said_words(text))
            text = " ".join(text.split())
            if plain_text and plain_text not in known and f" {key} " not in f" {plain_text} ":
                known.add(plain_text)
                questions.append(text[:1].upper() + text[1:] if kind == "frame" else text)
                made.append(kind)
    full = " ".join(draft.full.split()).replace("..", ".")
    fact = Fact(
        statement.text,
        answer,
        full,
        tuple(questions),
        source,
        draft.about,
        draft.single,
        tuple(made),
        language,
    )
    return fact if len(questions) > 1 and is_right(fact.full, fact) else None


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
