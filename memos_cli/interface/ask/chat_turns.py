"""The turns of ``memos chat`` as memories: their storage, and their use as evidence.

A chat is a dialogue, like an imported one: its source is ``memos-chat:ID``, each question and each answer is
a turn with its speaker, time and position. A model's answer comes from memories, so it is not a source
itself. It is linked to these memories, and is forgotten with any of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memos_cli.cube import CHAT, Cube, Draft, Origin
from memos_cli.errors import Locked, Unwritable
from memos_cli.infrastructure.memories import links, queries
from memos_cli.infrastructure.storage.fulltext import content_words
from memos_cli.interface.ask.question_parser import read_question
from memos_cli.interface.ask.request import Request
from memos_cli.interface.options import IngestOptions
from memos_cli.interface.session import Session
from memos_cli.operation.search.ranking import side_of

_AFTER_QUESTION = re.compile(r".*[?？؟;](?=\W|\Z)", re.DOTALL)


def no_evidence(cube: Cube, request: Request) -> str:
    """Return the reason why a turn of a chat cannot answer a question; "" if it can, and for other memories.

    An answer can if the question is about the answers: "what did you recommend?"
    """
    if cube.n in request.own:
        return "a turn of this conversation, which is in the prompt"
    if cube.type != "dialogue" or not (cube.source or "").startswith(CHAT):
        return ""
    if cube.role == "assistant":
        return "" if side_of(request.question) == "assistant" else "a chat answer, which is not a source"
    is_repeated = _words(cube.text) <= _words(request.question)  # perhaps without its question mark
    return "a chat question" if is_repeated or asks(cube.text) else ""


def asks(text: str) -> bool:
    """Return whether a turn is only a question, or only requests a list or a summary."""
    question = _AFTER_QUESTION.match(text)
    if question is not None:
        return len(content_words(text[question.end() :])) <= 1
    return read_question(text, now=0).intent != "recall"


def _words(text: str) -> set[str]:
    return {word.casefold() for word in content_words(text)}


def store_turns(
    session: Session, chat: str, turns: Sequence[Draft], made_from: Sequence[Sequence[int]]
) -> tuple[list[str], list[str]]:
    """Store turns of the chat with the address ``chat``; return their ids, and notes.

    ``made_from`` are the memories that each was made from, by row number. Secrets are treated as in an
    ingest. Raises UsageError for a secret if they are refused, and MemosError if the vault cannot be written.
    """
    from memos_cli.interface.ingest.ingest import finish  # plans need none of this
    from memos_cli.interface.ingest.ingestion import Ingestion
    from memos_cli.interface.redaction.redaction import guard_draft

    drafts = [guard_draft(each, session.settings.ingest_secrets) for each in turns]
    options = IngestOptions(quarantine=session.settings.ingest_quarantine)
    job = Ingestion(session.vault, options, principal=session.principal, clock=session.now)
    ids = job.append(drafts, Origin(chat, "chat", "", sum(len(each.text) for each in drafts)))
    notes = ["masked text that looks like a secret"] if any(each.masked for each in drafts) else []
    try:
        _link(session, ids, made_from)
        notes += finish(session, job, embed=True, compare=False).notes
    except (Locked, Unwritable, OSError) as error:  # the text is durable
        notes.append(f"stored, but without a vector: {error}; run `memos embed`")
    return ids, notes


def _link(session: Session, ids: Sequence[str], made_from: Sequence[Sequence[int]]) -> None:
    """Link the turns to the memories they were made from, so that they are forgotten with them."""
    with session.change() as change:
        stored = queries.by_ids(change.db, ids)
        for id, sources in zip(ids, made_from, strict=True):
            there = queries.by_rowid(change.db, [*sources])
            for n in there if id in stored else ():
                links.add(change, stored[id], "derived_from", n)
