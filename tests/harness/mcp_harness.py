"""A client of ``memos mcp`` that knows JSON-RPC and nothing else: no SDK is between a test and the bytes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli_harness import Shell

HANDSHAKE = "2025-11-25"
MODERN = "2026-07-28"


class Peer:
    """A running server and its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], version: str, name: str) -> None:
        self.process, self.version, self.name = process, version, name
        self._last = 0

    def send(self, line: bytes | dict[str, Any]) -> None:
        assert self.process.stdin is not None
        data = line if isinstance(line, bytes) else json.dumps(line).encode()
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; its id is checked."""
        self._last += 1
        params = dict(params or {})
        if self.version == MODERN:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": {"name": self.name, "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        self.send({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        answer = self.receive()
        assert answer.pop("jsonrpc") == "2.0"
        assert answer.pop("id") == self._last
        return answer

    def open(self) -> Any:
        """The first exchange of this version of the protocol."""
        if self.version == MODERN:
            return self.request("server/discover")
        client = {"name": self.name, "version": "1"}
        first = {"protocolVersion": self.version, "capabilities": {}, "clientInfo": client}
        answer = self.request("initialize", first)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def call(self, tool: str, **arguments: Any) -> Any:
        """The structured content of a call; fails on an error."""
        result = self.request("tools/call", {"name": tool, "arguments": arguments})["result"]
        assert not result.get("isError"), result
        return result["structuredContent"]

    def refusal(self, tool: str, **arguments: Any) -> str:
        """The text of a call that fails as a tool."""
        result = self.request("tools/call", {"name": tool, "arguments": arguments})["result"]
        assert result["isError"] and "structuredContent" not in result
        (block,) = result["content"]
        assert "Traceback" not in block["text"] and "pydantic" not in block["text"]
        return str(block["text"])

    def close(self) -> str:
        """Close standard input, and return what the server wrote to standard error."""
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        assert out == b"", out
        return err.decode()


@contextmanager
def server(
    shell: Shell,
    *options: str,
    version: str = HANDSHAKE,
    name: str = "probe",
    env: dict[str, str] | None = None,
) -> Iterator[Peer]:
    """A server that is open for requests; nothing but protocol is on its standard output."""
    with shell.start("mcp", *options, env=env) as process:
        try:
            peer = Peer(process, version, name)
            peer.open()
            yield peer
            assert peer.close() == ""
        finally:
            process.kill()
