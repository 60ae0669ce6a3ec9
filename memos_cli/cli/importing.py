"""Commands that exchange memories with other programs: import."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from memos_cli.cli.context import read_names, state_of, with_global_options
from memos_cli.errors import UsageError

SHOWN = 20
"""Sources that a dry run tells a person one by one."""


def register(app: typer.Typer) -> None:
    app.command("import")(with_global_options(import_))


def import_(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, a folder or a zip archive.")],
    kind: Annotated[
        str, typer.Option("--from", metavar="KIND", help="chatgpt, claude, mem0, memos, letta, notes, mcp.")
    ] = "",
    tag: Annotated[
        list[str] | None, typer.Option("--tag", "-t", metavar="TAG", help="Tag the memories.")
    ] = None,
    secrets: Annotated[
        str, typer.Option(metavar="WAY", help="Keys and passwords: mask, refuse or allow. Usual: mask.")
    ] = "",
    quarantine: Annotated[
        bool | None, typer.Option("--quarantine/--no-quarantine", help="Wait for `memos review` before use.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would come; keep nothing.")] = False,
    embed: Annotated[bool, typer.Option("--embed/--no-embed", help="Make the vectors now.")] = True,
) -> None:
    """Take in what other programs export: ChatGPT, Claude, mem0, MemOS, Letta, notes, MCP memory.

    What is there already is not stored again: import the next export over this one. Archives are read,
    not unpacked, and nothing in them is executed. Text, JSON lines and CSV come with `memos ingest`.

    \b
    Example:
      memos import ~/Downloads/chatgpt-export.zip --dry-run
      memos import agent.af --quarantine
    """
    from memos_cli.infrastructure.changes import Terms
    from memos_cli.interface.ingestion import Wishes
    from memos_cli.interface.sources import Hints

    if secrets not in ("", "mask", "refuse", "allow"):
        raise UsageError(
            f"--secrets {secrets!r} is none of mask, refuse, allow", "memos import --secrets mask"
        )
    state = state_of(ctx)
    output = state.output
    with state.open() as memos, output.progress("memories", "vectors") as (count_drafts, count_vectors):
        usual = memos.settings.ingest_quarantine
        wishes = Wishes(
            hints=Hints(secrets=secrets or memos.settings.ingest_secrets),
            terms=Terms(tags=read_names(tag)),
            quarantine=usual if quarantine is None else "always" if quarantine else "never",
        )
        made = memos.import_export(
            path, wishes=wishes, kind=kind, embed=embed, dry_run=dry_run,
            on_drafts=count_drafts, on_vectors=count_vectors,
            on_source=output.note if output.verbose else lambda uri: None,
        )  # fmt: skip
    done = made.done
    if output.json:
        names = ("uri", "title", "memories")
        sources = [dict(zip(names, each, strict=True)) for each in made.sources]
        known = {"kind": made.kind, "sources": sources, "links": made.links, "pinned": made.pinned}
        output.record({**known, "dry_run": dry_run, **asdict(done)})
    else:
        count = sum(memories for _, _, memories in made.sources)
        output.text(f"{made.kind}: {count} memories of {len(made.sources)} sources")
        if dry_run:
            for uri, title, memories in made.sources[:SHOWN]:
                output.text(f"  {memories:6} {title or uri}")
            if (more := len(made.sources) - SHOWN) > 0:
                output.text(f"  and {more} more")
        else:
            parts = ("added", "versions", "unchanged", "embedded")
            output.text("  ".join(f"{part} {getattr(done, part)}" for part in parts))
    if done.quarantined:
        output.note(f"note: {done.quarantined} memories are not used before `memos review`")
    for note in done.notes:
        output.note(f"note: {note}")
    for failure in done.failed:
        output.failure(f"failed: {failure.source}: {failure.reason}")
    if done.without_vector and not output.json and not dry_run:
        output.note(f"note: {done.without_vector} memories have no vector yet; `memos embed` makes them")
    if done.failed:
        raise typer.Exit(3 if made.sources else 1)
