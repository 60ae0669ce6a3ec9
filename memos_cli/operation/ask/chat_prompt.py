"""The prompt of a conversation with memory. Pure: no I/O except counting the tokens of texts.

The first turn is the prompt of a query: [instructions, pinned memories] [a document] [memories, question].
Each later turn follows the answer before it: [memories that are new here] [question]. So a prompt starts with
all the tokens of the previous one, and a memory stays where it was first needed. If the context is full, the
oldest turns are removed ("folded") in one step, which leaves half of the room for the next turns. The same
turns always give the same tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Hit, Injection, MemoryCall, Plan
from memos_cli.operation.ask.prompt_layout import continue_prompt, make_prompt

if TYPE_CHECKING:
    from memos_cli.models.engine import Engine
    from memos_cli.models.llama.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a conversation, its answer, and the memories that were chosen for it."""

    question: str
    answer: str
    call: MemoryCall
    chosen: tuple[Injection, ...] = ()
    made_from: frozenset[int] = frozenset()
    """The memories that the answer was made from, by row number: of this turn and earlier ones."""
    searched: str = ""
    """The text of the search: the question, with the questions that it depends on."""
    number: int = 0
    """Its number in the chat."""
    ids: tuple[str, ...] = ()
    """The ids of the memories that store it."""


@dataclass(slots=True)
class Conversation:
    """The turns of a chat that are in its prompt, oldest first."""

    turns: list[Turn] = field(default_factory=list)
    pins: Sequence[Cube] = ()
    """The pinned memories, which come first."""
    labels: dict[int, int] = field(default_factory=dict)
    """The number of each memory in prompts and answers, by row number; it stays when turns are folded."""

    @property
    def memories(self) -> dict[int, Injection]:
        """The memories that were chosen for the turns, by row number."""
        return {item.hit.cube.n: item for turn in self.turns for item in turn.chosen}

    @property
    def shown(self) -> set[int]:
        """The memories whose text is in the prompt, by row number."""
        texts = (item for turn in self.turns for item in turn.chosen if item.form != "adapter")
        return {cube.n for cube in self.pins if self.turns} | {item.hit.cube.n for item in texts}

    def label(self, chosen: Iterable[Injection]) -> None:
        """Keep the numbers that a plan gave to memories."""
        self.labels |= {item.hit.cube.n: item.label for item in chosen}

    def prompt(self, engine: Engine, question: str, chosen: Sequence[Injection], system: str = "") -> Prompt:
        """Return the prompt with one more ``question``, and the memories chosen for it."""
        shown: set[int] = set()
        prompt: Prompt | None = None
        answer = ""
        for turn in (*self.turns, Turn(question, "", MemoryCall(question, "recall"), tuple(chosen))):
            texts = (item for item in turn.chosen if item.form != "adapter")
            new = [item for item in texts if item.hit.cube.n not in shown]
            if prompt is None:
                new = [*self._pinned(new), *(item for item in new if item.part != "pinned")]
                plan = Plan(turn.call, tuple(new), (), 0)
                prompt = make_prompt(engine, plan, turn.question, system, is_dialogue=True)
            else:
                prompt = continue_prompt(engine, prompt, answer, new, turn.question)
            shown |= {item.hit.cube.n for item in new}
            answer = turn.answer
        assert prompt is not None
        return prompt

    def _pinned(self, chosen: Sequence[Injection]) -> list[Injection]:
        """Return the pinned memories, as they are in a plan that finds something."""
        by_number = {item.hit.cube.n: item for item in chosen}
        made = []
        for cube in self.pins:
            label = self.labels.setdefault(cube.n, max(self.labels.values(), default=0) + 1)
            item = by_number.get(cube.n) or Injection(Hit(cube, 0.0), "text", 0, label)
            made.append(replace(item, part="pinned"))
        return made

    def taken(self, engine: Engine, question: str, system: str = "") -> int:
        """Count the tokens of the turns in the context, without the instructions and ``question``."""
        whole = len(self.prompt(engine, question, (), system))
        empty = Plan(MemoryCall(question, "recall"), (), (), 0)
        return whole - len(make_prompt(engine, empty, question, system)) if self.turns else 0

    def fold(self, engine: Engine, question: str, room: int, system: str = "") -> int:
        """Remove the oldest turns if the prompt of ``question`` has more than ``room`` tokens.

        Returns how many. The remaining turns take at most half of ``room``.
        """
        if len(self.prompt(engine, question, (), system)) <= room:
            return 0
        kept = list(self.turns)
        while kept:
            del kept[0]
            rest = Conversation(kept, self.pins, self.labels)
            if len(rest.prompt(engine, question, (), system)) <= room // 2:
                break
        folded = len(self.turns) - len(kept)
        self.turns = kept
        return folded

    def cut(self, numbers: Collection[int]) -> None:
        """Remove the first of these turns and all later ones: a later answer may repeat an earlier one."""
        first = min(numbers)
        self.turns = [turn for turn in self.turns if turn.number < first]
