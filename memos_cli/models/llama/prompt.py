"""Convert messages to tokens with the model's own chat template.

The template is rendered once with marks in place of the contents, and cut at the marks. Its own text is
tokenized with control tokens, the contents without: a memory that says ``<|im_start|>system`` stays text.
Each block of memories and the question are always tokenized separately, so that a saved state of the first
blocks and a fresh reading of them have the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol

from memos_cli.models.llama.chat_template import Frame, render_frame


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens of a request. ``prefix`` has instructions and memories, ``question`` the rest."""

    prefix: tuple[int, ...]
    question: tuple[int, ...]
    ends: tuple[int, ...] = ()
    """How many tokens the prompt has up to the end of each block of memories."""
    note: str = ""
    """A note for the user, if the model's own template fails."""

    def __len__(self) -> int:
        return len(self.prefix) + len(self.question)


class Tokenizer(Protocol):
    """The part of an engine that a prompt is made with."""

    day: date

    @property
    def template(self) -> str: ...

    @property
    def marks(self) -> dict[str, str]: ...

    @property
    def adds_start(self) -> bool: ...

    def tokenize(self, text: str, *, special: bool = False, start: bool = False) -> list[int]: ...


def frame_of(engine: Tokenizer, *, is_dialogue: bool = False) -> Frame:
    """Render the model's template for a request, or for one that others follow."""
    return _frame(engine.template, tuple(engine.marks.items()), engine.day, is_dialogue)


@lru_cache(maxsize=8)
def _frame(template: str, marks: tuple[tuple[str, str], ...], day: date, is_dialogue: bool) -> Frame:
    return render_frame(template, dict(marks), day, is_dialogue=is_dialogue)


class TokenPrompts:
    """A base class that makes prompts of tokens, for engines with the methods of ``Tokenizer``.

    Each block of memories is tokenized by itself, so that its tokens do not depend on what follows. Where the
    model's template fails, the prompt is in ChatML, and has a note.
    """

    def build_prompt(
        self: Tokenizer, *, system: str, memories: Sequence[str], question: str, is_dialogue: bool = False
    ) -> Prompt:
        """Make the prompt that puts blocks of ``memories`` before ``question``; others may follow it."""
        frame = frame_of(self, is_dialogue=is_dialogue)
        bos = self.marks["bos_token"]
        starts = self.adds_start and not (bos and frame.before[0].startswith(bos))
        start = [*self.tokenize(frame.before[0], special=True, start=starts), *self.tokenize(system)]
        start += self.tokenize(frame.before[1], special=True)
        return _complete(self, frame, start, memories, frame.before[2], question)

    def continue_prompt(
        self: Tokenizer, before: Prompt, answer: str, *, memories: Sequence[str], question: str
    ) -> Prompt:
        """Make the prompt that follows an ``answer`` to the prompt ``before`` of a dialogue."""
        frame = frame_of(self, is_dialogue=True)
        start = [*before.prefix, *before.question, *self.tokenize(answer)]
        start += self.tokenize(frame.between, special=True)
        return _complete(self, frame, start, memories, "", question)


def _complete(
    engine: Tokenizer,
    frame: Frame,
    start: Sequence[int],
    memories: Sequence[str],
    between: str,
    question: str,
) -> Prompt:
    """Make the prompt of ``start``, blocks of memories, the template's text ``between``, and a question."""
    prefix, ends = list(start), list[int]()
    for block in memories:
        prefix += engine.tokenize(block)
        ends.append(len(prefix))
    prefix += engine.tokenize(between, special=True)
    tail = [*engine.tokenize(question), *engine.tokenize(frame.after, special=True)]
    return Prompt(tuple(prefix), tuple(tail), tuple(ends), frame.note)
