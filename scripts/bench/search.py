#!/usr/bin/env python3
"""Search at scale: a vault of N memories, asked cold and warm, beside what it is made of.

    scripts/bench/search.py [--cubes 10000 100000 1000000] [--folder DIR] [--json FILE]

Texts are generated, of 10 to 40 words drawn by Zipf's law from 50,000, a third of them turns of talks. Each
has a vector for every 100 characters, as if these were its sentences; vectors are drawn around 2,000
centres, because embedding a million texts takes hours. Prints for each N:
  build    seconds to ingest the texts and to keep and index the vectors, and bytes
  cold     `memos search` from process start, and its peak memory
  warm     the same search in one process, beside a plain FTS5 `OR … ORDER BY rank` of the question's words
  near     the vector stage alone, beside exact NumPy over float32, mapped and warm; recall is that of the
           exact ten memories
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from bench_tools import LINES, MEMOS, SIZED, command_line, measure_peak, open_memos, run_memos, write_json

from memos_cli.cube import Filter
from memos_cli.infrastructure.vectors import vector_index
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.operation.search.embedding import SENTENCES

VOCABULARY, CENTRES, PART = 50_000, 2_000, 50_000
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
                json.dumps({"id": f"t{n}", "role": "user", "name": ("Ann", "Bo")[n % 2],
                            "time": 1_600_000_000 + 60 * n, "content": texts.text(n)})
                for n in said[at : at + 200]
            )  # fmt: skip
            (talks / f"{at}.jsonl").write_text("\n".join(lines))
        yield "\n".join(texts.text(n) for n in numbers if n % 3).encode(), None
        yield None, talks


def fill(folder: Path, texts: Texts, cubes: int, exact: Path, scratch: Path) -> dict[str, float]:
    """A vault of ``cubes`` memories; the same vectors, as float32, in ``exact``."""
    begin = time.perf_counter()
    with open_memos(folder) as memos:
        memos.init()
        for lines, talks in parts(texts, cubes, scratch):
            if lines is not None:
                memos.ingest(options=LINES, text=lines, embed=False)
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
    times = []
    for question in questions:
        begin = time.perf_counter()
        run_memos(folder, "search", question)
        times.append(time.perf_counter() - begin)
    environment = {"MEMOS_VAULT": str(folder), "MEMOS_AS": "user:bench"}
    _, peak = measure_peak([*MEMOS, "search", questions[0]], environment)
    return spread(times) | {"peak_mb": peak / 1e6}


def warm(folder: Path, questions: Sequence[str]) -> dict[str, dict[str, float]]:
    found: dict[str, list[float]] = {"search": [], "fts5": []}
    plain = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT 10"
    with open_memos(folder) as memos:
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
    times: dict[str, list[float]] = {"ours": [], "exact": []}
    hits = []
    with open_memos(folder) as memos:
        db, snapshots = memos.vault.connection, memos.vault.snapshots
        (embedder,) = db.execute("SELECT max(n) FROM embedder").fetchone()
        numbers = [n for n, _, size in db.execute(SIZED) for _ in sentences(size)]
        for query in around(centres, 30, 7):
            begin = time.perf_counter()
            truth = ten_best(kept, query, numbers)
            middle = time.perf_counter()
            near = {n for n, _ in vector_index.nearest(db, snapshots, embedder, query, 10)}
            times["ours"].append(time.perf_counter() - middle)
            times["exact"].append(middle - begin)
            hits.append(len(truth & near) / 10)
    return {name: spread(each)["p50"] for name, each in times.items()} | {"recall": sum(hits) / len(hits)}


def ten_best(kept: Any, query: Any, numbers: Sequence[int]) -> set[int]:
    """The ten memories with the nearest sentences, one by one."""
    every = np.concatenate([kept[at : at + PART] @ query for at in range(0, len(kept), PART)])
    best = np.argpartition(-every, min(100, len(every) - 1))[:100]
    ordered = best[np.argsort(-every[best])]
    return set(list(dict.fromkeys(numbers[n] for n in ordered))[:10])


def measure(cubes: int, root: Path) -> dict[str, Any]:
    texts = Texts()
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        folder, exact = Path(scratch) / "vault", Path(scratch) / "exact.npy"
        figures: dict[str, Any] = fill(folder, texts, cubes, exact, Path(scratch))
        questions = [texts.question(n) for n in range(WARM)]
        figures["cold"] = cold(folder, questions[:COLD])
        figures["warm"] = warm(folder, questions)
        figures["vectors"] = vectors(folder, exact)
    return figures


def show(figures: Mapping[str, Any]) -> None:
    cold, near = figures["cold"], figures["vectors"]
    print(f"{figures['cubes']:,} cubes, {figures['sentences']:,} vectors, {figures['bytes'] / 1e6:.0f} MB")
    print(f"  build {figures['ingest_s']:.0f} s, vectors {figures['vectors_s']:.0f} s")
    print(f"  cold  p50 {cold['p50']:.2f} s  p95 {cold['p95']:.2f} s  peak {cold['peak_mb']:.0f} MB")
    for name, each in figures["warm"].items():
        print(f"  warm  {name:7} p50 {1e3 * each['p50']:.1f} ms  p95 {1e3 * each['p95']:.1f} ms")
    for name in ("ours", "exact"):
        print(f"  near  {name:9} p50 {1e3 * near[name]:.1f} ms")
    print(f"  near  recall@10 {near['recall']:.3f}", flush=True)


def main() -> int:
    parser = command_line(__doc__)
    parser.add_argument("--cubes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the vaults are made, and removed again")
    wanted = parser.parse_args()
    results = []
    for cubes in wanted.cubes:
        figures = measure(cubes, wanted.folder or Path(tempfile.gettempdir()))
        results.append(figures)
        show(figures)
    write_json(wanted.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
