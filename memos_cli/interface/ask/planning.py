"""Plan which memories serve one question: MemReader, MemOperator and MemScheduler of the MemOS paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Document, Filter, Hit, Learned, LeftOut, Likeness, MemoryCall, Plan
from memos_cli.errors import ModelUnfit, UsageError
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.storage.fulltext import query_terms
from memos_cli.infrastructure.vectors import vector_index
from memos_cli.interface.ask.event_times import understand
from memos_cli.interface.lifecycle.conflicts import disputed, newer_first, note_disputed
from memos_cli.models.llama.engine import Engine
from memos_cli.operation.ask.injection_cues import suspicions
from memos_cli.operation.ask.prompt_layout import cites, costs, estimated_costs, room_for_memories
from memos_cli.operation.ask.scheduler import EACH, make_plan
from memos_cli.operation.search.duplicates import find_duplicates

if TYPE_CHECKING:
    from memos_cli.infrastructure.derived.adapters import Adapter
    from memos_cli.interface.memory import AnswerOptions, Memos
    from memos_cli.interface.results import Found
    from memos_cli.models.embed.embedder import Embedder
    from memos_cli.operation.adapters.routing import Floats, Repertoire

Searched = dict[tuple[str, Filter], "Found"]
"""What was found for the plans of one question: it is searched for once."""
CANDIDATES = 40
"""Number of memories that a plan chooses from."""
NEAR = 0.2
"""Least relevance of the nearest memory, which is shown if none answers."""
SMALL_READS = 3
"""Number of memories in the prompt of a small model: with more it answers fewer questions right (of 60: 18
with three, 16 with five, 14 with twelve; MemoryBank, SmolLM2-135M)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """An adapter before it is kept: the memories that it holds, and what it has learned to answer."""

    cubes: frozenset[int]
    repertoire: Repertoire

    def learned(self, question: Floats) -> Learned:
        """Return it as a plan may attach it for a question, given as a unit vector."""
        return Learned("trial", "trial", self.cubes, likeness=self.repertoire.likeness(question))


def make_plan_for(
    memos: Memos,
    engine: Engine | None,
    question: str,
    filter: Filter,
    manner: AnswerOptions,
    *,
    trial: Trial | None = None,
    searched: Searched | None = None,
) -> Plan:
    """Choose the memories for the prompt of the model, or, without an ``engine``, for quoting.

    ``trial`` is an adapter that replaces all others, to test whether it would be attached. ``searched`` keeps
    what was found, for another plan of the same question. Raises UsageError if the question is empty or the
    context is too small."""
    if not question.strip():
        raise UsageError("the question is empty", "type a question")
    settings = memos.settings
    call, notes_of_time = understand(
        memos, question, filter, now=memos.now() if manner.now is None else manner.now
    )
    is_small = engine is not None and not cites(engine)
    budget = manner.memory_tokens or settings.query_memory
    most, room, pins = settings.query_sources, budget, list[Cube]()
    if engine is None and manner.memory_tokens:
        pins = memos.pinned(manner.view)
    if engine is not None:
        length = manner.max_tokens or settings.query_max_tokens
        room = room_for_memories(engine, question, manner.system, length)
        pins = memos.pinned(manner.view)
        most = most or (SMALL_READS if is_small else 0)

    def count(cubes: Sequence[Cube]) -> list[int]:
        return estimated_costs(cubes) if engine is None else costs(engine, cubes)

    pinned = list(zip(pins, count(pins), strict=True))
    db = memos.vault.connection
    vector_of = partial(vector_index.stored, db, queries.embedder_in_use(db))

    # "List" and "summarize" are words of the request; a memory on the topic need not contain them.
    sought = " ".join(call.topics) if call.topics and call.intent != "recall" else question

    known = {} if searched is None else searched

    def choose(filter: Filter, relevance: float, *notes: str) -> Plan:
        if (found := known.get((sought, filter))) is None:
            found = memos.find(sought, filter=filter, k=CANDIDATES, aside=call.when, call=call)
            known[sought, filter] = found
        documents, learned, misses = _faster_forms(memos, engine, question, found.hits, filter, manner, trial)
        apart = _without_quoted(memos, call, found.hits)
        hits = [hit for hit in found.hits if hit not in apart]
        hits = _as_learned(hits, learned, settings.parametric_likeness)
        fixed = {cube.n for cube in (*pins, *(cube for each in documents for cube in each.cubes))}
        pairs = disputed(memos, [hit for hit in hits if hit.cube.n not in fixed], relevance)
        hits = newer_first(hits, pairs)
        plan = make_plan(
            call, hits, count([hit.cube for hit in hits]),
            room=room, budget=budget, most=most, relevance=relevance,
            pinned=pinned, documents=documents, adapters=learned, scale=settings.parametric_scale,
            least_likeness=settings.parametric_likeness,
            notes=found.notes + notes_of_time + notes + misses,
            duplicates=find_duplicates([hit.cube for hit in hits], vector_of), is_small=is_small,
        )  # fmt: skip
        late = [LeftOut(hit, f"does not say {' or '.join(map(repr, call.quoted))}") for hit in apart]
        plan = replace(plan, notes=plan.notes + _warnings(plan), left_out=(*late, *plan.left_out))
        return note_disputed(plan, pairs)

    usual = settings.query_relevance
    if not call.when or call.forward:
        return choose(filter, usual)
    within = _within(filter, call)
    # A question with a time but without a topic asks for all memories of that time, none without a time.
    # With a topic, a memory of the requested time is more likely to answer.
    plan = (
        choose(within, usual * (EACH if call.intent == "recall" else 1))
        if call.topics
        else choose(replace(within, undated=False), 0.0)
    )
    if plan.chosen:
        return plan
    wider = choose(filter, usual, f"no memory from {call.when!r} answers; searched all times")
    return wider if wider.chosen else plan


def _faster_forms(
    memos: Memos,
    engine: Engine | None,
    question: str,
    hits: Sequence[Hit],
    filter: Filter,
    manner: AnswerOptions,
    trial: Trial | None,
) -> tuple[list[Document], list[Learned], tuple[str, ...]]:
    """Return the documents and adapters with some of ``hits``, and notes on those that cannot be used."""
    if engine is None:
        return [], [], ()
    documents, problems = _documents(memos, engine, hits, filter, memos.pinned(manner.view))
    if trial is not None:
        return documents, [trial.learned(_embed_questions(memos.embedder, [question])[0])], problems
    learned, more = _learned(memos, engine, question, hits, filter, manner)
    return documents, learned, problems + more


def _without_quoted(memos: Memos, call: MemoryCall, hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits without a quoted topic if all matches are asked for; none if all hits lack it."""
    if call.intent == "recall" or not call.quoted:
        return []
    numbers, holding = [hit.cube.n for hit in hits], set[int]()
    for phrase in call.quoted:
        expression = " AND ".join(term.fts for term in query_terms(phrase))
        holding |= set(queries.holding(memos.vault.connection, expression, numbers)) if expression else set()
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
    memos: Memos, engine: Engine, hits: Sequence[Hit], filter: Filter, pins: Sequence[Cube]
) -> tuple[list[Document], tuple[str, ...]]:
    """Return the documents with one of ``hits``, and a note if that of the best hit cannot be used.

    A document can be used if all its memories match ``filter`` and it was made for this model.
    """
    db, now = memos.vault.connection, memos.now()
    found = saved_states.covering(db, [hit.cube.n for hit in hits], now=now) if hits else []
    if not found:
        return [], ()
    from memos_cli.operation.states import activation

    fingerprint = memos.fingerprint(engine)
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
    relevant = (hit for hit in hits if hit.relevance >= memos.settings.query_relevance)
    best = next((hit.cube.n for hit in relevant if hit.cube.n not in is_pinned), None)
    if any(cube.n == best for document in documents for cube in document.cubes):
        return documents, ()
    reasons = [unusable.get(each.cube, "") for each in found if best in each.cubes("document")]
    return documents, tuple(f"activation: miss ({problem})" for problem in reasons[:1] if problem)


def _learned(
    memos: Memos, engine: Engine, question: str, hits: Sequence[Hit], filter: Filter, manner: AnswerOptions
) -> tuple[list[Learned], tuple[str, ...]]:
    """Return the adapters with one of ``hits`` or a pin, and a note if that of the best hit cannot be used.

    An adapter can be used if all its memories match ``filter``: its weights cannot leave one of them out.
    """
    if manner.text_only:
        return [], ()
    db, now = memos.vault.connection, memos.now()
    filter = filter.up_to(memos.settings.sensitivity_adapter)
    pinned = adapters.pinned(db, manner.view, now=now)
    found = adapters.covering(db, [hit.cube.n for hit in hits], now=now) if hits else []
    if not pinned and not found:  # a vault without adapters need not hash its model
        return [], ()
    from memos_cli.operation.adapters import parametric  # half a second, so only where there are adapters

    fingerprint = parametric.fingerprint_of(engine, memos.fingerprint(engine)["model"])
    relevant = (hit for hit in hits if hit.relevance >= memos.settings.query_relevance)
    best = next((hit.cube.n for hit in relevant), None)
    is_pinned = {each.cube for each in pinned}
    likeness = _likenesses(memos, question)
    learned, problems = [], []
    for each in {one.cube: one for one in (*pinned, *found)}.values():
        numbers = [source.cube for source in each.sources]
        if problem := parametric.unfit(each, fingerprint):
            if best in numbers or each.cube in is_pinned:
                problems.append(f"adapter: {each.title} is not used ({problem})")
        elif len(queries.filter_ids(db, numbers, now=now, filter=filter)) == len(numbers):
            near = likeness(each)
            learned.append(Learned(each.id, each.title, frozenset(numbers), each.cube in is_pinned, near))
    return learned, tuple(problems)


def _as_learned(hits: Sequence[Hit], learned: Sequence[Learned], least: float) -> list[Hit]:
    """Return the hits; one that answers a learned question like this one is as relevant as that is like it.

    A memory of several facts is hardly relevant to a question on one of them by its words and vectors.
    """
    near = [each.likeness for each in learned if each.likeness and each.answers(least)]
    likeness = {each.source: round(each.cosine, 4) for each in near}
    return [
        replace(hit, why={**hit.why, "learned": like, "relevance": max(hit.relevance, like)})
        if (like := likeness.get(hit.cube.n))
        else hit
        for hit in hits
    ]


def _likenesses(memos: Memos, question: str) -> Callable[[Adapter], Likeness | None]:
    """Return what tells how near a question is to those that an adapter has learned; None without vectors."""
    from memos_cli.operation.adapters.routing import stored_repertoire
    from memos_cli.operation.search.embedding import row_in_use

    try:
        embedder = memos.embedder
    except ModelUnfit:  # `find` has told why
        return lambda adapter: None
    db, embed = memos.vault.connection, partial(_embed_questions, embedder)
    row, (asked,) = row_in_use(db, embedder), embed([question])

    def likeness(adapter: Adapter) -> Likeness | None:
        known, key = memos.rack.repertoires, (adapter.cube, adapter.version)
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


def nearest(plan: Plan) -> Hit | None:
    """Return the memory nearest to a question that no memory answers; None if none is related."""
    hits = [left.hit for left in plan.left_out if left.hit.relevance >= NEAR]
    return max(hits, key=lambda hit: (hit.relevance, hit.score), default=None)
