"""Output files: pipes and devices are written to, files replaced, and never inside a vault."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from cli_harness import Shell

from memos_cli.errors import UsageError
from memos_cli.files import write_output


@pytest.mark.parametrize(
    "name", ["../vault/memos.db", "../vault/blobs/x", "link/new", "here/VAULT.toml", "hard"]
)
def test_no_output_goes_into_a_vault(memos: Shell, name: str) -> None:
    memos.keep("Owls nest low.")
    (memos.work / "link").symlink_to(memos.vault / "tmp")
    (memos.work / "here").symlink_to(memos.vault)
    (memos.work / "hard").symlink_to("here/../vault/../vault/lock")
    before = {
        path: path.read_bytes() for path in memos.vault.rglob("*") if path.is_file() and path.suffix != ".db"
    }
    for command in (("export", "-o", name), ("export", "--format", "markdown", "-o", str(memos.work / name))):
        assert "inside the vault" in memos(*command, code=2).err
    assert {path: path.read_bytes() for path in before} == before
    assert memos("list", "--json").record["text"] == "Owls nest low."


def test_no_publication_goes_into_a_vault(memos: Shell) -> None:
    memos.keep("Owls nest low.", options=("--tag", "owls"))
    memos("key", "new")
    for place in (memos.vault, memos.vault / "blobs", "../vault/tmp"):
        said = memos("publish", "owls", "--tag", "owls", "--to", place, "--yes", code=2).err
        assert "inside the vault" in said


def test_a_hard_link_to_a_vault_file_is_replaced(memos: Shell) -> None:
    memos.keep("Owls nest low.")
    os.link(memos.vault / "memos.db", memos.work / "hard")
    memos("export", "-o", "hard")
    assert (memos.work / "hard").stat().st_nlink == 1
    assert memos("list", "--json").record["text"] == "Owls nest low."


def test_a_pipe_is_written_to(memos: Shell) -> None:
    memos.keep("Owls nest low.")
    pipe = memos.work / "pipe"
    os.mkfifo(pipe)
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()))
    reader.start()
    memos("export", "--format", "jsonl", "-o", "pipe")
    reader.join(10)
    assert b"Owls nest low." in came[0]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_links_are_followed(memos: Shell) -> None:
    memos.keep("Owls nest low.")
    (memos.work / "deep").mkdir()
    (memos.work / "deep" / "old").write_text("old")
    for name, target in (("one", "deep/old"), ("two", "deep/new"), ("three", "one")):
        (memos.work / name).symlink_to(target)
        memos("export", "--format", "jsonl", "-o", name)
        assert (memos.work / name).is_symlink()
        assert (
            b"Owls"
            in (memos.work / "deep" / Path(target).name if "/" in target else memos.work / name).read_bytes()
        )


def test_devices_stay_and_folders_are_refused(tmp_path: Path) -> None:
    device = tmp_path / "null"
    device.symlink_to(os.devnull)
    write_output(device, b"data")
    assert stat.S_ISCHR(device.stat().st_mode)
    assert device.is_symlink()
    with pytest.raises(UsageError, match="a folder"):
        write_output(tmp_path, b"data")
