#!/usr/bin/env python3
"""A hook at a prompt, cold: from the start of its process to its end.

    scripts/bench/hooks.py [--cubes 10000] [--rounds 40] [--folder DIR] [--json FILE]

Every round is a process of its own that asks another question of a vault of N memories, as
scripts/bench/cold.py makes it: N of invented words with vectors, and 15 facts that answer. ``late`` counts
the rounds that printed nothing because of the deadline (0.8 s, or MEMOS_HOOK_DEADLINE), ``empty`` those that
found nothing relevant. Beside it ``python -c pass``, in turn, says how busy the machine is.
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
from cold import NAMES, THINGS, fill


def run(command: list[str], environment: dict[str, str], sent: str = "") -> tuple[float, str]:
    """Return the seconds and the output of a process that must exit with 0."""
    begin = time.perf_counter()
    done = subprocess.run(command, input=sent.encode(), capture_output=True, env=environment, check=True)
    return time.perf_counter() - begin, done.stdout.decode()


def measure(vault: Path, rounds: int, state: Path) -> dict[str, Any]:
    hook = [*MEMOS, "hook", "prompt", "--agent", "claude"]
    environment = {**os.environ, "MEMOS_VAULT": str(vault), "MEMOS_AS": "user:bench"}
    environment["XDG_STATE_HOME"] = str(state)
    taken, bare, printed = list[float](), list[float](), list[int]()
    for n in range(rounds + 1):
        thing, name = THINGS[n % len(THINGS)], NAMES[n % len(NAMES)]
        sent = {"session_id": "bench", "cwd": str(state), "hook_event_name": "UserPromptSubmit",
                "prompt": f"Who looks after the {thing} called {name}, and on which day?"}  # fmt: skip
        bare.append(run([sys.executable, "-c", "pass"], environment)[0])
        seconds, out = run(hook, environment, json.dumps(sent))
        taken.append(seconds)
        printed.append(len(out))
    (log,) = state.rglob("hooks.jsonl")
    outcomes = [json.loads(line)["outcome"] for line in log.read_text().splitlines()][-rounds:]
    taken, bare, printed = taken[1:], bare[1:], printed[1:]  # the first one reads the files from the disk
    centiles = statistics.quantiles(taken, n=20)
    late = outcomes.count("late") + rounds - len(outcomes)
    return {
        "p50_s": statistics.median(taken), "p95_s": centiles[-1], "most_s": max(taken),
        "python_p50_s": statistics.median(bare), "late": late, "empty": printed.count(0) - late,
        "rounds": rounds,
    }  # fmt: skip


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--cubes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="the vault: made there if it is not")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "vault"
        if not (folder / "VAULT.toml").exists():
            fill(folder, options.cubes)
        figures = {"cubes": options.cubes, **measure(folder, options.rounds, Path(scratch) / "state")}
    print("  ".join(f"{name} {value:,.4g}" for name, value in figures.items()))
    write_json(options.json, figures)


if __name__ == "__main__":
    main()
