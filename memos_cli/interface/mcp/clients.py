"""The programs that can start ``memos mcp``, and the entry for it in the settings file of each."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from memos_cli.errors import UsageError
from memos_cli.interface.client_settings.program_files import (
    NAME,
    FileChange,
    Status,
    edit_file,
    home_path,
    own_command,
    read_text,
)
from memos_cli.interface.client_settings.settings_files import (
    Entry,
    Keys,
    NotReadable,
    read_entry,
    remove_entry,
    set_entry,
)


@dataclass(frozen=True, slots=True)
class Launch:
    """The command with which a client starts the server."""

    command: str
    """Absolute: programs with windows start with a bare PATH."""
    args: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Client:
    """A program with a settings file for MCP servers."""

    name: str
    title: str
    kind: str
    """``json`` (with comments), ``toml`` or ``yaml``."""
    table: str
    """The table of its servers."""
    file: Callable[[], Path]
    entry: Callable[[Launch], Entry]
    next_step: str = "restart it"
    """The user's next step, so that the client reads the change."""

    @property
    def keys(self) -> Keys:
        return (self.table, NAME)


def _config(*parts: str) -> Path:
    """Return a path below the folder of settings: XDG's, or that of macOS."""
    if sys.platform == "darwin":
        return home_path("Library", "Application Support", *parts)
    return _xdg(*parts)


def _xdg(*parts: str) -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or home_path(".config")).joinpath(*parts)


def _lm_studio() -> Path:
    """Return the settings file of LM Studio; an old folder is used if it exists."""
    new, old = home_path(".lmstudio", "mcp.json"), home_path(".cache", "lm-studio", "mcp.json")
    return old if old.parent.is_dir() and not new.parent.is_dir() else new


def _with_env(entry: Entry, launch: Launch, key: str = "env") -> Entry:
    return {**entry, key: dict(launch.env)} if launch.env else entry


def _plain(launch: Launch) -> Entry:
    return _with_env({"command": launch.command, "args": [*launch.args]}, launch)


def _typed(launch: Launch) -> Entry:
    return {"type": "stdio", **_plain(launch)}


def _zed(launch: Launch) -> Entry:
    return {"source": "custom", **_plain(launch)}


def _goose(launch: Launch) -> Entry:
    entry = {
        "name": NAME, "type": "stdio", "cmd": launch.command, "args": [*launch.args], "enabled": True,
        "timeout": 300,
    }  # fmt: skip
    return _with_env(entry, launch, "envs")


CLIENTS = {
    client.name: client
    for client in (
        Client(
            "claude-code", "Claude Code", "json", "mcpServers",
            lambda: home_path(".claude.json", variable="CLAUDE_CONFIG_DIR"), _typed, "start a new session",
        ),
        Client(
            "claude-desktop", "Claude Desktop", "json", "mcpServers",
            lambda: _config("Claude", "claude_desktop_config.json"), _plain,
        ),
        Client("cursor", "Cursor", "json", "mcpServers", lambda: home_path(".cursor", "mcp.json"), _plain),
        Client("vscode", "VS Code", "json", "servers", lambda: _config("Code", "User", "mcp.json"), _typed),
        Client(
            "codex", "Codex", "toml", "mcp_servers",
            lambda: home_path(".codex", "config.toml", variable="CODEX_HOME"), _plain, "start a new session",
        ),
        Client(
            "gemini", "Gemini CLI", "json", "mcpServers",
            lambda: home_path(".gemini", "settings.json"), _plain, "start a new session",
        ),
        Client("zed", "Zed", "json", "context_servers", lambda: _xdg("zed", "settings.json"), _zed,
               "it starts the server by itself"),
        Client("goose", "Goose", "yaml", "extensions", lambda: _xdg("goose", "config.yaml"), _goose,
               "start a new session"),
        Client("lm-studio", "LM Studio", "json", "mcpServers", _lm_studio, _plain),
    )
}  # fmt: skip
"""The clients by name."""


def client_named(name: str) -> Client:
    """Return a client by its name, as typed. Raises UsageError."""
    typed = name.strip().casefold().replace(" ", "-").replace("_", "-")
    found = {"".join(each.split("-")): client for each, client in CLIENTS.items()}
    found |= {"claude": CLIENTS["claude-code"], "geminicli": CLIENTS["gemini"], "code": CLIENTS["vscode"]}
    if (client := found.get(typed.replace("-", ""))) is None:
        raise UsageError(f"there is no client {name!r}", f"one of: {', '.join(CLIENTS)}")
    return client


def install(client: Client, launch: Launch, file: Path | None = None, *, dry_run: bool) -> FileChange:
    """Add the entry, or update it; additions of the user stay. Raises MemosError."""
    wanted = client.entry(launch)

    def edit(text: str) -> str:
        old = read_entry(client.kind, text, client.keys) or {}
        env = next((key for key in ("env", "envs") if key in wanted and isinstance(old.get(key), dict)), "")
        new = {**old, **wanted, **({env: {**old[env], **wanted[env]}} if env else {})}
        return set_entry(client.kind, text, client.keys, new)

    return edit_file(file or client.file(), edit, dry_run=dry_run)


def remove(client: Client, file: Path | None = None, *, dry_run: bool) -> FileChange:
    """Remove the entry. Raises MemosError."""
    return edit_file(
        file or client.file(), lambda text: remove_entry(client.kind, text, client.keys), dry_run=dry_run
    )


def status(client: Client, file: Path | None = None) -> Status[Client]:
    """Return whether the client starts this program."""
    path = file or client.file()
    try:
        entry = read_entry(client.kind, read_text(path), client.keys)
    except NotReadable as error:
        return Status(client, path, "unreadable", str(error))
    if entry is None:
        return Status(client, path, "missing")
    command, args = entry.get("command", entry.get("cmd", "")), entry.get("args", [])
    line = [str(command), *(map(str, args) if isinstance(args, list) else ())]
    typed = " ".join(line)
    if not shutil.which(line[0]):
        return Status(client, path, "other", f"{line[0] or 'its command'} does not exist")
    is_ours = tuple(line[: len(own_command())]) == own_command() and "mcp" in line
    return Status(client, path, "installed" if is_ours else "other", typed)
