"""Adapters as a promotion keeps them, without any training: nothing in storage looks into weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conftest import NOW, WHO

from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.derived.adapters import Adapter, Lesson, Weights
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.vault.vault import Vault

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
