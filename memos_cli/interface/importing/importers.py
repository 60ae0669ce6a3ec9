"""Memories from elsewhere: what other programs export, as drafts of cubes.

``open_export`` opens a file, a folder or a zip archive without unpacking it; ``recognise`` tells what it is;
each kind has a reader that yields ``Bundle``s, one for each conversation, store or note, with a Fault for
each record that cannot be taken. Nothing that was exported is executed, and nothing is written to disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from memos_cli.errors import UsageError, require_known
from memos_cli.interface.importing.archives import Export, open_export
from memos_cli.interface.importing.chats import read_chatgpt, read_claude
from memos_cli.interface.importing.entries import Bundle
from memos_cli.interface.importing.memcube import read_memos
from memos_cli.interface.importing.memory_exports import read_letta, read_mcp, read_mem0
from memos_cli.interface.importing.note_exports import read_notes
from memos_cli.interface.importing.plain_files import read_plain
from memos_cli.interface.importing.programs.table import PROGRAMS, read_program
from memos_cli.interface.importing.recognition import recognise

__all__ = ["BUNDLE", "IMPORTS", "LINES", "Bundle", "Export", "kind_of", "open_export", "recognise"]

BUNDLE, LINES = "mip", "jsonl"
"""What `memos export` writes: they have no reader here, for they come in as they are (see ``exchange``)."""

IMPORTS: dict[str, Callable[[Export], Iterator[Bundle]]] = {
    "chatgpt": read_chatgpt,
    "claude": read_claude,
    "mem0": read_mem0,
    "memos": read_memos,
    "letta": read_letta,
    "notes": read_notes,
    "mcp": read_mcp,
    "plain": read_plain,
    **{kind: partial(read_program, kind=kind) for kind in PROGRAMS},
}


def kind_of(export: Export, kind: str = "") -> str:
    """Return the kind of an export: ``kind``, or the detected one. Raises UsageError for an unknown one."""
    known = (*IMPORTS, BUNDLE, LINES)
    if kind:
        require_known("kind of export", kind, known)
    if not (found := kind or recognise(export)):
        raise UsageError(
            f"{export.path} is not a known export",
            f"name its kind: --from {'|'.join(IMPORTS)}; `memos ingest` takes text, Markdown and JSON",
        )
    return found
