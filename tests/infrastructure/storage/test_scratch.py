"""Temporary files are private, and are deleted even if their process was killed."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest
from cli_harness import Shell

from memos_cli.infrastructure.storage import scratch


@pytest.mark.parametrize("runtime", [True, False])
def test_the_text_of_a_killed_edit_is_swept_by_the_next_command(memos: Shell, runtime: bool) -> None:
    (id,) = memos.keep("Owls nest low.")
    run = memos.folder / "run"
    run.mkdir(mode=0o700)
    seen = memos.work / "seen"
    editor = memos.write(
        "editor", '#!/bin/sh\nls -ln "$1" > seen; echo "$1" >> seen; kill -9 $PPID; sleep 0.2\n'
    )
    editor.chmod(0o755)
    env = {"EDITOR": str(editor), **({"XDG_RUNTIME_DIR": str(run)} if runtime else {})}
    memos.terminal("edit", id, env=env, code=-signal.SIGKILL)
    listed, place = seen.read_text().splitlines()
    assert listed.startswith("-rw-------")
    left = Path(place)
    assert left.is_relative_to(run if runtime else memos.vault / "tmp")
    assert left.read_text() == "Owls nest low."
    memos("list", env=env)
    assert not left.parent.exists()


def test_a_folder_in_use_is_not_swept(memos: Shell) -> None:
    with scratch.scratch_folder(memos.vault) as folder:
        (folder / "memory.txt").touch(0o600)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        memos("list")
        memos("check")
        memos("check", "--repair")
        memos("maintain", "--skip", "embed")
        assert (folder / "memory.txt").exists()
    assert not folder.exists()


def test_a_runtime_folder_that_others_read_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "run").mkdir(mode=0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    with scratch.scratch_folder(tmp_path) as folder:
        assert folder.parent == tmp_path / "tmp"


def test_no_import_of_standard_input_leaves_a_file(memos: Shell) -> None:
    memos("import", "-", "--no-embed", stdin=b'{"content": "Owls nest low."}\n{"content": "Bats hang."}\n')
    assert list((memos.vault / "tmp").iterdir()) == []
