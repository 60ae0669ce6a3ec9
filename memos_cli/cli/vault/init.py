"""``memos init``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.output import aligned
from memos_cli.cli.shared_options import opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.infrastructure.storage.encryption import Keeper

_MODELS, _ENCRYPTION = "Models", "Encryption"
"""Sections of options."""


def init(
    state: State,
    reader: Annotated[
        str, opt("--model -m NAME", "A GGUF file, a name of `memos models`, a server, or embedded.", _MODELS)
    ] = "",
    embedder: Annotated[
        str,
        opt("--embedder NAME", "multilingual-e5-small, a GGUF, or a sentence-transformers folder.", _MODELS),
    ] = "",
    encrypt: Annotated[bool, opt("--encrypt", "Encrypt the vault with a passphrase.", _ENCRYPTION)] = False,
    key_file: Annotated[
        str, opt("--key-file FILE", "With --encrypt: read the key from FILE, or create it.", _ENCRYPTION)
    ] = "",
    keyring: Annotated[
        bool, opt("--keyring", "With --encrypt: store the key in the system's keyring.", _ENCRYPTION)
    ] = False,
) -> None:
    """Create a vault and choose its models.

    Run it again with --model or --embedder to change the models; the memories stay as they are. Without its
    key, nobody can read an encrypted vault, not even you: keep a copy of the key.

    Example:
      memos init
      memos init --encrypt --key-file ~/.config/memos/vault.key
      memos init --vault ~/work-memory --model ~/models/qwen2.5-7b-instruct-q4_k_m.gguf
      memos init --model embedded
    """
    if (key_file or keyring) and not encrypt:
        raise UsageError("--key-file and --keyring need --encrypt", "memos init --encrypt …")
    if key_file and keyring:
        raise UsageError("--key-file and --keyring exclude each other", "use --key-file FILE, or --keyring")
    keeper: Keeper = "file" if key_file else "keyring" if keyring else "passphrase"
    with state.open(key_file=key_file or None) as memos:
        made = memos.init(reader=reader, embedder=embedder, encrypt=keeper if encrypt else None)
    lines = {"vault": made.vault, "model": made.reader or "none", "embedder": made.embedder or "none"}
    state.output.result(made, *aligned(lines))
    for note in made.notes:
        state.output.hint(f"note: {note}")
