"""The values: what makes two drafts one memory, ids that sort by time, times that round-trip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_harness import draft

from memos_cli.cube import Draft, Span, new_ulids
from memos_cli.moments import format_time, parse_time


def test_the_same_paragraph_under_another_title_elsewhere_is_the_same_memory() -> None:
    assert draft("Larks nest low.", 0, title="Birds").digest() == draft("Larks nest low.", 900).digest()


def test_two_turns_of_a_dialogue_with_the_same_words_are_two_memories() -> None:
    def thanks(**header: object) -> Draft:
        return draft("Thanks!", **{"type": "dialogue", "ref": "D1:1", "author": "Ann", "time": 1, **header})

    assert thanks().digest() == thanks().digest()
    others = [thanks(ref="D1:2"), thanks(author="Bo"), thanks(time=2), thanks(role="user")]
    assert len({each.digest() for each in [thanks(), *others]}) == 5


@given(st.text(), st.text(), st.sampled_from(["fact", "document"]), st.sampled_from(["fact", "document"]))
def test_digests_are_equal_only_for_equal_text_and_type(one: str, two: str, kind: str, other: str) -> None:
    same = Draft(one, Span(0, 0), kind).digest() == Draft(two, Span(0, 0), other).digest()
    assert same == ((one, kind) == (two, other))


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1))
def test_ids_sort_by_their_time(one: int, two: int) -> None:
    (first,), (second,) = new_ulids(one, 1), new_ulids(two, 1)
    assert one == two or (first < second) == (one < two)
    assert {len(first), len(second)} == {26}
    assert not set(first) - set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_a_ulid_starts_with_its_time_as_in_the_specification() -> None:
    assert new_ulids(1_469_918_176_385, 1)[0][:10] == "01ARYZ6S41"
    assert new_ulids(2**48 - 1, 1)[0][:10] == "7ZZZZZZZZZ"


def test_ids_of_the_same_millisecond_differ_and_ascend() -> None:
    ids = new_ulids(5, 1000)
    assert len(set(ids)) == 1000
    assert sorted(ids) == ids


@given(st.integers(-8_000_000_000_000, 8_000_000_000_000))  # years 1716 to 2223
def test_a_time_reads_back_as_it_was_written(time: int) -> None:
    assert parse_time(format_time(time)) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-02", 86_400_000),
        ("2023-05-08T13:56:00", 1_683_554_160_000),
        ("2023-05-08T13:56:00+02:00", 1_683_546_960_000),
        (" 2023-05-08T13:56:00.250Z ", 1_683_554_160_250),
    ],
)
def test_times_without_a_zone_are_utc(text: str, time: int) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01", "2023-05-08T25:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)
