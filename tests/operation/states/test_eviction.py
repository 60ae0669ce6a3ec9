"""Which states are kept and made: the rules hold for whatever is there."""

from __future__ import annotations

import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.operation.lifecycle.states import DAY, heat_after_use, heat_now
from memos_cli.operation.states.eviction import Choice, Policy, decide

POLICIES = get_args(Policy)

choices = st.lists(
    st.builds(
        Choice,
        id=st.uuids().map(str),
        bytes=st.integers(1, 10**9),
        gain=st.floats(-5, 100),
        build=st.floats(0, 100),
        heat=st.floats(0, 50),
        last_use=st.integers(0, 10**12),
        exists=st.booleans(),
        pinned=st.booleans(),
    ),
    unique_by=lambda choice: choice.id,
    max_size=30,
)


@given(choices, st.integers(0, 5 * 10**9), st.sampled_from(POLICIES))
def test_the_rules(some: list[Choice], budget: int, policy: str) -> None:
    verdicts = decide(some, budget=budget, policy=policy)  # type: ignore[arg-type]
    assert sum(v.choice.bytes for v in verdicts if v.action in ("keep", "make")) <= budget
    assert sorted(v.choice.id for v in verdicts) == sorted(c.id for c in some)
    shuffled = random.Random(1).sample(some, len(some))
    assert decide(shuffled, budget=budget, policy=policy) == verdicts  # type: ignore[arg-type]
    for verdict in verdicts:
        choice = verdict.choice
        assert verdict.action in (("keep", "drop") if choice.exists else ("make", "leave"))
        assert verdict.reason
        if policy == "economy" and choice.worth <= 0 and not choice.pinned:
            assert verdict.action in ("drop", "leave")
        if policy == "lru" and not choice.pinned:
            assert verdict.action != "make"
        if policy == "pinned" and not choice.pinned:
            assert verdict.action in ("drop", "leave")
        if choice.pinned and choice.bytes * len(some) <= budget and sum(c.bytes for c in some) <= budget:
            assert verdict.action in ("keep", "make")


def state(id: str, **facts: float) -> Choice:
    return Choice(**{"id": id, "bytes": 100, "gain": 10.0, "build": 0.0, "heat": 1.0, "exists": True} | facts)  # type: ignore[arg-type]


def actions(*some: Choice, budget: int = 1000) -> dict[str, str]:
    return {v.choice.id: v.action for v in decide(some, budget=budget)}


def test_what_is_used_more_is_kept() -> None:
    assert actions(state("cold", heat=0.1), state("hot", heat=5.0), budget=100) == {
        "hot": "keep", "cold": "drop",
    }  # fmt: skip


def test_a_small_state_may_be_worth_more_than_a_large_one() -> None:
    large, small = state("large", bytes=900, heat=2.0), state("small", bytes=100, heat=1.0)
    assert actions(large, small, budget=900) == {"small": "keep", "large": "drop"}


def test_a_state_is_made_when_its_uses_pay_for_it() -> None:
    new = {"exists": False, "build": 12.0}
    assert actions(state("a", heat=1.0, **new)) == {"a": "leave"}
    assert actions(state("a", heat=1.3, **new)) == {"a": "make"}


def test_one_that_is_there_is_not_driven_out_by_one_that_is_hardly_better() -> None:
    there, new = state("there", heat=1.0), state("new", heat=1.1, exists=False)
    assert actions(there, new, budget=100) == {"there": "keep", "new": "leave"}
    assert actions(there, state("new", heat=1.4, exists=False), budget=100) == {
        "new": "make",
        "there": "drop",
    }


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_view_pins_stays(policy: str) -> None:
    pinned = state("pinned", heat=0.0, pinned=True)
    (first, *_) = decide([pinned, state("hot", heat=99)], budget=100, policy=policy)  # type: ignore[arg-type]
    assert (first.choice.id, first.action) == ("pinned", "keep")


def test_heat_cools() -> None:
    heat = heat_after_use(3.0, 0, now=0, half_life=14)
    assert heat_now(heat, 0, now=0, half_life=14) == pytest.approx(heat)
    assert heat_now(heat, 0, now=14 * DAY, half_life=14) == pytest.approx(heat / 2)
    assert heat_now(heat, None, now=0, half_life=14) == 0
