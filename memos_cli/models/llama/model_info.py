"""The metadata of an open model: tokens, chat template, size."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from memos_cli.errors import ModelUnfit
from memos_cli.folders import cache_folder
from memos_cli.models.gguf.gguf_header import GgufHeader
from memos_cli.models.llama.prompt import TokenPrompts
from memos_cli.models.llama.vocabulary import cut_text, spell_token
from memos_cli.models.model_files import Stamp, fingerprint, stamp_of


class ModelInfo(TokenPrompts):
    """The vocabulary and the metadata of a model that llama.cpp has opened."""

    _llama: Any
    _model: Any
    _vocabulary: Any
    _header: GgufHeader
    _path: Path
    day: date
    stamp: Stamp
    """The stamp of the model's file when it was opened."""
    host = ""
    """It runs on this machine: see ``models/engine.py``."""
    limitations: Sequence[str] = ()

    @property
    def model_id(self) -> str:
        """The sha256 of the model's file; "" if that is not the one that was opened any more."""
        with suppress(ModelUnfit):
            digest = fingerprint(self._path, cache_folder() / "models.json")
            return digest if stamp_of(self._path) == self.stamp else ""
        return ""

    def tokenize(self, text: str, *, special: bool = False, start: bool = False) -> list[int]:
        """Return the tokens of ``text``. With ``special``, control tokens such as ``<|im_end|>`` are read as
        such.

        ``start`` adds the tokens that the model wants at the start of a text (BOS).
        """
        return cut_text(self._vocabulary, text, special, start)

    def count(self, text: str) -> int:
        """Return how many tokens ``text`` has, without control tokens."""
        return len(self.tokenize(text))

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """Return the bytes of one token; control tokens are empty unless ``special``."""
        return spell_token(self._vocabulary, token, special)

    @property
    def vocabulary_size(self) -> int:
        """The number of tokens in the vocabulary."""
        return int(self._llama.llama_vocab_n_tokens(self._vocabulary))

    @property
    def template(self) -> str:
        """The model's own chat template (Jinja), or "" if it has none."""
        template = self._llama.llama_model_chat_template(self._model, None)
        return template.decode("utf-8", "replace") if template else ""

    @property
    def marks(self) -> dict[str, str]:
        """The texts of the model's special tokens, by their names in templates; "" for a missing one."""
        llama, vocabulary = self._llama, self._vocabulary
        tokens = {
            "bos_token": llama.llama_vocab_bos(vocabulary),
            "eos_token": llama.llama_vocab_eos(vocabulary),
            "pad_token": llama.llama_vocab_pad(vocabulary),
            "sep_token": llama.llama_vocab_sep(vocabulary),
            "unk_token": self._header.number("tokenizer.ggml.unknown_token_id", -1),
        }
        return {
            name: self.piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""
            for name, token in tokens.items()
        }

    @property
    def parameters(self) -> int:
        """The number of weights of the model; for a split one, of which only the vocabulary is open, those of
        its first part.
        """
        return int(self._llama.llama_model_n_params(self._model)) or self._header.parameters

    @property
    def end_of_turn(self) -> tuple[int, ...]:
        """The token that ends an answer; none where the model names none."""
        llama, vocabulary = self._llama, self._vocabulary
        token = llama.llama_vocab_eot(vocabulary)
        token = token if token >= 0 else llama.llama_vocab_eos(vocabulary)
        return (token,) if token >= 0 else ()

    @property
    def adds_start(self) -> bool:
        """Whether the model wants its BOS token before a text."""
        return bool(self._llama.llama_vocab_get_add_bos(self._vocabulary))

    def work(self, tokens: int) -> float:
        """Estimate the operations to read ``tokens``: all weights for each, and attention to those before."""
        layers, size = (
            self._header.number(f"{self._header.architecture}.{name}")
            for name in ("block_count", "embedding_length")
        )
        return 2.0 * self.parameters * tokens + 2.0 * layers * size * tokens**2
