"""The programs that use memos: MCP clients, and agents that run its hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from memos_cli.errors import MemosError, UsageError
from memos_cli.interface.doctor.report import Line
from memos_cli.interface.hooks import installing
from memos_cli.interface.hooks.agents import AGENTS
from memos_cli.interface.mcp import clients


def check_clients() -> Iterator[Line]:
    """Check the entries of memos in the settings of MCP clients."""
    yield from _check("mcp", clients.CLIENTS, clients.status)


def check_hooks() -> Iterator[Line]:
    """Check the hooks of memos in the settings of agents."""
    yield from _check("hook", AGENTS, lambda agent: installing.status(agent, installing.settings_file(agent)))


def _check(kind: str, programs: Mapping[str, Any], status: Callable[[Any], Any]) -> Iterator[Line]:
    """Check the settings of each program: whether they start memos, and this one."""
    is_used = False
    for name, program in programs.items():
        try:
            found = status(program)
        except UsageError:  # there is no home folder, and so no settings
            continue
        except MemosError as error:
            yield Line(kind, "warn", f"{program.title}: {error}", error.hint, {"program": name})
            continue
        if found.state == "missing":
            continue
        is_used = True
        details = {"program": name, "file": str(found.file), "state": found.state}
        if found.state == "installed":
            yield Line(kind, "ok", f"{program.title} starts memos: {found.file}", "", details)
            continue
        if found.state == "unreadable":
            message, hint = f"{found.file} cannot be read: {found.detail}", f"correct {found.file}"
        else:
            what = "starts another memos" if found.state == "other" else f"starts memos {found.state}"
            message, hint = f"{what}: {found.detail}", f"memos {kind} install {name}"
        yield Line(kind, "warn", f"{program.title}: {message}", hint, details)
    if not is_used:
        nobody = "no agent runs hooks of memos" if kind == "hook" else "no MCP client starts memos"
        yield Line(kind, "ok", nobody, f"memos {kind} install {next(iter(programs))}")
