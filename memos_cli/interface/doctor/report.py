"""The lines of ``memos doctor``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from memos_cli.errors import MemosError

Check = Callable[[], Iterable["Line"]]


@dataclass(frozen=True, slots=True)
class Line:
    """The result of one check."""

    check: str
    """The name of the check."""
    state: Literal["ok", "warn", "fail"]
    """``warn``: something is missing or slow. ``fail``: something that memos needs does not work."""
    message: str
    hint: str = ""
    """What to type or do."""
    details: Mapping[str, object] = field(default_factory=dict)
    """The same for programs: paths, sizes in bytes, versions."""


def run(checks: Mapping[str, Check]) -> Iterator[Line]:
    """Run the checks by name; a check that raises an error gives a line, too."""
    for name, check in checks.items():
        try:
            yield from check()
        except MemosError as error:
            yield Line(name, "fail", str(error), error.hint)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            yield Line(name, "fail", f"{where}{error.strerror or error}")
        except Exception as error:  # noqa: BLE001 (the other checks still help)
            yield Line(name, "fail", f"internal error: {type(error).__name__}: {error}", "report the error")
