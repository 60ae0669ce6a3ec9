#!/usr/bin/env python3
"""What an adapter knows and costs: memories distilled and asked through the public API, in a temporary vault.

    .venv/bin/python scripts/bench/distil.py                     8 single facts of the test set (English)
    .venv/bin/python scripts/bench/distil.py --together          the same facts as one memory
    .venv/bin/python scripts/bench/distil.py --facts 24 --seeds 1,2,3
    .venv/bin/python scripts/bench/distil.py --data notes_test --facts 4
    .venv/bin/python scripts/bench/distil.py --language de
    .venv/bin/python scripts/bench/distil.py --skill             a style of commit subjects, on unseen inputs
    .venv/bin/python scripts/bench/distil.py --keep DIR          keep the vault in DIR; a second run only asks

It prints the recall of three sorts of questions apart: *trained*, *reworded* (held out by the program) and
*never seen* (written by hand, in scripts/bench/data). Each is asked with ``memos query``, as a user would;
``reach`` is the share that the adapter answered, and not the text. Beside them stand the adapter alone
(without routing), the base model without the text and with it.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memos_cli.cube import Filter
from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.derived.adapters import Lesson
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions, IngestOptions, ReadOptions, TrainOptions
from memos_cli.operation.adapters.gate import ANSWER
from memos_cli.operation.adapters.parametric import Watch
from memos_cli.operation.adapters.questions.answer_check import is_right, says_any
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.ask.prompt_layout import bare_prompt
from memos_cli.settings import Settings

DATA = Path(__file__).parent / "data"
MANY = 24
"""Trained questions that are asked at most: every so many-th of them."""
LENIENT: dict[str, Any] = {
    "gate_recall": 0.0, "gate_independent": 0.0, "gate_gain": -1.0, "gate_reach": 0.0,
    "gate_near_misses": 1.0, "gate_drift": 1e9, "gate_perplexity": 1e9, "gate_routing": 0.0,
}  # fmt: skip
"""Every adapter is used, so that it can be measured; its report is printed beside the true limits."""


@dataclass(frozen=True)
class Note:
    """A memory of a data file, with what people ask of it."""

    text: str
    asked: tuple[tuple[str, str], ...]
    """Questions and the span that a right answer holds."""
    near: tuple[str, ...]


def read_notes(name: str, language: str, count: int) -> list[Note]:
    """The first ``count`` memories of a data file that are in ``language``."""
    rows = map(json.loads, (DATA / f"{name}.jsonl").read_text().splitlines())
    notes = [
        Note(
            row["text"],
            tuple((question, fact["answer"]) for fact in row["facts"] for question in fact["asked"]),
            tuple(row["near"]),
        )
        for row in rows
        if row["lang"] == language
    ]
    return notes[:count]


@contextmanager
def open_vault(model: str, seed: int, kept: str) -> Iterator[Memos]:
    """A vault whose adapters are used whatever their gate says: a new one, or that in the folder ``kept``."""
    with tempfile.TemporaryDirectory() as folder:
        vault = Path(kept or folder) / f"vault-{seed}"
        settings = Settings(vault=str(vault), principal="user:bench", reader=model, distil_seed=seed)
        with Memos(replace(settings, **LENIENT)) as memos:
            if not vault.exists():
                memos.init()
            yield memos


def train(memos: Memos, ids: Sequence[str], steps: int) -> tuple[Any, list[Lesson], dict[str, float]]:
    """Distil memories, if a kept vault has no adapter yet; the adapter, its lessons, its gate's figures."""
    wanted = TrainOptions(name="bench", steps=steps)
    begin, cpu = time.perf_counter(), time.process_time()
    figures: dict[str, float] = {}
    if not any(each.state == "activated" for each in memos.adapters()):  # none, or a checkpoint
        made = memos.distil(memos.prepare(ids, options=wanted), wanted, Watch())
        figures = {"steps": made.steps, "training, s": round(made.seconds)}
        report = made.report
    (adapter,) = memos.adapters()
    if not figures:
        report = memos.gate(adapter.id)["report"]
    figures |= {"whole, s": round(time.perf_counter() - begin), "CPU, s": round(time.process_time() - cpu)}
    figures |= {check["name"]: check["value"] for check in report["checks"]}
    return adapter, adapters.lessons(memos.vault.connection, adapter.cube), figures


class Asker:
    """Asks the reader in four ways: by query, the adapter alone, without text, with text."""

    def __init__(self, memos: Memos, adapter: Any, text: str) -> None:
        self.memos, self.engine, self.text = memos, memos.local_engine, text
        self.handle = memos.adapter_cache.load(memos.vault, memos.local_engine, adapter)

    def query(self, question: str) -> tuple[str, bool]:
        """What ``memos query`` answers, and whether the adapter gave it."""
        found = self.memos.query(question, filter=Filter(), options=AnswerOptions(max_tokens=ANSWER))
        return found.answer, bool(found.plan.adapters)

    def alone(self, question: str) -> str:
        return self._ask(question, [(self.handle, 1.0)])

    def base(self, question: str) -> str:
        return self._ask(question, [])

    def with_text(self, question: str) -> str:
        return self._ask(question, [], self.text)

    def _ask(self, question: str, attached: Sequence[Any], text: str = "") -> str:
        self.engine.read_prompt(bare_prompt(self.engine, question, text), list(attached))
        return "".join(self.engine.generate(limit=ANSWER)).strip()


def examine(asker: Asker, asked: Sequence[tuple[str, str]], show: bool) -> dict[str, float]:
    """Recall of questions with known answers, in each way of asking."""
    rows = []
    for question, key in asked:
        said, reached = asker.query(question)
        texts = {
            "query": said, "alone": asker.alone(question), "base": asker.base(question),
            "text": asker.with_text(question),
        }  # fmt: skip
        right = {way: is_right(text, Fact(key)) for way, text in texts.items()}
        rows.append({**right, "reach": reached, "query, reached": right["query"] and reached})
        if show:
            print(f"{'+' if right['query'] else '-'}{'a' if reached else 't'}  {question}  ->  {said!r}")
    names = ("query", "reach", "query, reached", "alone", "base", "text")
    return {"questions": len(rows)} | {
        name: round(sum(row[name] for row in rows) / max(1, len(rows)), 3) for name in names
    }


def leaks(asker: Asker, near: Sequence[str], answers: Sequence[str], show: bool) -> dict[str, float]:
    """Share of hand-written near misses that are answered with what a memory says; those that reach it."""
    rows = []
    for question in near:
        said, reached = asker.query(question)
        row = (says_any(said, answers, question), reached, says_any(asker.alone(question), answers, question))
        rows.append(row)
        if show:
            print(f"{'!' if row[0] else ' '}{'a' if reached else 't'}  {question}  ->  {said!r}")
    through, reach, alone = (round(sum(part) / max(1, len(rows)), 3) for part in zip(*rows, strict=True))
    return {"questions": len(near), "query": through, "reach": reach, "alone": alone}


def measure(memos: Memos, notes: Sequence[Note], arguments: argparse.Namespace) -> dict[str, Any]:
    """Train on notes, then ask: what was trained, what the program held out, what nobody has seen."""
    texts = [note.text for note in notes]
    if arguments.together:
        texts = ["\n".join(texts)]
    ids = [cube.id for cube in memos.cubes(filter=Filter(), newest=False)] or [
        id for text in texts for id in keep(memos, text)
    ]
    adapter, lessons, figures = train(memos, ids, arguments.steps)
    asker = Asker(memos, adapter, "\n".join(texts))
    facts = [each for each in lessons if each.kind == "fact" and each.key]
    known = [(each.question, each.key) for each in facts if not each.held_out]
    sorts = {
        "trained": known[:: -(-len(known) // MANY)],
        "reworded": [(each.question, each.key) for each in facts if each.held_out],
        "never seen": [pair for note in notes for pair in note.asked],
    }
    found: dict[str, Any] = {
        name: examine(asker, asked, arguments.show and name == "never seen") for name, asked in sorts.items()
    }
    keys = sorted({key for _, key in sorts["never seen"]} | {each.key for each in facts})
    near = [question for note in notes for question in note.near]
    if near:
        found["near misses"] = leaks(asker, near, keys, arguments.show)
    return {**found, "gate": figures}


def keep(memos: Memos, text: str) -> list[str]:
    """Store a text as one memory."""
    done = memos.ingest(options=IngestOptions(hints=ReadOptions(type="fact")), text=text.encode())
    if len(done.ids) != 1:
        print(f"{text[:40]!r} became {len(done.ids)} memories", file=sys.stderr)
    return [*done.ids]


STYLE = re.compile(r"\s*(\w+)\(([a-z-]+)\): (?!\W)[^A-Z.\n][^.\n]*\Z")
"""The style of the commit subjects in skill_commits.jsonl: ``type(part): what changes``, small letters."""


def measure_skill(memos: Memos, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a skill on its examples; then, for inputs that it has not seen, is the style kept?"""
    rows = [json.loads(line) for line in (DATA / "skill_commits.jsonl").read_text().splitlines()]
    shown, unseen = ([row for row in rows if row["unseen"] is part] for part in (False, True))
    text = "\n\n".join(f"Input: {row['input']}\nOutput: {row['output']}" for row in shown)
    ids = memos.ingest(options=IngestOptions(hints=ReadOptions(type="skill")), text=text.encode()).ids
    adapter, _, figures = train(memos, ids, arguments.steps)
    memos.set_view("commits", Filter())
    memos.pin([adapter.id], "commits")
    asker = Asker(memos, adapter, text)

    def through_query(question: str) -> str:
        manner = AnswerOptions(answer="model", max_tokens=ANSWER, view="commits")
        return memos.query(question, filter=Filter(), options=manner).answer

    ways: Mapping[str, Callable[[str], str]] = {
        "query, adapter pinned": through_query,
        "adapter alone": asker.alone,
        "base without examples": asker.base,
        "base with the examples": asker.with_text,
    }
    found: dict[str, Any] = {"inputs": len(unseen), "gate": figures}
    for name, ask in ways.items():
        kept = []
        for row in unseen:
            said = ask(row["input"]).split("\n")[0]
            styled, wanted = STYLE.match(said), STYLE.match(row["output"])
            same = bool(styled and wanted and styled[1] == wanted[1])
            kept.append((bool(styled), same))
            if arguments.show:
                print(f"{name}: {row['input']}  ->  {said!r}")
        style, kind = (round(sum(part) / len(kept), 3) for part in zip(*kept, strict=True))
        found[name] = {"in style": style, "and of the right type": kind}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="single_test", help="which file of scripts/bench/data")
    parser.add_argument("--language", default="en", help="en, de or zh")
    parser.add_argument("--facts", type=int, default=8, help="how many memories of it")
    parser.add_argument("--together", action="store_true", help="all facts as one memory")
    parser.add_argument("--steps", type=int, default=0, help="steps of training; 0: as the program chooses")
    parser.add_argument("--seeds", default="1", help="seeds of trainings, as 1,2,3")
    parser.add_argument("--skill", action="store_true", help="a skill instead of facts")
    parser.add_argument(
        "--keep", default="", help="folder of the vaults; those that are there are only asked"
    )
    parser.add_argument("--show", action="store_true", help="print questions and answers")
    parser.add_argument("--model", default="", help="another reader")
    arguments = parser.parse_args()
    notes = read_notes(arguments.data, arguments.language, arguments.facts)
    found = []
    for seed in map(int, arguments.seeds.split(",")):
        with open_vault(arguments.model, seed, arguments.keep) as memos:
            made = measure_skill(memos, arguments) if arguments.skill else measure(memos, notes, arguments)
        found.append(made)
        print(json.dumps({"seed": seed, **made}, indent=1), flush=True)
    if len(found) > 1 and not arguments.skill:
        for name in ("trained", "reworded", "never seen", "near misses"):
            values = [made[name]["query"] for made in found if name in made]
            if values:
                print(f"{name}: mean {statistics.mean(values):.3f}, {min(values):.3f} to {max(values):.3f}")


if __name__ == "__main__":
    main()
