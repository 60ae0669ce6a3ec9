"""How the next token is chosen, in llama.cpp."""

from __future__ import annotations

import ctypes

from memos_cli.runtime.llama import load

_LEAST = 0.05
"""Tokens less likely than this share of the likeliest are never drawn (llama.cpp's own default, min-p)."""


def open_sampler(temperature: float, seed: int) -> ctypes.c_void_p:
    """A chain of samplers, to be given to ``llama_sampler_free``. ``temperature`` 0 takes the likeliest."""
    llama = load()
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    if temperature > 0:
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_min_p(_LEAST, 1))
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_temp(temperature))
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_dist(seed & 0xFFFFFFFF))
    else:
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())
    return chain  # type: ignore[no-any-return]
