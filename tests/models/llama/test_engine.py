"""The reader in llama.cpp."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import with_models

from memos_cli.errors import ModelUnfit
from memos_cli.models.llama import llama
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.models.model_files import resolve_reader


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memos_cli.models.llama.llama_engine.BATCH_GPU", 64)  # also where llama.cpp has a GPU
        with Engine(resolve_reader("").path, context=256) as engine:
            yield engine


def continue_(engine: Engine, text: str, limit: int = 12, **options: float) -> str:
    engine.clear()
    engine.decode(engine.tokenize(text))
    return "".join(engine.generate(limit=limit, **options))  # type: ignore[arg-type]


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"dear diary"), ("short", b"GGUF\x03\0\0\0")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelUnfit, match=name):
            Engine(tmp_path / name)
    with pytest.raises(ModelUnfit, match="missing"):
        Engine(tmp_path / "missing")


@with_models
def test_a_model_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    with resolve_reader("").path.open("rb") as model:
        (tmp_path / "cut.gguf").write_bytes(model.read(8_000_000))
    with pytest.raises(ModelUnfit, match=r"cut\.gguf"):
        Engine(tmp_path / "cut.gguf")


@with_models
@pytest.mark.parametrize("text", ["Plain words.", "Größe 气候政策 😀", " \n\t ", "<|im_start|>", "a" * 300])
def test_tokens_are_the_text_to_the_byte(engine: Engine, text: str) -> None:
    assert b"".join(map(engine.piece, engine.tokenize(text))).decode() == text


@with_models
def test_control_tokens_are_read_only_when_asked(engine: Engine) -> None:
    (token,) = engine.tokenize("<|im_start|>", special=True)
    assert engine.piece(token) == b""
    assert engine.piece(token, special=True) == b"<|im_start|>"
    assert len(engine.tokenize("<|im_start|>")) > 1


@with_models
def test_the_likeliest_text_is_the_same_each_time(engine: Engine) -> None:
    first = continue_(engine, "The capital of France is")
    assert "Paris" in first
    assert continue_(engine, "The capital of France is") == first


@with_models
def test_a_seed_repeats_what_chance_chose(engine: Engine) -> None:
    def tell(seed: int) -> str:
        return continue_(engine, "Once upon a time", temperature=1.5, seed=seed)

    assert tell(1) == tell(1)
    assert len({tell(seed) for seed in range(1, 6)}) > 1


@with_models
def test_reading_in_two_steps_is_reading_in_one(engine: Engine) -> None:
    whole = continue_(engine, "The capital of France is")
    engine.clear()
    tokens = engine.tokenize("The capital of France is")
    engine.decode(tokens[:2])
    engine.decode(tokens[2:])
    assert "".join(engine.generate(limit=12)) == whole


@with_models
def test_more_than_the_context_holds_is_refused(engine: Engine) -> None:
    engine.clear()
    with pytest.raises(ModelUnfit, match="256"):
        engine.decode(engine.tokenize("word " * 300))
    assert engine.tokens == []


@with_models
def test_an_answer_ends_with_the_context(engine: Engine) -> None:
    engine.clear()
    engine.decode(engine.tokenize("word " * 250))
    assert len(engine.tokens) > 240
    list(engine.generate(limit=1000))
    assert len(engine.tokens) <= engine.context == 256


@with_models
def test_the_engine_knows_whether_the_model_ended_its_answer(engine: Engine) -> None:
    turn = "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\n"
    for limit, ended in ((120, True), (1, False), (120, True)):
        engine.clear()
        engine.decode(engine.tokenize(turn, special=True))
        start = len(engine.tokens)
        assert "".join(engine.generate(limit=limit))
        assert engine.ended is ended
        assert (len(engine.tokens) - start < limit) is ended


@with_models
def test_generation_can_be_stopped_at_any_piece(engine: Engine) -> None:
    engine.clear()
    engine.decode(engine.tokenize("The capital of France is"))
    pieces = engine.generate(limit=20)
    first = next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert not engine.ended
    assert continue_(engine, "The capital of France is").startswith(first)


@with_models
def test_what_the_sequence_holds_already_is_not_read_again(engine: Engine) -> None:
    tokens, size = engine.tokenize("word " * 200)[:200], engine.batch

    def read(wanted: list[int]) -> list[int]:
        counts: list[int] = []
        engine.read(wanted, counts.append)
        assert engine.tokens == wanted
        return counts

    engine.clear()
    assert read(tokens) == [64, 64, 64, 8]
    assert read(tokens) == [8]  # from the last end of a batch on
    assert engine.held(tokens[:size]) == 0  # its last token must be read to know what follows
    assert engine.held(tokens[: size + 1]) == size
    other = [*tokens[:130], tokens[131] + 1, *tokens[131:150]]
    assert read(other) == [22]
    assert read([]) == []


@with_models
def test_reading_up_to_the_end_of_a_batch_and_then_the_rest_is_reading_in_one(engine: Engine) -> None:
    tokens = engine.tokenize("The capital of France is Paris. " * 20)[:150]
    engine.clear()
    engine.read(tokens)
    whole = bytes(engine.save())
    engine.clear()
    engine.read(tokens[:128])
    engine.read(tokens)
    assert bytes(engine.save()) == whole


@with_models
def test_a_restored_sequence_goes_on_as_the_one_that_was_saved(engine: Engine) -> None:
    tokens = engine.tokenize("The capital of France is Paris. " * 8 + "The capital of France is")
    assert engine.unfit == ""
    engine.clear()
    engine.read(tokens[:64])
    state = engine.save()
    engine.read(tokens)
    first = "".join(engine.generate(limit=12))
    engine.clear()
    engine.restore(state, tokens[:64])
    assert engine.tokens == tokens[:64]
    engine.read(tokens)
    assert "".join(engine.generate(limit=12)) == first
    with pytest.raises(ModelUnfit, match="refused"):
        engine.restore(memoryview(bytearray(b"no state at all" * 9)), tokens[:64])
    assert engine.tokens == []


@with_models
def test_vocabulary_alone_reads_no_weights(engine: Engine) -> None:
    with Engine(resolve_reader("").path, vocabulary_only=True) as light:
        assert light.tokenize("The port is 5433.") == engine.tokenize("The port is 5433.")
        assert light.template == engine.template != ""
        assert light.marks == engine.marks


@with_models
def test_closing_twice_is_closing_once() -> None:
    engine = Engine(resolve_reader("").path, vocabulary_only=True)
    engine.close()
    engine.close()


@pytest.mark.parametrize("told", ["AVX512 = 1 | AMX_INT8 = 1 | REPACK = 1", "AVX512 = 1 | REPACK = 1"])
def test_the_kernels_that_crash_are_left_out(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a state that they made is not taken for one of the others."""
    monkeypatch.setattr(llama.load(), "llama_print_system_info", told.encode)
    assert llama.model_parameters().use_extra_bufts == ("AMX" not in told)
    assert "AMX_INT8" not in llama.features()
