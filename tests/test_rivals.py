"""Which two texts are rivals: pairs that a person wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.operation.rivals import compare

CONTRADICT = [
    ("The staging database listens on port 5433.", "The staging database listens on port 5434."),
    ("My cat is called Miso.", "My cat is called Tofu."),
    ("Backups run on Monday.", "Backups run on Friday."),
    ("Ines likes tea.", "Ines does not like tea."),
    ("The server Heron is in Kyoto.", "The server Heron is in Osaka."),
    ("The rent is 1,200 euros.", "The rent is 1,350 euros."),
    ("The contract ends on 2026-05-01.", "The contract ends on 2027-05-01."),
    ("The office is on the third floor.", "The office is not on the third floor."),
    ("Our dentist is Dr Okafor.", "Our dentist is Dr Lindqvist."),
]
SAME = [
    ("My cat is called Miso.", "my cat is called Miso"),
    ("The staging database listens on port 5433.", "Staging database listens on port 5433"),
]
UNRELATED = [
    ("My cat is called Miso.", "My dog is called Bento."),
    ("The staging database listens on port 5433.", "The production database listens on port 5432."),
    ("Ann's birthday is on 3 May.", "Ben's birthday is on 4 May."),
    ("Kyoto has 17 temples in the list.", "Osaka has 5 temples in the list."),
    ("Ines likes tea.", "Ines hates noise."),
    ("The meeting with Bob is on Monday.", "The lunch with Bob is on Tuesday."),
    ("The printer is called Heron.", "Green tea steeps for two minutes."),
    ("", "The printer is called Heron."),
]


@pytest.mark.parametrize(("one", "other"), CONTRADICT)
def test_another_value_of_the_same_is_a_contradiction(one: str, other: str) -> None:
    assert compare(one, other) == compare(other, one) == "contradicts"


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_in_other_letters_is_similar(one: str, other: str) -> None:
    assert compare(one, other) == compare(other, one) == "similar_to"


@pytest.mark.parametrize(("one", "other"), UNRELATED)
def test_two_things_are_two_things(one: str, other: str) -> None:
    assert compare(one, other) == compare(other, one) == ""


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_order_of_any_two_texts_does_not_matter(one: str, other: str) -> None:
    assert compare(one, other) in ("similar_to", "contradicts", "")
    assert compare(one, other) == compare(other, one)
