"""The order of what a search gathered: a turn counts for what stands beside it, and documents do not."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.operation.search.ranking import SESSION, TAIL, Asked, Candidate, Weights, rank

DAY = 86_400_000
NOW = 20_000 * DAY


def turn(n: int, text: str = "", **known: Any) -> Candidate:
    usual = {
        "type": "dialogue", "author": "Ann", "role": "", "time": NOW, "asks": text.endswith("?"), "source": 1
    }  # fmt: skip
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


@pytest.mark.parametrize(
    ("question", "side"),
    [
        ("Which book did you recommend?", "assistant"),
        ("What have you told me about the harbour?", "assistant"),
        ("You once suggested a cafe: which?", "assistant"),
        ("你给我推荐了哪本书?", "assistant"),
        ("Do you remember what my dog is called?", "user"),
        ("What is the name of my dog?", "user"),
        ("Where did I work?", "user"),
        ("我的狗叫什么?", "user"),
        ("我和你说过我的狗叫什么?", "user"),
        ("What is the dog called?", ""),
    ],
)
def test_turns_of_the_side_in_question_come_first(question: str, side: str) -> None:
    turns = [turn(1, words=1.0, role="user"), turn(2, words=1.0, role="assistant"), turn(3, words=1.0)]
    first = {"assistant": [2], "user": [1], "": [1, 2, 3]}[side]
    found = rank(turns, (), Asked(question), balance=0.0)
    assert [n for n in found if found[n].score == max(each.score for each in found.values())] == first
    of_model = [turn(1, words=1.0, role="user"), turn(2, words=1.0, role="model")]
    assert order(of_model, question, balance=0.0)[0] == first[0]


def test_the_side_of_a_turn_counts_less_than_its_text() -> None:
    turns = [turn(1, words=1.0, role="user"), turn(2, words=9.0, role="assistant")]
    assert order(turns, "What is my dog called?", balance=0.0) == [2, 1]


def test_a_turn_of_the_day_comes_before_a_later_one_about_it() -> None:
    when = {"after": NOW, "before": NOW + DAY}
    turns = [turn(1, words=2.0, time=NOW + 2 * DAY, role="user"), turn(2, words=1.9, time=NOW, role="user")]
    assert order(turns, "What did I plant then?", balance=0.0, **when) == [2, 1]
    assert order(turns, "What did Ann plant then?", balance=0.0, **when) == [1, 2]


def test_meaning_decides_in_another_script() -> None:
    """No word of the question can be in it: it is not the worse for holding none."""
    known = {"words": 5.0, "cosine": 0.5}
    pages = [page(1, **known), page(2, cosine=0.7, is_foreign=True), page(3, cosine=0.1, is_foreign=True)]
    assert order(pages, balance=0.5) == [2, 1, 3]
    assert order([replace(each, is_foreign=False) for each in pages], balance=0.5) == [1, 2, 3]
    assert order(pages, balance=0.0) == [1, 2, 3]  # without an embedder, there is no meaning to go by
    assert order(pages, balance=0.95) == order([replace(p, is_foreign=False) for p in pages], balance=0.95)


candidates = st.lists(
    st.builds(
        Candidate,
        cube=st.integers(1, 40),
        type=st.sampled_from(["dialogue", "document"]),
        author=st.sampled_from(["", "Ann", "Bo"]),
        role=st.sampled_from(["", "user", "assistant"]),
        time=st.none() | st.integers(0, 2 * NOW),
        text=st.sampled_from(["", "I am Ann.", "Three years ago?"]),
        asks=st.booleans(),
        source=st.none() | st.integers(1, 3),
        start=st.integers(0, 100),
        words=st.floats(0, 50),
        cosine=st.none() | st.floats(-1, 1),
        is_foreign=st.booleans(),
    ),
    unique_by=lambda each: each.cube,
    max_size=20,
)


NOTHING = Weights(**{each.name: 0.0 for each in fields(Weights)})


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
    bare = rank(pages, [], Asked(""), balance=balance, weights=NOTHING)
    assert {n: each.score for n, each in found.items()} == {n: each.score for n, each in bare.items()}
