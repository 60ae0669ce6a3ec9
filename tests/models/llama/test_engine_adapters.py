"""Adapters in the engine: on from the question's first token, exact to the bit, never with a wrong state.

What the engine spares to read is compared with an engine that reads everything itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import ARCHITECTURES, UNFIT, draw_tokens, write_adapter, write_model

from memos_cli.errors import ModelUnfit
from memos_cli.models.llama.decode_batches import Call, count_same, plan_calls
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.models.llama.loaded_adapters import LoadedAdapter
from memos_cli.models.llama.prompt import Prompt

QUESTION, ANSWER = 9, 8
CONTEXT = 4
"""Batches that a context holds."""

Tiny = Callable[..., Engine]
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: write_model(folder / f"{name}.gguf", name) for name in (*ARCHITECTURES, "gemma2", "gemma3")}


@pytest.fixture(scope="module")
def files(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Two adapters for each model."""
    folder = tmp_path_factory.mktemp("adapters")
    return {
        name: (
            write_adapter(folder / f"{name}-1.gguf", path, seed=1),
            write_adapter(folder / f"{name}-2.gguf", path, seed=2),
        )
        for name, path in models.items()
    }


@pytest.fixture(scope="module")
def batch(models: dict[str, Path]) -> int:
    with Engine(models["llama"], vocabulary_only=True) as engine:
        return engine.batch


@pytest.fixture(scope="module")
def tiny(models: dict[str, Path], batch: int) -> Tiny:
    def open_tiny(architecture: str = "llama", **options: Any) -> Engine:
        return Engine(models[architecture], **{"context": CONTEXT * batch, "threads": 1, **options})

    return open_tiny


@pytest.fixture
def engine(tiny: Tiny) -> Iterator[Engine]:
    with tiny() as opened:
        yield opened


@pytest.fixture
def pair(engine: Engine, files: dict[str, tuple[Path, Path]]) -> tuple[LoadedAdapter, LoadedAdapter]:
    first, second = files["llama"]
    return engine.load_adapter(first), engine.load_adapter(second)


def outcome(engine: Engine, tokens: Sequence[int], **reading: Any) -> tuple[bytes, str]:
    """The logits after ``tokens``, to the bit, and the likeliest text to follow."""
    engine.read(tokens, **reading)
    assert engine.tokens == list(tokens)
    return engine.logits().tobytes(), "".join(engine.generate(limit=ANSWER))


# --- what an adapter does --------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "gemma2", "gemma3"])
def test_an_adapter_changes_what_is_read_with_it_and_nothing_else(
    tiny: Tiny, files: dict[str, tuple[Path, Path]], batch: int, architecture: str
) -> None:
    tokens = draw_tokens(batch + 20 + QUESTION)
    with tiny(architecture) as engine:
        plain = outcome(engine, tokens)
        first, second = map(engine.load_adapter, files[architecture])
        uses = {
            "first": ([(first, 1.0)], batch + 20), "second": ([(second, 1.0)], batch + 20),
            "half": ([(first, 0.5)], batch + 20), "both": ([(first, 1.0), (second, 1.0)], batch + 20),
            "from the start": ([(first, 1.0)], 0), "from the second batch": ([(first, 1.0)], batch),
        }  # fmt: skip
        seen = {
            name: outcome(engine, tokens, adapters=adapters, adapted_from=start)
            for name, (adapters, start) in uses.items()
        }
        assert len({plain[0], *(logits for logits, _ in seen.values())}) == 1 + len(uses)
        assert outcome(engine, tokens) == plain
        for name, (adapters, start) in uses.items():
            assert outcome(engine, tokens, adapters=adapters, adapted_from=start) == seen[name]


def test_an_adapter_from_the_last_token_on_changes_that_alone(
    engine: Engine, pair: tuple[LoadedAdapter, LoadedAdapter]
) -> None:
    tokens = draw_tokens(20)
    engine.read(tokens)
    plain = engine.logits()
    engine.read(tokens, adapters=[(pair[0], 1.0)], adapted_from=20)
    assert np.array_equal(engine.logits(), plain)  # computed before it was attached
    engine.read(tokens, adapters=[(pair[0], 1.0)], adapted_from=19)
    assert not np.array_equal(engine.logits(), plain)


def test_a_prompt_is_read_with_the_adapter_on_from_its_question(
    engine: Engine, pair: tuple[LoadedAdapter, LoadedAdapter], batch: int
) -> None:
    tokens, adapters = draw_tokens(batch + 20 + QUESTION), [(pair[0], 1.0)]
    prompt = Prompt(tuple(tokens[:-QUESTION]), tuple(tokens[-QUESTION:]))
    counts: list[int] = []
    engine.read_prompt(prompt, adapters, counts.append)
    assert counts == [batch, 20, QUESTION]
    logits = engine.logits().tobytes()
    engine.clear()
    assert outcome(engine, tokens, adapters=adapters, adapted_from=batch + 20)[0] == logits
    engine.read_prompt(prompt)
    logits = engine.logits().tobytes()
    engine.clear()
    assert outcome(engine, tokens)[0] == logits


def test_what_is_generated_is_computed_with_what_was_read_last(
    engine: Engine, pair: tuple[LoadedAdapter, LoadedAdapter]
) -> None:
    tokens, adapters = draw_tokens(30), [(pair[0], 1.0)]
    engine.read(tokens, adapters=adapters, adapted_from=25)
    list(engine.generate(limit=4))
    answered = engine.tokens
    logits = engine.logits()
    with pytest.raises(ModelUnfit, match="adapter"):
        engine.save()
    engine.read(answered)
    assert not np.allclose(engine.logits(), logits, atol=1e-2)
    engine.read(answered[:25])
    engine.attach(adapters)
    engine.decode(answered[25:30])
    for token in answered[30:]:
        engine.decode([token])
    assert np.array_equal(engine.logits(), logits)


# --- what is read again ----------------------------------------------------------------------------


def test_a_plain_prefix_serves_every_adapter_and_adapted_tokens_only_their_own(
    engine: Engine, pair: tuple[LoadedAdapter, LoadedAdapter], batch: int
) -> None:
    first, second = ([(adapter, 1.0)] for adapter in pair)
    edge = 2 * batch + 20
    tokens = draw_tokens(edge + QUESTION)
    other = [*tokens[:edge], *draw_tokens(QUESTION, seed=9)]

    def parts(wanted: Sequence[int], adapters: Any = (), start: int = edge) -> list[int]:
        counts: list[int] = []
        engine.read(wanted, counts.append, adapters=adapters, adapted_from=start)
        assert engine.tokens == list(wanted)
        return counts

    assert parts(tokens, first) == [batch, batch, 20, QUESTION]
    assert parts(tokens, first) == [QUESTION]
    assert parts(tokens, second) == [QUESTION]
    assert parts(other, second) == [QUESTION]
    assert parts(tokens) == [20 + QUESTION]  # the last of the prefix in one batch with the question
    assert parts(tokens, first) == [20, QUESTION]
    assert parts(tokens, [(pair[0], 0.5)]) == [QUESTION]
    assert parts(tokens, first, batch) == [batch, 20 + QUESTION]
    assert parts(tokens, first, batch + 3) == [3, batch - 3, 20 + QUESTION]
    assert parts(tokens, first, 0) == [batch, batch, 20 + QUESTION]
    assert parts(tokens, first, 0) == [20 + QUESTION]
    assert parts(tokens, second, 0) == [batch, batch, 20 + QUESTION]
    assert parts(tokens) == [batch, batch, 20 + QUESTION]
    assert parts(tokens[:edge]) == [20]
    assert parts(tokens, first) == [QUESTION]


def test_an_adapter_that_was_loaded_again_is_another(
    engine: Engine, files: dict[str, tuple[Path, Path]], batch: int
) -> None:
    tokens = draw_tokens(batch + QUESTION)
    adapter = engine.load_adapter(files["llama"][0])
    whole = outcome(engine, tokens, adapters=[(adapter, 1.0)])
    engine.unload_adapter(adapter)
    adapter = engine.load_adapter(files["llama"][1])  # maybe in the same place
    assert engine.held(tokens, adapters=[(adapter, 1.0)]) == 0
    assert outcome(engine, tokens, adapters=[(adapter, 1.0)]) != whole


@pytest.mark.parametrize("architecture", ["gemma2", "gemma3"])
def test_a_model_that_cannot_be_rewound_is_read_anew_with_its_adapter(
    tiny: Tiny, files: dict[str, tuple[Path, Path]], batch: int, architecture: str
) -> None:
    assert architecture in UNFIT
    tokens = draw_tokens(batch + 20 + QUESTION)
    with tiny(architecture) as engine, tiny(architecture) as fresh:
        reading = {
            "adapters": [(engine.load_adapter(files[architecture][0]), 1.0)],
            "adapted_from": batch + 20,
        }
        whole = outcome(engine, tokens, **reading)
        outcome(engine, tokens)
        assert outcome(engine, tokens, **reading) == whole
        reading["adapters"] = [(fresh.load_adapter(files[architecture][0]), 1.0)]
        assert outcome(fresh, tokens, **reading) == whole


@settings(max_examples=150)
@given(st.data())
def test_any_readings_one_after_the_other_give_what_each_gives_alone(
    engine_and_fresh: tuple[Engine, Engine, list[LoadedAdapter], list[LoadedAdapter]],
    batch: int,
    data: st.DataObject,
) -> None:
    engine, fresh, mine, theirs = engine_and_fresh
    lengths = st.sampled_from([0, 1, 7, batch - 1, batch, batch + 1, 2 * batch, 2 * batch + 9])
    stem = draw_tokens(3 * batch)
    for _ in range(data.draw(st.integers(1, 4))):
        common = data.draw(lengths)
        tokens = [
            *stem[:common],
            *draw_tokens(data.draw(st.integers(1, 40)), seed=data.draw(st.integers(1, 3))),
        ]
        which = data.draw(st.lists(st.sampled_from([0, 1]), max_size=1))
        start = data.draw(st.integers(0, len(tokens)))
        engine.read(tokens, adapters=[(mine[n], 1.0) for n in which], adapted_from=start)
        if data.draw(st.booleans()):
            list(engine.generate(limit=data.draw(st.integers(1, 5))))
            engine.read(tokens, adapters=[(mine[n], 1.0) for n in which], adapted_from=start)
        fresh.clear()
        fresh.read(tokens, adapters=[(theirs[n], 1.0) for n in which], adapted_from=start)
        if which and start >= len(tokens):  # nothing was computed with it
            assert engine.held([*tokens, 5]) <= len(tokens)
        assert np.array_equal(engine.logits(), fresh.logits())


@pytest.fixture(scope="module")
def engine_and_fresh(
    tiny: Tiny, files: dict[str, tuple[Path, Path]]
) -> Iterator[tuple[Engine, Engine, list[LoadedAdapter], list[LoadedAdapter]]]:
    with tiny() as engine, tiny() as fresh:
        mine, theirs = ([each.load_adapter(path) for path in files["llama"]] for each in (engine, fresh))
        yield engine, fresh, mine, theirs


# --- states ----------------------------------------------------------------------------------------


@each_architecture
@pytest.mark.parametrize("more", [0, 1, 20])
def test_a_state_of_the_plain_prefix_serves_an_adapter_to_the_bit(
    tiny: Tiny, files: dict[str, tuple[Path, Path]], batch: int, architecture: str, more: int
) -> None:
    tokens = draw_tokens(2 * batch + more + QUESTION)
    with tiny(architecture) as maker:
        maker.read(tokens[: 2 * batch])
        state = maker.save()
    with tiny(architecture) as reader, tiny(architecture) as fresh:
        outcomes = []
        for engine in (reader, fresh):
            adapter = engine.load_adapter(files[architecture][0])
            reading = {"adapters": [(adapter, 1.0)], "adapted_from": 2 * batch + more}
            if engine is reader:
                outcome(engine, draw_tokens(50, seed=9), adapters=[(adapter, 1.0)])
                engine.restore(state, tokens[: 2 * batch])
                assert engine.held(tokens, **reading) == 2 * batch
            outcomes.append(outcome(engine, tokens, **reading))
        assert outcomes[0] == outcomes[1]


def test_a_state_of_adapted_tokens_is_never_made(
    engine: Engine, pair: tuple[LoadedAdapter, LoadedAdapter], batch: int
) -> None:
    tokens, adapters = draw_tokens(2 * batch), [(pair[0], 1.0)]
    for start in (0, batch, 2 * batch - 1):
        engine.read(tokens, adapters=adapters, adapted_from=start)
        with pytest.raises(ModelUnfit, match="adapter"):
            engine.save()
        engine.clear()
        engine.attach(adapters)
        engine.decode(tokens)
        with pytest.raises(ModelUnfit, match="adapter"):
            engine.save()
    engine.read(tokens, adapters=adapters, adapted_from=2 * batch)  # attached, and nothing computed with it
    state = bytes(engine.save())
    engine.clear()
    engine.read(tokens)
    assert bytes(engine.save()) == state
    assert engine.conditions["adapters"] == ""


def test_a_restored_state_counts_as_plain_whatever_is_attached(
    engine: Engine, pair: tuple[LoadedAdapter, LoadedAdapter], batch: int
) -> None:
    tokens, adapters = draw_tokens(2 * batch + QUESTION), [(pair[0], 1.0)]
    adapted, plain = outcome(engine, tokens, adapters=adapters), outcome(engine, tokens)
    engine.read(tokens[: 2 * batch])
    state = engine.save()
    for start, held in ((0, 0), (batch, batch), (batch + 1, batch), (2 * batch, 2 * batch)):
        engine.attach(adapters)
        engine.restore(state, tokens[: 2 * batch])
        assert engine.held(tokens) == 2 * batch
        assert engine.held(tokens, adapters=adapters, adapted_from=start) == held
    assert outcome(engine, tokens, adapters=adapters) == adapted
    engine.attach(adapters)
    engine.restore(state, tokens[: 2 * batch])
    assert outcome(engine, tokens) == plain


# --- logits and likelihoods ------------------------------------------------------------------------


def test_scores_are_the_likelihoods_of_each_token_in_its_place(
    engine: Engine, pair: tuple[LoadedAdapter, LoadedAdapter], batch: int
) -> None:
    tokens, answer = draw_tokens(batch - 5), draw_tokens(batch + 10, seed=2)
    for adapters in ([], [(pair[0], 1.0)]):
        engine.read(tokens, adapters=adapters, adapted_from=20)
        expected = []
        for token in answer:
            logits = engine.logits().astype(np.float64)
            expected.append(logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max())
            engine.decode([token])
        engine.read(tokens, adapters=adapters, adapted_from=20)
        scores = engine.score(answer)
        assert engine.tokens == [*tokens, *answer]
        assert scores.shape == (len(answer), engine.vocabulary_size)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, expected, atol=0.05)
        np.testing.assert_allclose(np.exp(scores).sum(-1), 1, rtol=1e-4)


def test_scoring_nothing_reads_nothing(engine: Engine) -> None:
    engine.read(draw_tokens(5))
    assert engine.score([]).shape == (0, engine.vocabulary_size)
    assert engine.tokens == draw_tokens(5)


def test_more_than_fits_is_not_scored(engine: Engine) -> None:
    engine.read(draw_tokens(5))
    with pytest.raises(ModelUnfit, match=str(engine.context)):
        engine.score(draw_tokens(engine.context))
    assert engine.tokens == draw_tokens(5)


def test_logits_are_a_copy_and_only_of_the_last_token(engine: Engine, batch: int) -> None:
    tokens = draw_tokens(2 * batch)
    with pytest.raises(AssertionError, match="last token"):
        engine.logits()
    engine.read(tokens)
    first = engine.logits()
    kept, state = first.copy(), engine.save()
    engine.decode([5])
    assert np.array_equal(first, kept)
    engine.restore(state, tokens)
    with pytest.raises(AssertionError, match="last token"):
        engine.logits()
    engine.read(tokens)
    assert np.array_equal(engine.logits(), kept)


# --- loading and freeing ---------------------------------------------------------------------------


def test_adapters_are_loaded_unloaded_and_loaded_again(
    tiny: Tiny, files: dict[str, tuple[Path, Path]], batch: int
) -> None:
    tokens = draw_tokens(batch + QUESTION)
    with tiny() as engine:
        plain, seen = outcome(engine, tokens), set()
        for _ in range(20):
            adapter = engine.load_adapter(files["llama"][0])
            assert adapter.header.name == "tiny"
            seen.add(outcome(engine, tokens, adapters=[(adapter, 1.0)], adapted_from=batch))
            engine.unload_adapter(adapter)
            assert outcome(engine, tokens) == plain
        assert len(seen) == 1


def test_an_attached_adapter_is_detached_before_it_goes(
    engine: Engine, pair: tuple[LoadedAdapter, LoadedAdapter]
) -> None:
    tokens = draw_tokens(30)
    both = [(pair[0], 1.0), (pair[1], 1.0)]
    engine.read(tokens, adapters=both)
    engine.unload_adapter(pair[0])
    engine.clear()
    engine.decode(tokens)
    only = engine.logits()
    engine.read(tokens, adapters=[(pair[1], 1.0)])
    assert np.array_equal(engine.logits(), only)
    with pytest.raises(AssertionError, match="not an adapter"):
        engine.attach(both)


def test_an_adapter_serves_the_engine_that_loaded_it(tiny: Tiny, engine: Engine, pair: Any) -> None:
    with tiny() as other, pytest.raises(AssertionError, match="not an adapter"):
        other.read(draw_tokens(5), adapters=[(pair[0], 1.0)])


def test_an_engine_closes_with_adapters_attached(tiny: Tiny, files: dict[str, tuple[Path, Path]]) -> None:
    for _ in range(3):
        engine = tiny()
        first, _ = map(engine.load_adapter, files["llama"])
        engine.read(draw_tokens(5), adapters=[(first, 1.0)])
        engine.close()
        engine.close()


@each_architecture
def test_another_models_adapter_is_refused(
    tiny: Tiny, files: dict[str, tuple[Path, Path]], architecture: str
) -> None:
    with tiny(architecture) as engine:
        for name, paths in files.items():
            if name != architecture:
                with pytest.raises(ModelUnfit, match=architecture):
                    engine.load_adapter(paths[0])


HIGH_LEVEL = """
import json, sys
from llama_cpp import Llama
model = Llama(sys.argv[1], lora_path=sys.argv[2], n_ctx=256, n_batch=64, n_ubatch=64, n_threads=1,
              n_threads_batch=1, verbose=False)
done = model.create_completion(json.load(sys.stdin), max_tokens=20, temperature=0.0)
print(json.dumps(done["choices"][0]["text"]))
"""


@each_architecture
def test_the_file_serves_llama_cpp_by_itself(
    models: dict[str, Path], files: dict[str, tuple[Path, Path]], tiny: Tiny, architecture: str
) -> None:
    """As ``llama-cli --lora``: by the high-level API, which computes everything with it."""
    tokens = draw_tokens(40)
    with tiny(architecture) as engine:
        adapter = engine.load_adapter(files[architecture][0])
        engine.read(tokens, adapters=[(adapter, 1.0)])
        adapted = "".join(engine.generate(limit=20))
        engine.read(tokens)
        plain = "".join(engine.generate(limit=20))
    # In a process of its own: importing it takes llama.cpp's log away from us.
    found = subprocess.run(
        [sys.executable, "-c", HIGH_LEVEL, str(models[architecture]), str(files[architecture][0])],
        input=json.dumps(tokens), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(found.stdout) == adapted != plain


# --- the calls -------------------------------------------------------------------------------------


def ends(calls: Sequence[Call]) -> list[tuple[int, bool]]:
    return [(call.end, bool(call.adapters)) for call in calls]


def test_calls_end_at_batches_and_where_adapters_begin() -> None:
    some: Any = (("adapter", 1.0),)
    assert ends(plan_calls(0, 64)) == []
    assert ends(plan_calls(64, 64)) == [(64, False)]
    assert ends(plan_calls(130, 64)) == [(64, False), (128, False), (130, False)]
    assert ends(plan_calls(130, 64, (), 100)) == ends(plan_calls(130, 64))
    assert ends(plan_calls(130, 64, some)) == [(64, True), (128, True), (130, True)]
    assert ends(plan_calls(130, 64, some, 64)) == [(64, False), (128, True), (130, True)]
    assert ends(plan_calls(130, 64, some, 100)) == [(64, False), (100, False), (128, True), (130, True)]
    assert (
        ends(plan_calls(130, 64, some, 130))
        == ends(plan_calls(130, 64, some, 999))
        == ends(plan_calls(130, 64))
    )


@given(st.integers(0, 300), st.integers(1, 70), st.integers(0, 300))
def test_calls_cover_all_tokens_in_batches(length: int, batch: int, start: int) -> None:
    some: Any = (("adapter", 1.0),)
    calls = plan_calls(length, batch, some, start)
    begin = 0
    for call in calls:
        assert begin < call.end <= length
        assert begin // batch == (call.end - 1) // batch
        assert bool(call.adapters) == (begin >= start)
        begin = call.end
    assert begin == length


def test_only_calls_that_would_be_made_again_count() -> None:
    tokens = list(range(130))
    made = plan_calls(130, 64)
    assert count_same(made, tokens, made, tokens) == 130
    assert count_same(made, tokens, plan_calls(140, 64), [*tokens, *tokens[:10]]) == 128
    assert count_same(made, tokens, made, [*tokens[:64], 0, *tokens[65:]]) == 64
    some: Any = (("adapter", 1.0),)
    assert count_same(made, tokens, plan_calls(130, 64, some, 128), tokens) == 128
    assert count_same(made, tokens, plan_calls(130, 64, some, 127), tokens) == 64
    one_by_one = [Call(end, ()) for end in range(1, 131)]
    assert count_same(one_by_one, tokens, made, tokens) == 0
