"""The campaigns of scripts/campaigns find nothing; each runs for MEMOS_CAMPAIGN_SECONDS, by default 5."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_harness import REPOSITORY

CAMPAIGNS = ["kills", "faults", "flips", "imports", "soak", "walls", "agents"]


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_finds_nothing(name: str, tmp_path: Path) -> None:
    seconds = os.environ.get("MEMOS_CAMPAIGN_SECONDS", "5")
    script = REPOSITORY / "scripts" / "campaigns" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, script, "--seconds", seconds, "--seed", "1"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=float(seconds) + 600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 found" in done.stdout or "skipped" in done.stdout
