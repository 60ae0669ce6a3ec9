"""Compute the vectors of memories that have none yet, and change the embedder of a vault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from memos_cli.errors import Locked, ModelUnfit, Unwritable
from memos_cli.infrastructure.memories import key_values, queries
from memos_cli.interface.session import Session

_NEXT_EMBEDDER = "embedder.next"
"""The key of the embedder that a vault is changing to."""


def count_missing(session: Session) -> int:
    """Return the number of live memories without a vector."""
    return queries.count_without_vector(session.vault.connection)


def embed(session: Session, embedder: str, on_vectors: Callable[[int], None]) -> int:
    """Compute missing vectors of sentences. Returns of how many memories.

    With the name of another ``embedder``, the vault changes to it; searches use the old vectors until the new
    ones are complete. The next call resumes a change that was stopped, also without the name. Raises
    ModelUnfit without an embedder.
    """
    session.access.require_writer()
    embedder = embedder or key_values.get(session.vault.connection, _NEXT_EMBEDDER)
    if not embedder:
        return embed_missing(session, renew=True, on_vectors=on_vectors)
    session.access.require_owner("choose the models of the vault")
    embedder = str(Path(embedder).resolve()) if Path(embedder).exists() else embedder
    session.use_embedder(embedder)
    with session.change() as change:
        key_values.put(change, _NEXT_EMBEDDER, embedder)
    done = embed_missing(session, renew=True, on_vectors=on_vectors)
    session.vault.set_models(session.vault.identity.reader, embedder)
    with session.change() as change:
        key_values.remove(change, _NEXT_EMBEDDER)
    return done


def embed_missing(
    session: Session, *, renew: bool = False, on_vectors: Callable[[int], None] = lambda count: None
) -> int:
    """Compute missing vectors with the vault's embedder; ``renew`` also replaces outdated ones."""
    from memos_cli.operation.search.embedding import embed_waiting

    if not session.vault.connection.execute("SELECT 1 FROM cube LIMIT 1").fetchone():
        return 0
    return embed_waiting(
        session.vault, session.embedder, principal=session.principal, clock=session.now, renew=renew,
        progress=on_vectors,
    )  # fmt: skip


def embed_changed(session: Session) -> None:
    """Compute the vectors that a committed change left missing; warn if that fails."""
    for note in embed_if_possible(session):
        session.warn(f"note: {note}")


def embed_if_possible(session: Session) -> tuple[str, ...]:
    """Compute missing vectors after a committed change. Returns notes on why that failed.

    Until the next time, searches find these memories by their words. A missing embedder is not noted.
    """
    try:
        embed_missing(session)
    except ModelUnfit:
        pass
    except (Locked, Unwritable, OSError) as error:
        return (f"done, but without vectors: {error}; run `memos embed`",)
    return ()
