"""Sources into the vault, through the API: what an ingest says, who else is at it, and what is frozen."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from vault_harness import NOW, WHO

from memos_cli.cube import STATES, Cube, Filter
from memos_cli.errors import Locked, UsageError
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.ingest import batches
from memos_cli.interface.ingest.ingestion import Ingestion
from memos_cli.interface.options import IngestOptions, ReadOptions

LINES = IngestOptions(hints=ReadOptions(lines=True))


def start(vault: Vault, wishes: IngestOptions = LINES, clock: Callable[[], int] = lambda: NOW) -> Ingestion:
    return Ingestion(
        vault, wishes, principal=WHO, clock=clock, max_bytes=10_000_000,
        on_source=lambda uri: None, on_drafts=lambda count: None,
    )  # fmt: skip


def ingest(
    vault: Vault, text: str, wishes: IngestOptions = LINES, name: str = "notes"
) -> tuple[int, int, int, int]:
    job = start(vault, wishes)
    job.take_text(text.encode(), name)
    return job.added, job.versions, job.unchanged, job.archived


def cubes(vault: Vault, **wanted: Any) -> list[Cube]:
    return list(queries.cubes(vault.connection, Filter(**wanted), now=NOW))


def texts(vault: Vault) -> list[str]:
    return [cube.text for cube in cubes(vault)]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PART", 2)


def test_a_long_source_is_committed_in_parts(vault: Vault, small_parts: None) -> None:
    assert ingest(vault, "a\nb\nc\nd\ne") == (5, 0, 0, 0)
    assert texts(vault) == ["a", "b", "c", "d", "e"]
    assert ingest(vault, "a\nB\nc\nd\ne\nf") == (1, 1, 4, 0)


def meddling_clock(vault: Vault, meddle: Callable[[Vault], object]) -> Callable[[], int]:
    """The clock is read before each transaction: at the second, another process comes in between."""
    ticks = 0

    def clock() -> int:
        nonlocal ticks
        ticks += 1
        if ticks == 2:
            with Vault.open(vault.folder, timeout=1.0) as other:
                meddle(other)
        return NOW

    return clock


@pytest.mark.usefixtures("small_parts")
def test_of_two_ingests_of_one_source_the_later_one_wins(vault: Vault) -> None:
    def meddle(other: Vault) -> None:
        assert ingest(other, "a\nb\nc\nd") == (2, 0, 2, 0)

    with pytest.raises(Locked, match="another memos ingests notes"):
        start(vault, clock=meddling_clock(vault, meddle)).take_text(b"a\nb\nc\nd\ne", "notes")
    assert texts(vault) == ["a", "b", "c", "d"]
    assert ingest(vault, "a\nb\nc\nd\ne") == (1, 0, 4, 0)


def test_an_ingest_of_another_source_does_not_disturb(vault: Vault, small_parts: None) -> None:
    clock = meddling_clock(vault, lambda other: ingest(other, "x\ny", name="others"))
    start(vault, clock=clock).take_text(b"a\nb\nc\nd", "notes")
    assert sorted(texts(vault)) == ["a", "b", "c", "d", "x", "y"]


def test_a_frozen_cube_stays_as_it_is(vault: Vault) -> None:
    ingest(vault, "a\nb")
    vault.connection.execute("UPDATE cube SET frozen = 1")
    assert ingest(vault, "A\nb") == (0, 0, 2, 0)
    assert ingest(vault, "b", IngestOptions(hints=ReadOptions(lines=True), prune=True)) == (0, 0, 1, 0)
    assert texts(vault) == ["a", "b"]


def test_prune_without_a_change_in_the_rest(vault: Vault) -> None:
    ingest(vault, "a\nb\nc")
    assert ingest(vault, "a\nc", IngestOptions(hints=ReadOptions(lines=True), prune=True)) == (0, 0, 2, 1)
    assert [(cube.text, cube.state) for cube in cubes(vault, states=STATES)] == [
        ("a", "generated"), ("b", "archived"), ("c", "generated"),
    ]  # fmt: skip


def test_prune_archives_what_an_earlier_ingest_left(vault: Vault) -> None:
    prune = IngestOptions(hints=LINES.hints, prune=True)
    ingest(vault, "a\nb\nc")
    assert ingest(vault, "a") == (0, 0, 1, 0)
    assert ingest(vault, "a") == (0, 0, 1, 0)
    assert ingest(vault, "a", prune) == (0, 0, 1, 2)
    assert ingest(vault, "a", prune) == (0, 0, 1, 0)


def test_only_a_file_that_is_not_there_is_gone(vault: Vault, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("gone.txt", "hidden.txt", os.fsdecode(b"caf\xe9.txt")):
        (folder / name).write_text(f"What {name.encode('utf-8', 'replace')!r} says.")
    start(vault).take_files([folder], "")
    (folder / "gone.txt").unlink()
    (folder / "hidden.txt").unlink()
    (folder / "hidden.txt").symlink_to("hidden.txt")  # cannot be looked at
    job = start(vault, IngestOptions(hints=LINES.hints, prune=True))
    job.take_files([folder], "")
    assert (job.archived, len(texts(vault))) == (1, 2)


def test_other_wishes_read_an_unchanged_source_again(vault: Vault) -> None:
    ingest(vault, "a\nb")
    tagged = IngestOptions(hints=ReadOptions(lines=True), terms=NewMemoryFields(tags=("home",)))
    assert ingest(vault, "a\nb", tagged) == (0, 0, 2, 0)
    assert {cube.tags for cube in cubes(vault)} == {("home",)}


def test_a_given_time_is_for_what_has_none(vault: Vault) -> None:
    turns = [
        {"role": "user", "content": "Hi.", "time": "2026-05-01T00:00:00Z"},
        {"role": "user", "content": "Ho."},
    ]
    chat = "".join(json.dumps(turn) + "\n" for turn in turns)
    start(vault, IngestOptions(hints=ReadOptions(kind="jsonl"), time=7000)).take_text(chat.encode(), "chat")
    assert [cube.time for cube in cubes(vault)] == [1777593600000, 7000]


def test_an_ingest_that_is_stopped_before_its_end_is_not_taken_for_done(
    vault: Vault, small_parts: None
) -> None:
    ticks = 0

    def clock() -> int:
        nonlocal ticks
        ticks += 1
        if ticks == 2:
            raise KeyboardInterrupt
        return NOW

    with pytest.raises(KeyboardInterrupt):
        start(vault, clock=clock).take_text(b"a\nb\nc", "notes")
    assert texts(vault) == ["a", "b"]
    assert ingest(vault, "a\nb\nc") == (1, 0, 2, 0)


def test_unreadable_input_is_reported(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.txt").write_text("Good.")
    (tmp_path / "bad.txt").write_bytes(bytes(range(256)) * 4)
    job = start(vault, IngestOptions())
    job.take_files([tmp_path / "bad.txt", tmp_path / "in", tmp_path / "none"], "")
    assert job.added == 1
    assert [Path(failure.source).name for failure in job.failed] == ["bad.txt", "none"]


def test_a_kind_that_does_not_exist_ends_it(vault: Vault) -> None:
    with pytest.raises(UsageError):
        start(vault, IngestOptions(hints=ReadOptions(kind="runes"))).take_text(b"x", "notes")


def test_the_text_of_a_document_is_kept_as_a_blob(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "markitdown", converter("# Report\n\nThe pump was replaced.\n"))
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7 not really")
    start(vault, IngestOptions()).take_files([file], "")
    (source,) = queries.sources(vault.connection, WHO)
    assert source.blob is not None
    (cube,) = cubes(vault)
    assert cube.span is not None
    kept = vault.blobs.get(source.blob)
    assert kept[cube.span.start : cube.span.end].decode() == cube.text
    from memos_cli.interface.vault.inspection import details

    file.unlink()
    assert [place.reads for place in details(vault, cube, NOW).places] == ["same"]


def converter(markdown: str) -> ModuleType:
    """Stands in for markitdown, which takes seconds to import."""
    module = ModuleType("markitdown")

    class MarkItDown:
        def __init__(self, **options: object) -> None:
            self.markdown = markdown

        def convert_stream(self, *arguments: object, **options: object) -> object:
            return self

    for name, value in {
        "MarkItDown": MarkItDown,
        "StreamInfo": lambda extension: extension,
        "MarkItDownException": type("MarkItDownException", (Exception,), {}),
        "MissingDependencyException": type("MissingDependencyException", (Exception,), {}),
    }.items():
        setattr(module, name, value)
    return module
