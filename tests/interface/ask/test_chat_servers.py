"""A chat with a model in a server: it gets the turns as messages, and nothing that another may not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from asked_servers import ALL, BOX, OPEN, PERSONAL, QUESTION, enter
from model_servers import ANSWER, ModelServer

pytest.importorskip("httpx2")

LATER = "And which port did Anna choose?"


def roles(server: ModelServer) -> list[tuple[str, str]]:
    """The messages of the last prompt."""
    return [(each["role"], each["content"]) for each in server.prompts[-1]["messages"]]


def test_each_turn_is_a_message_after_those_before(folder: Path, server: ModelServer) -> None:
    with enter(folder, reader=server.url) as memos, memos.chat(filter=ALL) as chat:
        first = chat.ask(QUESTION).answer
        before = roles(server)
        second = chat.ask(LATER).answer
        after = roles(server)
    assert first.answer == second.answer == "".join(ANSWER)
    assert [role for role, _ in before] == ["system", "user"]
    assert after[:3] == [*before, ("assistant", first.answer)]
    assert after[3:] == [("user", LATER)], "a memory stands where it was needed first"
    assert second.tokens["prompt"] > first.tokens["prompt"] > 0


def test_another_machine_gets_nothing_that_was_said_to_this_one(folder: Path, server: ModelServer) -> None:
    with enter(folder, reader=server.url, network_allow=(BOX,)) as memos:
        (private,) = [cube.id for cube in memos.cubes(filter=ALL) if cube.text == PERSONAL]
        memos.pin([private])
        with memos.chat(filter=ALL) as chat:
            chat.ask(QUESTION)
            assert PERSONAL in roles(server)[1][1]
            chat.use_model(f"http://{BOX}:{server.port}")
            chat.ask(QUESTION)
    said = "".join(text for _, text in roles(server))
    assert OPEN in said and "Anna" not in said
    assert [role for role, _ in roles(server)] == ["system", "user"]


def test_another_machine_does_not_get_again_what_was_marked_since(folder: Path, server: ModelServer) -> None:
    there = {"reader": f"http://{BOX}:{server.port}", "network_allow": (BOX,)}
    with enter(folder, **there) as memos, memos.chat(filter=ALL) as chat:
        chat.ask(QUESTION)
        assert OPEN in roles(server)[1][1]
        memos.mark([cube.id for cube in memos.cubes(filter=ALL) if cube.text == OPEN], "personal")
        chat.ask("And since when is that so?")
        assert len(server.prompts) == 1 or OPEN not in "".join(text for _, text in roles(server))
