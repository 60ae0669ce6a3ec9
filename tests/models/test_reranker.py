"""A cross-encoder that orders the best anew; a tiny one with random weights stands for those that know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from vault_harness import keep

from memos_cli.cube import Filter, Hit
from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.models.reranker import Reranker
from memos_cli.operation.search import hybrid_search as searching
from memos_cli.operation.search.hybrid_search import rerank
from memos_cli.settings import Settings


def write_reranker(folder: Path, outputs: int = 1) -> Path:
    """A BERT of one layer over single letters."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("sentence_transformers")
    import torch

    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, num_labels=outputs,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def hits(vault: Vault, count: int) -> list[Hit]:
    keep(vault, *(f"Note {n}." for n in range(count)))
    cubes = list(queries.cubes(vault.connection, Filter(), now=0))
    return [Hit(cube, 1.0 - n / count, {"relevance": 0.5}) for n, cube in enumerate(cubes)]


def test_the_best_are_ordered_anew_and_the_others_follow(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "RERANKED", 3)
    found = hits(vault, 5)

    def read(texts: Sequence[str]) -> list[float]:
        assert texts == ["Note 0.", "Note 1.", "Note 2."]
        return [0.0, 0.1, 1.0]

    anew = rerank(found, read)
    assert [hit.cube.text for hit in anew] == [f"Note {n}." for n in (2, 0, 1, 3, 4)]
    assert [hit.score for hit in anew] == sorted((hit.score for hit in anew), reverse=True)
    assert anew[0].why == {"relevance": 0.5, "reranker": 1.0}
    assert rerank([], lambda texts: []) == []


def test_a_cross_encoder_from_a_folder(tmp_path: Path, desk: Any) -> None:
    folder = write_reranker(tmp_path / "cross")
    scores = Reranker(str(folder)).scores("which port", ["it is a port", "bread", ""])
    assert len(scores) == 3
    assert all(0 < score < 1 for score in scores)
    assert len({round(score, 6) for score in scores}) == 3
    desk.keep("The port is open.", "The port is closed.")
    desk.settings["search_reranker"] = str(folder)
    with desk.open() as memos:
        assert all("reranker" in hit.why for hit in memos.search("port", filter=Filter()).hits)


def test_what_cannot_serve_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(ModelUnfit, match="there is no reranker"):
        Reranker(str(tmp_path / "nothing"))
    with pytest.raises(ModelUnfit, match="3 outputs"):
        Reranker(str(write_reranker(tmp_path / "three", outputs=3)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelUnfit, match="cannot load"):
        Reranker(str(tmp_path / "empty"))
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(ModelUnfit, match="not installed"):
        Reranker("any")
    assert Settings().search_reranker == ""
