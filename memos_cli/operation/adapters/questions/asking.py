"""Let a model write questions about a memory, answer them with its text, and keep the consistent ones.

As in Cartridges (self-study, arXiv 2506.06266) and prompt distillation (arXiv 2412.14964): the model that
will learn a text asks itself questions about it. A question is kept if its answer is grounded in the text and
a second answer, drawn with another seed, agrees. This is for models with a billion parameters or more; few
questions of a smaller one pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Protocol

from memos_cli.operation.adapters.questions.answer_check import is_unknowing, said_words
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.adapters.questions.notes import language_of
from memos_cli.operation.adapters.questions.splits import copy_key
from memos_cli.operation.ask.grounding import find_unsupported

ENOUGH = 4
"""Questions on a memory that must pass; with fewer, those of the rules are used."""
WRITTEN, ANSWER = 200, 40
"""Tokens of a list of questions, and of an answer."""
LIKE = 0.6
"""Share of the words of two answers that must be the same, where they have no name or number in common."""
_PROMPTS = {
    "en": (
        "Write eight short questions that this note answers, one on each line. Write only the questions.",
        "Write eight more questions that this note answers, in other words, as others would ask them. One on"
        " each line.",
        "Write eight search queries of two to five words that this note answers. One on each line.",
        "Write six questions on the same topic that this note does not answer. One on each line.",
    ),
    "de": (
        "Schreibe acht kurze Fragen, die diese Notiz beantwortet, eine pro Zeile. Schreibe nur die Fragen.",
        "Schreibe acht weitere Fragen, die diese Notiz beantwortet, in anderen Worten, wie verschiedene Leute"
        " sie stellen würden. Eine pro Zeile.",
        "Schreibe acht Suchanfragen aus zwei bis fünf Wörtern, die diese Notiz beantwortet. Eine pro Zeile.",
        "Schreibe sechs Fragen zum selben Thema, die diese Notiz nicht beantwortet. Eine pro Zeile.",
    ),
    "zh": (
        "请写出八个这条笔记能够回答的简短问题，每行一个，只写问题。",
        "请换一种说法，再写八个这条笔记能够回答的问题，就像不同的人会问的那样，每行一个。",
        "请写出八个由两到五个词组成的搜索词，这条笔记能够回答它们，每行一个。",
        "请写出六个同一主题、但这条笔记没有回答的问题，每行一个。",
    ),
}
_NUMBERED = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):、]|Q\d*[:.])\s*|^[\"“„]|[\"”“]\s*$")


class Reader(Protocol):
    """A model that reads a note and follows an instruction."""

    def __call__(self, text: str, request: str, limit: int, seed: int) -> str:
        """Generate at most ``limit`` tokens. ``seed`` 0: the likeliest answer; else a sampled one."""


def ask_about(reader: Reader, text: str, *, source: int) -> tuple[list[Fact], list[str]]:
    """Let a model write questions on a text, and keep those with consistent answers.

    Returns them as facts, by their answers, and similar questions that the text does not answer.
    """
    language = language_of(text)
    *asking, near = _PROMPTS.get(language, _PROMPTS["en"])
    known: set[tuple[str, ...]] = set()
    written = [line for request in asking for line in _lines(reader(text, request, WRITTEN, 0), known)]
    kept: dict[tuple[str, ...], tuple[str, str, list[str]]] = {}
    for question in written:
        if found := _answered(reader, text, question):
            answer, key = found
            kept.setdefault(tuple(said_words(key)), (key, answer, []))[2].append(question)
    facts = [
        Fact(key, answer, tuple(questions), source, made=("model",) * len(questions), language=language)
        for key, answer, questions in kept.values()
    ]
    missed = _lines(reader(text, near, WRITTEN, 0), known)
    return facts, [question for question in missed if is_unknowing(reader(text, question, ANSWER, 0))]


def _lines(said: str, known: set[tuple[str, ...]]) -> list[str]:
    """Return the questions of a list, without numbers, duplicates and truncated sentences."""
    found = []
    for line in said.splitlines():
        text = " ".join(_NUMBERED.sub("", _NUMBERED.sub("", line)).split())
        key = copy_key(text)
        is_question = len(said_words(text)) >= 2 and len(text) <= 150 and not text.endswith((":", "："))
        if is_question and key not in known:
            known.add(key)
            found.append(text)
    return found


def _answered(reader: Reader, text: str, question: str) -> tuple[str, str] | None:
    """Return the answer to a question and the span of the text in it; None if it is inconsistent."""
    answer, again = (_first_sentence(reader(text, question, ANSWER, seed)) for seed in (0, 1))
    said, other, asked = said_words(answer), said_words(again), said_words(question)
    if not {word for word in asked if len(word) > 3 or not word.isascii()} & {*said_words(text)}:
        return None  # it could be asked of any text
    if not said or is_unknowing(answer) or is_unknowing(again) or find_unsupported(answer, [text], question):
        return None
    key = _common(text, said, other, question)
    is_alike = len({*said} & {*other}) >= LIKE * max(len({*said}), len({*other}))
    return (answer, key) if key and (is_alike or _weight(key) > 1) else None


def _first_sentence(answer: str) -> str:
    line = answer.strip().split("\n")[0]
    found = re.match(r".+?(?:[.!?](?=\s+[A-ZÄÖÜ])|[。！？])", line)
    return (found[0] if found else line).strip()


def _common(text: str, said: Sequence[str], other: Sequence[str], question: str) -> str:
    """Return the run of words of the text that is in both answers, but not in the question: a name, a number.

    Of several, the one with the most capitals and digits, then the longest; "" if there is none.
    """
    asked = {word[:4] for word in said_words(question)}
    spans = re.finditer(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+", text)
    words = [(found, word) for found in spans for word in said_words(found[0])]
    matcher = SequenceMatcher(None, [word for _, word in words], list(said), autojunk=False)
    best, most = "", 0
    for block in matcher.get_matching_blocks():
        run: list[re.Match[str]] = []
        for found, word in [*words[block.a : block.a + block.size], (None, "")]:
            if found and word[:4] not in asked and word in other:
                run.append(found)
                continue
            weight = sum(_weight(each[0]) for each in run)
            if weight > most:
                best, most = text[run[0].start() : run[-1].end()], weight
            run = []
    return best.strip(" .,;:!?\"'()。，")


def _weight(word: str) -> int:
    if word[:1].isupper() or re.search(r"[\d\u3400-\u9fff]", word):
        return 9
    return int(len(word) > 3)
