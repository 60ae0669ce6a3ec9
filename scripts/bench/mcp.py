#!/usr/bin/env python3
"""The MCP server: from its start to its first answer, and a search while it runs.

    scripts/bench/mcp.py [--cubes 100000] [--rounds 15] [--searches 100] [--folder DIR] [--json FILE]

start    from the start of the process to the answer of ``initialize``, beside a bare server of the SDK with
         one tool; the two in turn, so that a busy machine slows both. Their ratio is that of the medians.
search   ``memory_search`` over the pipe, warm, in a vault of N memories as scripts/bench/search.py makes it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_tools import MEMOS, command_line, write_json
from search import Texts, fill

BARE = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("bare")
@server.tool()
def search(query: str) -> str:
    return query
server.run()
"""
OURS = [*MEMOS, "mcp"]
CLIENT = {"name": "bench", "version": "1"}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}


class Peer:
    """A server that speaks MCP on its pipes."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        variables = {**os.environ, **environment}
        self.process = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._id = 0

    def ask(self, method: str, **params: Any) -> Any:
        self._id += 1
        assert self.process.stdin is not None and self.process.stdout is not None
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["result"]

    def close(self) -> None:
        self.process.communicate(timeout=60)


def start_seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    peer = Peer(command, {"MEMOS_VAULT": "/nonexistent"})
    peer.ask("initialize", **HELLO)
    taken = time.perf_counter() - begin
    peer.close()
    return taken


def measure_start(rounds: int) -> dict[str, float]:
    bare, ours = [], []
    for _ in range(rounds):
        bare.append(start_seconds([sys.executable, "-c", BARE]))
        ours.append(start_seconds(OURS))
    medians = {"bare_s": statistics.median(bare), "memos_s": statistics.median(ours)}
    return {**medians, "ratio": medians["memos_s"] / medians["bare_s"]}


def measure_search(vault: Path, searches: int) -> dict[str, float]:
    """Milliseconds of searches, each of another question, after ten that warm the caches."""
    texts = Texts()
    peer = Peer(OURS, {"MEMOS_VAULT": str(vault), "MEMOS_AS": "user:bench"})
    peer.ask("initialize", **HELLO)
    taken = []
    for n in range(searches + 10):
        begin = time.perf_counter()
        answer = peer.ask("tools/call", name="memory_search", arguments={"query": texts.question(n)})
        taken.append(1000 * (time.perf_counter() - begin))
        assert not answer.get("isError"), answer
    peer.close()
    centiles = statistics.quantiles(taken[10:], n=20)
    return {"p50_ms": statistics.median(taken[10:]), "p95_ms": centiles[-1]}


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--cubes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="the vault: made there if it is not")
    options = parser.parse_args()
    figures: dict[str, Any] = {"start": measure_start(options.rounds)} if options.rounds else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "vault"
        if options.cubes and not (folder / "VAULT.toml").exists():
            figures["build"] = fill(
                folder, Texts(), options.cubes, Path(scratch) / "exact.npy", Path(scratch)
            )
        if options.cubes:
            figures["search"] = {"cubes": options.cubes, **measure_search(folder, options.searches)}
    for name, found in figures.items():
        print(name, "  ".join(f"{key} {value:,.4g}" for key, value in found.items()))
    write_json(options.json, figures)


if __name__ == "__main__":
    main()
