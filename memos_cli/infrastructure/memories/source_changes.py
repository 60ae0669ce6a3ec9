"""Writes of sources: start and finish reading one, release its blob."""

from __future__ import annotations

import os
from collections.abc import Sequence

from memos_cli.cube import Origin
from memos_cli.infrastructure.memories.row_writer import RowWriter


class SourceChanges(RowWriter):
    """Writes that add sources, mark them as read, and delete those without memories."""

    def unread_source(self, uri: str, kind: str = "text") -> int:
        """Return the row of a source that cannot be read here: named by a bundle, or input without a file. It
        is not claimed.
        """
        row = self.db.execute(
            "SELECT n FROM source WHERE uri = ? AND owner = ?", (uri, self.principal)
        ).fetchone()
        if row is None:
            row = self.db.execute(
                """INSERT INTO source (uri, owner, kind, encoding, bytes, sha256, recipe, read)
                   VALUES (?, ?, ?, 'utf-8', 0, '', '', ?) RETURNING n""",
                (uri, self.principal, kind, self.now),
            ).fetchone()
        return int(row[0])

    def claim_source(self, origin: Origin, blob: str | None) -> tuple[int, str]:
        """Start reading a source. Returns its row, and a claim that ends when another process starts, too."""
        claim = os.urandom(8).hex()
        read = (origin.kind, origin.encoding, origin.size, blob, claim, self.now, origin.uri, self.principal)
        # No ON CONFLICT and no RETURNING: their savepoints make FTS5 flush its buffer each time.
        known = "SELECT n FROM source WHERE uri = ? AND owner = ?"
        row = self.db.execute(known, (origin.uri, self.principal)).fetchone()
        if row is not None:
            self.db.execute(
                """UPDATE source SET kind = ?, encoding = ?, bytes = ?, sha256 = '', recipe = '', blob = ?,
                     claim = ?, read = ? WHERE n = ?""",
                (*read[:6], row[0]),
            )
        else:
            made = self.db.execute(
                """INSERT INTO source (kind, encoding, bytes, sha256, recipe, blob, claim, read, uri, owner)
                   VALUES (?, ?, ?, '', '', ?, ?, ?, ?, ?)""",
                read,
            )
            row = (made.lastrowid,)
        return int(row[0]), claim

    def holds_claim(self, source: int, claim: str) -> bool:
        row = self.db.execute("SELECT claim FROM source WHERE n = ?", (source,)).fetchone()
        return row is not None and row[0] == claim

    def finish_source(self, source: int, sha256: str, recipe: str) -> None:
        """Record that the source was read to its end: the same bytes are not read again."""
        self.db.execute(
            "UPDATE source SET sha256 = ?, recipe = ?, claim = NULL WHERE n = ?", (sha256, recipe, source)
        )

    def disown_blobs(self, cubes: Sequence[int]) -> list[str]:
        """Release the converted texts of sources with any of ``cubes``, which will be forgotten, or without
        memories.

        Returns the blobs that may be deleted.
        """
        rows = self.db.execute(
            """SELECT n, blob FROM source WHERE blob IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM place WHERE place.source = source.n)"""
        ).fetchall()
        held = """SELECT s.n, s.blob FROM place p JOIN source s ON s.n = p.source
                  WHERE s.blob IS NOT NULL AND p.cube IN"""
        rows += {*self._select_in(held, cubes)}
        self.db.executemany("UPDATE source SET blob = NULL WHERE n = ?", [(n,) for n, _ in rows])
        return [blob for _, blob in rows]

    def drop_bare_sources(self) -> None:
        """Delete the rows of sources without cubes, unless an ingest is reading one."""
        self.db.execute(
            """DELETE FROM source WHERE claim IS NULL AND blob IS NULL
               AND NOT EXISTS (SELECT 1 FROM place WHERE place.source = source.n)"""
        )
