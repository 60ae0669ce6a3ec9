"""Models of a few hundred kilobytes with random weights, for what must hold on any weights.

They say nothing sensible, but they are whole GGUF files: llama.cpp loads and runs them like any other,
with and without flash attention, with f16 and q8_0 key-value caches. Tests of saved sequence states run
on them in milliseconds. Shapes and names of the tensors are those that llama.cpp's loader asks for
(``src/models/*.cpp``).

Each architecture brings one of the two kinds of vocabulary, byte-level BPE (``gpt2``) or SentencePiece
(``llama``). Both can write any text in bytes and also know a few whole words, so that a text cut in two
gives other tokens than the text in one.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gguf import GGUFWriter

ARCHITECTURES = ("llama", "qwen2", "qwen3", "phi3", "gemma")
"""Their states can be restored exactly."""

UNFIT = {"gemma2": "sliding window", "gemma3": "sliding window", "mamba": "recurrent", "lfm2": "hybrid"}
"""What llama.cpp runs too, but whose states cannot be rewound, and why."""

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

CONTROL = ("<unk>", "<s>", "<|im_start|>", "<|im_end|>")
"""The first tokens of every vocabulary. A turn ends with the last; nothing else ends a text."""

TRAINABLE = (*ARCHITECTURES, "gemma2", "gemma3")
"""An adapter can be trained for them."""

WINDOW = 32
"""Tokens that a sliding-window model looks back: fewer than most tests read."""


def draw_tokens(count: int, seed: int = 0) -> list[int]:
    """Random tokens, none of them a control token."""
    return np.random.default_rng(seed).integers(len(CONTROL), 260, count).tolist()  # type: ignore[no-any-return]


_LAYERS = 2
_HEADS, _KV_HEADS = 4, 2
_HEAD = 32  # q8_0 keeps blocks of 32 numbers, and llama.cpp wants every head to be whole blocks
_WIDTH = _HEADS * _HEAD  # Qwen2 has no other size of head
_INNER = 64
_STATE, _STEP, _KERNEL = 8, 4, 4  # of a state-space layer: numbers per channel, rank of the step, convolution

_MERGES = ("t h", "th e", "e r", "i n", "o n", "␣ the", "␣the r", "␣ a")
"""BPE's rules, in order of precedence; their results are also the words of the SentencePiece vocabulary."""

_QWEN = ("qwen2", "qwen3")
_SENTENCE_PIECE = ("phi3", "gemma", "gemma2", "gemma3")
_TIED = ("gemma", "gemma2", "gemma3", "mamba", "lfm2")
"""Where the rows that read a token also write it; the others have rows of their own for that."""


def write_model(
    path: Path,
    architecture: str,
    *,
    seed: int = 1,
    context: int = 2048,
    template: str = CHATML,
    name: str = "tiny",
) -> Path:
    """Write a model of ``architecture`` to ``path``, and return ``path``.

    The same arguments give the same bytes, another seed other weights. ``context`` is the number of tokens
    that the model says it was trained for. With ``template`` "" the file carries none.

    The likeliest token is nearly always printable ASCII, so greedy text is readable and goes on to its
    limit.
    """
    from gguf import GGUFWriter

    if architecture not in (*ARCHITECTURES, *UNFIT):
        raise ValueError(f"no tiny model of the architecture {architecture}")
    writer = GGUFWriter(path, architecture)
    try:
        writer.add_name(name)
        _add_shape(writer, architecture, context)
        pieces = _add_vocabulary(writer, architecture)
        if template:
            writer.add_chat_template(template)
        for tensor, values in _draw_weights(architecture, pieces, np.random.default_rng(seed)):
            writer.add_tensor(tensor, np.ascontiguousarray(values, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    return path


def _add_shape(writer: GGUFWriter, architecture: str, context: int) -> None:
    from gguf import RopeScalingType

    recurrent = architecture == "mamba"
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(0 if recurrent else _INNER)
    writer.add_head_count(0 if recurrent else _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    if recurrent:
        writer.add_ssm_conv_kernel(_KERNEL)
        writer.add_ssm_inner_size(2 * _WIDTH)
        writer.add_ssm_state_size(_STATE)
        writer.add_ssm_time_step_rank(_STEP)
        return
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_rope_dimension_count(_HEAD)
    writer.add_rope_freq_base(1_000_000.0 if architecture == "gemma3" else 10_000.0)
    if architecture == "lfm2":
        writer.add_shortconv_l_cache(_KERNEL)
        writer.add_head_count_kv([0, _KV_HEADS])  # 0: a layer with a convolution and no attention
    else:
        writer.add_head_count_kv(_KV_HEADS)
    if architecture in ("gemma2", "gemma3"):
        writer.add_sliding_window(WINDOW)
    if architecture == "gemma3":  # the layers that see all have other positions
        writer.add_sliding_window_pattern(2)
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(8.0)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)


def _add_vocabulary(writer: GGUFWriter, architecture: str) -> list[bytes]:
    """Add the tokenizer. Returns the bytes that each token stands for; none for control tokens."""
    from gguf import TokenType

    words = [merge.replace(" ", "") for merge in _MERGES]
    plain: list[bytes] = [bytes([byte]) for byte in range(256)]
    plain += [word.replace("␣", " ").encode() for word in words]
    kinds = [TokenType.CONTROL] * len(CONTROL)
    kinds[0] = TokenType.UNKNOWN
    if architecture in _SENTENCE_PIECE:
        plain.append(b" ")  # its bytes are fallbacks for what has no piece; a space needs one to stay a space
        pieces = [f"<0x{byte:02X}>" for byte in range(256)] + [w.replace("␣", "▁") for w in [*words, "␣"]]
        kinds += [TokenType.BYTE] * 256 + [TokenType.NORMAL] * (len(words) + 1)
        writer.add_tokenizer_model("llama")
        # What scores higher is joined first: the order of the merges.
        writer.add_token_scores([0.0] * (len(CONTROL) + 256) + [-float(n) for n in range(len(words) + 1)])
        writer.add_add_space_prefix(False)
    else:
        letters = _byte_letters()
        merges = [merge.replace("␣", letters[32]) for merge in _MERGES]
        pieces = letters + [merge.replace(" ", "") for merge in merges]
        kinds += [TokenType.NORMAL] * len(pieces)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("qwen2" if architecture in _QWEN else "gpt-2")
        writer.add_token_merges(merges)
    writer.add_token_list([*CONTROL, *pieces])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(CONTROL.index("<unk>"))
    writer.add_bos_token_id(CONTROL.index("<s>"))
    writer.add_eos_token_id(CONTROL.index("<|im_end|>"))
    writer.add_add_bos_token(architecture not in _QWEN)  # as the real ones: Qwen wants none
    writer.add_add_eos_token(False)
    return [b""] * len(CONTROL) + plain


def _byte_letters() -> list[str]:
    """The letter that stands for each byte in a byte-level vocabulary (GPT-2's ``bytes_to_unicode``)."""
    shown = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(256, 512))
    return [chr(byte if byte in shown else next(others)) for byte in range(256)]


Weights = Iterator[tuple[str, np.ndarray]]


def _draw_weights(architecture: str, pieces: Sequence[bytes], random: np.random.Generator) -> Weights:
    tokens = random.standard_normal((len(pieces), _WIDTH))
    tied = architecture in _TIED
    printable = {character.encode() for character in string.printable[:95]}
    loud = np.array([piece in printable for piece in pieces])[:, None]
    if tied:
        # Shorter rows for what should not be written; normed when read, they are as long as any.
        tokens *= np.where(loud, 1.0, 0.2)
    # Tied logits are products of two vectors of this width: scaled to spread over a few units, not dozens.
    yield "token_embd.weight", tokens * (3 / _WIDTH**0.5 if tied else 1)
    # Random signs: with tied rows and plain norms, the likeliest token would always be the last one read.
    signs = random.choice([-1.0, 1.0], _WIDTH)
    yield "token_embd_norm.weight" if architecture == "lfm2" else "output_norm.weight", signs
    if not tied:
        yield "output.weight", _matrix(random, len(pieces), _WIDTH) * np.where(loud, 3.0, 0.3)
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", np.ones(_WIDTH)
        if architecture == "mamba":
            yield from _draw_state_space(block, random)
            continue
        if architecture == "lfm2" and layer == 0:
            yield from _draw_convolution(block, random)
        else:
            yield from _draw_attention(block, architecture, random)
        yield f"{block}.ffn_norm.weight", np.ones(_WIDTH)
        if architecture == "phi3":  # gate and up in one
            yield f"{block}.ffn_up.weight", _matrix(random, 2 * _INNER, _WIDTH)
        else:
            yield f"{block}.ffn_gate.weight", _matrix(random, _INNER, _WIDTH)
            yield f"{block}.ffn_up.weight", _matrix(random, _INNER, _WIDTH)
        yield f"{block}.ffn_down.weight", _matrix(random, _WIDTH, _INNER)
        if architecture in ("gemma2", "gemma3"):
            yield f"{block}.post_attention_norm.weight", np.ones(_WIDTH)
            yield f"{block}.post_ffw_norm.weight", np.ones(_WIDTH)


def _draw_attention(block: str, architecture: str, random: np.random.Generator) -> Weights:
    """Sharp enough (queries and keys twice the usual size) that what was read long ago still counts."""
    rows = {"q": _WIDTH, "k": _KV_HEADS * _HEAD, "v": _KV_HEADS * _HEAD}
    if architecture == "phi3":  # all three in one
        rows = {"qkv": sum(rows.values())}
    for part, count in rows.items():
        yield f"{block}.attn_{part}.weight", 2 * _matrix(random, count, _WIDTH)
        if architecture == "qwen2":
            yield f"{block}.attn_{part}.bias", random.standard_normal(count)
    if architecture == "lfm2":
        yield f"{block}.attn_q_norm.weight", np.ones(_HEAD)
        yield f"{block}.attn_k_norm.weight", np.ones(_HEAD)
    if architecture in ("qwen3", "gemma3"):  # normed, the matrices' size is nothing: this is
        yield f"{block}.attn_q_norm.weight", random.uniform(1, 3, _HEAD)
        yield f"{block}.attn_k_norm.weight", random.uniform(1, 3, _HEAD)
    yield f"{block}.attn_output.weight", 2 * _matrix(random, _WIDTH, _WIDTH)


def _draw_convolution(block: str, random: np.random.Generator) -> Weights:
    """The layer of an LFM2 that keeps its last inputs, and no keys and values."""
    yield f"{block}.shortconv.conv.weight", _matrix(random, _WIDTH, _KERNEL)
    yield f"{block}.shortconv.in_proj.weight", _matrix(random, 3 * _WIDTH, _WIDTH)
    yield f"{block}.shortconv.out_proj.weight", _matrix(random, _WIDTH, _WIDTH)


def _draw_state_space(block: str, random: np.random.Generator) -> Weights:
    inner = 2 * _WIDTH  # the only ratio that llama.cpp knows
    yield f"{block}.ssm_in.weight", _matrix(random, 2 * inner, _WIDTH)
    yield f"{block}.ssm_conv1d.weight", _matrix(random, inner, _KERNEL)
    yield f"{block}.ssm_conv1d.bias", np.zeros(inner)
    yield f"{block}.ssm_x.weight", _matrix(random, _STEP + 2 * _STATE, inner)
    yield f"{block}.ssm_dt.weight", _matrix(random, inner, _STEP)
    yield f"{block}.ssm_dt.bias", np.full(inner, -4.0)  # steps of about 0.02 after softplus
    yield f"{block}.ssm_a", -np.tile(np.arange(1.0, _STATE + 1), (inner, 1))  # negative: it forgets
    yield f"{block}.ssm_d", np.ones(inner)
    yield f"{block}.ssm_out.weight", _matrix(random, _WIDTH, inner)


def _matrix(random: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Random weights that turn vectors of unit variance into vectors of unit variance."""
    weights: np.ndarray = random.standard_normal((rows, columns)) / columns**0.5
    return weights


def draw_adapter(path: Path, *, rank: int = 4, seed: int = 1) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Random matrices A and B for every matrix of the model's layers, large enough to change what it says."""
    from memos_cli.models.gguf.families import is_target
    from memos_cli.models.gguf.gguf_header import read_header

    random = np.random.default_rng(seed)
    return {
        tensor.name: (
            _matrix(random, rank, tensor.dimensions[0]).astype(np.float32),
            _matrix(random, tensor.dimensions[1], rank).astype(np.float32),
        )
        for tensor in read_header(path).listed
        if is_target(tensor.name)
    }


def write_adapter(path: Path, base: Path, *, alpha: float = 2.0, **options: int) -> Path:
    """Write an adapter of ``draw_adapter`` for the model ``base`` to ``path``, and return ``path``."""
    from memos_cli.models.gguf.adapter_format import adapter_bytes
    from memos_cli.models.gguf.gguf_header import read_header

    architecture = read_header(base).architecture
    matrices = draw_adapter(base, **options)
    path.write_bytes(
        adapter_bytes(matrices, architecture=architecture, alpha=alpha, name="tiny", extra={"base": "tiny"})
    )
    return path
