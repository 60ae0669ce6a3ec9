"""A cross-encoder that reads question and memory together: slow, and optional.

It runs in sentence-transformers, which loads torch and takes seconds to start. Nothing is downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from memos_cli.errors import ModelUnfit
from memos_cli.folders import expand_home
from memos_cli.models import model_files


class Reranker:
    """A cross-encoder with one output, from a folder or Hugging Face's cache (``owner/name``)."""

    def __init__(self, name: str) -> None:
        """Load the model. Raises ModelUnfit if it is missing, cannot be loaded, or has more than one
        output."""
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        try:
            from sentence_transformers import CrossEncoder
        except ModuleNotFoundError as error:
            raise ModelUnfit(
                "a reranker needs sentence-transformers, which is not installed",
                "pip install 'memos-cli[sentence-transformers]'",
            ) from error
        path = expand_home(name)
        folder = path if path.is_dir() else model_files.find_huggingface(name)
        if folder is None:
            raise ModelUnfit(f"there is no reranker {name}", "name its folder: search.reranker")
        try:
            self._model = CrossEncoder(str(folder), local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelUnfit(f"sentence-transformers cannot load {folder}: {error}") from error
        if self._model.num_labels != 1:
            raise ModelUnfit(f"{folder} has {self._model.num_labels} outputs for a pair, not one score")

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return the score of each text as an answer, in [0, 1]."""
        if not texts:
            return []
        import torch

        found = self._model.predict(
            [(question, text) for text in texts], activation_fn=torch.nn.Sigmoid(), show_progress_bar=False
        )
        return [float(score) for score in found]
