"""What every command shares: the global options, the filters, and opening the Memory API."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any
from weakref import WeakSet

import typer

from memos_cli.cli.output import Output, clean
from memos_cli.errors import UsageError
from memos_cli.letters import nfc

if TYPE_CHECKING:
    from memos_cli.cube import Filter
    from memos_cli.interface.memory import Memos


@dataclass(slots=True)
class State:
    """The global options of one command line."""

    flags: dict[str, object] = field(default_factory=dict)
    view: str = ""
    output: Output = field(default_factory=Output)

    def open(self, **flags: object) -> Memos:
        """The Memory API with these settings over the user's."""
        from memos_cli.interface.memory import Memos
        from memos_cli.settings import load_settings

        settings, _ = load_settings({**self.flags, **flags})
        memos = Memos(settings, ask=ask_passphrase, warn=self.output.note)
        _OPENED.add(memos)
        return memos


_OPENED: WeakSet[Memos] = WeakSet()
"""What the command has opened: if it fails unexpectedly, the vault may be damaged."""


def find_damage() -> str:
    """Return what is lost or altered in the vaults that this process opened; "" if nothing is.

    Looks at the rows, not at every text: for use after an unexpected failure.
    """
    from memos_cli.errors import MemosError
    from memos_cli.infrastructure.vault.check import examine

    for memos in _OPENED:
        if "vault" not in memos.__dict__:
            continue
        try:
            found = examine(memos.folder, timeout=1.0, full=False, cipher=memos.vault.cipher)
        except (MemosError, OSError):
            continue
        for finding in found:
            if finding.rule == "must":
                return f"{memos.folder} is damaged: {finding.where}: {finding.message}"
    return ""


def ask_passphrase(vault: str, twice: bool) -> str:
    """What a person types at the terminal, unseen; standard input may be a pipe.

    Raises Refused where there is no terminal.
    """
    from getpass import getpass

    from memos_cli.interface.session import nobody_asks

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        if not sys.stdin.isatty():
            return nobody_asks(vault, twice)
    typed = getpass(f"Passphrase of {clean(vault)}: ")
    if twice and (not typed or getpass("Repeat the passphrase: ") != typed):
        raise UsageError("the passphrases do not match", "memos init --encrypt")
    return typed


def state_of(ctx: typer.Context) -> State:
    """The one State of this command line."""
    state = ctx.find_root().ensure_object(State)
    assert isinstance(state, State)
    return state


def _setter(store: Callable[[State, Any], None]) -> Callable[[typer.Context, Any], Any]:
    """A callback that lets a global option stand after the command as well as before it."""

    def callback(ctx: typer.Context, value: Any) -> Any:
        if value not in (None, False, ""):
            store(state_of(ctx), value)
        return value

    return callback


def _set_json(state: State, value: bool) -> None:
    state.output.json = value


def _set_quiet(state: State, value: bool) -> None:
    state.output.quiet = value


def _set_verbose(state: State, value: bool) -> None:
    state.output.verbose = value


def _set_vault(state: State, value: str) -> None:
    state.flags["vault"] = value


def _set_principal(state: State, value: str) -> None:
    state.flags["principal"] = value


def _set_view(state: State, value: str) -> None:
    state.view = nfc(value)


def _flag(*names: str, help: str, store: Callable[[State, Any], None]) -> Any:
    return Annotated[bool, typer.Option(*names, help=help, callback=_setter(store))]


def _text(name: str, metavar: str, help: str, store: Callable[[State, Any], None]) -> Any:
    return Annotated[str | None, typer.Option(name, metavar=metavar, help=help, callback=_setter(store))]


View = _text("--view", "NAME", "Use a saved filter.", _set_view)
GLOBAL: dict[str, tuple[Any, Any]] = {
    "vault": (_text("--vault", "DIR", "Folder of the vault (or MEMOS_VAULT).", _set_vault), None),
    "principal": (_text("--as", "PRINCIPAL", "Who asks: user:NAME or agent:NAME.", _set_principal), None),
    "json": (_flag("--json", help="Print JSON, one object a line.", store=_set_json), False),
    "quiet": (_flag("--quiet", "-q", help="No notes and no progress.", store=_set_quiet), False),
    "verbose": (_flag("--verbose", "-v", help="Say more.", store=_set_verbose), False),
    "debug": (
        _flag("--debug", help="Show a traceback when something fails.", store=lambda state, value: None),
        False,
    ),
}
"""The options of every command, by parameter: the option and its default."""


def with_global_options(command: Callable[..., None]) -> Callable[..., None]:
    """``command``, which can be given the global options too: they may stand before or after its name.

    A parameter of the command's own that is named like one of them takes its place.
    """
    own = inspect.signature(command, eval_str=True)
    added = GLOBAL.keys() - own.parameters.keys()

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        command(*arguments, **{name: value for name, value in options.items() if name not in added})

    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
        for name, (option, default) in GLOBAL.items()
        if name in added
    ]
    # Typer reads a command's options from its signature.
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in [*own.parameters.values(), *shared]}
    return run


Tags = Annotated[
    list[str] | None, typer.Option("--tag", "-t", metavar="TAG", help="With this tag, or one below it.")
]
Types = Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Of this semantic type.")]
Source = Annotated[
    str, typer.Option("--source", metavar="TEXT", help="From a source with TEXT in its address, as listed.")
]
After = Annotated[
    str, typer.Option("--after", metavar="TIME", help="Not before: 2026-05-01, 30d, 'last week'.")
]
Before = Annotated[str, typer.Option("--before", metavar="TIME", help="Earlier than this time.")]
AsOf = Annotated[
    str, typer.Option("--as-of", metavar="TIME", help="As it was then: 2026-05-01, 30d, 'last week'.")
]
Now = Annotated[
    str, typer.Option("--now", metavar="TIME", help="When it is asked: 'yesterday' is the day before.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME", help="GGUF model: a path, or one of `memos models`."),
]


@dataclass(frozen=True, slots=True)
class Restriction:
    """The filter options of one command, as they were typed."""

    tags: Sequence[str] | None = None
    types: Sequence[str] | None = None
    source: str = ""
    after: str = ""
    before: str = ""

    def __bool__(self) -> bool:
        return bool(self.tags or self.types or self.source or self.after or self.before)


def nothing_found(memos: Memos) -> str:
    """What to say if no memory was found: what to type next, if there is none to find."""
    if memos.is_empty():
        return "there are no memories yet; store some: memos ingest FILE…"
    return "nothing found"


def make_filter(memos: Memos, view: str, wanted: Restriction) -> Filter:
    """The filter of a command's options, over that of the view. Raises UsageError for nonsense."""
    from memos_cli.cube import SEMANTIC_TYPES, Filter

    filter = memos.view(view) if view else Filter()
    for type in wanted.types or ():
        if type not in SEMANTIC_TYPES:
            raise UsageError(f"there is no type {type!r}", f"one of: {', '.join(SEMANTIC_TYPES)}")
    return replace(
        filter,
        tags=(*filter.tags, *(wanted.tags or ())),
        types=tuple(wanted.types or filter.types),
        source=wanted.source or filter.source,
        after=read_time(memos, wanted.after) if wanted.after else filter.after,
        before=read_time(memos, wanted.before) if wanted.before else filter.before,
    )


def read_time(memos: Memos, text: str, *, end: bool = False) -> int:
    """Read a time that the user typed; see ``moments.read_time``."""
    from memos_cli.interface.time.moments import read_time

    return read_time(text, memos.now(), end=end)


def read_end(memos: Memos, text: str) -> tuple[int | None, int | None]:
    """Read when a memory expires: a time, or a number of uses; see ``moments.read_end``."""
    from memos_cli.interface.time.moments import read_end

    return read_end(text, memos.now())


def read_names(names: Sequence[str] | None, what: str = "tag") -> tuple[str, ...]:
    """Names for something new. Raises UsageError for one that is empty or has control characters."""
    for name in names or ():
        if not name.strip() or not name.isprintable():
            raise UsageError(f"{name!r} is not a valid name for a {what}", "use visible characters")
    return tuple(names or ())
