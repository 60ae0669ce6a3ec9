"""Kill a command before each of its writes, and look at what it leaves."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from cli_harness import REPOSITORY, Shell

RUNNER = REPOSITORY / "tests" / "harness" / "crash_runner.py"


LIMIT = 16
"""Points a command, at most: one of each kind of write, and evenly spread ones of the rest."""


CONVERTER = '''
"""Stands in for markitdown, which takes seconds to import."""
class MarkItDownException(Exception): ...
class MissingDependencyException(MarkItDownException): ...
class StreamInfo:
    def __init__(self, extension): ...
class MarkItDown:
    def __init__(self, enable_plugins): ...
    def convert_stream(self, stream, stream_info):
        self.markdown = "# Report\\n\\nThe pump was replaced.\\n"
        return self
'''


def kill_everywhere(
    shell: Shell,
    *command: object,
    env: dict[str, str] | None = None,
    limit: int = LIMIT,
    codes: tuple[int, ...] = (0,),
    beside: Path | None = None,
    by: signal.Signals = signal.SIGKILL,
    verify: tuple[object, ...] = (),
) -> dict[str, int]:
    """Kill ``command`` at every point. The vault of ``shell`` is what it starts from. Returns its writes.

    ``codes`` are those with which a second run may end; ``beside`` is a folder that it changes, too. Killed
    ``by`` SIGINT, it must leave no file that nothing names. ``verify`` is a command that says whether what
    lies beside the vault is whole.
    """
    prepared, vault = shell.folder / "prepared", shell.vault
    if vault.exists():
        with closing(sqlite3.connect(vault / "memos.db")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        vault.rename(prepared)
    plan = {
        "prepared": str(prepared),
        "vault": str(vault),
        "log": str(shell.folder / "writes.json"),
        "command": [str(argument) for argument in command],
        "limit": limit,
        "codes": codes,
        "beside": str(beside or ""),
        "part": 2,
        "signal": by,
        "verify": [str(argument) for argument in verify],
    }
    path = shell.folder / "plan.json"
    path.write_text(json.dumps(plan))
    converter = shell.folder / "converter"
    converter.mkdir()
    (converter / "markitdown.py").write_text(CONVERTER)
    environment = shell.environment(env)
    environment["PYTHONPATH"] += f":{converter}"
    done = subprocess.run(
        [sys.executable, RUNNER, path], env=environment, cwd=shell.work, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["problems"] == [], found["problems"]
    assert by == signal.SIGINT or found["points"] == min(limit, sum(found["writes"].values()))
    assert found["points"]
    return found["writes"]
