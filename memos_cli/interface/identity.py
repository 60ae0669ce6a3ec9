"""Who asks: by a token, or by its own word; and who is let into a vault."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

from memos_cli.errors import MemosError, Refused, UsageError
from memos_cli.infrastructure import policies, rules
from memos_cli.infrastructure.database import Connection, connect
from memos_cli.infrastructure.encryption import Cipher
from memos_cli.infrastructure.governance import INCLUDED, Caller
from memos_cli.settings import Settings, principal_of

ROLES = {"reader": INCLUDED["read"], "writer": INCLUDED["write"], "owner": INCLUDED["admin"]}
"""What a token leaves its holder of the rights that it has."""
TOKENS = "tokens"
"""The policy of a vault that lets in only who holds a token: ``required``."""


def identify(db: Connection, settings: Settings, now: int) -> Caller:
    """Who asks, by a token or by its own word. Raises Refused for a token that does not hold, and for none
    where the vault wants one. ``db`` sees all of the vault."""
    if settings.token:
        row = db.execute(
            "SELECT n, principal, role, expires FROM token WHERE sha256 = ?", (hash_token(settings.token),)
        ).fetchone()
        if row is None or (row[3] is not None and row[3] <= now):
            raise Refused(
                f"the token is {'not one of this vault' if row is None else 'expired'}",
                "memos token create PRINCIPAL, and set MEMOS_TOKEN to what it prints",
            )
        n, principal, role, ends = row
        if settings.principal and settings.principal != principal:
            raise Refused(f"the token is that of {principal}, not of {settings.principal}", "leave --as out")
        return Caller(principal, rules.groups_of(db, principal), ROLES[role], n, ends)
    principal = principal_of(settings)
    if policies.get(db, TOKENS) == "required":
        raise Refused(f"this vault lets {principal} in only with a token", "set MEMOS_TOKEN to your token")
    return Caller(principal, rules.groups_of(db, principal))


def require_entry(folder: Path, settings: Settings, cipher: Cipher | None, now: int) -> None:
    """Raise Refused for who is not let in; the vault may be damaged or of an older format, and stays so.

    What is too damaged to say whom it lets in keeps nobody from finding that out.
    """
    try:
        with closing(connect(folder / "memos.db", settings.lock_timeout, cipher)) as db:
            identify(db, settings, now)
    except (Refused, UsageError):
        raise
    except MemosError:
        pass


def hash_token(token: str) -> bytes:
    """What is kept of a token."""
    # A token is 256 random bits: there is nothing to guess, so one round is enough.
    return hashlib.sha256(token.encode()).digest()
