"""Read the metadata at the head of a GGUF file without loading the model.

Format: ggml's docs/gguf.md, versions 2 and 3, little-endian. Files may be hostile: every count and length is
checked against limits and against the file, arrays (the vocabulary: a million strings) are skipped without
being stored, and nothing is read past the tensor list. The tensors are listed, not read: their readers check
where the bytes are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from memos_cli.errors import ModelUnfit
from memos_cli.files import open_regular

MAGIC = b"GGUF"

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_TOKENS = "tokenizer.ggml.tokens"

_MAX_PAIRS = 1 << 16
_MAX_TENSORS = 1 << 16  # the largest models in use have some thousands
_MAX_DIMENSIONS = 4
_MAX_KEY = (1 << 16) - 1  # the specification's own limit
_MAX_TEXT = 1 << 24
_MAX_ITEMS = 1 << 23  # the largest vocabularies in use have 2^18 tokens and 2^19 merges
_MAX_NESTING = 4
_MAX_LAYERS = 512  # llama.cpp's LLAMA_MAX_LAYERS
_SAME_HEADS = frozenset(("llama", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gemma3", "lfm2"))
"""Architectures whose matrices of attention have a row for each number of each head."""
_ALL_TURNED = frozenset(("llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"))
"""Those in which positions turn all of them."""
_NEEDED = {
    "llada-moe": "expert_count",
    "paddleocr": "rope.dimension_sections",
    "smallthinker": "expert_count",
}
"""What llama.cpp asserts to be in the metadata of some architectures."""
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor as the list at the end of the metadata names it."""

    name: str
    dimensions: tuple[int, ...]
    """As ggml counts them: the length of a row first, that is, numpy's shape from its end."""
    kind: int
    """ggml.h's ``ggml_type``."""
    offset: int
    """Where its bytes begin, counted from ``GgufHeader.data_start``."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The metadata of a GGUF file."""

    values: Mapping[str, str | int | float | bool]
    """Every scalar and string of the metadata by its key."""
    lengths: Mapping[str, int]
    """The number of items of every array of the metadata, by its key."""
    parameters: int
    """Weights in this file; of a split model, those of this part."""
    listed: tuple[GgufTensor, ...]
    """The tensors of this file, in the order of its list."""
    data_start: int
    """Where the tensors' bytes begin in the file."""
    size: int
    """The file's length in bytes."""
    kinds: Mapping[str, int]
    """The type of each value of the metadata by its key, as docs/gguf.md numbers them."""

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    def text(self, key: str) -> str:
        """Return the string under ``key``; "" if there is none."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: int = 0) -> int:
        """Return the whole number under ``key``; ``default`` if there is none."""
        value = self.values.get(key)
        return value if isinstance(value, int) else default


def read_header(path: Path) -> GgufHeader:
    """Read the metadata of ``path``. Raises ModelUnfit if it isn't a sound GGUF file."""
    try:
        with open_regular(path) as file:
            header = _parse(_Cursor(file, path.stat().st_size))
        _check_shape(header)
        return header
    except FileNotFoundError:
        raise ModelUnfit(f"no such model file: {path}", "memos models") from None
    except OSError as error:
        raise ModelUnfit(f"cannot read the model {path}: {error.strerror}", "memos models") from error
    except _Unsound as error:
        raise ModelUnfit(f"not a usable GGUF file: {path}: {error}", "memos models") from error


class _Unsound(Exception):
    """An error in the bytes of a file."""


def _parse(cursor: _Cursor) -> GgufHeader:
    if cursor.take(4) != MAGIC:
        raise _Unsound("it does not start with GGUF")
    version = cursor.number("I")
    if version not in (2, 3):
        raise _Unsound(f"version {version} of the format; 2 and 3 are known")
    tensors = cursor.count("tensors", _MAX_TENSORS)
    pairs = cursor.count("metadata pairs", _MAX_PAIRS)
    values: dict[str, str | int | float | bool] = {}
    lengths: dict[str, int] = {}
    kinds: dict[str, int] = {}
    for _ in range(pairs):
        key = cursor.text(_MAX_KEY)
        if key in kinds:
            raise _Unsound(f"it has {key!r} twice")
        kind = kinds[key] = cursor.number("I")
        if kind == _STRING:
            values[key] = cursor.text(_MAX_TEXT)
        elif kind == _ARRAY:
            lengths[key] = cursor.skip_array(strings=cursor.check_tokens if key == _TOKENS else None)
        else:
            values[key] = cursor.scalar(kind)
    if values.get("tokenizer.ggml.model") == "llama" and not cursor.has_bytes:
        raise _Unsound("its vocabulary has no token for some byte")  # with which llama.cpp aborts
    listed = tuple(_parse_tensor(cursor) for _ in range(tensors))
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        alignment = 1
    data_start = -(-cursor.offset // alignment) * alignment
    if listed and data_start + max(tensor.offset for tensor in listed) >= cursor.size:
        raise _Unsound("it ends before its last tensor; an interrupted download?")
    parameters = sum(math.prod(tensor.dimensions) for tensor in listed)
    return GgufHeader(values, lengths, parameters, listed, data_start, cursor.size, kinds)


def _parse_tensor(cursor: _Cursor) -> GgufTensor:
    name = cursor.text(_MAX_KEY)
    count = cursor.number("I")
    if count > _MAX_DIMENSIONS:
        raise _Unsound(f"a tensor of {count} dimensions")
    dimensions = tuple(cursor.number("Q") for _ in range(count))
    return GgufTensor(name, dimensions, cursor.number("I"), cursor.number("Q"))


def _check_shape(header: GgufHeader) -> None:
    """Compare sizes in the metadata with each other and the tensors. llama.cpp aborts if they disagree.

    Source: the assertions in llama.cpp's src/llama-model.cpp, src/models/*.cpp and ggml/src/ggml-cpu/ops.cpp.
    """
    layers = header.number(f"{header.architecture}.block_count", 1)
    if not 0 < layers <= _MAX_LAYERS:
        raise _Unsound(f"{layers} layers; 1 to {_MAX_LAYERS} are sensible")
    for key, value in header.values.items():
        if isinstance(value, float) and (
            (key.endswith("_epsilon") and not 0 <= value < 1) or math.isnan(value)
        ):
            raise _Unsound(f"{key} is {value}")
    needed = f"{header.architecture}.{_NEEDED.get(header.architecture, '')}"
    if header.architecture in _NEEDED and not (header.number(needed) or header.lengths.get(needed)):
        raise _Unsound(f"it has no {needed}")
    if header.architecture == "gemma3" and header.number("gemma3.attention.sliding_window_pattern") == 1:
        raise _Unsound("no layer has the sliding window of its architecture")
    if header.architecture in _SAME_HEADS:
        _check_heads(header)


def _check_heads(header: GgufHeader) -> None:
    """Compare the heads of attention with the matrices that make them."""

    def number(key: str, default: int = 0) -> int:
        return header.number(f"{header.architecture}.{key}", default)

    heads, width = number("attention.head_count"), number("embedding_length")
    if heads < 1:
        return  # an adapter; or none, and llama.cpp says so
    key = number("attention.key_length", width // heads)
    value = number("attention.value_length", width // heads)
    rows = {"attn_q": heads * key}
    if f"{header.architecture}.attention.head_count_kv" not in header.lengths:  # else layers differ
        shared = number("attention.head_count_kv", heads)
        rows |= {"attn_k": shared * key, "attn_v": shared * value}
        rows["attn_qkv"] = sum(rows.values())
        if shared < 1 or heads % shared:
            raise _Unsound(f"{heads} heads share {shared} heads of keys")
    for tensor in header.listed:
        part = tensor.name.removesuffix(".weight").rpartition(".")[2]
        if tensor.name.endswith(".weight") and (
            (part in rows and tensor.dimensions[1:] != (rows[part],))
            or (part == "attn_output" and tensor.dimensions[0] != heads * value)
        ):
            raise _Unsound(f"{tensor.name} does not fit {heads} heads of {key} numbers")
    turned = number("rope.dimension_count", key)
    if not 0 < turned <= key or turned % 2 or (header.architecture in _ALL_TURNED and turned != key):
        raise _Unsound(f"positions turn {turned} of the {key} numbers of a head")


class _Cursor:
    """A position in a file, read through one small buffer: a system call per string would be slow."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.size = size
        self._file = file
        self._buffer = b""
        self._at = 0
        self.has_bytes = True
        """Whether the vocabulary has a token for each byte."""

    @property
    def offset(self) -> int:
        return self._file.tell() - len(self._buffer) + self._at

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._buffer):
            self._buffer = self._buffer[self._at :] + self._file.read(max(count, _BLOCK))
            self._at, end = 0, count
            if end > len(self._buffer):
                raise _Unsound("it ends in the middle of its metadata")
        taken = self._buffer[self._at : end]
        self._at = end
        return taken

    def skip(self, count: int) -> None:
        end = self._at + count
        if end <= len(self._buffer):
            self._at = end
            return
        if self.offset + count > self.size:
            raise _Unsound("it ends in the middle of its metadata")
        self._file.seek(end - len(self._buffer), 1)
        self._buffer, self._at = b"", 0

    def number(self, code: str) -> int:
        value = self.scalar_of(code)
        assert isinstance(value, int)
        return value

    def scalar(self, kind: int) -> int | float | bool:
        code = _SCALARS.get(kind)
        if code is None:
            raise _Unsound(f"a value of the unknown type {kind}")
        return self.scalar_of(code)

    def scalar_of(self, code: str) -> int | float | bool:
        layout = f"<{code}"
        value: int | float | bool = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return value

    def count(self, what: str, limit: int) -> int:
        count = self.number("Q")
        if count > limit:
            raise _Unsound(f"{count} {what}; at most {limit} are sensible")
        return count

    def text(self, limit: int) -> str:
        return self.take(self.count("bytes of text", limit)).decode("utf-8", "replace")

    def skip_array(self, nesting: int = 0, strings: Callable[[int], None] | None = None) -> int:
        """Skip an array (with ``strings``, also of strings); return its number of items."""
        kind = self.number("I")
        count = self.count("items of an array", _MAX_ITEMS)
        if kind == _STRING:
            (strings or self._skip_strings)(count)
        elif kind == _ARRAY:
            if nesting == _MAX_NESTING:
                raise _Unsound("arrays nested too deep")
            for _ in range(count):
                self.skip_array(nesting + 1)
        elif kind in _SCALARS:
            self.skip(count * struct.calcsize(f"<{_SCALARS[kind]}"))
        else:
            raise _Unsound(f"an array of the unknown type {kind}")
        return count

    def _skip_strings(self, count: int, seen: Callable[[bytes], None] | None = None) -> None:
        # A vocabulary is most of a header; this loop is most of the time of reading one.
        unpack = struct.Struct("<Q").unpack_from
        for _ in range(count):
            at = self._at
            if at + 8 <= len(self._buffer):
                end = at + 8 + unpack(self._buffer, at)[0]
                if end <= len(self._buffer):
                    self._at = end
                    if seen:
                        seen(self._buffer[at + 8 : end])
                    continue
            length = self.count("bytes of text", _MAX_TEXT)
            if seen:
                seen(self.take(length))
            else:
                self.skip(length)

    def check_tokens(self, count: int) -> None:
        """Skip the tokens of a vocabulary. Duplicates (damage) would make llama.cpp abort the process."""
        tokens: list[bytes] = []
        self._skip_strings(count, tokens.append)
        if b"\0" in b"".join(tokens):  # where llama.cpp, too, ends a token
            tokens = [token.partition(b"\0")[0] for token in tokens]
        known = {*tokens}
        if len(known - {b""}) + tokens.count(b"") < count:
            raise _Unsound("two tokens of its vocabulary are the same")
        self.has_bytes = all(b"<0x%02X>" % n in known or bytes([n]) in known for n in range(1, 256))
