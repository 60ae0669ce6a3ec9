"""Engines without a model: their tokens are letters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from memos_cli.cube import Cube, Hit, Injection, MemoryCall, Plan
from memos_cli.models.llama.prompt import TokenPrompts
from memos_cli.operation.ask.prompt_layout import make_prompt

CHATML = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


CONTROL = re.compile(r"(<\|\w+\|>)")


@dataclass
class Letters(TokenPrompts):
    """Stands in for a model at its boundary: a token is a letter, or a control token such as <|end|>."""

    template: str = CHATML
    adds_start: bool = False
    day: date = date(2026, 5, 1)
    marks: dict[str, str] = field(default_factory=lambda: {"bos_token": "<|bos|>", "eos_token": "<|end|>"})

    def tokenize(self, text: str, *, special: bool = False, start: bool = False) -> list[int]:
        pieces = CONTROL.split(text) if special else [text]
        tokens = [hash("<|bos|>")] if start else []
        for piece in pieces:
            control = special and CONTROL.fullmatch(piece)
            tokens += [hash(piece)] if control else [ord(letter) for letter in piece]
        return tokens

    def count(self, text: str) -> int:
        return len(text)


def text_of(tokens: list[int]) -> str:
    names = {hash(name): name for name in ("<|start|>", "<|end|>", "<|bos|>", "<|im_start|>", "<|im_end|>")}
    return "".join(names[token] if token in names else chr(token) for token in tokens)


CUBE = Cube(
    n=1, id="01", payload="plaintext", type="document", state="activated", version=1,
    text="It listens on port 5433.", title="", ref=None, author="", role="", owner="user:ann", time=None,
    created=0, updated=0, expires=None, priority=0, frozen=False, hits=0, last_hit=None, heat=0.0,
    source=None, span=None,
)  # fmt: skip


@dataclass
class Model(Letters):
    """A model of letters with a size."""

    parameters: int = 135_000_000
    context: int = 400


def plan_of(*texts: str) -> Plan:
    hits = [Hit(replace(CUBE, n=n, text=text), 1.0 / n) for n, text in enumerate(texts, 1)]
    chosen = tuple(Injection(hit, "text", 1, label) for label, hit in enumerate(hits, 1))
    return Plan(MemoryCall("?", "recall"), chosen, (), 100)


def prompt_text(model: Any, *texts: str, **options: str) -> str:
    prompt = make_prompt(model, plan_of(*texts), "Which port?", **options)
    return text_of([*prompt.prefix]) + "|" + text_of([*prompt.question])
