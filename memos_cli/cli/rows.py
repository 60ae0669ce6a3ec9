"""Results as JSON objects. Keys are only ever added: scripts read them (see tests/test_json.py)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from memos_cli.cube import Attached, Cube, Hit, Injection, Plan, Quote, format_time

if TYPE_CHECKING:
    from memos_cli.infrastructure.adapters import Adapter
    from memos_cli.infrastructure.derived import Activation
    from memos_cli.infrastructure.links import Link
    from memos_cli.interface.results import Answer


SENTENCES = 3
"""How many sentences of a memory a plan shows: those that made it relevant."""


TIMES = ("time", "created", "updated", "expires", "last_hit")
"""The times of a memory, by their names in a row."""


def cube_row(cube: Cube) -> dict[str, Any]:
    """A cube in full."""
    return {
        "id": cube.id,
        "ref": cube.ref,
        "payload": cube.payload,
        "type": cube.type,
        "state": cube.state,
        "version": cube.version,
        "title": cube.title,
        "text": cube.text,
        "author": cube.author,
        "role": cube.role,
        "owner": cube.owner,
        "source": cube.source,
        "span": [cube.span.start, cube.span.end] if cube.span else None,
        "time": _time(cube.time),
        "created": _time(cube.created),
        "updated": _time(cube.updated),
        "expires": _time(cube.expires),
        "priority": cube.priority,
        "frozen": cube.frozen,
        "hits": cube.hits,
        "last_hit": _time(cube.last_hit),
        "heat": round(cube.heat, 4),
        "tags": list(cube.tags),
        "sensitivity": cube.sensitivity,
        "uses_left": cube.uses_left,
    }


def link_row(link: Link | None) -> dict[str, Any] | None:
    """A link between two memories."""
    if link is None:
        return None
    ends = {"from": link.source_id, "kind": link.kind, "to": link.target_id}
    return {**ends, "created": _time(link.created)}


def hit_row(hit: Hit) -> dict[str, Any]:
    """A search result."""
    cube = hit.cube
    return {
        "id": cube.id,
        "ref": cube.ref,
        "score": hit.score,
        "text": cube.text,
        "title": cube.title,
        "source": cube.source,
        "span": [cube.span.start, cube.span.end] if cube.span else None,
        "time": _time(cube.time),
        "tags": list(cube.tags),
        "why": dict(hit.why),
        "type": cube.type,
        "author": cube.author,
        "version": cube.version,
        "weak": hit.weak,
    }


def plan_row(plan: Plan) -> dict[str, Any]:
    """A plan: what goes before the model, how, and what does not."""
    call = plan.call
    return {
        "call": {
            "intent": call.intent,
            "topics": list(call.topics),
            "types": list(call.types),
            "after": _time(call.after),
            "before": _time(call.before),
            "when": call.when,
            "forward": call.forward,
        },
        "budget": plan.budget,
        "tokens": plan.tokens,
        "chosen": [
            {
                "label": item.label,
                "id": item.hit.cube.id,
                "form": item.form,
                "part": item.part,
                "found": item.found,
                "tokens": item.tokens,
                "score": item.hit.score,
                "why": dict(item.hit.why),
                "sentences": [
                    {
                        "text": item.hit.cube.text[each.start : each.end],
                        "score": round(each.score, 4),
                        "cosine": None if each.cosine is None else round(each.cosine, 3),
                    }
                    for each in item.hit.sentences[:SENTENCES]
                ],
            }
            for item in plan.chosen
        ],
        "left_out": [
            {"id": item.hit.cube.id, "score": item.hit.score, "reason": item.reason} for item in plan.left_out
        ],
        "notes": list(plan.notes),
        "activation": plan.reuse
        and {
            "result": "miss" if plan.reuse.miss else "hit",
            "reason": plan.reuse.miss,
            "id": plan.reuse.id,
            "tokens": plan.reuse.tokens,
        },
        "adapters": [_attached_row(each) for each in plan.adapters],
    }


def _attached_row(adapter: Attached) -> dict[str, Any]:
    near = adapter.likeness
    return {
        "id": adapter.id,
        "name": adapter.name,
        "scale": adapter.scale,
        "learned": near and near.question,
        "likeness": near and round(near.value, 4),
    }


def source_rows(plan: Plan, order: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Return the rows of ``sources``."""
    return [{"label": item.label, **hit_row(item.hit)} for item in sources(plan, order)]


def sources(plan: Plan, order: Sequence[int] = ()) -> list[Injection]:
    """Return the memories of a plan that were found for the question, by label or in ``order`` of labels."""
    place_of = {label: at for at, label in enumerate(order)}
    found = [item for item in plan.chosen if item.found]
    return sorted(found, key=lambda item: place_of.get(item.label, item.label))


def quote_row(quote: Quote) -> dict[str, Any]:
    """Return a quoted sentence and its source as a row."""
    cube = quote.cube
    return {
        "label": quote.label,
        "id": cube.id,
        "text": quote.text,
        "author": cube.author,
        "title": cube.title,
        "heading": quote.heading,
        "columns": quote.columns,
        "time": _time(cube.time),
        "source": cube.source,
        "span": [cube.span.start, cube.span.end] if cube.span else None,
        "characters": [quote.start, quote.end],
        "score": quote.score,
    }


def answer_row(answer: Answer) -> dict[str, Any]:
    """An answer with its plan and sources."""
    return {
        "question": answer.question,
        "answer": answer.answer,
        "answered": answer.answered,
        "mode": answer.mode,
        "quotes": [quote_row(quote) for quote in answer.quotes],
        "support": {"unsupported": list(answer.unsupported), "stopped": answer.stopped},
        "nearest": hit_row(answer.nearest) if answer.nearest else None,
        "model": answer.model,
        "plan": plan_row(answer.plan),
        "sources": source_rows(answer.plan, answer.order),
        "timings": dict(answer.timings),
    }


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


def place(cube: Cube) -> str:
    """Where a cube comes from, for a person: path and bytes, or its ref."""
    name = cube.source or ""
    if name.startswith("file://"):
        path = Path(os.fsdecode(unquote_to_bytes(urlsplit(name).path)))
        name = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    if cube.span and cube.source:
        name += f":{cube.span.start}-{cube.span.end}"
    return f"{name} {cube.ref}" if cube.ref else name


def _time(time: int | None) -> str | None:
    return None if time is None else format_time(time)
