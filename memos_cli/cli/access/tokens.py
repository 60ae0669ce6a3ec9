"""``memos access token``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_time
from memos_cli.cli.output import local_time, time_of
from memos_cli.cli.shared_options import arg, opt

if TYPE_CHECKING:
    from memos_cli.interface.access.access import Token


def create(
    state: State,
    who: Annotated[str, arg("PRINCIPAL", "agent:NAME or user:NAME.")],
    role: Annotated[
        str, opt("--role ROLE", "reader, writer, or owner (all rights of the principal).")
    ] = "reader",
    expires: Annotated[str, opt("--expires TIME", "When it ends: 30d, 2026-12-31.")] = "",
) -> None:
    """Create a token and print it once.

    The vault stores only its hash. Pass the token as MEMOS_TOKEN.

    Example:
      MEMOS_TOKEN=$(memos access token create agent:coder --expires 30d) memos search printer
    """
    with state.open() as memos:
        ends = read_time(memos, expires, end=True)
        token, value = memos.access.create_token(who, role, ends)
    state.output.result({**_record(token), "token": value}, value)


def list_tokens(state: State) -> None:
    """List the tokens by number, without their values.

    Example:
      memos access token list
    """
    with state.open() as memos:
        found = memos.access.tokens()
    state.output.listing(
        found,
        _record,
        "n, principal, role, created, expires",
        lambda t: (t.n, t.principal, t.role, local_time(t.created), local_time(t.expires)),
        empty="there are no tokens; make one: memos access token create agent:NAME",
    )


def revoke(state: State, n: Annotated[int, arg("N", "Number of the token in the list.")]) -> None:
    """Revoke a token.

    Example:
      memos access token revoke 3
    """
    with state.open() as memos:
        token = memos.access.revoke_token(n)
    state.output.result({**_record(token), "revoked": True}, f"revoked the token {n} of {token.principal}")


def require(
    state: State,
    off: Annotated[bool, opt("--off", "Stop requiring tokens.")] = False,
) -> None:
    """Require a token for every access.

    Then scripts cannot impersonate anyone. memos enforces it; anyone who can read the vault's files can
    bypass it.

    Example:
      memos access token create user:ana --role owner > ~/.memos-token
      memos access token require
    """
    with state.open() as memos:
        memos.access.require_tokens(not off)
    state.output.result(
        {"tokens": "" if off else "required"}, "tokens are not required" if off else "tokens are required"
    )


def _record(token: Token) -> dict[str, object]:
    return {**asdict(token), "created": time_of(token.created), "expires": time_of(token.expires) or ""}
