"""The training set of an adapter: lessons from memories, from past questions, and on other subjects."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from memos_cli.cube import Cube
from memos_cli.errors import UsageError
from memos_cli.infrastructure.derived.adapters import Lesson
from memos_cli.infrastructure.storage.fulltext import STOP_WORDS
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.operation.adapters.gate import answer_tokens
from memos_cli.operation.adapters.questions.answer_check import said_words
from memos_cli.operation.adapters.questions.asking import ENOUGH, Reader, ask_about
from memos_cli.operation.adapters.questions.controls import CONTROLS
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.adapters.questions.leaks import leak_of
from memos_cli.operation.adapters.questions.making import contradictions, facts_of
from memos_cli.operation.adapters.questions.misses import near_misses
from memos_cli.operation.adapters.questions.splits import split_questions
from memos_cli.operation.adapters.training import Recipe, Task, Tasks
from memos_cli.operation.ask.prompt_layout import bare_prompt, memory_text

TRAINED_CONTROLS = 100
"""The number of packaged control prompts for training; the others are for the gate."""
USED_CONTROLS = 50
"""The maximum prompts used of either half: each costs the reading of an answer."""
NEAR_MISSES, HELD_OUT, DRAWS = 56, 4, 4
"""Near misses for each fact, how many of them are for the gate, and how often they are drawn.

An adapter that knows a cat gives the same answers for a gecko, until it has seen enough other animals.
"""
ALIKE = 0.7
"""The cosine to a question on the memories from which a control is left out."""
KEPT = 14
"""The number of tokens of the base's own answers to controls that an adapter must preserve."""
PLAIN, HASTY = 2, 6
"""The numbers of forms of a question on a fact: unchanged ones, and ones as people type them quickly."""
REWORDED = 0.4
"""The share of the near misses in the form that people type quickly."""
FOLLOWED = 32
"""The maximum tokens of an answer of the base with the text in its prompt."""
EXAMPLES = 5
"""One in this many examples of a skill is held out for the gate."""
GROUNDED = 0.6
"""The share of an answer's longer words that the memory must contain, for the answer to be learned."""

_OPENINGS = (
    "Hey, ",
    "Hi! ",
    "Please tell me: ",
    "Quick question: ",
    "I wonder: ",
    "Say, ",
    "Answer briefly: ",
)
_REQUEST = frozenset("one 1 tell know remind remember forgot please could idea need".split())
"""Words of a request, which people leave out when they type quickly."""

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Unit vectors of texts."""


def make_lessons(
    cubes: Sequence[Cube],
    *,
    embed: Embed | None,
    asked: Sequence[tuple[str, int]] = (),
    others: Sequence[str] = (),
    own: Sequence[Lesson] = (),
    reader: Reader | None = None,
    on_memory: Callable[[int], None] = lambda count: None,
    seed: int,
) -> list[Lesson]:
    """Return the whole training set of some memories, including the held-out lessons.

    ``asked`` are questions of the usage log with the memory that answered them, ``others`` are logged
    questions on other subjects, ``own`` are pairs of the user. With a ``reader``, the model itself asks about
    each memory; the rules ask if it fails, and their questions are the test. Raises UsageError if no memory
    has a sentence, and if two contradict each other.
    """
    facts = [
        fact
        for cube in cubes
        if cube.type != "skill"
        for fact in facts_of(cube.text, source=cube.n, title=cube.title, author=cube.author)
    ]
    examples = [lesson for cube in cubes if cube.type == "skill" for lesson in examples_of(cube)]
    if not facts and not own and not examples:
        raise UsageError(
            f"there is no sentence to learn in {_some(cubes)}",
            "promote other memories, or bring questions and answers: --qa FILE.jsonl",
        )
    if clashes := contradictions(facts):
        one, other = clashes[0]
        ids = {cube.n: cube.id for cube in cubes}
        raise UsageError(
            f"{ids[one.source]} and {ids[other.source]} contradict each other on "
            f"{one.questions[0]!r}: {one.answer!r} and {other.answer!r}",
            "forget, edit or archive one of them, or leave one out",
        )
    asked_by_model, near = _ask_reader(cubes, reader, on_memory)
    by_rules = _hold_out(_merge(facts), embed)
    lessons = [
        *_with_model(by_rules, asked_by_model),
        *(replace(each, made="own") for each in own),
        *examples,
    ]
    known = {_plain(lesson.question) for lesson in lessons}
    lessons += [
        Lesson(text, "", "fact", False, cube, made="log") for text, cube in asked if _is_new(text, known)
    ]
    # A near miss of a form that is held out would teach that this form asks for nothing.
    trained = _only(facts, {lesson.question for lesson in by_rules if not lesson.held_out})
    drawn = (near_misses(trained, seed=seed + more) for more in range(DRAWS))
    missed = [text for each in drawn for _, text in each]
    random.Random(seed).shuffle(missed)  # noqa: S311 (an order that can be made again)
    said = max(len(facts), len(cubes))
    missed = [text for text in (*near, *missed) if _is_new(text, known)][: NEAR_MISSES * said]
    held = HELD_OUT * said
    lessons += [Lesson(text, "", "near miss", at < held) for at, text in enumerate(missed)]
    mine = [text for text in others if _is_new(text, known)]
    return lessons + _controls([lesson.question for lesson in lessons], mine, embed)


def is_private(lesson: Lesson) -> bool:
    """Return whether a lesson is a logged question: on another subject, or without an answer."""
    if lesson.kind == "control":
        return lesson.question not in CONTROLS
    return lesson.kind == "fact" and not lesson.answer


def _merge(facts: Iterable[Fact]) -> list[Fact]:
    """Return each question once: of two facts with the same question, the first keeps it."""
    known: set[str] = set()
    merged = []
    for fact in facts:
        kept = [
            (text, made) for text, made in zip(fact.questions, fact.made, strict=True) if _is_new(text, known)
        ]
        if kept:
            questions, ways = zip(*kept, strict=True)
            merged.append(replace(fact, questions=questions, made=ways))
    return merged


def _only(facts: Iterable[Fact], kept: set[str]) -> list[Fact]:
    """Return the facts with those of their questions that are in ``kept``."""
    asked = ((fact, tuple(text for text in fact.questions if text in kept)) for fact in facts)
    return [replace(fact, questions=questions, made=()) for fact, questions in asked]


def _plain(question: str) -> str:
    return " ".join(said_words(question))


def _is_new(question: str, known: set[str]) -> bool:
    key = _plain(question)
    is_new = bool(key) and key not in known
    known.add(key)
    return is_new


def _hold_out(facts: Sequence[Fact], embed: Embed | None) -> list[Lesson]:
    """Return the lessons of facts, with some questions of each kept for the gate."""
    texts = [question for fact in facts for question in fact.questions]
    # Without an embedder all directions differ: then only copies of words are kept together.
    vectors = (
        embed(texts)
        if embed and texts
        else [
            [float(at == n) for n in range(len(fact.questions))]
            for fact in facts
            for at in range(len(fact.questions))
        ]
    )
    lessons, at = [], 0
    for turn, fact in enumerate(facts):
        own = vectors[at : at + len(fact.questions)]
        at += len(fact.questions)
        held = split_questions(fact, own, turn)
        lessons += [
            Lesson(question, fact.full, "fact", is_held, fact.source, fact.answer, made)
            for question, made, is_held in zip(fact.questions, fact.made, held, strict=True)
        ]
    return lessons


def _ask_reader(
    cubes: Sequence[Cube], reader: Reader | None, on_memory: Callable[[int], None]
) -> tuple[list[Fact], list[str]]:
    """Return the model's questions about each memory, if enough of them are consistent; and near misses."""
    facts: list[Fact] = []
    near: list[str] = []
    for cube in cubes if reader else ():
        if reader and cube.type != "skill":
            asked, missed = ask_about(reader, memory_text(cube), source=cube.n)
            if sum(len(fact.questions) for fact in asked) >= ENOUGH:
                facts += asked
                near += missed
        on_memory(1)
    return facts, near


def _with_model(lessons: list[Lesson], facts: Sequence[Fact]) -> list[Lesson]:
    """Combine the questions of the model, which are learned, with those of the rules, which test them.

    A question of the rules whose answer the model did not ask for is learned as well.
    """
    learned: dict[int, set[str]] = {}
    for fact in facts:
        learned.setdefault(fact.source, set()).add(_plain(fact.answer))
    known = {_plain(lesson.question) for lesson in lessons}
    out = [Lesson(text, fact.full, "fact", False, fact.source, fact.answer, "model")
           for fact in facts for text in fact.questions if _is_new(text, known)]  # fmt: skip
    for lesson in lessons:
        key = f" {_plain(lesson.key)} "
        is_asked = any(f" {one} " in key or key in f" {one} " for one in learned.get(lesson.source or 0, ()))
        out.append(replace(lesson, held_out=lesson.made != "topic") if is_asked else lesson)
    return out


_EXAMPLE = re.compile(
    r"^(?:Q|User|Input|Question|Prompt)\s*:\s*(?P<question>.+?)\s*\n+"
    r"(?:A|Assistant|Output|Answer|Reply)\s*:\s*(?P<answer>.+?)\s*"
    r"(?=^(?:Q|User|Input|Question|Prompt)\s*:|\Z)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)


def examples_of(cube: Cube) -> list[Lesson]:
    """Return the examples of a skill, unchanged: ``Input: …`` and ``Output: …``, ``Q:`` and ``A:``, and so
    on.

    One in five is held out. They are learned unchanged; no answer is checked word by word.
    """
    pairs = [(match["question"].strip(), match["answer"].strip()) for match in _EXAMPLE.finditer(cube.text)]
    return [
        Lesson(question, answer, "example", at % EXAMPLES == EXAMPLES - 1, cube.n)
        for at, (question, answer) in enumerate(pairs)
    ]


def _controls(questions: Sequence[str], mine: Sequence[str], embed: Embed | None) -> list[Lesson]:
    """Return the packaged controls that are unlike all ``questions``, and ``mine``."""
    shipped: Sequence[str] = CONTROLS
    if embed is not None and questions:
        import numpy as np

        near = np.asarray(embed(CONTROLS)) @ np.asarray(embed(questions)).T
        shipped = [text for text, most in zip(CONTROLS, near.max(1), strict=True) if most < ALIKE]
    found: list[Lesson] = []
    for is_held, half in ((False, shipped[:TRAINED_CONTROLS]), (True, shipped[TRAINED_CONTROLS:])):
        step = -(-len(half) // USED_CONTROLS)
        found += [Lesson(text, "", "control", is_held) for text in half[::step]]
    return found + [Lesson(text, "", "control", at % 2 == 0) for at, text in enumerate(mine)]


def _some(cubes: Sequence[Cube]) -> str:
    names = ", ".join(cube.id for cube in cubes[:3])
    return f"{names} and {len(cubes) - 3} more" if len(cubes) > 3 else names


# --- as tokens -------------------------------------------------------------------------------------


def count_kinds(lessons: Sequence[Lesson]) -> dict[str, int]:
    """Count the lessons by kind; held-out ones separately."""
    return dict(Counter(f"{each.kind}{', held out' if each.held_out else ''}" for each in lessons))


def count_own_answers(lessons: Sequence[Lesson]) -> int:
    """Return how many answers of the base ``make_tasks`` reads."""
    return sum(not each.answer and not each.held_out and each.kind != "near miss" for each in lessons)


def make_tasks(
    engine: Engine,
    lessons: Sequence[Lesson],
    cubes: Sequence[Cube],
    recipe: Recipe,
    on_answer: Callable[[int], None] = lambda count: None,
) -> Tasks:
    """Return the lessons as tokens of ``engine``'s model, with its own answers where a lesson has none.

    For a control it is the answer without any text. For a question on a fact it is the answer with the memory
    in the prompt, if that uses the memory's words: the adapter then learns it. For a near miss it is the
    wrong answer that treats it as a fact: at each of its tokens, the adapter must follow the base instead.
    """
    texts = {cube.n: memory_text(cube) for cube in cubes}
    draw = random.Random(recipe.seed)  # noqa: S311 (draws that can be made again)
    learned = [each for each in lessons if each.kind == "fact" and each.answer and not each.held_out]
    found: dict[str, list[Task]] = {"fact": [], "near miss": [], "control": [], "check": []}
    for lesson in lessons:
        if lesson.held_out and (lesson.kind != "fact" or not lesson.answer):
            continue
        asked = [lesson.question]
        if lesson.kind == "near miss" and draw.random() < REWORDED:
            asked = [_reword(lesson.question, draw)]
        text = texts.get(lesson.source or 0, "") if lesson.kind == "fact" else ""
        if lesson.answer:
            answer, teacher = _given_answer(engine, lesson, text)
        elif lesson.kind == "near miss" and learned:
            answer, teacher = tuple(engine.tokenize(leak_of(lesson.question, learned))), ()
        elif lesson.kind == "fact" and not text:
            continue
        else:
            answer, teacher = _own_answer(engine, lesson.question, text)
            on_answer(1)
            if text and not _is_grounded(engine, answer, text):
                continue
        if lesson.answer and not lesson.held_out:
            asked = PLAIN * asked + [_reword(lesson.question, draw) for _ in range(HASTY)]
        ways = tuple(tuple(bare_prompt(engine, each).question) for each in asked)
        kind = "check" if lesson.held_out else "fact" if lesson.kind == "example" else lesson.kind
        found[kind].append(Task(ways, answer, teacher, bool(lesson.answer) and not teacher))
    prefix = tuple(bare_prompt(engine, "?").prefix)
    return Tasks(prefix, *(tuple(found[kind]) for kind in ("fact", "near miss", "control", "check")))


Tokens = tuple[int, ...]


def _given_answer(engine: Engine, lesson: Lesson, text: str) -> tuple[Tokens, Tokens]:
    """Return the answer of a lesson, and what the base reads before it if the model made the question."""
    answer = (*engine.tokenize(lesson.answer), *engine.end_of_turn)
    teacher = bare_prompt(engine, lesson.question, text).prefix if lesson.made == "model" and text else ()
    return answer, tuple(teacher)


def _own_answer(engine: Engine, question: str, text: str) -> tuple[Tokens, Tokens]:
    """Return the base's answer, with the end of the turn if there is one, and the memory in its prompt."""
    prompt, limit = bare_prompt(engine, question, text), FOLLOWED if text else KEPT
    answer = answer_tokens(engine, prompt, limit)
    end = () if len(answer) == limit else engine.end_of_turn
    return (*answer, *end), tuple(prompt.prefix) if text else ()


def _is_grounded(engine: Engine, answer: Sequence[int], text: str) -> bool:
    """Return whether an answer mostly uses the words of ``text``: invented answers are not learned."""
    said = b"".join(engine.piece(token) for token in answer).decode("utf-8", "replace")
    words = {word for word in re.findall(r"\w+", said.casefold()) if len(word) > 3 or word.isdigit()}
    known = set(re.findall(r"\w+", text.casefold()))
    return bool(words) and len(words & known) >= GROUNDED * len(words)


_NOMINAL = re.compile(
    r"^(?:what(?:'s| is| was)|(?:please |can you )?tell me|remind me of|i forgot)"
    r" (?:the|my|our) (?=\w+ (?:of|for) )",
    re.IGNORECASE,
)


def _reword(question: str, draw: random.Random) -> str:
    """Return a question as people type it quickly."""
    plain = question.rstrip("?.!")
    way = draw.random()
    if way < 0.5:
        return plain.casefold()
    if way < 0.65:
        words = [word for word in plain.split() if word.casefold() not in STOP_WORDS | _REQUEST]
        return " ".join(words) if len(words) > 1 else plain
    if way < 0.75 and (noun := _NOMINAL.sub("", plain)) != plain:
        return noun
    if way < 0.85:
        return f"{draw.choice(_OPENINGS)}{question}"
    return f"{plain}{draw.choice((', please?', ' again?', '??', ' by the way?'))}"


def reader_of(engine: Engine) -> Reader:
    """Return the engine as a ``Reader``: it reads a note and follows an instruction."""

    def read(text: str, request: str, limit: int, seed: int) -> str:
        engine.read_prompt(bare_prompt(engine, request, text), [])
        return "".join(engine.generate(limit=limit, temperature=0.7 if seed else 0.0, seed=seed)).strip()

    return read
