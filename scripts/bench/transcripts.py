#!/usr/bin/env python3
"""Reading of Claude Code's transcripts: messages a second, and peak memory.

    scripts/bench/transcripts.py [--megabytes 100] [--json FILE]

Generated sessions, with as much tool traffic as real ones have, are read by a process of its own, as an
import reads them before anything is stored.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "harness"))

import program_samples as samples
from bench_tools import command_line, invent_words, write_json

ROOT = Path(__file__).resolve().parents[2]

SESSION = 2_000
"""Lines of one session."""


def write(folder: Path, size: int) -> int:
    """Write sessions of about ``size`` bytes in all. Returns how many messages were said in them."""
    chance, words = random.Random(1), invent_words(8_000)
    written = messages = number = 0

    def some(least: int, most: int) -> str:
        return " ".join(chance.choices(words, k=chance.randint(least, most)))

    while written < size:
        path = folder / "projects" / "-srv-work-harbour" / f"{samples.uuid(number)}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        parent = ""
        with path.open("w") as file:
            for at in range(SESSION):
                uuid = samples.uuid(number * SESSION + at)
                content: object = some(5, 60)
                role = "user" if at % 4 == 0 else "assistant"
                if at % 4 == 2:
                    content = [{"type": "tool_use", "name": "Bash", "input": {"command": some(5, 40)}}]
                elif at % 4 == 3:
                    role, content = "user", [{"type": "tool_result", "content": some(50, 600)}]
                elif at % 4 == 1:
                    content = samples.said(some(10, 120))
                messages += at % 4 < 2
                line = samples.claude_line(uuid, parent, role, content, at % 60)
                written += file.write(json.dumps(line) + "\n")
                parent = uuid
        number += 1
    return messages


def read(folder: Path) -> dict[str, float]:
    """Read all sessions below ``folder``; print what that took, for the process that started this one."""
    from memos_cli.interface.importing.importers import IMPORTS, kind_of, open_export

    begin, count = time.perf_counter(), 0
    with open_export(folder) as export:
        for bundle in IMPORTS[kind_of(export)].read(export):
            count += len(bundle.drafts)
    return {
        "read": count,
        "seconds": time.perf_counter() - begin,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(megabytes: float) -> dict[str, float]:
    """Write and read transcripts of about this size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        messages = write(folder, round(megabytes * 1e6))
        command = [sys.executable, __file__, "--read", name]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, check=True, capture_output=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    if found["read"] != messages:
        raise SystemExit(f"{found['read']:,} of {messages:,} messages were read")
    return {"messages": messages, **found, "messages_per_second": messages / found["seconds"]}


def main() -> int:
    parser = command_line(__doc__)
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.read:
        print(json.dumps(read(wanted.read)))
        return 0
    found = measure(wanted.megabytes)
    print(
        f"{found['messages']:,} messages in {found['seconds']:.1f} s: "
        f"{found['messages_per_second']:,.0f} a second, peak memory {found['peak_mib']:.0f} MiB"
    )
    write_json(wanted.json, {"transcripts": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
