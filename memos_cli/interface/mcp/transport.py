"""Standard input and output of the SDK, with two more guarantees.

Requests that came before the client closed standard input are answered. And a line that is no message gets an
error, with its id if it has one, so that no client waits for an answer that never comes.
"""

from __future__ import annotations

import json
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

_LAST = 30.0
"""Seconds that the last answers may take after the client closed standard input."""


class _Open:
    """The requests that are not answered yet."""

    def __init__(self) -> None:
        self._ids: set[str | int] = set()
        self._changed = anyio.Event()

    def note(self, message: Any) -> None:
        """Count a message of either side."""
        if isinstance(message, types.JSONRPCRequest):
            self._ids.add(message.id)
        elif isinstance(message, types.JSONRPCNotification) and message.method == "notifications/cancelled":
            self._close((message.params or {}).get("requestId"))  # it gets no answer
        elif isinstance(message, (types.JSONRPCResponse, types.JSONRPCError)):
            self._close(message.id)

    def _close(self, id: Any) -> None:
        if isinstance(id, (str, int)):
            self._ids.discard(id)
            self._changed.set()
            self._changed = anyio.Event()

    async def settle(self) -> None:
        """Wait until all are answered, but not for long."""
        with anyio.move_on_after(_LAST):
            while self._ids:
                await self._changed.wait()


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client on standard input and output until it closes standard input."""
    waiting = _Open()
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    async with stdio_server() as (reading, writing):

        async def take_in() -> None:
            async with reading, to_server, to_client.clone() as answers:
                async for item in reading:
                    if isinstance(item, Exception):
                        await answers.send(_unreadable(item))
                        continue
                    waiting.note(item.message)
                    await to_server.send(item)
                await waiting.settle()

        async def give_out() -> None:
            async with writing, from_server:
                async for item in from_server:
                    await writing.send(item)
                    waiting.note(item.message)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take_in)
            tasks.start_soon(give_out)
            async with to_client:
                await server.run(from_client, to_client, server.create_initialization_options())


def _unreadable(error: Exception) -> SessionMessage:
    """Return the answer to a line that is no JSON-RPC message."""
    inputs = [each["input"] for each in error.errors()] if isinstance(error, ValidationError) else [""]
    # Of a message that breaks off somewhere, some error still shows all of it.
    line: Any = next((each for each in inputs if isinstance(each, dict) and "id" in each), inputs[0])
    message: Any = line
    if isinstance(line, (str, bytes)):
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
    id = message.get("id") if isinstance(message, dict) else None
    code, what = types.PARSE_ERROR, "the line is not valid JSON"
    if message is not None:
        code, what = types.INVALID_REQUEST, "the line is not a JSON-RPC message"
    usable = id if isinstance(id, (str, int)) and not isinstance(id, bool) else None
    answer = types.JSONRPCError(jsonrpc="2.0", id=usable, error=types.ErrorData(code=code, message=what))
    return SessionMessage(message=answer)
