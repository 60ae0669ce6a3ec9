"""An embedding model in llama.cpp.

llama.cpp runs one context per thread, each with one thread of its own, over different texts: two
threads in one context wait for each other after every operation, and were half as fast on two cores.
Texts go in sorted by length, packed to a small batch: a token attends, and is masked out, to every
other token of its batch, so that large batches waste most of their work.
"""

from __future__ import annotations

import ctypes
import queue
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from memos_cli.errors import ModelUnfit
from memos_cli.models.embed import bert
from memos_cli.models.embed.word_pieces import SPECIAL, WordPieces, is_plain
from memos_cli.models.llama import llama
from memos_cli.models.llama.vocabulary import cut_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_PACKED_TOKENS = 128
"""Tokens of one batch; more and less were slower."""
_PACKED_TEXTS = 64
_MAX_TOKENS = 512
"""Most tokens of a text, for a model that does not state it; llama.cpp reserves memory for them."""


class InputLayer(Protocol):
    """The vocabulary and the embedding matrix of a model whose GGUF file has neither.

    llama.cpp takes seconds to load a vocabulary of 250,000 pieces, and reserves room for the logits of all of
    them for every token of a batch, 0.5 GB for each thread, although an embedder has no logits.
    """

    def tokenise(self, text: str) -> list[int]:
        """Cut ``text`` into tokens, at most the model's limit, the closing token always the last."""

    def knows(self, text: str) -> bool:
        """Return whether any word of ``text`` is in the vocabulary."""

    def look_up(self, tokens: NDArray[np.int32]) -> Vectors:
        """Return the row of the embedding matrix for each of ``tokens``."""


class LlamaEmbedder:
    """An embedding model in llama.cpp. Not for use by several threads at once."""

    def __init__(
        self,
        path: Path,
        name: str,
        fingerprint: str,
        threads: int = 0,
        inputs: InputLayer | None = None,
    ) -> None:
        """Load the GGUF file ``path``, to compute with ``threads`` threads (0: as many as are free).

        ``inputs`` is the input layer, where it is not in the file. Raises ModelUnfit if llama.cpp can't load
        the file or it gives no vectors for whole texts.
        """
        self.name = name
        self.fingerprint = fingerprint
        self._threads = threads
        self._inputs = inputs
        self._llama = llama.load()
        self._lanes: list[_Lane] = []
        self._model = self._llama.llama_model_load_from_file(bytes(path), llama.model_parameters())
        if not self._model:
            raise ModelUnfit(f"llama.cpp cannot load {path}: {llama.last_complaints()}", "memos models")
        self._vocabulary = self._llama.llama_model_get_vocab(self._model)
        self.dimension: int = self._llama.llama_model_n_embd_out(self._model)
        stated = self._read_metadata(bert.MAX_TOKENS_KEY)
        trained: int = self._llama.llama_model_n_ctx_train(self._model)
        self._max_tokens = int(stated) if stated.isdigit() else min(trained, _MAX_TOKENS)
        self._cuts_word_pieces = (
            self._llama.llama_vocab_type(self._vocabulary) == self._llama.LLAMA_VOCAB_TYPE_WPM
        )
        try:
            self._lanes.append(self._open_lane())
        except ModelUnfit:
            self.close()
            raise

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Compute one row of unit length for each text, which is read up to the model's limit.

        A text's vector is the same, to rounding, whatever else is embedded with it. ^C comes through
        within one batch; embed long work in portions if what is done must not be lost. ``query`` is ignored.
        """
        import numpy as np

        self._check_open()
        tokens = [self.tokenise(text) for text in texts]
        vectors = np.empty((len(texts), self.dimension), np.float32)
        packs = _pack([len(ids) for ids in tokens])
        lanes = self._take_lanes(len(packs))
        done = 0
        for count in _spread(packs, lanes, lambda lane, pack: lane.embed(pack, tokens, vectors)):
            done += count
            if progress is not None:
                progress(done)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def tokenise(self, text: str) -> list[int]:
        """Cut ``text`` into tokens, at most the model's limit, the closing token always the last."""
        self._check_open()
        if self._inputs is not None:
            return self._inputs.tokenise(text)
        if self._cuts_word_pieces and self._pieces is not None and not is_plain(text):
            ids = [self._pieces.first, *self._pieces.cut(text), self._pieces.last]
        else:
            ids = cut_text(self._vocabulary, text, self._cuts_word_pieces, True)
            ids = ids or [self._llama.llama_vocab_eos(self._vocabulary)]
        if len(ids) > self._max_tokens:
            ids[self._max_tokens - 1 :] = ids[-1:]
        return ids

    def knows(self, text: str) -> bool:
        """Return whether any word of ``text`` is in the vocabulary; always true for a vocabulary of bytes."""
        self._check_open()
        if self._inputs is not None:
            return self._inputs.knows(text)
        if not self._cuts_word_pieces or is_plain(text) or self._pieces is None:
            return True
        return self._pieces.knows(text)

    def close(self) -> None:
        """Free the model. The embedder can't be used afterwards."""
        for lane in self._lanes:
            lane.close()
        self._lanes.clear()
        if self._model:
            self._llama.llama_model_free(self._model)
            self._model = None

    def _check_open(self) -> None:
        if not self._model:  # llama.cpp would abort the process
            raise ModelUnfit(f"the embedder {self.name} is closed")

    @cached_property
    def _pieces(self) -> WordPieces | None:
        """Return the vocabulary, read when the first text needs it; None unless it is BERT's."""
        count: int = self._llama.llama_vocab_n_tokens(self._vocabulary)
        get_text = self._llama.llama_vocab_get_text
        ids = {get_text(self._vocabulary, n).decode("utf-8", "replace"): n for n in range(count)}
        return WordPieces(ids) if all(token in ids for token in SPECIAL) else None

    def _read_metadata(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(64)
        length: int = self._llama.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode() if length >= 0 else ""

    def _open_lane(self) -> _Lane:
        room = max(self._max_tokens, _PACKED_TOKENS)
        return _Lane(self._llama, self._model, self.dimension, room, self._inputs)

    def _take_lanes(self, packs: int) -> list[_Lane]:
        """Return as many lanes as are useful for this number of packs."""
        wanted = 1 if packs < 2 else min(packs, self._threads or llama.free_threads())
        while len(self._lanes) < wanted:
            self._lanes.append(self._open_lane())
        return self._lanes[:wanted]


class _Lane:
    """One llama.cpp context with one thread, and the arrays that its batches are written into."""

    def __init__(
        self, library: Any, model: Any, dimension: int, tokens: int, inputs: InputLayer | None
    ) -> None:
        import numpy as np

        self._llama = library
        self._row_bytes = dimension * 4
        parameters = library.llama_context_default_params()
        # One ubatch is one batch: attention goes both ways, so a text can't be cut in two.
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = tokens
        parameters.n_seq_max = _PACKED_TEXTS
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.embeddings = True
        parameters.kv_unified = True
        parameters.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_ENABLED
        parameters.no_perf = True
        self._context = library.llama_init_from_model(model, parameters)
        if not self._context:
            raise ModelUnfit(
                f"llama.cpp cannot embed with this model: {llama.last_complaints()}",
                "choose another embedder: memos embed --embedder multilingual-e5-small",
            )
        pooling = library.llama_pooling_type(self._context)
        if pooling in (library.LLAMA_POOLING_TYPE_NONE, library.LLAMA_POOLING_TYPE_RANK):
            self.close()
            raise ModelUnfit("this model gives no vectors for whole texts", "memos models")
        self._memory = library.llama_get_memory(self._context)  # none in a pure encoder
        self._token, self._position, self._text = (np.zeros(tokens, np.int32) for _ in range(3))
        # llama_batch wants, for each token, a pointer to its list of sequences: here one each.
        self._text_at = self._text.ctypes.data + 4 * np.arange(tokens, dtype=np.uintp)
        self._ones, self._output = np.ones(tokens, np.int32), np.ones(tokens, np.int8)
        self._batch = library.llama_batch()
        fields: dict[str, NDArray[Any]] = {
            "pos": self._position, "seq_id": self._text_at, "n_seq_id": self._ones, "logits": self._output
        }  # fmt: skip
        self._inputs = inputs
        if inputs is None:
            fields["token"] = self._token
        else:
            width = library.llama_model_n_embd(model)
            self._input = fields["embd"] = np.zeros((tokens, width), np.float32)
        for field, array in fields.items():
            kind = dict(library.llama_batch._fields_)[field]
            setattr(self._batch, field, ctypes.cast(array.ctypes.data, kind))

    def embed(self, pack: Sequence[int], tokens: Sequence[Sequence[int]], vectors: Vectors) -> int:
        """Embed the texts numbered in ``pack`` into their rows of ``vectors``. Returns the number of
        texts.
        """
        end = 0
        for sequence, number in enumerate(pack):
            start, end = end, end + len(tokens[number])
            self._token[start:end] = tokens[number]
            self._position[start:end] = range(end - start)
            self._text[start:end] = sequence
        if self._inputs is not None:
            self._input[:end] = self._inputs.look_up(self._token[:end])
        self._batch.n_tokens = end
        if self._memory:
            self._llama.llama_memory_clear(self._memory, True)
        status = self._llama.llama_decode(self._context, self._batch)
        if status != 0:
            raise ModelUnfit(f"llama.cpp failed to embed ({status}): {llama.last_complaints()}")
        for sequence, number in enumerate(pack):
            row = self._llama.llama_get_embeddings_seq(self._context, sequence)
            ctypes.memmove(vectors[number].ctypes.data, row, self._row_bytes)
        return len(pack)

    def close(self) -> None:
        self._llama.llama_free(self._context)


def _pack(lengths: Sequence[int]) -> list[list[int]]:
    """Group the numbers of texts, the longest first: at most ``_PACKED_TOKENS`` tokens, or one text, a
    group.
    """
    packs: list[list[int]] = []
    room = 0
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        if not packs or lengths[number] > room or len(packs[-1]) == _PACKED_TEXTS:
            packs.append([])
            room = _PACKED_TOKENS
        packs[-1].append(number)
        room -= lengths[number]
    return packs


def _spread(
    packs: Sequence[list[int]], lanes: Sequence[_Lane], work: Callable[[_Lane, list[int]], int]
) -> Iterator[int]:
    """Run ``work`` on every pack, on all lanes in parallel; yield the results in the order of the packs."""
    if len(lanes) == 1:
        yield from (work(lanes[0], pack) for pack in packs)
        return
    from concurrent.futures import ThreadPoolExecutor

    idle: queue.SimpleQueue[_Lane] = queue.SimpleQueue()
    for lane in lanes:
        idle.put(lane)

    def work_on_idle(pack: list[int]) -> int:
        lane = idle.get()
        try:
            return work(lane, pack)
        finally:
            idle.put(lane)

    pool = ThreadPoolExecutor(len(lanes))
    try:
        yield from pool.map(work_on_idle, packs)
    finally:
        pool.shutdown(cancel_futures=True)
