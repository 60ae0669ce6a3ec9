"""Plan the memories for one question: MemReader, MemOperator and MemScheduler of the MemOS paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Document, Filter, Hit, Learned, LeftOut, Likeness, MemoryCall, Plan
from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.storage.fulltext import query_terms
from memos_cli.interface.ask.chat_turns import no_evidence
from memos_cli.interface.ask.follow_up import retrieve_after
from memos_cli.interface.lifecycle.conflict_resolution import disputed
from memos_cli.interface.selection import pinned
from memos_cli.models.engine import Engine
from memos_cli.moments import format_time
from memos_cli.operation.ask.injection_cues import suspicions
from memos_cli.operation.ask.prompt_layout import cites, costs, estimated_costs, room_for_memories
from memos_cli.operation.ask.scheduler import make_plan
from memos_cli.operation.search.duplicates import find_duplicates
from memos_cli.operation.search.embedding import row_in_use

if TYPE_CHECKING:
    from memos_cli.infrastructure.derived.adapters import Adapter
    from memos_cli.infrastructure.storage.database import Connection
    from memos_cli.interface.ask.request import Request
    from memos_cli.interface.session import Session
    from memos_cli.models.embed.embedder import Embedder
    from memos_cli.operation.adapters.routing import Floats, Repertoire

CANDIDATES = 40
"""Number of memories that a plan chooses from."""
NEAR = 0.2
"""Least relevance of the nearest memory, which is shown if none answers."""
OF_ITS_TIME = 0.8
"""The share of the relevance threshold that a memory of the time in question must reach."""
SMALL_READS = 3
"""Number of memories in the prompt of a small model: with more it answers fewer questions right (of 60: 18
with three, 16 with five, 14 with twelve; MemoryBank, SmolLM2-135M)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """An adapter before it is stored: its memories, and the questions that it was trained on."""

    cubes: frozenset[int]
    repertoire: Repertoire

    def learned(self, question: Floats) -> Learned:
        """Return the adapter in the form of a plan, for a question as a unit vector."""
        return Learned("trial", "trial", self.cubes, likeness=self.repertoire.likeness(question))


def make_plan_for(
    session: Session,
    engine: Engine | None,
    request: Request,
    *,
    trial: Trial | None = None,
    counts: Callable[[Sequence[Cube]], list[int]] = estimated_costs,
) -> Plan:
    """Choose the memories for the prompt of the model, or, without an ``engine``, for quoting.

    ``counts`` gives their tokens without an engine. ``trial`` is an adapter that replaces all others, to test
    whether a plan attaches it. Raises UsageError if the context is too small.
    """
    settings, call, chat = session.settings, request.call, request.conversation
    if engine is not None:
        request = replace(request, filter=request.filter.up_to(session.highest_sensitivity))
    is_small = engine is not None and not cites(engine)
    most = settings.query_sources or (SMALL_READS if is_small else 0)
    budget = request.options.memory_tokens or settings.query_memory
    room, pins = _space(session, engine, request, budget)
    shown, labels = (chat.shown, chat.labels) if chat else (set[int](), {})

    def count(cubes: Sequence[Cube]) -> list[int]:
        prices = counts(cubes) if engine is None else costs(engine, cubes)
        return [0 if cube.n in shown else price for cube, price in zip(cubes, prices, strict=True)]

    priced_pins = list(zip(pins, count(pins), strict=True))
    db = session.vault.connection
    vector_of = partial(_stored_vector, db, queries.embedder_in_use(db))

    # "List" and "summarize" are words of the request; a memory on the topic need not contain them.
    sought = " ".join(call.topics) if call.topics and call.intent != "recall" else request.question

    def choose(filter: Filter, relevance: float, *notes: str) -> Plan:
        if (found := request.found.get((sought, filter))) is None:
            found = retrieve_after(session, sought, call, request.follows, filter=filter, k=CANDIDATES)
            request.found[sought, filter] = found
        documents, learned, misses = _faster_forms(session, engine, request, found.hits, filter, pins, trial)
        hits, unfit = _split_hits(session, request, found.hits)
        hits = _as_learned(hits, learned, settings.parametric_likeness)
        fixed = {cube.n for cube in (*pins, *(cube for each in documents for cube in each.cubes))}
        pairs = disputed(session, [hit for hit in hits if hit.cube.n not in fixed], relevance)
        hits = _newer_first(hits, pairs)
        plan = make_plan(
            call, hits, count([hit.cube for hit in hits]),
            room=room, budget=budget, most=most, relevance=relevance,
            pinned=priced_pins, documents=documents, adapters=learned, scale=settings.parametric_scale,
            least_likeness=settings.parametric_likeness,
            notes=found.notes + request.notes + notes + misses,
            duplicates=find_duplicates([hit.cube for hit in hits], vector_of), is_small=is_small,
            labels=labels,
        )  # fmt: skip
        plan = replace(plan, notes=plan.notes + _warnings(plan), left_out=(*unfit, *plan.left_out))
        return _note_disputed(plan, pairs)

    return _plan_in_time(choose, request, settings.query_relevance)


def _space(session: Session, engine: Engine | None, request: Request, budget: int) -> tuple[int, list[Cube]]:
    """Return the number of tokens for memories in a prompt, and the memories that are pinned in it.

    Without an engine, only a prompt for another program, which has its own ``budget``, has pins.
    """
    options, chat = request.options, request.conversation
    if engine is None:
        return budget, pinned(session, options.view) if options.memory_tokens else []
    length = options.max_tokens or session.settings.query_max_tokens
    taken = chat.taken(engine, request.question, options.system) if chat else 0
    room = room_for_memories(engine, request.question, options.system, length, taken)
    return room, [*chat.pins] if chat else pinned(session, options.view, session.highest_sensitivity)


def _split_hits(session: Session, request: Request, hits: Sequence[Hit]) -> tuple[list[Hit], list[LeftOut]]:
    """Split hits into those that may answer, and the others with the reason."""
    reasons = {hit.cube.n: reason for hit in hits if (reason := no_evidence(hit.cube, request))}
    evidence = [hit for hit in hits if hit.cube.n not in reasons]
    lacking = _without_quoted(session, request.call, evidence)
    quoted = " or ".join(map(repr, request.call.quoted))
    unfit = [LeftOut(hit, f"does not say {quoted}") for hit in lacking]
    unfit += [
        LeftOut(replace(hit, why={**hit.why, "relevance": 0.0}), reasons[hit.cube.n])
        for hit in hits
        if hit.cube.n in reasons
    ]
    return [hit for hit in evidence if hit not in lacking], unfit


def _stored_vector(db: Connection, embedder: int, cube: int) -> Floats | None:
    from memos_cli.infrastructure.vectors import vector_index  # numpy, 70 ms: not for a search by words

    return vector_index.stored(db, embedder, cube)


def _plan_in_time(choose: Callable[..., Plan], request: Request, usual: float) -> Plan:
    """Return the plan for the time in a question; for all times if no memory from it answers."""
    call, filter = request.call, request.filter
    if not call.when or call.forward:
        return choose(filter, usual)
    within = _within(filter, call)
    # A question with a time but without a topic asks for all memories of that time, none without a time.
    # With a topic, a memory of the requested time is more likely to answer.
    plan = (
        choose(within, usual * (OF_ITS_TIME if call.intent == "recall" else 1))
        if call.topics
        else choose(replace(within, undated=False), 0.0)
    )
    if plan.chosen:
        return plan
    wider = choose(filter, usual, f"no memory from {call.when!r} answers; searched all times")
    return wider if wider.chosen else plan


def _faster_forms(
    session: Session,
    engine: Engine | None,
    request: Request,
    hits: Sequence[Hit],
    filter: Filter,
    pins: Sequence[Cube],
    trial: Trial | None,
) -> tuple[list[Document], list[Learned], tuple[str, ...]]:
    """Return the documents and adapters that contain some of ``hits``, and notes on unusable ones."""
    if engine is None:
        return [], [], ()
    documents, problems = list[Document](), tuple[str, ...]()
    if not (request.conversation and request.conversation.turns):  # a state serves the start of a prompt
        documents, problems = _documents(session, engine, hits, filter, pins)
    if trial is not None:
        asked = _embed_questions(session.embedder, [request.question])[0]
        return documents, [trial.learned(asked)], problems
    learned, more = _learned(session, engine, request, hits, filter)
    return documents, learned, problems + more


def _without_quoted(session: Session, call: MemoryCall, hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits without the quoted topic, if the question asks for all matches; none if all hits lack
    it.
    """
    if call.intent == "recall" or not call.quoted:
        return []
    numbers, holding = [hit.cube.n for hit in hits], set[int]()
    for phrase in call.quoted:
        expression = " AND ".join(term.fts for term in query_terms(phrase))
        if expression:
            holding |= set(queries.matching(session.vault.connection, expression, numbers))
    # A text in another script cannot contain the phrase; its vector decides.
    letters = {*map(_is_cjk, call.quoted)}
    return [
        hit for hit in hits if holding and hit.cube.n not in holding and _is_cjk(hit.cube.text) in letters
    ]


def _is_cjk(text: str) -> bool:
    return any(term.cjk for term in query_terms(text[:200]))


def _warnings(plan: Plan) -> tuple[str, ...]:
    """Return warnings for memories of a plan that look like instructions to the model."""
    read = [item for item in plan.chosen if item.form != "adapter"]
    found = [(item.label, suspicions(item.hit.cube.text)) for item in read]
    return tuple(f"[{label}] {'; '.join(reasons)}: it is quoted" for label, reasons in found if reasons)


def _documents(
    session: Session, engine: Engine, hits: Sequence[Hit], filter: Filter, pins: Sequence[Cube]
) -> tuple[list[Document], tuple[str, ...]]:
    """Return the documents with one of ``hits``, and a note if the document of the best hit cannot be used.

    A document can be used if all its memories match ``filter`` and it was made for this model.
    """
    db, now = session.vault.connection, session.now()
    found = saved_states.covering(db, [hit.cube.n for hit in hits], now=now) if hits else []
    if not found:
        return [], ()
    from memos_cli.operation.states import activation

    fingerprint = session.fingerprint(engine)
    is_pinned = {cube.n for cube in pins}
    documents, unusable = [], {}
    for each in found:
        numbers = [n for n in each.cubes("document") if n not in is_pinned]
        problem = activation.unfit(each, fingerprint, pins)
        if len(queries.filter_ids(db, numbers, now=now, filter=filter)) < len(numbers):
            unusable[each.cube] = each.stale  # no note if the caller's own filter excludes it
        elif each.state.fingerprint.get("model") != fingerprint["model"]:
            unusable[each.cube] = problem
        elif numbers:
            by_number = queries.by_rowid(db, numbers)
            cubes = tuple(by_number[n] for n in numbers)
            documents.append(Document(each.id, cubes, tuple(costs(engine, cubes)), problem))
    relevant = (hit for hit in hits if hit.relevance >= session.settings.query_relevance)
    best = next((hit.cube.n for hit in relevant if hit.cube.n not in is_pinned), None)
    if any(cube.n == best for document in documents for cube in document.cubes):
        return documents, ()
    reasons = [unusable.get(each.cube, "") for each in found if best in each.cubes("document")]
    return documents, tuple(f"activation: miss ({problem})" for problem in reasons[:1] if problem)


def _learned(
    session: Session, engine: Engine, request: Request, hits: Sequence[Hit], filter: Filter
) -> tuple[list[Learned], tuple[str, ...]]:
    """Return the adapters with one of ``hits`` or a pin, and a note if the adapter of the best hit cannot be
    used.

    An adapter can be used if all its memories match ``filter``: its weights cannot leave one of them out.
    """
    if request.options.text_only:
        return [], ()
    db, now = session.vault.connection, session.now()
    filter = filter.up_to(session.settings.sensitivity_adapter)
    attached = adapters.pinned(db, request.options.view, now=now)
    found = adapters.covering(db, [hit.cube.n for hit in hits], now=now) if hits else []
    if not attached and not found:  # a vault without adapters need not hash its model
        return [], ()
    from memos_cli.operation.adapters import parametric  # half a second, so only where there are adapters

    fingerprint = parametric.fingerprint_of(engine, session.fingerprint(engine)["model"])
    relevant = (hit for hit in hits if hit.relevance >= session.settings.query_relevance)
    best = next((hit.cube.n for hit in relevant), None)
    is_pinned = {each.cube for each in attached}
    likeness = _likenesses(session, request.question)
    learned, problems = [], []
    for each in {one.cube: one for one in (*attached, *found)}.values():
        numbers = [source.cube for source in each.sources]
        if problem := parametric.unfit(each, fingerprint):
            if best in numbers or each.cube in is_pinned:
                problems.append(f"adapter: {each.title} is not used ({problem})")
        elif len(queries.filter_ids(db, numbers, now=now, filter=filter)) == len(numbers):
            near = likeness(each)
            learned.append(Learned(each.id, each.title, frozenset(numbers), each.cube in is_pinned, near))
    return learned, tuple(problems)


def _as_learned(hits: Sequence[Hit], learned: Sequence[Learned], least: float) -> list[Hit]:
    """Return the hits; raise the relevance of a hit to the likeness of a learned question that it answers.

    By its words and vectors, a memory with several facts is hardly relevant to a question on one of them.
    """
    near = [each.likeness for each in learned if each.likeness and each.answers(least)]
    likeness = {each.source: round(each.value, 4) for each in near}
    return [
        replace(hit, why={**hit.why, "learned": like, "relevance": max(hit.relevance, like)})
        if (like := likeness.get(hit.cube.n))
        else hit
        for hit in hits
    ]


def _likenesses(session: Session, question: str) -> Callable[[Adapter], Likeness | None]:
    """Return a function that compares a question with those that an adapter has learned; None without
    vectors.
    """
    from memos_cli.operation.adapters.routing import stored_repertoire

    try:
        embedder = session.embedder
    except ModelUnfit:  # `retrieve` has a note on it
        return lambda adapter: None
    db, embed = session.vault.connection, partial(_embed_questions, embedder)
    row, (asked,) = row_in_use(db, embedder), embed([question])

    def likeness(adapter: Adapter) -> Likeness | None:
        known, key = session.adapter_cache.repertoires, (adapter.cube, adapter.version)
        if key not in known:
            known[key] = stored_repertoire(db, adapter.cube, row, embedder.dimension, embed)
        return known[key].likeness(asked)

    return likeness


def _embed_questions(embedder: Embedder, questions: Sequence[str]) -> Floats:
    vectors: Floats = embedder.embed(questions, query=True)
    return vectors


def _within(filter: Filter, call: MemoryCall) -> Filter:
    """Restrict ``filter`` to the time in a question; memories without a time still match."""
    if call.after is None and call.before is None:
        return filter
    after = max((t for t in (filter.after, call.after) if t is not None), default=None)
    before = min((t for t in (filter.before, call.before) if t is not None), default=None)
    return replace(filter, after=after, before=before, undated=True)


def _newer_first(hits: Sequence[Hit], pairs: Sequence[tuple[Cube, Cube]]) -> list[Hit]:
    """Return ``hits`` with the two of each pair side by side, the newer first, at the rank of the better one.

    Both get the relevance of the better one; a memory without a time gets the time when it was stored.
    """
    order, by_number = [hit.cube.n for hit in hits], {hit.cube.n: hit for hit in hits}
    for newer, older in pairs:
        both = [by_number[newer.n], by_number[older.n]]
        score, relevance = max(hit.score for hit in both), max(hit.relevance for hit in both)
        for hit in both:
            if hit.cube.time is None:
                hit = replace(hit, cube=replace(hit.cube, time=hit.cube.created))
            why = {**hit.why, "relevance": relevance}
            by_number[hit.cube.n] = replace(hit, score=score, why=why)
        at = min(order.index(newer.n), order.index(older.n))
        order = [n for n in order if n not in (newer.n, older.n)]
        order[at:at] = [newer.n, older.n]
    return [by_number[n] for n in order]


def _note_disputed(plan: Plan, pairs: Sequence[tuple[Cube, Cube]]) -> Plan:
    """Return ``plan`` with a note on each of ``pairs`` that it contains in full."""
    at = {item.hit.cube.n: item for item in plan.chosen}
    both = [(at[newer.n], at[older.n]) for newer, older in pairs if newer.n in at and older.n in at]
    notes = [
        f"{' and '.join(f'[{item.label}] ({_day(item.hit.cube)})' for item in pair)} may contradict each "
        "other; resolve it with `memos conflicts`"
        for pair in both
    ]
    labels = tuple((newer.label, older.label) for newer, older in both)
    return replace(plan, notes=(*plan.notes, *notes), disputed=labels)


def _day(cube: Cube) -> str:
    return format_time(cube.created if cube.time is None else cube.time)[:10]


def nearest(plan: Plan) -> Hit | None:
    """Return the memory nearest to a question that no memory answers; None if none is related."""
    hits = [left.hit for left in plan.left_out if left.hit.relevance >= NEAR]
    return max(hits, key=lambda hit: (hit.relevance, hit.score), default=None)
