"""Receipts of slot files: what they may name, and that a file goes with its receipt. No server runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from vault_harness import NOW, WHO, keep, keep_state

from memos_cli.infrastructure.memories import forgetting
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.slot_files import Receipt, delete_file, digest_file, read_receipt, write_receipt

NAME = f"memos-{'0a' * 16}.bin"
SERVER = "http://127.0.0.1:8080"


def receipt(folder: Path | str, name: str = NAME) -> bytes:
    return write_receipt(Receipt(name, SERVER, str(folder), 64, 5, ""))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("../passwd", "/tmp"), ("a.bin", "/tmp"), (f"x/{NAME}", "/tmp"), (NAME + "\n", "/tmp"), ("", "/tmp"),
        (NAME.upper(), "/tmp"), (NAME, "relative"), (NAME, "~/slots"), (f"{NAME}/../x", "/tmp"),
    ],
)  # fmt: skip
def test_a_receipt_names_only_files_of_memos(name: str, folder: str) -> None:
    assert read_receipt(receipt(folder, name)) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff" * 9, b'{"slot_file": 1}', b"x" * 5000])
def test_other_blobs_are_no_receipts(data: bytes) -> None:
    assert read_receipt(data) is None


def test_only_plain_files_are_deleted(tmp_path: Path) -> None:
    known = read_receipt(receipt(tmp_path))
    assert known is not None
    path = tmp_path / NAME
    assert delete_file(known) == "", "it is gone already"
    path.write_bytes(b"state")
    assert delete_file(known) == "" and not path.exists()
    path.mkdir()
    assert delete_file(known) == str(path) and path.is_dir()
    path.rmdir()
    path.symlink_to(tmp_path / "other")
    (tmp_path / "other").write_bytes(b"kept")
    assert delete_file(known) == str(path) and (tmp_path / "other").exists()
    path.unlink()
    os.mkfifo(path)
    assert digest_file(tmp_path, NAME) == ""
    assert delete_file(known) == str(path)
    unknown, gone = read_receipt(receipt("")), read_receipt(receipt(tmp_path / "gone"))
    assert unknown and gone
    for each in (unknown, gone):
        assert delete_file(each) == f"{NAME} in the folder of {SERVER}"


def promote(vault: Vault, folder: Path) -> tuple[int, Path]:
    """Store a memory and a state of it whose blob is a receipt of a file; return the memory and the file."""
    (folder / NAME).write_bytes(b"state")
    (kept,) = keep(vault, "The harbour lantern is lit at dusk.")
    keep_state(vault, kept.cube, content=receipt(folder))
    return kept.cube, folder / NAME


def test_a_forgotten_memory_takes_the_file_along(vault: Vault, tmp_path: Path) -> None:
    cube, file = promote(vault, tmp_path)
    with vault.blob_changes() as blobs, vault.change(WHO, NOW) as change:
        blobs.update(forgetting.forget(change, cube))
    assert not file.exists() and vault.remaining == []


def test_what_cannot_be_deleted_is_named(vault: Vault, tmp_path: Path) -> None:
    cube, file = promote(vault, tmp_path)
    file.unlink()
    file.mkdir()
    with vault.blob_changes() as blobs, vault.change(WHO, NOW) as change:
        blobs.update(forgetting.forget(change, cube))
    assert vault.remaining == [str(file)]


def test_a_file_that_another_state_uses_stays(vault: Vault, tmp_path: Path) -> None:
    cube, file = promote(vault, tmp_path)
    (other,) = keep(vault, "The harbour wall was raised.", uri="file:///other.md")
    keep_state(vault, other.cube, content=receipt(tmp_path) + b" ")
    with vault.blob_changes() as blobs, vault.change(WHO, NOW) as change:
        blobs.update(forgetting.forget(change, cube))
    assert file.exists()
    with vault.blob_changes() as blobs, vault.change(WHO, NOW) as change:
        blobs.update(forgetting.forget(change, other.cube))
    assert not file.exists()


def test_a_repair_deletes_the_file_of_an_orphan(vault: Vault, tmp_path: Path) -> None:
    """As a kill between the commit and the deletion of the blob leaves it."""
    cube, file = promote(vault, tmp_path)
    with vault.change(WHO, NOW) as change:
        forgetting.forget(change, cube)
    assert file.exists()
    found = check.examine(vault.folder, timeout=5.0)
    assert [each.what for each in found] == ["blob-orphan"]
    check.repair(vault, found, principal=WHO, now=NOW)
    assert not file.exists()
