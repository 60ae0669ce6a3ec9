"""Writes of single tables: versions, words, vectors and audit rows of memories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from memos_cli.infrastructure.storage.database import Connection, in_lists
from memos_cli.infrastructure.storage.fulltext import word_row
from memos_cli.infrastructure.storage.schema import LIVE_TEXT

CURRENT_TEXT = """SELECT c.n, v.title, c.author, c.time, v.text FROM cube c
  JOIN version v ON v.cube = c.n AND v.version = c.version"""


class RowWriter:
    """The rows that one principal writes at one time.

    The full-text table stores no text of its own: to delete a row, FTS5 needs the words that were inserted.
    So a write that changes the text, title, author or time of a memory removes the old row first.
    """

    def __init__(self, connection: Connection, principal: str, now: int) -> None:
        self.db = connection
        self.principal = principal
        self.now = now

    def _select_in(self, statement: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        for marks, part in in_lists(values):
            yield from self.db.execute(f"{statement} ({marks})", part)

    def insert_versions(
        self, rows: Iterable[tuple[int, int, str, str] | tuple[int, int, str, str, int, str]]
    ) -> None:
        """Insert versions: (memory, version, title, text), and time and author unless the transaction's."""
        self.db.executemany(
            """INSERT INTO version (cube, version, title, text, sha256, created, principal)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            [(*row[:4], _sha256(row[3]), *(row[4:] or (self.now, self.principal))) for row in rows],
        )

    def insert_audit(self, rows: Iterable[tuple[object, ...]]) -> None:
        self.db.executemany(
            # The table itself: a narrowed connection has a view of this name.
            """INSERT INTO main.audit (time, principal, action, cube, version, detail)
               VALUES (?, ?, ?, ?, ?, ?)""",
            rows,
        )

    def tell(self, cube: int, action: str, detail: object) -> None:
        """Add the audit row of a change to a memory; ``detail`` is stored as JSON."""
        id, version = self.db.execute("SELECT id, version FROM cube WHERE n = ?", (cube,)).fetchone()
        text = None if detail is None else json.dumps(detail, ensure_ascii=False)
        self.insert_audit([(self.now, self.principal, action, id, version, text)])

    def note(self, action: str, detail: object) -> None:
        """Add the audit row of a change that does not concern a single memory."""
        text = json.dumps(detail, ensure_ascii=False)
        self.insert_audit([(self.now, self.principal, action, None, None, text)])

    def insert_words(self, rows: Iterable[tuple[object, ...]]) -> None:
        self.db.executemany("INSERT INTO words (rowid, head, body) VALUES (?, ?, ?)", rows)

    def _await_vectors(self, cubes: Iterable[int]) -> None:
        embedders = [row[0] for row in self.db.execute("SELECT n FROM embedder")]
        if embedders:
            self.db.executemany(
                "INSERT OR IGNORE INTO waiting (cube, embedder) VALUES (?, ?)",
                [(cube, embedder) for cube in cubes for embedder in embedders],
            )

    def _drop_vectors(self, cube: int) -> None:
        self.db.execute("DELETE FROM vector WHERE cube = ?", (cube,))
        self.db.execute("DELETE FROM waiting WHERE cube = ?", (cube,))

    def enter(self, cube: int) -> None:
        """Index a memory, if it is live: by words now, by vectors later."""
        if row := self._current_words(cube):
            self.insert_words([(cube, *row)])
            self._await_vectors([cube])

    def leave_words(self, cube: int) -> None:
        if row := self._current_words(cube):
            self.db.execute(
                "INSERT INTO words (words, rowid, head, body) VALUES ('delete', ?, ?, ?)", (cube, *row)
            )

    def _current_words(self, cube: int) -> tuple[str, str] | None:
        row = self.db.execute(f"{CURRENT_TEXT} WHERE c.n = ? AND {LIVE_TEXT}", (cube,)).fetchone()
        return word_row(*row[1:]) if row else None

    # --- vectors -----------------------------------------------------------------------------

    def embedder(self, fingerprint: str, name: str, dimension: int) -> int:
        """Return the row of an embedder; a new one has no vector of any memory yet."""
        row = self.db.execute("SELECT n FROM embedder WHERE fingerprint = ?", (fingerprint,)).fetchone()
        if row is None:
            row = self.db.execute(
                "INSERT INTO embedder (fingerprint, name, dimension) VALUES (?, ?, ?) RETURNING n",
                (fingerprint, name, dimension),
            ).fetchone()
            waiting = f"INSERT INTO waiting (cube, embedder) SELECT n, ? FROM cube c WHERE {LIVE_TEXT}"
            self.db.execute(waiting, row)
        return int(row[0])

    def put_vectors(
        self, embedder: int, vectors: Sequence[tuple[int, int, Sequence[tuple[int, int, bytes]]]]
    ) -> None:
        """Store the vectors of memories: (memory, the version that was embedded, [(start, end, data)]).

        Vectors of a memory that was changed or deleted since are dropped: a changed memory still needs its
        vector.
        """
        live = "SELECT 1 FROM cube WHERE n = ? AND version = ? AND state IN ('generated', 'activated')"
        for cube, version, parts in vectors:
            if self.db.execute(live, (cube, version)).fetchone():
                self.db.execute("DELETE FROM vector WHERE cube = ? AND embedder = ?", (cube, embedder))
                self.db.executemany(
                    "INSERT INTO vector (cube, embedder, start, end, data) VALUES (?, ?, ?, ?, ?)",
                    [(cube, embedder, *part) for part in parts],
                )
                self.db.execute("DELETE FROM waiting WHERE cube = ? AND embedder = ?", (cube, embedder))

    def drop_embedders(self, keep: int) -> None:
        """Delete all embedders except ``keep``, with their vectors."""
        self.db.execute("DELETE FROM embedder WHERE n <> ?", (keep,))


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8")).digest()
