"""How memories stand before the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prompt_harness import CUBE, Model, plan_of, prompt_text, text_of

from memos_cli.cube import Hit, Injection, MemoryCall, Plan
from memos_cli.errors import UsageError
from memos_cli.moments import parse_time
from memos_cli.operation.ask.prompt_layout import (
    CITES_FROM,
    SYSTEM,
    costs,
    make_prefix,
    make_prompt,
    memory_text,
    room_for_memories,
)

MAY = parse_time("2026-05-01")


def plan_with(pinned: list[str], document: list[str], retrieved: list[str]) -> Plan:
    """A plan whose memories stand in three parts."""
    parts = [("pinned", text) for text in pinned] + [("document", text) for text in document]
    parts += [("retrieved", text) for text in retrieved]
    chosen = tuple(
        Injection(Hit(replace(CUBE, n=n, text=text), 1.0), "text", 1, n, part)
        for n, (part, text) in enumerate(parts, 1)
    )
    return Plan(MemoryCall("?", "recall"), chosen, (), 100)


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


def test_the_best_memory_stands_first_and_the_next_best_nearest_to_the_question() -> None:
    assert prompt_text(Model(), "Best.", "Second.", "Third.").endswith(
        "user\nBest.\n\nThird.\n\nSecond.\n\n|Which port?<|end|>\n<|start|>assistant\n"
    )


@pytest.mark.parametrize("pinned", [[], ["Pin."]])
@pytest.mark.parametrize("parameters", [135_000_000, CITES_FROM])
def test_the_prompt_is_the_same_where_the_best_memory_is_a_document(
    parameters: int, pinned: list[str]
) -> None:
    model: Any = Model(parameters=parameters)
    found = make_prompt(model, plan_with(pinned, [], ["Best.", "Second.", "Third."]), "Which port?")
    promoted = make_prompt(model, plan_with(pinned, ["Best."], ["Second.", "Third."]), "Which port?")
    assert found == promoted


def test_pinned_memories_come_first_then_the_document_then_what_was_retrieved() -> None:
    plan = plan_with(["Pin."], ["Page one.", "Page two."], ["Best.", "Second."])
    prompt = make_prompt(Model(), plan, "Which port?")  # type: ignore[arg-type]
    blocks = ["Pin.\n\n", "Page one.\n\nPage two.\n\n", "Second.\n\nBest.\n\n"]
    assert text_of([*prompt.prefix]).endswith("".join(blocks))
    starts = (prompt.ends[0] - len(blocks[0]), *prompt.ends)
    assert [
        text_of([*prompt.prefix[start:end]]) for start, end in zip(starts, prompt.ends, strict=False)
    ] == blocks
    assert prompt.ends[-1] == len(prompt.prefix)


@pytest.mark.parametrize("parameters", [135_000_000, CITES_FROM])
@pytest.mark.parametrize("pinned", [[], ["Pin.", "Another pin."]])
@pytest.mark.parametrize("document", [[], ["Page one.", "Page two."]])
def test_every_prompt_with_the_same_pins_and_document_starts_with_the_same_tokens(
    parameters: int, pinned: list[str], document: list[str]
) -> None:
    model: Any = Model(parameters=parameters)
    cubes = [replace(CUBE, text=text) for text in (*pinned, *document)]
    prefix = [*make_prefix(model, cubes[: len(pinned)], cubes[len(pinned) :])]
    for retrieved, question in (([], "Which port?"), (["Best.", "Second."], "Who?"), (["Third."], "")):
        prompt = make_prompt(model, plan_with(pinned, document, retrieved), question)
        assert [*prompt.prefix[: len(prefix)]] == prefix
        if document or not retrieved:
            assert prompt.ends[1] == len(prefix)
    if pinned or document:
        other = make_prompt(model, plan_with(pinned[1:], document[1:], ["Best."]), "Who?")
        assert [*other.prefix[: len(prefix)]] != prefix


def test_the_prefix_of_pinned_memories_is_one_of_that_with_a_document() -> None:
    model: Any = Model(parameters=CITES_FROM)
    pin, page = (replace(CUBE, text=text) for text in ("Pin.", "Page."))
    alone, both = ([*make_prefix(model, [pin], document)] for document in ([], [page]))
    assert both[: len(alone)] == alone
    assert text_of(both[len(alone) :]) == "[2]\n> Page.\n\n"


def test_other_instructions_make_another_start() -> None:
    model: Any = Model()
    prefix = [*make_prefix(model, [CUBE], [])]
    prompt = make_prompt(model, plan_with([CUBE.text], [], []), "Who?", "Answer in French.")
    assert [*prompt.prefix[: len(prefix)]] != prefix


def test_only_a_large_model_gets_numbered_notes() -> None:
    assert "[1]" not in prompt_text(Model(), "Best.")
    large = prompt_text(Model(parameters=CITES_FROM), "Best.", "Second.\nAnd more.")
    assert "[1]\n> Best.\n\n[2]\n> Second.\n> And more.\n\n" in large
    assert "like [1]" in large


def test_a_numbered_note_names_its_source() -> None:
    model: Any = Model(parameters=CITES_FROM)
    cube = replace(CUBE, source="file:///home/ann/notes/server.md")
    assert "[1] from server.md\n> It listens on port 5433.\n" in text_of([*make_prefix(model, [cube], [])])


def test_instructions_may_be_replaced() -> None:
    assert SYSTEM in prompt_text(Model(), "Best.")
    assert SYSTEM not in prompt_text(Model(), "Best.", system="Answer in French.")


def test_the_cost_of_a_memory_is_what_it_adds_to_the_prompt() -> None:
    model = Model()
    cubes = [injection.hit.cube for injection in plan_of("Best.", "Second one.").chosen]
    empty = len(make_prompt(model, plan_of(), "Which port?"))  # type: ignore[arg-type]
    full = len(make_prompt(model, plan_of("Best.", "Second one."), "Which port?"))  # type: ignore[arg-type]
    assert sum(costs(model, cubes)) == full - empty  # type: ignore[arg-type]


def test_room_is_what_instructions_question_and_answer_leave() -> None:
    model = Model()
    empty = len(make_prompt(model, plan_of(), "Which port?"))  # type: ignore[arg-type]
    assert room_for_memories(model, "Which port?", "", 50) == 400 - 50 - empty  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="400 tokens"):
        room_for_memories(model, "Which port? " * 40, "", 50)  # type: ignore[arg-type]
