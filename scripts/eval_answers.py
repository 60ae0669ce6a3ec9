#!/usr/bin/env python3
"""How well questions are answered from memory, from search to answer.

    scripts/eval_answers.py DATA…                 search, plan and quoted answers
    scripts/eval_answers.py DATA… --generate      answers of the model too (slow)
    scripts/eval_answers.py DATA… --failures      each question that went wrong, and what came

DATA is a folder of notes with a `qa.jsonl`, a file of LoCoMo, or a SQuAD-shaped file (SQuAD, CMRC, XQuAD).
Each becomes a vault of its own through the public API. For each data set and kind of question are printed:
the share of questions whose evidence stands in the first, the first 3 and 10 memories of `memos search`,
and in the plan of `memos query`; the share whose answer holds the right value, and its words; and of
questions without an answer, the share that is refused. `own`: in the language of its evidence; `cross`: in
another one; `near`: on something that memory speaks of, but does not answer; `far`: on other things, of
this data set and of the others.

The defaults of memos were chosen on notes-dev, LoCoMo 1 to 5 and XQuAD (en, zh); other data are unseen.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from eval_data import Corpus, Question, holds, load

from memos_cli.cube import Cube, Filter
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions, IngestOptions, ReadOptions
from memos_cli.interface.results import Answer
from memos_cli.operation.ask.quoting import count_words
from memos_cli.settings import Settings

FAR = 60
"""Questions of the other data sets that each is asked."""
TUNED_ON = ("notes-dev", "locomo-dev", "xquad")


@dataclass
class Tally:
    """What was counted for one kind of question: name -> values."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, value: float) -> None:
        self.values[name].append(value)

    def mean(self, name: str) -> float | None:
        some = self.values.get(name)
        return sum(some) / len(some) if some else None


def fill(memos: Memos, corpus: Corpus, folder: Path) -> None:
    """Ingest a corpus into a new vault."""
    for name, data in corpus.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    memos.init()
    memos.ingest([folder], options=IngestOptions(hints=ReadOptions()))


def with_far(corpora: Sequence[Corpus], seed: int) -> Iterator[tuple[Corpus, list[Question]]]:
    """Each corpus with its questions and some of the others', which it cannot answer."""
    for corpus in corpora:
        family = corpus.name.partition("-")[0].partition("_")[0]
        foreign = [
            replace(question, answers=(), evidence=frozenset(), kind="far")
            for other in corpora
            if other.name.partition("-")[0].partition("_")[0] != family
            for question in other.questions
            if question.answers
        ]
        chosen = random.Random(seed).sample(foreign, min(FAR, len(foreign)))
        yield corpus, [*corpus.questions, *chosen]


def is_evidence(corpus: Corpus, question: Question, cube: Cube) -> bool:
    """Whether a memory is evidence for a question."""
    if not question.evidence:
        return holds(f"{cube.title} {cube.author} {cube.text}", question.answers)
    name = cube.ref if corpus.by_ref else (cube.source or "").rpartition("/")[2]
    return name in question.evidence


def ask(memos: Memos, corpus: Corpus, question: Question, generate: bool, tally: Tally) -> str:
    """Ask one question in every way. Returns what went wrong, "" if nothing did."""
    filter, quote, wrong = Filter(), AnswerOptions(answer="quote"), []
    answer = memos.query(question.text, filter=filter, options=quote)
    if not question.answers:
        tally.add("refused", not answer.answered)
        return "" if not answer.answered else f"not refused: {answer.answer}"
    hits = memos.search(question.text, filter=filter, k=10).hits
    evidence = [is_evidence(corpus, question, hit.cube) for hit in hits]
    for k in (1, 3, 10):
        tally.add(f"@{k}", any(evidence[:k]))
    planned = any(is_evidence(corpus, question, item.hit.cube) for item in answer.plan.chosen)
    tally.add("plan", planned)
    ways: Mapping[str, Answer] = {"quote": answer}
    if generate:
        ways = {
            **ways,
            "model": memos.query(question.text, filter=filter, options=AnswerOptions(answer="model")),
        }
    for way, given in ways.items():
        is_right = holds(given.answer, question.answers)
        tally.add(way, is_right)
        tally.add(f"{way} words", count_words(given.answer))
        if not is_right:
            wrong.append(f"{way}: {given.answer!r}, not {question.answers[0]!r}")
    return "; ".join([*([] if planned else ["evidence not in the plan"]), *wrong])


def print_table(rows: Mapping[tuple[str, str], Tally], ways: Sequence[str]) -> None:
    columns = ["@1", "@3", "@10", "plan", *ways, *(f"{way} words" for way in ways), "refused"]
    print(f"{'data':24}{'kind':12}{'n':>5}" + "".join(f"{column:>12}" for column in columns))
    for (name, kind), tally in sorted(rows.items()):
        count = max(map(len, tally.values.values()))
        cells = [tally.mean(column) for column in columns]
        shown = ("" if cell is None else f"{cell:.1f}" if cell > 1 else f"{cell:.3f}" for cell in cells)
        print(f"{name:24}{kind:12}{count:>5}" + "".join(f"{cell:>12}" for cell in shown))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--questions", type=int, default=0, help="of each data set, at most; 0: all")
    parser.add_argument("--generate", action="store_true", help="ask the model too")
    parser.add_argument("--failures", action="store_true", help="print each question that went wrong")
    parser.add_argument("--model", default="", help="a GGUF model in place of the embedded one")
    parser.add_argument("--embedder", default="", help="an embedder in place of the usual one")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    corpora = [corpus for path in wanted.data for corpus in load(path)]
    rows: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for corpus, questions in with_far(corpora, wanted.seed):
        if wanted.questions and len(questions) > wanted.questions:
            questions = random.Random(wanted.seed).sample(questions, wanted.questions)
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                vault=f"{folder}/vault", reader=wanted.model, embedder=wanted.embedder, query_log=0,
                audit_reads="prompts",
            )  # fmt: skip
            with Memos(settings) as memos:
                fill(memos, corpus, Path(folder) / "files")
                for question in questions:
                    name = corpus.name.rpartition("-")[0] if corpus.by_ref else corpus.name
                    wrong = ask(memos, corpus, question, wanted.generate, rows[name, question.kind])
                    if wrong and wanted.failures:
                        print(f"{corpus.name} {question.kind}: {question.text}\n    {wrong}")
    print_table(rows, ("quote", "model") if wanted.generate else ("quote",))
    unseen = sorted({name for name, _ in rows if not name.startswith(TUNED_ON)})
    names = ", ".join(unseen) or "none"
    print(f"\nThe defaults were tuned on notes-dev, LoCoMo 1-5 and XQuAD. Unseen here: {names}.")


if __name__ == "__main__":
    main()
