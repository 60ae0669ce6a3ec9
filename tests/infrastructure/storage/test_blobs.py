"""Blobs: named by their bytes, whole, and verified when they are read."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memos_cli.errors import Damaged
from memos_cli.infrastructure.storage.blobs import Blobs, piece_digests


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs", tmp_path / "tmp")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.binary(max_size=200))
def test_bytes_come_back_as_they_were_put(blobs: Blobs, data: bytes) -> None:
    name = blobs.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert blobs.get(name) == data
    assert blobs.intact(name)


def test_a_blob_is_private_and_lies_where_its_name_says(blobs: Blobs, tmp_path: Path) -> None:
    name = blobs.put(b"bytes")
    path = tmp_path / "blobs" / name[:2] / name
    assert path.read_bytes() == b"bytes"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not list((tmp_path / "tmp").iterdir())


def test_the_same_bytes_are_kept_once(blobs: Blobs) -> None:
    name = blobs.put(b"bytes")
    before = blobs.path(name).stat()
    assert blobs.put(b"bytes") == name
    assert blobs.path(name).stat().st_ino == before.st_ino
    assert list(blobs.names()) == [name]


@pytest.mark.parametrize("damage", [b"", b"byteS", b"bytes and more"])
def test_damaged_bytes_are_never_given_out_and_putting_them_again_mends_the_blob(
    blobs: Blobs, damage: bytes
) -> None:
    name = blobs.put(b"bytes")
    blobs.path(name).write_bytes(damage)
    assert not blobs.intact(name)
    with pytest.raises(Damaged, match=name):
        blobs.get(name)
    blobs.put(b"bytes")
    assert blobs.get(name) == b"bytes"


def test_a_missing_blob_says_which(blobs: Blobs) -> None:
    name = blobs.put(b"bytes")
    blobs.remove(name)
    blobs.remove(name)
    assert not blobs.intact(name)
    with pytest.raises(Damaged, match=f"{name} is missing"):
        blobs.get(name)


# --- large blobs: read and hashed at once ----------------------------------------------------------

PIECE = 1 << 20


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7])
def test_a_large_blob_comes_back_writable_and_as_it_was_put(blobs: Blobs, size: int) -> None:
    data = random.Random(size).randbytes(size)
    name = blobs.put(memoryview(data))
    read = blobs.read(name, size, piece_digests(data))
    assert read == data
    assert (read.nbytes, read.format, read.readonly) == (size, "B", False)
    read[: min(size, 8)] = bytes(min(size, 8))  # what is done to the copy is not done to the blob
    assert blobs.read(name, size, piece_digests(data)) == data
    assert blobs.get(name) == data


def test_no_flipped_bit_is_read(blobs: Blobs) -> None:
    data = random.Random(1).randbytes(16)
    name = blobs.put(data)
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        blobs.path(name).write_bytes(changed)
        with pytest.raises(Damaged, match=f"{name} is damaged"):
            blobs.read(name, len(data), piece_digests(data))
    blobs.path(name).write_bytes(data)
    assert blobs.read(name, len(data), piece_digests(data)) == data


@pytest.mark.parametrize("at", [0, PIECE - 1, PIECE, 2 * PIECE - 1, 2 * PIECE, 2 * PIECE + 99])
def test_a_flipped_bit_is_found_in_every_piece(blobs: Blobs, at: int) -> None:
    data = random.Random(2).randbytes(2 * PIECE + 100)
    name = blobs.put(data)
    blobs.path(name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(Damaged, match=f"{name} is damaged"):
        blobs.read(name, len(data), piece_digests(data))


def test_swapped_pieces_are_found(blobs: Blobs) -> None:
    one, two = (random.Random(seed).randbytes(PIECE) for seed in (1, 2))
    name = blobs.put(one + two)
    blobs.path(name).write_bytes(two + one)
    with pytest.raises(Damaged, match=f"{name} is damaged"):
        blobs.read(name, 2 * PIECE, piece_digests(one + two))


@pytest.mark.parametrize("size", [40, PIECE, PIECE + 1])
def test_another_length_is_refused_whoever_is_right(blobs: Blobs, size: int) -> None:
    data = random.Random(3).randbytes(size)
    name = blobs.put(data)
    for wrong in (0, 1, size - 1, size + 1, 2 * size):
        with pytest.raises(Damaged, match=f"{name} has another length"):
            blobs.read(name, wrong, piece_digests(data))
    for length in {*range(min(size, 40)), size // 2, size - 1}:
        blobs.path(name).write_bytes(data[:length])
        with pytest.raises(Damaged, match=f"{name} has another length"):
            blobs.read(name, size, piece_digests(data))
        with pytest.raises(Damaged, match=f"{name} is damaged"):
            blobs.read(name, length, piece_digests(data))  # not even where the row is wrong in the same way
    blobs.path(name).write_bytes(data + b"\0")
    with pytest.raises(Damaged, match=f"{name} has another length"):
        blobs.read(name, size, piece_digests(data))
    with pytest.raises(Damaged, match=f"{name} is damaged"):
        blobs.read(name, size + 1, piece_digests(data))


def test_what_is_not_a_file_of_the_vault_is_not_read(blobs: Blobs, tmp_path: Path) -> None:
    data = b"the right bytes, but elsewhere"
    name = blobs.put(data)
    path = blobs.path(name)
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(Damaged, match=f"{name} is missing"):
        blobs.read(name, len(data), piece_digests(data))
    path.symlink_to(tmp_path / "elsewhere")
    assert not blobs.intact(name)
    with pytest.raises(Damaged, match=f"{name} cannot be read"):
        blobs.get(name)
    with pytest.raises(Damaged, match=f"{name} cannot be read"):
        blobs.read(name, len(data), piece_digests(data))
    path.unlink()
    path.mkdir()
    with pytest.raises(Damaged, match=f"{name} cannot be read"):
        blobs.read(name, path.stat().st_size, piece_digests(data))


def test_a_failing_disk_is_a_damaged_blob(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, buffers: Sequence[memoryview], at: int) -> int:
        if at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return preadv(descriptor, buffers, at)

    name, preadv = blobs.put(bytes(2 * PIECE)), os.preadv
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(Damaged, match=f"{name} cannot be read: Input/output error"):
        blobs.read(name, 2 * PIECE, piece_digests(bytes(2 * PIECE)))


def test_a_problem_is_told_without_reading(blobs: Blobs) -> None:
    name = blobs.put(b"bytes")
    assert blobs.problem(name, 5) == ""
    assert blobs.problem(name, 4) == blobs.problem(name, 6) == "blob of another length"
    blobs.path(name).write_bytes(b"byteS")
    assert blobs.problem(name, 5) == ""  # to see this takes reading it
    blobs.path(name).write_bytes(b"byte")
    assert blobs.problem(name, 5) == "blob of another length"
    blobs.remove(name)
    assert blobs.problem(name, 5) == "blob missing"
