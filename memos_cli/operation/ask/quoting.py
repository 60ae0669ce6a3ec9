"""Choose the sentences of memories that answer a question best, to quote them word for word. Pure.

A small model often answers with another value than the note that it read; the sentence itself is never wrong
about that. So for small models, and without a model, the answer is a few sentences, each with its speaker,
time and source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from memos_cli.cube import Injection, Quote, Sentence
from memos_cli.letters import CJK

WORDS = 60
"""About how many words an answer has. Sentences that do not fit are left out, except the best one."""
MOST = 3
"""Most sentences of an answer. On ordinary notes, the first sentence has the value for 4 of 5 questions, the
first three for 49 of 50."""
_FAINT = 0.65
"""A sentence that scores below this share of the best one is left out. Compared with 0.45, answers from
notes are a third shorter; of 487 questions (notes-dev, XQuAD), 2 fewer are answered right."""
_SURE = 0.2
"""Least relevance of the memory of a second sentence."""
_OF_MEMORY = 0.35
"""Weight of the memory's score in that of its sentence: it includes nearby turns, speakers and times."""
_ASKS = 0.15
"""Subtracted from the score of a question: a question rarely answers one."""

_CJK = re.compile(f"[{CJK}]")
_WORD = re.compile(rf"[^\W{CJK}]+")
_QUESTION_END = re.compile(r"[?？؟;][\"'”’)\]》」』*_]*\s*\Z")


def count_words(text: str) -> int:
    """Count the words of a text; two Chinese, Japanese or Korean characters count as one."""
    return len(_WORD.findall(text)) + -(-len(_CJK.findall(text)) // 2)


def choose_quotes(
    chosen: Sequence[Injection],
    *,
    words: int = WORDS,
    most: int = MOST,
    disputed: Sequence[tuple[int, int]] = (),
) -> tuple[Quote, ...]:
    """Return the sentences of a plan's memories that answer its question, the best first.

    Returns at most ``most``, with ``words`` words altogether; the best one is whole, however long it is. If
    one of two ``disputed`` memories (labels, the newer first) is quoted, both are quoted, side by side.
    """
    scored = sorted(_candidates(chosen), key=lambda each: -each[0])
    quotes: list[Quote] = []
    spent = 0
    for score, item, sentence in scored:
        if quotes and score < _FAINT * quotes[0].score and not _is_reply(item, quotes):
            continue
        text = item.hit.cube.text[sentence.start : sentence.end]
        if quotes and (_is_unsure(item, quotes) or any(_is_in(text, other.text) for other in quotes)):
            continue
        count = count_words(text)
        if quotes and spent + count > words:
            continue
        quotes.append(_quote(score, item, sentence))
        spent += count
        if len(quotes) == most:
            break
    return tuple(_side_by_side(quotes, scored, disputed))


def _quote(score: float, item: Injection, each: Sentence) -> Quote:
    cube = item.hit.cube
    text = cube.text[each.start : each.end]
    return Quote(item.label, cube, text, each.start, each.end, each.heading, each.columns, score)


def _side_by_side(
    quotes: list[Quote], scored: Sequence[tuple[float, Injection, Sentence]], pairs: Sequence[tuple[int, int]]
) -> list[Quote]:
    """Return ``quotes`` with both memories of each pair side by side, the newer first; add a missing one."""
    for newer, older in pairs:
        said = [at for at, quote in enumerate(quotes) if quote.label in (newer, older)]
        both = [
            next((quote for quote in quotes if quote.label == label), None)
            or next((_quote(*each) for each in scored if each[1].label == label), None)
            for label in (newer, older)
        ]
        pair = [quote for quote in both if quote is not None]
        if said and len(pair) == 2 and pair[0].text != pair[1].text:
            rest = [quote for quote in quotes if quote not in pair]
            quotes = [*rest[: said[0]], *pair, *rest[said[0] :]]
    return quotes


def _candidates(chosen: Sequence[Injection]) -> Iterator[tuple[float, Injection, Sentence]]:
    for item in chosen:
        text = item.hit.cube.text
        for each in item.hit.sentences:
            asks = bool(_QUESTION_END.search(text, each.start, each.end))
            score = (1 - _OF_MEMORY) * each.score + _OF_MEMORY * item.hit.score - _ASKS * asks
            yield round(score, 4), item, each


def _is_reply(item: Injection, quotes: Sequence[Quote]) -> bool:
    """Return whether a memory replies to the questions that are quoted with its sentences."""
    others = [quote.text for quote in quotes if quote.label != item.label]
    return "reply" in item.hit.why and bool(others) and all(map(_QUESTION_END.search, others))


def _is_unsure(item: Injection, quotes: Sequence[Quote]) -> bool:
    """Return whether a memory adds nothing to an answer. The reply to a question may add something."""
    if item.hit.relevance >= _SURE or item.label in {quote.label for quote in quotes}:
        return False
    return not all(_QUESTION_END.search(quote.text) for quote in quotes)


def _is_in(text: str, other: str) -> bool:
    """Return whether another text contains all of this one."""
    said, known = (" ".join(each.split()).casefold() for each in (text, other))
    return re.search(rf"(?<!\w){re.escape(said)}(?!\w)", known) is not None
