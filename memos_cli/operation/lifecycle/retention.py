"""Choose the snapshots to keep, by the rules of restic's ``forget``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Retention:
    """The number of snapshots that each rule keeps; 0: none. Without any rule, all are kept."""

    last: int = 0
    """The newest ones."""
    daily: int = 0
    """The newest of each day, of the last days that have one."""
    weekly: int = 0
    """The newest of each week (Monday to Sunday), of the last weeks that have one."""

    def __bool__(self) -> bool:
        return bool(self.last or self.daily or self.weekly)


def kept(times: Sequence[datetime], rules: Retention) -> set[datetime]:
    """Return the snapshots that a rule keeps; the newest is always kept. ``times`` are in the user's zone.

    As in restic, a rule that has not found enough days or weeks also keeps the oldest snapshot.
    """
    newest_first = sorted(set(times), reverse=True)
    if not rules:
        return {*newest_first}
    found = {*newest_first[: max(1, rules.last)]}
    periods: tuple[tuple[int, Callable[[datetime], object]], ...] = (
        (rules.daily, datetime.date),
        (rules.weekly, lambda time: time.isocalendar()[:2]),
    )
    for most, period in periods:
        firsts: dict[object, datetime] = {}
        for time in newest_first:
            firsts.setdefault(period(time), time)
        found.update(list(firsts.values())[:most])
        if most > 0 and len(firsts) < most:
            found.update(newest_first[-1:])
    return found
