"""The conditions of a saved state of a sequence, and the models without exact states."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Mapping
from datetime import date

from memos_cli.models.gguf.gguf_header import GgufHeader
from memos_cli.models.llama.chat_template import CLOCK
from memos_cli.models.llama.llama import build, devices, features, load

PROMPT_DAY = "day"
"""The condition ``day`` of models whose templates contain the date: the date in the prompt."""


def why_unfit(model: ctypes.c_void_p) -> str:
    """Return the reason why a state of ``model`` would not be exact; "" if it would be."""
    llama = load()
    if llama.llama_model_is_recurrent(model):
        return "it is a recurrent model, which keeps no state for each token"
    if llama.llama_model_is_hybrid(model):
        return "it is a hybrid model: a part of it keeps no state for each token"
    if llama.llama_model_n_swa(model) > 0:
        return "it has sliding-window attention, which drops the states of older tokens"
    if llama.llama_model_has_encoder(model):
        return "it has an encoder, whose output a state does not hold"
    return ""


def conditions_of(
    parameters: ctypes.Structure,
    header: GgufHeader,
    *,
    kv_type: str,
    flash_attention: bool | None,
    template: str,
    day: date,
) -> Mapping[str, str]:
    """Return the conditions by name, for a context opened with ``parameters``. A state has no adapted
    tokens."""
    llama = load()
    rope = [field[0] for field in parameters._fields_ if field[0].startswith(("rope_", "yarn_"))]
    values = {name: getattr(parameters, name) for name in rope}
    if f"{header.architecture}.rope.scaling.original_context_length" in header.values:
        # Such a model may choose its factors by the size of the context.
        values["context"] = parameters.n_ctx
    return {
        "llama.cpp": build(),
        "processor": f"{devices()}: {features()}",
        "state version": str(llama.LLAMA_STATE_SEQ_VERSION),
        "KV type": kv_type,
        "flash attention": {None: "auto", True: "on", False: "off"}[flash_attention],
        "batch": str(parameters.n_batch),
        "RoPE": " ".join(f"{name}={value}" for name, value in values.items()),
        "adapters": "",
        **template_conditions(template, day),
    }


def template_conditions(template: str, day: date) -> dict[str, str]:
    """Return the conditions of a chat template; if it asks for the time, the day is in the prompt."""
    digest = {"template": hashlib.sha256(template.encode()).hexdigest()}
    return {**digest, PROMPT_DAY: day.isoformat()} if CLOCK in template else digest
