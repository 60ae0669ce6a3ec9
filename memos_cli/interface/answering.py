"""One question, from its words to the answer: MemReader, MemOperator, MemScheduler, state or text, model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Document, Filter, Hit, Learned, LeftOut, MemoryCall, Plan, Reuse
from memos_cli.errors import Damaged, ModelUnfit, UsageError
from memos_cli.infrastructure import adapters, catalogue, derived
from memos_cli.infrastructure.words import query_terms
from memos_cli.interface.anchors import understand
from memos_cli.interface.results import Answer
from memos_cli.interface.rivalry import outdated
from memos_cli.operation import activation, parametric
from memos_cli.operation.activation import Restored
from memos_cli.operation.injection import costs, make_prompt, room_for_memories
from memos_cli.operation.scheduler import make_plan
from memos_cli.operation.suspicion import suspicions
from memos_cli.runtime.adapters import LoadedAdapter
from memos_cli.runtime.engine import Engine

if TYPE_CHECKING:
    from memos_cli.interface.memory import Manner, Memos

NOTHING = "Nothing in memory answers this."
CANDIDATES = 40
"""Memories that a plan chooses from."""


def answer(
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
    text, injected, first, restored = "", 0.0, 0.0, Restored()
    if plan.chosen:
        prompt = make_prompt(engine, plan, question, manner.system)
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
        for piece in engine.generate(
            limit=manner.max_tokens or settings.query_max_tokens,
            temperature=settings.query_temperature if manner.temperature is None else manner.temperature,
            seed=manner.seed,
        ):
            first = first or time.perf_counter() - planned
            text += piece
            on_text(piece)
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
    return Answer(question, text.strip(), plan, memos.reader.name, rounded)


def explain(memos: Memos, engine: Engine, question: str, filter: Filter, manner: Manner) -> Plan:
    """The plan of ``answer``, and whether a state would serve it, without reading the model or a state."""
    plan = make_plan_for(memos, engine, question, filter, manner)
    if not plan.chosen:
        return plan
    prompt = make_prompt(engine, plan, question, manner.system)
    tokens = [*prompt.prefix, *prompt.question]
    return _reuse(memos, engine, plan, tokens, manner, partial(activation.foresee, memos.vault))[0]


def make_plan_for(
    memos: Memos,
    engine: Engine,
    question: str,
    filter: Filter,
    manner: Manner,
    *,
    trial: Learned | None = None,
) -> Plan:
    """What goes before the model. Raises UsageError when nothing is asked, or no room is left.

    ``trial`` is an adapter that stands in for all others: to see whether it would be attached.
    """
    if not question.strip():
        raise UsageError("the question is empty", "type a question")
    settings = memos.settings
    call, told = understand(memos, question, filter, now=memos.now() if manner.now is None else manner.now)
    length = manner.max_tokens or settings.query_max_tokens
    room = room_for_memories(engine, question, manner.system, length)
    pins = memos.pinned(manner.view)
    pinned = list(zip(pins, costs(engine, pins), strict=True))

    # "List", "summarize" and their like are words of the request; no memory on the topic need hold them.
    sought = " ".join(call.topics) if call.topics and call.intent != "recall" else question

    def choose(filter: Filter, relevance: float, *notes: str) -> Plan:
        found = memos.find(sought, filter=filter, k=CANDIDATES, aside=call.when, call=call)
        documents, problems = _documents(memos, engine, found.hits, filter, pins)
        learned, more = ([trial], ()) if trial else _learned(memos, engine, found.hits, filter, manner)
        old = outdated(memos, [hit.cube for hit in found.hits if hit.relevance >= relevance])
        hits = [hit for hit in found.hits if hit.cube.n not in old]
        apart = _without_quoted(memos, call, hits)
        hits = [hit for hit in hits if hit not in apart]
        plan = make_plan(
            call, hits, costs(engine, [hit.cube for hit in hits]),
            room=room, budget=settings.query_memory, most=settings.query_sources, relevance=relevance,
            pinned=pinned, documents=documents, adapters=learned, scale=settings.parametric_scale,
            sure=settings.parametric_relevance,
            notes=found.notes + told + notes + problems + more,
        )  # fmt: skip
        late = [
            LeftOut(hit, f"contradicted by {old[hit.cube.n]}, which is newer")
            for hit in found.hits
            if hit.cube.n in old
        ]
        late += [LeftOut(hit, f"does not say {' or '.join(map(repr, call.quoted))}") for hit in apart]
        return replace(plan, notes=plan.notes + _warnings(plan), left_out=(*late, *plan.left_out))

    usual = settings.query_relevance
    if not call.when:
        return choose(filter, usual)
    within = _within(filter, call)
    # A question for a time and nothing else is about all that was then, and what has no time was not.
    plan = choose(within, usual) if call.topics else choose(replace(within, undated=False), 0.0)
    if plan.chosen:
        return plan
    wider = choose(filter, usual, f"nothing fits from {call.when!r}; looked at all times")
    return wider if wider.chosen else plan


def _without_quoted(memos: Memos, call: MemoryCall, hits: Sequence[Hit]) -> list[Hit]:
    """Where all that fits is asked for, the hits that hold no word of a quoted topic; none if all do not."""
    if call.intent == "recall" or not call.quoted:
        return []
    numbers, holding = [hit.cube.n for hit in hits], set[int]()
    for phrase in call.quoted:
        expression = " AND ".join(term.fts for term in query_terms(phrase))
        holding |= (
            set(catalogue.holding(memos.vault.connection, expression, numbers)) if expression else set()
        )
    # What is written in other letters cannot hold it; whether it fits, its meaning tells.
    letters = {*map(_is_cjk, call.quoted)}
    return [
        hit for hit in hits if holding and hit.cube.n not in holding and _is_cjk(hit.cube.text) in letters
    ]


def _is_cjk(text: str) -> bool:
    return any(term.cjk for term in query_terms(text[:200]))


def _warnings(plan: Plan) -> tuple[str, ...]:
    """What the memories of a plan want of the model, instead of telling it something."""
    read = [item for item in plan.chosen if item.form != "adapter"]
    told = [(item.label, suspicions(item.hit.cube.text)) for item in read]
    return tuple(f"[{label}] {'; '.join(reasons)}: it is quoted" for label, reasons in told if reasons)


def _documents(
    memos: Memos, engine: Engine, hits: Sequence[Hit], filter: Filter, pins: Sequence[Cube]
) -> tuple[list[Document], tuple[str, ...]]:
    """The documents that cover one of ``hits``, and a note if the one of the best hit cannot be used.

    A document can be used where all its memories pass ``filter`` and it was made for this model.
    """
    db, now = memos.vault.connection, memos.now()
    found = derived.covering(db, [hit.cube.n for hit in hits], now=now) if hits else []
    if not found:
        return [], ()
    fingerprint = memos.fingerprint(engine)
    is_pinned = {cube.n for cube in pins}
    documents, unusable = [], {}
    for each in found:
        numbers = [n for n in each.cubes("document") if n not in is_pinned]
        problem = activation.unfit(each, fingerprint, pins)
        if len(catalogue.passing(db, numbers, now=now, filter=filter)) < len(numbers):
            unusable[each.cube] = each.stale  # nothing to tell where the asker's own filter keeps it out
        elif each.state.fingerprint.get("model") != fingerprint["model"]:
            unusable[each.cube] = problem
        elif numbers:
            by_number = catalogue.by_number(db, numbers)
            cubes = tuple(by_number[n] for n in numbers)
            documents.append(Document(each.id, cubes, tuple(costs(engine, cubes)), problem))
    relevant = (hit for hit in hits if hit.relevance >= memos.settings.query_relevance)
    best = next((hit.cube.n for hit in relevant if hit.cube.n not in is_pinned), None)
    if any(cube.n == best for document in documents for cube in document.cubes):
        return documents, ()
    told = [unusable.get(each.cube, "") for each in found if best in each.cubes("document")]
    return documents, tuple(f"activation: miss ({problem})" for problem in told[:1] if problem)


def _learned(
    memos: Memos, engine: Engine, hits: Sequence[Hit], filter: Filter, manner: Manner
) -> tuple[list[Learned], tuple[str, ...]]:
    """The adapters that hold one of ``hits`` or are pinned, and a note if that of the best cannot be used.

    An adapter can be used where all its memories pass ``filter``: its weights cannot keep one of them back.
    """
    if manner.text_only:
        return [], ()
    db, now = memos.vault.connection, memos.now()
    filter = filter.up_to(memos.settings.sensitivity_adapter)
    pinned = adapters.pinned(db, manner.view, now=now)
    found = adapters.covering(db, [hit.cube.n for hit in hits], now=now) if hits else []
    if not pinned and not found:  # a vault without adapters need not hash its model
        return [], ()
    fingerprint = parametric.fingerprint_of(engine, memos.fingerprint(engine)["model"])
    relevant = (hit for hit in hits if hit.relevance >= memos.settings.query_relevance)
    best = next((hit.cube.n for hit in relevant), None)
    is_pinned = {each.cube for each in pinned}
    learned, problems = [], []
    for each in {one.cube: one for one in (*pinned, *found)}.values():
        numbers = [source.cube for source in each.sources]
        if problem := parametric.unfit(each, fingerprint):
            if best in numbers or each.cube in is_pinned:
                problems.append(f"adapter: {each.title} is not used ({problem})")
        elif len(catalogue.passing(db, numbers, now=now, filter=filter)) == len(numbers):
            learned.append(Learned(each.id, each.title, frozenset(numbers), each.cube in is_pinned))
    return learned, tuple(problems)


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


def _within(filter: Filter, call: MemoryCall) -> Filter:
    """``filter`` narrowed to the time that a question speaks of; memories without a time stay in."""
    if call.after is None and call.before is None:
        return filter
    after = max((t for t in (filter.after, call.after) if t is not None), default=None)
    before = min((t for t in (filter.before, call.before) if t is not None), default=None)
    return replace(filter, after=after, before=before, undated=True)
