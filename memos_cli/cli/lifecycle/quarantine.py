"""``memos quarantine``: memories of others that wait for approval."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from memos_cli.cli.context import State
from memos_cli.cli.lifecycle.editing import embed_changed
from memos_cli.cli.options import Selection, opt
from memos_cli.cli.output import excerpt
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

    \b
    Example:
      memos quarantine
      memos quarantine 01K3ZQ --approve
      memos quarantine --source example.org --reject
    """
    from memos_cli.cli.results.memories import cube_row, place
    from memos_cli.operation.ask.injection_cues import suspicions

    if approve and reject:
        raise UsageError("--approve and --reject exclude each other", "memos quarantine")
    if approve or reject:
        selection.require()
    output = state.output
    with state.open() as memos:
        ids, filter = selection.read(memos)
        if approve or reject:
            if filter:
                filter = replace(filter, states=("quarantined",))
            done = memos.review(ids, filter=filter, approve=approve)
            if approve:
                embed_changed(memos, output)
            what = "approved" if approve else "rejected"
            output.result({what: [cube.id for cube in done]}, f"{what} {len(done)}")
            return
        filter = replace(filter or selection.filters.read(memos), states=("quarantined",))
        waiting = [*memos.cubes(filter=filter, newest=False)]
        if ids:
            named = {cube.id for cube in memos.several(ids)}
            waiting = [cube for cube in waiting if cube.id in named]
    reasons = {cube.id: suspicions(f"{cube.title}\n{cube.text}") for cube in waiting}
    output.listing(
        waiting,
        lambda cube: {**cube_row(cube), "suspicions": list(reasons[cube.id])},
        "id, looks as if it, text, from",
        lambda cube: (cube.id, "; ".join(reasons[cube.id]), excerpt(cube.text, 80), place(cube)),
        empty="no memory is in quarantine",
    )
