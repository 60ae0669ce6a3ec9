"""Commands that relate memories: link, merge, slice."""

from __future__ import annotations

from typing import Annotated

from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_ids, read_text
from memos_cli.cli.lifecycle.edit import report_changed
from memos_cli.cli.shared_options import Id, Ids, arg, opt


def link(
    state: State,
    id: Id,
    kind: Annotated[str, arg("KIND", "part_of, follows, contradicts, similar_to or about.")],
    others: Ids,
    remove: Annotated[bool, opt("--remove", "Remove these links.")] = False,
) -> None:
    """Link a memory to others, or remove links.

    `memos show --graph` follows links.

    Example:
      memos link 01K3ZQ part_of 01K3ZR
      memos link 01K3ZQ contradicts 01K400
      memos link 01K3ZQ contradicts 01K400 --remove
    """
    with state.open() as memos:
        done = memos.link(id, kind, read_ids(others), remove=remove)
    report_changed(state.output, done)


def merge(
    state: State,
    ids: Ids,
    text: Annotated[
        str | None, opt("--text TEXT", "The merged text, or - for stdin. Default: all texts.")
    ] = None,
    title: Annotated[str | None, opt("--title", "The merged memory's title.")] = None,
    undo: Annotated[bool, opt("--undo", "Undo the merge that made this memory.")] = False,
) -> None:
    """Merge memories into one.

    The old ones stay, linked to it, but searches no longer find them. --undo restores them.

    Example:
      memos merge 01K3ZQ 01K3ZR
      memos merge 01K3ZQ 01K3ZR --text "The cat is called Miso; she is nine."
      memos merge --undo 01K400
    """
    named = read_ids(ids)
    text = read_text(state.output, text)
    with state.open() as memos:
        done = memos.part(*named) if undo else [memos.merge(named, text=text, title=title)]
    for each in done:
        how = "unmerged into" if undo else "merged from"
        state.output.result({"id": each.id, "of": list(each.of)}, f"{each.id}  {how} {' '.join(each.of)}")


def slice_(
    state: State,
    id: Id,
    size: Annotated[int, opt("--size", "Characters per part, about.", min=50)] = 900,
) -> None:
    """Split a long memory into several memories.

    The long one is archived, and the parts are linked to it.

    Example:
      memos slice 01K3ZQ --size 500
    """
    with state.open() as memos:
        done = memos.slice(id, size=size)
    state.output.result({"id": done.id, "of": list(done.of)}, f"{done.id}  sliced into {' '.join(done.of)}")
