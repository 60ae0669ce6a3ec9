"""The vectors' index: as good as looking at every vector, and never a reason for another answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from vault_harness import NOW, WHO, keep

from memos_cli.infrastructure.memories.forgetting import forget
from memos_cli.infrastructure.memories.repairs import repair_vectors
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vectors import vector_index

Floats = NDArray[np.float32]
SIZE = 72  # not a multiple of 64: the last word of signs is half full


def unit(rows: int, seed: int, size: int = SIZE) -> Floats:
    """Vectors in clusters, as texts of some topics have them."""
    chance = np.random.default_rng(seed)
    topics = chance.normal(size=(max(1, rows // 8), size))
    found = topics[chance.integers(0, len(topics), rows)] + 0.7 * chance.normal(size=(rows, size))
    return (found / np.linalg.norm(found, axis=1)[:, None]).astype(np.float32)


def embed(vault: Vault, vectors: Floats, first: int = 1, *, sentences: int = 1) -> int:
    """Give cubes from the number ``first`` on their vectors, to each those of so many sentences.

    Returns the embedder's row.
    """
    codes = vector_index.encode(vectors)
    with vault.change(WHO, NOW) as change:
        row = change.embedder("fingerprint", "name", vectors.shape[1])
        change.put_vectors(
            row,
            [
                (
                    first + n,
                    1,
                    [(at, at + 1, data) for at, data in enumerate(codes[start : start + sentences])],
                )
                for n, start in enumerate(range(0, len(codes), sentences))
            ],
        )
    return row


def truth(vectors: Floats, query: Floats, k: int, allowed: list[int] | None = None) -> list[int]:
    cubes = np.arange(1, len(vectors) + 1)
    scores = vectors @ query
    order = np.lexsort((cubes, -scores))
    return [int(cubes[at]) for at in order if allowed is None or cubes[at] in allowed][:k]


def truth_of_sentences(vectors: Floats, query: Floats, sentences: int) -> list[tuple[int, float]]:
    """The cubes by their best sentence: (cube, cosine), the best first."""
    best = (vectors @ query).reshape(-1, sentences).max(axis=1)
    return [(int(at) + 1, float(best[at])) for at in np.lexsort((np.arange(len(best)), -best))]


def ask(vault: Vault, row: int, query: Floats, k: int, allowed: list[int] | None = None) -> list[int]:
    found = vector_index.nearest(vault.connection, vault.snapshots, row, query, k, allowed)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert len({cube for cube, _ in found}) == len(found)
    return [cube for cube, _ in found]


def fill(vault: Vault, rows: int, seed: int = 1) -> tuple[int, Floats]:
    keep(vault, *(f"text {n}" for n in range(rows)))
    vectors = unit(rows, seed)
    return embed(vault, vectors), vectors


def refresh(vault: Vault, row: int, *, force: bool = True) -> bool:
    return vector_index.refresh(vault.connection, vault.snapshots, row, SIZE, force=force)


def snapshot(vault: Vault, row: int) -> Path:
    return vault.folder / "index" / f"vectors-{row}.bin"


def test_codes_keep_a_vector_to_within_half_a_step() -> None:
    vectors = unit(50, 3)
    for vector, data in zip(vectors, vector_index.encode(vectors), strict=True):
        scale = np.frombuffer(data[:4], "<f4")[0]
        assert len(data) == 4 + SIZE
        assert np.abs(np.frombuffer(data[4:], np.int8) * scale - vector).max() <= scale / 2 * 1.001
    assert vector_index.encode(np.zeros((1, 4), np.float32))[0][4:] == bytes(4)


@pytest.mark.parametrize("taken", [0, 60, 120])
def test_the_nearest_are_those_that_looking_at_every_vector_finds(vault: Vault, taken: int) -> None:
    """``taken``: how many of the rows are in the snapshot; the rest came later."""
    keep(vault, *(f"text {n}" for n in range(120)))
    vectors = unit(120, 1)
    row = embed(vault, vectors[:taken]) if taken else embed(vault, vectors)
    if taken:
        refresh(vault, row)
        embed(vault, vectors[taken:], taken + 1)
    assert snapshot(vault, row).exists() == (taken > 0)
    for query in unit(20, 2):
        for k in (1, 7, 120, 500):
            found = vector_index.nearest(vault.connection, vault.snapshots, row, query, k)
            assert len(found) == min(k, 120)
            exact = vectors @ query
            for cube, score in found:
                assert abs(score - exact[cube - 1]) < 0.01
            assert min(exact[cube - 1] for cube, _ in found) > np.sort(exact)[::-1][len(found) - 1] - 0.02


def test_a_filter_leaves_only_what_it_allows(vault: Vault) -> None:
    row, vectors = fill(vault, 100)
    refresh(vault, row)
    extra = unit(20, 9)
    keep(vault, *(f"more {n}" for n in range(20)), uri="file:///more")
    embed(vault, extra, 101)
    everything = np.concatenate([vectors, extra])
    query = unit(1, 5)[0]
    allowed = [*range(10, 40), 105, 106, 9999]
    assert set(ask(vault, row, query, 50, allowed)) == set(truth(everything, query, 50, allowed))
    assert ask(vault, row, query, 5, allowed)[0] == truth(everything, query, 1, allowed)[0]
    assert ask(vault, row, query, 5, []) == []


def test_forgotten_and_changed_cubes_drop_out_of_the_snapshot(vault: Vault) -> None:
    row, vectors = fill(vault, 100)
    refresh(vault, row)
    query = unit(1, 5)[0]
    best = ask(vault, row, query, 60)
    with vault.change(WHO, NOW) as change:
        for cube in best[:40]:
            forget(change, cube)
        change.revise(best[40], "something else", "", "edit")
        change.set_state(best[41], "archived", "archive")
    assert ask(vault, row, query, 5) == [cube for cube in truth(vectors, query, 100) if cube in best[42:]][:5]
    assert len(ask(vault, row, query, 100)) == 58


@pytest.fixture
def by_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots of any size hold signs, and few rows are scored exactly."""
    monkeypatch.setattr(vector_index, "_BITS_FROM", 0)
    monkeypatch.setattr(vector_index, "_RESCORED", 150)


@pytest.mark.usefixtures("by_signs")
def test_signs_find_nearly_all_of_the_nearest(vault: Vault) -> None:
    row, vectors = fill(vault, 1500)
    refresh(vault, row)
    queries = unit(1500, 1)[::50] + 0.3 * unit(30, 4)
    queries /= np.linalg.norm(queries, axis=1)[:, None]
    hits = sum(len(set(ask(vault, row, query, 10)) & set(truth(vectors, query, 10))) for query in queries)
    assert hits / (10 * len(queries)) >= 0.95


@pytest.mark.usefixtures("by_signs")
def test_signs_serve_filters_deletions_and_newer_rows_too(vault: Vault) -> None:
    row, vectors = fill(vault, 300)
    refresh(vault, row)
    keep(vault, *(f"more {n}" for n in range(20)), uri="file:///more")
    extra = unit(20, 9)
    embed(vault, extra, 301)
    everything = np.concatenate([vectors, extra])
    query = extra[3]
    assert ask(vault, row, query, 1) == [304]
    gone = truth(everything, query, 30)
    with vault.change(WHO, NOW) as change:
        for cube in gone:
            forget(change, cube)
    assert not set(ask(vault, row, query, 280)) & set(gone)
    allowed = list(range(200, 310))
    left = set(truth(everything, query, 320, allowed)) - set(gone)
    assert set(ask(vault, row, query, 320, allowed)) == left


def test_it_is_written_anew_only_when_much_has_changed(vault: Vault) -> None:
    row, _ = fill(vault, 2100)
    assert refresh(vault, row, force=False)
    assert not refresh(vault, row, force=False)
    before = snapshot(vault, row).read_bytes()
    assert refresh(vault, row)
    assert snapshot(vault, row).read_bytes() == before
    assert not list((vault.folder / "index").glob(".*"))


def test_a_vault_without_vectors_finds_nothing(vault: Vault) -> None:
    row = embed(vault, np.zeros((0, SIZE), np.float32))
    query = unit(1, 1)[0]
    assert ask(vault, row, query, 5) == []
    refresh(vault, row)
    assert vector_index.agrees(vault.connection, vault.snapshots, row, SIZE)
    assert ask(vault, row, query, 5) == []


@pytest.mark.parametrize("signs", [False, True])
def test_damage_of_any_bit_is_noticed_and_changes_no_answer(
    vault: Vault, signs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if signs:
        monkeypatch.setattr(vector_index, "_BITS_FROM", 0)
    row, _ = fill(vault, 80)
    refresh(vault, row)
    path = snapshot(vault, row)
    whole = path.read_bytes()
    query = unit(1, 5)[0]
    wanted = ask(vault, row, query, 10)
    assert vector_index.agrees(vault.connection, vault.snapshots, row, SIZE)
    step = max(1, len(whole) // 150)
    for at in [*range(64), *range(64, len(whole), step)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        assert vector_index.load(vault.snapshots, row, SIZE) is None, f"byte {at}"
        assert ask(vault, row, query, 10) == wanted
    for cut in (b"", whole[:10], whole[:64], whole[:-64], whole + bytes(64), bytes(len(whole))):
        path.write_bytes(cut)
        assert ask(vault, row, query, 10) == wanted
        assert not vector_index.agrees(vault.connection, vault.snapshots, row, SIZE)
    assert refresh(vault, row)
    assert path.read_bytes() == whole


def test_an_index_of_a_database_that_was_restored_from_a_backup_is_ignored(vault: Vault) -> None:
    row, vectors = fill(vault, 40)
    refresh(vault, row)
    vault.connection.execute("UPDATE sqlite_sequence SET seq = 30 WHERE name = 'vector'")
    vault.connection.execute("DELETE FROM vector WHERE n > 30")
    query = unit(1, 5)[0]
    wanted = truth(vectors[:30], query, 3)
    assert set(ask(vault, row, query, 3)) == set(wanted)
    assert not vector_index.agrees(vault.connection, vault.snapshots, row, SIZE)
    with vault.change(WHO, NOW) as change:
        repair_vectors(change)
    snapshot(vault, row).unlink()


# --- several sentences a memory --------------------------------------------------------------------------


@pytest.mark.parametrize("signs", [False, True])
@pytest.mark.parametrize("taken", [0, 40, 60])
def test_a_memory_is_found_once_by_its_nearest_sentence(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, taken: int, signs: bool
) -> None:
    """``taken``: how many of the memories are in the snapshot; the rest came later."""
    monkeypatch.setattr(vector_index, "_BITS_FROM", 0 if signs else 10_000)
    monkeypatch.setattr(vector_index, "_RESCORED", 10_000)
    keep(vault, *(f"text {n}" for n in range(60)))
    vectors = unit(60 * 5, 1)
    row = embed(vault, vectors[: 5 * (taken or 60)], sentences=5)
    if taken:
        refresh(vault, row)
        embed(vault, vectors[5 * taken :], taken + 1, sentences=5)
    assert snapshot(vault, row).exists() == (taken > 0)
    for query in unit(20, 2):
        exact = dict(truth_of_sentences(vectors, query, 5))
        for k in (1, 7, 59, 60, 500):
            found = vector_index.nearest(vault.connection, vault.snapshots, row, query, k)
            assert len({cube for cube, _ in found}) == len(found) == min(k, 60)
            assert all(abs(score - exact[cube]) < 0.01 for cube, score in found)
            left_out = exact.keys() - {cube for cube, _ in found}
            assert all(exact[cube] < found[-1][1] + 0.02 for cube in left_out)


@pytest.mark.parametrize("later", [0, 30])
def test_memories_of_many_sentences_do_not_crowd_out_others(vault: Vault, later: int) -> None:
    """The 50 nearest sentences are all of one memory; the others are found all the same."""
    keep(vault, *(f"text {n}" for n in range(31)))
    query = unit(1, 5)[0]
    crowd = query + 0.01 * unit(50, 6)
    crowd /= np.linalg.norm(crowd, axis=1)[:, None]
    others = unit(30, 7)
    row = embed(vault, crowd.astype(np.float32), sentences=50)
    if not later:
        embed(vault, others, 2)
    refresh(vault, row)
    if later:
        embed(vault, others, 2)
    found = ask(vault, row, query, 10)
    assert found[0] == 1
    assert set(found) == {1, *(cube + 1 for cube in truth(others, query, 9))}
    assert ask(vault, row, query, 10, [1, 4, 5])[0] == 1
    assert set(ask(vault, row, query, 10, [1, 4, 5])) == {1, 4, 5}


def test_sentences_are_compared_with_a_question_in_their_order(vault: Vault) -> None:
    keep(vault, "one", "two", "three", "four")
    vectors = unit(12, 1)
    codes = vector_index.encode(vectors)
    with vault.change(WHO, NOW) as change:
        row = change.embedder("fingerprint", "name", SIZE)
        change.put_vectors(
            row,
            [
                (1, 1, [(20, 30, codes[2]), (0, 9, codes[0]), (10, 19, codes[1])]),
                (3, 1, [(0, 5, codes[3])]),
                (4, 1, [(5 * n, 5 * n + 4, codes[4 + n]) for n in range(8)]),
            ],
        )
    query = unit(1, 2)[0]
    found = vector_index.compare(vault.connection, row, query, [4, 3, 2, 1, 99])
    assert found.keys() == {1, 3, 4}
    for cube, start, end in ((1, 0, 3), (3, 3, 4), (4, 4, 12)):
        near, exact = found[cube], vectors[start:end] @ query
        mean = vectors[start:end].sum(axis=0)
        assert [cosine for *_, cosine in near.sentences] == pytest.approx(exact, abs=0.01)
        assert near.best == pytest.approx(exact.max(), abs=0.01)
        assert near.mean == pytest.approx(mean @ query / np.linalg.norm(mean), abs=0.01)
        assert near.meaning == pytest.approx((near.best + near.mean) / 2)
        stored = vector_index.stored(vault.connection, row, cube)
        assert stored is not None
        assert stored == pytest.approx(mean / np.linalg.norm(mean), abs=0.02)
    assert [place[:2] for place in found[1].sentences] == [(0, 9), (10, 19), (20, 30)]
    assert found[3].best == pytest.approx(found[3].mean, abs=1e-3)
    assert vector_index.compare(vault.connection, row, query, []) == {}
    assert vector_index.compare(vault.connection, row, query[:64], [1, 3, 4]) == {}
    assert vector_index.compare(vault.connection, row + 1, query, [1, 3, 4]) == {}
    assert vector_index.stored(vault.connection, row, 2) is None


def test_more_memories_than_one_statement_takes_are_compared(vault: Vault) -> None:
    row, vectors = fill(vault, 1200)
    query = unit(1, 2)[0]
    found = vector_index.compare(vault.connection, row, query, [*range(1, 1201)])
    assert [found[n].best for n in range(1, 1201)] == pytest.approx(vectors @ query, abs=0.01)


def test_new_vectors_of_a_memory_take_the_place_of_its_old_ones(vault: Vault) -> None:
    keep(vault, "one", "two")
    row = embed(vault, unit(6, 1), sentences=3)
    (last,) = vault.connection.execute("SELECT max(n) FROM vector").fetchone()
    embed(vault, unit(2, 2), sentences=2)
    rows = vault.connection.execute("SELECT n, cube, embedder, start FROM vector ORDER BY n").fetchall()
    assert [row[1:] for row in rows] == [(2, row, 0), (2, row, 1), (2, row, 2), (1, row, 0), (1, row, 1)]
    assert rows[-2][0] > last, "no number is used twice: an index would take it for what it was"


def test_a_folder_that_was_deleted_is_made_again(vault: Vault) -> None:
    row, _ = fill(vault, 5)
    (vault.folder / "index").rmdir()
    assert len(ask(vault, row, unit(1, 5)[0], 3)) == 3
    assert refresh(vault, row)


@pytest.mark.parametrize("bits", [True, False])
def test_the_index_holds_the_only_copy_of_nothing(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, bits: bool
) -> None:
    """Deleted, it is made again by `check --repair`, to the bit; and between, the same is found."""
    monkeypatch.setattr(vector_index, "_BITS_FROM", 10 if bits else 10_000)
    monkeypatch.setattr(vector_index, "FEW", 100)
    row, _ = fill(vault, 300)
    refresh(vault, row)
    queries = unit(5, 9)
    wanted = [ask(vault, row, query, 10) for query in queries]
    content = snapshot(vault, row).read_bytes()
    snapshot(vault, row).unlink()
    assert [ask(vault, row, query, 10) for query in queries] == wanted
    (finding,) = check.examine(vault.folder, timeout=5.0)
    assert (finding.rule, finding.what) == ("should", "index-missing")
    check.repair(vault, [finding], principal=WHO, now=NOW)
    assert snapshot(vault, row).read_bytes() == content
    assert [ask(vault, row, query, 10) for query in queries] == wanted
    snapshot(vault, row).write_bytes(content[:-64] + bytes(64))  # damaged while the vault is open
    assert [ask(vault, row, query, 10) for query in queries] == wanted
    refresh(vault, row)
