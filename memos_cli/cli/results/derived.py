"""Saved states and adapters: as JSON objects, and as lines for a person; an adapter's report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from memos_cli.cli.results.memories import cube_row, pick, place
from memos_cli.counts import counted, sized
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.cube import Cube
    from memos_cli.infrastructure.derived.adapters import Adapter
    from memos_cli.infrastructure.derived.saved_states import Activation

_STANDINGS = {"generated": "unfinished", "activated": "used", "archived": "not used"}


class Derived:
    """The states and adapters of a vault, to list them among its memories."""

    def __init__(self, states: Sequence[Activation], adapters: Sequence[Adapter]) -> None:
        self._states = {each.cube: each for each in states}
        self._adapters = {each.cube: each for each in adapters}

    def record(self, cube: Cube) -> dict[str, Any]:
        """Return a memory, a state or an adapter as a JSON object."""
        return {**cube_row(cube), **derived_row(self._states.get(cube.n), self._adapters.get(cube.n))}

    def cells(self, cube: Cube) -> tuple[str, str, str, str, str]:
        """Return its id, time, type, text and origin."""
        time = show_time(cube.created if cube.time is None else cube.time)
        if state := self._states.get(cube.n):
            return cube.id, time, "state", state_line(state), state.state.model
        if adapter := self._adapters.get(cube.n):
            return cube.id, time, "adapter", adapter_line(adapter), adapter.model
        return cube.id, time, cube.type, cube.text, place(cube)


def derived_row(state: Activation | None, adapter: Adapter | None) -> dict[str, dict[str, Any]]:
    """Return the fields of a saved state or an adapter that a memory does not have."""
    if state:
        return {"activation": _activation_row(state)}
    return {"parametric": _adapter_row(adapter)} if adapter else {}


def _activation_row(activation: Activation) -> dict[str, Any]:
    state = activation.state
    return {
        **pick(state, "model view"),
        "tokens": state.prompt,
        "held": len(state.tokens),
        "bytes": state.size,
        "blob": state.blob,
        "build_seconds": round(state.seconds, 3),
        "saved_seconds": round(activation.saved, 3),
        "hits": activation.hits,
        "stale": activation.stale or None,
        "sources": _sources(activation),
        "fingerprint": dict(state.fingerprint),
    }


def _adapter_row(adapter: Adapter) -> dict[str, Any]:
    return {
        "model": adapter.model,
        "bytes": adapter.size,
        "blob": adapter.blob,
        "train_seconds": round(adapter.seconds, 3),
        "hits": adapter.hits,
        "stale": adapter.stale or None,
        "lessons": dict(adapter.lessons),
        "sources": _sources(adapter),
        **pick(adapter, "recipe report fingerprint"),
    }


def _sources(made: Activation | Adapter) -> list[dict[str, Any]]:
    return [pick(each, "id version part") for each in made.sources]


def state_line(activation: Activation) -> str:
    """Return a saved state in one line."""
    state, stale = activation.state, activation.stale
    return (
        f"{activation.title}: {counted(len(state.tokens), 'token')}, {sized(state.size)}, "
        f"{counted(activation.hits, 'hit')}, {activation.saved:.1f} s saved"
        + (f", stale: {stale}" if stale else "")
    )


def adapter_line(adapter: Adapter) -> str:
    """Return an adapter in one line."""
    size = sized(adapter.size) if adapter.blob else "no weights"
    return (
        f"{adapter.title}: {counted(len(adapter.sources), 'memory')}, {size}, "
        f"{counted(adapter.hits, 'hit')}, {_STANDINGS.get(adapter.state, adapter.state)}"
        + (f", stale: {adapter.stale}" if adapter.stale else "")
    )


def lessons_line(lessons: Mapping[str, int]) -> str:
    """Return the numbers of training questions by kind, in one line."""
    total = sum(count for kind, count in lessons.items() if kind != "held out")
    return f"{total} ({', '.join(f'{count} {kind}' for kind, count in lessons.items())})" if total else "none"


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report: the result, each check with its limit, then all other values."""
    if "passed" in report:
        reason = f": {report['reason']}" if report.get("reason") else ""
        yield f"gate      {_verdict(report['passed'])}{reason}"
    checks = [check for check in _list(report.get("checks")) if isinstance(check, dict)]
    width = max((len(str(check.get("name", ""))) for check in checks), default=0)
    for check in checks:
        limit = f" (limit {_number(check['limit'])})" if check.get("limit") is not None else ""
        measured = f"{_number(check.get('value', ''))}{limit}"
        detail = f"  {check['detail']}" if check.get("detail") else ""
        yield f"  {check.get('name', '')!s:<{width}}  {_verdict(check.get('passed')):<6}  {measured}{detail}"
    others = {name: value for name, value in report.items() if name not in ("passed", "reason", "checks")}
    yield from facts_lines(others)


def facts_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield an object of any shape: one line per value, with its whole path."""
    flat = dict(_flat(facts))
    width = max(map(len, flat), default=0)
    for name, value in flat.items():
        yield f"  {name:<{width}}  {_number(value)}"


def _flat(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        path = f"{before}{name}".replace("_", " ")
        if isinstance(value, dict):
            yield from _flat(value, f"{path}.")
        elif isinstance(value, list) and any(isinstance(each, (dict, list)) for each in value):
            yield path, f"{len(value)} (--json shows them)"
        else:
            yield path, ", ".join(map(_number, value)) if isinstance(value, list) else value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _verdict(passed: object) -> str:
    return "passed" if passed is True else "failed" if passed is False else ""


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
