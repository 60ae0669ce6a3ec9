"""The programs that use memos: MCP clients, and agents that run its hooks."""

from __future__ import annotations

from collections.abc import Iterator

from memos_cli.errors import MemosError
from memos_cli.interface.doctor.report import Line
from memos_cli.interface.mcp import clients


def check_clients() -> Iterator[Line]:
    """Check the entries of memos in the settings of MCP clients."""
    is_used = False
    for name, client in clients.CLIENTS.items():
        try:
            found = clients.status(client)
        except MemosError as error:
            if "there is no home folder" in str(error):
                continue
            yield Line("mcp", "warn", f"{client.title}: {error}", error.hint, {"client": name})
            continue
        if found.state == "missing":
            continue
        is_used = True
        details = {"client": name, "file": str(found.file), "state": found.state}
        if found.state == "installed":
            yield Line("mcp", "ok", f"{client.title} starts memos: {found.file}", "", details)
        elif found.state == "unreadable":
            yield Line(
                "mcp", "warn", f"{client.title}: {found.file}: {found.detail}", "correct the file", details
            )
        else:
            message = f"{client.title} starts another memos: {found.detail}"
            yield Line("mcp", "warn", message, f"memos mcp install {name}", details)
    if not is_used:
        yield Line("mcp", "ok", "no MCP client starts memos", "memos mcp install CLIENT")


def check_hooks() -> Iterator[Line]:
    """Check the hooks of memos in the settings of agents. `memos hook` adds its lines here."""
    yield from ()
