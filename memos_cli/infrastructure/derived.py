"""Activation cubes: which versions of which memories they were made from, and the state that was kept.

Reads take no lock; the writes are those of one ``Change``. A state is found by its key: sha256 over its
fingerprint and its tokens, so that it is used for a prompt that starts with just these tokens, read under
just these conditions, or not at all.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memos_cli.cube import LIVE_STATES, new_ulids
from memos_cli.errors import MemosError
from memos_cli.infrastructure.changes import Change
from memos_cli.infrastructure.database import Connection


@dataclass(frozen=True, slots=True)
class Source:
    """One memory that an activation cube was made from."""

    cube: int
    id: str
    version: int
    """The version that was read."""
    part: str
    """``pinned`` or ``document``."""
    current: int
    """The version that it has now."""
    live: bool
    """Whether it is in a live state and has not expired."""


@dataclass(frozen=True, slots=True)
class State:
    """A saved state, before it is a cube."""

    view: str
    """Whose pinned memories stand before it; "" for no view."""
    blob: str
    size: int
    """Of the blob, in bytes."""
    pieces: bytes
    """See ``blobs.piece_digests``."""
    tokens: Sequence[int]
    """What the state holds."""
    prompt: int
    """Tokens of instructions, pinned memories and document; those that the state does not hold are read."""
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
        """The memories of one part, in the order of the prompt."""
        return [source.cube for source in self.sources if source.part == part]

    @property
    def stale(self) -> str:
        """Why it is not the state of its memories any more; "" if it is."""
        for source in self.sources:
            if not source.live:
                return "a source is archived, expired or merged"
            if source.version != source.current:
                return "source changed"
        return ""


def key_of(fingerprint: Mapping[str, str], tokens: Sequence[int]) -> bytes:
    """What a state is found by."""
    return hashlib.sha256(_canonical(fingerprint).encode() + b"\0" + _pack(tokens)).digest()


def _canonical(fingerprint: Mapping[str, str]) -> str:
    return json.dumps(dict(fingerprint), ensure_ascii=False, sort_keys=True)


def _pack(tokens: Sequence[int]) -> bytes:
    packed = array("i", tokens)
    if packed.itemsize != 4:
        raise MemosError("this platform's int is not of four bytes")
    return packed.tobytes()


# --- reading ---------------------------------------------------------------------------------------


def activations(
    db: Connection, *, now: int, where: str = "1", values: Sequence[object] = ()
) -> list[Activation]:
    """The activation cubes, oldest first; ``where`` is a condition on ``cube c`` and ``activation a``."""
    rows = db.execute(
        f"""SELECT c.n, c.id, c.version, v.title, a.view, CAST(a.blob AS TEXT), a.bytes, a.pieces,
              CAST(a.tokens AS BLOB), a.prompt, a.model, CAST(a.fingerprint AS TEXT),
              CAST(a.seconds AS REAL), CAST(a.saved AS REAL), c.hits, c.last_hit, c.heat,
              c.expires IS NOT NULL AND c.expires <= ?
            FROM activation a JOIN cube c ON c.n = a.cube
            JOIN version v ON v.cube = c.n AND v.version = c.version
            WHERE {where} ORDER BY c.n""",
        (now, *values),
    ).fetchall()
    found = []
    for row in rows:
        view, blob, size, pieces, tokens, prompt, model, fingerprint, seconds = row[4:13]
        saved, hits, last_hit, heat, expired = row[13:]
        held = array("i")
        held.frombytes(tokens[: len(tokens) // 4 * 4])
        state = State(view, blob, size, pieces, held, prompt, model, _fingerprint(fingerprint), seconds)
        sources = _sources(db, row[0], now)
        usage = (saved, hits, last_hit, heat, bool(expired))
        found.append(Activation(row[0], row[1], row[2], row[3], state, *usage, sources))
    return found


def _fingerprint(text: str) -> Mapping[str, str]:
    """A fingerprint as it was kept; a damaged one is none, and so fits nothing (`memos check` tells)."""
    try:
        kept = json.loads(text)
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _sources(db: Connection, cube: int, now: int) -> tuple[Source, ...]:
    rows = db.execute(
        """SELECT d.source, c.id, d.version, d.part, c.version,
             c.state IN ('generated', 'activated') AND (c.expires IS NULL OR c.expires > ?)
           FROM derived d JOIN cube c ON c.n = d.source WHERE d.cube = ? ORDER BY d.position""",
        (now, cube),
    )
    return tuple(
        Source(source, id, version, part, current, bool(live))
        for source, id, version, part, current, live in rows
    )


def by_cube(db: Connection, cube: int, *, now: int) -> Activation | None:
    """The activation cube with this row number, if it is one."""
    return next(iter(activations(db, now=now, where="c.n = ?", values=(cube,))), None)


def covering(db: Connection, cubes: Sequence[int], *, now: int) -> list[Activation]:
    """The activation cubes whose document has one of ``cubes``."""
    marks = ",".join("?" * len(cubes))
    where = f"""EXISTS (SELECT 1 FROM derived d
                  WHERE d.cube = c.n AND d.part = 'document' AND d.source IN ({marks}))"""
    return activations(db, now=now, where=where, values=tuple(cubes))


def made_from(db: Connection, cube: int, *, now: int) -> list[Activation]:
    """The activation cubes that were made from a memory."""
    where = "EXISTS (SELECT 1 FROM derived d WHERE d.cube = c.n AND d.source = ?)"
    return activations(db, now=now, where=where, values=(cube,))


def lengths(db: Connection) -> list[int]:
    """The different numbers of tokens that states hold, largest first."""
    rows = db.execute("SELECT DISTINCT length(tokens) / 4 AS held FROM activation ORDER BY held DESC")
    return [row[0] for row in rows]


def holding(
    db: Connection, fingerprint: Mapping[str, str], tokens: Sequence[int], *, now: int
) -> list[Activation]:
    """The activation cubes whose state holds just ``tokens``, made under ``fingerprint``, and not expired."""
    where = "a.key = ? AND a.tokens = ? AND (c.expires IS NULL OR c.expires > ?)"
    values = (key_of(fingerprint, tokens), _pack(tokens), now)
    return activations(db, now=now, where=where, values=values)


# --- writing ---------------------------------------------------------------------------------------


def keep(
    change: Change, state: State, sources: Sequence[tuple[int, int, str]], *, title: str, digest: bytes
) -> tuple[str, int, list[str] | None]:
    """Keep a state, whose blob is durable, as a cube. ``sources`` are (cube, version, part) in order.

    A cube of the same ``digest`` gets a new version; if it holds this very state already, nothing changes.
    Returns its id, its version, and the blobs that it no longer names (None: nothing changed).
    Raises MemosError when a source is not what was read any more.
    """
    db = change.db
    expires = _earliest_end(change, sources)
    key = key_of(state.fingerprint, state.tokens)
    row = db.execute(
        """SELECT c.n, c.id, c.version, c.expires, a.blob, a.key FROM cube c
           JOIN activation a ON a.cube = c.n WHERE c.digest = ? AND c.payload = 'activation'""",
        (digest,),
    ).fetchone()
    old: list[str] = []
    if row is None:
        version, id = 1, new_ulids(change.now, 1)[0]
        (cube,) = db.execute(
            """INSERT INTO cube (id, payload, type, state, version, digest, author, role, owner, created,
                 updated, expires, priority, frozen, hits, heat)
               VALUES (?, 'activation', 'document', 'activated', 1, ?, '', '', ?, ?, ?, ?, 0, 0, 0, 0)
               RETURNING n""",
            (id, digest, change.principal, change.now, change.now, expires),
        ).fetchone()
    else:
        cube, id, version, end, blob, known = row
        if (end, blob, known) == (expires, state.blob, key) and _made_from(db, cube) == list(sources):
            return id, version, None
        version += 1
        db.execute(
            "UPDATE cube SET version = ?, updated = ?, expires = ? WHERE n = ?",
            (version, change.now, expires, cube),
        )
        db.execute("DELETE FROM derived WHERE cube = ?", (cube,))
        old = [blob]
    change.insert_versions([(cube, version, title, "")])
    db.executemany(
        "INSERT INTO derived (cube, position, source, version, part) VALUES (?, ?, ?, ?, ?)",
        [(cube, position, *source) for position, source in enumerate(sources)],
    )
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
            state.model, _canonical(state.fingerprint), key, state.seconds,
        ),
    )  # fmt: skip
    change.tell(cube, "promote", {"to": "activation", "from": _ids(db, sources)})
    for source, _, _ in sources:
        if db.execute("SELECT state FROM cube WHERE n = ?", (source,)).fetchone() == ("generated",):
            change.set_state(source, "activated", "promote")
    return id, version, old


def _earliest_end(change: Change, sources: Sequence[tuple[int, int, str]]) -> int | None:
    ends = []
    for cube, version, _ in sources:
        row = change.db.execute("SELECT version, state, expires FROM cube WHERE n = ?", (cube,)).fetchone()
        is_over = row is not None and row[2] is not None and row[2] <= change.now
        if row is None or row[0] != version or row[1] not in LIVE_STATES or is_over:
            raise MemosError("a memory changed while it was read", "run it again")
        ends.append(row[2])
    return min((end for end in ends if end is not None), default=None)


def _made_from(db: Connection, cube: int) -> list[tuple[int, int, str]]:
    return db.execute(
        "SELECT source, version, part FROM derived WHERE cube = ? ORDER BY position", (cube,)
    ).fetchall()


def _ids(db: Connection, sources: Sequence[tuple[int, int, str]]) -> list[str]:
    return [db.execute("SELECT id FROM cube WHERE n = ?", (cube,)).fetchone()[0] for cube, _, _ in sources]


def drop(change: Change, cube: int, action: str = "demote") -> str:
    """Remove an activation cube. Returns its blob, which may go after the commit; "" if it has none."""
    row = change.db.execute("SELECT blob FROM activation WHERE cube = ?", (cube,)).fetchone()
    change.tell(cube, action, None)
    change.db.execute("DELETE FROM cube WHERE n = ?", (cube,))
    return str(row[0]) if row else ""


def count_saving(change: Change, cube: int, seconds: float) -> None:
    """Note what a use of a state has saved."""
    change.db.execute("UPDATE activation SET saved = saved + ? WHERE cube = ?", (seconds, cube))
