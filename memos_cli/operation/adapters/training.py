"""Train an adapter: the lessons to learn, the answers to preserve, and the end of the training.

Each step uses some questions on facts, whose answers are learned (cross-entropy), and some near misses and
controls, for which the model with the adapter must predict the same as without (KL to the base). For a
control, it is compared along the base's own answer. For a near miss, it is compared along the wrong answer
that treats it as a fact ("The garage key is hidden under the blue flowerpot"): an adapter fails at the name
or the number there, which the base's own answer rarely contains. Measured with 8 facts: along the base's
answer, 42 % of unseen near misses were answered with a memory; along the wrong answer, with more kinds of
near misses, 6 %, and 1 % on another 8 facts, because the memory must stay less likely than the base's best
(``stray``). An adapter that was trained to answer "I don't know" gave that answer to every third unseen
question on a fact.

The upper half of the layers is trained; the upper two thirds gave no better recall. The output of the lower
half for a sequence is computed once, so that a step takes less than half of the time.

The prompt up to the question is read once, without the adapter, as in a query: so only the tokens of
questions and answers are computed at each step, and a saved state can be used with any adapter.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from memos_cli.models.gguf.families import TARGETS

if TYPE_CHECKING:
    import torch

    from memos_cli.models.train.trainee import Trainee

TEACHER = 64
"""The number of likeliest tokens that are stored of a prediction of the base; the others count as one."""
CHECK_EVERY = 10
"""Steps between two checks whether the facts are learned."""
COOLING = 0.4
"""The share of the steps in which the learning rate falls to zero."""
PART = 800
"""The number of tokens that are computed together, padding included."""
WARMING = 4
"""The number of steps in which the learning rate rises."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The hyperparameters of a training."""

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = TARGETS
    depth: float = 0.5
    """Share of the layers that get an adapter, counted from the last."""
    rate: float = 2e-3
    steps: int = 60
    facts: int = 14
    """The number of questions on facts in each step; ``near_misses`` and ``controls`` likewise."""
    near_misses: int = 12
    controls: int = 6
    miss: float = 1.0
    """The weight of answering near misses like the base, relative to the facts."""
    stray: float = 0.2
    """The weight, within that, of a memory's words being likelier than those of the base …"""
    margin: float = 0.5
    """… or less likely by less than this margin, in nats."""
    keep: float = 2.0
    """The weight of controls."""
    noise: float = 0.05
    """Noise on the output of the layers below the adapter, as a share of its size: similar words then work,
    too.
    """
    strength: float = 0.95
    """The share of the trained strength with which the adapter is stored: its drift from the base falls with
    the square of it, its recall only slightly (interpolation of weights, arXiv 2109.01903).
    """
    seed: int = 1

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe of an ``as_dict``; missing values are the defaults."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**{**known, "targets": tuple(known.get("targets", cls().targets))})

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "targets": list(self.targets)}


@dataclass(frozen=True, slots=True)
class Task:
    """A question, in one or several ways, and its answer; tokens, the end of the turn included."""

    ways: tuple[tuple[int, ...], ...]
    answer: tuple[int, ...]
    teacher: tuple[int, ...] = ()
    """The text that the base reads first, if its answer with that text is learned."""
    is_given: bool = True
    """Whether the answer itself is learned; else the base's prediction at each of its tokens."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """A whole training set, as tokens."""

    prefix: tuple[int, ...]
    """The prompt up to the question."""
    facts: tuple[Task, ...]
    near_misses: tuple[Task, ...]
    controls: tuple[Task, ...]
    checks: tuple[Task, ...]
    """Held-out questions on the facts: training ends when they are answered."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a training."""

    step: int
    steps: int
    """The expected number of steps."""
    loss: float
    """Of the facts: nats for each token of an answer."""
    drift: float
    """Of near misses and controls: KL to the base in nats for each token."""
    learned: float
    """Share of the tokens of held-out answers that the adapter predicts."""
    tokens: int
    seconds: float


class Training:
    """One training, which can be stopped after any step and continued."""

    def __init__(self, trainee: Trainee, tasks: Tasks, recipe: Recipe, *, goal: float, step: int = 0) -> None:
        """Prepare a training. ``goal`` is the sufficient share of held-out answers; ``step`` is where an
        earlier one stopped.
        """
        import torch

        self._trainee, self._tasks, self._recipe, self._goal = trainee, tasks, recipe, goal
        self._prefix = trainee.read_prefix(tasks.prefix)
        self._random = random.Random(f"{recipe.seed} {step}")  # noqa: S311 (draws that can be made again)
        self._optimizer = torch.optim.AdamW(
            trainee.parameters, lr=recipe.rate, betas=(0.9, 0.95), weight_decay=0.0
        )
        self._teachers: dict[int, _Teacher] = {}
        self._last: dict[int, float] = {}
        """What each task lost when it was last drawn."""
        self._step = self._begun = step
        self._steps = recipe.steps
        self._cooling = round(recipe.steps * (1 - COOLING))
        self._draws = {
            name: self._draw(getattr(tasks, name)) for name in ("facts", "near_misses", "controls")
        }
        self._tokens, self._seconds, self._learned = 0, 0.0, 0.0

    def run(self, deadline: float = math.inf) -> Iterator[Progress]:
        """Train step by step, until the last step, or until ``time.monotonic()`` passes ``deadline``."""
        while self._step < self._steps:
            begin = time.perf_counter()
            loss, drift = self._take_step()
            self._step += 1
            if self._step % CHECK_EVERY == 0 and self._tasks.checks:
                before, self._learned = self._learned, self._measure_learned()
                if min(before, self._learned) >= self._goal:
                    self._cool()
            self._seconds += time.perf_counter() - begin
            left = (deadline - time.monotonic()) / (self._seconds / (self._step - self._begun))
            if left < self._steps - self._step:
                if left < 1:
                    self._steps = self._step
                elif left <= COOLING * self._steps:
                    self._cool(max(1, int(left)))
            yield Progress(self._step, self._steps, loss, drift, self._learned, self._tokens, self._seconds)

    def _cool(self, most: int = 0) -> None:
        """Let the learning rate fall from now on, and end when it is zero, after at most this many steps."""
        if self._step < self._cooling or most:
            self._cooling = min(self._step, self._cooling)
            length = round(COOLING * self._recipe.steps)
            self._steps = min(self._steps, self._step + min(length, most or length))

    def _rate(self) -> float:
        rate = self._recipe.rate * min(1.0, (self._step - self._begun + 1) / WARMING)
        if self._step >= self._cooling:
            rate *= (self._steps - self._step) / (self._steps - self._cooling)
        return rate

    def _take_step(self) -> tuple[float, float]:
        import torch
        from torch.nn.functional import cross_entropy, log_softmax

        recipe = self._recipe
        shares = {"facts": 1.0, "near_misses": recipe.miss, "controls": recipe.keep}
        losses: dict[str, list[float]] = {name: [] for name in shares}
        drawn = [(task, name) for name in shares for task in self._some(name, getattr(recipe, name))]
        self._learn_teachers([task for task, _ in drawn])
        for part in _parts(drawn):
            sequences = [_sequence(self._random.choice(task.ways), task) for task, _ in part]
            logits = self._trainee.logits(self._prefix, *zip(*sequences, strict=True), noise=recipe.noise)
            # Split, not sliced: the gradient of each slice would be as large as that of all rows.
            each = logits.split([len(wanted) for _, wanted in sequences])
            total = torch.zeros(())
            for (task, name), (sequence, _), rows in zip(part, sequences, each, strict=True):
                if task.is_given:
                    loss = cross_entropy(rows, torch.tensor(task.answer))
                else:
                    teacher, logs = self._teachers[id(task)], log_softmax(rows, -1)
                    loss = teacher.divergence(logs)
                    if name == "near_misses":
                        loss = loss + recipe.stray * teacher.straying(logs, task.answer, recipe.margin)
                total = total + shares[name] / getattr(recipe, name) * loss
                losses[name].append(float(loss.detach()))
                self._last[id(task)] = losses[name][-1]
                self._tokens += len(sequence)
            total.backward()
        torch.nn.utils.clip_grad_norm_(self._trainee.parameters, 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate()
        self._optimizer.step()
        self._optimizer.zero_grad()
        kept = losses["near_misses"] + losses["controls"]
        return _mean(losses["facts"]), _mean(kept)

    def _measure_learned(self) -> float:
        """Return the share of the tokens of held-out answers that the model finds likeliest."""
        import torch

        right = whole = 0
        with torch.no_grad():
            for part in _parts([(task, "") for task in self._tasks.checks]):
                sequences = [_sequence(task.ways[0], task) for task, _ in part]
                logits = self._trainee.logits(self._prefix, *zip(*sequences, strict=True))
                answers = torch.tensor([token for task, _ in part for token in task.answer])
                right += int((logits.argmax(-1) == answers).sum())
                whole += len(answers)
        return right / whole

    def _learn_teachers(self, tasks: Sequence[Task]) -> None:
        """Compute the base's predictions for answers: without the adapter, or after some text."""
        import torch
        from torch.nn.functional import log_softmax

        groups: dict[tuple[int, ...], list[Drawn]] = {}
        for task in tasks:
            if not task.is_given and id(task) not in self._teachers:
                groups.setdefault(task.teacher, []).append((task, ""))
        for text, group in groups.items():
            prefix = self._trainee.read_prefix(text) if text else self._prefix
            for part in _parts(group):
                sequences = [_sequence(task.ways[0], task) for task, _ in part]
                with torch.no_grad():
                    logits = self._trainee.logits(prefix, *zip(*sequences, strict=True), adapted=False)
                rows = log_softmax(logits, -1).split([len(wanted) for _, wanted in sequences])
                for (task, _), logs in zip(part, rows, strict=True):
                    self._teachers[id(task)] = _Teacher.of(logs)

    def _draw(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """Yield the tasks in one random order after the other."""
        order = list(tasks)
        while order:
            self._random.shuffle(order)
            yield from order

    def _some(self, name: str, count: int) -> list[Task]:
        """Return the next tasks; of near misses, the worse half of twice as many."""
        more = count * (2 if name == "near_misses" else 1)
        tasks = [task for task, _ in zip(self._draws[name], range(more), strict=False)]
        tasks.sort(key=lambda task: -self._last.get(id(task), math.inf))
        return tasks[:count]


def _sequence(question: tuple[int, ...], task: Task) -> tuple[tuple[int, ...], range]:
    """Return a question with its answer, except the last token, and the positions that predict the answer."""
    start = len(question) - 1
    return question + task.answer[:-1], range(start, start + len(task.answer))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


Drawn = tuple[Task, str]


def _parts(drawn: Sequence[Drawn]) -> Iterator[list[Drawn]]:
    """Yield batches: tasks of about the same length, with a limited number of tokens."""
    part: list[Drawn] = []
    for each in sorted(drawn, key=lambda each: len(each[0].ways[0]) + len(each[0].answer)):
        size = len(each[0].ways[0]) + len(each[0].answer)
        if part and size * (len(part) + 1) > PART:
            yield part
            part = []
        part.append(each)
    yield part


@dataclass(frozen=True, slots=True)
class _Teacher:
    """The predictions of a model at each token of an answer: the likeliest tokens, and the rest as one."""

    tokens: torch.Tensor
    logs: torch.Tensor
    other: torch.Tensor
    """Natural logarithms, as ``logs``."""

    @classmethod
    def of(cls, logs: torch.Tensor) -> _Teacher:
        best = logs.topk(min(TEACHER, logs.shape[-1]), -1)
        return cls(best.indices, best.values, _log_rest(best.values))

    def divergence(self, logs: torch.Tensor) -> torch.Tensor:
        """Return the KL to the predictions ``logs``, in nats a token; all unlikely tokens count as one."""
        mine = logs.gather(-1, self.tokens)
        kl = (self.logs.exp() * (self.logs - mine)).sum(-1)
        kl = kl + self.other.exp() * (self.other - _log_rest(mine))
        return kl.mean()

    def straying(self, logs: torch.Tensor, path: Sequence[int], margin: float) -> torch.Tensor:
        """Return how far the tokens of ``path`` are from being ``margin`` nats less likely than the base's
        best.

        A greedy answer is wrong where they are likelier, even with a small divergence: a year has four
        digits, and the base is sure of two of them.
        """
        import torch

        best, tokens = self.tokens[:, 0], torch.tensor(path)
        ahead = logs.gather(1, tokens[:, None]) - logs.gather(1, best[:, None])
        parts = (ahead[:, 0] + margin).clamp_min(0)[best != tokens]
        return parts.sum() / max(1, len(parts))


def _log_rest(logs: torch.Tensor) -> torch.Tensor:
    """Return the logarithm of the remaining probability."""
    import torch

    return torch.log((1 - logs.exp().sum(-1)).clamp_min(1e-6))
