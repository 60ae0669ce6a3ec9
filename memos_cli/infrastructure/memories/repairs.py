"""Rebuild the data that follows from the memories: the full-text table, and the list of missing vectors."""

from __future__ import annotations

from collections.abc import Iterator

from memos_cli.infrastructure.memories.row_writer import CURRENT_TEXT
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.fulltext import NEW_WORDS, word_row
from memos_cli.infrastructure.storage.schema import LIVE_TEXT

BAD_VECTORS = f"""SELECT x.n FROM vector x JOIN cube c ON c.n = x.cube JOIN embedder e ON e.n = x.embedder
  WHERE NOT ({LIVE_TEXT}) OR length(x.data) <> 4 + e.dimension"""
"""Rows of ``vector`` that no search can use: of cubes that are not live, and broken ones."""

BAD_LESSON_VECTORS = """SELECT x.cube, x.position, x.embedder FROM lesson_vector x
  JOIN embedder e ON e.n = x.embedder WHERE length(x.data) <> 4 + e.dimension"""
"""Rows of ``lesson_vector`` that are broken, by their key."""

WITHOUT_VECTOR = f"""SELECT c.n AS cube, e.n AS embedder FROM cube c, embedder e
  WHERE {LIVE_TEXT}
    AND NOT EXISTS (SELECT 1 FROM vector x WHERE x.cube = c.n AND x.embedder = e.n)"""
"""The rows that ``waiting`` should have."""


def live_words(db: Connection) -> Iterator[tuple[int, str, str]]:
    """Yield the rows that the full-text table should have: (memory, head, body), in order."""
    rows = db.execute(f"{CURRENT_TEXT} WHERE {LIVE_TEXT} ORDER BY c.n")
    return ((row[0], *word_row(*row[1:])) for row in rows)


def rebuild_words(change: Transaction) -> None:
    """Rebuild the full-text table from the memories."""
    for statement in NEW_WORDS:
        change.db.execute(statement)
    change.insert_words(live_words(change.db))
    change.insert_audit([(change.now, change.principal, "repair", None, None, "words")])


def repair_vectors(change: Transaction) -> None:
    """Delete the vectors of all cubes with an unusable one; cubes without vectors wait for new ones."""
    change.db.execute(
        f"""DELETE FROM vector WHERE (cube, embedder) IN
              (SELECT cube, embedder FROM vector WHERE n IN ({BAD_VECTORS}))"""
    )
    change.db.execute(f"DELETE FROM lesson_vector WHERE (cube, position, embedder) IN ({BAD_LESSON_VECTORS})")
    change.db.execute("DELETE FROM waiting")
    change.db.execute(f"INSERT INTO waiting (cube, embedder) {WITHOUT_VECTOR}")
    change.insert_audit([(change.now, change.principal, "repair", None, None, "vectors")])
