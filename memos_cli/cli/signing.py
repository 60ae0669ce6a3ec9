"""Commands on keys that sign what is exported: key."""

from __future__ import annotations

from typing import Annotated

import typer

from memos_cli.cli.context import state_of, with_global_options
from memos_cli.errors import UsageError

_HELP = """Keys that sign what you export, and whose you trust.

\b
Example:
  memos key new
  memos key trust ed25519:…
"""


def register(parent: typer.Typer) -> None:
    keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    for command in (new, show, list_, trust_, distrust):
        keys.command(command.__name__.rstrip("_"))(with_global_options(command))
    parent.add_typer(keys, name="key", help=_HELP)


Signer = Annotated[str, typer.Argument(metavar="KEY", help="A public key: ed25519:…")]


def new(ctx: typer.Context) -> None:
    """Create your key, unless there is one, and print its public half.

    \b
    Example:
      memos key new
    """
    _tell_key(ctx, make=True)


def show(ctx: typer.Context) -> None:
    """Print the public half of your key: what others trust.

    \b
    Example:
      memos key show
    """
    _tell_key(ctx, make=False)


def _tell_key(ctx: typer.Context, *, make: bool) -> None:
    from memos_cli.interface.share.signing import key_file, name_of, own_key

    if (key := own_key(make=make)) is None:
        raise UsageError("there is no key", "memos key new")
    output = state_of(ctx).output
    if output.json:
        output.record({"signer": name_of(key), "file": str(key_file())})
    else:
        output.text(name_of(key))


def list_(ctx: typer.Context) -> None:
    """List whose signatures this vault trusts.

    \b
    Example:
      memos key list
    """
    from memos_cli.interface.share.trust import trusted

    with state_of(ctx).open() as memos:
        signers = trusted(memos)
    items = [({"signer": each}, (each,)) for each in signers]
    state_of(ctx).output.listing(("signer",), items, empty="no signer is trusted: memos key trust KEY")


def trust_(ctx: typer.Context, key: Signer) -> None:
    """Trust bundles signed with this key.

    \b
    Example:
      memos key trust ed25519:…
    """
    _trust(ctx, key, remove=False)


def distrust(ctx: typer.Context, key: Signer) -> None:
    """Stop trusting a signer. What you imported stays.

    \b
    Example:
      memos key distrust ed25519:…
    """
    _trust(ctx, key, remove=True)


def _trust(ctx: typer.Context, key: str, *, remove: bool) -> None:
    from memos_cli.interface.share.trust import trust

    with state_of(ctx).open() as memos:
        changed = trust(memos, key, remove=remove)
    output = state_of(ctx).output
    if output.json:
        output.record({"signer": key, "changed": changed})
    else:
        output.text(f"{'no longer trusted' if remove else 'trusted'}: {key}")
