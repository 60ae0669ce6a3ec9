"""MemScheduler: choose the memories that a model reads for a question, within a budget. Pure: no I/O.

If one memory is relevant, the budget is filled by score: memories below the threshold often contain the
answer too. A memory is never chosen if another one contains its text or duplicates it, or if it exceeds the
limit or the budget; a memory that is too long does not exclude a shorter one. If the question asks for
everything that matches, or if the model is small and easily distracted, each memory has to be relevant by
itself.

Pinned memories come first. Of the documents with the best memory, the one with most of the chosen memories is
used whole. Both count against all the tokens that memories may have, not against the budget. A document adds
memories, and does not change the choice of the others.

Only adapters that have learned the question may answer. Adapters that contain the best memory and all that
come close to it replace the texts of these memories. If they do not contain all of them, everything is read
as text: with a note in its prompt, a small model no longer answers from its weights. A pinned adapter is
always attached, and a skill that it knows is not read as text: with the examples in its prompt, a small model
repeats one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from math import floor
from types import MappingProxyType

from memos_cli.counts import counted
from memos_cli.cube import Attached, Cube, Document, Hit, Injection, Learned, LeftOut, MemoryCall, Plan

CLOSE = 0.75
"""A memory that scores above this share of the best may also be the answer."""
DUPLICATE = "duplicate of another memory"
ALL = ("summarize", "list")
"""The intents that ask for everything that matches."""


def make_plan(
    call: MemoryCall,
    hits: Sequence[Hit],
    costs: Sequence[int],
    *,
    room: int,
    budget: int,
    most: int,
    relevance: float,
    pinned: Sequence[tuple[Cube, int]] = (),
    documents: Sequence[Document] = (),
    adapters: Sequence[Learned] = (),
    scale: float = 1.0,
    least_likeness: float = 0.0,
    notes: tuple[str, ...] = (),
    duplicates: Mapping[int, frozenset[int]] = MappingProxyType({}),
    is_small: bool = False,
    labels: Mapping[int, int] = MappingProxyType({}),
) -> Plan:
    """Choose from ``hits``, best first, those that fit: ``costs`` are their lengths in tokens.

    If none reaches ``relevance``, none is chosen. At most ``most`` are chosen (0: no limit). ``room`` is for
    all memories, including ``pinned`` ones (with their costs) and ``documents``. ``adapters`` of at least
    ``least_likeness`` have learned the question. ``duplicates`` has the numbers of a memory's duplicates;
    ``labels`` has the numbers that memories already have in prompts.
    """
    found = {hit.cube.n: hit for hit in hits}
    answers = any(hit.relevance >= relevance for hit in hits)
    least = relevance if is_small or call.intent in ALL or not answers else 0.0
    head, crowded, room = _place_pins(pinned, found, room, relevance)

    def retrieve(known: Sequence[Injection]) -> tuple[list[Injection], list[LeftOut]]:
        taken = {item.hit.cube.n for item in known} | {left.hit.cube.n for left in crowded}
        rest = [(hit, cost) for hit, cost in zip(hits, costs, strict=True) if hit.cube.n not in taken]
        limit = 0 if call.intent in ALL else most
        return _retrieve(rest, known, min(budget, room), limit, least, duplicates)

    tail, left_out = retrieve(head)
    standing = {cube.n for cube, _ in pinned}
    relevant = [hit for hit in hits if hit.relevance >= least]
    unsaid = (hit for hit in relevant if hit.cube.n not in standing and not _is_said(hit, head, duplicates))
    best = next((hit.cube.n for hit in unsaid), None)
    fit = [each for each in adapters if each.answers(least_likeness)]
    learned = _learned(call, tail, best, fit, relevance)
    pins = [each for each in adapters if each.pinned]
    tail, unread = _put_in_adapters(tail, learned, pins)
    document, missed = _choose_document(() if learned else documents, best, tail, room)
    notes += missed
    if not tail and not document and not any(_is_said(hit, head, duplicates) for hit in relevant):
        return Plan(call, (), (*crowded, *retrieve([])[1]), budget, notes)
    if document is not None:
        covered = {cube.n for cube in document.cubes}
        head += _take_whole(document, found, relevance)
        rest = [item for item in tail if item.hit.cube.n not in covered]
        tail = [item for item in rest if not _is_said(item.hit, head, duplicates)]
        left_out = [left for left in left_out if left.hit.cube.n not in covered]
        left_out += (LeftOut(item.hit, DUPLICATE) for item in rest if item not in tail)
    chosen, used = _labelled((*head, *tail), labels), dict.fromkeys((*pins, *learned))
    attached = tuple(Attached(each.id, each.name, scale, each.likeness) for each in used)
    return Plan(call, chosen, (*crowded, *left_out, *unread), budget, notes, document, None, attached)


def _labelled(items: Sequence[Injection], labels: Mapping[int, int]) -> tuple[Injection, ...]:
    free = count(max(labels.values(), default=0) + 1)
    numbers = (item.hit.cube.n for item in items)
    return tuple(
        replace(item, label=labels[n] if n in labels else next(free))
        for item, n in zip(items, numbers, strict=True)
    )


def _place_pins(
    pinned: Sequence[tuple[Cube, int]], found: Mapping[int, Hit], room: int, relevance: float
) -> tuple[list[Injection], list[LeftOut], int]:
    """Return the pinned memories that fit, those that do not, and the room that is left."""
    head: list[Injection] = []
    crowded: list[LeftOut] = []
    for cube, cost in pinned:
        hit = found.get(cube.n) or Hit(cube, 0.0, {"pinned": "always"})
        if cost <= room:
            room -= cost
            head.append(Injection(hit, "text", cost, 0, "pinned", hit.relevance >= relevance))
        else:
            crowded.append(LeftOut(hit, f"no room ({counted(cost, 'token')}, {room} left)"))
    return head, crowded, room


def _put_in_adapters(
    chosen: Sequence[Injection], learned: Sequence[Learned], pinned: Sequence[Learned]
) -> tuple[list[Injection], list[LeftOut]]:
    """Replace the texts of memories by the adapters that know them; also return the memories left out.

    Those are all of ``chosen`` that ``learned`` adapters contain, and the skills in ``pinned`` ones.
    """
    held = frozenset().union(*(each.cubes for each in learned))
    skills = frozenset().union(*(each.cubes for each in pinned))
    placed: list[Injection] = []
    left_out: list[LeftOut] = []
    for item in chosen:
        number = item.hit.cube.n
        if learned and number not in held:
            left_out.append(LeftOut(item.hit, "scores below a memory that an adapter knows"))
        elif learned or (number in skills and item.hit.cube.type == "skill"):
            placed.append(replace(item, form="adapter", tokens=0, part="adapter"))
        else:
            placed.append(item)
    return placed, left_out


def _take_whole(document: Document, found: Mapping[int, Hit], relevance: float) -> Iterator[Injection]:
    for cube, cost in zip(document.cubes, document.costs, strict=True):
        hit = found.get(cube.n) or Hit(cube, 0.0, {"document": document.id})
        yield Injection(hit, "text", cost, 0, "document", hit.relevance >= relevance)


def _learned(
    call: MemoryCall,
    chosen: Sequence[Injection],
    best: int | None,
    adapters: Sequence[Learned],
    relevance: float,
) -> list[Learned]:
    """Return the fewest ``adapters`` with the best memory and all that come close; none if one is in no
    adapter.

    A memory comes close if it is relevant by itself and its score is near the best; all do if the question
    asks for everything.
    """
    if not chosen or chosen[0].hit.cube.n != best:
        return []
    near = CLOSE * chosen[0].hit.score
    needed = {
        item.hit.cube.n
        for item in chosen
        if call.intent in ALL or (item.hit.score >= near and item.hit.relevance >= relevance)
    } | {best}
    found: list[Learned] = []
    while needed:
        most = max(adapters, key=lambda each: (len(needed & each.cubes), -len(each.cubes)), default=None)
        if most is None or not needed & most.cubes:
            return []
        found.append(most)
        needed -= most.cubes
    return found


def _retrieve(
    candidates: Sequence[tuple[Hit, int]],
    head: Sequence[Injection],
    budget: int,
    most: int,
    least: float,
    duplicates: Mapping[int, frozenset[int]],
) -> tuple[list[Injection], list[LeftOut]]:
    """Return the chosen ``candidates`` that are not in ``head`` already, and those left out."""
    chosen: list[Injection] = []
    left_out: list[LeftOut] = []
    spent = 0
    for hit, cost in candidates:
        if hit.relevance < least:
            reason = f"not relevant enough ({floor(hit.relevance * 100 + 1e-9) / 100:.2f} < {least:.2f})"
        elif _is_said(hit, (*head, *chosen), duplicates):
            reason = DUPLICATE
        elif most and len(chosen) >= most:
            reason = f"more than {counted(most, 'memory')}"
        elif spent + cost > budget:
            reason = f"no room ({counted(cost, 'token')}, {max(0, budget - spent)} left)"
        else:
            spent += cost
            chosen.append(Injection(hit, "text", cost, 0))
            continue
        left_out.append(LeftOut(hit, reason))
    return chosen, left_out


def _choose_document(
    documents: Sequence[Document], best: int | None, chosen: Sequence[Injection], room: int
) -> tuple[Document | None, tuple[str, ...]]:
    """Return the document with the best memory that saves most reading, and a note if no document fits.

    It has to fit together with those of ``chosen`` that it does not contain.
    """
    usable = [each for each in documents if best in {cube.n for cube in each.cubes}]

    def spared(document: Document) -> int:
        numbers = {cube.n for cube in document.cubes}
        return sum(item.tokens for item in chosen if item.hit.cube.n in numbers)

    tokens = sum(item.tokens for item in chosen)
    document = max(
        (each for each in usable if each.tokens + tokens - spared(each) <= room),
        key=lambda each: (spared(each), not each.unfit, -each.tokens),
        default=None,
    )
    if document or not usable:
        return document, ()
    shortest = min(each.tokens for each in usable)
    return None, (f"activation: miss (no room for {counted(shortest, 'token')})",)


def _is_said(hit: Hit, by: Sequence[Injection], duplicates: Mapping[int, frozenset[int]]) -> bool:
    same = duplicates.get(hit.cube.n, frozenset())
    return any(hit.cube.text in other.hit.cube.text or other.hit.cube.n in same for other in by)
