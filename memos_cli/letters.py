"""Letters of all scripts: matching letters in a search, and scripts without spaces. Pure; no I/O.

``fold`` gives the form in which the full-text index and a question are compared. It goes further than NFKC
and casefold: "ł" matches "l", "ё" matches "е", a Hebrew word matches with and without points. Marks that
make a different word (vowel signs of Indian scripts, the breve of "й") stay.
"""

from __future__ import annotations

import re
import unicodedata

WIDE = "\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
"""For a character class: Chinese, Japanese, Korean and their punctuation; two terminal columns each."""
KANA_HAN = "\u3040-\u30ff\u3400-\u9fff"
"""For a character class: Japanese and Chinese letters."""
HANGUL = "\uac00-\ud7af"
CJK = KANA_HAN + HANGUL
"""For a character class: the letters in WIDE."""
SPACELESS = f"\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007{KANA_HAN}\uf900-\ufaff"
"""For a character class: the blocks of Thai, Lao, Burmese, Khmer, Japanese and Chinese: a letter counts as
a word. Unlike UNSPACED: without Hangul, and with the marks and digits of these blocks."""
UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0edf"  # Thai, Lao
    "\u1000-\u1049\u1050-\u109f\ua9e0-\ua9fe\uaa60-\uaa7f\u1780-\u17d3\u17d7\u17dc\u17dd"  # Burmese, Khmer
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Hangul, whose particles stick to the word before them
    # Han
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    # kana, bopomofo
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3105-\u312f\u31a0-\u31bf"
)
"""For a character class: letters and marks of scripts that put no space between words."""
UNSPACED_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u3099\u309a"
    "\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d"
    "\ua9e5\uaa7b-\uaa7d\u17b4-\u17d3\u17dd"
)
"""The marks in UNSPACED that belong to the letter before: vowel signs and tones."""
SYMBOLS = (
    "©®‼⁉™ℹ\u2194-\u2199\u21a9\u21aa\u2300-\u239a\u23b4-\u23ff\u25a0-\u2767\u2776-\u27bf\u2934\u2935\u2b00-\u2bff"
    "〰〽㊗㊙\U0001f000-\U0001f0ff\U0001f170-\U0001f1ff\U0001f201-\U0001f3fa\U0001f400-\U0001faff"
)
"""For a character class: emoji and similar symbols."""

_FLAG, _TAGS, _JOINER, _KEY = "\U0001f1e6-\U0001f1ff", "\U000e0020-\U000e007f", "\u200d", "\u20e3"
EMOJI = (
    rf"[{_FLAG}][{_FLAG}]|[0-9#*]{_KEY}"
    rf"|[{SYMBOLS}][{_TAGS}]*(?:{_JOINER}[{SYMBOLS}][{_TAGS}]*)*"
)
"""A regular expression for one emoji in folded text: a flag, a key, or a sequence of joined symbols."""
_LOOSE = re.compile(
    rf"(?<![{SYMBOLS}{_TAGS}]){_JOINER}|{_JOINER}(?![{SYMBOLS}])|(?<![{SYMBOLS}{_TAGS}])[{_TAGS}]+"
)
"""Joiners and modifiers outside an emoji."""

_IS_SYMBOL = re.compile(f"[{SYMBOLS}]")
_DROPPED = re.compile(
    # Accents; the points of Hebrew, Arabic and Syriac; Vedic accents
    "[\u0300-\u036f\u0483-\u0487\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20dc\u20e1\u20e5-\u20f0\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0898-\u089f\u08ca-\u08ff"
    "\u0711\u0730-\u074a\u0951-\u0954\u1cd0-\u1cd2\u1cd4-\u1ce8"
    # Invisible characters (category Cf is removed too), and skin tones
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff]"
)
_OWN = frozenset("йїўѓќئؤۓ")
"""Letters that stay distinct, although Unicode decomposes them into a letter and an accent."""
_LATIN = re.compile(r"LATIN SMALL LETTER ([A-Z]) WITH .+")
"""Unicode names of letters with a stroke or hook, which Unicode does not decompose: đ, ħ, ł, ø, ɓ."""
_SAME = {
    **dict.fromkeys("‘’‛ʻʼʾʿ´׳", "'"), "״": '"', "‐": "-",
    "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i", "ȷ": "j", "ŋ": "n", "ĸ": "k",
    # Alef; final yeh and teh; the Persian and Urdu forms of yeh, kaf and heh
    "ٱ": "ا", "ى": "ي", "ی": "ي", "ة": "ه", "ۃ": "ه", "ە": "ه", "ہ": "ه", "ک": "ك", "ڪ": "ك",
    # Consonants without a vowel; older text writes them with a sign and a joiner
    "ൺ": "ണ്", "ൻ": "ന്", "ർ": "ര്", "ൽ": "ല്", "ൾ": "ള്", "ൿ": "ക്", "ৎ": "ত্",
}  # fmt: skip


def nfc(text: str) -> str:
    """Return ``text`` in NFC, the form in which names are stored and compared (macOS types NFD)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Return ``text`` folded, so that letters that match in a search are the same.

    Idempotent. Removes case, accents, compatibility forms (NFKC, casefold), Hebrew points, Arabic marks,
    invisible characters and skin tones of emoji; digits become ASCII.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFC", text).translate(_FOLDS)
    if folded.isascii():
        return folded
    return unicodedata.normalize("NFC", _LOOSE.sub("", folded))


class _Folds(dict[int, str]):
    """Map each character code to its folded text; computed on first use."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = self._find(chr(code))
        return folded

    def _find(self, letter: str) -> str:
        if letter.isascii():
            return letter.lower()
        cased = letter.casefold()
        if cased in _OWN or _IS_SYMBOL.match(letter) or "\uac00" <= letter <= "\ud7a3":
            return cased
        if _DROPPED.match(letter):
            return ""
        kind = unicodedata.category(letter)
        if kind == "Cf":
            return letter if letter == _JOINER or "\U000e0020" <= letter <= "\U000e007f" else ""
        if letter.isdecimal():
            return str(unicodedata.decimal(letter))
        if same := _SAME.get(cased):
            return same
        parts = unicodedata.normalize("NFKD", letter)
        parts = parts if parts != letter else cased
        if parts != letter:
            return unicodedata.normalize("NFC", "".join(self[ord(part)] for part in parts))
        if kind[0] in "PSZ" or (kind == "Me" and letter != _KEY):
            return " "  # SQLite's tokenizer does not know newer ones, such as the rouble sign
        latin = _LATIN.fullmatch(unicodedata.name(letter, ""))
        return latin[1].lower() if latin else letter


_FOLDS = _Folds()
