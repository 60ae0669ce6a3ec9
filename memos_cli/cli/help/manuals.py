"""``memos man``: a manual page for each command, from its help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from memos_cli import __version__
from memos_cli.cli.context import State
from memos_cli.cli.help_layout import EXIT_CODES, describe_parameters
from memos_cli.cli.shared_options import arg
from memos_cli.errors import MemosError


def write_manuals(
    state: State,
    folder: Annotated[str, arg("DIR", "Folder for the pages, such as ~/.local/share/man/man1.")],
) -> None:
    """Write a manual page for each command, for man.

    Example:
      memos man ~/.local/share/man/man1
      man memos-search
    """
    from memos_cli.files import forbid_vault, write_whole
    from memos_cli.folders import expand_home

    target = expand_home(folder)
    forbid_vault(target / "memos.1")
    count = 0
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in pages():
            write_whole(target / f"{name}.1", text.encode())
            count += 1
    except OSError as error:
        hint = "name a folder that you can write to"
        raise MemosError(f"{target}: {error.strerror or error}", hint) from error
    state.output.result({"folder": str(target), "pages": count}, f"wrote {count} pages to {target}")


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the roff text of each page (man-pages(7), man(7))."""
    import typer.main

    from memos_cli.cli.app import build

    root: Any = typer.main.get_command(build())
    yield from _walk(root, typer.Context(root, info_name="memos"))


def _walk(command: Any, ctx: Any) -> Iterator[tuple[str, str]]:
    commands = getattr(command, "commands", {})
    below = [(name, each) for name, each in commands.items() if not each.hidden]
    yield ctx.command_path.replace(" ", "-"), _page(command, ctx, [name for name, _ in below])
    for name, each in below:
        yield from _walk(each, type(ctx)(each, parent=ctx, info_name=name))


def _page(command: Any, ctx: Any, below: list[str]) -> str:
    name = ctx.command_path.replace(" ", "-")
    summary, body, example = _read_help(command.help or "")
    lines = [f'.TH "{name.upper()}" "1" "{date.today()}" "memos {__version__}" "memos"', ".SH NAME"]
    lines += [f"{_escape(name)} \\- {_escape(summary[:1].lower() + summary[1:].rstrip('.'))}"]
    usage = " ".join(command.collect_usage_pieces(ctx))
    lines += [".SH SYNOPSIS", f".B {_escape(ctx.command_path)}", _escape(usage), ".SH DESCRIPTION"]
    lines += [_escape(summary), *(line for part in body for line in (".PP", _escape(part)))]
    for title, rows in describe_parameters(command, ctx):
        lines += _list(title.upper(), [(f".B {_escape(names)}", about) for names, about in rows])
    pages = [(f".BR {_escape(f'{name}-{each}')} (1)", each) for each in below]
    shorts = [(page, command.commands[each].get_short_help_str(1000)) for page, each in pages]
    lines += _list("COMMANDS", shorts)
    if example:
        lines += [".SH EXAMPLES", ".nf", *map(_escape, example), ".fi"]
    if ctx.parent is None:
        lines += _list("EXIT STATUS", [(f".B {code}", meaning) for code, meaning in EXIT_CODES.items()])
    else:
        lines += [".SH SEE ALSO", f".BR {_escape(name.rpartition('-')[0] or 'memos')} (1)"]
    return "\n".join(lines) + "\n"


def _list(title: str, rows: list[tuple[str, str]]) -> list[str]:
    """Return a section with a paragraph for each row: its heading in roff, and its text."""
    paragraphs = [line for heading, text in rows for line in (".TP", heading, _escape(text))]
    return [f".SH {_escape(title)}", *paragraphs] if rows else []


def _read_help(text: str) -> tuple[str, list[str], list[str]]:
    """Return the summary, the other paragraphs and the lines of the example of a command's help."""
    text, _, example = text.partition("\b\nExample:\n")
    summary, *body = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    return summary, body, [line.strip() for line in example.splitlines() if line.strip()]


def _escape(text: str) -> str:
    """Return ``text`` for roff: no backslash, dash, quote or first sign of a line has a meaning."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    text = re.sub(r"[^\x00-\x7f]", lambda match: f"\\[u{ord(match[0]):04X}]", text)
    return f"\\&{text}" if text.startswith((".", "'")) else text
