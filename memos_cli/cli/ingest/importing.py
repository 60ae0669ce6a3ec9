"""``memos import``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.ingest.source_options import READING, SourceOptions, report_rest
from memos_cli.cli.output import counts, local_time, time_of
from memos_cli.cli.shared_options import DryRun, arg, opt
from memos_cli.counts import counted, sized
from memos_cli.errors import UsageError, require_known

if TYPE_CHECKING:
    from memos_cli.interface.importing.import_job import Imported
    from memos_cli.interface.memory import Memos

SHOWN = 20
"""Sources that a dry run lists one by one."""
_BUNDLE = "Bundles of memos"
"""Section of the options for bundles (mip)."""


@dataclass(frozen=True, slots=True)
class _Options(SourceOptions):
    """The options with which ``memos import`` reads and stores an export."""

    trust: Annotated[bool, opt("--trust", "Trust its signer from now on.", _BUNDLE)] = False
    identity: Annotated[str, opt("--identity FILE", "age key file that decrypts it.", _BUNDLE)] = ""
    with_grants: Annotated[
        bool, opt("--with-grants", "Apply its grants to memories that are new here.", _BUNDLE)
    ] = False
    date_order: Annotated[
        str, opt("--date-order ORDER", "Dates such as 3/4/26: dmy, mdy or ymd. Default: detect it.", READING)
    ] = ""
    reread: Annotated[bool, opt("--reread", "Bring back memories that you forgot.")] = False
    dry_run: DryRun = False


def import_(
    state: State,
    path: Annotated[Path | None, arg("[PATH]", "A file, a folder or a zip archive; - for stdin.")] = None,
    kind: Annotated[
        str,
        opt(
            "--from KIND",
            "chatgpt, claude, mem0, …; `memos plugins` lists them. Default: detect it.",
            READING,
        ),
    ] = "",
    discover: Annotated[
        bool, opt("--discover", "List the conversations on this machine; import nothing.")
    ] = False,
    *,
    options: _Options,
) -> None:
    """Import conversations and memories of other programs.

    It reads exports of ChatGPT, Claude, Telegram, WhatsApp, Slack, Google Keep, mem0, MemOS, Letta, MCP's
    memory server and memos. It also reads mailboxes, Markdown notes, OPML, CSV and JSON lines, and the
    conversations of coding agents and chat programs; `--discover` lists those on this machine. Memories that
    exist already are not stored again, so you can import a newer export after an older one. Memories that did
    not come from this export stay unchanged. Archives are read without unpacking; nothing in them is
    executed.

    Exit codes: 3 if some of it cannot be imported, 14 if a signature or a right is missing.

    Example:
      memos import ~/Downloads/chatgpt-export.zip --dry-run
      memos import --discover
      memos import ~/.claude/projects --quarantine
      memos export --tag team | memos import - --vault ~/team
    """
    if options.date_order:
        require_known("date order", options.date_order, ("dmy", "mdy", "ymd"))
    output = state.output
    if discover:
        _discover(state, path)
        return
    if path is None:
        raise UsageError("the path to import is missing", "memos import PATH, or memos import --discover")
    with state.open() as memos:
        wanted = options.read(memos, reread=options.reread)
        with (
            _file_of(path, memos) as file,
            output.progress("memories", "vectors") as (count_drafts, count_vectors),
        ):
            made = memos.import_export(
                file, options=wanted, kind=kind, embed=options.embed, dry_run=options.dry_run,
                trust=options.trust, identity=options.identity, with_grants=options.with_grants,
                date_order=options.date_order, on_drafts=count_drafts, on_vectors=count_vectors,
                on_source=output.detail,
            )  # fmt: skip
    sources = [dict(zip(("uri", "title", "memories"), each, strict=True)) for each in made.sources]
    known = {"kind": made.kind, "sources": sources, "links": made.links, "pinned": made.pinned}
    record = {**known, "dry_run": options.dry_run, **asdict(made.done)}
    output.result(record, *_lines(made, options.dry_run))
    report_rest(state, made.done, partly=bool(made.sources))


def _discover(state: State, path: Path | None) -> None:
    """List the conversations of programs on this machine."""
    from memos_cli.interface.importing.programs.discovery import discover

    if path is not None:
        raise UsageError(
            "--discover looks in the usual folders of programs; it takes no PATH", "memos import PATH"
        )
    state.output.listing(
        discover(),
        lambda each: {**asdict(each), "first": time_of(each.first), "last": time_of(each.last)},
        "program, conversations, oldest, newest, size, import with",
        lambda each: (
            each.program, each.conversations, local_time(each.first)[:10], local_time(each.last)[:10],
            sized(each.bytes), each.problem or each.command,
        ),
        empty="no conversations in the usual folders of known programs; to import others: memos import PATH",
    )  # fmt: skip


def _lines(made: Imported, dry_run: bool) -> Iterator[str]:
    count = sum(memories for _, _, memories in made.sources)
    yield f"{made.kind}: {counted(count, 'memory')} of {counted(len(made.sources), 'source')}"
    if not dry_run:
        yield counts(made.done, "added versions unchanged embedded")
        return
    for uri, title, memories in made.sources[:SHOWN]:
        yield f"  {memories:6} {title or uri}"
    if (more := len(made.sources) - SHOWN) > 0:
        yield f"  and {more} more"


@contextmanager
def _file_of(path: Path, memos: Memos) -> Iterator[Path]:
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
    """Return the file name ending that fits this content: it helps to recognise what it is."""
    if data.startswith(b"SQLite format 3\0"):
        return ".db"
    start, *rest = data.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)
    if start.startswith((b"{", b"[")):
        try:
            is_line = isinstance(json.loads(start), dict)
        except (ValueError, RecursionError):
            is_line = False
        return ".jsonl" if is_line and rest and rest[0].strip() else ".json"
    return ".opml" if b"<opml" in data[:1000] else ".csv" if b"," in start else ""
