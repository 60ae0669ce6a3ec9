"""From text to tokens and back, by the vocabulary of a model that llama.cpp has open."""

from __future__ import annotations

import ctypes

from memos_cli.models.llama.llama import load


def cut_text(vocabulary: ctypes.c_void_p, text: str, special: bool, start: bool) -> list[int]:
    """Return the tokens of ``text``; ``special`` reads control tokens as such, ``start`` begins with BOS."""
    llama, data = load(), text.encode("utf-8")
    size = len(data) + 16
    tokens = (llama.llama_token * size)()
    count = llama.llama_tokenize(vocabulary, data, len(data), tokens, size, start, special)
    if count < 0:
        size = -count
        tokens = (llama.llama_token * size)()
        count = llama.llama_tokenize(vocabulary, data, len(data), tokens, size, start, special)
    return list(tokens[:count])


def spell_token(vocabulary: ctypes.c_void_p, token: int, special: bool) -> bytes:
    """Return the bytes of one token; control tokens are empty unless ``special``."""
    llama, size = load(), 64
    buffer = ctypes.create_string_buffer(size)
    count: int = llama.llama_token_to_piece(vocabulary, token, buffer, size, 0, special)
    if count < 0:
        size = -count
        buffer = ctypes.create_string_buffer(size)
        count = llama.llama_token_to_piece(vocabulary, token, buffer, size, 0, special)
    return buffer.raw[:count]
