"""The models with random weights that other tests run on are themselves sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import ARCHITECTURES, CONTROL, UNFIT, WINDOW, draw_tokens, write_model

from memos_cli.models.llama.llama import load
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.models.model_files import describe

ALL = (*ARCHITECTURES, *UNFIT)
TEXT = "The other one, there: Größe 气候政策 😀\n\n\t<|im_end|> \x00\x7f  "


def read(path: Path, tokens: list[int], context: int = 512) -> np.ndarray:
    """The logits after ``tokens``."""
    with Engine(path, context=context, threads=1) as engine:
        engine.decode(tokens)
        return logits(engine)


def logits(engine: Engine) -> np.ndarray:
    llama = load()
    count = llama.llama_vocab_n_tokens(engine._vocabulary)
    return np.ctypeslib.as_array(llama.llama_get_logits_ith(engine._context, -1), (count,)).copy()


@pytest.mark.parametrize("architecture", ALL)
def test_a_tiny_model_is_small_and_counts_as_a_reader(tmp_path: Path, architecture: str) -> None:
    model = describe(write_model(tmp_path / "tiny.gguf", architecture, context=777))
    assert (model.kind, model.architecture, model.context_length) == ("reader", architecture, 777)
    assert model.has_chat_template
    assert model.size < 1_100_000
    assert not describe(write_model(tmp_path / "bare.gguf", architecture, template="")).has_chat_template


@pytest.mark.parametrize("architecture", ALL)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, architecture: str) -> None:
    first, again, other = (
        write_model(tmp_path / f"{n}.gguf", architecture, seed=seed).read_bytes()
        for n, seed in enumerate((1, 1, 2))
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("architecture", ALL)
def test_any_text_is_tokens_and_comes_back(tmp_path: Path, architecture: str) -> None:
    with Engine(write_model(tmp_path / "tiny.gguf", architecture), vocabulary_only=True) as engine:
        tokens = engine.tokenize(TEXT)
        assert b"".join(map(engine.piece, tokens)).decode() == TEXT
        assert set(tokens).isdisjoint(range(len(CONTROL)))
        assert engine.tokenize("".join(CONTROL[1:]), special=True) == [1, 2, 3]
        assert engine.marks.items() >= {"bos_token": CONTROL[1], "eos_token": CONTROL[3]}.items()
        assert engine.tokenize("a", start=True)[:-1] == ([CONTROL.index("<s>")] if engine.adds_start else [])


@pytest.mark.parametrize("architecture", ALL)
def test_where_a_text_is_cut_changes_its_tokens(tmp_path: Path, architecture: str) -> None:
    with Engine(write_model(tmp_path / "tiny.gguf", architecture), vocabulary_only=True) as engine:
        whole = engine.tokenize("and then the end")
        assert whole != engine.tokenize("and then t") + engine.tokenize("he end")


@pytest.mark.parametrize("architecture", ALL)
def test_logits_are_finite_spread_and_of_the_seed(tmp_path: Path, architecture: str) -> None:
    tokens = draw_tokens(200)
    paths = [write_model(tmp_path / f"{seed}.gguf", architecture, seed=seed) for seed in (1, 2)]
    first, second = (read(path, tokens) for path in paths)
    for values in (first, second):
        assert np.isfinite(values).all()
        assert 1 < values.std() < 10
        assert values.argmax() >= len(CONTROL)
    assert np.abs(first - second).max() > 1
    assert np.array_equal(first, read(paths[0], tokens))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_first_token_still_counts_at_the_end(tmp_path: Path, architecture: str) -> None:
    path = write_model(tmp_path / "tiny.gguf", architecture)
    tokens = draw_tokens(200)
    other = [tokens[0] + 1, *tokens[1:]]
    assert np.abs(read(path, tokens) - read(path, other)).max() > 1e-3


@pytest.mark.parametrize("architecture", ALL)
def test_a_prompt_is_built_and_continued_to_the_limit(tmp_path: Path, architecture: str) -> None:
    with Engine(write_model(tmp_path / "tiny.gguf", architecture), context=512, threads=1) as engine:
        prompt = engine.build_prompt(system="Be brief.", memories="The sky is blue.", question="Why?")
        engine.decode(prompt.prefix + prompt.question)
        text = "".join(engine.generate(limit=40))
        assert len(text) >= 40
        assert text.isascii()
        assert text.isprintable()
        assert len(set(text)) > 3


@pytest.mark.parametrize("architecture", ALL)
def test_llama_cpp_knows_which_states_cannot_be_rewound(tmp_path: Path, architecture: str) -> None:
    llama = load()
    with Engine(write_model(tmp_path / "tiny.gguf", architecture), context=64) as engine:
        reasons = {
            "sliding window": llama.llama_model_n_swa(engine._model) == WINDOW,
            "recurrent": bool(llama.llama_model_is_recurrent(engine._model)),
            "hybrid": bool(llama.llama_model_is_hybrid(engine._model)),
        }
    assert [reason for reason, holds in reasons.items() if holds] == (
        [UNFIT[architecture]] if architecture in UNFIT else []
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("flash", "kind"), [(False, "f16"), (True, "f16"), (True, "q8_0")])
def test_every_kind_of_cache_opens_and_reads(
    tmp_path: Path, architecture: str, flash: bool, kind: str
) -> None:
    path = write_model(tmp_path / "tiny.gguf", architecture)
    with Engine(path, context=256, threads=1, kv_type=kind, flash_attention=flash) as engine:
        engine.decode(draw_tokens(200))
        assert np.isfinite(logits(engine)).all()
        assert engine.unfit == ""


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unheard"):
        write_model(tmp_path / "tiny.gguf", "unheard")
    assert not list(tmp_path.iterdir())
