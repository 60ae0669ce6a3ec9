"""MemScheduler: which memories a model reads for one question, within a budget. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from memos_cli.cube import Hit, Injection, LeftOut, MemoryCall, Plan

FAINT = 0.5
"""A memory scored below this share of the best one adds noise that a small reader trips over."""


def make_plan(
    call: MemoryCall,
    hits: Sequence[Hit],
    costs: Sequence[int],
    *,
    budget: int,
    most: int,
    relevance: float,
    notes: tuple[str, ...] = (),
) -> Plan:
    """Choose from ``hits``, best first, those that fit: ``costs`` are their prices in tokens.

    Never chosen: a memory below ``relevance``, one much fainter than the best (unless everything was
    asked for), one whose text is in another, more than ``most``, and what exceeds ``budget`` tokens.
    A memory that is too long does not keep a shorter one out.
    """
    chosen: list[Injection] = []
    left_out: list[LeftOut] = []
    everything = call.intent in ("summarize", "list")
    spent = 0
    for hit, cost in zip(hits, costs, strict=True):
        relevant = float(hit.why.get("relevance", 0.0))
        if relevant < relevance:
            reason = f"not relevant enough ({relevant:.2f} < {relevance:.2f})"
        elif not everything and chosen and hit.score < FAINT * chosen[0].hit.score:
            reason = f"much fainter than the best ({hit.score:.2f})"
        elif any(hit.cube.text in other.hit.cube.text for other in chosen):
            reason = "said by another memory"
        elif len(chosen) >= most and not everything:
            reason = f"more than {most} memories"
        elif spent + cost > budget:
            reason = f"no room ({cost} tokens, {budget - spent} left)"
        else:
            spent += cost
            chosen.append(Injection(hit, "text", cost, len(chosen) + 1))
            continue
        left_out.append(LeftOut(hit, reason))
    return Plan(call, tuple(chosen), tuple(left_out), budget, notes)
