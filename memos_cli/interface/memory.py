"""The Memory API: one method per use case. The command line, scripts and tests all come in here.

Memos.ingest   sources -> drafts -> what is new -> vault -> vectors
Memos.search   question -> words and vectors -> hits
Memos.query    question -> MemReader -> hits -> MemScheduler -> prompt -> model -> answer
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from memos_cli.counts import counted
from memos_cli.cube import STATES, Cube, Filter, MemoryCall, Plan
from memos_cli.errors import Locked, ModelUnfit, Refused, Unwritable, UsageError
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.memories import key_values, queries
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.audit import Head
from memos_cli.interface.results import (
    Answer,
    Demoted,
    Edited,
    Forgotten,
    Found,
    History,
    Ingested,
    InitResult,
    MemoryDetails,
    Stats,
    Tagged,
)
from memos_cli.interface.session import Session
from memos_cli.letters import nfc

if TYPE_CHECKING:
    from memos_cli.infrastructure.derived.adapters import Adapter
    from memos_cli.infrastructure.derived.saved_states import Activation
    from memos_cli.infrastructure.share.feeds import Feed
    from memos_cli.infrastructure.share.publications import Publication
    from memos_cli.infrastructure.storage.audit import AuditRow, Break
    from memos_cli.infrastructure.storage.encryption import Keeper
    from memos_cli.infrastructure.vault.check import Finding
    from memos_cli.interface.adapters.distillation import Prepared, TrainOptions
    from memos_cli.interface.importing.import_job import Imported
    from memos_cli.interface.ingest.ingestion import Ingestion, IngestOptions
    from memos_cli.interface.ingest.saving import Saved
    from memos_cli.interface.lifecycle.conflicts import Conflict
    from memos_cli.interface.lifecycle.linking import LinkStep, Merged
    from memos_cli.interface.lifecycle.standing import Diff
    from memos_cli.interface.share.exporting import Exported
    from memos_cli.interface.share.feeds.outgoing import PublishOptions
    from memos_cli.interface.share.feeds.publishing import Proposal, Published
    from memos_cli.interface.share.feeds.subscribing import Unsubscribed, Updated
    from memos_cli.interface.vault.backups import BackedUp
    from memos_cli.interface.vault.maintenance import Report
    from memos_cli.interface.vault.restoring import RestoredVault
    from memos_cli.operation.adapters.parametric import Distilled, Watch
    from memos_cli.operation.lifecycle.retention import Retention
    from memos_cli.operation.states.activation import Promoted, Restored

_NEXT_EMBEDDER = "embedder.next"
"""The policy with the name of the embedder that a vault is changing to."""


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How a question is to be answered. What is not given comes from the settings."""

    max_tokens: int = 0
    temperature: float | None = None
    seed: int = 0
    system: str = ""
    view: str = ""
    """Whose pinned memories stand in the prompt."""
    text_only: bool = False
    """Read every memory, also where a saved state would spare it."""
    now: int | None = None
    """When the question is asked: "yesterday" is the day before. None: now."""
    answer: str = ""
    """``quote``, ``model`` or ``auto``: how to answer."""
    memory_tokens: int = 0
    """Most tokens for memories; 0: the setting query.memory."""


FEW = 50
"""New memories that an ingest compares with the others itself."""
NAMED = 100
"""Memories of one read that the audit names; it only counts the others."""


class Memos(Session):
    """The Memory API of one vault. Use it as a context manager, or close it. Not thread-safe."""

    # --- making ----------------------------------------------------------------------------------

    def init(self, *, reader: str = "", embedder: str = "", encrypt: Keeper | None = None) -> InitResult:
        """Make the vault, choose its models, and compile the embedder. Doing it again changes nothing.

        ``encrypt`` says where the key of a new vault that is encrypted is to be kept.
        A model that is missing is told in ``notes``: a vault keeps and finds text without any.
        """
        from memos_cli.interface.vault.init import make

        return make(self, reader, embedder, encrypt)

    # --- putting in ------------------------------------------------------------------------------

    def ingest(
        self,
        paths: Sequence[Path] = (),
        *,
        wishes: IngestOptions,
        text: bytes | None = None,
        name: str = "",
        embed: bool = True,
        on_source: Callable[[str], None] = lambda uri: None,
        on_drafts: Callable[[int], None] = lambda count: None,
        on_vectors: Callable[[int], None] = lambda count: None,
    ) -> Ingested:
        """Take in files and folders, or ``text`` (standard input), whose source is ``name``.

        Text is durable and searchable first; vectors follow. What cannot be read is told in ``failed``
        and stops nothing else.
        """
        from memos_cli.interface.ingest.ingestion import Ingestion
        from memos_cli.interface.redaction.redaction import cover

        self.access.require_writer()
        policy = wishes.hints.secrets
        name, tags = cover(name, policy), tuple(cover(tag, policy) for tag in wishes.terms.tags)
        wishes = replace(wishes, terms=replace(wishes.terms, tags=tags))
        job = Ingestion(
            self.vault, wishes, principal=self.principal, clock=self._clock,
            max_bytes=self.settings.ingest_max_mb * 1_000_000, on_source=on_source, on_drafts=on_drafts,
            import_command=_import_command,
        )  # fmt: skip
        if text is not None:
            job.take_text(text, name)
        job.take_files(paths, name)
        return self.finish(job, embed=embed, on_vectors=on_vectors)

    def import_export(
        self,
        path: Path,
        *,
        wishes: IngestOptions,
        kind: str = "",
        embed: bool = True,
        dry_run: bool = False,
        trust: bool = False,
        identity: str = "",
        with_grants: bool = False,
        on_source: Callable[[str], None] = lambda uri: None,
        on_drafts: Callable[[int], None] = lambda count: None,
        on_vectors: Callable[[int], None] = lambda count: None,
    ) -> Imported:
        """Take in what another vault or program has exported: a file, a folder or a zip archive.

        It changes no memory that did not come that way before. ``kind`` is one of ``importing.IMPORTS`` or
        ``mip``; "" recognises it. ``trust`` takes a signer as known from now on; ``identity`` is the file of
        the age key that opens an encrypted bundle; ``with_grants`` also grants what a bundle grants to others
        on memories that are new here.
        """
        from memos_cli.interface.importing.import_job import import_export

        return import_export(
            self, path, wishes, kind=kind, embed=embed, dry_run=dry_run, trust=trust, identity=identity,
            with_grants=with_grants, on_source=on_source, on_drafts=on_drafts, on_vectors=on_vectors,
        )  # fmt: skip

    def export(
        self,
        ids: Sequence[str] = (),
        *,
        stream: IO[bytes],
        filter: Filter | None = None,
        format: str = "mip",
        up_to: str = "",
        signed: bool = False,
    ) -> Exported:
        """Write memories for another vault or program, but none more sensitive than ``up_to``."""
        from memos_cli.interface.share.exporting import export

        most = up_to or self.settings.sensitivity_export
        return export(self, ids, filter, format=format, up_to=most, stream=stream, signed=signed)

    def backup(
        self, folder: Path, keep: Retention, *, on_bytes: Callable[[int], None] = lambda count: None
    ) -> BackedUp:
        """Add a snapshot of the whole vault to a folder, and remove those that ``keep`` does not keep."""
        from memos_cli.interface.vault.backups import back_up

        return back_up(self, folder, keep, on_bytes)

    def restore_vault(
        self, folder: Path, snapshot: str = "", *, on_bytes: Callable[[int], None] = lambda count: None
    ) -> RestoredVault:
        """Restore a snapshot ("": the newest) of a folder as this vault, which must not exist yet."""
        from memos_cli.interface.vault.restoring import restore

        return restore(self, folder, snapshot, on_bytes)

    def save(
        self,
        text: str,
        *,
        source: str,
        type: str = "fact",
        title: str = "",
        tags: Sequence[str] = (),
        expires: int | None = None,
        uses: int | None = None,
        task: str = "",
    ) -> Saved:
        """Store one memory word for word. ``source`` names the program that it comes from.

        With a ``task``, only the caller may read it, until the task is done. Raises UsageError for an empty
        text, and Refused for a caller that may not write.
        """
        from memos_cli.interface.ingest.saving import save

        terms = NewMemoryFields(tags=tuple(tags), expires=expires, uses=uses)
        return save(self, text, source, type, title, terms, task)

    def propose(
        self,
        name: str,
        wanted: PublishOptions | None = None,
        *,
        target: str = "",
        withdraw: bool = False,
        replace: bool = False,
    ) -> Proposal:
        """What would go out as the publication ``name``: nothing is sent yet.

        What is not ``wanted`` anew is as it was the last time. ``withdraw`` takes all of it back, ``replace``
        puts it in the place of what was published there from elsewhere.
        """
        from memos_cli.interface.share.feeds import publishing

        return publishing.propose(self, name, wanted, target, withdraw=withdraw, replace=replace)

    def publish(
        self, proposal: Proposal, *, on_bytes: Callable[[int], None] = lambda count: None
    ) -> Published:
        """Send what was proposed to where it is followed."""
        from memos_cli.interface.share.feeds import publishing

        return publishing.publish(self, proposal, on_bytes)

    def publications(self) -> list[Publication]:
        """What who asks publishes."""
        from memos_cli.interface.share.feeds import publishing

        return publishing.publications(self)

    def subscribe(
        self,
        url: str,
        *,
        name: str = "",
        quarantine: bool | None = None,
        trust: bool = False,
        on_bytes: Callable[[int], None] = lambda count: None,
    ) -> Updated:
        """Follow what is published at ``url``, and take it in as memories that stay as they are there."""
        from memos_cli.interface.share.feeds import subscribing

        return subscribing.subscribe(self, url, name, quarantine=quarantine, trust=trust, on_bytes=on_bytes)

    def update(self, name: str, *, on_bytes: Callable[[int], None] = lambda count: None) -> Updated:
        """Bring a feed to what is published now."""
        from memos_cli.interface.share.feeds import subscribing

        return subscribing.update(self, name, on_bytes)

    def unsubscribe(self, name: str, *, keep: bool = False) -> Unsubscribed:
        """Follow a feed no longer. Its memories go; or, to ``keep``, they are one's own from now on."""
        from memos_cli.interface.share.feeds import subscribing

        return subscribing.unsubscribe(self, name, keep=keep)

    def subscriptions(self) -> list[Feed]:
        """The feeds that who asks follows."""
        from memos_cli.interface.share.feeds import subscribing

        return subscribing.subscriptions(self)

    def finish(
        self, job: Ingestion, *, embed: bool, on_vectors: Callable[[int], None], compare: bool = True
    ) -> Ingested:
        """Compute the vectors of new memories, if ``embed``, and return the result of the ingest.

        A few new memories are compared with the others and linked if they contradict; without ``compare``,
        ``memos maintain`` does so.
        """
        notes, embedded = list(job.notes), 0
        if job.forgotten:
            left_out = counted(job.forgotten, "memory", "memories")
            notes.append(f"left out {left_out} that you forgot; to bring back what you forgot, add --reread")
        missing = len(job.ids) if not embed else self.count_waiting()
        if embed and missing:
            try:
                embedded = self.embed_new(on_vectors=on_vectors)
                missing = self.count_waiting()
                if compare and len(job.ids) <= FEW:  # memos maintain compares the others
                    from memos_cli.interface.lifecycle.conflicts import link_new

                    notes += link_new(self, job.ids)
            except ModelUnfit as error:
                notes.append(f"no vectors: {error}; {error.hint}")
        return Ingested(
            job.added, job.versions, job.unchanged, job.archived, tuple(job.failed), tuple(job.ids),
            tuple(notes), embedded, missing, job.quarantined, job.unpruned,
        )  # fmt: skip

    def embed(self, embedder: str = "", *, on_vectors: Callable[[int], None] = lambda count: None) -> int:
        """Compute the missing vectors of sentences. Returns for how many memories.

        With the name of another ``embedder``, the vault changes to it; searches use the old vectors until
        the new ones are complete. The next call resumes a change that was stopped, also without the name.
        Raises ModelUnfit without an embedder.
        """
        self.access.require_writer()
        embedder = embedder or key_values.get(self.vault.connection, _NEXT_EMBEDDER)
        if not embedder:
            return self.embed_new(renew=True, on_vectors=on_vectors)
        self.access.require_owner("choose the models of the vault")
        embedder = str(Path(embedder).resolve()) if Path(embedder).exists() else embedder
        chosen = self.open_embedder(embedder)
        if self._embedder is not None:
            self._embedder.close()
        self._embedder = chosen
        with self.vault.change(self.principal, self._clock()) as change:
            key_values.put(change, _NEXT_EMBEDDER, embedder)
        done = self.embed_new(renew=True, on_vectors=on_vectors)
        self.vault.set_models(self.vault.identity.reader, embedder)
        with self.vault.change(self.principal, self._clock()) as change:
            key_values.remove(change, _NEXT_EMBEDDER)
        return done

    def embed_new(
        self, *, renew: bool = False, on_vectors: Callable[[int], None] = lambda count: None
    ) -> int:
        """Compute missing vectors with the vault's current embedder; ``renew`` also replaces old kinds."""
        from memos_cli.operation.search.embedding import embed_waiting

        if not self.vault.connection.execute("SELECT 1 FROM cube LIMIT 1").fetchone():
            return 0
        return embed_waiting(
            self.vault, self.embedder, principal=self.principal, clock=self._clock, renew=renew,
            progress=on_vectors,
        )  # fmt: skip

    def embed_if_possible(self) -> tuple[str, ...]:
        """Compute missing vectors after a change that is committed. Returns notes on why that failed.

        Memories without a vector wait for the next time, and words find them. Without an embedder that is
        usual, and not noted.
        """
        try:
            self.embed_new()
        except ModelUnfit:
            pass
        except (Locked, Unwritable, OSError) as error:
            return (f"done, but without vectors: {error}; run `memos embed`",)
        return ()

    def count_waiting(self) -> int:
        """Live cubes without a vector."""
        return queries.count_waiting(self.vault.connection)

    # --- asking ----------------------------------------------------------------------------------

    def search(
        self, query: str, *, filter: Filter, k: int = 0, aside: str = "", at: int | None = None,
        now: int | None = None,
    ) -> Found:  # fmt: skip
        """The memories that fit ``query`` best, by words and meaning; or what a search found ``at`` a time.

        ``aside`` are words of the query that a relevant memory need not hold. "Yesterday" is the day before
        ``now``.
        """
        if at is None:
            found = self.find(query, filter=filter, k=k, aside=aside, now=now)
        else:
            from memos_cli.interface.ask import past_search

            found = past_search.search(self, query, self._asked(filter), k or self.settings.search_k, at)
        self.audit_reads("search", [hit.cube for hit in found.hits])
        if found.hits and all(hit.weak for hit in found.hits):
            asked = query if len(query) <= 40 else f"{query[:39]}…"
            return replace(found, notes=(*found.notes, f"no memory matches {asked!r} well; the nearest:"))
        return found

    def find(
        self, query: str, *, filter: Filter, k: int = 0, aside: str = "", call: MemoryCall | None = None,
        now: int | None = None,
    ) -> Found:  # fmt: skip
        """What ``search`` finds, for a plan: nobody has read it yet, and the audit has no row of it.

        ``call`` is what was made of the question that ``query`` is taken from.
        """
        from memos_cli.interface.ask.event_times import understand
        from memos_cli.interface.ask.question_parser import read_asked
        from memos_cli.operation.search.search import rerank, search, widen
        from memos_cli.zones import local_zone

        if not query.strip():
            raise UsageError("the query is empty", "type some words to search for")
        told: tuple[str, ...] = ()
        clock, most, wanted = self._clock(), k or self.settings.search_k, self._asked(filter)
        if call is None:
            call, told = understand(self, query, filter, now=clock if now is None else now)
        embedder, notes = self._embedder_if_used()
        hits = search(
            self.vault, query, filter=wanted, k=most, now=clock,
            embedder=embedder, balance=self.settings.search_balance, aside=aside,
            asked=read_asked(call, zone=local_zone()), least=self.settings.query_relevance,
        )  # fmt: skip
        if (reranker := self.reranker) is not None:
            hits = rerank(hits, partial(reranker.scores, query))
        hits = widen(self.vault.connection, hits, filter=wanted, k=most, now=clock)
        return Found(query, tuple(hits), notes + told)

    def plan(self, question: str, *, filter: Filter, manner: AnswerOptions = AnswerOptions()) -> Plan:
        """What ``query`` would put before the model; the model's weights are not read."""
        from memos_cli.interface.ask.answering import explain

        plan = explain(self, question, self.told(filter), manner)
        hits = [each.hit for each in plan.chosen] + [each.hit for each in plan.left_out]
        seen = {hit.cube.n: hit.cube for hit in hits}
        self.audit_reads("search", [*seen.values()])
        return plan

    def context(
        self, question: str, *, filter: Filter, tokens: int, view: str = "", now: int | None = None
    ) -> Plan:
        """Choose memories of at most ``tokens`` (estimated) for a question that another program's model gets.

        No model is opened. Call ``record_use`` with the memories that the model reads.
        """
        from memos_cli.interface.ask.planning import make_plan_for

        manner = AnswerOptions(view=view, now=now, memory_tokens=tokens)
        return make_plan_for(self, None, question, self.told(filter), manner)

    def record_use(self, cubes: Sequence[Cube], question: str = "") -> None:
        """Record that a model of another program reads the texts of ``cubes``, for a ``question`` if any."""
        from memos_cli.operation.states.activation import Restored

        if cubes:
            self.use(cubes, Restored(), question=question, forms=dict.fromkeys((c.n for c in cubes), "text"))

    def query(
        self,
        question: str,
        *,
        filter: Filter,
        manner: AnswerOptions = AnswerOptions(),
        started: float = 0.0,
        on_text: Callable[[str], None] = lambda text: None,
    ) -> Answer:
        """Answer from memory: by quoting sentences, or by the model with memories in its prompt.

        ``on_text`` gets the answer in pieces while it is generated. If no memory answers, the model is not
        run. ``started`` is how many seconds the process ran before this call.
        """
        from memos_cli.interface.ask.answering import answer

        with self.vault.asking():
            found = answer(self, question, self.told(filter), manner, started, on_text)
        # Quoted and prompted memories have audit rows already; the user also sees these.
        hits = [each.hit for each in found.plan.chosen] if found.mode == "quote" else []
        hits += [found.nearest] if found.nearest else []
        seen = {hit.cube.n: hit.cube for hit in hits}
        self.audit_reads("search", [seen[n] for n in seen.keys() - {quote.cube.n for quote in found.quotes}])
        return found

    def use(
        self,
        cubes: Sequence[Cube],
        restored: Restored,
        *,
        adapters: Sequence[Adapter] = (),
        question: str = "",
        forms: Mapping[int, str] | None = None,
    ) -> None:
        """Warm cubes that a model has read, the state that spared it some of the reading, and ``adapters``.

        A ``question`` goes into the usage log, with the form in which the plan used each memory (by its row
        number: ``text``, ``state`` or ``adapter``). A vault that cannot be written now is no reason to fail.
        """
        from memos_cli.infrastructure.derived import saved_states
        from memos_cli.operation.lifecycle.states import heat_after_use
        from memos_cli.operation.states import throughput

        now, half_life, state = self._clock(), self.settings.heat_half_life, restored.cube
        heats = {c.n: heat_after_use(c.heat, c.last_hit, now=now, half_life=half_life) for c in cubes}
        heats |= {a.cube: heat_after_use(a.heat, a.last_hit, now=now, half_life=half_life) for a in adapters}
        with self.vault.if_writable(), self.vault.change(self.principal, now) as change:
            if state and restored.loaded:
                heats[state.cube] = heat_after_use(state.heat, state.last_hit, now=now, half_life=half_life)
                saved_states.count_saving(change, state.cube, restored.saved)
                throughput.keep_restoring(change, state.state, restored.seconds)
            change.use(heats)
            made = {adapter.cube: "adapter" for adapter in adapters}
            made |= {state.cube: "state"} if state and restored.loaded else {}
            change.tell_reads({**(forms or {}), **made})
            if question:
                from memos_cli.interface.redaction.redaction import find_secrets, mask

                covered = mask(question, find_secrets(question))
                change.log_question(covered, forms or {}, self.settings.query_log)

    def audit_reads(self, action: str, cubes: Sequence[Cube], more: int = 0) -> None:
        """Record in the audit that the caller read ``cubes`` and ``more`` others, if the vault audits reads.

        The row names the first of many memories."""
        if cubes and self.access.audited_reads == "all":
            named, count = cubes[:NAMED], len(cubes) + more
            self.vault.audit_reads(self.principal, self._clock(), action, named, count - len(named))

    def _asked(self, filter: Filter) -> Filter:
        """``filter``, without what is kept for others."""
        is_for_some = rules.is_anything_bound(self.vault.connection)
        return replace(filter, asker=self.principal) if is_for_some else filter

    def told(self, filter: Filter) -> Filter:
        """``filter``, without what no model is told."""
        return self._asked(filter).up_to(self.settings.sensitivity_prompt)

    def promptable(self, cubes: Sequence[Cube]) -> list[Cube]:
        """Return those of ``cubes``, in any state, that a model may read: none that waits for a review."""
        wanted = self.told(Filter(states=tuple(state for state in STATES if state != "quarantined")))
        numbers = [cube.n for cube in cubes]
        passing = {*queries.filter_ids(self.vault.connection, numbers, now=self._clock(), filter=wanted)}
        return [cube for cube in cubes if cube.n in passing]

    # --- other forms -----------------------------------------------------------------------------

    def promote(
        self,
        ids: Sequence[str] = (),
        *,
        filter: Filter | None = None,
        view: str = "",
        pinned: bool = False,
        dry_run: bool = False,
        on_tokens: Callable[[int], None] = lambda count: None,
    ) -> Promoted:
        """Read memories through the model once and keep its state, so that no query reads them again."""
        from memos_cli.interface.states.promotion import promote

        return promote(self, ids, filter, view=view, pinned=pinned, dry_run=dry_run, on_tokens=on_tokens)

    def prepare(
        self,
        ids: Sequence[str],
        *,
        filter: Filter | None = None,
        wanted: TrainOptions,
        on_memory: Callable[[int], None] = lambda count: None,
    ) -> Prepared:
        """What an adapter of memories would be trained and examined with: its questions, and how."""
        from memos_cli.interface.adapters import distillation

        self.access.require_writer()
        cubes = distillation.chosen(self, ids, filter)
        prepared = distillation.prepare(self, cubes, wanted, on_memory)
        self.audit_reads("show", cubes)
        return prepared

    def distil(self, prepared: Prepared, wanted: TrainOptions, watch: Watch) -> Distilled:
        """Train an adapter that knows its memories without their text; it is used if it passes its gate."""
        from memos_cli.interface.adapters import distillation

        return distillation.distil(self, prepared, wanted, watch)

    def gate(self, id: str, *, on_part: Callable[[int], None] = lambda count: None) -> Mapping[str, Any]:
        """Examine an adapter again."""
        from memos_cli.interface.adapters import distillation

        return distillation.gate(self, id, on_part)

    def demote(self, ids: Sequence[str], *, dry_run: bool = False) -> Demoted:
        """Drop the states and detach the adapters of these ids, or of these memories; the text stays.

        An adapter whose memories are gone is put into words first.
        """
        from memos_cli.interface.adapters import distillation
        from memos_cli.interface.states import promotion

        self.access.require_writer()
        states, learned = promotion.to_demote(self, ids)
        said: list[str] = []
        if not dry_run:
            for adapter in learned:
                if not adapter.sources:
                    said += distillation.verbalise(self, adapter)
            promotion.demote(self, states, learned)
        return Demoted(tuple(states), tuple(learned), tuple(said))

    def activations(self) -> list[Activation]:
        """The activation cubes, oldest first."""
        from memos_cli.infrastructure.derived import saved_states

        return saved_states.activations(self.vault.connection, now=self._clock())

    def adapters(self) -> list[Adapter]:
        """The adapter cubes in any state, oldest first."""
        from memos_cli.infrastructure.derived import adapters

        return adapters.adapters(self.vault.connection, now=self._clock())

    def pinned(self, view: str) -> list[Cube]:
        """Return the memories that are in every prompt of a view ("": of no view).

        It leaves no audit row: it serves plans, which are audited.
        """
        return queries.pinned(self.vault.connection, view, now=self._clock(), filter=self.told(Filter()))

    def pins(self, view: str = "") -> list[tuple[str, Cube]]:
        """Return what is pinned, in any state, as (view, memory): of ``view``, or else of all views."""
        if view:
            self.view(view)
        found = queries.pins(self.vault.connection, view or None)
        self.audit_reads("list", [cube for _, cube in found])
        return found

    def pin(self, ids: Sequence[str], view: str = "", *, remove: bool = False) -> Tagged:
        """Let memories stand in every prompt of a view, or no longer."""
        from memos_cli.interface.lifecycle.editing import pin

        return pin(self, ids, view, remove=remove)

    # --- looking and changing --------------------------------------------------------------------

    def cubes_at(self, at: int, *, filter: Filter, limit: int = -1, newest: bool = True) -> list[Cube]:
        """The memories that passed ``filter`` at a time, as they were then."""
        from memos_cli.interface.ask import past_search

        found = past_search.cubes(self, filter, limit, newest, at)
        self.audit_reads("list", found)
        return found

    def cubes(self, *, filter: Filter, limit: int = -1, newest: bool = True) -> Iterator[Cube]:
        """Return the cubes that match ``filter``. The audit row is written before the first is returned."""
        few = [*self.select(filter, limit=NAMED if limit < 0 else min(limit, NAMED), newest=newest)]
        if len(few) < NAMED or limit == NAMED:
            self.audit_reads("list", few)
            return iter(few)
        count = queries.count(self.vault.connection, filter, now=self._clock())
        self.audit_reads("list", few, (count if limit < 0 else min(count, limit)) - len(few))
        return self.select(filter, limit=limit, newest=newest)

    def select(self, filter: Filter, *, limit: int = -1, newest: bool = True) -> Iterator[Cube]:
        """Return the cubes that match ``filter`` without an audit row, for callers that write their own."""
        return queries.cubes(self.vault.connection, filter, now=self._clock(), limit=limit, newest=newest)

    def count(self, filter: Filter) -> int:
        """Return how many memories match ``filter``."""
        return queries.count(self.vault.connection, filter, now=self._clock())

    def is_empty(self) -> bool:
        """Return whether the caller can read no memory, in any state."""
        return next(self.select(Filter(states=STATES), limit=1), None) is None

    def show(self, id: str) -> MemoryDetails:
        """One cube in full, with proof of where its text stands."""
        from memos_cli.interface.vault.inspection import show

        with self.vault.snapshot(self.vault.connection):
            cube = self.access.one(id)
            shown = show(self.vault, cube, self._clock())
        self.audit_reads("show", [cube])
        return shown

    def edit(self, id: str, *, text: str | None = None, title: str | None = None, seen: int = 0) -> Edited:
        """Give a cube a new version. The old one stays in its history.

        ``seen`` is the version that it was made from, 0 for any. Raises Conflict where there is a newer one.
        """
        from memos_cli.interface.lifecycle.editing import edit

        return edit(self, id, text, title, seen)

    def diff(self, id: str, *, old: int = 0, new: int = 0) -> Diff:
        """What changed from one version of a memory to another."""
        from memos_cli.interface.lifecycle import standing

        return standing.diff(self, id, old, new)

    def rollback(self, id: str, to: int) -> Edited:
        """Give a memory a new version that says what an old one said."""
        from memos_cli.interface.lifecycle import standing

        return standing.rollback(self, id, to)

    def archive(self, ids: Sequence[str] = (), *, filter: Filter | None = None) -> Tagged:
        """Keep memories from being found and used. Nothing of them is removed."""
        from memos_cli.interface.lifecycle import standing

        return standing.move(self, ids, filter, "archive")

    def restore(self, ids: Sequence[str] = (), *, filter: Filter | None = None) -> Tagged:
        """Let archived and expired memories be found and used again."""
        from memos_cli.interface.lifecycle import standing

        return standing.move(self, ids, filter, "restore")

    def expire(self, ids: Sequence[str], at: int | None, *, uses: int | None = None) -> Tagged:
        """Let memories expire at a time, or after so many uses; without both, never."""
        from memos_cli.interface.lifecycle import standing

        return standing.expire(self, ids, at, uses)

    def freeze(self, ids: Sequence[str], *, thaw: bool = False) -> Tagged:
        """Let memories refuse every change, and to be forgotten; or no longer."""
        from memos_cli.interface.lifecycle import standing

        return standing.freeze(self, ids, thaw=thaw)

    def tag(
        self, ids: Sequence[str], tags: Sequence[str], *, remove: bool = False, untag: Sequence[str] = ()
    ) -> Tagged:
        """Add ``tags`` to cubes, or ``remove`` them; and remove the tags ``untag``. All or nothing."""
        from memos_cli.interface.lifecycle.standing import require_unfrozen
        from memos_cli.interface.redaction.redaction import cover

        if not remove:
            tags = [cover(tag, self.settings.ingest_secrets) for tag in tags]
        with self.vault.change(self.principal, self._clock()) as change:
            cubes = self.several(ids, "write")
            require_unfrozen(cubes)
            self.access.require(cubes, "share")  # tags decide who sees a memory
            changed = sum(
                change.tag(cube.n, tags, remove=remove) + change.tag(cube.n, untag, remove=True) > 0
                for cube in cubes
            )
        return Tagged(len(cubes), changed)

    def maintain(
        self,
        *,
        steps: Sequence[str] = (),
        distil: bool = False,
        dry_run: bool = False,
        minutes: float = 0.0,
        on_step: Callable[[str], None] = lambda step: None,
    ) -> Report:
        """Look after the vault: all ``steps``, or some. Raises Locked when another run is at it."""
        from memos_cli.interface.vault import maintenance

        return maintenance.maintain(
            self, steps=steps or maintenance.STEPS, distil=distil, dry_run=dry_run, minutes=minutes,
            on_step=on_step,
        )  # fmt: skip

    def conflicts(self, *, similar: bool = False) -> list[Conflict]:
        """Pairs of memories of which one contradicts the other; or, too, says the same."""
        from memos_cli.interface.lifecycle import conflicts

        return conflicts.conflicts(self, similar=similar)

    def resolve(self, how: str, ids: Sequence[str] = ()) -> list[Conflict]:
        """Settle conflicts: ``keep-newest``, ``keep-both``, or the id of the memory to keep."""
        from memos_cli.interface.lifecycle import conflicts

        return conflicts.resolve(self, how, ids)

    def link(self, id: str, kind: str, others: Sequence[str], *, remove: bool = False) -> Tagged:
        """Link a memory to others, or take these links away."""
        from memos_cli.interface.lifecycle import linking

        return linking.link(self, id, kind, others, remove=remove)

    def walk(self, id: str, *, depth: int = 1) -> list[LinkStep]:
        """The memories that links lead to from one, the nearest first."""
        from memos_cli.interface.lifecycle import linking

        return linking.walk(self, id, depth)

    def merge(self, ids: Sequence[str], *, text: str | None = None, title: str | None = None) -> Merged:
        """Put memories together into one; they are kept, and come back when it is parted."""
        from memos_cli.interface.lifecycle import linking

        return linking.merge(self, ids, text, title)

    def part(self, *ids: str) -> list[Merged]:
        """Undo merges, all or none."""
        from memos_cli.interface.lifecycle import linking

        return linking.part(self, ids)

    def slice(self, id: str, *, size: int) -> Merged:
        """Keep the parts of a long memory, of about ``size`` characters, as memories of their own."""
        from memos_cli.interface.lifecycle import linking

        return linking.slice_up(self, id, size)

    def mark(self, ids: Sequence[str], level: str) -> Tagged:
        """Say how sensitive memories are: one of ``cube.SENSITIVITIES``."""
        from memos_cli.interface.lifecycle.quarantine import mark

        return mark(self, ids, level)

    def review(self, ids: Sequence[str] = (), *, filter: Filter | None = None, approve: bool) -> list[Cube]:
        """Let quarantined memories in, or archive them."""
        from memos_cli.interface.lifecycle.quarantine import review

        return review(self, ids, filter, approve=approve)

    def forget(
        self, ids: Sequence[str], *, filter: Filter | None = None, dry_run: bool, exactly: bool = False
    ) -> Forgotten:
        """Remove cubes with all their versions; those of ``ids``, or all that pass ``filter``.

        With them goes what was merged or sliced of them, unless ``exactly`` these are meant.
        """
        from memos_cli.interface.lifecycle.editing import forget

        return forget(self, ids, filter, dry_run=dry_run, exactly=exactly)

    def history(self, id: str) -> History:
        """The versions of a cube and what happened to it, newest first."""
        with self.vault.snapshot(self.vault.connection) as db:
            cube = self.access.one(id)
            versions = tuple(queries.versions(db, cube.n))
            rows = audit.rows(db, cube=cube.id, newest=True)
            past = History(cube.id, versions, tuple(row for row in rows if row.action not in audit.LOOKS))
        self.audit_reads("show", [cube])
        return past

    def audit(
        self,
        *,
        cube: str = "",
        by: str = "",
        action: str = "",
        since: int | None = None,
        until: int | None = None,
    ) -> Iterator[AuditRow]:
        """What happened, in its order. ``cube`` is the id, or its start, of a memory that may be gone."""
        db = self.vault.whole if self.access.is_maker else self.vault.connection
        return audit.rows(
            db, cube=cube.upper() or None, by=by or None, action=action or None,
            since=since, until=until,
        )  # fmt: skip

    def audit_head(self) -> Head:
        """The end of the audit's chain, which stands for all of it."""
        return audit.head(self.vault.whole)

    def verify_audit(self, head: str = "") -> list[Break]:
        """Where the audit is not as it was written; also against an earlier ``head``, as it was printed.

        Raises UsageError for what is no head.
        """
        kept = Head.of(head) if head else None
        with self.vault.snapshot(self.vault.whole) as db:
            return list(audit.verify(db, kept))

    def stats(self) -> Stats:
        """The vault in numbers."""
        from memos_cli.interface.vault.inspection import measure

        with_sizes = self.access.is_maker
        with self.vault.snapshot(self.vault.connection):
            found = measure(
                self.vault, self.count_waiting(), self._clock(), self.settings.heat_half_life,
                with_sizes=with_sizes,
            )  # fmt: skip
        self.audit_reads("list", [*found.hottest, *found.coldest])
        return found

    def views(self) -> dict[str, Filter]:
        """The saved filters by name."""
        return queries.views(self.vault.connection)

    def view(self, name: str) -> Filter:
        """A saved filter. Raises UsageError if there is none of this name."""
        views, name = self.views(), nfc(name)
        if name not in views:
            known = ", ".join(views) or "none yet"
            raise UsageError(
                f"no view is named {name!r} (there are: {known})", f"memos view set {name} --tag …"
            )
        return views[name]

    def set_view(self, name: str, filter: Filter) -> None:
        """Save a filter under a name, in place of an older one. Raises Refused where that is another's."""
        from memos_cli.interface.redaction.redaction import cover

        name = cover(name, self.settings.ingest_secrets)
        self._require_view(name)
        with self.vault.change(self.principal, self._clock()) as change:
            change.set_view(name, queries.filter_to_json(filter))

    def remove_view(self, name: str) -> None:
        """Delete a saved filter; the memories stay."""
        self.view(name)
        self._require_view(name)
        with self.vault.change(self.principal, self._clock()) as change:
            change.remove_view(name)

    def _require_view(self, name: str) -> None:
        self.access.require_writer()
        owner = queries.view_owner(self.vault.whole, name)
        if owner not in ("", self.principal):
            raise Refused(f"the view {name!r} is {owner}'s", "save yours under another name")

    def check(self, *, repair: bool = False) -> tuple[list[Finding], list[Finding]]:
        """(what is wrong with the vault, what of it was repaired). Reads only, unless ``repair``."""
        from memos_cli.infrastructure.vault import check
        from memos_cli.interface.access.callers import require_entry

        timeout = self.settings.lock_timeout
        cipher = check.cipher_of(self.folder, self.keys)
        require_entry(self.folder, self.settings, cipher, self._clock())
        findings = check.examine(self.folder, timeout=timeout, cipher=cipher)
        if not (repair and any(finding.repairable for finding in findings)):
            return findings, []
        self.access.require_writer()
        repaired = check.repair(self.vault, findings, principal=self.principal, now=self._clock())
        return check.examine(self.folder, timeout=timeout, cipher=cipher), repaired


def _import_command(path: Path) -> str:
    from memos_cli.interface.importing.recognition import import_command  # only for files that may be exports

    return import_command(path)
