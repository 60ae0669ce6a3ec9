"""Plaintext to adapter, and back: distil memories into weights, test them, use them, verbalise them.

An adapter is used only with exactly the base that it was trained for, by its sha256, and only while its
memories are unchanged. Otherwise their text is read instead.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memos_cli.cube import Cube
from memos_cli.errors import Damaged, ModelUnfit
from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.derived.adapters import Adapter, Lesson, Weights
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.models.engine import Engine as AnyEngine
from memos_cli.models.gguf import adapter_format as adapter_file
from memos_cli.models.gguf.families import memory_needed, trainable
from memos_cli.models.gguf.gguf_header import read_header
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.operation.adapters.gate import Route, Thresholds, examine
from memos_cli.operation.adapters.routing import Repertoire
from memos_cli.operation.adapters.training import PART, Progress, Recipe, Training
from memos_cli.operation.adapters.training_set import count_kinds, count_own_answers, make_tasks
from memos_cli.operation.ask.prompt_layout import SYSTEM, memory_text

CHECKPOINT_EVERY = 60.0
"""Seconds of training that a kill can cost."""
LEARNED = 0.97
"""The share of the tokens of held-out answers from which a training ends early."""
STEPS, PER_FACT, LONGEST = 85, 8.125, 1200
"""Steps of a training: the first for any, more for each fact, and the most."""


@dataclass(frozen=True, slots=True)
class Distilled:
    """The result of distilling memories."""

    id: str
    version: int
    name: str
    passed: bool
    new: bool
    """Whether anything was trained: False where the adapter was there."""
    reason: str
    """Why it was not promoted."""
    memories: int
    lessons: Mapping[str, int]
    steps: int
    seconds: float
    """Of training."""
    bytes: int
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Watch:
    """Callbacks for the progress."""

    on_phase: Callable[[str, int], None] = lambda name, whole: None
    """Called with the present phase and the number of its parts."""
    on_part: Callable[[int], None] = lambda count: None
    on_step: Callable[[Progress], None] = lambda progress: None


def fingerprint_of(engine: AnyEngine, model: str) -> dict[str, str]:
    """Return the fingerprint of an adapter trained now; ``model`` is the sha256 of the model's file."""
    return {
        "model": model,
        "template": engine.conditions["template"],
        "instructions": hashlib.sha256(SYSTEM.encode()).hexdigest(),
    }


def unfit(adapter: Adapter, fingerprint: Mapping[str, str]) -> str:
    """Return the reason why an adapter cannot be used now; "" if it can."""
    if adapter.state != "activated":
        return "it has not passed its gate" if not adapter.report.get("passed") else "it was demoted"
    if adapter.expired:
        return "expired"
    if adapter.stale:
        return adapter.stale
    if adapter.fingerprint.get("model") != fingerprint["model"]:
        return "made for another model" if fingerprint["model"] else "the model's file was replaced"
    changed = [name for name in fingerprint if adapter.fingerprint.get(name) != fingerprint[name]]
    return f"{changed[0]} changed" if changed else ""


def steps_for(lessons: Sequence[Lesson]) -> int:
    """Return the number of steps of a training of these lessons, unless it ends early."""
    learned = {(each.source, each.answer) for each in lessons if each.kind in ("fact", "example")}
    return min(LONGEST, round(STEPS + PER_FACT * len(learned)))


# --- making ----------------------------------------------------------------------------------------


def check_trainable(model: Path, recipe: Recipe) -> None:
    """Raise ModelUnfit if no adapter can be trained for ``model``, or the free memory is not enough."""
    header = read_header(model)
    if problem := trainable(header):
        raise ModelUnfit(
            f"no adapter can be trained for {model.name}: {problem}",
            "its memories can be promoted to activation; or choose another model with --model",
        )
    needed, free = memory_needed(header, recipe.rank, PART, recipe.depth), _free_memory()
    if free is not None and needed > free:
        raise ModelUnfit(
            f"training needs {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} are free",
            "close other programs, or choose a smaller model with --model",
        )


def distil(
    vault: Vault,
    engine: Engine,
    model: Path,
    fingerprint: Mapping[str, str],
    *,
    cubes: Sequence[Cube],
    lessons: Sequence[Lesson],
    recipe: Recipe,
    name: str,
    model_name: str,
    thresholds: Thresholds,
    route: Callable[[frozenset[int]], Route],
    minutes: float,
    threads: int,
    principal: str,
    clock: Callable[[], int],
    watch: Watch = Watch(),
) -> Distilled:
    """Train an adapter, test it, and store it: it is used if it passes, else archived with its report.

    If it is stopped, the last checkpoint is kept, and the same call continues from there. Raises MemosError
    if a memory changes meanwhile.
    """
    from memos_cli.models.train.trainee import Trainee

    keeper = _Keeper(vault, cubes, lessons, recipe, name, model_name, fingerprint, principal, clock)
    watch.on_phase("the model's own answers", count_own_answers(lessons))
    tasks = make_tasks(engine, lessons, cubes, recipe, watch.on_part)
    watch.on_phase("training", recipe.steps)
    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    trainee = Trainee(
        model, rank=recipe.rank, alpha=recipe.alpha, targets=recipe.targets, depth=recipe.depth,
        seed=recipe.seed, threads=threads,
    )  # fmt: skip
    begun = keeper.resume(trainee)
    training = Training(trainee, tasks, recipe, goal=LEARNED, step=begun.step)
    kept, last = time.monotonic(), begun

    def file() -> bytes:
        return adapter_file.adapter_bytes(
            trainee.matrices(),
            architecture=read_header(model).architecture,
            alpha=recipe.alpha * recipe.strength,
            name=name,
            extra={"base": fingerprint["model"], "sources": " ".join(cube.id for cube in cubes)},
        )

    try:
        for progress in training.run(deadline):
            last = replace(progress, seconds=begun.seconds + progress.seconds)
            watch.on_step(last)
            if time.monotonic() - kept > CHECKPOINT_EVERY:
                keeper.checkpoint(file(), last)
                kept = time.monotonic()
    except (KeyboardInterrupt, SystemExit):
        keeper.checkpoint(file(), last)
        raise
    return keeper.finish(file(), last, engine, thresholds, route, watch)


@dataclass(frozen=True, slots=True)
class _Keeper:
    """The storage of one training: its checkpoints and its adapter."""

    vault: Vault
    cubes: Sequence[Cube]
    lessons: Sequence[Lesson]
    recipe: Recipe
    name: str
    model_name: str
    fingerprint: Mapping[str, str]
    principal: str
    clock: Callable[[], int]

    def resume(self, trainee: Any) -> Progress:
        """Return the step at which an earlier training of the same lessons stopped; load its weights into
        ``trainee``.
        """
        start = Progress(0, self.recipe.steps, 0.0, 0.0, 0.0, 0, 0.0)
        ids = [cube.id for cube in self.cubes]
        found = adapters.unfinished(
            self.vault.connection, self.fingerprint["model"], self.name, ids, now=self.clock()
        )
        if found is None or found.blob is None or Recipe.of(found.recipe) != self.recipe:
            return start
        if not self.vault.blobs.intact(found.blob):
            return start
        with self.vault.blobs.file(found.blob) as path:
            trainee.load(adapter_file.read_matrices(path))
        return replace(start, step=int(found.recipe.get("step", 0)), seconds=found.seconds)

    def checkpoint(self, data: bytes, progress: Progress) -> None:
        self._keep(self.vault.blobs.seal(data), progress, {}, "generated")

    def finish(
        self,
        data: bytes,
        progress: Progress,
        engine: Engine,
        thresholds: Thresholds,
        route: Callable[[frozenset[int]], Route],
        watch: Watch,
    ) -> Distilled:
        """Test the file as it will be used, then store it in the state that follows from its report."""
        held = [lesson for lesson in self.lessons if lesson.held_out]
        watch.on_phase("gate", len(held))
        texts = {cube.n: memory_text(cube) for cube in self.cubes}
        sealed = self.vault.blobs.seal(data)
        with self.vault.blob_changes() as blobs:
            with self.vault.blobs.file(self.vault.blobs.put(sealed, blobs)) as path:
                report = examine(
                    engine, path, self.lessons, texts, thresholds, route(frozenset(texts)), watch.on_part
                )
            state = "activated" if report["passed"] else "archived"
            id, version = self._keep(sealed, progress, report, state)
        counts = count_kinds(self.lessons)
        return Distilled(
            id, version, self.name, report["passed"], True, report["reason"], len(self.cubes), counts,
            progress.step, progress.seconds, len(data), report,
        )  # fmt: skip

    def _keep(
        self, sealed: bytes | memoryview, progress: Progress, report: Mapping[str, Any], state: str
    ) -> tuple[str, int]:
        with self.vault.blob_changes() as blobs:
            weights = Weights(
                self.vault.blobs.put(sealed, blobs), len(sealed), self.model_name, self.fingerprint,
                {**self.recipe.as_dict(), "step": progress.step}, report, progress.seconds,
            )  # fmt: skip
            with self.vault.change(self.principal, self.clock()) as change:
                id, version, old = adapters.keep(
                    change, weights,
                    name=self.name, sources=[(cube.n, cube.version) for cube in self.cubes],
                    lessons=self.lessons, state=state,
                )  # fmt: skip
                blobs.update(old)
        return id, version


def _free_memory() -> int | None:
    """Return the bytes of memory that a program may use now; None if that is unknown."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return min(int(kilobytes) * 1024, _memory_limit())
    except (OSError, StopIteration, ValueError):  # macOS
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (ValueError, OSError):
            return None


def _memory_limit() -> int:
    """Return the bytes of memory that the container and ``ulimit`` leave this process."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    try:
        group = int(Path("/sys/fs/cgroup/memory.max").read_text()) - int(
            Path("/sys/fs/cgroup/memory.current").read_text()
        )
    except (OSError, ValueError):  # no such group, or "max"
        group = 1 << 62
    return min(group, 1 << 62 if limit == resource.RLIM_INFINITY else limit)


# --- using -----------------------------------------------------------------------------------------


class AdapterCache:
    """The adapters that an engine has loaded, by the sha256 of their files."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}
        self.repertoires: dict[tuple[int, int], Repertoire] = {}
        """What adapters have learned to answer, by cube and version."""

    def load(self, vault: Vault, engine: Engine, adapter: Adapter) -> Any:
        """Return the engine's handle of an adapter, loaded. Raises Damaged if its bytes have changed."""
        blob = adapter.blob or ""
        if blob not in self._loaded:
            if not vault.blobs.intact(blob):
                raise Damaged(f"the weights of {adapter.id} are damaged", "memos check --repair")
            with vault.blobs.file(blob) as path:
                self._loaded[blob] = engine.load_adapter(path)
        return self._loaded[blob]
