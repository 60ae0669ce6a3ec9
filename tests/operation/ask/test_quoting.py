"""Quoted answers: few sentences, word for word, the best first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_harness import memory

from memos_cli.cube import Hit, Injection, Sentence
from memos_cli.interface.ask.answering import quote_line
from memos_cli.operation.ask.quoting import MOST, WORDS, choose_quotes, count_words


def item(*sentences: tuple[str, float], score: float = 1.0, label: int = 1, sure: float = 0.9) -> Injection:
    """A memory of a plan that consists of sentences with these scores."""
    text, ranges = "", []
    for said, at in sentences:
        ranges.append(Sentence(len(text), len(text) + len(said), score=at))
        text += said + "\n"
    found = sorted(ranges, key=lambda each: -each.score)
    return Injection(Hit(memory(text), score, {"relevance": sure}, tuple(found)), "text", 10, label)


def quoted(*chosen: Injection, **options: int) -> list[str]:
    return [quote.text for quote in choose_quotes(chosen, **options)]


def test_the_best_sentences_of_all_memories_come_first() -> None:
    one = item(("Larks nest low.", 0.9), ("Owls nest high.", 0.7))
    other = item(("Crows nest anywhere.", 0.8), ("Wrens nest in hedges.", 0.6), label=2)
    quotes = choose_quotes([one, other])
    assert [(quote.label, quote.text) for quote in quotes] == [
        (1, "Larks nest low."),
        (2, "Crows nest anywhere."),
        (1, "Owls nest high."),
    ]
    assert quotes[0].cube == one.hit.cube


def test_a_quote_stands_in_its_memory_as_it_is_written() -> None:
    text = "# Server\n\n*The*  server\nlistens on port 5433!"
    cube = memory(text)
    sentence = Sentence(10, len(text), "Server", "Host | Port", score=0.9)
    (quote,) = choose_quotes([Injection(Hit(cube, 1.0, {}, (sentence,)), "text", 9, 4)])
    assert quote.text == cube.text[quote.start : quote.end] == "*The*  server\nlistens on port 5433!"
    assert (quote.label, quote.heading, quote.columns) == (4, "Server", "Host | Port")


def test_no_more_than_three_sentences() -> None:
    some = item(*((f"Sentence number {n} of all.", 0.9) for n in range(9)))
    assert MOST == 3
    assert len(quoted(some)) == 3
    assert len(quoted(some, most=1)) == 1


def test_no_more_than_sixty_words_and_a_shorter_one_takes_the_room() -> None:
    long = " ".join(f"word{n}" for n in range(40))
    some = item((long, 0.9), (long.upper().replace("WORD", "other"), 0.8), ("Short it is.", 0.7))
    assert WORDS == 60
    assert quoted(some) == [long, "Short it is."]
    assert quoted(some, words=42) == [long]
    assert quoted(some, words=83) == [long, long.upper().replace("WORD", "other"), "Short it is."]


def test_the_best_is_whole_however_long_it_is() -> None:
    long = " ".join(f"word{n}" for n in range(200))
    assert quoted(item((long, 0.9), ("Short it is.", 0.8))) == [long]
    assert quoted(item((long, 0.9)), words=1) == [long]


def test_sentences_far_below_the_best_are_left_out() -> None:
    assert quoted(item(("Larks nest low.", 1.0), ("Owls hoot.", 0.05), score=0.0)) == ["Larks nest low."]
    assert quoted(item(("Larks nest low.", 0.1), ("Owls hoot.", 0.09), score=0.0)) == [
        "Larks nest low.",
        "Owls hoot.",
    ]


@pytest.mark.parametrize("again", ["Larks nest low.", "LARKS  nest\nlow.", "nest low."])
def test_no_sentence_is_quoted_twice(again: str) -> None:
    one, other = item(("Larks nest low.", 0.9)), item((again, 0.8), ("Owls hoot.", 0.7), label=2)
    assert quoted(one, other) == ["Larks nest low.", "Owls hoot."]


def test_the_memory_of_a_sentence_counts_too() -> None:
    """Of two sentences that fit alike, that of the memory which the search put first."""
    one, other = item(("Larks nest low.", 0.5), score=0.4), item(("Owls hoot.", 0.5), score=0.9, label=2)
    assert quoted(one, other) == ["Owls hoot.", "Larks nest low."]


@pytest.mark.parametrize(
    "question", ["Do larks nest low?", "百灵鸟在哪里？", '"Do larks nest low?"', "Really? "]
)
def test_a_question_is_not_quoted_as_an_answer(question: str) -> None:
    assert quoted(item((question, 0.6), ("They nest low.", 0.5))) == ["They nest low.", question]
    assert quoted(item((question, 0.9), ("They nest low.", 0.5)))[0] == question


def test_without_sentences_nothing_is_quoted() -> None:
    assert choose_quotes([]) == ()
    assert choose_quotes([Injection(Hit(memory("x"), 0.0, {"pinned": "always"}), "text", 9, 1)]) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("?!", 0),
        ("Larks nest low.", 3),
        ("port 5433, since 2024-05-01", 6),
        ("猫在睡觉。", 2),
        ("猫", 1),
        ("ポート5433を使います", 5),
        ("The 猫 sleeps", 3),
        ("привет мир", 2),
    ],
)
def test_words_are_counted_in_any_language(text: str, words: int) -> None:
    assert count_words(text) == words


SENTENCES = st.lists(
    st.tuples(
        st.lists(
            st.sampled_from(["lark", "owl", "nests", "猫在睡觉", "low?", "Low."]), min_size=1, max_size=45
        ).map(" ".join),
        st.floats(0, 1),
    ),
    max_size=6,
)


@given(st.lists(st.tuples(SENTENCES, st.floats(0, 1)), max_size=5), st.integers(1, 80), st.integers(1, 5))
def test_whatever_was_found(plan: list[tuple[list[tuple[str, float]], float]], words: int, most: int) -> None:
    chosen = [item(*some, score=score, label=n) for n, (some, score) in enumerate(plan, 1)]
    quotes = choose_quotes(chosen, words=words, most=most)
    assert bool(quotes) is any(some for some, _ in plan)
    assert len(quotes) <= most
    spent = [count_words(quote.text) for quote in quotes]
    assert sum(spent) <= max(words, *spent[:1], 0)
    scores = [quote.score for quote in quotes]
    assert scores == sorted(scores, reverse=True)
    said = [" ".join(quote.text.split()).casefold() for quote in quotes]
    assert not any(said[at] in said[before] for at in range(len(said)) for before in range(at))
    by_label = {each.label: each.hit for each in chosen}
    for quote in quotes:
        assert quote.cube == by_label[quote.label].cube
        assert quote.text == quote.cube.text[quote.start : quote.end]


def test_a_memory_that_hardly_answers_adds_nothing_but_the_reply_to_a_question() -> None:
    reply = item(("On Monday at nine.", 0.7), label=2, sure=0.01)
    assert quoted(item(("Larks nest low.", 0.9)), reply) == ["Larks nest low."]
    assert quoted(item(("When is it?", 0.99), score=1.0), reply) == ["When is it?", "On Monday at nine."]


def test_beside_a_question_its_reply_is_quoted_however_little_it_shares_with_what_is_asked() -> None:
    question = item(("Did Ben find his scarf?", 1.0))
    faint = item(("Yes, under the sofa.", 0.2), score=0.8, label=2, sure=0.01)
    reply = replace(faint, hit=replace(faint.hit, why={**faint.hit.why, "reply": "to a question"}))
    assert quoted(question, faint) == ["Did Ben find his scarf?"]
    assert quoted(question, reply) == ["Did Ben find his scarf?", "Yes, under the sofa."]
    assert quoted(item(("Ben has a scarf.", 1.0)), reply) == ["Ben has a scarf."]


def test_of_a_reply_more_than_the_likest_sentence_is_quoted() -> None:
    question = item(("How do I join two halves?", 1.0), ("I have no glue.", 0.1), score=1.0)
    part = item(("That joins the two halves.", 0.8), ("Tie them up.", 0.2), score=0.9, label=2)
    reply = replace(part, hit=replace(part.hit, why={**part.hit.why, "reply": "to a question"}))
    assert quoted(question, part) == ["How do I join two halves?", "That joins the two halves."]
    assert quoted(question, reply)[1:] == ["That joins the two halves.", "Tie them up."]
    assert quoted(reply) == ["That joins the two halves."], "no question is quoted beside it"


@pytest.mark.parametrize(
    ("author", "text", "line"),
    [
        ("", "Larks nest\n  low.", "Larks nest low."),
        ("Ann", "Larks nest\r\nlow.", "Ann: Larks nest low."),
        ("", "百分之四十二的\n目标。", "百分之四十二的目标。"),
        ("", "```\na = 1\nb = 2\n```", "```\na = 1\nb = 2\n```"),
        ("", "| Moss |\n", "| Moss |\n"),
    ],
)
def test_a_wrapped_sentence_is_answered_on_one_line(author: str, text: str, line: str) -> None:
    assert quote_line(author, text) == line
