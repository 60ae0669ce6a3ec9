#!/usr/bin/env python3
"""Import of a gigabyte of a ChatGPT export.

    scripts/bench/importing.py [--gigabytes 1] [--json FILE]

A generated `conversations.json` is imported by a process of its own, without vectors: messages a second, and
peak memory. For damaged exports see scripts/campaigns/imports.py.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "harness"))

import exports
from search import peak


def write_large(path: Path, size: int) -> int:
    """Write an export of about ``size`` bytes. Returns how many messages it has."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(3, 9))) for _ in range(8_000)]
    written = count = number = 0
    with path.open("w") as file:
        file.write("[")
        while written < size:
            messages = [
                exports.message(
                    f"{number}-m{at + 1}",
                    "user" if at % 2 == 0 else "assistant",
                    " ".join(chance.choices(words, k=chance.randint(20, 180))),
                )
                for at in range(chance.randint(4, 60))
            ]
            text = json.dumps(exports.chat(f"c{number}", f"Chat {number}", *messages))
            written += file.write((", " if number else "") + text)
            count, number = count + len(messages), number + 1
        file.write("]")
    return count


def large(gigabytes: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conversations.json"
        messages = write_large(path, round(gigabytes * 1e9))
        environment = {**os.environ, "MEMOS_VAULT": str(Path(folder) / "vault"), "MEMOS_AS": "user:bench"}
        command = [sys.executable, "-m", "memos_cli"]
        subprocess.run([*command, "init"], check=True, capture_output=True, env=environment)
        begin = time.perf_counter()
        most = peak([*command, "import", str(path), "--no-embed", "--quiet"], environment)
        seconds = time.perf_counter() - begin
    return {
        "messages": messages,
        "seconds": seconds,
        "messages_per_second": messages / seconds,
        "peak_mib": most * 1e6 / (1 << 20),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    wanted = parser.parse_args()
    found = large(wanted.gigabytes)
    print(
        f"{found['messages']:,} messages in {found['seconds']:.0f} s: "
        f"{found['messages_per_second']:,.0f} a second, peak memory {found['peak_mib']:.0f} MiB"
    )
    if wanted.json:
        wanted.json.write_text(json.dumps({"large": found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
