"""MemLifecycle: transitions between states, and the heat of a memory. Pure."""

from __future__ import annotations

import math

from memos_cli.errors import UsageError

DAY = 86_400_000
"""Milliseconds."""

TRANSITIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "use": (("generated",), "activated"),
    "archive": (("generated", "activated", "quarantined"), "archived"),
    "restore": (("archived", "expired"), "activated"),
    "expire": (("generated", "activated"), "expired"),
    "merge": (("generated", "activated"), "merged"),
    "part": (("merged",), "activated"),
    # What came from outside waits until somebody has looked at it.
    "quarantine": (("generated", "activated", "archived"), "quarantined"),
    "approve": (("quarantined",), "generated"),
    "reject": (("quarantined",), "archived"),
    # What was made from memories by training: its gate decides, and it is detached and attached again.
    "promote": (("generated", "archived"), "activated"),
    "refuse": (("generated", "activated", "archived"), "archived"),
    "demote": (("generated", "activated"), "archived"),
    "checkpoint": (("archived",), "generated"),
}
"""By action, the states that allow it, and the state that follows."""


def next_state(state: str, action: str, id: str = "") -> str:
    """Return the state of the memory ``id`` after ``action``. Raises UsageError if its state does not allow
    it.
    """
    states, following = TRANSITIONS[action]
    if state in states:
        return following
    if not id:
        raise UsageError(f"cannot {action} a memory that is {state}", "memos show ID")
    raise UsageError(f"cannot {action} {id}: it is {state}", f"memos show {id} --graph")


def heat_after_use(heat: float, last_hit: int | None, *, now: int, half_life: float) -> float:
    """Return an exponentially decayed count of uses: each counts half after ``half_life`` days.

    A clock that was set back does not heat a memory: time before the last use counts as none.
    """
    return 1.0 + heat_now(heat, last_hit, now=now, half_life=half_life)


def heat_now(heat: float, last_hit: int | None, *, now: int, half_life: float) -> float:
    """Return the present heat of a memory that had ``heat`` when it was last used; ``half_life`` in days."""
    if last_hit is None:
        return 0.0
    return heat * math.pow(0.5, max(0, now - last_hit) / (half_life * DAY))
