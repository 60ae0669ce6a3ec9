#!/usr/bin/env python3
"""What access rules cost a search: with rules beside without, in one run.

    scripts/bench/access.py [--cubes 100000] [--rules 1000] [--json FILE]

A vault holds N memories of one principal, in 1,000 tags, with a vector each (random ones: no model reads
them). The same questions are searched, in turns, by four that see all of them, and one that sees half:
  alone    the owner, when nobody else has anything: nothing is checked
  owner    the owner beside another principal, whose memories it must not see
  rules    an agent that may read them by rules on tags, one for each of the 1,000, …
  vault    … and by one rule on everything
  half     an agent with rules on half of the tags, and on single memories
Prints the median time of each, and its ratio to `alone`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench_tools import LINES, add_vectors, command_line, open_memos, write_json
from ingest import WORDS, line

from memos_cli.cube import Filter
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import Rule
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.memory import Memos

TAGS = 1_000
QUESTIONS = 40
ROUNDS = 5


def enter(folder: Path, who: str) -> Memos:
    # The audit does not record each read: in turns, each would make the others read their pages again.
    return open_memos(folder, who, audit_reads="prompts")


def fill(folder: Path, cubes: int) -> None:
    """Store the memories of user:ann, each with a tag and a vector."""
    with enter(folder, "user:ann") as ann:
        ann.init()
        for tag in range(TAGS):
            text = "\n".join(line(n) for n in range(tag, cubes, TAGS))
            options = replace(LINES, terms=NewMemoryFields(tags=(f"team/{tag}",)))
            ann.ingest(options=options, text=text.encode(), embed=False)
        add_vectors(ann)


def allow(folder: Path, count: int) -> None:
    """``count`` rules for each of two agents, and one for a third."""
    with enter(folder, "user:ann") as ann:
        ids = [
            row[0] for row in ann.vault.connection.execute("SELECT id FROM cube ORDER BY n LIMIT ?", (count,))
        ]
        with ann.vault.change("user:ann", ann.now()) as change:
            for at in range(count):
                rules.grant(
                    change, Rule("user:ann", "tag", f"team/{at % TAGS}", "agent:rules", "read", "user:ann")
                )
                half = Rule("user:ann", "tag", f"team/{at}", "agent:half", "read", "user:ann")
                if at >= TAGS // 2:
                    half = Rule("user:ann", "cube", ids[at], "agent:half", "read", "user:ann")
                rules.grant(change, half)
            rules.grant(change, Rule("user:ann", "vault", "", "agent:vault", "read", "user:ann"))


def ask(memos: Memos, question: str) -> float:
    begin = time.perf_counter()
    memos.search(question, filter=Filter())
    return time.perf_counter() - begin


def questions() -> list[str]:
    """Of four words, each one in a hundred memories or fewer, as of a question's own words."""
    return [" ".join(WORDS[(97 * n + 1_313 * at) % 4_000 + 900] for at in range(4)) for n in range(QUESTIONS)]


def main() -> int:
    parser = command_line(__doc__)
    parser.add_argument("--cubes", type=int, default=100_000)
    parser.add_argument("--rules", type=int, default=1_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "vault"
        fill(folder, wanted.cubes)
        asked = questions()
        times: dict[str, list[float]] = {}
        with enter(folder, "user:ann") as alone:
            ask(alone, asked[0])
            for _ in range(ROUNDS):
                times.setdefault("alone", []).extend(ask(alone, each) for each in asked)
            allow(folder, wanted.rules)
            with enter(folder, "user:bo") as bo:
                bo.ingest(options=LINES, text=b"What Bo keeps to himself.", embed=False)
            callers = {name: f"agent:{name}" for name in ("rules", "vault", "half")} | {"owner": "user:ann"}
            asking = {name: enter(folder, who) for name, who in callers.items()}
            for memos in asking.values():
                ask(memos, asked[0])
            # Each asks all of them, as `alone` did, with what it has read still in its cache.
            for _ in range(ROUNDS):
                for name, memos in asking.items():
                    times.setdefault(name, []).extend(ask(memos, each) for each in asked)
            for memos in asking.values():
                memos.close()
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(f"{wanted.cubes:,} cubes, {wanted.rules:,} rules; {QUESTIONS * ROUNDS} searches each")
    for name, median in medians.items():
        print(f"{name:<6} {1000 * median:7.2f} ms  {median / medians['alone']:.2f}x")
    write_json(wanted.json, medians)
    return 0


if __name__ == "__main__":
    sys.exit(main())
