"""Commands that change the state of a memory, or compare its versions: archive, restore, freeze, unfreeze,
diff, rollback.
"""

from __future__ import annotations

from typing import Annotated

from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.lifecycle.edit import report_changed, report_edited
from memos_cli.cli.shared_options import Id, Ids, Selection, opt


def archive(state: State, selection: Selection) -> None:
    """Archive memories: searches and prompts leave them out.

    Nothing is deleted; `memos restore` undoes it.

    Example:
      memos archive 01K3ZQ
      memos archive --tag old-job
    """
    selection.require()
    with state.open() as memos:
        ids, filter = selection.read(memos)
        done = memos.archive(ids, filter=filter)
    report_changed(state.output, done)


def restore(state: State, selection: Selection) -> None:
    """Restore archived or expired memories.

    They no longer expire. A memory that no user has approved goes back to quarantine (`memos quarantine`).

    Example:
      memos restore 01K3ZQ
      memos list --state archived --tag work --json | jq -r .id | memos restore -
    """
    selection.require()
    with state.open() as memos:
        ids, filter = selection.read(memos)
        done = memos.restore(ids, filter=filter)
    report_changed(state.output, done)
    state.output.note_quarantine(done.waiting)


def freeze(state: State, ids: Ids) -> None:
    """Make memories read-only: no edit, no forget.

    Example:
      memos freeze 01K3ZQ
    """
    with state.open() as memos:
        done = memos.freeze(read_ids(ids))
    report_changed(state.output, done)


def unfreeze(state: State, ids: Ids) -> None:
    """Make frozen memories editable again.

    Example:
      memos unfreeze 01K3ZQ
    """
    with state.open() as memos:
        done = memos.freeze(read_ids(ids), thaw=True)
    report_changed(state.output, done)


def diff(
    state: State,
    id: Id,
    old: Annotated[int, opt("--from", "Older version. Default: the one before.", min=0)] = 0,
    new: Annotated[int, opt("--to", "Newer version. Default: the newest.", min=0)] = 0,
) -> None:
    """Show what changed between two versions, as diff -u does.

    Example:
      memos diff 01K3ZQ
      memos diff 01K3ZQ --from 1 --to 3
    """
    with state.open() as memos:
        found = memos.diff(id, old=old, new=new)
    state.output.result(found, *found.lines)


def rollback(
    state: State,
    id: Id,
    to: Annotated[int, opt("--to", "The version to go back to.", min=1)],
) -> None:
    """Go back to an older version of a memory.

    It becomes a new version; none is lost.

    Example:
      memos rollback 01K3ZQ --to 2
    """
    with state.open() as memos:
        done = memos.rollback(id, to)
    report_edited(state.output, done)
