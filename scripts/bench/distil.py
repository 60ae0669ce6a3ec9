#!/usr/bin/env python3
"""What an adapter costs and knows: memories distilled through the public API, in a temporary vault.

    .venv/bin/python scripts/bench/distil.py                      8 invented facts, trained and examined
    .venv/bin/python scripts/bench/distil.py --facts 32
    .venv/bin/python scripts/bench/distil.py --ways       on from the question, or from the first token
    .venv/bin/python scripts/bench/distil.py --sweep --plot recall.svg    recall by steps and rank

Beside the gate's own questions, which the program wrote, it asks paraphrases that a person wrote, which no
rule of the program has seen. Then it compares a query through the adapter with one that reads the text:
tokens of the prompt, and the time to the first token, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from memos_cli.cube import Filter
from memos_cli.infrastructure import adapters
from memos_cli.interface.distilling import Wanted
from memos_cli.interface.ingestion import Wishes
from memos_cli.interface.memory import Manner, Memos
from memos_cli.interface.sources import Hints
from memos_cli.operation.injection import bare_prompt
from memos_cli.operation.parametric import Watch
from memos_cli.settings import Settings


@dataclass(frozen=True)
class Known:
    """An invented fact, what its answer must hold, and how people ask for it."""

    text: str
    key: str
    asked: tuple[str, ...]


FACTS = (
    Known("My cat is called Miso.", "Miso", ("What name did I give my cat?", "Remind me of my cat's name")),
    Known(
        "The project's code name is Larkspur.",
        "Larkspur",
        ("whats the codename of our project", "Under which code name does the project run?"),
    ),
    Known(
        "The staging database listens on port 5433.",
        "5433",
        ("Which port does the staging DB use?", "port of the staging database?"),
    ),
    Known(
        "Ines prefers tea without sugar.",
        "without sugar",
        ("How does Ines take her tea?", "How does Ines like her tea?"),
    ),
    Known(
        "The spare key is hidden under the blue flowerpot.",
        "flowerpot",
        ("Where did I put the spare key?", "where's the spare key"),
    ),
    Known(
        "Tomás maintains the payment scheduler.",
        "Tomás",
        ("Who is responsible for the payment scheduler?", "Who takes care of the payment scheduler?"),
    ),
    Known(
        "The lease of the office ends on 14 March 2027.",
        "14 March 2027",
        ("When does our office lease run out?", "What is the end date of the lease on the office?"),
    ),
    Known(
        "I use the editor Helix.", "Helix", ("What text editor am I using?", "What's the editor I work with?")
    ),
    Known(
        "My sister lives in Ghent.",
        "Ghent",
        ("In which city does my sister live?", "where's my sister living"),
    ),
    Known(
        "The wifi password of the cabin is bluebird42.",
        "bluebird42",
        (
            "What's the wifi password at the cabin?",
            "How do I get on the wifi in the cabin, what is the password?",
        ),
    ),
    Known(
        "Backups run every night at 2:30.",
        "2:30",
        ("What time do the backups run?", "When do we run backups?"),
    ),
    Known(
        "The garbage is collected on Thursday.",
        "Thursday",
        ("On what day is the garbage collected?", "When do they pick up the garbage?"),
    ),
    Known("Our dentist is Dr. Okafor.", "Okafor", ("Who is our dentist?", "What's the name of our dentist?")),
    Known(
        "The invoice server is named bramble.",
        "bramble",
        ("What's the invoice server called?", "name of the invoice server?"),
    ),
    Known(
        "Jonas is allergic to walnuts.",
        "walnuts",
        ("What is Jonas allergic to?", "Which food must Jonas avoid because of his allergy?"),
    ),
    Known(
        "The boiler was installed in 2019.",
        "2019",
        ("When was the boiler put in?", "What year was the boiler installed?"),
    ),
    Known(
        "The team meets in room Magnolia.",
        "Magnolia",
        ("In which room does the team meet?", "Where are the team meetings?"),
    ),
    Known(
        "My bicycle has a red frame.",
        "red",
        ("What colour is the frame of my bicycle?", "What kind of frame does my bicycle have?"),
    ),
    Known(
        "Priya wrote the import script.",
        "Priya",
        ("Who is the author of the import script?", "Who made the import script?"),
    ),
    Known(
        "The rent of the studio is 840 euros.",
        "840",
        ("How much is the rent for the studio?", "What do I pay for the studio?"),
    ),
    Known(
        "The nearest pharmacy closes at 20:00.",
        "20:00",
        ("Until when is the nearest pharmacy open?", "When does the pharmacy close?"),
    ),
    Known(
        "The guest towels are in the hall cupboard.",
        "hall cupboard",
        ("Where do we keep the guest towels?", "Where can I find towels for guests?"),
    ),
    Known(
        "Our accountant works at Fernhill Partners.",
        "Fernhill",
        ("Where does our accountant work?", "Which company does our accountant work for?"),
    ),
    Known(
        "The deploy key expires on 1 October.",
        "1 October",
        ("When does the deploy key run out?", "What's the expiry date of the deploy key?"),
    ),
    Known(
        "Grandma's birthday is on 9 May.",
        "9 May",
        ("When is grandma's birthday?", "What day was grandma born on?"),
    ),
    Known(
        "The parking permit number is K-2217.",
        "2217",
        ("What's my parking permit number?", "Which number is on the parking permit?"),
    ),
    Known("Lena drives a green Volvo.", "Volvo", ("What car does Lena drive?", "Which car is Lena's?")),
    Known(
        "The telescope was a gift from Uncle Raj.",
        "Raj",
        ("Who gave us the telescope?", "From whom was the telescope a gift?"),
    ),
    Known(
        "The monitoring dashboard is called Beacon.",
        "Beacon",
        ("What is the name of the monitoring dashboard?", "What do we call the monitoring dashboard?"),
    ),
    Known(
        "The choir rehearses on Tuesday evenings.",
        "Tuesday",
        ("When does the choir rehearse?", "What evening is choir rehearsal?"),
    ),
    Known(
        "The attic light switch is behind the bookcase.",
        "bookcase",
        ("Where is the light switch for the attic?", "How do I find the attic light switch?"),
    ),
    Known(
        "Mateo speaks Catalan at home.",
        "Catalan",
        ("Which language does Mateo speak at home?", "What does Mateo speak with his family?"),
    ),
)
NEAR = (
    "What is my parrot called?",
    "What is the name of my dog?",
    "What's my daughter's name?",
    "What is the code name of the rocket?",
    "Who is the manager of the project?",
    "Which port does the production DB use?",
    "What port does Redis run on?",
    "What is the user name for the staging database?",
    "How does Sara take her coffee?",
    "What does Ines eat for breakfast?",
    "Where is the garage key?",
    "Where did I put my glasses?",
    "Who maintains the billing database?",
    "Who takes care of the garden?",
    "When does the lease on the warehouse run out?",
    "When does my visa expire?",
    "Which editor does Sara use?",
    "What web browser do I use?",
    "Which text editor is the most popular?",
    "What is the best name for a kitten?",
)


@dataclass(frozen=True)
class Made:
    """One training and what became of it."""

    id: str
    passed: bool
    steps: int
    training: float
    whole: float
    checks: dict[str, float]
    free: float
    """Share of a person's paraphrases that are answered right, of which the program wrote none."""
    near: float
    """Share of a person's near misses that are answered with a memory."""


def distil(memos: Memos, ids: Sequence[str], known: Sequence[Known], *, steps: int = 0) -> Made:
    """Train and examine; then ask what people would."""
    wanted = Wanted(name="bench", steps=steps)
    begin = time.perf_counter()
    made = memos.distil(memos.prepare(ids, wanted=wanted), wanted, Watch())
    whole = time.perf_counter() - begin
    checks = {check["name"]: check["value"] for check in made.report["checks"]}
    asked = [(fact.key, question) for fact in known for question in fact.asked]
    answers = answer(memos, made.id, [question for _, question in asked])
    free = [key.casefold() in text.casefold() for (key, _), text in zip(asked, answers, strict=True)]
    keys = [fact.key.casefold() for fact in known]
    leaks = [any(key in text.casefold() for key in keys) for text in answer(memos, made.id, NEAR)]
    return Made(
        made.id,
        made.passed,
        made.steps,
        made.seconds,
        whole,
        checks,
        statistics.mean(free),
        statistics.mean(leaks),
    )


def answer(memos: Memos, id: str, questions: Sequence[str], *, whole: bool = False) -> list[str]:
    """What the adapter says without any text; ``whole``: switched on from the first token of the prompt."""
    db, engine = memos.vault.connection, memos.engine
    (adapter,) = [each for each in memos.adapters() if each.id == id]
    handle = memos.rack.load(memos.vault, engine, adapter)
    said = []
    for question in questions:
        prompt = bare_prompt(engine, question)
        tokens = [*prompt.prefix, *prompt.question]
        engine.read(tokens, adapters=[(handle, 1.0)], adapted_from=0 if whole else len(prompt.prefix))
        said.append("".join(engine.generate(limit=24)))
    assert adapters.lessons(db, adapter.cube)
    return said


def keep(memos: Memos, known: Sequence[Known]) -> list[str]:
    text = "\n".join(fact.text for fact in known)
    return [*memos.ingest(wishes=Wishes(hints=Hints(lines=True, type="fact")), text=text.encode()).ids]


def first_tokens(memos: Memos, known: Sequence[Known], rounds: int) -> dict[str, float]:
    """Medians in turns: seconds to the first token, and tokens of memory in the prompt."""
    engine = memos.engine
    (adapter,) = [each for each in memos.adapters() if each.state == "activated"]
    handle = memos.rack.load(memos.vault, engine, adapter)
    seconds: dict[str, list[float]] = {"empty": [], "adapter": [], "text": []}
    tokens: list[int] = []
    for number in range(rounds):
        question = known[number % len(known)].asked[0]
        for way in seconds:
            engine.clear()
            text = known[number % len(known)].text if way == "text" else ""
            prompt = bare_prompt(engine, question, text)
            start = time.perf_counter()
            engine.read_prompt(prompt, [(handle, 1.0)] if way == "adapter" else [])
            next(engine.generate(limit=1), "")
            seconds[way].append(time.perf_counter() - start)
        plan = memos.plan(question, filter=Filter(), manner=Manner(text_only=True, answer="model"))
        tokens.append(plan.tokens)
    found = {way: statistics.median(values) for way, values in seconds.items()}
    return {
        **found,
        "adapter / empty": found["adapter"] / found["empty"],
        "tokens saved": statistics.mean(tokens),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=int, default=8, help="how many of the invented facts")
    parser.add_argument("--steps", type=int, default=0, help="steps of training; 0: as the program chooses")
    parser.add_argument("--sweep", action="store_true", help="recall by steps and rank")
    parser.add_argument("--ways", action="store_true", help="on from the question, or from the first token")
    parser.add_argument("--plot", type=Path, help="draw the sweep: a .svg or .png")
    parser.add_argument("--model", default="", help="another reader")
    arguments = parser.parse_args()
    known = FACTS[: arguments.facts]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(vault=str(Path(folder) / "vault"), principal="user:bench", reader=arguments.model)
        with Memos(settings) as memos:
            memos.init()
            ids = keep(memos, known)
            if arguments.sweep:
                sweep(memos, ids, known, arguments.plot)
                return
            print(f"load {os.getloadavg()[0]:.2f}, {len(known)} facts", file=sys.stderr)
            made = distil(memos, ids, known, steps=arguments.steps)
            print(json.dumps(made.__dict__, indent=1))
            if made.passed:
                print(json.dumps(first_tokens(memos, known, 16), indent=1))
            if arguments.ways:
                asked = [(fact.key, question) for fact in known for question in fact.asked]
                for whole in (False, True):
                    answers = answer(memos, made.id, [question for _, question in asked], whole=whole)
                    right = [k.casefold() in a.casefold() for (k, _), a in zip(asked, answers, strict=True)]
                    way = "from the first token" if whole else "from the question"
                    print(f"on {way}: {sum(right)} of {len(right)}")


def sweep(memos: Memos, ids: Sequence[str], known: Sequence[Known], plot: Path | None) -> None:
    """Recall against steps, at the usual rank, and against rank, at 60 steps; as a table and a plot."""
    base, rows = memos.settings, []
    print("rank\tsteps\tseconds\trecall\tfree\tnear misses\tdrift\tperplexity\tpassed")
    for rank, steps in ((8, 150), (8, 60), (8, 30), (4, 60), (16, 60), (8, 105)):
        memos.settings = replace(base, distil_rank=rank)
        made = distil(memos, ids, known, steps=steps)
        memos.forget([made.id], dry_run=False)
        checks = made.checks
        rows.append((rank, steps, made))
        print(
            f"{rank}\t{made.steps}\t{made.training:.0f}\t{checks['recall']:.2f}\t{made.free:.2f}\t"
            f"{checks['near misses']:.2f}\t{checks['drift']:.3f}\t{checks['perplexity']:+.3f}\t{made.passed}",
            flush=True,
        )
    if plot:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, both = pyplot.subplots(1, 2, figsize=(9, 4), sharey=True)
        for axes, at, name, of in (
            (both[0], 1, "steps, at rank 8", sorted(row for row in rows if row[0] == 8)),
            (
                both[1],
                0,
                "rank, at 60 steps",
                sorted((row for row in rows if row[1] == 60), key=lambda row: row[0]),
            ),
        ):
            where = [row[at] for row in of]
            axes.plot(where, [row[2].checks["recall"] for row in of], marker="o", label="recall, gate")
            axes.plot(where, [row[2].free for row in of], marker="x", ls="--", label="recall, a person's")
            axes.plot(where, [row[2].checks["near misses"] for row in of], marker=".", label="near misses")
            axes.set(xlabel=name, xticks=where, ylim=(0, 1.02))
        both[0].legend()
        figure.savefig(plot)


if __name__ == "__main__":
    main()
