"""The file of an adapter: a GGUF with two low-rank matrices for each matrix of the base that it changes.

Format: llama.cpp's ``src/llama-adapter.cpp`` and ``convert_lora_to_gguf.py``. To the base's tensor
``blk.0.attn_q.weight`` (out × in) belong ``blk.0.attn_q.weight.lora_a`` (rank × in) and ``….lora_b``
(out × rank): y = Wx + scale · alpha / rank · B(Ax).

The writer of a file is unknown: llama.cpp aborts the process if a value has another type than it expects, and
checks little else. So llama.cpp gets only files that ``check_adapter`` has accepted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.gguf_header import GgufHeader, GgufTensor, read_header
from memos_cli.models.gguf.gguf_writer import write_gguf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

OWN = "memos."
"""The prefix of the keys of our own metadata."""

_SUFFIXES = ("lora_a", "lora_b")
_BLOCKS = {0: (1, 4), 1: (1, 2), 8: (32, 34), 30: (1, 2)}
"""Numbers and bytes of a block of f32, f16, q8_0 and bf16, by ggml.h's ``ggml_type``."""
_NUMBER, _FLOAT = 4, 6
"""Types of metadata: u32 and f32."""
_MAX_NAME = 63
"""Bytes of a tensor's name in ggml."""
_HINT = "`memos promote` makes one for this model"


@dataclass(frozen=True, slots=True)
class AdapterHeader:
    """The metadata of an adapter."""

    architecture: str
    name: str
    alpha: float
    """0: the scale is used as it is."""
    rank: int
    """The largest of its pairs."""
    matrices: tuple[str, ...]
    """The base's tensors that it changes."""
    extra: Mapping[str, str]
    """Our own metadata, without ``memos.``."""


def adapter_bytes(
    matrices: Mapping[str, tuple[Matrix, Matrix]],
    *,
    architecture: str,
    alpha: float,
    name: str,
    extra: Mapping[str, str],
) -> bytes:
    """Return the file of an adapter: the same bytes for the same arguments.

    ``matrices`` has A (rank, in) and B (out, rank) by the name of the base tensor. ``extra`` is written under
    ``memos.``; an empty text is left out.
    """
    import tempfile

    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter.gguf"
        with write_gguf(path, architecture) as writer:
            writer.add_type("adapter")
            writer.add_name(name)
            writer.add_string("adapter.type", "lora")
            writer.add_float32("adapter.lora.alpha", alpha)
            for key in sorted(extra):
                writer.add_string(OWN + key, extra[key])
            for base in sorted(matrices):
                for letter, matrix in zip("ab", matrices[base], strict=True):
                    writer.add_tensor(f"{base}.lora_{letter}", np.ascontiguousarray(matrix, np.float32))
        return path.read_bytes()


def read_adapter(path: Path) -> AdapterHeader:
    """Read the metadata of the adapter ``path``, after checking all of it. Raises ModelUnfit."""
    return _read(path)[1]


def check_adapter(path: Path, base: GgufHeader) -> AdapterHeader:
    """Check an adapter, and that it fits the model ``base``. Raises ModelUnfit."""
    header, adapter = _read(path)
    if adapter.architecture != base.architecture:
        raise _unfit(path, f"it is for the architecture {adapter.architecture!r}, not {base.architecture!r}")
    shapes = {tensor.name: tensor.dimensions for tensor in base.listed}
    pairs = _pairs(header)
    for name in adapter.matrices:
        a, b = (tensor.dimensions for tensor in pairs[name])
        shape = shapes.get(name)
        if shape is None:
            raise _unfit(path, f"the model has no tensor {name!r}; is the adapter for another model?")
        if name == "token_embd.weight" or len(shape) != 2:
            raise _unfit(path, f"it changes {name}, which is no matrix that an adapter may change here")
        if (a[0], b[1]) != shape:
            raise _unfit(
                path, f"its {name} is {b[1]} × {a[0]}, the model's {shape[1]} × {shape[0]}: another model's"
            )
    return adapter


def read_matrices(path: Path) -> dict[str, tuple[Matrix, Matrix]]:
    """Read A (rank, in) and B (out, rank) by the name of the base tensor, in single precision. Raises
    ModelUnfit."""
    header, adapter = _read(path)
    arrays = dict(_arrays(path, header))
    return {base: (arrays[f"{base}.lora_a"], arrays[f"{base}.lora_b"]) for base in adapter.matrices}


def _read(path: Path) -> tuple[GgufHeader, AdapterHeader]:
    """Read the header of ``path``, and check everything that does not need the base."""
    try:
        header = read_header(path)
    except ModelUnfit as error:
        raise ModelUnfit(str(error), _HINT) from error
    kind = header.text("general.type")
    if kind != "adapter":
        raise _unfit(path, f"it is {kind or 'a model'}, not an adapter")
    if header.text("adapter.type") != "lora":
        raise _unfit(path, f"it is an adapter of the type {header.text('adapter.type')!r}, not lora")
    if "" in header.kinds:
        raise _unfit(path, "it has a value without a name")
    for key, expected in (("general.alignment", _NUMBER), ("adapter.lora.alpha", _FLOAT)):
        if header.kinds.get(key, expected) != expected:
            raise _unfit(path, f"its {key} is of the wrong type")
    alignment = header.number("general.alignment", 32)
    if alignment < 1 or alignment & (alignment - 1):
        raise _unfit(path, f"its tensors are aligned to {alignment}, which is no power of 2")
    alpha = header.values.get("adapter.lora.alpha", 0.0)
    assert isinstance(alpha, float)
    if not math.isfinite(alpha):
        raise _unfit(path, f"its alpha is {alpha}")
    if problem := _problem_of_tensors(header, alignment):
        raise _unfit(path, problem)
    for name, array in _arrays(path, header):
        if not bool((abs(array) < math.inf).all()):
            raise _unfit(path, f"{name} has values that are no numbers")
    own = {key.removeprefix(OWN): header.text(key) for key in header.values if key.startswith(OWN)}
    pairs = _pairs(header)
    adapter = AdapterHeader(
        architecture=header.architecture,
        name=header.text("general.name"),
        alpha=alpha,
        rank=max(a.dimensions[1] for a, _ in pairs.values()),
        matrices=tuple(pairs),
        extra=own,
    )
    return header, adapter


def _problem_of_tensors(header: GgufHeader, alignment: int) -> str:
    """Return the reason why the list of tensors is not that of an adapter; "" if it is."""
    names = {tensor.name for tensor in header.listed}
    if len(names) != len(header.listed):
        return "it has a tensor twice"
    if not names:
        return "it has no tensors"
    for name in names:
        base, _, suffix = name.rpartition(".")
        if suffix not in _SUFFIXES or not base or len(name.encode()) > _MAX_NAME:
            return f"it has the tensor {name!r}, which is not one of an adapter"
    end = 0
    for tensor in sorted(header.listed, key=lambda tensor: tensor.offset):
        if not {f"{tensor.name[:-1]}a", f"{tensor.name[:-1]}b"} <= names:
            return f"it has {tensor.name!r} without its partner"
        if tensor.kind not in _BLOCKS:
            return f"{tensor.name} is of the type {tensor.kind}; f32, f16, bf16 and q8_0 are known"
        if len(tensor.dimensions) != 2 or 0 in tensor.dimensions:
            return f"{tensor.name} is no matrix"
        if tensor.dimensions[0] % _BLOCKS[tensor.kind][0]:
            return f"{tensor.name} has rows that are not whole blocks"
        # So ggml lays them out, and llama.cpp takes no other order.
        if tensor.offset != end:
            return f"{tensor.name} is not where the tensor before it ends"
        end = -(-(tensor.offset + _size(tensor)) // alignment) * alignment
        if header.data_start + tensor.offset + _size(tensor) > header.size:
            return f"it ends before {tensor.name} does"
    for name, (a, b) in _pairs(header).items():
        if a.dimensions[1] != b.dimensions[0]:
            return f"the matrices of {name} are of different ranks"
    return ""


def _pairs(header: GgufHeader) -> dict[str, tuple[GgufTensor, GgufTensor]]:
    by_name = {tensor.name: tensor for tensor in header.listed}
    bases = (name.removesuffix(".lora_a") for name in by_name if name.endswith(".lora_a"))
    return {base: (by_name[f"{base}.lora_a"], by_name[f"{base}.lora_b"]) for base in bases}


def _size(tensor: GgufTensor) -> int:
    numbers, size = _BLOCKS[tensor.kind]
    return math.prod(tensor.dimensions) // numbers * size


def _arrays(path: Path, header: GgufHeader) -> Iterator[tuple[str, Matrix]]:
    """Return the contents of the tensors, in single precision."""
    import numpy as np

    try:
        with path.open("rb") as file:
            for tensor in header.listed:
                file.seek(header.data_start + tensor.offset)
                data = file.read(_size(tensor))
                if len(data) != _size(tensor):
                    raise _unfit(path, f"it ends before {tensor.name} does")
                shape = tensor.dimensions[::-1]
                if tensor.kind == 8:  # blocks of a half-precision scale and 32 bytes
                    blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("steps", "i1", 32)]))
                    array = blocks["scale"][:, None].astype(np.float32) * blocks["steps"]
                elif tensor.kind == 30:  # the upper half of a single-precision number
                    array = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
                else:
                    array = np.frombuffer(data, "<f2" if tensor.kind == 1 else "<f4").astype(np.float32)
                yield tensor.name, array.reshape(shape)
    except OSError as error:
        raise ModelUnfit(f"cannot read the adapter {path}: {error.strerror}", _HINT) from error


def _unfit(path: Path, problem: str) -> ModelUnfit:
    return ModelUnfit(f"not a usable adapter: {path}: {problem}", _HINT)
