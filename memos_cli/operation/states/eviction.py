"""Choose the states to keep: compare the time that they save with their cost. Pure.

Heat is a count of uses in which each counts half after a half-life. If nothing changes, a memory of heat h
will be used h times more in all. So a state is worth h times the seconds that one use saves; making it costs
its seconds once; and the states with the most worth a byte are kept, as many as fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Policy = Literal["economy", "lru", "pinned"]
Action = Literal["keep", "make", "drop", "leave"]
HYSTERESIS = 0.2
"""The share by which a new state must be worth more than one that it replaces: making it again is not
free.
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """A state that exists, or could be made."""

    id: str
    """Of the activation cube, or of the memory whose state could be made."""
    bytes: int
    gain: float
    """Seconds that one use saves, after what restoring it takes."""
    build: float
    """Seconds that making it takes; 0 for one that is there."""
    heat: float
    """Of now."""
    last_use: int = 0
    exists: bool = False
    pinned: bool = False
    """Whether a view pins it: it is kept, and made, whatever it costs."""

    @property
    def worth(self) -> float:
        """The seconds that keeping or making it is expected to save."""
        return self.heat * self.gain - self.build


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a state, with its reason."""

    choice: Choice
    action: Action
    """``leave``: it is not made."""
    reason: str


def decide(choices: Iterable[Choice], *, budget: int, policy: Policy = "economy") -> list[Verdict]:
    """Decide on each state, so that the states at the end take at most ``budget`` bytes.

    ``economy`` decides by worth a byte; ``lru`` by the last use, and makes none; ``pinned`` keeps only pinned
    states. The order of ``choices`` does not matter; equals are ordered by id.
    """
    ordered = sorted(choices, key=lambda choice: (*_rank(choice, policy), choice.id))
    room, verdicts = budget, []
    for choice in ordered:
        wanted, reason = _wanted(choice, policy)
        if wanted and choice.bytes > room:
            wanted, reason = False, f"no room: {choice.bytes / 1e6:.0f} MB, {room / 1e6:.0f} MB are left"
        if wanted:
            room -= choice.bytes
        action: Action = ("keep" if wanted else "drop") if choice.exists else ("make" if wanted else "leave")
        verdicts.append(Verdict(choice, action, reason))
    return verdicts


def _rank(choice: Choice, policy: Policy) -> tuple[float, ...]:
    """Return a sort key: the first state is kept first."""
    if policy == "lru":
        return (not choice.pinned, -choice.last_use)
    bonus = 1.0 + HYSTERESIS if choice.exists else 1.0
    return (not choice.pinned, -bonus * choice.worth / max(1, choice.bytes))


def _wanted(choice: Choice, policy: Policy) -> tuple[bool, str]:
    if choice.pinned:
        return True, "a view pins it"
    if policy == "pinned":
        return False, "no view pins it"
    if policy == "lru":
        return choice.exists, "it was used lately" if choice.exists else "lru makes none"
    expected = f"{choice.heat:.1f} uses to come save {choice.heat * choice.gain:.1f} s"
    cost = f", making it takes {choice.build:.1f} s" if choice.build else ""
    return choice.worth > 0, expected + cost
