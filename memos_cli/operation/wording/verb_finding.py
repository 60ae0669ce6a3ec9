"""Where the finite verb of an English clause stands: the first word that can be one. Pure."""

from __future__ import annotations

import re

from memos_cli.operation.wording.complements import NOUN_COMES, bare_word
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.nouns import is_plural, kind_of_noun
from memos_cli.operation.wording.verbs import BE, MODALS, forms_of

ADVERBS = word_set(
    """also now currently usually always often just still really already only sometimes mostly normally
    generally typically recently finally then even actually probably never rarely seldom soon today
    officially originally permanently temporarily formerly previously secretly absolutely definitely"""
)


def without_adverbs(tokens: list[str]) -> list[str]:
    while len(tokens) > 1 and tokens[-1].lower() in ADVERBS:
        tokens = tokens[:-1]
    return tokens


def verb_at(tokens: list[str]) -> int | None:
    """Where the finite verb stands. The first word that can be one and is no noun where it stands."""
    for at in range(1, len(tokens)):
        word, before = bare_word(tokens[at]), _before(tokens, at)
        following = bare_word(tokens[at + 1]) if at + 1 < len(tokens) else ""
        if tokens[at - 1].endswith((",", ":", ";")):
            return None
        if word in _CONJUNCTIONS:
            return None
        if before in NOUN_COMES and not (before in {"that", "this", "one", "all", "both"} and word in BE):
            continue
        if word in BE - {"be", "been", "being"} or word in {"has", "had"}:
            return at
        if (
            word in MODALS
            and tokens[at].islower()
            and not (word == "can" and kind_of_noun(tokens[at - 1]) == "unknown")
        ):
            return at
        if word in {"have", "do", "does", "did"} and (word != "have" or _plural_before(tokens, at)):
            return at
        forms = forms_of(word)
        if "past" in forms and not (tokens[at][0].isupper() or _later_finite(tokens, at)):
            return at
        if (
            "s" in forms
            and tokens[at].islower()
            and not _plural_before(tokens, at)
            and not _is_finite(following)
        ):
            return at
        if (
            "base" in forms
            and tokens[at].islower()
            and (_plural_before(tokens, at) or _ends_in_s(tokens, at))
            and not _is_finite(following)
        ):
            return at
    return _unknown_verb_at(tokens)


_CONJUNCTIONS = word_set("because although though unless whereas if when while which who whose")


def _unknown_verb_at(tokens: list[str]) -> int | None:
    """A verb that no table knows, by its ending and what follows: "The script defrags the disk"."""
    for at in range(1, min(len(tokens) - 1, 7)):
        word, following = tokens[at], bare_word(tokens[at + 1])
        if tokens[at - 1].endswith((",", ":", ";")) or bare_word(tokens[at - 1]) in NOUN_COMES:
            continue
        if (
            re.fullmatch(r"[a-z]{3,}(?:ed|[^su]s)", word)
            and not _plural_before(tokens, at)
            and (
                following
                in {
                    "the",
                    "a",
                    "an",
                    "my",
                    "his",
                    "her",
                    "its",
                    "our",
                    "their",
                    "to",
                    "on",
                    "in",
                    "at",
                    "with",
                    "from",
                }
            )
        ):
            return at
    return None


def _before(tokens: list[str], at: int) -> str:
    at -= 1
    while at > 0 and bare_word(tokens[at]) in ADVERBS:
        at -= 1
    return bare_word(tokens[at])


def _plural_before(tokens: list[str], at: int) -> bool:
    subject = " ".join(without_adverbs(tokens[:at]))
    return subject.lower() in {"i", "we", "you", "they"} or is_plural(subject)


def _ends_in_s(tokens: list[str], at: int) -> bool:
    """Whether a large word before a base form is a plural: "Deployments happen"."""
    word = bare_word(without_adverbs(tokens[:at])[-1])
    return word.endswith("s") and not word.endswith(("ss", "us")) and is_plural(f"the {word}")


def _is_finite(word: str) -> bool:
    return word in {
        "is",
        "are",
        "was",
        "were",
        "has",
        "have",
        "had",
        "will",
        "would",
        "can",
        "could",
        "should",
        "must",
    }


def _later_finite(tokens: list[str], at: int) -> bool:
    """Whether "adopted" in "the dog adopted in May is …" only describes: another finite verb follows."""
    word = bare_word(tokens[at])
    if "participle" not in forms_of(word) or word in {
        "said",
        "told",
        "thought",
        "heard",
        "felt",
        "meant",
        "read",
        "put",
        "set",
        "cut",
    }:
        return False
    for later in range(at + 1, len(tokens)):
        following = bare_word(tokens[later])
        if following in {
            "that",
            "who",
            "which",
            "because",
            "and",
            "but",
            "when",
            "while",
            "where",
            "if",
            "so",
            "before",
            "after",
            "how",
            "what",
            "why",
        }:
            return False
        if tokens[later - 1].endswith(","):
            return False
        if following in {"is", "are", "was", "were", "has", "will", "must", "should"}:
            return True
    return False
