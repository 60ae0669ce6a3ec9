"""Ingest files, folders and standard input: store them as memories, compute vectors, compare the new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from memos_cli.counts import counted
from memos_cli.errors import ModelUnfit
from memos_cli.interface.ingest.ingestion import Ingestion
from memos_cli.interface.missing_vectors import count_missing, embed_missing
from memos_cli.interface.options import IngestOptions
from memos_cli.interface.redaction.redaction import cover
from memos_cli.interface.results import Ingested
from memos_cli.interface.session import Session, ignore


def ingest(
    session: Session,
    paths: Sequence[Path] = (),
    *,
    options: IngestOptions,
    text: bytes | None = None,
    name: str = "",
    embed: bool = True,
    on_source: Callable[[str], None] = ignore,
    on_drafts: Callable[[int], None] = ignore,
    on_vectors: Callable[[int], None] = ignore,
    import_command: Callable[[Path], str] = lambda path: "",
    wanted: Callable[[Path], bool] = lambda path: True,
) -> Ingested:
    """Ingest ``paths`` and ``text``; see ``Memos.ingest``.

    ``import_command`` returns the command that imports a file which another program exported, or "". Files
    that are not ``wanted`` are left as they are.
    """
    session.access.require_writer()
    policy, new = options.hints.secrets, options.terms
    name, tags = cover(name, policy), tuple(cover(tag, policy) for tag in new.tags)
    job = Ingestion(
        session.vault, replace(options, terms=replace(new, tags=tags)),
        principal=session.principal, clock=session.now,
        max_bytes=session.settings.ingest_max_mb * 1_000_000, on_source=on_source, on_drafts=on_drafts,
        import_command=import_command,
    )  # fmt: skip
    if text is not None:
        job.take_text(text, name)
    job.take_files(paths, name, wanted)
    return finish(session, job, embed=embed, on_vectors=on_vectors)


def finish(
    session: Session,
    job: Ingestion,
    *,
    embed: bool,
    on_vectors: Callable[[int], None] = ignore,
    compare: bool = True,
) -> Ingested:
    """Compute the vectors of new memories, if ``embed``, and return the result of an ingest or import.

    A few new memories are compared with the others, and contradictions are linked; without ``compare``,
    ``memos maintain`` does so.
    """
    notes, embedded = list(job.notes), 0
    if job.forgotten:
        left_out = counted(job.forgotten, "memory", "memories")
        notes.append(f"left out {left_out} that you forgot; to bring back what you forgot, add --reread")
    missing = len(job.ids) if not embed else count_missing(session)
    if embed and missing:
        try:
            embedded = embed_missing(session, on_vectors=on_vectors)
            missing = count_missing(session)
            if compare:
                from memos_cli.interface.lifecycle.conflict_resolution import link_new

                notes += link_new(session, job.ids)
        except ModelUnfit as error:
            notes.append(f"no vectors: {error}; {error.hint}")
    return Ingested(
        job.added, job.versions, job.unchanged, job.archived, tuple(job.failed), tuple(job.ids),
        tuple(notes), embedded, missing, job.quarantined, job.unpruned,
    )  # fmt: skip
