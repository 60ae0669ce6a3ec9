"""Which two texts are rivals: pairs that a person wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.operation.search.conflict_detection import compare

CONTRADICT = [
    ("The staging database listens on port 5433.", "The staging database listens on port 5434."),
    ("My cat is called Miso.", "My cat is called Tofu."),
    ("Backups run on Monday.", "Backups run on Friday."),
    ("Ines likes tea.", "Ines does not like tea."),
    ("The server Heron is in Kyoto.", "The server Heron is in Osaka."),
    ("The rent is 1,200 euros.", "The rent is 1,350 euros."),
    ("The rent is 1,200 euros a month.", "The rent is 1,350 euros a month."),
    ("The contract ends on 2026-05-01.", "The contract ends on 2027-05-01."),
    ("The office is on the third floor.", "The office is not on the third floor."),
    ("Our dentist is Dr Okafor.", "Our dentist is Dr Lindqvist."),
    ("The ferry leaves at 9:00.", "The ferry leaves at 10:00."),
    ("The ferry leaves at 9:00 on Sundays.", "The ferry leaves at 10:00 on Sundays."),
    ("The train to Lisbon takes 3 hours.", "The train to Lisbon takes 4 hours."),
    ("Ann's birthday is on 3 May.", "Ann's birthday is on 4 May."),
    ("The office is in room 12.", "The office is in room 14."),
    ("The harbour has 12 berths.", "The harbour has 14 berths."),
    ("Rent: 1200 €", "Rent: 1350 €"),
    ("Die Miete ist 900 Euro.", "Die Miete ist 950 Euro."),
    ("房租是1200元。", "房租是1350元。"),
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
    # Two things of one kind: the first value says of which the second is told.
    ("Bus 21 leaves Main Square at 7:10 every weekday.", "Bus 22 leaves Main Square at 7:25 every weekday."),
    ("Bus 21 leaves Main Square at 7:10.", "Bus 22 leaves Main Square at 7:10."),
    ("Bus 21 is late.", "Bus 22 is late."),
    ("The train to Lisbon takes 3 hours.", "The train to Porto takes 2 hours."),
    ("The train to Lisbon takes 3 hours.", "The train to Porto takes 3 hours."),
    ("Flight BA12 leaves at 9:00.", "Flight BA14 leaves at 11:00."),
    ("Flight BA12 leaves at 9:00.", "Flight BA14 leaves at 9:00."),
    ("Invoice 17 was paid on 3 May.", "Invoice 18 was paid on 9 May."),
    ("Invoice 17 was paid.", "Invoice 18 was paid."),
    ("I have paid invoice 17.", "I have paid invoice 18."),
    ("Weight on 1 May: 80.5 kg", "Weight on 2 May: 80.1 kg"),
    ("Der Hafen in Kiel kostet 20 Euro.", "Der Hafen in Lübeck kostet 25 Euro."),
    ("I drank 2 coffees on Monday.", "I drank 3 coffees on Tuesday."),
    ("The meeting with Dr. Berg is on 4 June at 10:00.", "The meeting with Dr. Holm is on 9 June at 11:30."),
    ("The meeting with Ann is at 10:00.", "The meeting with Ben is at 10:00."),
    ("Backup of server Heron finished at 03:10.", "Backup of server Stork finished at 03:40."),
    ("Backup of server Heron finished.", "Backup of server Stork finished."),
    ("Coffee small 3.50", "Coffee large 4.00"),
    ("Coffee S 3.50", "Coffee M 4.00"),
    ("Order 1001 shipped to Ann.", "Order 1002 shipped to Ben."),
    ("Room 12 is locked.", "Room 14 is locked."),
    ("Ana visited Lisbon.", "Ana visited Porto."),
    ("Ana speaks French.", "Ana speaks German."),
    ("We called Ann.", "We called Ben."),
    ("Chapter 3 starts on page 40.", "Chapter 4 starts on page 61."),
    ("In 2024 the rent was 900 euros.", "In 2025 the rent was 950 euros."),
    ("The rent in 2024 was 900 euros.", "The rent in 2025 was 950 euros."),
    ("2026-05-01 disk usage 81 %", "2026-05-02 disk usage 82 %"),
    ("name: Ann\nphone: 1234", "name: Ben\nphone: 5678"),
    ("21路公交车7:10出发。", "22路公交车7:25出发。"),
    ("公交车21路7:10出发。", "公交车22路7:25出发。"),
    ("Version 1.2 was released on 3 May.", "Version 1.3 was released on 9 June."),
    ("Ines does not like tea on Monday.", "Ines likes tea on Tuesday."),
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
