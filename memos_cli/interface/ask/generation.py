"""Generate an answer with the model: from memories as text, from a saved state, or with an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from memos_cli.cube import Plan, Reuse
from memos_cli.errors import Damaged, ModelUnfit
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.derived.adapters import Adapter
from memos_cli.interface.ask.planning import make_plan_for, nearest
from memos_cli.interface.ask.request import Request
from memos_cli.interface.ask.usage import record_use
from memos_cli.interface.options import AnswerOptions
from memos_cli.interface.results import NOTHING, Answer
from memos_cli.interface.selection import pinned
from memos_cli.interface.session import Session, ignore
from memos_cli.models.engine import Engine
from memos_cli.models.llama.loaded_adapters import LoadedAdapter
from memos_cli.models.llama.prompt import Prompt
from memos_cli.operation.adapters.questions.answer_check import says_any
from memos_cli.operation.ask.grounding import cited_labels, find_unsupported, order_by_use
from memos_cli.operation.ask.prompt_layout import cites, make_prompt, memory_text
from memos_cli.operation.ask.repetition import SentenceStream
from memos_cli.operation.states import activation
from memos_cli.operation.states.activation import Restored


@dataclass(slots=True)
class _Written:
    """The text of a model, the reason why it stopped, and the times of reading memories and of the first
    token.
    """

    text: str = ""
    stopped: str = "end"
    read: float = 0.0
    first: float = 0.0
    restored: Restored = field(default_factory=Restored)
    counts: dict[str, int] = field(default_factory=dict)
    """Tokens, as ``Answer.tokens``; empty if the model did not run."""


def generate(session: Session, request: Request) -> Answer | None:
    """Plan, fill the prompt, and generate; record which memories were used.

    Returns None, and shows and records nothing, if an adapter gives an answer that it was not trained on.
    """
    parsed = time.perf_counter()
    engine = session.engine
    loaded = time.perf_counter()
    request, plan, attached = _plan(session, engine, request)
    planned = time.perf_counter()
    if plan.chosen or _may_converse(engine, request):
        plan, written = _run(session, engine, request, plan, attached)
        if written is None:
            return None
    else:
        written = _Written(NOTHING)
        request.on_text(NOTHING)
    found = [item for item in plan.chosen if item.found]
    known = _adapters_by_id(session) if plan.adapters else {}
    record_use(
        session, [item.hit.cube for item in found], written.restored,
        adapters=[known[each.id] for each in plan.adapters if each.id in known],
        question=request.question if request.options.log else "",
        forms={item.hit.cube.n: item.form for item in found},
    )  # fmt: skip
    timings = {
        "start": request.started,
        "search": parsed - request.begin + planned - loaded,
        "load": loaded - parsed,
        "restore": written.restored.seconds,
        "inject": max(0.0, written.read - planned),
        "first_token": max(0.0, written.first - planned),
        "total": request.started + time.perf_counter() - request.begin,
    }
    cited = cited_labels(written.text) if cites(engine) else set[int]()
    by_use = order_by_use(written.text, [item.hit.cube.text for item in plan.chosen])
    used = [plan.chosen[at].label for at in by_use]
    return Answer(
        request.question, written.text.strip(), plan, session.model_name,
        {name: round(seconds, 4) for name, seconds in timings.items()}, answered=bool(plan.chosen),
        nearest=None if plan.chosen else nearest(plan), unsupported=_find_unsupported(request, plan, written),
        stopped=written.stopped, order=tuple(sorted(used, key=lambda label: label not in cited)),
        tokens=written.counts,
    )  # fmt: skip


def _plan(
    session: Session, engine: Engine, request: Request
) -> tuple[Request, Plan, list[tuple[LoadedAdapter, float]]]:
    """Return the plan of a request and its adapters; if one cannot be attached, a plan of texts alone."""
    plan = make_plan_for(session, engine, request)
    if not plan.adapters:
        return request, plan, []
    try:
        known = _adapters_by_id(session)
        return request, plan, [
            (session.adapter_cache.load(session.vault, session.local_engine, known[a.id]), a.scale)
            for a in plan.adapters
        ]  # fmt: skip
    except (Damaged, ModelUnfit) as error:
        request = replace(request, options=replace(request.options, text_only=True))
        plan = make_plan_for(session, engine, request)
        return request, replace(plan, notes=(*plan.notes, f"adapter: not used ({error})")), []


def _run(
    session: Session,
    engine: Engine,
    request: Request,
    plan: Plan,
    attached: list[tuple[LoadedAdapter, float]],
) -> tuple[Plan, _Written | None]:
    """Run the model on the prompt of a plan, after a matching saved state, if any; None as in
    ``generate``.
    """
    _audit_sending(session, engine, plan)
    plan, prompt = _prompt(engine, plan, request)
    tokens = [*prompt.prefix, *prompt.question]
    if request.options.text_only:
        engine.clear()
    restore = partial(activation.restore, session.vault, engine, session.state_cache)
    plan, restored = _reuse(session, engine, plan, tokens, request.options, restore)
    held = engine.held(tokens)
    learned = _learned_answers(session, plan)
    written = _write(session, engine, request, prompt, attached, ignore if learned else request.on_text)
    written.restored = restored
    written.counts = {"prompt": len(prompt), "read": len(prompt) - held, "reused": held}
    if learned:  # all that this adapter can know
        if written.stopped != "user" and not says_any(written.text, learned, request.question):
            return plan, None
        request.on_text(written.text)
    return plan, written


def _find_unsupported(request: Request, plan: Plan, written: _Written) -> tuple[str, ...]:
    """Return the facts of an answer that are not in its prompt; see ``Answer.unsupported``."""
    if not written.counts:
        return ()
    read = [memory_text(item.hit.cube) for item in plan.chosen]
    if chat := request.conversation:
        read += [memory_text(item.hit.cube) for item in chat.memories.values()]
        read += [said for turn in chat.turns for said in (turn.question, turn.answer)]
    return find_unsupported(written.text, read, request.question)


def _write(
    session: Session,
    engine: Engine,
    request: Request,
    prompt: Prompt,
    attached: list[tuple[LoadedAdapter, float]],
    on_text: Callable[[str], None],
) -> _Written:
    """Read the rest of a prompt that the engine may have in part, and write the answer, until the user stops
    it.
    """
    options, settings, written = request.options, session.settings, _Written()
    temperature = settings.query_temperature if options.temperature is None else options.temperature

    def check(tokens: int = 0) -> None:
        if request.is_stopped():
            raise _Stopped

    def timed(pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            check()
            written.first = written.first or time.perf_counter()
            yield piece

    # Read in the same batches as the whole prompt: then the result is identical to the bit.
    memories = len(prompt.prefix) - len(prompt.prefix) % engine.batch
    try:
        whole = [*prompt.prefix, *prompt.question]
        if memories > engine.held(whole):  # or its last batch would be read again
            engine.read(prompt.prefix[:memories], check)
        written.read = time.perf_counter()
        engine.read_prompt(prompt, attached, check)
        pieces = engine.generate(
            limit=options.max_tokens or settings.query_max_tokens, temperature=temperature, seed=options.seed
        )
        # The stream yields a sentence only when it is complete.
        stream = SentenceStream(timed(pieces), limit_reached=lambda: not engine.ended)
        for piece in stream:
            written.text += piece
            on_text(piece)
        written.stopped = stream.ending or "end"
    except _Stopped:
        written.stopped = "user"
    return written


class _Stopped(Exception):
    """The user has stopped the answer."""


def _may_converse(engine: Engine, request: Request) -> bool:
    """Return whether the model answers without memories: in a chat, unless the model is small and would
    invent facts.
    """
    chat = request.conversation
    return chat is not None and (bool(chat.turns) or cites(engine))


def foresee(session: Session, request: Request) -> Plan:
    """Return the plan of ``generate`` and the state that it would use, without loading the model or a
    state.
    """
    with session.open_vocabulary() as engine:
        plan = make_plan_for(session, engine, request)
        plan = replace(plan, notes=plan.notes + tuple(f"engine: {each}" for each in engine.limitations))
        if engine.host:  # nothing is sent to another machine to explain
            level = session.settings.sensitivity_remote
            return replace(plan, notes=(*plan.notes, f"engine: {engine.host} gets memories up to {level}"))
        if not plan.chosen:
            return plan
        plan, prompt = _prompt(engine, plan, request)
        tokens = [*prompt.prefix, *prompt.question]
        use = partial(activation.foresee, session.vault)
        return _reuse(session, engine, plan, tokens, request.options, use)[0]


def _audit_sending(session: Session, engine: Engine, plan: Plan) -> None:
    """Record the memories that are sent to another machine, before they are sent. Raises Unwritable."""
    if engine.host:
        cubes = {item.hit.cube.id: item.hit.cube for item in plan.chosen if item.form != "adapter"}
        with session.change() as change:
            change.audit_outgoing("send", [(cube.id, cube.version) for cube in cubes.values()], engine.host)


def _prompt(engine: Engine, plan: Plan, request: Request) -> tuple[Plan, Prompt]:
    """Make the prompt of a plan; its note is added to the plan's notes."""
    question, system, chat = request.question, request.options.system, request.conversation
    if chat is None:
        prompt = make_prompt(engine, plan, question, system)
    else:
        chat.label(plan.chosen)
        prompt = chat.prompt(engine, question, plan.chosen, system)
    return replace(plan, notes=plan.notes + ((prompt.note,) if prompt.note else ())), prompt


def _learned_answers(session: Session, plan: Plan) -> list[str]:
    """Return the answers that the adapters of a plan were trained on; none if the correct one is unknown."""
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
