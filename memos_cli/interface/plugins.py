"""Plug-ins: importers and exporters that other packages install, found by their entry points.

https://packaging.python.org/en/latest/specifications/entry-points/. Packages are searched only when plug-ins
are needed. A plug-in that cannot be loaded is skipped, with a warning that names the reason.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Collection
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, distributions
from typing import TypeVar

from memos_cli.errors import UsageError, require_known

GROUPS = {"importer": "memos.importers", "exporter": "memos.exporters"}
"""The entry point group of each kind of plug-in."""
LOADED = "loaded"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """An importer or exporter of another package, and whether it can be used."""

    name: str
    kind: str
    package: str
    version: str
    status: str
    """``loaded``, or why it is not."""
    value: object = None

    @property
    def warning(self) -> str:
        """A warning about a plug-in that is skipped; "" for one that is loaded."""
        if self.status == LOADED:
            return ""
        return f"skipped the {self.kind} {self.name!r} of {self.package} {self.version}: {self.status}"


def load(kind: str, type: type[T], taken: Collection[str]) -> tuple[dict[str, T], list[Plugin]]:
    """Load the plug-ins of a kind that are of ``type``. Return them by name, and the status of each.

    ``taken`` are names that no plug-in may have: those of the built-in ones.
    """
    usable: dict[str, T] = {}
    found: list[Plugin] = []
    for point, package, version in _points(GROUPS[kind]):
        value, status = _load(point)
        if point.name in taken or point.name in usable:
            value, status = None, f"another {kind} has this name"
        elif status == LOADED and not isinstance(value, type):
            value, status = None, f"{point.value} is not an {type.__name__}"
        if isinstance(value, type):
            usable[point.name] = value
        found.append(Plugin(point.name, kind, package, version, status, value))
    return usable, found


def require_plugin(
    what: str, name: str, built_in: Collection[str], usable: Collection[str], known: Collection[Plugin]
) -> None:
    """Raise UsageError unless ``name``, the name of a ``what``, can be used; a plug-in may have failed."""
    for each in known:
        if each.name == name and name not in usable:
            raise UsageError(each.warning, "`memos plugins` lists all of them")
    require_known(what, name, (*built_in, *usable))


def describe(error: BaseException) -> str:
    """Return an exception of foreign code as one short line. Raises the one by which a signal ends memos."""
    if isinstance(error, SystemExit) and error.code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        raise error
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:200]}" if words else type(error).__name__


def _load(point: EntryPoint) -> tuple[object, str]:
    try:
        with redirect_stdout(sys.stderr):  # standard output is for results
            return point.load(), LOADED
    except (Exception, SystemExit) as error:  # noqa: BLE001 (foreign code may raise anything)
        return None, describe(error)


@cache
def _points(group: str) -> list[tuple[EntryPoint, str, str]]:
    """Return the entry points of a group, each with its package and version, sorted by name.

    Of two copies of a package on the path, the first counts.
    """
    found: list[tuple[EntryPoint, str, str]] = []
    seen = set[str]()
    for package in distributions():
        try:
            points = [each for each in package.entry_points if each.group == group]
            if not points:
                continue
            about = package.metadata
            name, version = str(about["Name"] or "?"), str(about["Version"] or "?")
        except Exception:  # noqa: BLE001, S112 (damaged metadata of a package, which pip would name)
            continue
        if name.lower() not in seen:
            seen.add(name.lower())
            found += [(point, name, version) for point in points]
    return sorted(found, key=lambda each: (each[0].name, each[1]))
