"""Making a vault, and choosing the models that it is used with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memos_cli.errors import ModelUnfit
from memos_cli.interface.results import Made
from memos_cli.runtime.models import resolve_reader

if TYPE_CHECKING:
    from memos_cli.infrastructure.encryption import Keeper
    from memos_cli.interface.memory import Memos


def make(memos: Memos, reader: str, embedder: str, encrypt: Keeper | None) -> Made:
    """Make the vault, or complete it; remember the models that are named, and compile the embedder."""
    notes = []
    if reader:
        reader = str(resolve_reader(reader).path.resolve())
    vault = memos.vault_to_be(encrypt)
    kept = vault.identity
    chosen_reader, chosen_embedder = reader or kept.reader, embedder or kept.embedder
    try:
        chosen = resolve_reader(memos.settings.reader or chosen_reader).name
    except ModelUnfit as error:
        chosen = ""
        notes.append(f"no reader, so no `memos query`: {error}; {error.hint}")
    try:
        meaning = memos.open_embedder(memos.settings.embedder or chosen_embedder).name
    except ModelUnfit as error:
        if embedder:
            raise
        meaning = ""
        notes.append(f"no embedder, so search by words alone: {error}; {error.hint}")
    if (chosen_reader, chosen_embedder) != (kept.reader, kept.embedder):
        vault.set_models(chosen_reader, chosen_embedder)
    return Made(str(memos.folder), vault.identity.id, chosen, meaning, tuple(notes))
