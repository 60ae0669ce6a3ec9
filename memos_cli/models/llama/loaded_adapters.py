"""Adapters in llama.cpp: loaded, attached to a context, and freed."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.adapter_format import AdapterHeader, check_adapter
from memos_cli.models.gguf.gguf_header import GgufHeader
from memos_cli.models.llama.llama import last_complaints, load


@dataclass(frozen=True, slots=True, eq=False)
class LoadedAdapter:
    """An adapter in the memory of one engine. It equals only itself, even if the same file is loaded
    twice.
    """

    header: AdapterHeader
    pointer: ctypes.c_void_p


Attached = tuple[tuple[LoadedAdapter, float], ...]
"""Adapters with their scales; () for the plain model."""


def load_adapter(model: ctypes.c_void_p, base: GgufHeader, path: Path) -> LoadedAdapter:
    """Load an adapter, once all of its file was checked. Raises ModelUnfit unless it fits the model."""
    if base.number("split.count") > 1:
        raise ModelUnfit("an adapter cannot be used with a model that is split into several files")
    header = check_adapter(path, base)
    last_complaints()
    pointer = load().llama_adapter_lora_init(model, os.fsencode(path))
    if not pointer:
        raise ModelUnfit(f"llama.cpp cannot load the adapter {path}: {last_complaints()}")
    return LoadedAdapter(header, ctypes.cast(pointer, ctypes.c_void_p))


def free_adapter(adapter: LoadedAdapter) -> None:
    """Free the memory of an adapter. It must not be attached."""
    llama = load()
    llama.llama_adapter_lora_free(ctypes.cast(adapter.pointer, llama.llama_adapter_lora_p_ctypes))


def attach_adapters(context: ctypes.c_void_p, adapters: Attached) -> None:
    """Let ``context`` compute with these adapters alone. Raises ModelUnfit."""
    llama, count = load(), len(adapters)
    pointers = (ctypes.c_void_p * count)(*(adapter.pointer.value for adapter, _ in adapters))
    scales = (ctypes.c_float * count)(*(scale for _, scale in adapters))
    place = ctypes.cast(pointers, ctypes.POINTER(llama.llama_adapter_lora_p_ctypes))
    status = llama.llama_set_adapters_lora(context, place, count, scales)
    if status != 0:
        raise ModelUnfit(f"llama.cpp cannot attach an adapter ({status}): {last_complaints()}")
