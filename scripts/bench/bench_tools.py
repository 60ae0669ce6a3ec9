"""What the benches share: their command line, vaults, invented words, random vectors, and measured commands.

Not a command. A vault is opened without the environment's settings, and vectors are random: no model runs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.settings import load_settings

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

MEMOS = (sys.executable, "-m", "memos_cli")
LINES = IngestOptions(hints=ReadOptions(lines=True))
"""Each line is a memory."""
SIZED = """SELECT cube.n, cube.version, length(text) FROM cube
           JOIN version ON version.cube = cube.n AND version.version = cube.version ORDER BY cube.n"""
"""The row numbers, versions and lengths in characters of all memories."""
_PEAK = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def command_line(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help is the docstring of a bench, with the option ``--json``."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    return parser


def write_json(path: Path | None, figures: object) -> None:
    """Write the figures to the file of ``--json``, if there is one."""
    if path:
        path.write_text(json.dumps(figures, indent=2) + "\n")


def open_memos(folder: Path, principal: str = "user:bench", **flags: Any) -> Memos:
    """Open the vault at ``folder`` with default settings, except for ``flags``."""
    from memos_cli.interface.memory import Memos

    given = {"vault": str(folder), "principal": principal, **flags}
    return Memos(load_settings(given, environment={}, file=folder / "none.toml")[0])


def invent_words(count: int, letters: str = "etaoinshrdlu", seed: int = 1) -> list[str]:
    """Return words of three to nine letters, which say nothing."""
    chance = random.Random(seed)
    return ["".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(count)]


def add_vectors(memos: Memos, kind: str = "", limit: int = -1) -> int:
    """Give the first ``limit`` memories (-1: all) a random vector each, and index them.

    ``kind`` is added to the fingerprint of the embedder. Returns the row of the embedder.
    """
    import numpy as np

    from memos_cli.infrastructure.vectors import vector_index

    embedder, db = memos.embedder, memos.vault.connection
    rows = db.execute(f"{SIZED} LIMIT ?", (limit,)).fetchall()
    vectors = np.random.default_rng(1).standard_normal((len(rows), embedder.dimension), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    packed = zip(rows, vector_index.encode(vectors), strict=True)
    with memos.vault.change(memos.principal, memos.now()) as change:
        row = change.embedder(embedder.fingerprint + kind, embedder.name, embedder.dimension)
        change.put_vectors(row, [(n, version, [(0, size, data)]) for (n, version, size), data in packed])
    vector_index.refresh(db, memos.vault.snapshots, row, embedder.dimension)
    return row


def run_memos(vault: Path, *arguments: object, principal: str = "user:bench", **variables: str) -> str:
    """Run a command in a process of its own, which must succeed. Returns its standard output."""
    environment = {**os.environ, "MEMOS_VAULT": str(vault), "MEMOS_AS": principal, **variables}
    command = [*MEMOS, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def measure_peak(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, int]:
    """Run a command. Returns its seconds, and its peak memory in bytes.

    A small process starts it: a child begins as large as its parent.
    """
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-S", "-c", _PEAK, *command],
        check=True, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    return time.perf_counter() - begin, int(done.stdout) << (0 if sys.platform == "darwin" else 10)
