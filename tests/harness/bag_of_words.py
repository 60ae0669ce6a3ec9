"""A fake embedder: a text's vector is made of its words, so that similar texts have similar vectors."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from memos_cli.errors import ModelUnfit


class BagOfWords:
    """Texts are the nearer to each other the more long words they share. After ``most`` texts it fails."""

    def __init__(self, dimension: int = 64, *, most: int = 10**9) -> None:
        self.dimension, self.most = dimension, most
        self.name = f"bag-{dimension}"
        self.fingerprint = f"{dimension:064d}"
        self.texts: list[str] = []
        """All that was embedded, but for questions."""
        self.questions: list[str] = []

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int], None] | None = None
    ) -> Any:
        if not query and len(self.texts) + len(texts) > self.most:
            raise ModelUnfit("out of breath")
        (self.questions if query else self.texts).extend(texts)
        vectors = np.full((len(texts), self.dimension), 0.01, np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"[a-z0-9]{4,}|[\u4e00-\u9fff]", text.lower()):
                vectors[row, zlib.crc32(word.encode()) % self.dimension] += 1
        if progress is not None:
            progress(len(texts))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def knows(self, text: str) -> bool:
        return True

    def close(self) -> None:
        pass
