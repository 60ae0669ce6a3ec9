"""Adapter cubes: LoRA adapters with memories in their weights, their training sets and report cards.

Reads take no lock; writes belong to a ``Transaction``. The state shows what an adapter is good for:
``generated``, its training was interrupted and the blob is a checkpoint; ``activated``, it passed its gate
and is used; ``archived``, its gate refused it, it was demoted, or its weights are gone: stored, never used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from memos_cli.cube import LIVE_STATES
from memos_cli.errors import MemosError
from memos_cli.infrastructure.derived import lineage
from memos_cli.infrastructure.derived.lineage import Source
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.letters import nfc

LOST = {"forgotten": "a source was forgotten", "damaged": "its weights were damaged"}
"""Why an adapter has lost its weights."""


LessonKind = Literal["fact", "near miss", "control", "example"]
LESSON_KINDS: tuple[str, ...] = get_args(LessonKind)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question and its answer, from the training set of an adapter."""

    question: str
    answer: str
    kind: str
    """``fact``, ``near miss`` (its memories do not answer it), ``control`` (of other things), ``example``."""
    held_out: bool = False
    """Whether it is left out of the training, and asked by the gate."""
    source: int | None = None
    """The memory that it is from: forgetting that deletes it, too; None for none."""
    key: str = ""
    """The text that a right answer must contain, such as a name or number; "" if that is not judged."""
    made: str = ""
    """How it was made: ``frame``, ``cloze``, ``keywords``, ``topic``, ``model``, ``log``, ``own``; or ""."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A trained adapter, or a checkpoint of one, before it is a cube. Its blob is durable."""

    blob: str
    size: int
    """Of the blob, in bytes."""
    model: str
    """Name of the base model, for people."""
    fingerprint: Mapping[str, str]
    """The base that it fits; ``model`` is the sha256 of its GGUF file."""
    recipe: Mapping[str, Any]
    """All settings and the seed, so that it can be made again."""
    report: Mapping[str, Any]
    """Its report card; empty before its gate."""
    seconds: float
    """How long its training took."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter cube."""

    cube: int
    id: str
    version: int
    title: str
    """Its name."""
    state: str
    blob: str | None
    """None when its weights are gone: ``stale`` says why."""
    lost: str
    size: int
    model: str
    fingerprint: Mapping[str, str]
    recipe: Mapping[str, Any]
    report: Mapping[str, Any]
    seconds: float
    hits: int
    last_hit: int | None
    heat: float
    expired: bool
    sources: tuple[Source, ...]
    """Empty where all of them are gone."""
    lessons: Mapping[str, int]
    """The number of questions by kind, and of those that are ``held out``."""

    @property
    def stale(self) -> str:
        """The reason why its weights do not match its memories; "" if they do."""
        if self.blob is None:
            return LOST.get(self.lost, "its weights are gone")
        return lineage.staleness(self.sources)

    @property
    def good(self) -> bool:
        """Whether it passed its gate and matches its memories."""
        passed = self.state == "activated" or (self.state == "archived" and self.report.get("passed") is True)
        return passed and not self.stale


def digest_of(model: str, name: str, ids: Sequence[str], *, attempt: bool = False) -> bytes:
    """Return the digest that identifies an adapter: trained again, it is a new version of the same one.

    ``model`` is the sha256 of the base, ``ids`` are those of the memories, in order. An ``attempt`` is stored
    in addition to a good adapter, and does not replace it.
    """
    parts = ["parametric", model, name, list(ids), *(["attempt"] if attempt else [])]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).digest()


# --- reading ---------------------------------------------------------------------------------------


def adapters(db: Connection, *, now: int, where: str = "1", values: Sequence[object] = ()) -> list[Adapter]:
    """Return the adapter cubes, oldest first; ``where`` is a condition on ``cube c`` and ``parametric p``."""
    rows = db.execute(
        f"""SELECT c.n, c.id, c.version, v.title, c.state, CAST(p.blob AS TEXT), CAST(p.lost AS TEXT),
              CAST(p.bytes AS INTEGER), CAST(p.model AS TEXT), CAST(p.fingerprint AS TEXT),
              CAST(p.recipe AS TEXT), CAST(p.report AS TEXT), CAST(p.seconds AS REAL), c.hits, c.last_hit,
              c.heat, c.expires IS NOT NULL AND c.expires <= ?
            FROM parametric p CROSS JOIN cube c ON c.n = p.cube  -- in this order: adapters are few
            CROSS JOIN version v ON v.cube = c.n AND v.version = c.version
            WHERE {where} ORDER BY c.n""",
        (now, *values),
    ).fetchall()
    return [_adapter(db, row, now) for row in rows]


def _adapter(db: Connection, row: Any, now: int) -> Adapter:
    objects = map(lineage.from_json, row[9:12])
    made = (lineage.sources_of(db, row[0], now), _count_lessons(db, row[0]))
    fields: tuple[Any, ...] = (*row[:9], *objects, *row[12:16], bool(row[16]), *made)
    return Adapter(*fields)


def by_cube(db: Connection, cube: int, *, now: int) -> Adapter | None:
    """Return the adapter cube with this row number, or None."""
    return next(iter(adapters(db, now=now, where="c.n = ?", values=(cube,))), None)


def by_digest(db: Connection, digest: bytes, *, now: int) -> Adapter | None:
    """Return the adapter cube with this digest, or None."""
    return next(iter(adapters(db, now=now, where="c.digest = ?", values=(digest,))), None)


def unfinished(db: Connection, model: str, name: str, ids: Sequence[str], *, now: int) -> Adapter | None:
    """Return the checkpoint from which a training of these memories can continue, or None."""
    for attempt in (True, False):
        found = by_digest(db, digest_of(model, name, ids, attempt=attempt), now=now)
        if found and found.state == "generated" and not found.stale:
            return found
    return None


def is_any_used(db: Connection) -> bool:
    """Return whether the vault has an attached adapter."""
    live = "SELECT 1 FROM cube WHERE payload = 'parametric' AND state = 'activated' LIMIT 1"
    return db.execute(live).fetchone() is not None


def covering(db: Connection, cubes: Sequence[int], *, now: int) -> list[Adapter]:
    """Return the adapters in use that were made from one of ``cubes``. Some may be ``stale``."""
    marks = ",".join("?" * len(cubes))
    where = f"""c.state = 'activated' AND EXISTS (
      SELECT 1 FROM derived d WHERE d.cube = c.n AND d.source IN ({marks}))"""
    return adapters(db, now=now, where=where, values=tuple(cubes))


def pinned(db: Connection, view: str, *, now: int) -> list[Adapter]:
    """Return the adapters in use that a view ("": without a view) pins. Some may be ``stale``."""
    where = "c.state = 'activated' AND EXISTS (SELECT 1 FROM pin WHERE pin.cube = c.n AND pin.view = ?)"
    return adapters(db, now=now, where=where, values=(nfc(view),))


def made_from(db: Connection, cube: int, *, now: int) -> list[Adapter]:
    """Return the adapter cubes, in any state, that were made from a memory."""
    where = "EXISTS (SELECT 1 FROM derived d WHERE d.cube = c.n AND d.source = ?)"
    return adapters(db, now=now, where=where, values=(cube,))


def lessons(db: Connection, cube: int) -> list[Lesson]:
    """Return the training set of an adapter in order, held-out questions included."""
    rows = db.execute(
        """SELECT question, answer, kind, held_out, source, key, made FROM lesson
           WHERE cube = ? ORDER BY position""",
        (cube,),
    )
    return [
        Lesson(question, answer, kind, bool(held_out), source, key, made)
        for question, answer, kind, held_out, source, key, made in rows
    ]


_ASKED = "kind <> 'control'"
"""The questions that decide when an adapter is used, those that are held out for its gate included."""


def asked(db: Connection, cube: int, embedder: int) -> list[tuple[str, str, int | None, bytes | None]]:
    """Return the learned questions that select an adapter: (question, kind, source, stored vector).

    The vector is None if the row ``embedder`` has none.
    """
    return db.execute(
        f"""SELECT l.question, l.kind, l.source, x.data FROM lesson l LEFT JOIN lesson_vector x
              ON x.cube = l.cube AND x.position = l.position AND x.embedder = ?
            WHERE l.cube = ? AND {_ASKED} ORDER BY l.position""",
        (embedder, cube),
    ).fetchall()


def without_vectors(db: Connection, embedder: int) -> list[tuple[int, int, str]]:
    """Return the questions of used adapters without a vector of ``embedder``: (cube, position, question)."""
    return db.execute(
        f"""SELECT l.cube, l.position, l.question FROM lesson l CROSS JOIN cube c ON c.n = l.cube
            WHERE c.state = 'activated' AND {_ASKED} AND NOT EXISTS (
              SELECT 1 FROM lesson_vector x
              WHERE x.cube = l.cube AND x.position = l.position AND x.embedder = ?)""",
        (embedder,),
    ).fetchall()


def _count_lessons(db: Connection, cube: int) -> dict[str, int]:
    statement = "SELECT kind, count(*), sum(held_out) FROM lesson WHERE cube = ? GROUP BY kind ORDER BY kind"
    rows = db.execute(statement, (cube,)).fetchall()
    counts = {kind: count for kind, count, _ in rows}
    return {**counts, "held out": sum(held_out for *_, held_out in rows)} if rows else {}


# --- writing ---------------------------------------------------------------------------------------

_ACTIONS = {"generated": "checkpoint", "activated": "promote", "archived": "refuse"}


def keep(
    change: Transaction,
    weights: Weights,
    *,
    name: str,
    sources: Sequence[tuple[int, int]],
    lessons: Sequence[Lesson],
    state: str,
    action: str = "",
) -> tuple[str, int, list[str]]:
    """Store an adapter as a cube in ``state``; ``sources`` are (memory, version). ``action`` names it in the
    audit, by default after the state.

    A cube of the same base, name and memories gets a new version. But a checkpoint or a refused adapter
    replaces no ``good`` one: it is a cube of its own until a later training replaces it. Returns its id, its
    version, and the blobs that may be deleted after the commit. Raises MemosError if a source is not the
    version that was read.
    """
    db = change.db
    read = [(cube, version, "document") for cube, version in sources]
    expires = lineage.earliest_end(change, read)
    assert {each.source for each in lessons} <= {None, *(cube for cube, _ in sources)}, "an unknown source"
    ids = lineage.ids_of(db, read)
    digest, beside = (
        digest_of(weights.fingerprint["model"], name, ids, attempt=attempt) for attempt in (False, True)
    )
    known, attempt = (_number(change, each) for each in (digest, beside))
    there = by_cube(db, known, now=change.now) if known is not None else None
    old: list[str] = []
    if state != "activated" and there is not None and there.good:
        known, digest = attempt, beside
    elif attempt is not None:
        old += _blobs(db, attempt)
        change.tell(attempt, "replace", None)
        db.execute("DELETE FROM cube WHERE n = ?", (attempt,))
    if known is not None:
        old += _blobs(db, known)
        db.execute("DELETE FROM lesson WHERE cube = ?", (known,))
    cube, id, version = lineage.write_cube(
        change, known,
        payload="parametric", state=state, digest=digest, title=name, sources=read, expires=expires,
    )  # fmt: skip
    texts = [lineage.to_json(each) for each in (weights.fingerprint, weights.recipe, weights.report)]
    db.execute(
        """INSERT OR REPLACE INTO parametric (cube, blob, lost, bytes, model, fingerprint, recipe, report,
             seconds) VALUES (?, ?, '', ?, ?, ?, ?, ?, ?)""",
        (cube, weights.blob, weights.size, weights.model, *texts, weights.seconds),
    )
    _insert_lessons(change, cube, lessons)
    change.tell(cube, action or _ACTIONS[state], {"to": "parametric", "from": ids, "state": state})
    if state == "activated":
        lineage.activate(change, read)
    return id, version, old


def _insert_lessons(change: Transaction, cube: int, lessons: Sequence[Lesson]) -> None:
    change.db.executemany(
        """INSERT INTO lesson (cube, position, source, kind, held_out, question, answer, key, made)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            (cube, at, each.source, each.kind, int(each.held_out), each.question, each.answer, each.key,
             each.made)
            for at, each in enumerate(lessons)
        ],
    )  # fmt: skip


def put_vectors(change: Transaction, embedder: int, vectors: Sequence[tuple[int, int, str, bytes]]) -> None:
    """Store vectors of questions: (cube, position, embedded question, vector as stored).

    Vectors of questions that were deleted or changed since are dropped.
    """
    change.db.executemany(
        """INSERT OR REPLACE INTO lesson_vector (cube, position, embedder, data)
           SELECT cube, position, ?, ? FROM lesson WHERE cube = ? AND position = ? AND question = ?""",
        [(embedder, data, cube, position, question) for cube, position, question, data in vectors],
    )


def set_report(change: Transaction, cube: int, report: Mapping[str, Any], state: str) -> None:
    """Store the result of a gate that ran again, and the state that follows from it.

    Raises MemosError for an adapter that cannot pass: a checkpoint, or stale weights.
    """
    found = by_cube(change.db, cube, now=change.now)
    problem = "its training was interrupted" if found and found.state == "generated" else ""
    if state == "activated" and (problem := problem or (found.stale if found else "it is no adapter")):
        raise _unusable(problem)
    text = lineage.to_json(report)
    change.db.execute("UPDATE parametric SET report = ? WHERE cube = ?", (text, cube))
    change.db.execute("UPDATE cube SET state = ?, updated = ? WHERE n = ?", (state, change.now, cube))
    change.tell(cube, "gate", {"passed": bool(report.get("passed")), "state": state})


def detach(change: Transaction, cube: int) -> bool:
    """Stop using an adapter; its memories are read as text. Returns whether anything changed."""
    (state,) = change.db.execute("SELECT state FROM cube WHERE n = ?", (cube,)).fetchone()
    if state not in LIVE_STATES:
        return False
    change.set_state(cube, "archived", "demote")
    return True


def reattach(change: Transaction, cube: int) -> None:
    """Use a demoted adapter again. Raises MemosError unless it is ``good``."""
    found = by_cube(change.db, cube, now=change.now)
    if found is None or not found.good:
        raise _unusable(found.stale or "it has not passed its gate" if found else "it is no adapter")
    if found.state != "activated":
        change.set_state(cube, "activated", "promote")


def set_aside(change: Transaction, cube: int) -> list[str]:
    """Drop unusable weights, as a repair. Returns the blobs that may be deleted after the commit.

    Data that cannot be made again stays: the questions, and the recipe as far as it is readable.
    """
    db = change.db
    blobs = _blobs(db, cube)
    row = db.execute("SELECT recipe, report, fingerprint FROM parametric WHERE cube = ?", (cube,)).fetchone()
    kept = [lineage.to_json(lineage.from_json(str(text))) for text in row or ("", "", "")]
    db.execute(
        """INSERT INTO parametric (cube, lost, bytes, model, recipe, report, fingerprint, seconds)
           VALUES (?, 'damaged', 0, '', ?, ?, ?, 0) ON CONFLICT (cube) DO UPDATE SET blob = NULL,
             lost = excluded.lost, recipe = excluded.recipe, report = excluded.report,
             fingerprint = excluded.fingerprint, bytes = max(0, CAST(bytes AS INTEGER)),
             seconds = max(0, CAST(seconds AS REAL)), model = CAST(model AS TEXT)""",
        (cube, *kept),
    )
    db.execute("UPDATE cube SET state = 'archived', updated = ? WHERE n = ?", (change.now, cube))
    change.tell(cube, "repair", "weights")
    return blobs


def _unusable(problem: str) -> MemosError:
    return MemosError(f"the adapter cannot be used: {problem}", "promote its memories again")


def _number(change: Transaction, digest: bytes) -> int | None:
    """Return the principal's own adapter with a digest, if there is one."""
    row = change.db.execute(
        "SELECT n FROM cube WHERE digest = ? AND payload = 'parametric' AND owner = ?",
        (digest, change.principal),
    ).fetchone()
    return int(row[0]) if row else None


def _blobs(db: Connection, cube: int) -> list[str]:
    rows = db.execute("SELECT blob FROM parametric WHERE cube = ? AND blob IS NOT NULL", (cube,))
    return [row[0] for row in rows]
