#!/usr/bin/env python3
"""The speed of the default embedder, multilingual-e5-small, beside that of memos 0.1.0, all-MiniLM-L6-v2.

    scripts/bench/embedding.py [--texts 200] [--rounds 3] [--json FILE]

In one run, interleaved: texts per second of turns in English and in Chinese and of passages, the time from a
cold process to the first vector, and what of its speed an ingest keeps. A ratio above 1 means that the
default one is faster. Needs memos-cli[embedded,minilm].
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before llama.cpp loads

from bench_tools import LINES, command_line, open_memos, write_json

from memos_cli.cube import Filter
from memos_cli.models.embed.embedder import DEFAULT, LEGACY, open_embedder
from memos_cli.models.llama import llama
from memos_cli.operation.search.embedding import embedded_texts

TURNS = {
    "en": [
        "I finally booked the flight to Oslo for the second week of May.",
        "Did you hear back from the landlord?",
        "Not yet, but she promised to send the new contract on Monday.",
        "My sister started her new job today.",
        "The doctor said I should walk more and drink less coffee.",
        "That sounds like a great idea!",
        "We could meet at the café near the station, say at half past six.",
        "Thanks, that helps a lot.",
        "I have been reading a book about the history of maps.",
        "The spare key is under the blue flower pot.",
        "Our team moved the release to the end of the quarter.",
        "Can you remind me to water the plants?",
    ],
    "zh": [
        "我终于订好了五月第二周去奥斯陆的机票。",
        "房东那边有回复了吗？",
        "还没有，不过她答应星期一把新合同发过来。",
        "我姐姐今天开始上新的班了。",
        "医生说我应该多走路，少喝咖啡。",
        "听起来是个好主意！",
        "我们可以六点半在车站附近的咖啡馆见面。",
        "谢谢，这对我帮助很大。",
        "我最近在读一本关于地图历史的书。",
        "备用钥匙在蓝色花盆下面。",
        "我们团队把发布推迟到了季度末。",
        "你能提醒我给植物浇水吗？",
    ],
}
KINDS = {"turns_en": ("en", 2, 4), "turns_zh": ("zh", 2, 4), "passages_en": ("en", 8, 12)}
"""Language, and how many turns make one text."""
COLD = """
import sys
from pathlib import Path
from memos_cli.models.embed.embedder import open_embedder
open_embedder(sys.argv[1], Path(sys.argv[2])).embed(["When did we go to Oslo?"], query=True)
"""


def make_texts(count: int, shortest: int, longest: int, words: list[str], seed: int) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(words, k=chance.randint(shortest, longest))) for _ in range(count)]


def time_cold(name: str, cache: Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", COLD, name, str(cache)], check=True, capture_output=True)
    return time.perf_counter() - start


def time_ingest(texts: list[str], cache: Path) -> tuple[float, float]:
    """Seconds of processor time to embed the texts of a new vault, and to embed the same sentences alone."""
    os.environ["MEMOS_CACHE"] = str(cache)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_memos(Path(folder) / "vault", threads=os.cpu_count()) as memos,
    ):
        memos.init()
        memos.ingest(options=LINES, text="\n".join(texts).encode(), embed=False)
        sentences = [
            sentence
            for cube in memos.cubes(filter=Filter())
            for _, sentence in embedded_texts(cube.type, cube.title, cube.author, cube.text)
        ]
        memos.embedder.embed(sentences[:8])  # loads the model
        start = time.process_time()
        memos.embed()
        middle = time.process_time()
        memos.embedder.embed(sentences)
        return middle - start, time.process_time() - middle


def measure(count: int, rounds: int, cache: Path) -> dict[str, object]:
    """Compare the embedders, on texts that people write."""
    figures: dict[str, object] = {}
    e5: Any = open_embedder(DEFAULT, cache, threads=os.cpu_count() or 1)
    minilm: Any = open_embedder(LEGACY, cache, threads=os.cpu_count() or 1)
    for kind, (language, fewest, most) in KINDS.items():
        number = max(16, count // 8) if kind.startswith("passages") else count
        texts = make_texts(number, fewest, most, TURNS[language], 3)
        speeds: dict[str, list[float]] = {"e5": [], "minilm": []}
        for _ in range(rounds):
            for name, embedder in (("e5", e5), ("minilm", minilm)):
                start = time.perf_counter()
                embedder.embed(texts)
                speeds[name].append(len(texts) / (time.perf_counter() - start))
        sizes = [len(e5.tokenise(f"passage: {text}")) for text in texts]
        figures[f"e5_{kind}"] = {
            "e5_tokens_each": round(sum(sizes) / len(sizes), 1),
            "minilm_tokens_each": round(sum(len(minilm.tokenise(text)) for text in texts) / len(texts), 1),
            "e5_per_s": round(median(speeds["e5"]), 1),
            "minilm_per_s": round(median(speeds["minilm"]), 1),
            "ratio": round(median([a / b for a, b in zip(speeds["e5"], speeds["minilm"], strict=True)]), 2),
        }
    texts = make_texts(count, *KINDS["turns_en"][1:], TURNS["en"], 4)
    pairs = [time_ingest(texts, cache) for _ in range(rounds)]
    figures["ingest"] = {
        "texts": len(texts),
        "ingest_s": round(median([ingest for ingest, _ in pairs]), 2),
        "embedder_alone_s": round(median([alone for _, alone in pairs]), 2),
        "share_kept": round(median([alone / ingest for ingest, alone in pairs]), 3),
    }
    colds = [(time_cold(DEFAULT, cache), time_cold(LEGACY, cache)) for _ in range(max(rounds, 5))]
    figures["e5_cold_first_vector"] = {
        "e5_s": round(median([pair[0] for pair in colds]), 3),
        "minilm_s": round(median([pair[1] for pair in colds]), 3),
        "ratio": round(median([pair[1] / pair[0] for pair in colds]), 2),
    }
    e5.close()
    minilm.close()
    return figures


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--texts", type=int, default=200, help="how many turns")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as cache:
        figures = measure(options.texts, options.rounds, Path(cache))
    figures |= {"load_before": before, "cores": os.cpu_count(), "threads_free": llama.free_threads()}
    for name, figure in figures.items():
        shown = "  ".join(f"{k} {v}" for k, v in figure.items()) if isinstance(figure, dict) else figure
        print(f"{name:25}{shown}")
    write_json(options.json, figures)


if __name__ == "__main__":
    main()
