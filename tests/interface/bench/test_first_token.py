"""memos_cli.interface.benchmark and specimen: what is compared is what it says, on a tiny model."""

from __future__ import annotations

import tempfile
from dataclasses import fields, replace
from pathlib import Path

import pytest
from tiny_models import UNFIT, write_model

from memos_cli.cube import Filter
from memos_cli.errors import MemosError, ModelUnfit, UsageError
from memos_cli.interface.bench import first_token
from memos_cli.interface.bench.bench_corpus import keep_memories, write_question
from memos_cli.interface.bench.first_token import Measured, Spread, measure_first_token
from memos_cli.interface.memory import Memos
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.operation.states import activation
from memos_cli.settings import Settings

QUESTION = 60
"""Tokens, most of a tiny model's vocabulary being single bytes."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf", "llama")


@pytest.fixture
def settings(model: Path, tmp_path: Path) -> Settings:
    """Those of a user: the vault must stay as it is, and there is no embedder."""
    return Settings(vault=str(tmp_path / "own"), reader=str(model), embedder=str(tmp_path / "none"))


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def measure(settings: Settings, *lengths: int, **options: object) -> list[Measured]:
    usual: dict[str, object] = {"question": QUESTION, "rounds": 2, "cold_rounds": 0}
    return list(measure_first_token(settings, lengths, **{**usual, **options}))  # type: ignore[arg-type]


def test_each_length_is_met_to_the_token_where_it_is_whole_batches(settings: Settings) -> None:
    for one, held in zip(measure(settings, 512, 1000), (512, 960), strict=True):
        assert (one.held, one.tokens, one.question) == (held, held, QUESTION)
        assert one.decoded == QUESTION
        assert one.cold is None


def test_every_way_is_timed_in_every_round_but_text_as_often_as_said(settings: Settings) -> None:
    steps: list[int] = []
    (one,) = measure(settings, 512, rounds=3, text_rounds=1, on_step=steps.append)
    spreads = {f.name: getattr(one, f.name) for f in fields(one) if f.type == "Spread"}
    assert {name: spread.rounds for name, spread in spreads.items()} == {
        "text": 1, "state": 3, "again": 3, "resident": 3, "floor": 3, "restore": 3, "read": 3,
    }  # fmt: skip
    assert all(0 < spread.least <= spread.median <= spread.most for spread in spreads.values())
    assert sum(steps) == 1 + 1 + 4 * 3


def test_ratios_are_those_of_the_medians(settings: Settings) -> None:
    (one,) = measure(settings, 512)
    assert one.speed_up == round(one.text.median / one.state.median, 3)
    assert one.state_to_floor == round(one.state.median / one.floor.median, 3)
    assert one.restore_to_read == round(one.restore.median / one.read.median, 3)


def test_spread_is_the_median_between_the_least_and_the_most() -> None:
    assert first_token._spread([3.0, 1.0, 9.0]) == Spread(3.0, 1.0, 9.0, 3)


def test_nothing_is_left_and_the_users_vault_is_not_touched(settings: Settings, scratch: Path) -> None:
    measure(settings, 512)
    assert not list(scratch.iterdir())
    assert not Path(settings.vault).exists()


def test_given_up_it_leaves_nothing_either(settings: Settings, scratch: Path) -> None:
    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(settings, 512, on_step=stop)
    assert not list(scratch.iterdir())


def test_a_length_beyond_the_models_training_is_left_out_and_told(settings: Settings) -> None:
    notes: list[str] = []
    assert [one.asked for one in measure(settings, 4000, 512, on_note=notes.append)] == [512]
    assert notes[0] == "4,000 tokens: left out, the model was trained for 2,048"


def test_a_length_that_the_instructions_fill_is_refused_with_one_that_works(settings: Settings) -> None:
    with pytest.raises(UsageError) as error:
        measure(settings, 64)
    least = int(error.value.hint.split()[-1])
    assert [one.held for one in measure(settings, least, rounds=1)] == [least]


def test_a_model_whose_states_are_not_exact_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = write_model(tmp_path / "unfit.gguf", next(iter(UNFIT)))
    with pytest.raises(ModelUnfit):
        measure(replace(settings, reader=str(path)), 512)


def test_a_state_that_is_not_used_ends_the_measurement(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = activation.Restored(misses={1: "blob damaged"})
    monkeypatch.setattr(first_token.activation, "restore", lambda *arguments: missed)
    with pytest.raises(MemosError, match="not used: blob damaged"):
        measure(settings, 512)


def test_a_state_that_leads_elsewhere_than_its_text_ends_the_measurement(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = iter("abcdefghijklmnop")
    monkeypatch.setattr(Engine, "generate", lambda engine, limit: iter([next(pieces)]))
    with pytest.raises(MemosError, match="different tokens"):
        measure(settings, 512)


def test_whole_commands_use_the_state_and_are_timed(settings: Settings) -> None:
    (one,) = measure(settings, 512, rounds=1, cold_rounds=1)
    cold = one.cold
    assert cold is not None
    assert {cold.text.rounds, cold.state.rounds, cold.text_wall.rounds, cold.state_wall.rounds} == {1}
    assert 0 < cold.text.median <= cold.text_wall.median
    assert 0 < cold.state.median <= cold.state_wall.median
    assert cold.speed_up == round(cold.text.median / cold.state.median, 3)


def test_memories_are_distinct_and_the_question_finds_their_document(
    settings: Settings, tmp_path: Path
) -> None:
    own = replace(settings, vault=str(tmp_path / "vault"), query_context=1500, query_answer="model")
    with Memos(own) as memos:
        memos.create_vault()
        ids = keep_memories(memos, 1024)
        texts = [cube.text for cube in memos.cubes(filter=Filter())]
        assert len(set(texts)) == len(texts) == len(ids) > 3
        assert memos.promote(ids).tokens == 1024
        question, size = write_question(memos.engine, QUESTION)
        assert size == QUESTION
        document = memos.plan(question, filter=Filter()).document
        assert document is not None
        assert [cube.id for cube in document.cubes] == ids


def test_a_question_shorter_than_the_template_allows_is_as_short_as_can_be(model: Path) -> None:
    with Engine(model, vocabulary_only=True) as engine:
        question, size = write_question(engine, 3)
        assert question == "heron"
        assert size > 3
