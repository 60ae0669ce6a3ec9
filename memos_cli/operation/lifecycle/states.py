"""MemLifecycle: which state follows which, and how use warms a memory. Pure."""

from __future__ import annotations

import math

from memos_cli.errors import UsageError

DAY = 86_400_000
"""Milliseconds."""

TRANSITIONS: dict[tuple[str, str], str] = {
    ("generated", "use"): "activated",
    ("generated", "promote"): "activated",
    ("generated", "archive"): "archived",
    ("activated", "archive"): "archived",
    ("archived", "restore"): "activated",
    ("generated", "expire"): "expired",
    ("activated", "expire"): "expired",
    ("expired", "restore"): "activated",
    ("generated", "merge"): "merged",
    ("activated", "merge"): "merged",
    ("merged", "part"): "activated",
    # What came from outside waits until somebody has looked at it.
    ("generated", "quarantine"): "quarantined",
    ("activated", "quarantine"): "quarantined",
    ("archived", "quarantine"): "quarantined",
    ("quarantined", "approve"): "generated",
    ("quarantined", "reject"): "archived",
    ("quarantined", "archive"): "archived",
    # What was made from memories by training: its gate decides, and it is detached and attached again.
    ("archived", "promote"): "activated",
    ("generated", "refuse"): "archived",
    ("activated", "refuse"): "archived",
    ("archived", "refuse"): "archived",
    ("generated", "demote"): "archived",
    ("activated", "demote"): "archived",
    ("archived", "checkpoint"): "generated",
}
"""(state, action) to the state that follows. What is not here is not allowed."""


def next_state(state: str, action: str, id: str = "") -> str:
    """The state after ``action``, of the memory ``id``. Raises UsageError if the state does not allow it."""
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        if not id:
            raise UsageError(f"cannot {action} a memory that is {state}", "memos show ID") from None
        raise UsageError(f"cannot {action} {id}: it is {state}", f"memos show {id} --graph") from None


def heat_after_use(heat: float, last_hit: int | None, *, now: int, half_life: float) -> float:
    """Return an exponentially decayed count of uses: each counts half after ``half_life`` days.

    A clock that was set back does not heat a memory: time before the last use counts as none.
    """
    return 1.0 + heat_now(heat, last_hit, now=now, half_life=half_life)


def heat_now(heat: float, last_hit: int | None, *, now: int, half_life: float) -> float:
    """Return the heat now of a memory that had ``heat`` when it was last used; ``half_life`` in days."""
    if last_hit is None:
        return 0.0
    return heat * math.pow(0.5, max(0, now - last_hit) / (half_life * DAY))
