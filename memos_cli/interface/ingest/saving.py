"""Save one memory word for word, for an agent or a script."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memos_cli.cube import Draft, Span
from memos_cli.errors import Locked, Unwritable, UsageError
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.ingest.ingest import finish
from memos_cli.interface.ingest.ingestion import Ingestion
from memos_cli.interface.missing_vectors import count_missing
from memos_cli.interface.options import IngestOptions
from memos_cli.interface.recalled import without_recalled
from memos_cli.interface.redaction.redaction import cover, guard_draft
from memos_cli.interface.session import Session

_FEW = 50
"""Memories without a vector that a save embeds; more of them wait for ``memos embed``."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The result of saving a memory."""

    id: str
    is_new: bool
    """False: the vault has this text already, as the memory ``id``."""
    quarantined: bool
    notes: tuple[str, ...] = ()


def save(
    session: Session, text: str, source: str, type: str, title: str, terms: NewMemoryFields, task: str
) -> Saved:
    """Store ``text`` as one memory; see ``Memos.save``."""
    session.access.require_writer()
    text = without_recalled(text)
    if not text.strip():
        raise UsageError("the text is empty", "give a text other than recalled memories")
    for name in (*terms.tags, *filter(None, (task, title))):
        if not name.strip() or not name.isprintable():
            raise UsageError(f"{name!r} is not a valid name", "use visible characters on one line")
    settings = session.settings
    policy = settings.ingest_secrets
    draft = guard_draft(Draft(text, Span(0, 0), type, title), policy)
    options = IngestOptions(
        terms=replace(terms, tags=tuple(cover(tag, policy) for tag in terms.tags)),
        quarantine=settings.ingest_quarantine, audience=session.principal if task else "", task=task,
    )  # fmt: skip
    job = Ingestion(session.vault, options, principal=session.principal, clock=session.now)
    id = job.take_one(draft, source)
    notes = ["masked text that looks like a secret"] if draft.masked else []
    try:
        few = 0 < count_missing(session) <= _FEW
        notes += finish(session, job, embed=few).notes
    except (Locked, Unwritable, OSError) as error:  # the text is durable
        notes.append(f"saved, but without a vector: {error}; run `memos embed`")
    return Saved(id, bool(job.added), bool(job.quarantined), tuple(notes))
