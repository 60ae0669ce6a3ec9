"""Stop a model that repeats itself, and end its answer with a complete sentence. Pure.

A small model that always takes the likeliest token gets into loops, which last until the token limit.
``RepetitionGuard`` follows the growing answer and detects where a loop began; ``SentenceStream`` passes the
answer on sentence by sentence, so that nothing has to be withdrawn when it stops.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import pairwise
from typing import Literal

from memos_cli.letters import SPACELESS

Ending = Literal["end", "limit", "loop"]
"""Why an answer stopped: the model ended it, the token limit did, or a loop."""

LONGEST_CYCLE = 128
"""Words and punctuation marks of the longest passage whose repetitions are counted word by word."""
_COPIES = 3
"""Number of consecutive copies of a passage that are a loop."""
_SHORTEST_LOOP = 14
"""Least words and punctuation marks of a loop after its first copy: "ha, ha, ha" and three equal table cells
are not a loop."""
_COPY = 8
"""The least number of words and punctuation marks of a copy: a shorter one is not held back."""
_MOST_LINES = 3
"""The maximum occurrences of a sentence or list item with nothing new in between."""
_WINDOW, _GRAM, _STALE = 40, 4, 0.6
"""A loop with small changes: of the last 40 words more than 60 % of the runs of four came before."""
_STUTTER = 120
"""Characters that a loop of up to 8 characters has, where no word ends: a rule of dashes is shorter."""
_COUNTING = 16
"""Numbers in a row, each one more than the one before and no word between, that make a loop."""
HELD = 200
"""Characters of a sentence that are held back until it ends; of a longer one the words are passed on."""
_SHARE = 1 / 3
"""Least share of a stopped answer that must remain after cutting it back to the end of a sentence."""

_TOKEN = re.compile(rf"[{SPACELESS}]|\d+(?:[.,:]\d+)*|[^\W\d_{SPACELESS}]+|(?:[^\w\s]|_)+")
_CLOSERS = "\"'”’»)\\]》」』*_`"
_UNIT_END = re.compile(rf"[.!?…]+[{_CLOSERS}]*(?=\s)|[。！？]+[{_CLOSERS}]*|\n")
_FULL_STOP = re.compile(rf"[.!?…。！？؟।][{_CLOSERS}]*\Z")
_MARKER = re.compile(r"\s*(?:[-*+•–]|\d{1,3}[.)])(?=\s|\Z)")
_NEW_LINE = re.compile(r"\n(?=\s*[^\s])(?!\s*[a-z])")
_LINE_END = re.compile(r"[ \t]*\n")
_STUTTERS = re.compile(r"(.{1,8}?)\1+\Z", re.DOTALL)
_WORD_END = re.compile(rf"(?<=\S)(?=\s)|(?<=[{SPACELESS}])(?=[{SPACELESS}])")


class RepetitionGuard:
    """Detect loops in a text while it is generated."""

    def __init__(self) -> None:
        self.text = ""
        self.loop: int | None = None
        """Where the repetition starts, in characters; None without a loop."""
        self._tokens: list[str] = []
        self._starts: list[int] = []
        self._read = 0
        # For each length of a cycle: how many of the last tokens are those one cycle before.
        self._same = [0] * (LONGEST_CYCLE + 1)
        self._words: list[str] = []
        self._grams: set[tuple[str, ...]] = set()
        self._stale = deque[tuple[bool, int]](maxlen=_WINDOW)
        self._count, self._count_start = 0, 0
        self._units = Counter[str]()
        self._unit_start = 0
        self._repeated: list[tuple[str, int]] = []

    def add(self, piece: str) -> bool:
        """Add the next piece of the text. Return whether the text is in a loop."""
        self.text += piece
        for match in _TOKEN.finditer(self.text, self._read):
            if match.end() == len(self.text) and not re.match(f"[{SPACELESS}]", match[0]):
                break  # it may grow
            self._read = match.end()
            self._add_token(match[0].casefold(), match.start())
        while end := _UNIT_END.search(self.text, self._unit_start):
            self._add_unit(end.end())
        if len(self.text) - self._read >= _STUTTER:  # no word has ended for long
            stutter = _STUTTERS.search(self.text, max(self._read, len(self.text) - 2 * _STUTTER))
            if stutter and len(stutter[0]) >= _STUTTER:
                self._note_loop(stutter.end(1))
        return self.loop is not None

    @property
    def copied_from(self) -> int:
        """Find where the text starts to repeat itself; its length if it does not."""
        starts = [len(self.text), *(start for _, start in self._repeated[:1])]
        starts += [self._starts[-same] for same in self._same if same >= _COPY]
        begun = self._normal(self._unit_start, len(self.text))
        if begun and any(unit.startswith(begun) for unit in self._units):
            starts.append(self._unit_start)
        return min(starts)

    def _add_token(self, token: str, start: int) -> None:
        self._tokens.append(token)
        self._starts.append(start)
        for cycle in range(1, min(len(self._tokens), LONGEST_CYCLE + 1)):
            same = self._same[cycle] + 1 if self._tokens[-1 - cycle] == token else 0
            self._same[cycle] = same
            if same >= max((_COPIES - 1) * cycle, _SHORTEST_LOOP):
                self._note_loop(self._after_stops(len(self._starts) - same))
        if token[0].isalnum():
            self._add_word(token, start)

    def _after_stops(self, at: int) -> int:
        """Find where a copy begins: full stops at its start belong to the original."""
        while at + 1 < len(self._starts) and not self._tokens[at][0].isalnum():
            if self.text[self._starts[at] - 1].isspace():
                break
            at += 1
        return self._starts[at]

    def _add_word(self, word: str, start: int) -> None:
        before = self._words[-1] if self._words else ""
        self._words.append(word)
        if not (_is_small(word) and _is_small(before) and int(word) == int(before) + 1):
            self._count, self._count_start = 0, start
        self._count += 1
        if self._count > _COUNTING:
            self._note_loop(self._count_start)
        gram = tuple(self._words[-_GRAM:])
        self._stale.append((gram in self._grams, self._starts[-1]))
        if len(gram) == _GRAM:
            self._grams.add(gram)
        if sum(stale for stale, _ in self._stale) > _STALE * _WINDOW:
            self._note_loop(next(place for stale, place in self._stale if stale))

    def _add_unit(self, end: int) -> None:
        """Add a sentence or line, which ends at ``end``."""
        unit, start = self._normal(self._unit_start, end), self._unit_start
        self._unit_start = end
        if not unit:
            return
        if self._units[unit]:
            self._repeated.append((unit, start))
        else:
            self._repeated.clear()
        self._units[unit] += 1
        if self._units[unit] > _MOST_LINES and sum(unit == other for other, _ in self._repeated) > 1:
            self._note_loop(self._repeated[0][1])

    def _normal(self, start: int, end: int) -> str:
        """Return the words of a sentence or line for comparison: without list marker and case."""
        tokens = _TOKEN.findall(_MARKER.sub("", self.text[start:end], count=1).casefold())
        return " ".join(token for token in tokens if token[0].isalnum())

    def _note_loop(self, start: int) -> None:
        self.loop = start if self.loop is None else min(start, self.loop)


class SentenceStream(Iterable[str]):
    """Pass on the text of a model in parts that are final.

    A sentence or line is passed on when it ends, or word by word once it has ``HELD`` characters; a
    repetition is held back until something new follows. The parts together are the answer: without its loop,
    and cut back to the end of a sentence if the model did not end it itself.
    """

    def __init__(self, pieces: Iterable[str], *, limit_reached: Callable[[], bool]) -> None:
        """Wrap a stream; ``limit_reached`` says after its last piece whether the token limit ended it."""
        self._pieces = pieces
        self._limit_reached = limit_reached
        self.ending: Ending | None = None
        """Why the answer stopped; None before its end."""

    def __iter__(self) -> Iterator[str]:
        guard = RepetitionGuard()
        passed = sentence = 0
        for piece in self._pieces:
            if guard.add(piece):
                self.ending = "loop"
                break
            until, sentence = _passable(guard.text, sentence, guard.copied_from)
            if part := _part(guard.text, passed, until):
                yield part
                passed = until
        if isinstance(self._pieces, Generator):
            self._pieces.close()
        if self.ending is None:
            self.ending = "limit" if self._limit_reached() else "end"
        if self.ending == "end":
            rest = _part(guard.text, passed, len(guard.text))
        else:
            copied = guard.copied_from if guard.loop is None else guard.loop
            rest = _last_part(guard.text, passed, max(passed, copied), cut=copied == len(guard.text))
        if rest:
            yield rest


def _part(text: str, start: int, end: int) -> str:
    """Cut a part to pass on: hold back spaces at its end, and drop those at the start of the text."""
    part = text[start:end].rstrip()
    return part if text[:start].strip() else part.lstrip()


def _passable(text: str, sentence: int, end: int) -> tuple[int, int]:
    """Find the end of the text that can be passed on, and the start of the sentence at that end.

    Everything from ``end`` on must be held back; ``sentence`` is the previous start of the last sentence.
    """
    ends = (sentence + each for each in sentence_ends(text[sentence:]))
    sentence = until = max((each for each in ends if each <= end), default=sentence)
    if len(text) - sentence > HELD:
        words = [sentence + found.start() for found in _WORD_END.finditer(text[sentence:end])]
        until = max(words[:-1], default=until)
    return until, sentence


def _last_part(text: str, passed: int, end: int, *, cut: bool) -> str:
    """Cut the last part of a text that was stopped and is usable up to ``end``.

    It ends with a sentence; or, if too little would be left, with a word and "…". ``cut``: the last word may
    be incomplete.
    """
    whole, text = text, text[:end].rstrip()
    ends = [passed + each for each in sentence_ends(text[passed:])]
    is_line = bool(_LINE_END.match(whole, len(text)))
    if is_line or (_is_complete(text[passed:]) and not (cut and text[-2:-1].isdecimal())):
        ends.append(len(text))  # but not "1.", which may become "1.25"
    if passed and (_is_complete(text[:passed]) or text[passed : passed + 1] == "\n"):
        ends.append(passed)
    if ends and (last := max(ends)) >= _SHARE * len(text):
        return _part(text, passed, last)
    words = [found.start() for found in _WORD_END.finditer(text) if found.start() >= passed]
    last = max(words, default=passed if passed else len(text)) if cut else len(text)
    kept = text[:last].rstrip(",;:，；：、—–- \n")
    return f"{_part(kept, passed, len(kept))}…" if text.strip() else ""


def sentence_ends(text: str) -> list[int]:
    """Find the ends of the sentences, list items and lines of a text, in characters; except the last one."""
    from sentencex import get_sentence_boundaries

    ends = {match.start() for match in _NEW_LINE.finditer(text)}
    parts = list(get_sentence_boundaries("en", text))
    ends |= {len(text[: part["end_index"]].rstrip()) for part in parts[:-1]}
    begun = [0, *sorted(ends)]
    return [
        end for start, end in pairwise(begun) if (said := text[start:end].strip()) and _MARKER.sub("", said)
    ]


def _is_complete(text: str) -> bool:
    """Return whether a text ends with a full stop or the like, and not with the number of a list item."""
    line = text.rpartition("\n")[2]
    return bool(_FULL_STOP.search(line)) and bool(_MARKER.sub("", line, count=1).strip())


def _is_small(word: str) -> bool:
    return len(word) < 6 and word.isdecimal()
