"""The vector index: a memory-mapped snapshot of the ``vector`` table, and the rows added since.

The table in ``memos.db`` is authoritative; the file ``index/vectors-E.bin`` (E: the embedder's row) can be
deleted at any time and is rebuilt from it. A search takes candidates from the snapshot and all newer rows,
and scores them by the table: rows that were deleted since are skipped, and a snapshot that is damaged or of
another database is ignored.

A vector is stored as int8 codes with one scale: ``value = code * scale``. A small snapshot has the codes; a
large one has one bit for each dimension (the sign), scanned by Hamming distance, column by column.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from memos_cli.infrastructure.storage.database import Connection, in_lists, one_moment
from memos_cli.infrastructure.vectors.vector_snapshots import Snapshots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Numbers = NDArray[np.int64]
    Codes = NDArray[np.int8]
    Bits = NDArray[np.uint64]

MAGIC = b"MEMVEC01"
_HEADER = struct.Struct("<8sIIQQQ")  # magic, dimensions, form, rows, newest row, sum of all that follows
_CODES, _BITS = 0, 1  # forms
_ALIGN = 64
_BITS_FROM = 30_000  # rows from which signs are quicker to scan than codes
_RESCORED = 600  # rows that the signs leave to be scored: recall@10 0.97 at a million
FEW = 2_000
"""Vectors that a search looks at one by one, without an index."""
_BLOCK = 32_768  # rows whose signs are compared at once
_PART = 8192  # rows in memory at once


def encode(vectors: Floats) -> list[bytes]:
    """Encode unit vectors, shape (n, d), for storage: a little-endian float32 scale and d int8 codes."""
    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-12) / 127
    codes = np.rint(vectors / scales[:, None]).astype(np.int8)
    return [scale.tobytes() + code.tobytes() for scale, code in zip(scales.astype("<f4"), codes, strict=True)]


def decode(data: Sequence[bytes], dimension: int) -> Floats:
    """Decode stored vectors as floats, shape (n, d); one of another length becomes zeros."""
    blank = bytes(4 + dimension)
    rows = [(0, 0, each if len(each) == len(blank) else blank) for each in data]
    table = _rows(rows, dimension)
    vectors: Floats = table.codes.astype(np.float32) * table.scales[:, None]
    return vectors


@dataclass(frozen=True, slots=True)
class Near:
    """The similarity of a cube and a question: cosines of its sentences' vectors, and of their mean."""

    best: float
    mean: float
    sentences: tuple[tuple[int, int, float], ...]
    """(start, end, cosine) of each sentence in order; start and end are characters of the cube's text."""

    @property
    def meaning(self) -> float:
        """The mean of the cosines of the best sentence and of the whole. On conversations, of ten nearest
        turns 13 % more are evidence than with one vector of the whole turn, and 1 % more than with the best
        sentence alone.
        """
        return (self.best + self.mean) / 2


def stored(db: Connection, embedder: int, cube: int) -> Floats | None:
    """Return the mean of the vectors of a cube's sentences, of length 1; None if it has none."""
    rows = db.execute(
        "SELECT n, cube, data FROM vector WHERE cube = ? AND embedder = ?", (cube, embedder)
    ).fetchall()
    if not rows:
        return None
    table = _rows(rows, len(rows[0][2]) - 4)
    vector: Floats = (table.codes.astype(np.float32) * table.scales[:, None]).mean(axis=0)
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def compare(db: Connection, embedder: int, query: Floats, cubes: Sequence[int]) -> dict[int, Near]:
    """Return the similarity of each cube to the unit vector ``query``; leave out cubes without a vector."""
    found: dict[int, Near] = {}
    for marks, part in in_lists(cubes):
        rows = db.execute(
            f"""SELECT n, cube, data, start, end FROM vector WHERE cube IN ({marks})
                AND embedder = ? AND length(data) = ? ORDER BY cube, start""",
            (*part, embedder, 4 + len(query)),
        ).fetchall()
        if not rows:
            continue
        table = _rows(rows, len(query))
        cosines = table.scores(query)
        firsts = np.flatnonzero(np.diff(table.cubes, prepend=-1))
        bests = np.maximum.reduceat(cosines, firsts)
        counts = np.diff(firsts, append=len(rows))
        sums = np.add.reduceat(table.codes.astype(np.float32) * table.scales[:, None], firsts)
        means = np.add.reduceat(cosines, firsts) / np.maximum(np.linalg.norm(sums, axis=1), 1e-12)
        for at, first in enumerate(firsts.tolist()):
            some = range(first, first + int(counts[at]))
            places = tuple((rows[n][3], rows[n][4], float(cosines[n])) for n in some)
            found[int(table.cubes[first])] = Near(float(bests[at]), float(means[at]), places)
    return found


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the ``vector`` table, by number."""

    numbers: Numbers
    cubes: Numbers
    scales: Floats
    codes: Codes
    """Shape (n, dimensions)."""

    def scores(self, query: Floats, picked: Numbers | None = None) -> Floats:
        """Return the cosine of each row (or of those ``picked``) to the unit vector ``query``."""
        codes = self.codes if picked is None else self.codes[picked]
        scales = self.scales if picked is None else self.scales[picked]
        parts = [
            codes[start : start + _PART].astype(np.float32) @ query for start in range(0, len(codes), _PART)
        ]
        scored: Floats = np.concatenate(parts or [np.zeros(0, np.float32)]) * scales
        return scored


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The memory-mapped file: all rows up to ``newest``, either with their codes or with their signs."""

    newest: int
    numbers: Numbers
    cubes: Numbers
    codes: Rows | None
    bits: Bits | None
    """Shape (words, n): word w of a row holds the signs of dimensions 64w to 64w+63."""

    def candidates(self, query: Floats, wanted: int, allowed: Numbers | None) -> Numbers:
        """Return the numbers of about the ``wanted`` nearest rows; all, if there are fewer."""
        picked = None if allowed is None else np.flatnonzero(np.isin(self.cubes, allowed))
        if self.codes is not None:
            distances: NDArray[np.generic] = -self.codes.scores(query, picked)
        else:
            assert self.bits is not None
            wanted = max(2 * wanted, _RESCORED)
            bits = self.bits if picked is None else self.bits[:, picked]
            distances = _distances(bits, _signs(query[None, :])[:, 0])
        nearest = _smallest(distances, wanted)
        return self.numbers[nearest if picked is None else picked[nearest]]


def nearest(
    db: Connection, files: Snapshots, embedder: int, query: Floats, k: int, allowed: list[int] | None = None
) -> list[tuple[int, float]]:
    """Return the cubes whose sentences are nearest to the unit vector ``query``: (cube, cosine), best first.

    ``allowed`` restricts the search to these cubes.
    """
    only = None if allowed is None else np.array(sorted(allowed), np.int64)
    snapshot = load(files, embedder, len(query))
    if snapshot is not None and snapshot.newest > _last_number(db):
        snapshot = None  # of another database: memos.db was restored from a backup
    found: list[tuple[int, float]] = []
    for rows in _table(db, embedder, len(query), since=snapshot.newest if snapshot else 0):
        found += _best(rows, query, k, only)
    if snapshot is not None:
        wanted = 2 * k
        while True:  # some of the snapshot's rows may be gone: look further until enough are there
            numbers = snapshot.candidates(query, wanted, only)
            alive = _numbered(db, embedder, len(query), numbers)
            if len({*alive.cubes.tolist()}) >= k or len(numbers) < wanted:
                break
            wanted *= 4
        found += _best(alive, query, k, only)
    return _distinct(sorted(found, key=lambda row: (-row[1], row[0])), k)


def load(files: Snapshots, embedder: int, dimension: int) -> Snapshot | None:
    """Load the snapshot; None if it is missing, incomplete or damaged.

    A process verifies a file once, and then compares the file's stamp.
    """
    key = (files.stamp(embedder), dimension)
    if embedder not in files.known or files.known[embedder][0] != key:
        files.known[embedder] = (key, _examined(files.read(embedder), dimension))
    known: Snapshot | None = files.known[embedder][1]
    return known


def _examined(data: NDArray[np.uint8] | None, dimension: int) -> Snapshot | None:
    if data is None or len(data) < _ALIGN or len(data) % _ALIGN:
        return None
    magic, dimensions, form, count, newest, total = _HEADER.unpack(data[: _HEADER.size].tobytes())
    if magic != MAGIC or dimensions != dimension or form not in (_CODES, _BITS) or count > len(data):
        return None
    places, end = _layout(count, dimension, form)
    if end != len(data) or total != _sum(data[_ALIGN:]) or data[_HEADER.size : _ALIGN].any():
        return None
    columns = [data[start : start + size].view(kind) for start, size, kind in places]
    numbers, cubes = columns[:2]
    if newest != (numbers[-1] if count else 0):
        return None
    if form == _BITS:
        return Snapshot(newest, numbers, cubes, None, columns[2].reshape(-1, count))
    codes = columns[3].reshape(count, dimension)
    return Snapshot(newest, numbers, cubes, Rows(numbers, cubes, columns[2], codes), None)


def refresh(db: Connection, files: Snapshots, embedder: int, dimension: int, *, force: bool = False) -> bool:
    """Write the snapshot again if many rows were added or deleted since. Returns whether it was written."""
    snapshot = None if force else load(files, embedder, dimension)
    count, since = (0, 0) if snapshot is None else (len(snapshot.numbers), snapshot.newest)
    with one_moment(db):
        rows, newer = db.execute(
            """SELECT count(*), count(CASE WHEN n > ? THEN 1 END) FROM vector
               WHERE embedder = ? AND length(data) = ?""",
            (since, embedder, 4 + dimension),
        ).fetchone()
        changed = newer + (count - (rows - newer))
        if not force and changed <= max(FEW, min(20_000, count // 8)):
            return False
        data = _packed(_table(db, embedder, dimension), rows, dimension)
    files.write(embedder, data.data)
    return True


def agrees(db: Connection, files: Snapshots, embedder: int, dimension: int) -> bool:
    """Return whether the snapshot is complete and equals the table in every row up to its newest."""
    snapshot = load(files, embedder, dimension)
    if snapshot is None or snapshot.newest > _last_number(db) or (np.diff(snapshot.numbers) <= 0).any():
        return False
    for rows in _table(db, embedder, dimension, until=snapshot.newest):
        at = np.searchsorted(snapshot.numbers, rows.numbers)
        if (snapshot.numbers[at] != rows.numbers).any() or (snapshot.cubes[at] != rows.cubes).any():
            return False
        if snapshot.bits is not None:
            same = (snapshot.bits[:, at] == _signs(rows.codes)).all()
        else:
            assert snapshot.codes is not None
            same = (snapshot.codes.codes[at] == rows.codes).all()
            same &= (snapshot.codes.scales[at] == rows.scales).all()
        if not same:
            return False
    return True


def _best(rows: Rows, query: Floats, k: int, allowed: Numbers | None) -> list[tuple[int, float]]:
    picked = None if allowed is None else np.flatnonzero(np.isin(rows.cubes, allowed))
    scores = rows.scores(query, picked)
    cubes = rows.cubes if picked is None else rows.cubes[picked]
    return _distinct(((int(cubes[at]), float(scores[at])) for at in np.lexsort((cubes, -scores))), k)


def _distinct(found: Iterable[tuple[int, float]], k: int) -> list[tuple[int, float]]:
    """Return the first ``k`` distinct cubes of a sorted list, each with its first score."""
    best: dict[int, float] = {}
    for cube, score in found:
        best.setdefault(cube, score)
        if len(best) == k:
            break
    return list(best.items())


def _packed(parts: Iterator[Rows], count: int, dimension: int) -> NDArray[np.uint8]:
    """Return the bytes of a snapshot of ``count`` rows, without a second copy in memory."""
    form = _BITS if count > _BITS_FROM else _CODES
    places, end = _layout(count, dimension, form)
    data = np.zeros(end, np.uint8)
    numbers, cubes, *columns = (data[start : start + size].view(kind) for start, size, kind in places)
    last = columns[-1].reshape((-1, count) if form == _BITS else (count, dimension))
    done = 0
    for rows in parts:
        some = slice(done, done := done + len(rows.numbers))
        numbers[some], cubes[some] = rows.numbers, rows.cubes
        if form == _BITS:
            last[:, some] = _signs(rows.codes)
        else:
            columns[0][some], last[some] = rows.scales, rows.codes
    newest = int(numbers[-1]) if count else 0
    header = _HEADER.pack(MAGIC, dimension, form, count, newest, _sum(data[_ALIGN:]))
    data[: _HEADER.size] = np.frombuffer(header, np.uint8)
    return data


def _layout(count: int, dimension: int, form: int) -> tuple[list[tuple[int, int, str]], int]:
    """Return the place of each column: [(first byte, bytes, NumPy type)], and the length of the file."""
    sizes = [(8, "<i8"), (8, "<i8")]
    sizes += [(8 * -(-dimension // 64), "<u8")] if form == _BITS else [(4, "<f4"), (dimension, "i1")]
    places, at = [], _ALIGN
    for size, kind in sizes:
        places.append((at, size * count, kind))
        at += -(-size * count // _ALIGN) * _ALIGN
    return places, at


def _sum(data: NDArray[np.uint8]) -> int:
    """Return the sum of all 64-bit words, modulo 2^64: it detects any flipped bit, at the speed of memory."""
    return int(data.view("<u8").sum(dtype=np.uint64))


def _table(
    db: Connection, embedder: int, dimension: int, *, since: int = 0, until: int = 2**63 - 1
) -> Iterator[Rows]:
    """Yield the rows of one embedder in order, in batches of some thousands."""
    while True:
        rows = db.execute(
            """SELECT n, cube, data FROM vector
               WHERE n > ? AND n <= ? AND embedder = ? AND length(data) = ? ORDER BY n LIMIT ?""",
            (since, until, embedder, 4 + dimension, _PART),
        ).fetchall()
        if rows:
            yield _rows(rows, dimension)
        if len(rows) < _PART:
            return
        since = rows[-1][0]


def _numbered(db: Connection, embedder: int, dimension: int, numbers: Numbers) -> Rows:
    """Return the rows with these numbers that still exist in the table."""
    rows = []
    for marks, part in in_lists(numbers.tolist()):
        rows += db.execute(
            f"SELECT n, cube, data FROM vector WHERE n IN ({marks}) AND embedder = ? AND length(data) = ?",
            (*part, embedder, 4 + dimension),
        ).fetchall()
    return _rows(rows, dimension)


def _rows(rows: Sequence[Sequence[Any]], dimension: int) -> Rows:
    data = np.frombuffer(b"".join(row[2] for row in rows), np.uint8).reshape(len(rows), 4 + dimension)
    return Rows(
        numbers=np.array([row[0] for row in rows], np.int64),
        cubes=np.array([row[1] for row in rows], np.int64),
        scales=np.ascontiguousarray(data[:, :4]).reshape(-1).view("<f4"),
        codes=data[:, 4:].view(np.int8),
    )


def _last_number(db: Connection) -> int:
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'vector'").fetchone()
    return int(row[0]) if row else 0


def _signs(vectors: Codes | Floats) -> Bits:
    """Return one bit for each dimension, set if it is not negative: shape (words, n)."""
    packed = np.packbits(vectors >= 0, axis=1, bitorder="little")
    width = -(-packed.shape[1] // 8) * 8
    padded = np.zeros((len(packed), width), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return np.ascontiguousarray(padded.view("<u8").T)


def _distances(bits: Bits, query: Bits) -> NDArray[np.uint16]:
    """Return the Hamming distance of each row, computed in blocks that fit into the processor's cache."""
    total = np.zeros(bits.shape[1], np.uint16)
    for start in range(0, bits.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        for column, word in zip(bits, query, strict=True):
            total[block] += np.bitwise_count(column[block] ^ word)
    return total


def _smallest(values: NDArray[np.generic], k: int) -> Numbers:
    """Return the indices of the ``k`` smallest values, unordered."""
    if k >= len(values):
        return np.arange(len(values))
    if values.dtype != np.uint16:
        return np.argpartition(values, k)[:k]
    # Distances are few different numbers: counting them is quicker than comparing them.
    distances = values.astype(np.uint16, copy=False)
    last = int(np.searchsorted(np.cumsum(np.bincount(distances)), k))
    below = np.flatnonzero(distances < last)
    return np.concatenate([below, np.flatnonzero(distances == last)[: k - len(below)]])
