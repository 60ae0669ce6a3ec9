"""Time to first token: from a saved state, and from the text, measured side by side.

Each length gets its own vault in a temporary folder. The compared ways take turns in one run, so that other
load on the machine affects all of them. The measurement ends if a state was not used, or if it gave another
token than the text: its figures would be meaningless.
"""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from memos_cli.cube import Filter
from memos_cli.errors import MemosError
from memos_cli.infrastructure.derived.saved_states import State
from memos_cli.interface.ask.planning import make_plan_for
from memos_cli.interface.ask.request import read_request
from memos_cli.interface.bench.bench_corpus import keep_memories, write_question
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions
from memos_cli.models.llama.llama import all_threads
from memos_cli.operation.ask.prompt_layout import make_prompt
from memos_cli.operation.states import activation
from memos_cli.operation.states.activation import StateCache
from memos_cli.settings import Settings, key_of

ROOM = 640
"""Tokens of context in addition to memory and question: slightly more than a batch of a GPU."""
LONG = 4096
"""Tokens from which two readings of the text are enough: each takes half a minute, and they differ little."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The seconds of one measurement, over ``rounds``."""

    median: float
    least: float
    most: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Cold:
    """Whole commands in separate processes: seconds to the first token, and to the end (``wall``)."""

    text: Spread
    state: Spread
    text_wall: Spread
    state_wall: Spread
    speed_up: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures for one length of memory. Times are to the first token, unless said otherwise."""

    model: str
    asked: int
    """The length that was asked for."""
    tokens: int
    """Of instructions and memories."""
    held: int
    """The tokens of these that the state contains."""
    question: int
    """Tokens of the question and of what the template puts after it."""
    decoded: int
    """Tokens that are read after the state: the question, and the tokens of memories that are not in the
    state.
    """
    bytes: int
    build: float
    """Seconds that it took to make the state."""
    text: Spread
    state: Spread
    """Its first use in a process: verified, restored."""
    again: Spread
    """Its later uses: what was verified is still in memory."""
    resident: Spread
    """The time if the last question was on the same memories, and the model still has them."""
    floor: Spread
    """A plain read of the state's file, and then as ``resident``: no way to use a state can be quicker."""
    restore: Spread
    """Only to read, verify and restore the state."""
    read: Spread
    """Only to read the state's file, from the page cache into memory as fresh as that of ``restore``."""
    speed_up: float
    """Of the state's first use, over the text."""
    speed_up_again: float
    state_to_resident: float
    again_to_resident: float
    state_to_floor: float
    restore_to_read: float
    cold: Cold | None


def measure_first_token(
    settings: Settings,
    lengths: Sequence[int],
    *,
    question: int = 16,
    rounds: int = 5,
    text_rounds: int = 0,
    cold_rounds: int = 3,
    on_note: Callable[[str], None] = lambda note: None,
    on_step: Callable[[int], None] = lambda count: None,
) -> Iterator[Measured]:
    """Yield the figures of each of ``lengths`` (tokens of memory). Without ``cold_rounds``, no commands are
    run.

    ``settings`` name the models and their options; their vault is not touched. By default all cores are used:
    with only the free ones, two commands could not be compared. ``text_rounds`` 0 means ``rounds``, and two
    for long memories. A length that the model was not trained for is left out, with an ``on_note``. Raises
    ModelUnfit if the model's states are not exact.
    """
    with tempfile.TemporaryDirectory(prefix="memos-bench-", ignore_cleanup_errors=True) as folder:
        for length in lengths:
            own = Settings(
                vault=str(Path(folder) / str(length)), principal="user:bench", reader=settings.reader,
                embedder=settings.embedder, threads=settings.threads or all_threads(),
                activation_kv_type=settings.activation_kv_type, query_context=length + question + ROOM,
            )  # fmt: skip
            texts = text_rounds or min(rounds, 2 if length >= LONG else rounds)
            with Memos(own) as memos:
                memos.init()
                engine = memos.local_engine
                if engine.context < length + question + engine.batch:
                    on_note(f"{length:,} tokens: left out, the model was trained for {engine.context:,}")
                    continue
                on_note(f"{length:,} tokens: reading the memories once")
                yield _measure(memos, length, question, rounds, texts, cold_rounds, on_note, on_step)


def _measure(
    memos: Memos,
    length: int,
    question_tokens: int,
    rounds: int,
    text_rounds: int,
    cold_rounds: int,
    on_note: Callable[[str], None],
    on_step: Callable[[int], None],
) -> Measured:
    engine = memos.local_engine
    made = memos.promote(keep_memories(memos, length - length % engine.batch))
    on_step(1)
    question, size = write_question(engine, question_tokens)
    (kept,) = memos.activations()
    on_note(f"{length:,} tokens: {rounds} rounds in this process")
    times, decoded = _time_in_process(memos, kept.state, question, rounds, text_rounds, on_step)
    cold = None
    if cold_rounds:
        on_note(f"{length:,} tokens: {cold_rounds} rounds of whole commands")
        cold = _time_commands(memos, question, cold_rounds, min(text_rounds, cold_rounds), on_step)
    spreads = {name: _spread(values) for name, values in times.items()}
    median = {name: spread.median for name, spread in spreads.items()}
    return Measured(
        model=memos.reader.name, asked=length, tokens=made.tokens, held=made.held, question=size,
        decoded=decoded, bytes=made.bytes, build=round(made.seconds, 3), **spreads,
        speed_up=_ratio(median["text"], median["state"]),
        speed_up_again=_ratio(median["text"], median["again"]),
        state_to_resident=_ratio(median["state"], median["resident"]),
        again_to_resident=_ratio(median["again"], median["resident"]),
        state_to_floor=_ratio(median["state"], median["floor"]),
        restore_to_read=_ratio(median["restore"], median["read"]),
        cold=cold,
    )  # fmt: skip


def _spread(seconds: Sequence[float]) -> Spread:
    median, least, most = (round(value(seconds), 6) for value in (statistics.median, min, max))
    return Spread(median, least, most, len(seconds))


def _ratio(one: float, other: float) -> float:
    return round(one / other, 3)


# --- in this process -----------------------------------------------------------------------------


def _time_in_process(
    memos: Memos, state: State, question: str, rounds: int, text_rounds: int, on_step: Callable[[int], None]
) -> tuple[dict[str, list[float]], int]:
    """Return the seconds of each step, and the number of tokens that are read after the state."""
    engine, vault = memos.local_engine, memos.vault
    request = read_request(memos, question, Filter(), AnswerOptions(max_tokens=1))
    plan = make_plan_for(memos, engine, request)
    if plan.document is None:
        raise MemosError("the question did not find the memories it was written for")
    prompt = make_prompt(engine, plan, question)
    tokens = [*prompt.prefix, *prompt.question]
    other = [*prompt.prefix, *reversed(prompt.question)]
    fingerprint = memos.fingerprint(engine)
    warm, answers = StateCache(), set[str]()
    times: dict[str, list[float]] = {name: [] for name in ("restore", "floor")}

    def use(shelf: StateCache | None) -> None:
        restored = activation.restore(vault, engine, shelf or StateCache(), fingerprint, tokens, memos.now())
        if restored.tokens != len(state.tokens):
            raise MemosError(f"the state was not used: {', '.join(restored.misses.values()) or 'none fits'}")
        if shelf is None:
            times["restore"].append(restored.seconds)
        answer()

    def answer() -> None:
        engine.read(tokens)
        answers.add(next(engine.generate(limit=1), ""))

    read_file = partial(_read_file, vault.blobs.path(state.blob), state.size)
    arms: dict[str, Callable[[], None]] = {
        "text": answer,
        "read": read_file,
        "state": partial(use, None),
        "again": partial(use, warm),
        "resident": answer,
    }
    warm.take(vault, state)
    for number in range(rounds):
        for name, arm in arms.items():
            if name == "text" and number >= text_rounds:
                continue
            if name == "resident":
                engine.read(other)
            else:
                engine.clear()
            if name in ("read", "state"):
                read_file()  # into the page cache, which may have lost it while the text was read
            _return_memory()
            start = time.perf_counter()
            arm()
            times.setdefault(name, []).append(time.perf_counter() - start)
            on_step(1)
        times["floor"].append(times["read"][-1] + times["resident"][-1])
    _require_one(answers)
    return times, len(tokens) - len(state.tokens)


def _read_file(path: Path, size: int) -> None:
    """Read a file into fresh memory, as a state is read."""
    import numpy as np

    data = np.empty(size, np.uint8).data
    with path.open("rb", buffering=0) as file:
        while data and (count := file.readinto(data)):
            data = data[count:]


def _require_one(answers: set[str]) -> None:
    if len(answers) > 1:
        raise MemosError(f"text and state led to different tokens: {sorted(answers)}")


def _return_memory() -> None:
    """Return freed memory to the system, so that the next measurement gets fresh memory like a new process.

    It works with glibc; elsewhere it does nothing.
    """
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


# --- whole commands ------------------------------------------------------------------------------


def _time_commands(
    memos: Memos, question: str, rounds: int, text_rounds: int, on_step: Callable[[int], None]
) -> Cold:
    options = ("--generate", "--max-tokens", "1", "--json")
    command = [sys.executable, "-m", "memos_cli", "query", question, *options]
    variables = {
        "MEMOS_" + key_of(f).upper().replace(".", "_"): ",".join(value)
        if isinstance(value, tuple)
        else str(value)
        for f in fields(Settings)
        if (value := getattr(memos.settings, f.name)) != f.default
    }
    arms = {"text": [*command, "--text"], "state": command}
    first: dict[str, list[float]] = {name: [] for name in arms}
    wall: dict[str, list[float]] = {name: [] for name in arms}
    answers = set()
    for number in range(rounds):
        for name, arguments in arms.items():
            if name == "text" and number >= text_rounds:
                continue
            start = time.perf_counter()
            done = subprocess.run(arguments, env={**os.environ, **variables}, capture_output=True, text=True)
            wall[name].append(time.perf_counter() - start)
            if done.returncode:
                raise MemosError(f"memos query failed: {done.stderr.strip()}")
            answer = json.loads(done.stdout)
            used, timings = answer["plan"]["activation"], answer["timings"]
            if name == "state" and (used is None or used["result"] != "hit"):
                raise MemosError(f"the state was not used: {(used or {}).get('reason', 'no plan for it')}")
            answers.add(answer["answer"])
            parts = ("start", "load", "search", "first_token")
            # An answer that ends before its first token has no time to it: the end is next to it.
            to_first = sum(timings[part] for part in parts) if timings["first_token"] else timings["total"]
            first[name].append(to_first)
            on_step(1)
    _require_one(answers)
    text, state, *walls = (_spread(each[name]) for each in (first, wall) for name in arms)
    return Cold(text, state, walls[0], walls[1], _ratio(text.median, state.median))
