"""Memories into adapters: what `memos promote --to parametric` does and tells, and `memos gate`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from memos_cli.cli.context import Model, State, read_names, state_of, with_global_options
from memos_cli.cli.inputs import read_file
from memos_cli.cli.looking import Id
from memos_cli.counts import counted
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cube import Filter
    from memos_cli.interface.distilling import Prepared, Wanted
    from memos_cli.interface.memory import Memos
    from memos_cli.operation.parametric import Distilled, Watch

SHOWN = 12
"""Lessons that a dry run shows."""


def register(app: typer.Typer) -> None:
    app.command()(with_global_options(gate))


def read_wanted(name: str, qa: str, lessons: str, steps: int, minutes: float) -> Wanted:
    """What the options of a distillation say. Raises UsageError."""
    from memos_cli.interface.distilling import Wanted, read_rows

    hint = "name a JSONL file of questions, or -"
    if qa and lessons:
        raise UsageError("--qa and --lessons do not go together", "add your pairs to the file of --lessons")
    if name:
        read_names([name], "adapter")
    return Wanted(
        name=name,
        own=read_rows(read_file(qa, hint), qa) if qa else (),
        instead=read_rows(read_file(lessons, hint), lessons) if lessons else None,
        steps=steps,
        minutes=minutes,
    )


def distil(
    state: State,
    memos: Memos,
    ids: Sequence[str],
    filter: Filter | None,
    wanted: Wanted,
    *,
    dump: str,
    dry_run: bool,
) -> None:
    """Prepare, train, examine, tell. Exit code 1 where the gate refused, 3 where the time was up."""
    output = state.output
    with output.progress("memories") as (count,):
        prepared = memos.prepare(ids, filter=filter, wanted=wanted, on_memory=count)
    if dump:
        _dump(state, prepared, dump)
    if dump or dry_run:
        _tell_prepared(state, prepared, dump)
        return
    with _watch(state) as watch:
        made = memos.distil(prepared, wanted, watch)
    if output.json:
        output.record(asdict(made))
    else:
        _tell(state, made)
    if not made.passed:
        raise typer.Exit(1)


def _dump(state: State, prepared: Prepared, file: str) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in prepared.rows())
    if file == "-":
        state.output.text(lines, end="")
        return
    from memos_cli.files import write_output

    write_output(Path(file), lines.encode())


def _tell_prepared(state: State, prepared: Prepared, dump: str) -> None:
    output = state.output
    if dump == "-":
        return
    counts = prepared.counts
    if output.json:
        row = {"name": prepared.name, "memories": len(prepared.cubes), "counts": counts, "dry_run": True}
        output.record({**row, "recipe": prepared.recipe.as_dict(), "lessons": prepared.rows()})
        return
    output.text(f"adapter     would be trained: {prepared.name}")
    output.text(f"memories    {len(prepared.cubes)}")
    for kind, count in counts.items():
        output.text(f"  {count:>5}     {kind}")
    output.text(f"steps       at most {prepared.recipe.steps}")
    facts = [lesson for lesson in prepared.lessons if lesson.kind in ("fact", "example")]
    for lesson in facts[:SHOWN]:
        output.text(f"  {lesson.question}  → {lesson.answer or '(as the model answers with the text)'}")
    if len(facts) > SHOWN:
        output.text(f"  and {len(facts) - SHOWN} more: --dump FILE writes them all, to be edited; "
                    "--lessons FILE trains with them")  # fmt: skip
    if dump:
        output.note(f"written: {dump}")


def _tell(state: State, made: Distilled) -> None:
    from memos_cli.cli.cards import report_lines
    from memos_cli.operation.gate import explain_failures

    output = state.output
    outcome = "" if made.new else "  unchanged"
    outcome = outcome if made.passed else "  not promoted: its gate refused it"
    output.text(f"adapter     {made.id}{outcome}")
    output.text(f"name        {made.name}")
    output.text(f"memories    {made.memories}")
    output.text(f"trained     {counted(made.steps, 'step')}, {made.seconds:.0f} s; {made.bytes:,} bytes")
    for line in report_lines(made.report):
        output.text(line)
    if not made.passed:
        for line in explain_failures(made.report):
            output.note(f"not promoted: {line}")
        output.note(f"the adapter is stored, but not used; `memos show {made.id} --json` shows all answers")


@contextmanager
def _watch(state: State) -> Iterator[Watch]:
    """Progress on stderr while the block runs; silent unless on a terminal."""
    from memos_cli.operation.parametric import Watch
    from memos_cli.operation.training import Progress as Step

    with state.output.phases() as (on_phase, on_part, on_text):

        def on_step(step: Step) -> None:
            on_part(1)
            left = (step.steps - step.step) * step.seconds / max(1, step.step)
            on_text(
                f"loss {step.loss:.2f}, drift {step.drift:.2f}, learned {step.learned:.0%}, "
                f"{step.tokens / max(step.seconds, 1e-9):.0f} tokens/s, {left / 60:.1f} min left"
            )

        yield Watch(on_phase, on_part, on_step)


def gate(ctx: typer.Context, id: Id, model: Model = None) -> None:
    """Examine an adapter again: recall, near misses, what it leaves alone, routing, loading.

    With the model that the adapter was made for, the result decides whether it is used from now on (the
    settings gate.… are the thresholds). With another model of the same architecture and size, the result is
    only shown. Exit code 1 if the adapter does not pass.

    \b
    Example:
      memos gate 01K3ZQ
      memos gate 01K3ZQ --model smollm2-135m-q8_0 --json
    """
    from memos_cli.cli.cards import report_lines
    from memos_cli.operation.gate import explain_failures

    state = state_of(ctx)
    output = state.output
    with state.open(reader=model) as memos, output.progress("questions") as (count,):
        found: dict[str, Any] = dict(memos.gate(id, on_part=count))
    if output.json:
        output.record(found)
    else:
        output.text(f"adapter   {found['id']}")
        output.text(
            f"model     {found['model']}{'' if found['kept'] else ' (told only: nothing is changed)'}"
        )
        for line in report_lines(found["report"]):
            output.text(line)
        for line in explain_failures(found["report"]):
            output.note(f"failed: {line}")
    if not found["report"]["passed"]:
        raise typer.Exit(1)
