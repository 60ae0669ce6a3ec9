"""Make the facts of a memory, and find contradictions among all facts. Pure and deterministic."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from memos_cli.operation.adapters.questions import plain
from memos_cli.operation.adapters.questions.answer_check import is_right, said_words
from memos_cli.operation.adapters.questions.english import (
    POSSESSIVE,
    Clause,
    clauses_of,
    inflect,
    lower_first,
    tags_of,
)
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.adapters.questions.frames import (
    Draft,
    as_told,
    draft_of_value,
    drafts_of_clause,
    with_article,
)
from memos_cli.operation.adapters.questions.notes import Statement, language_of, statements_of
from memos_cli.operation.adapters.questions.spans import find_spans, joined

MOST_FACTS = 12
"""Facts of one memory. A longer text should be cut into several memories; search needs that as well."""
MOST_FRAMES, MOST_OF_ONE = 15, 4
"""Frames of one fact, beside cloze, keywords and topic; facts of one sentence."""
LONGEST = 160
"""Characters of an answer."""
_THIRD = {"he": "", "she": "", "it": "", "they": "", "his": "'s", "her": "'s", "its": "'s", "their": "'s"}
_NOBODY = {"this", "that", "these", "there", "here"}


def facts_of(text: str, *, source: int, title: str = "", author: str = "") -> list[Fact]:
    """Return the facts of a memory, in its order; none if it says nothing that can be asked for.

    ``source`` is the caller's number for the memory. ``author`` is the speaker: "I" becomes that name;
    without one, "I" is the user.
    """
    language = language_of(text)
    drafts: list[Draft] = []
    subjects, statements = _Subjects(author), statements_of(text, title)
    for each in statements:
        if language == "en":
            drafts += _english(each, subjects)
        elif each.name:
            drafts.append(plain.draft_of_value(each.name, each.text, each.topic, language))
        else:
            drafts += plain.drafts_of_sentence(each.text, each.topic, language)
    drafts = drafts or _whole(statements, language)
    topics = Counter(draft.about.casefold() for draft in drafts)
    known: set[str] = set()
    facts = []
    for draft in drafts:
        # If two facts on a subject are known, "tell me about it" has two right answers.
        is_one = topics[draft.about.casefold()] == 1 and draft.about.casefold() not in POSSESSIVE
        about = plain.ask_about(draft.about, language) if is_one else []
        facts.append(_fact(draft, about, source, language, known))
    return [fact for fact in facts if fact is not None][:MOST_FACTS]


class _Subjects:
    """The referent of "he" and "it": the subject of the previous sentence."""

    def __init__(self, author: str) -> None:
        self.author, self.last = author, ""

    def named(self, clause: Clause) -> Clause | None:
        """Return the clause with its pronoun resolved; None if its referent is unknown."""
        first, _, rest = clause.subject.partition(" ")
        low = first.casefold()
        if low in _THIRD:
            return replace(clause, subject=f"{self.last}{_THIRD[low]} {rest}".strip()) if self.last else None
        if low in _NOBODY and not rest:
            return None
        if self.author and low in ("i", "my"):
            clause = _third_person(clause, self.author, rest)
        elif low in POSSESSIVE:  # what "I" speak of comes next: "I met Ana. She …"
            things = [each for each in clause.chunks if each.words and each.kind in ("", "name")]
            self.last = joined(things[0].words) if things else self.last
            return clause
        if len(clause.subject.split()) <= 5:
            self.last = lower_first(clause.subject)
        return clause


def _third_person(clause: Clause, author: str, rest: str) -> Clause:
    """Change the first person to the third: "I work" -> "Tomas works"."""
    if rest:
        return replace(clause, subject=f"{author}'s {rest}")
    auxiliary = {"am": "is", "have": "has", "do": "does"}.get(clause.auxiliary, clause.auxiliary)
    tags = tags_of(clause.verb)
    is_present = not auxiliary and "VBP" in tags and "VBD" not in tags
    verb = inflect(clause.verb, "VBZ") if is_present else clause.verb
    return replace(clause, subject=author, auxiliary=auxiliary, verb=verb)


def _english(statement: Statement, subjects: _Subjects) -> list[Draft]:
    value, name, topic = statement.text, statement.name, statement.topic
    clauses = [each for each in clauses_of(value) if not name or (each.subject != "I" and each.chunks)]
    if not clauses:
        return [draft_of_value(name, value, topic)] if name else _fragments(value, topic)
    if not subjects.last and topic:
        subjects.last = with_article(topic)
    named = [subjects.named(clause) for clause in clauses]
    return [draft for clause in named if clause for draft in drafts_of_clause(clause)][:MOST_OF_ONE]


def _fragments(text: str, topic: str) -> list[Draft]:
    """Return the facts of text without a verb: "Warranty until 4 April 2027", "500 g flour"."""
    drafts = []
    for part in re.split(r",\s+(?=[^\W\d])|;\s+|,\s+(?=\d+ ?[a-zA-Z]+ [a-z])", text.rstrip(".")):
        spans = [span for span in find_spans(part) if span.start or span.kind != "name"]
        if not spans:
            continue
        span = spans[-1]
        value = part[span.start : span.end]
        before, after = part[: span.start].strip(), part[span.end :].strip()
        if not span.start and after and len(after.split()) <= 3:
            drafts.append(draft_of_value(after, value, topic))
        elif not after and len(before.split()) <= 5 and re.search(r"[^\W\d]{2}", before):
            drafts.append(draft_of_value(before, value, topic))
    return drafts[:MOST_OF_ONE]


def _whole(statements: Sequence[Statement], language: str) -> list[Draft]:
    """Return the first sentence that no rule understands as one fact under its topic."""
    for statement in statements:
        text = statement.text
        names = (each for each in find_spans(text) if each.start and each.kind == "name")
        topic = statement.topic or next((text[each.start : each.end] for each in names), "")
        is_known = text.split(" ")[0].casefold() not in _THIRD
        if is_known and len(re.findall(r"[^\W\d_]{2,}", text)) >= 4 and topic:
            about = with_article(topic) if language == "en" else topic
            draft = Draft(text.rstrip(".!"), as_told(text) if language == "en" else text, about)
            draft.frames = [*([f"What did I note on {about}?"] if language == "en" else []), f"{about}?"]
            return [draft]
    return []


def _fact(draft: Draft, about: Sequence[str], source: int, language: str, known: set[str]) -> Fact | None:
    """Return a draft as a fact, if its answer differs from its questions."""
    answer = draft.answer.strip(" ,;:")
    key = " ".join(said_words(answer))
    if not key or len(answer) > LONGEST:
        return None
    frames = draft.frames[:MOST_FRAMES]
    kinds = {"frame": frames, "topic": about, "cloze": draft.cloze, "keywords": draft.keywords}
    asked: list[tuple[str, str]] = []
    for kind, texts in kinds.items():
        for text in (" ".join(text.split()) for text in texts):
            words = " ".join(said_words(text))
            if words and words not in known and f" {key} " not in f" {words} ":
                known.add(words)
                asked.append((text[:1].upper() + text[1:] if kind == "frame" else text, kind))
    full = " ".join(draft.full.split()).replace("..", ".")
    questions, made = tuple(text for text, _ in asked), tuple(kind for _, kind in asked)
    fact = Fact(answer, full, questions, source, draft.about, draft.single, made, language)
    return fact if len(asked) > 1 and is_right(full, fact) else None


def contradictions(facts: Sequence[Fact]) -> list[tuple[Fact, Fact]]:
    """Return pairs of facts of different memories with one question in common and no answer in common.

    Only facts with a single right answer count (a port, a name; not what somebody likes).
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
