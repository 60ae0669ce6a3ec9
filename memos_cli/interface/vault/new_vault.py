"""Create a vault and choose its models."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from memos_cli.errors import ModelUnfit
from memos_cli.interface.results import InitResult
from memos_cli.models.model_files import resolve_reader
from memos_cli.models.remote.address import is_address, parse_address

if TYPE_CHECKING:
    from memos_cli.infrastructure.storage.encryption import Keeper
    from memos_cli.infrastructure.vault.vault import Vault
    from memos_cli.interface.session import Session


def make(session: Session, reader: str, embedder: str, encrypt: Keeper | None) -> InitResult:
    """Create the vault, or complete it; store the names of its models, and compile the embedder."""
    notes = []
    if (session.folder / "VAULT.toml").exists():  # check access before reporting on models
        session.create_vault(encrypt)
        if reader or embedder:
            session.access.require_owner("choose the models of the vault")
    if reader:
        reader = _resolve_model(reader)
    vault = session.create_vault(encrypt)
    saved = vault.identity
    chosen_reader = reader or saved.reader
    try:
        chosen = _model_title(session.settings.reader or chosen_reader)
    except ModelUnfit as error:
        chosen = ""
        notes.append(f"no language model, so `memos query` only quotes: {error.with_hint}")
    chosen_embedder, meaning = _choose_embedder(session, vault, embedder, notes)
    if (chosen_reader, chosen_embedder) != (saved.reader, saved.embedder):
        session.access.require_owner("choose the models of the vault")
        vault.set_models(chosen_reader, chosen_embedder)
    return InitResult(str(session.folder), vault.identity.id, chosen, meaning, tuple(notes))


def _resolve_model(model: str) -> str:
    """Return the path of a model file, or the full address of a server. Raises ModelUnfit, UsageError."""
    return str(parse_address(model) if is_address(model) else resolve_reader(model).path.resolve())


def _model_title(model: str) -> str:
    """Return the name of a model to show. A server is not asked: it need not run now."""
    return str(parse_address(model)) if is_address(model) else resolve_reader(model).name


def _choose_embedder(session: Session, vault: Vault, named: str, notes: list[str]) -> tuple[str, str]:
    """Choose the embedder of ``vault`` and compile it. Returns the entry of VAULT.toml, and the name to show.

    The name to show is that of the settings' embedder if they name one; it is "" if no embedder can be
    opened, and ``notes`` says why. Raises ModelUnfit if ``named`` cannot be opened.
    """
    from memos_cli.models.embed.embedder import DEFAULT, LEGACY, vault_embedder

    # VAULT.toml never says "embedded": in a later version that may mean another model.
    chosen = (DEFAULT if named == "embedded" else named) or vault.identity.embedder
    is_default = not chosen and _takes_default(vault)
    if is_default:
        chosen = DEFAULT
    effective = session.settings.embedder or vault_embedder(chosen)
    try:
        return chosen, _compile(session, effective)
    except ModelUnfit as error:
        if named:
            raise
        problem = error.with_hint
    if is_default and effective == DEFAULT:
        with suppress(ModelUnfit):
            shown = _compile(session, LEGACY)
            notes.append(f"this vault uses {LEGACY}: {problem}")
            return LEGACY, shown
    notes.append(f"no embedder, so search by words alone: {problem}")
    return chosen, ""


def _compile(session: Session, embedder: str) -> str:
    """Compile the embedder by opening it once; return its name."""
    opened = session.open_embedder(embedder)
    opened.close()
    return opened.name


def _takes_default(vault: Vault) -> bool:
    """Return whether a vault without an embedder in VAULT.toml takes the default, not that of version 0.1.0.

    A vault without memories does: it is new, or an earlier ``init`` was interrupted. A vault that lost its
    VAULT.toml keeps the embedder of its vectors.
    """
    from memos_cli.models.embed.embedder import DEFAULT

    newest = vault.unrestricted.execute("SELECT name FROM embedder ORDER BY n DESC LIMIT 1").fetchone()
    if newest is not None:
        return bool(newest[0] == DEFAULT)
    return vault.unrestricted.execute("SELECT 1 FROM cube LIMIT 1").fetchone() is None
