"""Saved states are exact: with one and without it, the same logits to the bit and the same text.

Each way to spare reading is compared with an engine that reads everything itself, and with llama.cpp alone,
which reads the whole prompt in one call in a context of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny_models
from cli_harness import with_models
from tiny_models import ARCHITECTURES, CHATML, UNFIT, draw_tokens, write_model

from memos_cli.errors import ModelUnfit
from memos_cli.models.llama.llama import load
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.models.model_files import resolve_reader

if TYPE_CHECKING:
    from gguf import GGUFWriter

QUESTION = 5
"""Tokens of each prompt after its prefix."""
ANSWER = 8
CONTEXT = 3
"""Batches that a context holds."""
CACHES = {
    f"{kv_type}-{flash}": {"kv_type": kv_type, "flash_attention": flash}
    for kv_type in ("f16", "q8_0")
    for flash in (None, True, False)
    if (kv_type, flash) != ("q8_0", False)  # which does not exist
}
PREFIXES = {
    "one token": (0, 1),
    "a batch less one": (1, -1),
    "a batch": (1, 0),
    "a batch and one": (1, 1),
    "two batches": (2, 0),
    "room for two tokens of the answer": (CONTEXT, -QUESTION - 2),
    "the context full": (CONTEXT, -QUESTION),
}
"""Lengths of prefixes: batches, and tokens more."""

Tiny = Callable[..., Engine]
each_cache = pytest.mark.parametrize("cache", CACHES.values(), ids=CACHES)
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each architecture."""
    folder = tmp_path_factory.mktemp("models")
    return {name: write_model(folder / f"{name}.gguf", name) for name in (*ARCHITECTURES, *UNFIT)}


@pytest.fixture(scope="module")
def batch(models: dict[str, Path]) -> int:
    with Engine(models["llama"], vocabulary_only=True) as engine:
        return engine.batch


@pytest.fixture(scope="module")
def tiny(models: dict[str, Path], batch: int) -> Tiny:
    """Opens a tiny model with a short context and one thread, unless told otherwise."""

    def open_tiny(architecture: str = "llama", **options: Any) -> Engine:
        return Engine(models[architecture], **{"context": CONTEXT * batch, "threads": 1, **options})

    return open_tiny


def copy_logits(engine: Engine, context: object) -> bytes:
    """The logits of the token to come, to the bit."""
    llama = load()
    count = llama.llama_vocab_n_tokens(engine._vocabulary)
    return np.ctypeslib.as_array(llama.llama_get_logits_ith(context, -1), (count,)).tobytes()


def outcome(engine: Engine, tokens: Sequence[int]) -> tuple[bytes, str]:
    """The logits after ``tokens``, and the likeliest text to follow."""
    engine.read(tokens)
    assert engine.tokens == list(tokens)
    return copy_logits(engine, engine._context), "".join(engine.generate(limit=ANSWER))


def plain_outcome(engine: Engine, tokens: Sequence[int], threads: int) -> tuple[bytes, str]:
    """The same, by llama.cpp alone: one call reads the whole prompt, in a new context."""
    llama, parameters = load(), engine._parameters()
    parameters.n_batch = engine.context
    parameters.n_threads = parameters.n_threads_batch = threads
    context = llama.llama_init_from_model(engine._model, parameters)

    def decode(part: Sequence[int]) -> bytes:
        array = (llama.llama_token * len(part))(*part)
        assert llama.llama_decode(context, llama.llama_batch_get_one(array, len(part))) == 0
        return copy_logits(engine, context)

    try:
        first = logits = decode(tokens)
        answer: list[int] = []
        while len(answer) < min(ANSWER, engine.context - len(tokens)):
            token = int(np.frombuffer(logits, np.float32).argmax())
            if llama.llama_vocab_is_eog(engine._vocabulary, token):
                break
            answer.append(token)
            logits = decode([token])
    finally:
        llama.llama_free(context)
    return first, b"".join(map(engine.piece, answer)).decode("utf-8", "replace")


def check_exact(open_engine: Tiny, tokens: list[int], held: int, making: int, using: int) -> None:
    """A state of the first ``held`` tokens, made with ``making`` threads, serves where ``using`` compute."""
    start, other = tokens[:held], draw_tokens(50, seed=9)
    with open_engine(threads=making) as maker:
        maker.read(other[:7])
        maker.read(start)
        state = maker.save()
    with open_engine(threads=using) as reader, open_engine(threads=using) as fresh:
        whole = outcome(reader, tokens)
        assert whole == plain_outcome(reader, tokens, using)
        reader.clear()
        for engine in (reader, fresh):
            engine.restore(state, start)
            assert engine.tokens == start
            assert bytes(engine.save()) == bytes(state)
            assert outcome(engine, tokens) == whole
        reader.read([*tokens[: held + 3], *other])  # cut to whole batches, or its last bits would differ
        assert reader.held(tokens) == held
        assert outcome(reader, tokens) == whole


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("making", "using"), [(1, 2), (2, 1)])
@each_cache
@each_architecture
def test_a_state_gives_what_reading_gives(
    tiny: Tiny, batch: int, architecture: str, cache: dict[str, Any], making: int, using: int, prefix: str
) -> None:
    batches, more = PREFIXES[prefix]
    length = batches * batch + more
    tokens, held = draw_tokens(length + QUESTION), length - length % batch
    check_exact(partial(tiny, architecture, **cache), tokens, held, making, using)


@pytest.mark.parametrize("question", [1, 2, 63, 64, 65])
@each_cache
def test_a_question_of_any_length_may_follow_a_state(
    tiny: Tiny, batch: int, cache: dict[str, Any], question: int
) -> None:
    check_exact(partial(tiny, "llama", **cache), draw_tokens(batch + question), batch, 1, 2)


@with_models
@pytest.mark.parametrize(
    ("cache", "making", "using", "prefix"),
    [
        ("f16-None", 2, 1, "a batch and one"),
        ("f16-None", 1, 2, "the context full"),
        ("f16-False", 1, 2, "a batch"),
        ("q8_0-None", 1, 2, "room for two tokens of the answer"),
    ],
)
def test_a_state_of_the_embedded_model_gives_what_reading_gives(
    cache: str, making: int, using: int, prefix: str
) -> None:
    path = resolve_reader("").path
    with Engine(path, vocabulary_only=True) as light:
        batch, tokens = light.batch, light.tokenize("The heron stands in room 7 and naps on Monday. " * 200)
    batches, more = PREFIXES[prefix]
    length = batches * batch + more
    open_engine = partial(Engine, path, context=CONTEXT * batch, **CACHES[cache])  # type: ignore[arg-type]
    check_exact(open_engine, tokens[: length + QUESTION], length - length % batch, making, using)


@each_architecture
def test_what_a_state_holds_decides_what_follows(tiny: Tiny, batch: int, architecture: str) -> None:
    tokens, other = draw_tokens(batch + QUESTION), draw_tokens(batch, seed=9)
    with tiny(architecture) as engine:
        whole = outcome(engine, tokens)
        engine.read(other)
        state = engine.save()
        engine.restore(state, tokens[:batch])  # a lie, that only the logits can tell
        assert outcome(engine, tokens) != whole


@each_cache
@each_architecture
def test_an_engine_takes_its_own_state_back(
    tiny: Tiny, batch: int, architecture: str, cache: dict[str, Any]
) -> None:
    tokens = draw_tokens(2 * batch + QUESTION)
    with tiny(architecture, threads=2, **cache) as engine:
        engine.read(tokens[: 2 * batch])
        state, whole = engine.save(), outcome(engine, tokens)
        engine.read(draw_tokens(CONTEXT * batch, seed=9))
        for _ in range(2):
            engine.restore(state, tokens[: 2 * batch])
            assert outcome(engine, tokens) == whole


def test_a_state_serves_a_context_of_another_size(tiny: Tiny, batch: int) -> None:
    tokens = draw_tokens(batch + QUESTION)
    small, large = (tiny("qwen2", context=n * batch) for n in (8, 32))
    with small, large:
        for maker, user in ((small, large), (large, small)):
            maker.read(tokens[:batch])
            state, whole = maker.save(), outcome(maker, tokens)
            user.restore(state, tokens[:batch])
            assert outcome(user, tokens) == whole


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, *UNFIT])
def test_q8_0_without_flash_attention_is_refused(tiny: Tiny, architecture: str) -> None:
    with pytest.raises(ModelUnfit, match="flash_attn") as refused:
        tiny(architecture, kv_type="q8_0", flash_attention=False)
    assert "activation.kv_type to f16" in refused.value.hint


# --- what is resident ------------------------------------------------------------------------------


def test_whole_batches_are_held_and_the_last_token_never_counts(tiny: Tiny, batch: int) -> None:
    tokens = draw_tokens(CONTEXT * batch)
    with tiny() as engine:
        assert engine.held(tokens) == 0
        engine.read(tokens[: 2 * batch])
        for length, held in {
            0: 0, 1: 0, batch: 0, batch + 1: batch, 2 * batch: batch, 2 * batch + 1: 2 * batch,
            3 * batch: 2 * batch,
        }.items():  # fmt: skip
            assert engine.held(tokens[:length]) == held
        for changed, held in {0: 0, batch - 1: 0, batch: batch, 2 * batch - 1: batch}.items():
            other = list(tokens)
            other[changed] = tokens[changed] + 1
            assert engine.held(other) == held
        assert engine.held(tokens[1:]) == 0
        assert engine.tokens == tokens[: 2 * batch]  # to ask changes nothing


def test_what_is_held_is_not_read_again(tiny: Tiny, batch: int) -> None:
    tokens = draw_tokens(2 * batch + QUESTION)
    with tiny() as engine:
        for before, parts in (
            ([], [batch, batch, QUESTION]),
            (tokens[:batch], [batch, QUESTION]),
            (tokens, [QUESTION]),
            ([*tokens[: batch + 3], *draw_tokens(20, seed=9)], [batch, QUESTION]),
            (draw_tokens(20, seed=9), [batch, batch, QUESTION]),
        ):
            engine.read(before)
            read: list[int] = []
            engine.read(tokens, read.append)
            assert read == parts


@each_cache
@each_architecture
def test_a_state_is_sized_to_its_tokens(
    tiny: Tiny, batch: int, architecture: str, cache: dict[str, Any]
) -> None:
    sizes = []
    for context in (8 * batch, 32 * batch):
        with tiny(architecture, context=context, **cache) as engine:
            row = []
            for batches in range(4):
                engine.read(draw_tokens(batches * batch))
                row.append(len(engine.save()))
            sizes.append(row)
    assert sizes[0] == sizes[1]
    steps = np.diff(sizes[0])
    assert (steps[1:] == steps[1]).all()
    numbers = 2 * 2 * 2 * 32  # keys and values, layers, heads, numbers of a head
    assert steps[1] == batch * (numbers * {"f16": 32 * 2, "q8_0": 34}[cache["kv_type"]] // 32 + 12)


# --- models without exact states -------------------------------------------------------------------


@pytest.mark.parametrize("architecture", UNFIT)
def test_a_model_whose_states_are_not_exact_says_why(tiny: Tiny, batch: int, architecture: str) -> None:
    reason = UNFIT[architecture].replace(" ", ".")
    tokens = draw_tokens(2 * batch)
    with tiny(architecture) as engine:
        assert re.search(reason, engine.unfit)
        engine.read(tokens)
        assert engine.held([*tokens, 5]) == 0
        with pytest.raises(ModelUnfit, match=reason):
            engine.save()
        assert engine.tokens == tokens
        with pytest.raises(ModelUnfit, match=reason):
            engine.restore(memoryview(bytearray(64)), tokens)
        assert engine.tokens == []


@pytest.mark.parametrize("architecture", UNFIT)
@pytest.mark.parametrize("common", [0, 1, 2])
def test_a_model_whose_states_are_not_exact_reads_each_prompt_anew(
    tiny: Tiny, batch: int, architecture: str, common: int
) -> None:
    tokens = draw_tokens(2 * batch + QUESTION)
    with tiny(architecture) as engine:
        whole = plain_outcome(engine, tokens, 1)
        engine.read([*tokens[: common * batch], *draw_tokens(batch, seed=9)])
        assert outcome(engine, tokens) == outcome(engine, tokens) == whole


# --- what llama.cpp refuses ------------------------------------------------------------------------


@each_architecture
def test_after_a_refused_state_the_engine_is_empty_and_goes_on(
    tiny: Tiny, batch: int, architecture: str
) -> None:
    tokens = draw_tokens(2 * batch + QUESTION)
    start = tokens[: 2 * batch]

    def state_of(length: int = 2 * batch, **options: object) -> bytes:
        with tiny(architecture, context=8 * batch, **options) as engine:
            engine.read(draw_tokens(length))
            return bytes(engine.save())

    state = state_of()
    refused = {
        "q8_0": state_of(kv_type="q8_0"),
        "no flash attention": state_of(flash_attention=False),
        "more than the context": state_of(5 * batch),
        "random": np.random.default_rng(1).bytes(len(state)),
        "zeros": bytes(len(state)),
        **{f"cut to {length}": state[:length] for length in (0, 4, 17, len(state) // 2, len(state) - 1)},
    }
    with tiny(architecture) as engine:
        whole = outcome(engine, tokens)
        for name, data in refused.items():
            engine.read(tokens)
            with pytest.raises(ModelUnfit, match="refused a saved state"):
                engine.restore(memoryview(bytearray(data)), start)
            assert engine.tokens == [], name
            assert engine.held(tokens) == 0
            assert bytes(engine.save()) == state_of(0), name
            assert outcome(engine, tokens) == whole, name
        engine.restore(memoryview(bytearray(state)), start)
        assert outcome(engine, tokens) == whole


# --- the conditions that a state belongs to --------------------------------------------------------


def conditions(path: Path, **options: object) -> dict[str, str]:
    with Engine(path, vocabulary_only=True, **options) as engine:  # type: ignore[arg-type]
        return dict(engine.conditions)


def differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in {**one, **other} if one.get(name) != other.get(name)}


def test_conditions_name_what_differs(models: dict[str, Path], tmp_path: Path) -> None:
    usual = conditions(models["llama"])
    assert differing(usual, conditions(models["llama"], kv_type="q8_0")) == {"KV type"}
    on, off = (conditions(models["llama"], flash_attention=flash) for flash in (True, False))
    assert differing(usual, on) == differing(usual, off) == differing(on, off) == {"flash attention"}
    for number, template in enumerate(("", CHATML + " ")):
        path = write_model(tmp_path / f"{number}.gguf", "llama", template=template)
        assert differing(usual, conditions(path)) == {"template"}


def test_conditions_are_those_of_the_state_and_not_of_the_process(models: dict[str, Path]) -> None:
    usual = conditions(models["llama"])
    assert all(usual[name] for name in ("llama.cpp", "processor", "state version", "batch", "RoPE"))
    assert conditions(models["llama"], threads=1) == conditions(models["llama"], context=256) == usual
    with Engine(models["llama"], context=256) as engine:
        assert engine.conditions == usual


def test_the_context_is_a_condition_where_it_may_choose_the_rope_factors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_shape = tiny_models._add_shape

    def add_long_shape(writer: GGUFWriter, architecture: str, context: int) -> None:
        add_shape(writer, architecture, context)
        writer.add_rope_scaling_orig_ctx_len(256)

    monkeypatch.setattr(tiny_models, "_add_shape", add_long_shape)
    path = write_model(tmp_path / "long.gguf", "llama")
    assert differing(conditions(path, context=256), conditions(path, context=512)) == {"RoPE"}
    assert conditions(path, context=4096) == conditions(path, context=2048)  # the model's own limit
