"""The importers: exports of other programs, as drafts of cubes.

``open_export`` opens a file, a folder or a zip archive without unpacking it; ``find_kind`` detects its kind.
Each kind has an ``Importer``, built in or of a plug-in. Its reader yields a ``Bundle`` for each conversation,
store or note, with a fault for each record that cannot be read. No exported data is executed, and nothing is
written to disk.
"""

from __future__ import annotations

import shlex
from functools import cache, partial
from pathlib import Path

from memos_cli.errors import MemosError, UsageError
from memos_cli.interface import plugins
from memos_cli.interface.importing.archives import Export, open_export
from memos_cli.interface.importing.entries import Bundle, Importer, time
from memos_cli.interface.importing.foreign import guard_importer
from memos_cli.interface.importing.formats.chats import read_chatgpt, read_claude
from memos_cli.interface.importing.formats.mailboxes import MBOX
from memos_cli.interface.importing.formats.memcube import read_memos
from memos_cli.interface.importing.formats.memory_exports import read_letta, read_mcp, read_mem0
from memos_cli.interface.importing.formats.messengers import SLACK, TELEGRAM
from memos_cli.interface.importing.formats.note_exports import KEEP, read_notes
from memos_cli.interface.importing.formats.plain_files import read_plain
from memos_cli.interface.importing.formats.whatsapp import WHATSAPP
from memos_cli.interface.importing.programs.table import PROGRAMS, read_program
from memos_cli.interface.importing.recognition import is_kind, recognise

__all__ = [
    "BUNDLE", "IMPORTS", "LINES", "Bundle", "Export", "Importer", "importer", "kind_of", "open_export",
    "recognise", "time",
]  # fmt: skip

BUNDLE, LINES = "mip", "jsonl"
"""What `memos export` writes: it has no reader here, because it is imported as it is (``import_job``)."""

IMPORTS: dict[str, Importer] = {
    "slack": SLACK,
    "telegram": TELEGRAM,
    "whatsapp": WHATSAPP,
    "keep": KEEP,
    "mbox": MBOX,
    "chatgpt": Importer(read_chatgpt, is_kind("chatgpt"), "ChatGPT: conversations"),
    "claude": Importer(read_claude, is_kind("claude"), "Claude: conversations, projects, memories"),
    "mem0": Importer(read_mem0, is_kind("mem0"), "mem0: memories and their history"),
    "memos": Importer(read_memos, is_kind("memos"), "MemOS: a MemCube"),
    "letta": Importer(read_letta, is_kind("letta"), "Letta: an agent file"),
    "mcp": Importer(read_mcp, is_kind("mcp"), "MCP memory server: entities and relations"),
    "notes": Importer(read_notes, is_kind("notes"), "Markdown notes, such as Obsidian's"),
    "plain": Importer(read_plain, is_kind("plain"), "CSV, JSON lines, outlines (OPML)"),
    **{
        kind: Importer(partial(read_program, kind=kind), is_kind(kind), f"{program.label}: conversations")
        for kind, program in PROGRAMS.items()
    },
}
"""The built-in importers, in the order in which they try to recognise an export."""
GENERAL = ("", "notes", "plain")
"""Kinds of exports that are not of a specific program: plug-ins are tried for them."""


def kind_of(export: Export, kind: str = "") -> str:
    """Return the kind of an export: ``kind``, or the detected one. Raises UsageError for an unknown one."""
    known = (*IMPORTS, BUNDLE, LINES)
    if kind and kind not in known:
        plugins.require_plugin("kind of export", kind, known, *_plugins())
    if not (found := kind or find_kind(export)):
        raise UsageError(
            "; ".join([f"{export.path} is not a known export", *warnings()]),
            f"name its kind: --from {'|'.join(IMPORTS)}; `memos ingest` takes text, Markdown and JSON",
        )
    return found


def find_kind(export: Export) -> str:
    """Return the detected kind of an export: an importer, a plug-in, ``mip`` or ``jsonl``; else ""."""
    for name, each in IMPORTS.items():
        if name not in GENERAL and each.recognises(export):
            return name
    kind = recognise(export)
    if kind in GENERAL:
        return next((name for name, each in _plugins()[0].items() if each.recognises(export)), kind)
    return kind


def other_kinds(export: Export, kind: str) -> list[str]:
    """Return the built-in importers that recognise an export, beside ``kind``: a folder may have several."""
    if len(export.names) < 2 or kind not in IMPORTS:
        return []
    return [
        name for name, each in IMPORTS.items() if name not in (*GENERAL, kind) and each.recognises(export)
    ]


def importer(kind: str) -> Importer:
    """Return the importer of a kind of export: a built-in one, or a plug-in's."""
    return IMPORTS[kind] if kind in IMPORTS else _plugins()[0][kind]


def warnings() -> list[str]:
    """Return warnings about skipped plug-ins, if this process loaded plug-ins."""
    return [each.warning for each in _plugins()[1] if each.warning] if _plugins.cache_info().currsize else []


def known_plugins() -> list[plugins.Plugin]:
    """Load the importers of other packages; return the status of each."""
    return _plugins()[1]


def import_command(path: Path) -> str:
    """Return the command that imports the export of another program or a vault; "" for other files."""
    try:
        with open_export(path) as export:
            kind, is_archive = find_kind(export), export.entries is not None
    except (MemosError, OSError):
        return ""
    is_text = kind in ("", "plain") or (kind == "notes" and not is_archive)
    return "" if is_text else f"memos import {shlex.quote(str(path))}"


@cache
def _plugins() -> tuple[dict[str, Importer], list[plugins.Plugin]]:
    found, known = plugins.load("importer", Importer, (*IMPORTS, BUNDLE, LINES))
    return {name: guard_importer(name, each) for name, each in found.items()}, known
