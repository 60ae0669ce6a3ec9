"""The values that the layers exchange: MemCubes, drafts of them, spans, plans. No I/O.

Times are whole milliseconds since 1970-01-01 UTC; a time without a zone is read as UTC.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, get_args

from memos_cli.errors import require_known
from memos_cli.letters import nfc

PayloadType = Literal["plaintext", "activation", "parametric"]
SemanticType = Literal["fact", "preference", "instruction", "event", "document", "dialogue", "skill"]
State = Literal["generated", "activated", "merged", "archived", "expired", "quarantined"]
Sensitivity = Literal["open", "personal", "confidential", "secret"]

PAYLOADS: tuple[str, ...] = get_args(PayloadType)
SEMANTIC_TYPES: tuple[str, ...] = get_args(SemanticType)
STATES: tuple[str, ...] = get_args(State)
SENSITIVITIES: tuple[str, ...] = get_args(Sensitivity)
"""From open to what no model may see, by default."""
LIVE_STATES: tuple[str, ...] = ("generated", "activated")

_ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_ULID = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ULID_ALPHABET.encode())
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
CHAT = "memos-chat:"
"""The start of the addresses of stored chats. Their answers are ``derived_from`` their memories."""


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of bytes, ``[start, end)``, in the bytes of a source."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A piece of a source, before it is a memory.

    ``span`` locates the piece in the bytes of its source. For prose and code, decoding those bytes gives
    exactly ``text``, except for the parts of a block of code or table that was too long for one piece: they
    repeat its opening line or header. ``ref`` is the id of the piece in the source.
    """

    text: str
    span: Span
    type: str = "document"
    title: str = ""
    ref: str | None = None
    time: int | None = None
    author: str = ""
    role: str = ""
    tags: tuple[str, ...] = ()
    sensitivity: str = "open"
    masked: bool = False
    """Whether secrets in it were masked: its text then differs from the bytes in the source."""

    def __post_init__(self) -> None:
        if self.tags or self.ref:
            compose_names(self)

    def digest(self) -> bytes:
        """Return the sha256 over the fields that identify a memory: text, type and, in dialogue, the event.

        The title, the place in the source and the sensitivity are left out, so that a paragraph found
        in two files is one cube; a dialogue's turns keep their id, time and speaker, so that two
        "Thanks!" stay two.
        """
        return digest_of(self.text, self.type, self.ref, self.time, self.author, self.role)


@dataclass(frozen=True, slots=True)
class Origin:
    """A source as it was read: where, in which form, and a fingerprint of its bytes.

    ``converted`` is the text made from a source that is not text (PDF, Office); spans then locate bytes in
    it, and it is stored as a blob. ``notes`` are for the user (a guessed encoding, skipped records).
    """

    uri: str
    kind: str
    sha256: str
    size: int
    encoding: str = "utf-8"
    converted: bytes | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cube:
    """A MemCube: the current version's payload, where it is plaintext, and its metadata header."""

    n: int
    """Row number in this vault; never shown, never exported."""
    id: str
    """ULID."""
    payload: str
    type: str
    state: str
    version: int
    text: str
    title: str
    ref: str | None
    author: str
    role: str
    owner: str
    time: int | None
    created: int
    updated: int
    expires: int | None
    priority: int
    frozen: bool
    hits: int
    last_hit: int | None
    heat: float
    source: str | None
    span: Span | None
    tags: tuple[str, ...] = ()
    sensitivity: str = "open"
    uses_left: int | None = None
    """How often it may still be put into a prompt, before it expires; None: always."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The memories that a search or a list may return. Empty fields do not restrict.

    ``after`` is inclusive and ``before`` exclusive; both compare the time of the memory itself (``time``), or
    its creation if it has none. A tag also matches the tags below it (``work`` matches ``work/climate``). All
    tags must match, but only one of the types.
    """

    tags: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    source: str = ""
    after: int | None = None
    before: int | None = None
    undated: bool = False
    """Whether memories without a time match, whatever ``after`` and ``before`` are."""
    states: tuple[str, ...] = LIVE_STATES
    payloads: tuple[str, ...] = ("plaintext",)
    """By default memories themselves, not what was made from them."""
    sensitivities: tuple[str, ...] = ()
    stated: bool = False
    """Leave out the questions and the answers of ``memos chat``: they are no sources."""
    asker: str = ""
    """Leave out memories that are bound to another principal than this one; empty: include them."""

    def __post_init__(self) -> None:
        """Raise UsageError for a type, state or form that does not exist."""
        compose_names(self)
        known = (("type", self.types, SEMANTIC_TYPES), ("state", self.states, STATES))
        for what, names, all_names in (*known, ("form", self.payloads, PAYLOADS)):
            for name in names:
                require_known(what, name, all_names)

    def up_to(self, most: str) -> Filter:
        """Return this filter without memories that are more sensitive than ``most``."""
        levels = SENSITIVITIES[: SENSITIVITIES.index(most) + 1]
        allowed = [level for level in levels if not self.sensitivities or level in self.sensitivities]
        return replace(self, sensitivities=tuple(allowed) or ("none",))

    def as_saved(self) -> dict[str, object]:
        """Return the filter as a view stores it: what a user can choose."""
        return {name: value for name, value in asdict(self).items() if name not in ("stated", "asker")}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item, table row or block of code: a range of characters of a memory's text."""

    start: int
    end: int
    heading: str = ""
    """The headings above it within the memory."""
    columns: str = ""
    """The names of the columns, for a table row."""
    kind: str = "sentence"
    """``sentence``, ``item``, ``row`` or ``code``."""
    score: float = 0.0
    """How well it answers the question, compared with the other sentences found; 0 without a question."""
    cosine: float | None = None
    """Cosine of its vector and that of the question."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A cube that a search found: its score in [0, 1], and which signals put it there."""

    cube: Cube
    score: float
    why: Mapping[str, float | str] = field(default_factory=dict)
    sentences: tuple[Sentence, ...] = ()
    """The sentences of the cube that matched, the best first."""
    weak: bool = False
    """Whether it has few words in common with the question, and a low cosine too."""

    @property
    def relevance(self) -> float:
        """Its relevance to the question, in [0, 1]; 0 if no search measured it."""
        return float(self.why.get("relevance", 0.0))


@dataclass(frozen=True, slots=True)
class MemoryCall:
    """A parsed question (the paper's MemoryCall, from MemReader)."""

    question: str
    intent: str
    """``recall`` (a fact), ``summarize`` or ``list`` (everything that fits)."""
    topics: tuple[str, ...] = ()
    quoted: tuple[str, ...] = ()
    """The topics in quotation marks."""
    types: tuple[str, ...] = ()
    after: int | None = None
    before: int | None = None
    when: str = ""
    """The words that the time range was read from."""
    forward: bool = False
    """Whether that time is in the future: it only ranks, because notes about a future time are older."""


@dataclass(frozen=True, slots=True)
class Injection:
    """A memory in a plan: its form in the prompt, and its cost in tokens."""

    hit: Hit
    form: str
    """``text``, ``state`` or ``adapter``."""
    tokens: int
    label: int
    """Its number in the answer: ``[1]``."""
    part: str = "retrieved"
    """Its part of the prompt: ``pinned``, then ``document``, then ``retrieved``."""
    found: bool = True
    """Whether the search found it; else it is pinned, or belongs to the document."""


@dataclass(frozen=True, slots=True)
class Document:
    """Memories that were promoted together; a plan takes all or none of them. See activation cubes."""

    id: str
    """The activation cube."""
    cubes: tuple[Cube, ...]
    costs: tuple[int, ...]
    """The tokens of each in the context."""
    unfit: str = ""
    """Why its state cannot be used now; its text can."""

    @property
    def tokens(self) -> int:
        return sum(self.costs)


@dataclass(frozen=True, slots=True)
class Reuse:
    """The part of a prompt that need not be read, because its state was saved."""

    id: str
    """The activation cube: the one that was used, or that could not be."""
    tokens: int
    """Tokens of the prompt that were restored."""
    miss: str = ""
    """Why the state of the plan's document could not be used; "" if it was."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """The likeness of a question to those that an adapter has learned to answer."""

    question: str
    """The nearest question that the adapter has learned."""
    value: float
    """As the cosine to a single learned question. Others near it raise it, near misses lower it."""
    source: int | None = None
    """The memory that answers the learned question, by number; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Learned:
    """An adapter that a plan may attach: memories that a model knows without their text."""

    id: str
    """The parametric cube."""
    name: str
    cubes: frozenset[int]
    """The memories that it was made from."""
    pinned: bool = False
    """Whether the view of the question pins it: it is then attached to whatever is asked."""
    likeness: Likeness | None = None
    """How near the question is to those of its training; None: not known, it is attached only if pinned."""

    def answers(self, least: float) -> bool:
        """Return whether it has learned the question: whether its likeness is ``least`` or more."""
        return self.likeness is not None and self.likeness.value >= least


@dataclass(frozen=True, slots=True)
class Attached:
    """An adapter in a plan: it is on from the first token of the question."""

    id: str
    name: str
    scale: float
    likeness: Likeness | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A candidate that is not in the plan, with the reason."""

    hit: Hit
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The content of a prompt, and what was left out."""

    call: MemoryCall
    chosen: tuple[Injection, ...]
    left_out: tuple[LeftOut, ...]
    budget: int
    """Tokens that retrieved memories may take."""
    notes: tuple[str, ...] = ()
    document: Document | None = None
    reuse: Reuse | None = None
    adapters: tuple[Attached, ...] = ()
    disputed: tuple[tuple[int, int], ...] = ()
    """Labels of pairs that may contradict each other, the newer first."""

    @property
    def tokens(self) -> int:
        return sum(injection.tokens for injection in self.chosen)


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of a memory, quoted word for word in an answer."""

    label: int
    """Label of the memory in the plan."""
    cube: Cube
    text: str
    start: int
    end: int
    """Range of characters in the memory's text: ``start`` to ``end``."""
    heading: str
    """The headings above it within the memory."""
    columns: str
    """The names of the columns, for a table row."""
    score: float


def digest_of(text: str, type: str, ref: str | None, time: int | None, author: str, role: str) -> bytes:
    """Return the digest that identifies a memory: see ``Draft.digest``. ``ref`` is in NFC."""
    event = (ref, time, author, role) if ref or author else ()
    return hashlib.sha256(_to_json([text, type, *event]).encode()).digest()


def compose_names(named: object) -> None:
    """Normalise the fields ``ref`` and ``tags`` of a frozen dataclass to NFC, in place."""
    ref: str | None = getattr(named, "ref", None)
    if ref and not ref.isascii():
        object.__setattr__(named, "ref", nfc(ref))
    if tags := getattr(named, "tags", ()):
        object.__setattr__(named, "tags", tuple(map(nfc, tags)))


def most_sensitive(*levels: str) -> str:
    """Return the most restricted of some sensitivities."""
    return max(levels, key=SENSITIVITIES.index)


def new_ulids(now: int, count: int) -> list[str]:
    """Return ULIDs (https://github.com/ulid/spec) for the time ``now``: 26 characters each, ascending."""
    time = "".join(_ULID_ALPHABET[(now >> shift) & 31] for shift in range(45, -1, -5))
    tails = b"".join(sorted(os.urandom(10) for _ in range(count)))
    digits = to_ulid_digits(tails)  # ten bytes are sixteen digits
    return [time + digits[start : start + 16] for start in range(0, 16 * count, 16)]


def to_ulid_digits(data: bytes) -> str:
    """Return bytes, five at a time, as digits of a ULID."""
    return b32encode(data).translate(_TO_ULID).decode("ascii")
