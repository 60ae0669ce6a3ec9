#!/usr/bin/env python3
"""Write the file that centres the vectors of multilingual-e5-small: memos_cli/models/embed/e5_centre.npy.

    scripts/calibrate_embedder.py --xquad DIR --tatoeba DIR [--texts 300]

--xquad is a checkout of https://github.com/google-deepmind/xquad (CC BY-SA 4.0): passages and questions in
twelve languages. --tatoeba is the folder data/tatoeba/v1 of https://github.com/facebookresearch/LASER
(sentences of Tatoeba, CC BY 2.0 FR, each with an English translation). No text of them goes into the file.

Written are the mean of English passages, the mean of English questions, and the directions in which other
languages differ from English where they say the same. Articles with even numbers make the file. From the
others the script prints what it changes: cosines of questions with the passage that answers them and with the
best of the other passages, the area under the curve between them, and how often the right passage is first.
The table goes to stderr, the figures as JSON to stdout. It takes some 10 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memos_cli.models.embed import e5
from memos_cli.models.embed.centring import CENTRE, centre

XQUAD = ("en", "ar", "de", "el", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
TATOEBA = (
    "ara", "ben", "bul", "cat", "ces", "cmn", "dan", "deu", "ell", "fin", "fra", "heb", "hin", "hrv", "hun",
    "ind", "ita", "jpn", "kor", "nld", "nob", "pes", "pol", "por", "ron", "rus", "slk", "spa", "srp", "swe",
    "tam", "tel", "tgl", "tha", "tur", "ukr", "urd", "vie",
)  # fmt: skip
PAIRS = ("en>en", "zh>zh", "de>de", "vi>vi", "zh>en", "en>zh", "de>en", "ru>zh")
"""Pairs of languages (question, passage) that are tested."""
SHARE = 0.95
"""Share of the squared distances between languages that the chosen directions explain."""
SENTENCE_END = re.compile(r"(?<=[。！？।؟])\s*|(?<=[.!?])\s+")

Vectors = np.ndarray[Any, np.dtype[np.float32]]


@dataclass
class Quiz:
    """One language of XQuAD, of articles with even or with odd numbers."""

    passages: list[str]
    questions: list[str]
    answers: list[int]
    """For each question, the index of its passage."""


def read_xquad(file: Path, parity: int) -> Quiz:
    quiz = Quiz([], [], [])
    for article in json.loads(file.read_text(encoding="utf-8"))["data"][parity::2]:
        for paragraph in article["paragraphs"]:
            quiz.questions += [entry["question"] for entry in paragraph["qas"]]
            quiz.answers += [len(quiz.passages)] * len(paragraph["qas"])
            quiz.passages.append(paragraph["context"])
    return quiz


def thin(texts: Sequence[str], count: int) -> list[str]:
    """Take at most ``count`` of ``texts``, evenly: the same places in texts of equal length."""
    return (
        [texts[number * len(texts) // count] for number in range(count)] if len(texts) > count else [*texts]
    )


def mean(embedder: e5.E5Embedder, texts: Sequence[str], *, query: bool = False) -> Vectors:
    vectors: Vectors = embedder.embed_raw(texts, query=query).mean(axis=0)
    return vectors


def measure_xquad(embedder: e5.E5Embedder, folder: Path, count: int) -> dict[str, list[Vectors]]:
    """Compute the means of passages, sentences and questions of each language."""
    means = {}
    for language in XQUAD:
        quiz = read_xquad(folder / f"xquad.{language}.json", 0)
        sentences = [part for text in quiz.passages for part in SENTENCE_END.split(text) if len(part) > 5]
        means[language] = [
            mean(embedder, thin(quiz.passages, max(1, count // 4))),
            mean(embedder, thin(sentences, count)),
            mean(embedder, thin(quiz.questions, count), query=True),
        ]
        print(language, end=" ", file=sys.stderr, flush=True)
    return means


def calibrate(embedder: e5.E5Embedder, xquad: Path, tatoeba: Path, count: int) -> Vectors:
    """Compute the rows of the file: the mean of passages, that of questions, the directions."""
    means = measure_xquad(embedder, xquad, count)
    directions = [
        found - english
        for language in XQUAD[1:]
        for found, english in zip(means[language], means["en"], strict=True)
    ]
    daily, asked = [], []
    for language in TATOEBA:
        lines = [
            (tatoeba / f"tatoeba.{language}-eng.{side}").read_text(encoding="utf-8").splitlines()
            for side in (language, "eng")
        ]
        found, english = (mean(embedder, thin(side, count)) for side in lines)
        directions.append(found - english)
        daily.append(english)
        asked += [line for line in thin(lines[1], count) if line.endswith("?")]
        print(language, end=" ", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    passages, sentences, questions = means["en"]
    passage = (passages + sentences + np.mean(daily, axis=0)) / 3
    question = (questions + mean(embedder, thin(sorted(set(asked)), count), query=True)) / 2
    _, sizes, rows = np.linalg.svd(np.array(directions), full_matrices=False)
    share = np.cumsum(sizes**2) / np.sum(sizes**2)
    kept = int(np.searchsorted(share, SHARE)) + 1
    print(f"{len(directions)} differences, {kept} directions", file=sys.stderr)
    return np.concatenate([passage[None], question[None], rows[:kept]])


def check(embedder: e5.E5Embedder, folder: Path, rows: Vectors) -> dict[str, dict[str, dict[str, float]]]:
    """Measure each pair of languages, with raw and centred vectors."""
    vectors = {}
    for language in sorted({part for pair in PAIRS for part in pair.split(">")}):
        quiz = read_xquad(folder / f"xquad.{language}.json", 1)
        asked = embedder.embed_raw(quiz.questions, query=True)
        vectors[language] = np.array(quiz.answers), asked, embedder.embed_raw(quiz.passages)
    figures = {}
    for pair in PAIRS:
        asks, says = pair.split(">")
        answers, questions, _ = vectors[asks]
        passages = vectors[says][2]
        figures[pair] = {
            "raw": compare(questions @ passages.T, answers),
            "centred": compare(centre(questions, rows, query=True) @ centre(passages, rows).T, answers),
        }
    return figures


def compare(cosines: Vectors, answers: Any) -> dict[str, float]:
    places = np.arange(len(answers))
    evidence = cosines[places, answers]
    others = cosines.copy()
    others[places, answers] = -1
    foreign = others.max(axis=1)
    low, middle, high = np.percentile(evidence, [5, 50, 95])
    return {
        "evidence_5": round(float(low), 3), "evidence": round(float(middle), 3),
        "evidence_95": round(float(high), 3),
        "best_other": round(float(np.median(foreign)), 3),
        "area": round(float((evidence[:, None] > foreign[None]).mean()), 3),
        "first": round(float((evidence > foreign).mean()), 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--xquad", type=Path, required=True, help="folder with xquad.en.json and the others")
    parser.add_argument(
        "--tatoeba", type=Path, required=True, help="folder with tatoeba.deu-eng.deu and the others"
    )
    parser.add_argument("--texts", type=int, default=300, help="how many of a language and a kind, at most")
    parser.add_argument("--output", type=Path, default=CENTRE, help="the file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        embedder = e5.open_e5(Path(cache), 0)
        rows = calibrate(embedder, options.xquad, options.tatoeba, options.texts).astype(np.float16)
        np.save(options.output, rows)
        figures = check(embedder, options.xquad, rows.astype(np.float32))
        embedder.close()
    for pair, both in figures.items():
        for kind, values in both.items():
            print(f"{pair} {kind:8}" + "".join(f" {k} {v:.3f}" for k, v in values.items()), file=sys.stderr)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
