"""The schema of ``memos.db``: its format, conditions that several queries share, and its migration.

``migrations`` defines the tables; ``store_format.md`` explains each column.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from memos_cli.errors import TooNew

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.db import Table

FORMAT = 10
"""The newest format: the number of migrations."""
APPLICATION_ID = 0x4D454D43
"""``MEMC``: marks the file as a vault's database (SQLite header, bytes 68 to 71)."""

LIVE_TEXT = "c.state IN ('generated', 'activated') AND c.payload = 'plaintext'"
"""A condition on ``cube c``: those that have words and vectors."""
NAMED_BLOBS = """SELECT blob FROM source WHERE blob IS NOT NULL UNION ALL SELECT blob FROM activation
  UNION ALL SELECT blob FROM parametric WHERE blob IS NOT NULL"""
"""Every blob that a row names."""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the format of a database: the number of migrations applied to it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest format, in one transaction.

    The caller holds the exclusive lock of the vault. Raises TooNew if a newer program migrated it meanwhile.
    """
    from memos_cli.infrastructure.storage.migrations import VaultMigrations

    connection.execute("PRAGMA foreign_keys = OFF")  # else DROP TABLE deletes the rows that name its rows
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) > FORMAT:
            raise TooNew("a newer memos has just changed this vault", "pip install --upgrade memos-cli")
        VaultMigrations().apply(_inspect(connection))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def tables(connection: sqlite3.Connection) -> Iterator[Table]:
    """Yield the tables of a database with their columns, without those of the full-text index."""
    return (table for table in _inspect(connection).tables if not table.name.startswith(("sqlite_", "words")))


def statements(connection: sqlite3.Connection) -> list[str]:
    """Return the statements that define a database, in order, without those that SQLite and FTS5 add."""
    added = ("CREATE TABLE sqlite_", "CREATE TABLE 'words_")
    return [each for each in _inspect(connection).schema.split(";\n") if not each.startswith(added)]


def _inspect(connection: sqlite3.Connection) -> Database:
    """Open a connection with sqlite-utils, without its plugins and with the connection's settings."""
    from sqlite_utils import Database  # loads pandas, if that is installed: a third of a second

    return Database(connection, recursive_triggers=False, execute_plugins=False)
