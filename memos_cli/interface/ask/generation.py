"""Generate an answer with the model: from memories as text, from a saved state, or with an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from memos_cli.cube import Plan, Reuse
from memos_cli.errors import Damaged, ModelUnfit
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.interface.ask.planning import make_plan_for, nearest
from memos_cli.interface.ask.usage import record_use
from memos_cli.interface.results import NOTHING, Answer
from memos_cli.interface.selection import pinned
from memos_cli.models.engine import Engine
from memos_cli.models.llama.loaded_adapters import LoadedAdapter
from memos_cli.operation.adapters.questions.answers import says_any
from memos_cli.operation.ask.grounding import cited_labels, find_unsupported, order_by_use
from memos_cli.operation.ask.prompt_layout import cites, make_prompt, memory_text
from memos_cli.operation.ask.repetition import SentenceStream
from memos_cli.operation.states import activation
from memos_cli.operation.states.activation import Restored

if TYPE_CHECKING:
    from memos_cli.infrastructure.derived.adapters import Adapter
    from memos_cli.interface.ask.request import Request
    from memos_cli.interface.options import AnswerOptions
    from memos_cli.interface.session import Session
    from memos_cli.models.llama.prompt import Prompt


def generate(
    session: Session, request: Request, started: float, begin: float, on_text: Callable[[str], None]
) -> Answer | None:
    """Plan, fill the prompt, and generate; record which memories were used.

    None, and nothing is shown or recorded, if an adapter answers with none of the facts that it has learned.
    ``begin`` is when the question came (``time.perf_counter``), after the ``started`` seconds of the process.
    """
    settings, question, options = session.settings, request.question, request.options
    parsed = time.perf_counter()
    engine = session.engine
    loaded = time.perf_counter()
    plan, attached = _attach(session, engine, make_plan_for(session, engine, request))
    if attached is None:  # the adapter cannot be attached: read the text instead
        options = replace(options, text_only=True)
        again = make_plan_for(session, engine, replace(request, options=options))
        plan, attached = replace(again, notes=again.notes + plan.notes[-1:]), []
    planned = time.perf_counter()
    text, injected, first, restored, stopped = "", 0.0, 0.0, Restored(), "end"
    if plan.chosen:
        _audit_sending(session, engine, plan)
        plan, prompt = _prompt(engine, plan, question, options.system)
        tokens = [*prompt.prefix, *prompt.question]
        if options.text_only:
            engine.clear()
        restore = partial(activation.restore, session.vault, engine, session.state_cache)
        plan, restored = _reuse(session, engine, plan, tokens, options, restore)
        # Read in the same batches as the whole prompt: then the result is identical to the bit.
        memories = len(prompt.prefix) - len(prompt.prefix) % engine.batch
        if memories > engine.held(tokens):  # or its last batch would be read again
            engine.read(tokens[:memories])
        injected = time.perf_counter() - planned
        engine.read_prompt(prompt, attached)
        pieces = engine.generate(
            limit=options.max_tokens or settings.query_max_tokens,
            temperature=settings.query_temperature if options.temperature is None else options.temperature,
            seed=options.seed,
        )
        arrivals: list[
            float
        ] = []  # of the first token; the stream yields a sentence only when it is complete
        stream = SentenceStream(_timed(pieces, arrivals), limit_reached=lambda: not engine.ended)
        learned = _learned_answers(session, plan)
        for piece in stream:
            text += piece
            if not learned:
                on_text(piece)
        if learned:  # all that this adapter can know
            if not says_any(text, learned, question):
                return None
            on_text(text)
        first = arrivals[0] - planned if arrivals else 0.0
        stopped = stream.ending or "end"
    else:
        text = NOTHING
        on_text(text)
    found = [item for item in plan.chosen if item.found]
    known = _adapters_by_id(session) if plan.adapters else {}
    record_use(
        session, [item.hit.cube for item in found], restored,
        adapters=[known[each.id] for each in plan.adapters if each.id in known],
        question=question, forms={item.hit.cube.n: item.form for item in found},
    )  # fmt: skip
    timings = {
        "start": started,
        "search": parsed - begin + planned - loaded,
        "load": loaded - parsed,
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
        question, text.strip(), plan, session.model_name, rounded, answered=bool(plan.chosen),
        nearest=None if plan.chosen else nearest(plan),
        unsupported=find_unsupported(text, read, question) if plan.chosen else (), stopped=stopped,
        order=tuple(sorted(used, key=lambda label: label not in cited)),
    )  # fmt: skip


def _timed(pieces: Iterator[str], arrivals: list[float]) -> Iterator[str]:
    """Yield ``pieces``; append the time of the first to ``arrivals``."""
    for piece in pieces:
        if not arrivals:
            arrivals.append(time.perf_counter())
        yield piece


def foresee(session: Session, request: Request) -> Plan:
    """Return the plan of ``generate``, and which state it would use, without loading the model or a state."""
    with session.open_vocabulary() as engine:
        plan = make_plan_for(session, engine, request)
        plan = replace(plan, notes=plan.notes + tuple(f"engine: {each}" for each in engine.lost))
        if engine.host:  # nothing is sent to another machine to explain
            level = session.settings.sensitivity_remote
            return replace(plan, notes=(*plan.notes, f"engine: {engine.host} gets memories up to {level}"))
        if not plan.chosen:
            return plan
        plan, prompt = _prompt(engine, plan, request.question, request.options.system)
        tokens = [*prompt.prefix, *prompt.question]
        use = partial(activation.foresee, session.vault)
        return _reuse(session, engine, plan, tokens, request.options, use)[0]


def _audit_sending(session: Session, engine: Engine, plan: Plan) -> None:
    """Record which memories another machine gets, before it gets them. Raises Unwritable."""
    if engine.host:
        cubes = {item.hit.cube.id: item.hit.cube for item in plan.chosen if item.form != "adapter"}
        with session.vault.change(session.principal, session.now()) as change:
            change.tell_out("send", [(cube.id, cube.version) for cube in cubes.values()], engine.host)


def _prompt(engine: Engine, plan: Plan, question: str, system: str) -> tuple[Plan, Prompt]:
    """Make the prompt of a plan; its note is added to the plan's notes."""
    prompt = make_prompt(engine, plan, question, system)
    return replace(plan, notes=plan.notes + ((prompt.note,) if prompt.note else ())), prompt


def _attach(
    session: Session, engine: Engine, plan: Plan
) -> tuple[Plan, list[tuple[LoadedAdapter, float]] | None]:
    """Load the adapters of a plan; None, and a note in the plan, if one of them cannot be loaded."""
    if not plan.adapters:
        return plan, []
    try:
        known = _adapters_by_id(session)
        return plan, [
            (session.adapter_cache.load(session.vault, session.local_engine, known[a.id]), a.scale)
            for a in plan.adapters
        ]
    except (Damaged, ModelUnfit) as error:
        return replace(plan, notes=(*plan.notes, f"adapter: not used ({error})")), None


def _learned_answers(session: Session, plan: Plan) -> list[str]:
    """Return the answers that the adapters of a plan have learned; none if the right one is not known."""
    known = _adapters_by_id(session) if plan.adapters else {}
    answers: list[str] = []
    for each in plan.adapters:
        lessons = adapters.lessons(session.vault.connection, known[each.id].cube)
        nearest = each.likeness.question if each.likeness else ""
        if not any(lesson.key for lesson in lessons if lesson.question == nearest):
            return []
        answers += [lesson.key for lesson in lessons if lesson.key]
    return answers


def _adapters_by_id(session: Session) -> dict[str, Adapter]:
    found = adapters.adapters(session.vault.connection, now=session.now())
    return {each.id: each for each in found}


def _reuse(
    session: Session,
    engine: Engine,
    plan: Plan,
    tokens: Sequence[int],
    options: AnswerOptions,
    use: Callable[[Mapping[str, str], Sequence[int], int], Restored],
) -> tuple[Plan, Restored]:
    """Let ``use`` find (and load) a state for the prompt; return ``plan`` with the result, and the state."""
    # A vault without states need not hash its model.
    if options.text_only or not saved_states.lengths(session.vault.connection):
        return plan, Restored()
    fingerprint = session.fingerprint(engine)
    restored = use(fingerprint, tokens, session.now())
    return _note_reuse(session, plan, restored, fingerprint, options), restored


def _note_reuse(
    session: Session, plan: Plan, restored: Restored, fingerprint: Mapping[str, str], options: AnswerOptions
) -> Plan:
    """Return ``plan`` with a note whether the state of its document, or of its pinned memories, was used."""
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
        id, problem = _pinned_state(session, fingerprint, options.view)
    if not id:
        return replace(plan, chosen=chosen, reuse=Reuse(cube.id, restored.tokens) if cube else None)
    other = "instructions changed" if options.system else "the prompt starts with other text"
    miss = problem or next(iter(restored.misses.values()), "") or other
    notes = (*plan.notes, f"activation: miss ({miss})")
    return replace(plan, chosen=chosen, reuse=Reuse(id, restored.tokens, miss), notes=notes)


def _pinned_state(session: Session, fingerprint: Mapping[str, str], view: str) -> tuple[str, str]:
    """Return the id of the state of a view's pinned memories, and why it is unfit; "" if there is none."""
    pins = pinned(session, view)
    for each in saved_states.activations(session.vault.connection, now=session.now()) if pins else ():
        if each.state.view == view and not each.cubes("document"):
            return each.id, activation.unfit(each, fingerprint, pins)
    return "", ""
