"""Which questions an adapter is asked: by what it has learned, and by what it must not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from adapters_harness import teach
from bag_of_words import BagOfWords
from vault_harness import NOW, WHO, draft, keep

from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.derived.adapters import Lesson
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.operation.adapters.routing import repertoire_of, stored_repertoire
from memos_cli.operation.search.embedding import embed_waiting, row_in_use

LESSONS = (
    Lesson("What is the cat called?", "It is called Miso.", "fact", False, 1, "Miso"),
    Lesson("Which port does the database use?", "Port 5433.", "fact", False, 2, "5433"),
    Lesson("What is the parrot called?", "", "near miss", False),
    Lesson("Which name has the kitten?", "It is called Miso.", "fact", True, 1, "Miso"),
    Lesson("Which password has the database?", "", "near miss", True),
    Lesson("What is the capital of France?", "", "control", False),
)


def embed(texts: Sequence[str]) -> Any:
    return BagOfWords(256).embed(texts, query=True)


def vector(text: str) -> Any:
    return embed([text])[0]


@pytest.fixture
def taught(vault: Vault) -> Vault:
    keep(vault, draft("My cat is called Miso."), draft("The database listens on port 5433.", 100))
    teach(vault, 1, 2, lessons=LESSONS)
    return vault


def test_a_question_is_compared_with_what_was_trained_and_with_nothing_else() -> None:
    known = repertoire_of(LESSONS, embed)
    assert known.questions == tuple(each.question for each in LESSONS[:3])
    asked = known.likeness(vector("Which port does the database use again?"))
    assert asked is not None
    assert (asked.question, asked.source) == (LESSONS[1].question, 2)
    assert asked.value > 0.8
    miss = known.likeness(vector("What is the parrot called?"))
    assert miss is not None and miss.value < 0.75
    held_out = known.likeness(vector("Which name has the kitten?"))
    assert held_out is not None and held_out.value < 0.75
    foreign = known.likeness(vector("Who painted that old bridge?"))
    assert foreign is not None and foreign.value < 0.75


def test_a_learned_question_is_like_itself_and_a_few_near_it_are_better_than_one() -> None:
    one = repertoire_of(LESSONS[:1], embed).likeness(vector(LESSONS[0].question))
    assert one is not None and one.value == pytest.approx(1.0)
    more = [
        replace(LESSONS[0], question=text) for text in ("What is my cat called?", "How is the cat called?")
    ]
    asked = vector("What is our cat called?")
    alone, among = (repertoire_of(each, embed).likeness(asked) for each in (LESSONS[:1], (LESSONS[0], *more)))
    assert alone is not None and among is not None and alone.value < among.value


@pytest.mark.parametrize("lessons", [(), LESSONS[2:3], LESSONS[3:]], ids=["none", "near misses", "held out"])
def test_an_adapter_that_has_learned_no_question_is_like_none(lessons: Sequence[Lesson]) -> None:
    assert repertoire_of(lessons, embed).likeness(vector("What is the cat called?")) is None


def test_a_near_miss_lowers_the_likeness_of_questions_near_it() -> None:
    asked = vector("What is the tired parrot called?")
    free, warned = (repertoire_of(LESSONS[:n], embed).likeness(asked) for n in (2, 3))
    assert free is not None and warned is not None and warned.value < free.value


def embed_all(vault: Vault, embedder: BagOfWords, *, renew: bool = False) -> int:
    embed_waiting(vault, embedder, principal=WHO, clock=lambda: NOW, renew=renew)
    return row_in_use(vault.connection, embedder)


def test_stored_vectors_say_what_new_ones_say(taught: Vault) -> None:
    cube = adapters.adapters(taught.connection, now=NOW)[0].cube
    embedder = BagOfWords(256)
    row = embed_all(taught, embedder)
    assert embedder.questions == [each.question for each in LESSONS if each.kind != "control"]

    def never(texts: Sequence[str]) -> Any:
        raise AssertionError("its vectors are stored")

    stored = stored_repertoire(taught.connection, cube, row, 256, never)
    new = repertoire_of([replace(each, held_out=False) for each in LESSONS], embed)
    assert (stored.questions, stored.sources) == (new.questions, new.sources)
    assert np.array_equal(stored.is_miss, new.is_miss)
    assert np.allclose(stored.vectors, new.vectors, atol=0.01)
    embed_all(taught, embedder)
    assert len(embedder.questions) == 5, "they were made twice"


def test_vectors_are_made_for_each_embedder_and_go_with_it_and_with_their_memory(taught: Vault) -> None:
    count = "SELECT count(*) FROM lesson_vector WHERE embedder = ?"
    cube = adapters.adapters(taught.connection, now=NOW)[0].cube
    old = embed_all(taught, BagOfWords(256))
    new = embed_all(taught, BagOfWords(128), renew=True)
    assert [taught.connection.execute(count, (row,)).fetchone()[0] for row in (old, new)] == [0, 5]
    made = stored_repertoire(taught.connection, cube, 0, 256, embed)  # of an embedder that has none
    assert made.questions == tuple(each.question for each in LESSONS if each.kind != "control")
    taught.connection.execute("DELETE FROM lesson WHERE source = 1")
    assert taught.connection.execute(count, (new,)).fetchone() == (3,)


def test_adapters_that_are_not_used_get_no_vectors(vault: Vault) -> None:
    keep(vault, draft("My cat is called Miso."))
    teach(vault, 1, lessons=LESSONS[:1], state="archived", report={"passed": False})
    embed_all(vault, BagOfWords(256))
    assert vault.connection.execute("SELECT count(*) FROM lesson_vector").fetchone() == (0,)


def test_a_vector_of_another_length_is_like_nothing(taught: Vault) -> None:
    cube = adapters.adapters(taught.connection, now=NOW)[0].cube
    row = embed_all(taught, BagOfWords(256))
    taught.connection.execute("UPDATE lesson_vector SET data = x'00' WHERE position = 0")
    found = stored_repertoire(taught.connection, cube, row, 256, embed).likeness(vector(LESSONS[0].question))
    assert found is None or found.value < 0.9
    (told,) = check.examine(taught.folder, timeout=5.0)
    assert (told.rule, told.what, told.where) == ("should", "vectors-useless", "lesson_vector")
    check.repair(taught, [told], principal=WHO, now=NOW)
    assert embed_all(taught, BagOfWords(256)) == row
    made = stored_repertoire(taught.connection, cube, row, 256, lambda texts: pytest.fail("not stored"))
    assert made.likeness(vector(LESSONS[0].question)) is not None
