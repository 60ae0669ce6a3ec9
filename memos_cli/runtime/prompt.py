"""From messages to tokens, by the model's own chat template.

The template is rendered once with marks in place of the contents, and cut at the marks. Its own text is
tokenized with control tokens, the contents without: a memory that says ``<|im_start|>system`` stays
text. Each block of memories and the question are tokenized separately, always, so that a saved state of what
comes first and a fresh reading of it run the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memos_cli.errors import ModelUnfit
from memos_cli.runtime.engine import Engine

_MARKS = tuple(f"\u2063{name}\u2063" for name in ("system", "memories", "question"))

PLAIN = (
    "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""For models that carry no template of their own."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens of a request. ``prefix`` holds instructions and memories, ``question`` the rest."""

    prefix: tuple[int, ...]
    question: tuple[int, ...]
    ends: tuple[int, ...] = ()
    """How many tokens the prompt has up to the end of each block of memories."""

    def __len__(self) -> int:
        return len(self.prefix) + len(self.question)


def build_prompt(engine: Engine, *, system: str, memories: Sequence[str], question: str) -> Prompt:
    """The prompt that puts blocks of ``memories`` before ``question``.

    Each block is tokenized by itself, so that its tokens do not depend on what follows.
    Raises ModelUnfit when the model's template is broken or leaves the contents out.
    """
    text = _render(engine, f"{_MARKS[1]}{_MARKS[2]}")
    contents = dict(zip(_MARKS, ([system], memories, [question]), strict=True))
    prefix: list[int] = []
    ends: list[int] = []
    tail: list[int] = []
    tokens = prefix
    rest = text
    for mark in _MARKS:
        head, found, rest = rest.partition(mark)
        if not found:
            raise ModelUnfit(
                "the model's chat template leaves messages out", "choose another model with --model"
            )
        tokens += engine.tokenize(head, special=True, start=_needs_start(engine, text) and not prefix)
        if mark == _MARKS[2]:
            tokens = tail
        for block in contents[mark]:
            tokens += engine.tokenize(block)
            if mark == _MARKS[1]:
                ends.append(len(prefix))
    tail += engine.tokenize(rest, special=True)
    return Prompt(tuple(prefix), tuple(tail), tuple(ends))


def _needs_start(engine: Engine, text: str) -> bool:
    bos = engine.marks["bos_token"]
    return engine.adds_start and not (bos and text.startswith(bos))


def _render(engine: Engine, user: str) -> str:
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> str:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    system = {"role": "system", "content": _MARKS[0]}
    question = {"role": "user", "content": user}
    merged = {"role": "user", "content": f"{_MARKS[0]}\n\n{user}"}  # some templates know no system role
    problem = ""
    try:
        template = environment.from_string(engine.template or PLAIN)
    except TemplateError as error:
        raise _broken(str(error)) from error
    for messages in ([system, question], [merged]):
        try:
            text = template.render(messages=messages, add_generation_prompt=True, **engine.marks)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            problem = str(error)
            continue
        if all(mark in text for mark in _MARKS):
            return text
    raise _broken(problem or "it leaves the messages out")


def _broken(problem: str) -> ModelUnfit:
    return ModelUnfit(
        f"the model's chat template does not work: {problem}", "choose another model with --model"
    )
