"""The commands that are disturbed: all that write, each on something that fits it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from common import Campaign
from world import LIVE, Command, World

MOST = 200
"""Memories in a vault before it is made anew: a try should take a fraction of a second."""


_IS_LONG = "(SELECT length(v.text) FROM version v WHERE v.cube = cube.n AND v.version = cube.version) > 400"


class NothingFits(Exception):
    """There is no memory that this command could be tried on."""


class User(World):
    """Who types the commands."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(campaign)
        self.start()

    def start(self) -> None:
        """Begin with a few notes, a publication that is followed, and a bundle."""
        for folder in (self.area, self.reader):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.area / "home" / "keys", self.area / "tmp", self.files, self.area / "out"):
            folder.mkdir(parents=True)
        self.is_encrypted = self.chance.random() < 0.3
        key = ("--encrypt", "--key-file", self.area / "home" / "vault.key")
        self.must("init", *(key if self.is_encrypted else ()))
        self.must("key", "new")
        for number in range(3):
            self.write(f"note{number}.md")
        (self.files / "talk.jsonl").write_text(self.talk(5))
        self.must("ingest", self.files / "note0.md", self.files / "talk.jsonl", "--tag", "file")
        self.must("ingest", "-", "--lines", "--tag", "line", stdin=self.lines(8))
        self.must("ingest", "-", "--lines", "--quarantine", stdin=self.lines(4))
        self.must("--vault", self.publisher, "init")
        self.must("--vault", self.publisher, "ingest", "-", "--lines", "--tag", "p", stdin=self.lines(8))
        self.must("--vault", self.publisher, "publish", "p", "--tag", "p", "--to", self.public, "--yes")
        self.must("--vault", self.reader, "init")
        self.must("--vault", self.reader, "subscribe", self.public / "p", "--trust")
        self.must("--vault", self.publisher, "export", "-o", self.area / "out" / "one.mip", "--sign")

    def sentence(self) -> str:
        return self.campaign.sentence()

    def lines(self, most: int) -> str:
        return "\n".join(self.sentence() for _ in range(self.chance.randint(1, most)))

    def write(self, name: str) -> None:
        """A note with a few sections, another one each time."""
        sections = [f"## {self.sentence()}\n\n{self.lines(9)}\n" for _ in range(self.chance.randint(1, 9))]
        (self.files / name).write_text(f"# {name}\n\n" + "\n".join(sections))

    def talk(self, most: int) -> str:
        return "".join(
            json.dumps({"id": f"t{n}", "role": "user", "name": "Bo", "content": self.sentence(),
                        "time": f"2026-05-0{n + 1}T10:00:00Z"}) + "\n"
            for n in range(self.chance.randint(1, most))
        )  # fmt: skip

    def chats(self) -> str:
        """An export of ChatGPT."""

        def chat(number: int) -> dict[str, object]:
            nodes: dict[str, object] = {}
            for id, parent, child, role in (("a", None, ["b"], "user"), ("b", "a", [], "assistant")):
                content = {"content_type": "text", "parts": [self.sentence()]}
                said = {"id": id, "author": {"role": role}, "create_time": 1.7e9, "content": content}
                nodes[id] = {"id": id, "parent": parent, "children": child, "message": said}
            made = {"title": self.sentence(), "id": f"c{number}", "create_time": 1.7e9}
            return {**made, "update_time": 1.7e9, "current_node": "b", "mapping": nodes}

        return json.dumps([chat(number) for number in range(self.chance.randint(1, 9))])

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Rows of the user's vault."""
        folder = self.readable(self.vault)
        with closing(sqlite3.connect(f"file:{folder}/memos.db?mode=ro", uri=True)) as db:
            return db.execute(query, tuple(values)).fetchall()

    def pick(self, most: int, *, least: int = 1, states: Sequence[str] = LIVE, where: str = "1") -> list[str]:
        """Some of the user's own memories. Raises NothingFits where there are too few."""
        marks = ",".join("?" * len(states))
        query = f"""SELECT id FROM cube WHERE owner = 'user:ann' AND payload = 'plaintext' AND NOT frozen
          AND state IN ({marks}) AND {where} ORDER BY id"""
        ids = [id for (id,) in self.rows(query, states)]
        if len(ids) < least:
            raise NothingFits
        return self.chance.sample(ids, min(len(ids), self.chance.randint(least, most)))

    def next(self) -> Command:
        """The next command, drawn from all kinds."""
        if self.rows("SELECT count(*) FROM cube")[0][0] > MOST:
            self.start()
        while True:
            kind = self.chance.choice(tuple(KINDS))
            try:
                made = KINDS[kind](self)
            except NothingFits:
                continue
            if isinstance(made, Command):
                return made
            return Command(kind, tuple(str(each) for each in made))


Arguments = Command | tuple[object, ...]


def _ingest(user: User) -> Arguments:
    for number in user.chance.sample(range(3), 2):
        user.write(f"note{number}.md")
    (user.files / "talk.jsonl").write_text(user.talk(5))
    options = [each for each in ("--no-embed", "--prune") if user.chance.random() < 0.5]
    return ("ingest", user.files, "--json", "--tag", "file", *options)


def _ingest_lines(user: User) -> Arguments:
    options = [each for each in ("--no-embed", "--quarantine") if user.chance.random() < 0.4]
    arguments = ("ingest", "-", "--lines", "--json", *options)
    return Command("ingest lines", arguments, user.lines(40))


def _embed(user: User) -> Arguments:
    user.must("ingest", "-", "--lines", "--no-embed", stdin=user.lines(20))
    return ("embed", "--json")


def _forget(user: User) -> Arguments:
    ids = user.pick(6, states=(*LIVE, "archived"))
    return Command(  # refused (2) where a memory that was made from one of them is frozen
        "forget", ("forget", *ids, "--yes", "--json"), codes=(0, 2), again=(0, 2)
    )


def _import(user: User) -> Arguments:
    source = user.chance.choice([*sorted((user.area / "out").iterdir()), None])
    if source is None:
        source = user.files / "conversations.json"
        source.write_text(user.chats())
    elif source.suffix == ".md":
        raise NothingFits
    options = [each for each in ("--no-embed", "--quarantine", "--reread") if user.chance.random() < 0.4]
    arguments = ("import", str(source), "--trust", "--json", *options)
    return Command("import", arguments, codes=(0, 3))  # 3: memories that were edited since stay as they are


def _export(user: User) -> Arguments:
    suffix = user.chance.choice(("mip", "jsonl", "md"))
    format = {"md": "markdown"}.get(suffix, suffix)
    sign = ("--sign",) if suffix == "mip" and user.chance.random() < 0.4 else ()
    return ("export", "-o", user.area / "out" / f"all.{suffix}", "--format", format, *sign)


def _link(user: User) -> Arguments:
    first, *others = user.pick(3, least=2)
    return ("link", first, user.chance.choice(("about", "follows")), *others)


def _restore(user: User) -> Arguments:
    ids = user.pick(5, states=("archived", "expired"))
    return Command("restore", ("restore", *ids), again=(0, 2))  # one without approval is in quarantine


def _slice(user: User) -> Arguments:
    (id,) = user.pick(1, where=_IS_LONG)
    return Command("slice", ("slice", id, "--size", "150", "--json"), again=(0, 1, 2))


def _rollback(user: User) -> Arguments:
    (id,) = user.pick(1, where="version > 1")
    return ("rollback", id, "--to", "1", "--json")


def _unmerge(user: User) -> Arguments:
    merged = user.must("merge", *user.pick(3, least=2), "--json").values[0]
    return Command("merge --undo", ("merge", "--undo", merged["id"]), again=(0, 1, 2))


def _publish(user: User) -> Arguments:
    user.must("--vault", user.publisher, "ingest", "-", "--lines", "--tag", "p", stdin=user.lines(3))
    return ("--vault", user.publisher, "publish", "p", "--yes", "--json")


def _publish_own(user: User) -> Arguments:
    user.must("ingest", "-", "--lines", "--tag", "own", stdin=user.lines(2))
    return ("publish", "own", "--tag", "own", "--to", user.area / "own", "--yes")


def _withdraw(user: User) -> Arguments:
    if not (user.area / "own" / "own" / "index.jsonl").exists():
        raise NothingFits
    return ("publish", "own", "--withdraw", "--yes")


def _following(user: User, wanted: bool) -> None:
    follows = "p" in user.must("subscribe", "--json").out.split('"')
    if follows and not wanted:
        user.must("unsubscribe", "p")
    if wanted and not follows:
        user.must("subscribe", user.public / "p", "--trust")


def _subscribe(user: User) -> Arguments:
    _following(user, False)
    options = ("--quarantine",) if user.chance.random() < 0.3 else ()
    arguments = ("subscribe", str(user.public / "p"), "--trust", *options)
    return Command("subscribe", arguments, again=(0, 2))


def _update(user: User) -> Arguments:
    _following(user, True)
    for _ in range(user.chance.randint(1, 2)):
        _publish(user)
        user.must("--vault", user.publisher, "publish", "p", "--yes")
    return ("update", "--json")


def _unsubscribe(user: User) -> Arguments:
    _following(user, True)
    keep = ("--keep",) if user.chance.random() < 0.3 else ()
    return Command("unsubscribe", ("unsubscribe", "p", *keep), again=(0, 2))


def _init(user: User) -> Arguments:
    shutil.rmtree(user.area / "new", ignore_errors=True)
    return ("--vault", user.area / "new", "init", "--json")


def _init_encrypted(user: User) -> Arguments:
    shutil.rmtree(user.area / "sealed", ignore_errors=True)
    shutil.rmtree(user.area / "home" / "keys")
    key = user.area / "home" / "keys" / "new.key"
    return ("--vault", user.area / "sealed", "init", "--encrypt", "--key-file", key)


def _made(command: Arguments) -> tuple[object, ...]:
    return command.arguments if isinstance(command, Command) else command


def _token(user: User) -> Arguments:
    arguments = ("token", "create", f"agent:{user.chance.randint(1, 9)}", "--role", "reader", "--json")
    return Command("token create", arguments, repeats=("tokens",))


def _token_revoke(user: User) -> Arguments:
    made = user.must("token", "create", "agent:x", "--json").values[0]
    return Command("token revoke", ("token", "revoke", str(made["n"])), again=(0, 2))


def _key_new(user: User) -> Arguments:
    home = user.area / "another"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    return Command("key new", ("key", "new", "--json"), env={"HOME": str(home)})


def _conflicts(user: User) -> Arguments:
    first, second = user.pick(2, least=2)
    user.must("link", first, "contradicts", second)
    resolved = ("conflicts", "--resolve", user.chance.choice(("keep-newest", "keep-both", first)))
    return Command("conflicts", resolved, again=(0, 2))


def _leave_files(user: User) -> None:
    """Files as killed processes left them."""
    left = user.vault / "blobs" / "ab" / f"ab{'0' * 62}"
    left.parent.mkdir(mode=0o700, exist_ok=True)
    left.write_text("left")
    left.chmod(0o600)
    unfinished = user.vault / "tmp" / ".x.4194304.00000000.part"
    unfinished.write_text("left")
    unfinished.chmod(0o600)


def _repair(user: User) -> Arguments:
    _leave_files(user)
    if not user.is_encrypted and user.chance.random() < 0.5:
        with closing(sqlite3.connect(user.vault / "memos.db")) as db:
            db.execute("INSERT INTO words (words) VALUES ('delete-all')")
            db.commit()
    return ("check", "--repair")


def _promote(user: User) -> Arguments:
    if not (user.campaign.folder / "tiny.gguf").exists():
        raise NothingFits
    return Command("promote", ("promote", *user.pick(4), "--to", "activation", "--json"), codes=(0, 1, 2))


def _demote(user: User) -> Arguments:
    promoted = user.run(*_made(_promote(user)))
    if promoted.code:
        raise NothingFits
    return Command("demote", ("demote", *promoted.arguments[3:-3]), again=(0, 1, 2))


def _review(user: User) -> Arguments:
    ids = user.pick(3, states=("quarantined",))
    decision = user.chance.choice(("--approve", "--reject"))
    return Command("review", ("review", *ids, decision), again=(0, 2))


def _maintain(user: User) -> Arguments:
    """With something to expire, to embed, to sweep."""
    user.must("expire", *user.pick(2), "--at", "2026-01-01")
    user.must("ingest", "-", "--lines", "--no-embed", stdin=user.lines(5))
    _leave_files(user)
    return ("maintain", "--json")


KINDS: dict[str, Callable[[User], Arguments]] = {
    "ingest": _ingest,
    "ingest lines": _ingest_lines,
    "embed": _embed,
    "edit": lambda user: ("edit", *user.pick(1), "--text", user.sentence()),
    "tag": lambda user: ("tag", *user.pick(9), "--add", user.sentence().split()[0], "--remove", "line"),
    "forget": _forget,
    "import": _import,
    "export": _export,
    "archive": lambda user: ("archive", *user.pick(5)),
    "restore": _restore,
    "expire": lambda user: ("expire", *user.pick(3), "--at", user.chance.choice(("2036-01-01", "never"))),
    "freeze": lambda user: ("freeze", *user.pick(1)),
    "link": _link,
    "merge": lambda user: Command("merge", ("merge", *user.pick(3, least=2), "--json"), again=(0, 1, 2)),
    "merge --undo": _unmerge,
    "slice": _slice,
    "rollback": _rollback,
    "mark": lambda user: ("mark", user.chance.choice(("personal", "secret")), *user.pick(3)),
    "publish": _publish,
    "publish own": _publish_own,
    "publish --withdraw": _withdraw,
    "subscribe": _subscribe,
    "update": _update,
    "unsubscribe": _unsubscribe,
    "grant": lambda user: ("grant", user.chance.choice(("vault", "tag:line", *user.pick(1))), "agent:bo"),
    "revoke": lambda user: ("revoke", "vault", "agent:bo"),
    "group": lambda user: ("group", "add", "group:team", f"agent:{user.chance.randint(1, 99)}"),
    "token create": _token,
    "token revoke": _token_revoke,
    "view": lambda user: ("view", "set", user.sentence().split()[0].lower(), "--tag", "line"),
    "key new": _key_new,
    "key trust": lambda user: ("key", "trust", "ed25519:" + "A" * 42 + user.chance.choice("AEIM")),
    "init": _init,
    "init --encrypt": _init_encrypted,
    "init again": lambda user: ("init",),
    "maintain": _maintain,
    "conflicts": _conflicts,
    "check --repair": _repair,
    "promote": _promote,
    "demote": _demote,
    "review": _review,
    "pin": lambda user: ("pin", *user.pick(3)),
}
"""Every kind of command that writes."""
