"""Saved states and adapters: as JSON objects, and as lines for a person; an adapter's report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from memos_cli.counts import counted

if TYPE_CHECKING:
    from memos_cli.infrastructure.derived.adapters import Adapter
    from memos_cli.infrastructure.derived.saved_states import Activation

_STANDINGS = {"generated": "unfinished", "activated": "used", "archived": "not used"}


def activation_row(activation: Activation) -> dict[str, Any]:
    """What an activation cube has beside a cube's header."""
    state = activation.state
    return {
        "model": state.model,
        "view": state.view,
        "tokens": state.prompt,
        "held": len(state.tokens),
        "bytes": state.size,
        "blob": state.blob,
        "build_seconds": round(state.seconds, 3),
        "saved_seconds": round(activation.saved, 3),
        "hits": activation.hits,
        "stale": activation.stale or None,
        "sources": [
            {"id": source.id, "version": source.version, "part": source.part} for source in activation.sources
        ],
        "fingerprint": dict(state.fingerprint),
    }


def adapter_row(adapter: Adapter) -> dict[str, Any]:
    """What an adapter cube has beside a cube's header."""
    return {
        "model": adapter.model,
        "bytes": adapter.size,
        "blob": adapter.blob,
        "train_seconds": round(adapter.seconds, 3),
        "hits": adapter.hits,
        "stale": adapter.stale or None,
        "lessons": dict(adapter.lessons),
        "sources": [
            {"id": source.id, "version": source.version, "part": source.part} for source in adapter.sources
        ],
        "recipe": dict(adapter.recipe),
        "report": dict(adapter.report),
        "fingerprint": dict(adapter.fingerprint),
    }


def state_line(activation: Activation) -> str:
    """A saved state in one line."""
    state, stale = activation.state, activation.stale
    return (
        f"{activation.title}: {counted(len(state.tokens), 'token')}, {state.size / 1e6:.1f} MB, "
        f"{counted(activation.hits, 'hit')}, {activation.saved:.1f} s saved"
        + (f", stale: {stale}" if stale else "")
    )


def adapter_line(adapter: Adapter) -> str:
    """An adapter in one line."""
    size = f"{adapter.size / 1e6:.1f} MB" if adapter.blob else "no weights"
    return (
        f"{adapter.title}: {counted(len(adapter.sources), 'memory')}, {size}, "
        f"{counted(adapter.hits, 'hit')}, {_STANDINGS.get(adapter.state, adapter.state)}"
        + (f", stale: {adapter.stale}" if adapter.stale else "")
    )


def lessons_line(lessons: Mapping[str, int]) -> str:
    """How many lessons of which kind."""
    total = sum(count for kind, count in lessons.items() if kind != "held out")
    return f"{total} ({', '.join(f'{count} {kind}' for kind, count in lessons.items())})" if total else "none"


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """A report card: whether it was passed, each check with its limit, then all else that it tells."""
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
    """An object of any shape: one line a value, what is inside others by its whole path."""
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
