"""The families of models that adapters can be trained for, with their differences. Does not load torch.

Formulas: llama.cpp's ``src/models/*.cpp``; names of metadata and tensors: docs/gguf.md and gguf-py's
constants.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.gguf_header import GgufHeader

TARGETS = ("attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
"""The matrices that an adapter may change. Phi3 has ``attn_qkv`` for the first three, and no ``ffn_gate``."""


@dataclass(frozen=True, slots=True)
class Family:
    """The differences of an architecture from the others."""

    neighbours: bool = False
    """Positions turn pairs of neighbours; otherwise a number and the one half a head further."""
    gelu: bool = False
    scaled_input: bool = False
    capped: bool = False
    """Scores of attention and logits are kept within bounds, by a hyperbolic tangent."""
    period: int = 0
    """The last of so many layers sees all tokens, the others a window; 0: all see all."""
    window: int = 0
    """Tokens that such a layer sees, for a model that doesn't say."""
    window_base: float = 0.0
    """The rotary base of the layers with a window; 0 for that of the others."""
    odd_size: int = 0
    """The number of layers of the one size whose scores have a scale of their own."""


FAMILIES = {
    "llama": Family(neighbours=True),  # also Mistral's first models, and SmolLM
    "qwen2": Family(),
    "qwen3": Family(),
    "phi3": Family(),  # also Phi 4
    "gemma": Family(gelu=True, scaled_input=True),
    "gemma2": Family(gelu=True, scaled_input=True, capped=True, period=2, window=4096, odd_size=46),
    "gemma3": Family(gelu=True, scaled_input=True, period=6, window_base=10_000.0, odd_size=62),
}

_READABLE = frozenset([0, 1, 2, 3, 6, 7, 8, *range(10, 15), *range(16, 24), 29, 30, 34, 35, 39])
"""The types that gguf-py dequantises, by ggml.h's ``ggml_type``."""
_PER_LAYER = re.compile(
    r"blk\.\d+\.(?:(?:attn_(?:q|k|v|qkv|output)|ffn_(?:gate|up|down))\.(?:weight|bias)"
    r"|(?:attn|ffn|attn_q|attn_k|post_attention|post_ffw)_norm\.weight)"
)
_WHOLE = ("token_embd.weight", "output_norm.weight", "output.weight")
_STRANGE = (
    "expert_count", "attention.scale", "attention.clamp_kqv", "attention.max_alibi_bias", "logit_scale",
    "residual_scale", "embedding_scale", "use_parallel_residual", "rope.scaling.attn_factor",
    "attention.temperature_scale", "attention.key_length_mla",
)  # fmt: skip
"""Metadata that change the computation in ways not written here, unless they are 0."""
_FEW_ROWS = 512
"""The most rows of logits that a step needs, as estimated."""
KEPT_BYTES = 256_000_000
"""Bytes of the cache for the output of the layers below an adapter."""
_PROCESS = 400_000_000
"""Bytes that Python and torch take by themselves."""


def trainable(header: GgufHeader) -> str:
    """Return the reason why no adapter can be trained for this model; "" if one can."""
    architecture = header.architecture
    family = FAMILIES.get(architecture)
    if family is None:
        return f"the architecture {architecture or '(none)'} is not one of {', '.join(FAMILIES)}"
    for key in _STRANGE:
        if header.values.get(f"{architecture}.{key}"):
            return f"it has {key}, which is not known here"
    scaling = header.text(f"{architecture}.rope.scaling.type")
    if scaling not in ("", "none", "linear"):
        return f"its positions are scaled by {scaling}, which is not known here"
    if header.number("split.count") > 1:
        return "it is split into several files"
    head = header.number(f"{architecture}.attention.key_length")
    if header.number(f"{architecture}.attention.value_length", head) != head:
        return "its keys and values are of different lengths"
    for key in ("head_count", "head_count_kv", "sliding_window_pattern"):
        if f"{architecture}.attention.{key}" in header.lengths:
            return "its layers are not all alike"
    if family.period and not header.number(f"{architecture}.attention.sliding_window", family.window):
        return "it does not say how far its layers look back"
    for tensor in header.listed:
        of_llama3 = tensor.name == "rope_freqs.weight" and architecture == "llama"
        if tensor.name not in _WHOLE and not of_llama3 and not _PER_LAYER.fullmatch(tensor.name):
            return f"it has the tensor {tensor.name}, which is not known here"
        if tensor.kind not in _READABLE:
            return f"the tensor {tensor.name} is of the type {tensor.kind}, which is not known here"
    return ""


def memory_needed(header: GgufHeader, rank: int, batch_tokens: int, depth: float = 1.0) -> int:
    """Estimate the peak memory of a training in bytes, with an adapter on all matrices of its layers.

    ``batch_tokens`` are those of one call of ``Trainee.logits``, ``depth`` the share of the layers with an
    adapter. Counts the weights, the adapter with its gradient and Adam's two moments, and what each of its
    layers stores of each token for the backward pass.
    """
    shape = Shape.of(header)
    adapter = sum(rank * sum(tensor.dimensions) for tensor in header.listed if is_target(tensor.name))
    kept = shape.layers * (6 * shape.width + 6 * shape.inner + 8 * shape.heads * shape.head)
    logits = 3 * shape.words * min(batch_tokens, _FEW_ROWS)
    below = KEPT_BYTES if depth < 1 else 0
    return (
        4 * round(header.parameters + depth * (5 * adapter + batch_tokens * kept) + logits) + below + _PROCESS
    )


def is_target(name: str) -> bool:
    """Return whether the tensor ``name`` is a matrix that an adapter may change."""
    block, _, kind = name.removesuffix(".weight").rpartition(".")
    return kind in TARGETS and block.startswith("blk.") and name.endswith(".weight")


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that the metadata name."""

    layers: int
    width: int
    inner: int
    heads: int
    shared: int
    """Heads of keys and values, each shared by several heads of queries."""
    head: int
    """Numbers of a head."""
    turned: int
    """Numbers of a head that positions turn."""
    words: int
    epsilon: float

    @classmethod
    def of(cls, header: GgufHeader) -> Shape:
        """Read the sizes from a header. Raises ModelUnfit if a size is missing or invalid."""

        def number(key: str, default: int = 0) -> int:
            value = header.number(f"{header.architecture}.{key}", default)
            if not 0 < value < 1 << 24:
                raise ModelUnfit(f"the model says that its {key} is {value}", "memos models")
            return value

        heads, width = number("attention.head_count"), number("embedding_length")
        head = number("attention.key_length", width // heads)
        embedding = next((t for t in header.listed if t.name == "token_embd.weight"), None)
        epsilon = header.values.get(f"{header.architecture}.attention.layer_norm_rms_epsilon")
        if embedding is None or len(embedding.dimensions) != 2 or not isinstance(epsilon, float):
            raise ModelUnfit("the model has no embedding, or does not name its norm", "memos models")
        shape = cls(
            number("block_count"), width, number("feed_forward_length"), heads,
            number("attention.head_count_kv", heads), head, number("rope.dimension_count", head),
            embedding.dimensions[1], epsilon,
        )  # fmt: skip
        if heads % shape.shared or shape.turned > head or shape.turned % 2:
            raise ModelUnfit("the shape of the model's heads is unknown", "memos models")
        return shape
