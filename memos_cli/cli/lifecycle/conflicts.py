"""``memos conflicts``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.output import excerpt
from memos_cli.cli.shared_options import arg, opt
from memos_cli.counts import counted

if TYPE_CHECKING:
    from memos_cli.cube import Cube
    from memos_cli.interface.lifecycle.conflict_resolution import Conflict


def conflicts(
    state: State,
    ids: Annotated[list[str] | None, arg("[ID…]", "Only pairs with one of these memories.")] = None,
    resolve: Annotated[
        str, opt("--resolve HOW", "keep-newest, keep-both, or the ID of the one to keep.")
    ] = "",
    similar: Annotated[bool, opt("--similar", "Also list duplicates.")] = False,
) -> None:
    """List and resolve contradictions between memories.

    `memos maintain` and `memos ingest` guess which pairs contradict each other. Until you resolve a pair,
    answers show both. Resolving archives one of them.

    Example:
      memos conflicts
      memos conflicts 01K3ZQ --resolve keep-newest
      memos conflicts --resolve 01K3ZQ
    """
    from memos_cli.cli.results.memories import cube_row

    output = state.output
    with state.open() as memos:
        named = read_ids(ids or [])
        pairs = memos.resolve(resolve, named) if resolve else memos.conflicts(named, similar=similar)

    def record(pair: Conflict) -> dict[str, Any]:
        archived = {"archived": pair.archived or None} if resolve else {}
        return {"kind": pair.kind, "older": cube_row(pair.older), "newer": cube_row(pair.newer), **archived}

    def outcome(pair: Conflict) -> str:
        if not pair.archived:
            return "kept both" if resolve else pair.kind
        return f"archived the {'older' if pair.archived == pair.older.id else 'newer'}"

    def cells(cube: Cube) -> tuple[str, str]:
        return cube.id, excerpt(cube.text, 60)

    output.listing(
        pairs,
        record,
        f"{'done' if resolve else 'kind'}, older, older text, newer, newer text",
        lambda pair: (outcome(pair), *cells(pair.older), *cells(pair.newer)),
        empty="there is nothing to resolve" if resolve else "no memories contradict each other",
    )
    if pairs:
        advice = "resolve them: memos conflicts --resolve keep-newest, keep-both, or the ID to keep"
        output.hint(f"resolved {counted(len(pairs), 'conflict')}" if resolve else advice)
