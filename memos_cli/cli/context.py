"""The state of one command line: its global options, its output, and the vault that it opens."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakSet

import typer

from memos_cli.cli.output import Output, clean
from memos_cli.errors import UsageError
from memos_cli.letters import nfc

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos
    from memos_cli.settings import Settings


@dataclass(slots=True)
class State:
    """The global options of one command line."""

    flags: dict[str, object] = field(default_factory=dict)
    view: str = ""
    output: Output = field(default_factory=Output)

    def set(self, name: str, value: Any) -> None:
        """Store a global option under the name of its parameter."""
        if name in ("json", "quiet", "verbose"):
            setattr(self.output, name, value)
        elif name == "view":
            self.view = nfc(value)
        elif name in ("vault", "principal"):
            self.flags[name] = value

    def settings(self, **flags: object) -> Settings:
        """Return the user's settings, with those of this command line and ``flags`` over them."""
        from memos_cli.settings import load_settings

        return load_settings({**self.flags, **flags})[0]

    def open(self, **flags: object) -> Memos:
        """Return the Memory API with these settings over the user's."""
        from memos_cli.interface.memory import Memos

        memos = Memos(self.settings(**flags), ask=ask_passphrase, warn=self.output.note)
        _OPENED.add(memos)
        return memos


_OPENED: WeakSet[Memos] = WeakSet()
"""The vaults that the command has opened: if it fails unexpectedly, the vault may be damaged."""


def state_of(ctx: typer.Context) -> State:
    """Return the one State of this command line."""
    state = ctx.find_root().ensure_object(State)
    assert isinstance(state, State)
    return state


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """End the process at a signal: through every open block, so that an open transaction is rolled back."""
    raise SystemExit(128 + number)


def find_damage() -> str:
    """Describe lost or altered data in the vaults that this process opened; "" without damage.

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
    """Return the passphrase that a person types at the terminal, unseen; standard input may be a pipe.

    Raises Refused if there is no terminal.
    """
    from getpass import getpass

    from memos_cli.interface.session import refuse_without_terminal

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        if not sys.stdin.isatty():
            return refuse_without_terminal(vault, twice)
    typed = getpass(f"Passphrase of {clean(vault)}: ")
    if twice and (not typed or getpass("Repeat the passphrase: ") != typed):
        raise UsageError("the passphrases do not match", "memos init --encrypt")
    return typed


def nothing_found(memos: Memos) -> str:
    """Return the note for a search without results: what to type next if the vault is empty."""
    if memos.is_empty():
        return "there are no memories yet; store some: memos ingest FILE…"
    return "nothing found"
