"""Which embedder `memos init` writes into a vault."""

from __future__ import annotations

from pathlib import Path

import pytest

from memos_cli.errors import ModelUnfit
from memos_cli.interface.memory import Memos
from memos_cli.models.embed.embedder import DEFAULT, LEGACY
from memos_cli.settings import Settings


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Which embedders can be opened; opening one makes nothing."""
    names = {DEFAULT, LEGACY}

    class Opened:
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None: ...

    def open_one(memos: Memos, name: str) -> Opened:
        if name not in names:
            raise ModelUnfit(f"the embedder {name} is not installed", "pip install it")
        return Opened(name)

    monkeypatch.setattr(Memos, "open_embedder", open_one)
    return names


def init(folder: Path, **options: str) -> tuple[str, str, str]:
    """What VAULT.toml says after `memos init`, the embedder that is shown, and the notes about it."""
    with Memos(Settings(vault=str(folder), principal="user:ann")) as memos:
        made = memos.init(**options)  # type: ignore[arg-type]
        notes = " ".join(note for note in made.notes if "embedder" in note)
        return memos.vault.identity.embedder, made.embedder, notes


def test_a_new_vault_names_the_default_embedder(tmp_path: Path, installed: set[str]) -> None:
    assert init(tmp_path / "vault") == (DEFAULT, DEFAULT, "")
    assert init(tmp_path / "vault") == (DEFAULT, DEFAULT, "")
    assert init(tmp_path / "named", embedder="embedded") == (DEFAULT, DEFAULT, "")
    assert init(tmp_path / "other", embedder=LEGACY) == (LEGACY, LEGACY, "")


def test_an_old_vault_keeps_its_embedder(tmp_path: Path, installed: set[str]) -> None:
    for said in ("", "embedded"):
        folder = tmp_path / f"vault-{said}"
        with Memos(Settings(vault=str(folder), principal="user:ann")) as memos:
            vault = memos.create_vault()
            vault.set_models("", said)
            with vault.change("user:ann", 1) as change:
                change.embedder("f" * 64, LEGACY, 384)
        before = (folder / "VAULT.toml").read_bytes()
        assert init(folder) == (said, LEGACY, "")
        assert (folder / "VAULT.toml").read_bytes() == before


def test_a_vault_that_lost_its_identity_keeps_its_embedder(tmp_path: Path, installed: set[str]) -> None:
    init(tmp_path / "vault")
    with Memos(Settings(vault=str(tmp_path / "vault"), principal="user:ann")) as memos:
        vault = memos.vault
        with vault.change("user:ann", 1) as change:
            change.embedder("e" * 64, DEFAULT, 384)
    (tmp_path / "vault" / "VAULT.toml").unlink()
    assert init(tmp_path / "vault") == (DEFAULT, DEFAULT, "")


def test_without_the_default_a_new_vault_takes_the_one_that_is_there(
    tmp_path: Path, installed: set[str]
) -> None:
    installed.discard(DEFAULT)
    said, shown, notes = init(tmp_path / "vault")
    assert (said, shown) == (LEGACY, LEGACY)
    assert f"uses {LEGACY}" in notes
    assert DEFAULT in notes
    installed.clear()
    said, shown, notes = init(tmp_path / "none")
    assert (said, shown) == (DEFAULT, "")
    assert "words alone" in notes
    with pytest.raises(ModelUnfit):
        init(tmp_path / "vault", embedder=DEFAULT)
    assert init(tmp_path / "vault")[0] == LEGACY
