"""Relevance: the probability that a memory answers a question, calibrated for each embedder. Pure.

A logistic model with four inputs: the cosine of the memory's best sentence, its distance from the cosines of
the next memories, the share of the question's words that the memory contains, and whether the two are in
different scripts, so that words cannot match. `scripts/calibrate_relevance.py` fits it for an embedder on
questions of several kinds with and without an answer, and prints how well probabilities and outcomes agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

STANDS_OUT_FROM = slice(3, 13)
"""Ranks of the memories (nearest first) with which the cosine of one is compared."""
_TYPICAL = 0.1
"""The cosine of these ranks if there are too few memories."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The weights of the logistic model for one embedder."""

    bias: float
    cosine: float = 0.0
    gap: float = 0.0
    words: float = 0.0
    foreign: float = 0.0


CALIBRATIONS: Mapping[str, Calibration] = {
    "multilingual-e5-small": Calibration(-3.9, 9.0, 5.2, 2.1, 0.2),
    "all-MiniLM-L6-v2": Calibration(-4.2, 6.8, 1.8, 1.2, 2.4),
}
"""By the name of the embedder. Fitted with `scripts/calibrate_relevance.py`: the first one on LoCoMo 1 to 5,
notes-dev, XQuAD, and three of the people in `scripts/bench/data`; the second one on the first three. The
first bias is 0.2 lower than fitted: a wrong answer costs more than a refusal, which shows what is nearest."""
BY_WORDS = Calibration(-3.0, words=6.0)
"""For a memory without a vector, or a question in a language that the embedder does not read."""


FEW_WORDS = 0.25
"""Share of the question's words, by rarity, below which a memory does not match by words. With the default
relevance, 97 % of 127 answerable questions (notes-dev, LoCoMo 1) have a result that is not weak, and 3 % of
150 questions on other things; of 44 invented words, none."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The evidence of a search for one memory."""

    covered: float
    """The share of the question's words that it contains, weighted by rarity."""
    cosine: float | None = None
    """Cosine of its best sentence and the question."""
    gap: float = 0.0
    """By how much this cosine exceeds that of the next memories."""
    is_foreign: bool = False
    """Whether it is in another script than the question."""


def relevance(signs: Signs, calibration: Calibration) -> float:
    """Return the probability that the memory answers the question, in [0, 1]."""
    if signs.cosine is None:
        calibration = BY_WORDS
    total = calibration.bias + calibration.words * signs.covered * (not signs.is_foreign)
    if signs.cosine is not None:
        total += calibration.cosine * signs.cosine + calibration.gap * signs.gap
        total += calibration.foreign * signs.is_foreign
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


def is_weak(probability: float, covered: float, least: float) -> bool:
    """Return whether a memory matches neither by words nor in meaning: its relevance is below ``least``."""
    return probability < least and covered < FEW_WORDS


def typical(cosines: list[float]) -> float:
    """Return the cosine of ordinary memories, from the cosines of all that were found."""
    some = sorted(cosines, reverse=True)[STANDS_OUT_FROM]
    return sum(some) / len(some) if len(some) > 1 else _TYPICAL
