"""Relevance: a probability that grows with each piece of evidence."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.operation.search.relevance import (
    BY_WORDS,
    CALIBRATIONS,
    STANDS_OUT_FROM,
    Calibration,
    Signs,
    relevance,
    typical,
)

KNOWN = [*CALIBRATIONS.values(), BY_WORDS]
GRID = [step / 10 for step in range(11)]
SIGNS = st.builds(
    Signs,
    covered=st.floats(0, 1),
    cosine=st.none() | st.floats(-1, 1),
    gap=st.floats(-2, 2),
    is_foreign=st.booleans(),
)


@given(SIGNS, st.sampled_from(KNOWN))
def test_it_is_a_probability(signs: Signs, calibration: Calibration) -> None:
    assert 0 < relevance(signs, calibration) < 1


@given(SIGNS, st.sampled_from(KNOWN), st.floats(0, 1), st.floats(-1, 1), st.floats(-2, 2))
def test_it_grows_with_each_sign(
    signs: Signs, calibration: Calibration, covered: float, cosine: float, gap: float
) -> None:
    at = relevance(signs, calibration)
    more = replace(signs, covered=max(covered, signs.covered))
    assert relevance(more, calibration) >= at
    if signs.cosine is not None:
        more = replace(signs, cosine=max(cosine, signs.cosine), gap=max(gap, signs.gap))
        assert relevance(more, calibration) >= at


@pytest.mark.parametrize("calibration", CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_each_sign_counts(calibration: Calibration) -> None:
    for varied in ("covered", "cosine", "gap"):
        usual = {"covered": 0.3, "cosine": 0.3, "gap": 0.1}
        row = [relevance(Signs(**{**usual, varied: value}), calibration) for value in GRID]
        assert all(one < other for one, other in pairwise(row)), varied


@pytest.mark.parametrize("calibration", CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_relevance_separates_answers_from_other_memories(calibration: Calibration) -> None:
    assert relevance(Signs(0.0, 0.1, 0.0), calibration) < 0.1
    assert relevance(Signs(1.0, 0.7, 0.4), calibration) > 0.9


def test_words_count_for_nothing_in_another_script() -> None:
    for calibration in CALIBRATIONS.values():
        one, other = (relevance(Signs(covered, 0.4, 0.2, True), calibration) for covered in (0.0, 1.0))
        assert one == other
        # It need not hold the words of the question, and is not blamed for that.
        assert one > relevance(Signs(0.0, 0.4, 0.2, False), calibration)


def test_without_a_vector_words_decide() -> None:
    for calibration in KNOWN:
        row = [relevance(Signs(covered), calibration) for covered in GRID]
        assert row == [relevance(Signs(covered), BY_WORDS) for covered in GRID]
        assert row[0] < 0.1
        assert row[-1] > 0.9
    assert relevance(Signs(1.0, is_foreign=True), BY_WORDS) == relevance(Signs(0.0), BY_WORDS)


def test_extreme_signs_do_not_overflow() -> None:
    wild = Calibration(1e6, 1e6, 1e6, 1e6, 1e6)
    assert relevance(Signs(1.0, 1.0, 2.0), wild) == pytest.approx(1.0)
    assert relevance(Signs(0.0, -1.0, -2.0), replace(wild, bias=-1e6)) == pytest.approx(0.0)


def test_the_default_embedder_has_a_calibration() -> None:
    from memos_cli.models.embed.embedder import DEFAULT, LEGACY

    assert {DEFAULT, LEGACY} <= CALIBRATIONS.keys()


def test_the_usual_cosine_ignores_the_best_memories() -> None:
    """The best few may all be answers: they say nothing of what is usual."""
    best, rest = [0.9, 0.8, 0.7], [0.4, 0.3, 0.2]
    assert STANDS_OUT_FROM.start == len(best)
    assert typical([*rest, *best]) == pytest.approx(0.3)
    assert typical([*best, *rest]) == pytest.approx(0.3)
    assert typical([*best, *rest, *[-1.0] * 20]) < 0.0


@pytest.mark.parametrize("few", [[], [0.9], [0.9, 0.8, 0.7], [0.9, 0.8, 0.7, 0.6]])
def test_few_memories_get_a_default_usual_cosine(few: list[float]) -> None:
    assert typical(few) == typical([])
    assert 0 < typical(few) < 0.5


@given(st.lists(st.floats(-1, 1), max_size=30))
def test_the_usual_cosine_is_between_the_cosines(cosines: list[float]) -> None:
    usual = typical(cosines)
    assert usual == typical([]) or min(cosines) - 1e-9 <= usual <= max(cosines) + 1e-9
