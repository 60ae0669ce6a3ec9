"""The errors that a user can see, as one tree.

    MemosError            1   the command failed
    ├── UsageError        2   usage error
    ├── PartlyDone        3   some of the input failed
    ├── NoVault          10   there is no vault
    ├── Locked           11   another process locks the vault
    ├── Damaged          12   the files of the vault are damaged
    ├── TooNew           13   a newer program wrote the vault
    ├── Refused          14   a policy forbids it
    └── ModelUnfit       15   a model is missing or unsuitable

An error says *what* happened and to which path or id, and its ``hint`` says what to type next. The
command line maps it to its exit code in one place (``cli/app.py``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar


class MemosError(Exception):
    """The command failed."""

    code: ClassVar[int] = 1
    hint: str

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def with_hint(self) -> str:
        """The message, and what to type next."""
        return f"{self}; {self.hint}" if self.hint else str(self)


class Unwritable(MemosError):
    """The vault cannot be written to: read-only medium, full disk or missing permission."""


class UsageError(MemosError):
    """Usage error."""

    code = 2


def require_known(what: str, name: str, known: Collection[str]) -> None:
    """Raise UsageError unless ``name`` is one of the ``known`` names of ``what``, such as a format."""
    if name not in known:
        raise UsageError(f"there is no {what} {name!r}", f"use one of: {', '.join(known)}")


class Conflict(MemosError):
    """Another process changed a memory first; nothing was overwritten."""


class PartlyDone(MemosError):
    """Some of the input failed; the rest is done."""

    code = 3


class NoVault(MemosError):
    """There is no vault at this place."""

    code = 10


class Locked(MemosError):
    """Another process locks the vault and did not release it in time."""

    code = 11


class Damaged(MemosError):
    """The files of the vault are damaged."""

    code = 12


class TooNew(MemosError):
    """The vault was written by a newer program."""

    code = 13


class Refused(MemosError):
    """A policy forbids it."""

    code = 14


class ModelUnfit(MemosError):
    """A model is missing or unsuitable."""

    code = 15
