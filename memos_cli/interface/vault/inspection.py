"""Inspect a vault: one memory with its places and its history, and all of them in numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Draft, Span
from memos_cli.errors import Damaged
from memos_cli.files import read_part
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.derived.adapters import Adapter
from memos_cli.infrastructure.derived.saved_states import Activation
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.queries import SourceRow
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.audit import AuditRow, Break, Head
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.schema import LIVE_TEXT
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.access.callers import require_entry
from memos_cli.interface.missing_vectors import count_missing
from memos_cli.interface.results import History, MemoryDetails, PlaceReport, Stats
from memos_cli.operation.lifecycle.states import heat_now

if TYPE_CHECKING:
    from memos_cli.infrastructure.vault.row_checks import Finding
    from memos_cli.interface.session import Session


def show(session: Session, id: str) -> MemoryDetails:
    """Return a memory, the cubes made from it, and whether its sources still match."""
    with session.vault.snapshot(session.vault.connection):
        cube = session.access.get(id)
        found = details(session.vault, cube, session.now())
    session.audit_reads("show", [cube])
    return found


def details(vault: Vault, cube: Cube, now: int) -> MemoryDetails:
    """Return a memory as ``show`` does, without an audit row."""
    db = vault.connection
    versions = {_digest(cube, each.text): each.version for each in reversed(queries.versions(db, cube.n))}
    places = zip(queries.places_of(db, cube.n), queries.place_digests(db, cube.n), strict=True)
    return MemoryDetails(
        cube,
        tuple(_prove(vault, *place, versions.get(digest, 0)) for place, digest in places),
        saved_states.by_cube(db, cube.n, now=now),
        tuple(saved_states.made_from(db, cube.n, now=now)),
        adapters.by_cube(db, cube.n, now=now),
        tuple(adapters.made_from(db, cube.n, now=now)),
    )


def _digest(cube: Cube, text: str) -> bytes:
    """Return the digest of the memory if it had this text."""
    return Draft(text, Span(0, 0), cube.type, "", cube.ref, cube.time, cube.author, cube.role).digest()


def _prove(vault: Vault, source: SourceRow, span: Span, sha256: bytes, version: int) -> PlaceReport:
    return PlaceReport(source.uri, span, source.encoding, _compare(vault, source, span, sha256), version)


def _compare(vault: Vault, source: SourceRow, span: Span, sha256: bytes) -> str:
    """Compare a place with its source: return whether the bytes are the same, or why that is not known."""
    path = source.path
    try:
        if source.blob:
            data = bytes(vault.blobs.unseal(vault.blobs.get(source.blob))[span.start : span.end])
        # Of a document the text that was made from it is what spans are of; it went with a memory from it.
        elif path is None or source.kind == "document":
            return "not kept"
        else:
            data = read_part(path, span.start, span.end)
    except FileNotFoundError:
        return "gone"
    except (Damaged, OSError):
        return "unreadable"
    if sha256 == queries.MASKED:
        return "masked"
    return "same" if hashlib.sha256(data).digest() == sha256 else "changed"


def history(session: Session, id: str) -> History:
    """Return the versions and the events of a memory, newest first."""
    with session.vault.snapshot(session.vault.connection) as db:
        cube = session.access.get(id)
        versions = tuple(queries.versions(db, cube.n))
        rows = audit.rows(db, cube=cube.id, newest=True)
        found = History(cube.id, versions, tuple(row for row in rows if row.action not in audit.LOOKS))
    session.audit_reads("show", [cube])
    return found


def audit_rows(
    session: Session, *, cube: str, by: str, action: str, since: int | None, until: int | None
) -> Iterator[AuditRow]:
    """Return the audit rows that match, oldest first; the vault's creator also gets those of others."""
    db = session.vault.unrestricted if session.access.is_maker else session.vault.connection
    return audit.rows(
        db, cube=cube.upper() or None, by=by or None, action=action or None, since=since, until=until
    )


def verify_audit(session: Session, head: str) -> list[Break]:
    """Return the places where the audit was changed; also compare it with an earlier ``head`` ("": none)."""
    earlier = Head.of(head) if head else None
    with session.vault.snapshot(session.vault.unrestricted) as db:
        return list(audit.verify(db, earlier))


def check_vault(session: Session, *, repair: bool) -> tuple[list[Finding], list[Finding]]:
    """Return the problems of the vault, and those that were repaired. Only reads, unless ``repair``."""
    settings, now = session.settings, session.now()
    cipher = check.cipher_of(session.folder, session.keys)
    require_entry(session.folder, settings, cipher, now)
    findings = check.examine(session.folder, timeout=settings.lock_timeout, cipher=cipher)
    if not (repair and any(finding.repairable for finding in findings)):
        return findings, []
    session.access.require_writer()
    repaired = check.repair(session.vault, findings, principal=session.principal, now=now)
    return check.examine(session.folder, timeout=settings.lock_timeout, cipher=cipher), repaired


HEATS = 200
"""How many heats ``stats`` returns."""


def stats(session: Session) -> Stats:
    """Return the vault in numbers. Only its creator gets the bytes of its files."""
    with_sizes, half_life = session.access.is_maker, session.settings.heat_half_life
    with session.vault.snapshot(session.vault.connection):
        missing = count_missing(session)
        found = measure(session.vault, missing, session.now(), half_life, with_sizes=with_sizes)
    session.audit_reads("list", [*found.hottest, *found.coldest])
    return found


def measure(
    vault: Vault, without_vector: int, now: int, half_life: float, *, with_sizes: bool = True
) -> Stats:
    """Return the vault in numbers. ``without_vector`` is how many live memories have none; ``half_life`` is
    in days.

    ``with_sizes``: also the bytes of its files, which depend on what everybody has stored.
    """
    db = vault.connection

    def count(statement: str) -> int:
        return int(db.execute(statement).fetchone()[0])

    heats = _heats(db, now, half_life)
    hottest, coldest = list(heats)[:5], list(heats)[5:][-5:][::-1]
    cubes = {
        n: replace(cube, heat=heats[n]) for n, cube in queries.by_rowid(db, [*hottest, *coldest]).items()
    }
    by_state = "SELECT state, count(*) FROM cube WHERE payload = 'plaintext' GROUP BY state ORDER BY state"
    by_type = f"SELECT type, count(*) FROM cube c WHERE {LIVE_TEXT} GROUP BY type ORDER BY type"
    return Stats(
        vault=str(vault.folder),
        id=vault.identity.id,
        cubes=dict(db.execute(by_state)),
        types=dict(db.execute(by_type)),
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
        bytes=_count_bytes(vault.folder) if with_sizes else {},
        states=_count_states(saved_states.activations(db, now=now)),
        adapters=_count_adapters(adapters.adapters(db, now=now)),
        questions=count("SELECT count(*) FROM question"),
    )


def _heats(db: Connection, now: int, half_life: float) -> dict[int, float]:
    """Return the heats of the live memories that were used, by row number, the hottest first."""
    rows = db.execute(f"SELECT n, heat, last_hit FROM cube c WHERE {LIVE_TEXT} AND hits")
    warm = sorted((-heat_now(heat, last, now=now, half_life=half_life), n) for n, heat, last in rows)
    return {n: -heat for heat, n in warm}


def _count_states(states: Sequence[Activation]) -> dict[str, float]:
    return {
        "count": len(states),
        "bytes": sum(each.state.size for each in states),
        "hits": sum(each.hits for each in states),
        "seconds_saved": round(sum(each.saved for each in states), 3),
        "stale": sum(bool(each.stale) for each in states),
    }


def _count_adapters(trained: Sequence[Adapter]) -> dict[str, int]:
    used = [each for each in trained if each.state == "activated"]
    return {
        "count": len(trained),
        "used": len(used),
        "bytes": sum(each.size for each in trained if each.blob),
        "hits": sum(each.hits for each in trained),
        "stale": sum(bool(each.stale) for each in used),
    }


def _count_bytes(folder: Path) -> dict[str, int]:
    return {
        "database": _size(folder, "memos.db*"),
        "blobs": _size(folder / "blobs", "*/*"),
        "index": _size(folder / "index", "*"),
    }


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())
