#!/usr/bin/env python3
"""Ingest: bulk speed, single durable writes beside bare SQLite, memory, and growth. Text alone, no vectors.

    scripts/bench/ingest.py [--lines 100000] [--single 300] [--json FILE]

Prints, from one run:
  bulk     cubes a second for N lines through the Memory API, and peak memory, at N/4, N/2 and N: lines of
           text (`--lines`), and JSONL records with an id
  single   Memory API ingests of one line, interleaved with a bare sqlite3 BEGIN IMMEDIATE / INSERT /
           COMMIT of the same text with the same full-text row, both synchronous=FULL on the same disk
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_tools import command_line, open_memos, write_json

from memos_cli.infrastructure.storage.fulltext import TOKENIZER, word_row
from memos_cli.interface.options import IngestOptions, ReadOptions

WORDS = [
    "".join(random.Random(n).choices("abcdefghijklmnopqrstuvwxyz", k=random.Random(-n).randint(3, 9)))
    for n in range(5_000)
]


def line(n: int) -> str:
    chance = random.Random(n)
    words = (WORDS[int(len(WORDS) * chance.random() ** 3)] for _ in range(chance.randint(10, 28)))
    return " ".join(words)


def bulk(kind: str, count: int) -> dict[str, object]:
    """In a process of its own, so that the peak memory is this run's."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        source = Path(folder) / f"lines.{kind}"
        with source.open("w", encoding="utf-8") as file:
            for n in range(count):
                text = line(n)
                file.write((json.dumps({"id": f"l{n}", "text": text}) if kind == "jsonl" else text) + "\n")
        with open_memos(Path(folder) / "vault") as api:
            api.create_vault()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            wishes = IngestOptions(hints=ReadOptions(lines=kind == "txt"))
            start = time.perf_counter()
            result = api.ingest([source], options=wishes, embed=False)
            seconds = time.perf_counter() - start
        assert result.added == count, result
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "kind": kind,
        "cubes": count,
        "seconds": round(seconds, 3),
        "per_second": round(count / seconds),
        "peak_mib": round(peak / 1024),
        "start_mib": round(before / 1024),
    }


def single(rounds: int) -> dict[str, float]:
    """Pairs in turn on the same disk: one ingest through the API, one bare commit."""
    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        db = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE note (n INTEGER PRIMARY KEY, text TEXT)")
        db.execute(
            f"CREATE VIRTUAL TABLE words USING fts5 (head, body, content='', tokenize=\"{TOKENIZER}\")"
        )
        with open_memos(Path(folder) / "vault") as api:
            api.create_vault()
            for n in range(rounds + 20):
                text = line(n)
                start = time.perf_counter()
                db.execute("BEGIN IMMEDIATE")
                row = db.execute("INSERT INTO note (text) VALUES (?)", (text,)).lastrowid
                db.execute(
                    "INSERT INTO words (rowid, head, body) VALUES (?, ?, ?)",
                    (row, *word_row("", "", None, text)),
                )
                db.execute("COMMIT")
                middle = time.perf_counter()
                api.ingest(options=IngestOptions(), text=text.encode(), embed=False)
                if n >= 20:
                    bare.append(middle - start)
                    ours.append(time.perf_counter() - middle)
    return {
        "pairs": rounds,
        "bare_ms": round(1e3 * statistics.median(bare), 3),
        "memos_ms": round(1e3 * statistics.median(ours), 3),
        "ratio": round(statistics.median(bare) / statistics.median(ours), 3),
    }


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--single", type=int, default=300)
    parser.add_argument("--bulk-only", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bulk_only:
        print(json.dumps(bulk(options.bulk_only[0], int(options.bulk_only[1]))))
        return
    report: dict[str, Any] = {"load": os.getloadavg()[0], "bulk": [], "single": {}}
    print(f"{'':6} {'cubes':>8} {'seconds':>8} {'cubes/s':>8} {'peak MiB':>9}")
    for kind in ("txt", "jsonl"):
        for count in (options.lines // 4, options.lines // 2, options.lines):
            command = [sys.executable, __file__, "--bulk-only", kind, str(count)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            row = json.loads(done.stdout)
            report["bulk"].append(row)
            figures = f"{row['cubes']:>8,} {row['seconds']:>8} {row['per_second']:>8,} {row['peak_mib']:>9}"
            print(f"{kind:6} {figures}", flush=True)
    report["single"] = single(options.single)
    print("\nsingle durable ingest, medians of {pairs} interleaved pairs:".format(**report["single"]))
    print("bare sqlite3 {bare_ms} ms, memos {memos_ms} ms: {ratio}x of its speed".format(**report["single"]))
    write_json(options.json, report)


if __name__ == "__main__":
    main()
