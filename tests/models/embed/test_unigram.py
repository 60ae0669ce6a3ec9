"""Unigram: text becomes the best pieces of a vocabulary, over a table in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e5_files import PIECES, SCORES, VOCABULARY
from hypothesis import given, settings
from hypothesis import strategies as st

from memos_cli.errors import ModelUnfit
from memos_cli.models.embed.unigram import UnigramTokenizer, UnigramVocabulary, write_table


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> UnigramTokenizer:
    table = tmp_path_factory.mktemp("table") / "vocabulary"
    write_table(VOCABULARY, table)
    return UnigramTokenizer(table, 40)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("  \t ", []),
        ("a", ["▁a"]),
        (" a  ab\tabc", ["▁a", "▁ab", "▁", "abc"]),
        ("Ａ\x07b", ["▁ab"]),
        ("zzz", ["▁", "<unk>"]),
        ("azzb z", ["▁a", "<unk>", "b", "▁", "<unk>"]),
        ("a\x00b", ["▁ab"]),
        ("a\ud800", ["▁a", "<unk>"]),
        ("a<mask></s>", ["▁a", "<unk>", "a", "<unk>"]),
        ("上海上", ["▁", "上海", "上"]),
    ],
)
def test_text_is_cut_into_the_best_pieces(tokenizer: UnigramTokenizer, text: str, pieces: list[str]) -> None:
    assert tokenizer.tokenise(text) == [0, *(PIECES.index(piece) for piece in pieces), 2]


def test_decomposed_letters_are_composed(tokenizer: UnigramTokenizer) -> None:
    assert tokenizer.normalise("e\u0301 \u1112\u1161\u11ab") == "é 한"


@given(st.text("abc上海z", max_size=9))
@settings(max_examples=200)
def test_no_other_way_to_cut_a_word_scores_higher(tokenizer: UnigramTokenizer, text: str) -> None:
    def ways(word: str) -> Iterator[tuple[float, list[int]]]:
        if not word:
            yield 0.0, []
        for end in range(1, len(word) + 1):
            token = PIECES.index(word[:end]) if word[:end] in PIECES else 3
            if token != 3 or end == 1:
                for score, rest in ways(word[end:]):
                    fused = rest if rest[:1] == [token] == [3] else [token, *rest]
                    yield (SCORES[token] if token != 3 else min(SCORES) - 10) + score, fused

    if text:
        found = list(ways("▁" + text))
        best = max(score for score, _ in found)
        assert tokenizer.tokenise(text)[1:-1] in [ids for score, ids in found if score == best]


def test_a_text_over_the_limit_is_cut_and_keeps_its_closing_token(tokenizer: UnigramTokenizer) -> None:
    for text in ("a " * 500, "a" * 5000, "abc上" * 900):
        ids = tokenizer.tokenise(text)
        assert (len(ids), ids[0], ids[-1]) == (40, 0, 2)
    assert len(tokenizer.tokenise("a " * 38)) == 40
    assert tokenizer.tokenise("a " * 39) == tokenizer.tokenise("a " * 38)


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table"
    write_table(VOCABULARY, table)
    whole = table.read_bytes()
    for data in (
        b"",
        b"x" * 200,
        whole[:-1],
        whole + b"x",
        b"y" + whole[1:],
        whole[:16] + b"\xff" * 40 + whole[56:],
    ):
        table.write_bytes(data)
        with pytest.raises(ModelUnfit, match="damaged"):
            UnigramTokenizer(table, 40)


def test_a_vocabulary_that_does_not_fit_the_table_is_refused(tmp_path: Path) -> None:
    for pieces in (["<s>", "a▁b"], ["<s>", "a\0"]):
        with pytest.raises(ModelUnfit):
            write_table(
                UnigramVocabulary(pieces, [0.0, 0.0], frozenset([0]), 0, 0, 0, {}), tmp_path / "table"
            )
