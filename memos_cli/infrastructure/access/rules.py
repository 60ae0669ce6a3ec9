"""The rules of access as rows: grants, groups and tokens.

Each write adds its audit row. The connection must see the whole vault.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

from memos_cli.cube import Filter
from memos_cli.infrastructure.access.governance import Header, Rule
from memos_cli.infrastructure.memories import filters, key_values, queries
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.letters import nfc

if TYPE_CHECKING:
    from memos_cli.infrastructure.memories.transaction import Transaction

_RULES = "SELECT owner, kind, target, principal, right, giver, created, expires FROM rule"


def all_rules(db: Connection) -> list[Rule]:
    """Return all rules, in the order in which they were granted."""
    return [Rule(*row) for row in db.execute(f"{_RULES} ORDER BY n")]


def groups_of(db: Connection, principal: str) -> frozenset[str]:
    """Return the groups of a principal."""
    return frozenset(
        row[0] for row in db.execute("SELECT circle FROM member WHERE principal = ?", (principal,))
    )


def header_of(db: Connection, cube: int, rules: Iterable[Rule], now: int) -> Header:
    """Return the header of a memory for access checks, by its row number; ``db`` sees the whole vault."""
    id, owner, payload = db.execute("SELECT id, owner, payload FROM cube WHERE n = ?", (cube,)).fetchone()
    tags = db.execute("SELECT tag FROM tag WHERE cube = ?", (cube,)).fetchall()
    views = {rule.target for rule in rules if rule.kind == "view" and rule.owner == owner}
    passed = [
        name
        for name in views
        if (view := view_of(db, name, owner)) and queries.filter_ids(db, [cube], now=now, filter=view)
    ]
    sources = db.execute(
        "SELECT DISTINCT source FROM derived WHERE cube = ? ORDER BY source", (cube,)
    ).fetchall()
    bound = db.execute("SELECT principal FROM bound WHERE cube = ?", (cube,)).fetchone()
    return Header(
        id, owner, frozenset(tag for (tag,) in tags), frozenset(passed), payload,
        tuple(header_of(db, source, rules, now) for (source,) in sources), bound[0] if bound else "",
    )  # fmt: skip


def view_of(db: Connection, name: str, owner: str) -> Filter | None:
    """Return a saved filter of ``owner``."""
    row = db.execute("SELECT filter FROM view WHERE name = ? AND owner = ?", (nfc(name), owner)).fetchone()
    return filters.filter_from_json(row[0]) if row else None


# --- writing ---------------------------------------------------------------------------------------


def grant(change: Transaction, rule: Rule) -> None:
    """Store a rule; if it exists already, change only its expiry."""
    change.db.execute(
        """INSERT INTO rule (owner, kind, target, principal, right, giver, created, expires)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (owner, kind, target, principal, right) DO UPDATE SET expires = excluded.expires""",
        astuple(rule),
    )
    _tell(change, "grant", rule)


def revoke(change: Transaction, rule: Rule) -> None:
    """Delete a rule."""
    change.db.execute(
        "DELETE FROM rule WHERE owner = ? AND kind = ? AND target = ? AND principal = ? AND right = ?",
        (rule.owner, rule.kind, rule.target, rule.principal, rule.right),
    )
    _tell(change, "revoke", rule)


def join(change: Transaction, group: str, principals: Sequence[str], *, remove: bool) -> int:
    """Add principals to a group, or remove them. Returns how many changed."""
    statement = (
        "DELETE FROM member WHERE circle = ? AND principal = ?"
        if remove
        else "INSERT OR IGNORE INTO member (circle, principal) VALUES (?, ?)"
    )
    changed = [each for each in principals if change.db.execute(statement, (group, each)).rowcount]
    if changed:
        change.note("group-leave" if remove else "group-join", {"group": group, "principals": changed})
    return len(changed)


def add_token(change: Transaction, principal: str, role: str, sha256: bytes, expires: int | None) -> int:
    """Store the hash of a token. Returns its number."""
    (n,) = change.db.execute(
        "INSERT INTO token (principal, role, sha256, created, expires) VALUES (?, ?, ?, ?, ?) RETURNING n",
        (principal, role, sha256, change.now, expires),
    ).fetchone()
    change.note("token", {"n": n, "principal": principal, "role": role})
    return int(n)


def drop_token(change: Transaction, n: int, principal: str) -> None:
    """Revoke a token."""
    change.db.execute("DELETE FROM token WHERE n = ?", (n,))
    change.note("token-revoke", {"n": n, "principal": principal})


def set_policy(change: Transaction, name: str, value: str) -> None:
    """Set a rule of the vault's owner for everyone who uses it; "" removes it."""
    key_values.put(change, name, value)
    change.note("policy", {name: value})


def bind(change: Transaction, cube: int, principal: str, task: str) -> None:
    """Bind a memory to one principal and one task."""
    change.db.execute(
        "INSERT OR REPLACE INTO bound (cube, principal, task) VALUES (?, ?, ?)", (cube, principal, task)
    )
    change.tell(cube, "bind", {"principal": principal, "task": task})


def tasks(db: Connection) -> list[tuple[str, str, int, int]]:
    """Return the tasks that memories are bound to: (task, principal, count of memories, of live ones)."""
    return db.execute(
        """SELECT b.task, b.principal, count(*), sum(c.state IN ('generated', 'activated'))
           FROM bound b JOIN cube c ON c.n = b.cube
           GROUP BY b.task, b.principal ORDER BY b.task, b.principal"""
    ).fetchall()


def bound_to(db: Connection, task: str) -> list[int]:
    """Return the memories that are bound to a task."""
    rows = db.execute("SELECT c.n FROM bound b JOIN cube c ON c.n = b.cube WHERE b.task = ?", (task,))
    return [n for (n,) in rows.fetchall()]


def is_anything_bound(db: Connection) -> bool:
    return db.execute("SELECT 1 FROM bound LIMIT 1").fetchone() is not None


def _tell(change: Transaction, action: str, rule: Rule) -> None:
    detail = {"principal": rule.principal, "right": rule.right, "owner": rule.owner}
    row = change.db.execute("SELECT n FROM cube WHERE id = ?", (rule.target,)).fetchone()
    if row and rule.kind == "cube":
        change.tell(row[0], action, detail)
    else:
        change.note(action, {**detail, rule.kind: rule.target})
