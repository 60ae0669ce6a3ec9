"""The interface of a language model, in this process or in a server.

``models/llama/llama_engine.py`` runs a GGUF file in this process; ``models/remote`` has servers' engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from memos_cli.models.llama.loaded_adapters import LoadedAdapter
    from memos_cli.models.llama.prompt import Prompt


class Engine(Protocol):
    """A model that reads a prompt and continues it. Its errors are ModelUnfit."""

    context: int
    """Maximum tokens of prompt and answer together."""
    batch: int
    """Saved states end at multiples of this number of tokens."""
    tokens: list[int]
    """The tokens of the sequence, of prompt and answer; empty if a server does not report them."""
    ended: bool
    """Whether the model itself ended the last generated text, not a limit."""

    @property
    def host(self) -> str:
        """The name of the other machine that it runs on; "" for this one."""

    @property
    def limitations(self) -> Sequence[str]:
        """The limits of this engine, each a short sentence for `query --explain`."""

    @property
    def unfit(self) -> str:
        """The reason why it has no saved states; "" if it has."""

    @property
    def model_id(self) -> str:
        """An identifier of the model; "" if its file was replaced."""

    @property
    def parameters(self) -> int:
        """The number of weights of the model, if it is known."""

    @property
    def conditions(self) -> Mapping[str, str]:
        """The conditions of a saved state, by name, apart from the model and the tokens."""

    def count(self, text: str) -> int:
        """Return how many tokens ``text`` has in a prompt."""

    def build_prompt(
        self, *, system: str, memories: Sequence[str], question: str, is_dialogue: bool = False
    ) -> Prompt:
        """Make the prompt that puts blocks of ``memories`` before ``question``; others may follow it."""

    def continue_prompt(
        self, before: Prompt, answer: str, *, memories: Sequence[str], question: str
    ) -> Prompt:
        """Make the prompt that goes on after an ``answer`` to the prompt ``before`` of a dialogue."""

    def clear(self) -> None:
        """Empty the sequence: the next prompt is read from its first token."""

    def held(self, tokens: Sequence[int]) -> int:
        """Return how many of ``tokens`` the model has read at the start of its sequence."""

    def read(self, tokens: Sequence[int], on_tokens: Callable[[int], None] = ...) -> None:
        """Make the sequence contain exactly ``tokens``."""

    def read_prompt(
        self,
        prompt: Prompt,
        adapters: Sequence[tuple[LoadedAdapter, float]] = (),
        on_tokens: Callable[[int], None] = ...,
    ) -> None:
        """Read a whole prompt, with ``adapters`` on from the first token of its question."""

    def generate(self, *, limit: int, temperature: float = 0.0, seed: int = 0) -> Iterator[str]:
        """Continue the sequence by at most ``limit`` tokens, as pieces of text as they come."""

    def save(self) -> memoryview:
        """Return the state of the sequence as bytes, for ``restore``."""

    def restore(self, state: memoryview, tokens: Sequence[int]) -> None:
        """Restore the sequence ``tokens`` from the bytes that ``save`` returned."""

    def state_size(self) -> int:
        """Return the bytes that the state of the sequence takes; 0 if that is not known."""

    def work(self, tokens: int) -> float:
        """Estimate the operations to read ``tokens``."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *raised: object) -> None: ...
