"""Plaintext to sequence state: promote memories to saved states, and use these.

A state is used only if a prompt starts with exactly its tokens, and if it was made under exactly the present
conditions. So a state can neither change an answer nor add text to a prompt. Otherwise the text is read
instead.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from memos_cli.cube import Cube
from memos_cli.errors import Damaged, ModelUnfit, UsageError
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.derived.saved_states import Activation, State
from memos_cli.infrastructure.storage.blobs import piece_digests
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.models.engine import Engine
from memos_cli.operation.ask.prompt_layout import make_prefix
from memos_cli.operation.states import throughput
from memos_cli.operation.states.throughput import Throughput

SHELF = 512 << 20
"""Bytes of states that one process keeps in memory."""


class StateCache:
    """The verified states of this process, in memory, so that they are not read again."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, memoryview] = OrderedDict()

    def take(self, vault: Vault, state: State) -> memoryview:
        """Return the bytes of a state. Raises Damaged if they have changed."""
        data = self._states.pop(state.blob, None)
        if data is None:
            data = vault.blobs.unseal(vault.blobs.read(state.blob, state.size, state.pieces))
        self._states[state.blob] = data
        while len(self._states) > 1 and sum(map(len, self._states.values())) > SHELF:
            self._states.popitem(last=False)
        return data


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore. ``misses`` has the reasons why states could not be restored, by cube."""

    cube: Activation | None = None
    tokens: int = 0
    loaded: bool = False
    """Whether the state was loaded now: the engine may have held these tokens already."""
    seconds: float = 0.0
    saved: float = 0.0
    """Seconds that the reading would have taken more."""
    misses: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promoted:
    """The result of a promotion, or (``dry_run``) of its simulation."""

    id: str
    version: int
    new: bool
    """Whether a state was stored: False if exactly this state existed already."""
    memories: int
    tokens: int
    """Of instructions, pinned memories and document."""
    held: int
    """Of these, those that the state holds; the others are read each time."""
    bytes: int
    seconds: float
    """To make it: measured, or estimated."""
    saved: float
    """Seconds that each use saves, estimated."""
    dry_run: bool = False

    @property
    def break_even(self) -> int | None:
        """The number of uses after which it has saved its cost; None if it never does."""
        return math.ceil(self.seconds / self.saved) if self.saved > 0 else None


def fingerprint_of(engine: Engine, model: str) -> dict[str, str]:
    """Return the fingerprint of a state made now; ``model`` is the sha256 of the model's file."""
    return {"model": model, **engine.conditions}


# --- using -----------------------------------------------------------------------------------------


def restore(
    vault: Vault,
    engine: Engine,
    shelf: StateCache,
    fingerprint: Mapping[str, str],
    tokens: Sequence[int],
    now: int,
) -> Restored:
    """Restore the longest state of the start of ``tokens`` in the engine, unless the engine has more
    already.
    """
    misses: dict[int, str] = {}
    held = engine.held(tokens)
    for found in _usable(vault, fingerprint, tokens, now, misses):
        state, length = found.state, len(found.state.tokens)
        if length <= held:
            return Restored(found, length, misses=misses)
        start = time.perf_counter()
        try:
            engine.restore(shelf.take(vault, state), state.tokens)
        except Damaged:
            misses[found.cube] = vault.blobs.problem(state.blob, state.size) or "blob damaged"
        except ModelUnfit as error:
            misses[found.cube] = str(error)
            held = 0  # the engine is empty now
        else:
            seconds = time.perf_counter() - start
            spared = state.seconds * (1 - engine.work(held) / engine.work(length))
            return Restored(found, length, True, seconds, max(0.0, spared - seconds), misses)
    return Restored(misses=misses)


def foresee(vault: Vault, fingerprint: Mapping[str, str], tokens: Sequence[int], now: int) -> Restored:
    """Predict the result of ``restore``, without reading a state."""
    misses: dict[int, str] = {}
    found = next(_usable(vault, fingerprint, tokens, now, misses), None)
    return Restored(found, len(found.state.tokens) if found else 0, misses=misses)


def _usable(
    vault: Vault, fingerprint: Mapping[str, str], tokens: Sequence[int], now: int, misses: dict[int, str]
) -> Iterator[Activation]:
    """Yield the activation cubes whose states are a start of ``tokens``, the longest first.

    Adds those that cannot be used to ``misses``.
    """
    for length in saved_states.lengths(vault.connection):
        if length >= len(tokens):  # the last token must be read, to know what follows
            continue
        for cube in saved_states.holding(vault.connection, fingerprint, tokens[:length], now=now):
            # The tokens of a stale state fit, too; but it is not to be used.
            if problem := cube.stale or vault.blobs.problem(cube.state.blob, cube.state.size):
                misses[cube.cube] = problem
            else:
                yield cube


def unfit(cube: Activation, fingerprint: Mapping[str, str], pinned: Sequence[Cube]) -> str:
    """Return the reason why a state cannot be used now with these pinned memories; "" if it can."""
    if cube.expired:
        return "expired"
    if cube.stale:
        return cube.stale
    if cube.cubes("pinned") != [each.n for each in pinned]:
        return "pinned memories changed"
    known = cube.state.fingerprint
    if known.get("model") != fingerprint["model"]:
        return "made with another model" if fingerprint["model"] else "the model's file was replaced"
    changed = [name for name in {**known, **fingerprint} if known.get(name) != fingerprint.get(name)]
    return f"{changed[0]} changed" if changed else ""


# --- making ----------------------------------------------------------------------------------------


def promote(
    vault: Vault,
    engine: Engine,
    fingerprint: Mapping[str, str],
    *,
    pinned: Sequence[Cube],
    document: Sequence[Cube],
    view: str,
    answer: int,
    model: str,
    principal: str,
    clock: Callable[[], int],
    on_tokens: Callable[[int], None] = lambda count: None,
) -> Promoted:
    """Read memories once, and store the state as an activation cube. If interrupted, it stores nothing.

    It leaves room for an answer of ``answer`` tokens. Raises UsageError if the memories do not fit,
    ModelUnfit if the model's states are not exact, and MemosError if a memory changes meanwhile.
    """
    if not fingerprint["model"]:
        raise ModelUnfit("the model's file was replaced while it was open", "run it again")
    tokens, held = _extent(engine, pinned, document, answer)
    engine.clear()
    parent = restore(vault, engine, StateCache(), fingerprint, tokens[: held + 1], clock())
    on_tokens(parent.tokens)
    measured = None
    if parent.cube is None and held > engine.batch:
        measured = throughput.read_timed(engine, tokens[:held], on_tokens)
        data, seconds = engine.save(), measured.reading(engine, held)
    else:
        start = time.perf_counter()
        if parent.tokens < held:  # or its last batch would be read again
            engine.read(tokens[:held], on_tokens)
        data = engine.save()
        seconds = time.perf_counter() - start
    whole = seconds + (parent.cube.state.seconds if parent.cube else 0.0)
    sources = [(cube.n, cube.version, "pinned") for cube in pinned]
    sources += [(cube.n, cube.version, "document") for cube in document]
    sealed = vault.blobs.seal(data)
    with vault.blob_changes() as blobs:
        state = State(
            view, vault.blobs.put(sealed, blobs), len(sealed), piece_digests(sealed), tokens[:held],
            len(tokens), model, fingerprint, whole,
        )  # fmt: skip
        with vault.change(principal, clock()) as change:
            digest = _digest(fingerprint, view, document)
            id, version, old = saved_states.keep(
                change, state, sources, title=_title(document), digest=digest
            )
            blobs.update(old or ())
            if measured:
                throughput.keep(change, fingerprint, measured)
    known = measured or throughput.kept(vault.connection, fingerprint)
    size = engine.state_size()
    saved = whole - size / (known.restore if known else throughput.RESTORE)
    return Promoted(id, version, old is not None, len(document), len(tokens), held, size, seconds, saved)


def estimate(
    vault: Vault,
    engine: Engine,
    fingerprint: Mapping[str, str],
    known: Throughput,
    *,
    pinned: Sequence[Cube],
    document: Sequence[Cube],
    answer: int,
    now: int,
) -> Promoted:
    """Estimate the result and the cost of a promotion, with the ``known`` throughput."""
    tokens, held = _extent(engine, pinned, document, answer)
    parent = foresee(vault, fingerprint, tokens[: held + 1], now)
    size = known.size(engine, held)
    seconds, saved = known.reading(engine, held, parent.tokens), known.reading(engine, held)
    return Promoted(
        "", 0, parent.tokens < held, len(document), len(tokens), held, size, seconds,
        saved - size / known.restore, True,
    )  # fmt: skip


def _extent(
    engine: Engine, pinned: Sequence[Cube], document: Sequence[Cube], answer: int
) -> tuple[Sequence[int], int]:
    """Return the tokens to read, and how many of them a state would contain: whole batches."""
    if engine.unfit:
        raise ModelUnfit(
            f"this model's state cannot be restored exactly: {engine.unfit}",
            "its memories are read as text; to promote them, choose another model with --model",
        )
    tokens = make_prefix(engine, pinned, document)
    if len(tokens) > engine.context - answer - engine.batch:
        raise UsageError(
            f"{len(tokens)} tokens leave no room for question and answer in a context of {engine.context}",
            "promote fewer memories, or raise the setting query.context",
        )
    held = len(tokens) - len(tokens) % engine.batch
    if not held:
        raise UsageError(
            f"{len(tokens)} tokens are fewer than one batch of a state ({engine.batch})",
            "too short to be worth saving; promote it together with others",
        )
    return tokens, held


def _digest(fingerprint: Mapping[str, str], view: str, document: Sequence[Cube]) -> bytes:
    """Return the digest that identifies an activation cube: promoted again, it gets a new version."""
    return hashlib.sha256(
        json.dumps(["activation", fingerprint["model"], view, [cube.id for cube in document]]).encode()
    ).digest()


def _title(document: Sequence[Cube]) -> str:
    if not document:
        return "State of the pinned memories"
    first = document[0].title or " ".join(document[0].text.split())
    more = f" and {len(document) - 1} more" if len(document) > 1 else ""
    return f"State of {first[:60]}{more}"
