"""Let the model answer: from memories as text, from a saved state of them, or through an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from memos_cli.cube import Filter, Plan, Reuse
from memos_cli.errors import Damaged, ModelUnfit
from memos_cli.infrastructure import derived
from memos_cli.interface.planning import make_plan_for, nearest
from memos_cli.interface.results import NOTHING, Answer
from memos_cli.operation import activation
from memos_cli.operation.activation import Restored
from memos_cli.operation.grounding import cited_labels, find_unsupported, order_by_use
from memos_cli.operation.injection import cites, make_prompt, memory_text
from memos_cli.operation.repetition import SentenceStream
from memos_cli.runtime.adapters import LoadedAdapter
from memos_cli.runtime.engine import Engine

if TYPE_CHECKING:
    from memos_cli.interface.memory import Manner, Memos
    from memos_cli.runtime.prompt import Prompt


def generate(
    memos: Memos,
    question: str,
    filter: Filter,
    manner: Manner,
    started: float,
    on_text: Callable[[str], None],
) -> Answer:
    """Plan, inject, generate; and note which memories were used."""
    settings, begin = memos.settings, time.perf_counter()
    engine = memos.engine
    loaded = time.perf_counter()
    plan, attached = _attach(memos, engine, make_plan_for(memos, engine, question, filter, manner))
    if attached is None:  # what was to be attached cannot be: its text is read
        manner = replace(manner, text_only=True)
        again = make_plan_for(memos, engine, question, filter, manner)
        plan, attached = replace(again, notes=again.notes + plan.notes[-1:]), []
    planned = time.perf_counter()
    text, injected, first, restored, stopped = "", 0.0, 0.0, Restored(), "end"
    if plan.chosen:
        plan, prompt = _prompt(engine, plan, question, manner.system)
        tokens = [*prompt.prefix, *prompt.question]
        if manner.text_only:
            engine.clear()
        restore = partial(activation.restore, memos.vault, engine, memos.shelf)
        plan, restored = _reuse(memos, engine, plan, tokens, manner, restore)
        # Read in the batches of the whole prompt: cut between two of them, it gives the same to the bit.
        memories = len(prompt.prefix) - len(prompt.prefix) % engine.batch
        if memories > engine.held(tokens):  # or its last batch would be read again
            engine.read(tokens[:memories])
        injected = time.perf_counter() - planned
        engine.read_prompt(prompt, attached)
        pieces = engine.generate(
            limit=manner.max_tokens or settings.query_max_tokens,
            temperature=settings.query_temperature if manner.temperature is None else manner.temperature,
            seed=manner.seed,
        )
        came: list[float] = []  # the stream holds a sentence back until it ends; the first token came before
        stream = SentenceStream(_timed(pieces, came), limit_reached=lambda: not engine.ended)
        for piece in stream:
            text += piece
            on_text(piece)
        first = came[0] - planned if came else 0.0
        stopped = stream.ending or "end"
    else:
        text = NOTHING
        on_text(text)
    found = [item for item in plan.chosen if item.found]
    known = {each.id: each for each in memos.adapters()} if plan.adapters else {}
    memos.use(
        [item.hit.cube for item in found], restored,
        adapters=[known[each.id] for each in plan.adapters if each.id in known],
        question=question, forms={item.hit.cube.n: item.form for item in found},
    )  # fmt: skip
    timings = {
        "start": started,
        "search": planned - loaded,
        "load": loaded - begin,
        "restore": restored.seconds,
        "inject": injected,
        "first_token": first,
        "total": started + time.perf_counter() - begin,
    }
    rounded = {name: round(seconds, 4) for name, seconds in timings.items()}
    read = [memory_text(item.hit.cube) for item in plan.chosen]
    cited = cited_labels(text) if cites(engine) else set[int]()
    used = [plan.chosen[at].label for at in order_by_use(text, [item.hit.cube.text for item in plan.chosen])]
    return Answer(
        question, text.strip(), plan, memos.reader.name, rounded, answered=bool(plan.chosen),
        nearest=None if plan.chosen else nearest(plan),
        unsupported=find_unsupported(text, read, question) if plan.chosen else (), stopped=stopped,
        order=tuple(sorted(used, key=lambda label: label not in cited)),
    )  # fmt: skip


def _timed(pieces: Iterator[str], came: list[float]) -> Iterator[str]:
    """``pieces``, and when the first came."""
    for piece in pieces:
        if not came:
            came.append(time.perf_counter())
        yield piece


def foresee(memos: Memos, question: str, filter: Filter, manner: Manner) -> Plan:
    """The plan of ``generate``, and whether a state would serve it, without reading the model or a state."""
    with memos.open_vocabulary() as engine:
        plan = make_plan_for(memos, engine, question, filter, manner)
        if not plan.chosen:
            return plan
        plan, prompt = _prompt(engine, plan, question, manner.system)
        tokens = [*prompt.prefix, *prompt.question]
        return _reuse(memos, engine, plan, tokens, manner, partial(activation.foresee, memos.vault))[0]


def _prompt(engine: Engine, plan: Plan, question: str, system: str) -> tuple[Plan, Prompt]:
    """Make the prompt of a plan; what the user should know of it goes into the plan's notes."""
    prompt = make_prompt(engine, plan, question, system)
    return replace(plan, notes=plan.notes + ((prompt.note,) if prompt.note else ())), prompt


def _attach(
    memos: Memos, engine: Engine, plan: Plan
) -> tuple[Plan, list[tuple[LoadedAdapter, float]] | None]:
    """The adapters of a plan, loaded; None, and a note in the plan, where one of them cannot be."""
    if not plan.adapters:
        return plan, []
    try:
        known = {each.id: each for each in memos.adapters()}
        return plan, [(memos.rack.load(memos.vault, engine, known[a.id]), a.scale) for a in plan.adapters]
    except (Damaged, ModelUnfit) as error:
        return replace(plan, notes=(*plan.notes, f"adapter: not used ({error})")), None


def _reuse(
    memos: Memos,
    engine: Engine,
    plan: Plan,
    tokens: Sequence[int],
    manner: Manner,
    use: Callable[[Mapping[str, str], Sequence[int], int], Restored],
) -> tuple[Plan, Restored]:
    """Let ``use`` find (and load) a state for the prompt; and ``plan``, with what became of it."""
    # A vault without states need not hash its model.
    if manner.text_only or not derived.lengths(memos.vault.connection):
        return plan, Restored()
    fingerprint = memos.fingerprint(engine)
    restored = use(fingerprint, tokens, memos.now())
    return _told(memos, plan, restored, fingerprint, manner), restored


def _told(
    memos: Memos, plan: Plan, restored: Restored, fingerprint: Mapping[str, str], manner: Manner
) -> Plan:
    """``plan`` with what became of the state of its document, or else of its pinned memories."""
    cube, document = restored.cube, plan.document
    held = {source.cube for source in cube.sources} if cube else set()
    chosen = tuple(
        replace(item, form="state") if item.hit.cube.n in held and item.part != "retrieved" else item
        for item in plan.chosen
    )
    id, problem = "", ""
    if document is not None and not {each.n for each in document.cubes} <= held:
        id, problem = document.id, document.unfit
    elif document is None and cube is None:
        id, problem = _pinned_state(memos, fingerprint, manner.view)
    if not id:
        return replace(plan, chosen=chosen, reuse=Reuse(cube.id, restored.tokens) if cube else None)
    other = "instructions changed" if manner.system else "the prompt starts with other text"
    miss = problem or next(iter(restored.misses.values()), "") or other
    notes = (*plan.notes, f"activation: miss ({miss})")
    return replace(plan, chosen=chosen, reuse=Reuse(id, restored.tokens, miss), notes=notes)


def _pinned_state(memos: Memos, fingerprint: Mapping[str, str], view: str) -> tuple[str, str]:
    """The id of the state of a view's pinned memories, and why it does not fit; "" if there is none."""
    pins = memos.pinned(view)
    for each in memos.activations() if pins else ():
        if each.state.view == view and not each.cubes("document"):
            return each.id, activation.unfit(each, fingerprint, pins)
    return "", ""
