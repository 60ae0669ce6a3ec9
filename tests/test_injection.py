"""How memories stand before the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from test_prompt import Letters, text_of

from memos_cli.cube import Cube, Hit, Injection, MemoryCall, Plan, parse_time
from memos_cli.errors import UsageError
from memos_cli.operation.injection import (
    CITES_FROM,
    SYSTEM,
    costs,
    make_prompt,
    memory_text,
    room_for_memories,
)

CUBE = Cube(
    n=1, id="01", payload="plaintext", type="document", state="activated", version=1,
    text="It listens on port 5433.", title="", ref=None, author="", role="", owner="user:ann", time=None,
    created=0, updated=0, expires=None, priority=0, frozen=False, hits=0, last_hit=None, heat=0.0,
    source=None, span=None,
)  # fmt: skip
MAY = parse_time("2026-05-01")


@dataclass
class Model(Letters):
    """A model of letters with a size."""

    parameters: int = 135_000_000
    context: int = 400


def plan_of(*texts: str) -> Plan:
    hits = [Hit(replace(CUBE, n=n, text=text), 1.0 / n) for n, text in enumerate(texts, 1)]
    chosen = tuple(Injection(hit, "text", 1, label) for label, hit in enumerate(hits, 1))
    return Plan(MemoryCall("?", "recall"), chosen, (), 100)


def prompt_text(model: Any, *texts: str, **options: str) -> str:
    prompt = make_prompt(model, plan_of(*texts), "Which port?", **options)
    return text_of([*prompt.prefix]) + "|" + text_of([*prompt.question])


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({}, "It listens on port 5433."),
        ({"time": MAY}, "(2026-05-01) It listens on port 5433."),
        ({"author": "Ann"}, 'Ann said: "It listens on port 5433."'),
        (
            {"author": "Ann", "time": MAY, "title": "chat"},
            'Ann said on 2026-05-01: "It listens on port 5433."',
        ),
        ({"title": "notes › Server"}, "Server: It listens on port 5433."),
        ({"title": "Server", "time": MAY}, "Server (2026-05-01): It listens on port 5433."),
        ({"title": "notes › Server", "text": "# Server\n\nPort 5433."}, "# Server\n\nPort 5433."),
        ({"title": "port", "text": "The port is 5433."}, "The port is 5433."),
    ],
)
def test_a_memory_is_read_with_what_tells_whose_and_when_it_is(changes: dict[str, Any], read: str) -> None:
    assert memory_text(replace(CUBE, **changes)) == read


def test_the_best_memory_stands_nearest_to_the_question() -> None:
    assert prompt_text(Model(), "Best.", "Second.").endswith(
        "Second.\n\nBest.\n\n|Which port?<|end|>\n<|start|>assistant\n"
    )


def test_only_a_large_model_gets_numbered_notes() -> None:
    assert "[1]" not in prompt_text(Model(), "Best.")
    large = prompt_text(Model(parameters=CITES_FROM), "Best.", "Second.")
    assert "[2] Second.\n\n[1] Best." in large
    assert "like [1]" in large


def test_instructions_may_be_replaced() -> None:
    assert SYSTEM in prompt_text(Model(), "Best.")
    assert SYSTEM not in prompt_text(Model(), "Best.", system="Answer in French.")


def test_the_cost_of_a_memory_is_what_it_adds_to_the_prompt() -> None:
    model = Model()
    hits = [injection.hit for injection in plan_of("Best.", "Second one.").chosen]
    empty = len(make_prompt(model, plan_of(), "Which port?"))  # type: ignore[arg-type]
    full = len(make_prompt(model, plan_of("Best.", "Second one."), "Which port?"))  # type: ignore[arg-type]
    assert sum(costs(model, hits)) == full - empty  # type: ignore[arg-type]


def test_room_is_what_instructions_question_and_answer_leave() -> None:
    model = Model()
    empty = len(make_prompt(model, plan_of(), "Which port?"))  # type: ignore[arg-type]
    assert room_for_memories(model, "Which port?", "", 50) == 400 - 50 - empty  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="400 tokens"):
        room_for_memories(model, "Which port? " * 40, "", 50)  # type: ignore[arg-type]
