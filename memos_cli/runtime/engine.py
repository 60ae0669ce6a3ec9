"""The reader: one GGUF model run by llama.cpp, one sequence at a time.

Not thread-safe. Token positions follow each other from 0; ``clear`` starts over.
"""

from __future__ import annotations

import codecs
import ctypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from memos_cli.errors import ModelUnfit
from memos_cli.runtime.llama import free_threads, last_complaints, load
from memos_cli.runtime.models import read_header

BATCH = 512
"""Tokens that one call of llama.cpp reads at most (``n_batch`` and ``n_ubatch``)."""


class Engine:
    """A model with its context. Close it, or use it as a context manager.

    With ``vocabulary_only`` the weights stay on disk: it then tokenizes, and cannot decode.
    Raises ModelUnfit when the file is not a GGUF that this llama.cpp can run.
    """

    def __init__(
        self, path: Path, *, context: int = 4096, threads: int = 0, vocabulary_only: bool = False
    ) -> None:
        read_header(path)  # llama.cpp's own words for a file that is no GGUF are hard to read
        self._llama = load()
        self._context = None
        self._threads = threads
        parameters = self._llama.llama_model_default_params()
        parameters.vocab_only = vocabulary_only
        last_complaints()
        self._model = self._llama.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise ModelUnfit(
                f"llama.cpp cannot load {path}: {last_complaints() or 'no reason given'}",
                "choose another model with --model; `memos models` lists those on this machine",
            )
        self._vocabulary = self._llama.llama_model_get_vocab(self._model)
        trained = self._llama.llama_model_n_ctx_train(self._model)
        self.context = min(context, trained) if trained > 0 else context
        self.position = 0
        if not vocabulary_only:
            self._open_context()

    def _open_context(self) -> None:
        parameters = self._llama.llama_context_default_params()
        parameters.n_ctx = self.context
        parameters.n_batch = parameters.n_ubatch = min(BATCH, self.context)
        parameters.n_seq_max = 1
        parameters.n_threads = parameters.n_threads_batch = self._threads or free_threads()
        self._context = self._llama.llama_init_from_model(self._model, parameters)
        if not self._context:
            self.close()
            raise ModelUnfit(
                f"llama.cpp cannot open a context of {self.context} tokens: {last_complaints()}",
                "lower the setting query.context",
            )

    def tokenize(self, text: str, *, special: bool = False, start: bool = False) -> list[int]:
        """The tokens of ``text``. ``special`` reads control tokens such as ``<|im_end|>`` as such.

        ``start`` puts the tokens before it that the model wants at the start of a text (BOS).
        """
        data = text.encode("utf-8")
        size = len(data) + 16
        tokens = (self._llama.llama_token * size)()
        count = self._llama.llama_tokenize(self._vocabulary, data, len(data), tokens, size, start, special)
        if count < 0:
            size = -count
            tokens = (self._llama.llama_token * size)()
            count = self._llama.llama_tokenize(
                self._vocabulary, data, len(data), tokens, size, start, special
            )
        return list(tokens[:count])

    def decode(self, tokens: Sequence[int]) -> None:
        """Read ``tokens`` at the end of the sequence. Raises ModelUnfit when the context is full."""
        if self.position + len(tokens) > self.context:
            raise ModelUnfit(
                f"{self.position + len(tokens)} tokens do not fit a context of {self.context}",
                "lower query.memory or --max-tokens, or raise query.context",
            )
        step = min(BATCH, self.context)
        for start in range(0, len(tokens), step):
            part = tokens[start : start + step]
            array = (self._llama.llama_token * len(part))(*part)
            status = self._llama.llama_decode(
                self._context, self._llama.llama_batch_get_one(array, len(part))
            )
            if status != 0:
                raise ModelUnfit(f"llama.cpp failed to read the prompt ({status}): {last_complaints()}")
            self.position += len(part)

    def generate(self, *, limit: int, temperature: float = 0.0, seed: int = 0) -> Iterator[str]:
        """Continue the sequence by at most ``limit`` tokens, as pieces of text as they come.

        Ends at the model's end-of-turn token or with the context. ``temperature`` 0 takes the likeliest
        token each time: the same prompt then gives the same text on the same machine.
        """
        sampler = self._sampler(temperature, seed)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            for _ in range(min(limit, self.context - self.position)):
                token = self._llama.llama_sampler_sample(sampler, self._context, -1)
                if self._llama.llama_vocab_is_eog(self._vocabulary, token):
                    break
                if text := decoder.decode(self.piece(token)):
                    yield text
                if self.position >= self.context:
                    break
                self.decode([token])
            if text := decoder.decode(b"", final=True):
                yield text
        finally:
            self._llama.llama_sampler_free(sampler)

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of one token; control tokens are empty unless ``special``."""
        buffer = ctypes.create_string_buffer(64)
        size = self._llama.llama_token_to_piece(self._vocabulary, token, buffer, 64, 0, special)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = self._llama.llama_token_to_piece(self._vocabulary, token, buffer, -size, 0, special)
        return buffer.raw[:size]

    def clear(self) -> None:
        """Forget the sequence."""
        self._llama.llama_memory_clear(self._llama.llama_get_memory(self._context), True)
        self.position = 0

    @property
    def template(self) -> str:
        """The model's own chat template (Jinja), or "" if it has none."""
        template = self._llama.llama_model_chat_template(self._model, None)
        return template.decode("utf-8", "replace") if template else ""

    @property
    def marks(self) -> dict[str, str]:
        """The texts of the model's first and last tokens, as templates name them."""
        llama = self._llama
        tokens = {
            "bos_token": llama.llama_vocab_bos(self._vocabulary),
            "eos_token": llama.llama_vocab_eos(self._vocabulary),
        }
        return {
            name: self.piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""
            for name, token in tokens.items()
        }

    @property
    def parameters(self) -> int:
        """How many weights the model has; 0 when only its vocabulary is open."""
        return int(self._llama.llama_model_n_params(self._model))

    @property
    def adds_start(self) -> bool:
        """Whether the model wants its BOS token before a text."""
        return bool(self._llama.llama_vocab_get_add_bos(self._vocabulary))

    def _sampler(self, temperature: float, seed: int) -> ctypes.c_void_p:
        llama = self._llama
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        if temperature > 0:
            llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_min_p(0.05, 1))
            llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_temp(temperature))
            llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_dist(seed & 0xFFFFFFFF))
        else:
            llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())
        return chain  # type: ignore[no-any-return]

    def close(self) -> None:
        if self._context:
            self._llama.llama_free(self._context)
            self._context = None
        if self._model:
            self._llama.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
