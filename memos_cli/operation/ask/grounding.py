"""Check an answer against its sources: find numbers, names, dates and quotations without a source. Pure.

A check of words, not of meaning: a statement about a number can still be wrong, and a paraphrase is not
checked. Names are capitalised words, in scripts that have capitals; in Chinese and Japanese text, numbers,
quotations and words in Latin letters are checked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memos_cli.infrastructure.storage.fulltext import STOP_WORDS, query_terms
from memos_cli.letters import HANGUL, SPACELESS
from memos_cli.operation.ask.values import Value, find_values

_USED = 0.5
"""Least share of an answer's words in a source that counts as used."""
_RUN, _CONTENT = 5, 3
"""Least number of words in a row that an answer shares with a used source, and of topic words among them."""
_LONGEST_QUOTE = 300
"""Characters of the longest quotation that is compared as one."""

_WIDE = SPACELESS + HANGUL
_WORD = re.compile(rf"[{_WIDE}]|[^\W_{_WIDE}]+")
_LETTER = rf"[^\W_{_WIDE}]"
_NAME = re.compile(rf"[^\W\d_{_WIDE}]+(?:['’-][^\W\d_{_WIDE}]+)*")
_ACCENT = re.compile("[\u0300-\u036f]")
_IS_WIDE = re.compile(f"[{_WIDE}]")
_QUOTE = re.compile(
    "|".join(
        rf"{opening}([^{closing}\n]{{2,{_LONGEST_QUOTE}}}){closing}"
        for opening, closing in ('""', "“”", "„“", "«»", "「」", "『』", "《》", "``")
    )
)
_LABELS = re.compile(r"[\[【]\s*(\d{1,3}(?:\s*[,;，、–-]\s*\d{1,3})*)\s*[\]】]")
_STOPS = frozenset(".!?…。！？:：;；\n|")
_AFTER = frozenset(".!?…。！？;；\n|")
_MARKUP = frozenset(" \t*_\"“”„'‘’()[]#>-•–—`~«»")
_POSSESSIVE = re.compile(r"['’](?:s|S)?\Z")
_TITLES = frozenset("dr mr mrs ms prof st".split())
_PARTICLES = frozenset("of the de da do dos del di du la le van von der den al el bin ibn".split())
_REPLIES = frozenset(
    "yes no ok okay sure none unknown nothing true false correct maybe answer note sorry".split()
)
"""Capitalised words that may be a whole answer and are not names."""
_GERMAN = frozenset("der die das und ist nicht ein eine mit für zu im den dem auf sind wird".split())
"""In a text with these, every noun is capitalised."""


def find_unsupported(answer: str, sources: Sequence[str], question: str) -> tuple[str, ...]:
    """Find the statements of an answer that neither a source nor the question contains, in order.

    Checks numbers (with their units), dates, times, identifiers, quotations and names.
    """
    read, asked = [_read(source) for source in sources], _read(question)
    known = _Known(read, asked, asked.keys.union(*(text.keys for text in read)))
    found: dict[str, str] = {}
    for start, end in sorted(_unsupported(answer, known)):
        found.setdefault(" ".join(_folded(answer[start:end]).split()), answer[start:end])
    return tuple(found.values())


def order_by_use(answer: str, sources: Sequence[str]) -> list[int]:
    """Order the indices of the sources: first those that the answer used, each group in the order given."""
    said = _traces(answer)
    is_used = [_is_used(said, _traces(source)) for source in sources]
    return sorted(range(len(sources)), key=lambda index: not is_used[index])


def used(answer: str, source: str) -> bool:
    """Return whether an answer used a source: it has half of the source's words, or five words in a row."""
    return _is_used(_traces(answer), _traces(source))


def cited_labels(answer: str) -> set[int]:
    """Read the numbers of the sources that an answer names: [1], [2, 3], [4-6]."""
    labels: set[int] = set()
    for match in _LABELS.finditer(answer):
        for part in re.split(r"[,;，、]", match[1]):
            first, *rest = (int(each) for each in re.split(r"[–-]", part))
            last = rest[-1] if rest else first
            labels |= set(range(first, last + 1)) if last >= first else {first, last}
    return labels


# --- what is known -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """A source or a question, prepared for comparison."""

    words: frozenset[str]
    keys: frozenset[str]
    line: str
    """Its words in their order, between spaces."""
    letters: str
    """The text in NFKC and lower case."""


@dataclass(frozen=True, slots=True)
class _Known:
    sources: Sequence[_Text]
    question: _Text
    keys: frozenset[str]

    def says(self, words: Sequence[str]) -> bool:
        """Return whether a text has these words in a row."""
        return any(f" {' '.join(words)} " in text.line for text in (self.question, *self.sources))

    def names(self, words: Sequence[str]) -> bool:
        """Return whether one source, together with the question, has all these words."""
        left = [word for word in words if not _is_in(word, self.question.words)]
        return not left or any(all(_is_in(word, text.words) for word in left) for text in self.sources)

    def identifies(self, text: str) -> bool:
        """Return whether a text contains this one exactly, with no letter or digit next to it."""
        part = re.compile(rf"(?<!{_LETTER}){re.escape(_folded(text))}(?!{_LETTER})")
        return any(part.search(each.letters) for each in (self.question, *self.sources))

    def holds(self, value: Value, text: str) -> bool:
        if value.wanted:
            return any(keys <= self.keys for keys in value.wanted)
        return self.identifies(text)


def _is_in(word: str, words: frozenset[str]) -> bool:
    """Return whether a word is among others, in the singular or the plural."""
    return word in words or f"{word}s" in words or (len(word) > 3 and word.removesuffix("s") in words)


def _read(text: str) -> _Text:
    values, tokens = find_values(text), _words(text)
    return _Text(
        frozenset(tokens).union(*(value.words for value in values)),
        frozenset().union(*(value.known for value in values)),
        f" {' '.join(tokens)} ",
        _folded(text),
    )


def _folded(text: str) -> str:
    """Fold case, accents and full-width letters."""
    if text.isascii():
        return text.casefold()
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFKD", text).casefold()))


def _words(text: str) -> list[str]:
    return _WORD.findall(_folded(text))


# --- what is said --------------------------------------------------------------------------------


def _unsupported(answer: str, known: _Known) -> Iterator[tuple[int, int]]:
    """Find the ranges of an answer that neither a source nor the question contains."""
    taken = bytearray(len(answer))
    for match in _QUOTE.finditer(answer):
        group = match.lastindex or 0
        if words := _words(match[group]):
            taken[match.start() : match.end()] = b"\1" * len(match[0])
            if not known.says(words):
                yield match.span(group)
    for value in find_values(answer):
        if not any(taken[value.start : value.end]):
            taken[value.start : value.end] = b"\1" * (value.end - value.start)
            if value.is_said and not known.holds(value, answer[value.start : value.end]):
                yield value.start, value.end
    for name in _names(answer, taken):
        if not known.names(name.words):
            yield name.start, name.end


@dataclass(frozen=True, slots=True)
class _Name:
    start: int
    end: int
    words: list[str]
    """The words that must be known, folded."""


def _names(answer: str, taken: bytearray) -> Iterator[_Name]:
    """Find the names of an answer, runs of capitalised words as one."""
    words = [match for match in _NAME.finditer(answer) if not any(taken[match.start() : match.end()])]
    is_german = len(_GERMAN.intersection(match[0] for match in words)) > 2
    at = 0
    while at < len(words):
        if _is_within_wide(answer, words[at]):
            if len(words[at][0]) > 1 and words[at][0].casefold() not in STOP_WORDS:
                yield _Name(*words[at].span(), _words(words[at][0]))
            at += 1
        elif words[at][0][0].isupper() or _has_capital(words[at][0]):
            end = _run_end(answer, words, at)
            if name := _name(answer, words[at:end], is_german=is_german):
                yield name
            at = end
        else:
            at += 1


def _run_end(answer: str, words: Sequence[re.Match[str]], at: int) -> int:
    """Find the end of a run of capitalised words, with the particles between them: Casa do Rio."""
    end = at + 1
    while end < len(words):
        beyond = end
        while beyond < len(words) and words[beyond][0] in _PARTICLES and beyond < end + 2:
            beyond += 1
        if beyond == len(words) or not words[beyond][0][0].isupper():
            break
        if not all(_are_joined(answer, words[n], words[n + 1]) for n in range(end - 1, beyond)):
            break
        end = beyond + 1
    return end


def _are_joined(answer: str, word: re.Match[str], following: re.Match[str]) -> bool:
    between = answer[word.end() : following.start()]
    return between in (" ", " & ") or (between == ". " and _is_abbreviation(word[0]))


def _is_abbreviation(word: str) -> bool:
    return len(word) == 1 or word.casefold() in _TITLES


def _name(answer: str, run: Sequence[re.Match[str]], *, is_german: bool) -> _Name | None:
    """Parse a run of capitalised words as a name; return None if it may be something else."""
    is_first = _starts_sentence(answer, run[0].start())
    while run and run[0][0].casefold() in (STOP_WORDS | _GERMAN if is_german else STOP_WORDS):
        run, is_first = run[1:], False
    if not run:
        return None
    only = run[0][0] if len(run) == 1 else ""
    if only and not _has_capital(only):
        is_alone = is_first and _ends_sentence(answer, run[0].end())
        if is_german or (is_first and not is_alone):
            return None
    if only.casefold() in _REPLIES:
        return None
    needed = [match[0] for match in (run[1:] if is_first and not only else run)]
    parts = [part for word in needed for part in _POSSESSIVE.sub("", word).split("-")]
    said = [part for part in parts if any(map(str.isupper, part)) and part.casefold() not in _TITLES]
    last = _POSSESSIVE.sub("", run[-1][0])
    return _Name(
        run[0].start(), run[-1].start() + len(last), [word for part in said for word in _words(part)]
    )


def _has_capital(word: str) -> bool:
    """Return whether a word has a capital after its first letter: AdGuard, OCR."""
    return any(map(str.isupper, word[1:]))


def _starts_sentence(answer: str, at: int) -> bool:
    """Return whether any word at ``at`` would be capitalised: it starts a sentence or an item."""
    while at and answer[at - 1] in _MARKUP:
        at -= 1
    if not at or answer[at - 1] not in _STOPS:
        return not at
    before = re.search(r"[^\W\d_]*\Z", answer[max(0, at - 8) : at - 1])
    return answer[at - 1] != "." or before is None or not before[0] or not _is_abbreviation(before[0])


def _ends_sentence(answer: str, at: int) -> bool:
    while at < len(answer) and answer[at] in _MARKUP:
        at += 1
    return at == len(answer) or answer[at] in _AFTER


def _is_within_wide(answer: str, word: re.Match[str]) -> bool:
    """Return whether a word is within Chinese or Japanese text."""
    before, after = (
        answer[max(0, word.start() - 2) : word.start()].rstrip(" "),
        answer[word.end() : word.end() + 2].lstrip(" "),
    )
    return bool(_IS_WIDE.match(before[-1:]) or _IS_WIDE.match(after[:1]))


# --- what was used -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Traces:
    words: frozenset[str]
    """Words that carry a topic, pairs of characters of unspaced scripts, and numbers."""
    runs: frozenset[tuple[str, ...]]
    """Five words in a row; of Chinese and Japanese eight characters."""


def _traces(text: str) -> _Traces:
    terms = {term.text for term in query_terms(text)} if text.strip() else set()
    keys = {key for value in find_values(text) for key in value.known if key[:2] in ("n:", "t:", "d:")}
    words, runs = _words(text), set()
    for start in range(len(words) - _RUN + 1):
        run = words[start : start + _RUN]
        if all(map(_IS_WIDE.match, run)):
            run = words[start : start + 8]
        if sum(word not in STOP_WORDS and not word.isdecimal() for word in run) >= _CONTENT:
            runs.add(tuple(run))
    return _Traces(frozenset(terms | {key for key in keys if "|" not in key}), frozenset(runs))


def _is_used(said: _Traces, source: _Traces) -> bool:
    if said.runs & source.runs:
        return True
    return bool(said.words) and len(said.words & source.words) >= _USED * len(said.words)
