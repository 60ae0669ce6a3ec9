"""The processes of ``soak.py`` between vaults and between principals: publish, follow, import, grant."""

from __future__ import annotations

import json
import time

from soak_journal import Batch, marks, traces
from soak_workers import LIVE_BATCHES, Reader, Writer


class Publisher(Writer):
    """Publishes some batches, forgets some, and publishes again: what is withdrawn is gone for followers."""

    def work(self) -> None:
        mine: dict[str, Batch] = {}
        withdrawn: set[str] = set()
        while not self.is_over:
            for _ in range(self.chance.randint(1, 2)):
                self.add(mine, "--tag", "news")
            if len(mine) > 3:
                self.forget(mine, self.chance.choice(list(mine)))
            self.journal.refresh()
            gone = {*self.journal.order} & {f"w{self.number}b{n}" for n in range(self.made + 1)}
            done = self.run("publish", "news", "--tag", "news", "--to", self.folder / "public", "--yes")
            if done.code == 0:
                for key in gone - withdrawn:
                    self.journal.tell("withdrawn", key)
                withdrawn |= gone
                if left := traces(self.folder / "public" / "news", withdrawn):
                    self.find("a forgotten memory is still published", left=left)


class Follower(Reader):
    """Follows the publication in a vault of its own, and publishes something that the first vault follows."""

    def work(self) -> None:
        other, public = self.folder / "second", self.folder / "public"
        while not self.is_over and not (public / "news" / "index.jsonl").exists():
            time.sleep(0.1)
        if self.is_over:
            return
        self.run("subscribe", public / "news", "--trust", vault=other)
        number = 0
        while not self.is_over:
            gone = {key for key, batch in self.journal.refresh().items() if batch.withdrawn}
            if self.run("update", vault=other).code == 0 and (left := traces(other, gone)):
                self.find("what was withdrawn is still there", left=left)
            if self.chance.random() < 0.5:
                number += 1
                note = f"Note {number} of the second vault."
                self.run("ingest", "-", "--tag", "back", stdin=note, vault=other)
                self.run("publish", "back", "--tag", "back", "--to", public, "--yes", vault=other)
                self.run(*(["subscribe", public / "back", "--trust"] if number == 1 else ["update"]))
            self.run("list", "--json", vault=other)


class Importer(Writer):
    """Imports exports, and bundles with what was forgotten meanwhile, which stays forgotten."""

    def work(self) -> None:
        mine: dict[str, Batch] = {}
        while not self.is_over:
            key = self.add(mine)
            if key not in mine:
                continue
            bundle = self.folder / f"{self.name}-{self.chance.choice(('a', 'b'))}.mip"
            if self.run("export", "--tag", key, "-o", bundle).code:
                continue
            if self.chance.random() < 0.7:
                self.forget(mine, key)
            self.run("import", bundle, "--no-embed")
            listed = self.run("list", "--json", "--state", "all").out
            if key not in mine and key in {k for k, _, _ in marks(listed)}:
                self.find("an import brought back what was forgotten", batch=key)
            bundle.unlink()
            self.made += 1
            key = f"w{self.number}b{self.made}"
            lines = self.folder / f"{self.name}.jsonl"
            lines.write_text(
                "".join(json.dumps({"text": self.text(key, m, 1), "tags": [key]}) + "\n" for m in range(3))
            )
            self.journal.tell("begin", key)
            self.run("import", lines, *self.chance.choice(([], ["--no-embed"])))
            self.journal.tell("add", key, "", [])
            lines.unlink()
            self._change(key, "forget", None, "forget", "--tag", key, "--yes")
            if len(mine) > LIVE_BATCHES:
                self.forget(mine, self.chance.choice(list(mine)))


class Guard(Writer):
    """Grants, revokes, and makes tokens; who holds one sees what was granted, and no more."""

    def work(self) -> None:
        agent, mine, number = f"agent:g{self.number}", dict[str, Batch](), 0
        while not self.is_over:
            number += 1
            key = self.add(mine)
            if key not in mine or self.run("grant", f"tag:{key}", agent).code:
                continue
            if (made := self.run("token", "create", agent, "--role", "reader")).code:
                continue
            env = {"MEMOS_TOKEN": made.out.strip()}
            for expected in (set(mine[key].ids), set[str]()):
                seen = self.run(*self.chance.choice((["list"], ["search", "of near the"])), "--json", env=env)
                ids = set() if seen.code else {row["id"] for row in seen.values}
                if not seen.code and [*mine] == [key] and ids != expected:  # else one before may be granted
                    self.find("not what was granted", seen=ids, granted=expected)
                if expected and self.run("revoke", f"tag:{key}", agent).code:
                    break
            listed = self.run("token", "list", "--json")
            tokens = [] if listed.code else [row["n"] for row in listed.values if row["principal"] == agent]
            if tokens and not sum(self.run("token", "revoke", number).code for number in tokens):
                self.run("list", env=env, codes=(14,))
            self.forget(mine, key)
            for left in [each for each in mine if each != key]:
                self.forget(mine, left)
