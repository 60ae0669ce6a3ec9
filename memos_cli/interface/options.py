"""The options of use cases. An option that is not given comes from the settings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from memos_cli.cube import SEMANTIC_TYPES, SENSITIVITIES, Filter
from memos_cli.errors import UsageError, require_known
from memos_cli.infrastructure.memories import filters
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.settings import check_principal

SECRETS = ("mask", "refuse", "allow")
"""What to do with secrets in a source."""


def check_names(names: Iterable[str], what: str) -> None:
    """Raise UsageError for a name of something new that is empty or has control characters."""
    for name in names:
        if not name.strip() or not name.isprintable():
            raise UsageError(f"{name!r} is not a valid name for a {what}", "use visible characters")


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """The options of an answer."""

    max_tokens: int = 0
    temperature: float | None = None
    seed: int = 0
    system: str = ""
    view: str = ""
    """Pinned memories of this view are in the prompt."""
    text_only: bool = False
    """Read every memory as text, even if a saved state or an adapter could replace it."""
    now: int | None = None
    """When the question is asked: "yesterday" is the day before. None: now."""
    answer: str = ""
    """``quote``, ``model`` or ``auto``."""
    memory_tokens: int = 0
    """Maximum tokens for memories; 0: the setting query.memory."""
    log: bool = True
    """Whether to add the question to the log for trainings."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The user's options for a source; they override the source's own fields."""

    kind: str = ""
    """One of ``sources.kinds.KINDS``; "" detects it."""
    type: str = ""
    """The semantic type of all drafts; "" takes the source's own, or the usual one of its kind."""
    lines: bool = False
    """Each line that is not blank is one draft."""
    chunk_chars: int = 900
    """Characters in a piece, about; a third as many in Chinese, Japanese and Korean."""
    encoding: str = ""
    """The encoding of all sources, whatever they declare; "" detects it."""
    fallback: str = ""
    """The encoding of sources that are not UTF-8 and declare none; "" guesses."""
    secrets: str = "mask"
    """``mask`` replaces secrets by a placeholder, ``refuse`` leaves out a piece that contains one, ``allow``
    stores it and marks the memory."""

    def __post_init__(self) -> None:
        """Raise UsageError for a type or a way to treat secrets that does not exist."""
        if self.type:
            require_known("type", self.type, SEMANTIC_TYPES)
        require_known("way to treat secrets", self.secrets, SECRETS)


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """The options of an ingest."""

    hints: ReadOptions = field(default_factory=ReadOptions)
    terms: NewMemoryFields = field(default_factory=NewMemoryFields)
    time: int | None = None
    """The time of memories that have none of their own."""
    prune: bool = False
    """Archive memories that are gone from the sources."""
    prune_all: bool = False
    """Prune even if all sources of a folder are gone at once."""
    reread: bool = False
    """Compare every piece, even of unchanged sources; bring back forgotten memories."""
    quarantine: str = "never"
    """Which memories go to quarantine: ``never``, those from a ``web`` page, ``always``."""
    audience: str = ""
    """The only principal that may read the memories until ``task`` is done; "": everyone with the right."""
    task: str = ""
    foreign: bool = False
    """Whether the source is an import: it changes only memories that came from it before."""

    def __post_init__(self) -> None:
        """Raise UsageError for an invalid tag, and for an audience without a task."""
        check_names(self.terms.tags, "tag")
        if bool(self.audience) != bool(self.task):
            raise UsageError(
                "--for and --task go together", "memos ingest - --for agent:coder --task release-9"
            )
        if self.audience:
            check_principal(self.audience, ("user", "agent"))

    def recipe(self) -> str:
        """Return a fingerprint of all options that decide what a source becomes."""
        decisive = (self.hints, self.terms, self.time, self.quarantine)
        return hashlib.sha256(repr(decisive).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """The options of a training."""

    name: str = ""
    own: Sequence[Mapping[str, Any]] = ()
    """Questions and answers that the user adds to those made from the memories."""
    instead: Sequence[Mapping[str, Any]] | None = None
    """The whole training set, as ``Prepared.rows`` gave it; the user may have edited it."""
    steps: int = 0
    minutes: float = 0.0
    """Most minutes of training; 0: no limit."""

    def __post_init__(self) -> None:
        """Raise UsageError for an invalid name."""
        check_names([self.name] if self.name else [], "adapter")


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """The options of a publication."""

    ids: tuple[str, ...] = ()
    filter: Filter | None = None
    redact: bool = False
    up_to: str = ""
    """The highest sensitivity that is published; "": the setting."""
    licence: str = ""
    expires: str = ""
    """When the publication ends unless it is published again, as typed: ``30d`` counts from each time."""

    def __post_init__(self) -> None:
        """Raise UsageError for a sensitivity that does not exist."""
        if self.up_to:
            require_known("sensitivity", self.up_to, SENSITIVITIES)

    def to_json(self) -> dict[str, Any]:
        """Return the options as the vault stores them."""
        return {**asdict(self), "filter": self.filter and filters.filter_to_json(self.filter)}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> PublishOptions:
        """Return the options that ``to_json`` wrote."""
        filter = value["filter"] and filters.filter_from_json(value["filter"])
        return cls(**{**value, "ids": tuple(value["ids"]), "filter": filter})
