#!/usr/bin/env python3
"""How well facts are found in ordinary notes, without a model: by the spans that a person recorded.

    .venv/bin/python scripts/bench/questions.py              the 40 notes of notes_test.jsonl
    .venv/bin/python scripts/bench/questions.py --data notes_dev --show

Of each recorded fact: *right*, its span is the answer of a fact whose first questions name what is asked
about; *vague*, the span is there, but the questions do not name it; *missed*. Beside them, how many facts
were made that nobody recorded: some are sound, some are not; ``--show`` prints them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from memos_cli.operation.adapters.questions.answer_check import said_words
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.adapters.questions.making import facts_of

DATA = Path(__file__).parent / "data"
FIRST = 3
"""Questions of a fact that must name what is asked about, together."""
MORE = 3
"""Words that an answer may have beyond the recorded span."""


def rate(
    rows: Sequence[dict[str, Any]], make: Callable[[str], Sequence[Fact]], show: bool = False
) -> Counter[str]:
    """Count recorded facts by what became of them, and the facts that nobody recorded."""
    found: Counter[str] = Counter()
    for row in rows:
        facts = list(make(row["text"]))
        if show:
            print("\n##", " / ".join(row["text"].split("\n")))
        for wanted in row["facts"]:
            fits = [fact for fact in facts if _has_span(fact, wanted["answer"])]
            named = [fact for fact in fits if _names(fact, wanted["about"])]
            what = "right" if named else "vague" if fits else "missed"
            found[what] += 1
            used = (named or fits)[:1]
            facts = [fact for fact in facts if fact not in used]
            if show:
                asked = (named or fits)[0].questions[0] if fits else ""
                print(f"{what:7} {wanted['about']} -> {wanted['answer']}: {asked}")
        found["others"] += len(facts)
        for fact in facts if show else ():
            print(f"other   {fact.questions[0]} -> {fact.answer}")
    return found


def _has_span(fact: Fact, wanted: str) -> bool:
    said, words = said_words(fact.answer), said_words(wanted)
    places = range(len(said) - len(words) + 1)
    return len(said) <= len(words) + MORE and any(said[at : at + len(words)] == words for at in places)


def _names(fact: Fact, about: str) -> bool:
    asked = " ".join(fact.questions[:FIRST]).casefold()
    return all(word[: max(3, len(word) - 2)] in asked for word in about.casefold().split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="notes_test", help="which file of scripts/bench/data")
    parser.add_argument("--language", default="", help="only en, de or zh")
    parser.add_argument("--show", action="store_true", help="print every fact")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in (DATA / f"{arguments.data}.jsonl").read_text().splitlines()]
    for language in [arguments.language] if arguments.language else ["en", "de", "zh"]:
        part = [row for row in rows if row["lang"] == language]
        found = rate(part, lambda text: facts_of(text, source=1), arguments.show)
        print(language, len(part), "notes:", dict(found))


if __name__ == "__main__":
    main()
