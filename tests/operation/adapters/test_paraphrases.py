"""The data that adapters are judged by: the program may not make what stands there as never seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memos_cli.operation.adapters.questions.answer_check import said_words
from memos_cli.operation.adapters.questions.making import facts_of
from memos_cli.operation.adapters.questions.misses import near_misses
from memos_cli.operation.adapters.questions.splits import copy_key

DATA = Path(__file__).parents[3] / "scripts" / "bench" / "data"
FILES = ("single_dev", "single_test", "notes_dev", "notes_test")
NEAR = 0.75
"""Share of the words of two questions that both have, from which one nearly equals the other."""


SAME = 0.85
"""The same for near misses: what they share with one that is trained is their subject."""


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def copies(asked: list[str], made: list[str], likeness: float = NEAR) -> list[tuple[str, str]]:
    """The pairs of an ``asked`` and a ``made`` question that have so much in common."""
    keys = [(other, frozenset(copy_key(other))) for other in dict.fromkeys(made)]
    found = []
    for text in asked:
        left = frozenset(copy_key(text))
        found += [
            (text, other)
            for other, right in keys
            if len(left & right) >= likeness * max(1, len(left | right))
        ]
    return found


@pytest.mark.parametrize("name", FILES)
def test_no_paraphrase_nearly_equals_a_question_that_the_program_makes(name: str) -> None:
    found = rows(name)
    facts = [fact for at, row in enumerate(found) for fact in facts_of(row["text"], source=at)]
    made = [question for fact in facts for question in fact.questions]
    asked = [question for row in found for fact in row["facts"] for question in fact["asked"]]
    assert made and asked
    assert copies(asked, made) == []


@pytest.mark.parametrize("name", ["single_dev", "single_test"])
def test_no_hand_written_near_miss_is_one_that_the_program_makes(name: str) -> None:
    found = rows(name)
    facts = [fact for at, row in enumerate(found) for fact in facts_of(row["text"], source=at)]
    made = [question for seed in range(4) for _, question in near_misses(facts, seed=seed)]
    near = [question for row in found for question in row["near"]]
    assert made and near
    assert copies(near, made, SAME) == []


def test_a_copy_in_other_order_is_found() -> None:
    assert copies(["where is the ladder stored"], ["The ladder is stored where?"])
    assert not copies(["Which floor do I fetch the ladder from?"], ["The ladder is stored where?"])


@pytest.mark.parametrize("name", FILES)
def test_the_recorded_spans_stand_in_the_notes(name: str) -> None:
    for row in rows(name):
        assert row["lang"] in ("en", "de", "zh") and row["facts"]
        for fact in row["facts"]:
            assert fact["answer"] in row["text"] and fact["about"]
            key = " ".join(said_words(fact["answer"]))
            for question in fact["asked"]:
                assert f" {key} " not in f" {' '.join(said_words(question))} "


def test_there_are_as_many_as_the_readme_says() -> None:
    counts = {name: len(rows(name)) for name in FILES}
    assert counts == {"single_dev": 12, "single_test": 32, "notes_dev": 10, "notes_test": 40}
