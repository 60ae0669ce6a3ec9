"""``memos mcp install``, ``remove`` and ``status`` on the settings files of real clients."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_harness import Shell

from memos_cli.interface.mcp.clients import CLIENTS

FILES = {
    "claude-code": (".claude.json", "mcpServers"),
    "claude-desktop": (".config/Claude/claude_desktop_config.json", "mcpServers"),
    "cursor": (".cursor/mcp.json", "mcpServers"),
    "vscode": (".config/Code/User/mcp.json", "servers"),
    "codex": (".codex/config.toml", "mcp_servers"),
    "gemini": (".gemini/settings.json", "mcpServers"),
    "zed": (".config/zed/settings.json", "context_servers"),
    "goose": (".config/goose/config.yaml", "extensions"),
    "lm-studio": (".lmstudio/mcp.json", "mcpServers"),
}
"""Where each client looks on Linux, and in which table."""
linux = pytest.mark.skipif(sys.platform != "linux", reason="the folders are those of Linux")


def load(path: Path) -> Any:
    text = path.read_text()
    if path.suffix == ".toml":
        return tomllib.loads(text)
    return yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)


def home(shell: Shell) -> Path:
    return shell.folder / "home"


def test_every_client_is_in_the_table() -> None:
    assert FILES.keys() == CLIENTS.keys()


@linux
@pytest.mark.parametrize("client", FILES)
def test_a_client_starts_the_server_by_its_own_file(shell: Shell, client: str) -> None:
    name, table = FILES[client]
    file = home(shell) / name
    diff = shell("mcp", "install", client, "--dry-run").out
    assert f"+++ {file}" in diff and "memos" in diff and not file.exists()
    shell("mcp", "install", client, "--as", "agent:bob")
    entry = load(file)[table]["memos"]
    command = entry.get("command") or entry["cmd"]
    assert Path(command).is_absolute() and os.access(command, os.X_OK)
    assert entry["args"][-5:] == ["mcp", "--vault", str(shell.vault), "--as", "agent:bob"]
    assert shell("mcp", "status", client, "--json").record["state"] == "installed"
    before = file.read_bytes()
    assert "nothing to change" in shell("mcp", "install", client, "--as", "agent:bob").out
    assert file.read_bytes() == before
    assert shell("mcp", "remove", client, "--json").record["changed"] is True
    assert not load(file).get(table)
    assert shell("mcp", "status", client, "--json").record["state"] == "missing"
    assert "nothing to change" in shell("mcp", "remove", client).out


def test_what_the_user_added_to_the_entry_stays(shell: Shell) -> None:
    file = shell.write(
        "mcp.json", '{"mcpServers": {"memos": {"command": "x", "env": {"MEMOS_TOKEN": "t"}, "k": 1}}}'
    )
    shell("mcp", "install", "cursor", "--file", file)
    entry = json.loads(file.read_text())["mcpServers"]["memos"]
    assert entry["env"]["MEMOS_TOKEN"] == "t" and entry["k"] == 1 and entry["command"] != "x"


def test_a_token_is_never_written(shell: Shell) -> None:
    file = shell.work / "mcp.json"
    result = shell("mcp", "install", "cursor", "--file", file, env={"MEMOS_TOKEN": "memos_secret"})
    assert "memos_secret" not in file.read_text() + result.out + result.err
    assert "MEMOS_TOKEN" in result.err


def test_a_file_keeps_its_link_mode_mark_and_line_ends(shell: Shell) -> None:
    real = shell.write("dotfiles/mcp.json", '\ufeff{\r\n  // mine\r\n  "a": 1\r\n}\r\n')
    real.chmod(0o640)
    link = shell.work / "mcp.json"
    link.symlink_to(real)
    shell("mcp", "install", "cursor", "--file", link)
    text = real.read_bytes().decode()
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert text.startswith("\ufeff") and text.count("\r\n") == text.count("\n") > 5 and "// mine" in text
    shell("mcp", "remove", "cursor", "--file", link)
    assert sorted(path.name for path in real.parent.iterdir()) == ["mcp.json"]


@pytest.mark.parametrize("content", ["{", '{"mcpServers": 3}', "[]", b"\xff{}"])
def test_a_broken_file_is_named_and_left_alone(shell: Shell, content: str | bytes) -> None:
    file = shell.write("mcp.json", content)
    before = file.read_bytes()
    for verb in ("install", "remove"):
        result = shell("mcp", verb, "cursor", "--file", file, code=1)
        assert str(file) in result.err and "Traceback" not in result.err
    assert shell("mcp", "status", "cursor", "--file", file, "--json").record["state"] == "unreadable"
    assert file.read_bytes() == before


def test_status_tells_another_command_from_ours(shell: Shell) -> None:
    entry = {"command": "/gone/memos", "args": ["mcp"]}
    file = shell.write("mcp.json", json.dumps({"mcpServers": {"memos": entry}}))
    row = shell("mcp", "status", "cursor", "--file", file, "--json").record
    assert row["state"] == "other" and "does not exist" in row["detail"]
    assert len(shell("mcp", "status", "--json").records) == len(CLIENTS)


def test_wrong_names_are_refused(shell: Shell) -> None:
    assert "claude-code" in shell("mcp", "install", "emacs", code=2).err
    shell("mcp", "install", "cursor", "--as", "bob", code=2)
    shell("mcp", "status", "--file", "x", code=2)
    shell("mcp", "--as", "bob", code=2)
    folder = shell.work / "folder"
    folder.mkdir()
    shell("mcp", "install", "cursor", "--file", folder, code=1)
