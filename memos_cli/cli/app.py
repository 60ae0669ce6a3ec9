"""The ``memos`` command: its construction, and the exit codes of failures."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from memos_cli import __version__
from memos_cli.cli.agents import hook_guard
from memos_cli.cli.commands import COMMANDS, GROUPS, HIDDEN, OLD
from memos_cli.cli.context import find_damage, leave
from memos_cli.cli.help_layout import GENERAL, AccessGroup, Command, Group, UnknownCommand, nearest
from memos_cli.cli.output import clean, to_json
from memos_cli.cli.shared_options import View, opt, with_options
from memos_cli.errors import Damaged, MemosError

HELP = "Memory for local language models: store what you know, search it, and ask a model about it."
_CLICK_ERROR: Any = typer.BadParameter.__mro__[2]
"""Click's base class of usage errors, which Typer does not export."""
_INTERNAL = "internal error"
_WORDS = {
    "not a valid int range": "not a whole number",
    "not a valid int": "not a whole number",
    "not a valid float range": "not a number",
    "not a valid float": "not a number",
}
"""Click's words, and plain ones."""


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the command line, with at least the commands that ``arguments`` may mean: of none, with all.

    Each command costs milliseconds to set up, and one invocation runs one of them.
    """
    app = _group(
        name="memos",
        help=HELP,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(with_options(options))
    words = {*arguments} if not {"-h", "--help"} & {*arguments[:1]} else set()
    words |= {OLD[word][0] for word in words & OLD.keys()}
    paths = {path for commands in COMMANDS.values() for path in commands}
    known = words & {path.split()[0] for path in paths}
    groups = {"": app}
    for heading, commands in COMMANDS.items():
        for path, place in commands.items():
            if known and path.split()[0] not in known:
                continue
            above, _, name = path.rpartition(" ")
            module, _, function = place.partition(":")
            command = with_options(getattr(import_module(f"memos_cli.cli.{module}"), function))
            if any(each.startswith(f"{path} ") for each in paths):  # a command with others below it
                _add_group(groups, path, heading).callback(invoke_without_command=True)(command)
            else:
                parent = groups.get(above) or _add_group(groups, above, heading)
                parent.command(name, cls=Command, rich_help_panel=heading, hidden=path in HIDDEN)(command)
    return app


def _group(**options: Any) -> typer.Typer:
    cls = options.pop("cls", Group)
    return typer.Typer(
        cls=cls, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
        add_completion=False, **options,
    )  # fmt: skip


def _add_group(groups: dict[str, typer.Typer], path: str, heading: str) -> typer.Typer:
    """Add the group ``path``, below its own group, to ``groups``."""
    above, _, name = path.rpartition(" ")
    parent = groups.get(above) or _add_group(groups, above, heading)
    groups[path] = _group(cls=AccessGroup if path == "access" else Group)
    more: Any = {"no_args_is_help": False}  # a command with others below it has its own help
    if path in GROUPS:
        summary, example = GROUPS[path]
        more = {"help": f"{summary}\n\n\b\nExample:\n  memos {example}"}
    parent.add_typer(groups[path], name=name, rich_help_panel=heading, **more)
    return groups[path]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"memos {__version__}")  # noqa: T201 (the whole result)
        raise typer.Exit


def options(
    view: View = None,
    version: Annotated[
        bool, opt("--version", "Print the version.", GENERAL, callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Read the options before the command: those of every command, and these."""


def main() -> NoReturn:
    """Run the command line. This is the one place where an exception becomes an exit code."""
    if event := hook_guard.event_of(sys.argv[1:]):
        hook_guard.guard(event, main)
    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding lacks is no reason to fail; pipes and files are UTF-8 everywhere.
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
    try:
        app = build(sys.argv[1:])
        sys.exit(app(prog_name="memos", standalone_mode=False) or 0)
    except MemosError as error:
        _fail(str(error), error.hint, error.code)
    except UnknownCommand as error:
        _fail(str(error), error.hint, 2)
    except _CLICK_ERROR as error:
        _fail_usage(error)
    except (typer.Abort, EOFError):
        _fail("interrupted", "", 1)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _fail("the disk is full; what was stored before is safe", "free some space and try again", 1)
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", "", 1)
    except UnicodeEncodeError:
        _fail("an argument is not valid UTF-8", "type it again, or use stdin", 2)
    except OverflowError:
        _fail("a number or a time is too large", "", 2)
    except Exception as error:  # noqa: BLE001 (reported without a traceback, as the last resort)
        if damage := find_damage():  # a value that no write leaves, where the code expects another
            _fail(damage, "`memos check` lists all of it; restore a backup", Damaged.code)
        _fail_unexpectedly(error)
    sys.exit(0)


def _open_missing_streams() -> None:
    """Open the null device for each standard stream that the caller has closed (``>&-``).

    Left closed, the next file that is opened would take its number, and be written to as if it were one.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _fail_unexpectedly(error: Exception) -> NoReturn:
    """Report a bug of ours, with a log file that a bug report can include."""
    from memos_cli.cli.error_log import write_error_log

    message = f"{_INTERNAL}: {type(error).__name__}: {error}"
    hint = "run it again with --debug, and report the error"
    hook_guard.report(reason=f"{_INTERNAL}: {type(error).__name__}")
    if path := write_error_log(error, sys.argv[1:], _names(typer.main.get_command(build()))):
        message += f" (details: {path})"
        hint = f"report the error with {path}; it has no text of yours"
    _fail(message, hint, 1)


def _names(command: Any) -> set[str]:
    """Return the names of a command's options and subcommands, and of theirs."""
    names = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    for name, each in getattr(command, "commands", {}).items():
        names |= {name} | _names(each)
    return {name for name in names if name}


def _fail_usage(error: Any) -> NoReturn:
    """End with a usage error of Click, in the words of memos."""
    ctx = error.ctx
    path = ctx.command_path if ctx else "memos"
    if type(error).__name__ == "NoArgsIsHelpError":  # the message is the help
        sys.stderr.write(f"{error.format_message()}\n")
        sys.exit(error.exit_code)
    if type(error).__name__ == "NoSuchOption":
        names = [name[2:] for each in ctx.command.get_params(ctx) for name in each.opts if name[:2] == "--"]
        near = nearest(error.option_name.lstrip("-"), names) or "help"
        _fail(f"there is no option {error.option_name}", f"{path} --{near}", error.exit_code)
    message = error.format_message().rstrip(".")
    for words, ours in _WORDS.items():
        message = message.replace(words, ours)
    _fail(message[:1].lower() + message[1:], f"{path} --help", error.exit_code)


def _fail(message: str, hint: str, code: int) -> NoReturn:
    if not message.startswith(_INTERNAL):  # it may quote a memory
        hook_guard.report(reason=message)
    if "--debug" in sys.argv:
        import traceback

        traceback.print_exc()
    if "--json" in sys.argv:
        text = to_json({"error": {"message": message, "hint": hint, "code": code}})
    else:
        text = clean(f"memos: {message}" + (f"\n  try: {hint}" if hint else ""))
    sys.stderr.write(text + "\n")
    sys.exit(code)
