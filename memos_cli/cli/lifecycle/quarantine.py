"""``memos quarantine``: memories of others that wait for approval."""

from __future__ import annotations

from typing import Annotated

from memos_cli.cli.context import State
from memos_cli.cli.output import excerpt
from memos_cli.cli.shared_options import Selection, opt
from memos_cli.errors import UsageError


def quarantine(
    state: State,
    selection: Selection,
    approve: Annotated[bool, opt("--approve", "Release them from quarantine.")] = False,
    reject: Annotated[bool, opt("--reject", "Archive them.")] = False,
) -> None:
    """List, approve or reject memories in quarantine.

    Searches and queries do not find a memory from `memos ingest --quarantine` until you approve it here. The
    list shows which parts of a memory look like instructions to the model.

    Example:
      memos quarantine
      memos quarantine 01K3ZQ --approve
      memos quarantine --source example.org --reject
    """
    from memos_cli.cli.results.memories import cube_row, place

    if approve and reject:
        raise UsageError("--approve and --reject exclude each other", "memos quarantine")
    decision = "approved" if approve else "rejected" if reject else ""
    if decision:
        selection.require()
    output = state.output
    with state.open() as memos:
        ids, filter = selection.read(memos)
        if decision:
            done = memos.review(ids, filter=filter, approve=approve)
            output.result({decision: [cube.id for cube in done]}, f"{decision} {len(done)}")
            return
        waiting = memos.quarantined(ids, filter=filter or selection.filters.read(memos))
    output.listing(
        waiting,
        lambda each: {**cube_row(each.cube), "suspicions": list(each.suspicions)},
        "id, looks as if it, text, from",
        lambda e: (e.cube.id, "; ".join(e.suspicions), excerpt(e.cube.text, 80), place(e.cube)),
        empty="no memory is in quarantine",
    )
