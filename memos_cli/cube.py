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
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, get_args

from memos_cli.errors import Damaged
from memos_cli.letters import nfc

PayloadType = Literal["plaintext", "activation", "parametric"]
SemanticType = Literal["fact", "preference", "instruction", "event", "document", "dialogue", "skill"]
State = Literal["generated", "activated", "merged", "archived", "expired", "quarantined"]
Sensitivity = Literal["open", "personal", "confidential", "secret"]

PAYLOADS: tuple[str, ...] = get_args(PayloadType)
SEMANTIC_TYPES: tuple[str, ...] = get_args(SemanticType)
STATES: tuple[str, ...] = get_args(State)
SENSITIVITIES: tuple[str, ...] = get_args(Sensitivity)
"""From what may go anywhere to what no model is told, unless the settings say otherwise."""
LIVE_STATES: tuple[str, ...] = ("generated", "activated")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_ULID = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ULID_ALPHABET.encode())
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of bytes, ``[start, end)``, in the bytes of a source."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Draft:
    """One piece of a source, before it is a cube.

    ``span`` locates the piece in the bytes of its source; where the source is prose or code,
    decoding those bytes gives ``text`` to the letter. The parts of a block of code or a table that was too
    long for one piece are an exception: they repeat its opening line or header. ``ref`` is the piece's own id
    in the source.
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
    """Whether secrets in it were covered: its bytes in the source are then not those of its text."""

    def __post_init__(self) -> None:
        if self.tags or self.ref:
            compose_names(self)

    def digest(self) -> bytes:
        """sha256 over what makes two drafts the same memory: text, type and, in dialogue, the event.

        The title, the place in the source and the sensitivity are left out, so that a paragraph found
        in two files is one cube; a dialogue's turns keep their id, time and speaker, so that two
        "Thanks!" stay two.
        """
        event = (self.ref, self.time, self.author, self.role) if self.ref or self.author else ()
        return hashlib.sha256(_to_json([self.text, self.type, *event]).encode()).digest()


@dataclass(frozen=True, slots=True)
class Origin:
    """A source as it was read: where, in which form, and a fingerprint of its bytes.

    ``converted`` holds the text made from a source that is not text (PDF, Office); spans then locate
    bytes in it, and it is kept as a blob. ``notes`` tell what the reader should know (a guessed
    encoding, skipped records).
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
    """How often a model may still be told, before it expires."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cubes a search or a list may return. Empty fields do not restrict.

    ``after`` is inclusive and ``before`` exclusive; both compare the time of the memory itself
    (``time``), or its creation where it has none. A tag also matches the tags below it
    (``work`` matches ``work/climate``); several tags must all match, of several types any.
    """

    tags: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    source: str = ""
    after: int | None = None
    before: int | None = None
    undated: bool = False
    """Let memories without a time of their own pass, whatever ``after`` and ``before`` say."""
    states: tuple[str, ...] = LIVE_STATES
    payloads: tuple[str, ...] = ("plaintext",)
    """Memories themselves, unless said otherwise: not what was made from them."""
    sensitivities: tuple[str, ...] = ()
    asker: str = ""
    """Leave out what is meant for another principal than this one; empty: it stays."""

    def __post_init__(self) -> None:
        compose_names(self)

    def up_to(self, most: str) -> Filter:
        """This filter, without what is more sensitive than ``most``."""
        levels = SENSITIVITIES[: SENSITIVITIES.index(most) + 1]
        allowed = [level for level in levels if not self.sensitivities or level in self.sensitivities]
        return replace(self, sensitivities=tuple(allowed) or ("none",))

    def as_saved(self) -> dict[str, object]:
        """What a view keeps of it: not who asks."""
        return {name: value for name, value in asdict(self).items() if name != "asker"}


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
    """How well it answers a question, compared with the other sentences that a search found; 0 without a
    question."""
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
    """Whether it has few words in common with what was asked, and is not near to it in meaning either."""

    @property
    def relevance(self) -> float:
        """How much it has to do with what was asked, in [0, 1]; 0 where no search measured it."""
        return float(self.why.get("relevance", 0.0))


@dataclass(frozen=True, slots=True)
class MemoryCall:
    """What MemReader made of a question."""

    question: str
    intent: str
    """``recall`` (a fact), ``summarize`` or ``list`` (everything that fits)."""
    topics: tuple[str, ...] = ()
    quoted: tuple[str, ...] = ()
    """Those of the topics that stand in quotation marks."""
    types: tuple[str, ...] = ()
    after: int | None = None
    before: int | None = None
    when: str = ""
    """The words that the time range was read from."""
    forward: bool = False
    """Whether that time is in the future: it only ranks, because notes about a future time are older."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One memory in a plan: how it reaches the model, and at what price in tokens."""

    hit: Hit
    form: str
    """``text``, ``state`` or ``adapter``."""
    tokens: int
    label: int
    """Its number in the answer: ``[1]``."""
    part: str = "retrieved"
    """Where it stands in the prompt: ``pinned``, then ``document``, then ``retrieved``."""
    found: bool = True
    """Whether it is relevant by itself; else it stands there because it is pinned, or of the document."""


@dataclass(frozen=True, slots=True)
class Document:
    """Memories that were promoted together, which a plan takes all or none of: an activation cube's."""

    id: str
    """The activation cube."""
    cubes: tuple[Cube, ...]
    costs: tuple[int, ...]
    """What each takes of the context, in tokens."""
    unfit: str = ""
    """Why its state cannot be used as things stand; its text can."""

    @property
    def tokens(self) -> int:
        return sum(self.costs)


@dataclass(frozen=True, slots=True)
class Reuse:
    """What a plan's prompt need not be read, because its state was kept."""

    id: str
    """The activation cube: the one that was used, or that could not be."""
    tokens: int
    """Tokens of the prompt that were restored."""
    miss: str = ""
    """Why the state of the plan's document could not be used; "" if it was."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much a question is like those that an adapter has learned to answer."""

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
    """One candidate that is not in the plan, and why."""

    hit: Hit
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a query puts in front of the model."""

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


def compose_names(named: object) -> None:
    """Normalise the fields ``ref`` and ``tags`` of a frozen dataclass to NFC, in place."""
    ref: str | None = getattr(named, "ref", None)
    if ref and not ref.isascii():
        object.__setattr__(named, "ref", nfc(ref))
    if tags := getattr(named, "tags", ()):
        object.__setattr__(named, "tags", tuple(map(nfc, tags)))


def most_sensitive(*levels: str) -> str:
    """Of some sensitivities the one that goes least far."""
    return max(levels, key=SENSITIVITIES.index)


def new_ulids(now: int, count: int) -> list[str]:
    """ULIDs (https://github.com/ulid/spec) for the time ``now``: 26 characters each, ascending."""
    time = "".join(_ULID_ALPHABET[(now >> shift) & 31] for shift in range(45, -1, -5))
    tails = b"".join(sorted(os.urandom(10) for _ in range(count)))
    digits = to_ulid_digits(tails)  # ten bytes are sixteen digits
    return [time + digits[start : start + 16] for start in range(0, 16 * count, 16)]


def to_ulid_digits(data: bytes) -> str:
    """Bytes, five at a time, as digits of a ULID."""
    return b32encode(data).translate(_TO_ULID).decode("ascii")


def parse_time(text: str) -> int:
    """An ISO 8601 date or time as milliseconds. Raises ValueError. Without a zone it is UTC."""
    value = datetime.fromisoformat(text.strip())
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - _EPOCH) // timedelta(milliseconds=1)


class ImpossibleTime(Damaged, ValueError):
    """A stored time is outside the years 1 to 9999: the vault is damaged."""


def utc(time: int) -> datetime:
    """Convert milliseconds since 1970 to a datetime in UTC. Raises ImpossibleTime."""
    try:
        # In whole numbers: a float loses the millisecond of a time far ahead.
        return datetime.fromtimestamp(time // 1000, UTC).replace(microsecond=time % 1000 * 1000)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise ImpossibleTime(
            f"{time!r} is not a time in the years 1 to 9999", "`memos check` shows which memory has it"
        ) from error


def format_time(time: int, zone: tzinfo = UTC) -> str:
    """Format milliseconds since 1970 as an RFC 3339 time in ``zone``; whole seconds get no fraction."""
    value = utc(time)
    if zone is not UTC:
        value = value.astimezone(zone)
    return value.isoformat(timespec="milliseconds" if time % 1000 else "seconds").replace("+00:00", "Z")
