"""Convert text to tokens and back, with the vocabulary of a model that llama.cpp has open."""

from __future__ import annotations

import ctypes

from memos_cli.models.llama.llama import load


def cut_text(vocabulary: ctypes.c_void_p, text: str, special: bool, start: bool) -> list[int]:
    """Return the tokens of ``text``; ``special`` recognises control tokens, ``start`` begins with BOS."""
    llama, data = load(), text.encode("utf-8", "replace")
    count = -len(data) - 16  # the negative number of tokens that there must be room for
    while count < 0:
        size = -count
        tokens = (llama.llama_token * size)()
        count = llama.llama_tokenize(vocabulary, data, len(data), tokens, size, start, special)
    return list(tokens[:count])


def spell_token(vocabulary: ctypes.c_void_p, token: int, special: bool) -> bytes:
    """Return the bytes of one token; control tokens are empty unless ``special``."""
    llama, count = load(), -64
    while count < 0:
        buffer = ctypes.create_string_buffer(-count)
        count = llama.llama_token_to_piece(vocabulary, token, buffer, len(buffer), 0, special)
    return buffer.raw[:count]
