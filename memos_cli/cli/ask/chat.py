"""``memos chat``: a conversation, in a terminal or line by line for scripts."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.ask.chat_commands import COMMANDS, Quit, Talk, run_command
from memos_cli.cli.context import State, leave
from memos_cli.cli.help_layout import ANSWER
from memos_cli.cli.inputs import read_requests
from memos_cli.cli.shared_options import Answering, Filters, Model, Yes, opt
from memos_cli.counts import counted
from memos_cli.errors import MemosError, UsageError

if TYPE_CHECKING:
    from memos_cli.cli.ask.line_history import LineHistory
    from memos_cli.interface.ask.chat_session import ChatTurn
    from memos_cli.interface.memory import Memos

_PROMPT = "> "


@dataclass(frozen=True, slots=True)
class _Answering(Answering):
    """The options of the answers of `memos chat`."""

    generate: Annotated[bool, opt("--generate", "Let the model write the answers.", ANSWER)] = False
    text: Annotated[bool, opt("--text", "Read the whole conversation again at each turn.", ANSWER)] = False
    max_tokens: Annotated[
        int, opt("--max-tokens", "Length of an answer. Default: query.max_tokens.", ANSWER, min=0)
    ] = 0


def chat(
    state: State,
    filters: Filters,
    model: Model = None,
    *,
    answering: _Answering,
    no_save: Annotated[bool, opt("--no-save", "Do not store the chat or the lines you type.")] = False,
    yes: Yes = False,
) -> None:
    """Chat with your memories; questions can build on earlier ones.

    Answers are written or quoted as by `memos query`. The chat is stored as dialogue, unless you add
    --no-save. Type /help for the commands, such as /sources and /remember. Ctrl-C stops an answer, Ctrl-D
    ends the chat. Without a terminal, each line of stdin is a turn; with --json, each turn is an object.

    Exit codes: 3 if a line of a script fails, 15 if the model is missing.

    Example:
      memos chat
      memos chat --view work --no-save
      printf 'Who keeps the keys?\\nSince when?\\n' | memos chat --json
    """
    answering.require_one()
    output = state.output
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not output.json
    with state.open(reader=model) as memos:
        from memos_cli.interface.ask.chat_session import may_save

        options = answering.read(state.view)
        filter, problem = filters.read(memos), "" if no_save else may_save(memos)
        if model or answering.generate:
            memos.model_name  # noqa: B018 (a model that is missing is reported before the first question)
        if problem:
            output.note(f"note: this chat is not stored: {problem}")
        with memos.chat(filter=filter, options=options, saves=not (no_save or problem)) as chat:
            talk = Talk(memos, chat, output, can_confirm=on_terminal, yes=yes)
            if memos.is_empty():
                output.note("there are no memories yet; store some: /remember TEXT, or memos ingest FILE…")
            if on_terminal:
                talk.history = _open_history(memos, is_kept=chat.saves)
                _converse(talk)
            else:
                _answer_lines(talk)
    if talk.failed and not on_terminal:
        raise typer.Exit(3)


def _open_history(memos: Memos, *, is_kept: bool) -> LineHistory:
    """Open the line history. An encrypted vault has no file: it would hold what the vault hides."""
    from memos_cli.cli.ask.line_history import NAME, LineHistory
    from memos_cli.folders import state_folder

    folder = state_folder() if is_kept and memos.vault.cipher is None else None
    return LineHistory(folder / NAME if folder else None, [*COMMANDS])


def _answer_lines(talk: Talk) -> None:
    """Answer each line of standard input. A line that fails does not end the chat."""
    for line in read_requests(talk.output, "-"):
        try:
            if line == "\0":
                raise UsageError("the line is not text", "write plain text in UTF-8")
            if line.startswith("/"):
                run_command(talk, line)
            else:
                _print_turn(talk, talk.chat.ask(line))
        except Quit:
            return
        except MemosError as error:
            _report(talk, line, error)


def _report(talk: Talk, line: str, error: MemosError) -> None:
    talk.failed += 1
    if talk.output.json:
        problem = {"message": str(error), "hint": error.hint, "code": error.code}
        talk.output.record({"question": line, "error": problem})
    else:
        talk.output.failure(f"memos: {error}" + (f"\n  try: {error.hint}" if error.hint else ""))


def _print_turn(talk: Talk, turn: ChatTurn) -> None:
    """Print a whole turn, for a script."""
    if talk.output.json:
        from memos_cli.cli.results.answers import turn_row

        talk.output.record(turn_row(turn, talk.chat.id))
    else:
        talk.output.text(turn.answer.answer)
        _print_notes(talk, turn)


def _print_notes(talk: Talk, turn: ChatTurn) -> None:
    answer, output = turn.answer, talk.output
    if not answer.answered and answer.nearest and answer.mode == "quote":
        from memos_cli.cli.results.answers import nearest_line

        output.text(nearest_line(answer.nearest))
    output.notes((*answer.plan.notes, *turn.notes))
    if answer.unsupported:
        output.note(f"note: unsupported by the sources: {', '.join(answer.unsupported)}")
    if output.verbose and answer.tokens:
        read, whole = answer.tokens["read"], counted(answer.tokens["prompt"], "token")
        output.note(f"read {read} of {whole}; first token after {answer.timings['first_token']:.2f} s")


# --- on a terminal ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Interrupts:
    """The handler of Ctrl-C: it stops an answer, or else clears the line that is being typed."""

    is_answering: bool = False
    is_stopped: bool = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.is_answering:
            raise KeyboardInterrupt
        self.is_stopped = True

    @contextmanager
    def answering(self) -> Iterator[None]:
        self.is_answering, self.is_stopped = True, False
        try:
            yield
        finally:
            self.is_answering = False


def _converse(talk: Talk) -> None:
    """Read lines and answer them until the user ends the chat."""
    interrupts, output = _Interrupts(), talk.output
    before = signal.signal(signal.SIGINT, interrupts)
    signal.signal(signal.SIGHUP, leave)
    output.note(f"{_describe_answers(talk)} /help lists the commands.")
    try:
        while True:
            try:
                line = input(_PROMPT)
            except EOFError:
                output.text("")
                return
            except KeyboardInterrupt:
                output.text("")
                output.note("Ctrl-D or /quit ends the chat.")
                continue
            try:
                with nullcontext() if line.startswith("/") else interrupts.answering():
                    _handle_line(talk, interrupts, line)
            except KeyboardInterrupt:
                output.text("")
            except Quit:
                return
            except MemosError as error:
                _report(talk, line, error)
    finally:
        signal.signal(signal.SIGINT, before)


def _handle_line(talk: Talk, interrupts: _Interrupts, typed: str) -> None:
    """Answer a line, or run it."""
    from memos_cli.interface.redaction.redaction import find_secrets

    typed = os.fsencode(typed).decode("utf-8", "replace").replace("\0", "")
    line = typed.strip()
    if not line:
        return
    is_command = typed.startswith("/")
    if talk.history is not None:
        is_private = not talk.chat.saves or line.startswith("/remember") or bool(find_secrets(line))
        talk.history.add(line, is_private=is_private)
    if is_command:
        run_command(talk, line)
        return
    write = partial(talk.output.text, end="")
    turn = talk.chat.ask(line, on_text=write, is_stopped=lambda: interrupts.is_stopped)
    talk.output.text("")
    if turn.answer.stopped == "user":
        talk.output.note("(stopped)")
    _print_notes(talk, turn)


def _describe_answers(talk: Talk) -> str:
    """Return how this chat answers, in a sentence."""
    from memos_cli.operation.ask.prompt_layout import CITES_FROM

    memos = talk.memos
    wanted = talk.chat.options.answer or memos.settings.query_answer
    if wanted == "quote":
        return "Answers quote your memories."
    try:
        name, parameters = memos.model_name, memos.parameters
    except MemosError as error:
        if wanted == "model" or memos.settings.reader or memos.server:  # no question could be answered
            raise
        return f"Answers quote your memories ({error})."
    if wanted == "auto" and parameters < CITES_FROM:
        return f"Answers quote your memories; with --generate, {name} writes them."
    return f"{name} answers."
