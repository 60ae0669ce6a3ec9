"""The file of an adapter: what is written is read, and nothing unsound reaches llama.cpp."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import TRAINABLE, draw_adapter, write_adapter, write_model

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.adapter_format import adapter_bytes, check_adapter, read_adapter, read_matrices
from memos_cli.models.gguf.gguf_header import GgufHeader, read_header
from memos_cli.models.llama.llama_engine import Engine

F32, F16, Q8_0, BF16, Q4_0 = 0, 1, 8, 30, 2
BASE = "blk.0.ffn_up.weight"
"""128 → 64 numbers."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "llama.gguf", "llama")


@pytest.fixture(scope="module")
def header(base: Path) -> GgufHeader:
    return read_header(base)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def string(value: str) -> tuple[int, bytes]:
    return 8, text(value)


Tensor = tuple[str, tuple[int, ...], int, int]
"""Name, dimensions, type, offset."""

VALUES: dict[str, tuple[int, bytes]] = {
    "general.architecture": string("llama"),
    "general.type": string("adapter"),
    "adapter.type": string("lora"),
    "adapter.lora.alpha": (6, struct.pack("<f", 8.0)),
}
PAIR: list[Tensor] = [(f"{BASE}.lora_a", (128, 4), F32, 0), (f"{BASE}.lora_b", (4, 64), F32, 2048)]


def build(
    values: dict[str, tuple[int, bytes]] | None = None, tensors: list[Tensor] | None = None, size: int = 3072
) -> bytes:
    """An adapter's file byte by byte: sound, but for what is given. The tensors' bytes are zeros."""
    values, tensors = {**VALUES, **(values or {})}, PAIR if tensors is None else tensors
    data = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    for key, (kind, value) in values.items():
        data += text(key) + struct.pack("<I", kind) + value
    for name, dimensions, kind, offset in tensors:
        data += text(name) + struct.pack("<I", len(dimensions))
        data += struct.pack(f"<{len(dimensions)}QIQ", *dimensions, kind, offset)
    return data + bytes(-len(data) % 32) + bytes(size)


def put(folder: Path, data: bytes) -> Path:
    (folder / "adapter.gguf").write_bytes(data)
    return folder / "adapter.gguf"


# --- writing and reading ---------------------------------------------------------------------------


@pytest.mark.parametrize("family", TRAINABLE)
def test_what_is_written_is_read(tmp_path: Path, family: str) -> None:
    model = write_model(tmp_path / "m.gguf", family)
    matrices = draw_adapter(model)
    extra = {"base": "ab" * 32, "sources": "01ABC 01DEF", "note": "Größe\n😀"}
    options = {"architecture": family, "alpha": 16.5, "name": "birds", "extra": extra}
    path = put(tmp_path, adapter_bytes(matrices, **options))  # type: ignore[arg-type]
    adapter = check_adapter(path, read_header(model))
    assert adapter == read_adapter(path)
    assert (adapter.architecture, adapter.name, adapter.alpha, adapter.rank) == (family, "birds", 16.5, 4)
    assert adapter.extra == extra
    assert set(adapter.matrices) == set(matrices)
    found = read_matrices(path)
    assert found.keys() == matrices.keys()
    for name, pair in matrices.items():
        for mine, other in zip(found[name], pair, strict=True):
            assert mine.dtype == np.float32
            assert np.array_equal(mine, other)


def test_the_same_adapter_gives_the_same_bytes(base: Path) -> None:
    matrices = draw_adapter(base)
    options = {"architecture": "llama", "alpha": 8.0, "name": "a"}
    first = adapter_bytes(matrices, extra={"a": "1", "b": "2"}, **options)  # type: ignore[arg-type]
    turned = dict(reversed([(name, (np.asfortranarray(a), b)) for name, (a, b) in matrices.items()]))
    assert adapter_bytes(turned, extra={"b": "2", "a": "1"}, **options) == first  # type: ignore[arg-type]
    assert adapter_bytes(matrices, extra={}, **options) != first  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0"])
def test_other_types_are_read_as_gguf_reads_them(tmp_path: Path, kind: str) -> None:
    import gguf

    number, random = gguf.GGMLQuantizationType[kind], np.random.default_rng(1)
    matrices = {letter: random.standard_normal((32, 64)).astype(np.float32) for letter in "ab"}
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    raw = {letter: gguf.quantize(matrix, number) for letter, matrix in matrices.items()}
    raw["b"] = gguf.quantize(np.tile(matrices["b"][:, :32], 1), number)
    for letter, data in raw.items():
        writer.add_tensor(f"{BASE}.lora_{letter}", data, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (pair,) = read_matrices(tmp_path / "a.gguf").values()
    for mine, data in zip(pair, raw.values(), strict=True):
        assert np.array_equal(mine, gguf.dequantize(data, number))
    assert read_adapter(tmp_path / "a.gguf").alpha == 0


def test_llama_cpp_takes_what_is_sound(base: Path, header: GgufHeader, tmp_path: Path) -> None:
    path = put(tmp_path, build())
    assert check_adapter(path, header).matrices == (BASE,)
    with Engine(base, context=64, threads=1) as engine:
        for data in (
            build(),
            build({"adapter.alora.invocation_tokens": (9, struct.pack("<IQII", 4, 2, 5, 6))}),
            build({"general.tags": (9, struct.pack("<IQ", 8, 1) + text("memory"))}),
            build({"general.alignment": (4, struct.pack("<I", 64))}, size=4096),
        ):
            engine.unload_adapter(engine.load_adapter(put(tmp_path, data)))


# --- what is refused -------------------------------------------------------------------------------

A, B = PAIR
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "ends in the middle"),
    "no GGUF": (b"PK\x03\x04 a zip of something", "does not start with GGUF"),
    "a model": (build({"general.type": string("model")}), "it is model, not an adapter"),
    "no type": (build({"general.type": (4, struct.pack("<I", 1))}), "it is a model, not an adapter"),
    "another type": (build({"adapter.type": string("ia3")}), "of the type 'ia3'"),
    "a type that is no text": (build({"adapter.type": (7, b"\1")}), "of the type ''"),
    "a strange architecture": (build({"general.architecture": string("qwen2")}), "'qwen2', not 'llama'"),
    "an architecture that is no text": (build({"general.architecture": (6, bytes(4))}), "'', not 'llama'"),
    "alpha as f64": (build({"adapter.lora.alpha": (12, bytes(8))}), "alpha is of the wrong type"),
    "alpha as text": (build({"adapter.lora.alpha": string("8")}), "alpha is of the wrong type"),
    "alpha as a list": (build({"adapter.lora.alpha": (9, struct.pack("<IQf", 6, 1, 8))}), "wrong type"),
    "alpha infinite": (build({"adapter.lora.alpha": (6, struct.pack("<f", math.inf))}), "alpha is inf"),
    "alpha no number": (build({"adapter.lora.alpha": (6, struct.pack("<f", math.nan))}), "alpha is nan"),
    "alignment as u64": (build({"general.alignment": (10, struct.pack("<Q", 32))}), "of the wrong type"),
    "alignment 0": (build({"general.alignment": (4, struct.pack("<I", 0))}), "no power of 2"),
    "alignment 48": (build({"general.alignment": (4, struct.pack("<I", 48))}), "no power of 2"),
    "a value without a name": (build({"": string("x")}), "without a name"),
    "no tensors": (build(tensors=[]), "no tensors"),
    "an unknown suffix": (build(tensors=[A, (f"{BASE}.lora_c", *B[1:])]), "not one of an adapter"),
    "a norm": (build(tensors=[A, B, ("blk.0.attn_norm.weight", (128,), F32, 3072)], size=4096), "not one of"),
    "a suffix alone": (build(tensors=[(".lora_a", *A[1:]), (".lora_b", *B[1:])]), "not one of an adapter"),
    "a long name": (
        build(tensors=[("x" * 60 + ".lora_a", *A[1:]), ("x" * 60 + ".lora_b", *B[1:])]), "not one of an"
    ),
    "a without b": (build(tensors=[A]), "without its partner"),
    "b without a": (build(tensors=[(B[0], B[1], F32, 0)]), "without its partner"),
    "a tensor twice": (build(tensors=[A, A, B]), "a tensor twice"),
    "an unknown type": (build(tensors=[A, (B[0], B[1], Q4_0, 2048)]), "of the type 2"),
    "one dimension": (build(tensors=[A, (B[0], (256,), F32, 2048)]), "no matrix"),
    "three dimensions": (build(tensors=[A, (B[0], (4, 64, 1), F32, 2048)]), "no matrix"),
    "no dimension": (build(tensors=[A, (B[0], (), F32, 2048)]), "no matrix"),
    "five dimensions": (build(tensors=[A, (B[0], (4, 64, 1, 1, 1), F32, 2048)]), "5 dimensions"),
    "no rows": (build(tensors=[A, (B[0], (4, 0), F32, 2048)]), "no matrix"),
    "rows of half a block": (build(tensors=[A, (B[0], (4, 64), Q8_0, 2048)]), "whole blocks"),
    "huge": (build(tensors=[A, (B[0], (4, 1 << 61), F32, 2048)]), "ends before"),
    "so huge that it is small": (build(tensors=[A, (B[0], (1 << 32, 1 << 32), F32, 2048)]), "ends before"),
    "overlapping": (build(tensors=[A, (B[0], B[1], F32, 1024)]), "is not where the tensor before it ends"),
    "the same place": (build(tensors=[A, (B[0], B[1], F32, 0)]), "is not where the tensor before it ends"),
    "a gap": (build(tensors=[A, (B[0], B[1], F32, 2080)], size=4096), "is not where the tensor before it"),
    "an odd offset": (build(tensors=[(A[0], A[1], F32, 1), B], size=4096), "is not where the tensor before"),
    "an offset outside": (build(tensors=[A, (B[0], B[1], F32, 1 << 60)]), "before its last tensor"),
    "cut short": (build(size=3068), "ends before"),
    "ranks that differ": (build(tensors=[A, (B[0], (8, 32), F32, 2048)]), "of different ranks"),
    "another matrix's shape": (
        build(tensors=[(A[0], (64, 4), F32, 0), (B[0], (4, 64), F32, 1024)]), "64 × 64, the model's 64 × 128"
    ),
    "a matrix that the model lacks": (
        build(tensors=[("blk.9.ffn_up.weight.lora_a", *A[1:]), ("blk.9.ffn_up.weight.lora_b", *B[1:])]),
        "no tensor 'blk.9.ffn_up.weight'",
    ),
    "the embedding": (
        build(tensors=[("token_embd.weight.lora_a", *A[1:]), ("token_embd.weight.lora_b", *B[1:])]),
        "no matrix that an adapter may change",
    ),
    "a norm as a matrix": (
        build(tensors=[("blk.0.attn_norm.weight.lora_a", *A[1:]), ("blk.0.attn_norm.weight.lora_b", *B[1:])]),
        "no matrix that an adapter may change",
    ),
    "numbers that are none": (build()[:-4] + struct.pack("<f", math.nan), "no numbers"),
    "many tensors": (b"GGUF" + struct.pack("<IQQ", 3, 1 << 62, 0), "tensors"),
    "many values": (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 62), "metadata pairs"),
    "a long list": (build({"x": (9, struct.pack("<IQ", 4, 1 << 62))}), "items of an array"),
    "lists in lists": (build({"x": (9, struct.pack("<IQ", 9, 1) * 20)}), "nested"),
    "a long text": (build({"x": (8, struct.pack("<Q", 1 << 62))}), "bytes of text"),
    "an unknown kind of value": (build({"x": (77, b"")}), "type 77"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "problem"), REFUSED.values(), ids=REFUSED)
def test_an_unsound_adapter_is_refused_with_the_reason(
    base: Path, header: GgufHeader, tmp_path: Path, data: bytes, problem: str
) -> None:
    path = put(tmp_path, data)
    with pytest.raises(ModelUnfit, match=problem.replace("(", r"\(")) as refused:
        check_adapter(path, header)
    assert str(path) in str(refused.value)
    assert "memos promote" in refused.value.hint
    with Engine(base, context=64, threads=1) as engine, pytest.raises(ModelUnfit):
        engine.load_adapter(path)


def test_the_same_value_twice_is_refused(tmp_path: Path) -> None:
    data = build({"general.typf": string("model")}).replace(b"general.typf", b"general.type")
    with pytest.raises(ModelUnfit, match="twice"):
        read_adapter(put(tmp_path, data))


def test_an_adapter_that_is_not_there_is_refused(tmp_path: Path, header: GgufHeader) -> None:
    for path in (tmp_path / "missing.gguf", tmp_path):
        with pytest.raises(ModelUnfit, match=path.name):
            check_adapter(path, header)


@pytest.mark.parametrize("family", [family for family in TRAINABLE if family != "llama"])
def test_an_adapter_of_another_family_is_refused(tmp_path: Path, header: GgufHeader, family: str) -> None:
    model = write_model(tmp_path / "m.gguf", family)
    path = write_adapter(tmp_path / "a.gguf", model)
    with pytest.raises(ModelUnfit, match=f"'{family}', not 'llama'"):
        check_adapter(path, header)


def test_every_cut_is_refused(base: Path, header: GgufHeader, tmp_path: Path) -> None:
    data = write_adapter(tmp_path / "a.gguf", base).read_bytes()
    start = read_header(tmp_path / "a.gguf").data_start
    lengths = {*range(0, start + 64, 7), *range(start, len(data), 997), len(data) - 1}
    for length in sorted(lengths):
        with pytest.raises(ModelUnfit):
            check_adapter(put(tmp_path, data[:length]), header)


LOAD = """
import sys
from pathlib import Path
from memos_cli.errors import ModelUnfit
from memos_cli.models.llama.llama_engine import Engine
with Engine(Path(sys.argv[1]), context=64, threads=1) as engine:
    loaded = 0
    for path in sorted(Path(sys.argv[2]).iterdir()):
        try:
            adapter = engine.load_adapter(path)
        except ModelUnfit:
            continue
        engine.read([5, 6, 7], adapters=[(adapter, 1.0)])
        engine.unload_adapter(adapter)
        loaded += 1
    print(loaded)
"""


def load_all(base: Path, folder: Path) -> int:
    """How many of the files in ``folder`` llama.cpp was given and took, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(base), str(folder)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
    return int(done.stdout)


def test_a_damaged_adapter_is_loaded_or_refused_but_never_crashes(base: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    folder = tmp_path / "damaged"
    folder.mkdir()
    whole = build(
        {"memos.base": string("abc"), "general.tags": (9, struct.pack("<IQ", 8, 1) + text("memory"))},
        [
            *PAIR,
            ("blk.1.attn_k.weight.lora_a", (128, 2), F16, 3072),
            ("blk.1.attn_k.weight.lora_b", (2, 64), F16, 3584),
        ],
        3840,
    )  # fmt: skip
    start = len(whole) - 3840
    for number in range(500):
        data = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            match random.integers(5):
                case 0:  # a bit
                    data[random.integers(start)] ^= 1 << random.integers(8)
                case 1:  # a byte
                    data[random.integers(start)] = random.integers(256)
                case 2:  # a number
                    at = random.integers(start - 8)
                    value = random.choice([0, 1, 2, 1 << 16, (1 << 31) - 1, (1 << 32) - 1, 1 << 62], 1)[0]
                    data[at : at + 8] = struct.pack("<Q", value)
                case 3:  # a piece gone
                    at = random.integers(start)
                    del data[at : at + random.integers(1, 9)]
                case 4:  # a piece twice
                    at = random.integers(start)
                    data[at:at] = data[at : at + random.integers(1, 40)]
        (folder / f"{number:03}.gguf").write_bytes(data)
    (folder / "whole.gguf").write_bytes(whole)
    assert 1 <= load_all(base, folder) < 400


@given(st.data())
@settings(max_examples=200)
def test_whatever_is_written_is_refused_in_our_own_words(
    tmp_path_factory: pytest.TempPathFactory, header: GgufHeader, data: st.DataObject
) -> None:
    kinds = st.sampled_from([0, 4, 6, 7, 8, 9, 10, 12, 13])
    values = st.dictionaries(
        st.sampled_from([*VALUES, "general.alignment", "memos.x", ""]),
        st.tuples(kinds, st.binary(max_size=24)),
    )
    sizes = st.sampled_from([0, 1, 4, 32, 64, 128, 1 << 40])
    tensors = st.lists(
        st.tuples(
            st.sampled_from([A[0], B[0], "blk.1.attn_q.weight.lora_a", "x.lora_b", ""]),
            st.lists(sizes, max_size=5).map(tuple), st.sampled_from([F32, F16, Q8_0, BF16, Q4_0, 99]),
            st.sampled_from([0, 32, 2048, 1 << 50]),
        ),
        max_size=4,
    )  # fmt: skip
    path = put(
        tmp_path_factory.getbasetemp(),
        build(data.draw(values), data.draw(st.one_of(st.none(), tensors)), 4096),
    )
    try:
        check_adapter(path, header)
    except ModelUnfit as error:
        assert str(path) in str(error)
