"""A table of names and values: choices of the owner, measurements, pending requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memos_cli.infrastructure.storage.database import Connection

if TYPE_CHECKING:
    from memos_cli.infrastructure.memories.transaction import Transaction


def get(db: Connection, name: str) -> str:
    """Return the value of a name; "" if there is none."""
    row = db.execute("SELECT value FROM policy WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def starting(db: Connection, prefix: str) -> dict[str, str]:
    """Return the values of all names with a prefix, by the rest of the name, sorted."""
    rows = db.execute(
        "SELECT name, value FROM policy WHERE name >= ? AND name < ? ORDER BY name", (prefix, prefix + "~")
    )
    return {name.removeprefix(prefix): value for name, value in rows.fetchall()}


def put(change: Transaction, name: str, value: str) -> None:
    """Store a value, without an audit row: ``rules.set_policy`` writes one for choices of the owner."""
    change.db.execute("INSERT OR REPLACE INTO policy (name, value) VALUES (?, ?)", (name, value))


def remove(change: Transaction, name: str) -> None:
    """Delete a value."""
    change.db.execute("DELETE FROM policy WHERE name = ?", (name,))
