"""Pipes, endless and damaged files: reported at once, in bounded memory, without blocking."""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from cli_harness import Shell, with_models
from tiny_models import write_model

from memos_cli.errors import Damaged, ModelUnfit
from memos_cli.files import read_part, read_small
from memos_cli.infrastructure.vectors.vector_snapshots import Snapshots
from memos_cli.models.gguf.gguf_header import read_header
from memos_cli.moments import format_time, utc


def hostile(shell: Shell, kind: str) -> Path:
    """A pipe that nobody writes to, a device without an end, a file without one, a folder."""
    path = shell.work / kind
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "long":
            with path.open("wb") as file:
                file.truncate(1 << 40)
        case "folder":
            path.mkdir()
    path.chmod(0o600) if kind in ("pipe", "long") else None
    return path


KINDS = ("pipe", "device", "long", "folder")


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_read_from_a_file_of_sensible_length(memos: Shell, kind: str) -> None:
    said = memos.process("list", env={"MEMOS_CONFIG": str(hostile(memos, kind))}, code=2).err
    assert kind in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_read_from_a_file_of_sensible_length(shell: Shell, kind: str) -> None:
    shell("init", "--encrypt", "--key-file", "k", env={"MEMOS_EMBEDDER": "/nowhere"})
    path = hostile(shell, kind)
    assert kind in shell.process("list", env={"MEMOS_KEY_FILE": str(path)}, code=14).err
    said = shell.process("init", "--encrypt", "--key-file", path, "--vault", shell.folder / "new", code=14)
    assert kind in said.err


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_of_vault_toml_is_bounded(memos: Shell, kind: str) -> None:
    text = (memos.vault / "VAULT.toml").read_bytes()
    (memos.vault / "VAULT.toml").unlink()
    hostile(memos, kind).rename(memos.vault / "VAULT.toml")
    memos.process("list", code=14 if kind == "device" else 1)  # a link is refused before it is followed
    path = memos.vault / "VAULT.toml"
    path.rmdir() if kind == "folder" else path.unlink()
    path.write_bytes(text)
    path.chmod(0o600)


@pytest.mark.parametrize("kind", KINDS)
def test_ignore_files_models_and_identities_are_bounded(memos: Shell, kind: str) -> None:
    (memos.work / "notes").mkdir()
    (memos.work / "notes" / "a.txt").write_text("Owls nest low.")
    hostile(memos, kind).rename(memos.work / "notes" / ".gitignore")
    memos.process("ingest", "notes", "--no-embed")
    assert memos("list", "--json").record["text"] == "Owls nest low."
    with pytest.raises(ModelUnfit):
        read_header(memos.work / "notes" / ".gitignore")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "long"])
@pytest.mark.parametrize(("start", "end"), [(0, 1 << 40), (0, 8), (1 << 40, 1 << 41)])
def test_a_hostile_span_is_not_read(memos: Shell, kind: str, start: int, end: int) -> None:
    (id,) = memos.keep("Owls nest low.")
    path = hostile(memos, kind)
    if kind == "long":
        path.write_bytes(b"short")
    with closing(sqlite3.connect(memos.vault / "memos.db")) as db:
        db.execute("UPDATE source SET uri = ?, kind = 'text'", (path.as_uri(),))
        db.execute("UPDATE place SET start = ?, end = ?", (start, end))
        db.commit()
    places = memos.process("show", id, "--json").record["places"]
    assert {place["reads"] for place in places} <= {"changed", "unreadable"}
    with closing(sqlite3.connect(memos.vault / "memos.db")) as db:
        db.execute("DELETE FROM place")
        db.commit()


def test_a_part_beyond_the_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_part(path, 2, 5) == b"234"
    for start, end in ((-1, 3), (5, 4), (3, 11), (0, 1 << 62)):
        assert read_part(path, start, end) == b""
    assert read_small(path, 10) == b"0123456789"
    with pytest.raises(OSError, match="larger"):
        read_small(path, 9)


@pytest.mark.parametrize("time", [-(1 << 62), -99_999_999_999_999, 1 << 62, 253_402_300_800_000])
def test_a_time_beyond_all_years_is_damage(memos: Shell, time: int) -> None:
    for read in (utc, format_time):
        with pytest.raises(Damaged, match="not a time in the years"):
            read(time)
    (id,) = memos.keep("Owls nest low.")
    with closing(sqlite3.connect(memos.vault / "memos.db")) as db:
        db.execute("UPDATE cube SET time = ?, created = ?", (time, time))
        db.commit()
    for command in (f"show {id}", "list", "search owls", f"history {id}", "export", f"edit {id} --text x"):
        process = memos.start(*command.split())
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, 12), (command, err)
        assert b"internal error" not in err
    assert "row-damaged" in memos("check", "--json", code=1).out
    with closing(sqlite3.connect(memos.vault / "memos.db")) as db:
        db.execute("UPDATE cube SET time = NULL, created = 1700000000000")
        db.commit()


def test_an_unexpected_value_in_a_damaged_vault_is_damage(memos: Shell) -> None:
    (id,) = memos.keep("Owls nest low.")
    for value, code in (("warm", 12), (0.0, 0)):
        with closing(sqlite3.connect(memos.vault / "memos.db")) as db:
            db.execute("UPDATE cube SET hits = 1, last_hit = 1, heat = ?", (value,))
            db.commit()
        said = memos("stats", code=code).err
        assert "internal error" not in said
        assert ("is damaged" in said) == bool(code)
    with closing(sqlite3.connect(memos.vault / "memos.db")) as db:
        db.execute("UPDATE cube SET hits = 0, last_hit = NULL")
        db.commit()
    assert memos.ids() == {id}


@with_models
def test_a_vocabulary_with_two_tokens_alike_is_not_loaded(memos: Shell) -> None:
    """llama.cpp would end the process: exit code 134."""
    model = write_model(memos.folder / "tiny.gguf", "llama", context=512)
    data = model.read_bytes()
    assert b"<s>" in data
    model.write_bytes(data.replace(b"<unk>", b"<s>\0x", 1))
    memos.keep("Owls nest low.")
    said = memos.process("query", "Where do owls nest?", "--model", model, "--text", code=15).err
    assert "the same" in said


@pytest.mark.parametrize(
    ("architecture", "key", "value"),
    [
        ("qwen2", "block_count", 0),
        ("llama", "block_count", 65_535),
        ("mamba", "block_count", 0),
        ("qwen2", "attention.head_count", 2),
        ("lfm2", "attention.head_count", 8),
        ("phi3", "attention.head_count_kv", 3),
        ("qwen2", "attention.key_length", 31),
        ("qwen2", "attention.key_length", 1 << 20),
        ("gemma", "attention.value_length", 64),
        ("qwen3", "rope.dimension_count", 16),
        ("phi3", "rope.dimension_count", 31),
        ("lfm2", "rope.dimension_count", 0),
        ("gemma3", "attention.sliding_window_pattern", 1),
        ("llama", "attention.layer_norm_rms_epsilon", -1.0),
        ("qwen2", "attention.layer_norm_rms_epsilon", float("nan")),
    ],
)
def test_a_model_whose_sizes_disagree_is_refused(
    tmp_path: Path, architecture: str, key: str, value: float
) -> None:
    """llama.cpp would end the process, or not end at all."""
    model = write_model(tmp_path / "tiny.gguf", architecture, context=512)
    read_header(model)
    data = bytearray(model.read_bytes())
    name = f"{architecture}.{key}".encode()
    at = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
    data[at : at + 4] = struct.pack("<f" if isinstance(value, float) else "<I", value)
    model.write_bytes(data)
    with pytest.raises(ModelUnfit, match="not a usable GGUF file"):
        read_header(model)


def test_a_vocabulary_without_a_token_for_some_byte_is_refused(tmp_path: Path) -> None:
    """llama.cpp would end the process at the first text with that byte."""
    model = write_model(tmp_path / "tiny.gguf", "phi3", context=512)
    model.write_bytes(model.read_bytes().replace(b"<0x63>", b"80x63>", 1))
    with pytest.raises(ModelUnfit, match="no token for some byte"):
        read_header(model)


@pytest.mark.parametrize("architecture", ["llada-moe", "paddleocr", "smallthinker"])
def test_a_model_of_another_architecture_than_it_says_is_refused(tmp_path: Path, architecture: str) -> None:
    """llama.cpp would end the process."""
    data = write_model(tmp_path / "tiny.gguf", "llama", context=512).read_bytes()
    length, named = struct.pack("<Q", len("llama")), struct.pack("<Q", len(architecture))
    data = data.replace(length + b"llama", named + architecture.encode(), 1)
    (tmp_path / "tiny.gguf").write_bytes(data)
    with pytest.raises(ModelUnfit, match=f"it has no {architecture}"):
        read_header(tmp_path / "tiny.gguf")


def test_a_pipe_in_place_of_an_index_or_a_publication_is_not_waited_for(memos: Shell) -> None:
    index = memos.vault / "index" / "vectors-1.bin"
    os.mkfifo(index, 0o600)
    assert Snapshots(memos.vault / "index").read(1) is None
    index.unlink()
    (memos.work / "feed").mkdir()
    os.mkfifo(memos.work / "feed" / "index.jsonl")
    said = memos.process("subscribe", "feed", "--trust", code=1).err
    assert "not a regular file" in said


@pytest.mark.parametrize("command", ["ingest", "import"])
def test_a_pipe_is_no_source(memos: Shell, command: str) -> None:
    hostile(memos, "pipe")
    (memos.work / "folder").mkdir()
    (memos.work / "pipe").rename(memos.work / "folder" / "pipe.md")
    (memos.work / "folder" / "a.md").write_text("Owls nest low.")
    process = memos.start(command, "folder/pipe.md", "--no-embed")
    assert b"pipe.md" in process.communicate(timeout=60)[1]
    assert process.returncode in (1, 2, 3)
    memos.process(command, "folder", "--no-embed")
    assert memos("list", "--json").record["text"] == "Owls nest low."


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("query owls --model FILE", 15), ("embed --embedder FILE", 15), ("import FILE", 2),
        ("import sealed --identity FILE", 14),
    ],
)  # fmt: skip
def test_a_pipe_or_device_in_an_option_is_refused(memos: Shell, kind: str, command: str, code: int) -> None:
    memos.keep("Owls nest low.")
    path = hostile(memos, kind)
    memos.write("sealed", "age-encryption.org/v1\n")
    parts = [str(path) if part == "FILE" else part for part in command.split()]
    said = memos.process(*parts, code=code).err
    assert any(word in said for word in (kind, "FIFO", "/dev/zero")), said
    assert "internal error" not in said
