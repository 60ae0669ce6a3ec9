"""Memories put into a vault below the Memory API, at a fixed time and by a fixed user."""

from __future__ import annotations

from collections.abc import Sequence

from memos_cli.cube import Draft, Origin, Span
from memos_cli.infrastructure.memories.transaction import Kept, NewMemoryFields
from memos_cli.infrastructure.vault.vault import Vault

NOW = 1_700_000_000_000
"""Milliseconds since 1970 UTC."""
WHO = "user:ann"


def draft(text: str, at: int = 0, **header: object) -> Draft:
    """A draft whose place in its source is ``at``."""
    return Draft(text, Span(at, at + len(text.encode())), **header)  # type: ignore[arg-type]


def keep(
    vault: Vault,
    *drafts: Draft | str,
    uri: str = "file:///notes.md",
    now: int = NOW,
    tags: Sequence[str] = (),
) -> list[Kept]:
    """Put drafts into the vault, as an ingest of one source does."""
    made = [draft(item, 100 * n) if isinstance(item, str) else item for n, item in enumerate(drafts)]
    with vault.change(WHO, now) as change:
        source, _ = change.claim_source(Origin(uri, "text", "", 0), None)
        kept = change.add(
            source, [(each, each.digest(), bytes(32)) for each in made], NewMemoryFields(tags=tuple(tags))
        )
        change.finish_source(source, "0" * 64, "recipe")
    return kept
