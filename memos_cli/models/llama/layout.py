"""Check that libllama lays out its parameters as the bindings of llama-cpp-python describe them.

A library of another version loads without an error (``LLAMA_CPP_LIB_PATH``, a file that was replaced). If a
field was inserted, every later field reads a neighbour's bytes: ``offload_kqv`` reads False, and a context
opens with wrong settings. So the defaults are compared with what this version of llama.cpp returns
(``llama_context_default_params`` and ``llama_model_default_params`` in its ``src``), before any structure is
passed by value.
"""

from __future__ import annotations

import ctypes
import platform
from types import ModuleType

DEFAULTS: dict[str, dict[str, object]] = {
    "context": {
        "n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1, "rope_scaling_type": -1,
        "pooling_type": -1, "attention_type": -1, "rope_freq_base": 0.0,
        "yarn_ext_factor": -1.0, "yarn_orig_ctx": 0, "cb_eval_user_data": None, "type_k": 1, "type_v": 1,
        "abort_callback_data": None, "embeddings": False, "offload_kqv": True, "op_offload": True,
        "swa_full": True,
    },
    "model": {
        "devices": None, "split_mode": 1, "main_gpu": 0, "progress_callback_user_data": None,
        "vocab_only": False, "check_tensors": False, "use_extra_bufts": True, "no_host": False,
        "no_alloc": False,
    },
}  # fmt: skip
"""Defaults that have been the same for years, by kind of parameters. Bindings may lack a field."""
_SPARE = 1024
"""Bytes behind a structure: a library with a larger one writes more than the bindings expect."""


def find_misfit(bindings: ModuleType) -> str:
    """Return how the loaded library differs from ``bindings`` (``llama_cpp.llama_cpp``); "" if it fits."""
    for kind, defaults in DEFAULTS.items():
        structure = getattr(bindings, f"llama_{kind}_params")
        data, written = _call(bindings._lib, f"llama_{kind}_default_params", ctypes.sizeof(structure))
        if written is not None and not _end(structure) <= written <= ctypes.sizeof(structure):
            expected = ctypes.sizeof(structure)
            return f"its {kind} parameters take {written} bytes, and the bindings expect {expected}"
        found = structure.from_buffer_copy(data)
        for name, value in defaults.items():
            if hasattr(structure, name) and (read := getattr(found, name)) != value:
                return f"the default of {name} reads {read}, not {value}"
    return ""


def _end(structure: type[ctypes.Structure]) -> int:
    """Return where the last field ends; up to seven bytes of padding follow it."""
    last = getattr(structure, structure._fields_[-1][0])
    return int(last.offset + last.size)


def _call(library: ctypes.CDLL, function: str, size: int) -> tuple[bytes, int | None]:
    """Return what ``function`` returns, a structure of about ``size`` bytes, and how many bytes it wrote."""
    if platform.machine() not in ("x86_64", "AMD64"):

        class Roomy(ctypes.Structure):
            _fields_ = (("bytes", ctypes.c_char * (size + _SPARE)),)

        return bytes(ctypes.CFUNCTYPE(Roomy)((function, library))()), None
    # On this processor the address of a large result is a hidden first argument, by every convention. So two
    # buffers, filled differently, show which bytes were written.
    call = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)((function, library))
    low, high = (
        ctypes.create_string_buffer(fill * (size + _SPARE), size + _SPARE) for fill in (b"\0", b"\xff")
    )
    call(ctypes.addressof(low))
    call(ctypes.addressof(high))
    written = [at for at, (one, other) in enumerate(zip(low.raw, high.raw, strict=True)) if one == other]
    return low.raw, max(written, default=-1) + 1
