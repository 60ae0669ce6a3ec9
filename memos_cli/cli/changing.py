"""Commands that change memories: edit, tag, forget."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

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
from memos_cli.cli.inputs import decode_input, read_ids, read_stdin
from memos_cli.cli.looking import Id
from memos_cli.cli.output import Output, excerpt
from memos_cli.counts import counted
from memos_cli.errors import Conflict, UsageError

if TYPE_CHECKING:
    from memos_cli.interface.results import Edited, Forgotten

Ids = Annotated[
    list[str], typer.Argument(metavar="ID…", help="Ids, or their beginnings; - reads them from stdin.")
]


def register(app: typer.Typer) -> None:
    for command in (edit, tag, forget):
        app.command()(with_global_options(command))


def edit(
    ctx: typer.Context,
    id: Id,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="The new text, or - for stdin.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The new title.")] = None,
) -> None:
    """Change a memory. It gets a new version; the old one stays in its history.

    Without --text or --title it opens $VISUAL or $EDITOR.

    \b
    Example:
      memos edit 01K3ZQ
      memos edit 01K3ZQ --text "The staging database listens on port 5434."
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        if text == "-":
            text = decode_input(output, read_stdin(), "stdin").rstrip("\n")
        seen = 0
        if text is None and title is None:
            cube = memos.show(id).cube
            text, seen = _edit_in_editor(output, cube.text, memos.folder), cube.version
        try:
            edited = memos.edit(id, text=text, title=title, seen=seen)
        except Conflict:
            output.failure(text or "")  # keep what the user typed
            raise
    tell_edited(output, edited)
    for note in edited.notes:
        output.note(f"note: {note}")


def tell_edited(output: Output, edited: Edited) -> None:
    """What an edit, or a way back, came to."""
    if output.json:
        output.record(asdict(edited))
    else:
        output.text(f"{edited.id}  version {edited.version}" + ("" if edited.changed else "  unchanged"))


def tell_changed(output: Output, cubes: int, changed: int) -> None:
    """How many of the named memories were changed."""
    if output.json:
        output.record({"cubes": cubes, "changed": changed})
    else:
        output.text(f"changed {changed} of {cubes}")


def _edit_in_editor(output: Output, text: str, vault: Path) -> str:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor or not sys.stdin.isatty():
        raise UsageError(
            "there is no editor to open", "use --text TEXT, or --text - with stdin, or set EDITOR"
        )
    import shlex
    import subprocess

    from memos_cli.infrastructure.storage.scratch import scratch_folder

    with scratch_folder(vault) as folder:
        file = folder / "memory.txt"
        file.touch(0o600)
        file.write_bytes(text.encode())  # as bytes: its line ends stay what they are
        try:
            status = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
        except OSError as error:
            raise UsageError(
                f"{editor}: {error.strerror}", "set EDITOR to an editor that is installed"
            ) from error
        if status != 0:
            raise UsageError(f"{editor} ended with {status}; nothing was changed", "")
        new = decode_input(output, file.read_bytes(), "the edited text")
    # Editors end a file with a newline; the memory's own end is kept.
    return new if text.endswith("\n") else new.rstrip("\n")


def tag(
    ctx: typer.Context,
    ids: Ids,
    add: Annotated[list[str] | None, typer.Option("--add", "-a", metavar="TAG", help="Add this tag.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", "-r", metavar="TAG", help="Remove this tag.")
    ] = None,
) -> None:
    """Add tags to memories, or remove them. Tags may be paths: work/climate.

    \b
    Example:
      memos tag 01K3ZQ 01K3ZR --add work/climate --remove inbox
    """
    if not add and not remove:
        raise UsageError("no tag was given", "use --add TAG or --remove TAG")
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        done = memos.tag(read_ids(ids), add or [], untag=remove or [])
    tell_changed(output, done.cubes, done.changed)


def forget(
    ctx: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Ids, or - for stdin.")] = None,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    view: View = None,
) -> None:
    """Remove memories with all their versions, vectors and saved states. It cannot be undone.

    Adapters that were trained on one of them lose their weights; promote the other memories again. Name
    memories by id, or select them with filters. Their source stays as it is; only `memos ingest --reread`
    brings them back.

    \b
    Example:
      memos forget 01K3ZQ --dry-run
      memos forget --tag old-job --yes
    """
    state = state_of(ctx)
    output = state.output
    wanted = Restriction(tag, type, source, after, before)
    filtered = bool(wanted) or bool(state.view)
    if bool(ids) == filtered:
        raise UsageError("nothing was named to forget" if not ids else "ids and filters do not go together",
                         "give ids, or filters such as --tag")  # fmt: skip
    with state.open() as memos:
        filter = make_filter(memos, state.view, wanted) if filtered else None
        is_preview = dry_run or not yes
        gone = memos.forget(read_ids(ids or []), filter=filter, dry_run=is_preview)
        if is_preview and not dry_run and gone.cubes:
            _confirm(output, gone)
            # Forget exactly what was shown, even if other memories match the filter by now.
            gone = memos.forget([cube.id for cube in gone.cubes], dry_run=False, exactly=True)
    if filtered and not gone.cubes:
        output.note("note: no memory matches the filters; nothing was forgotten")
    if output.json:
        ids_gone = [cube.id for cube in gone.cubes]
        output.record(
            {
                "ids": ids_gone,
                "versions": gone.versions,
                "vectors": gone.vectors,
                "dry_run": gone.dry_run,
                "states": list(gone.states),
                "adapters": list(gone.adapters),
                "settled": gone.settled,
                **({"published": list(gone.published)} if gone.published else {}),
                **({"backups": list(gone.backups)} if gone.backups else {}),
            }
        )
        return
    if dry_run:
        _list_gone(output, gone)
    named = Counter(cube.payload for cube in gone.cubes)
    more = ""
    if states := len(gone.states) + named["activation"]:
        more += f", {counted(states, 'state')}"
    if named["parametric"]:
        more += f", {counted(named['parametric'], 'adapter')}"
    if gone.adapters:
        more += f", the weights of {counted(len(gone.adapters), 'adapter')}"
    verb = "would forget" if dry_run else "forgot"
    output.text(
        f"{verb} {counted(named['plaintext'], 'memory')}, {counted(gone.versions, 'version')}, "
        f"{counted(gone.vectors, 'vector')}{more}"
    )
    if not gone.settled:
        output.note(
            "note: the vault is in use, or the disk is full: some of their bytes remain until the next"
            " `memos forget`"
        )
    for name in gone.published:
        output.note(
            f"note: the publication {name} still contains the text; withdraw it: memos publish {name}"
        )
    for folder in gone.backups:
        output.note(
            f"note: snapshots in {folder} may still contain the text; to remove them:"
            f" memos backup {quote(folder)} --keep-last 1"
        )
    if gone.adapters and not dry_run:
        output.note(f"note: to train them without what was forgotten: memos show {gone.adapters[0]}")


def _confirm(output: Output, gone: Forgotten) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"{counted(len(gone.cubes), 'memory')} would be forgotten",
            "add --yes to do it, --dry-run to see them",
        )
    _list_gone(output, gone)
    if not output.confirm(f"Forget {counted(len(gone.cubes), 'memory')} for good?"):
        raise UsageError("nothing was forgotten", "")


def _list_gone(output: Output, gone: Forgotten) -> None:
    for cube in gone.cubes:
        output.text(f"{cube.id}  {excerpt(cube.text or cube.title, 80)}")
    for id in gone.adapters:
        output.text(f"{id}  adapter: loses its weights")
