"""Adapters as a promotion keeps them, without any training: nothing in storage looks into weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from cli_harness import Shell, tiny_reader
from vault_harness import NOW, WHO

from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.derived.adapters import Adapter, Lesson, Weights
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.memory import Memos
from memos_cli.operation.adapters import gate, training_set
from memos_cli.settings import Settings

REPORT: dict[str, Any] = {
    "passed": True,
    "checks": [
        {"name": "recall", "value": 0.91, "limit": 0.8, "passed": True, "detail": "10 of 11"},
        {"name": "near misses", "value": 0.05, "limit": 0.1, "passed": True, "detail": ""},
    ],
    "reason": "",
    "recall": {"adapter": 0.91, "base": 0.0},
}
REFUSED: dict[str, Any] = {**REPORT, "passed": False, "reason": "recall 0.41 is below 0.8"}
MODEL = "ab" * 32


def weights(vault: Vault, content: bytes, *, report: dict[str, Any] | None = None, **others: Any) -> Weights:
    """Weights whose blob is durable."""
    fields: dict[str, Any] = {
        "blob": vault.blobs.put(content),
        "size": len(content),
        "model": "tiny",
        "fingerprint": {"model": MODEL, "template": "cd"},
        "recipe": {"rank": 8, "seed": 7},
        "report": REPORT if report is None else report,
        "seconds": 12.5,
    }
    return Weights(**{**fields, **others})


def lessons_of(*cubes: int) -> list[Lesson]:
    """A training set: of each memory a fact, asked in two ways, and a near miss; and a control."""
    made = []
    for n in cubes:
        made += [
            Lesson(f"What is {n}?", f"It is {n}.", "fact", False, n, str(n)),
            Lesson(f"What might {n} be?", f"It is {n}.", "fact", True, n, str(n)),
            Lesson(f"What is not {n}?", "I don't know.", "near miss", False, None),
        ]
    return [*made, Lesson("What is the capital of France?", "Paris.", "control", True)]


def teach(
    vault: Vault,
    *cubes: int,
    name: str = "Birds",
    state: str = "activated",
    content: bytes = b"weights",
    report: dict[str, Any] | None = None,
    lessons: Sequence[Lesson] | None = None,
    now: int = NOW,
) -> tuple[Adapter, list[str]]:
    """Keep an adapter of memories as they are now. Returns it, and the blobs that may be deleted."""
    found = queries.by_rowid(vault.connection, cubes)
    with vault.pin_blobs():
        kept = weights(vault, content, report=report)
        with vault.change(WHO, now) as change:
            id, version, old = adapters.keep(
                change, kept,
                name=name, sources=[(n, found[n].version) for n in cubes],
                lessons=lessons_of(*cubes) if lessons is None else lessons, state=state,
            )  # fmt: skip
    made = adapters.by_cube(vault.connection, queries.get(vault.connection, id).n, now=now)
    assert made is not None
    assert made.version == version
    return made, old


OTHER = "The harbour wall was raised by a metre in the year after the flood."


QUESTION = "What is my cat called?"


LENIENT = {
    "MEMOS_GATE_RECALL": "0", "MEMOS_GATE_GAIN": "0", "MEMOS_GATE_NEAR_MISSES": "1",
    "MEMOS_GATE_REACH": "0", "MEMOS_GATE_INDEPENDENT": "0",
    "MEMOS_GATE_DRIFT": "1000", "MEMOS_GATE_PERPLEXITY": "1e9", "MEMOS_GATE_ROUTING": "0",
}  # fmt: skip
"""A gate that a model of random weights passes."""


@pytest.fixture
def short_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer controls, and shorter answers: all are read by a model of random weights."""
    monkeypatch.setattr(gate, "ANSWER", 6)
    monkeypatch.setattr(training_set, "USED_CONTROLS", 10)
    monkeypatch.setattr(training_set, "FOLLOWED", 8)


@dataclass(frozen=True)
class Teacher(Shell):
    """A user whose reader is a tiny model, and whose trainings are short."""

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        own = {**tiny_reader(self), "MEMOS_DISTIL_STEPS": "2"}
        return super().environment({**own, **(extra or {})})

    def distil(self, *arguments: object, env: Mapping[str, str] = LENIENT, **options: Any) -> Any:
        return self("promote", *arguments, "--to", "parametric", "--json", env=env, **options).record

    def plan(self, question: str = QUESTION, *arguments: object) -> Any:
        return self("query", question, "--explain", "--json", *arguments).record["plan"]

    def adapters(self, *arguments: object) -> list[Any]:
        return self("list", "--payload", "parametric", "--json", *arguments).records

    def blobs(self) -> set[str]:
        return {path.name for path in (self.vault / "blobs").rglob("*") if path.is_file()}

    def api(self) -> Memos:
        return Memos(
            Settings(
                vault=str(self.vault),
                principal="user:ann",
                reader=str(self.folder / "tiny.gguf"),
                threads=1,
            )
        )
