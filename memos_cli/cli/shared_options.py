"""Options that several commands take, and the decorator that adds them to a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos_cli.cli.context import State, state_of
from memos_cli.cli.help_layout import FILTER, GENERAL, OUTPUT
from memos_cli.cli.inputs import read_ids, read_time
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cube import Filter
    from memos_cli.interface.memory import Memos


def opt(names: str, help: str, section: str | None = None, *, min: float | None = None, **more: Any) -> Any:
    """Return an option, named as in its help: ``--tag -t TAG``. ``section`` is where the help lists it."""
    words = names.split()
    return typer.Option(
        *[word for word in words if word.startswith("-")],
        metavar=next((word for word in words if not word.startswith("-")), None),
        help=help, rich_help_panel=section, min=min, **more,
    )  # fmt: skip


def arg(name: str, help: str) -> Any:
    """Return an argument; ``[NAME]`` may be left out."""
    return typer.Argument(metavar=name, help=help)


def _global(name: str, kind: Any, names: str, help: str, section: str) -> tuple[Any, Any]:
    """Return a global option and its default. It may stand before or after the command."""

    def store(ctx: typer.Context, value: Any) -> Any:
        if value not in (None, False, ""):
            state_of(ctx).set(name, value)
        return value

    return Annotated[kind, opt(names, help, section, callback=store)], False if kind is bool else None


_TEXTS, _TEXT = list[str] | None, str | None
GLOBAL: dict[str, tuple[Any, Any]] = {
    "json": _global("json", bool, "--json", "Print JSON, one object per line.", OUTPUT),
    "quiet": _global("quiet", bool, "--quiet -q", "Print no notes and no progress.", OUTPUT),
    "verbose": _global("verbose", bool, "--verbose -v", "Print more details.", OUTPUT),
    "vault": _global("vault", _TEXT, "--vault DIR", "Folder of the vault. Default: MEMOS_VAULT.", GENERAL),
    "principal": _global("principal", _TEXT, "--as PRINCIPAL", "Act as user:NAME or agent:NAME.", GENERAL),
    "debug": _global("debug", bool, "--debug", "Show a traceback after an error.", GENERAL),
}
"""The options of every command, by parameter: the option and its default."""
VIEW = _global("view", _TEXT, "--view NAME", "Use a saved filter.", FILTER)
View = VIEW[0]
FILTERS: dict[str, tuple[Any, Any]] = {
    "tag": (Annotated[_TEXTS, opt("--tag -t TAG", "With this tag, or one below it.", FILTER)], None),
    "type": (Annotated[_TEXTS, opt("--type TYPE", "Of this semantic type.", FILTER)], None),
    "source": (Annotated[str, opt("--source TEXT", "From a source with TEXT in its address.", FILTER)], ""),
    "after": (Annotated[str, opt("--after TIME", "Since: 2026-05-01, 30d, 'last week'.", FILTER)], ""),
    "before": (Annotated[str, opt("--before TIME", "Earlier than this time.", FILTER)], ""),
    "view": VIEW,
}
"""The options of a ``Filters``, by parameter."""
_IDS = {"ids": (Annotated[_TEXTS, arg("[ID…]", "Ids of memories, or - for stdin.")], None)}

Id = Annotated[str, arg("ID", "Id of the memory, or its beginning.")]
Ids = Annotated[list[str], arg("ID…", "Ids of memories, or their beginnings; - reads stdin.")]
AsOf = Annotated[str, opt("--as-of TIME", "As the vault was then: 2026-05-01, 30d.", FILTER)]
Now = Annotated[str, opt("--now TIME", "Time of the question: 'yesterday' is the day before it.")]
Model = Annotated[
    str | None, opt("--model -m NAME", "Model: a GGUF file, a name of `memos models`, or a server.")
]
DryRun = Annotated[bool, opt("--dry-run", "Show what would be done; do nothing.")]
Yes = Annotated[bool, opt("--yes -y", "Do not ask.")]


@dataclass(frozen=True, slots=True)
class Filters:
    """The filter options of one command, as they were typed. False if there are none."""

    tags: Sequence[str] | None = None
    types: Sequence[str] | None = None
    source: str = ""
    after: str = ""
    before: str = ""
    view: str = ""

    def __bool__(self) -> bool:
        return bool(self.tags or self.types or self.source or self.after or self.before or self.view)

    def read(self, memos: Memos) -> Filter:
        """Return the filter of these options, over that of the view. Raises UsageError for a bad value."""
        from memos_cli.cube import Filter

        filter = memos.view(self.view) if self.view else Filter()
        return replace(
            filter,
            tags=(*filter.tags, *(self.tags or ())),
            types=tuple(self.types or filter.types),
            source=self.source or filter.source,
            after=read_time(memos, self.after) if self.after else filter.after,
            before=read_time(memos, self.before) if self.before else filter.before,
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """The memories that a command is for: ids, or else filters, as they were typed."""

    ids: Sequence[str] = ()
    filters: Filters = Filters()

    def __bool__(self) -> bool:
        return bool(self.ids or self.filters)

    def require(self) -> None:
        """Raise UsageError unless there are ids or filters."""
        if not self:
            raise UsageError("no memories are selected", "give ids, or filters such as --tag")

    def read(self, memos: Memos) -> tuple[list[str], Filter | None]:
        """Return the ids, or the filter if there are none. Raises UsageError for both."""
        if self.ids and self.filters:
            raise UsageError("ids and filters exclude each other", "give ids, or filters such as --tag")
        return read_ids(self.ids), None if self.ids else self.filters.read(memos)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` with the global options, which may stand before or after its name.

    A parameter of the type ``Filters`` becomes the filter options; one of the type ``Selection`` becomes an
    argument with ids as well; one of the type ``State`` is the state of this command line. A parameter that
    is named like a global option takes its place.
    """
    own = inspect.signature(command, eval_str=True).parameters
    kinds = {parameter.annotation for parameter in own.values()}
    more = dict(FILTERS) if {Filters, Selection} & kinds else {}
    more |= {name: each for name, each in GLOBAL.items() if name not in own}
    parameters = [_parameter("ctx", typer.Context)]
    for name, parameter in own.items():
        if parameter.annotation is Selection:
            parameters += _flat(_IDS)
        elif parameter.annotation not in (Filters, State, typer.Context):
            parameters.append(_parameter(name, parameter.annotation, parameter.default))
    parameters += _flat(more)

    @functools.wraps(command)
    def run(**options: Any) -> None:
        state = state_of(options["ctx"])
        given: dict[str, Any] = {}
        for name, parameter in own.items():
            if parameter.annotation in (Filters, Selection):
                typed = {each: options[each] for each in ("source", "after", "before")}
                filters = Filters(options["tag"], options["type"], **typed, view=state.view)
                is_filters = parameter.annotation is Filters
                given[name] = filters if is_filters else Selection(options["ids"] or (), filters)
            else:
                given[name] = state if parameter.annotation is State else options[name]
        command(**given)

    # Typer reads a command's options from its signature.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _flat(options: dict[str, tuple[Any, Any]]) -> list[inspect.Parameter]:
    return [_parameter(name, option, default) for name, (option, default) in options.items()]
