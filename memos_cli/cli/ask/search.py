"""``memos search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from memos_cli.cli.ask.batch import Batch, answer_batch
from memos_cli.cli.context import State, nothing_found
from memos_cli.cli.help_layout import OUTPUT
from memos_cli.cli.inputs import read_argument, read_time
from memos_cli.cli.shared_options import AsOf, Filters, Now, arg, opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cube import Filter


def search(
    state: State,
    filters: Filters,
    words: Annotated[str, arg("[QUERY]", "What to look for, or - for stdin.")] = "",
    k: Annotated[int, opt("-k", "Number of results. Default: search.k.", OUTPUT, min=0)] = 0,
    as_of: AsOf = "",
    now: Now = "",
    batch: Batch = "",
) -> None:
    """Find memories by their words and their meaning.

    With --batch, each line is plain text, or {"query": …, "k": …, "tag": …, "type": …, "source": …,
    "after": …, "before": …}, and each answer is {"query": …, "results": […]}. Exit code 3 if a line fails.

    Example:
      memos search "when are backups made" -k 3
      memos search 气候政策 --after 30d --json
    """
    from memos_cli.cli.results.memories import hit_row, place

    if batch and words:
        raise UsageError("a query and --batch do not go together", "put the query into the batch")
    if batch and as_of:
        raise UsageError("--as-of and --batch do not go together", "search as of a time one by one")
    output = state.output
    with state.open() as memos:
        moment = read_time(memos, now)
        if batch:

            def find(request: str, filter: Filter, k: int) -> dict[str, Any]:
                found = memos.search(request, filter=filter, k=k, now=moment)
                return {"results": [hit_row(hit) for hit in found.hits]}

            answer_batch(state, memos, batch, filters, find, k)
            return
        filter = filters.read(memos)
        at = read_time(memos, as_of)
        found = memos.search(read_argument(output, words), filter=filter, k=k, at=at, now=moment)
        nothing = "" if found.hits else nothing_found(memos)
    output.notes(found.notes)
    output.listing(
        found.hits,
        hit_row,
        "score, id, text, from",
        lambda hit: (f"{hit.score:.2f}", hit.cube.id, hit.cube.text, place(hit.cube)),
        empty=nothing,
    )
