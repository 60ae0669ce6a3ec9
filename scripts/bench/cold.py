#!/usr/bin/env python3
"""Cold start, whole commands from process start to end, interleaved with what they are compared to.

  scripts/bench/cold.py [--cubes 10000] [--rounds 9] [--json FILE]

version  `memos --version` beside `python -c "import typer, rich"` (bare)
search   `memos search` on N cubes with vectors (generated; the query is really embedded)
quote    `memos query --quote` on the same cubes
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_tools import LINES, MEMOS, add_vectors, command_line, invent_words, open_memos, write_json

THINGS = ("database server", "backup robot", "coffee machine", "weather station", "printer")
NAMES = ("heron", "otter", "lynx")
KEEPERS = (("Ada", "Monday"), ("Ben", "Friday"), ("Cleo", "Sunday"))
QUESTION = (
    "Who looks after the database server, the backup robot, the coffee machine and the printer in each room?"
)


def fill(vault: Path, cubes: int) -> None:
    """Store ``cubes`` memories of invented words with random vectors, and 15 facts with real ones."""
    from memos_cli.infrastructure.vectors import vector_index
    from memos_cli.operation.search.embedding import SENTENCES

    chance, words = random.Random(1), invent_words(5000, "abcdefghijklmnopqrstuvwxyz")
    lines = [" ".join(words[int(5000 * chance.random() ** 3)] for _ in range(18)) for _ in range(cubes)]
    rooms = enumerate((thing, *named) for thing in THINGS for named in zip(NAMES, KEEPERS, strict=True))
    lines += [
        f"The {thing} called {name} stands in room {room} and is looked after by {keeper} every {day}."
        for room, (thing, name, (keeper, day)) in rooms
    ]
    with open_memos(vault) as memos:
        memos.init()
        memos.ingest(options=LINES, text="\n".join(lines).encode(), name="bench", embed=False)
        row = add_vectors(memos, SENTENCES, cubes)
        memos.embed()
        db, files = memos.vault.connection, memos.vault.snapshots
        vector_index.refresh(db, files, row, memos.embedder.dimension, force=True)


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--cubes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    commands = {
        "bare": [sys.executable, "-c", "import typer, rich"],
        "version": [*MEMOS, "--version"],
        "search": [*MEMOS, "search", "who looks after the weather station", "-k", "5"],
        "quote": [*MEMOS, "query", QUESTION, "--quote"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"MEMOS_VAULT": f"{folder}/vault", "MEMOS_AS": "user:bench"}
        fill(Path(folder) / "vault", options.cubes)
        for _ in range(options.rounds):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                times[name].append(time.perf_counter() - start)
    print(f"{'':12} {'min':>7} {'median':>7} {'max':>7}  seconds; load {os.getloadavg()[0]:.1f}")
    for name, values in times.items():
        print(f"{name:12} {min(values):7.3f} {statistics.median(values):7.3f} {max(values):7.3f}")
    ratio = statistics.median(a / b for a, b in zip(times["version"], times["bare"], strict=True))
    print(f"version / bare: {ratio:.2f}")
    write_json(options.json, {"times": times, "version_ratio": ratio})


if __name__ == "__main__":
    main()
