#!/usr/bin/env python3
"""What encryption at rest costs: the same work in a plain vault and in an encrypted one, in turns.

    scripts/bench/encryption.py [--cubes 50000] [--json FILE]

Ingest of N lines, a search by words and vectors (random ones: no model reads them), a cold `memos search` as
a process of its own, and forgetting one memory, which writes the whole database anew. Prints the medians and
their ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from access import questions
from ingest import line

from memos_cli.cube import Filter
from memos_cli.infrastructure.vectors import vector_index
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.settings import load_settings

SIZED = """SELECT cube.n, cube.version, length(text) FROM cube
           JOIN version ON version.cube = cube.n AND version.version = cube.version ORDER BY cube.n"""
WAYS = ("plain", "encrypted")


def enter(folder: Path) -> Memos:
    settings, _ = load_settings(
        {"vault": str(folder), "principal": "user:ann", "key_file": str(folder.with_suffix(".key"))},
        environment={},
        file=folder / "no.toml",
    )
    return Memos(settings)


class Times:
    """Seconds by what was done, and in which vault."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, list[float]]] = {}

    @contextmanager
    def note(self, what: str, way: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.all.setdefault(what, {}).setdefault(way, []).append(time.perf_counter() - begin)

    def medians(self) -> dict[str, dict[str, float]]:
        return {what: {way: statistics.median(each[way]) for way in WAYS} for what, each in self.all.items()}


def fill(memos: Memos, way: str, text: bytes, times: Times) -> None:
    memos.init(encrypt="file" if way == "encrypted" else None)
    with times.note("ingest", way):
        memos.ingest(options=IngestOptions(hints=ReadOptions(lines=True)), text=text, embed=False)
    dimension = memos.embedder.dimension
    with memos.vault.change("user:ann", memos.now()) as change:
        row = change.embedder(memos.embedder.fingerprint, memos.embedder.name, dimension)
        cubes = change.db.execute(SIZED).fetchall()
        vectors = np.random.default_rng(1).standard_normal((len(cubes), dimension), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        packed = zip(cubes, vector_index.encode(vectors), strict=True)
        change.put_vectors(row, [(n, version, [(0, size, data)]) for (n, version, size), data in packed])
    vector_index.refresh(memos.vault.connection, memos.vault.snapshots, row, dimension)


def search_cold(folder: Path, way: str) -> None:
    environment = {"MEMOS_VAULT": str(folder / way), "MEMOS_AS": "user:ann"}
    environment["MEMOS_KEY_FILE"] = str(folder / f"{way}.key")
    command = [sys.executable, "-m", "memos_cli", "search", "harbour", "--json"]
    subprocess.run(command, env=os.environ | environment, check=True, capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cubes", type=int, default=50_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    wanted = parser.parse_args()
    text = "\n".join(line(n) for n in range(wanted.cubes)).encode()
    times = Times()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        vaults = {way: enter(folder / way) for way in WAYS}
        for way, memos in vaults.items():
            fill(memos, way, text, times)
        for question in questions():
            for way, memos in vaults.items():
                with times.note("search", way):
                    memos.search(question, filter=Filter())
        for _ in range(5):
            for way in WAYS:
                with times.note("cold search", way):
                    search_cold(folder, way)
        for _ in range(3):
            for way, memos in vaults.items():
                (id,) = [cube.id for cube in memos.cubes(filter=Filter(), limit=1)]
                with times.note("forget", way):
                    memos.forget([id], dry_run=False)
        sizes = [(folder / way / "memos.db").stat().st_size / 1e6 for way in WAYS]
        for memos in vaults.values():
            memos.close()
    medians = times.medians()
    print(f"{wanted.cubes:,} memories; memos.db {sizes[0]:.0f} and {sizes[1]:.0f} MB")
    for what, each in medians.items():
        plain, encrypted = each["plain"], each["encrypted"]
        print(f"{what:<12} {1000 * plain:>9.1f} ms  {1000 * encrypted:>9.1f} ms  {encrypted / plain:.2f}x")
    if wanted.json:
        wanted.json.write_text(json.dumps(medians, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
