"""Numbers with their nouns, as messages show them."""

from __future__ import annotations

import re


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number and its noun: "1 memory", "2,000 memories".

    ``one`` may go on with a verb ("memory is"); then give ``many``, too. Without it, the plural is regular.
    """
    regular = re.sub(r"(?<![aeiou])y$", "ie", one) + "s"
    return f"{number:,} {one if number == 1 else many or regular}"
