"""Commands of ``memos mcp``: the vault as an MCP server, and the settings of the programs that start it."""

from __future__ import annotations

import gc
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.agents.program_settings import ShowOnly, options_given, print_change, print_steps
from memos_cli.cli.context import State
from memos_cli.cli.shared_options import View, arg, opt
from memos_cli.errors import MemosError, UsageError

if TYPE_CHECKING:
    from memos_cli.interface.mcp.clients import Launch
    from memos_cli.interface.memory import Memos

ClientName = Annotated[
    str, arg("CLIENT", "claude-code, claude-desktop, cursor, vscode, codex, gemini, zed, goose or lm-studio.")
]
SettingsFile = Annotated[str, opt("--file FILE", "Edit this file, such as a project's .mcp.json.")]
Quarantine = Annotated[bool, opt("--quarantine", "What agents save waits for `memos quarantine`.")]


def serve(state: State, ctx: typer.Context, quarantine: Quarantine = False, view: View = None) -> None:
    """Serve the vault to agents, as an MCP server.

    Programs such as Claude Code start it and speak MCP with it on standard input and output; `memos mcp
    install CLIENT` adds it to their settings. Agents can search, read, save and change memories; only you can
    delete them. With --as agent:NAME or a token, an agent sees what it saved and what it was granted;
    --view NAME shows it one saved filter.

    Example:
      memos mcp install claude-code
      memos mcp --as agent:coder
    """
    if ctx.invoked_subcommand is not None:
        return
    if quarantine:
        state.flags["ingest_quarantine"] = "always"
    if "principal" in state.flags:
        from memos_cli.settings import check_principal

        check_principal(str(state.flags["principal"]))

    def open_vault() -> Memos:
        from memos_cli.interface.memory import Memos

        return Memos(state.settings(), warn=state.output.note)  # without anybody to ask for a passphrase

    require_sdk()
    gc.disable()  # imports make no garbage, and looking for it takes time
    from memos_cli.interface.mcp.server import serve as serve_vault

    gc.freeze()
    gc.enable()
    if sys.stdin.isatty():
        state.output.note("serving MCP on standard input; a client starts this: memos mcp install CLIENT")
    serve_vault(open_vault, state.view)


def require_sdk() -> None:
    """Raise MemosError without the packages of the extra ``mcp``."""
    for package in ("mcp", "tomlkit"):
        if find_spec(package) is None:
            raise MemosError(f"memos mcp needs the package {package}", "pip install 'memos-cli[mcp]'")


def install(
    state: State,
    client: ClientName,
    file: SettingsFile = "",
    quarantine: Quarantine = False,
    dry_run: ShowOnly = False,
    view: View = None,
) -> None:
    """Add memos to the MCP servers of a client, in its settings file.

    Only the entry "memos" is changed; comments and all other settings stay. The entry has the absolute path
    of this program, and --vault, --as and --view where you give them. A token is not written.

    Example:
      memos mcp install claude-code --dry-run
      memos mcp install cursor --as agent:cursor
    """
    from memos_cli.interface.mcp import clients

    require_sdk()
    launch = _launch(state, quarantine=quarantine)
    chosen = clients.client_named(client)
    change = clients.install(chosen, launch, Path(file) if file else None, dry_run=dry_run)
    print_change(state, "client", chosen.name, change, "installed", dry_run=dry_run)
    next_step = f"{chosen.title}: {chosen.next_step}" if change.changed and not dry_run else ""
    print_steps(state, next_step, f"the entry's environment in {change.file}", launch.args)


def remove(state: State, client: ClientName, file: SettingsFile = "", dry_run: ShowOnly = False) -> None:
    """Remove memos from the MCP servers of a client.

    Example:
      memos mcp remove claude-code
    """
    from memos_cli.interface.mcp import clients

    require_sdk()
    chosen = clients.client_named(client)
    change = clients.remove(chosen, Path(file) if file else None, dry_run=dry_run)
    print_change(state, "client", chosen.name, change, "removed", dry_run=dry_run)


def status(
    state: State,
    client: Annotated[str, arg("[CLIENT]", "Default: all clients.")] = "",
    file: SettingsFile = "",
) -> None:
    """Show which clients start memos.

    The state is installed, other (another command, or one that does not exist), missing or unreadable.

    Example:
      memos mcp status
      memos mcp status codex --json
    """
    from memos_cli.interface.mcp import clients

    if file and not client:
        raise UsageError("--file needs a client", f"memos mcp status cursor --file {file}")
    chosen = [clients.client_named(client)] if client else list(clients.CLIENTS.values())
    found = [clients.status(each, Path(file) if file else None) for each in chosen]
    state.output.listing(
        found,
        lambda each: {
            "client": each.program.name, "file": str(each.file), "state": each.state, "detail": each.detail,
        },
        "client, state, file, starts",
        lambda each: (each.program.name, each.state, each.file, each.detail),
    )  # fmt: skip


def _launch(state: State, *, quarantine: bool) -> Launch:
    """Return how a client starts the server with the options of this command line."""
    from memos_cli.interface.client_settings.program_files import own_command
    from memos_cli.interface.mcp.clients import Launch

    command, *args = own_command()
    args += ["mcp", *options_given(state), *(["--quarantine"] if quarantine else [])]
    kept = {name: os.environ[name] for name in ("MEMOS_CONFIG", "MEMOS_CACHE") if os.environ.get(name)}
    return Launch(command, tuple(args), kept)
