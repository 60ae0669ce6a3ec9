"""Python, SQLite, and the packages that memos needs or can use."""

from __future__ import annotations

import operator
import platform
import re
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata

from memos_cli import __version__
from memos_cli.interface.doctor.report import Line

_DISTRIBUTION = "memos-cli"
_HIDDEN = {"test"}
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[([\w,. -]+)\])?([^;]*)(?:;.*\bextra\s*==\s*['\"]([\w-]+)['\"])?")
_COMPARISONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq, "<": operator.lt, ">": operator.gt}
_BOUND = re.compile(r"(>=|<=|==|<|>)\s*([\d.]+)")


def check_python() -> Iterator[Line]:
    """Check Python, and that its SQLite has full-text search."""
    what = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    details = {"python": platform.python_version(), "executable": sys.executable}
    db = sqlite3.connect(":memory:")
    try:
        db.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
    except sqlite3.Error:
        yield Line("python", "fail", f"{what} without full-text search (FTS5)", "use another Python", details)
    else:
        yield Line("python", "ok", f"{what}: {sys.executable}", "", details)
    finally:
        db.close()


def check_packages() -> Iterator[Line]:
    """Check the packages that memos needs, and say which extras are installed."""
    needed = _read_requirements()
    if not needed:
        yield Line(
            "packages", "warn", f"memos {__version__} runs from a folder, so its packages are unknown",
            "pip install memos-cli",
        )  # fmt: skip
        return
    wrong = [problem for name, bounds in needed.pop("").items() if (problem := _problem(name, bounds))]
    if wrong:
        hint = f"pip install --upgrade {_DISTRIBUTION}"
        yield Line("packages", "fail", f"memos {__version__} needs {', '.join(wrong)}", hint)
    else:
        yield Line("packages", "ok", f"memos {__version__}, with all the packages that it needs")
    for extra, requirements in needed.items():
        missing = [problem for name, bounds in requirements.items() if (problem := _problem(name, bounds))]
        lacks = f"not installed ({', '.join(missing)})"
        hint = f"pip install '{_DISTRIBUTION}[{extra}]'"
        details = {"extra": extra, "installed": not missing}
        yield Line(
            "extra", "ok", f"{extra}: {lacks if missing else 'installed'}", hint if missing else "", details
        )


def _read_requirements() -> dict[str, dict[str, str]]:
    """Return what memos needs: by extra ("" is none) the packages, each with its bounds."""
    try:
        lines = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, dict[str, str]] = {"": {}}
    for line in lines:
        if (match := _REQUIREMENT.match(line)) and match[4] not in _HIDDEN and match[1] != _DISTRIBUTION:
            found.setdefault(match[4] or "", {})[match[1]] = match[3]
    return found


def _problem(name: str, bounds: str) -> str:
    """Return what is wrong with a package, such as "numpy>=2 (1.26 is installed)"; "" if it is fine."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return name
    has = _numbers(version)
    for sign, bound in _BOUND.findall(bounds):
        if not _COMPARISONS[sign](has, _numbers(bound)):
            return f"{name}{sign}{bound} ({version} is installed)"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with, without zeros at the end: (2, 13) for "2.13.0+cpu"."""
    match = re.match(r"\d+(\.\d+)*?(?=(\.0+)*(?![.\d]))", version)
    return tuple(map(int, match[0].split("."))) if match else ()
