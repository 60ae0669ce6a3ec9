"""The layout of ``--help``, and the spellings that a command line accepts.

Typer's Rich layout costs 0.1 s at each start; this one is Click's plain layout with sections.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from memos_cli.cli.commands import COMMANDS, OLD

ANSWER, FILTER, OUTPUT, GENERAL = "Answer", "Filter", "Output", "General"
"""Sections of options that several commands have. The last three stand last."""
_VALUES = {"int": "N", "float": "N", "str": "TEXT", "text": "TEXT", "path": "PATH"}
"""What stands for a value, by the type of the option."""

EXIT_CODES = {
    "0": "Done; also if nothing was found.",
    "1": "Failed, or a check found a problem.",
    "2": "Usage error.",
    "3": "Partly done.",
    "10": "There is no vault.",
    "11": "The vault is locked.",
    "12": "The vault is damaged.",
    "13": "The vault is newer than this program.",
    "14": "Refused by an access rule.",
    "15": "A model is missing or unfit.",
    "130/143": "Interrupted.",
}


class Command(TyperCommand):
    """A command whose help has a section for each kind of option."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)


class Group(TyperGroup):
    """A word with commands below it, listed by heading, each with its whole summary."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        is_root = ctx.parent is None
        headings: dict[str, list[tuple[str, str]]] = {each: [] for each in COMMANDS} if is_root else {}
        for name, command in self.commands.items():
            if not command.hidden:
                heading = getattr(command, "rich_help_panel", None) if is_root else None
                summary = command.get_short_help_str(1000)
                headings.setdefault(heading or "Commands", []).append((name, summary))
        width = max((len(name) for rows in headings.values() for name, _ in rows), default=0)
        for heading, rows in filter(lambda each: each[1], headings.items()):
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in rows])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if ctx.parent is None:
            with formatter.section("Exit codes"):
                formatter.write_dl([*EXIT_CODES.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that ``args`` names, also by an old spelling, and its arguments."""
        if ctx.parent is None and args[0] in OLD:
            args = [*OLD[args[0]], *args[1:]]
        name = args[0]
        if name in self.commands or ctx.resilient_parsing or name.startswith("-"):
            return super().resolve_command(ctx, args)
        path = ctx.command_path
        near = nearest(name, [*self.commands, *(OLD if ctx.parent is None else ())])
        meant = " ".join(OLD.get(near, (near,))) if ctx.parent is None else near
        raise UnknownCommand(f"there is no command {f'{path} {name}'!r}", f"{path} {meant or '--help'}")


class AccessGroup(Group):
    """``memos access``: an id alone, the old spelling, means ``access explain``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            is_option = args[0].startswith("-")  # the group has none: they are those of `explain`
            if is_option or not nearest(args[0], [*self.commands]):
                args = ["explain", *args]
        return super().parse_args(ctx, args)


class UnknownCommand(Exception):
    """A command that does not exist; ``hint`` names the most similar one."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def nearest(name: str, names: list[str]) -> str:
    """Return the name that is most like ``name``, or ""."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, n=1)), "")


def describe_parameters(command: Any, ctx: typer.Context) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the sections of a command's arguments and options, each with rows of names and help.

    The command ``memos`` itself has one section for all.
    """
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    last: dict[str, list[tuple[str, str]]] = {FILTER: [], OUTPUT: [], GENERAL: []}
    for parameter in command.get_params(ctx):
        if parameter.param_type_name == "argument":
            row = parameter.make_metavar(ctx).strip("[]"), parameter.help or ""
            sections["Arguments"].append(row)
        elif not parameter.hidden:
            section = GENERAL if parameter.name == "help" else parameter.rich_help_panel or "Options"
            section = section if ctx.parent else "Options"
            (last if section in last else sections).setdefault(section, []).append(_row(parameter))
    return [(title, rows) for title, rows in (sections | last).items() if rows]


def _write_options(command: Any, ctx: typer.Context, formatter: Any) -> None:
    sections = describe_parameters(command, ctx)
    width = min(28, max(len(name) for _, rows in sections for name, _ in rows))
    for title, rows in sections:
        with formatter.section(title):
            formatter.write_dl([(name.ljust(width), help) for name, help in rows])


def _row(option: Any) -> tuple[str, str]:
    """Return an option's names with its value, and its help with the default."""
    names = ", ".join(sorted(option.opts, key=lambda name: name.startswith("--")))
    if option.secondary_opts:  # as git writes it
        names = names.replace("--", "--[no-]")
    help = option.help or ""
    if option.is_flag:
        return names, help
    value = option.metavar or _VALUES.get(option.type.name.split()[0], "VALUE")
    default = option.default
    if isinstance(default, (str, int, float)) and default and "Default" not in help:
        help += f" Default: {default}."
    return f"{names} {value}", help
