"""The results of the Memory API. The command line prints them as text or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from memos_cli.cube import Cube, Hit, Plan, Quote, Span
from memos_cli.infrastructure.derived.adapters import Adapter
from memos_cli.infrastructure.derived.saved_states import Activation
from memos_cli.infrastructure.memories.queries import Version
from memos_cli.infrastructure.storage.audit import AuditRow

NOTHING = "Nothing in memory answers this."
"""The answer if no memory answers."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A source, or part of one, that could not be read, and why."""

    source: str
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Ingested:
    """The result of an ingest. ``ids`` are the cubes that are new or have a new version."""

    added: int = 0
    versions: int = 0
    unchanged: int = 0
    archived: int = 0
    failed: tuple[Failure, ...] = ()
    ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    embedded: int = 0
    without_vector: int = 0
    quarantined: int = 0
    """How many of ``added`` and ``versions`` are in quarantine."""
    unpruned: int = 0
    """How many folders were not pruned because too many of their sources were gone at once."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of a search; ``notes`` name its limits."""

    query: str
    hits: tuple[Hit, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question. ``timings`` are seconds."""

    question: str
    answer: str
    plan: Plan
    model: str
    """Empty for a quoted answer."""
    timings: Mapping[str, float] = field(default_factory=dict)
    mode: str = "model"
    """``quote`` or ``model``."""
    answered: bool = True
    """Whether a memory answers the question."""
    quotes: tuple[Quote, ...] = ()
    """The sentences of a quoted answer, the best first."""
    nearest: Hit | None = None
    """The nearest memory, if none answers."""
    unsupported: tuple[str, ...] = ()
    """Numbers, names, dates and quotations of the answer that none of its sources contain."""
    stopped: str = "end"
    """Why a model stopped: ``end``, ``limit`` (of tokens), ``loop`` (it repeated itself) or ``user``."""
    order: tuple[int, ...] = ()
    """The labels of the plan's memories, those that the answer used first."""
    tokens: Mapping[str, int] = field(default_factory=dict)
    """Tokens of the ``prompt``: those that were ``read``, and those ``reused`` from memory or a state."""


@dataclass(frozen=True, slots=True)
class PlaceReport:
    """A place of a memory in a source, and whether those bytes are still the same.

    ``reads`` is ``same``, ``changed``, ``gone`` (there is no such source), ``masked`` (the source has a
    secret there that the memory does not contain), ``unreadable``, or ``not kept`` (standard input).
    """

    source: str
    span: Span
    encoding: str
    reads: str
    version: int = 0
    """The version of the memory at that place; an edit made a later one. 0: none of its versions."""


@dataclass(frozen=True, slots=True)
class MemoryDetails:
    """One memory in full."""

    cube: Cube
    places: tuple[PlaceReport, ...]
    activation: Activation | None = None
    """Of an activation cube: its state."""
    states: tuple[Activation, ...] = ()
    """The activation cubes that were made from it."""
    parametric: Adapter | None = None
    """Of an adapter cube: its adapter."""
    adapters: tuple[Adapter, ...] = ()
    """The adapter cubes that were made from it."""


@dataclass(frozen=True, slots=True)
class History:
    """The versions and the events of a memory."""

    id: str
    versions: tuple[Version, ...]
    audit: tuple[AuditRow, ...]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The data that ``forget`` removes, or would remove."""

    cubes: tuple[Cube, ...]
    versions: int
    vectors: int
    dry_run: bool
    states: tuple[str, ...] = ()
    """The activation cubes that were made from them, which go with them."""
    adapters: tuple[str, ...] = ()
    """The adapter cubes that were made from them: they lose their weights, or go with their last memory."""
    settled: bool = True
    """Whether the vault's files contain no byte of them; else the next ``forget`` overwrites the rest."""
    published: tuple[str, ...] = ()
    """The publications that still contain their text, each with its publisher."""
    backups: tuple[str, ...] = ()
    """The folders of backups that may still contain it."""


@dataclass(frozen=True, slots=True)
class Demoted:
    """The states that ``demote`` dropped and the adapters that it detached, or would."""

    states: tuple[Activation, ...]
    """Dropped."""
    adapters: tuple[Adapter, ...]
    """Detached."""
    said: tuple[str, ...] = ()
    """Ids of new memories: the answers of an adapter whose memories are gone."""


@dataclass(frozen=True, slots=True)
class Edited:
    """The result of an edit. ``version`` is the cube's version now."""

    id: str
    version: int
    changed: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tagged:
    """The number of cubes whose tags changed."""

    cubes: int
    changed: int
    waiting: int = 0
    """How many of them are in quarantine now."""


@dataclass(frozen=True, slots=True)
class Stats:
    """The vault in numbers."""

    vault: str
    id: str
    cubes: Mapping[str, int]
    """By state."""
    types: Mapping[str, int]
    """Live cubes by semantic type."""
    versions: int
    sources: int
    tags: int
    embedded: int
    without_vector: int
    hits: int
    hottest: tuple[Cube, ...]
    """Their heat is that of now, as it is in ``heats``."""
    coldest: tuple[Cube, ...]
    """The least hot of the live memories that were used."""
    heats: tuple[float, ...]
    """Of the hottest, falling."""
    bytes: Mapping[str, int]
    """On disk: the database, blobs, index."""
    states: Mapping[str, float]
    """Saved states: how many, their bytes, hits, and the seconds that they have saved; how many are stale."""
    adapters: Mapping[str, int]
    """Adapters: how many, how many are used, bytes, hits; of those that are used, how many are stale."""
    questions: int
    """Of the usage log."""


@dataclass(frozen=True, slots=True)
class InitResult:
    """The vault and the models that ``init`` found or made."""

    vault: str
    id: str
    reader: str
    embedder: str
    notes: tuple[str, ...] = ()
