"""What a vault keeps by name, beside its memories: wishes of its maker, measures, what is to be made."""

from __future__ import annotations

from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection


def get(db: Connection, name: str) -> str:
    """The value of a name; "" where there is none."""
    row = db.execute("SELECT value FROM policy WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def starting(db: Connection, prefix: str) -> dict[str, str]:
    """The values of all names that start so, by the rest of the name, in its order."""
    rows = db.execute(
        "SELECT name, value FROM policy WHERE name >= ? AND name < ? ORDER BY name", (prefix, prefix + "~")
    )
    return {name.removeprefix(prefix): value for name, value in rows.fetchall()}


def put(change: Transaction, name: str, value: str) -> None:
    """Keep a value. The audit is not told: ``rules.set_policy`` does that of what somebody wants."""
    change.db.execute("INSERT OR REPLACE INTO policy (name, value) VALUES (?, ?)", (name, value))


def remove(change: Transaction, name: str) -> None:
    """Let go of a value."""
    change.db.execute("DELETE FROM policy WHERE name = ?", (name,))
