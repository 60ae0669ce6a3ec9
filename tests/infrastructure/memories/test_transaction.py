"""Writes: each leaves its versions, its words and its audit row, or nothing at all."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest
from adapters_harness import teach
from hypothesis import given, settings
from hypothesis import strategies as st
from vault_harness import NOW, WHO, draft, keep, keep_state

from memos_cli.cube import LIVE_STATES, Cube, Filter, Origin
from memos_cli.errors import MemosError
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.memories import filters, queries
from memos_cli.infrastructure.memories.forgetting import forget
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.fulltext import fts_query, query_terms
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault

PARTS = [(0, 5, bytes(6)), (6, 9, bytes(6))]
"""The vectors of two sentences."""
EVER = ("generated", "activated", "merged", "archived", "expired")


def found(vault: Vault, question: str, states: tuple[str, ...] = EVER) -> list[str]:
    """The texts that full-text search finds, in the order of their cubes."""
    expression = fts_query(query_terms(question))
    rows = queries.matches(vault.connection, expression, Filter(states=states), now=NOW, limit=100)
    cubes = queries.by_rowid(vault.connection, [n for n, _ in rows])
    return [cubes[n].text for n in sorted(cubes)]


def cube(vault: Vault, n: int) -> Cube:
    return queries.by_rowid(vault.connection, [n])[n]


def actions(vault: Vault, id: str) -> list[tuple[str, int | None]]:
    return [(row.action, row.version) for row in audit.rows(vault.connection, cube=id, newest=True)][::-1]


def entered(vault: Vault) -> int:
    return int(vault.connection.execute("SELECT count(*) FROM words_docsize").fetchone()[0])


def test_a_draft_becomes_a_cube_with_a_version_a_place_words_and_an_audit_row(vault: Vault) -> None:
    (kept,) = keep(
        vault, draft("Larks nest low.", 40, title="Birds", time=NOW, tags=("nature",)), tags=["read"]
    )
    assert kept.new
    one = cube(vault, kept.cube)
    assert (one.text, one.title, one.version, one.state) == ("Larks nest low.", "Birds", 1, "generated")
    assert (one.owner, one.created, one.time, one.tags) == (WHO, NOW, NOW, ("nature", "read"))
    assert one.source == "file:///notes.md"
    assert one.span is not None
    assert (one.span.start, one.span.end) == (40, 55)
    (version,) = queries.versions(vault.connection, kept.cube)
    assert (version.text, version.principal) == ("Larks nest low.", WHO)
    (stored,) = vault.connection.execute("SELECT sha256 FROM version").fetchone()
    assert stored == hashlib.sha256(b"Larks nest low.").digest()
    assert actions(vault, kept.id) == [("add", 1)]
    assert (
        found(vault, "lark") == found(vault, "bird") == found(vault, "November 2023") == ["Larks nest low."]
    )


def test_the_same_text_is_one_cube_with_two_places(vault: Vault) -> None:
    first, again = keep(vault, "Larks nest low.", "Larks nest low.")
    (elsewhere,) = keep(vault, "Larks nest low.", uri="file:///other.md", tags=["b"])
    assert [first.new, again.new, elsewhere.new] == [True, False, False]
    assert {first.id} == {again.id, elsewhere.id}
    assert len(queries.places_of(vault.connection, first.cube)) == 3
    assert cube(vault, first.cube).tags == ("b",)


def test_an_archived_memory_that_is_met_again_lives_again_once(vault: Vault) -> None:
    (kept,) = keep(vault, "Larks nest low.")
    with vault.change(WHO, NOW) as change:
        change.set_state(kept.cube, "archived", "archive")
    assert found(vault, "larks") == []
    keep(vault, "Larks nest low.", "Larks nest low.", uri="file:///other.md")
    assert cube(vault, kept.cube).state == "activated"
    assert found(vault, "larks") == ["Larks nest low."]
    assert [action for action, _ in actions(vault, kept.id)] == ["add", "archive", "restore"]


def test_a_new_version_replaces_the_words_and_keeps_the_old_text(vault: Vault) -> None:
    (kept,) = keep(vault, draft("Larks nest low.", title="Birds"))
    with vault.change("user:bo", NOW + 1) as change:
        change.revise(kept.cube, "Owls nest high.", "Night", "edit")
    assert (found(vault, "larks"), found(vault, "birds")) == ([], [])
    assert found(vault, "owl") == found(vault, "night") == ["Owls nest high."]
    assert [v.text for v in queries.versions(vault.connection, kept.cube)] == [
        "Owls nest high.",
        "Larks nest low.",
    ]
    assert actions(vault, kept.id) == [("add", 1), ("edit", 2)]
    assert cube(vault, kept.cube).updated == NOW + 1


def test_a_version_from_the_source_takes_its_header_along(vault: Vault) -> None:
    old = draft("See you.", type="dialogue", ref="D1", author="Ann", time=NOW)
    (kept,) = keep(vault, old)
    new = draft("See you soon.", 7, type="dialogue", ref="D1", author="Bo", time=NOW + 86_400_000)
    (place,) = queries.places(vault.connection, 1)
    with vault.change(WHO, NOW) as change:
        change.revise_from_source(kept.cube, place.n, new, bytes(32))
    one = cube(vault, kept.cube)
    assert (one.text, one.author, one.time, one.span) == ("See you soon.", "Bo", NOW + 86_400_000, new.span)
    assert found(vault, "Ann") == []
    assert found(vault, "Bo") == ["See you soon."]
    (again,) = keep(vault, new, uri="file:///other.jsonl")
    assert again.id == kept.id


def test_a_forgotten_memory_leaves_no_word_no_version_and_no_tag_but_the_audit(vault: Vault) -> None:
    gone, stays = keep(vault, "The code is 4711.", "Larks nest low.", tags=["a"])
    with vault.change(WHO, NOW) as change:
        row = change.embedder("f", "name", 2)
        change.put_vectors(row, [(gone.cube, 1, PARTS), (stays.cube, 1, PARTS[:1])])
    with vault.change(WHO, NOW) as change:
        assert forget(change, gone.cube) == []
    assert found(vault, "code 4711") == []
    for table in ("version", "place", "tag", "vector", "words_docsize"):
        assert vault.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,), table
    assert actions(vault, gone.id)[-1] == ("forget", 1)
    (later,) = keep(vault, "Another one.", uri="file:///b")
    assert later.cube > stays.cube > gone.cube


def test_with_a_memory_go_the_states_that_were_made_from_it_and_their_blobs_are_told(vault: Vault) -> None:
    one, two, three = keep(vault, "The code is 4711.", "Larks nest low.", "Owls nest high.")
    first, blob = keep_state(vault, one.cube, two.cube)
    second, other = keep_state(vault, three.cube, pinned=[one.cube], content=b"another")
    stays, kept_blob = keep_state(vault, three.cube, content=b"a third")
    with vault.change(WHO, NOW) as change:
        blobs = forget(change, one.cube)
    assert sorted(blobs) == sorted([blob, other])
    vault.discard_blobs(blobs)
    assert list(vault.blobs.names()) == [kept_blob]
    assert [each.id for each in saved_states.activations(vault.connection, now=NOW)] == [stays]
    assert [actions(vault, id)[-1] for id in (one.id, first, second)] == [("forget", 1)] * 3
    assert {each.text for each in queries.cubes(vault.connection, Filter(), now=NOW)} == {
        "Larks nest low.",
        "Owls nest high.",
    }


def test_a_state_that_is_forgotten_leaves_its_memories(vault: Vault) -> None:
    (kept,) = keep(vault, "Larks nest low.")
    id, blob = keep_state(vault, kept.cube)
    with vault.change(WHO, NOW) as change:
        assert forget(change, queries.get(vault.connection, id).n) == [blob]
    vault.discard_blobs([blob])
    assert saved_states.activations(vault.connection, now=NOW) == []
    assert found(vault, "larks") == ["Larks nest low."]
    assert vault.connection.execute("SELECT count(*) FROM derived").fetchone() == (0,)


def test_only_live_cubes_have_words_and_vectors(vault: Vault) -> None:
    (kept,) = keep(vault, "Larks nest low.")
    with vault.change(WHO, NOW) as change:
        row = change.embedder("f", "name", 2)
        change.put_vectors(row, [(kept.cube, 1, PARTS)])
        change.set_state(kept.cube, "archived", "archive")
        change.put_vectors(row, [(kept.cube, 1, PARTS)])  # came too late
    assert entered(vault) == 0
    assert vault.connection.execute("SELECT count(*) FROM vector").fetchone() == (0,)
    assert queries.without_vector(vault.connection, row, limit=5) == []
    with vault.change(WHO, NOW) as change:
        change.set_state(kept.cube, "activated", "restore")
    assert entered(vault) == 1


def test_new_vectors_of_a_cube_replace_its_old_ones(vault: Vault) -> None:
    kept, other = keep(vault, "Larks nest low.", "Owls nest high.")
    with vault.change(WHO, NOW) as change:
        row, later = change.embedder("f", "name", 2), change.embedder("g", "name", 2)
        change.put_vectors(row, [(kept.cube, 1, PARTS), (other.cube, 1, PARTS)])
        change.put_vectors(later, [(kept.cube, 1, PARTS)])
        change.put_vectors(row, [(kept.cube, 1, PARTS[:1])])
    counts = "SELECT embedder, cube, count(*) FROM vector GROUP BY 1, 2 ORDER BY 1, 2"
    assert vault.connection.execute(counts).fetchall() == [
        (row, kept.cube, 1),
        (row, other.cube, 2),
        (later, kept.cube, 2),
    ]
    with vault.change(WHO, NOW) as change:
        change.drop_embedders(keep=later)
    assert vault.connection.execute(counts).fetchall() == [(later, kept.cube, 2)]
    assert [item[0] for item in queries.without_vector(vault.connection, later, limit=5)] == [other.cube]
    assert queries.without_vector(vault.connection, row, limit=5) == []


def test_a_vector_of_an_older_version_is_dropped(vault: Vault) -> None:
    (kept,) = keep(vault, "Larks nest low.")
    with vault.change(WHO, NOW) as change:
        row = change.embedder("f", "name", 2)
        change.revise(kept.cube, "Owls nest high.", "", "edit")
        change.put_vectors(row, [(kept.cube, 1, PARTS)])
    assert [item[0] for item in queries.without_vector(vault.connection, row, limit=5)] == [kept.cube]


def test_use_warms_a_memory_and_activates_it_once(vault: Vault) -> None:
    (kept,) = keep(vault, "Larks nest low.")
    for time in (1, 2):
        with vault.change(WHO, NOW + time) as change:
            change.use({kept.cube: 1.5 * time})
    one = cube(vault, kept.cube)
    assert (one.state, one.hits, one.last_hit, one.heat) == ("activated", 2, NOW + 2, 3.0)
    assert [action for action, _ in actions(vault, kept.id)] == ["add", "use"]


def test_tags_are_added_and_removed_and_told_only_when_they_change(vault: Vault) -> None:
    (kept,) = keep(vault, "Larks nest low.")
    with vault.change(WHO, NOW) as change:
        assert change.tag(kept.cube, ["a", "b"]) == 2
        assert change.tag(kept.cube, ["a"]) == 0
        assert change.tag(kept.cube, ["a", "c"], remove=True) == 1
    assert cube(vault, kept.cube).tags == ("b",)
    assert [action for action, _ in actions(vault, kept.id)] == ["add", "tag", "untag"]


def test_a_second_reader_of_a_source_takes_the_claim(vault: Vault) -> None:
    origin = Origin("file:///a", "text", "", 0)
    with vault.change(WHO, NOW) as change:
        source, first = change.claim_source(origin, None)
        same, second = change.claim_source(origin, None)
        assert source == same
        assert not change.holds_claim(source, first)
        assert change.holds_claim(source, second)
        change.finish_source(source, "ab", "recipe")
        assert not change.holds_claim(source, second)
    row = queries.source(vault.connection, "file:///a", WHO)
    assert row is not None
    assert (row.sha256, row.recipe) == ("ab", "recipe")


def test_views_are_saved_replaced_and_removed(vault: Vault) -> None:
    with vault.change(WHO, NOW) as change:
        change.set_view("work", filters.filter_to_json(Filter(tags=("a",))))
        change.set_view("work", filters.filter_to_json(Filter(tags=("b",), after=5)))
    assert filters.views(vault.connection) == {"work": Filter(tags=("b",), after=5)}
    with vault.change(WHO, NOW) as change:
        assert change.remove_view("work")
        assert not change.remove_view("work")
    assert filters.views(vault.connection) == {}


def test_pins_keep_their_order_and_are_told_only_when_they_change(vault: Vault) -> None:
    one, two = keep(vault, "Larks nest low.", "Owls nest high.")
    with vault.change(WHO, NOW) as change:
        assert [change.pin("", two.cube), change.pin("", one.cube), change.pin("work", one.cube)] == [
            True
        ] * 3
        assert not change.pin("", two.cube)

    def pinned(view: str) -> list[str]:
        return [each.id for each in queries.pinned(vault.connection, view, now=NOW)]

    assert (pinned(""), pinned("work"), pinned("home")) == ([two.id, one.id], [one.id], [])
    with vault.change(WHO, NOW) as change:
        assert change.unpin("", two.cube)
        assert not change.unpin("", two.cube)
        assert change.pin("", two.cube)  # comes last now
    assert pinned("") == [one.id, two.id]
    assert [action for action, _ in actions(vault, two.id)] == ["add", "pin", "unpin", "pin"]
    assert [row.detail for row in audit.rows(vault.connection, cube=one.id, newest=True)][:2] == [
        '"work"',
        '""',
    ]


def test_pins_go_with_their_view_and_with_their_memory(vault: Vault) -> None:
    one, two = keep(vault, "Larks nest low.", "Owls nest high.")
    with vault.change(WHO, NOW) as change:
        change.set_view("work", filters.filter_to_json(Filter(tags=("a",))))
        for view in ("", "work"):
            for each in (one, two):
                change.pin(view, each.cube)
    with vault.change(WHO, NOW) as change:
        change.remove_view("work")
        forget(change, one.cube)
    assert vault.connection.execute("SELECT view, cube FROM pin").fetchall() == [("", two.cube)]


def test_a_change_that_raises_changes_nothing(vault: Vault) -> None:
    (kept,) = keep(vault, "Larks nest low.")
    with pytest.raises(RuntimeError), vault.change(WHO, NOW) as change:
        change.revise(kept.cube, "Owls nest high.", "", "edit")
        change.add(1, [(draft("new"), draft("new").digest(), bytes(32))], NewMemoryFields())
        raise RuntimeError
    assert cube(vault, kept.cube).text == "Larks nest low."
    assert (found(vault, "owls"), found(vault, "larks")) == ([], ["Larks nest low."])
    assert actions(vault, kept.id) == [("add", 1)]


def test_a_full_disk_undoes_the_whole_change_and_the_next_one_succeeds(vault: Vault) -> None:
    keep(vault, "Larks nest low.")
    (pages,) = vault.connection.execute("PRAGMA page_count").fetchone()
    vault.connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(MemosError, match="disk is full"):
        keep(vault, *(f"{n} " + "x" * 500 for n in range(500)), uri="file:///big")
    assert queries.source(vault.connection, "file:///big", WHO) is None
    assert entered(vault) == 1
    vault.connection.execute("PRAGMA max_page_count = 1000000")
    assert len(keep(vault, *(f"{n} " + "x" * 500 for n in range(500)), uri="file:///big")) == 500


_steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "add",
                "revise",
                "archive",
                "restore",
                "expire",
                "forget",
                "use",
                "pin",
                "promote",
                "teach",
                "ask",
            ]
        ),
        st.integers(0, 9),
        st.sampled_from(
            ["lark nests", "owl 气候政策 flies", "café naïve", "東京タワー", "", "a'b \" * NEAR("]
        ),
    ),
    max_size=14,
)


@settings(max_examples=30)
@given(_steps)
def test_words_follow_the_live_cubes_through_any_changes(steps: list[tuple[str, int, str]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Vault.create(Path(folder), principal=WHO, now=NOW, timeout=1.0) as vault,
    ):
        _apply(vault, steps)
        assert check.examine(vault.folder, timeout=1.0) == []
        live = list(queries.cubes(vault.connection, Filter(), now=NOW))
        assert entered(vault) == len(live)
        for word, spelled in (("lark", "lark"), ("政策", "政策"), ("cafe", "café")):
            texts = [one.text for one in live if spelled in f"{one.title} {one.author} {one.text}"]
            assert found(vault, word) == texts


def _apply(vault: Vault, steps: list[tuple[str, int, str]]) -> None:
    keep(vault, "start")
    for action, which, text in steps:
        cubes = list(queries.cubes(vault.connection, Filter(states=EVER), now=NOW))
        target = cubes[which % len(cubes)] if cubes else None
        if action == "add" or target is None:
            keep(vault, draft(f"{text} {which}", author=text[:3], time=NOW if which % 2 else None))
            continue
        if action == "promote":
            if target.state in LIVE_STATES:
                keep_state(vault, target.n, content=text.encode() or b"state")
            continue
        if action == "teach":
            live = queries.filter_ids(vault.connection, [each.n for each in cubes], now=NOW)
            state = ("generated", "activated", "archived")[which % 3]
            _, blobs = teach(vault, *live[: which + 1], name=text[:1], state=state, content=text.encode())
            vault.discard_blobs(blobs)
            continue
        blobs = []
        with vault.change(WHO, NOW) as change:
            if action == "ask":
                change.log_question(text, {target.n: "text"}, 3)
            elif action == "revise":
                change.revise(target.n, text, text[:2], "edit")
            elif action == "forget":
                blobs = forget(change, target.n)
            elif action == "use":
                change.use({target.n: 1.0})
            elif action == "pin":
                change.pin(text[:1], target.n)
            else:
                state = {"archive": "archived", "restore": "activated", "expire": "expired"}[action]
                change.set_state(target.n, state, action)
        vault.discard_blobs(blobs)
