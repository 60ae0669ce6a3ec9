"""The output of results: text for a person, tab-separated lines or JSON for a program.

stdout is the result and nothing else. Notes go to stderr. Text from memories or files is shown to a
terminal without its control characters: they could move the cursor, or worse.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from typing import TypeVar

from memos_cli.counts import counted
from memos_cli.errors import UsageError
from memos_cli.moments import format_time
from memos_cli.zones import show_time

T = TypeVar("T")
_BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
"""Bidirectional embeddings, overrides and isolates: a terminal shows such text in another order."""
_CONTROLS = {code: None for code in [*range(32), *range(127, 160), *_BIDI] if chr(code) not in "\n\t"}
_ESCAPES = {code: f"\\u{code:04x}" for code in [*range(127, 160), *_BIDI]}
"""json.dumps escapes the first 32 control characters."""


@dataclass(slots=True)
class Output:
    """The format and the streams of output. ``json``, ``quiet`` and ``verbose`` are the user's flags."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False

    def record(self, value: object) -> None:
        """Print a mapping or a data class as one JSON object on a line of its own."""
        _write(to_json(asdict(value) if is_dataclass(value) else value) + "\n")  # type: ignore[arg-type]

    def text(self, text: str, *, end: str = "\n") -> None:
        """Print text as it is; to a terminal, without control characters."""
        _write((clean(text) if self.on_terminal else text) + end)

    def lines(self, lines: Iterable[str]) -> None:
        """Print each line."""
        for line in lines:
            self.text(line)

    def data(self, data: bytes) -> None:
        """Write the bytes of a file; to a terminal, as text without control characters.

        Raises UsageError for binary data on a terminal.
        """
        if self.on_terminal:
            if b"\0" in data:
                raise UsageError("the output is binary data; a terminal cannot show it", "-o FILE")
            self.text(data.decode("utf-8", "replace"), end="")
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print columns for a person, or a line of tab-separated values per row for a program.

        A person sees as much as fits the terminal; a program gets all of it, on one line.
        """
        cells = [[clean("" if cell is None else str(cell)) for cell in row] for row in rows]
        if not self.on_terminal:
            _write("".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in cells))
        elif rows:
            from memos_cli.cli.tables import print_table

            print_table(headers, cells)

    def result(self, record: object, *lines: str, quiet: bool = False) -> None:
        """Print ``record`` with ``--json``, else ``lines``; with ``quiet``, ``--quiet`` prints no lines."""
        if self.json:
            self.record(record)
        elif not (quiet and self.quiet):
            self.lines(lines)

    def listing(
        self,
        values: Iterable[T],
        record: Callable[[T], object],
        headers: str,
        cells: Callable[[T], Sequence[object]],
        *,
        empty: str | Callable[[], str] = "",
    ) -> None:
        """Print the record of each value with ``--json``, else a table of their cells, below ``headers``.

        ``empty`` is the note for a person if there are no values: what to type to make one.
        """
        if self.json:
            for value in values:
                self.record(record(value))
            return
        rows = [cells(value) for value in values]
        self.table(headers.split(", "), rows)
        if not rows and (note := empty if isinstance(empty, str) else empty()):
            self.note(note)

    @property
    def on_terminal(self) -> bool:
        """Return whether standard output is a terminal."""
        return sys.stdout.isatty()

    def note(self, text: str) -> None:
        """Print something the user should know that is not part of the result."""
        if not self.quiet:
            sys.stderr.write(clean(text) + "\n")

    def hint(self, text: str) -> None:
        """Print a note for a person: not with ``--json``."""
        if not self.json:
            self.note(text)

    def detail(self, text: str) -> None:
        """Print a note that only ``--verbose`` shows."""
        if self.verbose:
            self.note(text)

    def notes(self, notes: Iterable[str], about: str = "") -> None:
        """Print each note, with what it is ``about``."""
        for note in notes:
            self.note(f"note: {about}: {note}" if about else f"note: {note}")

    def note_quarantine(self, count: int, of: str = "") -> None:
        """Print how many memories (``of`` a feed) are in quarantine, if any."""
        if count:
            waiting = counted(count, f"memory{of} is", f"memories{of} are")
            self.note(f"note: {waiting} in quarantine until you approve them: memos quarantine")

    def failure(self, text: str) -> None:
        """Print an error that does not end the command, also with ``--quiet``: cron mails it."""
        sys.stderr.write(clean(text) + "\n")

    def require_yes(self, doing: str, hint: str, lines: Iterable[str], question: str, refused: str) -> None:
        """Show the planned changes, and ask. Raises UsageError without a terminal, and for any answer but
        yes.
        """
        if not sys.stdin.isatty():
            raise UsageError(doing, hint)
        for line in lines:
            (self.failure if self.json else self.text)(line)  # JSON alone is the result
        if not self.confirm(question):
            raise UsageError(refused, "")

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question on the terminal; return whether the answer is yes."""
        sys.stderr.write(clean(f"{question} [y/N] "))
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self, *labels: str) -> Iterator[list[Callable[[int], None]]]:
        """Show a counter on stderr for each label while the block runs; silent unless on a terminal."""
        if self.quiet or not sys.stderr.isatty():
            yield [lambda count: None for _ in labels]
            return
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.completed:,.0f}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

            def counter(label: str) -> Callable[[int], None]:
                task = bar.add_task(label, total=None, visible=False)
                return lambda count: bar.update(task, advance=count, visible=True)

            yield [counter(label) for label in labels]

    @contextmanager
    def phases(
        self,
    ) -> Iterator[tuple[Callable[[str, int], None], Callable[[int], None], Callable[[str], None]]]:
        """Show a bar on stderr for work in phases; yield how to start one, count its parts, and add text."""
        if self.quiet or not sys.stderr.isatty():
            yield (lambda name, whole: None, lambda count: None, lambda text: None)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[more]}"),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            tasks = [bar.add_task("", total=None, more="", visible=False)]

            def start(name: str, whole: int) -> None:
                bar.update(tasks[-1], visible=False)
                tasks.append(bar.add_task(name, total=whole, more=""))

            yield (
                start,
                lambda count: bar.update(tasks[-1], advance=count),
                lambda text: bar.update(tasks[-1], more=text),
            )


def _write(text: str) -> None:
    """Write to stdout and flush: a full disk or a closed pipe is reported here, not at the very end."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer goes nowhere: Python would fail again to write it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # as in `memos list | head`
            raise SystemExit(141) from None
        raise


def clean(text: str) -> str:
    """Remove control characters, other than newlines and tabs, and bidirectional controls from ``text``."""
    return text.translate(_CONTROLS)


def to_json(value: object) -> str:
    """Return ``value`` as JSON on one line: letters as they are, control characters escaped."""
    return json.dumps(value, ensure_ascii=False).translate(_ESCAPES)


def excerpt(text: str, width: int = 100) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def local_time(time: int | None) -> str:
    """Return a time for a person, in the local zone; "" for none."""
    return show_time(time) if time else ""


def time_of(time: int | None) -> str | None:
    """Return a time for a program, in UTC; None for none."""
    return None if time is None else format_time(time)


def counts(value: object, names: str) -> str:
    """Return these numbers of ``value`` on one line: "added 2  versions 0"."""
    return "  ".join(f"{name} {getattr(value, name)}" for name in names.split())


def aligned(facts: Mapping[str, object]) -> list[str]:
    """Return a line for each fact: its name, then its value in one column."""
    width = max(map(len, facts), default=0)
    return [f"{name:<{width}}  {value}" for name, value in facts.items()]
