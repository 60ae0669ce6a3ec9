"""Servers that take chat messages: Ollama, and all that follow OpenAI's API, such as LM Studio.

Memories are text in a message, which the server renders with its own template. So text that looks like the
start of a control token is broken up. Tokens are estimated, and corrected with the counts of the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.models.llama.prompt import Prompt
from memos_cli.models.remote.counting import Counter
from memos_cli.models.remote.server_engine import ServerEngine
from memos_cli.models.remote.streams import at, number_at, read_events, read_objects, text_at

if TYPE_CHECKING:
    from memos_cli.models.llama.loaded_adapters import LoadedAdapter
    from memos_cli.models.remote.http_client import Client

_FRAME = 16
"""Approximate tokens that a template puts around two messages."""
_CONTROL = re.compile(r"<(?=[|｜])")
"""The start of control tokens of most models."""


@dataclass(frozen=True, slots=True)
class ChatPrompt(Prompt):
    """A prompt as messages, with the tokens that it is estimated to have."""

    messages: tuple[tuple[str, str], ...] = ()
    """The role and the text of each."""
    size: int = 0

    def __len__(self) -> int:
        return self.size


class ChatServer(ServerEngine):
    """A model with an API of chat messages."""

    def __init__(self, client: Client, *, context: int, parameters: int, counts: Path | None) -> None:
        """Open a server. ``context`` is the largest context to request in tokens; ``counts`` is a file for
        the corrections of estimates.
        """
        address = client.address
        super().__init__(client, address.model)
        self.context, self.parameters = context, parameters or self.parameters
        self._counter = Counter(str(address), counts)
        self._prompt = ChatPrompt((), ())

    @property
    def limitations(self) -> Sequence[str]:
        return (
            f"tokens are estimated, with a margin (correction {self._counter.factor:.2f})",
            "adapters and saved states are not used: the server does not support them",
            "the server's own chat template is used: a memory may contain control tokens that it obeys",
        )

    def count(self, text: str) -> int:
        return self._counter.count(text)

    def build_prompt(
        self, *, system: str, memories: Sequence[str], question: str, is_dialogue: bool = False
    ) -> ChatPrompt:
        return self._add(ChatPrompt((), ()), ("system", system), ("user", _message(memories, question)))

    def continue_prompt(
        self, before: Prompt, answer: str, *, memories: Sequence[str], question: str
    ) -> ChatPrompt:
        assert isinstance(before, ChatPrompt), "a prompt of another engine"
        return self._add(before, ("assistant", answer), ("user", _message(memories, question)))

    def _add(self, before: ChatPrompt, *messages: tuple[str, str]) -> ChatPrompt:
        size = before.size + _FRAME + sum(self.count(text) for _, text in messages)
        return ChatPrompt((), (), messages=(*before.messages, *messages), size=size)

    def read_prompt(
        self,
        prompt: Prompt,
        adapters: Sequence[tuple[LoadedAdapter, float]] = (),
        on_tokens: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Store a prompt; it is sent with the request for its answer."""
        assert isinstance(prompt, ChatPrompt), "a prompt of another engine"
        self._prompt = prompt

    def _messages(self) -> list[dict[str, str]]:
        return [{"role": role, "content": text} for role, text in self._prompt.messages]

    def _report(self, tokens: int) -> None:
        if tokens:
            self._counter.correct(self._prompt.size, tokens)


def _message(memories: Sequence[str], question: str) -> str:
    return f"{_CONTROL.sub('< ', ''.join(memories))}{question}"


class Ollama(ChatServer):
    """A model in Ollama, with its own API, because only that accepts the size of the context."""

    def _answer(self, limit: int, temperature: float, seed: int) -> Iterator[str]:
        options = {"num_ctx": self.context, "num_predict": limit, "temperature": temperature, "seed": seed}
        body = {"model": self.name, "messages": self._messages(), "stream": True, "options": options}
        for event in read_objects(self.client.stream("/api/chat", body)):
            if "error" in event:
                raise self.client.refused(0, event)
            if piece := text_at(event, "message", "content"):
                yield piece
            if event.get("done") is True:
                self.ended = event.get("done_reason", "stop") == "stop"
                self._report(number_at(event, "prompt_eval_count"))
                return
        raise self.client.ended_early()


class OpenAi(ChatServer):
    """A model behind ``/v1/chat/completions``."""

    def _answer(self, limit: int, temperature: float, seed: int) -> Iterator[str]:
        # OpenAI itself takes only the new name of the limit, others only the old one.
        name = "max_completion_tokens" if self.host == "api.openai.com" else "max_tokens"
        body = {
            "model": self.name, "messages": self._messages(), "stream": True, "temperature": temperature,
            "seed": seed, name: limit, "stream_options": {"include_usage": True},
        }  # fmt: skip
        path = "/chat/completions" if self.client.address.path.endswith("/v1") else "/v1/chat/completions"
        reason, used = "", 0
        for event in read_events(self.client.stream(path, body)):
            if at(event, "error"):
                raise self.client.refused(0, event)
            if piece := text_at(event, "choices", 0, "delta", "content"):
                yield piece
            reason = text_at(event, "choices", 0, "finish_reason") or reason
            used = number_at(event, "usage", "prompt_tokens") or used
        self._report(used)
        if not reason:
            raise self.client.ended_early()
        self.ended = reason == "stop"
