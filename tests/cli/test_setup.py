"""``scripts/setup``: what it does where no wheel of llama-cpp-python runs, and nothing can be downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cli_harness import REPOSITORY

NAME = "llama_cpp_python-0.3.36"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What ``scripts/setup`` reads of the repository, and a folder with a wheel that has no library."""
    copy = tmp_path / "copy"
    (copy / "scripts").mkdir(parents=True)
    for name in ("scripts/setup", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, copy / name)
    (copy / "memos_cli").symlink_to(REPOSITORY / "memos_cli")
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / f"{NAME}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("llama_cpp/__init__.py", "")
        wheel.writestr("llama_cpp/llama_cpp.py", "raise OSError('this library is for another processor')")
        wheel.writestr(
            f"{NAME}.dist-info/METADATA", "Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.3.36\n"
        )
        wheel.writestr(
            f"{NAME}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{NAME}.dist-info/RECORD", "")
    return copy


def test_a_wheel_that_does_not_run_is_removed_and_no_foreign_library_is_taken(copy: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))},
        "MEMOS_PYTHON": sys.executable, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1",
        "PIP_CACHE_DIR": str(copy.parent / "cache"), "LLAMA_CPP_LIB_PATH": str(copy),
    }  # fmt: skip
    run = subprocess.run(
        ["bash", copy / "scripts" / "setup"],
        env={**environment, "PIP_FIND_LINKS": str(copy.parent / "wheels")},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert run.returncode == 1
    said = [line.strip() for line in run.stderr.splitlines()]
    steps = [
        "llama-cpp-python: the wheel does not run here, and is removed",
        f"LLAMA_CPP_LIB_PATH: there is no libllama.so in {copy}",
    ]
    assert [line for line in said if line in steps] == steps
    assert "building it needs a C++ compiler and cmake" in run.stderr
    assert not [*(copy / ".venv").glob("lib/*/site-packages/llama_cpp*")]
    assert not (copy / ".venv" / "setup.stamp").exists()
