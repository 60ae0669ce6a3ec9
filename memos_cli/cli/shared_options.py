"""Options that several commands take, and the decorator that adds them to a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from memos_cli.cli.context import State, state_of
from memos_cli.cli.help_layout import ANSWER, FILTER, GENERAL, OUTPUT
from memos_cli.cli.inputs import read_ids, read_time
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cube import Filter
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.options import AnswerOptions


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


def _store(ctx: typer.Context, option: typer.CallbackParam, value: Any) -> Any:
    """Store a global option in the state: it may stand before or after the command."""
    state = state_of(ctx)
    if value not in (None, False, ""):
        state.set(str(option.name), value)
    return state.view if option.name == "view" else value


_global = functools.partial(opt, callback=_store)


@dataclass(frozen=True, slots=True)
class _Global:
    """The options of every command."""

    json: Annotated[bool, _global("--json", "Print JSON, one object per line.", OUTPUT)] = False
    quiet: Annotated[bool, _global("--quiet -q", "Print no notes and no progress.", OUTPUT)] = False
    verbose: Annotated[bool, _global("--verbose -v", "Print more details.", OUTPUT)] = False
    vault: Annotated[
        str | None, _global("--vault DIR", "Folder of the vault. Default: MEMOS_VAULT.", GENERAL)
    ] = None
    principal: Annotated[
        str | None, _global("--as PRINCIPAL", "Act as user:NAME or agent:NAME.", GENERAL)
    ] = None
    debug: Annotated[bool, _global("--debug", "Show a traceback after an error.", GENERAL)] = False


_Texts = list[str] | None
View = Annotated[str | None, _global("--view NAME", "Use a saved filter.", FILTER)]
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
class Answering:
    """The options of the answers of `memos query`."""

    quote: Annotated[bool, opt("--quote", "Answer with sentences of your memories.", ANSWER)] = False
    generate: Annotated[bool, opt("--generate", "Let the model write the answer.", ANSWER)] = False
    text: Annotated[bool, opt("--text", "Read memories as text, even if a saved state exists.", ANSWER)] = (
        False
    )
    max_tokens: Annotated[
        int, opt("--max-tokens", "Length of the answer. Default: query.max_tokens.", ANSWER, min=0)
    ] = 0
    temperature: Annotated[
        float | None,
        opt("--temperature", "Randomness; 0 is none. Default: query.temperature.", ANSWER, min=0),
    ] = None
    seed: Annotated[int, opt("--seed", "Seed of the randomness.", ANSWER)] = 0
    system: Annotated[str, opt("--system", "Instructions instead of the default ones.", ANSWER)] = ""

    def require_one(self) -> None:
        """Raise UsageError for --quote with --generate."""
        if self.quote and self.generate:
            raise UsageError("--quote and --generate do not go together", "choose one")

    def read(self, view: str, now: int | None = None) -> AnswerOptions:
        """Return the options of an answer from the memories of ``view``."""
        from memos_cli.interface.options import AnswerOptions

        way = "quote" if self.quote else "model" if self.generate else ""
        return AnswerOptions(
            self.max_tokens, self.temperature, self.seed, self.system, view, self.text, now, way
        )


@dataclass(frozen=True, slots=True)
class Filters:
    """The filter options of one command, as they were typed. False if there are none."""

    tag: Annotated[_Texts, opt("--tag -t TAG", "With this tag, or one below it.", FILTER)] = None
    type: Annotated[_Texts, opt("--type TYPE", "Of this semantic type.", FILTER)] = None
    source: Annotated[str, opt("--source TEXT", "From a source with TEXT in its address.", FILTER)] = ""
    after: Annotated[str, opt("--after TIME", "Since: 2026-05-01, 30d, 'last week'.", FILTER)] = ""
    before: Annotated[str, opt("--before TIME", "Earlier than this time.", FILTER)] = ""
    view: View = ""

    def __bool__(self) -> bool:
        return any(astuple(self))

    def read(self, memos: Memos) -> Filter:
        """Return the filter of these options, over that of the view. Raises UsageError for a bad value."""
        from memos_cli.cube import Filter

        filter = memos.view(self.view) if self.view else Filter()
        return replace(
            filter,
            tags=(*filter.tags, *(self.tag or ())),
            types=tuple(self.type or filter.types),
            source=self.source or filter.source,
            after=read_time(memos, self.after) if self.after else filter.after,
            before=read_time(memos, self.before) if self.before else filter.before,
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """The memories that a command is for: ids, or else filters, as they were typed."""

    ids: Annotated[_Texts, arg("[ID…]", "Ids of memories, or - for stdin.")] = None
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
        return read_ids(self.ids or ()), None if self.ids else self.filters.read(memos)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` with the global options, which may stand before or after its name.

    A parameter whose type is a data class becomes the options that the fields declare; those of ``Filters``
    follow all others. A parameter of the type ``State`` is the state of this command line. A parameter that
    is named like a global option takes its place. Click keeps the lines of the example in the help.
    """
    own = inspect.signature(command, eval_str=True).parameters
    parameters, filters = [_parameter("ctx", typer.Context)], list[inspect.Parameter]()

    def declare(name: str, kind: Any, default: Any, among: list[inspect.Parameter]) -> None:
        if isinstance(kind, type) and is_dataclass(kind) and kind is not State:
            for each, annotation, value in _fields(kind):
                declare(each, annotation, value, filters if kind is Filters else among)
        elif kind not in (State, typer.Context):
            among.append(_parameter(name, kind, default))

    for name, parameter in own.items():
        declare(name, parameter.annotation, parameter.default, parameters)
    parameters += filters
    parameters += [_parameter(*each) for each in _fields(_Global) if each[0] not in own]

    @functools.wraps(command)
    def run(**options: Any) -> None:
        def read(name: str, kind: Any) -> Any:
            if kind is State:
                return state_of(options["ctx"])
            if isinstance(kind, type) and is_dataclass(kind):
                return kind(**{each: read(each, annotation) for each, annotation, _ in _fields(kind)})
            return options[name]

        command(**{name: read(name, parameter.annotation) for name, parameter in own.items()})

    # Typer reads a command's options from its signature.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__doc__ = (inspect.getdoc(command) or "").replace("\nExample:\n", "\n\b\nExample:\n")
    return run


@functools.cache
def _fields(kind: Any) -> list[tuple[str, Any, Any]]:
    """Return the name, the type and the default of each field."""
    types = get_type_hints(kind, include_extras=True)
    return [(each.name, types[each.name], each.default) for each in fields(kind)]


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
