"""Unigram, the tokenizer of SentencePiece and XLM-RoBERTa, over a table that is mapped and not loaded.

Libraries take 0.36 s (sentencepiece) and 0.6 s (tokenizers) to load 250,000 pieces, longer than all the rest
of a search. Here the pieces are a trie in a hash table in one file: a text touches a few pages of it.
A test compares the tokens with llama.cpp's.

The file (numbers in the machine's byte order): ``_HEADER``, the entries (64 bits each, a power of two of
them), the scores (32-bit floats), then the map of characters as JSON. An entry is ``parent << 39 |
character << 18 | token``: the node that the character leads to from the node ``parent`` (0 is the root;
another node is 1 + the number of its entry), and the piece that ends there. Entry 0 is free. An entry
stands at the hash of its parent and character, or in the first free place after it.
"""

from __future__ import annotations

import json
import math
import mmap
import struct
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos_cli.errors import ModelUnfit
from memos_cli.files import write_whole
from memos_cli.models.embed.word_pieces import WORD_START

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAGIC = b"memos-unigram-1\n"
_HEADER = struct.Struct("=16s 7I f")
"""Magic, log2 of the number of entries, pieces, first, last and unknown token, bytes of the map, 0, the
score of an unknown character."""
_TOKEN_BITS, _CHARACTER_BITS = 18, 21
_NO_TOKEN = (1 << _TOKEN_BITS) - 1
_NODE_FACTOR, _CHARACTER_FACTOR = 0x9E3779B1, 0x85EBCA6B
"""Multipliers of the hash: large odd numbers, which spread neighbours over the table."""
_UNKNOWN_PENALTY = 10.0
"""How far below the lowest score an unknown character counts (``kUnkPenalty`` of SentencePiece)."""
_LONGEST_KEPT, _MOST_KEPT = 24, 1 << 16
"""Cache of words and their tokens: most characters of a word, and most words."""


@dataclass(frozen=True, slots=True)
class UnigramVocabulary:
    """The vocabulary of a unigram tokenizer."""

    pieces: Sequence[str]
    """The pieces, by token."""
    scores: Sequence[float]
    special: frozenset[int]
    """Tokens that no text is cut into."""
    first: int
    """The token before every text; ``last`` is the one after it."""
    last: int
    unknown: int
    replacements: Mapping[str, str]
    """Replacements of single characters, applied before tokenizing."""


def write_table(vocabulary: UnigramVocabulary, target: Path) -> None:
    """Write the table of ``vocabulary`` to the file ``target`` atomically.

    Raises ModelUnfit if it does not fit the table, or has pieces that go on behind a space.
    """
    import numpy as np

    pieces = ["" if token in vocabulary.special else piece for token, piece in enumerate(vocabulary.pieces)]
    if len(pieces) >= _NO_TOKEN or len(pieces) != len(vocabulary.scores):
        raise ModelUnfit(f"a vocabulary of {len(pieces)} pieces does not fit")
    if any(WORD_START in piece[1:] or "\0" in piece for piece in pieces):
        raise ModelUnfit("the vocabulary has pieces of more than one word")
    entries = _build_trie(pieces)
    scores = np.array(vocabulary.scores, np.float32)
    unknown_score = float(scores.min(initial=0.0)) - _UNKNOWN_PENALTY
    characters = json.dumps(dict(vocabulary.replacements), ensure_ascii=True).encode()
    header = _HEADER.pack(
        _MAGIC, len(entries).bit_length() - 1, len(pieces), vocabulary.first, vocabulary.last,
        vocabulary.unknown, len(characters), 0, unknown_score,
    )  # fmt: skip
    write_whole(target, b"".join([header, entries.tobytes(), scores.tobytes(), characters]))


class UnigramTokenizer:
    """A tokenizer that uses a table written by ``write_table``."""

    def __init__(self, table: Path, limit: int) -> None:
        """Map the file ``table``; texts are cut to ``limit`` tokens. Raises ModelUnfit if it is damaged."""
        try:
            with table.open("rb") as file:
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            magic, bits, pieces, self.first, self.last, self.unknown, length, _, self._unknown_score = (
                _HEADER.unpack_from(data)
            )
            scores_at = _HEADER.size + 8 * (1 << bits)
            characters_at = scores_at + 4 * pieces
            if magic != _MAGIC or bits > 32 or len(data) != characters_at + length:
                raise ValueError("its size is not the one that it states")
            replacements = json.loads(bytes(data[characters_at:]))
            self._replacements = str.maketrans({"\0": "", **replacements})
        except (OSError, ValueError, TypeError, struct.error) as error:
            raise ModelUnfit(f"the tokenizer's table {table} is damaged: {error}") from error
        self._limit = limit
        self._entries = data[_HEADER.size : scores_at].cast("Q")
        self._scores = data[scores_at:characters_at].cast("f")
        self._cut_cached = lru_cache(maxsize=_MOST_KEPT)(self._cut)

    def tokenise(self, text: str) -> list[int]:
        """Return the tokens of ``text``, cut to the limit but with the closing token."""
        ids = [self.first]
        for word in filter(None, self.normalise(text).split(" ")):
            ids += (self._cut_cached if len(word) <= _LONGEST_KEPT else self._cut)(WORD_START + word)
            if len(ids) >= self._limit:
                del ids[self._limit - 1 :]
                break
        ids.append(self.last)
        return ids

    def knows(self, text: str) -> bool:
        """Return whether any word of ``text`` has a piece other than that of the space before it."""
        nothing = {self.unknown, *self._cut(WORD_START)}
        return any(
            not nothing.issuperset(self._cut(WORD_START + word)) for word in self.normalise(text).split()
        )

    def normalise(self, text: str) -> str:
        """Normalise ``text``: one form of each character, no control characters; spaces may repeat.

        SentencePiece's rule ``nmt_nfkc`` for single characters, then composed accents and syllables.
        """
        encodable = text.encode("utf-8", "replace").decode()  # half a surrogate pair is a question mark
        return unicodedata.normalize("NFC", encodable.translate(self._replacements))

    def _cut(self, word: str) -> list[int]:
        """Find the pieces of ``word`` with the highest sum of scores (Viterbi).

        Unknown characters in a row are one token.
        Source: Kudo 2018, "Subword Regularization" (https://arxiv.org/abs/1804.10959), and SentencePiece.
        """
        entries, scores = self._entries, self._scores
        mask, size = len(entries) - 1, len(word)
        codes = [ord(character) for character in word]
        best = [0.0] + [-math.inf] * size
        starts, tokens = [0] * (size + 1), [self.unknown] * (size + 1)
        for start in range(size):
            here, node = best[start], 0
            for end in range(start + 1, size + 1):
                code = codes[end - 1]
                key = node << _CHARACTER_BITS | code
                place = (node * _NODE_FACTOR ^ code * _CHARACTER_FACTOR) & mask
                while (entry := entries[place]) and entry >> _TOKEN_BITS != key:
                    place = place + 1 & mask
                if not entry:
                    break
                token = entry & _NO_TOKEN
                if token != _NO_TOKEN and (score := here + scores[token]) > best[end]:
                    best[end], starts[end], tokens[end] = score, start, token
                node = place + 1
            if (score := here + self._unknown_score) > best[start + 1]:
                best[start + 1], starts[start + 1], tokens[start + 1] = score, start, self.unknown
        ids: list[int] = []
        while size:
            if tokens[size] != self.unknown or not ids or ids[-1] != self.unknown:
                ids.append(tokens[size])
            size = starts[size]
        ids.reverse()
        return ids


def _build_trie(pieces: Sequence[str]) -> NDArray[np.uint64]:
    """Return the entries of the trie of ``pieces`` without empty ones; at most half of the table is used."""
    import numpy as np

    nodes = len({piece[:end] for piece in pieces for end in range(1, len(piece) + 1)})
    table = np.zeros(1 << max(4, (2 * nodes).bit_length()), np.uint64)
    lengths = np.array([len(piece) for piece in pieces], np.int64)
    codes = np.array([*pieces, "x"]).view(np.uint32).reshape(len(pieces) + 1, -1).astype(np.uint64)
    parents = np.zeros(len(pieces), np.uint64)
    for depth in range(codes.shape[1]):
        alive = np.flatnonzero(lengths > depth)
        keys, inverse = np.unique(
            parents[alive] << np.uint64(_CHARACTER_BITS) | codes[alive, depth], return_inverse=True
        )
        places = _place(table, keys)[inverse]
        parents[alive] = places.astype(np.uint64) + np.uint64(1)
        is_end = lengths[alive] == depth + 1
        table[places[is_end]] &= ~np.uint64(_NO_TOKEN)
        table[places[is_end]] |= alive[is_end].astype(np.uint64)
    return table


def _place(table: Any, keys: Any) -> Any:
    """Put entries for ``keys``, without tokens, into free places of ``table``. Returns the place of each."""
    import numpy as np

    mask = np.uint64(len(table) - 1)
    parents, codes = keys >> np.uint64(_CHARACTER_BITS), keys & np.uint64((1 << _CHARACTER_BITS) - 1)
    places = ((parents * np.uint64(_NODE_FACTOR)) ^ (codes * np.uint64(_CHARACTER_FACTOR))) & mask
    waiting = np.arange(len(keys))
    while len(waiting):
        free = waiting[table[places[waiting]] == 0]
        _, first = np.unique(places[free], return_index=True)
        placed = free[first]
        table[places[placed]] = keys[placed] << np.uint64(_TOKEN_BITS) | np.uint64(_NO_TOKEN)
        is_waiting = np.zeros(len(keys), bool)
        is_waiting[waiting] = True
        is_waiting[placed] = False
        waiting = np.flatnonzero(is_waiting)
        places[waiting] = (places[waiting] + np.uint64(1)) & mask
    return places.astype(np.int64)
