"""Commands of ``memos mcp``: the vault as an MCP server, and the settings of the programs that start it."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import View, state_of, with_global_options
from memos_cli.errors import MemosError

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

INSTALL = "pip install 'memos-cli[mcp]'"


def register(parent: typer.Typer) -> None:
    app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    app.callback()(with_global_options(serve))
    for command in ():
        app.command()(with_global_options(command))
    parent.add_typer(app, name="mcp")


def serve(
    ctx: typer.Context,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="What agents save waits for `memos review`.")
    ] = False,
    view: View = None,
) -> None:
    """Serve the vault to agents over MCP, on standard input and output.

    Programs such as Claude Code start it: `memos mcp install CLIENT` tells them how. Agents can search, read,
    save and change memories; only you can delete them. With --as agent:NAME or a token, an agent sees what it
    was granted, and nothing else; --view NAME shows it one saved filter.

    \b
    Example:
      memos mcp install claude-code
      memos mcp --as agent:coder
    """
    if ctx.invoked_subcommand is not None:
        return
    state = state_of(ctx)
    flags = {**state.flags, **({"ingest_quarantine": "always"} if quarantine else {})}
    if "principal" in flags:
        from memos_cli.settings import check_principal

        check_principal(str(flags["principal"]))

    def open_vault() -> Memos:
        from memos_cli.interface.memory import Memos
        from memos_cli.settings import load_settings

        settings, _ = load_settings(flags)
        return Memos(settings, warn=state.output.note)  # without anybody to ask for a passphrase

    gc.disable()  # a third of the imports' time; nothing of them is garbage
    try:
        from memos_cli.interface.mcp.server import serve as serve_vault
    except ModuleNotFoundError as error:
        raise MemosError(f"memos mcp needs the MCP SDK ({error})", INSTALL) from error
    gc.freeze()
    gc.enable()
    if sys.stdin.isatty():
        state.output.note("serving MCP on standard input; a client starts this: memos mcp install CLIENT")
    serve_vault(open_vault, state.view)
