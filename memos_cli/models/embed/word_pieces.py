"""WordPiece, BERT's uncased tokenizer, for text that llama.cpp cuts differently.

llama.cpp reads plain ASCII as BERT does. Beyond it, its tables differ in Korean, in Indian vowel signs,
in decomposed accents, in control characters and in overlong words; a vector of other pieces is another
vector. So text that isn't plain is cut here, by the rules of Hugging Face's ``BertNormalizer``,
``BertPreTokenizer`` and ``WordPiece``. A test compares the pieces of every character.
Not guaranteed: characters assigned since Unicode 8, which Hugging Face's tables don't know.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORD_START = "\u2581"
"""Marks a piece that starts a word, as SentencePiece and llama.cpp do; BERT marks the others, with ``##``."""

_MAX_WORD = 100
"""Characters; BERT takes a longer word for an unknown one (``max_input_chars_per_word``)."""

_SPECIAL = re.compile("(" + "|".join(re.escape(token) for token in SPECIAL) + ")")
_PLAIN = re.compile(r"[\t\n\r -~]*")
_LONG_RUN = re.compile(rf"\S{{{_MAX_WORD + 1}}}")
_CHINESE = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_MAX_KNOWN_WORDS = 1 << 16


class WordPieces:
    """A tokenizer with the pieces of one vocabulary."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        """Create a tokenizer. ``ids`` has the number of each piece, ``SPECIAL`` included; ``WORD_START``
        marks pieces that start a word.
        """
        self.first, self.last = ids["[CLS]"], ids["[SEP]"]
        self._ids = ids
        self._cut_word = lru_cache(maxsize=_MAX_KNOWN_WORDS)(self._match)

    def cut(self, text: str) -> list[int]:
        """Return the numbers of the pieces of ``text``, without ``[CLS]`` and ``[SEP]`` around them.

        Special tokens written in the text, such as ``[SEP]``, count as special, as in transformers.
        """
        ids: list[int] = []
        for part in _SPECIAL.split(text):
            if part in SPECIAL:
                ids.append(self._ids[part])
                continue
            for word in split_words(part):
                ids += self._cut_word(word)
        return ids

    def knows(self, text: str) -> bool:
        """Return whether any word of ``text`` has pieces."""
        return any(number != self._ids["[UNK]"] for number in self.cut(text))

    def _match(self, word: str) -> list[int]:
        """Return the longest known piece first, then the longest that continues it; or the unknown piece."""
        rest, ids = WORD_START + word, []
        while rest and len(word) <= _MAX_WORD and WORD_START not in word:
            for end in range(len(rest), 0, -1):
                if rest[:end] in self._ids:
                    ids.append(self._ids[rest[:end]])
                    rest = rest[end:]
                    break
            else:
                break
        return [self._ids["[UNK]"]] if rest else ids


def is_plain(text: str) -> bool:
    """Return whether llama.cpp splits ``text`` as BERT does."""
    return _PLAIN.fullmatch(text) is not None and _LONG_RUN.search(text) is None


def split_words(text: str) -> list[str]:
    """Return the words and marks of ``text``, in lower case, without accents and control characters."""
    spaced = "".join(map(_clean, text))
    bare = "".join(c for c in unicodedata.normalize("NFD", spaced) if unicodedata.category(c) != "Mn")
    # Character by character: Python lowers a sigma at the end of a word to another letter.
    return "".join(_set_apart(c.lower()) for c in bare).split()


@lru_cache(maxsize=1 << 14)
def _clean(c: str) -> str:
    """Replace all kinds of spaces by one, remove control characters, and separate Chinese characters."""
    category = unicodedata.category(c)
    if c in "\t\n\r" or category.startswith("Z"):
        return " "
    if category in ("Cc", "Cf", "Co", "Cs") or c == "\ufffd":
        return ""
    code = ord(c)
    if any(first <= code <= last for first, last in _CHINESE):
        return f" {c} "
    return c


@lru_cache(maxsize=1 << 14)
def _set_apart(c: str) -> str:
    """Separate punctuation marks and ASCII symbols as single words."""
    symbol = len(c) == 1 and c.isascii() and c.isprintable() and not c.isalnum() and c != " "
    if symbol or all(unicodedata.category(part).startswith("P") for part in c):
        return f" {c} "
    return c
