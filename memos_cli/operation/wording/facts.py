"""A sentence of a memory; and a fact: one thing that it says, with the questions whose right answer it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a memory says."""

    sentence: str
    """The sentence itself, made to stand alone where a heading or title is needed."""
    answer: str
    """The shortest span that answers: "Larkspur", "5433", "without sugar"."""
    full: str
    """A short full-sentence answer, which holds ``answer`` and calls the user "you"."""
    questions: tuple[str, ...]
    """Phrasings whose right answer holds ``answer``; the best and most natural first."""
    source: int
    """The number that the caller gave to the memory."""
    about: str = ""
    """Whom or what is asked about, as in the questions: "my cat", "the staging database", "Ines"."""
    single: bool = False
    """Whether only one answer can be right: a port, a birthday, a name; not what somebody likes."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence on its own, and the topic it stood under."""

    text: str
    topic: str = ""
    heading: str = ""  # the topic in the words of the heading
    spoken: bool = False  # a turn of a dialogue
