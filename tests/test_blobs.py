"""Blobs: named by their bytes, whole, and verified when they are read."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memos_cli.errors import Damaged
from memos_cli.infrastructure.blobs import Blobs


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
