"""What the processes of ``soak.py`` tell each other: what was begun, and what was acknowledged.

Memories come in batches of three, which are added, tagged, archived and forgotten in one command each: who
sees one or two of a batch, or different tags on them, has seen half a change. Every version of a text holds a
mark of its own, such as ``qkzhtrwbvw1b17m2v3``: eight letters by chance, writer, batch, member, version.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEMBERS = 3
MARK = re.compile(r"\bq[a-z]{8}w(\d+)b(\d+)m(\d)v(\d+)\b")
_PLACE = re.compile(rb"[a-z]{5}w\d+b\d+m\dv\d+")
"""Of a mark without its first letters, which the full-text index may leave out where words begin alike."""


@dataclass
class Batch:
    """What is known of a batch."""

    ids: list[str] = field(default_factory=list)
    acked: list[int] = field(default_factory=lambda: [1] * MEMBERS)
    """The version of each member that the program has acknowledged."""
    begun: list[int] = field(default_factory=lambda: [1] * MEMBERS)
    tags: set[str] = field(default_factory=set)
    state: str = "live"
    """``live``, ``archived`` or ``merged`` (its first two)."""
    busy: bool = False
    """Whether a command that changes it is running."""
    changes: int = 0
    forgetting: bool = False
    forgotten: bool = False
    withdrawn: bool = False
    """Whether it was published, forgotten, and a later publication has gone out."""


class Journal:
    """One file for each process that writes; everybody reads all of them."""

    def __init__(self, folder: Path, name: str = "") -> None:
        self.folder, self.batches = folder, dict[str, Batch]()
        self.order: list[str] = []
        """The batches that were forgotten, in the order in which this process heard of it."""
        self._file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if name else -1
        self._read: dict[Path, int] = {}

    def tell(self, event: str, key: str, what: str = "", data: Any = None) -> None:
        """Write one line, whole: ``add``, ``begin``, ``end``, or ``fail``."""
        os.write(self._file, (json.dumps([event, key, what, data]) + "\n").encode())

    def refresh(self) -> dict[str, Batch]:
        """Read what is new. Returns all that is known."""
        for path in sorted(self.folder.iterdir()):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for line in whole.splitlines():
                self._apply(*json.loads(line))
        return self.batches

    def standing(self) -> dict[str, Batch]:
        """A copy of what is known now of the batches that are not forgotten."""
        known = self.refresh()
        return {key: deepcopy(batch) for key, batch in known.items() if not batch.forgotten}

    def _apply(self, event: str, key: str, what: str, data: Any) -> None:
        batch = self.batches.setdefault(key, Batch())
        batch.busy = event == "begin"
        batch.changes += 1
        if event == "add":
            batch.ids = data
        elif event == "withdrawn":
            batch.withdrawn = True
        elif what == "edit" and event != "fail":
            versions = batch.begun if event == "begin" else batch.acked
            versions[data[0]] = data[1]
        elif what == "tag" and event == "end":
            batch.tags.add(data)
        elif what == "state" and event == "end":
            batch.state = data
        elif what == "forget":
            batch.forgetting = True
            if event == "end":
                batch.forgotten = True
                self.order.append(key)


def marks(text: str) -> list[tuple[str, int, int]]:
    """The marks in a text: (batch, member, version)."""
    return [(f"w{w}b{b}", int(m), int(v)) for w, b, m, v in MARK.findall(text)]


def traces(folder: Path, forgotten: Iterable[str]) -> list[str]:
    """The files below ``folder`` whose bytes hold a mark of a forgotten batch."""
    gone, found = set(forgotten), []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        for match in _PLACE.finditer(path.read_bytes()):
            key = match[0][5:].decode().split("m")[0]
            if key in gone:
                found.append(f"{path.name} at {match.start()}: {match[0].decode()}")
    return found
