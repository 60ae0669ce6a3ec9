"""Find the changes of a source since it was last read. Pure.

The same digest is the same memory, wherever it is now. Of the rest, drafts with a ``ref`` belong to the cube
of that ref; other drafts belong to the cube that was in the same gap between two unchanged neighbours, in
order: an edited paragraph becomes a new version.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from memos_cli.infrastructure.memories.queries import Place


@dataclass(frozen=True, slots=True)
class Alignment:
    """Drafts (by index) against the places that the vault knows."""

    same: tuple[tuple[Place, int], ...]
    changed: tuple[tuple[Place, int], ...]
    added: tuple[int, ...]
    gone: tuple[Place, ...]


def align(old: Sequence[Place], digests: Sequence[bytes], refs: Sequence[str | None]) -> Alignment:
    """Match a source's drafts (their digests and refs, in order) to its known places, in order.

    A cube that also has other places is never changed: its draft counts as added.
    """
    waiting: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for at, place in enumerate(old):
        waiting[place.digest].append(at)
    partner: dict[int, int] = {}  # draft -> old place
    for draft, digest in enumerate(digests):
        if waiting[digest]:
            partner[draft] = waiting[digest].popleft()
    same = tuple((old[at], draft) for draft, at in sorted(partner.items()))

    taken = set(partner.values())
    by_ref: defaultdict[str, deque[int]] = defaultdict(deque)  # a source may give two pieces one id
    for at, place in enumerate(old):
        if place.ref is not None and at not in taken and not place.shared:
            by_ref[place.ref].append(at)
    changed: dict[int, int] = {}
    for draft, ref in enumerate(refs):
        if draft not in partner and ref is not None and by_ref[ref]:
            changed[draft] = by_ref[ref].popleft()

    anchors = sorted(taken)
    taken.update(changed.values())
    gaps: defaultdict[int, deque[int]] = defaultdict(deque)  # how many anchors stand before -> old places
    for at, place in enumerate(old):
        if at not in taken and place.ref is None and not place.shared:
            gaps[bisect_left(anchors, at)].append(at)
    before = 0
    for draft, ref in enumerate(refs):
        if draft in partner:
            before = bisect_left(anchors, partner[draft]) + 1
        elif draft not in changed and ref is None and gaps[before]:
            changed[draft] = gaps[before].popleft()

    taken.update(changed.values())
    return Alignment(
        same=same,
        changed=tuple((old[at], draft) for draft, at in sorted(changed.items())),
        added=tuple(draft for draft in range(len(digests)) if draft not in partner and draft not in changed),
        gone=tuple(place for at, place in enumerate(old) if at not in taken),
    )
