"""Numbers with their nouns, and sizes, as messages show them."""

from __future__ import annotations

import re


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number and its noun: "1 memory", "2,000 memories".

    ``one`` may go on with a verb ("memory is"); then give ``many``, too. Without it, the plural is regular.
    """
    regular = re.sub(r"(?<![aeiou])y$", "ie", one) + "s"
    return f"{number:,} {one if number == 1 else many or regular}"


def sized(size: int) -> str:
    """Return a size in bytes as people read it: "900 bytes", "3 kB", "98 MB", "1.2 GB"."""
    if size < 1000:
        return counted(size, "byte")
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if size >= factor:
            number = size / factor
            return f"{number:.1f} {unit}" if number < 10 else f"{number:,.0f} {unit}"
    return f"{size / 1000:.0f} kB"
