"""Search for a question that depends on earlier turns: "and when was that?"

A question with few topics of its own is searched three times: alone, together with the previous question, and
together with the previous answer. A memory gets its best score; but if only the earlier words find it, it
must also match the new question, if that has a topic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memos_cli.cube import CHAT
from memos_cli.infrastructure.storage.fulltext import STOP_WORDS, query_terms
from memos_cli.interface.ask.retrieval import retrieve
from memos_cli.interface.results import SearchResult

if TYPE_CHECKING:
    from memos_cli.cube import Filter, MemoryCall
    from memos_cli.interface.session import Session
    from memos_cli.operation.ask.chat_prompt import Turn

LITTLE = 2
"""Topics up to which a question may depend on what was said before."""
_SHORT = 4
"""Words of a question in a language whose function words are not known, up to which it may depend on more."""
_WORD = re.compile(r"[^\W_]+")
NEAR = 0.4
"""Minimum relevance to the question alone, for a memory that only the earlier words find."""
_WEIGHTS = (1.0, 0.7)
"""Weights of scores: with the question before, and with its answer, which may contain more."""
_REMEMBERED = 300
"""Maximum characters of an earlier text in a search: more would outweigh the question."""


@dataclass(frozen=True, slots=True)
class Follows:
    """The earlier texts that are searched together with a question."""

    texts: tuple[str, ...]
    has_topic: bool
    """Whether the question itself has a topic."""
    is_foreign: bool = False
    """Whether it is short and has no known function word, so its words may not be topics."""


def follow_up(call: MemoryCall, last: Turn) -> tuple[MemoryCall, Follows | None]:
    """Return a parsed question that follows ``last``, and the earlier texts that its search needs.

    A question without a topic takes the topics of the previous one, and also its time unless it names one.
    """
    words = _WORD.findall(call.question.casefold())
    is_foreign = len(words) <= _SHORT and not STOP_WORDS.intersection(words)
    if len(call.topics) > LITTLE and not is_foreign:
        return call, None
    texts = tuple(text[-_REMEMBERED:] for text in (last.searched, last.answer) if text.strip())
    follows = Follows(texts, bool(call.topics), is_foreign)
    if call.topics or not last.call.topics:
        return call, follows
    if not call.when:
        before = last.call
        call = replace(
            call, after=before.after, before=before.before, when=before.when, forward=before.forward
        )
    return replace(call, topics=last.call.topics, types=call.types or last.call.types), follows


def retrieve_after(
    session: Session, sought: str, call: MemoryCall, follows: Follows | None, *, filter: Filter, k: int
) -> SearchResult:
    """Return the ``k`` best memories for the words ``sought``, searched alone and together with earlier
    texts.
    """
    alone = retrieve(session, sought, call, filter=filter, k=k, aside=call.when)
    if follows is None:
        return alone
    # Words of a question without a topic lead anywhere.
    best = {hit.cube.n: hit for hit in alone.hits} if follows.has_topic else {}
    near = {n for n, hit in best.items() if hit.relevance >= NEAR}
    answers = (hit for hit in best.values() if not (hit.cube.source or "").startswith(CHAT))
    is_lost = follows.is_foreign and all(hit.relevance < session.settings.query_relevance for hit in answers)
    must_share = follows.has_topic and not is_lost
    topics = _terms(*call.topics)
    for text, weight in zip(follows.texts, _WEIGHTS, strict=False):
        for hit in retrieve(session, f"{text} {sought}", call, filter=filter, k=k, aside=call.when).hits:
            n = hit.cube.n
            if must_share and n not in near and not topics & _terms(hit.cube.text):
                continue
            if n not in best or hit.relevance > best[n].relevance:
                known = best[n].score if n in best else 0.0
                best[n] = replace(hit, score=round(max(weight * hit.score, known), 4))
    hits = sorted(best.values(), key=lambda hit: (-hit.score, -hit.relevance, hit.cube.n))
    return replace(alone, hits=tuple(hits[:k]))


def _terms(*texts: str) -> set[str]:
    return {term.text for text in texts for term in query_terms(text)}
