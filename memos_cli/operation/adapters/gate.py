"""The gate: the tests that an adapter's file must pass in llama.cpp before it may be used.

1. Recall: unseen questions are answered without any text; for comparison, the base answers them without and
with the text. The independent questions count separately: they have a form in which the fact was not trained
(words left out, keywords, the usage log, the user's own). Of a skill: how many unseen examples are likelier
with the adapter than without. 2. Reach: in a `query`, with search, plan and routing, these questions attach
the adapter. 3. Near misses: similar questions that the memories do not answer rarely attach it, and are then
not answered with a memory. 4. Controls: on other subjects the adapter does not change the model: KL to the
base on the base's own answers, and their perplexity. 5. Routing: questions on other subjects do not attach
the adapter. 6. The file loads, unloads and loads again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos_cli.counts import counted
from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure.derived.adapters import LESSON_KINDS, Lesson
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.models.llama.prompt import Prompt
from memos_cli.operation.adapters.questions.answer_check import is_right, says_any
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.ask.prompt_layout import bare_prompt

if TYPE_CHECKING:
    from memos_cli.settings import Settings

ANSWER = 24
"""The maximum tokens of an answer: a small model continues after its answer."""
LOADS = 3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits of the checks: shares, except ``drift``, in nats a token."""

    recall: float = 0.8
    independent: float = 0.4
    gain: float = 0.6
    reach: float = 0.9
    near_misses: float = 0.1
    drift: float = 0.1
    perplexity: float = 0.05
    routing: float = 0.99

    @classmethod
    def of(cls, settings: Settings) -> Thresholds:
        return cls(
            settings.gate_recall, settings.gate_independent, settings.gate_gain, settings.gate_reach,
            settings.gate_near_misses, settings.gate_drift, settings.gate_perplexity, settings.gate_routing,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``value`` must be at least, or at most, ``limit``."""

    name: str
    value: float
    limit: float
    passed: bool
    detail: str = ""


Route = Callable[[Sequence[str]], list[bool]]
"""Plans questions as ``query`` does, with the adapter at hand; returns which of them attach it."""


def examine(
    engine: Engine,
    file: Path,
    lessons: Sequence[Lesson],
    texts: Mapping[int, str],
    thresholds: Thresholds,
    route: Route,
    on_question: Callable[[int], None] = lambda count: None,
) -> dict[str, Any]:
    """Return the report card of the adapter in ``file``. ``texts`` are the memories as the model reads
    them.
    """
    held = [lesson for lesson in lessons if lesson.held_out]
    asked = {kind: [each for each in held if each.kind == kind] for kind in LESSON_KINDS}
    known = [lesson.key for lesson in lessons if lesson.kind == "fact" and lesson.key]
    trained = {(each.source, each.key, each.made) for each in lessons if not each.held_out}
    reached, risked, astray = (
        dict(zip(questions, route(questions), strict=True))
        for questions in (
            [each.question for each in asked[kind]] for kind in ("fact", "near miss", "control")
        )
    )
    checks = [_loading(engine, file)]
    if not checks[0].passed:
        return _report(checks, [], [], {})
    adapter = engine.load_adapter(file)
    recalled: list[dict[str, Any]] = []
    missed: list[dict[str, Any]] = []
    learned: list[bool] = []
    try:
        for lesson in (each for each in asked["fact"] if each.key):
            row = _recall(engine, adapter, lesson, texts.get(lesson.source or 0, ""))
            is_apart = (lesson.source, lesson.key, lesson.made) not in trained
            recalled.append({**row, "independent": is_apart, "reached": reached[lesson.question]})
            on_question(1)
        for lesson in asked["example"]:
            answer = engine.tokenize(lesson.answer)
            base, mine = _scores(engine, adapter, lesson.question, answer)
            learned.append(_likelihood(mine, answer) > _likelihood(base, answer))
            on_question(1)
        for lesson in asked["near miss"]:
            said, is_asked = ask(engine, lesson.question, adapter), risked[lesson.question]
            given = says_any(said, known, question=lesson.question) and is_asked
            row = {"question": lesson.question, "adapter": said, "reached": is_asked}
            missed.append({**row, "gives_away": given})
            on_question(1)
        changes = _drift(engine, adapter, [each.question for each in asked["control"]], on_question)
    finally:
        engine.unload_adapter(adapter)
    checks += [
        *_judge_answers(recalled, learned, missed, thresholds),
        *_judge_rest(changes, astray, thresholds),
    ]
    shares = {who: _share([row[f"{who}_right"] for row in recalled]) for who in ("adapter", "base", "text")}
    return {
        **_report(checks, recalled, missed, shares),
        "astray": [text for text, is_asked in astray.items() if is_asked],
    }


def _recall(engine: Engine, adapter: Any, lesson: Lesson, text: str) -> dict[str, Any]:
    """Return answers to a question on a fact, by the adapter, by the base and by the base with the text."""
    row: dict[str, Any] = {
        "question": lesson.question,
        "expected": lesson.key,
        "adapter": ask(engine, lesson.question, adapter),
        "base": ask(engine, lesson.question),
        "text": ask(engine, lesson.question, text=text),
    }
    judge = Fact(lesson.key)
    return row | {f"{who}_right": is_right(row[who], judge) for who in ("adapter", "base", "text")}


def _least(name: str, value: float, limit: float, detail: str) -> Check:
    return Check(name, round(value, 4), limit, value >= limit, detail)


def _most(name: str, value: float, limit: float, detail: str) -> Check:
    return Check(name, round(value, 4), limit, value <= limit, detail)


def _judge_answers(
    recalled: Sequence[Mapping[str, Any]],
    learned: Sequence[bool],
    missed: Sequence[Mapping[str, Any]],
    limits: Thresholds,
) -> Iterator[Check]:
    """Yield the checks of its knowledge: facts, examples, and near misses."""

    def right(rows: Sequence[Mapping[str, Any]], who: str = "adapter") -> float:
        return _share([row[f"{who}_right"] for row in rows])

    own, independent = ([row for row in recalled if row["independent"] is kind] for kind in (False, True))
    own = own or independent
    base, text = right(recalled, "base"), right(recalled, "text")
    if recalled or not learned:
        detail = f"of {len(own)} unseen questions; of all, base {base:.2f}, text {text:.2f}"
        yield _least("recall", right(own), limits.recall, detail)
        if independent:
            detail = f"of {len(independent)} unseen questions of a form that was not trained"
            yield _least("independent", right(independent), limits.independent, detail)
        yield _least("gain", right(recalled) - base, limits.gain, "recall beyond the base's own")
        detail = f"of {len(recalled)} unseen questions are asked of the adapter"
        yield _least("reach", _share([row["reached"] for row in recalled]), limits.reach, detail)
    if learned:
        detail = f"of {counted(len(learned), 'unseen example')} are likelier than without it"
        yield _least("examples", _share(learned), limits.recall, detail)
    leaks, risked = (sum(row[name] for row in missed) for name in ("gives_away", "reached"))
    detail = f"{leaks} of {len(missed)} answered with a memory; {risked} asked of the adapter"
    yield _most("near misses", leaks / max(1, len(missed)), limits.near_misses, detail)


def _judge_rest(
    changes: tuple[float, float, int], astray: Mapping[str, bool], limits: Thresholds
) -> Iterator[Check]:
    """Yield the checks of answers that it must not change."""
    drift, perplexity, tokens = changes
    touched = sum(astray.values())
    detail = f"nats a token from the base, over {tokens} of its tokens"
    yield _most("drift", drift, limits.drift, detail)
    yield _most("perplexity", perplexity, limits.perplexity, "rise on the base's own answers")
    detail = f"{touched} of {counted(len(astray), 'question')} on other things touched"
    yield _least("routing", 1 - touched / max(1, len(astray)), limits.routing, detail)


def _report(
    checks: Sequence[Check], recalled: Sequence[Any], missed: Sequence[Any], shares: Mapping[str, float]
) -> dict[str, Any]:
    failed = [check for check in checks if not check.passed]
    return {
        "passed": not failed,
        "reason": "; ".join(f"{each.name} {each.value:g}, limit {each.limit:g}" for each in failed),
        "checks": [asdict(check) for check in checks],
        "recall": dict(shares),
        "questions": list(recalled),
        "near_misses": list(missed),
    }


_MORE = "add questions as you ask them (--qa FILE), train longer (--steps), or try another distil.seed"
_SHARPER = "train longer (--steps), or try another distil.seed"
_LESS = "lower distil.rate, or promote fewer memories at once"
_FAILURES = {
    "loading": ("the model cannot load the file of the adapter", "promote the memories again"),
    "recall": ("it answers too few of the questions that it was not trained on", _MORE),
    "independent": ("it answers too few questions of another form than the trained ones, as keywords", _MORE),
    "examples": ("it has not learned the style of its examples", "add examples, or train longer (--steps)"),
    "gain": ("it knows little more than the model without it", _MORE),
    "reach": ("too few questions on its memories are near one that it has learned",
              "add questions as you ask them (--qa FILE), or lower parametric.likeness"),
    "near misses": ("it answers similar questions on other subjects with a memory", _SHARPER),
    "drift": ("it changes answers on other subjects", _LESS),
    "perplexity": ("it changes answers on other subjects", _LESS),
    "routing": ("questions on other subjects go to it", "raise parametric.likeness"),
}  # fmt: skip
"""The meaning of each failed check, and a remedy."""


def explain_failures(report: Mapping[str, Any]) -> list[str]:
    """Explain each failed check of a report card: the problem, an example, and a remedy."""
    lines = []
    for check in report.get("checks", ()):
        if not check["passed"] and check["name"] in _FAILURES:
            what, advice = _FAILURES[check["name"]]
            bound = "at least" if check["value"] < check["limit"] else "at most"
            measured = f"{check['name']} {check['value']:.2g}, {bound} {check['limit']:g}"
            example = next(_examples(check["name"], report), "")
            lines.append(f"{what} ({measured}){example}. What helps: {advice}.")
    return lines


def _examples(name: str, report: Mapping[str, Any]) -> Iterator[str]:
    """Yield questions on which a check failed, as parts of a sentence."""
    asked, near = report.get("questions", ()), report.get("near_misses", ())
    wrong = [row for row in asked if not row["adapter_right"]]
    if name in ("recall", "independent"):
        wrong = [row for row in wrong if row["independent"] == (name == "independent")]
    if name in ("recall", "independent", "gain"):
        yield from (f", e.g. {r['question']!r}: {r['adapter']!r} instead of {r['expected']!r}" for r in wrong)
    elif name == "near misses":
        yield from (f", e.g. {row['question']!r}: {row['adapter']!r}" for row in near if row["gives_away"])
    elif name == "reach":
        yield from (f", e.g. {row['question']!r}" for row in asked if not row["reached"])
    elif name == "routing":
        yield from (f", e.g. {question!r}" for question in report.get("astray", ()))


def _loading(engine: Engine, file: Path) -> Check:
    done, problem = 0, ""
    try:
        for _ in range(LOADS):
            engine.unload_adapter(engine.load_adapter(file))
            done += 1
    except ModelUnfit as error:
        problem = str(error)
    return Check("loading", done, LOADS, done == LOADS, problem or "loaded, unloaded and loaded again")


def ask(engine: Engine, question: str, adapter: Any = None, *, text: str = "") -> str:
    """Return the model's answer, with ``adapter`` if any, to a question with one memory as text, or none."""
    prompt = bare_prompt(engine, question, text)
    engine.read_prompt(prompt, [(adapter, 1.0)] if adapter is not None else [])
    return "".join(engine.generate(limit=ANSWER)).strip()


def answer_tokens(engine: Engine, prompt: Prompt, limit: int) -> list[int]:
    """Return the tokens of the base's own answer, at most ``limit``."""
    engine.read_prompt(prompt)
    start = len(engine.tokens)
    for _ in engine.generate(limit=limit):
        pass
    return engine.tokens[start:]


def _drift(
    engine: Engine, adapter: Any, questions: Sequence[str], on_question: Callable[[int], None]
) -> tuple[float, float, int]:
    """Return the mean KL to the base in nats a token, the rise of perplexity as a share, and the number of
    tokens.
    """
    import numpy as np

    divergence = likelihood = 0.0
    tokens = 0
    for question in questions:
        answer = answer_tokens(engine, bare_prompt(engine, question), ANSWER)
        if not answer:
            continue
        base, mine = _scores(engine, adapter, question, answer)
        divergence += float(np.sum(np.exp(base) * (base - mine)))
        likelihood += _likelihood(base, answer) - _likelihood(mine, answer)
        tokens += len(answer)
        on_question(1)
    if not tokens:
        return 0.0, 0.0, 0
    return divergence / tokens, float(np.expm1(likelihood / tokens)), tokens


def _scores(engine: Engine, adapter: Any, question: str, answer: Sequence[int]) -> list[Any]:
    """Return log-probabilities at each token of an answer, shape (tokens, words): of the base, of the
    adapter.
    """
    logs = []
    for adapters in ([], [(adapter, 1.0)]):
        engine.read_prompt(bare_prompt(engine, question), adapters)
        logs.append(engine.score(answer))
    return logs


def _likelihood(logs: Any, answer: Sequence[int]) -> float:
    return float(logs[range(len(answer)), list(answer)].sum())


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
