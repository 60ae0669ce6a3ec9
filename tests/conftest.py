"""What all tests share: no test sees the real home, and every test that writes a vault ends with a check."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings
from vault_harness import NOW, WHO, expect_schema_once

from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.zones import use_zone

# How long an example takes is the machine's affair; and each run tries the same ones. New ones of what others
# could send are drawn by scripts/campaigns/imports.py.
settings.register_profile("memos", deadline=None, derandomize=True)
settings.load_profile("memos")

expect_schema_once()

# Its own imports need torch, so that it cannot say of itself that it is skipped.
collect_ignore = [] if find_spec("torch") else ["models/train/test_trainee.py"]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is expensive to make again (a compiled embedder) is made once a run."""
    if "PYTEST_XDIST_WORKER" in os.environ:  # one cache for all workers
        return tmp_path_factory.getbasetemp().parent / "cache"
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def no_home(
    tmp_path_factory: pytest.TempPathFactory, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Home, configuration, data and cache are empty folders of the test; its time zone is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    use_zone("")
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("MEMOS_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for kind in ("CONFIG", "DATA", "CACHE", "STATE", "RUNTIME"):
        name = "XDG_RUNTIME_DIR" if kind == "RUNTIME" else f"XDG_{kind}_HOME"
        monkeypatch.setenv(name, str(home / kind.lower()))
    monkeypatch.setenv("MEMOS_CONFIG", str(home / "config.toml"))
    monkeypatch.setenv("MEMOS_CACHE", str(shared_cache))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """An empty vault. What a test leaves in it must be whole."""
    with Vault.create(tmp_path / "vault", principal=WHO, now=NOW, timeout=5.0) as opened:
        yield opened
    assert check.examine(tmp_path / "vault", timeout=5.0) == []


pytest_plugins = (
    "cli_harness",
    "states_harness",
    "adapters_harness",
)  # the fixtures `memos`, `desk` and others
