"""The language model: a GGUF file run by llama.cpp, one sequence at a time.

Tokens are always computed in the same batches, which start at multiples of ``Engine.batch``, counted from the
first token of the sequence. So a sequence that was cut at such a multiple, or restored from a state that was
saved there, continues exactly like one that was read in one piece.

Adapters are *activated* (aLoRA; llama.cpp's pull request 15212): the tokens before the question are computed
without them, so that one saved state can be used with every adapter. A batch ends where they are switched on.
The engine records the tokens and adapters of each call of llama.cpp: only tokens that were computed in the
same way are reused, and a sequence with adapters in it is not saved. Not thread-safe.
"""

from __future__ import annotations

import codecs
import ctypes
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.gguf_header import read_header
from memos_cli.models.llama.decode_batches import Call, count_same, plan_calls
from memos_cli.models.llama.llama import all_threads, free_threads, last_complaints, load, model_parameters
from memos_cli.models.llama.loaded_adapters import (
    Attached,
    LoadedAdapter,
    attach_adapters,
    free_adapter,
    load_adapter,
)
from memos_cli.models.llama.model_info import ModelInfo
from memos_cli.models.llama.sampling import open_sampler
from memos_cli.models.llama.state_conditions import conditions_of, why_unfit
from memos_cli.models.model_files import stamp_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memos_cli.models.llama.prompt import Prompt

    Logits = NDArray[np.float32]

BATCH = 64
"""Tokens that are computed at once (``n_batch`` and ``n_ubatch``) on a CPU.

States end at its multiples, and what is left of the prompt is read each time: a small batch leaves little.
Measured with the embedded model: 2,048 and 5,900 tokens take up to 15 % longer than in batches of 512; in
batches of 32 they take 70 % longer (llama.cpp's tiled attention needs 64 rows).
"""
BATCH_GPU = 512
"""The same where llama.cpp was built for a GPU, which small batches would leave idle."""
KV_TYPES = {"f16": 1, "q8_0": 8}
"""Types of stored keys and values: names and numbers of ggml.h's ``ggml_type``."""


class Engine(ModelInfo):
    """A model with its context. Close it, or use it as a context manager.

    With ``vocabulary_only`` the weights stay on disk: it then tokenizes, and cannot decode.
    Raises ModelUnfit when the file is not a GGUF that this llama.cpp can run.
    """

    def __init__(
        self,
        path: Path,
        *,
        context: int = 4096,
        threads: int = 0,
        kv_type: str = "f16",
        flash_attention: bool | None = None,
        vocabulary_only: bool = False,
    ) -> None:
        self._header = read_header(path)  # llama.cpp's own words for a file that is no GGUF are hard to read
        self._path, self.stamp = path, stamp_of(path)
        self.day = date.today()
        """The date for chat templates: the same for all prompts of this engine, even after midnight."""
        self._llama, self._context = load(), None
        self._threads = threads
        self._kv_type = kv_type
        self._flash_attention = flash_attention
        parameters = model_parameters()
        parameters.vocab_only = vocabulary_only
        last_complaints()
        self._model = self._llama.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise ModelUnfit(
                f"llama.cpp cannot load {path}: {last_complaints() or 'no reason given'}",
                "choose another model with --model; `memos models` lists those on this machine",
            )
        self._vocabulary = self._llama.llama_model_get_vocab(self._model)
        # Of the file: llama.cpp does not know it when the vocabulary alone is open.
        trained = self._header.number(f"{self._header.architecture}.context_length")
        self.context = min(context, trained) if trained > 0 else context
        self.batch = BATCH_GPU if self._llama.llama_supports_gpu_offload() else BATCH
        self.unfit = why_unfit(self._model)
        self.tokens: list[int] = []
        self._calls: list[Call] = []
        """The calls that read the tokens of the sequence."""
        self._has_logits = False
        """Whether llama.cpp's logits are those of the sequence's last token."""
        self.ended = False
        self._adapters: list[LoadedAdapter] = []
        self._attached: Attached = ()
        if not vocabulary_only:
            self._open_context()

    def _open_context(self) -> None:
        parameters = self._parameters()
        # For one token at a time llama.cpp divides attention between the threads, so that their number
        # moves the last bits: an answer must not depend on what else the machine is doing.
        parameters.n_threads = self._threads or all_threads()
        parameters.n_threads_batch = self._threads or free_threads()
        self._context = self._llama.llama_init_from_model(self._model, parameters)
        if not self._context:
            self.close()
            raise ModelUnfit(
                f"llama.cpp cannot open a context of {self.context} tokens: {last_complaints()}",
                "lower the setting query.context"
                + ("" if self._kv_type == "f16" else ", or set activation.kv_type to f16"),
            )

    def _parameters(self) -> ctypes.Structure:
        parameters = self._llama.llama_context_default_params()
        parameters.n_ctx = self.context
        parameters.n_batch = parameters.n_ubatch = self.batch
        parameters.n_seq_max = 1
        parameters.type_k = parameters.type_v = KV_TYPES[self._kv_type]
        if self._flash_attention is not None:
            parameters.flash_attn_type = int(self._flash_attention)
        return parameters  # type: ignore[no-any-return]

    def read(
        self,
        tokens: Sequence[int],
        on_tokens: Callable[[int], None] = lambda count: None,
        *,
        adapters: Sequence[tuple[LoadedAdapter, float]] = (),
        adapted_from: int = 0,
    ) -> None:
        """Make the sequence contain exactly ``tokens``; what it contains already is not read again.

        The first ``adapted_from`` tokens are computed by the plain model, the others with ``adapters``, which
        stay attached for what is generated next. ``on_tokens`` is called after each batch with its number of
        tokens. Raises ModelUnfit if the context is too small.
        """
        if len(tokens) > self.context:
            raise self._too_small(len(tokens))
        self._cut(self.held(tokens, adapters=adapters, adapted_from=adapted_from))
        for call in plan_calls(len(tokens), self.batch, tuple(adapters), adapted_from):
            start = len(self.tokens)
            if call.end > start:
                self.attach(call.adapters)
                self.decode(tokens[start : call.end])
                on_tokens(call.end - start)
        self.attach(adapters)

    def read_prompt(
        self,
        prompt: Prompt,
        adapters: Sequence[tuple[LoadedAdapter, float]] = (),
        on_tokens: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Read a whole prompt, with ``adapters`` on from the first token of its question."""
        tokens = [*prompt.prefix, *prompt.question]
        self.read(tokens, on_tokens, adapters=adapters, adapted_from=len(prompt.prefix))

    def held(
        self,
        tokens: Sequence[int],
        *,
        adapters: Sequence[tuple[LoadedAdapter, float]] = (),
        adapted_from: int = 0,
    ) -> int:
        """Return how many of ``tokens`` the sequence has at its start exactly as ``read`` would compute them.

        The last batch never counts: it must be read to predict what follows.
        """
        if self.unfit:
            return 0
        planned = plan_calls(len(tokens), self.batch, tuple(adapters), adapted_from)
        return count_same(self._calls, self.tokens, planned[:-1], tokens)

    def decode(self, tokens: Sequence[int]) -> None:
        """Read ``tokens`` at the end of the sequence, with what is attached.

        Raises ModelUnfit when the context is full.
        """
        for part in self._batches(tokens):
            self._decode_batch(part)

    def _batches(self, tokens: Sequence[int]) -> Iterator[Sequence[int]]:
        """Yield ``tokens`` in batches, each to be read at the end of the sequence before the next."""
        if len(self.tokens) + len(tokens) > self.context:
            raise self._too_small(len(self.tokens) + len(tokens))
        start = 0
        while start < len(tokens):
            end = start + self.batch - len(self.tokens) % self.batch
            yield tokens[start:end]
            start = end

    def _decode_batch(self, tokens: Sequence[int], *, all_logits: bool = False) -> None:
        array = (self._llama.llama_token * len(tokens))(*tokens)
        batch = self._llama.llama_batch_get_one(array, len(tokens))
        if all_logits:
            batch.logits = (ctypes.c_int8 * len(tokens))(*[1] * len(tokens))
        self._has_logits = False
        status = self._llama.llama_decode(self._context, batch)
        if status != 0:
            raise ModelUnfit(f"llama.cpp failed to read the prompt ({status}): {last_complaints()}")
        self.tokens += tokens
        self._calls.append(Call(len(self.tokens), self._attached))
        self._has_logits = True

    def _too_small(self, wanted: int) -> ModelUnfit:
        return ModelUnfit(
            f"{wanted} tokens do not fit a context of {self.context}",
            "lower query.memory or --max-tokens, or raise query.context",
        )

    def generate(self, *, limit: int, temperature: float = 0.0, seed: int = 0) -> Iterator[str]:
        """Continue the sequence by at most ``limit`` tokens, as pieces of text as they come.

        Stops at the model's end-of-turn token, and then sets ``ended``; at ``limit``; or when the context is
        full. ``temperature`` 0 takes the likeliest token each time: the same prompt then gives the same text
        on the same machine.
        """
        self.ended = False
        sampler = open_sampler(temperature, seed)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            for _ in range(min(limit, self.context - len(self.tokens))):
                token = self._llama.llama_sampler_sample(sampler, self._context, -1)
                if self._llama.llama_vocab_is_eog(self._vocabulary, token):
                    self.ended = True
                    break
                if text := decoder.decode(self.piece(token)):
                    yield text
                self.decode([token])
            if text := decoder.decode(b"", final=True):
                yield text
        finally:
            self._llama.llama_sampler_free(sampler)

    # --- what is predicted -----------------------------------------------------------------------

    def logits(self) -> Logits:
        """Return the logits of the next token: a number for each token of the vocabulary; larger means
        likelier.
        """
        return self._copy_logits(1)[0]  # type: ignore[no-any-return]

    def score(self, tokens: Sequence[int]) -> Logits:
        """Read ``tokens`` with the attached adapters, and return the log-probability of every token at each
        place.

        Row i has the natural logarithms of the probabilities of all tokens at the place of ``tokens[i]``.
        Raises ModelUnfit if the context is full.
        """
        import numpy as np

        rows = [self._copy_logits(1)]
        for part in self._batches(tokens):
            self._decode_batch(part, all_logits=True)
            rows.append(self._copy_logits(len(part)))
        logits: Logits = np.concatenate(rows)[: len(tokens)]
        logits -= logits.max(-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        return logits

    def _copy_logits(self, rows: int) -> Logits:
        """Copy the logits of the last ``rows`` tokens that have some: (rows, vocabulary)."""
        import numpy as np

        assert self._has_logits, "the last token was restored, or tokens after it were removed"
        first = self._llama.llama_get_logits_ith(self._context, -rows)
        return np.ctypeslib.as_array(first, (rows, self.vocabulary_size)).copy()

    # --- adapters --------------------------------------------------------------------------------

    def load_adapter(self, path: Path) -> LoadedAdapter:
        """Load an adapter, once all of its file was checked. Raises ModelUnfit unless it fits this model."""
        adapter = load_adapter(self._model, self._header, path)
        self._adapters.append(adapter)
        return adapter

    def unload_adapter(self, adapter: LoadedAdapter) -> None:
        """Free the memory of an adapter; it is detached first."""
        self.attach([(each, scale) for each, scale in self._attached if each is not adapter])
        self._adapters.remove(adapter)
        free_adapter(adapter)

    def attach(self, adapters: Sequence[tuple[LoadedAdapter, float]]) -> None:
        """Compute tokens with these adapters from now on, each at its scale; with none, without adapters.

        With several, the last bits follow the order of their places in memory: the same within this engine.
        """
        wanted = tuple(adapters)
        assert all(adapter in self._adapters for adapter, _ in wanted), "not an adapter of this engine"
        if wanted != self._attached:
            assert self._context is not None, "the vocabulary alone is open"
            attach_adapters(self._context, wanted)
            self._attached = wanted

    # --- the sequence ----------------------------------------------------------------------------

    def clear(self) -> None:
        """Empty the sequence. Attached adapters stay."""
        # The old keys and values stay in memory, masked: to zero them takes longer than to restore a state.
        self._llama.llama_memory_clear(self._llama.llama_get_memory(self._context), False)
        self.tokens, self._calls, self._has_logits = [], [], False

    def _cut(self, length: int) -> None:
        """Forget all but the first ``length`` tokens of the sequence."""
        memory = self._llama.llama_get_memory(self._context)
        if length and self._llama.llama_memory_seq_rm(memory, 0, length, -1):
            self._has_logits &= length == len(self.tokens)
            del self.tokens[length:]
            self._calls = [call for call in self._calls if call.end <= length]
        else:
            self.clear()

    # --- saved states ----------------------------------------------------------------------------

    def save(self) -> memoryview:
        """Return the state of the sequence (llama.cpp's format for one sequence, without logits).

        It has no information about the model or the conditions, and llama.cpp does not detect a damaged one:
        store ``conditions``, the tokens and a hash with it. Its size depends on the number of tokens, not on
        the context. Raises ModelUnfit if states of this model are not exact, or if some tokens were computed
        with an adapter.
        """
        if any(call.adapters for call in self._calls):
            hint = "read it without the adapter first"
            raise ModelUnfit("a state that was read with an adapter cannot be saved", hint)
        if self.unfit:
            hint = "choose another model with --model"
            raise ModelUnfit(f"this model's state cannot be saved: {self.unfit}", hint)
        size = self.state_size()
        state = (ctypes.c_uint8 * size)()
        if self._llama.llama_state_seq_get_data(self._context, state, size, 0) != size:
            raise ModelUnfit(f"llama.cpp failed to save a state: {last_complaints()}")
        return memoryview(state).cast("B")

    def state_size(self) -> int:
        """Return the bytes that ``save`` would return now."""
        return int(self._llama.llama_state_seq_get_size(self._context, 0))

    def restore(self, state: memoryview, tokens: Sequence[int]) -> None:
        """Restore the sequence ``tokens`` from a saved state.

        Pass only bytes whose hash was verified: llama.cpp accepts damaged states, and hostile ones may do
        worse. Raises ModelUnfit if llama.cpp refuses it; the sequence is empty then.
        """
        self.clear()
        data = (ctypes.c_uint8 * len(state)).from_buffer(state)
        if self.unfit or not self._llama.llama_state_seq_set_data(self._context, data, len(state), 0):
            self.clear()
            raise ModelUnfit(f"llama.cpp refused a saved state: {self.unfit or last_complaints()}")
        # Its metadata are the one thing that can be compared: a state of another length is another state.
        last = self._llama.llama_memory_seq_pos_max(self._llama.llama_get_memory(self._context), 0)
        if last != len(tokens) - 1:
            self.clear()
            raise ModelUnfit(f"a saved state has {last + 1} tokens, not {len(tokens)}")
        self.tokens = list(tokens)
        self._calls = plan_calls(len(tokens), self.batch)

    @property
    def conditions(self) -> Mapping[str, str]:
        """The conditions of a saved state, by name, apart from the model's file and the tokens."""
        return conditions_of(
            self._parameters(),
            self._header,
            kv_type=self._kv_type,
            flash_attention=self._flash_attention,
            template=self.template,
            day=self.day,
        )

    def close(self) -> None:
        if self._context:
            self._llama.llama_free(self._context)
            self._context = None
        while self._adapters:
            free_adapter(self._adapters.pop())
        if self._model:
            self._llama.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
