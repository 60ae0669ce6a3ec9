"""The campaigns run, and find nothing: scripts/campaigns."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from command import REPOSITORY

CAMPAIGNS = ("flips", "imports")
SECONDS = os.environ.get("MEMOS_CAMPAIGN_SECONDS", "20")


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_finds_nothing(name: str) -> None:
    script = REPOSITORY / "scripts" / "campaigns" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, script, "--seconds", SECONDS, "--seed", "1"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "0 found" in done.stdout
