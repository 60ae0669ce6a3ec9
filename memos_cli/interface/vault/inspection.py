"""Looking closely: one cube with proof of its places, and the whole vault in numbers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from memos_cli.cube import Cube, Draft, Span
from memos_cli.errors import Damaged
from memos_cli.files import read_part
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.queries import SourceRow
from memos_cli.infrastructure.storage.schema import LIVE_TEXT
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.results import MemoryDetails, PlaceReport, Stats
from memos_cli.operation.lifecycle.states import heat_now


def show(vault: Vault, cube: Cube, now: int) -> MemoryDetails:
    """A cube, what was made from it, and whether its sources still read as they did."""
    db = vault.connection
    versions = {_digest(cube, each.text): each.version for each in reversed(queries.versions(db, cube.n))}
    places = zip(queries.places_of(db, cube.n), queries.place_digests(db, cube.n), strict=True)
    return MemoryDetails(
        cube,
        tuple(replace(_prove(vault, *place), version=versions.get(digest, 0)) for place, digest in places),
        saved_states.by_cube(vault.connection, cube.n, now=now),
        tuple(saved_states.made_from(vault.connection, cube.n, now=now)),
        adapters.by_cube(vault.connection, cube.n, now=now),
        tuple(adapters.made_from(vault.connection, cube.n, now=now)),
    )


def _digest(cube: Cube, text: str) -> bytes:
    """Return the digest of the memory if it had this text."""
    return Draft(text, Span(0, 0), cube.type, "", cube.ref, cube.time, cube.author, cube.role).digest()


def _prove(vault: Vault, source: SourceRow, span: Span, sha256: bytes) -> PlaceReport:
    path = source.path
    # Of a document the text that was made from it is what spans are of; it went with a memory from it.
    if not source.blob and (path is None or source.kind == "document"):
        return PlaceReport(source.uri, span, source.encoding, "not kept")
    try:
        if source.blob:
            data = bytes(vault.blobs.unseal(vault.blobs.get(source.blob))[span.start : span.end])
        elif path is not None:
            data = read_part(path, span.start, span.end)
    except Damaged:
        return PlaceReport(source.uri, span, source.encoding, "unreadable")
    except FileNotFoundError:
        return PlaceReport(source.uri, span, source.encoding, "gone")
    except OSError:
        return PlaceReport(source.uri, span, source.encoding, "unreadable")
    if sha256 == queries.MASKED:
        return PlaceReport(source.uri, span, source.encoding, "masked")
    same = hashlib.sha256(data).digest() == sha256
    return PlaceReport(source.uri, span, source.encoding, "same" if same else "changed")


HEATS = 200
"""How many heats are told."""


def measure(
    vault: Vault, without_vector: int, now: int, half_life: float, *, with_sizes: bool = True
) -> Stats:
    """The vault in numbers. ``without_vector`` is how many live cubes wait for one; ``half_life`` in days.

    ``with_sizes``: also the bytes of its files, which depend on what everybody has stored.
    """
    db = vault.connection

    def count(statement: str) -> int:
        return int(db.execute(statement).fetchone()[0])

    warm = sorted(
        (-heat_now(heat, last, now=now, half_life=half_life), n)
        for n, heat, last in db.execute(f"SELECT n, heat, last_hit FROM cube c WHERE {LIVE_TEXT} AND hits")
    )
    heats = {n: -heat for heat, n in warm}
    hottest, coldest = list(heats)[:5], list(heats)[5:][-5:][::-1]
    cubes = {
        n: replace(cube, heat=heats[n]) for n, cube in queries.by_rowid(db, [*hottest, *coldest]).items()
    }
    states = saved_states.activations(db, now=now)
    trained = adapters.adapters(db, now=now)
    used = [each for each in trained if each.state == "activated"]
    return Stats(
        vault=str(vault.folder),
        id=vault.identity.id,
        cubes=dict(
            db.execute(
                """SELECT state, count(*) FROM cube WHERE payload = 'plaintext'
                   GROUP BY state ORDER BY state"""
            )
        ),
        types=dict(
            db.execute(f"SELECT type, count(*) FROM cube c WHERE {LIVE_TEXT} GROUP BY type ORDER BY type")
        ),
        versions=count("SELECT count(*) FROM version v JOIN cube c ON c.n = v.cube"),
        sources=count(
            """SELECT count(*) FROM source
               WHERE n IN (SELECT p.source FROM place p JOIN cube c ON c.n = p.cube)"""
        ),
        tags=count("SELECT count(DISTINCT tag) FROM tag t JOIN cube c ON c.n = t.cube"),
        embedded=count(f"SELECT count(*) FROM cube c WHERE {LIVE_TEXT}") - without_vector,
        without_vector=without_vector,
        hits=count("SELECT coalesce(sum(hits), 0) FROM cube WHERE payload = 'plaintext'"),
        hottest=tuple(cubes[n] for n in hottest),
        coldest=tuple(cubes[n] for n in coldest),
        heats=tuple(round(heat, 4) for heat in list(heats.values())[:HEATS]),
        bytes={
            "database": _size(vault.folder, "memos.db*"),
            "blobs": _size(vault.folder / "blobs", "*/*"),
            "index": _size(vault.folder / "index", "*"),
        }
        if with_sizes
        else {},
        states={
            "count": len(states),
            "bytes": sum(each.state.size for each in states),
            "hits": sum(each.hits for each in states),
            "seconds_saved": round(sum(each.saved for each in states), 3),
            "stale": sum(bool(each.stale) for each in states),
        },
        adapters={
            "count": len(trained),
            "used": len(used),
            "bytes": sum(each.size for each in trained if each.blob),
            "hits": sum(each.hits for each in trained),
            "stale": sum(bool(each.stale) for each in used),
        },
        questions=count("SELECT count(*) FROM question"),
    )


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())
