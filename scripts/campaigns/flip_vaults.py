"""Vaults with some of everything, for ``flips.py`` to damage copies of, and what is right about them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from common import Campaign, Run, memos, succeeded
from judging import limited, memos_in_turn

LONGEST = 30.0
"""Seconds that a command may take on a busy machine."""
PASSPHRASE = "a passphrase"
ALL = ("list", "--state", "all", "--json")
Text = tuple[str, str]
"""A memory's id and one of its texts."""


@dataclass
class Subject:
    """A vault that is copied for each try, and what is right about it."""

    name: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    older: Path | None = None
    """The same vault as it was some writes ago."""
    key: Path | None = None
    texts: set[Text] = field(default_factory=set)
    """All that was ever stored, by id."""
    moments: list[dict[str, str]] = field(default_factory=list)
    """The current texts by id, as they were after each write; the last is what is there."""
    answers: dict[tuple[str, ...], list[Any]] = field(default_factory=dict)
    """What the reading commands answer while nothing is damaged."""
    first: Callable[[], None] = limited
    """Runs in each fork before the command."""


def run(subject: Subject, vault: Path, *arguments: str, stdin: str = "") -> Run:
    return run_all(subject, vault, [arguments], stdin=[stdin.encode()])[0]


def run_all(
    subject: Subject, vault: Path, commands: list[tuple[str, ...]], *, stdin: Sequence[bytes] = ()
) -> list[Run]:
    """Run commands on a vault, one after the other, until one ends the process."""
    given = [("--vault", vault, "--as", "user:ann", *each) for each in commands]
    timeout = LONGEST * len(commands)
    return memos_in_turn(given, stdin=stdin, env=subject.environment, timeout=timeout, first=subject.first)


def build(campaign: Campaign, name: str, *options: str) -> Subject:
    """A vault with some of everything, made by commands."""
    subject = Subject(name, campaign.folder / name)
    if options:
        subject.key = campaign.folder / f"{name}.key"
        options = (*options, "--key-file", str(subject.key))
    _do(subject, "init", *options)
    files = _write_sources(campaign, campaign.folder / f"{name}-sources")
    _do(subject, "ingest", *map(str, files), "--tag", "from/files")
    subject.older = campaign.folder / f"{name}-older"
    shutil.copytree(subject.folder, subject.older)
    _remember(subject)
    for given in _steps(campaign, [*subject.moments[-1]]):
        _do(subject, *given)
    _add_derived(subject)
    _remember(subject)
    return subject


def _do(subject: Subject, *arguments: str, stdin: str = "") -> Run:
    return succeeded(run(subject, subject.folder, *arguments, stdin=stdin))


def _write_sources(campaign: Campaign, folder: Path) -> list[Path]:
    folder.mkdir()
    sentence = campaign.sentence
    notes = "".join(f"# {sentence()}\n\n{' '.join(sentence() for _ in range(8))}\n\n" for _ in range(12))
    turns = "".join(
        json.dumps({"id": f"t{n}", "role": "user", "name": "Ann", "time": f"2026-05-{n + 1:02}",
                    "content": sentence()}) + "\n"
        for n in range(12)
    )  # fmt: skip
    table = "name,note\n" + "".join(f"n{n},{sentence()}\n" for n in range(12))
    long = json.dumps([{"id": "long", "text": "\n".join(sentence() for _ in range(200))}])
    page = f"<html><title>{sentence()}</title><h1>Tides</h1><p>{sentence()}</p><p>气候政策</p></html>"
    contents = {"notes.md": notes, "talk.jsonl": turns, "table.csv": table}
    contents |= {"long.json": long, "page.html": page}
    for name, content in contents.items():
        (folder / name).write_text(content)
    return [folder / name for name in contents]


def _steps(campaign: Campaign, ids: list[str]) -> Iterator[tuple[str, ...]]:
    """Writes of many kinds to memories that are there."""
    for id in ids[:2]:
        yield "edit", id, "--text", campaign.sentence()
    yield "archive", ids[3]
    yield "link", ids[4], "about", ids[5]
    yield "pin", ids[6]
    yield "mark", "personal", ids[7]
    yield "grant", ids[8], "agent:bo"
    yield "view", "set", "work", "--tag", "from"
    yield "forget", ids[9], "--yes"
    yield "query", campaign.sentence(), "--quote"


def _remember(subject: Subject) -> None:
    """Note all texts that are there now."""
    there = current(_do(subject, *ALL))
    subject.moments.append(there)
    subject.texts |= {*there.items()}


def current(listed: Run) -> dict[str, str]:
    """The texts by id that a list shows."""
    return {row["id"]: row["text"] for row in listed.values if row["payload"] == "plaintext"}


def _add_derived(subject: Subject) -> None:
    """Put a converted document, a saved state and an adapter into the vault, and an index file."""
    from array import array

    from adapters_harness import teach
    from vault_harness import NOW, WHO

    from memos_cli.cube import Draft, Origin, Span
    from memos_cli.infrastructure.derived import saved_states
    from memos_cli.infrastructure.derived.saved_states import State
    from memos_cli.infrastructure.memories.transaction import NewMemoryFields
    from memos_cli.infrastructure.storage.blobs import piece_digests
    from memos_cli.infrastructure.vault.vault import Vault
    from memos_cli.infrastructure.vectors import vector_index
    from memos_cli.interface.access.vault_keys import KeyKeeper

    lock = KeyKeeper(subject.key, lambda vault, twice: "")
    with Vault.open(subject.folder, timeout=5.0, lock=lock) as vault:
        text = "Converted text of a document."
        blob = vault.blobs.put(text.encode())
        state = bytes(range(256)) * 40
        name = vault.blobs.put(state)
        stored = vault.blobs.path(name).read_bytes()  # sizes and pieces are of the file, encrypted or not
        with vault.change(WHO, NOW) as change:
            row, _ = change.claim_source(Origin("file:///a.pdf", "pdf", "", 9), blob)
            made = Draft(text, Span(0, len(text)))
            change.add(row, [(made, made.digest(), bytes(32))], NewMemoryFields())
            tokens = array("i", range(64))
            kept = State(
                "", name, len(stored), piece_digests(stored), tokens, 70, "tiny", {"model": "0" * 64}, 1
            )
            saved_states.keep(
                change, kept, [(1, 1, "document"), (2, 1, "document")], title="State", digest=bytes(32)
            )
        if not subject.key:
            teach(vault, 5, 6, content=b"some weights" * 200)
        (row, dimension), *_ = vault.unrestricted.execute("SELECT n, dimension FROM embedder").fetchall()
        vector_index.refresh(vault.unrestricted, vault.snapshots, row, dimension, force=True)


def with_log(campaign: Campaign, plain: Subject) -> Subject:
    """The same vault copied while it is open: its last writes are only in the write-ahead log."""
    from contextlib import closing

    from memos_cli.infrastructure.storage.database import connect

    live = Subject("log", campaign.folder / "live", texts={*plain.texts}, moments=[plain.moments[-1]])
    shutil.copytree(plain.folder, live.folder)
    with closing(connect(live.folder / "memos.db", 5.0)):
        ids = [*plain.moments[-1]]
        for id in (ids[0], ids[2], ids[10]):
            _do(live, "edit", id, "--text", campaign.sentence())
            _remember(live)
        _do(live, "ingest", "-", "--type", "fact")
        copy = campaign.folder / "log"
        shutil.copytree(live.folder, copy)
    live.folder = copy
    return live


def with_passphrase(campaign: Campaign) -> Subject:
    """A small vault whose key is in it, under a passphrase."""
    from memos_cli.infrastructure.storage import encryption
    from memos_cli.interface.access import vault_keys

    subject = Subject("passphrase", campaign.folder / "passphrase", first=_type_passphrase)
    _do(subject, "init", "--encrypt")
    unwrap = cache(encryption.unwrap)  # it takes a second: for what is not damaged, once in all
    setattr(vault_keys, "unwrap", unwrap)  # noqa: B010  a name that the module imports
    unwrap((subject.folder / vault_keys.WRAPPED).read_bytes(), PASSPHRASE)
    _do(subject, "ingest", "-", "--type", "fact", stdin=campaign.sentence())
    _remember(subject)
    return subject


def _type_passphrase() -> None:
    from memos_cli.cli import context

    limited()
    context.ask_passphrase = lambda vault, twice: PASSPHRASE


def unfinished(campaign: Campaign) -> Subject:
    """A vault whose ``init`` was killed after it had written something, or a new one if no kill hit that."""
    subject = Subject("init", campaign.folder / "init", moments=[{}])
    for _ in range(40):
        shutil.rmtree(subject.folder, ignore_errors=True)
        wait = campaign.chance.uniform(0.002, 0.08)
        memos("--vault", subject.folder, "--as", "user:ann", "init", kill_after=wait)
        written = [path.name for path in subject.folder.rglob("*") if path.is_file() and path.stat().st_size]
        if written and "VAULT.toml" not in written:
            return subject
    memos("--vault", subject.folder, "--as", "user:ann", "init")
    return subject
