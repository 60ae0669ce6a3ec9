"""A vault with memories that agents may read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import Shell
from hooks_harness import HORSE, PORT, SHIP, Hooks

from memos_cli.infrastructure.vault.vault import Vault


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    """A vault with memories of two projects and of none, without an embedder; it is whole at the end."""
    shell = Shell(tmp_path)
    with Vault.create(shell.vault, principal="user:ann", now=1_700_000_000_000, timeout=1.0) as vault:
        vault.set_models("", "missing.gguf")
    shell.keep(PORT, SHIP, options=("--tag", "project/shop", "--type", "fact"))
    shell.keep(HORSE, options=("--tag", "project/stable", "--type", "fact"))
    yield Hooks(shell)
    shell.check()
