"""``memos pin``."""

from __future__ import annotations

from typing import Annotated

from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.shared_options import View, arg, opt
from memos_cli.counts import counted
from memos_cli.errors import UsageError


def pin(
    state: State,
    ids: Annotated[list[str] | None, arg("[ID…]", "Ids of memories, or - for stdin.")] = None,
    view: View = None,
    remove: Annotated[bool, opt("--remove", "Unpin them.")] = False,
) -> None:
    """Put memories at the start of every prompt, or list them.

    Pin who you are, or how to answer. With --view, they are only in the prompts of that view.

    Example:
      memos pin 01K3ZQ
      memos pin 01K3ZR --view work
      memos pin 01K3ZQ --remove
      memos pin
    """
    if remove and not ids:
        raise UsageError("no memories are selected", "memos pin ID --remove")
    if not ids:
        _list(state)
        return
    with state.open() as memos:
        result = memos.pin(read_ids(ids), state.view, remove=remove)
        pinned = [cube.id for cube in memos.pinned(state.view)]
        made = sum(each.state.view == state.view for each in memos.activations()) if result.changed else 0
    if made:
        states = counted(made, "state was", "states were")
        state.output.note(
            f"note: {states} made with other pinned memories; make them again: memos promote ID"
        )
    done, now = "unpinned" if remove else "pinned", counted(len(pinned), "is", "are")
    state.output.result(
        {"changed": result.changed, "view": state.view, "pinned": pinned},
        f"{done} {result.changed}; {now} pinned",
    )


def _list(state: State) -> None:
    from memos_cli.cli.results.memories import cube_row, place

    with state.open() as memos:
        pinned = memos.pins(state.view)
    state.output.listing(
        pinned,
        lambda each: {**cube_row(each[1]), "view": each[0]},
        "id, view, state, text, from",
        lambda each: (each[1].id, each[0], each[1].state, each[1].text or each[1].title, place(each[1])),
        empty="nothing is pinned; pin a memory: memos pin ID",
    )
