#!/usr/bin/env python3
"""Fit the probability that a memory answers a question, and print how well it agrees with the data.

    scripts/calibrate_relevance.py DATA… [--embedder NAME] [--questions 80]

DATA as for `scripts/eval_answers.py`. Each data set is asked its own questions (an answer is there) and
those of other data sets (no answer is there); questions near to what memory knows are printed, and not
fitted. Every kind of question counts alike. The fitted weights belong into
`memos_cli/operation/search/relevance.py`. Printed besides: of each data set the share of its questions that
would be answered at some thresholds, and the reliability (mean probability beside the share of answerable
questions), once fitted on all data and once on the other data sets only."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from eval_answers import fill, with_far
from eval_data import load
from numpy.typing import NDArray

from memos_cli.cube import Filter
from memos_cli.interface.memory import Memos
from memos_cli.operation.search.relevance import CALIBRATIONS
from memos_cli.settings import Settings

NAMES = ("bias", "cosine", "gap", "words", "foreign")
THRESHOLDS = (0.3, 0.4, 0.5)
FIRST = 10
"""Number of memories of a search that may decide whether a question is answered."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A question, and the evidence for the first memories that it finds."""

    family: str
    kind: str
    signs: Matrix

    @property
    def has_answer(self) -> bool:
        return self.kind not in ("far", "near")

    @property
    def group(self) -> str:
        return f"{self.family}/{self.kind if self.kind in ('far', 'near', 'cross') else 'own'}"


def collect(paths: Sequence[Path], embedder: str, most: int) -> list[Asked]:
    """Ask every data set, each in a vault of its own."""
    found = []
    for corpus, questions in with_far([corpus for path in paths for corpus in load(path)], seed=1):
        chosen = random.Random(1).sample(questions, min(len(questions), 2 * most))
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                vault=f"{folder}/vault", embedder=embedder, query_log=0, audit_reads="prompts"
            )
            with Memos(settings) as memos:
                fill(memos, corpus, Path(folder) / "files")
                for question in chosen:
                    hits = memos.search(question.text, filter=Filter(), k=FIRST).hits
                    rows = []
                    for why in (hit.why for hit in hits):
                        foreign = float("script" in why)
                        words = float(why["coverage"]) * (1 - foreign)
                        rows.append([1.0, why.get("cosine", 0.0), why.get("gap", 0.0), words, foreign])
                    if rows:
                        name = corpus.name.rpartition("-")[0] if corpus.by_ref else corpus.name
                        found.append(Asked(name, question.kind, np.array(rows, float)))
        print(f"{corpus.name}: {len(chosen)} questions", flush=True)
    return found


def fit(asked: Sequence[Asked], rounds: int = 8) -> Matrix:
    """Fit the weights: logistic regression on the best memory of each question, by Newton's method.

    Which memory is the best follows from the weights, so both are found in turns.
    """
    outcomes = np.array([float(each.has_answer) for each in asked])
    sizes = Counter(each.group for each in asked)
    counts = np.array([1 / sizes[each.group] for each in asked])
    for outcome in (0, 1):
        counts[outcomes == outcome] /= counts[outcomes == outcome].sum()
    counts /= counts.mean()
    weights = np.array([0.0, 10.0, 0.0, 0.0, 0.0])
    for _ in range(rounds):
        best = np.array([each.signs[np.argmax(each.signs @ weights)] for each in asked])
        weights = np.zeros(best.shape[1])
        for _ in range(50):
            p = 1 / (1 + np.exp(-best @ weights))
            slope = best.T @ (counts * (p - outcomes)) / len(asked) + 1e-3 * weights
            bend = (best * (counts * p * (1 - p))[:, None]).T @ best / len(asked)
            weights = weights - np.linalg.solve(bend + 1e-3 * np.eye(len(weights)), slope)
    return weights


def report(asked: Sequence[Asked], weights_of: Callable[[str], Matrix]) -> None:
    """Print the shares that would be answered, and the reliability."""
    best = np.array([1 / (1 + np.exp(-(each.signs @ weights_of(each.family)).max())) for each in asked])
    groups: dict[str, list[float]] = defaultdict(list)
    for each, probability in zip(asked, best, strict=True):
        groups[each.group].append(float(probability))
    print(f"  {'answered at':28}" + "".join(f"{threshold:>8}" for threshold in THRESHOLDS))
    for group, some in sorted(groups.items()):
        shares = [float(np.mean(np.array(some) >= threshold)) for threshold in THRESHOLDS]
        print(f"  {group:22}{len(some):>6}" + "".join(f"{share:>8.2f}" for share in shares))
    fitted = np.array([each.kind != "near" for each in asked])
    outcomes = np.array([float(each.has_answer) for each in asked])
    print("  probability  outcome  questions")
    for low in np.arange(0, 1, 0.1):
        chosen = fitted & (best >= low) & (best < low + 0.1)
        if chosen.any():
            print(f"  {best[chosen].mean():11.2f}{outcomes[chosen].mean():9.2f}{chosen.sum():11}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--embedder", default="", help="an embedder instead of the default one")
    parser.add_argument("--questions", type=int, default=80, help="half of the questions of each data set")
    wanted = parser.parse_args()
    asked = collect(wanted.data, wanted.embedder, wanted.questions)
    fitted = [each for each in asked if each.kind != "near"]
    weights = fit(fitted)
    shown = ", ".join(f"{name}={weight:.2f}" for name, weight in zip(NAMES, weights, strict=True))
    print(f"\nCalibration({shown})\nin use: {CALIBRATIONS}\n\nfitted on all data:")
    report(asked, lambda family: weights)
    families = {each.family for each in asked}
    if len(families) > 1:
        held_out = {family: fit([e for e in fitted if e.family != family]) for family in families}
        print("\nfitted on the other data sets:")
        report(asked, held_out.__getitem__)


if __name__ == "__main__":
    main()
