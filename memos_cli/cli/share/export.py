"""``memos export``."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.help_layout import OUTPUT
from memos_cli.cli.output import Output
from memos_cli.cli.shared_options import Selection, opt
from memos_cli.counts import counted
from memos_cli.errors import UsageError
from memos_cli.files import open_output, write_output


def export(
    state: State,
    selection: Selection,
    file: Annotated[str, opt("--output -o FILE", "Write to FILE.", OUTPUT)] = "-",
    format: Annotated[
        str,
        opt("--format FORMAT", "mip (all of it), jsonl, …; `memos plugins` lists them.", OUTPUT),
    ] = "mip",
    up_to: Annotated[
        str, opt("--up-to LEVEL", "Highest sensitivity to export. Default: sensitivity.export.")
    ] = "",
    sign: Annotated[bool, opt("--sign", "Sign it with your key (`memos key`).")] = False,
    to: Annotated[list[str] | None, opt("--to RECIPIENT", "Encrypt it for age1…; repeat for more.")] = None,
) -> None:
    """Export memories for another vault or program.

    Without ids and filters, it exports all. A bundle (mip) contains every version, tags, links, and which
    saved states to make again. The same content gives the same bytes, and `memos import` restores it
    unchanged.

    Example:
      memos export -o memories.mip
      memos export --tag work --format markdown > work.md
      memos export --view team --sign --to age1… -o team.mip
    """

    if not file:
        raise UsageError("the name of the file is empty", "memos export -o FILE")
    output = state.output
    with state.open() as memos:
        ids, filter = selection.read(memos)
        with _destination(file, to or (), output) as stream:
            made = memos.export(ids, stream=stream, filter=filter, format=format, up_to=up_to, signed=sign)
    if file != "-":
        lines = f"{counted(made.memories, 'memory')}, sha256 {made.sha256}"
        output.result({"file": file, **asdict(made)}, lines)
    output.notes(made.notes)
    for why, count in made.held_back.items():
        output.note(f"note: {counted(count, 'memory is', 'memories are')} not exported: {why}")


@contextmanager
def _destination(name: str, recipients: Sequence[str], output: Output) -> Iterator[IO[bytes]]:
    """Yield the stream for an export: the file ``name`` or standard output, unbuffered if possible.

    Text for a terminal is cleaned first; encryption for ``recipients`` needs the whole export too.
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
