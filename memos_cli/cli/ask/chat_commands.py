"""The commands that a user types into ``memos chat``: /sources, /remember, /forget …"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memos_cli.cli.help_layout import nearest
from memos_cli.cli.output import Output, excerpt
from memos_cli.counts import counted
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cli.ask.line_history import LineHistory
    from memos_cli.interface.ask.chat_session import Chat
    from memos_cli.interface.memory import Memos


class Quit(Exception):
    """The user ends the chat."""


@dataclass(slots=True)
class Talk:
    """A chat and where it is shown."""

    memos: Memos
    chat: Chat
    output: Output
    can_confirm: bool = False
    """Whether the user can be asked to confirm."""
    yes: bool = False
    """Whether to go on without confirmation."""
    history: LineHistory | None = None
    failed: int = field(default=0)
    """The number of lines that failed."""


def run_command(talk: Talk, line: str) -> None:
    """Run a line that starts with a slash. Raises UsageError for an unknown command."""
    name, _, argument = line.partition(" ")
    if name not in COMMANDS:
        near = nearest(name, [*COMMANDS])
        raise UsageError(
            f"there is no command {name}; there are: {', '.join(COMMANDS)}",
            near or "to ask a question that starts with /, put a space before it",
        )
    COMMANDS[name](talk, argument.strip())


def _sources(talk: Talk, argument: str) -> None:
    """List the memories behind the last answer."""
    from memos_cli.cli.results.answers import quoted_lines, source_lines, source_rows

    answer = talk.chat.last
    rows = [] if answer is None else source_rows(answer.plan, answer.order)
    lines: Sequence[str] = ["The last answer has no sources."]
    if answer is not None and rows:
        lines = [*(quoted_lines(answer) if answer.mode == "quote" else source_lines(answer))]
    talk.output.result({"command": "/sources", "sources": rows}, *(line.lstrip("\n") for line in lines))


def _remember(talk: Talk, argument: str) -> None:
    """Store a memory: /remember TEXT."""
    if not argument:
        raise UsageError("/remember needs a text", "/remember The boat leaves at 7:10.")
    saved = talk.chat.remember(argument)
    done = f"remembered as {saved.id}" if saved.is_new else f"already stored as {saved.id}"
    talk.output.result(
        {"command": "/remember", "id": saved.id, "new": saved.is_new, "quarantined": saved.quarantined}, done
    )
    talk.output.notes(saved.notes)
    talk.output.note_quarantine(saved.quarantined)


def _forget(talk: Talk, argument: str) -> None:
    """Forget the last turn, a source (/forget N), a memory (/forget ID) or the whole chat (/forget chat)."""
    chat, output = talk.chat, talk.output
    ids = chat.find(argument)
    if argument and ids and not talk.yes:
        shown = talk.memos.forget(ids, dry_run=True).cubes
        memories = counted(len(shown), "memory")
        if not talk.can_confirm:
            raise UsageError(f"{memories} would be forgotten", "start the chat with --yes to forget them")
        for cube in shown:
            output.text(f"{cube.id}  {excerpt(cube.text or cube.title, 80)}")
        if not output.confirm(f"Forget {memories} for good?"):
            output.text("nothing was forgotten")
            return
    forgotten, removed = chat.forget(argument)
    cubes = [cube for each in forgotten for cube in each.cubes]
    if talk.history is not None:
        talk.history.drop([turn.question for turn in removed], [cube.text for cube in cubes])
    nothing = "there is nothing to forget"
    done = f"forgot {counted(len(cubes), 'memory')} and {counted(len(removed), 'turn')} of this chat"
    record = {"command": "/forget", "ids": [cube.id for cube in cubes], "turns": [t.number for t in removed]}
    output.result(record, done if cubes or removed else nothing)


def _model(talk: Talk, argument: str) -> None:
    """Show the model that answers, or use another: /model NAME."""
    if argument:
        talk.chat.use_model(argument)
    name = talk.memos.model_name
    talk.output.result({"command": "/model", "model": name}, name)


def _view(talk: Talk, argument: str) -> None:
    """Show the views, or search one of them from now on: /view NAME; /view - for none."""
    if argument:
        talk.chat.use_view("" if argument == "-" else argument)
    names, now = [*talk.memos.views()], talk.chat.options.view
    line = f"view: {now or 'none'} (there are: {', '.join(names) or 'none yet'})"
    talk.output.result({"command": "/view", "view": now, "views": names}, line)


def _new(talk: Talk, argument: str) -> None:
    """Start another chat."""
    talk.chat.new()
    talk.output.result({"command": "/new", "chat": talk.chat.id}, "started a new chat")


def _save(talk: Talk, argument: str) -> None:
    """Store a chat that was started with --no-save, from its first turn on."""
    stored = talk.chat.save()
    line = f"{counted(stored, 'turn')} stored; source: {talk.chat.address}"
    talk.output.result({"command": "/save", "chat": talk.chat.id, "turns": stored}, line)


def _help(talk: Talk, argument: str) -> None:
    """List the commands."""
    rows = {name: (run.__doc__ or "").strip() for name, run in COMMANDS.items()}
    width = max(map(len, rows))
    talk.output.result(
        {"command": "/help", "commands": rows},
        *(f"{name:<{width}}  {text}" for name, text in rows.items()),
    )


def _quit(talk: Talk, argument: str) -> None:
    """End the chat, like Ctrl-D."""
    raise Quit


COMMANDS: dict[str, Callable[[Talk, str], None]] = {
    "/sources": _sources,
    "/remember": _remember,
    "/forget": _forget,
    "/model": _model,
    "/view": _view,
    "/new": _new,
    "/save": _save,
    "/help": _help,
    "/quit": _quit,
}
"""The functions by command. The docstring is the help."""
