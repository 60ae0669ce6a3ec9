#!/usr/bin/env python3
"""The time to the first token over a llama-server, with memories as text and from a slot file.

  scripts/bench/engines.py [--server URL --slots DIR] [--tokens 2000] [--rounds 3] [--model GGUF]

Without --server, it starts one (pip install xllamacpp) on this machine, with the embedded model or --model.
The same question is asked in turns, by `Memos.query`; before each, the server reads another prompt, so that
it holds nothing of the last. Prints the median of both times, their ratio (goal: 10), and whether all answers
have the same tokens.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/harness"))
from bench_tools import command_line, write_json
from model_servers import llama_server

from memos_cli.cube import Filter
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions, IngestOptions
from memos_cli.models.model_files import resolve_reader
from memos_cli.models.remote.llama_server import LlamaServer
from memos_cli.settings import Settings

QUESTION = "How many men were aboard in entry 20 of the harbour log?"
OTHER = "What is the capital of France?"


def write_log(memos: Memos, tokens: int) -> str:
    """Return one memory of about ``tokens``, counted by the server."""

    def entries(count: int) -> str:
        return "".join(
            f"Entry {n} of the harbour log: boat number {n * 7 % 31} left with {n % 5 + 2} men aboard. "
            for n in range(1, count + 1)
        )

    return entries(round(tokens * 40 / memos.engine.count(entries(40))))


def ask(memos: Memos, *, as_text: bool) -> tuple[float, list[int]]:
    """Ask once, after another prompt; return the seconds to the first token, and the tokens."""
    engine = memos.engine
    assert isinstance(engine, LlamaServer)
    engine.clear()
    engine.read_prompt(engine.build_prompt(system="Be brief.", memories=[], question=OTHER))
    "".join(engine.generate(limit=1))
    engine.tokens = []
    options = AnswerOptions(max_tokens=16, answer="model", text_only=as_text)
    answer = memos.query(QUESTION, filter=Filter(), options=options)
    assert as_text or (answer.plan.reuse is not None and not answer.plan.reuse.miss), answer.plan.notes
    return answer.timings["first_token"], list(engine.tokens)


def measure(server: str, slots: Path, tokens: int, rounds: int, folder: Path) -> dict[str, object]:
    settings = Settings(
        vault=str(folder), principal="user:bench", reader=server, activation_slots=str(slots),
        embedder=str(folder / "none"), ingest_chunk=1_000_000, query_relevance=0.0, query_memory=tokens * 2,
    )  # fmt: skip
    with Memos(settings) as memos:
        memos.create_vault()
        text = write_log(memos, tokens)
        memos.ingest(options=IngestOptions(), text=text.encode(), name="log", embed=False)
        made = memos.promote([cube.id for cube in memos.cubes(filter=Filter())])
    times: dict[bool, list[float]] = {True: [], False: []}
    answers = set()
    for _ in range(rounds):
        for as_text in (True, False):
            with Memos(replace(settings)) as memos:  # each time as a command of its own
                seconds, read = ask(memos, as_text=as_text)
            times[as_text].append(seconds)
            answers.add(tuple(read))
    with_text, with_slot = (statistics.median(times[each]) for each in (True, False))
    return {
        "tokens": made.tokens, "held": made.held, "slot_bytes": made.bytes, "rounds": rounds,
        "text_seconds": round(with_text, 3), "slot_seconds": round(with_slot, 3),
        "ratio": round(with_text / with_slot, 1), "same_tokens": len(answers) == 1,
    }  # fmt: skip


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--server", default="", help="URL of a llama-server that runs with --slot-save-path")
    parser.add_argument("--slots", default="", help="its folder of slots")
    parser.add_argument("--tokens", type=int, default=2000, help="tokens of memory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="", help="a GGUF file, for the server that is started")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if wanted.server:
            slots = Path(wanted.slots or scratch)
            found = measure(wanted.server, slots, wanted.tokens, wanted.rounds, folder / "vault")
        else:
            slots = folder / "slots"
            slots.mkdir()
            with llama_server(slots, resolve_reader(wanted.model).path, 2 * wanted.tokens + 1024) as server:
                found = measure(server, slots, wanted.tokens, wanted.rounds, folder / "vault")
    for name, value in found.items():
        print(f"{name:14}{value}")
    write_json(wanted.json, found)


if __name__ == "__main__":
    main()
