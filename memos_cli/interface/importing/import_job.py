"""Import an export: store its records as an ingest does, and link them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from memos_cli.cube import LIVE_STATES, Draft, Origin
from memos_cli.errors import MemosError
from memos_cli.infrastructure.memories import forgotten, links, queries
from memos_cli.infrastructure.share import foreign_memories
from memos_cli.interface.importing.importers import (
    BUNDLE,
    LINES,
    Bundle,
    Export,
    importer,
    kind_of,
    open_export,
    other_kinds,
    warnings,
)
from memos_cli.interface.ingest.batches import collector_at_rest
from memos_cli.interface.ingest.ingest import finish
from memos_cli.interface.ingest.ingestion import Ingestion
from memos_cli.interface.ingest.sources.pieces import count_unread, read_tags
from memos_cli.interface.ingest.sources.reading import Reading
from memos_cli.interface.options import IngestOptions
from memos_cli.interface.redaction.redaction import (
    Sensitive,
    cover,
    find_personal,
    find_secrets,
    mask,
    note_masked,
)
from memos_cli.interface.results import Failure, Ingested
from memos_cli.interface.share.trust import require_trust

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

SHOWN = 1_000
"""Number of failures that are listed one by one."""
_Sources: TypeAlias = tuple[tuple[str, str, int], ...]
"""Of each source the address, the title and the number of memories."""
UNIQUE = 32
"""Characters of a reference that is unique everywhere: a UUID, a hash."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import, or (``dry_run``) of its simulation."""

    kind: str
    sources: _Sources
    done: Ingested
    links: int = 0
    pinned: int = 0
    dry_run: bool = False


def import_export(
    session: Session,
    path: Path,
    options: IngestOptions,
    *,
    kind: str,
    embed: bool,
    dry_run: bool,
    trust: bool,
    identity: str,
    with_grants: bool,
    date_order: str,
    on_source: Callable[[str], None],
    on_drafts: Callable[[int], None],
    on_vectors: Callable[[int], None],
) -> Imported:
    """Import the export at ``path``. Records that cannot be imported are listed in ``failed``."""
    session.access.require_writer()
    if with_grants:
        session.access.require_lasting_grants()
    options = replace(options, foreign=True)
    job = Ingestion(
        session.vault, options, principal=session.principal, clock=session.now, on_source=on_source,
        on_drafts=on_drafts,
    )  # fmt: skip
    with open_export(path) as export:
        job.failed += [Failure(str(path), fault) for fault in export.faults]
        export.date_order = date_order
        export.encoding, export.fallback = options.hints.encoding, options.hints.fallback
        found = kind_of(export, kind)
        job.notes += warnings()
        for other in [] if kind else other_kinds(export, found):
            job.notes.append(f"{path}: also has an export of {other}; to import it, add --from {other}")
        if found in (BUNDLE, LINES):
            sources, linked, pinned = _adopt(
                session, job, export, found, options,
                dry_run=dry_run, trust=trust, identity=identity, with_grants=with_grants,
            )  # fmt: skip
        else:
            sources, linked, pinned = _import_bundles(session, job, export, found, dry_run=dry_run)
    done = finish(session, job, embed=embed and not dry_run, on_vectors=on_vectors, compare=False)
    return Imported(found, sources, done, linked, pinned, dry_run)


def _adopt(
    session: Session,
    job: Ingestion,
    export: Export,
    kind: str,
    options: IngestOptions,
    *,
    dry_run: bool,
    trust: bool,
    identity: str,
    with_grants: bool,
) -> tuple[_Sources, int, int]:
    """Import a bundle of another vault, or lines. Returns the source, and the numbers of new links and pins.

    Raises Refused for an unknown signer.
    """
    from memos_cli.interface.share import bundle, memory_lines, signing
    from memos_cli.interface.share.bundle_import import adopt

    path = str(export.path)
    with export.open(export.names[0]) as stream:
        head = stream.read(512)
        stream.seek(0)
        readable = io.BytesIO(signing.unseal(stream.read(), identity)) if signing.is_sealed(head) else stream
        if kind == LINES:
            found, faults = memory_lines.read(readable)
            job.failed += [Failure(path, fault) for fault in faults[:SHOWN]]
        else:
            found = bundle.scan(readable)
        signer = ""
        if found.signature is not None:
            signer = signing.verify(found.manifest, found.signature)
            job.notes.append(f"signed by {signer}")
            require_trust(session, signer, trust=trust and not dry_run)
        count, linked = len(found.parts.get("cubes.jsonl", ())), 0
        if not dry_run:
            held = options.quarantine == "always"
            linked = adopt(
                session, found, job, quarantine=held, with_grants=with_grants, reread=options.reread,
                signer=signer,
            )  # fmt: skip
    if job.masked and job.ids:
        job.notes.append(f"{path}: {note_masked(job.masked)}")
    return ((path, "", count),), linked, 0


def _import_bundles(
    session: Session, job: Ingestion, export: Export, kind: str, *, dry_run: bool
) -> tuple[_Sources, int, int]:
    """Import the bundles that the importer of ``kind`` reads. Returns the sources, and the counts of links
    and pins.
    """
    sources: list[tuple[str, str, int]] = []
    loose: list[Bundle] = []
    path = export.path
    with collector_at_rest(), job.together() as flush, count_unread() as unread:
        for bundle in _whole(importer(kind).read(export), path, job):
            where = bundle.uri or str(path)
            job.failed += [Failure(where, fault) for fault in bundle.faults[:SHOWN]]
            if len(bundle.faults) > SHOWN:
                job.failed.append(Failure(where, f"and {len(bundle.faults) - SHOWN} more"))
            job.notes += bundle.notes
            masked: list[Sensitive] = []
            if not dry_run and job.is_unchanged(bundle.uri, _seal(bundle.drafts)):
                drafts = bundle.drafts  # as they were stored: nothing in them was masked or refused
            else:
                drafts = list(_guarded(bundle, job, masked))
            if not drafts:
                continue
            sources.append((bundle.uri, bundle.title, len(drafts)))
            if dry_run:
                job.masked += masked
                continue
            known = len(job.ids)
            _take(session, job, kind, bundle, drafts, flush)
            job.masked += masked if len(job.ids) > known else []
            if bundle.relations or bundle.pinned or bundle.ends:
                bundle.drafts, bundle.earlier = [], {}
                loose.append(bundle)
    if not sources and not job.failed:
        job.notes.append(f"{path}: there is nothing to import in it")
    job.notes += [f"{path}: {note}" for note in unread.notes]
    job.notes += [f"{path}: {note_masked(job.masked)}"] if job.masked else []
    uris = {uri for uri, _, _ in sources}
    made = [_connect(session, bundle, uris) for bundle in loose]
    return tuple(sources), sum(links for links, _ in made), sum(pins for _, pins in made)


def _whole(bundles: Iterator[Bundle], path: Path, job: Ingestion) -> Iterator[Bundle]:
    """Yield the bundles up to where the export cannot be read any more."""
    try:
        for bundle in bundles:
            bundle.clean()
            yield bundle
    except MemosError as error:
        job.failed.append(Failure(str(path), str(error), error.hint))


def _guarded(bundle: Bundle, job: Ingestion, masked: list[Sensitive]) -> Iterator[Draft]:
    """Yield the drafts as they may be stored: secrets treated as the options say, personal data marked.

    Secrets that it masks are added to ``masked``."""
    whole = "\n\n".join(draft.text for draft in bundle.drafts)  # most hold nothing: once is quicker
    has_secrets, is_personal = bool(find_secrets(whole)), bool(find_personal(whole))
    secrets = job.secrets
    held = "mask" if secrets == "refuse" else secrets  # only the text of a piece makes it refused
    # Most pieces share their title and a few authors.
    names = {n: cover(n, held) for n in {n for d in bundle.drafts for n in (d.title, d.author)}}
    for draft in bundle.drafts:
        if draft.tags:
            draft = replace(draft, tags=tuple(cover(tag, held) for tag in read_tags(list(draft.tags))))
        if (title := names[draft.title]) != draft.title or names[draft.author] != draft.author:
            draft = replace(draft, title=title, author=names[draft.author])
        if has_secrets and (found := find_secrets(draft.text)):
            if secrets == "refuse":
                job.failed.append(Failure(bundle.uri, f"{draft.ref or 'a memory'}: {found[0].what}, refused"))
                continue
            if secrets == "allow":
                draft = replace(draft, sensitivity="secret")
            else:
                draft = replace(draft, text=mask(draft.text, found), masked=True)
                masked += found
        if is_personal and draft.sensitivity == "open" and find_personal(draft.text):
            draft = replace(draft, sensitivity="personal")
        if draft.ref in bundle.earlier and secrets != "allow":
            bundle.earlier[draft.ref] = [mask(was, find_secrets(was)) for was in bundle.earlier[draft.ref]]
        yield draft


def _seal(drafts: list[Draft]) -> str:
    """Return a fingerprint of the content of drafts. Without secrets, masking does not change it."""
    said = [
        (d.text, d.type, d.title, d.ref, d.time, d.author, d.role, read_tags(list(d.tags)), d.span)
        for d in drafts
    ]
    return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()


def _take(
    session: Session,
    job: Ingestion,
    kind: str,
    bundle: Bundle,
    drafts: list[Draft],
    flush: Callable[[], None],
) -> None:
    """Store one bundle; earlier texts of a memory become its earlier versions."""
    seal = _seal(drafts)
    finals = {draft.ref: draft for draft in drafts if draft.ref and bundle.earlier.get(draft.ref)}
    if finals:
        known = queries.by_ref(session.vault.connection, list(finals), session.principal)
        finals = {ref: draft for ref, draft in finals.items() if ref not in known}
        drafts = [
            replace(each, text=bundle.earlier[each.ref][0]) if each.ref in finals and each.ref else each
            for each in drafts
        ]
    # Killed before the last versions are there, it is read again.
    origin = Origin(bundle.uri, kind, "" if finals else seal, sum(len(draft.text) for draft in drafts))

    def load() -> Reading:
        own = _without_copies(session, bundle.uri, drafts) if bundle.has_copies else drafts
        return Reading(origin, b"", tuple(own))

    job.take(origin.uri, origin.sha256, load)
    if not finals:
        return
    flush()
    with session.vault.change(session.principal, session.now()) as change:
        numbers = queries.by_ref(change.db, list(finals), session.principal)
        row = queries.source(change.db, bundle.uri, session.principal)
        if row is None:
            return  # all of it was forgotten
        places = {place.cube: place for place in queries.places(change.db, row.n)}
        for ref, n in numbers.items():
            for text in [*bundle.earlier[ref][1:], finals[ref].text]:
                change.edit(queries.by_rowid(change.db, [n])[n], text, finals[ref].title, "import")
            if place := places.get(n):
                change.move_place(place.n, place.span, finals[ref].digest(), place.bytes_sha256)
        change.finish_source(row.n, forgotten.seal(change.db, seal) or seal, job.recipe)


def _without_copies(session: Session, uri: str, drafts: list[Draft]) -> list[Draft]:
    """Return the turns of a conversation that no other source has: a fork repeats earlier turns.

    Only unique references are compared. The copy may have another time.
    """
    db = session.vault.connection
    refs = [draft.ref for draft in drafts if draft.ref and len(draft.ref) >= UNIQUE]
    row = queries.source(db, uri, session.principal)
    own = {place.cube for place in queries.places(db, row.n)} if row else set()
    known = {ref for ref, n in queries.by_ref(db, refs, session.principal).items() if n not in own}
    return [draft for draft in drafts if draft.ref not in known]


def _connect(session: Session, bundle: Bundle, uris: Collection[str]) -> tuple[int, int]:
    """Link, pin and expire the memories of this export, from the sources ``uris``, as in the export.

    Memories in quarantine are not pinned. Returns how many links and pins are new.
    """
    with session.vault.change(session.principal, session.now()) as change:
        find = partial(foreign_memories.of_sources, change.db, owner=session.principal, uris=uris)
        known = find([end for each in bundle.relations for end in (each.source, each.target)])
        linked = sum(
            links.add(change, known[each.source], each.kind, known[each.target])
            for each in bundle.relations
            if each.source in known and each.target in known and known[each.source] != known[each.target]
        )
        pins = find(bundle.pinned).values()
        live = [n for n in pins if (queries.status(change.db, n) or ("",))[0] in LIVE_STATES]
        for ref, n in find([*bundle.ends]).items():
            change.renew(n, bundle.ends[ref])
        return linked, sum(change.pin("", n) for n in live)
