"""Many requests at once: ``memos search --batch`` and ``memos query --batch``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_requests
from memos_cli.cli.shared_options import Filters, opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cube import Filter
    from memos_cli.interface.memory import Memos

Batch = Annotated[str, opt("--batch FILE", "Read one request per line from FILE, or - for stdin.")]


def answer_batch(
    state: State,
    memos: Memos,
    file: str,
    filters: Filters,
    answer: Callable[[str, Filter, int], dict[str, Any]],
    k: int = 0,
) -> None:
    """Answer each line of ``file`` with one JSON line; a bad line gets an error, and the exit code is 3.

    ``filters`` and ``k`` apply to requests that do not have their own.
    """
    failed = 0
    for line in read_requests(state.output, file):
        request: dict[str, Any] = {"query": line}
        try:
            if line.startswith(("{", "\0")):
                request = _request(line)
            names = ("source", "after", "before", "view")
            own: dict[str, Any] = {name: str(request[name]) for name in names if name in request}
            own["tag"] = _listed(request, "tag", "tags") or filters.tag
            own["type"] = _listed(request, "type", "types") or filters.type
            found = answer(request["query"], replace(filters, **own).read(memos), request.get("k", k))
            state.output.record({"query": request["query"], **found})
        except UsageError as error:
            failed += 1
            problem = {"message": str(error), "hint": error.hint, "code": error.code}
            state.output.record({"query": request["query"], "error": problem})
    if failed:
        raise typer.Exit(3)


def _request(line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
        json.dumps(request, ensure_ascii=False).encode()  # half a surrogate pair is not text
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict) or not isinstance(request.get("query"), str):
        raise UsageError("not a request", 'write plain text in UTF-8, or {"query": "…", "k": 5}')
    k = request.get("k", 0)
    if not isinstance(k, int) or not 0 <= k < 1 << 31:
        raise UsageError("k is not a number of results", 'write {"query": "…", "k": 5}')
    return request


def _listed(request: dict[str, Any], *names: str) -> list[str]:
    """Return a value that may be one text or a list of them, under either name."""
    for name in names:
        value = request.get(name)
        values = [value] if isinstance(value, str) else value or []
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise UsageError(f"{name} is neither a text nor a list of texts", f'write "{name}": ["…"]')
        if values:
            return values
    return []
