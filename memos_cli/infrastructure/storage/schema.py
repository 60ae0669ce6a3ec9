"""The tables of ``memos.db``, as append-only migrations; ``store_format.md`` explains each column.

The database's ``user_version`` counts the migrations that it has seen. A migration is never changed
after a release: a new one is appended, and the tests bring a vault of every version to the newest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from memos_cli.errors import TooNew
from memos_cli.infrastructure.storage import audit

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x4D454D43
"""``MEMC``: marks the file as a vault's database (SQLite header, bytes 68 to 71)."""

LIVE_TEXT = "c.state IN ('generated', 'activated') AND c.payload = 'plaintext'"
"""A condition on ``cube c``: those that have words and vectors."""
NAMED_BLOBS = """SELECT blob FROM source WHERE blob IS NOT NULL UNION ALL SELECT blob FROM activation
  UNION ALL SELECT blob FROM parametric WHERE blob IS NOT NULL"""
"""Every blob that a row names."""


def _first(db: Database) -> None:
    for statement in (
        """
        CREATE TABLE source (
          n INTEGER PRIMARY KEY,
          uri TEXT NOT NULL UNIQUE,
          kind TEXT NOT NULL,
          encoding TEXT NOT NULL,
          bytes INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          recipe TEXT NOT NULL,
          blob TEXT,
          claim TEXT,
          read INTEGER NOT NULL
        )""",
        """
        CREATE TABLE cube (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          payload TEXT NOT NULL CHECK (payload IN ('plaintext', 'activation', 'parametric')),
          type TEXT NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('generated', 'activated', 'merged', 'archived', 'expired')),
          version INTEGER NOT NULL CHECK (version >= 1),
          digest BLOB NOT NULL,
          ref TEXT,
          author TEXT NOT NULL,
          role TEXT NOT NULL,
          owner TEXT NOT NULL,
          time INTEGER,
          created INTEGER NOT NULL,
          updated INTEGER NOT NULL,
          expires INTEGER,
          priority INTEGER NOT NULL,
          frozen INTEGER NOT NULL,
          hits INTEGER NOT NULL,
          last_hit INTEGER,
          heat REAL NOT NULL
        )""",
        "CREATE INDEX cube_digest ON cube (digest)",
        "CREATE INDEX cube_time ON cube (coalesce(time, created))",
        "CREATE INDEX cube_ref ON cube (ref) WHERE ref IS NOT NULL",
        "CREATE INDEX cube_expires ON cube (expires) WHERE expires IS NOT NULL",
        """
        CREATE TABLE version (
          n INTEGER PRIMARY KEY,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          version INTEGER NOT NULL,
          title TEXT NOT NULL,
          text TEXT NOT NULL,
          sha256 BLOB NOT NULL,
          created INTEGER NOT NULL,
          principal TEXT NOT NULL,
          UNIQUE (cube, version)
        )""",
        """
        CREATE TABLE place (
          n INTEGER PRIMARY KEY,
          source INTEGER NOT NULL REFERENCES source (n) ON DELETE CASCADE,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          digest BLOB NOT NULL,
          start INTEGER NOT NULL,
          end INTEGER NOT NULL,
          bytes_sha256 BLOB NOT NULL
        )""",
        "CREATE INDEX place_cube ON place (cube)",
        "CREATE INDEX place_source ON place (source, start)",
        """
        CREATE TABLE tag (
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          tag TEXT NOT NULL,
          PRIMARY KEY (cube, tag)
        ) WITHOUT ROWID""",
        "CREATE INDEX tag_tag ON tag (tag)",
        """
        CREATE TABLE view (
          name TEXT PRIMARY KEY,
          filter TEXT NOT NULL,
          created INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """
        CREATE VIRTUAL TABLE words USING fts5 (
          head, body, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
        )""",
        """
        CREATE TABLE embedder (
          n INTEGER PRIMARY KEY,
          fingerprint TEXT NOT NULL UNIQUE,
          name TEXT NOT NULL,
          dimension INTEGER NOT NULL
        )""",
        """
        CREATE TABLE vector (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          embedder INTEGER NOT NULL REFERENCES embedder (n) ON DELETE CASCADE,
          data BLOB NOT NULL,
          UNIQUE (cube, embedder)
        )""",
        """
        CREATE TABLE waiting (
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          embedder INTEGER NOT NULL REFERENCES embedder (n) ON DELETE CASCADE,
          PRIMARY KEY (cube, embedder)
        ) WITHOUT ROWID""",
        """
        CREATE TABLE audit (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          time INTEGER NOT NULL,
          principal TEXT NOT NULL,
          action TEXT NOT NULL,
          cube TEXT,
          version INTEGER,
          detail TEXT
        )""",
        "CREATE INDEX audit_cube ON audit (cube) WHERE cube IS NOT NULL",
    ):
        db.execute(statement)


def _second(db: Database) -> None:
    for statement in (
        """
        CREATE TABLE derived (
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          source INTEGER NOT NULL REFERENCES cube (n),
          version INTEGER NOT NULL,
          part TEXT NOT NULL CHECK (part IN ('pinned', 'document')),
          PRIMARY KEY (cube, position)
        ) WITHOUT ROWID""",
        "CREATE INDEX derived_source ON derived (source)",
        """
        CREATE TABLE activation (
          cube INTEGER PRIMARY KEY REFERENCES cube (n) ON DELETE CASCADE,
          view TEXT NOT NULL,
          blob TEXT NOT NULL,
          bytes INTEGER NOT NULL,
          pieces BLOB NOT NULL,
          tokens BLOB NOT NULL,
          prompt INTEGER NOT NULL,
          model TEXT NOT NULL,
          fingerprint TEXT NOT NULL,
          key BLOB NOT NULL,
          seconds REAL NOT NULL,
          saved REAL NOT NULL
        )""",
        "CREATE INDEX activation_key ON activation (key)",
        """
        CREATE TABLE pin (
          view TEXT NOT NULL,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          PRIMARY KEY (view, cube)
        ) WITHOUT ROWID""",
        "CREATE INDEX pin_cube ON pin (cube)",
    ):
        db.execute(statement)


def _third(db: Database) -> None:
    for statement in (
        """
        CREATE TABLE parametric (
          cube INTEGER PRIMARY KEY REFERENCES cube (n) ON DELETE CASCADE,
          blob TEXT,
          lost TEXT NOT NULL,
          bytes INTEGER NOT NULL,
          model TEXT NOT NULL,
          fingerprint TEXT NOT NULL,
          recipe TEXT NOT NULL,
          report TEXT NOT NULL,
          seconds REAL NOT NULL
        )""",
        """
        CREATE TABLE lesson (
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          source INTEGER REFERENCES cube (n) ON DELETE CASCADE,
          kind TEXT NOT NULL CHECK (kind IN ('fact', 'near miss', 'control', 'example')),
          held_out INTEGER NOT NULL CHECK (held_out IN (0, 1)),
          question TEXT NOT NULL,
          answer TEXT NOT NULL,
          key TEXT NOT NULL,
          PRIMARY KEY (cube, position)
        ) WITHOUT ROWID""",
        "CREATE INDEX lesson_source ON lesson (source) WHERE source IS NOT NULL",
        """
        CREATE TABLE question (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          time INTEGER NOT NULL,
          principal TEXT NOT NULL,
          text TEXT NOT NULL
        )""",
        """
        CREATE TABLE question_cube (
          question INTEGER NOT NULL REFERENCES question (n) ON DELETE CASCADE,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          form TEXT NOT NULL CHECK (form IN ('text', 'state', 'adapter')),
          PRIMARY KEY (question, cube)
        ) WITHOUT ROWID""",
        "CREATE INDEX question_cube_cube ON question_cube (cube)",
    ):
        db.execute(statement)


def _fourth(db: Database) -> None:
    db.execute("CREATE TABLE seal (n INTEGER PRIMARY KEY REFERENCES audit (n), hash BLOB NOT NULL)")
    audit.seal(db.conn)


def _fifth(db: Database) -> None:
    """Walls between principals. The address of a source was unique in the whole vault, and is for each of
    them; so the table is made anew (foreign keys are off meanwhile: see ``migrate``)."""
    for statement in (
        """
        CREATE TABLE source_5 (
          n INTEGER PRIMARY KEY,
          uri TEXT NOT NULL,
          owner TEXT NOT NULL,
          kind TEXT NOT NULL,
          encoding TEXT NOT NULL,
          bytes INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          recipe TEXT NOT NULL,
          blob TEXT,
          claim TEXT,
          read INTEGER NOT NULL,
          UNIQUE (uri, owner)
        )""",
        f"""
        INSERT INTO source_5 (n, uri, owner, kind, encoding, bytes, sha256, recipe, blob, claim, read)
          SELECT s.n, uri, coalesce((SELECT c.owner FROM place p JOIN cube c ON c.n = p.cube
            WHERE p.source = s.n ORDER BY p.n LIMIT 1), {_MAKER}), kind, encoding, bytes, sha256, recipe,
            blob, claim, read FROM source s""",
        "DROP TABLE source",
        "ALTER TABLE source_5 RENAME TO source",
        "CREATE INDEX cube_owner ON cube (owner, payload, state)",
        "ALTER TABLE view ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        f"UPDATE view SET owner = {_MAKER}",
        """
        CREATE TABLE rule (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          owner TEXT NOT NULL,
          kind TEXT NOT NULL CHECK (kind IN ('cube', 'tag', 'view', 'vault')),
          target TEXT NOT NULL,
          principal TEXT NOT NULL,
          right TEXT NOT NULL CHECK (right IN ('read', 'write', 'share', 'admin')),
          giver TEXT NOT NULL,
          created INTEGER NOT NULL,
          expires INTEGER,
          UNIQUE (owner, kind, target, principal, right)
        )""",
        "CREATE INDEX rule_principal ON rule (principal)",
        """
        CREATE TABLE member (
          circle TEXT NOT NULL,
          principal TEXT NOT NULL,
          PRIMARY KEY (circle, principal)
        ) WITHOUT ROWID""",
        """
        CREATE TABLE token (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          principal TEXT NOT NULL,
          role TEXT NOT NULL CHECK (role IN ('reader', 'writer', 'owner')),
          sha256 BLOB NOT NULL UNIQUE,
          created INTEGER NOT NULL,
          expires INTEGER
        )""",
        "CREATE TABLE policy (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE bound (
          cube INTEGER PRIMARY KEY REFERENCES cube (n) ON DELETE CASCADE,
          principal TEXT NOT NULL,
          task TEXT NOT NULL
        )""",
        "CREATE INDEX bound_task ON bound (task)",
    ):
        db.execute(statement)


def _sixth(db: Database) -> None:
    """Quarantine, sensitivity, an end after some uses, and links. A check of a column cannot be altered: so
    the table is made anew."""
    columns = """n, id, payload, type, state, version, digest, ref, author, role, owner, time, created,
      updated, expires, priority, frozen, hits, last_hit, heat"""
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'cube'").fetchone()
    for statement in (
        """
        CREATE TABLE cube_6 (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          payload TEXT NOT NULL CHECK (payload IN ('plaintext', 'activation', 'parametric')),
          type TEXT NOT NULL,
          state TEXT NOT NULL CHECK (
            state IN ('generated', 'activated', 'merged', 'archived', 'expired', 'quarantined')),
          version INTEGER NOT NULL CHECK (version >= 1),
          digest BLOB NOT NULL,
          ref TEXT,
          author TEXT NOT NULL,
          role TEXT NOT NULL,
          owner TEXT NOT NULL,
          time INTEGER,
          created INTEGER NOT NULL,
          updated INTEGER NOT NULL,
          expires INTEGER,
          priority INTEGER NOT NULL,
          frozen INTEGER NOT NULL,
          hits INTEGER NOT NULL,
          last_hit INTEGER,
          heat REAL NOT NULL,
          sensitivity INTEGER NOT NULL DEFAULT 0 CHECK (sensitivity BETWEEN 0 AND 3),
          uses_left INTEGER
        )""",
        f"INSERT INTO cube_6 ({columns}) SELECT {columns} FROM cube",
        "DROP TABLE cube",
        "ALTER TABLE cube_6 RENAME TO cube",
        "CREATE INDEX cube_digest ON cube (digest)",
        "CREATE INDEX cube_time ON cube (coalesce(time, created))",
        "CREATE INDEX cube_ref ON cube (ref) WHERE ref IS NOT NULL",
        "CREATE INDEX cube_expires ON cube (expires) WHERE expires IS NOT NULL",
        "CREATE INDEX cube_owner ON cube (owner, payload, state)",
        """
        CREATE TABLE link (
          source INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          kind TEXT NOT NULL,
          target INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          created INTEGER NOT NULL,
          PRIMARY KEY (source, kind, target),
          CHECK (source <> target)
        ) WITHOUT ROWID""",
        "CREATE INDEX link_target ON link (target, kind)",
    ):
        db.execute(statement)
    if last:  # a number is never used twice, not that of a cube that is gone either
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'cube'")
        db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('cube', ?)", last)


def _seventh(db: Database) -> None:
    """Feeds: what others publish and this vault follows, and what it publishes itself."""
    for statement in (
        """
        CREATE TABLE feed (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          name TEXT NOT NULL UNIQUE,
          url TEXT NOT NULL,
          publication TEXT NOT NULL,
          signer TEXT NOT NULL,
          principal TEXT NOT NULL,
          quarantine INTEGER NOT NULL CHECK (quarantine IN (0, 1)),
          serial INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          licence TEXT NOT NULL,
          expires INTEGER,
          updated INTEGER NOT NULL
        )""",
        """
        CREATE TABLE feed_cube (
          feed INTEGER NOT NULL REFERENCES feed (n) ON DELETE CASCADE,
          id TEXT NOT NULL,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          sha256 BLOB NOT NULL,
          expires INTEGER,
          PRIMARY KEY (feed, id)
        ) WITHOUT ROWID""",
        "CREATE INDEX feed_cube_cube ON feed_cube (cube)",
        """
        CREATE TABLE feed_adapter (
          feed INTEGER NOT NULL REFERENCES feed (n) ON DELETE CASCADE,
          sha256 TEXT NOT NULL,
          cube INTEGER REFERENCES cube (n) ON DELETE CASCADE,
          PRIMARY KEY (feed, sha256)
        ) WITHOUT ROWID""",
        "CREATE INDEX feed_adapter_cube ON feed_adapter (cube)",
        """
        CREATE TABLE publication (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          name TEXT NOT NULL,
          owner TEXT NOT NULL,
          target TEXT NOT NULL,
          wanted TEXT NOT NULL,
          serial INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          replaces TEXT NOT NULL,
          updated INTEGER NOT NULL,
          UNIQUE (owner, name)
        )""",
        """
        CREATE TABLE published (
          publication INTEGER NOT NULL REFERENCES publication (n) ON DELETE CASCADE,
          id TEXT NOT NULL,
          serial INTEGER NOT NULL,
          sha256 BLOB,
          PRIMARY KEY (publication, id)
        ) WITHOUT ROWID""",
    ):
        db.execute(statement)


def _eighth(db: Database) -> None:
    """Migrate to one vector for each sentence. The old table had one vector of the whole text for each
    embedder; each becomes the vector of one sentence that is the whole text."""
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'vector'").fetchone()
    for statement in (
        """
        CREATE TABLE vector_8 (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          embedder INTEGER NOT NULL REFERENCES embedder (n) ON DELETE CASCADE,
          start INTEGER NOT NULL,
          end INTEGER NOT NULL,
          data BLOB NOT NULL
        )""",
        """
        INSERT INTO vector_8 (n, cube, embedder, start, end, data)
          SELECT x.n, x.cube, x.embedder, 0, length(v.text), x.data FROM vector x
          JOIN cube c ON c.n = x.cube JOIN version v ON v.cube = c.n AND v.version = c.version""",
        "DROP TABLE vector",
        "ALTER TABLE vector_8 RENAME TO vector",
        "CREATE INDEX vector_cube ON vector (cube, embedder)",
    ):
        db.execute(statement)
    if last:  # the index relies on numbers that are never reused
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'vector'")
        db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('vector', ?)", last)


def _ninth(db: Database) -> None:
    """Migrate to a full-text index of folded text and names in NFC, and add digests of forgotten texts."""
    from memos_cli.infrastructure.storage import format_9

    for step in (format_9.rebuild_words, format_9.compose_names, format_9.add_forgotten):
        step(db.conn)


def _tenth(db: Database) -> None:
    """Add how the question of a lesson was made, and vectors of the questions that adapters have learned."""
    for statement in (
        "ALTER TABLE lesson ADD COLUMN made TEXT NOT NULL DEFAULT ''",
        """
        CREATE TABLE lesson_vector (
          cube INTEGER NOT NULL,
          position INTEGER NOT NULL,
          embedder INTEGER NOT NULL REFERENCES embedder (n) ON DELETE CASCADE,
          data BLOB NOT NULL,
          PRIMARY KEY (cube, position, embedder),
          FOREIGN KEY (cube, position) REFERENCES lesson (cube, position) ON DELETE CASCADE
        ) WITHOUT ROWID""",
        "CREATE INDEX lesson_vector_embedder ON lesson_vector (embedder)",
    ):
        db.execute(statement)


_MAKER = "coalesce((SELECT principal FROM audit WHERE action = 'init' ORDER BY n LIMIT 1), '')"
"""Who made the vault."""
MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    _first, _second, _third, _fourth, _fifth, _sixth, _seventh, _eighth, _ninth, _tenth,
)  # fmt: skip
FORMAT = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations the database has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version, in one transaction.

    The caller holds the exclusive lock of the vault. Raises TooNew when a newer program came first.
    """
    from sqlite_utils import Database

    connection.execute("PRAGMA foreign_keys = OFF")  # else DROP TABLE deletes the rows that name its rows
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) > FORMAT:
            raise TooNew("a newer memos has just changed this vault", "pip install --upgrade memos-cli")
        for migration in MIGRATIONS[version_of(connection) :]:
            migration(Database(connection))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")
