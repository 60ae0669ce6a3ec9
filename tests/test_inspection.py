"""Looking closely: one cube with proof, and the vault in numbers."""

from __future__ import annotations

from pathlib import Path

from conftest import NOW, WHO, draft, keep

from memos_cli.infrastructure.vault import Vault
from memos_cli.interface.inspection import measure, show


def test_a_span_is_proved_by_the_bytes_that_stand_there(vault: Vault, tmp_path: Path) -> None:
    from memos_cli.interface.ingestion import Ingestion, Wishes

    file = tmp_path / "Ärger im Büro.txt"
    file.write_text("Größe: fünf.\n")
    job = Ingestion(
        vault, Wishes(), principal=WHO, clock=lambda: NOW, max_bytes=1000,
        on_source=lambda uri: None, on_drafts=lambda count: None,
    )  # fmt: skip
    job.take_files([file], "")
    (place,) = show(vault, job.ids[0]).places
    assert (place.source, place.reads) == (file.as_uri(), "same")
    assert file.read_bytes()[place.span.start : place.span.end].decode() == "Größe: fünf."
    file.write_text("Größe: fünf?\n")
    assert show(vault, job.ids[0]).places[0].reads == "changed"
    file.write_text("Größe")
    assert show(vault, job.ids[0]).places[0].reads == "changed"
    file.unlink()
    assert show(vault, job.ids[0]).places[0].reads == "gone"


def test_every_place_of_a_cube_is_shown(vault: Vault) -> None:
    (kept,) = keep(vault, "Same.", uri="one")
    keep(vault, "Same.", uri="two")
    assert [(place.source, place.reads) for place in show(vault, kept.id).places] == [
        ("one", "not kept"), ("two", "not kept"),
    ]  # fmt: skip


def test_a_cube_without_a_place_is_shown_too(vault: Vault) -> None:
    (kept,) = keep(vault, "Left.")
    vault.connection.execute("DELETE FROM place")
    assert show(vault, kept.id).places == ()


def test_the_vault_in_numbers(vault: Vault) -> None:
    first, second, third = keep(
        vault, "One.", draft("Two.", 50, type="fact"), draft("Three.", 90), tags=["a"]
    )
    with vault.change(WHO, NOW) as change:
        change.use({first.cube: 1.0, second.cube: 2.0})
        change.set_state(third.cube, "archived", "archive")
    numbers = measure(vault, 2)
    assert (numbers.cubes, numbers.types) == ({"activated": 2, "archived": 1}, {"document": 1, "fact": 1})
    assert (numbers.versions, numbers.sources, numbers.tags, numbers.hits) == (3, 1, 1, 2)
    assert (numbers.embedded, numbers.without_vector) == (0, 2)
    assert [cube.text for cube in numbers.hottest] == ["Two.", "One."]
    assert numbers.bytes["database"] > 0 == numbers.bytes["blobs"]


def test_an_empty_vault_in_numbers(vault: Vault) -> None:
    numbers = measure(vault, 0)
    assert (numbers.cubes, numbers.versions, numbers.embedded, numbers.hottest) == ({}, 0, 0, ())
