"""The common base of the engines of servers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from memos_cli.errors import ModelUnfit
from memos_cli.models.remote.streams import ProtocolError

if TYPE_CHECKING:
    from memos_cli.models.remote.http_client import Client

LONGEST_TOKEN = 64
"""Bytes of the longest token: a server that ignores the limit of an answer is not read on."""
LARGE = 7_000_000_000
"""Parameters of a model that says nothing about its size: people run large models in servers."""


class ServerEngine:
    """A model in a server: without adapters, and unless a subclass has them, without saved states."""

    batch = 1

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name
        self.context = 0
        self.parameters = LARGE
        self.ended = False
        self.tokens: list[int] = []

    @property
    def host(self) -> str:
        return "" if self.client.address.is_local else self.client.address.host

    @property
    def unfit(self) -> str:
        return "only llama-server can save states"

    @property
    def model_id(self) -> str:
        """An identifier of its model."""
        return f"server:{self.client.address}"

    @property
    def conditions(self) -> Mapping[str, str]:
        return {"engine": self.client.address.kind, "template": ""}

    def clear(self) -> None:
        """Do nothing: the server manages its own cache."""

    def held(self, tokens: Sequence[int]) -> int:
        return 0

    def read(self, tokens: Sequence[int], on_tokens: Callable[[int], None] = lambda count: None) -> None:
        raise ModelUnfit(f"{self.name} reads no tokens: {self.unfit}", "memos help engines")

    def generate(self, *, limit: int, temperature: float = 0.0, seed: int = 0) -> Iterator[str]:
        self.ended = False
        room = limit * LONGEST_TOKEN
        try:
            for piece in self._answer(limit, temperature, seed):
                yield piece
                room -= len(piece.encode())
                if room < 0:
                    return
        except ProtocolError as error:
            raise self.client.invalid_response(str(error)) from error

    @abstractmethod
    def _answer(self, limit: int, temperature: float, seed: int) -> Iterator[str]:
        """Send the prompt and yield the answer; set ``ended``. Raises ModelUnfit for one without its end."""

    def save(self) -> memoryview:
        raise ModelUnfit(f"{self.name} saves no state: {self.unfit}", "memos help engines")

    def restore(self, state: memoryview, tokens: Sequence[int]) -> None:
        raise ModelUnfit(f"{self.name} restores no state: {self.unfit}", "memos help engines")

    def state_size(self) -> int:
        return 0

    def work(self, tokens: int) -> float:
        """Estimate the operations to read ``tokens``: all weights for each."""
        return 2.0 * self.parameters * tokens

    def close(self) -> None:
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
