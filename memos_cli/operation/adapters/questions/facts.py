"""A fact: one statement of a memory, with the questions that it answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement of a memory."""

    answer: str
    """The shortest span that answers: "Larkspur", "5433", "without sugar"."""
    full: str = ""
    """A short full-sentence answer, which holds ``answer`` and calls the user "you"."""
    questions: tuple[str, ...] = ()
    """Questions whose right answer holds ``answer``; the plainest first."""
    source: int = 0
    """The number that the caller gave to the memory."""
    about: str = ""
    """Whom or what is asked about, as in the questions: "my cat", "the staging database", "Ines"."""
    single: bool = False
    """Whether only one answer can be right: a port, a birthday, a name; not what somebody likes."""
    made: tuple[str, ...] = ()
    """How each of ``questions`` was made: ``frame``, ``cloze``, ``keywords`` or ``topic`` by the program,
    ``model`` by the language model, ``log`` by use, ``own`` by the user."""
    language: str = ""
    """``en``, ``de``, ``zh`` …; "" if unknown."""
