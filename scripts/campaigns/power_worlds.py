"""The commands whose power ``powercut.py`` cuts, each with the world that it runs in."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common
from common import Campaign, memos, succeeded

NOTES = "# Server\n\nIt listens on port 5433.\n\n# Backup\n\nEvery night at two.\n"
CHAT = "".join(
    json.dumps({"id": f"t{n}", "role": "user", "name": "Ann", "content": text}) + "\n"
    for n, text in enumerate(("Hello!", "I planted tomatoes.", "The ferry leaves at nine."), 1)
)
MARK = "Zyxomaten"
"""A word of the memory that is forgotten."""


@dataclass
class World:
    """One user: a vault, a home, and what commands read and write; all below ``root``."""

    campaign: Campaign
    root: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, text: str) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *arguments: object, stdin: str = "", first: Callable[[], None] | None = None) -> common.Run:
        """Run a command that is to succeed. ``first`` runs in its process."""
        return succeeded(self.try_(*arguments, stdin=stdin, first=first))

    def try_(
        self, *arguments: object, stdin: str = "", first: Callable[[], None] | None = None
    ) -> common.Run:
        env = {**self.env, "HOME": str(self.root / "home"), "MEMOS_VAULT": str(self.vault)}

        def begin() -> None:
            os.chdir(self.root)
            if first:
                first()

        return memos(*arguments, stdin=stdin, env=env, first=begin)

    def keep(self, *texts: str, tag: str = "said") -> list[str]:
        lines = "\n".join(texts)
        done = self.run("ingest", "-", "--lines", "--no-embed", "--json", "--tag", tag, stdin=lines)
        ids: list[str] = done.values[0]["ids"]
        return ids

    def contents(self) -> dict[str, tuple[Any, ...]]:
        """What the vault holds, by id: see ``common.contents``; of an encrypted one, what ``list`` prints."""
        if "MEMOS_KEY_FILE" not in self.env:
            return common.contents(self.vault)
        if not (self.vault / "VAULT.toml").exists():
            return {}
        done = self.run("list", "--json")
        return {row["id"]: (row["text"], row["version"], tuple(row["tags"]), ()) for row in done.values}


@dataclass(frozen=True)
class Command:
    """A command whose power is cut, in the world that ``prepare`` makes."""

    prepare: Callable[[World], tuple[object, ...]]
    """Makes the world, and returns the arguments."""
    codes: tuple[int, ...] = (0,)
    """How it may end when it is run again."""
    gone: str = ""
    """What is in no file of the vault when the command has ended."""


def _empty(world: World) -> None:
    world.run("init")


def _filled(world: World) -> None:
    _empty(world)
    world.write("notes/home.md", NOTES)
    world.write("notes/chat.jsonl", CHAT)
    world.run("ingest", "notes", "--no-embed", "--tag", "home")


def _with_model(world: World) -> None:
    from tiny_models import write_model

    _filled(world)
    model = world.campaign.folder / "tiny.gguf"
    if not model.exists():
        write_model(model, "llama", context=4096)
    world.env |= {"MEMOS_READER": str(model), "MEMOS_QUERY_RELEVANCE": "0.1", "MEMOS_THREADS": "1"}


def ingest(world: World) -> tuple[object, ...]:
    _filled(world)
    world.write("notes/home.md", NOTES.replace("5433", "5434") + "\n# Monitoring\n\nA mail comes.\n")
    return ("ingest", "notes", "--no-embed", "--tag", "home")


def ingest_document(world: World) -> tuple[object, ...]:
    """A text that is converted is kept as a blob."""
    _empty(world)
    world.write("report.html", f"<html><body><h1>Report</h1><p>{'The pump was replaced. ' * 9}</p>")
    return ("ingest", "report.html", "--no-embed")


def promote(world: World) -> tuple[object, ...]:
    _with_model(world)
    return ("promote", "--tag", "home", "--to", "activation")


def promote_again(world: World) -> tuple[object, ...]:
    """The old state goes, a new one comes."""
    _with_model(world)
    world.run("promote", "--tag", "home", "--to", "activation")
    first = world.run("list", "--oldest", "--json").values[0]["id"]
    world.run("edit", first, "--text", "It listens on port 5434.")
    return ("promote", "--tag", "home", "--to", "activation")


def import_chat(world: World) -> tuple[object, ...]:
    _filled(world)
    return ("import", world.write("later.jsonl", CHAT.replace("nine", "ten")), "--no-embed")


def import_bundle(world: World) -> tuple[object, ...]:
    _filled(world)
    world.run("export", "-o", world.path("one.mip"))
    world.run("forget", "--source", "chat.jsonl", "--yes")
    return ("import", world.path("one.mip"), "--no-embed", "--reread")


def export(world: World) -> tuple[object, ...]:
    _filled(world)
    world.write("out/one.mip", "an older export")
    return ("export", "-o", world.path("out/one.mip"))


def export_elsewhere(world: World) -> tuple[object, ...]:
    _filled(world)
    return ("export", "--format", "markdown", "-o", world.path("new/deep/one.md"))


def publish(world: World) -> tuple[object, ...]:
    _filled(world)
    world.run("key", "new")
    return ("publish", "home", "--tag", "home", "--to", world.path("web/public"), "--yes")


def publish_again(world: World) -> tuple[object, ...]:
    arguments = publish(world)
    world.run(*arguments)
    world.keep("Station 9 is new.", tag="home")
    return ("publish", "home", "--yes")


def subscribe(world: World) -> tuple[object, ...]:
    world.run(*publish(world))
    world.run("init", "--vault", world.path("other"))
    return ("subscribe", world.path("web/public/home"), "--trust", "--vault", world.path("other"))


def key_new(world: World) -> tuple[object, ...]:
    _empty(world)
    return ("key", "new")


def init(world: World) -> tuple[object, ...]:
    return ("init",)


def init_encrypted(world: World) -> tuple[object, ...]:
    key = world.path("keys/deep/vault.key")
    world.env |= {"MEMOS_KEY_FILE": str(key)}
    return ("init", "--encrypt", "--key-file", key)


def ingest_encrypted(world: World) -> tuple[object, ...]:
    world.run(*init_encrypted(world))
    world.keep("Owls nest low.")
    return ("ingest", world.write("report.md", NOTES), "--no-embed")


def forget(world: World) -> tuple[object, ...]:
    _filled(world)
    (id,) = world.keep(f"The {MARK} code of the cabin is 4471.")
    return ("forget", id, "--yes")


def forget_state(world: World) -> tuple[object, ...]:
    """The state of a model that has read the memory goes with it."""
    promote(world)
    world.run("promote", "--tag", "home", "--to", "activation")
    return ("forget", world.run("search", "ferry", "--json").values[0]["id"], "--yes")


def edit(world: World) -> tuple[object, ...]:
    _empty(world)
    (id,) = world.keep("The old router is in the cellar.")
    return ("edit", id, "--text", "The old router is gone.")


def maintain(world: World) -> tuple[object, ...]:
    """What expires, and a state that is stale."""
    promote_again(world)
    (over,) = world.keep("The milk is sour.")
    with closing(sqlite3.connect(world.vault / "memos.db")) as db:
        db.execute("UPDATE cube SET expires = 1 WHERE id = ?", (over,))
        db.commit()
    return ("maintain", "--skip", "embed", "--skip", "rivals")


def view(world: World) -> tuple[object, ...]:
    _filled(world)
    return ("view", "set", "talk", "--type", "dialogue")


COMMANDS = {
    "ingest": Command(ingest),
    "ingest-document": Command(ingest_document),
    "ingest-encrypted": Command(ingest_encrypted),
    "promote": Command(promote),
    "promote-again": Command(promote_again),
    "import": Command(import_chat),
    "import-bundle": Command(import_bundle),
    "export": Command(export),
    "export-elsewhere": Command(export_elsewhere),
    "publish": Command(publish),
    "publish-again": Command(publish_again),
    "subscribe": Command(subscribe, codes=(0, 2)),
    "key-new": Command(key_new),
    "init": Command(init),
    "init-encrypted": Command(init_encrypted),
    "forget": Command(forget, codes=(0, 2), gone=MARK),
    "forget-state": Command(forget_state, codes=(0, 2)),
    "edit": Command(edit),
    "view": Command(view),
    "maintain": Command(maintain),
}
