"""Import a bundle: each memory with its id, its times and all its versions.

Every record is checked before it is stored, a few at a time, and everything is stored in one transaction.
``foreign_memories.Adoption`` defines what a bundle may do in a vault: it changes no existing memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from memos_cli.counts import counted
from memos_cli.cube import SENSITIVITIES, Draft, Span
from memos_cli.errors import UsageError
from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.memories import forgotten, queries
from memos_cli.infrastructure.share.foreign_memories import Adoption, ForeignMemory
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.interface.ingest.ingestion import Ingestion
from memos_cli.interface.redaction.redaction import cover, find_secrets
from memos_cli.interface.results import Failure
from memos_cli.interface.share import adapter_files, bundle_records, signing
from memos_cli.interface.share.bundle import Bundle
from memos_cli.interface.share.exporting import PORTABLE

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

_WHY = {
    "differs": "has other text here; it stays unchanged",
    "left": "has later versions in the bundle, but was not imported from this signer; it stays unchanged",
}
_Record = TypeVar("_Record")
_PART = 100
"""The number of memories that are read and then stored together."""


def adopt(
    session: Session,
    found: Bundle,
    job: Ingestion,
    *,
    quarantine: bool,
    with_grants: bool = False,
    reread: bool = False,
    signer: str = "",
) -> int:
    """Store the records of a bundle. Returns the number of new links.

    ``with_grants`` applies its grants to others; ``reread`` brings back memories that were forgotten here;
    ``signer`` is the trusted signer of the bundle.
    """
    links = [
        link for link in _read(found, "links.jsonl", bundle_records.read_link, job) if link[1] in PORTABLE
    ]
    grants = [*_read(found, "access.jsonl", bundle_records.read_grant, job)]
    is_own = bool(signer) and signing.is_own(signer)
    with session.vault.change(session.principal, session.now()) as change:
        import_ = Adoption(change, signer=signer, is_own=is_own, quarantine=quarantine)
        others: set[str] = set()
        cubes = _distinct(found, import_.brought, others, job)
        while part := [*islice(cubes, _PART)]:
            left = _forgotten(change.db, session.principal, part)
            job.forgotten += 0 if reread else len(left)
            forgotten.lift(change, (digest for each in left.values() for digest in each if reread))
            for cube in part:
                if reread or cube.id not in left:
                    _take(import_, cube, job, held=quarantine)
                if cube.id in import_.brought:
                    others.remove(cube.id)
        linked = sum(import_.link(*each) for each in links)
        apart = sum(not import_.is_linked(*each) for each in links)
        granted = sum(map(import_.grant, grants)) if with_grants else 0
        for view, document in _read(found, "rebuild.jsonl", bundle_records.read_state, job):
            import_.request(view, document)
    wanted = [grant for grant in grants if with_grants or grant.target in import_.brought]
    job.notes += _left_out(links=apart, grants=len(wanted) - granted, with_grants=with_grants)
    if members := found.parts.get(adapter_files.MEMBER):
        ids = [str(each.get("id")) for each in found.parts.get("cubes.jsonl", ())]
        numbers = queries.by_ids(session.vault.unrestricted, ids, session.principal) | import_.brought
        _keep_adapters(session, members, found, numbers, import_.brought, job, quarantine=quarantine)
    return linked


def _distinct(
    found: Bundle, brought: Collection[str], others: set[str], job: Ingestion
) -> Iterator[ForeignMemory]:
    """Yield the valid memories of a bundle, each id once, except those in ``brought`` or ``others``."""

    def to_covered(value: dict[str, Any]) -> ForeignMemory:
        came = bundle_records.read_memory(value)
        held = covered(came, job.secrets)
        for was, now in zip(came.versions, held.versions, strict=True):
            job.masked += find_secrets(was.text) if was.text != now.text else []
        return held

    for cube in _read(found, "cubes.jsonl", to_covered, job):
        if cube.id in brought or cube.id in others:
            job.failed.append(Failure("bundle", f"memory {cube.id} is a duplicate id"))
        else:
            others.add(cube.id)
            yield cube


def _take(import_: Adoption, cube: ForeignMemory, job: Ingestion, *, held: bool) -> None:
    outcome = import_.take(cube)
    job.count(outcome, import_.here(cube.id), held=held)
    if outcome in _WHY:
        job.failed.append(Failure("bundle", f"{cube.id} {_WHY[outcome]}"))


def _left_out(*, links: int, grants: int, with_grants: bool) -> Iterator[str]:
    """Yield notes on the links and grants that were not imported."""
    if links:
        yield f"left out {counted(links, 'link')}: a memory at one end is not new from this bundle"
    if grants and with_grants:
        yield f"left out {counted(grants, 'grant')}: not on memories that are new from this bundle"
    elif grants:
        yield f"left out {counted(grants, 'grant')} to others; --with-grants applies those on new memories"


def _keep_adapters(
    session: Session,
    members: Sequence[Mapping[str, Any]],
    found: Bundle,
    numbers: Mapping[str, int],
    brought: Collection[str],
    job: Ingestion,
    *,
    quarantine: bool,
) -> None:
    """Store the adapters of new memories and test them; adapters that are here already stay unchanged."""
    if quarantine:
        job.notes.append(
            f"left out {counted(len(members), 'adapter')}: memories in quarantine (`memos quarantine`)"
        )
        return
    known = {adapter.id for adapter in adapters.adapters(session.vault.connection, now=session.now())}
    kept = adapter_files.keep(session, members, found.files, numbers, brought=brought)
    job.notes += [*kept.notes, *adapter_files.examine(session, [id for id in kept.ids if id not in known])]


# --- records ---------------------------------------------------------------------------------------


_WHAT = {
    "cubes.jsonl": "memory", "links.jsonl": "link", "access.jsonl": "grant", "rebuild.jsonl": "request"
}  # fmt: skip


def _read(
    found: Bundle, member: str, read: Callable[[dict[str, Any]], _Record], job: Ingestion
) -> Iterator[_Record]:
    """Yield the valid records of a member; an invalid one is reported and does not stop the others."""
    for number, each in enumerate(found.parts.get(member, ()), 1):
        try:
            record = read(each)
        except (ValueError, UsageError) as error:
            job.failed.append(Failure("bundle", f"{_WHAT[member]} {number}: {error}"))
        else:
            yield record


def covered(cube: ForeignMemory, policy: str) -> ForeignMemory:
    """Return a memory with text that looks like a secret masked in all versions, tags and names."""
    versions = [replace(v, title=cover(v.title, policy), text=cover(v.text, policy)) for v in cube.versions]
    has_secret = any(find_secrets(each.text) for each in versions)
    return replace(
        cube,
        author=cover(cube.author, policy),
        tags=tuple(cover(tag, policy) for tag in cube.tags),
        versions=tuple(versions),
        places=tuple(replace(place, uri=cover(place.uri, policy)) for place in cube.places),
        sensitivity=SENSITIVITIES.index("secret") if has_secret else cube.sensitivity,
    )


def _forgotten(db: Connection, owner: str, cubes: Sequence[ForeignMemory]) -> dict[str, list[bytes]]:
    """Return the memories that were forgotten here, by id, or by their text in a source: id to digests."""
    found = forgotten.find_ids(db, owner, [cube.id for cube in cubes])
    for cube in cubes:
        draft = Draft(cube.versions[-1].text, Span(0, 0), ref=cube.ref, role=cube.role)
        for place in cube.places:
            for digests in forgotten.find(db, owner, place.uri, [draft]).values():
                found[cube.id] = [*found.get(cube.id, ()), *digests]
    return found
