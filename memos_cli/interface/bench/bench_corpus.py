"""Generated memories and a question of a given number of tokens, to measure with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from memos_cli.errors import UsageError
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.operation.ask.prompt_layout import costs, make_prefix

_QUESTIONS = ("Who looks after the printer called heron", "the printer called heron", "heron")
_KINDS = ("printer", "database server", "backup robot", "coffee machine", "weather station")
_NAMES = ("heron", "otter", "lynx", "ibis", "marten", "plover", "stoat", "wren")
_KEEPERS = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus")


def keep_memories(memos: Memos, target: int) -> list[str]:
    """Add memories to the vault whose prompt, up to the question, has ``target`` tokens, or slightly fewer.

    Returns their ids. Raises UsageError when the instructions alone take more.
    """
    engine, options = memos.local_engine, IngestOptions(hints=ReadOptions(lines=True))
    sample = memos.ingest(options=options, text=_memory(0).encode(), embed=False).ids
    (cube,) = memos.access.get_many(sample)
    memos.forget(sample, dry_run=False)  # it only showed the form of such a memory in a prompt

    def size(*texts: str) -> int:
        return len(make_prefix(engine, [], [replace(cube, text=text) for text in texts]))

    texts = [_memory(0)]
    room = target - size(*texts)
    if room < 0:
        least = -(-(target - room) // engine.batch) * engine.batch
        raise UsageError(
            f"{target} tokens leave no room for a memory after the instructions", f"--tokens {least}"
        )
    for number in itertools.count(1):
        room -= costs(engine, [replace(cube, text=_memory(number))])[0]
        if room < 0:
            break
        texts.append(_memory(number))
    while size(*texts) > target:  # read together, texts may take other tokens than one by one
        texts.pop()
    *others, last = texts
    units = (", as everybody there knows", ", of course", " too", "!")
    texts = [*others, _fill(last, units, lambda text: size(*others, text), target)]
    return [*memos.ingest(options=options, text="\n".join(texts).encode()).ids]


def _memory(number: int) -> str:
    kind, name, keeper = (words[number % len(words)] for words in (_KINDS, _NAMES, _KEEPERS))
    return f"The {kind} called {name} stands in room {number + 1}, and {keeper} looks after it."


def write_question(engine: Engine, target: int) -> tuple[str, int]:
    """Return a question on the memories that has about ``target`` tokens with the template's end, and its
    tokens.
    """

    def size(text: str) -> int:
        return len(engine.build_prompt(system="", memories=[], question=text).question)

    start = next((text for text in _QUESTIONS if size(text) <= target), _QUESTIONS[-1])
    question = _fill(start, (" that stands in room 1", " there", "?"), size, target)
    return question, size(question)


def _fill(text: str, units: Sequence[str], size: Callable[[str], int], target: int) -> str:
    """Append as many of ``units`` to ``text`` as fit into ``target`` tokens."""
    for unit in units:
        while size(text) < target and size(text + unit) <= target:
            text += unit
    return text
