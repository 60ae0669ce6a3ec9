"""Memories that say the same as others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_harness import memory

from memos_cli.cube import Cube
from memos_cli.operation.search.duplicates import COPY, TRANSLATION, find_duplicates

PAGE = (
    "The harbour lantern is lit by the keeper at dusk, and put out again when the first boat has left it. "
    "The wall was raised by a metre in the year after the flood, with granite from the quarry, and the "
    "office keeps the other keys, for which the pilot signs when he takes them out."
)
CHINESE = "港口的灯由守灯人在黄昏时点亮，第一艘船离开后再熄灭。洪水之后墙加高了一米，用的是花岗岩。"


def numbered(*texts: str) -> list[Cube]:
    return [memory(text, n) for n, text in enumerate(texts, 1)]


def no_vector(n: int) -> None:
    raise AssertionError("nobody needs a vector where all is in one script")


def found(*texts: str) -> dict[int, set[int]]:
    return {n: set(same) for n, same in find_duplicates(numbered(*texts), no_vector).items()}


@pytest.mark.parametrize(
    "copy",
    [
        PAGE,
        PAGE.upper(),
        PAGE.replace("keeper", "warden"),
        PAGE.replace(", ", ",\n  ").replace(". ", "!\n\n"),
        PAGE + " So it is said.",
        "Once more: " + PAGE,
    ],
)
def test_a_copy_that_differs_by_a_few_words_is_one(copy: str) -> None:
    assert found(PAGE, copy) == {2: {1}}
    assert found(copy, PAGE) == {2: {1}}


def test_a_copy_in_chinese_is_one() -> None:
    assert found(CHINESE, CHINESE.replace("黄昏", "傍晚"), CHINESE[::-1]) == {2: {1}}


@pytest.mark.parametrize(
    "other",
    [
        PAGE[: len(PAGE) // 2],
        " ".join(reversed(PAGE.split())),
        PAGE.replace("the", "a").replace("keeper", "warden").replace("boat", "ship"),
        "An orchard has a wall, and a lantern that is lit at dawn by its own keeper.",
        "",
    ],
)
def test_another_text_is_no_copy(other: str) -> None:
    assert found(PAGE, other) == {}


def test_records_of_one_form_are_no_copies() -> None:
    """They differ by the very number that is asked for."""
    form = f"On the {{}} of May this was written down. {PAGE} The bill was {{}} crowns."
    assert found(form.format(3, 120), form.format(3, 125), form.format(3, 120)) == {3: {1}}


def test_texts_of_a_few_words_are_no_copies() -> None:
    """Whether one is in another, the scheduler sees."""
    assert found("Yes.", "Yes.", "I agree.", "", "") == {}


def test_of_several_copies_each_names_those_before_it() -> None:
    assert found("Another text, on other things.", PAGE, PAGE + " Yes.", PAGE + " No.") == {3: {2}, 4: {2, 3}}


def vectors(*cosines: float) -> dict[int, np.ndarray]:
    """Unit vectors of memories 1, 2 …: of the first and of those with these cosines to it."""
    found = {1: np.array([1.0, 0.0], np.float32)}
    for n, cosine in enumerate(cosines, 2):
        found[n] = np.array([cosine, (1 - cosine**2) ** 0.5], np.float32)
    return found


def test_a_translation_is_found_by_meaning() -> None:
    known = vectors(TRANSLATION + 0.01, TRANSLATION - 0.01)
    cubes = numbered(PAGE, CHINESE, "会议讨论了碳税和森林的保护问题，没有结果。")
    assert dict(find_duplicates(cubes, known.get)) == {2: frozenset((1,))}


def test_similar_meaning_in_one_script_is_no_copy() -> None:
    """Two values of one thing mean nearly the same."""
    known = vectors(0.99, 0.1)
    cubes = numbered("The staging database listens there.", "The other database listens there.", CHINESE)
    assert dict(find_duplicates(cubes, known.get)) == {}


def test_a_text_without_letters_is_no_translation() -> None:
    known = vectors(0.99, 0.99)
    assert dict(find_duplicates(numbered(PAGE, "4711", CHINESE), known.get)) == {3: frozenset((1,))}
    assert dict(find_duplicates(numbered(PAGE, "4711", "😀"), no_vector)) == {}


def test_a_text_without_a_vector_is_no_translation() -> None:
    known = vectors(0.99)
    for missing in (1, 2):
        some = {n: vector for n, vector in known.items() if n != missing}
        assert dict(find_duplicates(numbered(PAGE, CHINESE), some.get)) == {}


def test_no_memories_have_no_duplicates() -> None:
    assert dict(find_duplicates([], no_vector)) == {}
    assert dict(find_duplicates(numbered(PAGE), no_vector)) == {}


WORDS = st.lists(st.sampled_from(["lark", "owl", "nests", "sings", "1", "2", "猫", "狗"]), max_size=12)


@given(st.lists(WORDS.map(" ".join), max_size=6))
def test_only_memories_before_are_named_and_none_is_its_own(texts: list[str]) -> None:
    cubes = numbered(*texts)
    same = find_duplicates(cubes, {n: np.array([1.0, 0.0], np.float32) for n in range(9)}.get)
    for n, others in same.items():
        assert others
        assert all(other < n for other in others)
    again = find_duplicates([replace(cube, title="Other", author="Bo") for cube in cubes], lambda n: None)
    assert all(others <= same[n] for n, others in again.items())
    assert 0 < COPY < 1
