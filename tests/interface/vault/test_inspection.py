"""Looking closely: one cube with proof, and the vault in numbers."""

from __future__ import annotations

from pathlib import Path

from vault_harness import NOW, WHO, draft, keep, keep_state

from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.results import MemoryDetails
from memos_cli.interface.vault.inspection import details as shown_of
from memos_cli.interface.vault.inspection import measure


def show(vault: Vault, id: str, now: int) -> MemoryDetails:
    return shown_of(vault, queries.get(vault.connection, id), now)


def test_a_span_is_proved_by_the_bytes_that_stand_there(vault: Vault, tmp_path: Path) -> None:
    from memos_cli.interface.ingest.ingestion import Ingestion
    from memos_cli.interface.options import IngestOptions

    file = tmp_path / "Ärger im Büro.txt"
    file.write_text("Größe: fünf.\n")
    job = Ingestion(
        vault, IngestOptions(), principal=WHO, clock=lambda: NOW, max_bytes=1000,
        on_source=lambda uri: None, on_drafts=lambda count: None,
    )  # fmt: skip
    job.take_files([file], "")
    (place,) = show(vault, job.ids[0], NOW).places
    assert (place.source, place.reads) == (file.as_uri(), "same")
    assert file.read_bytes()[place.span.start : place.span.end].decode() == "Größe: fünf."
    file.write_text("Größe: fünf?\n")
    assert show(vault, job.ids[0], NOW).places[0].reads == "changed"
    file.write_text("Größe")
    assert show(vault, job.ids[0], NOW).places[0].reads == "changed"
    file.unlink()
    assert show(vault, job.ids[0], NOW).places[0].reads == "gone"


def test_every_place_of_a_cube_is_shown(vault: Vault) -> None:
    (kept,) = keep(vault, "Same.", uri="one")
    keep(vault, "Same.", uri="two")
    assert [(place.source, place.reads) for place in show(vault, kept.id, NOW).places] == [
        ("one", "not kept"), ("two", "not kept"),
    ]  # fmt: skip


def test_a_cube_without_a_place_is_shown_too(vault: Vault) -> None:
    (kept,) = keep(vault, "Left.")
    vault.connection.execute("DELETE FROM place")
    assert show(vault, kept.id, NOW).places == ()


def test_a_memory_is_shown_with_the_states_that_it_is_in_and_a_state_with_its_memories(vault: Vault) -> None:
    one, two = keep(vault, "One.", "Two.")
    id, blob = keep_state(vault, two.cube, pinned=[one.cube], view="work")
    for kept in (one, two):
        shown = show(vault, kept.id, NOW)
        assert shown.activation is None
        assert [state.id for state in shown.states] == [id]
    shown = show(vault, id, NOW)
    assert (shown.cube.payload, shown.cube.text, shown.states, shown.places) == ("activation", "", (), ())
    assert shown.activation is not None
    state = shown.activation.state
    assert (state.view, state.blob, state.size, len(state.tokens)) == ("work", blob, 5, 64)
    assert [(source.id, source.version, source.part) for source in shown.activation.sources] == [
        (one.id, 1, "pinned"), (two.id, 1, "document"),
    ]  # fmt: skip
    assert shown.activation.stale == ""
    with vault.change(WHO, NOW) as change:
        change.edit(queries.get(vault.connection, two.id), "Two and a half.", "")
    changed = show(vault, id, NOW).activation
    assert changed is not None
    assert changed.stale == "source changed"


def test_the_vault_in_numbers(vault: Vault) -> None:
    first, second, third = keep(
        vault, "One.", draft("Two.", 50, type="fact"), draft("Three.", 90), tags=["a"]
    )
    with vault.change(WHO, NOW) as change:
        change.use({first.cube: 1.0, second.cube: 2.0})
        change.set_state(third.cube, "archived", "archive")
    numbers = measure(vault, 2, NOW, 14.0)
    assert (numbers.cubes, numbers.types) == ({"activated": 2, "archived": 1}, {"document": 1, "fact": 1})
    assert (numbers.versions, numbers.sources, numbers.tags, numbers.hits) == (3, 1, 1, 2)
    assert (numbers.embedded, numbers.without_vector) == (0, 2)
    assert [cube.text for cube in numbers.hottest] == ["Two.", "One."]
    assert numbers.bytes["database"] > 0 == numbers.bytes["blobs"]


def test_saved_states_in_numbers_are_no_memories(vault: Vault) -> None:
    one, two = keep(vault, "One.", "Two.")
    id, _ = keep_state(vault, one.cube)
    keep_state(vault, two.cube, content=b"a longer one")
    with vault.change(WHO, NOW) as change:
        cube = queries.get(vault.connection, id).n
        change.use({cube: 5.0, two.cube: 1.0})
        saved_states.count_saving(change, cube, 1.5)
        saved_states.count_saving(change, cube, 0.25)
        change.revise(two.cube, "Two!", "", "edit")
    numbers = measure(vault, 2, NOW, 14.0)
    assert numbers.states == {"count": 2, "bytes": 17, "hits": 1, "seconds_saved": 1.75, "stale": 1}
    assert (numbers.cubes, numbers.types) == ({"activated": 2}, {"document": 2})
    assert (numbers.hits, [each.text for each in numbers.hottest]) == (1, ["Two!"])
    assert (numbers.embedded, numbers.bytes["blobs"]) == (0, 17)


def test_an_empty_vault_in_numbers(vault: Vault) -> None:
    numbers = measure(vault, 0, NOW, 14.0)
    assert (numbers.cubes, numbers.versions, numbers.embedded, numbers.hottest) == ({}, 0, 0, ())
    assert numbers.states == {"count": 0, "bytes": 0, "hits": 0, "seconds_saved": 0, "stale": 0}
