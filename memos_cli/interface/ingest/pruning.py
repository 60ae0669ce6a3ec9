"""Archive memories whose source or piece is gone from a folder (``--prune``)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from memos_cli.counts import counted
from memos_cli.cube import LIVE_STATES
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.queries import Place, SourceRow, path_of
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.interface.ingest.sources.walk import below
from memos_cli.interface.results import Failure
from memos_cli.operation.lifecycle.states import next_state

MANY = 10
"""In a folder with more sources than this, losing half of them at once needs ``--prune-all``."""
Begin = Callable[[], AbstractContextManager[Transaction]]


def note_paths(db: Connection, begin: Begin, owner: str, found: Mapping[str, str]) -> None:
    """Store the path by which a folder reached each source, through links too (``found``: both as URIs)."""
    known = set(queries.reached(db, owner)) if found else set()
    numbers = {row.uri: row.n for row in queries.sources(db, owner)} if found else {}
    new = [(numbers[uri], path) for uri, path in found.items() if uri in numbers]
    if new := [each for each in new if each not in known]:
        with begin() as change:
            change.db.executemany("INSERT OR IGNORE INTO reached (source, path) VALUES (?, ?)", new)


def prune(
    db: Connection,
    begin: Begin,
    owner: str,
    folder: Path,
    seen: Collection[str],
    unreadable: Collection[str],
    *,
    even_all: bool,
) -> tuple[int, Failure | None]:
    """Archive the memories of sources in ``folder`` that are not in ``seen`` (URIs).

    A source that cannot be read (``unreadable``, paths as URIs) is not gone. If the folder is empty, or more
    than half of many sources are gone, a disk may not be mounted: nothing is archived unless ``even_all``.
    Returns how many memories were archived, and why none.
    """
    if not folder.is_dir():
        return 0, None
    roots = tuple(path.as_uri().rstrip("/") + "/" for path in {below(folder), folder.resolve()})
    known = _known(db, owner, roots)
    gone = [
        (row, paths)
        for row, paths in known
        if row.uri not in seen and not any(_may_exist(path, unreadable) for path in paths)
    ]
    half = len(known) > MANY and 2 * len(gone) > len(known)
    if gone and not even_all and (half or (len(gone) == len(known) and _is_empty_folder(folder))):
        share = f"{len(gone)} of {counted(len(known), 'source')}"
        reason = f"gone at once: {share} of this folder; nothing was archived"
        return 0, Failure(str(folder), reason, "if they are gone for good: --prune-all")
    archived = 0
    for row, paths in gone:
        with begin() as change:
            for path in paths:
                change.db.execute("DELETE FROM reached WHERE source = ? AND path = ?", (row.n, path))
            if any(_status(path) != 0 for n, path in queries.reached(change.db, owner, row.n)):
                continue  # another folder still has it
            change.finish_source(row.n, "", "")
            archived += sum(leave(change, place) for place in queries.places(change.db, row.n))
    return archived, None


def _known(db: Connection, owner: str, roots: tuple[str, ...]) -> list[tuple[SourceRow, list[str]]]:
    """Return the sources of a folder that have memories, with the paths by which the folder reached them.

    A file that the user named itself does not count, unless it is gone or empty.
    """
    paths: dict[int, list[str]] = {}
    for n, path in queries.reached(db, owner):
        paths.setdefault(n, []).append(path)
    found = []
    for row in queries.sources(db, owner, with_places=True):
        mine = [path for path in paths.get(row.n, ()) if path.startswith(roots)]
        if row.n not in paths and row.uri.startswith(roots) and _is_gone_or_empty(row.uri):
            mine = [row.uri]
        if mine:
            found.append((row, mine))
    return found


def _may_exist(path: str, unreadable: Collection[str]) -> bool:
    """Return whether the file at a path may still exist: it cannot be read or looked up."""
    return any(path == each or path.startswith(f"{each}/") for each in unreadable) or _status(path) is None


def _is_gone_or_empty(path: str) -> bool:
    """Return whether there is no file, an empty file, or something else than a file."""
    status = _status(path)
    return status == 0 or (status is not None and not (stat.S_ISREG(status.st_mode) and status.st_size))


def _status(path: str) -> os.stat_result | Literal[0] | None:
    """Return the status of the file at a path; 0 if there is none, None if it cannot be looked up."""
    try:
        return path_of(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError:
        return None


def _is_empty_folder(folder: Path) -> bool:
    """Return whether a folder contains only hidden names and folders that are empty in the same sense."""
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = [name for name in files if not name.startswith(".")]
        if shown or any(Path(root, name).is_symlink() for name in folders):
            return False
    return True


def leave(change: Transaction, place: Place) -> bool:
    """Remove a cube from its place; archive it if that was its last one. Frozen cubes stay."""
    state, is_frozen = queries.status(change.db, place.cube) or ("", True)
    if is_frozen:
        return False
    change.leave_place(place.n)
    if state not in LIVE_STATES or queries.places_of(change.db, place.cube):
        return False
    change.set_state(place.cube, next_state(state, "archive"), "archive")
    return True
