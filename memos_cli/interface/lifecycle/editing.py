"""Edit, tag, pin and forget memories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from memos_cli.cube import Cube, Filter
from memos_cli.errors import Conflict, UsageError
from memos_cli.infrastructure.backup import backup_format
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.memories import forgetting, forgotten, links, queries
from memos_cli.infrastructure.share import publications
from memos_cli.interface import selection
from memos_cli.interface.lifecycle.archiving import require_unfrozen
from memos_cli.interface.lifecycle.linking import take_apart
from memos_cli.interface.missing_vectors import embed_changed
from memos_cli.interface.options import check_names
from memos_cli.interface.redaction.redaction import cover, guard
from memos_cli.interface.results import Edited, Forgotten, Tagged
from memos_cli.interface.session import Session


def edit(session: Session, id: str, text: str | None, title: str | None, seen: int = 0) -> Edited:
    """Give a memory a new version, unless its text and title are the same.

    ``seen`` is the version that the change was made from. Raises Conflict if there is a newer one.
    """
    for new_one in filter(None, (text, title)):
        new_one.encode()  # an argument may contain bytes that are not text; fail before any change
    if text is not None and not text.strip():
        raise UsageError("the new text is empty", "to remove a memory: memos forget ID")
    with session.change() as change:
        cube = session.access.get(id, "write")
        require_unfrozen([cube])
        if seen and seen != cube.version:
            raise Conflict(f"{cube.id} was changed meanwhile", f"memos diff {cube.id} --from {seen}")
        if cube.payload != "plaintext":
            raise UsageError(f"{cube.id} has no text of its own", f"memos show {cube.id}")
        head = cube.title if title is None else cover(title, session.settings.ingest_secrets)
        new = (cube.text if text is None else text, head)
        changed, is_masked = new != (cube.text, cube.title), False
        if changed:
            policy = session.settings.ingest_secrets
            new_text, level = (new[0], "open") if text is None else guard(new[0], policy)
            change.edit(cube, new_text, new[1])
            change.mark(cube.n, level, raising=True)
            is_masked = (new_text, new[1]) != (new[0], title or new[1])
    embed_changed(session)  # in any case: an edit that was killed may have left no vector
    notes = ("masked text that looks like a secret",) if is_masked else ()
    return Edited(cube.id, cube.version + changed, changed, notes)


def forget(
    session: Session, ids: Sequence[str], filter: Filter | None, *, dry_run: bool, exactly: bool = False
) -> Forgotten:
    """Delete memories, the states made from them, and the weights of adapters that were trained on them.

    States and adapters that others made from them are removed too. Unless ``exactly``, memories that were
    merged with them or sliced from them are forgotten as well. Ingesting their sources does not bring them
    back. The result contains only what the caller may read.
    """
    vault = session.vault
    if dry_run:
        shown = _summary(session, _to_forget(session, ids, filter, exactly=exactly), dry_run=True)
        session.audit_reads("list", shown.cubes)
        return shown
    with vault.blob_changes() as blobs, session.change() as change:
        cubes = _to_forget(session, ids, filter, exactly=exactly)
        gone = _summary(session, cubes, dry_run=False)
        gone_now = {cube.n for cube in cubes}
        for cube in cubes:  # what was merged with it, and is not forgotten, is back
            for merged in links.reached(vault.unrestricted, [cube.n], "merged_into"):
                take_apart(change, merged, but=gone_now)
        forgotten.remember(change, [cube for cube in cubes if cube.payload == "plaintext"])
        blobs.update(change.disown_blobs([cube.n for cube in cubes]))
        blobs.update(blob for cube in cubes for blob in forgetting.forget(change, cube.n))
        change.drop_bare_sources()
    return replace(gone, settled=not cubes or vault.scrub())


def _to_forget(
    session: Session, ids: Sequence[str], filter: Filter | None, *, exactly: bool
) -> tuple[Cube, ...]:
    """Return the chosen memories and, unless ``exactly``, those that were merged or sliced from them."""
    db = session.vault.unrestricted
    cubes = selection.to_change(session, ids, filter, "admin")
    named = [cube.n for cube in cubes]
    require_unfrozen(cubes)
    more = set() if exactly else links.relatives(db, named) - {*named}
    made = queries.by_rowid(db, sorted(more)).values()
    require_unfrozen(_visible(session, made))
    if any(cube.frozen for cube in made):
        raise UsageError("a memory that was made from these is frozen", "its owner can unfreeze it")
    return (*cubes, *made)


def _visible(session: Session, cubes: Iterable[Cube]) -> tuple[Cube, ...]:
    """Return the memories among ``cubes`` that the caller may read."""
    cubes = tuple(cubes)
    seen = session.vault.visible(cube.id for cube in cubes)
    return tuple(cube for cube in cubes if cube.id in seen)


def _summary(session: Session, cubes: Iterable[Cube], *, dry_run: bool) -> Forgotten:
    """Summarise the data that is deleted with ``cubes``, as far as the caller may read it."""
    db, seen, now = session.vault.unrestricted, session.vault.connection, session.now()
    cubes = _visible(session, cubes)
    named = {cube.id for cube in cubes}

    def count(table: str) -> int:
        statement = f"SELECT count(*) FROM {table} WHERE cube = ?"
        return sum(db.execute(statement, (cube.n,)).fetchone()[0] for cube in cubes)

    states = {each.id for cube in cubes for each in saved_states.made_from(seen, cube.n, now=now)}
    trained = {each.id for cube in cubes for each in adapters.made_from(seen, cube.n, now=now)}
    names = tuple(f"{name} of {owner}" for name, owner in publications.holding(db, sorted(named)))
    copies = backup_format.holding(db, min(cube.created for cube in cubes)) if cubes else ()
    return Forgotten(
        cubes, count("version"), count("vector"), dry_run, tuple(sorted(states - named)),
        tuple(sorted(trained - named)), published=names, backups=copies,
    )  # fmt: skip


def tag(
    session: Session, ids: Sequence[str], tags: Sequence[str], *, remove: bool, untag: Sequence[str]
) -> Tagged:
    """Add ``tags`` to memories, or ``remove`` them; and remove the tags ``untag``. All or nothing."""
    if not remove:
        check_names(tags, "tag")
        tags = [cover(each, session.settings.ingest_secrets) for each in tags]
    with session.change() as change:
        cubes = session.access.get_many(ids, "write")
        require_unfrozen(cubes)
        session.access.require(cubes, "share")  # tags decide who sees a memory
        changed = sum(
            change.tag(cube.n, tags, remove=remove) + change.tag(cube.n, untag, remove=True) > 0
            for cube in cubes
        )
    return Tagged(len(cubes), changed)


def pin(session: Session, ids: Sequence[str], view: str, *, remove: bool) -> Tagged:
    """Put memories at the start of every prompt of a view and attach adapters to it, or ``remove`` them."""
    if view:
        selection.view(session, view)
    pinnable = Filter(payloads=("plaintext", "parametric"))
    with session.change() as change:
        cubes = session.access.get_many(ids, "write")
        numbers = [cube.n for cube in cubes]
        live = queries.filter_ids(session.vault.connection, numbers, now=session.now(), filter=pinnable)
        for cube in () if remove else cubes:
            if problem := _why_not_pinnable(cube, live):
                raise UsageError(f"{cube.id} {problem}", f"memos show {cube.id}")
        changed = sum((change.unpin if remove else change.pin)(view, cube.n) for cube in cubes)
    return Tagged(len(cubes), changed)


def _why_not_pinnable(cube: Cube, live: Sequence[int]) -> str:
    """Return why a memory cannot be pinned; "" if it can."""
    if cube.payload == "activation":
        return "is not text"
    if cube.n not in live:
        return "is archived or expired"
    return "is not finished" if cube.payload == "parametric" and cube.state == "generated" else ""
