"""Store the drafts of sources: only what is new or changed, in durable parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from memos_cli.cube import LIVE_STATES, Draft, Origin, Span, most_sensitive
from memos_cli.errors import MemosError, UsageError
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.memories import forgotten, queries
from memos_cli.infrastructure.memories.queries import MASKED
from memos_cli.infrastructure.memories.transaction import Kept, NewMemoryFields, Transaction
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.ingest import batches
from memos_cli.interface.ingest.batches import SharedTransaction, collector_at_rest
from memos_cli.interface.ingest.pruning import leave, note_paths, prune
from memos_cli.interface.ingest.sources.reading import Reading, read, read_bytes
from memos_cli.interface.ingest.sources.walk import Unreadable, find
from memos_cli.interface.options import IngestOptions
from memos_cli.interface.redaction.redaction import Sensitive
from memos_cli.interface.results import Failure
from memos_cli.interface.session import ignore
from memos_cli.letters import nfc
from memos_cli.operation.lifecycle.source_diff import align
from memos_cli.operation.lifecycle.states import next_state

LOOSE = "stdin"
"""The source of input that has no name."""


class Ingestion:
    """One ``memos ingest``: stores sources one by one, and counts the results.

    If it is killed, the committed parts stay, and the next ingest continues from there.
    """

    def __init__(
        self,
        vault: Vault,
        options: IngestOptions,
        *,
        principal: str,
        clock: Callable[[], int],
        max_bytes: int = 1 << 62,
        on_source: Callable[[str], None] = ignore,
        on_drafts: Callable[[int], None] = ignore,
        import_command: Callable[[Path], str] = lambda path: "",
    ) -> None:
        """Start an ingest. ``import_command`` returns the command that imports a file of another program, or
        "".
        """
        self.added = self.versions = self.unchanged = self.archived = self.quarantined = 0
        self.forgotten = self.unpruned = 0
        self.ids: list[str] = []
        self.failed: list[Failure] = []
        self.notes: list[str] = []
        self.masked: list[Sensitive] = []
        """The secrets that an import masked in memories that are new here or have a new version."""
        self._vault, self._options = vault, options
        self._principal, self._clock = principal, clock
        self._max_bytes = max_bytes
        self._on_source, self._on_drafts = on_source, on_drafts
        self._import_command = import_command
        self._shared: SharedTransaction | None = None

    @contextmanager
    def together(self) -> Iterator[Callable[[], None]]:
        """Commit small sources together in this block. Yields a function that commits those that wait."""
        self._shared = SharedTransaction(self._begin)
        with self._vault.discarding():
            try:
                yield self._shared.flush
                self._shared.flush()
            finally:
                self._shared.drop()
                self._shared = None

    @property
    def secrets(self) -> str:
        """How secrets are treated: ``mask``, ``refuse`` or ``allow``."""
        return self._options.hints.secrets

    @cached_property
    def recipe(self) -> str:
        """A fingerprint of the options that decide what a source becomes."""
        return self._options.recipe()

    def take_text(self, text: bytes, name: str) -> None:
        """Ingest standard input. Without a ``name``, it is not compared with later input."""
        if len(text) > self._max_bytes:
            raise UsageError(
                f"the input has {len(text):,} bytes, more than {self._max_bytes:,}",
                "raise the setting ingest.max_mb, or ingest it in parts",
            )
        if name:
            load = partial(read_bytes, text, nfc(name), "", self._options.hints)
            self.take(nfc(name), hashlib.sha256(text).hexdigest(), load)
        else:
            self._on_source(LOOSE)
            load = partial(read_bytes, text, LOOSE, "", self._options.hints)
            self._read(LOOSE, load, lambda reading: self._add_loose(reading, LOOSE))

    def take_one(self, draft: Draft, source: str) -> str:
        """Store one memory unchanged, from a ``source`` that cannot be read again. Returns its id."""
        data = draft.text.encode()
        whole = replace(draft, span=Span(0, len(data)))
        (id,) = self._add_loose(Reading(Origin(source, "text", "", len(data)), data, (whole,)), source)
        return id

    def append(self, drafts: Sequence[Draft], origin: Origin) -> list[str]:
        """Add memories to a source that grows and cannot be read again, such as a chat. Returns their ids."""
        return self._add_loose(Reading(origin, b"", tuple(drafts)), origin.uri, origin.kind)

    def take_files(
        self, paths: Sequence[Path], name: str, wanted: Callable[[Path], bool] = lambda path: True
    ) -> None:
        """Ingest files and folders. ``failed`` lists what cannot be read; it does not stop the rest.

        ``name`` replaces the address of a single file. A file that is not ``wanted`` is not read, and
        does not count as deleted.
        """
        seen: dict[str, str] = {}
        unreadable: list[str] = []
        for item in find(paths, max_bytes=self._max_bytes):
            if isinstance(item, Unreadable):
                self.failed.append(Failure(item.uri, item.reason))
                unreadable.append(item.given)
                continue
            found = replace(item, uri=nfc(name)) if name else item
            seen[found.uri] = found.given
            if not wanted(found.path):
                continue
            try:
                with found.path.open("rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                self.failed.append(Failure(found.uri, (error.strerror or str(error)).lower()))
                continue
            self.take(found.uri, sha256, partial(read, found, self._options.hints, self._import_command))
        db, given = self._vault.connection, {uri: path for uri, path in seen.items() if path}
        note_paths(db, self._change, self._principal, given)
        for folder in paths if self._options.prune or self._options.prune_all else ():
            archived, problem = prune(
                db, self._change, self._principal, folder, seen, [path for path in unreadable if path],
                even_all=self._options.prune_all,
            )  # fmt: skip
            self.archived += archived
            if problem:
                self.failed.append(problem)
                self.unpruned += 1

    def count(self, what: str, id: str, *, held: bool) -> None:
        """Count a memory that the caller stored: ``added``, ``versions`` or ``unchanged``; if ``held``, new
        ones are in quarantine."""
        if what in ("added", "versions", "unchanged"):
            setattr(self, what, getattr(self, what) + 1)
        if what in ("added", "versions"):
            self.quarantined += held
            self.ids.append(id)

    def is_unchanged(self, uri: str, sha256: str) -> bool:
        """Return whether a source is stored with this fingerprint and the same reading options."""
        row = queries.source(self._vault.connection, uri, self._principal)
        if row is None or row.sha256 == "" or row.recipe != self.recipe or self._options.reread:
            return False
        return row.sha256 in (sha256, forgotten.seal(self._vault.connection, sha256))

    def take(self, uri: str, sha256: str, load: Callable[[], Reading]) -> None:
        """Ingest the source ``uri``, unless it is stored with this fingerprint already."""
        self._on_source(uri)
        row = queries.source(self._vault.connection, uri, self._principal)
        if row is not None and self.is_unchanged(uri, sha256):
            self.unchanged += len(queries.places(self._vault.connection, row.n))
            return
        self._read(uri, load, self._apply)

    def _read(self, uri: str, load: Callable[[], Reading], apply: Callable[[Reading], object]) -> None:
        was = self.added, self.versions, self.archived
        is_new = queries.source(self._vault.connection, uri, self._principal) is None
        with collector_at_rest():
            try:
                reading = load()
            except UsageError:
                raise
            except MemosError as error:
                self.failed.append(Failure(uri, str(error), error.hint))
                return
            apply(reading)
        self.failed += [Failure(part.uri, part.reason) for part in reading.failed]
        reported = {part.reason for part in reading.failed}
        # A source with a masked secret is read each time; its notes are shown once.
        if is_new or not reading.drafts or was != (self.added, self.versions, self.archived):
            self.notes += [f"{uri}: {note}" for note in reading.origin.notes if note not in reported]

    def _apply(self, reading: Reading) -> None:
        """Update the vault to the content of a source in ``reading``.

        Raises Locked if another process starts to ingest the same source: that process continues.
        """
        options, terms = self._options, self._terms(reading.origin)
        reading, left, back = self._leave_forgotten(reading)
        source = queries.source(self._vault.connection, reading.origin.uri, self._principal)
        if left and not reading.drafts and source is None:
            return  # nothing of the source may be stored, not even its name
        drafts, digests, proofs = self._prepare(reading)
        is_pruning = options.prune or options.prune_all
        with self._vault.discarding() as blobs, ExitStack() as stack:
            parts = batches.Parts(self._vault, self._change, reading.origin, self._on_drafts, stack, blobs)
            matched = align(parts.known, digests, [draft.ref for draft in drafts])
            for place, at in matched.same:
                change = parts.next(1)
                if queries.status(change.db, place.cube) is None:
                    continue  # forgotten by another process since the last part
                if (place.span, place.bytes_sha256) != (drafts[at].span, proofs[at]):
                    change.move_place(place.n, drafts[at].span, place.digest, proofs[at])
                if not (options.foreign and place.shared):
                    self._update_fields(change, place.cube, drafts[at])
                self.unchanged += 1
            for place, at in matched.changed:
                change = parts.next(1)
                match queries.status(change.db, place.cube):
                    case None:
                        continue
                    case (_, True):
                        self.unchanged += 1
                        continue
                self.ids.append(change.revise_from_source(place.cube, place.n, drafts[at], proofs[at]))
                self._update_fields(change, place.cube, drafts[at])
                if terms.quarantine:
                    self._quarantine(change, place.cube)
                self.versions += 1
            for start in range(0, len(matched.added), batches.PART):
                added = matched.added[start : start + batches.PART]
                change = parts.next(len(added))
                batch = [(drafts[at], digests[at], proofs[at]) for at in added]
                self._count(change, change.add(parts.source, batch, terms, foreign=options.foreign), terms)
            for place in matched.gone if is_pruning else ():
                self.archived += leave(parts.next(1), place)
            # The next ingest retries failed pieces, and one that prunes archives pieces that are gone: until
            # then the source counts as unread.
            whole = not reading.failed and (is_pruning or not matched.gone)
            change, sha256 = parts.next(0), reading.origin.sha256 if whole else ""
            forgotten.lift(change, back)
            change.finish_source(
                parts.source, forgotten.seal(change.db, sha256) if left else sha256, self.recipe
            )

    def _leave_forgotten(self, reading: Reading) -> tuple[Reading, int, list[bytes]]:
        """Return ``reading`` without forgotten pieces, their number, and the digests that come back."""
        found = forgotten.find(self._vault.connection, self._principal, reading.origin.uri, reading.drafts)
        if self._options.reread:
            return reading, 0, [each for digests in found.values() for each in digests]
        self.forgotten += len(found)
        kept = tuple(draft for at, draft in enumerate(reading.drafts) if at not in found)
        return (replace(reading, drafts=kept) if found else reading), len(found), []

    def _add_loose(self, reading: Reading, uri: str, kind: str = "text") -> list[str]:
        """Store the drafts of a source that cannot be read again. Returns the ids."""
        items, terms = list(zip(*self._prepare(reading), strict=True)), self._terms(reading.origin)
        ids: list[str] = []
        for start in range(0, len(items), batches.PART):
            batch = items[start : start + batches.PART]
            with self._change() as change:
                source = change.unread_source(uri, kind)
                kept = change.add(source, batch, terms, loose=True)
                self._count(change, kept, terms)
            ids += [each.id for each in kept]
            self._on_drafts(len(batch))
        return ids

    def _terms(self, origin: Origin) -> NewMemoryFields:
        """Return the fields of new memories of one source."""
        is_web = origin.kind == "html" or origin.uri.startswith(("http://", "https://"))
        held = self._options.quarantine == "always" or (self._options.quarantine == "web" and is_web)
        return replace(self._options.terms, quarantine=held)

    def _prepare(self, reading: Reading) -> tuple[list[Draft], list[bytes], list[bytes]]:
        """Return the drafts, the digest of each, and the sha256 of its bytes in the source."""
        drafts = list(reading.drafts)
        if self._options.time is not None:
            drafts = [d if d.time is not None else replace(d, time=self._options.time) for d in drafts]
        return drafts, [draft.digest() for draft in drafts], _proofs(drafts, reading.data)

    def _count(self, change: Transaction, kept: Sequence[Kept], terms: NewMemoryFields) -> None:
        for each in kept:
            if each.new:
                self.quarantined += terms.quarantine
                self.ids.append(each.id)
                self.added += 1
                if self._options.audience:
                    rules.bind(change, each.cube, self._options.audience, self._options.task)
                continue
            if not self._options.foreign:
                self._set_end(change, each.cube)
            self.unchanged += 1

    def _update_fields(self, change: Transaction, cube: int, draft: Draft) -> None:
        """Update the fields of an existing cube to those of this ingest."""
        terms = self._options.terms
        change.tag(cube, (*terms.tags, *draft.tags))
        change.mark(cube, most_sensitive(terms.sensitivity, draft.sensitivity), raising=True)
        self._set_end(change, cube)

    def _set_end(self, change: Transaction, cube: int) -> None:
        terms = self._options.terms
        if terms.expires is not None or terms.uses is not None:
            change.renew(cube, terms.expires, terms.uses)

    def _quarantine(self, change: Transaction, cube: int) -> None:
        """Put a memory with a new version into quarantine."""
        state, _ = queries.status(change.db, cube) or ("", False)
        if state in LIVE_STATES:
            change.set_state(cube, next_state(state, "quarantine"), "quarantine")
            self.quarantined += 1

    def _change(self) -> AbstractContextManager[Transaction]:
        return self._shared.enter() if self._shared else self._begin()

    def _begin(self) -> AbstractContextManager[Transaction]:
        return self._vault.change(self._principal, self._clock())


def _proofs(drafts: Sequence[Draft], data: bytes) -> list[bytes]:
    """Return the sha256 of each draft's bytes in its source; MASKED if a secret was removed from the draft.

    All parts of a long record have the span of the record, which is hashed once.
    """
    proofs: list[bytes] = []
    last: Span | None = None
    proof = b""
    for draft in drafts:
        if draft.span != last:
            last = draft.span
            proof = hashlib.sha256(data[last.start : last.end]).digest()
        proofs.append(MASKED if draft.masked else proof)
    return proofs
