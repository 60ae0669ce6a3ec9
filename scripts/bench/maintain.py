#!/usr/bin/env python3
"""What a night costs: `memos maintain` with nothing to do, and a query beside one that works.

    scripts/bench/maintain.py [--cubes 100000] [--json FILE]

A vault holds N memories with a vector each (random ones: no model reads them). One run brings it in order;
the next ones have nothing to do, and are timed. Then the embedder is given work (memories without vectors),
and the time to the first token of a query is measured alone and while such a run works, in turns, each in a
process of its own.
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

from access import enter, fill
from bench_tools import LINES, MEMOS, command_line, run_memos, write_json

ROUNDS = 5
QUESTION = "Which port does the staging database listen on?"


def first_token(folder: Path) -> float:
    """Seconds to the first token of a query in a process that asks nothing else."""
    said = run_memos(folder, "query", QUESTION, "--generate", "--json", principal="user:ann")
    return float(json.loads(said)["timings"]["first_token"])


def at_work(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*MEMOS, "--vault", str(folder), "maintain", "--quiet"], env={**os.environ, "MEMOS_AS": "user:ann"}
    )


def main() -> int:
    parser = command_line(__doc__)
    parser.add_argument("--cubes", type=int, default=100_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "vault"
        fill(folder, wanted.cubes)
        with enter(folder, "user:ann") as ann:
            with ann.vault.change("user:ann", ann.now()) as change:  # random vectors have no rivals
                (last,) = change.db.execute("SELECT max(n) FROM vector").fetchone()
                change.db.execute("INSERT INTO policy VALUES ('compared:user:ann', ?)", (str(last),))
            ann.maintain()
            idle = []
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                report = ann.maintain()
                idle.append(time.perf_counter() - begin)
                assert not report.deeds and not report.failed, report
            slowest = sorted(report.seconds.items(), key=lambda item: -item[1])[:3]
            fact = b"The staging database listens on port 5433."
            ann.ingest(options=LINES, text=fact)
            more = "\n".join(
                f"Line {n} of the log of the harbour, and what was said of it." for n in range(20_000)
            )
            ann.ingest(options=LINES, text=more.encode(), embed=False)
        first_token(folder)
        alone, beside = [], []
        for _ in range(ROUNDS):
            alone.append(first_token(folder))
            night = at_work(folder)
            time.sleep(5)
            assert night.poll() is None, "the run was over too soon"
            beside.append(first_token(folder))
            night.terminate()
            night.wait()
    figures = {
        "idle_s": statistics.median(idle),
        "alone_s": statistics.median(alone),
        "beside_s": statistics.median(beside),
    }
    steps = ", ".join(f"{step} {seconds:.2f}" for step, seconds in slowest)
    print(f"{wanted.cubes:,} cubes, nothing to do: {figures['idle_s']:.2f} s ({steps})")
    print(
        f"first token alone {figures['alone_s']:.2f} s, while maintain works {figures['beside_s']:.2f} s: "
        f"{figures['beside_s'] / figures['alone_s']:.2f}x"
    )
    write_json(wanted.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
