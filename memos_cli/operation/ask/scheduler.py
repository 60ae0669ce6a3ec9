"""MemScheduler: which memories a model reads for one question, within a budget. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from math import floor

from memos_cli.counts import counted
from memos_cli.cube import Attached, Cube, Document, Hit, Injection, Learned, LeftOut, MemoryCall, Plan

CLOSE = 0.75
"""One scored above this share of the best may be what was meant as well: it is never left to chance."""


_NONE: Mapping[int, frozenset[int]] = {}
_NO_LABELS: Mapping[int, int] = {}


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
    duplicates: Mapping[int, frozenset[int]] = _NONE,
    is_small: bool = False,
    labels: Mapping[int, int] = _NO_LABELS,
) -> Plan:
    """Choose from ``hits``, best first, those that fit: ``costs`` are their prices in tokens.

    Where none reaches ``relevance``, none is chosen. Where one does, the budget is filled by score: what
    stands below it in relevance often holds the answer too. Never chosen: a memory whose text is in another
    or that is among its ``duplicates`` (by number: those that say the same), more than ``most`` (0: no
    limit), and what exceeds ``budget`` tokens. Where everything that fits is asked for, and where the model
    ``is_small`` and trips over what does not matter, each has to be relevant by itself. A memory that is too
    long does not keep a shorter one out.

    Where something is relevant, ``pinned`` memories (with their prices) stand first, and of ``documents``
    the one that covers most of what was chosen, the best memory included, is taken whole. These count against
    ``room``, all the tokens that memories may have, and not against ``budget``. A document adds memories, and
    changes nothing in what else was chosen.

    Of ``adapters``, only those that have learned the question (their likeness is ``least_likeness`` or more)
    may answer. Those that hold the best memory and all that come close to it are attached, with ``scale``, in
    place of these memories' texts. Where they do not hold them all, everything is read as text: beside a
    note, a small reader no longer answers from its weights. A pinned adapter is always attached, and no
    skill that it knows is read as text: beside its examples, a small reader repeats one of them.

    Memories are labelled from 1 on, but for those that have a label already, in ``labels`` by number.
    """
    found = {hit.cube.n: hit for hit in hits}
    answers = any(hit.relevance >= relevance for hit in hits)
    is_choosy = is_small or call.intent in ("summarize", "list")
    least = relevance if is_choosy or not answers else 0.0
    head, crowded, room = _place_pins(pinned, found, room, relevance)

    def retrieve(known: Sequence[Injection]) -> tuple[list[Injection], list[LeftOut]]:
        taken = {item.hit.cube.n for item in known} | {left.hit.cube.n for left in crowded}
        rest = [(hit, cost) for hit, cost in zip(hits, costs, strict=True) if hit.cube.n not in taken]
        return _retrieve(
            call, rest, known, budget=min(budget, room), most=most, least=least, duplicates=duplicates
        )  # fmt: skip

    tail, left_out = retrieve(head)
    standing = {cube.n for cube, _ in pinned}
    relevant = [hit for hit in hits if hit.relevance >= least]
    unsaid = (hit for hit in relevant if hit.cube.n not in standing and not _is_said(hit, head, duplicates))
    best = next((hit.cube.n for hit in unsaid), None)
    fit = [each for each in adapters if each.answers(least_likeness)]
    learned = _learned(call, tail, best, fit, relevance)
    pins = [each for each in adapters if each.pinned]
    attached = tuple(
        Attached(each.id, each.name, scale, each.likeness) for each in dict.fromkeys((*pins, *learned))
    )
    tail, unread = _put_in_adapters(tail, learned, pins)
    left_out += unread
    usable = [each for each in documents if not learned and best in {cube.n for cube in each.cubes}]
    document = _best_document(usable, tail, room)
    if usable and not document:
        shortest = min(each.tokens for each in usable)
        notes += (f"activation: miss (no room for {counted(shortest, 'token')})",)
    if not tail and not document and not any(_is_said(hit, head, duplicates) for hit in relevant):
        return Plan(call, (), (*crowded, *retrieve([])[1]), budget, notes)
    if document is not None:
        covered = {cube.n for cube in document.cubes}
        head += _take_whole(document, found, relevance)
        left_out = [left for left in left_out if left.hit.cube.n not in covered]
        rest = [item for item in tail if item.hit.cube.n not in covered]
        twice = [item for item in rest if _is_said(item.hit, head, duplicates)]
        left_out += (LeftOut(item.hit, "duplicate of another memory") for item in twice)
        tail = [item for item in rest if item not in twice]
    free = count(max(labels.values(), default=0) + 1)
    chosen = [
        replace(item, label=labels[n] if (n := item.hit.cube.n) in labels else next(free))
        for item in (*head, *tail)
    ]
    return Plan(call, tuple(chosen), (*crowded, *left_out), budget, notes, document, None, attached)


def _place_pins(
    pinned: Sequence[tuple[Cube, int]], found: Mapping[int, Hit], room: int, relevance: float
) -> tuple[list[Injection], list[LeftOut], int]:
    """The pinned memories that fit, those that do not, and the room that is left."""
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
    """Replace the texts of memories by the adapters that know them; also what is then left out.

    That is all of ``chosen`` that ``learned`` adapters hold, and the skills that ``pinned`` ones hold.
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
    """The fewest of ``adapters`` that hold the best memory and all that come close; none if some is in none.

    Close is what is relevant by itself and scored near the best; all, where everything is asked for.
    """
    if not chosen or chosen[0].hit.cube.n != best:
        return []
    everything = call.intent in ("summarize", "list")
    near = CLOSE * chosen[0].hit.score
    needed = {
        item.hit.cube.n
        for item in chosen
        if everything or (item.hit.score >= near and item.hit.relevance >= relevance)
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
    call: MemoryCall,
    candidates: Sequence[tuple[Hit, int]],
    head: Sequence[Injection],
    *,
    budget: int,
    most: int,
    least: float,
    duplicates: Mapping[int, frozenset[int]],
) -> tuple[list[Injection], list[LeftOut]]:
    """What is chosen of ``candidates`` beside what stands in ``head``, and what is not."""
    chosen: list[Injection] = []
    left_out: list[LeftOut] = []
    everything = call.intent in ("summarize", "list")
    spent = 0
    for hit, cost in candidates:
        if hit.relevance < least:
            reason = f"not relevant enough ({floor(hit.relevance * 100 + 1e-9) / 100:.2f} < {least:.2f})"
        elif _is_said(hit, (*head, *chosen), duplicates):
            reason = "duplicate of another memory"
        elif most and len(chosen) >= most and not everything:
            reason = f"more than {counted(most, 'memory')}"
        elif spent + cost > budget:
            reason = f"no room ({counted(cost, 'token')}, {max(0, budget - spent)} left)"
        else:
            spent += cost
            chosen.append(Injection(hit, "text", cost, 0))
            continue
        left_out.append(LeftOut(hit, reason))
    return chosen, left_out


def _best_document(documents: Sequence[Document], chosen: Sequence[Injection], room: int) -> Document | None:
    """The document that fits beside those of ``chosen`` that it does not hold, and spares most reading."""

    def spared(document: Document) -> int:
        numbers = {cube.n for cube in document.cubes}
        return sum(item.tokens for item in chosen if item.hit.cube.n in numbers)

    tokens = sum(item.tokens for item in chosen)
    return max(
        (document for document in documents if document.tokens + tokens - spared(document) <= room),
        key=lambda document: (spared(document), not document.unfit, -document.tokens),
        default=None,
    )


def _is_said(hit: Hit, by: Sequence[Injection], duplicates: Mapping[int, frozenset[int]]) -> bool:
    same = duplicates.get(hit.cube.n, frozenset())
    return any(hit.cube.text in other.hit.cube.text or other.hit.cube.n in same for other in by)
