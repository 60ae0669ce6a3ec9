"""The order of what a search gathered: a turn counts for what stands beside it, and documents do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.operation.ranking import SESSION, TAIL, Asked, Candidate, Weights, rank

DAY = 86_400_000
NOW = 20_000 * DAY


def turn(n: int, text: str = "", **known: Any) -> Candidate:
    usual = {"type": "dialogue", "author": "Ann", "time": NOW, "asks": text.endswith("?"), "source": 1}
    return Candidate(cube=n, text=text, start=10 * n, **(usual | known))


def page(n: int, **known: Any) -> Candidate:
    return turn(n, **({"type": "document", "author": "", "time": None} | known))


def order(
    candidates: list[Candidate], question: str = "", *, pairs: Any = (), balance: float = 0.5, **asked: Any
) -> list[int]:
    found = rank(candidates, pairs, Asked(question, **asked), balance=balance)
    return sorted(found, key=lambda n: (-found[n].score, n))


def test_words_and_meaning_each_count_for_their_share() -> None:
    by_words, by_meaning, neither = page(1, words=5.0, cosine=0.1), page(2, cosine=0.9), page(3, cosine=0.1)
    assert order([by_words, by_meaning, neither], balance=0.3) == [1, 2, 3]
    assert order([by_words, by_meaning, neither], balance=0.7) == [2, 1, 3]


def test_the_turns_beside_one_that_fits_come_before_others() -> None:
    turns = [turn(1), turn(2, words=4.0), turn(3), turn(9, source=2)]
    assert order(turns, pairs=[(1, 2), (2, 3)], balance=0.0) == [2, 1, 3, 9]


def test_the_meaning_of_a_turn_is_partly_that_of_the_one_before() -> None:
    turns = [turn(1, cosine=0.9), turn(2, cosine=0.3), turn(3, cosine=0.3), turn(4, cosine=0.2)]
    assert order(turns, pairs=[(1, 2)], balance=1.0) == [1, 2, 3, 4]


def test_a_turn_of_a_session_that_fits_comes_before_one_of_another() -> None:
    of_one = [turn(1, words=3.0), turn(2, words=3.0)]
    apart = turn(3, words=3.1, time=NOW + 2 * SESSION)
    assert order([*of_one, apart], balance=0.0) == [1, 2, 3]
    assert order([page(1, words=3.0), page(2, words=3.0), page(3, words=3.1)], balance=0.0) == [3, 1, 2]


@pytest.mark.parametrize(
    ("question", "author"),
    [
        ("What does Bo like?", "Bo"),
        ("What is bo's dog called?", "Bo Diddley"),
        ("李雷喜欢什么?", "李雷"),
    ],
)
def test_who_is_named_comes_first(question: str, author: str) -> None:
    assert order([turn(1, words=1.0), turn(2, words=1.0, author=author)], question) == [2, 1]
    assert order([turn(1, words=1.0), turn(2, words=1.0, author=author)], "And who is it?") == [1, 2]


def test_a_turn_that_asks_tells_less() -> None:
    assert order([turn(1, "My dog?", words=1.0), turn(2, "My dog.", words=1.0)]) == [2, 1]


def test_what_was_then_or_tells_of_then_comes_first() -> None:
    when = {"after": NOW, "before": NOW + DAY}
    early, then, late = (turn(n, time=time) for n, time in enumerate((NOW - DAY, NOW, NOW + DAY + TAIL), 1))
    assert order([early, then, late], **when) == [2, 1, 3]
    tells = replace(late, text="It was on that day.")

    def told(text: str, time: int) -> tuple[int | None, int | None] | None:
        return (NOW, NOW + DAY) if text else None

    assert order([early, tells], tells_of=told, **when) == [3, 1]
    assert order([early, tells], tells_of=lambda text, time: (NOW, None), **when) == [1, 3]


@pytest.mark.parametrize(
    ("question", "answers", "other"),
    [
        ("When did she leave?", "She left last week.", "She left in a hurry."),
        ("How long was it?", "It took three years.", "It took a good while."),
        ("Where do they live?", "They live in Oslo.", "They live by the sea."),
        ("她什么时候走的?", "她昨天走了。", "她走了。"),
    ],
)
def test_what_could_be_the_answer_comes_first(question: str, answers: str, other: str) -> None:
    assert order([turn(1, other, words=1.0), turn(2, answers, words=1.0)], question) == [2, 1]


candidates = st.lists(
    st.builds(
        Candidate,
        cube=st.integers(1, 40),
        type=st.sampled_from(["dialogue", "document"]),
        author=st.sampled_from(["", "Ann", "Bo"]),
        time=st.none() | st.integers(0, 2 * NOW),
        text=st.sampled_from(["", "I am Ann.", "Three years ago?"]),
        asks=st.booleans(),
        source=st.none() | st.integers(1, 3),
        start=st.integers(0, 100),
        words=st.floats(0, 50),
        cosine=st.none() | st.floats(-1, 1),
    ),
    unique_by=lambda each: each.cube,
    max_size=20,
)


@given(candidates, st.floats(0, 1), st.randoms())
def test_scores_are_shares_and_follow_no_order(some: list[Candidate], balance: float, chance: Any) -> None:
    numbers = [each.cube for each in some]
    pairs = [*zip(numbers[::2], numbers[1::2], strict=False)]
    asked = Asked("When did Ann go?", NOW, NOW + DAY)
    found = rank(some, pairs, asked, balance=balance)
    assert found.keys() == {*numbers}
    assert all(0 <= each.score <= 1 for each in found.values())
    mixed = chance.sample(some, len(some))
    again = rank(mixed, pairs, asked, balance=balance)
    assert {n: round(each.score, 9) for n, each in again.items()} == {
        n: round(each.score, 9) for n, each in found.items()
    }


@given(candidates, st.floats(0, 1))
def test_documents_are_ranked_by_words_and_meaning_alone(some: list[Candidate], balance: float) -> None:
    pages = [replace(each, type="document") for each in some]
    found = rank(pages, [], Asked("What does Ann say?"), balance=balance)
    bare = rank(pages, [], Asked(""), balance=balance, weights=Weights(*[0.0] * 9))
    assert {n: each.score for n, each in found.items()} == {n: each.score for n, each in bare.items()}
