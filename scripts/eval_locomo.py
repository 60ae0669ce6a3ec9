#!/usr/bin/env python3
"""How well the right memory is found: evidence recall on conversations in LoCoMo's format.

    scripts/eval_locomo.py FILE                      recall by search, beside plain baselines
    scripts/eval_locomo.py FILE --leave-one-out      weights chosen on all conversations but the one judged

Each conversation becomes a vault of its own through the public API, a session a source, a turn a memory with
its id as reference. Every question of categories 1 to 4 goes through the search of `memos search`; so it does
not know which session holds the answer. Recall is the share of a question's evidence turns that stand within
the first so many tokens (of the reader) of what was found, or among the first so many memories, averaged over
questions. Beside it, over the same memories: BM25 alone, vectors alone, and rank fusion of the two (k = 60).

The data (CC BY-NC 4.0) are not part of this project: https://github.com/snap-research/locomo, `data/`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from eval_data import turns

from memos_cli.cube import Filter
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.storage.fulltext import fts_query, query_terms
from memos_cli.interface.ask.question_parser import read_question
from memos_cli.interface.ask.retrieval import asked_of
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.operation.search.hybrid_search import Gathered, gather
from memos_cli.operation.search.ranking import WEIGHTS, Asked, Weights, rank
from memos_cli.settings import Settings

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open", 4: "single-hop"}
BUDGETS, FIRST = (500, 1000, 2000), (5, 10, 20)
LIMIT = 200
"""Memories that each signal brings: enough to fill the largest budget."""
OURS = "memos search"
Ranking = list[str]
"""References of turns, best first."""


@dataclass
class Asking:
    """A question of the data, and what each way of searching found for it."""

    text: str
    category: int
    evidence: set[str]
    found: dict[str, Ranking]
    gathered: Gathered | None = None
    asked: Asked | None = None


@dataclass
class Talk:
    """A conversation of the data: its vault's turns, and its questions."""

    name: str
    tokens: Mapping[str, int]
    sessions: Mapping[str, int]
    refs: Mapping[int, str]
    askings: list[Asking]


def fill(memos: Memos, conversation: Mapping[str, Any], folder: Path) -> dict[str, int]:
    """Keep a conversation. Returns the session of each turn."""
    sessions: dict[str, int] = {}
    for number, lines in turns(conversation):
        path = folder / f"session_{number:02}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        sessions |= {line["id"]: number for line in lines}
    memos.init()
    memos.ingest([folder], options=IngestOptions(hints=ReadOptions()))
    return sessions


def fuse_by_rank(*rankings: Ranking, k: int = 60) -> Ranking:
    """Reciprocal rank fusion."""
    scores: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for place, ref in enumerate(ranking, 1):
            scores[ref] += 1 / (k + place)
    return sorted(scores, key=lambda ref: -scores[ref])


def by_score(scores: Mapping[int, float], refs: Mapping[int, str]) -> Ranking:
    return [refs[n] for n in sorted(scores, key=lambda n: (-scores[n], n)) if n in refs]


def ask_all(memos: Memos, sample: Mapping[str, Any], sessions: Mapping[str, int], now: int) -> Talk:
    """Every question of a conversation, by every way of searching."""
    cubes = {cube.n: cube for cube in memos.cubes(filter=Filter())}
    refs = {n: cube.ref or "" for n, cube in cubes.items()}
    with memos._open_engine(vocabulary_only=True) as engine:
        tokens = {refs[n]: len(engine.tokenize(cube.text)) for n, cube in cubes.items()}
    askings, db = [], memos.vault.connection
    for each in sample["qa"]:
        evidence = {ref for ref in each.get("evidence", []) if ref in tokens}
        if each["category"] not in CATEGORIES or not evidence:
            continue
        question = each["question"]
        hits = memos.search(question, filter=Filter(), k=LIMIT).hits
        words = dict(
            queries.matches(db, fts_query(query_terms(question)), Filter(), now=now, limit=len(cubes))
        )
        gathered = gather(
            memos.vault, question, filter=Filter(), now=now, embedder=memos.embedder, limit=LIMIT
        )
        meaning = {c.cube: c.cosine for c in gathered.candidates if c.cosine is not None}
        lexical, dense = by_score(words, refs), by_score(meaning, refs)
        found = {
            OURS: [hit.cube.ref or "" for hit in hits],
            "BM25": lexical,
            "vectors": dense,
            "rank fusion": fuse_by_rank(lexical, dense),
        }
        asked = asked_of(read_question(question, now=now))
        askings.append(Asking(question, each["category"], evidence, found, gathered, asked))
    return Talk(str(sample.get("sample_id", "?")), tokens, sessions, refs, askings)


def measures(talk: Talk, asking: Asking, ranking: Ranking) -> dict[str, float]:
    """What one question's ranking is worth."""
    place = {ref: n for n, ref in enumerate(ranking)}
    spent, total = [], 0
    for ref in ranking:
        total += talk.tokens[ref]
        spent.append(total)

    def share(fits: Callable[[int], bool]) -> float:
        return sum(ref in place and fits(place[ref]) for ref in asking.evidence) / len(asking.evidence)

    found = {f"{budget} tokens": share(lambda n, b=budget: spent[n] <= b) for budget in BUDGETS}  # type: ignore[misc]
    found |= {f"@{first}": share(lambda n, f=first: n < f) for first in FIRST}  # type: ignore[misc]
    wanted = {talk.sessions[ref] for ref in asking.evidence}
    found["session@1"] = float(bool(ranking) and talk.sessions[ranking[0]] in wanted)
    return found


def table(talks: Sequence[Talk], ways: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Way -> category -> measure, averaged over questions; printed as it is made."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    for way in ways:
        rows: dict[str, list[dict[str, float]]] = defaultdict(list)
        for talk in talks:
            for asking in talk.askings:
                row = measures(talk, asking, asking.found[way])
                rows["all"].append(row)
                rows[CATEGORIES[asking.category]].append(row)
        results[way] = {
            name: {key: sum(row[key] for row in some) / len(some) for key in some[0]}
            for name, some in rows.items()
        }
    names = list(next(iter(results.values()))["all"])
    print(f"{'':14}{'':12}" + "".join(f"{name:>12}" for name in names))
    for way, by_category in results.items():
        for category in ("all", *CATEGORIES.values()):
            if values := by_category.get(category):
                shown = way if category == "all" else ""
                print(f"{shown:14}{category:12}" + "".join(f"{values[name]:12.3f}" for name in names))
    return results


# --- choosing weights ------------------------------------------------------------------------------------


def ranked(talk: Talk, asking: Asking, balance: float, weights: Weights) -> Ranking:
    assert asking.gathered is not None and asking.asked is not None
    scores = rank(
        asking.gathered.candidates, asking.gathered.pairs, asking.asked, balance=balance, weights=weights
    )
    return by_score({n: each.score for n, each in scores.items()}, talk.refs)


def worth(talks: Sequence[Talk], balance: float, weights: Weights) -> float:
    """What weights are chosen by: recall within 1,000 tokens and among ten, over every other question."""
    rows = [measures(t, a, ranked(t, a, balance, weights)) for t in talks for a in t.askings[::2]]
    return sum(row["1000 tokens"] + row["@10"] for row in rows) / len(rows)


def choose(talks: Sequence[Talk]) -> tuple[float, Weights]:
    """One weight after the other, from nothing, each the best of a few."""
    balance, weights = 0.5, Weights(*[0.0] * len(fields(Weights)))
    best = worth(talks, balance, weights)
    for name in ("balance", *(field.name for field in fields(Weights))):
        usual = 0.5 if name == "balance" else getattr(WEIGHTS, name)
        for value in (0.0, usual / 2, usual, usual * 1.5) if name != "balance" else (0.4, 0.55, 0.7):
            tried = (value, weights) if name == "balance" else (balance, replace(weights, **{name: value}))
            if (found := worth(talks, *tried)) > best + 1e-4:
                best, (balance, weights) = found, tried
    return balance, weights


def leave_one_out(talks: Sequence[Talk]) -> None:
    for talk in talks:
        balance, weights = choose([other for other in talks if other is not talk])
        print(f"without {talk.name}: balance {balance:g}, {weights}", file=sys.stderr)
        for asking in talk.askings:
            asking.found["leave one out"] = ranked(talk, asking, balance, weights)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--leave-one-out", action="store_true", help="choose the weights on the others")
    parser.add_argument("--model", default="", help="a GGUF file, whose tokens count")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    wanted = parser.parse_args()
    talks = []
    for sample in json.loads(wanted.file.read_text()):
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "talk"
            folder.mkdir()
            settings = Settings(
                vault=str(Path(scratch) / "vault"), principal="user:eval", reader=wanted.model
            )
            with Memos(settings) as memos:
                sessions = fill(memos, sample["conversation"], folder)
                talk = ask_all(memos, sample, sessions, memos.now())
                talks.append(talk)
        took = time.monotonic() - begin
        print(
            f"{talk.name}: {len(talk.tokens)} turns, {len(talk.askings)} questions, {took:.0f} s",
            file=sys.stderr,
        )
    ways = [OURS, "BM25", "vectors", "rank fusion"]
    if wanted.leave_one_out:
        leave_one_out(talks)
        ways.insert(1, "leave one out")
    results = table(talks, ways)
    if wanted.json:
        wanted.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
