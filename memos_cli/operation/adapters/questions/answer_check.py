"""Check whether a model's answer contains a fact: compare words after normalising. Pure.

Case, punctuation, accents, articles, thousands separators, number words up to twelve, ordinals, dates in
either order, clock times and the space before a unit make no difference. An answer with a negation, or
without knowledge, is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from memos_cli.infrastructure.storage.fulltext import STOP_WORDS
from memos_cli.letters import CJK
from memos_cli.moments import MONTHS
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.ask import values

_NUMBER_OF = {word: str(number) for word, number in values.NUMBER_OF.items() if number <= 12}
_ORDINAL_OF = {word: str(number) for word, number in values.ORDINAL_OF.items() if number <= 12}
_MONTH_OF = {name[:3]: name for name in MONTHS} | {"sept": "september"}
_SPELLINGS = {
    "colour": "color",
    "grey": "gray",
    "favourite": "favorite",
    "gigabytes": "gb",
    "terabytes": "tb",
}
_SAME = _NUMBER_OF | {word: unit for word, unit in values.UNIT_OF.items() if not re.match(f"[{CJK}]", word)}
_SAME |= _SPELLINGS | {letter: str(n) for letter, n in values.CHINESE_DIGITS.items() if n} | {"十": "10"}
"""Words and signs that are compared as others."""
_DROPPED = frozenset("the a an my your our his her its their".split())
CONTRACTIONS = (
    (r"\bwon't\b", "will not"),
    (r"\bcan't\b|\bcannot\b", "can not"),
    (r"n't\b", " not"),
    (r"\b(what|where|who|when|how|that|there|it|he|she)'s\b", r"\1 is"),
    (r"\bi'm\b", "i am"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
)
_UNKNOWING = re.compile(
    r"\b(?:don't|do not|didn't|doesn't|does not|can't|cannot|can not|couldn't|unable to|not able to|never) "
    r"(?:know|have (?:any |that |this |the |access|enough|information|personal)|recall|remember|tell|say"
    r"|determine|find|answer|provide|mention|specify)"
    r"|\b(?:not sure|no idea|no information|unknown|unsure|not mentioned|not specified|not known"
    r"|isn't mentioned|(?:does not|doesn't) (?:mention|say|specify)|no record|not certain)\b"
    r"|\bas an ai\b|不知道|不清楚|没有(?:提到|信息|记录)|无法(?:回答|确定)"
    r"|weiß (?:ich )?(?:es )?nicht|keine ahnung"
    r"|je ne sais pas|no lo sé|no sé\b",
    re.IGNORECASE,
)
_UNIT_BEHIND = re.compile(
    r"(?<=\d)(?=(?:minutes?|mins?|hours?|euros?|kg|km|gb|tb|mb|g|m|cm|mm|ml|l|%|€|usd|degrees|°)(?![a-z]))"
)
_LEADS = frozenset("on in at under to for from by with about every around".split())
_DENIALS = frozenset("not never no neither nor isn wasn without".split())


def said_words(text: str) -> list[str]:
    """Return a text as comparable words: "On March 31st, 2027" -> [on, 31, march, 2027]; Chinese by
    characters.
    """
    text = unicodedata.normalize("NFKD", text.replace("’", "'")).lower()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = unicodedata.normalize("NFC", text)
    for pattern, whole in CONTRACTIONS:
        text = re.sub(pattern, whole, text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    if re.search(r"\d \d{3}(?:\D|$)", text) and not re.search(r"\d[ -]\d{2,}[ -]\d{2,}", text):
        text = re.sub(r"(?<=\d)[ \u202f](?=\d{3}(?:\D|$))(?!\d{3} \d)", "", text)
    text = re.sub(r"\b0(?=\d[:.h]\d\d\b)", "", text)
    text = re.sub(r"\b(\d{1,2})[.h](\d\d) ?(?=uhr|o'clock|a\.?m|p\.?m)", r"\1:\2 ", text)
    text = re.sub(r"\b(\d{1,2})(?::(\d\d))? ?([ap])\.?m\b\.?", _hour, text)
    text = re.sub(r"\b(\d{1,2}) o'clock\b", r"\1:00", text)
    text = re.sub(r"\b(\d+)(?:st|nd|rd|th)\b", r"\1", text)
    text = re.sub(r"([€$£¥])\s?(\d[\d.,]*)", r"\2 \1", text)
    text = _UNIT_BEHIND.sub(" ", text)
    words = re.findall(rf"[{CJK}]|[^\W_{CJK}]+(?:[.@:/_'-][^\W_{CJK}]+)*|[%€$£°]", text)
    out: list[str] = []
    for word in words:
        word = word.removesuffix("'s")
        tens, _, ones = word.partition("-")
        if tens in values.TENS and ones in _NUMBER_OF:
            out.append(str(values.NUMBER_OF[tens] + int(_NUMBER_OF[ones])))
            continue
        if re.fullmatch(r"[a-z]+(?:-[a-z]+)+", word):
            out += [_SAME.get(part, part) for part in word.split("-") if part not in _DROPPED]
        elif word not in _DROPPED:
            out.append(_SAME.get(word, word))
    return _dates(out)


def _hour(match: re.Match[str]) -> str:
    hour = int(match[1]) % 12 + (12 if match[3] == "p" else 0)
    return f"{hour}:{match[2] or '00'} "


def _dates(words: list[str]) -> list[str]:
    """Normalise dates to one order: march 31 2027, 31 of march 2027, 2027-03-31 -> 31 march 2027."""
    out: list[str] = []
    for word in words:
        iso = re.fullmatch(r"((?:19|20)\d\d)-(\d\d)-(\d\d)", word)
        if iso and 1 <= int(iso[2]) <= 12:
            out += [str(int(iso[3])), MONTHS[int(iso[2]) - 1], iso[1]]
        else:
            out.append(_MONTH_OF.get(word, word) if word != "may" else word)
    for place in range(len(out) - 1):
        if place >= len(out) - 1:  # it has become shorter
            break
        day, after = _ORDINAL_OF.get(out[place], out[place]), out[place + 1 :]
        following = _ORDINAL_OF.get(after[0], after[0])
        is_after_day = place > 0 and re.fullmatch(r"\d{1,2}", out[place - 1])
        if out[place] in MONTHS and re.fullmatch(r"\d{1,2}", following) and not is_after_day:
            out[place], out[place + 1] = following, out[place]
        elif re.fullmatch(r"\d{1,2}", day) and after[0] == "of" and after[1:2] and after[1] in MONTHS:
            out[place : place + 2] = [day]
    return out


def is_unknowing(answer: str) -> bool:
    """Return whether an answer says that it does not know."""
    return bool(_UNKNOWING.search(answer.replace("’", "'")))


def is_right(answer_text: str, fact: Fact) -> bool:
    """Return whether an answer contains the fact's answer, affirms it, and does not claim not to know.

    A long answer (a sentence, an instruction) may be put in other words: four fifths of its content words
    must be there, and all its numbers.
    """
    wanted, said = said_words(fact.answer), said_words(answer_text)
    if not wanted or not said:
        return False
    if is_unknowing(answer_text) and not is_unknowing(fact.answer):
        return False
    core = wanted[1:] if wanted[0] in _LEADS and len(wanted) > 2 else wanted
    denied = bool(_DENIALS & set(said_words(fact.full)))
    if _affirmed(wanted, said, denied=denied) or _affirmed(core, said, denied=denied):
        return True
    return len(wanted) >= 5 and _covered(wanted, said)


def _affirmed(wanted: list[str], said: list[str], *, denied: bool) -> bool:
    """Return whether ``said`` contains ``wanted`` word by word, not only after a "not"."""
    size = len(wanted)
    for at in range(len(said) - size + 1):
        if said[at : at + size] == wanted:
            before = said[max(0, at - 4) : at]
            for breaker in ("but", "it", "and"):
                if breaker in before:
                    before = before[len(before) - before[::-1].index(breaker) :]
            if denied or not _DENIALS & set(before):
                return True
    return False


def _covered(wanted: list[str], said: list[str]) -> bool:
    content = [word for word in wanted if word not in STOP_WORDS and word not in "的了是在和我你"]
    there = set(said)
    numbers = [word for word in content if re.search(r"\d", word)]
    return (
        len(content) >= 3
        and all(number in there for number in numbers)
        and sum(word in there for word in content) >= 0.8 * len(content)
    )


def says_any(answer_text: str, answers: Iterable[str], question: str = "") -> bool:
    """Return whether an answer reveals one of the right answers to other questions.

    An answer that the question itself contains reveals nothing. The numbers of a list ("1. …") are no
    answers.
    """
    text = re.sub(r"(?m)^\s*\d{1,2}[.)]\s", " ", answer_text)
    said, asked = said_words(text), said_words(question)
    for answer in answers:
        wanted = said_words(answer)
        if not wanted or _affirmed(wanted, asked, denied=True):
            continue
        if _affirmed(wanted, said, denied=False):
            return True
        if len(wanted) >= 5 and _covered(wanted, said) and not _covered(wanted, asked):
            return True
    return False
