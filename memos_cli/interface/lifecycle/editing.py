"""Changing memories: edit, forget, pin. What is refused, and what is told of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Filter
from memos_cli.errors import Conflict, UsageError
from memos_cli.infrastructure.backup import backup_format
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.memories import forgetting, forgotten, links, queries
from memos_cli.infrastructure.share import publications
from memos_cli.interface.lifecycle.linking import take_apart
from memos_cli.interface.lifecycle.standing import chosen, require_unfrozen
from memos_cli.interface.redaction.redaction import cover, guard
from memos_cli.interface.results import Edited, Forgotten, Tagged

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos


def edit(memos: Memos, id: str, text: str | None, title: str | None, seen: int = 0) -> Edited:
    """Give a cube a new version, unless it says this already.

    ``seen`` is the version that the change was made from. Raises Conflict where there is a newer one.
    """
    for new_one in filter(None, (text, title)):
        new_one.encode()  # an argument may contain bytes that are not text; fail before any change
    if text is not None and not text.strip():
        raise UsageError("the new text is empty", "to remove a memory: memos forget ID")
    with memos.vault.change(memos.principal, memos.now()) as change:
        cube = memos.access.one(id, "write")
        require_unfrozen([cube])
        if seen and seen != cube.version:
            raise Conflict(f"{cube.id} was changed meanwhile", f"memos diff {cube.id} --from {seen}")
        if cube.payload != "plaintext":
            raise UsageError(f"{cube.id} has no text of its own", f"memos show {cube.id}")
        head = cube.title if title is None else cover(title, memos.settings.ingest_secrets)
        new = (cube.text if text is None else text, head)
        if new == (cube.text, cube.title):
            return Edited(cube.id, cube.version, False)
        new_text, level = (new[0], "open") if text is None else guard(new[0], memos.settings.ingest_secrets)
        change.edit(cube, new_text, new[1])
        change.mark(cube.n, level, raising=True)
    notes = (
        ("masked text that looks like a secret",) if (new_text, new[1]) != (new[0], title or new[1]) else ()
    )
    return Edited(cube.id, cube.version + 1, True, notes)


def forget(
    memos: Memos, ids: Sequence[str], filter: Filter | None, *, dry_run: bool, exactly: bool = False
) -> Forgotten:
    """Remove cubes, the states that were made from them, and the weights of adapters that hold them.

    States and adapters that others made from them are removed too. Unless ``exactly``, memories that were
    merged with them or sliced from them are forgotten as well. Ingesting their sources does not bring them
    back. The result contains only what the caller may read.
    """
    db = memos.vault.whole

    def meant() -> tuple[Cube, ...]:
        cubes = chosen(memos, ids, filter, "admin")
        named = [cube.n for cube in cubes]
        require_unfrozen(cubes)
        more = set() if exactly else links.relatives(db, named) - {*named}
        made = queries.by_rowid(db, sorted(more)).values()
        require_unfrozen(visible(made))
        if any(cube.frozen for cube in made):
            raise UsageError("a memory that was made from these is frozen", "its owner can unfreeze it")
        return (*cubes, *made)

    def visible(cubes: Collection[Cube]) -> tuple[Cube, ...]:
        seen = memos.vault.visible(cube.id for cube in cubes)
        return tuple(cube for cube in cubes if cube.id in seen)

    def count(table: str, cubes: Sequence[Cube]) -> int:
        statement = f"SELECT count(*) FROM {table} WHERE cube = ?"
        return sum(db.execute(statement, (cube.n,)).fetchone()[0] for cube in cubes)

    def told(cubes: tuple[Cube, ...]) -> Forgotten:
        cubes = visible(cubes)
        named = {cube.id for cube in cubes}
        now, seen = memos.now(), memos.vault.connection
        states = {each.id for cube in cubes for each in saved_states.made_from(seen, cube.n, now=now)}
        taught = {each.id for cube in cubes for each in adapters.made_from(seen, cube.n, now=now)}
        counts = count("version", cubes), count("vector", cubes)
        made = tuple(sorted(states - named)), tuple(sorted(taught - named))
        names = tuple(f"{name} of {owner}" for name, owner in publications.holding(db, sorted(named)))
        copies = backup_format.holding(db, min(cube.created for cube in cubes)) if cubes else ()
        return Forgotten(cubes, *counts, dry_run, *made, published=names, backups=copies)

    if dry_run:
        shown = told(meant())
        memos.audit_reads("list", shown.cubes)
        return shown
    with memos.vault.blob_changes() as blobs, memos.vault.change(memos.principal, memos.now()) as change:
        cubes = meant()
        gone = told(cubes)
        gone_now = {cube.n for cube in cubes}
        for cube in cubes:  # what was merged with it, and is not forgotten, is back
            for merged in links.reached(db, [cube.n], "merged_into"):
                take_apart(change, merged, but=gone_now)
        forgotten.remember(change, [cube for cube in cubes if cube.payload == "plaintext"])
        blobs.update(change.disown_blobs([cube.n for cube in cubes]))
        blobs.update(blob for cube in cubes for blob in forgetting.forget(change, cube.n))
        change.drop_bare_sources()
    return replace(gone, settled=not cubes or memos.vault.settle())


def pin(memos: Memos, ids: Sequence[str], view: str, *, remove: bool) -> Tagged:
    """Let memories stand in every prompt of a view, and adapters be attached to it, or no longer."""
    if view:
        memos.view(view)
    may_stand = Filter(payloads=("plaintext", "parametric"))
    with memos.vault.change(memos.principal, memos.now()) as change:
        cubes = memos.several(ids, "write")
        numbers = [cube.n for cube in cubes]
        live = queries.filter_ids(memos.vault.connection, numbers, now=memos.now(), filter=may_stand)
        for cube in () if remove else cubes:
            if problem := _cannot_stand(cube, live):
                raise UsageError(f"{cube.id} {problem}", f"memos show {cube.id}")
        changed = sum((change.unpin if remove else change.pin)(view, cube.n) for cube in cubes)
    return Tagged(len(cubes), changed)


def _cannot_stand(cube: Cube, live: Sequence[int]) -> str:
    """Why a cube cannot be pinned; "" if it can."""
    if cube.payload == "activation":
        return "is not text"
    if cube.n not in live:
        return "is archived or expired"
    return "is not finished" if cube.payload == "parametric" and cube.state == "generated" else ""
