"""Counts in digits, English words and Chinese numerals; what the patterns of times share."""

from __future__ import annotations

import re
from collections.abc import Iterable

S = r"\s{1,3}"
"""Space between two words of a phrase."""


def alternatives(words: Iterable[str]) -> str:
    """Return a pattern of alternatives, the longest first."""
    return "|".join(sorted(words, key=len, reverse=True)).replace(" ", S)


def single_spaced(words: str) -> str:
    """Return words in lower case with one space between them."""
    return " ".join(words.lower().split())


_DIGITS = "〇一二三四五六七八九"
_NUMBER_WORDS = "one a an|two couple|three few several|four|five|six|seven|eight|nine|ten|eleven|twelve"
NUMBERS = {word: n for n, words in enumerate(_NUMBER_WORDS.split("|"), 1) for word in words.split()}
COUNT = rf"\d{{1,4}}|(?:a{S})?(?:couple|few)(?:{S}of)?|{alternatives(NUMBERS)}"


def weekday_number(letter: str) -> int:
    """Return the weekday (Monday is 0) of a letter as in 周五 or 星期天."""
    return "一二三四五六日".index(letter.replace("天", "日"))


def number_of(word: str) -> int:
    """Return the value of a count in digits, English words or Chinese numerals; "a few" is three."""
    word = re.sub(r"^a\s+|\s+of$", "", word.lower())
    if word.isdecimal():
        return int(word)
    if word in NUMBERS:
        return NUMBERS[word]
    word = re.sub("[两兩]", "二", re.sub("[几幾数數]", "三", re.sub("[零○]", "〇", word)))
    if "十" in word:
        tens, _, ones = word.partition("十")
        return 10 * (number_of(tens) if tens else 1) + (number_of(ones) if ones else 0)
    return int("".join(str(_DIGITS.index(digit)) for digit in word))
