"""After a power cut at any moment, what was acknowledged is there, and the command can be run again."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from cli_harness import REPOSITORY, has_models

CAMPAIGNS = REPOSITORY / "scripts" / "campaigns"
STATES = int(os.environ.get("POWER_CUT_STATES", "4"))
"""Disk states of each command that are tried; ``scripts/campaigns/powercut.py`` tries all of them."""
with_compiler = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler"
)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CAMPAIGNS / f"{name}.py")
    assert spec and spec.loader
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


disk_states = load("disk_states")

PLAIN = (
    "ingest", "ingest-document", "import", "import-bundle", "export-elsewhere", "publish", "publish-again",
    "subscribe", "key-new", "init", "forget", "edit", "view",
)  # fmt: skip
WITH_MODELS = ("promote", "promote-again", "forget-state", "maintain")
ENCRYPTED = ("init-encrypted", "ingest-encrypted")


def cut_power(*commands: str) -> str:
    """Try some disk states of each command. Returns what the campaign has printed."""
    script = [CAMPAIGNS / "powercut.py", "--count", str(STATES * len(commands)), "--seconds", "120"]
    done = subprocess.run(
        [sys.executable, *script, *commands], capture_output=True, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@with_compiler
def test_nothing_acknowledged_is_lost() -> None:
    assert f"tries\t{STATES * len(PLAIN)}\n" in cut_power(*PLAIN)


@with_compiler
@pytest.mark.skipif(not has_models(), reason="the embedded models are not installed")
def test_states_of_models_last() -> None:
    cut_power(*WITH_MODELS)


@with_compiler
@pytest.mark.skipif(not importlib.util.find_spec("sqlcipher3"), reason="sqlcipher3 is not installed")
def test_encrypted_vaults_and_their_keys_last() -> None:
    cut_power(*ENCRYPTED)


# --- the model of a disk ---------------------------------------------------------------------------------

WRITE = "f = open('a', 'wb'); f.write(b'new'); f.flush()\n"
SYNC = "os.fsync(f.fileno())\n"
FOLDER = "d = os.open('.', os.O_RDONLY); os.fsync(d)\n"
RENAME = "f = open('t', 'wb'); f.write(b'new'); f.flush()\n{}os.rename('t', 'a')\n"
LEFT = (  # a program; what can be in the file "a" after it: None for no file
    (WRITE, {None, b"", b"new", b"\0\0\0"}),
    (WRITE + SYNC, {None, b"new"}),
    (WRITE + FOLDER, {b"", b"new", b"\0\0\0"}),
    (WRITE + SYNC + FOLDER, {b"new"}),
    (RENAME.format(""), {None, b"", b"new", b"\0\0\0"}),
    (RENAME.format(SYNC), {None, b"new"}),
    (RENAME.format(SYNC) + FOLDER, {b"new"}),
    (WRITE + SYNC + FOLDER + "os.remove('a')\n", {None, b"new"}),
    (WRITE + SYNC + FOLDER + "os.remove('a')\n" + FOLDER, {None}),
    (WRITE + SYNC + FOLDER + "os.ftruncate(f.fileno(), 1)\n", {b"n", b"new"}),
    (WRITE + SYNC + FOLDER + "os.pwrite(f.fileno(), b'!', 1)\n", {b"n!w", b"new", b"n\0w"}),
    ("os.mkdir('a')\n" + WRITE.replace("'a'", "'a/b'") + SYNC, {None}),
    (WRITE + SYNC + "import shutil; shutil.copy('a', 'b')\n" + FOLDER, {b"new"}),
)  # fmt: skip


@with_compiler
def test_the_disk_states_of_small_programs(tmp_path: Path) -> None:
    library = disk_states.build(tmp_path)
    for number, (program, wanted) in enumerate(LEFT):
        root = tmp_path / f"root{number}"
        root.mkdir()
        disk = disk_states.Disk(root)
        command = ["-c", f"import os\n{program}"]
        log = tmp_path / f"log{number}"
        subprocess.run(
            [sys.executable, *command], cwd=root, env=disk_states.preload(library, root, log), check=True
        )
        for event in disk_states.read_log(log):
            disk.run(event)
        assert disk.files(disk.full()) == disk_states.snapshot(root), program
        assert {disk.files(state).get("a") for state in disk.states()} == wanted, program
