#!/usr/bin/env python3
"""Search at scale: a vault of N memories, asked cold and warm, beside what it is made of.

    scripts/bench/search.py [--cubes 10000 100000 1000000] [--folder DIR] [--json FILE]

Texts are generated, of 10 to 40 words drawn by Zipf's law from 50,000, a third of them turns of talks. Each
has a vector for every 100 characters, as if these were its sentences; vectors are drawn around 2,000
centres, because embedding a million texts takes hours. Prints for each N:
  build    seconds to ingest the texts and to keep and index the vectors, bytes, and the seconds of one more
           memory, beside the same in an empty vault
  cold     `memos search` from process start, and its peak memory
  warm     the same search in one process, beside a plain FTS5 `OR … ORDER BY rank` of the question's words
  near     the vector stage alone, beside exact NumPy over float32, mapped and warm, and read from disk each
           time; and usearch where it is installed (`pip install usearch`; it builds its index first). Recall
           is that of the exact ten memories, and beside it that of the ten by the vault's own int8 codes
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
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from memos_cli.cube import Filter
from memos_cli.infrastructure.vectors import vector_index
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.operation.search.embedding import SENTENCES
from memos_cli.settings import load_settings

VOCABULARY, CENTRES, PART = 50_000, 2_000, 50_000
SIZED = """SELECT cube.n, cube.version, length(text) FROM cube
           JOIN version ON version.cube = cube.n AND version.version = cube.version ORDER BY cube.n"""
SMALL_WORDS = "the of and a to in is was it for on that with as at by this".split()
COLD, WARM = 15, 100


def word(n: int) -> str:
    """The n-th most frequent word."""
    if n < len(SMALL_WORDS):
        return SMALL_WORDS[n]
    chance = random.Random(n)
    return "".join(chance.choices("etaoinshrdlcumwfgypbvk", k=chance.randint(3, 9)))


class Texts:
    """Texts and questions, the same for the same number."""

    def __init__(self) -> None:
        self._words = [word(n) for n in range(VOCABULARY)]
        self._sums = list(accumulate(1 / (n + 2.7) for n in range(VOCABULARY)))

    def _draw(self, chance: random.Random) -> str:
        return self._words[bisect(self._sums, chance.random() * self._sums[-1])]

    def text(self, n: int) -> str:
        chance = random.Random(n)
        return " ".join(self._draw(chance) for _ in range(chance.randint(10, 40)))

    def question(self, n: int) -> str:
        """Of three to six words of one text, as they come, beside small words."""
        chance = random.Random(-1 - n)
        words = self.text(chance.randrange(10_000)).split()
        return "what is the " + " ".join(chance.sample(words, min(len(words), chance.randint(3, 6))))


def enter(folder: Path) -> Memos:
    settings, _ = load_settings(
        {"vault": str(folder), "principal": "user:bench"}, environment={}, file=folder / "none.toml"
    )
    return Memos(settings)


def around(centres: np.ndarray[Any, Any], count: int, seed: int) -> np.ndarray[Any, Any]:
    """Unit vectors about the centres, float32."""
    draw = np.random.default_rng(seed)
    picked = centres[draw.integers(len(centres), size=count)]
    vectors = picked + draw.standard_normal(picked.shape, np.float32) * np.float32(
        0.8 / picked.shape[1] ** 0.5
    )
    unit: np.ndarray[Any, Any] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32)


def parts(texts: Texts, cubes: int, folder: Path) -> Iterator[tuple[bytes | None, Path | None]]:
    """What is ingested: two thirds lines, a third conversations of 200 turns a file."""
    for start in range(0, cubes, PART):
        numbers = range(start, min(start + PART, cubes))
        talks = folder / f"talks-{start}"
        talks.mkdir()
        said = [n for n in numbers if n % 3 == 0]
        for at in range(0, len(said), 200):
            lines = (
                json.dumps(
                    {
                        "id": f"t{n}",
                        "role": "user",
                        "name": ("Ann", "Bo")[n % 2],
                        "time": 1_600_000_000 + 60 * n,
                        "content": texts.text(n),
                    }
                )
                for n in said[at : at + 200]
            )
            (talks / f"{at}.jsonl").write_text("\n".join(lines))
        yield "\n".join(texts.text(n) for n in numbers if n % 3).encode(), None
        yield None, talks


def fill(folder: Path, texts: Texts, cubes: int, exact: Path, scratch: Path) -> dict[str, float]:
    """A vault of ``cubes`` memories; the same vectors, as float32, in ``exact``."""
    begin = time.perf_counter()
    with enter(folder) as memos:
        memos.init()
        for lines, talks in parts(texts, cubes, scratch):
            if lines is not None:
                memos.ingest(options=IngestOptions(hints=ReadOptions(lines=True)), text=lines, embed=False)
            if talks is not None:
                memos.ingest([talks], options=IngestOptions(hints=ReadOptions()), embed=False)
        ingested = time.perf_counter() - begin
        dimension = memos.embedder.dimension
        centres = around(np.eye(dimension, dtype=np.float32), CENTRES, 0)
        rows = memos.vault.connection.execute(SIZED).fetchall()
        count = sum(len(sentences(size)) for _, _, size in rows)
        kept = np.lib.format.open_memmap(exact, "w+", np.float32, (count, dimension))
        begin, at = time.perf_counter(), 0
        for start in range(0, len(rows), PART):
            some = [(n, version, sentences(size)) for n, version, size in rows[start : start + PART]]
            vectors = around(centres, sum(len(spans) for _, _, spans in some), start + 1)
            kept[at : at + len(vectors)] = vectors
            at += len(vectors)
            codes = iter(vector_index.encode(vectors))
            with memos.vault.change("user:bench", memos.now()) as change:
                embedder = change.embedder(
                    memos.embedder.fingerprint + SENTENCES, memos.embedder.name, dimension
                )
                change.put_vectors(
                    embedder,
                    [(n, version, [(*span, next(codes)) for span in spans]) for n, version, spans in some],
                )
        kept.flush()
        vector_index.refresh(memos.vault.connection, memos.vault.snapshots, embedder, dimension)
        indexed = time.perf_counter() - begin
        memos.maintain(steps=("optimize",))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"cubes": len(rows), "sentences": count, "ingest_s": ingested, "vectors_s": indexed, "bytes": size}


def sentences(size: int) -> list[tuple[int, int]]:
    """The spans of the sentences that a text of ``size`` characters is taken to have."""
    return [(start, min(start + 100, size)) for start in range(0, size, 100)]


def spread(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "p50": ordered[len(ordered) // 2],
        "p95": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
    }


def cold(folder: Path, questions: Sequence[str]) -> dict[str, float]:
    environment = {**os.environ, "MEMOS_VAULT": str(folder), "MEMOS_AS": "user:bench"}
    command = [sys.executable, "-m", "memos_cli", "search"]
    times = []
    for question in questions:
        begin = time.perf_counter()
        subprocess.run([*command, question], check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - begin)
    return spread(times) | {"peak_mb": peak([*command, questions[0]], environment)}


def peak(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Peak memory of a command in MB, asked for by a small process: a child starts as large as its parent."""
    program = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, *command],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    return int(done.stdout) * 1024 / 1e6


def warm(folder: Path, questions: Sequence[str]) -> dict[str, dict[str, float]]:
    found: dict[str, list[float]] = {"search": [], "fts5": []}
    plain = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT 10"
    with enter(folder) as memos:
        memos.search(questions[0], filter=Filter(), k=10)
        db = memos.vault.connection
        for question in questions:
            begin = time.perf_counter()
            memos.search(question, filter=Filter(), k=10)
            found["search"].append(time.perf_counter() - begin)
        for question in questions:  # not in turns: what it reads would push out what a search has read
            words = " OR ".join(f'"{each}"' for each in question.split())
            begin = time.perf_counter()
            db.execute(plain, (words,)).fetchall()
            found["fts5"].append(time.perf_counter() - begin)
    return {name: spread(times) for name, times in found.items()}


def vectors(folder: Path, exact: Path) -> dict[str, float]:
    kept = np.load(exact, mmap_mode="r")
    centres = around(np.eye(kept.shape[1], dtype=np.float32), CENTRES, 0)
    queries = around(centres, 30, 7)
    times: dict[str, list[float]] = {"ours": [], "exact": [], "from disk": [], "usearch": []}
    hits: dict[str, list[float]] = {"ours": [], "ours, of what is stored": [], "usearch": []}
    other = build_usearch(kept)
    with enter(folder) as memos:
        db, snapshots = memos.vault.connection, memos.vault.snapshots
        (embedder,) = db.execute("SELECT max(n) FROM embedder").fetchone()
        numbers = [n for n, _, size in db.execute(SIZED) for _ in sentences(size)]
        for at, query in enumerate(queries):
            begin = time.perf_counter()
            truth = ten_best(kept, query, numbers)
            times["exact"].append(time.perf_counter() - begin)
            if at < 3:
                begin = time.perf_counter()
                ten_best(np.load(exact), query, numbers)
                times["from disk"].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            near = {n for n, _ in vector_index.nearest(db, snapshots, embedder, query, 10)}
            times["ours"].append(time.perf_counter() - begin)
            hits["ours"].append(len(truth & near) / 10)
            stored = ten_best(kept, query, numbers, as_stored=True)
            hits["ours, of what is stored"].append(len(stored & near) / 10)
            if other is not None:
                begin = time.perf_counter()
                keys = other.search(query, 40).keys
                times["usearch"].append(time.perf_counter() - begin)
                found = list(dict.fromkeys(numbers[key] for key in keys))[:10]
                hits["usearch"].append(len(truth & set(found)) / 10)
    figures = {f"{name}_p50": spread(each)["p50"] for name, each in times.items() if each}
    return figures | {f"{name}_recall": sum(each) / len(each) for name, each in hits.items() if each}


def ten_best(kept: Any, query: Any, numbers: Sequence[int], *, as_stored: bool = False) -> set[int]:
    """The ten memories with the nearest sentences, one by one; ``as_stored`` in the codes of the vault."""
    scores = []
    for at in range(0, len(kept), PART):
        part = kept[at : at + PART]
        if as_stored:
            scales = np.abs(part).max(axis=1, keepdims=True) / 127
            part = np.rint(part / scales) * scales
        scores.append(part @ query)
    every = np.concatenate(scores)
    best = np.argpartition(-every, min(100, len(every) - 1))[:100]
    ordered = best[np.argsort(-every[best])]
    return set(list(dict.fromkeys(numbers[n] for n in ordered))[:10])


def build_usearch(kept: np.ndarray[Any, Any]) -> Any:
    try:
        from usearch.index import Index  # type: ignore[import-not-found]
    except ImportError:
        return None
    made = Index(ndim=kept.shape[1], metric="ip", dtype="i8")
    begin = time.perf_counter()
    made.add(np.arange(len(kept)), kept)
    print(f"usearch: built in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return made


def one_more(folder: Path, texts: Texts, first: int) -> float:
    """Median seconds to add one memory."""
    with enter(folder) as memos:
        memos.init()
        times = []
        for n in range(first, first + 40):
            begin = time.perf_counter()
            memos.ingest(
                options=IngestOptions(hints=ReadOptions(lines=True)), text=texts.text(n).encode(), embed=False
            )
            times.append(time.perf_counter() - begin)
    return spread(times)["p50"]


def measure(cubes: int, root: Path) -> dict[str, Any]:
    texts = Texts()
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        folder, exact = Path(scratch) / "vault", Path(scratch) / "exact.npy"
        figures: dict[str, Any] = fill(folder, texts, cubes, exact, Path(scratch))
        questions = [texts.question(n) for n in range(WARM)]
        figures["cold"] = cold(folder, questions[:COLD])
        figures["warm"] = warm(folder, questions)
        figures["vectors"] = vectors(folder, exact)
        figures["one_more_s"] = one_more(folder, texts, 20_000_000)
        figures["one_more_empty_s"] = one_more(Path(scratch) / "empty", texts, 20_000_000)
    return figures


def tell(figures: Mapping[str, Any]) -> None:
    cold, near = figures["cold"], figures["vectors"]
    print(f"{figures['cubes']:,} cubes, {figures['sentences']:,} vectors, {figures['bytes'] / 1e6:.0f} MB")
    print(f"  build {figures['ingest_s']:.0f} s, vectors {figures['vectors_s']:.0f} s", end="; ")
    more, empty = 1e3 * figures["one_more_s"], 1e3 * figures["one_more_empty_s"]
    print(f"one more {more:.1f} ms, in an empty vault {empty:.1f} ms")
    print(f"  cold  p50 {cold['p50']:.2f} s  p95 {cold['p95']:.2f} s  peak {cold['peak_mb']:.0f} MB")
    for name, each in figures["warm"].items():
        print(f"  warm  {name:7} p50 {1e3 * each['p50']:.1f} ms  p95 {1e3 * each['p95']:.1f} ms")
    for name in ("ours", "exact", "from disk", "usearch"):
        if f"{name}_p50" in near:
            recall = f"  recall@10 {near[f'{name}_recall']:.3f}" if f"{name}_recall" in near else ""
            print(f"  near  {name:9} p50 {1e3 * near[f'{name}_p50']:.1f} ms{recall}", flush=True)
    print(
        f"  near  ours, beside exact search of what is stored: {near['ours, of what is stored_recall']:.3f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cubes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the vaults are made, and removed again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    wanted = parser.parse_args()
    results = []
    for cubes in wanted.cubes:
        figures = measure(cubes, wanted.folder or Path(tempfile.gettempdir()))
        results.append(figures)
        tell(figures)
    if wanted.json:
        wanted.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
