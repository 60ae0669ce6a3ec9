#!/usr/bin/env python3
"""The MCP server: from its start to its first answer, and a search while it runs.

    scripts/bench/mcp.py [--cubes 100000] [--rounds 15] [--searches 100] [--folder DIR] [--json FILE]

start    from the start of the process to the answer of ``initialize``, beside a bare server of the SDK with
         one tool; the two in turn, so that a busy machine slows both. Their ratio is that of the medians.
search   ``memory_search`` over the pipe, warm, in a vault of N memories as scripts/bench/search.py makes it;
         beside it the round trip of a ``ping``, which asks the vault nothing, and the processor time
         of one of each (Linux), which depends less on what else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from search import Texts, fill

BARE = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("bare")
@server.tool()
def search(query: str) -> str:
    return query
server.run()
"""
OURS = [sys.executable, "-m", "memos_cli", "mcp"]
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

    def cpu_seconds(self) -> float:
        """Time that the process has spent on processors, from /proc; 0 where there is none."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        fields = stat.read_text().rpartition(")")[2].split() if stat.exists() else ["0"] * 14
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

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
    pings, taken, before = [], [], 0.0
    for n in range(searches + 10):
        before = peer.cpu_seconds() if n == 10 else before
        begin = time.perf_counter()
        peer.ask("ping")
        middle = time.perf_counter()
        answer = peer.ask("tools/call", name="memory_search", arguments={"query": texts.question(n)})
        end = time.perf_counter()
        assert not answer.get("isError"), answer
        if n >= 10:
            pings.append(1000 * (middle - begin))
            taken.append(1000 * (end - middle))
    used = 1000 * (peer.cpu_seconds() - before) / searches
    peer.close()
    centiles = statistics.quantiles(taken, n=20)
    return {
        "ping_p50_ms": statistics.median(pings),
        "p50_ms": statistics.median(taken),
        "p95_ms": centiles[-1],
        "cpu_ms": used,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cubes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="the vault: made there if it is not")
    parser.add_argument("--json", type=Path)
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
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
