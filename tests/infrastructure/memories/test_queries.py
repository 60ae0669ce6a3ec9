"""Reading: filters, ids, places, and words, each as the command line relies on them."""

from __future__ import annotations

from typing import Any

import pytest
from vault_harness import NOW, WHO, draft, keep, keep_state

from memos_cli.cube import PAYLOADS, STATES, Filter
from memos_cli.errors import UsageError
from memos_cli.infrastructure.memories import filters, key_values, queries
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.vault.vault import Vault

DAY = 86_400_000


def texts(vault: Vault, now: int = NOW, **fields: object) -> list[str]:
    """What passes a filter; the same by the three ways that a filter is asked for."""
    filter = Filter(**fields)  # type: ignore[arg-type]
    cubes = list(queries.cubes(vault.connection, filter, now=now))
    assert sorted(queries.numbers(vault.connection, filter, now=now)) == [cube.n for cube in cubes]
    matched = queries.matches(vault.connection, '"every"', filter, now=now, limit=100)
    assert sorted(n for n, _ in matched) == [
        cube.n for cube in cubes if cube.state in ("generated", "activated")
    ]
    return [cube.text for cube in cubes]


def test_a_filter_restricts_by_type_source_and_tag(vault: Vault) -> None:
    keep(vault, draft("every a", type="fact", tags=("work",)), draft("every b", 50, tags=("work/climate",)))
    keep(vault, draft("every c", type="fact", tags=("workshop",)), uri="file:///100%_sure.md")
    assert texts(vault) == ["every a", "every b", "every c"]
    assert texts(vault, types=("fact",)) == ["every a", "every c"]
    assert texts(vault, types=("fact", "document")) == ["every a", "every b", "every c"]
    assert texts(vault, tags=("work",)) == ["every a", "every b"]
    assert texts(vault, tags=("work/climate",)) == ["every b"]
    assert texts(vault, tags=("work", "workshop")) == []
    assert texts(vault, tags=("w_rk",)) == texts(vault, tags=("%",)) == []
    assert texts(vault, source="0%_s") == ["every c"]


def test_time_bounds_include_the_start_and_exclude_the_end(vault: Vault) -> None:
    keep(
        vault,
        *(draft(f"every {n}", n * 50, time=NOW - n * DAY) for n in range(3)),
        draft("every undated", 900),
    )
    assert texts(vault, after=NOW - DAY) == ["every 0", "every 1", "every undated"]
    assert texts(vault, before=NOW - DAY) == ["every 2"]
    assert texts(vault, after=NOW - DAY, before=NOW) == ["every 1"]
    assert texts(vault, after=NOW - DAY, before=NOW, undated=True) == ["every 1", "every undated"]


def test_an_expired_memory_is_hidden_from_its_last_moment_on(vault: Vault) -> None:
    keep(vault)  # a source without cubes
    one = draft("every a")
    with vault.change(WHO, NOW) as change:
        (kept,) = change.add(1, [(one, one.digest(), bytes(32))], NewMemoryFields(expires=NOW + 5))
    assert texts(vault, NOW + 4) == ["every a"]
    assert texts(vault, NOW + 5) == []
    assert texts(vault, NOW + 5, states=STATES) == texts(vault, NOW + 5, states=("expired",)) == ["every a"]
    assert texts(vault, NOW + 4, states=("expired",)) == []
    assert queries.filter_ids(vault.connection, [kept.cube], now=NOW + 5) == []
    assert queries.filter_ids(vault.connection, [kept.cube], now=NOW + 4) == [kept.cube]
    with vault.change(WHO, NOW) as change:
        change.set_state(kept.cube, "expired", "expire")
    assert texts(vault, NOW + 5, states=("expired",)) == ["every a"]


def test_other_states_are_shown_when_they_are_asked_for(vault: Vault) -> None:
    one, _ = keep(vault, "every a", "every b")
    with vault.change(WHO, NOW) as change:
        change.set_state(one.cube, "archived", "archive")
    assert texts(vault) == ["every b"]
    assert texts(vault, states=("archived",)) == ["every a"]


def test_saved_states_are_shown_only_when_they_are_asked_for(vault: Vault) -> None:
    (kept,) = keep(vault, draft("every a", tags=("work",)))
    id, _ = keep_state(vault, kept.cube)

    def ids(**fields: Any) -> list[str]:
        return [each.id for each in queries.cubes(vault.connection, Filter(**fields), now=NOW)]

    assert texts(vault) == ["every a"]
    assert ids(payloads=("activation",)) == [id]
    assert ids(payloads=PAYLOADS) == ids(payloads=()) == [kept.id, id]
    assert ids(payloads=("parametric",)) == ids(payloads=("activation",), tags=("work",)) == []
    assert queries.get(vault.connection, id).text == ""
    assert queries.count_without_vector(vault.connection) == 1


def test_pinned_memories_that_are_not_live_stand_in_no_prompt(vault: Vault) -> None:
    (stays,) = keep(vault, "every b", uri="file:///b")
    archived, brief = draft("every a"), draft("every c", 50)
    with vault.change(WHO, NOW) as change:
        old, soon = change.add(
            1,
            [(each, each.digest(), bytes(32)) for each in (archived, brief)],
            NewMemoryFields(expires=NOW + 5),
        )
        for cube in (soon.cube, stays.cube, old.cube):
            change.pin("work", cube)
        change.set_state(old.cube, "archived", "archive")

    def pinned(now: int) -> list[str]:
        return [each.text for each in queries.pinned(vault.connection, "work", now=now)]

    assert pinned(NOW + 4) == ["every c", "every b"]
    assert pinned(NOW + 5) == ["every b"]
    assert queries.pinned(vault.connection, "", now=NOW) == []


def test_those_of_a_few_cubes_that_pass_a_filter(vault: Vault) -> None:
    one, two = keep(vault, draft("every a", type="fact"), draft("every b", 50))
    numbers = [one.cube, two.cube]
    passing = queries.filter_ids(vault.connection, numbers, now=NOW, filter=Filter(types=("fact",)))
    assert passing == [one.cube]
    assert queries.filter_ids(vault.connection, numbers, now=NOW) == numbers


def test_an_id_may_be_shortened_as_long_as_it_names_one_cube(vault: Vault) -> None:
    one, other = keep(vault, draft("a", ref="D1:1"), "b")
    assert queries.get(vault.connection, one.id).text == "a"
    assert queries.get(vault.connection, other.id.lower()).text == "b"
    assert queries.get(vault.connection, "D1:1").text == "a"
    shared = len([1 for left, right in zip(one.id, other.id, strict=True) if left == right][:10])
    with pytest.raises(UsageError, match="more than one"):
        queries.get(vault.connection, one.id[:shared])


@pytest.mark.parametrize("prefix", ["", " ", "zzz", "%", "_", "'", "0" * 40, "é"])
def test_what_names_no_cube_says_so(vault: Vault, prefix: str) -> None:
    keep(vault, "a")
    with pytest.raises(UsageError, match=r"no memory|more than one"):
        queries.get(vault.connection, prefix)


def test_the_first_of_several_places_is_the_source_that_is_shown(vault: Vault) -> None:
    (kept,) = keep(vault, draft("a", 7))
    keep(vault, draft("a", 9), uri="file:///later.md")
    cube = queries.get(vault.connection, kept.id)
    assert cube.source == "file:///notes.md"
    assert cube.span is not None
    assert cube.span.start == 7
    places = queries.places_of(vault.connection, kept.cube)
    assert [(row.uri, span.start) for row, span, _ in places] == [
        ("file:///notes.md", 7),
        ("file:///later.md", 9),
    ]
    assert [place.shared for place in queries.places(vault.connection, places[0][0].n)] == [True]


def test_cubes_come_oldest_or_newest_first_and_no_more_than_asked(vault: Vault) -> None:
    keep(vault, *"abc")
    rows = queries.cubes(vault.connection, Filter(), now=NOW, newest=True, limit=2)
    assert [cube.text for cube in rows] == ["c", "b"]


def test_many_numbers_are_read_in_parts(vault: Vault) -> None:
    kept = keep(vault, *(f"text {n}" for n in range(1200)))
    wanted = [each.cube for each in kept]
    assert len(queries.by_rowid(vault.connection, [*wanted, 99_999])) == 1200
    assert queries.filter_ids(vault.connection, [*wanted, 99_999], now=NOW) == wanted


def test_a_rare_word_counts_more_than_a_frequent_one(vault: Vault) -> None:
    keep(vault, "lark lark", "lark owl", "lark", "lark stone")
    rows = queries.matches(vault.connection, '"lark" OR "owl"', Filter(), now=NOW, limit=2)
    assert queries.by_rowid(vault.connection, [rows[0][0]])[rows[0][0]].text == "lark owl"
    assert rows[0][1] > rows[1][1]


def test_a_filter_is_read_back_as_it_was_saved() -> None:
    filter = Filter(
        tags=("a b", "é"), types=("fact",), source="x", after=1, before=2, undated=True, payloads=()
    )
    assert filters.filter_from_json(filters.filter_to_json(filter)) == filter
    assert filters.filter_from_json("{}") == Filter()


def test_what_waits_for_an_embedder_goes_when_it_comes(vault: Vault) -> None:
    keep(vault, "a", "b")
    assert queries.count_without_vector(vault.connection) == 2
    with vault.change(WHO, NOW) as change:
        row = change.embedder("f", "name", 2)
    first, second = queries.without_vector(vault.connection, row, limit=5)
    assert (first[0], first[5], second[5]) == (1, "a", "b")
    assert [item[5] for item in queries.without_vector(vault.connection, row, limit=1, after=1)] == ["b"]
    with vault.change(WHO, NOW) as change:
        change.put_vectors(row, [(1, 1, [(0, 1, bytes(6))])])
    assert queries.count_without_vector(vault.connection) == 1


def test_waiting_memories_are_counted_for_the_embedder_in_use(vault: Vault) -> None:
    keep(vault, "a", "b")
    assert queries.embedder_in_use(vault.connection) == 0
    with vault.change(WHO, NOW) as change:
        first = change.embedder("f", "name", 2)
        change.put_vectors(first, [(1, 1, [(0, 1, bytes(6))]), (2, 1, [(0, 1, bytes(6))])])
        second = change.embedder("g", "other", 2)
        change.put_vectors(second, [(1, 1, [(0, 1, bytes(6))])])
    db = vault.connection
    assert queries.embedder_in_use(db) == second  # the newest, where nothing else is said
    assert [queries.count_without_vector(db, n) for n in (0, first, second)] == [1, 0, 1]
    with vault.change(WHO, NOW) as change:
        key_values.put(change, queries.EMBEDDER, str(first))
    assert queries.embedder_in_use(db) == first
    assert queries.count_without_vector(db) == 0
    with vault.change(WHO, NOW) as change:
        change.drop_embedders(keep=second)
    assert queries.embedder_in_use(db) == second  # what it names has gone
    with vault.change(WHO, NOW) as change:
        key_values.put(change, queries.EMBEDDER, "no number")
    assert queries.embedder_in_use(db) == second


def test_an_archived_memory_that_is_edited_waits_for_nothing(vault: Vault) -> None:
    (kept,) = keep(vault, "a")
    with vault.change(WHO, NOW) as change:
        row = change.embedder("f", "name", 2)
        change.set_state(kept.cube, "archived", "archive")
        change.revise(kept.cube, "b", "", "edit")
    assert queries.without_vector(vault.connection, row, limit=5) == []
