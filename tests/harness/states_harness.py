"""A user who promotes memories and asks: a vault with a tiny model, watched while it reads and restores.

The fixtures ``model``, ``desk`` and ``harbour`` are every test's (see conftest.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tiny_models import write_model

from memos_cli.cube import Filter, Plan
from memos_cli.infrastructure.derived.saved_states import Activation
from memos_cli.infrastructure.storage.database import connect
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions, IngestOptions, ReadOptions
from memos_cli.interface.results import Answer
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.moments import parse_time
from memos_cli.operation.states.activation import Promoted
from memos_cli.settings import Settings

START = parse_time("2026-06-15T12:00:00Z")
DAY = 86_400_000
HARBOUR = (
    "The harbour lantern is lit by the keeper at dusk, and put out again when the first boat has left it.",
    "The harbour wall was raised by a metre in the year after the flood, with granite from the quarry.",
    "The harbour office keeps the other keys, and there the pilot signs for them when he takes them out.",
)
ORCHARD = (
    "The orchard lantern is lit by the keeper at dawn, and put out again when the first cart has left it.",
    "The orchard wall was raised by a metre in the year after the storm, with granite from the quarry.",
    "The orchard office keeps the other keys, and there the picker signs for them when he takes them out.",
)
KITCHEN = "The kitchen clock is ten minutes fast, and nobody in the house has ever wanted to set it right."
HOUSE = "The house is called Larkspur; it stands behind the harbour, and the other house beside it is empty."
QUESTION = "Does the keeper of the harbour lantern have a clock?"


@dataclass
class Desk:
    """A user whose clock can be set. Each ``open`` is what one command would be."""

    folder: Path
    settings: dict[str, Any]
    loads: list[int]
    """How many tokens each state had that was given to llama.cpp."""
    reads: list[int]
    """How many tokens llama.cpp has computed, batch by batch."""
    written: list[str]
    """What the model has written, answer by answer, before anything is cut off."""
    now: int = START
    filter: Filter = field(default_factory=Filter)
    manner: AnswerOptions = field(default_factory=lambda: AnswerOptions(max_tokens=24))

    def open(self) -> Memos:
        settings = Settings(vault=str(self.folder), principal="user:ann", **self.settings)
        return Memos(settings, clock=lambda: self.now)

    def keep(self, *texts: str, **wishes: Any) -> list[str]:
        with self.open() as memos:
            made = memos.ingest(
                options=IngestOptions(hints=ReadOptions(lines=True), **wishes),
                text="\n".join(texts).encode(),
                embed=False,
            )
        return list(made.ids)

    def promote(self, *ids: str, **options: Any) -> Promoted:
        with self.open() as memos:
            return memos.promote(ids, **options)

    def edit(self, id: str, text: str) -> None:
        with self.open() as memos:
            assert memos.edit(id, text=text).changed

    def set(self, id: str, state: str, action: str) -> None:
        with self.open() as memos, memos.vault.change(memos.principal, self.now) as change:
            change.set_state(memos.show(id).cube.n, state, action)

    def renew(self, id: str, expires: int | None) -> None:
        """Give a memory another end of its life, or none."""
        with self.open() as memos, memos.vault.change(memos.principal, self.now) as change:
            change.renew(memos.show(id).cube.n, expires)

    def demote(self, *ids: str) -> None:
        with self.open() as memos:
            memos.demote(ids)

    def ask(self, question: str = QUESTION, *, text: bool = False) -> Answer:
        with self.open() as memos:
            return memos.query(question, filter=self.filter, options=replace(self.manner, text_only=text))

    def explain(self, question: str = QUESTION) -> Plan:
        with self.open() as memos:
            return memos.plan(question, filter=self.filter, options=self.manner)

    def states(self) -> list[Activation]:
        with self.open() as memos:
            return memos.activations()

    def paces(self) -> list[dict[str, float]]:
        """What is kept of the costs of reading."""
        with closing(connect(self.folder / "memos.db", timeout=1.0)) as db:
            rows = db.execute("SELECT value FROM policy WHERE name LIKE 'pace:%'").fetchall()
        return [json.loads(value) for (value,) in rows]

    def state(self, id: str) -> Activation:
        return next(each for each in self.states() if each.id == id)

    def blob(self, id: str = "") -> Path:
        (found,) = [each.state.blob for each in self.states() if each.id == id or not id]
        return self.folder / "blobs" / found[:2] / found

    def files(self) -> set[str]:
        """What lies in the vault beside the database."""
        return {
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.startswith("memos.db")
        }

    def execute(self, statement: str, *values: object) -> None:
        with closing(connect(self.folder / "memos.db", timeout=1.0)) as db:
            assert db.execute(statement, values).rowcount > 0


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf", "llama", context=4096)


@pytest.fixture
def desk(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A user with some memories. Whatever becomes of the states, the vault is whole at the end."""
    loads: list[int] = []
    reads: list[int] = []
    written: list[str] = []
    restore, decode, generate = Engine.restore, Engine.decode, Engine.generate

    def watched_restore(engine: Engine, state: memoryview, tokens: Sequence[int]) -> None:
        loads.append(len(tokens))
        restore(engine, state, tokens)

    def watched_decode(engine: Engine, tokens: Sequence[int]) -> None:
        reads.append(len(tokens))
        decode(engine, tokens)

    def watched_generate(engine: Engine, **options: Any) -> Iterator[str]:
        written.append("")
        for piece in generate(engine, **options):
            written[-1] += piece
            yield piece

    monkeypatch.setattr(Engine, "restore", watched_restore)
    monkeypatch.setattr(Engine, "decode", watched_decode)
    monkeypatch.setattr(Engine, "generate", watched_generate)
    monkeypatch.setenv("MEMOS_CACHE", str(tmp_path / "cache"))
    settings = {
        "reader": str(model),
        "query_answer": "model",
        "query_relevance": 0.1,
        "threads": 1,
    }
    desk = Desk(tmp_path / "vault", settings, loads, reads, written)
    with desk.open() as memos:
        memos.create_vault()
    yield desk
    with desk.open() as memos:
        found, _ = memos.check(repair=True)
        assert found == []


@pytest.fixture
def harbour(desk: Desk) -> list[str]:
    desk.keep(KITCHEN, HOUSE)
    return desk.keep(*HARBOUR)


def injected(plan: Plan) -> list[tuple[str, str, int, int, str]]:
    """What a plan puts before the model, in order, without what changes with each use (heat and hits)."""
    return [(item.form, item.part, item.label, item.tokens, item.hit.cube.id) for item in plan.chosen]
