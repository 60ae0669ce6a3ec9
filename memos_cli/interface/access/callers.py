"""Identify the caller of a vault, by a token or by name, and check whether the vault admits it."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

from memos_cli.errors import MemosError, Refused, UsageError
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import INCLUDED, Caller
from memos_cli.infrastructure.memories import key_values
from memos_cli.infrastructure.storage.database import Connection, connect
from memos_cli.infrastructure.storage.encryption import Cipher
from memos_cli.settings import Settings, principal_of

ROLES = {"reader": INCLUDED["read"], "writer": INCLUDED["write"], "owner": INCLUDED["admin"]}
"""The rights that each role of a token allows; the principal needs them too."""
TOKENS = "tokens"
"""The policy of a vault on tokens: ``required`` refuses access without one."""


def identify(db: Connection, settings: Settings, now: int) -> Caller:
    """Return the caller, identified by a token or by name. ``db`` must see all of the vault.

    Raises Refused for an invalid token, and without a token if the vault requires one."""
    if settings.token:
        row = db.execute(
            "SELECT n, principal, role, expires FROM token WHERE sha256 = ?", (hash_token(settings.token),)
        ).fetchone()
        if row is None or (row[3] is not None and row[3] <= now):
            raise Refused(
                f"the token {'is not valid in this vault' if row is None else 'has expired'}",
                "memos access token create PRINCIPAL, then set MEMOS_TOKEN to the token",
            )
        n, principal, role, ends = row
        if settings.principal and settings.principal != principal:
            raise Refused(
                f"the token belongs to {principal}, not to {settings.principal}",
                "leave out --as (or MEMOS_AS)",
            )
        return Caller(principal, rules.groups_of(db, principal), ROLES[role], n, ends)
    principal = principal_of(settings)
    if key_values.get(db, TOKENS) == "required":
        raise Refused("this vault requires a token", "set MEMOS_TOKEN to your token")
    return Caller(principal, rules.groups_of(db, principal))


def require_entry(folder: Path, settings: Settings, cipher: Cipher | None, now: int) -> None:
    """Raise Refused if the vault does not admit the caller. It may be damaged or of an older format.

    A vault that is too damaged to check this admits everybody: ``memos check`` must run on it.
    """
    try:
        with closing(connect(folder / "memos.db", settings.lock_timeout, cipher)) as db:
            identify(db, settings, now)
    except (Refused, UsageError):
        raise
    except MemosError:
        pass


def hash_token(token: str) -> bytes:
    """Return the hash that the vault stores for a token."""
    # A token is 256 random bits: there is nothing to guess, so one round is enough.
    return hashlib.sha256(token.encode()).digest()
