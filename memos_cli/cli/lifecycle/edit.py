"""Commands that change memories: edit, tag."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.inputs import decode_input, read_ids, read_text
from memos_cli.cli.output import Output
from memos_cli.cli.shared_options import Ids, arg, opt
from memos_cli.errors import Conflict, UsageError

if TYPE_CHECKING:
    from memos_cli.interface.results import Edited, Tagged


def edit(
    state: State,
    ids: Ids,
    text: Annotated[str | None, opt("--text TEXT", "The new text, or - for stdin.")] = None,
    title: Annotated[str | None, opt("--title", "The new title.")] = None,
    expires: Annotated[
        str, opt("--expires WHEN", "When it expires: 30d, 2026-12-31, 'after 3 uses', never.")
    ] = "",
    sensitivity: Annotated[str, opt("--sensitivity LEVEL", "open, personal, confidential or secret.")] = "",
) -> None:
    """Change a memory's text, title, expiry or sensitivity.

    A new text or title makes a new version; the old one stays in its history. Without options, edit opens
    $VISUAL or $EDITOR. An expired memory stays stored, but searches do not find it. A high sensitivity keeps
    a memory out of prompts and adapters (settings sensitivity.prompt and sensitivity.adapter).

    --expires and --sensitivity change many memories at once, one of the two at a time.

    Example:
      memos edit 01K3ZQ
      memos edit 01K3ZQ --text "The staging database listens on port 5434."
      memos edit 01K3ZQ 01K3ZR --expires 30d
      memos list --tag bank --json | jq -r .id | memos edit - --sensitivity confidential
    """
    is_new_version = text is not None or title is not None
    if is_new_version + bool(expires) + bool(sensitivity) > 1:
        raise UsageError(
            "--expires and --sensitivity do not go together with other changes", "run edit once for each"
        )
    if expires:
        return expire(state, ids, expires)
    if sensitivity:
        return mark(state, sensitivity, ids)
    output = state.output
    with state.open() as memos:
        named = ids if text == "-" else read_ids(ids)
        if len(named) != 1:
            raise UsageError("--text and --title change one memory at a time", "memos edit ID --text TEXT")
        (id,), text, seen = named, read_text(output, text), 0
        if not is_new_version:
            cube = memos.show(id).cube
            text, seen = _edit_in_editor(output, cube.text, memos.folder), cube.version
        try:
            edited = memos.edit(id, text=text, title=title, seen=seen)
        except Conflict:
            output.failure(text or "")  # keep what the user typed
            raise
    report_edited(output, edited)
    output.notes(edited.notes)


def expire(
    state: State,
    ids: Ids,
    at: Annotated[str, opt("--at WHEN", "30d, 2026-12-31, 'after 3 uses', or never.")],
) -> None:
    """Set when memories expire. The new spelling is `memos edit --expires`.

    Example:
      memos expire 01K3ZQ --at 30d
    """
    from memos_cli.interface.time.typed_times import read_end

    with state.open() as memos:
        end, uses = read_end(at, memos.now())
        done = memos.expire(read_ids(ids), end, uses=uses)
    report_changed(state.output, done)


def mark(
    state: State,
    level: Annotated[str, arg("LEVEL", "open, personal, confidential or secret.")],
    ids: Ids,
) -> None:
    """Set how sensitive memories are. The new spelling is `memos edit --sensitivity`.

    Example:
      memos mark secret 01K3ZQ
    """
    with state.open() as memos:
        done = memos.mark(read_ids(ids), level)
    report_changed(state.output, done)


def report_edited(output: Output, edited: Edited) -> None:
    """Print the result of an edit or a rollback."""
    unchanged = "" if edited.changed else "  unchanged"
    output.result(edited, f"{edited.id}  version {edited.version}{unchanged}")


def report_changed(output: Output, done: Tagged) -> None:
    """Print how many of the named memories were changed."""
    output.result({"cubes": done.cubes, "changed": done.changed}, f"changed {done.changed} of {done.cubes}")


def _edit_in_editor(output: Output, text: str, vault: Path) -> str:
    """Return ``text`` as the user leaves it in an editor."""
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
    state: State,
    ids: Ids,
    add: Annotated[list[str] | None, opt("--add -a TAG", "Add this tag.")] = None,
    remove: Annotated[list[str] | None, opt("--remove -r TAG", "Remove this tag.")] = None,
) -> None:
    """Add tags to memories, or remove them.

    Tags may be paths: --tag work also finds work/climate.

    Example:
      memos tag 01K3ZQ 01K3ZR --add work/climate --remove inbox
    """
    if not add and not remove:
        raise UsageError("no tag was given", "use --add TAG or --remove TAG")
    with state.open() as memos:
        done = memos.tag(read_ids(ids), add or [], untag=remove or [])
    report_changed(state.output, done)
