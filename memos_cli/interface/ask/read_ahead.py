"""Read the start of the next prompt of a chat while its user reads the answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from memos_cli.errors import MemosError
from memos_cli.files import uninterrupted

if TYPE_CHECKING:
    from memos_cli.models.engine import Engine


NAME = "memos-read-ahead"


class _Abandoned(Exception):
    """Signal that the tokens read ahead are no longer needed."""


class ReadAhead(Thread):
    """A thread that reads the start of the next prompt. Do not use the engine until it has ended."""

    def __init__(self, engine: Engine, tokens: Sequence[int]) -> None:
        super().__init__(name=NAME, daemon=True)
        self._engine, self._tokens = engine, tokens
        self.count = 0
        """Tokens read."""
        self._is_abandoned = False
        self.start()

    def run(self) -> None:
        with suppress(MemosError, _Abandoned):  # then the next turn reads it
            self._engine.read(self._tokens, self._add)

    def _add(self, tokens: int) -> None:
        self.count += tokens
        if self._is_abandoned:
            raise _Abandoned

    def abandon(self) -> None:
        """End the thread after the present batch, even if this call is interrupted."""
        self._is_abandoned = True
        with uninterrupted():
            self.join()
