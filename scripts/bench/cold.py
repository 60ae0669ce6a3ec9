#!/usr/bin/env python3
"""Cold start, whole commands from process start, interleaved with what they are compared to.

  scripts/bench/cold.py [--cubes 10000] [--rounds 9] [--json FILE]

version  `memos --version` beside `python -c "import typer, rich"`
search   `memos search` on N cubes with vectors (generated; the query is really embedded)
quote    `memos query --quote` on the same cubes
query    `memos query --generate` to its first token with about 300 tokens of memory, beside llama.cpp alone
         reading the same tokens to the first token in one warm process
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FACTS = [
    f"The {kind} called {name} stands in room {number} and is looked after by {keeper} every {day}."
    for number, (kind, name, keeper, day) in enumerate(
        (kind, name, keeper, day)
        for kind in ("database server", "backup robot", "coffee machine", "weather station", "printer")
        for name, keeper, day in (
            ("heron", "Ada", "Monday"),
            ("otter", "Ben", "Friday"),
            ("lynx", "Cleo", "Sunday"),
        )
    )
]
QUESTION = (
    "Who looks after the database server, the backup robot, the coffee machine and the printer in each room?"
)


def seconds(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return time.perf_counter() - start, done.stdout


def fill(vault: Path, cubes: int) -> None:
    import numpy as np

    from memos_cli.infrastructure.vectors import vector_index
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.options import IngestOptions
    from memos_cli.operation.search.embedding import SENTENCES
    from memos_cli.settings import load_settings

    chance = random.Random(1)
    words = [
        "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(5000)
    ]
    lines = [" ".join(words[int(5000 * chance.random() ** 3)] for _ in range(18)) for _ in range(cubes)]
    settings, _ = load_settings({"vault": str(vault)})
    with Memos(settings) as memos:
        memos.init()
        text = "\n".join([*lines, *FACTS]).encode()
        from memos_cli.interface.options import ReadOptions

        memos.ingest(
            options=IngestOptions(hints=ReadOptions(lines=True)), text=text, name="bench", embed=False
        )
        embedder, db = memos.embedder, memos.vault.connection
        with memos.vault.change("user:bench", 0) as change:
            row = change.embedder(embedder.fingerprint + SENTENCES, embedder.name, embedder.dimension)
            vectors = np.random.default_rng(1).standard_normal((cubes, embedder.dimension)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            numbers = [n for (n,) in db.execute("SELECT n FROM cube ORDER BY n LIMIT ?", (cubes,))]
            packed = zip(numbers, lines, vector_index.encode(vectors), strict=True)
            change.put_vectors(row, [(n, 1, [(0, len(line), data)]) for n, line, data in packed])
        memos.embed()
        vector_index.refresh(db, memos.vault.snapshots, row, embedder.dimension, force=True)


def warm(vault: Path, rounds: int) -> list[float]:
    """Seconds from the first prompt token to the first answer token, in one process, model loaded."""
    from memos_cli.cube import Filter
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.options import AnswerOptions
    from memos_cli.operation.ask.prompt_layout import make_prompt
    from memos_cli.settings import load_settings

    settings, _ = load_settings({"vault": str(vault)})
    times = []
    with Memos(settings) as memos:
        plan = memos.plan(QUESTION, filter=Filter(), options=AnswerOptions(answer="model"))
        engine = memos.local_engine
        prompt = make_prompt(engine, plan, QUESTION)
        for _ in range(rounds + 1):
            engine.clear()
            start = time.perf_counter()
            engine.decode([*prompt.prefix, *prompt.question])
            next(engine.generate(limit=1))
            times.append(time.perf_counter() - start)
        print(f"(plan: {plan.tokens} tokens of memory, prompt {len(prompt)} tokens)")
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cubes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vault = Path(folder) / "vault"
        os.environ["MEMOS_VAULT"] = str(vault)
        os.environ["MEMOS_QUERY_SOURCES"] = "15"
        fill(vault, options.cubes)
        memos = [sys.executable, "-m", "memos_cli"]
        commands = {
            "bare": [sys.executable, "-c", "import typer, rich"],
            "version": [*memos, "--version"],
            "search": [*memos, "search", "who looks after the weather station", "-k", "5"],
            "quote": [*memos, "query", QUESTION, "--quote"],
            "query": [*memos, "query", QUESTION, "--generate", "--max-tokens", "1", "--json"],
        }
        times: dict[str, list[float]] = {name: [] for name in (*commands, "first_token")}
        for _ in range(options.rounds):
            for name, command in commands.items():
                taken, output = seconds(command, dict(os.environ))
                times[name].append(taken)
                if name == "query":
                    timings = json.loads(output)["timings"]
                    parts = ("start", "load", "search", "first_token")
                    times["first_token"].append(sum(timings[part] for part in parts))
        times["warm"] = warm(vault, options.rounds)
    median = {name: statistics.median(values) for name, values in times.items()}
    print(f"{'':12} {'min':>7} {'median':>7} {'max':>7}  seconds; load {os.getloadavg()[0]:.1f}")
    for name, values in times.items():
        print(f"{name:12} {min(values):7.3f} {median[name]:7.3f} {max(values):7.3f}")
    ratio = statistics.median(a / b for a, b in zip(times["version"], times["bare"], strict=True))
    allowed = 3 * median["warm"] + 1.2
    print(f"version / bare: {ratio:.2f}   (at most 1.5)")
    print(f"search on {options.cubes:,} cubes: {median['search']:.2f} s   (at most 0.8)")
    print(f"query to first token: {median['first_token']:.2f} s", end="   ")
    print(f"(at most 3 x {median['warm']:.2f} + 1.2 = {allowed:.2f})")
    if options.json:
        options.json.write_text(json.dumps({"times": times, "version_ratio": ratio}, indent=1))


if __name__ == "__main__":
    main()
