"""Adapters: ``memos promote --to parametric`` and ``memos gate``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_file
from memos_cli.cli.output import aligned
from memos_cli.cli.shared_options import Id, Model, opt
from memos_cli.counts import counted
from memos_cli.errors import UsageError
from memos_cli.files import write_output

if TYPE_CHECKING:
    from memos_cli.cube import Filter
    from memos_cli.interface.adapters.distillation import Prepared
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.options import TrainOptions
    from memos_cli.operation.adapters.parametric import Distilled, Watch

_ADAPTERS = "Adapters (--to parametric)"
"""Section of the options that only adapters have."""
SHOWN = 12
"""Questions that a dry run shows."""


@dataclass(frozen=True, slots=True)
class Training:
    """The options of ``memos promote`` that only adapters have."""

    name: Annotated[str, opt("--name", "Name of the adapter.", _ADAPTERS)] = ""
    qa: Annotated[str, opt("--qa FILE", "Add questions and answers, JSONL; - for stdin.", _ADAPTERS)] = ""
    lessons: Annotated[str, opt("--lessons FILE", "Train only with these questions (--dump).", _ADAPTERS)] = (
        ""
    )
    dump: Annotated[str, opt("--dump FILE", "Write the questions to FILE; do not train.", _ADAPTERS)] = ""
    steps: Annotated[int, opt("--steps", "Training steps. Default: by the questions.", _ADAPTERS, min=0)] = 0
    max_minutes: Annotated[
        float, opt("--max-minutes", "Longest training, in minutes; 0 is no limit.", _ADAPTERS, min=0)
    ] = 0

    def read(self) -> TrainOptions:
        """Return the options of the training, with the questions of its files. Raises UsageError."""
        from memos_cli.interface.adapters.distillation import read_rows
        from memos_cli.interface.options import TrainOptions

        if self.qa and self.lessons:
            raise UsageError(
                "--qa and --lessons do not go together", "add your pairs to the file of --lessons"
            )
        qa, lessons = (
            read_rows(read_file(file, "name a JSONL file of questions, or -"), file) if file else None
            for file in (self.qa, self.lessons)
        )
        return TrainOptions(self.name, qa or (), lessons, self.steps, self.max_minutes)


def train(
    state: State,
    memos: Memos,
    ids: Sequence[str],
    filter: Filter | None,
    training: Training,
    *,
    dry_run: bool,
) -> None:
    """Prepare, train and examine an adapter. Exit code 1 if it does not pass."""
    from memos_cli.operation.adapters.gate import explain_failures

    output, wanted, dump = state.output, training.read(), training.dump
    with output.progress("memories") as (count,):
        prepared = memos.prepare(ids, filter=filter, options=wanted, on_memory=count)
    if dump:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in prepared.rows())
        if dump == "-":
            output.text(lines, end="")
            return
        write_output(Path(dump), lines.encode())
    if dump or dry_run:
        row = {"name": prepared.name, "memories": len(prepared.cubes), "counts": prepared.counts}
        more = {"dry_run": True, "recipe": prepared.recipe.as_dict(), "lessons": prepared.rows()}
        output.result({**row, **more}, *_prepared_lines(prepared))
        if dump:
            output.hint(f"wrote {dump}")
        return
    with _watch(state) as watch:
        made = memos.distil(prepared, wanted, watch)
    output.result(made, *_trained_lines(made))
    if not made.passed:
        for line in explain_failures(made.report):
            output.hint(f"not promoted: {line}")
        output.hint(f"the adapter is stored, but not used; `memos show {made.id} --json` shows all answers")
        raise typer.Exit(1)


def _prepared_lines(prepared: Prepared) -> Iterator[str]:
    yield f"adapter     would be trained: {prepared.name}"
    yield f"memories    {len(prepared.cubes)}"
    for kind, count in prepared.counts.items():
        yield f"  {count:>5}     {kind}"
    yield f"steps       at most {prepared.recipe.steps}"
    facts = [lesson for lesson in prepared.lessons if lesson.kind in ("fact", "example")]
    for lesson in facts[:SHOWN]:
        yield f"  {lesson.question}  → {lesson.answer or '(as the model answers with the text)'}"
    if len(facts) > SHOWN:
        yield (
            f"  and {len(facts) - SHOWN} more: --dump FILE writes them all for you to edit;"
            " --lessons FILE trains with them"
        )


def _trained_lines(made: Distilled) -> Iterator[str]:
    from memos_cli.cli.results.derived import report_lines

    outcome = "" if made.new else "  unchanged"
    outcome = outcome if made.passed else "  not promoted: it did not pass its tests"
    yield from aligned(
        {
            "adapter": f"{made.id}{outcome}",
            "name": made.name,
            "memories": made.memories,
            "trained": f"{counted(made.steps, 'step')}, {made.seconds:.0f} s; {made.bytes:,} bytes",
        }
    )
    yield from report_lines(made.report)


@contextmanager
def _watch(state: State) -> Iterator[Watch]:
    """Show progress on stderr while the block runs; silent unless on a terminal."""
    from memos_cli.operation.adapters.parametric import Watch
    from memos_cli.operation.adapters.training import Progress as TrainingStep

    with state.output.phases() as (on_phase, on_part, on_text):

        def on_step(step: TrainingStep) -> None:
            on_part(1)
            left = (step.steps - step.step) * step.seconds / max(1, step.step)
            on_text(
                f"loss {step.loss:.2f}, drift {step.drift:.2f}, learned {step.learned:.0%}, "
                f"{step.tokens / max(step.seconds, 1e-9):.0f} tokens/s, {left / 60:.1f} min left"
            )

        yield Watch(on_phase, on_part, on_step)


def gate(state: State, id: Id, model: Model = None) -> None:
    """Test an adapter again, and decide if it is used.

    The tests: recall, similar questions, unrelated questions, routing and loading. The settings gate.… are
    their thresholds. With another model of the same architecture and size, the result is only shown.

    Exit code 1 if the adapter does not pass.

    Example:
      memos gate 01K3ZQ
      memos gate 01K3ZQ --model smollm2-135m-q8_0 --json
    """
    from memos_cli.cli.results.derived import report_lines
    from memos_cli.operation.adapters.gate import explain_failures

    with state.open(reader=model) as memos, state.output.progress("questions") as (count,):
        found: dict[str, Any] = dict(memos.gate(id, on_part=count))
    kept = "" if found["kept"] else " (shown only: nothing is changed)"
    lines = (f"adapter   {found['id']}", f"model     {found['model']}{kept}", *report_lines(found["report"]))
    state.output.result(found, *lines)
    if not found["report"]["passed"]:
        for line in explain_failures(found["report"]):
            state.output.hint(f"failed: {line}")
        raise typer.Exit(1)
