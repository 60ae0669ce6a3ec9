"""Vectors for cubes that have none yet. Text is searchable before; this can stop at any time."""

from __future__ import annotations

from collections.abc import Callable

from memos_cli.infrastructure import catalogue, index
from memos_cli.infrastructure.vault import Vault
from memos_cli.runtime.embedder import Embedder

PART = 512
"""Cubes that are embedded, and made durable, together: seconds of work that ^C can cost."""


def embedded_text(type: str, title: str, author: str, text: str) -> str:
    """What the embedder reads of a cube: a turn with its speaker, other pieces under their title."""
    if type == "dialogue":
        return f"{author}: {text}" if author else text
    return f"{title}\n{text}" if title else text


def embed_waiting(
    vault: Vault,
    embedder: Embedder,
    *,
    principal: str,
    clock: Callable[[], int],
    progress: Callable[[int], None] = lambda count: None,
) -> int:
    """Embed every live cube that waits for a vector of ``embedder``, oldest first. Returns how many.

    Each part is durable when it is done; ``progress`` is told of each text, as it goes.
    """
    done = after = 0
    with vault.change(principal, clock()) as change:
        row = change.embedder(embedder.fingerprint, embedder.name, embedder.dimension)
    while part := catalogue.waiting(vault.connection, row, limit=PART, after=after):
        texts = [embedded_text(*cube[2:]) for cube in part]
        told = 0

        def tell(count: int) -> None:
            nonlocal told
            progress(count - told)
            told = count

        codes = index.encode(embedder.embed(texts, progress=tell))
        with vault.change(principal, clock()) as change:
            change.put_vectors(
                row, [(cube[0], cube[1], code) for cube, code in zip(part, codes, strict=True)]
            )
        after = part[-1][0]
        done += len(part)
    index.refresh(vault.connection, vault.snapshots, row, embedder.dimension)
    return done
