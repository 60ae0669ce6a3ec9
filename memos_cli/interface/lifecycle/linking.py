"""Link, merge and slice memories; undo a merge."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from memos_cli.cube import LIVE_STATES, Cube, Draft, Span, most_sensitive
from memos_cli.errors import UsageError, require_known
from memos_cli.infrastructure.memories import links, queries
from memos_cli.infrastructure.memories.links import LINK_KINDS, Link
from memos_cli.infrastructure.memories.queries import MASKED
from memos_cli.infrastructure.memories.transaction import Kept, NewMemoryFields, Transaction
from memos_cli.interface.lifecycle.archiving import require_unfrozen
from memos_cli.interface.missing_vectors import embed_changed
from memos_cli.interface.redaction.redaction import cover, guard
from memos_cli.interface.results import Tagged
from memos_cli.interface.session import Session
from memos_cli.operation.lifecycle.states import next_state

MADE = ("merged_into", "derived_from", "both_hold")
"""Kinds of links that no user makes by hand; forgetting follows the first two."""
LOOSE = "memos:merge"
"""The source of memories that memos itself put together: it has no bytes to read again."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of a merge or slice, or of undoing a merge: a memory, and its parts."""

    id: str
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinkStep:
    """One memory on a walk along links, with its distance and the link to it."""

    depth: int
    cube: Cube
    link: Link | None = None


def link(session: Session, id: str, kind: str, others: Sequence[str], *, remove: bool) -> Tagged:
    """Link a memory to others, or ``remove`` these links."""
    require_known("kind of link", kind, LINK_KINDS)
    if kind in MADE:
        raise UsageError(f"memos itself makes links {kind}", "memos merge, slice and conflicts make them")
    with session.change() as change:
        cube = session.access.get(id, "write")
        targets = session.access.get_many(others)
        if any(target.n == cube.n for target in targets):
            raise UsageError(f"{cube.id} cannot be linked to itself", "name two memories")
        act = links.remove if remove else links.add
        changed = sum(act(change, cube.n, kind, target.n) for target in targets)
    return Tagged(len(targets), changed)


def walk(session: Session, id: str, depth: int) -> list[LinkStep]:
    """Return the memories that links lead to from one, the nearest first."""
    db = session.vault.connection
    cube = session.access.get(id)
    steps, seen, edge = [LinkStep(0, cube)], {cube.n}, [cube.n]
    for distance in range(1, depth + 1):
        ahead: dict[int, Link] = {}
        # Two may be linked twice: a link of a user says more than one that memos made.
        for found in sorted(links.links_of(db, edge), key=lambda each: each.kind in MADE) if edge else ():
            for end in (found.target, found.source):
                if end not in seen:
                    ahead.setdefault(end, found)
        cubes = queries.by_rowid(db, list(ahead))
        steps += [LinkStep(distance, cubes[n], ahead[n]) for n in ahead if n in cubes]
        seen |= ahead.keys()
        edge = list(ahead)
    session.audit_reads("show", [step.cube for step in steps])
    return steps


def merge(session: Session, ids: Sequence[str], text: str | None, title: str | None) -> Merged:
    """Merge memories into one. They are kept as ``merged``, linked both ways; ``part`` undoes it.

    Without a ``text``, the texts are concatenated, without duplicates.
    """
    with session.change() as change:
        cubes = session.access.get_many(ids, "admin")
        if len(cubes) < 2:
            raise UsageError("a merge needs two memories or more", "memos merge ID ID…")
        _require_own(session, change, cubes)
        whole = text if text is not None else "\n\n".join(dict.fromkeys(cube.text.strip() for cube in cubes))
        if not whole.strip():
            raise UsageError("the merged text is empty", "give it with --text")
        policy, level = session.settings.ingest_secrets, "open"
        if text is not None:
            whole, level = guard(whole, policy)
        title = None if title is None else cover(title, policy)
        first = cubes[0]
        one_author = len({(cube.author, cube.role) for cube in cubes}) == 1
        ends = [cube.expires for cube in cubes]
        draft = Draft(
            whole,
            Span(0, 0),
            type=first.type if len({cube.type for cube in cubes}) == 1 else "document",
            title=title if title is not None else next((cube.title for cube in cubes if cube.title), ""),
            time=max((cube.time for cube in cubes if cube.time is not None), default=None),
            author=first.author if one_author else "",
            role=first.role if one_author else "",
            tags=tuple(dict.fromkeys(tag for cube in cubes for tag in cube.tags)),
            sensitivity=most_sensitive(level, *(cube.sensitivity for cube in cubes)),
        )
        last = max((end for end in ends if end is not None), default=None) if None not in ends else None
        terms = NewMemoryFields(priority=max(cube.priority for cube in cubes), expires=last)
        (made,) = _keep(change, [draft], terms)
        if made.cube in {cube.n for cube in cubes}:
            raise UsageError(f"{made.id} already says all of it", "memos archive ID… archives the others")
        for cube in cubes:
            change.set_state(cube.n, next_state(cube.state, "merge"), "merge")
            links.add(change, cube.n, "merged_into", made.cube)
            links.add(change, made.cube, "derived_from", cube.n)
    embed_changed(session)
    return Merged(made.id, tuple(cube.id for cube in cubes))


def part(session: Session, ids: Sequence[str]) -> list[Merged]:
    """Undo merges, all or none: the merged memories are back, and the one they became is archived."""
    parted = []
    with session.change() as change:
        for id in ids:
            cube = session.access.get(id, "admin")
            require_unfrozen([cube])
            back = take_apart(change, cube.n)
            if not back:
                raise UsageError(f"{cube.id} is not a merged memory", f"memos rollback {cube.id} --to N")
            if cube.state in LIVE_STATES:
                change.set_state(cube.n, next_state(cube.state, "archive"), "archive")
            parted.append((cube.id, back))
    embed_changed(session)
    # The right to change a memory does not include the right to read all that was merged into it.
    seen = session.vault.visible(id for _, back in parted for id in back)
    return [Merged(id, tuple(each for each in back if each in seen)) for id, back in parted]


def take_apart(change: Transaction, merged: int, *, but: AbstractSet[int] = frozenset()) -> list[str]:
    """Restore the memories that a cube was merged from, except ``but``. Returns the ids of all of them."""
    db, back = change.db, []
    for n in links.reached(db, [merged], "merged_into", back=True):
        id, state = db.execute("SELECT id, state FROM cube WHERE n = ?", (n,)).fetchone()
        links.remove(change, n, "merged_into", merged)
        if state == "merged" and n not in but:
            change.set_state(n, next_state(state, "part"), "part")
        back.append(str(id))
    return back


def slice_up(session: Session, id: str, size: int) -> Merged:
    """Store the parts of a long memory as memories of their own, linked to it; archive it."""
    from semantic_text_splitter import TextSplitter

    with session.change() as change:
        cube = session.access.get(id, "admin")
        _require_own(session, change, [cube])
        pieces = TextSplitter(size).chunks(cube.text)
        if len(pieces) < 2:
            raise UsageError(
                f"{cube.id} has {len(cube.text)} characters: it is one part", "--size N, less than that"
            )
        drafts = [
            Draft(
                text, Span(0, 0), cube.type, cube.title,
                ref=f"{cube.ref or cube.id}/{number}", time=cube.time, author=cube.author, role=cube.role,
                tags=cube.tags, sensitivity=cube.sensitivity,
            )
            for number, text in enumerate(pieces, 1)
        ]  # fmt: skip
        parts = _keep(change, drafts, NewMemoryFields(priority=cube.priority, expires=cube.expires))
        for number, made in enumerate(parts):
            links.add(change, made.cube, "part_of", cube.n)
            links.add(change, made.cube, "derived_from", cube.n)
            if number:
                links.add(change, made.cube, "follows", parts[number - 1].cube)
        change.set_state(cube.n, next_state(cube.state, "archive"), "archive")
    embed_changed(session)
    return Merged(cube.id, tuple(made.id for made in parts))


def _keep(change: Transaction, drafts: Sequence[Draft], terms: NewMemoryFields) -> list[Kept]:
    source = change.unread_source(LOOSE)
    return change.add(source, [(draft, draft.digest(), MASKED) for draft in drafts], terms, loose=True)


def _require_own(session: Session, change: Transaction, cubes: Sequence[Cube]) -> None:
    """Raise UsageError unless all are live memories of the caller that are bound to no task: the result
    belongs to the caller, and everyone with the right may read it.
    """
    require_unfrozen(cubes)
    for cube in cubes:
        if cube.owner != session.principal:
            raise UsageError(f"{cube.id} is {cube.owner}'s", "you can merge and slice only your own memories")
        if change.db.execute("SELECT 1 FROM bound WHERE cube = ?", (cube.n,)).fetchone():
            raise UsageError(f"{cube.id} belongs to a task", "memos access task list")
        if cube.payload != "plaintext":
            raise UsageError(f"{cube.id} is made from memories", f"memos show {cube.id}")
        if cube.state not in LIVE_STATES:
            raise UsageError(f"{cube.id} is {cube.state}", f"memos show {cube.id}")
