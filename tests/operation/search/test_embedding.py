"""Vectors for the sentences of memories: made once, and made again while the old ones serve."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from bag_of_words import BagOfWords
from cli_harness import with_models
from vault_harness import NOW, WHO, draft, keep, unpack

from memos_cli.cube import Filter
from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vectors import vector_index
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.operation.search import embedding
from memos_cli.operation.search.embedding import SENTENCES, embed_waiting, embedded_texts, row_in_use
from memos_cli.operation.search.sentences import split_sentences
from memos_cli.settings import Settings

ALL = Filter()
LARKS = "Larks nest on the ground, in a hollow of the grass. They sing high above it, from March to July."


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a vault may be made. It is whole at the end."""
    yield tmp_path / "vault"
    assert check.examine(tmp_path / "vault", timeout=1.0) == []


class Interrupted(BagOfWords):
    """Does something before each part that it embeds."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def embed(self, texts: Sequence[str], **options: Any) -> Any:
        self.meanwhile()
        return super().embed(texts, **options)


def embed(vault: Vault, embedder: Any, **options: Any) -> int:
    return embed_waiting(vault, embedder, principal=WHO, clock=lambda: NOW, **options)


def rows(vault: Vault) -> list[tuple[int, str]]:
    """The embedders' rows: (number, fingerprint)."""
    return vault.unrestricted.execute("SELECT n, fingerprint FROM embedder ORDER BY n").fetchall()


def embedded(vault: Vault, embedder: int) -> dict[int, list[tuple[int, int]]]:
    """The ranges that have a vector of ``embedder``, by cube."""
    found: dict[int, list[tuple[int, int]]] = {}
    for cube, start, end in vault.unrestricted.execute(
        "SELECT cube, start, end FROM vector WHERE embedder = ? ORDER BY n", (embedder,)
    ).fetchall():
        found.setdefault(cube, []).append((start, end))
    return found


def sentences(vault: Vault) -> dict[int, list[tuple[int, int]]]:
    """The ranges of the sentences of all live memories."""
    return {
        cube.n: [(each.start, each.end) for each in split_sentences(cube.text)]
        for cube in queries.cubes(vault.unrestricted, ALL, now=NOW)
    }


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "PART", 2)


# --- what is embedded ------------------------------------------------------------------------------------


def test_each_cube_is_embedded_once(vault: Vault) -> None:
    keep(vault, "One.", "Two.", "Three.")
    embedder = BagOfWords()
    assert embed(vault, embedder) == 3
    assert embedder.texts == ["One.", "Two.", "Three."]
    assert embed(vault, embedder) == 0
    assert queries.count_without_vector(vault.connection) == 0


def test_each_sentence_has_a_vector_with_its_place(vault: Vault) -> None:
    keep(vault, LARKS, "Owls.", "?!")
    embedder = BagOfWords()
    assert embed(vault, embedder) == 3
    assert embedder.texts == [LARKS[:51], LARKS[52:], "Owls.", "?!"]
    (row,) = rows(vault)
    assert row[1] == embedder.fingerprint + SENTENCES
    assert embedded(vault, row[0]) == sentences(vault) == {1: [(0, 51), (52, 96)], 2: [(0, 5)], 3: [(0, 2)]}


def test_progress_tells_of_every_text(vault: Vault) -> None:
    keep(vault, LARKS, "Two.", "Three.")
    told: list[int] = []
    embed(vault, BagOfWords(), progress=told.append)
    assert sum(told) == 4
    assert min(told) > 0


def test_what_was_made_before_a_failure_stays(vault: Vault) -> None:
    keep(vault, "One.", "Two.", "Three.", "Four.")
    with pytest.raises(ModelUnfit):
        embed(vault, BagOfWords(most=3))
    assert queries.count_without_vector(vault.connection) == 2
    rest = BagOfWords()
    assert embed(vault, rest) == 2
    assert rest.texts == ["Three.", "Four."]


def test_a_cube_that_changes_while_it_is_embedded_waits_for_another_vector(vault: Vault) -> None:
    keep(vault, LARKS)
    cube = next(queries.cubes(vault.connection, queries.Filter(), now=NOW))
    embedder = Interrupted()

    def edit() -> None:
        embedder.meanwhile = lambda: None
        with vault.change(WHO, NOW) as change:
            change.edit(cube, "Uno.", "")

    embedder.meanwhile = edit
    embed(vault, embedder)
    assert embedded(vault, 1) == {}
    embed(vault, embedder)
    assert embedder.texts[2:] == ["Uno."]
    assert embedded(vault, 1) == {1: [(0, 4)]}
    assert queries.count_without_vector(vault.connection) == 0


def test_only_changed_memories_are_embedded_again(vault: Vault) -> None:
    first, _ = keep(vault, LARKS, "Owls.")
    embedder = BagOfWords()
    embed(vault, embedder)
    with vault.change(WHO, NOW) as change:
        change.edit(queries.get(vault.connection, first.id), "Larks nest high.", "")
    assert embed(vault, embedder) == 1
    assert embedder.texts[3:] == ["Larks nest high."]
    assert embedded(vault, 1) == {1: [(0, 16)], 2: [(0, 5)]}


@pytest.mark.parametrize(
    ("header", "text", "expected"),
    [
        (("document", "notes › Server", ""), "Port 5433.", ["notes › Server: Port 5433."]),
        (("document", "", ""), "Port 5433.", ["Port 5433."]),
        (("fact", "", "Ann"), "Port 5433.", ["Port 5433."]),
        (("dialogue", "chat", "Ann"), "Hello!", ["Ann: Hello!"]),
        (("dialogue", "chat", ""), "Hello!", ["Hello!"]),
        (
            ("dialogue", "chat", "Ann"),
            "I planted tomatoes on the balcony.\n\nThey want much sun and little wind.",
            ["Ann: I planted tomatoes on the balcony.", "Ann: They want much sun and little wind."],
        ),
        (
            ("document", "notes", ""),
            "# Server\n\nIt listens on port 5433.",
            ["notes › Server: It listens on port 5433."],
        ),
        (  # a heading that the title ends with already
            ("document", "notes › Server", ""),
            "## Server\n\nIt listens on port 5433.",
            ["notes › Server: It listens on port 5433."],
        ),
        (
            ("document", "notes", ""),
            "| Host | Port |\n|---|---|\n| lark | 8080 |\n| owl | 9090 |",
            ["notes › Host | Port: | lark | 8080 |", "notes › Host | Port: | owl | 9090 |"],
        ),
        (  # the innermost headings, not the whole path
            ("document", "a › b › c › d", ""),
            "## e\n\nIt listens on port 5433.",
            ["c › d › e: It listens on port 5433."],
        ),
        (("document", "notes", ""), "# Only a heading", ["notes: # Only a heading"]),
    ],
)
def test_the_embedded_text_has_speaker_or_headings(
    header: tuple[str, str, str], text: str, expected: list[str]
) -> None:
    found = embedded_texts(*header, text)
    assert [read for _, read in found] == expected
    assert all(read.endswith(text[each.start : each.end]) for each, read in found)


def test_long_headings_do_not_drown_a_sentence() -> None:
    ((_, read),) = embedded_texts("document", " › ".join("x" * 1000 for _ in range(9)), "", "Port 5433.")
    assert len(read) < 500
    assert read.endswith(": Port 5433.")


def test_titles_and_speakers_reach_the_embedder(vault: Vault) -> None:
    keep(vault, draft("Hello!", type="dialogue", author="Ann"), draft("Port.", 50, title="Server"))
    embedder = BagOfWords()
    embed(vault, embedder)
    assert embedder.texts == ["Ann: Hello!", "Server: Port."]


# --- another embedder ------------------------------------------------------------------------------------


def test_another_embedder_embeds_again(vault: Vault) -> None:
    keep(vault, "One.")
    embed(vault, BagOfWords())
    assert embed(vault, BagOfWords(32)) == 1
    assert [len(embedded(vault, n)) for n, _ in rows(vault)] == [1, 1]


def test_renewing_drops_other_embedders_when_complete(vault: Vault) -> None:
    keep(vault, LARKS, "Owls.", "Crows.")
    old, new = BagOfWords(), BagOfWords(32)
    embed(vault, old)
    assert queries.embedder_in_use(vault.connection) == 1
    new.most = 3
    with pytest.raises(ModelUnfit):
        embed(vault, new, renew=True)
    assert [n for n, _ in rows(vault)] == [1, 2]
    assert queries.embedder_in_use(vault.connection) == 1
    assert row_in_use(vault.connection, old) == 1  # type: ignore[arg-type]
    new.most = 99
    assert embed(vault, new, renew=True) == 1
    assert rows(vault) == [(2, new.fingerprint + SENTENCES)]
    assert queries.embedder_in_use(vault.connection) == 2
    assert new.texts == [LARKS[:51], LARKS[52:], "Owls.", "Crows."]
    assert embedded(vault, 2) == sentences(vault)


def test_renewing_current_vectors_changes_nothing(vault: Vault) -> None:
    keep(vault, LARKS)
    embed(vault, BagOfWords())
    before = vault.connection.execute("SELECT * FROM vector ORDER BY n").fetchall()
    again = BagOfWords()
    assert embed(vault, again, renew=True) == 0
    assert again.texts == []
    assert vault.connection.execute("SELECT * FROM vector ORDER BY n").fetchall() == before


def test_old_vectors_stay_if_a_memory_changed_meanwhile(vault: Vault) -> None:
    """It waits for its new vector: until then the old embedder is the one that knows all."""
    keep(vault, LARKS)
    old, new = BagOfWords(), Interrupted(32)
    embed(vault, old)
    cube = next(queries.cubes(vault.connection, ALL, now=NOW))

    def edit() -> None:
        new.meanwhile = lambda: None
        with vault.change(WHO, NOW) as change:
            change.edit(cube, "Larks nest high.", "")

    new.meanwhile = edit
    embed(vault, new, renew=True)
    assert [n for n, _ in rows(vault)] == [1, 2]
    assert queries.embedder_in_use(vault.connection) == 1
    embed(vault, new, renew=True)
    assert [n for n, _ in rows(vault)] == [2]


def test_the_index_of_a_dropped_embedder_is_deleted(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "FEW", 0)
    keep(vault, LARKS, "Owls.")
    embed(vault, BagOfWords())
    assert [path.name for path in (vault.folder / "index").iterdir()] == ["vectors-1.bin"]
    embed(vault, BagOfWords(32), renew=True)
    assert [path.name for path in (vault.folder / "index").iterdir()] == ["vectors-2.bin"]
    assert check.examine(vault.folder, timeout=1.0) == []


# --- a user and the vault --------------------------------------------------------------------------------


def enter(folder: Path, embedder: BagOfWords, principal: str = WHO) -> Memos:
    memos = Memos(Settings(vault=str(folder), principal=principal), clock=lambda: NOW)
    memos._embedder = embedder  # type: ignore[assignment]
    return memos


def take(memos: Memos, *texts: str, embed: bool = True) -> None:
    memos.ingest(
        options=IngestOptions(hints=ReadOptions(lines=True)), text="\n".join(texts).encode(), embed=embed
    )


def best(memos: Memos, question: str) -> str:
    return memos.search(question, filter=ALL).hits[0].cube.text


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, BagOfWords]:
    """The embedders that can be opened, by name."""
    known = {"bag-64": BagOfWords(), "bag-32": BagOfWords(32)}
    monkeypatch.setattr(Memos, "open_embedder", lambda self, name: known[name])
    return known


@pytest.mark.parametrize("again", ["bag-32", ""])
def test_a_vault_changes_to_another_embedder_and_answers_meanwhile(
    folder: Path, opened: dict[str, BagOfWords], again: str
) -> None:
    with enter(folder, opened["bag-64"]) as memos:
        memos.create_vault()
        memos.vault.set_models("", "bag-64")
        take(memos, "The lark nests low.", "The raven nests high.", "The crow nests anywhere.")
        opened["bag-32"].most = 2
        with pytest.raises(ModelUnfit):
            memos.embed("bag-32")
    with Memos(Settings(vault=str(folder), principal=WHO), clock=lambda: NOW) as memos:
        assert memos.vault.identity.embedder == "bag-64"
        assert memos.count_missing_vectors() == 0
        hit = memos.search("Where does a raven nest?", filter=ALL).hits[0]
        assert hit.cube.text == "The raven nests high."
        assert "cosine" in hit.why
        take(memos, "The wren nests in the hedge.")
        assert memos.count_missing_vectors() == 0
        assert "cosine" in memos.search("Where does a wren nest?", filter=ALL).hits[0].why
        opened["bag-32"].most = 99
        assert memos.embed(again) == 2  # without a name it goes on with the change that was stopped
        assert opened["bag-32"].texts[2:] == ["The crow nests anywhere.", "The wren nests in the hedge."]
        assert best(memos, "Where does a raven nest?") == "The raven nests high."
    with Memos(Settings(vault=str(folder), principal=WHO), clock=lambda: NOW) as memos:
        assert memos.vault.identity.embedder == "bag-32"
        assert [fingerprint for _, fingerprint in rows(memos.vault)] == [
            opened["bag-32"].fingerprint + SENTENCES
        ]
        hit = memos.search("Where does a wren nest?", filter=ALL).hits[0]
        assert hit.cube.text == "The wren nests in the hedge."
        assert "cosine" in hit.why


def test_renewing_keeps_vectors_that_the_caller_may_not_read(folder: Path) -> None:
    with enter(folder, BagOfWords(), "user:ann") as ann:
        ann.create_vault()
        take(ann, "The lark nests low.")
    with enter(folder, BagOfWords(), "user:bo") as bo:
        take(bo, "The owl nests high.")
    with enter(folder, BagOfWords(32), "user:bo") as bo:
        assert len(list(bo.cubes(filter=ALL))) == 1
        assert bo.embed() == 1
    with enter(folder, BagOfWords(), "user:ann") as ann:
        assert "cosine" in ann.search("Where does a lark nest?", filter=ALL).hits[0].why
        assert [n for n, _ in rows(ann.vault)] == [1, 2]
    with enter(folder, BagOfWords(32), "user:ann") as ann:
        assert ann.embed() == 1
        assert [n for n, _ in rows(ann.vault)] == [2]


# --- a vault of 0.1.0 ------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """A vault of 0.1.0 (see vaults/make_format_7.py) with nine memories.

    All have vectors of an embedder with 64 dimensions, the first three also of one with 32.
    """
    yield unpack("embedded-7", tmp_path)
    assert check.examine(tmp_path / "embedded-7", timeout=1.0) == []


def expected(folder: Path) -> dict[str, tuple[str, float]]:
    """What the program of 0.1.0 found there: the best text for each question, and its cosine."""
    found = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return {question: tuple(hits[0]) for question, hits in found.items()}


def test_an_old_vault_is_searched_as_before(old: Path) -> None:
    (finding,) = check.examine(old, timeout=1.0)
    assert finding.what == "format-old"
    embedder = BagOfWords()
    with enter(old, embedder) as memos:
        assert memos.count_missing_vectors() == 6, "of the other embedder, which was begun last"
        for question, (text, cosine) in expected(old).items():
            found = memos.search(question, filter=ALL, k=9).hits
            assert found[0].cube.text == text
            assert found[0].why["cosine"] == pytest.approx(cosine, abs=0.002)
            assert len(found) == 9
            assert all("cosine" in hit.why for hit in found)
        assert not set(embedder.texts) & {cube.text for cube in memos.cubes(filter=ALL)}
        assert sorted(embedder.questions) == sorted(expected(old))
        whole = {
            cube.n: [(0, len(cube.text))] for cube in queries.cubes(memos.vault.unrestricted, ALL, now=NOW)
        }
        assert len(whole) == 9
        assert embedded(memos.vault, 1) == whole
        assert embedded(memos.vault, 2) == {n: whole[n] for n in (1, 2, 3)}


def test_new_memories_in_an_old_vault_get_old_vectors_until_renewed(old: Path) -> None:
    with enter(old, BagOfWords()) as memos:
        take(memos, LARKS)
        assert memos.embedder.texts[-1] == LARKS  # type: ignore[attr-defined]
        assert embedded(memos.vault, 1)[10] == [(0, len(LARKS))]
        hit = memos.search("Where do larks nest?", filter=ALL).hits[0]
        assert (hit.cube.text, "cosine" in hit.why) == (LARKS, True)
        assert [n for n, _ in rows(memos.vault)] == [1, 2]
        assert memos.embed() == 10
        assert len(rows(memos.vault)) == 1
        (row,) = rows(memos.vault)
        assert embedded(memos.vault, row[0]) == sentences(memos.vault)


def test_renewing_an_old_vault_replaces_its_vectors(old: Path) -> None:
    embedder = BagOfWords()
    with enter(old, embedder) as memos:
        assert memos.embed() == 9
        assert rows(memos.vault) == [(3, embedder.fingerprint + SENTENCES)]
        found = embedded(memos.vault, 3)
        assert found == sentences(memos.vault)
        assert sum(map(len, found.values())) > 12
        assert memos.count_missing_vectors() == 0
        for question, (text, _) in expected(old).items():
            assert text in [hit.cube.text for hit in memos.search(question, filter=ALL).hits[:2]]
        assert memos.embed() == 0
        take(memos, LARKS)
        assert embedded(memos.vault, 3)[10] == [(0, 51), (52, 96)]


def test_stopped_renewing_resumes_and_old_vectors_answer_meanwhile(old: Path) -> None:
    made = [0]
    for most in (0, 8, 8):  # sentences, until the embedder fails
        with enter(old, BagOfWords(most=most)) as memos, pytest.raises(ModelUnfit):
            memos.embed()
        with enter(old, BagOfWords()) as memos:
            made.append(len(embedded(memos.vault, 3)))
            assert [n for n, _ in rows(memos.vault)] == [1, 2, 3]
            assert row_in_use(memos.vault.connection, memos.embedder) == 1
            for question, (text, _) in expected(old).items():
                found = memos.search(question, filter=ALL, k=3).hits
                assert found[0].cube.text == text
                assert all("cosine" in hit.why for hit in found)
    assert made == sorted(made)
    assert 0 < made[-1] < 9
    with enter(old, BagOfWords()) as memos:
        assert memos.embed() == 9 - made[-1]
        assert [n for n, _ in rows(memos.vault)] == [3]
        assert embedded(memos.vault, 3) == sentences(memos.vault)


def test_memories_added_while_renewing_are_found_by_meaning(old: Path) -> None:
    with enter(old, BagOfWords(most=5)) as memos, pytest.raises(ModelUnfit):
        memos.embed()
    with enter(old, BagOfWords()) as memos:
        take(memos, LARKS)
        hit = memos.search("Where do larks nest?", filter=ALL).hits[0]
        assert (hit.cube.text, "cosine" in hit.why) == (LARKS, True)
        memos.embed()
        assert [n for n, _ in rows(memos.vault)] == [3]
        assert embedded(memos.vault, 3) == sentences(memos.vault)


def test_a_half_renewed_old_vault_works_with_either_embedder(old: Path) -> None:
    with enter(old, BagOfWords(32)) as memos:  # as 0.1.0 did: what has no vector yet is found by words
        for question, (text, _) in expected(old).items():
            assert best(memos, question) == text
        take(memos, LARKS)
        assert memos.count_missing_vectors() == 0
        assert len(embedded(memos.vault, 2)) == 10
        assert len(embedded(memos.vault, 1)) == 9
    with enter(old, BagOfWords()) as memos:
        assert best(memos, "Which port does the staging database use?").startswith("# Servers")


@pytest.mark.parametrize("dimension", [16, 32, 64, 100])
def test_an_old_vault_changes_to_an_embedder_of_any_dimension(old: Path, dimension: int) -> None:
    embedder = BagOfWords(dimension)
    with enter(old, embedder) as memos:
        assert memos.embed() == 9
        assert [fingerprint for _, fingerprint in rows(memos.vault)] == [embedder.fingerprint + SENTENCES]
        sizes = memos.vault.connection.execute("SELECT DISTINCT length(data) FROM vector").fetchall()
        assert sizes == [(4 + dimension,)]
        hit = memos.search("Which port does the staging database use?", filter=ALL).hits[0]
        assert hit.cube.text.startswith("# Servers")
        assert "cosine" in hit.why


@with_models
def test_an_old_vault_keeps_the_default_of_its_version(tmp_path: Path) -> None:
    """Its VAULT.toml names none. The default has changed since: what it meant then counts."""
    folder = unpack("minilm-7", tmp_path)

    def opened() -> Memos:
        return Memos(Settings(vault=str(folder), principal=WHO), clock=lambda: NOW)

    with opened() as memos:
        for question, (text, cosine) in expected(folder).items():
            found = memos.search(question, filter=ALL, k=3)
            assert found.notes == ()
            assert found.hits[0].cube.text == text
            assert found.hits[0].why["cosine"] == pytest.approx(cosine, abs=0.02)
        take(memos, LARKS)
        assert memos.count_missing_vectors() == 0
        assert len(rows(memos.vault)) == 1
        assert memos.embed() == 10
        assert [fingerprint[64:] for _, fingerprint in rows(memos.vault)] == [SENTENCES]
    with opened() as memos:
        for question, (text, _) in expected(folder).items():
            hit = memos.search(question, filter=ALL, k=3).hits[0]
            assert (hit.cube.text, "cosine" in hit.why) == (text, True)
        assert embedded(memos.vault, rows(memos.vault)[0][0]) == sentences(memos.vault)
    assert check.examine(folder, timeout=1.0) == []


def test_a_vault_that_is_used_with_another_embedder_uses_its_vectors(folder: Path) -> None:
    """As with the setting `embedder`: what is new has a vector, and nothing says that it has none."""
    with enter(folder, BagOfWords()) as memos:
        memos.create_vault()
        take(memos, "The lark nests low.")
    with enter(folder, BagOfWords(32)) as memos:
        done = memos.ingest(options=IngestOptions(), text=b"The raven nests high.")
        assert (done.embedded, done.without_vector) == (2, 0)
        assert memos.count_missing_vectors() == 0
        assert queries.embedder_in_use(memos.vault.connection) == 2
        assert [n for n, _ in rows(memos.vault)] == [1, 2], "nothing is dropped unasked"
        assert [deed for deed in memos.maintain(steps=("embed",)).deeds] == []
    with enter(folder, BagOfWords()) as memos:
        take(memos, "The crow nests anywhere.")
        assert memos.count_missing_vectors() == 0
        assert queries.embedder_in_use(memos.vault.connection) == 1
