"""``memos forget``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from shlex import quote
from typing import TYPE_CHECKING

from memos_cli.cli.context import State
from memos_cli.cli.output import excerpt
from memos_cli.cli.results.memories import pick
from memos_cli.cli.shared_options import DryRun, Selection, Yes
from memos_cli.counts import counted

if TYPE_CHECKING:
    from memos_cli.interface.results import Forgotten


def forget(state: State, selection: Selection, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Delete memories for good, with all their versions.

    Their vectors and saved states go too. Adapters that were trained on one of them lose their weights;
    promote the other memories again. The source file stays as it is; only `memos ingest --reread` brings
    its memories back. This cannot be undone.

    Example:
      memos forget 01K3ZQ --dry-run
      memos forget --tag old-job --yes
    """
    output = state.output
    selection.require()
    with state.open() as memos:
        ids, filter = selection.read(memos)
        is_preview = dry_run or not yes
        gone = memos.forget(ids, filter=filter, dry_run=is_preview)
        if is_preview and not dry_run and gone.cubes:
            memories = counted(len(gone.cubes), "memory")
            output.require_yes(
                f"{memories} would be forgotten", "add --yes to forget them, or --dry-run to see them",
                _listed(gone), f"Forget {memories} for good?", "nothing was forgotten",
            )  # fmt: skip
            # Forget exactly what was shown, even if other memories match the filter by now.
            gone = memos.forget([cube.id for cube in gone.cubes], dry_run=False, exactly=True)
    if filter and not gone.cubes:
        output.note("note: no memory matches the filters; nothing was forgotten")
    if output.json:
        output.record(_record(gone))
        return
    output.lines([*(_listed(gone) if dry_run else ()), _summary(gone, dry_run)])
    output.notes(_rest(gone, dry_run))


def _record(gone: Forgotten) -> dict[str, object]:
    rest = {name: value for name, value in pick(gone, "published backups").items() if value}
    ids = [cube.id for cube in gone.cubes]
    return {"ids": ids, **pick(gone, "versions vectors dry_run states adapters settled"), **rest}


def _summary(gone: Forgotten, dry_run: bool) -> str:
    named = Counter(cube.payload for cube in gone.cubes)
    parts = [
        counted(named["plaintext"], "memory"),
        counted(gone.versions, "version"),
        counted(gone.vectors, "vector"),
    ]
    if states := len(gone.states) + named["activation"]:
        parts.append(counted(states, "state"))
    if named["parametric"]:
        parts.append(counted(named["parametric"], "adapter"))
    if gone.adapters:
        parts.append(f"the weights of {counted(len(gone.adapters), 'adapter')}")
    return f"{'would forget' if dry_run else 'forgot'} {', '.join(parts)}"


def _rest(gone: Forgotten, dry_run: bool) -> Iterator[str]:
    """Yield where the forgotten text may still be, and what to type."""
    if not gone.settled:
        yield (
            "the vault is in use, or the disk is full: some of their bytes remain until the next"
            " `memos forget`"
        )
    for name in gone.published:
        own = name.partition(" of ")[0]
        yield f"the publication {name} still contains the text; withdraw it: memos feed publish {own}"
    for folder in gone.backups:
        yield (
            f"snapshots in {folder} may still contain the text; to remove them:"
            f" memos backup {quote(folder)} --keep-last 1"
        )
    if gone.adapters and not dry_run:
        yield f"to train the adapters again without it: memos show {gone.adapters[0]}"


def _listed(gone: Forgotten) -> Iterator[str]:
    yield from (f"{cube.id}  {excerpt(cube.text or cube.title, 80)}" for cube in gone.cubes)
    yield from (f"{id}  adapter: loses its weights" for id in gone.adapters)
