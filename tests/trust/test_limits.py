"""What reads or writes a whole vault holds a part of it; scripts/bench/limits.py measures a gigabyte."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from vault_harness import draft

from memos_cli.cube import Filter, Origin
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions
from memos_cli.interface.share.exporting import FORMATS
from memos_cli.settings import Settings

COUNT, LENGTH = 2_500, 1_500
WHOLE = COUNT * LENGTH
PART = WHOLE // 2


def open_vault(folder: Path) -> Memos:
    return Memos(Settings(vault=str(folder), principal="user:ann", embedder="/nowhere"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with more text than any command may hold."""
    folder = tmp_path_factory.mktemp("large") / "vault"
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefgh", k=5)) for _ in range(900)]
    with open_vault(folder) as memos:
        vault = memos.create_vault()
        with vault.change("user:ann", memos.now()) as change:
            source, _ = change.claim_source(Origin("file:///large.txt", "text", "", 0), None)
            texts = (f"{n} {' '.join(draw.choices(words, k=LENGTH // 6))}" for n in range(COUNT))
            drafts = [draft(text, at) for at, text in enumerate(texts)]
            change.add(source, [(each, each.digest(), bytes(32)) for each in drafts], NewMemoryFields())
            change.finish_source(source, "0" * 64, "recipe")
    return folder


def peak(work: Callable[[], object]) -> int:
    """The most bytes that Python held at once while it worked, beyond what it held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_holds_a_part(large: Path, tmp_path: Path, format: str) -> None:
    with open_vault(large) as memos, (tmp_path / "file").open("wb") as file:
        memos.export(stream=file, filter=Filter(), format=format)  # what is imported late is there now
        file.seek(0)
        assert peak(lambda: memos.export(stream=file, filter=Filter(), format=format)) < PART
    assert (tmp_path / "file").stat().st_size > WHOLE


@pytest.mark.parametrize("format", ["mip", "jsonl"])
def test_an_import_holds_a_part(large: Path, tmp_path: Path, format: str) -> None:
    path = tmp_path / f"all.{format}"
    with open_vault(large) as memos, path.open("wb") as file:
        memos.export(stream=file, filter=Filter(), format=format)
    with open_vault(tmp_path / "first") as memos:  # what is imported late, or cached, is there afterwards
        memos.create_vault()
        memos.import_export(path, options=IngestOptions(), embed=False)
    with open_vault(tmp_path / "second") as memos:
        memos.create_vault()
        assert peak(lambda: memos.import_export(path, options=IngestOptions(), embed=False)) < WHOLE
        assert memos.vault.texts == COUNT


def test_a_check_holds_a_part(large: Path) -> None:
    with open_vault(large) as memos:
        assert memos.check() == ([], [])
        assert peak(memos.check) < PART
