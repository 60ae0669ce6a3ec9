"""Vectors for cubes that have none yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from conftest import NOW, WHO, draft, keep

from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure import catalogue
from memos_cli.infrastructure.vault import Vault
from memos_cli.operation import embedding
from memos_cli.operation.embedding import embed_waiting, embedded_text


class Counting:
    """Stands in for an embedder: the vector of a text is made of its letters."""

    name, fingerprint, dimension = "counting", "c" * 64, 32

    def __init__(self, fail_after: int = 10**9) -> None:
        self.texts: list[str] = []
        self.fail_after = fail_after
        self.meanwhile: Callable[[], object] = lambda: None

    def embed(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Any:
        self.meanwhile()
        if len(self.texts) >= self.fail_after:
            raise ModelUnfit("out of breath")
        self.texts += texts
        vectors = np.full((len(texts), self.dimension), 0.01, np.float32)
        for row, text in enumerate(texts):
            for letter in text.lower():
                vectors[row, ord(letter) % self.dimension] += 1
        if progress is not None:
            progress(len(texts))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def close(self) -> None:
        pass


def embed(vault: Vault, embedder: Any, **options: Any) -> int:
    return embed_waiting(vault, embedder, principal=WHO, clock=lambda: NOW, **options)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "PART", 2)


def test_each_cube_is_embedded_once(vault: Vault) -> None:
    keep(vault, "One.", "Two.", "Three.")
    embedder = Counting()
    assert embed(vault, embedder) == 3
    assert embedder.texts == ["One.", "Two.", "Three."]
    assert embed(vault, embedder) == 0
    assert catalogue.count_waiting(vault.connection) == 0


def test_progress_tells_of_every_text(vault: Vault) -> None:
    keep(vault, "One.", "Two.", "Three.")
    told: list[int] = []
    embed(vault, Counting(), progress=told.append)
    assert sum(told) == 3


def test_what_was_made_before_a_failure_stays(vault: Vault) -> None:
    keep(vault, "One.", "Two.", "Three.", "Four.")
    with pytest.raises(ModelUnfit):
        embed(vault, Counting(fail_after=2))
    assert catalogue.count_waiting(vault.connection) == 2
    rest = Counting()
    assert embed(vault, rest) == 2
    assert rest.texts == ["Three.", "Four."]


def test_a_cube_that_changes_while_it_is_embedded_waits_for_another_vector(vault: Vault) -> None:
    keep(vault, "One.")
    cube = next(catalogue.cubes(vault.connection, catalogue.Filter(), now=NOW))

    def edit() -> None:
        with vault.change(WHO, NOW) as change:
            change.edit(cube, "Uno.", "")
        embedder.meanwhile = lambda: None

    embedder = Counting()
    embedder.meanwhile = edit
    embed(vault, embedder)
    embed(vault, embedder)
    assert embedder.texts == ["One.", "Uno."]
    assert catalogue.count_waiting(vault.connection) == 0


def test_another_embedder_embeds_anew(vault: Vault) -> None:
    keep(vault, "One.")
    embed(vault, Counting())
    other = Counting()
    other.fingerprint = "d" * 64
    assert embed(vault, other) == 1


def test_what_the_embedder_reads() -> None:
    assert embedded_text("document", "notes › Server", "", "Port 5433.") == "notes › Server\nPort 5433."
    assert embedded_text("document", "", "", "Port 5433.") == "Port 5433."
    assert embedded_text("dialogue", "chat", "Ann", "Hello!") == "Ann: Hello!"
    assert embedded_text("dialogue", "chat", "", "Hello!") == "Hello!"


def test_titles_and_speakers_reach_the_embedder(vault: Vault) -> None:
    keep(vault, draft("Hello!", type="dialogue", author="Ann"), draft("Port.", 50, title="Server"))
    embedder = Counting()
    embed(vault, embedder)
    assert embedder.texts == ["Ann: Hello!", "Server\nPort."]
