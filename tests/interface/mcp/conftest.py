"""A vault for agents: without an embedder, so that nothing is compiled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import Shell

from memos_cli.infrastructure.vault.vault import Vault


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[Shell]:
    """A user with an empty vault whose embedder is missing; it is whole at the end."""
    shell = Shell(tmp_path)
    with Vault.create(shell.vault, principal="user:ann", now=1_700_000_000_000, timeout=1.0) as vault:
        vault.set_models("", "missing.gguf")
    yield shell
    shell.check()
