"""Compare the full-text table with the memories, in little memory.

The table stores no text to compare. So batches of memories are inserted into a second table, and the contents
of both are compared by sums. The sums of the batches add up to the sum of the whole, in any order; a missing
or misplaced word changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain

from memos_cli.infrastructure.memories.repairs import live_words
from memos_cli.infrastructure.storage.database import Connection

_PART = 16 << 20
"""Characters that are entered at once."""
_PRIME = (1 << 61) - 1
_PLACE = "((doc * 1000003 + (col = 'body') * 500009 + offset) % 2147483629)"
# A damaged table has NULL where no other has, and values of other types.
_SUMS = f"""SELECT CAST(coalesce(term, '') AS BLOB), coalesce(sum({_PLACE} * {_PLACE} % 2147483587), -1)
  FROM temp.words_seen GROUP BY term"""
_LENGTHS = "SELECT id, sz FROM words_docsize"
_TOTALS = """SELECT CAST(coalesce(block, '') AS BLOB) FROM words_data
  WHERE id = 1 AND EXISTS (SELECT 1 FROM words_docsize)"""


def watch(db: Connection) -> None:
    """Make the words of the table ``words`` readable one by one, as the temporary table ``words_seen``."""
    db.execute("CREATE VIRTUAL TABLE temp.words_seen USING fts5vocab(main, words, instance)")


def of_table(db: Connection) -> list[int]:
    """Return the sums of the full-text table: of words, of lengths of rows, and its own totals."""
    words = (_hash(term) * places for term, places in db.execute(_SUMS))
    lengths = (_hash(repr(row).encode()) for row in db.execute(_LENGTHS))
    return [sum(words) % _PRIME, sum(lengths) % _PRIME, *_totals(db)]


def of_cubes(db: Connection, fresh: Connection) -> list[int]:
    """Return the same sums of the live cubes; ``fresh`` has an empty full-text table."""
    watch(fresh)
    sums = of_table(fresh)
    for part in _parts(live_words(db)):
        fresh.execute("BEGIN")
        fresh.executemany("INSERT INTO words (rowid, head, body) VALUES (?, ?, ?)", part)
        fresh.execute("COMMIT")
        sums = [known + more for known, more in zip(sums, of_table(fresh), strict=True)]
        fresh.execute("INSERT INTO words (words) VALUES ('delete-all')")
    return [sums[0] % _PRIME, sums[1] % _PRIME, *sums[2:]]


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())


def _parts(rows: Iterator[tuple[int, str, str]]) -> Iterator[Iterable[tuple[int, str, str]]]:
    for first in rows:
        yield _some(chain([first], rows))


def _some(rows: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
    size = 0
    for row in rows:
        yield row
        size += len(row[1]) + len(row[2])
        if size >= _PART:
            return


def _totals(db: Connection) -> list[int]:
    """Return the number of rows and the sums of their lengths, which BM25 needs: variable-length integers."""
    row = db.execute(_TOTALS).fetchone()
    if row is None:
        return [0, 0, 0]
    values = [0]
    for byte in row[0]:
        values[-1] = values[-1] << 7 | byte & 0x7F
        if byte < 0x80:
            values.append(0)
    return values[:-1]
