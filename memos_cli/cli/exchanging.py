"""Commands that exchange memories with other vaults and programs: import, export."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import (
    After,
    Before,
    Restriction,
    Source,
    Tags,
    Types,
    View,
    make_filter,
    state_of,
    with_global_options,
)
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.keeping import (
    Embed,
    Encoding,
    NewTags,
    Quarantine,
    Secrets,
    check_encoding,
    tell_taken,
    whose_wait,
)
from memos_cli.cli.standing import SomeIds
from memos_cli.counts import counted
from memos_cli.errors import UsageError
from memos_cli.files import open_output, write_output

if TYPE_CHECKING:
    from memos_cli.cli.output import Output
    from memos_cli.interface.memory import Memos

SHOWN = 20
"""Sources that a dry run tells a person one by one."""


def register(app: typer.Typer) -> None:
    app.command("import")(with_global_options(import_))
    app.command()(with_global_options(export))


def import_(
    ctx: typer.Context,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A file, a folder or a zip archive; - for stdin.")
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="KIND",
            help="chatgpt, claude, mem0, memos, letta, notes, mcp, plain, jsonl, mip.",
        ),
    ] = "",
    tag: NewTags = None,
    secrets: Secrets = "",
    encoding: Encoding = "",
    quarantine: Quarantine = None,
    trust: Annotated[bool, typer.Option("--trust", help="Trust its signer from now on.")] = False,
    identity: Annotated[str, typer.Option(metavar="FILE", help="The age key file that decrypts it.")] = "",
    with_grants: Annotated[
        bool, typer.Option("--with-grants", help="Apply its grants to memories that are new here.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be imported; store nothing.")
    ] = False,
    reread: Annotated[bool, typer.Option("--reread", help="Bring back memories that you forgot.")] = False,
    embed: Embed = True,
) -> None:
    """Import exports of ChatGPT, Claude, mem0, MemOS, Letta, notes, …, and of memos itself.

    Other formats: MCP's memory server, OPML, CSV, and JSON lines such as those of `memos list --json`.
    Memories that exist already are not stored again, so you can import a newer export after an older one.
    Memories that did not come from this export stay unchanged. Archives are read without unpacking; nothing
    in them is executed.

    \b
    Example:
      memos import ~/Downloads/chatgpt-export.zip --dry-run
      memos import agent.af --quarantine
      memos export --tag team | memos import - --vault ~/team
    """
    from memos_cli.infrastructure.memories.transaction import NewMemoryFields
    from memos_cli.interface.options import IngestOptions, ReadOptions

    check_encoding(encoding)
    state = state_of(ctx)
    output = state.output
    with (
        state.open() as memos,
        _named(path, memos) as named,
        output.progress("memories", "vectors") as (count_drafts, count_vectors),
    ):
        wishes = IngestOptions(
            hints=ReadOptions(
                encoding=encoding,
                fallback=memos.settings.ingest_encoding,
                secrets=secrets or memos.settings.ingest_secrets,
            ),
            terms=NewMemoryFields(tags=tuple(tag or ())),
            quarantine=whose_wait(memos, quarantine),
            reread=reread,
        )
        made = memos.import_export(
            named, options=wishes, kind=kind, embed=embed, dry_run=dry_run, trust=trust, identity=identity,
            with_grants=with_grants, on_drafts=count_drafts, on_vectors=count_vectors,
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
        output.text(f"{made.kind}: {counted(count, 'memory')} of {counted(len(made.sources), 'source')}")
        if dry_run:
            for uri, title, memories in made.sources[:SHOWN]:
                output.text(f"  {memories:6} {title or uri}")
            if (more := len(made.sources) - SHOWN) > 0:
                output.text(f"  and {more} more")
        else:
            parts = ("added", "versions", "unchanged", "embedded")
            output.text("  ".join(f"{part} {getattr(done, part)}" for part in parts))
    tell_taken(output, done, partly=bool(made.sources))


@contextmanager
def _named(path: Path, memos: Memos) -> Iterator[Path]:
    """Yield a file that can be read repeatedly: ``path``, or a private copy of standard input."""
    if str(path) != "-":
        yield path
        return
    data = sys.stdin.buffer.read()
    from memos_cli.infrastructure.storage.scratch import scratch_folder

    with scratch_folder(memos.vault.folder) as folder:
        file = folder / f"stdin{_ending(data)}"
        file.touch(0o600)
        file.write_bytes(data)
        yield file


def _ending(data: bytes) -> str:
    """How the name of a file with this content would end: it helps to tell what it is."""
    start, *rest = data.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)
    if start.startswith((b"{", b"[")):
        try:
            is_line = isinstance(json.loads(start), dict)
        except (ValueError, RecursionError):
            is_line = False
        return ".jsonl" if is_line and rest and rest[0].strip() else ".json"
    return ".opml" if b"<opml" in data[:1000] else ".csv" if b"," in start else ""


def export(
    ctx: typer.Context,
    ids: SomeIds = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where to; - for standard output.")
    ] = "-",
    format: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help="mip (all of it), jsonl, markdown, mem0, memos, letta."
        ),
    ] = "mip",
    up_to: Annotated[
        str, typer.Option(metavar="LEVEL", help="Highest sensitivity to export. Default: sensitivity.export.")
    ] = "",
    sign: Annotated[bool, typer.Option("--sign", help="Sign it with your key (`memos key`).")] = False,
    to: Annotated[
        list[str] | None, typer.Option(metavar="RECIPIENT", help="Encrypt it to age1…; again for more.")
    ] = None,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    view: View = None,
) -> None:
    """Export memories for another vault or program: all of them, or those that ids or filters select.

    A bundle (mip) contains every version, tags, links, and which saved states to make again. The same
    content gives the same bytes, and `memos import` restores it unchanged.

    \b
    Example:
      memos export -o memories.mip
      memos export --tag work --format markdown > work.md
      memos export --view team --sign --to age1… -o team.mip
    """
    if not output:
        raise UsageError("the name of the file is empty", "memos export -o FILE")
    state = state_of(ctx)
    wanted = Restriction(tag, type, source, after, before)
    if ids and wanted:
        raise UsageError("name memories by id or by filters, not both", "memos export --tag TAG")
    with state.open() as memos:
        filter = None if ids else make_filter(memos, state.view, wanted)
        with _destination(output, to or (), state.output) as stream:
            made = memos.export(
                read_ids(ids or []), stream=stream, filter=filter, format=format, up_to=up_to, signed=sign
            )
    report = state.output
    if output != "-":
        if report.json:
            report.record({"file": output, **asdict(made)})
        else:
            report.text(f"{counted(made.memories, 'memory')}, sha256 {made.sha256}")
    for note in made.notes:
        report.note(f"note: {note}")
    for why, count in made.held_back.items():
        report.note(f"note: {counted(count, 'memory is', 'memories are')} not exported: {why}")


@contextmanager
def _destination(name: str, recipients: Sequence[str], output: Output) -> Iterator[IO[bytes]]:
    """Yield what an export is written to: the file ``name`` or standard output, as it comes where it can.

    What a terminal shows is cleaned first, and what is encrypted for ``recipients`` is so as a whole.
    """
    if recipients or (name == "-" and sys.stdout.isatty()):
        whole = io.BytesIO()
        yield whole
        data = whole.getvalue()
        if recipients:
            from memos_cli.interface.share.signing import seal

            data = seal(data, recipients)
        if name == "-":
            output.data(data)
        else:
            write_output(Path(name), data)
    elif name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with open_output(Path(name)) as stream:
            yield stream
