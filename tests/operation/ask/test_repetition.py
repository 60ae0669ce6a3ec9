"""Loops of a model are detected, and its answer ends with a whole sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from cli_harness import REPOSITORY, with_models
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.models.llama.llama_engine import Engine
from memos_cli.models.llama.prompt import Prompt
from memos_cli.models.model_files import resolve_reader
from memos_cli.operation.ask.repetition import HELD, RepetitionGuard, SentenceStream, sentence_ends

ROUNDS = 12


def in_pieces(text: str, size: int = 3) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def is_loop(text: str) -> bool:
    guard = RepetitionGuard()
    return any([guard.add(piece) for piece in in_pieces(text)])


def told(text: str, *, limit: bool = False, size: int = 3) -> tuple[list[str], str | None]:
    stream = SentenceStream(in_pieces(text, size), limit_reached=lambda: limit)
    return list(stream), stream.ending


# --- loops ---------------------------------------------------------------------------------------

# What SmolLM2-135M answers, cut off after some rounds; and what is left of it.
LOOPS = [
    ("A: Brandt\n\n" * ROUNDS, "A: Brandt"),
    ("The answer is 10.\n\n" * ROUNDS, "The answer is 10."),
    ("11 hours.\n\n" + "Check the fuse box twice.\n\n" * ROUNDS, "11 hours.\n\nCheck the fuse box twice."),
    ("Tomasz." + "\n\n## Book\n\nThe book is a book." * ROUNDS, "Tomasz.\n\n## Book\n\nThe book is a book."),
    ("1. Stay.\n" + "".join(f"{n}. Go to bed.\n" for n in range(2, ROUNDS)), "1. Stay.\n2. Go to bed."),
    ("yes, there is a long, " + "long, " * 40, "yes, there is a long…"),
    ("A: " * 40, "A…"),
    ("电动公交车试点怎么样?\n\n" * ROUNDS, "电动公交车试点怎么样?"),
    ("美国西安什么时候？" + "西安什么时候？" * ROUNDS, "美国西安什么时候？"),
    ("完成实际的实" + "骨" * 60, "完成实际的实骨…"),
    ("所以用大理石；；\n\n" * ROUNDS, "所以用大理石；；"),
    ("**Lumo-Vacuum** **Lumo-Memos** " * ROUNDS, "**Lumo-Vacuum** **Lumo-Memos**…"),
    ("A line." + "\n" * 300, "A line."),
    ("A line.\n" + "=" * 300, "A line."),
    ("x" * 300, "x…"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "left"), LOOPS)
@pytest.mark.parametrize("size", [1, 3, 8])
def test_the_first_round_of_a_loop_is_kept(text: str, left: str, size: int) -> None:
    parts, ending = told(text, size=size)
    assert ("".join(parts), ending) == (left, "loop")


def test_a_loop_with_small_changes_is_seen() -> None:
    things = ("flour", "water", "salt", "yeast", "salt", "sugar", "flour") * 6
    text = "To bake bread, you will need " + ", ".join(f"100 grams of {each}" for each in things)
    parts, ending = told(text)
    assert ending == "loop"
    assert len("".join(parts)) < len(text) / 3


def test_counting_is_a_loop() -> None:
    assert is_loop(" ".join(f"{n}." for n in range(1, 60)))


NO_LOOPS = [
    "",
    "Ha, ha, ha, ha! That was a very, very, very long day.",
    "No. No. No. The answer is no.",
    "| Mon | Tue | Wed |\n|---|---|---|\n| open | open | open |\n| open | closed | open |\n",
    "- Bread: 240 degrees for 30 minutes\n- Cake: 180 degrees for 45 minutes\n- Pie: 200 degrees for 20",
    "The port is 5433.\n\nThe answer is: 5433.\n\nThe answer is: 5433.",
    "Step 1: open it. Step 2: close it. Step 3: open it. Step 4: close it.",
    "\n\n".join(f"def {name}():\n    return None" for name in "abcdef"),
    "2020: 12, 2021: 14, 2022: 14, 2023: 15, 2024: 17, 2025: 14, 2026: 12",
    "The rooms are 101, 102, 103, 104, 105, 106, 107 and 108.",
    "会议决定把试点扩大到四十辆。冬季续航缩短了三分之一。哈哈哈哈!",
    "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is a dream.",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_LOOPS)
def test_human_repetition_is_no_loop(text: str) -> None:
    assert not is_loop(text)


def test_the_notes_of_this_repository_are_no_loops() -> None:
    for file in (REPOSITORY / "README.md", *(REPOSITORY / "scripts/samples").rglob("*.md")):
        text = file.read_text(encoding="utf-8")
        for at in range(0, len(text), 1200):
            assert not is_loop(text[at : at + 1200]), (file, at)


# --- streaming -----------------------------------------------------------------------------------


def test_text_is_passed_on_sentence_by_sentence() -> None:
    text = (
        "Dr. Varga sees Olive at 9:20. She pays 1.25 euros!\n\n1. Open it\n2. Close it\n会议同意。好的。Bye"
    )
    assert told(text) == (
        [
            "Dr. Varga sees Olive at 9:20.", " She pays 1.25 euros!", "\n\n1. Open it", "\n2. Close it",
            "\n会议同意。", "好的。", "Bye",
        ],
        "end",
    )  # fmt: skip


def test_words_of_a_long_sentence_are_passed_on() -> None:
    text = " ".join(f"word{n}of{n}" for n in range(50))
    parts, _ = told(text)
    assert len(parts) > 10
    assert len(parts[0]) <= HELD
    assert "".join(parts) == text


def test_a_copy_is_held_back_until_something_new_follows() -> None:
    text = "The port is 1. The port is 1. The port is 1. So it is."
    assert told(text)[0] == ["The port is 1.", " The port is 1. The port is 1. So it is."]


@given(st.text(alphabet="ab1 .,!\n*-。好字\u00e9", max_size=300), st.integers(1, 40))
def test_an_answer_that_the_model_ended_is_passed_on_whole(text: str, size: int) -> None:
    parts, ending = told(text, size=size)
    if ending == "end":
        assert "".join(parts) == text.strip()
    else:
        assert text.strip().startswith("".join(parts).removesuffix("…").rstrip())


@given(st.text(max_size=200), st.booleans())
def test_an_answer_is_the_start_of_what_the_model_said(text: str, limit: bool) -> None:
    parts, _ = told(text, limit=limit)
    said, whole = " ".join("".join(parts).split()), " ".join(text.split())  # blanks at line ends may go
    assert whole.startswith(said) or whole.startswith(said.removesuffix("…").rstrip())


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_sentences_end_in_order_within_the_text(text: str) -> None:
    ends = sentence_ends(text)
    assert all(first < last for first, last in pairwise(ends))
    assert all(0 < end <= len(text) for end in ends)


# --- the end -------------------------------------------------------------------------------------

STOPPED = [
    ("The port is 5433. It is open to the hal", "The port is 5433."),
    ("The port is 5433. It is open.", "The port is 5433. It is open."),
    ("The hedge may be 1.", "The hedge may be…"),  # 1.25?
    ("The hedge may be very hi", "The hedge may be very…"),
    ("No. The hedge may be as high as the neighbours wa", "No. The hedge may be as high as the neighbours…"),
    ("1. Flour\n2. Water\n3. Sa", "1. Flour\n2. Water"),
    ("1. Flour\n2. Water\n3.", "1. Flour\n2. Water"),
    ("- Flour\n- Water\n- Sa", "- Flour\n- Water"),
    ("它在客厅。它的地址是一九", "它在客厅。"),
    ("它的地址是一九二点一六八", "它的地址是一九二点一六…"),
    ("The port is 1. The port is 1. The port is 1.", "The port is 1."),
    ("Rooms: hall, kitchen, st", "Rooms: hall, kitchen…"),
    ("", ""),
    (" \n", ""),
]


@pytest.mark.parametrize(("text", "left"), STOPPED)
def test_an_answer_that_was_stopped_ends_at_a_sentence(text: str, left: str) -> None:
    parts, ending = told(text, limit=True)
    assert ("".join(parts), ending) == (left, "limit")


def test_after_a_loop_the_rest_is_not_read() -> None:
    read: list[str] = []
    closed = False

    def pieces() -> Iterator[str]:
        nonlocal closed
        try:
            while True:
                read.append("The port is 5433.\n\n")
                yield read[-1]
        finally:
            closed = True

    stream = SentenceStream(pieces(), limit_reached=lambda: False)
    assert list(stream) == ["The port is 5433."]
    assert (stream.ending, closed) == ("loop", True)
    assert len(read) < 10


def test_text_that_was_passed_on_is_final() -> None:
    """A loop within a sentence so long that its words were passed on."""
    text = "We saw " + "many old houses in every street of the town, and then we saw again " * 20
    parts, ending = told(text)
    assert ending == "loop"
    assert text.startswith("".join(parts).removesuffix("…"))
    assert len("".join(parts)) < 2 * HELD


# --- the model -----------------------------------------------------------------------------------

NOTES = """## Kilns

The big kiln goes to 1,280 °C and takes eleven hours to cool down. The small one is for test tiles only. Its
door sensor sticks: open and close it twice. Brandt replaced the element in May. On Thursdays nobody may fire,
because the electrician checks the fuse box then."""
ASKED = [
    "How long does the big kiln take to cool down?",
    "Write a poem about the kiln",
    "How much does Elin pay for her shelf?",
    "Who replaced the heating element?",
]
LIMIT = 160


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(resolve_reader("").path, context=1024) as engine:
        yield engine


def prompt_that_loops(engine: Engine) -> tuple[Prompt, str]:
    """A prompt and what the model says to it. In what it loops depends on the processor's kernels too."""
    for question in ASKED:
        system = "Use only the notes below to answer."
        prompt = engine.build_prompt(system=system, memories=[NOTES + "\n\n"], question=question)
        engine.read_prompt(prompt)
        whole = "".join(engine.generate(limit=LIMIT))
        if is_loop(whole) and not engine.ended:
            return prompt, whole
    raise AssertionError("the model loops in none of its answers: find others")


@with_models
def test_a_loop_of_the_embedded_model_is_stopped(engine: Engine) -> None:
    prompt, whole = prompt_that_loops(engine)
    engine.read_prompt(prompt)
    start = len(engine.tokens)
    stream = SentenceStream(engine.generate(limit=LIMIT), limit_reached=lambda: not engine.ended)
    answer = "".join(stream)
    assert stream.ending == "loop"
    assert len(engine.tokens) - start < LIMIT
    assert answer.endswith((".", "!", "?", "…"))
    assert whole.strip().startswith(answer.removesuffix("…").rstrip())
    assert not is_loop(answer)
    sentences = re.split(r"(?<=[.!?])\s+", answer)
    assert len(set(sentences)) == len(sentences)
