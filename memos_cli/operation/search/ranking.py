"""Rank memories for a question by their words, their meaning and their place in a conversation.

Pure: takes the candidates of a search, and returns a score for each. A turn of a conversation rarely names
its own subject. So its score also depends on the neighbouring turns, on its session, on its speaker if the
question names a person, on its time if the question names a time, and on the kind of answer that it gives. Of
these, only the time changes the score of a document.

The weights were chosen on LoCoMo; chosen on all conversations but one, they hold on that one as well
(`scripts/eval_locomo.py --leave-one-out`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

SESSION = 6 * 3_600_000
"""Milliseconds between two turns of one source from which they belong to two sessions."""
TAIL = 10 * 86_400_000
"""The milliseconds after a time in which turns may still report on it."""

FOREIGN_BALANCE = 0.85
"""Least weight of the vector for a memory in another script than the question."""

_WORD = re.compile(r"[^\W_]+")
_ASSISTANT = re.compile(
    r"\b(?:did|have|had|do|were) you (?!(?:still |even )?(?:remember|recall|know)\b)"
    r"|\byou(?: once| also| ever| have| had| just|'ve)* (?:recommend|suggest|told|gave|give|shared?|mention"
    r"|advi[sc]e|taught|teach|said|introduc)"
    r"|(?<![和跟给向对问])你(?:曾经?|都|还|也|又|有|没有|过|最近|之前|上次)*"
    r"(?:给|教|告诉|推荐|建议|分享|介绍|提到|提过|说|向我|和我|跟我|对我|为我|帮我)",
    re.I,
)
_USER = re.compile(r"\b(?:I|[Mm]y|[Mm]e)\b|我")
_ASSISTANTS = frozenset(("assistant", "model", "ai", "bot"))
_OWN = re.compile(r"\b(?:I|[Mm]y|[Mm]e|[Ww]e|[Oo]ur)\b|[我咱俺]")
_KINDS = (  # what a question asks for, and what its answer contains
    (
        re.compile(r"^\s*when\b|\bwhat (?:day|date|month|year)\b|什么时候|何时|哪天|哪年|几号", re.I),
        re.compile(
            r"\b(?:yesterday|today|tonight|tomorrow|last|next|ago|weekend|this (?:week|month|year)|since|just"
            r"|recent(?:ly)?|(?:19|20)\d\d)\b|昨|今|明天|上周|上个|下周|刚|前天|年|月",
            re.I,
        ),
    ),
    (
        re.compile(r"\bhow (?:long|many|much|often|old)\b|多久|多少|几[个次年天]|多大", re.I),
        re.compile(
            r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|years?|months?|couple|few)\b"
            r"|[一二两三四五六七八九十百千几][个次年天岁]",
            re.I,
        ),
    ),
    (
        re.compile(r"^\s*wh(?:o|ere)\b|\bwhich\b|\bnamed?\b", re.I),
        re.compile(r"[a-z,] [A-Z][a-z]|[\"“]"),
    ),
)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of each signal except words and meaning, which share 1 by ``search.balance``."""

    beside: float = 0.7
    """The share of a turn's score by words that its neighbouring turns get."""
    before: float = 0.2
    after: float = 0.07
    """The shares of the previous and the next turn in the meaning of a turn."""
    session: float = 0.2
    speaker: float = 0.15
    period: float = 0.25
    kind: float = 0.08
    role: float = 0.2
    """Bonus of a turn of the side in question: "did you recommend" of the assistant, "my" of the user."""
    day: float = 0.2
    """Bonus of a turn of exactly the requested time, added to ``period``, which has a tail."""
    own: float = 0.06
    """Bonus of a turn about its own speaker."""
    asks: float = 0.1
    """Subtracted from the score of a question: a question rarely answers one."""
    reply: float = 0.8
    """The least score of the turn after a question, its reply, as a share of the question's score."""


WEIGHTS = Weights()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that a search may return."""

    cube: int
    type: str
    author: str
    role: str
    time: int | None
    text: str
    """The beginning of its text."""
    asks: bool
    source: int | None
    start: int
    """Its place in its source."""
    words: float = 0.0
    """BM25; 0 if it contains no word of the question."""
    cosine: float | None = None
    is_foreign: bool = False
    """Whether it is in another script than the question, so that they cannot share words."""

    @property
    def is_turn(self) -> bool:
        """Whether it was said in a conversation."""
        return self.type == "dialogue" and self.source is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """The facts parsed from a question, apart from its words."""

    question: str
    after: int | None = None
    before: int | None = None
    """The time that its text names."""
    tells_of: Callable[[str, int], tuple[int | None, int | None] | None] = lambda text, now: None
    """The time that a text speaks of, written at a time."""

    @property
    def period(self) -> tuple[int, int] | None:
        """The requested period, from its start to before its end; None if no time is asked for."""
        if self.after is None and self.before is None:
            return None
        after = -(1 << 62) if self.after is None else self.after
        return after, 1 << 62 if self.before is None else self.before


@dataclass(frozen=True, slots=True)
class Ranked:
    """The score of a memory, and the signals that raised it."""

    score: float
    signs: Mapping[str, float | str]


def rank(
    candidates: Sequence[Candidate],
    pairs: Sequence[tuple[int, int]],
    asked: Asked,
    *,
    balance: float,
    weights: Weights = WEIGHTS,
) -> dict[int, Ranked]:
    """Return the score of each candidate, at most 1. ``pairs`` are (turn, the next turn), by cube."""
    following = dict(pairs)
    preceding = {later: earlier for earlier, later in pairs}
    by_number = {each.cube: each for each in candidates}
    words = {each.cube: each.words for each in candidates}
    spread = {
        n: own + weights.beside * sum(words.get(at.get(n, 0), 0.0) for at in (preceding, following))
        for n, own in words.items()
    }
    meaning = _meaning(by_number, preceding, following, weights)
    sessions = _sessions(candidates)
    most_words, most_said = max(spread.values(), default=0.0), max(sessions.values(), default=0.0)
    lowest, highest = min(meaning.values(), default=0.0), max(meaning.values(), default=0.0)
    speakers = {author for author in {each.author for each in candidates} if _names(asked.question, author)}
    kind = next((holds for asks, holds in _KINDS if asks.search(asked.question)), None)
    side = side_of(asked.question)
    totals: dict[int, tuple[float, dict[str, float | str]]] = {}
    for each in candidates:
        n, signs = each.cube, dict[str, float | str]()
        by_words = spread[n] / most_words if most_words > 0 else 0.0
        # A memory without a vector is scored by its words only.
        by_meaning = (meaning[n] - lowest) / (highest - lowest or 1.0) if n in meaning else by_words
        share = max(balance, FOREIGN_BALANCE) if each.is_foreign and balance else balance
        total = (1 - share) * by_words + share * by_meaning
        if spread[n] > words[n]:
            signs["beside"] = round(spread[n] - words[n], 3)
        if _is_within(each, asked):
            total += weights.period
            signs["time"] = "as asked"
        if each.is_turn:
            if most_said > 0 and sessions[n] > 0:
                total += weights.session * sessions[n] / most_said
                signs["session"] = round(sessions[n] / most_said, 3)
            if each.author in speakers:
                total += weights.speaker
                signs["speaker"] = each.author
            if side is not None and each.role:
                total += weights.role * ((each.role in _ASSISTANTS) == (side == "assistant"))
                total += weights.day * _is_between(each.time, asked)
            total += weights.kind * bool(kind and kind.search(each.text))
            total += weights.own * bool(_OWN.search(each.text)) - weights.asks * each.asks
        totals[n] = (total, signs)
    for n, reply in pairs:
        if n in totals and reply in totals and by_number[n].asks and not by_number[reply].asks:
            total, signs = totals[reply]
            least = weights.reply * (totals[n][0] + weights.asks)
            if total < least:
                totals[reply] = least, {**signs, "reply": "to a question"}
    best = max([1.0, *(total for total, _ in totals.values())])
    return {n: Ranked(max(0.0, total) / best, signs) for n, (total, signs) in totals.items()}


def _meaning(
    candidates: Mapping[int, Candidate],
    preceding: Mapping[int, int],
    following: Mapping[int, int],
    weights: Weights,
) -> dict[int, float]:
    """Return the cosines, each averaged with those of its neighbouring turns, if it has any."""
    found: dict[int, float] = {}
    for n, each in candidates.items():
        if each.cosine is None:
            continue
        found[n] = each.cosine
        for at, share in ((preceding, weights.before), (following, weights.after)):
            other = candidates.get(at.get(n, 0))
            if other is not None and other.cosine is not None:
                found[n] += share * (other.cosine - each.cosine)
    return found


def _sessions(candidates: Sequence[Candidate]) -> dict[int, float]:
    """Score the session of each turn: the root of the sum of the squares of its turns' BM25."""
    sessions: list[list[Candidate]] = []
    turns = (each for each in candidates if each.is_turn)
    for turn in sorted(turns, key=lambda turn: (turn.source, turn.start, turn.cube)):
        if not sessions or _is_apart(sessions[-1][-1], turn):
            sessions.append([])
        sessions[-1].append(turn)
    found: dict[int, float] = {}
    for session in sessions:
        fit = sqrt(sum(each.words**2 for each in session))
        found |= {each.cube: fit for each in session}
    return found


def _is_apart(one: Candidate, other: Candidate) -> bool:
    if one.source != other.source:
        return True
    return one.time is not None and other.time is not None and abs(other.time - one.time) > SESSION


def side_of(question: str) -> str | None:
    """Return the speaker whose turns a question is about: ``assistant``, ``user``, or None for neither."""
    return "assistant" if _ASSISTANT.search(question) else "user" if _USER.search(question) else None


def _is_between(time: int | None, asked: Asked) -> bool:
    """Return whether a time is in the requested period."""
    after, before = asked.period or (0, 0)
    return time is not None and after <= time < before


def _is_within(each: Candidate, asked: Asked) -> bool:
    """Return whether a memory was written in the requested period, or its text names it."""
    if each.time is None or asked.period is None:
        return False
    after, before = asked.period
    if after <= each.time < before + TAIL:
        return True
    start, end = asked.tells_of(each.text, each.time) or (None, None)
    # "since 2019" is about no time in particular.
    return start is not None and end is not None and after <= start and end <= before


def _names(question: str, author: str) -> bool:
    """Return whether a question names a person: by the whole name, or by one word of it."""
    question, name = question.casefold(), author.casefold().strip()
    if len(name) < 2:
        return False
    if not name.isascii() and name in question:
        return True
    words = _WORD.findall(question)
    return any(len(word) > 1 and word in words for word in _WORD.findall(name))
