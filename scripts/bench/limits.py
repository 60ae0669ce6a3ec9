#!/usr/bin/env python3
"""The memory that commands take on a large vault: it must not grow with the vault.

    scripts/bench/limits.py [--gigabytes 1] [--only NAME …] [--json FILE]

Makes a vault with so much text (memories of 2,000 characters, without vectors), then runs each
command in a process of its own. Prints its peak memory (RSS) and its seconds, and exits with 1 where one took
more than 300 MiB.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from access import enter
from bench_tools import MEMOS, command_line, measure_peak, write_json
from ingest import WORDS

from memos_cli.cube import Draft, Filter, Origin, Span
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.memory import Memos

LIMIT = 300 << 20
LENGTH = 2_000
"""Characters of a memory."""
PART = 2_000
"""Memories that are ingested at once."""
FORMATS = ("mip", "jsonl", "markdown", "mem0", "memos", "letta")


def fill(folder: Path, size: int) -> list[str]:
    """Make a vault with ``size`` bytes of text. Returns the ids of two memories to merge."""
    draw = random.Random(1)
    numbers = iter(range(size // LENGTH))
    with enter(folder, "user:ann") as ann:
        ann.init()
        while part := [line(draw, n) for _, n in zip(range(PART), numbers, strict=False)]:
            keep(
                ann,
                f"file:///notes/{len(part)}-{draw.random()}.txt",
                part,
                "old" if draw.random() < 0.05 else "all",
            )
        keep(ann, "file:///one.txt", ["The cabin is at the lake."], "one")
        keep(ann, "file:///pair.txt", ["The cabin has a stove.", "The stove is green."], "pair")
        return [cube.id for cube in ann.cubes(filter=Filter(tags=("pair",)))]


def keep(ann: Memos, uri: str, texts: list[str], tag: str) -> None:
    """Keep memories of one source, as ``ingest`` does, but without looking for secrets."""
    spans = [Span(n * LENGTH, n * LENGTH + len(text.encode())) for n, text in enumerate(texts)]
    drafts = [Draft(text, span) for text, span in zip(texts, spans, strict=True)]
    with ann.vault.change("user:ann", ann.now()) as change:
        source, _ = change.claim_source(Origin(uri, "text", "", 0), None)
        change.add(
            source, [(each, each.digest(), bytes(32)) for each in drafts], NewMemoryFields(tags=(tag,))
        )
        change.finish_source(source, hashlib.sha256(uri.encode()).hexdigest(), "recipe")


def line(draw: random.Random, number: int) -> str:
    """One memory: words of which some are frequent, and some stand only here."""
    words = draw.choices(WORDS, k=LENGTH // 8)
    return f"Note {number}: {' '.join(words)} {draw.getrandbits(40):x}."[:LENGTH]


def run(folder: Path, *arguments: object) -> tuple[float, int]:
    """Run a command. Returns its seconds, and its peak memory in bytes."""
    environment = {"MEMOS_AS": "user:ann", "MEMOS_VAULT": str(folder), "MEMOS_EMBEDDER": "/nowhere"}
    return measure_peak([*MEMOS, *map(str, arguments)], environment)


def commands(scratch: Path, ids: Sequence[str]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The commands by name, in the order in which they run; ``ids`` are to be merged."""
    yield "check", ("check",)
    yield "audit verify", ("audit", "verify")
    for format in FORMATS:
        yield f"export {format}", ("export", "--format", format, "-o", scratch / f"all.{format}")
    yield "list", ("list", "--json", "--limit", "1000000000")
    yield "maintain", ("maintain", "--skip", "embed")
    yield "merge", ("merge", *ids)
    yield "forget one", ("forget", "--tag", "one", "--yes")
    yield "forget many", ("forget", "--tag", "old", "--yes")
    for format in FORMATS:
        other = scratch / f"vault-{format}"
        yield f"import {format}", ("import", scratch / f"all.{format}", "--no-embed", "--vault", other)


def main() -> int:
    parser = command_line(__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="names that begin so")
    wanted = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="memos-limits-") as place:
        scratch = Path(place)
        begin = time.perf_counter()
        ids = fill(scratch / "vault", int(wanted.gigabytes * 1e9))
        print(f"vault of {wanted.gigabytes:g} GB: {time.perf_counter() - begin:.0f} s", flush=True)
        for name, arguments in commands(scratch, ids):
            if wanted.only and not name.startswith(tuple(wanted.only)):
                continue
            if name.startswith("import"):
                run(Path(str(arguments[-1])), "init")
            seconds, memory = run(scratch / "vault", *arguments)
            mark = "  too much" if memory > LIMIT else ""
            print(f"{name:16} {memory / 2**20:7.0f} MiB {seconds:8.1f} s{mark}", flush=True)
            figures[name] = {"bytes": memory, "seconds": round(seconds, 2)}
            if name.startswith("import"):
                shutil.rmtree(str(arguments[-1]))
    write_json(wanted.json, {"gigabytes": wanted.gigabytes, "commands": figures})
    return int(any(figure["bytes"] > LIMIT for figure in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
