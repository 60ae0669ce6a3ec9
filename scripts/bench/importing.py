#!/usr/bin/env python3
"""Import of a gigabyte of a ChatGPT export.

    scripts/bench/importing.py [--gigabytes 1] [--json FILE]

A generated `conversations.json` is imported by a process of its own, without vectors: messages a second, and
peak memory. For damaged exports see scripts/campaigns/imports.py.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "harness"))

import exports
from bench_tools import MEMOS, command_line, invent_words, measure_peak, run_memos, write_json


def write_large(path: Path, size: int) -> int:
    """Write an export of about ``size`` bytes. Returns how many messages it has."""
    chance, words = random.Random(1), invent_words(8_000)
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
        vault = Path(folder) / "vault"
        run_memos(vault, "init")
        environment = {"MEMOS_VAULT": str(vault), "MEMOS_AS": "user:bench"}
        command = [*MEMOS, "import", str(path), "--no-embed", "--quiet"]
        seconds, peak = measure_peak(command, environment)
    return {
        "messages": messages,
        "seconds": seconds,
        "messages_per_second": messages / seconds,
        "peak_mib": peak / (1 << 20),
    }


def main() -> int:
    parser = command_line(__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    wanted = parser.parse_args()
    found = large(wanted.gigabytes)
    print(
        f"{found['messages']:,} messages in {found['seconds']:.0f} s: "
        f"{found['messages_per_second']:,.0f} a second, peak memory {found['peak_mib']:.0f} MiB"
    )
    write_json(wanted.json, {"large": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
