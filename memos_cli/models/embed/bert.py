"""A BERT-type sentence-transformers folder, written once as a GGUF file that llama.cpp runs.

Read are ``config.json``, ``modules.json``, the pooling's ``config.json``, ``sentence_bert_config.json``,
``tokenizer.json`` or ``vocab.txt``, and ``model.safetensors`` (a JSON header, then the raw tensors:
https://github.com/huggingface/safetensors), with numpy alone: torch would take seconds to import.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from memos_cli.errors import ModelUnfit
from memos_cli.files import read_small
from memos_cli.models.embed.word_pieces import SPECIAL, WORD_START
from memos_cli.models.gguf.gguf_writer import write_gguf
from memos_cli.validation import convert

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = "model.safetensors"
MAX_TOKENS_KEY = "memos.max_tokens"
"""How many word pieces the model reads of a text, as its sentence-transformers folder says."""
VERSION = 1
"""Incremented when ``compile_embedder`` writes another file for the same folder."""

_NORMAL, _UNKNOWN, _CONTROL, _UNUSED = 1, 2, 3, 5
"""Token types of docs/gguf.md."""
_LONGEST = 1 << 26
"""Largest configuration file or header of a model that is read, in bytes."""
_LEFT_OUT = ("pooler.", "cls.", "embeddings.position_ids")
"""Tensors that sentence vectors don't need."""


class Uncompilable(ModelUnfit):
    """An error for a valid model that cannot be converted to GGUF here."""


def compile_embedder(folder: Path, target: Path) -> None:
    """Write the sentence-transformers model in ``folder`` as the GGUF file ``target``, whole or not at all.

    Matrices become half precision: vectors keep a cosine of 0.99999 to the original's, and llama.cpp
    multiplies them faster than single precision. Raises Uncompilable for another kind of model,
    ModelUnfit if a file is missing or broken.
    """
    import gguf
    import numpy as np

    config = _read_config(folder)
    layers = config.num_hidden_layers
    pooling = gguf.PoolingType.CLS if _pools_first(folder) else gguf.PoolingType.MEAN
    ids = _read_vocabulary(folder)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, layers)

    with write_gguf(target, "bert") as writer:
        writer.add_name(folder.name)
        writer.add_block_count(layers)
        writer.add_context_length(config.max_position_embeddings)
        writer.add_embedding_length(config.hidden_size)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(config.num_attention_heads)
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_causal_attention(False)
        writer.add_pooling_type(pooling)
        writer.add_uint32(MAX_TOKENS_KEY, _read_max_tokens(folder, config))
        _add_tokenizer(writer, ids, config.vocab_size, config.type_vocab_size)
        for name, tensor in _read_tensors(folder / WEIGHTS):
            plain = name.removeprefix("bert.")
            if plain.startswith(_LEFT_OUT):
                continue
            known = names.get_name(plain, try_suffixes=(".weight", ".bias"))
            if known is None:
                raise Uncompilable(f"{folder}: the tensor {name} is not one of BERT's")
            # llama.cpp adds positions and token types in single precision only.
            is_matrix = tensor.ndim == 2 and not known.startswith(("position_embd", "token_types"))
            writer.add_tensor(known, tensor.astype(np.float16 if is_matrix else np.float32))


def settings_files(folder: Path) -> list[Path]:
    """Return the small files of ``folder`` that, with the weights, determine its vectors."""
    names = ("config.json", "modules.json", "sentence_bert_config.json", "tokenizer_config.json")
    files = [folder / name for name in (*names, "tokenizer.json", "vocab.txt")]
    return [file for file in (*files, *sorted(folder.glob("*/config.json"))) if file.is_file()]


_Size = Annotated[int, Meta(ge=1, lt=1 << 24)]


class _Config(Struct):
    """The shape of a BERT model, from its ``config.json``."""

    num_hidden_layers: _Size
    max_position_embeddings: _Size
    hidden_size: _Size
    intermediate_size: _Size
    num_attention_heads: _Size
    vocab_size: _Size
    type_vocab_size: _Size = 2
    layer_norm_eps: float = 1e-12


def _read_config(folder: Path) -> _Config:
    """Return the shape of the model. Raises Uncompilable unless it is plain BERT followed only by pooling."""
    config = _read_json(folder / "config.json")
    if not isinstance(config, dict) or config.get("model_type") != "bert":
        raise Uncompilable(f"{folder} is not a BERT model")
    for key, value in {"hidden_act": "gelu", "position_embedding_type": "absolute"}.items():
        if config.get(key, value) != value:
            raise Uncompilable(f"{folder}: {key} is {config[key]}, not {value}")
    modules = _read_json(folder / "modules.json", default=[])
    kinds = [str(module.get("type")).rpartition(".")[2] for module in modules]
    if kinds and [*kinds[:2], *({*kinds[2:]} - {"Normalize"})] != ["Transformer", "Pooling"]:
        raise Uncompilable(f"{folder} has more steps than pooling: {', '.join(kinds)}")
    if not (folder / WEIGHTS).is_file():
        raise Uncompilable(f"{folder} has no {WEIGHTS}")
    try:
        return convert(config, _Config)
    except ValueError as error:
        raise ModelUnfit(f"{folder / 'config.json'}: {error}") from error


def _pools_first(folder: Path) -> bool:
    """Return whether the vector is that of the first token, rather than the mean of all."""
    for file in sorted(folder.glob("*_Pooling/config.json")):
        config = _read_json(file)
        modes = {
            key.removeprefix("pooling_mode_") for key, on in config.items() if "_mode_" in key and on is True
        }
        if isinstance(config.get("pooling_mode"), str):  # as sentence-transformers 6 writes it
            modes.add(config["pooling_mode"])
        if modes not in ({"mean_tokens"}, {"cls_token"}, {"mean"}, {"cls"}):
            raise Uncompilable(f"{folder}: pools by {', '.join(sorted(modes)) or 'nothing'}")
        return modes in ({"cls_token"}, {"cls"})
    return False


def _read_max_tokens(folder: Path, config: _Config) -> int:
    limit = config.max_position_embeddings
    chosen = _read_json(folder / "sentence_bert_config.json", default={}).get("max_seq_length")
    if chosen is None:
        chosen = _read_json(folder / "tokenizer_config.json", default={}).get("model_max_length")
    return min(limit, int(chosen)) if isinstance(chosen, int | float) and chosen > 2 else limit


def _read_vocabulary(folder: Path) -> dict[str, int]:
    """Return the number of each piece. Raises Uncompilable for a tokenizer other than BERT's."""
    tokenizer = _read_json(folder / "tokenizer.json", default={})
    if tokenizer:
        model, rules = tokenizer.get("model") or {}, tokenizer.get("normalizer") or {}
        if model.get("type", "WordPiece") != "WordPiece" or rules.get("type") != "BertNormalizer":
            raise Uncompilable(f"{folder}: its tokenizer is not BERT's")
        ids = dict(model.get("vocab") or {})
        lowercase, chinese = rules.get("lowercase"), rules.get("handle_chinese_chars")
    else:
        rules = _read_json(folder / "tokenizer_config.json", default={})
        try:
            lines = read_small(folder / "vocab.txt", _LONGEST).decode("utf-8").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelUnfit(f"{folder} has neither tokenizer.json nor a readable vocab.txt") from error
        ids = {piece: number for number, piece in enumerate(lines)}
        lowercase, chinese = rules.get("do_lower_case", True), rules.get("tokenize_chinese_chars", True)
    if not lowercase or not chinese or rules.get("strip_accents") is False:
        raise Uncompilable(f"{folder}: its tokenizer keeps capitals or accents, which llama.cpp does not")
    missing = [token for token in SPECIAL if token not in ids]
    if missing:
        raise Uncompilable(f"{folder}: its vocabulary has no {', '.join(missing)}")
    return ids


def _add_tokenizer(writer: Any, ids: Mapping[str, int], size: int, types: int) -> None:
    pieces = [f"[UNUSED-{number}]" for number in range(size)]
    kinds = [_UNUSED] * size
    for piece, number in ids.items():
        if not 0 <= number < size:
            raise ModelUnfit(f"the vocabulary holds the piece {number}; the weights hold {size}")
        if piece in SPECIAL:
            pieces[number], kinds[number] = piece, _UNKNOWN if piece == "[UNK]" else _CONTROL
        else:
            continued = piece.startswith("##") and len(piece) > 2
            pieces[number], kinds[number] = piece[2:] if continued else WORD_START + piece, _NORMAL
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_types(kinds)
    writer.add_token_type_count(types)
    writer.add_bos_token_id(ids["[CLS]"])
    writer.add_eos_token_id(ids["[SEP]"])
    writer.add_sep_token_id(ids["[SEP]"])
    writer.add_unk_token_id(ids["[UNK]"])
    writer.add_pad_token_id(ids["[PAD]"])
    writer.add_mask_token_id(ids["[MASK]"])


def _read_tensors(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the name and contents of every floating-point tensor of a safetensors file, memory-mapped."""
    import numpy as np

    kinds: dict[str, np.dtype[Any]] = {
        "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "F64": np.dtype("<f8"), "BF16": np.dtype("<u2")
    }  # fmt: skip
    try:
        size = path.stat().st_size
        data = np.memmap(path, dtype=np.uint8, mode="r")
        length = int.from_bytes(data[:8].tobytes(), "little")
        if size < 8 or length > min(size - 8, _LONGEST):
            raise ValueError("its header is cut short")
        header = json.loads(data[8 : 8 + length].tobytes())
        body = data[8 + length :]
        for name, entry in header.items():
            kind = kinds.get(entry.get("dtype", ""))
            if kind is None or name == "__metadata__":
                continue
            start, end = entry["data_offsets"]
            shape = entry["shape"]
            if not 0 <= start <= end <= len(body) or end - start != math.prod(shape) * kind.itemsize:
                raise ValueError(f"the tensor {name} is not where the header says")
            tensor: NDArray[Any] = np.frombuffer(body[start:end].tobytes(), kind).reshape(shape)
            if entry["dtype"] == "BF16":  # the upper half of a single-precision number
                tensor = (tensor.astype(np.uint32) << 16).view(np.float32)
            yield name, tensor
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnfit(f"the weights {path} are damaged: {error}") from error


def _read_json(file: Path, default: Any = None) -> Any:
    """Return the JSON in ``file``; ``default``, if given, for a missing file."""
    try:
        return json.loads(read_small(file, _LONGEST))
    except FileNotFoundError:
        if default is not None:
            return default
        raise Uncompilable(f"{file.parent} is not a sentence-transformers folder: no {file.name}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnfit(f"{file} is not readable JSON: {error}") from error
