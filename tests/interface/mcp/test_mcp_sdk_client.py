"""The official SDK's own client against the real process, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from cli_harness import Shell, make_vault, with_models

mcp = pytest.importorskip("mcp")


def converse(shell: Shell, mode: str, talk: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """Start ``memos mcp`` as a client does, and talk to it."""
    started = mcp.StdioServerParameters(
        command=sys.executable, args=["-m", "memos_cli", "mcp"], env=shell.environment(), cwd=shell.work
    )

    async def run() -> None:
        async with mcp.Client(started, mode=mode) as client:
            await talk(client)

    asyncio.run(asyncio.wait_for(run(), 120))


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
def test_the_sdk_client_finds_its_way(agents: Shell, mode: str) -> None:
    agents.keep("The cat is called Miso.")

    async def talk(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert len(tools) == 7 and tools["memory_search"].annotations.read_only_hint
        found = await client.call_tool("memory_search", {"query": "cat"})  # checked by the output schema
        (id,) = found.structured_content["ids"]
        read = await client.read_resource(f"memos://memory/{id}")
        assert "Miso" in read.contents[0].text
        prompt = await client.get_prompt("review", {})
        assert "Miso" in prompt.messages[0].content.text
        bad = await client.call_tool("memory_search", {"k": 3})
        assert bad.is_error and "query is missing" in bad.content[0].text
        # Calls that are sent together are answered, each with its own answer.
        answers = await asyncio.gather(
            *(client.call_tool("memory_save", {"text": f"Fact {n}."}) for n in range(10)), client.list_tools()
        )
        ids = [each.structured_content["id"] for each in answers[:10]]
        got = await client.call_tool("memory_get", {"ids": ids})
        assert [row["text"] for row in got.structured_content["memories"]] == [
            f"Fact {n}." for n in range(10)
        ]

    converse(agents, mode, talk)


@with_models
def test_meaning_is_found_by_the_real_embedder(shell: Shell) -> None:
    make_vault(shell)

    async def talk(client: Any) -> None:
        saved = await client.call_tool("memory_save", {"text": "My cat is called Miso."})
        assert saved.structured_content["notes"] == []
        await client.call_tool("memory_save", {"text": "The invoice is due in March."})
        found = await client.call_tool("memory_search", {"query": "name of the pet"})
        assert found.structured_content["ids"][0] == saved.structured_content["id"]
        told = await client.call_tool("memory_context", {"question": "What is my cat called?"})
        assert "> My cat is called Miso." in told.structured_content["context"]

    converse(shell, "auto", talk)
    shell.check()
