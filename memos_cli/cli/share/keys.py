"""``memos key``: the keys that sign exports and feeds."""

from __future__ import annotations

from typing import Annotated

from memos_cli.cli.context import State
from memos_cli.cli.shared_options import arg
from memos_cli.errors import UsageError

Signer = Annotated[str, arg("KEY", "A public key: ed25519:…")]


def new(state: State) -> None:
    """Create your key if there is none, and print its public half.

    Example:
      memos key new
    """
    _print_key(state, make=True)


def show(state: State) -> None:
    """Print the public half of your key, for others to trust.

    Example:
      memos key show
    """
    _print_key(state, make=False)


def _print_key(state: State, *, make: bool) -> None:
    from memos_cli.interface.share.signing import key_file, name_of, own_key

    if (key := own_key(make=make)) is None:
        raise UsageError("there is no key", "memos key new")
    state.output.result({"signer": name_of(key), "file": str(key_file())}, name_of(key))


def list_(state: State) -> None:
    """List the signers that this vault trusts.

    Example:
      memos key list
    """
    from memos_cli.interface.share.trust import trusted

    with state.open() as memos:
        signers = trusted(memos)
    state.output.listing(
        signers,
        lambda each: {"signer": each},
        "signer",
        lambda each: (each,),
        empty="no signer is trusted: memos key trust KEY",
    )


def trust(state: State, key: Signer) -> None:
    """Trust bundles and feeds signed with this key.

    Example:
      memos key trust ed25519:…
    """
    _trust(state, key, remove=False)


def distrust(state: State, key: Signer) -> None:
    """Stop trusting a signer.

    What you imported stays.

    Example:
      memos key distrust ed25519:…
    """
    _trust(state, key, remove=True)


def _trust(state: State, key: str, *, remove: bool) -> None:
    from memos_cli.interface.share import trust as signers

    with state.open() as memos:
        changed = signers.trust(memos, key, remove=remove)
    state.output.result(
        {"signer": key, "changed": changed}, f"{'no longer trusted' if remove else 'trusted'}: {key}"
    )
