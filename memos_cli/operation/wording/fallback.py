"""Questions for sentences that no rule takes apart: what do you know about …; the sentence answers."""

from __future__ import annotations

import re

from memos_cli.operation.wording.complements import bare_word
from memos_cli.operation.wording.drafts import Draft, in_sentence, leaks, sentence_of
from memos_cli.operation.wording.facts import Sentence
from memos_cli.operation.wording.nouns import to_second_person

_MOST_WORDS = 40
_NOUN = re.compile(
    r"\b(?:[Tt]he|[Mm]y|[Oo]ur) (?:[a-z][\w-]+ ){0,2}?[a-z][\w-]+(?= (?:is|are|was|were|has|have|can"
    r"|will|must|should|of|in|on|at|for|to|from|with|by|and|that|which|who|[a-z]+(?:ed|s))\b|[,.;:]|$)"
)
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][\w-]+(?: [A-Z][\w-]+){0,2}|^[A-Z][\w-]+(?: [A-Z][\w-]+){1,2}")
_QUESTIONS = (
    "What do you know about {}?",
    "Tell me about {}.",
    "What can you tell me about {}?",
    "What did I note about {}?",
    "What should I know about {}?",
    "What do my notes say about {}?",
    "What is there to know about {}?",
    "Do you remember anything about {}?",
)


def fallback_drafts(sentence: Sentence, used: set[str]) -> list[Draft]:
    """One draft at most, asked under the heading or the leading noun of the sentence."""
    text = sentence.text.strip()
    words = text.split()
    if len(words) < 4 or not re.search(r"[a-z]{2}", text):
        return []
    if len(words) > _MOST_WORDS:
        text = re.split(r"[;:—]|, (?=and|but|so|which)", text)[0]
        text = " ".join(text.split()[:_MOST_WORDS])
    topic = "" if sentence.topic in used else sentence.topic
    used.add(sentence.topic)
    noun = topic or _leading_noun(text)
    if not noun or bare_word(noun) in {"i", "it", "this"}:
        return []
    told = to_second_person(text).strip(" .")
    full = sentence_of(told)
    answer = full.rstrip(".")
    questions = [form.format(noun) for form in _QUESTIONS]
    if sentence.heading and topic:
        questions.insert(2, f'What does the note on "{sentence.heading}" say?')
    questions = [text for text in questions if not leaks(answer, text)]
    return [Draft(answer, full, (), (), noun, False, 0.3, tuple(questions))]


def _leading_noun(text: str) -> str:
    noun = _NOUN.search(text)
    name = _NAME.search(text)
    if (noun and noun.start() < 25) or (noun and not name):
        return in_sentence(noun[0])
    return name[0] if name else ""
