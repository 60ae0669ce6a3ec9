"""``memos promote`` and ``memos demote``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.adapters.train import Training, train
from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.output import aligned
from memos_cli.cli.shared_options import DryRun, Ids, Model, Selection, opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.interface.results import Demoted
    from memos_cli.operation.states.activation import Promoted


def promote(
    state: State,
    selection: Selection,
    to: Annotated[str, opt("--to FORM", "activation: a saved state. parametric: an adapter.")] = "",
    pinned: Annotated[bool, opt("--pinned", "Only the pinned memories (of --view).")] = False,
    model: Model = None,
    *,
    training: Training,
    dry_run: DryRun = False,
) -> None:
    """Save memories as a model state, or train an adapter on them.

    --to activation reads them once and saves the state as one document. A query whose best memory is in it
    loads the whole document. The answers are exactly those that the text gives.

    --to parametric trains an adapter (LoRA) of the model for minutes, with questions made from the memories,
    and tests it with questions that it has not seen. memos uses it only if it passes. ^C saves a checkpoint,
    and the same command continues.

    Promote a state or adapter by its id to make it again from the current text of its memories.

    Exit codes: 1 if the adapter does not pass (its report is stored), 15 without a model.

    Example:
      memos promote --source handbook.md --to activation --dry-run
      memos promote 01K3ZQ 01K3ZR --to activation
      memos promote --tag me --to parametric --name "about me"
      memos promote --tag me --to parametric --dump questions.jsonl
    """
    if selection.ids or pinned:  # the view is where they are pinned, not a filter
        selection = replace(selection, filters=replace(selection.filters, view=""))
    _check(to, selection, training, pinned=pinned)
    if to == "parametric":
        with state.open(reader=model) as memos:
            train(state, memos, *selection.read(memos), training, dry_run=dry_run)
        return
    with state.open(reader=model) as memos, state.output.progress("tokens") as (count,):
        ids, filter = selection.read(memos)
        made = memos.promote(
            ids, filter=filter if selection.filters else None, view=state.view, pinned=pinned,
            dry_run=dry_run, on_tokens=count,
        )  # fmt: skip
    state.output.result({**asdict(made), "break_even": made.break_even}, *_promoted_lines(made))


def _check(to: str, selection: Selection, training: Training, *, pinned: bool) -> None:
    """Raise UsageError for options that do not go together."""
    if to not in ("activation", "parametric"):
        message = f"there is no form {to!r} to promote to" if to else "no form was named"
        raise UsageError(message, "add --to activation, or --to parametric")
    given = [name.replace("_", "-") for name, value in asdict(training).items() if value]
    if to == "activation" and given:
        raise UsageError(f"--{given[0]} is for --to parametric", "memos promote --help")
    if bool(selection.ids) + bool(selection.filters) + pinned != 1 or (pinned and to == "parametric"):
        raise UsageError(
            "name memories by ids, or by filters, or --pinned (for a state): one of these",
            "memos promote --help",
        )


def _promoted_lines(made: Promoted) -> list[str]:
    uses = made.break_even
    return aligned(
        {
            "state": (made.id or "would be made") if made.new else f"{made.id or 'exists'}  unchanged",
            "memories": made.memories,
            "tokens": f"{made.tokens:,}, of which {made.held:,} in the state",
            "bytes": f"{made.bytes:,}",
            "to build": f"{made.seconds:.1f} s",
            "a use saves": f"{made.saved:.1f} s; "
            + ("it never pays" if uses is None else f"it pays from use {max(1, uses)} on"),
        }
    )


def demote(state: State, ids: Ids, model: Model = None, dry_run: DryRun = False) -> None:
    """Drop saved states and detach adapters; the memories stay.

    Queries read the memories as text from now on. The id of a memory stands for all states and adapters made
    from it. An adapter is kept, and promoting its memories again attaches it without training. An adapter
    whose memories are gone first answers its questions, and its answers become memories.

    Example:
      memos demote 01K3ZQ
      memos list --payload activation --json | jq -r .id | memos demote -
    """
    with state.open(reader=model) as memos:
        done = memos.demote(read_ids(ids), dry_run=dry_run)
    record = {
        "ids": [each.id for each in done.states],
        "bytes": sum(each.state.size for each in done.states),
        "dry_run": dry_run,
        "adapters": [each.id for each in done.adapters],
        "verbalised": list(done.said),
    }
    state.output.result(record, *_demoted_lines(done, dry_run))
    if not (done.states or done.adapters):
        state.output.hint("no state and no adapter is made from these memories")


def _demoted_lines(done: Demoted, dry_run: bool) -> Iterator[str]:
    for state in done.states:
        yield f"{'would drop' if dry_run else 'dropped'} {state.id}, {state.state.size:,} bytes"
    for adapter in done.adapters:
        yield f"{'would detach' if dry_run else 'detached'} {adapter.id}, {adapter.title}"
    for id in done.said:
        yield f"stored an answer as {id}"
