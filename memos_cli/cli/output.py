"""How results reach the user: text for a person, tab-separated lines or JSON for a program.

stdout is the result and nothing else. Notes go to stderr. Text from memories or files is shown to a
terminal without its control characters: they could move the cursor, or worse.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_CONTROLS = {code: None for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


@dataclass(slots=True)
class Output:
    """Where and how to print. ``json``, ``quiet`` and ``verbose`` are the user's flags."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False

    def record(self, value: Mapping[str, object]) -> None:
        """One JSON object on a line of its own."""
        _write(json.dumps(value, ensure_ascii=False) + "\n")

    def text(self, text: str, *, end: str = "\n") -> None:
        """Text as it is; to a terminal, without control characters."""
        _write((clean(text) if sys.stdout.isatty() else text) + end)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Columns for a person, or a line of tab-separated values a row for a program.

        A person sees the beginning of a column headed ``text``; a program gets all of it, on one line.
        """
        cells = [[clean("" if cell is None else str(cell)) for cell in row] for row in rows]
        if not sys.stdout.isatty():
            _write("".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in cells))
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for header in headers:
            # An id must stay whole to be copied; the text gives way first.
            table.add_column(header, overflow="fold", no_wrap=header in ("id", "score", "time"))
        for row in cells:
            shown = (excerpt(c) if header == "text" else c for header, c in zip(headers, row, strict=True))
            table.add_row(*map(Text, shown))
        Console().print(table)

    def listing(
        self, headers: Sequence[str], items: Sequence[tuple[Mapping[str, object], Sequence[object]]]
    ) -> None:
        """A record of each item with ``--json``, else a table: each item is given as both."""
        if self.json:
            for record, _ in items:
                self.record(record)
        else:
            self.table(headers, [row for _, row in items])

    @property
    def on_terminal(self) -> bool:
        """Whether a person reads it as it comes."""
        return sys.stdout.isatty()

    def note(self, text: str) -> None:
        """Something the user should know; not part of the result."""
        if not self.quiet:
            sys.stderr.write(clean(text) + "\n")

    def failure(self, text: str) -> None:
        """Something that was asked for and not done: told even to who wants quiet, as cron does."""
        sys.stderr.write(clean(text) + "\n")

    @contextmanager
    def progress(self, *labels: str) -> Iterator[list[Callable[[int], None]]]:
        """Counters on stderr while the block runs, one for each label; silent unless on a terminal."""
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
        """A bar on stderr for work in phases: (start one of so many parts, parts done, more to say of it)."""
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
    """Write to stdout, now: a full disk or a reader that has left shows here, not at the very end."""
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
    """``text`` without control characters, but for newlines and tabs."""
    return text.translate(_CONTROLS)


def excerpt(text: str, width: int = 100) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
