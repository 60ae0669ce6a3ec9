"""The token budget of an answer: estimates, and cursors to the rest.

A client hands its model either the structured content of an answer or its text block. Which one is not known,
so the tokens of both count.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Any, TypeVar

from memos_cli.errors import UsageError
from memos_cli.letters import WIDE

Row = TypeVar("Row")
_WIDE = re.compile(f"[{WIDE}]")
_LETTERS = 3.5
"""Letters of a token. English prose has four and more; ids, JSON and other languages have fewer."""
_CUT = "…"


def tokens_of(text: str) -> int:
    """Estimate the tokens of ``text``: a Chinese, Japanese or Korean character counts as one."""
    wide = len(_WIDE.findall(text))
    return ceil((len(text) - wide) / _LETTERS) + wide


def tokens_of_json(value: object) -> int:
    """Estimate the tokens of a value as JSON."""
    return tokens_of(json.dumps(value, ensure_ascii=False))


def cut(text: str, tokens: int) -> str:
    """Return the beginning of ``text`` that has at most ``tokens``, and an ellipsis where it was cut."""
    if tokens_of(text) <= tokens:
        return text
    low, high = 0, min(len(text), int(tokens * _LETTERS) + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokens_of(text[:middle]) < tokens else (low, middle - 1)
    return text[:low] + _CUT


def fill(candidates: Iterable[Row], tokens: int, cost: Callable[[Row], int]) -> list[Row]:
    """Return the first of ``candidates`` that fit in ``tokens`` together, and at least one."""
    rows: list[Row] = []
    for row in candidates:
        tokens -= cost(row)
        if rows and tokens < 0:
            break
        rows.append(row)
    return rows


def make_cursor(tool: str, arguments: Mapping[str, Any], *position: int) -> str:
    """Return an opaque cursor to the next page of this request."""
    body = json.dumps([_fingerprint(tool, arguments), *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def read_cursor(cursor: str, tool: str, arguments: Mapping[str, Any], length: int = 1) -> tuple[int, ...]:
    """Return the position, of ``length`` numbers, in a cursor; that of the first page without one.

    Raises UsageError for text that is not a cursor of this request.
    """
    if not cursor:
        return (0,) * length
    try:
        body = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        whose, *position = body
    except (ValueError, TypeError, binascii.Error, RecursionError):
        whose, position = "", []
    numbers = [each for each in position if type(each) is int and 0 <= each < 1 << 40]
    if len(numbers) != length or len(position) != length:
        raise UsageError("the cursor is not valid", f"call {tool} without a cursor")
    if whose != _fingerprint(tool, arguments):
        raise UsageError("the cursor belongs to another request", "repeat the arguments of the page before")
    return tuple(numbers)


def _fingerprint(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return a short hash of a request, without the fields that may change from page to page."""
    same = {name: value for name, value in arguments.items() if name not in ("cursor", "max_tokens", "k")}
    return hashlib.sha256(json.dumps([tool, same], sort_keys=True).encode()).hexdigest()[:12]
