"""The best sentences of found memories: by words, by meaning, and by both."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_harness import memory

from memos_cli.cube import Cube, Sentence
from memos_cli.infrastructure.storage.fulltext import query_terms
from memos_cli.infrastructure.vectors.vector_index import Near
from memos_cli.operation.search.sentence_search import score_sentences
from memos_cli.operation.search.sentences import split_sentences

NOTE = (
    "The staging database listens on port 5433 since last week. "
    "Backups of the photo server are made at two in the night. "
    "The spare key of the flat is with the neighbour downstairs."
)
OTHER = (
    "The staging area of the harbour was rebuilt last year. "
    "A port is where the ships of the company are unloaded at night."
)


def near(cube: Cube, *cosines: float) -> Near:
    """How near the sentences of a memory are."""
    ranges = [(each.start, each.end) for each in split_sentences(cube.text)]
    assert len(ranges) == len(cosines)
    places = tuple((*place, cosine) for place, cosine in zip(ranges, cosines, strict=True))
    return Near(max(cosines), sum(cosines) / len(cosines), places)


def scored(
    question: str, *cubes: Cube, near: dict[int, Near] | None = None
) -> dict[int, tuple[Sentence, ...]]:
    return score_sentences(question, cubes, query_terms(question), near or {})


def texts(cube: Cube, found: dict[int, tuple[Sentence, ...]]) -> list[str]:
    return [cube.text[each.start : each.end] for each in found[cube.n]]


def best(found: dict[int, tuple[Sentence, ...]], *cubes: Cube) -> str:
    _, cube, each = max(
        ((each.score, cube, each) for cube in cubes for each in found[cube.n]), key=lambda row: row[0]
    )
    return cube.text[each.start : each.end]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which port does the staging database use?", "The staging database"),
        ("When are backups of the photo server made?", "Backups of"),
        ("Who has the key?", "The spare key"),
        ("backup", "Backups of"),  # stems count, as in the vault
    ],
)
def test_words_find_the_sentence(question: str, expected: str) -> None:
    note, other = memory(NOTE), memory(OTHER)
    found = scored(question, note, other)
    assert texts(note, found)[0].startswith(expected)
    assert best(found, note, other).startswith(expected)


def test_a_word_counts_by_how_rare_it_is_among_the_sentences_at_hand() -> None:
    note = memory("The lark sings in the garden. The lark nests in the meadow. The lark sleeps in the wood.")
    assert texts(note, scored("Does the lark nest?", note))[0] == "The lark nests in the meadow."


def test_headings_count_less_than_the_sentence() -> None:
    note = memory(
        "# Photo server\n\nIt is switched off on every Sunday at noon.\n\n"
        "# Kitchen\n\nThe photo server hums in there all day and all night.\n\nThe oven is too hot by ten."
    )
    assert [text.split()[0] for text in texts(note, scored("photo server", note))] == ["The", "It", "The"]
    titled = replace(memory("It is switched off on every Sunday."), title="Photo server")
    assert scored("photo server", titled)[titled.n][0].score == 1.0
    row = memory("| Host | Port |\n|---|---|\n| lark | 8080 |\n| owl | 9090 |")
    assert texts(row, scored("Which port does the lark have?", row))[0] == "| lark | 8080 |"
    said = replace(memory("I have it, on the third floor of the house."), author="Okafor")
    assert scored("Okafor", said)[said.n][0].score == 1.0


def test_chinese_is_found_by_its_characters() -> None:
    note = memory("气候政策会议定于星期三在北京举行。负责人是李雷，他会联系大家的。")
    assert texts(note, scored("谁是负责人?", note))[0].startswith("负责人")
    assert texts(note, scored("会议在哪里?", note))[0].startswith("气候政策")


def test_meaning_finds_sentences_without_common_words() -> None:
    note, other = memory(NOTE), memory(OTHER)
    known = {note.n: near(note, 0.2, 0.3, 0.8), other.n: near(other, 0.1, 0.2)}
    found = scored("Wo ist der Schlüssel?", note, other, near=known)
    assert best(found, note, other).startswith("The spare key")
    assert [each.cosine for each in found[note.n]] == [0.8, 0.3, 0.2]
    assert found[note.n][0].score == pytest.approx(max(each.score for each in found[note.n]))


def test_words_and_meaning_count_together() -> None:
    note = memory(NOTE)
    by_meaning = {note.n: near(note, 0.5, 0.1, 0.6)}
    assert texts(note, scored("What does the database do?", note))[0].startswith("The staging")
    assert texts(note, scored("What does the database do?", note, near=by_meaning))[0].startswith(
        "The staging"
    )
    much = {note.n: near(note, 0.1, 0.1, 0.9)}
    assert texts(note, scored("What does the database do?", note, near=much))[0].startswith("The spare key")


def test_another_script_is_compared_by_meaning() -> None:
    """No word of the question can stand there: a sentence is not the worse for that."""
    note, other = (
        memory("The lark nests here on the ground."),
        memory("百灵鸟在草地的凹处筑巢，从三月到七月。"),
    )
    usual = memory("Nothing of it is said in this one, whatever it is.")
    known = {note.n: near(note, 0.5), other.n: near(other, 0.9), usual.n: near(usual, 0.1)}
    found = scored("Where does the lark nest?", note, other, usual, near=known)
    same = scored(
        "Where does the lark nest?", note, replace(other, text="x" * len(other.text)), usual, near=known
    )
    assert found[other.n][0].score > same[other.n][0].score


def test_a_vector_of_the_whole_text_is_that_of_each_sentence() -> None:
    """As in a vault of 0.1.0, until `memos embed`."""
    note = memory(NOTE)
    found = scored("key", note, near={note.n: Near(0.7, 0.7, ((0, len(NOTE), 0.7),))})
    assert [each.cosine for each in found[note.n]] == [0.7, 0.7, 0.7]
    assert texts(note, found)[0].startswith("The spare key")


def test_vectors_of_other_ranges_are_of_no_sentence() -> None:
    """The sentences were cut otherwise when the vectors were made."""
    note = memory(NOTE)
    found = scored("key", note, near={note.n: Near(0.7, 0.7, ((0, 5, 0.7), (6, 20, 0.6)))})
    assert [each.cosine for each in found[note.n]] == [None, None, None]
    assert texts(note, found)[0].startswith("The spare key")


def test_memories_without_vectors_have_no_advantage() -> None:
    note, other = memory("The lark nests low in the grass."), memory("The lark nests low in the wood.")
    found = scored("lark nests low", note, other, near={note.n: near(note, 0.8)})
    assert found[note.n][0].score >= found[other.n][0].score


@pytest.mark.parametrize(
    "question", ["", "?!", "the of and", '"NEAR(a b)" OR -x*', "😀", "'; DROP TABLE s; --"]
)
def test_any_question_can_be_asked(question: str) -> None:
    note = memory(NOTE)
    found = scored(question, note)
    assert len(found[note.n]) == 3
    assert all(0 <= each.score <= 1 for each in found[note.n])


def test_no_memories_have_no_sentences() -> None:
    assert scored("lark") == {}


TEXT = st.lists(
    st.sampled_from(
        ["lark", "owl", "nests low.", "\n\n", "# Owl\n", "- ", "| a | b |\n|--|--|\n", "猫在睡觉。", "?"]
    )
).map(" ".join)


@given(st.lists(st.tuples(TEXT, st.booleans()), max_size=5), st.data())
def test_scores_are_shares_and_the_best_comes_first(
    notes: list[tuple[str, bool]], data: st.DataObject
) -> None:
    cubes, known = [], {}
    for n, (text, has_vectors) in enumerate(notes, 1):
        cubes.append(memory(text, n))
        ranges = [(each.start, each.end) for each in split_sentences(text)]
        if has_vectors and ranges:
            cosines = [data.draw(st.floats(-1, 1)) for _ in ranges]
            known[n] = Near(max(cosines), 0.0, tuple((*r, c) for r, c in zip(ranges, cosines, strict=True)))
    found = scored("Where does the owl nest?", *cubes, near=known)
    assert found.keys() == {cube.n for cube in cubes}
    for cube in cubes:
        some = found[cube.n]
        scores = [each.score for each in some]
        assert all(0 <= score <= 1 + 1e-9 for score in scores)
        assert scores == sorted(scores, reverse=True)
        bare = {replace(each, score=0.0, cosine=None) for each in some}
        assert bare == {*(split_sentences(cube.text) or [Sentence(0, len(cube.text))])}
        assert all((each.cosine is not None) is (cube.n in known) for each in some)
