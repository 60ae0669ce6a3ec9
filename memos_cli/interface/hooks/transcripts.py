"""Import the session of an agent, in a separate process that outlives the hook."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from memos_cli.errors import UsageError
from memos_cli.interface.hooks.calls import Call

_NICE = 10


def import_arguments(call: Call) -> list[str]:
    """Return the arguments of ``memos`` that import the new turns in the session of a call.

    Raises UsageError if there is no session file, or no importer for this agent.
    """
    from memos_cli.interface.importing.importers import IMPORTS

    if call.transcript is None:
        raise UsageError("the input of the agent names no session file")
    kind = next((kind for kind in call.agent.importers if kind in IMPORTS), "")
    if not kind:
        raise UsageError(f"this version cannot import sessions of {call.agent.title}")
    return ["import", str(call.transcript), "--from", kind, "--no-embed", "--quiet"]


def start(command: Sequence[str]) -> None:
    """Start a background command at a low priority."""
    with suppress(OSError):
        os.nice(_NICE)  # of this process, which ends now, and so of the command
    null = subprocess.DEVNULL
    subprocess.Popen(
        list(command), cwd="/", start_new_session=True, stdin=null, stdout=null, stderr=null
    )  # fmt: skip
