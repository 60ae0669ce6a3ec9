"""Estimate tokens if a server has no endpoint to count them, and correct the estimate with its reports.

The estimate is high on purpose: some servers silently cut a prompt that is too long.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from pathlib import Path

from memos_cli.files import make_folder, read_small, write_whole
from memos_cli.validation import parse_json, to_json

MARGIN = 1.1
"""The safety margin: estimates are multiplied by it."""
_PARTS = re.compile(r"[A-Za-z]+|[0-9]|[^\W\d_]|[^\w\s]|\s+|.", re.DOTALL)
_LETTERS = 5.0
"""Letters of an English word that most vocabularies have as one token or less."""
_LEAST, _MOST = 0.6, 4.0
"""Bounds of the correction: a lower report of a server excludes tokens in its cache."""


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of ``text``: an English word is one or more, a digit, a mark and a letter of
    another script one each."""
    count = 0.0
    for part in _PARTS.findall(text):
        if part[0].isascii() and part[0].isalpha():
            count += max(1.0, len(part) / _LETTERS)
        elif part.isspace():
            count += part.count("\n") * 0.5
        else:
            count += 1.0 if part.isascii() else min(2.0, len(part.encode()) / 2)
    return math.ceil(count)


class Counter:
    """An estimator of tokens of one model, corrected by the reports of the server.

    The corrections are in ``file``, a JSON object of factors by model. A file that cannot be read or written
    is ignored.
    """

    def __init__(self, model: str, file: Path | None) -> None:
        self._model, self._file = model, file
        self.factor = min(_MOST, max(_LEAST, self._known().get(model, 1.0)))

    def count(self, text: str) -> int:
        """Return an upper estimate of the tokens of ``text``."""
        return math.ceil(estimate_tokens(text) * self.factor * MARGIN)

    def correct(self, estimated: int, reported: int) -> None:
        """Correct the factor: a text of ``estimated`` tokens had ``reported`` tokens."""
        factor = self.factor * MARGIN * reported / max(1, estimated)
        if _LEAST <= factor <= _MOST:
            self.factor = (self.factor + factor) / 2 if factor < self.factor else factor
            self._keep()

    def _known(self) -> dict[str, float]:
        with suppress(OSError, ValueError):
            if self._file:
                return parse_json(read_small(self._file), dict[str, float])
        return {}

    def _keep(self) -> None:
        with suppress(OSError):
            if self._file:
                make_folder(self._file.parent)
                write_whole(self._file, to_json({**self._known(), self._model: round(self.factor, 3)}))
