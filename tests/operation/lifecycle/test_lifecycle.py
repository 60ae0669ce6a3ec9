"""States and heat."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.cube import STATES
from memos_cli.errors import UsageError
from memos_cli.operation.lifecycle.states import DAY, TRANSITIONS, heat_after_use, next_state


def test_a_memory_is_used_archived_and_brought_back() -> None:
    state = "generated"
    for action in ("use", "archive", "restore", "expire", "restore"):
        state = next_state(state, action)
    assert state == "activated"


def test_every_state_of_the_table_is_a_state() -> None:
    for states, following in TRANSITIONS.values():
        assert {*states, following} <= set(STATES)


@pytest.mark.parametrize(
    ("state", "action"), [("archived", "archive"), ("merged", "restore"), ("expired", "use")]
)
def test_what_the_table_does_not_hold_is_refused(state: str, action: str) -> None:
    with pytest.raises(UsageError, match=f"cannot {action} a memory that is {state}"):
        next_state(state, action)


def test_a_use_counts_one_and_half_after_a_half_life() -> None:
    assert heat_after_use(0.0, None, now=5, half_life=14) == 1.0
    assert heat_after_use(1.0, 0, now=0, half_life=14) == 2.0
    assert heat_after_use(1.0, 0, now=14 * DAY, half_life=14) == 1.5


@given(st.floats(0, 1e6), st.integers(0, 10**13), st.integers(0, 10**13), st.floats(0.01, 1000))
def test_heat_stays_finite_and_never_grows_by_more_than_one(
    heat: float, last_hit: int, now: int, half_life: float
) -> None:
    after = heat_after_use(heat, last_hit, now=now, half_life=half_life)
    assert math.isfinite(after)
    assert 1.0 <= after <= heat + 1.0
