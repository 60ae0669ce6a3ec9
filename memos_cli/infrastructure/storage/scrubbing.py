"""Overwrite the unused parts of a database file: free pages, and the gaps within pages.

Deleting a row leaves its bytes there, and SQLite's ``secure_delete`` is not enough: a balanced page keeps
copies of its cells. VACUUM is enough, but it needs as much disk space as the database. Here only unused bytes
are set to zero, in the file itself: that takes no disk space and little memory, and a crash at any point does
no harm. Format: https://sqlite.org/fileformat2.html
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

from memos_cli.errors import Damaged
from memos_cli.files import sync
from memos_cli.infrastructure.storage.database import Connection, has_log, raw_descriptor

_TRIES = 5
"""The maximum attempts to truncate the log if another process writes in between."""
_INDEX_INNER, _TABLE_INNER, _INDEX_LEAF, _TABLE_LEAF = 2, 5, 10, 13
_HEADER = 100
"""Bytes of the file header at the start of page 1."""


def scrub(db: Connection, path: Path) -> bool:
    """Overwrite the unused bytes of the database at ``path``; ``db`` has it open outside a transaction.

    Returns False, with nothing done, while other processes read or write. Raises Damaged.
    """
    for _ in range(_TRIES):
        if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            return False
        db.execute("BEGIN IMMEDIATE")  # from here on nobody else writes
        try:
            if not has_log(path):
                roots = db.execute("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0").fetchall()
                descriptor = raw_descriptor(path, os.O_RDWR)
                _Scrubber(descriptor).run([1, *(root for (root,) in roots)])
                sync(descriptor)
                # A commit makes every process drop the pages that it has in memory.
                (version,) = db.execute("PRAGMA user_version").fetchone()
                db.execute(f"PRAGMA user_version = {version}")
                db.execute("COMMIT")
                return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            db.execute("PRAGMA shrink_memory")  # and so must this one
    return False


class _Scrubber:
    """The pages of a database file; no other process may write to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        header = os.pread(descriptor, _HEADER, 0)
        if len(header) < _HEADER or not header.startswith(b"SQLite format 3\0"):
            raise _damaged("no header")
        (size,) = struct.unpack_from(">H", header, 16)
        self._size = 65536 if size == 1 else size
        self._usable = self._size - header[20]
        self._pages = os.fstat(descriptor).st_size // max(1, self._size)
        self._seen = bytearray(self._pages + 1)
        self._zeros = bytes(self._size)
        self._first_free, self._moves = struct.unpack_from(">I16xI", header, 32)
        # Payload that a cell holds at most, of a leaf of a table and of an index, and at least.
        inner = (self._usable - 12) * 64 // 255 - 23
        self._most = {_TABLE_LEAF: self._usable - 35, _INDEX_LEAF: inner, _INDEX_INNER: inner}
        self._least = (self._usable - 12) * 32 // 255 - 23

    def run(self, roots: Sequence[int]) -> None:
        """Scrub the free pages, and the trees with these roots. Raises Damaged for a malformed page."""
        if self._moves:
            raise _damaged("auto_vacuum is on")
        trunk = self._first_free
        while trunk:
            page = self._read(trunk)
            following, count = struct.unpack_from(">II", page)
            if 8 + 4 * count > self._usable:
                raise _damaged(f"page {trunk}")
            for leaf in struct.unpack_from(f">{count}I", page, 8):
                self._zero(leaf, self._read(leaf), 0, self._size)
            self._zero(trunk, page, 8 + 4 * count, self._size)
            trunk = following
        waiting = list(roots)
        while waiting:
            number = waiting.pop()
            try:
                waiting += self._scrub_tree_page(number)
            except (struct.error, IndexError) as error:  # a number that points beyond the page
                raise _damaged(f"page {number}") from error

    def _scrub_tree_page(self, number: int) -> list[int]:
        """Scrub a page of a tree and its overflow pages. Returns its child pages."""
        page = self._read(number)
        start = _HEADER if number == 1 else 0
        kind, free, count, content = struct.unpack_from(">BHHH", page, start)
        is_inner = kind in (_INDEX_INNER, _TABLE_INNER)
        if not is_inner and kind not in (_INDEX_LEAF, _TABLE_LEAF):
            raise _damaged(f"page {number}")
        content = content or 65536
        gap = start + (12 if is_inner else 8) + 2 * count
        if not gap <= content <= self._usable:
            raise _damaged(f"page {number}")
        cells = struct.unpack_from(f">{count}H", page, gap - 2 * count)
        if cells and not (content <= min(cells) and max(cells) < self._usable - 3):
            raise _damaged(f"page {number}")
        self._zero(number, page, gap, content)
        while free:
            following, size = struct.unpack_from(">HH", page, free)
            end = free + size
            if free < content or size < 4 or end > self._usable or 0 < following < end:
                raise _damaged(f"page {number}")
            if any(free <= cell < end for cell in cells):
                raise _damaged(f"page {number}")
            self._zero(number, page, free + 4, end)
            free = following
        if kind in self._most:
            self._scrub_overflow(page, kind, cells)
        if not is_inner:
            return []
        below = [struct.unpack_from(">I", page, cell)[0] for cell in cells]
        return [*below, *struct.unpack_from(">I", page, start + 8)]

    def _scrub_overflow(self, page: bytes, kind: int, cells: Sequence[int]) -> None:
        """Scrub the unused ends of the overflow pages of a page's cells."""
        most, skipped = self._most[kind], 4 if kind == _INDEX_INNER else 0
        # The first byte of the length rules out most cells: from 0x80 on, the length has more bytes.
        short = min(most, 0x7F)
        for cell in (cell for cell in cells if page[cell + skipped] > short):
            payload, at = _number(page, cell + skipped)
            if payload <= most:
                continue
            if kind == _TABLE_LEAF:
                _, at = _number(page, at)
            kept = self._least + (payload - self._least) % (self._usable - 4)
            kept = kept if kept <= most else self._least
            if at + kept + 4 > self._usable:
                raise _damaged("a cell beyond its page")
            (number,) = struct.unpack_from(">I", page, at + kept)
            left = payload - kept
            while left > 0:
                overflow = self._read(number)
                (following,) = struct.unpack_from(">I", overflow)
                self._zero(number, overflow, 4 + left, self._usable)
                left -= self._usable - 4
                number = following

    def _read(self, number: int) -> bytes:
        """Read a page, each only once: a file that refers to a page twice is damaged."""
        if not 0 < number <= self._pages or self._seen[number]:
            raise _damaged(f"page {number}")
        self._seen[number] = 1
        page = os.pread(self._descriptor, self._size, (number - 1) * self._size)
        if len(page) < self._size:
            raise _damaged(f"page {number}")
        return page

    def _zero(self, number: int, page: bytes, start: int, end: int) -> None:
        if start < end and page[start:end] != self._zeros[: end - start]:
            os.pwrite(self._descriptor, self._zeros[: end - start], (number - 1) * self._size + start)


def _number(page: bytes, at: int) -> tuple[int, int]:
    """Read one of SQLite's varints; return its value and its end."""
    value = 0
    for step in range(8):
        byte = page[at + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return value << 8 | page[at + 8], at + 9


def _damaged(what: str) -> Damaged:
    return Damaged(f"memos.db is damaged: {what}", "run `memos check` for details; restore a backup")
