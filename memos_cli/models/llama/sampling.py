"""Choose the next token, in llama.cpp.

Without penalties for repetition: they make a small model say what its notes do not. Measured with
SmolLM2-135M, greedy, up to 256 tokens, on 101 questions with their notes; "unsupported" counts numbers,
names and quotations that stand in no note (operation/grounding.py), after loops were cut off
(operation/repetition.py):

    sampler                                 at the limit  right answers  changed  unsupported
    greedy                                       24            41            -         27
    DRY, multiplier 0.8, allowed length 4        17            43           12         52
    DRY, multiplier 0.8, allowed length 8        17            43            6         61
    DRY, multiplier 2, allowed length 16         17            41            3         31
    repetition penalty 1.03 over 64 tokens       19            41           25         40
    repetition penalty 1.1 over 64 tokens        10            38           43         81

"changed" counts those of the 77 answers that the model had ended itself. All samplers saw only the generated
tokens. They lead out of a loop into variations ("took 41 minutes" became "took 10 minutes"), so loops are
stopped instead.
"""

from __future__ import annotations

import ctypes

from memos_cli.models.llama.llama import load

_LEAST = 0.05
"""Tokens less likely than this share of the likeliest are never drawn (llama.cpp's own default, min-p)."""


def open_sampler(temperature: float, seed: int) -> ctypes.c_void_p:
    """Open a chain of samplers; free it with ``llama_sampler_free``. ``temperature`` 0 takes the
    most likely token."""
    llama = load()
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    if temperature > 0:
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_min_p(_LEAST, 1))
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_temp(temperature))
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_dist(seed & 0xFFFFFFFF))
    else:
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())
    return chain  # type: ignore[no-any-return]
