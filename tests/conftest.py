"""What all tests share: no test sees the real home, and every test that writes a vault ends with a check."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from memos_cli.cube import Draft, Origin, Span
from memos_cli.infrastructure.memories.transaction import Kept, NewMemoryFields
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.zones import use_zone

# How long an example takes is the machine's affair; and each run tries the same ones. New ones of what others
# could send are drawn by scripts/campaigns/imports.py.
settings.register_profile("memos", deadline=None, derandomize=True)
settings.load_profile("memos")

# Its own imports need torch, so that it cannot say of itself that it is skipped.
collect_ignore = [] if find_spec("torch") else ["test_trainee.py"]

NOW = 1_700_000_000_000
WHO = "user:ann"


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is expensive to make again (a compiled embedder) is made once a run."""
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


pytest_plugins = ("command", "desk")  # the fixtures of users: of the command line, and of saved states
