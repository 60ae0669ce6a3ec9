"""Migrate format 8 to 9: a full-text index of folded text, names in NFC, digests of forgotten texts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from memos_cli.cube import digest_of
from memos_cli.infrastructure.storage.fulltext import NEW_WORDS, word_row
from memos_cli.letters import nfc

_TEXTS = """SELECT c.n, v.title, c.author, c.time, v.text FROM cube c
  JOIN version v ON v.cube = c.n AND v.version = c.version
  WHERE c.state IN ('generated', 'activated') AND c.payload = 'plaintext' ORDER BY c.n"""


def rebuild_words(db: sqlite3.Connection) -> None:
    """Rebuild the full-text table with a tokenizer that treats marks as parts of a word."""
    for statement in (
        *NEW_WORDS,
        "DROP TABLE words",
        """
        CREATE VIRTUAL TABLE words USING fts5 (
          head, body, content = '',
          tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
        )""",
    ):
        db.execute(statement)
    texts = db.execute(_TEXTS)
    db.executemany(
        "INSERT INTO words (rowid, head, body) VALUES (?, ?, ?)",
        ((row[0], *word_row(*row[1:])) for row in texts),
    )


def compose_names(db: sqlite3.Connection) -> None:
    """Normalise tags, names of views and references to NFC. Two views that collide both stay."""
    for old, new in _changed(db, "SELECT DISTINCT tag FROM tag"):
        _replace(db, "tag", "tag", old, new)
    for old, new in _changed(db, "SELECT DISTINCT target FROM rule WHERE kind = 'tag'"):
        _replace(db, "rule", "target", old, new, "kind = 'tag'")
    for old, new in _changed(db, "SELECT name FROM view"):
        free, number = new, 1
        while db.execute("SELECT 1 FROM view WHERE name = ?", (free,)).fetchone():
            number += 1
            free = f"{new} ({number})"
        _replace(db, "view", "name", old, free)
        _replace(db, "pin", "view", old, free)
        _replace(db, "activation", "view", old, free)
        _replace(db, "rule", "target", old, free, "kind = 'view'")
    for old, new in _changed(db, "SELECT DISTINCT ref FROM cube WHERE ref IS NOT NULL"):
        _compose_reference(db, old, new)


def _changed(db: sqlite3.Connection, statement: str) -> Iterator[tuple[str, str]]:
    """Yield the results of ``statement`` that are not in NFC, each with its NFC form."""
    names = [name for (name,) in db.execute(statement).fetchall()]
    return ((name, nfc(name)) for name in names if nfc(name) != name)


def _replace(db: sqlite3.Connection, table: str, column: str, old: str, new: str, where: str = "1") -> None:
    db.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ? AND {where}", (new, old))
    db.execute(f"DELETE FROM {table} WHERE {column} = ? AND {where}", (old,))  # the new one is there already


def _compose_reference(db: sqlite3.Connection, old: str, new: str) -> None:
    """Change a reference, and the digests that depend on it: those of its memories and of their places."""
    rows = db.execute(
        """SELECT c.n, v.text, c.type, c.time, c.author, c.role FROM cube c JOIN version v ON v.cube = c.n
           WHERE c.ref = ?""",
        (old,),
    ).fetchall()
    for n, text, type, time, author, role in rows:
        before, after = (digest_of(text, type, ref, time, author, role) for ref in (old, new))
        db.execute("UPDATE cube SET digest = ? WHERE n = ? AND digest = ?", (after, n, before))
        db.execute("UPDATE place SET digest = ? WHERE cube = ? AND digest = ?", (after, n, before))
    db.execute("UPDATE cube SET ref = ? WHERE ref = ?", (new, old))


def add_forgotten(db: sqlite3.Connection) -> None:
    """Add the tables ``forgotten`` and ``reached``."""
    db.execute("CREATE TABLE forgotten (digest BLOB PRIMARY KEY) WITHOUT ROWID")
    db.execute("""
        CREATE TABLE reached (
          source INTEGER NOT NULL REFERENCES source (n) ON DELETE CASCADE,
          path TEXT NOT NULL,
          PRIMARY KEY (source, path)
        ) WITHOUT ROWID""")
