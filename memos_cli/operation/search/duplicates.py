"""Find duplicate memories: copies of a page that differ by a few words, and translations. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from memos_cli.cube import Cube
from memos_cli.infrastructure.storage.fulltext import script_of
from memos_cli.letters import WIDE

if TYPE_CHECKING:
    from memos_cli.infrastructure.vectors.vector_index import Floats

COPY = 0.8
"""Least share of common three-word runs of two texts in one script that are copies."""
TRANSLATION = 0.68
"""The cosine from which two texts in different scripts are translations. Of 240 parallel passages in English
and Chinese 60 % reach it; different passages of one article do not (at most 0.66).
"""
_LETTERS = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+")
_WIDE = re.compile(f"[{WIDE}]")


def find_duplicates(
    cubes: Sequence[Cube], vector_of: Callable[[int], Floats | None]
) -> Mapping[int, frozenset[int]]:
    """Return for each cube the numbers of its duplicates before it in ``cubes``.

    ``vector_of`` returns the unit vector of a cube; it is called only if the scripts of two cubes differ.
    """
    scripts = [script_of(cube.text) for cube in cubes]
    runs = [_runs(cube.text) for cube in cubes]
    numbers = [sorted(_NUMBER.findall(cube.text)) for cube in cubes]
    mixed = len({*scripts} - {""}) > 1  # a text without letters translates nothing
    vectors = [
        vector_of(cube.n) if mixed and script else None for cube, script in zip(cubes, scripts, strict=True)
    ]
    found: dict[int, frozenset[int]] = {}
    for at, cube in enumerate(cubes):
        same = set[int]()
        for before in range(at):
            if scripts[at] == scripts[before]:
                both, either = len(runs[at] & runs[before]), len(runs[at] | runs[before])
                # Records of one form differ by a number, which is what is asked for: they are no copies.
                alike = either > 0 and both >= COPY * either and numbers[at] == numbers[before]
            else:
                one, other = vectors[at], vectors[before]
                alike = one is not None and other is not None and float(one @ other) >= TRANSLATION
            if alike:
                same.add(cubes[before].n)
        if same:
            found[cube.n] = frozenset(same)
    return found


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    """Return all runs of three words of a text, or of three Chinese, Japanese or Korean characters."""
    words = _LETTERS.findall(_WIDE.sub(lambda match: f" {match[0]} ", text.casefold()))
    return frozenset(zip(words, words[1:], words[2:], strict=False))
