"""The Memory API: one method per use case, which is a function of its own. Nothing below imports this.

Memos.ingest   sources -> drafts -> what is new -> vault -> vectors
Memos.search   question -> MemReader (parse, resolve times) -> words and vectors -> hits
Memos.query    question -> MemReader -> hits -> MemScheduler (plan) -> prompt -> model -> answer
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos_cli.cube import Cube, Filter, Plan
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.storage import audit
from memos_cli.interface import selection
from memos_cli.interface.changes import Changes
from memos_cli.interface.exchange import Exchange
from memos_cli.interface.options import AnswerOptions
from memos_cli.interface.session import ignore

if TYPE_CHECKING:
    from memos_cli.infrastructure.derived.adapters import Adapter
    from memos_cli.infrastructure.derived.saved_states import Activation
    from memos_cli.infrastructure.storage.audit import AuditRow, Break, Head
    from memos_cli.infrastructure.storage.encryption import Keeper
    from memos_cli.infrastructure.vault.row_checks import Finding
    from memos_cli.interface.adapters.distillation import Prepared
    from memos_cli.interface.ask.chat_session import Chat
    from memos_cli.interface.ingest.saving import Saved
    from memos_cli.interface.lifecycle.versions import Diff
    from memos_cli.interface.options import IngestOptions, TrainOptions
    from memos_cli.interface.results import (
        Answer,
        Demoted,
        History,
        Ingested,
        InitResult,
        MemoryDetails,
        SearchResult,
        Stats,
    )
    from memos_cli.interface.vault.maintenance import Report
    from memos_cli.operation.adapters.parametric import Distilled, Watch
    from memos_cli.operation.states.activation import Promoted

_USUAL = AnswerOptions()


class Memos(Changes, Exchange):
    """The Memory API of one vault. Use it as a context manager, or close it. Not thread-safe."""

    # --- create and fill ---------------------------------------------------------------------------

    def init(self, *, reader: str = "", embedder: str = "", encrypt: Keeper | None = None) -> InitResult:
        """Create the vault, choose its models, and compile the embedder. Doing it again changes nothing.

        ``encrypt`` says where the key of a new encrypted vault is stored. A missing model is in ``notes``: a
        vault stores and finds text without any.
        """
        from memos_cli.interface.vault.new_vault import make

        return make(self, reader, embedder, encrypt)

    def ingest(
        self,
        paths: Sequence[Path] = (),
        *,
        options: IngestOptions,
        text: bytes | None = None,
        name: str = "",
        embed: bool = True,
        wanted: Callable[[Path], bool] = lambda path: True,
        on_source: Callable[[str], None] = ignore,
        on_drafts: Callable[[int], None] = ignore,
        on_vectors: Callable[[int], None] = ignore,
    ) -> Ingested:
        """Ingest files and folders, or ``text`` (standard input), whose source is ``name``.

        Text is durable and searchable first; vectors follow. ``failed`` lists what cannot be read; it does
        not stop the rest. Files that are not ``wanted`` are left as they are.
        """
        from memos_cli.interface.ingest.ingest import ingest

        return ingest(
            self, paths, options=options, text=text, name=name, embed=embed, on_source=on_source,
            on_drafts=on_drafts, on_vectors=on_vectors, import_command=_import_command, wanted=wanted,
        )  # fmt: skip

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

        fields = NewMemoryFields(tags=tuple(tags), expires=expires, uses=uses)
        return save(self, text, source, type, title, fields, task)

    def embed(self, embedder: str = "", *, on_vectors: Callable[[int], None] = ignore) -> int:
        """Compute missing vectors of sentences. Returns of how many memories.

        With the name of another ``embedder``, the vault changes to it; searches use the old vectors until the
        new ones are complete. The next call resumes a change that was stopped, also without the name. Raises
        ModelUnfit without an embedder.
        """
        from memos_cli.interface.missing_vectors import embed

        return embed(self, embedder, on_vectors)

    def count_missing_vectors(self) -> int:
        """Return the number of live memories without a vector."""
        from memos_cli.interface.missing_vectors import count_missing

        return count_missing(self)

    # --- ask ---------------------------------------------------------------------------------------

    def search(
        self, query: str, *, filter: Filter, k: int = 0, aside: str = "", at: int | None = None,
        now: int | None = None,
    ) -> SearchResult:  # fmt: skip
        """Return the memories that match ``query`` best, by words and meaning; or as it was ``at`` a time.

        ``aside`` are words of the query that a relevant memory need not contain. "Yesterday" is the day
        before ``now``. Times are milliseconds since 1970.
        """
        from memos_cli.interface.ask.searching import search

        return search(self, query, filter=filter, k=k, aside=aside, at=at, now=now)

    def plan(self, question: str, *, filter: Filter, options: AnswerOptions = _USUAL) -> Plan:
        """Return the prompt's content for ``query`` as a plan; the model's weights are not read."""
        from memos_cli.interface.ask.answering import explain

        return explain(self, question, filter=filter, options=options)

    def context(self, question: str, *, filter: Filter, tokens: int, view: str = "") -> Plan:
        """Choose memories of at most ``tokens`` for a question to another program's model.

        They are counted by the llama-server of this machine that the settings name, else estimated. No model
        is loaded. Call ``record_use`` with the memories that the model reads.
        """
        from memos_cli.interface.ask.planning import make_plan_for
        from memos_cli.interface.ask.request import read_request

        options = AnswerOptions(view=view, memory_tokens=tokens)
        request = read_request(self, question, selection.promptable(self, filter), options)
        return make_plan_for(self, None, request, counts=self.count_quoted)

    def record_use(self, cubes: Sequence[Cube], question: str = "") -> None:
        """Record that a model of another program reads the texts of ``cubes``, for a ``question`` if any."""
        from memos_cli.interface.ask.usage import record_use
        from memos_cli.operation.states.activation import Restored

        if cubes:
            forms = dict.fromkeys((cube.n for cube in cubes), "text")
            record_use(self, cubes, Restored(), question=question, forms=forms)

    def query(
        self,
        question: str,
        *,
        filter: Filter,
        options: AnswerOptions = _USUAL,
        started: float = 0.0,
        on_text: Callable[[str], None] = ignore,
    ) -> Answer:
        """Answer from memory: by quoting sentences, or by the model with memories in its prompt.

        ``on_text`` gets the answer in pieces while it is generated. If no memory answers, the model is not
        run. ``started`` is how many seconds the process ran before this call.
        """
        from memos_cli.interface.ask.answering import query

        return query(self, question, filter=filter, options=options, started=started, on_text=on_text)

    def chat(self, *, filter: Filter, options: AnswerOptions = _USUAL, saves: bool = True) -> Chat:
        """Begin a chat, in which a question can depend on earlier turns. Close it before this object.

        With ``saves``, each turn is stored as dialogue.
        """
        from memos_cli.interface.ask.chat_session import Chat

        return Chat(self, filter, options, saves)

    # --- faster forms ------------------------------------------------------------------------------

    def promote(
        self,
        ids: Sequence[str] = (),
        *,
        filter: Filter | None = None,
        view: str = "",
        pinned: bool = False,
        dry_run: bool = False,
        on_tokens: Callable[[int], None] = ignore,
    ) -> Promoted:
        """Read memories with the model once and save its state, so that no query reads them again."""
        from memos_cli.interface.states.promotion import promote

        return promote(self, ids, filter, view=view, pinned=pinned, dry_run=dry_run, on_tokens=on_tokens)

    def prepare(
        self,
        ids: Sequence[str],
        *,
        filter: Filter | None = None,
        options: TrainOptions,
        on_memory: Callable[[int], None] = ignore,
    ) -> Prepared:
        """Return the questions for the training and the test of an adapter of memories."""
        from memos_cli.interface.adapters.distillation import prepare

        return prepare(self, ids, filter=filter, options=options, on_memory=on_memory)

    def distil(self, prepared: Prepared, options: TrainOptions, watch: Watch) -> Distilled:
        """Train an adapter that knows its memories without their text; it is used if it passes its gate."""
        from memos_cli.interface.adapters.distillation import distil

        return distil(self, prepared, options, watch)

    def gate(self, id: str, *, on_part: Callable[[int], None] = ignore) -> Mapping[str, Any]:
        """Test an adapter again."""
        from memos_cli.interface.adapters.distillation import gate

        return gate(self, id, on_part)

    def demote(self, ids: Sequence[str], *, dry_run: bool = False) -> Demoted:
        """Drop the states and detach the adapters of these ids, or of these memories; the text stays."""
        from memos_cli.interface.adapters.demotion import demote

        return demote(self, ids, dry_run=dry_run)

    def activations(self) -> list[Activation]:
        """Return the saved states, oldest first."""
        from memos_cli.infrastructure.derived import saved_states

        return saved_states.activations(self.vault.connection, now=self.now())

    def adapters(self) -> list[Adapter]:
        """Return the adapters in any state, oldest first."""
        from memos_cli.infrastructure.derived import adapters

        return adapters.adapters(self.vault.connection, now=self.now())

    # --- look --------------------------------------------------------------------------------------

    def cubes(self, *, filter: Filter, limit: int = -1, newest: bool = True) -> Iterator[Cube]:
        """Return the memories that match ``filter``."""
        return selection.list_memories(self, filter, limit, newest=newest)

    def cubes_at(self, at: int, *, filter: Filter, limit: int = -1, newest: bool = True) -> list[Cube]:
        """Return the memories that matched ``filter`` at a time, as they were then."""
        from memos_cli.interface.ask import past_search

        return past_search.list_memories(self, filter, limit, newest, at)

    def count(self, filter: Filter) -> int:
        """Return how many memories match ``filter``."""
        return selection.count(self, filter)

    def is_empty(self) -> bool:
        """Return whether the caller can read no memory, in any state."""
        return selection.is_empty(self)

    def show(self, id: str) -> MemoryDetails:
        """Return a memory, the cubes made from it, and whether its sources still match."""
        from memos_cli.interface.vault.inspection import show

        return show(self, id)

    def history(self, id: str) -> History:
        """Return the versions and the events of a memory, newest first."""
        from memos_cli.interface.vault.inspection import history

        return history(self, id)

    def diff(self, id: str, *, old: int = 0, new: int = 0) -> Diff:
        """Return the changes from one version of a memory to another; 0: the newest, and the one before."""
        from memos_cli.interface.lifecycle.versions import diff

        return diff(self, id, old, new)

    def stats(self) -> Stats:
        """Return the vault in numbers."""
        from memos_cli.interface.vault.inspection import stats

        return stats(self)

    def views(self) -> dict[str, Filter]:
        """Return the saved filters by name."""
        return selection.views(self)

    def view(self, name: str) -> Filter:
        """Return a saved filter. Raises UsageError if there is none of this name."""
        return selection.view(self, name)

    def set_view(self, name: str, filter: Filter) -> None:
        """Save a filter under a name; it replaces an older one. Raises Refused if that belongs to another."""
        selection.set_view(self, name, filter)

    def remove_view(self, name: str) -> None:
        """Delete a saved filter; the memories stay."""
        selection.remove_view(self, name)

    def pinned(self, view: str) -> list[Cube]:
        """Return the memories that are in every prompt of a view ("": of no view)."""
        found = selection.pinned(self, view)
        self.audit_reads("list", found)
        return found

    def pins(self, view: str = "") -> list[tuple[str, Cube]]:
        """Return the pinned cubes, in any state, as (view, memory): of one view, or of all ("")."""
        return selection.pins(self, view)

    # --- the vault ---------------------------------------------------------------------------------

    def maintain(
        self,
        *,
        steps: Sequence[str] = (),
        distil: bool = False,
        dry_run: bool = False,
        minutes: float = 0.0,
        on_step: Callable[[str], None] = ignore,
    ) -> Report:
        """Run maintenance: all ``steps``, or some. Raises Locked while another run is active."""
        from memos_cli.interface.vault import maintenance

        return maintenance.maintain(
            self, steps=steps or maintenance.STEPS, distil=distil, dry_run=dry_run, minutes=minutes,
            on_step=on_step,
        )  # fmt: skip

    def audit(
        self, *, cube: str = "", by: str = "", action: str = "", since: int | None = None,
        until: int | None = None,
    ) -> Iterator[AuditRow]:  # fmt: skip
        """Return the rows of the audit, oldest first. ``cube`` is the id, or its start, even of a deleted
        memory.
        """
        from memos_cli.interface.vault.inspection import audit_rows

        return audit_rows(self, cube=cube, by=by, action=action, since=since, until=until)

    def audit_head(self) -> Head:
        """Return the end of the audit's chain, which stands for all of it."""
        return audit.head(self.vault.unrestricted)

    def verify_audit(self, head: str = "") -> list[Break]:
        """Return the places where the audit was changed; also compare it with an earlier ``head``, as it was
        printed.

        Raises UsageError for text that is not a head.
        """
        from memos_cli.interface.vault.inspection import verify_audit

        return verify_audit(self, head)

    def check(self, *, repair: bool = False) -> tuple[list[Finding], list[Finding]]:
        """Return the problems of the vault, and those that were repaired. Only reads, unless ``repair``."""
        from memos_cli.interface.vault.inspection import check_vault

        return check_vault(self, repair=repair)


def _import_command(path: Path) -> str:
    from memos_cli.interface.importing.importers import import_command  # only for files that may be exports

    return import_command(path)
