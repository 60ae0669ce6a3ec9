"""The log of questions (setting ``query.log``), which trainings read. Only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memos_cli.infrastructure.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Question:
    """A question in the log."""

    n: int
    time: int
    principal: str
    text: str
    forms: Mapping[int, str]
    """The memories that its plan used, each as ``text``, ``state`` or ``adapter``."""


def questions(db: Connection) -> list[Question]:
    """Return the questions of the log, newest first."""
    return _questions(db, "1", ())


def questions_on(db: Connection, cubes: Sequence[int]) -> list[Question]:
    """Return the questions whose plans used one of ``cubes``, newest first."""
    marks = ",".join("?" * len(cubes))
    return _questions(db, f"n IN (SELECT question FROM question_cube WHERE cube IN ({marks}))", cubes)


def _questions(db: Connection, where: str, values: Sequence[int]) -> list[Question]:
    statement = f"SELECT n, time, principal, text FROM question WHERE {where} ORDER BY n DESC"
    rows = db.execute(statement, values).fetchall()
    forms = "SELECT cube, form FROM question_cube WHERE question = ? ORDER BY cube"
    return [
        Question(n, time, principal, text, dict(db.execute(forms, (n,)).fetchall()))
        for n, time, principal, text in rows
    ]
