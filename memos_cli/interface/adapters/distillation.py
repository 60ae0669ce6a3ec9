"""Train adapters from memories, test them again, and turn one back into memories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from memos_cli.counts import counted
from memos_cli.cube import Cube, Filter
from memos_cli.errors import Damaged, ModelUnfit, UsageError
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.derived.adapters import LESSON_KINDS, Adapter, Lesson, LessonKind
from memos_cli.infrastructure.memories import queries, question_log
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.ingest.ingest import ingest
from memos_cli.interface.ingest.sources.decoding import decode
from memos_cli.interface.missing_vectors import embed_if_possible
from memos_cli.interface.options import AnswerOptions, IngestOptions, ReadOptions, TrainOptions
from memos_cli.interface.selection import promptable, select
from memos_cli.interface.session import Session
from memos_cli.interface.states.promotion import check_text
from memos_cli.models.gguf.adapter_format import check_adapter
from memos_cli.models.gguf.gguf_header import read_header
from memos_cli.operation.adapters import parametric
from memos_cli.operation.adapters.gate import Route, Thresholds, ask, examine
from memos_cli.operation.adapters.parametric import Distilled, Watch
from memos_cli.operation.adapters.questions.asking import Reader
from memos_cli.operation.adapters.routing import repertoire_of
from memos_cli.operation.adapters.training import Recipe
from memos_cli.operation.adapters.training_set import count_kinds, make_lessons, reader_of
from memos_cli.operation.ask.prompt_layout import CITES_FROM, memory_text
from memos_cli.validation import convert_record, parse_json

RECENT = 40
"""Questions of the usage log on other things that an adapter must leave alone."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A training set, before it is trained."""

    name: str
    cubes: tuple[Cube, ...]
    lessons: tuple[Lesson, ...]
    recipe: Recipe

    @property
    def counts(self) -> dict[str, int]:
        """The number of its lessons, by kind."""
        return count_kinds(self.lessons)

    def rows(self) -> list[dict[str, Any]]:
        """Return its lessons as JSON objects, which ``TrainOptions.instead`` reads."""
        ids = {cube.n: cube.id for cube in self.cubes}
        return [
            {
                "kind": lesson.kind,
                "held_out": lesson.held_out,
                "question": lesson.question,
                "answer": lesson.answer,
                "key": lesson.key,
                "made": lesson.made,
                "id": ids.get(lesson.source or 0),
            }
            for lesson in self.lessons
        ]


def prepare(
    session: Session,
    ids: Sequence[str],
    *,
    filter: Filter | None = None,
    options: TrainOptions,
    on_memory: Callable[[int], None] = lambda count: None,
) -> Prepared:
    """Return the training set of memories: those of ``ids``, or all that match ``filter``.

    Raises UsageError if there is no memory, no question left to train with, or a contradiction.
    """
    session.access.require_writer()
    cubes = _chosen(session, ids, filter)
    prepared = _prepare(session, cubes, options, on_memory)
    session.audit_reads("show", cubes)
    return prepared


def _chosen(session: Session, ids: Sequence[str], filter: Filter | None) -> list[Cube]:
    """Return the memories to train on: those of ``ids``, or all that match ``filter``.

    A state or an adapter stands for its own.
    """
    db, now = session.vault.connection, session.now()
    if filter is not None:
        most = session.settings.sensitivity_adapter
        cubes = [*select(session, promptable(session, filter).up_to(most), newest=False)]
    else:
        numbers: dict[int, None] = {}
        for cube in session.access.get_many(ids):
            made = saved_states.by_cube(db, cube.n, now=now) or adapters.by_cube(db, cube.n, now=now)
            numbers |= dict.fromkeys([each.cube for each in made.sources] if made else [cube.n])
        found = queries.by_rowid(db, list(numbers))
        cubes = [found[n] for n in numbers if n in found]
    if not cubes:
        raise UsageError("there is no memory to promote", "name memories by id, or by filters such as --tag")
    return cubes


def _prepare(
    session: Session,
    cubes: Sequence[Cube],
    options: TrainOptions,
    on_memory: Callable[[int], None],
) -> Prepared:
    check_text(session, cubes, session.settings.sensitivity_adapter)
    parametric.check_trainable(session.reader.path, Recipe(rank=session.settings.distil_rank))
    settings = session.settings
    if options.instead is not None:
        lessons = [_lesson(row, cubes) for row in options.instead]
    else:
        numbers = [cube.n for cube in cubes]
        log = question_log.questions_on(session.vault.connection, numbers)
        asked = [(each.text, min(each.forms.keys() & set(numbers))) for each in log]
        related = {each.n for each in log}
        logged = question_log.questions(session.vault.connection)
        others = [each.text for each in logged if each.n not in related][:RECENT]
        lessons = make_lessons(
            cubes, embed=_embed(session), asked=asked, others=others,
            own=[_lesson(row, cubes) for row in options.own], reader=_asker(session), on_memory=on_memory,
            seed=settings.distil_seed,
        )  # fmt: skip
    if not any(lesson.kind in ("fact", "example") and not lesson.held_out for lesson in lessons):
        raise UsageError(
            "no question is left to train with", "--dump FILE writes the questions, to edit them"
        )
    recipe = Recipe(
        rank=settings.distil_rank,
        alpha=2.0 * settings.distil_rank,
        rate=settings.distil_rate,
        steps=options.steps or settings.distil_steps or parametric.steps_for(lessons),
        seed=settings.distil_seed,
    )
    # Not the title of a memory: a name stays when the memory is forgotten.
    name = options.name or f"Adapter of {counted(len(cubes), 'memory')}"
    return Prepared(name, tuple(cubes), tuple(lessons), recipe)


def _asker(session: Session) -> Reader | None:
    """Return the model, if it writes the questions; None if rules do."""
    who = session.settings.distil_questions
    is_large = who == "auto" and read_header(session.reader.path).parameters >= CITES_FROM
    return reader_of(session.local_engine) if who == "model" or is_large else None


def distil(session: Session, prepared: Prepared, options: TrainOptions, watch: Watch) -> Distilled:
    """Train an adapter, test it and store it. An adapter that exists and is good is not trained again."""
    session.access.require_writer()
    engine, settings = session.local_engine, session.settings
    model = session.fingerprint(engine)["model"]
    if not model:
        raise ModelUnfit("the model's file was replaced while it was open", "run it again")
    fingerprint = parametric.fingerprint_of(engine, model)
    if known := _known(session, prepared, fingerprint):
        return known
    made = parametric.distil(
        session.vault, engine, session.reader.path, fingerprint,
        cubes=prepared.cubes, lessons=prepared.lessons, recipe=prepared.recipe, name=prepared.name,
        model_name=session.reader.name, thresholds=Thresholds.of(settings),
        route=lambda numbers: _route(session, numbers, prepared.lessons), minutes=options.minutes,
        threads=settings.threads, principal=session.principal, clock=session.now, watch=watch,
    )  # fmt: skip
    embed_if_possible(session)  # the questions that it has learned
    return made


def _known(session: Session, prepared: Prepared, fingerprint: Mapping[str, str]) -> Distilled | None:
    """Return the same adapter if it exists and is good; attach it again if it was demoted."""
    db = session.vault.connection
    digest = adapters.digest_of(fingerprint["model"], prepared.name, [cube.id for cube in prepared.cubes])
    found = adapters.by_digest(db, digest, now=session.now())
    if found is None or not found.good or Recipe.of(found.recipe) != prepared.recipe:
        return None
    if tuple(adapters.lessons(db, found.cube)) != prepared.lessons:
        return None
    if found.state != "activated":
        with session.change() as change:
            adapters.reattach(change, found.cube)
    return Distilled(
        found.id, found.version, found.title, True, False, "", len(found.sources), found.lessons,
        int(found.recipe.get("step", 0)), found.seconds, found.size, found.report,
    )  # fmt: skip


def gate(session: Session, id: str, on_part: Callable[[int], None]) -> dict[str, Any]:
    """Run the gate of an adapter again, with the current thresholds and the current model.

    With the model that it was made for, the result decides whether it is used from now on. With another
    model, the result is only returned.
    """
    return examine_again(session, named(session, id), session.principal, on_part)


def examine_again(
    session: Session, adapter: Adapter, principal: str, on_part: Callable[[int], None]
) -> dict[str, Any]:
    """Test an adapter of ``principal`` again. The report that it came with stays next to the new one."""
    if adapter.blob is None:
        raise UsageError(
            f"{adapter.id} has no weights: {adapter.stale}", f"memos promote {adapter.id} --to parametric"
        )
    if not session.vault.blobs.intact(adapter.blob):
        raise Damaged(f"the weights of {adapter.id} are damaged", "memos check --repair")
    engine = session.local_engine
    same = adapter.fingerprint.get("model") == session.fingerprint(engine)["model"]
    lessons = adapters.lessons(session.vault.connection, adapter.cube)
    cubes = queries.by_rowid(session.vault.connection, [source.cube for source in adapter.sources])
    texts = {n: memory_text(cube) for n, cube in cubes.items()}
    with session.vault.pin_blobs(), session.vault.blobs.file(adapter.blob) as file:
        check_adapter(file, read_header(session.reader.path))  # whatever it says of itself
        report = examine(
            engine, file, lessons, texts, Thresholds.of(session.settings),
            _route(session, frozenset(texts), lessons), on_part,
        )  # fmt: skip
    report |= {name: card for name, card in adapter.report.items() if name == "told"}
    kept = same and adapter.state != "generated" and not adapter.stale
    state = "activated" if report["passed"] else "archived"
    if kept:
        with session.vault.change(principal, session.now()) as change:
            adapters.set_report(change, adapter.cube, report, state)
    return {"id": adapter.id, "model": session.reader.name, "kept": kept, "report": report}


def verbalise(session: Session, adapter: Adapter) -> list[str]:
    """Ask an adapter whose memories are gone its own questions, and store the answers as memories.

    They become new memories with the tag ``verbalised``; the answers may be wrong. Returns the ids.
    """
    engine = session.local_engine
    model = session.fingerprint(engine)["model"]
    problem = parametric.unfit(adapter, parametric.fingerprint_of(engine, model))
    if problem:
        raise UsageError(f"{adapter.id} cannot be asked: {problem}", f"memos show {adapter.id}")
    lessons = adapters.lessons(session.vault.connection, adapter.cube)
    asked = {
        lesson.key or lesson.question: lesson.question
        for lesson in reversed(lessons)
        if lesson.kind == "fact"
    }
    handle = session.adapter_cache.load(session.vault, engine, adapter)
    texts = []
    for question in asked.values():
        answer = " ".join(ask(engine, question, handle).split())
        if answer:
            texts.append(f"{question} {answer}")
    options = IngestOptions(ReadOptions(lines=True, type="fact"), NewMemoryFields(tags=("verbalised",)))
    done = ingest(
        session, options=options, text="\n".join(texts).encode(), name=f"adapter:{adapter.id}", embed=False
    )
    return list(done.ids)


def named(session: Session, id: str) -> Adapter:
    """Return the adapter with this id. Raises UsageError if the memory is not an adapter."""
    cube = session.access.get(id, "write")
    found = adapters.by_cube(session.vault.connection, cube.n, now=session.now())
    if found is None:
        raise UsageError(f"{cube.id} is not an adapter", "`memos list --payload parametric` shows them")
    return found


def _route(session: Session, numbers: frozenset[int], lessons: Sequence[Lesson]) -> Route:
    """Run the scheduler as if the adapter of these memories and lessons were stored."""
    from memos_cli.interface.ask.planning import Trial, make_plan_for
    from memos_cli.interface.ask.request import read_request

    trial = Trial(numbers, repertoire_of(lessons, _embed(session)))

    def route(questions: Sequence[str]) -> list[bool]:
        requests = (read_request(session, each, Filter(), AnswerOptions()) for each in questions)
        plans = (make_plan_for(session, session.local_engine, request, trial=trial) for request in requests)
        return [bool(plan.adapters) for plan in plans]

    return route


def _embed(session: Session) -> Callable[[Sequence[str]], Any]:
    embedder = session.embedder
    return lambda texts: embedder.embed(list(texts), query=True)


# --- the training set as JSON ----------------------------------------------------------------------


class QuestionRow(Struct):
    """A line of a file of questions for a training."""

    question: str
    answer: str | None = None
    kind: LessonKind | None = None
    key: str | None = None
    made: str | None = None
    id: str | None = None
    """A memory that answers it: the start of its id."""
    held_out: bool | None = False


def read_rows(data: bytes, where: str) -> list[dict[str, Any]]:
    """Read the objects of a JSONL file of questions. Raises UsageError, with the line."""
    rows = []
    for number, line in enumerate(decode(data).text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line, dict[str, Any])
            if not convert_record(row, QuestionRow).question.strip():
                raise ValueError("its question is empty")
        except ValueError as error:
            raise UsageError(
                f"{where}:{number}: not a question: {error}",
                'write {"question": "…", "answer": "…"}, one a line',
            ) from error
        rows.append(row)
    return rows


def _lesson(value: Mapping[str, Any], cubes: Sequence[Cube]) -> Lesson:
    try:
        row = convert_record(value, QuestionRow)
    except ValueError as error:
        raise UsageError(
            f"{value.get('question')!r} is not a question with an answer: {error}",
            f"a kind is one of: {', '.join(LESSON_KINDS)}",
        ) from error
    kind, question, answer, source = row.kind or "fact", row.question.strip(), row.answer or "", None
    if row.id:
        found = [cube.n for cube in cubes if cube.id.startswith(row.id.upper())]
        if len(found) != 1:
            raise UsageError(
                f"{question!r} names {row.id}, which is not promoted here", "name it, or leave its id out"
            )
        source = found[0]
    elif kind in ("fact", "example") and len(cubes) == 1:
        source = cubes[0].n
    if kind in ("fact", "example") and not answer and source is None:
        raise UsageError(
            f"{question!r} has no answer", 'add "answer", or the "id" of the memory that answers it'
        )
    key = row.key or _key(kind, answer)
    return Lesson(question, answer, kind, bool(row.held_out), source, key, row.made or "")


def _key(kind: str, answer: str) -> str:
    """Return the text to look for in answers: a short answer itself; "" for a long one."""
    return answer.rstrip(".!") if kind == "fact" and len(answer.split()) <= SHORT else ""


SHORT = 6
"""Words up to which an answer can be looked for as it stands."""
