"""The cost of the forms of a memory with one model on this machine: measured once, then stored.

Text costs reading at each use. A state costs its making once, its bytes on the disk, and restoring at each
use. An adapter costs nothing at a query, but minutes of training.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import cycle, islice

from memos_cli.infrastructure.derived import lineage
from memos_cli.infrastructure.derived.saved_states import State
from memos_cli.infrastructure.memories import key_values
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.models.engine import Engine

RESTORE = 1e9
"""Bytes of a state that are restored in a second, where it was never measured."""

SAMPLE = "The keeper of the lighthouse wrote down what the sea had brought, and when. "
"""The text that is read repeatedly to measure the time of reading."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """The speed at which a model reads and restores, and the size of its states."""

    second: float
    """Seconds that one operation of ``Engine.work`` takes."""
    base: int
    """Bytes of the state of one batch."""
    per_token: float
    """Bytes of each token after it."""
    restore: float = RESTORE
    """Bytes of a state that are read, verified and restored in a second."""

    def reading(self, engine: Engine, tokens: int, held: int = 0) -> float:
        """Return the seconds to read ``tokens``, of which the first ``held`` are read already."""
        return self.second * (engine.work(tokens) - engine.work(held))

    def size(self, engine: Engine, tokens: int) -> int:
        """Return the bytes of a state of ``tokens``."""
        return round(self.base + (tokens - engine.batch) * self.per_token)


def sample(engine: Engine) -> Throughput:
    """Measure the throughput by reading a few batches."""
    engine.clear()
    tokens = engine.build_prompt(system=SAMPLE, memories=(), question="").prefix
    return read_timed(engine, list(islice(cycle(tokens), min(5 * engine.batch, engine.context))))


def read_timed(
    engine: Engine, tokens: Sequence[int], on_tokens: Callable[[int], None] = lambda count: None
) -> Throughput:
    """Read ``tokens``, more than a batch, from an empty sequence; return the throughput."""
    engine.read(tokens[: engine.batch], on_tokens)  # this batch brings the weights into memory, too
    base = engine.state_size()
    start = time.perf_counter()
    engine.read(tokens, on_tokens)
    measured = time.perf_counter() - start
    work = engine.work(len(tokens)) - engine.work(engine.batch)
    per_token = (engine.state_size() - base) / (len(tokens) - engine.batch)
    return Throughput(measured / work, base, per_token)


def kept(db: Connection, fingerprint: Mapping[str, str]) -> Throughput | None:
    """Return the throughput measured under these conditions; None if none was measured."""
    values = lineage.from_json(key_values.get(db, _name(fingerprint)))
    return Throughput(**values) if values.keys() == {each.name for each in fields(Throughput)} else None


def keep(change: Transaction, fingerprint: Mapping[str, str], pace: Throughput) -> None:
    """Store the last measurement of reading: the machine and its load change."""
    known = kept(change.db, fingerprint)
    _put(change, fingerprint, replace(pace, restore=known.restore) if known else pace)


def keep_restoring(change: Transaction, state: State, seconds: float) -> None:
    """Store the time that restoring a state took: it counts for half of the new estimate."""
    if known := kept(change.db, state.fingerprint):
        speed = (known.restore + state.size / max(seconds, 1e-9)) / 2
        _put(change, state.fingerprint, replace(known, restore=speed))


def _put(change: Transaction, fingerprint: Mapping[str, str], pace: Throughput) -> None:
    key_values.put(change, _name(fingerprint), lineage.to_json(asdict(pace)))


def _name(fingerprint: Mapping[str, str]) -> str:
    return "pace:" + hashlib.sha256(lineage.to_json(fingerprint).encode()).hexdigest()
