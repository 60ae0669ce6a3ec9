"""Each campaign for a short time: it ends by itself and finds nothing. Longer: MEMOS_CAMPAIGN_SECONDS=600."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CAMPAIGNS = ("soak", "walls")
SECONDS = os.environ.get("MEMOS_CAMPAIGN_SECONDS", "20")
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_finds_nothing(name: str, tmp_path: Path) -> None:
    script = ROOT / "scripts" / "campaigns" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, script, "--seconds", SECONDS, "--seed", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=float(SECONDS) + 300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}: seed 1" in done.stdout
