"""Memories put into a vault below the Memory API, at a fixed time and by a fixed user."""

from __future__ import annotations

import sqlite3
import tarfile
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

from memos_cli.cube import Cube, Draft, Origin, Span
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.derived.saved_states import State
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.transaction import Kept, NewMemoryFields
from memos_cli.infrastructure.storage.blobs import piece_digests
from memos_cli.infrastructure.storage.database import Connection, connect
from memos_cli.infrastructure.vault import row_checks
from memos_cli.infrastructure.vault.vault import Vault

NOW = 1_700_000_000_000
"""Milliseconds since 1970 UTC."""
WHO = "user:ann"


def draft(text: str, at: int = 0, **header: object) -> Draft:
    """A draft whose place in its source is ``at``."""
    return Draft(text, Span(at, at + len(text.encode())), **header)  # type: ignore[arg-type]


def keep(
    vault: Vault,
    *drafts: Draft | str,
    uri: str = "file:///notes.md",
    now: int = NOW,
    tags: Sequence[str] = (),
) -> list[Kept]:
    """Put drafts into the vault, as an ingest of one source does."""
    made = [draft(item, 100 * n) if isinstance(item, str) else item for n, item in enumerate(drafts)]
    with vault.change(WHO, now) as change:
        source, _ = change.claim_source(Origin(uri, "text", "", 0), None)
        kept = change.add(
            source, [(each, each.digest(), bytes(32)) for each in made], NewMemoryFields(tags=tuple(tags))
        )
        change.finish_source(source, "0" * 64, "recipe")
    return kept


def keep_state(
    vault: Vault, *document: int, pinned: Sequence[int] = (), view: str = "", content: bytes = b"state"
) -> tuple[str, str]:
    """Keep an activation cube of memories as they are now, as a promotion does. Returns its id and its blob.

    No model is asked: nothing here looks into a state.
    """
    blob = vault.blobs.put(content)
    cubes = queries.by_rowid(vault.connection, [*pinned, *document])
    sources = [(n, cubes[n].version, "pinned" if n in pinned else "document") for n in cubes]
    state = State(
        view,
        blob,
        len(content),
        piece_digests(content),
        range(64),
        70,
        "tiny",
        {"model": "ab", "KV type": "f16"},
        2.5,
    )
    with vault.change(WHO, NOW) as change:
        id, _, _ = saved_states.keep(change, state, sources, title="State of some", digest=content.ljust(32))
    return id, blob


numbers = count(1)


def memory(text: str, n: int = 0) -> Cube:
    return Cube(
        n=n or next(numbers), id="ID", payload="plaintext", type="fact", state="generated", version=1,
        text=text, title="", ref=None, author="", role="", owner="user:ann", time=None, created=0, updated=0,
        expires=None, priority=0, frozen=False, hits=0, last_hit=None, heat=0.0, source=None, span=None,
    )  # fmt: skip


build_expected_schema = row_checks.expected


def expect_schema_once() -> None:
    """Let checks of this process build the schema that they expect once, not each time."""
    with closing(build_expected_schema()) as fresh:
        image = fresh.serialize()

    def expected() -> Connection:
        fresh = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
        fresh.deserialize(image)
        return fresh

    row_checks.expected = expected


def all_bytes(folder: Path) -> bytes:
    """What lies in all files of a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


VAULTS = Path(__file__).parents[1] / "vaults"


def make_due(folder: Path) -> None:
    """Let every memory with an expiry have expired a moment after it was made."""
    with closing(connect(folder / "memos.db", 5.0)) as db:
        db.execute("UPDATE cube SET expires = created + 1 WHERE expires IS NOT NULL")


def unpack(name: str, folder: Path) -> Path:
    with tarfile.open(VAULTS / f"{name}.tar.xz") as archive:
        archive.extractall(folder, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
    return folder / name
