"""MemOperator: words and meaning, fused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from vault_harness import NOW, WHO, draft, keep

from memos_cli.cube import Filter, Hit
from memos_cli.infrastructure.storage.fulltext import query_terms
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.operation.search import lexical
from memos_cli.operation.search.embedding import embed_waiting
from memos_cli.operation.search.hybrid_search import QUOTABLE, search
from memos_cli.operation.search.lexical import coverage, weigh

TOPICS = {"cat": 0, "kitten": 0, "Katze": 0, "猫": 0, "server": 1, "machine": 1, "bread": 2}


class Topics:
    """Stands in for an embedder: it knows what a few words are about, and nothing else."""

    name, fingerprint, dimension = "topics", "e" * 64, 4

    def embed(self, texts: Sequence[str], *, query: bool = False, progress: Any = None) -> Any:
        vectors = np.full((len(texts), self.dimension), 0.05, np.float32)
        for row, text in enumerate(texts):
            for word, topic in TOPICS.items():
                vectors[row, topic] += word in text
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def knows(self, text: str) -> bool:
        return "🔴" not in text

    def close(self) -> None:
        pass


@pytest.fixture
def filled(vault: Vault) -> Vault:
    keep(
        vault,
        "My cat sleeps.",
        "The server listens on port 5433.",
        "We bake bread.",
        "猫在睡觉。",
        tags=["a"],
    )
    return vault


@pytest.fixture
def embedded(filled: Vault) -> Vault:
    embed_waiting(filled, Topics(), principal=WHO, clock=lambda: NOW)  # type: ignore[arg-type]
    return filled


def find(
    vault: Vault, question: str, *, meaning: bool = False, k: int = 10, balance: float = 0.5, now: int = NOW,
    **wanted: Any,
) -> list[Hit]:  # fmt: skip
    embedder: Any = Topics() if meaning else None
    return search(vault, question, filter=Filter(**wanted), k=k, now=now, embedder=embedder, balance=balance)


def texts(hits: list[Hit]) -> list[str]:
    return [hit.cube.text for hit in hits]


def test_words_alone_find_what_holds_them(filled: Vault) -> None:
    (hit,) = find(filled, "Which port does the server use?")
    assert hit.cube.text == "The server listens on port 5433."
    assert hit.score == 1.0
    assert hit.why["terms"] == "port server"
    assert 0 < float(hit.why["coverage"]) < 1  # "use" is in none


def test_meaning_finds_sentences_without_common_words(embedded: Vault) -> None:
    assert find(embedded, "kitten") == []
    hits = find(embedded, "kitten", meaning=True)
    assert {*texts(hits[:2])} == {"My cat sleeps.", "猫在睡觉。"}
    for hit in hits:
        assert (float(hit.why["cosine"]) > 0.9) is (hit in hits[:2])
        assert "terms" not in hit.why


def test_words_and_meaning_together_beat_either(embedded: Vault) -> None:
    keep(embedded, "The cat bowl is blue.", uri="more")
    embed_waiting(embedded, Topics(), principal=WHO, clock=lambda: NOW)  # type: ignore[arg-type]
    assert texts(find(embedded, "blue kitten", meaning=True))[0] == "The cat bowl is blue."


def test_balance_weighs_the_two(embedded: Vault) -> None:
    question = "port kitten"
    assert texts(find(embedded, question, meaning=True, balance=0.1))[0].startswith("The server")
    assert texts(find(embedded, question, meaning=True, balance=0.9))[0].startswith("My cat")


def test_words_decide_where_the_embedder_knows_no_better(embedded: Vault) -> None:
    assert texts(find(embedded, "睡觉", meaning=True))[0] == "猫在睡觉。"


def test_a_vault_of_another_embedder_is_searched_by_words(filled: Vault) -> None:
    assert texts(find(filled, "cat", meaning=True)) == ["My cat sleeps."]


def test_filters_hold_for_meaning_too(embedded: Vault) -> None:
    keep(embedded, "The kitten plays.", uri="more", tags=["b"])
    embed_waiting(embedded, Topics(), principal=WHO, clock=lambda: NOW)  # type: ignore[arg-type]
    assert texts(find(embedded, "cat", meaning=True, tags=("b",))) == ["The kitten plays."]
    assert find(embedded, "cat", meaning=True, tags=("c",)) == []


def test_what_has_expired_is_not_found_either_way(embedded: Vault) -> None:
    embedded.connection.execute("UPDATE cube SET expires = ?", (NOW + 10,))
    assert texts(find(embedded, "cat", meaning=True, k=1)) == ["My cat sleeps."]
    assert find(embedded, "cat", meaning=True, now=NOW + 10) == []


def test_what_is_not_live_is_not_found(embedded: Vault) -> None:
    (hit,) = find(embedded, "port")
    with embedded.change(WHO, NOW) as change:
        change.set_state(hit.cube.n, "archived", "archive")
    assert "5433" not in str(texts(find(embedded, "port server", meaning=True)))


def test_no_more_than_asked_for(embedded: Vault) -> None:
    assert len(find(embedded, "cat", meaning=True, k=2)) == 2
    assert len(find(embedded, "cat", meaning=True)) == 4


def test_nothing_to_look_for_finds_nothing(filled: Vault) -> None:
    assert find(filled, "?!") == []


def test_equal_hits_keep_their_order(vault: Vault) -> None:
    keep(vault, draft("Tea one."), draft("Tea two.", 20), draft("Tea six.", 40))
    assert texts(find(vault, "tea")) == ["Tea one.", "Tea two.", "Tea six."]


def test_scores_are_between_0_and_1_and_fall(embedded: Vault) -> None:
    scores = [hit.score for hit in find(embedded, "cat server bread", meaning=True)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_frequent_words_count_where_they_stand_with_others(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a search costs does not grow with the vault; what holds most of the question comes first."""
    monkeypatch.setattr(lexical, "POSTINGS", 3)
    usual = ("Usual is what goes on and on in this house.", "What is usual goes on and on in that house.")
    keep(vault, *(f"Common word {n}." for n in range(9)), "Common rare.", "Common and usual.", *usual)
    assert texts(find(vault, "common rare")) == ["Common rare."]
    assert texts(find(vault, "common usual"))[0] == "Common and usual."
    assert texts(find(vault, "rare common usual"))[:2] == ["Common rare.", "Common and usual."]
    assert len(find(vault, "common", k=20)) == 11
    assert len(find(vault, "common word", k=20)) == 9
    assert find(vault, "common usual", tags=("nowhere",)) == []


@pytest.mark.parametrize("reads", [True, False])
def test_vectors_count_for_chinese_as_far_as_the_embedder_reads_it(filled: Vault, reads: bool) -> None:
    """Measured: does it find a sentence nearer to its translation than to another one in its language?"""

    class Either(Topics):
        fingerprint = ("a" if reads else "b") * 64

        def embed(self, texts: Sequence[str], *, query: bool = False, progress: Any = None) -> Any:
            if "会议讨论了气候政策和碳税。" in texts:
                said, other, translated = np.eye(4, dtype=np.float32)[[0, 1, 0] if reads else [0, 0, 1]]
                return np.stack([said, other, translated])
            return super().embed(texts)

    embedder: Any = Either()
    embed_waiting(filled, embedder, principal=WHO, clock=lambda: NOW)
    hits = search(filled, "小猫在哪里睡觉", filter=Filter(), k=5, now=NOW, embedder=embedder, balance=0.9)
    found = {hit.cube.text: hit.relevance for hit in hits}
    assert (found["My cat sleeps."] > 0.5) is reads


def test_rare_words_count_more(filled: Vault) -> None:
    keep(filled, "The server hums.", uri="more")
    (total,) = filled.connection.execute("SELECT count(*) FROM words_docsize").fetchone()
    server, port = weigh(filled.connection, query_terms("server port"), total)
    assert (server.cubes, port.cubes) == (2, 1)
    assert port.idf == pytest.approx(math.log(1 + (5 - 1 + 0.5) / 1.5))
    assert coverage([server, port], {"port"}) > 0.5 > coverage([server, port], {"server"})
    assert coverage([server, port], {"server", "port"}) == pytest.approx(1.0)
    assert coverage([], set()) == 0.0


def test_words_set_aside_lower_no_relevance(filled: Vault) -> None:
    def covered(question: str, aside: str) -> float:
        (hit,) = search(
            filled, question, filter=Filter(), k=1, now=NOW, embedder=None, balance=0.5, aside=aside
        )
        return float(hit.why["coverage"])

    assert covered("bread last month", "") < 0.5
    assert covered("bread last month", "last month") == 1.0
    assert covered("bake cake last month", "last month") == covered("bake cake", "")


def test_pairs_of_characters_that_reach_into_words_set_aside_go_with_them(vault: Vault) -> None:
    keep(vault, "大伟弹琴。")
    question, when = "大伟上个月说了什么?", "上个月"
    for aside, expected in (("", False), (when, True)):
        (hit,) = search(
            vault, question, filter=Filter(), k=1, now=NOW, embedder=None, balance=0.5, aside=aside
        )
        assert (hit.why["coverage"] == 1.0) is expected


def test_words_set_aside_still_find(filled: Vault) -> None:
    (hit,) = search(filled, "bread", filter=Filter(), k=1, now=NOW, embedder=None, balance=0.5, aside="bread")
    assert (hit.cube.text, hit.why["coverage"]) == ("We bake bread.", 1.0)


# --- the sentences of what was found ---------------------------------------------------------------------

NOTE = """# Server

It listens on port 5433, as all know by now. The cat sleeps on it all day long, for it is warm.

Bread is baked in the other room by my brother."""


def quoted(hit: Hit) -> list[str]:
    return [hit.cube.text[each.start : each.end] for each in hit.sentences]


@pytest.mark.parametrize("meaning", [True, False])
def test_a_hit_has_its_matching_sentences(vault: Vault, meaning: bool) -> None:
    keep(vault, NOTE, "The machine hums.")
    embed_waiting(vault, Topics(), principal=WHO, clock=lambda: NOW)  # type: ignore[arg-type]
    for question, first in (
        ("Which port does it listen on?", "It listens on port"),
        ("Where does the cat sleep?", "The cat sleeps"),
        ("Who bakes the bread?", "Bread is baked"),
    ):
        hit = next(each for each in find(vault, question, meaning=meaning) if each.cube.text == NOTE)
        assert len(hit.sentences) == 3
        assert quoted(hit)[0].startswith(first)
        assert [each.heading for each in hit.sentences] == ["Server"] * 3
        scores = [each.score for each in hit.sentences]
        assert scores == sorted(scores, reverse=True)
        assert all((each.cosine is not None) is meaning for each in hit.sentences)


def test_a_memory_is_as_near_as_its_best_sentence(vault: Vault) -> None:
    keep(vault, NOTE, "The cat and the server and the bread.")
    embed_waiting(vault, Topics(), principal=WHO, clock=lambda: NOW)  # type: ignore[arg-type]
    hits = {hit.cube.text: hit for hit in find(vault, "kitten", meaning=True)}
    note = hits[NOTE]
    assert quoted(note)[0].startswith("The cat sleeps")
    assert float(note.why["cosine"]) == pytest.approx(note.sentences[0].cosine, abs=0.001)
    assert (
        float(note.why["cosine"]) > 0.9 > float(hits["The cat and the server and the bread."].why["cosine"])
    )


def test_only_the_best_hits_have_sentences(vault: Vault) -> None:
    keep(vault, *(f"Tea number {n} is green." for n in range(QUOTABLE + 5)))
    hits = find(vault, "green tea", k=QUOTABLE + 5)
    assert [len(hit.sentences) for hit in hits] == [1] * QUOTABLE + [0] * 5


def test_the_embedder_gets_questions_as_queries(vault: Vault) -> None:
    class Listening(Topics):
        asked: ClassVar[list[tuple[list[str], bool]]] = []

        def embed(self, texts: Sequence[str], *, query: bool = False, progress: Any = None) -> Any:
            self.asked.append(([*texts], query))
            return super().embed(texts)

    keep(vault, "My cat sleeps.")
    embedder: Any = Listening()
    embed_waiting(vault, embedder, principal=WHO, clock=lambda: NOW)
    search(vault, "kitten?", filter=Filter(), k=5, now=NOW, embedder=embedder, balance=0.5)
    assert embedder.asked == [(["My cat sleeps."], False), (["kitten?"], True)]


def test_a_memory_in_another_script_is_relevant_by_meaning(embedded: Vault) -> None:
    """No word of the question can stand in it."""
    hits = {hit.cube.text: hit for hit in find(embedded, "Is the kitten asleep?", meaning=True)}
    other, same = hits["猫在睡觉。"], hits["My cat sleeps."]
    assert "script" in other.why
    assert "script" not in same.why
    assert other.relevance > hits["We bake bread."].relevance
