"""Values that a shell completes: ids, tags, views, models and fixed words. Only reads, and never waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import fields

from memos_cli.cube import SEMANTIC_TYPES, SENSITIVITIES, STATES
from memos_cli.errors import TooNew
from memos_cli.infrastructure.storage.database import Connection, connect_read_only
from memos_cli.letters import nfc
from memos_cli.settings import Settings, key_of, load_settings, vault_folder

_MOST = 200
_LONGEST = 0.5
"""Seconds for all queries."""

Found = Iterator[tuple[str, str]]


def find_values(kind: str, start: str, flags: Mapping[str, object]) -> Found:
    """Yield the values of a kind (as help names them: ID, TAG, …) that begin with ``start``, and what they
    are.

    ``flags`` are the global options of the command line. Raises MemosError without a vault that the caller
    may read.
    """
    if find := _IN_VAULT.get(kind):
        settings, _ = load_settings(flags)
        with closing(_open(settings)) as db:
            yield from find(db, start)
    else:
        yield from ((word, about) for word, about in _words(kind) if word.startswith(start))


def _open(settings: Settings) -> Connection:
    """Open the vault read-only as the caller, without asking for a key.

    Raises MemosError.
    """
    from memos_cli.infrastructure.access.row_access import Scope
    from memos_cli.infrastructure.storage.schema import FORMAT, version_of
    from memos_cli.infrastructure.vault.vault_file import guard, read_identity
    from memos_cli.interface.access.callers import identify

    folder = vault_folder(settings)
    guard(folder, is_open=settings.permissions == "any")
    identity = read_identity(folder)
    cipher = None
    if identity.encryption is not None or settings.key_file:
        from memos_cli.interface.access.vault_keys import cipher_without_asking

        cipher = cipher_without_asking(folder, identity, settings.key_file)
    db = connect_read_only(folder / "memos.db", cipher)
    try:
        if version_of(db) != FORMAT:
            raise TooNew(f"{folder} has another format")
        end = time.monotonic() + _LONGEST
        db.set_progress_handler(lambda: time.monotonic() > end, 10_000)
        now = time.time_ns() // 1_000_000
        caller = identify(db, settings, now)
        # At once: only the creator may notice that other principals have stored something.
        Scope(db, caller.principal, lambda: now, at_once=True).refresh()
    except BaseException:
        db.close()
        raise
    return db


def _ids(db: Connection, start: str) -> Found:
    from memos_cli.moments import format_time

    rows = db.execute(
        "SELECT id, type, created FROM cube WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id DESC LIMIT ?2",
        (start.upper(), _MOST),
    )
    for id, kind, created in rows.fetchall():
        yield id, f"{kind}, {format_time(created)[:10]}"


def _tags(db: Connection, start: str) -> Found:
    rows = db.execute(
        """SELECT t.tag, count(*) FROM main.tag t JOIN cube c ON c.n = t.cube
           WHERE substr(t.tag, 1, length(?1)) = ?1 GROUP BY t.tag ORDER BY t.tag LIMIT ?2""",
        (nfc(start), _MOST),
    )
    for tag, count in rows.fetchall():
        yield tag, f"{count:,}"


def _views(db: Connection, start: str) -> Found:
    rows = db.execute(
        "SELECT name FROM view WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT ?2",
        (nfc(start), _MOST),
    )
    yield from ((name, "view") for (name,) in rows.fetchall())


_IN_VAULT: Mapping[str, Callable[[Connection, str], Found]] = {"ID": _ids, "TAG": _tags, "VIEW": _views}


def _words(kind: str) -> Found:
    """Yield the values of a kind that needs no vault."""
    match kind:
        case "MODEL":
            yield from _models("reader")
        case "EMBEDDER":
            from memos_cli.models.embed.embedder import DEFAULT

            yield DEFAULT, "default"
            yield from _models("embedder")
        case "TYPE" | "STATE" | "LEVEL":
            words = {"TYPE": SEMANTIC_TYPES, "STATE": STATES, "LEVEL": SENSITIVITIES}
            yield from ((word, "") for word in words[kind])
        case "SETTING":
            yield from ((key_of(each), each.metadata["help"]) for each in fields(Settings))
        case "CLIENT":
            from memos_cli.interface.mcp.clients import CLIENTS

            yield from ((name, client.title) for name, client in CLIENTS.items())
        case "TOPIC":
            from importlib.resources import files

            guides = (file.name for file in (files("memos_cli") / "guides").iterdir())
            yield from ((name.removesuffix(".md"), "guide") for name in sorted(guides))
        case "STEP":
            from memos_cli.interface.vault.maintenance import STEPS

            yield from ((step, "") for step in STEPS)
        case "SHELL":
            yield from ((shell, "") for shell in ("bash", "zsh", "fish"))


def _models(kind: str) -> Found:
    from memos_cli.counts import sized
    from memos_cli.models.model_files import find_models

    for model in find_models():
        if model.kind == kind:
            yield model.name, f"{sized(model.size)}, {model.source}"
