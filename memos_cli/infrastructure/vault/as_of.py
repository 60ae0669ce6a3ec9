"""A copy of the vault's memories as of a time, in memory, to read and search like the vault.

Texts come from the versions. States and tags come from the audit, which records every change of them.
Memories that were forgotten since are missing; expiry times are the present ones, and there are no vectors.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict

from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.fulltext import word_row
from memos_cli.infrastructure.storage.schema import LIVE_TEXT, migrate
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vectors.vector_snapshots import Snapshots
from memos_cli.letters import nfc

_MOVED = re.compile(r"([a-z]+) to [a-z]+")
_HEADER = """n id payload type state version digest ref author role owner time created updated expires
  priority frozen hits last_hit heat sensitivity uses_left""".split()
_THEN = {"version": "v.version", "updated": "v.created"}
"""The columns of a header that are those of its version then."""
_MEMORIES = f"""SELECT {", ".join(_THEN.get(name, f"c.{name}") for name in _HEADER)},
    v.title, v.text, v.sha256, v.principal
  FROM cube c JOIN version v ON v.cube = c.n
    AND v.version = (SELECT max(version) FROM version WHERE cube = c.n AND created <= ?1)
  WHERE c.payload = 'plaintext'"""
_INSERT_HEADER = f"INSERT INTO cube ({', '.join(_HEADER)}) VALUES (:{', :'.join(_HEADER)})"
_INSERT_VERSION = """INSERT INTO version (cube, version, title, text, sha256, created, principal)
  VALUES (:n, :version, :title, :text, :sha256, :updated, :principal)"""


class Snapshot:
    """The memories of a vault that its caller may read, as of ``time``. Close it, or use it as a context
    manager.
    """

    def __init__(self, vault: Vault, time: int) -> None:
        with vault.snapshot(vault.connection) as db:
            self.connection = _copy(db, time)
        self.snapshots: Snapshots = vault.snapshots
        self.is_restricted = False

    @property
    def texts(self) -> int:
        """Count the live memories at that time."""
        return int(self.connection.execute("SELECT count(*) FROM words_docsize").fetchone()[0])

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *exit: object) -> None:
        self.close()


def _copy(db: Connection, time: int) -> Connection:
    past: Connection = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    migrate(past)
    past.execute("PRAGMA foreign_keys = OFF")
    past.execute("BEGIN")
    states, tags = _states(db, time), _tags(db, time)
    words = []
    for row in db.execute(_MEMORIES, (time,)):
        memory = dict(zip((*_HEADER, "title", "text", "sha256", "principal"), row, strict=True))
        memory["state"] = states.get(memory["id"], memory["state"])
        past.execute(_INSERT_HEADER, memory)
        past.execute(_INSERT_VERSION, memory)
        entry = word_row(memory["title"], memory["author"], memory["time"], memory["text"])
        words.append((memory["n"], *entry))
    past.executemany("INSERT OR IGNORE INTO tag (cube, tag) VALUES (?, ?)", tags)
    live = {n for (n,) in past.execute(f"SELECT n FROM cube c WHERE {LIVE_TEXT}").fetchall()}
    Transaction(past, "", time).insert_words(row for row in words if row[0] in live)
    _copy_rows(db, past, "source", "n IN (SELECT source FROM place p JOIN cube c ON c.n = p.cube)")
    _copy_rows(db, past, "place", "cube IN (SELECT n FROM cube)")
    past.execute("COMMIT")
    return past


def _states(db: Connection, time: int) -> dict[str, str]:
    """Return the state at the time of each memory that changed state since, by id."""
    found: dict[str, str] = {}
    for id, detail in db.execute(
        """SELECT cube, detail FROM audit WHERE time > ? AND detail LIKE '% to %' AND cube IS NOT NULL
           ORDER BY n""",
        (time,),
    ):
        if match := _MOVED.fullmatch(detail):
            found.setdefault(id, match[1])
    return found


def _tags(db: Connection, time: int) -> list[tuple[int, str]]:
    """Return the pairs (cube, tag) at that time: undo all later changes, the last first."""
    tags: dict[int, set[str]] = defaultdict(set)
    for cube, tag in db.execute("SELECT t.cube, t.tag FROM tag t JOIN cube c ON c.n = t.cube"):
        tags[cube].add(tag)
    done = db.execute(
        """SELECT c.n, a.action, a.detail FROM audit a JOIN cube c ON c.id = a.cube
           WHERE a.time > ? AND a.action IN ('tag', 'untag') ORDER BY a.n DESC""",
        (time,),
    )
    for cube, action, detail in done:
        named = set(map(nfc, json.loads(detail)))
        tags[cube] = tags[cube] - named if action == "tag" else tags[cube] | named
    return [(cube, tag) for cube, some in tags.items() for tag in some]


def _copy_rows(db: Connection, past: Connection, table: str, where: str) -> None:
    found = db.execute(f"SELECT * FROM {table} WHERE {where}")
    columns = [column[0] for column in found.description]
    marks = ", ".join("?" * len(columns))
    past.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", found)
