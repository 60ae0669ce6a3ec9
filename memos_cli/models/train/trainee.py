"""A model's weights in torch, with a low-rank adapter to be trained.

Only the creation of a Trainee loads torch. The adapter is LoRA (arXiv
2106.09685): y = Wx + alpha / rank · B(Ax).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.families import KEPT_BYTES, TARGETS, trainable
from memos_cli.models.gguf.gguf_header import read_header
from memos_cli.models.llama.llama import free_threads, limit_spinning

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from memos_cli.models.train.forward import Prefix

    Matrix = NDArray[np.float32]

_CHUNK = 256
"""Tokens of a prefix that are computed at once: attention needs memory for all pairs of one chunk."""


class Trainee:
    """A model's weights in torch, dequantised and frozen, with a low-rank adapter on its matrices."""

    def __init__(
        self,
        path: Path,
        *,
        rank: int,
        alpha: float,
        targets: Sequence[str],
        depth: float = 1.0,
        seed: int,
        threads: int,
    ) -> None:
        """Create an adapter that changes nothing yet: B is zero, A is drawn by ``seed``.

        ``targets`` are some of ``TARGETS``; those that this architecture lacks are left out. ``depth`` is the
        share of the layers with an adapter, counted from the last; the layers below are computed once for a
        sequence, and have no backward pass. ``threads`` 0 takes the free ones. Raises ModelUnfit for a model
        that ``trainable`` refuses or that is damaged, and if torch is not installed.
        """
        header = read_header(path)
        if reason := trainable(header):
            raise ModelUnfit(
                f"no adapter can be trained for {path}: {reason}", "choose another model with --model"
            )
        _load_torch()
        import torch

        from memos_cli.models.train.forward import Network

        torch.set_num_threads(threads or free_threads())
        self._network = network = Network(path, header)
        self._strength = alpha / rank
        layers = network.shape.layers
        self._first = min(layers - 1, max(0, round(layers * (1 - depth))))
        self._below: WeakKeyDictionary[Prefix, dict[tuple[int, ...], torch.Tensor]] = WeakKeyDictionary()
        self._pairs: dict[str, tuple[torch.nn.Parameter, torch.nn.Parameter]] = {}
        generator = torch.Generator().manual_seed(seed)
        self._noise = torch.Generator().manual_seed(seed)
        for layer in range(self._first, layers):
            for target in (target for target in TARGETS if target in targets):
                weight = network.weights.get(f"blk.{layer}.{target}.weight")
                if weight is None:
                    continue
                out, into = weight.shape
                bound = into**-0.5  # as peft draws it: Kaiming's uniform with a = √5
                a = torch.rand(rank, into, generator=generator) * (2 * bound) - bound
                self._pairs[f"blk.{layer}.{target}"] = (
                    torch.nn.Parameter(a),
                    torch.nn.Parameter(torch.zeros(out, rank)),
                )
        if not self._pairs:
            raise ModelUnfit(f"{path} has none of the matrices {', '.join(targets)} in these layers")
        self.parameters: list[torch.nn.Parameter] = [each for pair in self._pairs.values() for each in pair]
        """What is trained: A and B of each matrix, in single precision."""

    def matrices(self) -> dict[str, tuple[Matrix, Matrix]]:
        """Return a copy of A (rank, in) and B (out, rank) by the name of the base tensor, in GGUF's order
        of rows."""
        return {
            f"{name}.weight": (a.detach().numpy().copy(), b.detach().numpy().copy())
            for name, (a, b) in self._pairs.items()
        }

    def load(self, matrices: Mapping[str, tuple[Matrix, Matrix]]) -> None:
        """Load the result of ``matrices``. Raises ValueError unless it has exactly these matrices."""
        import torch

        if {name.removesuffix(".weight") for name in matrices} != set(self._pairs):
            raise ValueError("the adapter is on other matrices")
        both = [(self._pairs[name.removesuffix(".weight")], pair) for name, pair in matrices.items()]
        if any(m.shape != o.shape for mine, other in both for m, o in zip(mine, other, strict=True)):
            raise ValueError("the adapter's matrices are of another shape")
        with torch.no_grad():
            for mine, other in both:
                for parameter, values in zip(mine, other, strict=True):
                    parameter.copy_(torch.from_numpy(values))

    def read_prefix(self, tokens: Sequence[int]) -> Prefix:
        """Return keys and values of ``tokens``, without the adapter, for any number of calls of
        ``logits``.
        """
        import torch

        from memos_cli.models.train.forward import Batch

        prefix: Prefix | None = None
        with torch.no_grad():
            for start in range(0, len(tokens), _CHUNK):
                batch = Batch([tokens[start : start + _CHUNK]], len(prefix) if prefix else 0)
                part = self._network.read(batch, prefix)
                prefix = prefix + part if prefix else part
        if prefix is None:
            raise ValueError("a prefix has at least one token")
        return prefix

    def logits(
        self,
        prefix: Prefix | None,
        sequences: Sequence[Sequence[int]],
        wanted: Sequence[range],
        *,
        adapted: bool = True,
        noise: float = 0.0,
    ) -> torch.Tensor:
        """Return the logits at some positions of each sequence, each read after ``prefix``: (rows,
        vocabulary).

        ``wanted[i]`` are positions in ``sequences[i]``; the row of position p predicts the token at p + 1.
        The rows of the first sequence come first. With ``adapted``, all tokens of the sequences are computed
        with the adapter, and gradients flow to it unless ``torch.no_grad`` is on. ``noise`` is added to the
        output of the layers below: normal, with a deviation that is a share of the root mean square of each
        token.
        """
        import torch

        from memos_cli.models.train.forward import Batch

        if not sequences or not all(sequences):
            raise ValueError("a sequence has at least one token")
        batch = Batch(sequences, len(prefix) if prefix else 0)
        with torch.no_grad():
            below = self._read_below(prefix, sequences) if self._first else None
            if noise and below is not None:
                size = below.square().mean(-1, keepdim=True).sqrt()
                below = below + noise * size * torch.randn(below.shape, generator=self._noise)
        adapter = self._pairs if adapted else {}
        state = self._network.run(batch, prefix, adapter, self._strength, self._first, below)
        rows = [first + at for first, each in zip(batch.firsts, wanted, strict=True) for at in each]
        return self._network.logits(state[torch.tensor(rows, dtype=torch.long)])

    def _read_below(self, prefix: Prefix | None, sequences: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return the output of the layers below the adapter for each token of ``sequences``, concatenated.

        It is cached as long as its prefix, if there is room.
        """
        import torch

        from memos_cli.models.train.forward import Batch

        kept = {} if prefix is None else self._below.setdefault(prefix, {})
        new = list(dict.fromkeys(key for each in sequences if (key := tuple(each)) not in kept))
        read: dict[tuple[int, ...], torch.Tensor] = {}
        if new:
            batch = Batch(new, len(prefix) if prefix else 0)
            state = self._network.run(batch, prefix, {}, 0.0, 0, None, self._first)
            read = dict(zip(new, state.split([len(each) for each in new]), strict=True))
            width = state.shape[1] * state.element_size()
            if width * sum(map(len, (*kept, *new))) <= KEPT_BYTES:
                kept |= {key: part.clone() for key, part in read.items()}
        return torch.cat([kept[key] if key in kept else read[key] for key in map(tuple, sequences)])


def _load_torch() -> None:
    """Import torch. Raises ModelUnfit if it is not installed."""
    # torch brings an OpenMP of its own. Beside another process that computed, a step of two threads on two
    # cores took 44 s, and with this 6 s.
    limit_spinning()
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModelUnfit(
            f"training needs torch, which is not installed ({error})", "pip install 'memos-cli[distil]'"
        ) from error
