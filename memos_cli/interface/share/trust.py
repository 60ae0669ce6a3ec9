"""The trusted signers of a vault: it accepts bundles of its user and of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memos_cli.errors import Refused, UsageError
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.memories import key_values
from memos_cli.interface.share import signing

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

_POLICY = "signer:"


def trusted(session: Session) -> list[str]:
    """Return the signers that this vault trusts, besides the user's own key."""
    known = key_values.starting(session.vault.connection, _POLICY)
    return [signer for signer, value in known.items() if value]


def trust(session: Session, signer: str, *, remove: bool = False) -> bool:
    """Trust a signer from now on, or no longer (``remove``). Returns whether that changed anything."""
    session.access.require_owner("choose trusted signers")
    named = signing.signer_named(signer)
    if (named in trusted(session)) is not remove:
        if remove:
            raise UsageError(f"{named} is not trusted", "memos key list")
        return False
    _set(session, named, "" if remove else "trusted")
    return True


def require_trust(
    session: Session, signer: str, *, trust: bool, hint: str = "memos import FILE --trust"
) -> None:
    """Raise Refused unless a signer is trusted; with ``trust`` it is, from now on."""
    if signing.is_own(signer) or signer in trusted(session):
        return
    if not trust:
        raise Refused(f"this vault does not trust the signer {signer}", f"if you trust them: {hint}")
    session.access.require_owner("choose trusted signers")
    _set(session, signer, "trusted")


def _set(session: Session, signer: str, value: str) -> None:
    with session.vault.change(session.principal, session.now()) as change:
        rules.set_policy(change, _POLICY + signer, value)
