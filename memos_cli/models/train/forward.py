"""The forward pass of Llama's family in torch, from a GGUF file, with a low-rank adapter.

Implemented here for the architectures of ``families`` (RMS norms, rotary positions, grouped heads, a gated
feed-forward), from the file itself and in its order of rows. So the training computes what llama.cpp
computes, including Llama 3's own rotary frequencies, and an adapter is written without permuting rows.
transformers reads GGUF files too, but (5.24) only together with accelerate; it leaves out those frequencies,
the biases that its classes lack, and Gemma 1; and it computes the padding of a batch, which here no matrix
sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import embedding, gelu, linear, rms_norm, scaled_dot_product_attention, silu

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.families import FAMILIES, Shape
from memos_cli.models.gguf.gguf_header import GgufHeader

LowRank = Mapping[str, tuple[Tensor, Tensor]]
"""A and B by the name of the matrix, such as ``blk.0.attn_q``."""

_FLOAT32 = 0
_CAPS = {"attn": 50.0, "final": 30.0}
"""llama.cpp's defaults for a model that doesn't say."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Prefix:
    """Keys and values of tokens read without an adapter, for each layer: (heads, tokens, numbers).

    Equal only to itself, because results computed after it are cached for it.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def __len__(self) -> int:
        return int(self.keys[0].shape[1])

    def __add__(self, other: Prefix) -> Prefix:
        """Append ``other``, which was read after this one."""
        return Prefix(
            tuple(torch.cat(pair, 1) for pair in zip(self.keys, other.keys, strict=True)),
            tuple(torch.cat(pair, 1) for pair in zip(self.values, other.values, strict=True)),
        )


class Batch:
    """Sequences concatenated without padding; stacked and padded only for attention."""

    def __init__(self, sequences: Sequence[Sequence[int]], start: int) -> None:
        """Create a batch; the first token of each sequence is at the position ``start``."""
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        self._start, self._longest = start, int(lengths.max())
        self.firsts: list[int] = (lengths.cumsum(0) - lengths).tolist()
        self.tokens = torch.tensor([token for sequence in sequences for token in sequence])
        steps = torch.arange(self._longest)
        is_token = steps < lengths[:, None]
        self._shape = tuple(is_token.shape)
        self.positions = start + steps.expand(self._shape)[is_token]
        # None where nothing is padded.
        self._places = None if bool(is_token.all()) else is_token.flatten().nonzero()[:, 0]

    def pad(self, x: Tensor) -> Tensor:
        """Reshape (tokens, …) to (sequences, longest, …), with padding."""
        if self._places is not None:
            padded = x.new_zeros(self._shape[0] * self._shape[1], *x.shape[1:])
            x = padded.index_copy(0, self._places, x)
        return x.unflatten(0, self._shape)

    def unpad(self, x: Tensor) -> Tensor:
        """Reshape (sequences, longest, …) to (tokens, …), without padding."""
        flat = x.flatten(0, 1)
        return flat if self._places is None else flat.index_select(0, self._places)

    def mask(self, window: int, group: int) -> Tensor:
        """Return the mask to add to scores: (``group`` × longest, start + longest); ``window`` 0: no limit.

        Padding is after the tokens, which attend only to earlier ones.
        """
        query = self._start + torch.arange(self._longest)[:, None]
        key = torch.arange(self._start + self._longest)[None]
        is_seen = key <= query
        if window:
            is_seen &= key > query - window
        return torch.zeros(is_seen.shape).masked_fill(~is_seen, -math.inf).repeat(group, 1)


class Network:
    """A model's weights, dequantised and frozen. Raises ModelUnfit if one is missing or damaged."""

    def __init__(self, path: Path, header: GgufHeader) -> None:
        """Read the weights; ``header`` is one that ``families.trainable`` accepts."""
        architecture = header.architecture

        def number(key: str, default: float) -> float:
            value = header.values.get(f"{architecture}.{key}", default)
            return float(value) if isinstance(value, int | float) else default

        self.shape = shape = Shape.of(header)
        self._family = family = FAMILIES[architecture]
        self.weights = dict(_read_weights(path, header))
        self._check(path)
        self._output = self.weights.get("output.weight", self.weights["token_embd.weight"])
        is_odd = family.odd_size == shape.layers
        self._scale = (shape.width // shape.heads if is_odd else shape.head) ** -0.5
        self._score_cap, self._logit_cap = (
            number(f"{name}_logit_softcapping", default) if family.capped else 0.0
            for name, default in _CAPS.items()
        )
        self._period = int(number("attention.sliding_window_pattern", family.period)) if family.period else 0
        self._window = int(number("attention.sliding_window", family.window)) if self._period else 0
        factor = number("rope.scaling.factor", 1.0) or 1.0
        steps = torch.arange(0, shape.turned, 2, dtype=torch.float64) / shape.turned
        base = number("rope.freq_base", 10_000.0)
        own = self.weights.get("rope_freqs.weight", torch.ones(1)).double()
        self._frequencies = base**-steps / own / factor
        window_base = number("rope.freq_base_swa", family.window_base or base)
        self._window_frequencies = window_base**-steps / (1.0 if family.window_base else factor)

    def read(self, batch: Batch, prefix: Prefix | None) -> Prefix:
        """Return the keys and values of ``batch``, of one sequence, without an adapter."""
        kept: list[tuple[Tensor, Tensor]] = []
        self.run(batch, prefix, {}, 0.0, kept=kept)
        keys, values = zip(*kept, strict=True)
        return Prefix(keys, values)

    def run(
        self,
        batch: Batch,
        prefix: Prefix | None,
        adapter: LowRank,
        strength: float,
        first: int = 0,
        state: Tensor | None = None,
        end: int | None = None,
        *,
        kept: list[tuple[Tensor, Tensor]] | None = None,
    ) -> Tensor:
        """Return each token's output of the layer before ``end``, by default the last layer.

        With ``state``, the output of the layer before ``first``, earlier layers are skipped. ``kept`` gets
        each layer's keys and values.
        """
        shape, family = self.shape, self._family

        def multiply(name: str, x: Tensor) -> Tensor:
            y = linear(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))
            pair = adapter.get(name)
            return y if pair is None else torch.addmm(y, x @ pair[0].T, pair[1].T, alpha=strength)

        group = shape.heads // shape.shared
        turns = {False: _turns(self._frequencies, batch.positions)}
        masks = {False: batch.mask(0, group)}
        if self._window:
            turns[True] = _turns(self._window_frequencies, batch.positions)
            masks[True] = batch.mask(self._window, group)
        if state is None:
            state = embedding(batch.tokens, self.weights["token_embd.weight"])
            if family.scaled_input:
                state = state * shape.width**0.5
        for layer in range(first, shape.layers if end is None else end):
            block = f"blk.{layer}"
            has_window = bool(self._window) and layer % self._period < self._period - 1
            seen = self._norm(f"{block}.attn_norm", state)
            query, key, value = self._project(block, seen, multiply, turns[has_window])
            if kept is not None:
                kept.append((key.transpose(0, 1).contiguous(), value.transpose(0, 1).contiguous()))
            past = (prefix.keys[layer], prefix.values[layer]) if prefix else None
            attended = self._attend(batch, query, key, value, past, masks[has_window])
            attended = multiply(f"{block}.attn_output", attended)
            state = state + self._norm(f"{block}.post_attention_norm", attended)
            seen = self._norm(f"{block}.ffn_norm", state)
            up = multiply(f"{block}.ffn_up", seen)
            if f"{block}.ffn_gate.weight" in self.weights:
                gate = multiply(f"{block}.ffn_gate", seen)
            else:
                gate, up = up.chunk(2, -1)
            opened = gelu(gate, approximate="tanh") if family.gelu else silu(gate)
            down = multiply(f"{block}.ffn_down", opened * up)
            state = state + self._norm(f"{block}.post_ffw_norm", down)
        return state

    def _project(
        self, block: str, x: Tensor, multiply: Callable[[str, Tensor], Tensor], turns: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the queries, keys and values of a layer: (tokens, heads, numbers)."""
        shape = self.shape
        if f"{block}.attn_qkv.weight" in self.weights:
            rows = [shape.heads * shape.head, shape.shared * shape.head, shape.shared * shape.head]
            parts = multiply(f"{block}.attn_qkv", x).split(rows, -1)
        else:
            parts = tuple(multiply(f"{block}.attn_{part}", x) for part in "qkv")
        query, key, value = (part.unflatten(-1, (-1, shape.head)) for part in parts)
        query = self._turn(self._norm(f"{block}.attn_q_norm", query), turns)
        return query, self._turn(self._norm(f"{block}.attn_k_norm", key), turns), value

    def logits(self, state: Tensor) -> Tensor:
        """Return the logits of the next token for rows of the last layer's output."""
        logits = linear(self._norm("output_norm", state), self._output)
        return self._logit_cap * torch.tanh(logits / self._logit_cap) if self._logit_cap else logits

    def _norm(self, name: str, x: Tensor) -> Tensor:
        """Return ``x`` normalised; unchanged if the model has no such norm."""
        weight = self.weights.get(f"{name}.weight")
        return x if weight is None else rms_norm(x, weight.shape, weight, self.shape.epsilon)

    def _turn(self, x: Tensor, turns: Tensor) -> Tensor:
        size = self.shape.turned
        turned, rest = x[..., :size], x[..., size:]
        if self._family.neighbours:
            pairs = torch.view_as_complex(turned.unflatten(-1, (-1, 2)))
            turned = torch.view_as_real(pairs * turns).flatten(-2)
        else:
            one, other = turned.chunk(2, -1)
            cosine, sine = turns.real, turns.imag
            turned = torch.cat((one * cosine - other * sine, other * cosine + one * sine), -1)
        return torch.cat((turned, rest), -1) if rest.shape[-1] else turned

    def _attend(
        self,
        batch: Batch,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        past: tuple[Tensor, Tensor] | None,
        mask: Tensor,
    ) -> Tensor:
        """Compute attention: for each token, from those before it, (tokens, width of all heads).

        The queries that share a head of keys are rows of one matrix, so that keys need not be repeated.
        """
        shared, group = self.shape.shared, self.shape.heads // self.shape.shared
        queries = batch.pad(query).unflatten(2, (shared, group)).permute(0, 2, 3, 1, 4).flatten(2, 3)
        keys, values = (batch.pad(each).transpose(1, 2) for each in (key, value))
        if past is not None:
            keys, values = (
                torch.cat((old.expand(len(keys), -1, -1, -1), new), 2)
                for old, new in zip(past, (keys, values), strict=True)
            )
        if self._score_cap:
            scores = queries @ keys.transpose(-1, -2) * self._scale
            scores = self._score_cap * torch.tanh(scores / self._score_cap) + mask
            out = scores.softmax(-1) @ values
        else:
            out = scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=self._scale)
        out = out.unflatten(2, (group, -1)).permute(0, 3, 1, 2, 4)
        return batch.unpad(out.flatten(2))

    def _check(self, path: Path) -> None:
        """Raise ModelUnfit unless every tensor exists with the shape in the metadata."""
        shape, names = self.shape, self.weights
        heads, shared = shape.heads * shape.head, shape.shared * shape.head
        wanted = {"token_embd": (shape.words, shape.width), "output_norm": (shape.width,)}
        for layer in range(shape.layers):
            block = f"blk.{layer}"
            rows = {"q": heads, "k": shared, "v": shared}
            if f"{block}.attn_qkv.weight" in names:
                rows = {"qkv": heads + 2 * shared}
            inner = shape.inner if f"{block}.ffn_gate.weight" in names else 2 * shape.inner
            wanted |= {f"{block}.attn_{part}": (count, shape.width) for part, count in rows.items()}
            wanted |= {
                f"{block}.attn_output": (shape.width, heads),
                f"{block}.ffn_up": (inner, shape.width),
                f"{block}.ffn_down": (shape.width, shape.inner),
                f"{block}.attn_norm": (shape.width,),
                f"{block}.ffn_norm": (shape.width,),
            }
        for name, size in wanted.items():
            if f"{name}.weight" not in names or tuple(names[f"{name}.weight"].shape) != size:
                raise ModelUnfit(f"the model {path} has no tensor {name} of the shape {size}", "memos models")


def _turns(frequencies: Tensor, positions: Tensor) -> Tensor:
    """Return the rotation of each token and frequency as a complex number: (tokens, 1, frequencies)."""
    angles = positions[:, None].double() * frequencies
    return torch.polar(torch.ones_like(angles), angles)[:, None].to(torch.complex64)


def _read_weights(path: Path, header: GgufHeader) -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor by its name, in single precision and in the file's order of rows."""
    import numpy as np
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

    data = np.memmap(path, dtype=np.uint8, mode="r")
    for tensor in header.listed:
        kind = GGMLQuantizationType(tensor.kind)
        block, size = GGML_QUANT_SIZES[kind]
        row, rows = tensor.dimensions[0], math.prod(tensor.dimensions[1:])
        start, length = header.data_start + tensor.offset, rows * (row // block) * size
        if row % block or not 0 < length <= len(data) - start:
            raise ModelUnfit(f"the model {path} is damaged: {tensor.name} is incomplete", "memos models")
        raw = data[start : start + length].reshape(rows, -1)
        values = raw.view("<f4") if tensor.kind == _FLOAT32 else dequantize(raw, kind)
        # A copy, which does not hold the file.
        yield tensor.name, torch.from_numpy(np.array(values, np.float32).reshape(tensor.dimensions[::-1]))
