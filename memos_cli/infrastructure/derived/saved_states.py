"""Activation cubes: saved states of a model, and the versions of the memories that they were made from.

Reads take no lock; writes belong to a ``Transaction``. A state is found by its key: sha256 of its fingerprint
and its tokens. So it is used only for a prompt that starts with exactly these tokens, read under the same
conditions.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memos_cli.errors import MemosError
from memos_cli.infrastructure.derived import lineage
from memos_cli.infrastructure.derived.lineage import Reading, Source
from memos_cli.infrastructure.memories import key_values
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection

_REQUEST = "rebuild:"
"""The prefix of the names of requests for states, which imports add."""


@dataclass(frozen=True, slots=True)
class State:
    """A saved state, before it is a cube."""

    view: str
    """The view whose pinned memories precede it; "" for no view."""
    blob: str
    size: int
    """Of the blob, in bytes."""
    pieces: bytes
    """See ``blobs.piece_digests``."""
    tokens: Sequence[int]
    """The tokens that were read."""
    prompt: int
    """Tokens of instructions, pinned memories and document; those beyond the state are read."""
    model: str
    fingerprint: Mapping[str, str]
    seconds: float
    """How long reading ``tokens`` takes on this machine."""


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation cube."""

    cube: int
    id: str
    version: int
    title: str
    state: State
    saved: float
    """Seconds that its use has saved so far."""
    hits: int
    last_hit: int | None
    heat: float
    expired: bool
    sources: tuple[Source, ...]

    def cubes(self, part: str) -> list[int]:
        """Return the memories of one part, in the order of the prompt."""
        return [source.cube for source in self.sources if source.part == part]

    @property
    def stale(self) -> str:
        """The reason why it no longer matches its memories; "" if it does."""
        return lineage.staleness(self.sources)


def key_of(fingerprint: Mapping[str, str], tokens: Sequence[int]) -> bytes:
    """Return the lookup key of a state."""
    return hashlib.sha256(lineage.to_json(fingerprint).encode() + b"\0" + _pack(tokens)).digest()


def _pack(tokens: Sequence[int]) -> bytes:
    packed = array("i", tokens)
    if packed.itemsize != 4:
        raise MemosError("an int of this platform does not have four bytes")
    return packed.tobytes()


# --- reading ---------------------------------------------------------------------------------------


def activations(
    db: Connection, *, now: int, where: str = "1", values: Sequence[object] = ()
) -> list[Activation]:
    """Return the activation cubes, oldest first; ``where`` is a condition on ``cube c, activation a``."""
    rows = db.execute(
        f"""SELECT c.n, c.id, c.version, v.title, a.view, CAST(a.blob AS TEXT), a.bytes, a.pieces,
              CAST(a.tokens AS BLOB), a.prompt, a.model, CAST(a.fingerprint AS TEXT),
              CAST(a.seconds AS REAL), CAST(a.saved AS REAL), c.hits, c.last_hit, c.heat,
              c.expires IS NOT NULL AND c.expires <= ?
            FROM activation a CROSS JOIN cube c ON c.n = a.cube  -- in this order: states are few
            CROSS JOIN version v ON v.cube = c.n AND v.version = c.version
            WHERE {where} ORDER BY c.n""",
        (now, *values),
    ).fetchall()
    found = []
    for row in rows:
        view, blob, size, pieces, tokens, prompt, model, fingerprint, seconds = row[4:13]
        saved, hits, last_hit, heat, expired = row[13:]
        held = array("i")
        held.frombytes(tokens[: len(tokens) // 4 * 4])
        state = State(view, blob, size, pieces, held, prompt, model, lineage.from_json(fingerprint), seconds)
        sources = lineage.sources_of(db, row[0], now)
        usage = (saved, hits, last_hit, heat, bool(expired))
        found.append(Activation(row[0], row[1], row[2], row[3], state, *usage, sources))
    return found


def by_cube(db: Connection, cube: int, *, now: int) -> Activation | None:
    """Return the activation cube with this row number, or None."""
    return next(iter(activations(db, now=now, where="c.n = ?", values=(cube,))), None)


def covering(db: Connection, cubes: Sequence[int], *, now: int) -> list[Activation]:
    """Return the activation cubes with one of ``cubes`` in their document."""
    marks = ",".join("?" * len(cubes))
    where = f"""EXISTS (SELECT 1 FROM derived d
                  WHERE d.cube = c.n AND d.part = 'document' AND d.source IN ({marks}))"""
    return activations(db, now=now, where=where, values=tuple(cubes))


def made_from(db: Connection, cube: int, *, now: int) -> list[Activation]:
    """Return the activation cubes that were made from a memory."""
    where = "EXISTS (SELECT 1 FROM derived d WHERE d.cube = c.n AND d.source = ?)"
    return activations(db, now=now, where=where, values=(cube,))


def lengths(db: Connection) -> list[int]:
    """Return the different numbers of tokens in saved states, largest first."""
    rows = db.execute("SELECT DISTINCT length(tokens) / 4 AS held FROM activation ORDER BY held DESC")
    return [row[0] for row in rows]


def holding(
    db: Connection, fingerprint: Mapping[str, str], tokens: Sequence[int], *, now: int
) -> list[Activation]:
    """Return the unexpired activation cubes with a state of exactly these tokens and conditions."""
    where = "a.key = ? AND a.tokens = ? AND (c.expires IS NULL OR c.expires > ?)"
    values = (key_of(fingerprint, tokens), _pack(tokens), now)
    return activations(db, now=now, where=where, values=values)


# --- writing ---------------------------------------------------------------------------------------


def keep(
    change: Transaction, state: State, sources: Sequence[Reading], *, title: str, digest: bytes
) -> tuple[str, int, list[str] | None]:
    """Store a state, whose blob is durable, as a cube. ``sources`` are (memory, version, part) in order.

    A cube with the same ``digest`` gets a new version; if it has this very state already, nothing changes.
    Returns its id, its version, and the blobs that it no longer uses (None: nothing changed). Raises
    MemosError if a source is not the version that was read.
    """
    db = change.db
    expires = lineage.earliest_end(change, sources)
    key = key_of(state.fingerprint, state.tokens)
    row = db.execute(
        """SELECT c.n, c.id, c.version, c.expires, a.blob, a.key FROM cube c
           JOIN activation a ON a.cube = c.n WHERE c.digest = ? AND c.payload = 'activation'""",
        (digest,),
    ).fetchone()
    known, old = None, list[str]()
    if row is not None:
        known, id, version, *held = row
        if held == [expires, state.blob, key] and lineage.readings(db, known) == list(sources):
            return id, version, None
        old = [row[4]]
    cube, id, version = lineage.write_cube(
        change, known,
        payload="activation", state="activated", digest=digest, title=title, sources=sources, expires=expires,
    )  # fmt: skip
    db.execute(
        """INSERT INTO activation (cube, view, blob, bytes, pieces, tokens, prompt, model, fingerprint, key,
             seconds, saved)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
           ON CONFLICT (cube) DO UPDATE SET view = excluded.view, blob = excluded.blob,
             bytes = excluded.bytes, pieces = excluded.pieces, tokens = excluded.tokens,
             prompt = excluded.prompt, model = excluded.model, fingerprint = excluded.fingerprint,
             key = excluded.key, seconds = excluded.seconds""",
        (
            cube, state.view, state.blob, state.size, state.pieces, _pack(state.tokens), state.prompt,
            state.model, lineage.to_json(state.fingerprint), key, state.seconds,
        ),
    )  # fmt: skip
    change.tell(cube, "promote", {"to": "activation", "from": lineage.ids_of(db, sources)})
    lineage.activate(change, sources)
    return id, version, old


def drop(change: Transaction, cube: int, action: str = "demote") -> str:
    """Delete an activation cube. Returns its blob ("": none), which may be deleted after the commit."""
    row = change.db.execute("SELECT blob FROM activation WHERE cube = ?", (cube,)).fetchone()
    change.tell(cube, action, None)
    change.db.execute("DELETE FROM cube WHERE n = ?", (cube,))
    return str(row[0]) if row else ""


def count_saving(change: Transaction, cube: int, seconds: float) -> None:
    """Add to the seconds that a state has saved."""
    change.db.execute("UPDATE activation SET saved = saved + ? WHERE cube = ?", (seconds, cube))


def request(change: Transaction, wanted: Mapping[str, Any]) -> None:
    """Request the state of a document, ``{"view": …, "document": [ids]}``: `memos maintain` makes it."""
    text = lineage.to_json(wanted)
    key_values.put(change, _request_name(text), text)


def requests(db: Connection) -> list[Mapping[str, Any]]:
    """Return the requested states."""
    return [lineage.from_json(value) for value in key_values.starting(db, _REQUEST).values()]


def settle_request(change: Transaction, wanted: Mapping[str, Any]) -> None:
    """Delete a request: the state was made, or cannot be made."""
    key_values.remove(change, _request_name(lineage.to_json(wanted)))


def _request_name(text: str) -> str:
    return _REQUEST + hashlib.sha256(text.encode()).hexdigest()
