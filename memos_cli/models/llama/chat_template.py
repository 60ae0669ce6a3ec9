"""Render a model's chat template with the functions that transformers provides.

The template comes with the model, and is code of others: it runs in jinja2's sandbox, and whatever it raises
is a failure of the template. See transformers' ``utils/chat_template_utils.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_MARKS = tuple(f"\u2063{number}\u2063" for number in range(5))
"""Placeholders for the instructions, the memories and the question, and for an answer and the question after
it. No template filter changes them."""
_ANY_MARK = re.compile("|".join(_MARKS))

PLAIN = (
    "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""For models without a template."""
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""For models whose own template fails: the most common one."""
CLOCK = "strftime_now"
"""The function with which a template reads the time."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The text of a template around the instructions, the memories and the question."""

    before: tuple[str, str, str]
    """The text before each of the three."""
    after: str
    note: str = ""
    """Why this is not the model's own template; "" if it is."""
    between: str = ""
    """The text between an answer and the next question; "" unless it was rendered for a dialogue."""


def render_frame(template: str, tokens: Mapping[str, str], day: date, *, is_dialogue: bool = False) -> Frame:
    """Render ``template`` ("" for PLAIN) for one request, or CHATML if it fails.

    ``tokens`` are the texts of control tokens, such as ``bos_token``; ``day`` is the date for the template,
    without a time, so that prompts of one day start with the same text. With ``is_dialogue``, more questions
    follow the first.
    """
    try:
        return _render(template or PLAIN, tokens, day, is_dialogue)
    except Exception as error:  # noqa: BLE001 (code of others may raise anything)
        note = f"the model's chat template fails ({error}); ChatML is used instead"
        return replace(_render(CHATML, tokens, day, is_dialogue), note=note)


def _render(template: str, tokens: Mapping[str, str], day: date, is_dialogue: bool) -> Frame:
    compiled = _environment(day).from_string(template)
    one, two, three, after = _pieces(compiled, tokens, ())
    # A template may show a message differently when others follow. What a model was given stays as it was
    # given: of the longer dialogue only the text before the next question is used.
    more = [("assistant", _MARKS[3]), ("user", _MARKS[4])]
    between = _pieces(compiled, tokens, more)[4] if is_dialogue else ""
    return Frame((one, two, three), after, between=between)


def _pieces(compiled: Template, tokens: Mapping[str, str], more: Sequence[tuple[str, str]]) -> list[str]:
    """Render a request and ``more`` messages; return the text before each content, and what follows the last.

    Try the message formats that templates support, until one shows all contents in order.
    """
    marks = _MARKS[: 3 + len(more)]
    system, user = _MARKS[0], f"{_MARKS[1]}{_MARKS[2]}"
    dialogues = ([("system", system), ("user", user), *more], [("user", f"{system}\n\n{user}"), *more])
    forms: tuple[Callable[[str], object], ...] = (str, lambda text: [{"type": "text", "text": text}])
    problem: Exception | None = None
    for dialogue in dialogues:  # some templates have no system role
        for form in forms:  # some support only contents in parts
            messages = [{"role": role, "content": form(text)} for role, text in dialogue]
            try:
                text = compiled.render(
                    messages=messages, add_generation_prompt=True, tools=None, documents=None, **tokens
                )
            except Exception as error:  # noqa: BLE001
                problem = problem or error
                continue
            if tuple(dict.fromkeys(_ANY_MARK.findall(text))) == marks:
                return _cut(text, marks)
    raise problem or ValueError("it leaves the messages out")


def _cut(text: str, marks: Sequence[str]) -> list[str]:
    """Split a rendered template at the first of each mark; repeated contents are left out."""
    pieces = []
    for mark in marks:
        head, _, text = text.partition(mark)
        pieces.append(_ANY_MARK.sub("", head))
    return [*pieces, _ANY_MARK.sub("", text)]


def _environment(day: date) -> Environment:
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class GenerationBlock(Extension):
        """``{% generation %}`` marks what the model said, for training; here its text stands for itself."""

        tags = {"generation"}  # noqa: RUF012 (as jinja2 declares it)

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> str:
        raise TemplateError(message)

    def strftime_now(format: str) -> str:
        return datetime.combine(day, time.min).strftime(format)

    def to_json(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | str | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, "jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": raise_exception, CLOCK: strftime_now}
    environment.filters["tojson"] = to_json  # jinja2's own escapes HTML
    return environment
