"""The log of hooks: one line of JSON for each call. It contains no text of a prompt or a memory.

A hook does not report errors to the agent. They are in this log; ``memos hook status`` shows the last call.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from memos_cli.files import make_folder, read_small
from memos_cli.folders import log_folder

_NAME, _OLD = "hooks.jsonl", "hooks.old.jsonl"
_MOST = 256 << 10
"""Bytes after which a new log is started; the previous one is kept."""


def prepare_log() -> Path | None:
    """Return the log file, and create its folder; None without a home folder."""
    folder = log_folder()
    if folder is None:
        return None
    with suppress(OSError):
        make_folder(folder)
        file = folder / _NAME
        if file.exists() and file.stat().st_size > _MOST:
            file.replace(folder / _OLD)
        return file
    return None


def last_call(agent: str) -> dict[str, Any]:
    """Return the last line of an agent; {} if there is none."""
    folder = log_folder()
    for name in (_NAME, _OLD) if folder else ():
        assert folder is not None
        with suppress(OSError):
            for line in reversed(read_small(folder / name, 4 * _MOST).splitlines()):
                with suppress(ValueError, RecursionError):
                    row = json.loads(line)
                    if isinstance(row, dict) and row.get("agent") == agent:
                        return row
    return {}
