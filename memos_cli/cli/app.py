"""The ``memos`` command: its global options, its commands, and how failures end it."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Annotated, NoReturn

import typer

from memos_cli import __version__
from memos_cli.cli.context import View, find_damage, with_global_options
from memos_cli.cli.output import clean, to_json
from memos_cli.errors import Damaged, MemosError

EXIT_CODES = """\b
Exit codes: 0 ok, also when nothing was found · 1 failed, or check found a problem · 2 usage
3 partly done · 10 no vault · 11 locked · 12 damaged · 13 vault newer than this program
14 refused by policy · 15 model missing or unfit · 130/143 interrupted"""

FAMILIES = {
    "keeping": ("init", "ingest", "embed"),
    "exchanging": ("import", "export"),
    "publishing": ("publish", "subscribe", "update", "unsubscribe"),
    "asking": ("search", "query"),
    "looking": ("list", "show", "history", "stats", "config", "models", "check"),
    "changing": ("edit", "tag", "forget"),
    "standing": ("archive", "restore", "expire", "freeze", "unfreeze", "diff", "rollback"),
    "linking": ("link", "unlink", "merge", "slice"),
    "promoting": ("promote", "demote", "pin", "unpin"),
    "distilling": ("gate",),
    "guarding": ("mark", "review"),
    "backing": ("backup", "restore-vault"),
    "maintaining": ("maintain", "conflicts", "cron"),
    "sharing": ("grant", "revoke", "access", "group", "task", "token"),
    "views": ("view",),
    "auditing": ("audit",),
    "signing": ("key",),
    "mcp": ("mcp",),
    "benching": ("bench",),
}
"""The modules of ``memos_cli.cli`` and the commands that each adds."""


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line, with at least the commands that ``arguments`` may mean: of none, with all.

    Each command costs milliseconds to set up, and one invocation runs one of them.
    """
    app = typer.Typer(
        name="memos",
        help="Memory for local language models: keep what you know, find it, and ask a model about it.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(options)
    if {"-h", "--help"} & {*arguments[:1]}:
        arguments = ()
    named = [family for family, commands in FAMILIES.items() if not {*commands}.isdisjoint(arguments)]
    for family in named or FAMILIES:
        import_module(f"memos_cli.cli.{family}").register(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"memos {__version__}")  # noqa: T201 (the whole result)
        raise typer.Exit


@with_global_options
def options(
    view: View = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The options before the command: those of every command, and these."""


def main() -> NoReturn:
    """Run the command line. This is the one place where an exception becomes an exit code."""
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding lacks is no reason to fail; pipes and files are UTF-8 everywhere.
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
    try:
        # Completion asks about any command, by environment variables.
        build(() if "_MEMOS_COMPLETE" in os.environ else sys.argv[1:])()
    except MemosError as error:
        _fail(str(error), error.hint, error.code)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _fail("the disk is full; what was stored before is safe", "free some space and try again", 1)
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", "", 1)
    except UnicodeEncodeError:
        _fail("an argument is not valid UTF-8", "type it again, or use stdin", 2)
    except OverflowError:
        _fail("a number or a time is too large", "", 2)
    except Exception as error:  # noqa: BLE001 (said without a traceback, as the last resort)
        if damage := find_damage():  # a value that no write leaves, where the code expects another
            _fail(damage, "`memos check` lists all of it; restore a backup", Damaged.code)
        _fail(  # a bug of ours
            f"internal error: {type(error).__name__}: {error}", "run it again with --debug, and report it", 1
        )
    sys.exit(0)


def _open_missing_streams() -> None:
    """Give the standard streams that the caller has closed (``>&-``) to nothing, as files of their number.

    Left closed, the next file that is opened would take the number, and be written to as if it were one.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Leave through every open block, so that a transaction in the making is undone."""
    raise SystemExit(128 + number)


def _fail(message: str, hint: str, code: int) -> NoReturn:
    if "--debug" in sys.argv:
        import traceback

        traceback.print_exc()
    if "--json" in sys.argv:
        text = to_json({"error": {"message": message, "hint": hint, "code": code}})
    else:
        text = clean(f"memos: {message}" + (f"\n  try: {hint}" if hint else ""))
    sys.stderr.write(text + "\n")
    sys.exit(code)
