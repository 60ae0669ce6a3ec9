"""``memos query``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.ask.batch import Batch, answer_batch
from memos_cli.cli.context import State, nothing_found
from memos_cli.cli.inputs import read_argument, read_time
from memos_cli.cli.process_age import process_age
from memos_cli.cli.shared_options import Answering, Filters, Model, Now, arg, opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cli.output import Output
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.results import Answer


def query(
    state: State,
    filters: Filters,
    question: Annotated[str, arg("[QUESTION]", "The question, or - for stdin.")] = "",
    model: Model = None,
    explain: Annotated[bool, opt("--explain", "Show the plan; do not run the model.")] = False,
    *,
    answering: Answering,
    now: Now = "",
    batch: Batch = "",
) -> None:
    """Answer a question from your memories, and list the sources.

    The answer quotes up to three sentences word for word, the most likely first. The model writes the answer
    with --generate, if it has a billion parameters or more, or if an adapter was trained on the answer. The
    setting query.answer changes the default. A time in the question ("last month", "上个月") restricts the
    search. If no memory answers the question, memos says so and names the nearest one. --batch works as in
    `memos search`; each answer line is the object of --json.

    Exit codes: 3 if a line of a batch fails, 15 if the model is missing.

    Example:
      memos query "Which port does the staging database use?"
      memos query "What did we decide last month?" --explain
      memos query "Summarize the meeting" --generate
    """
    from memos_cli.cli.results.answers import answer_row, plan_lines, plan_row, source_rows

    if batch and question:
        raise UsageError("a question and --batch do not go together", "put the question into the batch")
    answering.require_one()
    output = state.output
    with state.open(reader=model) as memos:
        options = answering.read(state.view, read_time(memos, now))
        ask = partial(memos.query, options=options)
        if batch:
            answer_batch(state, memos, batch, filters, lambda q, filter, k: answer_row(ask(q, filter=filter)))
            return
        filter = filters.read(memos)
        request = read_argument(output, question)
        if explain:
            plan = memos.plan(request, filter=filter, options=options)
            record = {"question": request, "plan": plan_row(plan), "sources": source_rows(plan)}
            output.result(record, *plan_lines(plan))
        elif output.json:
            output.record(answer_row(ask(request, filter=filter, started=process_age())))
        else:
            # A written answer is printed as it is generated; a quoted one follows with its sources.
            write = partial(output.text, end="")
            _print_rest(memos, output, ask(request, filter=filter, started=process_age(), on_text=write))


def _print_rest(memos: Memos, output: Output, answer: Answer) -> None:
    """Print what follows the text of an answer: its sources, or the nearest memory, and the notes."""
    from memos_cli.cli.results.answers import nearest_line, quoted_lines, source_lines

    output.text("")
    if answer.mode == "quote":
        output.lines(quoted_lines(answer))
    elif answer.answered:
        output.lines(source_lines(answer))
    if not answer.answered and answer.nearest:
        output.text(nearest_line(answer.nearest))
    elif not answer.answered and memos.is_empty():
        output.note(nothing_found(memos))
    output.notes(answer.plan.notes)
    if answer.unsupported:
        output.note(f"note: unsupported by the sources: {', '.join(answer.unsupported)}")
