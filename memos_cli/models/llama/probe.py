"""Load llama.cpp in a separate process and report its version: a library for another processor ends only that
process.

``python -m memos_cli.models.llama.probe`` prints the report as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from memos_cli.errors import ModelUnfit

_TIMEOUT = 20.0
"""Seconds until a library that does not answer counts as broken."""


def start_probe() -> subprocess.Popen[bytes]:
    """Start the process. Read it with ``read_probe``."""
    # The modules of this process, and never those of the current folder (-P).
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def read_probe(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return the report: library, build, features, devices. Raises ModelUnfit if llama.cpp cannot be used."""
    from memos_cli.models.llama.llama import repair_hint

    try:
        out, _ = process.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise ModelUnfit(f"llama.cpp did not load in {_TIMEOUT:g} seconds", repair_hint()) from None
    try:
        found = json.loads(out)
    except ValueError:
        code = process.returncode
        end = signal.strsignal(-code) if code < 0 else f"exit code {code}"
        raise ModelUnfit(f"llama.cpp ends the process that loads it: {end}", repair_hint()) from None
    if not isinstance(found, dict) or "error" in found:
        raise ModelUnfit(str(found["error"]), str(found["hint"]))
    return found


def _report() -> dict[str, str]:
    from memos_cli.models.llama import llama

    try:
        bindings = llama.load()
        return {
            "library": str(bindings._lib._name),
            "build": llama.build(),
            "features": llama.features(),
            "devices": llama.devices(),
        }
    except ModelUnfit as error:
        return {"error": str(error), "hint": error.hint}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_report()))
