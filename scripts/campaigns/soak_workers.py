"""The processes of ``soak.py``: each runs commands until its time is up, and checks what they say."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import Run, broken, memos, report
from soak_journal import MEMBERS, Batch, Journal, marks

LOCK_TIMEOUT = 10.0
"""The default of the setting lock.timeout, in seconds."""
LIVE_BATCHES = 12
"""Batches that a writer keeps before it forgets one."""
_LETTERS = "bcdfghjklmnprstvwz"
_WORDS = ("harbour", "ferry", "lamp", "garden", "invoice", "swan", "oven", "backup")


@dataclass
class Worker:
    """One process: its vault, its chance, its end, and what it has counted and found."""

    name: str
    number: int
    vault: Path
    folder: Path
    until: float
    most: int
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    journal: Journal = field(init=False)
    made: int = 0

    def __post_init__(self) -> None:
        self.journal = Journal(self.folder / "journal", self.name)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.until or sum(self.counts.values()) >= self.most

    def find(self, what: str, **details: object) -> None:
        self.found.append(report(f"{self.name}: {what}", details))

    def run(
        self, *arguments: object, codes: tuple[int, ...] = (0,), vault: Path | None = None, **more: Any
    ) -> Run:
        """Run a command, and judge how it ended. ``codes`` are those that are right here, beside locked."""
        done = memos("--vault", vault or self.vault, *arguments, timeout=120, **more)
        kind = str(arguments[0]) if not str(arguments[0]).startswith("-") else str(arguments[2])
        self.counts[f"{kind} exit {done.code}"] += 1
        self.longest[kind] = max(self.longest.get(kind, 0.0), done.seconds)
        if done.broke or done.signal:
            self.find("a command broke", command=done, out=done.out[-300:])
        elif _is_locked(done):
            self.counts["locked"] += 1
            if done.seconds < LOCK_TIMEOUT:
                self.find(f"locked after {done.seconds:.1f} s", command=done)
        elif done.code not in codes:
            self.find("an exit code that was not expected", command=done, out=done.out[-300:])
        return done

    def save(self) -> None:
        kept = {"counts": self.counts, "longest": self.longest, "found": self.found}
        (self.folder / "results" / self.name).write_text(json.dumps(kept))

    def text(self, key: str, member: int, version: int) -> str:
        """A text with a mark of its own."""
        mark = "q" + "".join(self.chance.choices(_LETTERS, k=8)) + f"{key}m{member}v{version}"
        one, other = self.chance.sample(_WORDS, 2)
        return f"The {one} of {mark} is near the {other}."


def _is_locked(done: Run) -> bool:
    """Whether a command gave up waiting for others. Of maintenance a step gives up: exit code 3."""
    return done.code == 11 or (done.code == 3 and "another memos is writing" in done.err)


class Writer(Worker):
    """Adds batches, changes and forgets them. Nobody else changes them."""

    def work(self) -> None:
        mine: dict[str, Batch] = {}
        while not self.is_over:
            if len(mine) < 3 or (self.chance.random() < 0.3 and len(mine) < LIVE_BATCHES):
                self.add(mine)
            else:
                key = self.chance.choice(list(mine))
                chosen = self.chance.choices(
                    (self.edit, self.tag, self.put_away, self.merge, self.link, self.forget),
                    (4, 3, 2, 2, 1, 1 if len(mine) < LIVE_BATCHES else 6),
                )[0]
                chosen(mine, key)

    def add(self, mine: dict[str, Batch], *more: object) -> str:
        self.made += 1
        key = f"w{self.number}b{self.made}"
        lines = "\n".join(self.text(key, member, 1) for member in range(MEMBERS))
        options = ["--no-embed"] if self.chance.random() < 0.5 else []
        self.journal.tell("begin", key)
        done = self.run("ingest", "-", "--lines", "--json", "--tag", key, *options, *more, stdin=lines)
        if done.code == 0:
            ids = done.values[0]["ids"]
            self.journal.tell("add", key, "", ids)
            mine[key] = Batch(ids, tags={key})
            if len(ids) != MEMBERS:
                self.find("an ingest of three gave others", ids=ids)
        return key

    def edit(self, mine: dict[str, Batch], key: str) -> None:
        batch, member = mine[key], self.chance.randrange(MEMBERS)
        if batch.state == "merged":
            return
        batch.begun[member] += 1
        version = batch.begun[member]
        text = self.text(key, member, version)
        self._change(key, "edit", [member, version], "edit", batch.ids[member], "--text", text)

    def tag(self, mine: dict[str, Batch], key: str) -> None:
        tag = f"{self.name}/{self.chance.randrange(10**6)}"
        self._change(key, "tag", tag, "tag", *mine[key].ids, "--add", tag)

    def put_away(self, mine: dict[str, Batch], key: str) -> None:
        """Archive a batch, or bring it back."""
        batch = mine[key]
        if batch.state == "merged":
            return
        new, action = ("archived", "archive") if batch.state == "live" else ("live", "restore")
        named = batch.ids if self.chance.random() < 0.5 else ["--tag", key]
        if self._change(key, "state", new, action, *named):
            batch.state = new

    def merge(self, mine: dict[str, Batch], key: str) -> None:
        """Merge two of a batch, or take them apart."""
        batch = mine[key]
        if batch.state == "live":
            done = self._change(key, "state", "merged", "merge", *batch.ids[:2], "--json")
            if done:
                batch.state = "merged"
                batch.ids = [*batch.ids[:MEMBERS], done.values[0]["id"]]
        elif batch.state == "merged" and self._change(
            key, "state", "live", "merge", "--undo", batch.ids[MEMBERS]
        ):
            batch.state, batch.ids = "live", batch.ids[:MEMBERS]

    def link(self, mine: dict[str, Batch], key: str) -> None:
        other = self.chance.choice(list(mine))
        if other != key:
            self._change(key, "link", None, "link", mine[key].ids[0], "about", mine[other].ids[1])

    def forget(self, mine: dict[str, Batch], key: str) -> None:
        # A filter selects live memories only.
        is_live = mine[key].state == "live"
        named = ["--tag", key] if is_live and self.chance.random() < 0.5 else mine[key].ids[:MEMBERS]
        done = self._change(key, "forget", None, "forget", *named, "--yes", "--json")
        if done:
            if not {*mine[key].ids[:MEMBERS]} <= {*done.values[0]["ids"]}:
                self.find("not all of a batch was forgotten", batch=key, ids=mine[key].ids, out=done.out)
            del mine[key]
            self.counts["forgotten, settled" if done.values[0]["settled"] else "forgotten, bytes remain"] += 1

    def _change(self, key: str, what: str, data: Any, *arguments: object) -> Run | None:
        """Run a command on a batch. Returns it if it was acknowledged."""
        self.journal.tell("begin", key, what, data)
        done = self.run(*arguments)
        self.journal.tell("end" if done.code == 0 and not done.broke else "fail", key, what, data)
        return done if done.code == 0 else None


class Reader(Worker):
    """Looks, in all ways, and compares with the journal."""

    def work(self) -> None:
        ways: list[tuple[int, Callable[[], None]]] = [
            (5, self.list), (3, self.search), (3, self.show), (3, self.stats), (2, self.export),
            (1, self.check), (2, self.verify), (3, self.query), (2, self.other),
        ]  # fmt: skip
        while not self.is_over:
            self.chance.choices([way for _, way in ways], [weight for weight, _ in ways])[0]()

    def look(
        self, *arguments: object, codes: tuple[int, ...] = (0,), **more: Any
    ) -> tuple[Run, dict[str, Batch]]:
        """Run a command that reads. Nothing in its output may be of what was forgotten before it began."""
        before = self.journal.standing()
        heard = len(self.journal.order)
        done = self.run(*arguments, codes=codes, **more)
        gone = set(self.journal.order[:heard])
        if seen := {key for key, _, _ in marks(done.out + done.err)} & gone:
            self.find("a forgotten memory is shown", batches=seen, command=done)
        return done, before

    def list(self) -> None:
        done, before = self.look("list", "--json", "--state", "all")
        if done.code:
            return
        seen: dict[str, dict[int, tuple[int, Any]]] = {}
        for row in done.values:
            found = marks(row["text"])
            if len(found) == 1:
                key, member, version = found[0]
                seen.setdefault(key, {})[member] = (version, row)
        after = self.journal.refresh()
        for key, members in seen.items():
            rows = [row for _, row in members.values()]
            if len(members) != MEMBERS:
                self.find("a part of a batch is seen", batch=key, members=sorted(members))
            if len({tuple(row["tags"]) for row in rows}) > 1:
                self.find("a part of a batch has a tag", batch=key, tags=[row["tags"] for row in rows])
            if len({row["state"] == "archived" for row in rows}) > 1:
                self.find("a part of a batch is archived", batch=key, states=[row["state"] for row in rows])
            if sum(row["state"] == "merged" for row in rows) not in (0, 2):
                self.find("a part of a merge is seen", batch=key, states=[row["state"] for row in rows])
        for key, batch in before.items():
            if not batch.ids or after[key].forgetting:
                continue
            if key not in seen:
                self.find("an acknowledged batch is missing", batch=key, command=done)
                continue
            for member, (version, row) in seen[key].items():
                if not batch.acked[member] <= version <= after[key].begun[member]:
                    self.find("not the acknowledged version", batch=key, version=version, acked=batch.acked)
                if not batch.tags <= set(row["tags"]):
                    self.find("an acknowledged tag is missing", batch=key, tags=row["tags"], acked=batch.tags)

    def search(self) -> None:
        before = self.journal.standing()
        key = self.chance.choice(list(before) or ["w0b0"])
        filters = ["--tag", key] if self.chance.random() < 0.7 else []
        done, before = self.look("search", self.chance.choice(_WORDS), "--json", "-k", 50, *filters)
        then, now = before.get(key), self.journal.refresh().get(key)
        if done.code or not filters or then is None or now is None:
            return
        if then.busy or now.changes != then.changes:
            return
        found = {row["id"] for row in done.values}
        if then.state == "archived" and found:
            self.find("an archived batch is found", batch=key, command=done)

    def show(self) -> None:
        before = {key: batch for key, batch in self.journal.standing().items() if batch.ids}
        if not before:
            return
        key = self.chance.choice(list(before))
        member = self.chance.randrange(MEMBERS)
        command = self.chance.choice(("show", "history", "diff", "access"))
        done, before = self.look(command, before[key].ids[member], "--json", codes=(0, 2))
        now = self.journal.refresh()[key]
        if done.code == 2 and not now.forgetting:
            self.find("an acknowledged memory is not there", batch=key, command=done)
        if done.code == 0 and command == "history":
            past = done.values[0]
            numbers = [each["version"] for each in past["versions"]]
            told = {row["version"] for row in past["audit"] if row["action"] in ("add", "edit")}
            if numbers != list(range(len(numbers), 0, -1)) or told != set(numbers):
                self.find("a history is not whole", batch=key, command=done, out=done.out)
        if done.code == 0 and command == "show" and key in before:
            version = max(
                (v for k, m, v in marks(done.values[0]["text"]) if (k, m) == (key, member)), default=0
            )
            if not before[key].acked[member] <= version <= now.begun[member]:
                self.find("not the acknowledged version", batch=key, out=done.out)

    def stats(self) -> None:
        done, _ = self.look("stats", "--json")
        if done.code:
            return
        numbers = done.values[0]
        live = sum(numbers["cubes"].get(state, 0) for state in ("generated", "activated"))
        if live != sum(numbers["types"].values()) or live != numbers["embedded"] + numbers["without_vector"]:
            self.find(
                "numbers of different moments", cubes=numbers["cubes"], types=numbers["types"], out=done.out
            )

    def export(self) -> None:
        file = self.folder / f"{self.name}.export"
        kind = self.chance.choice(("jsonl", "mip", "markdown"))
        self.journal.refresh()
        gone_before = set(self.journal.order)
        done, _ = self.look("export", "--format", kind, *(["-o", file] if self.chance.random() < 0.5 else []))
        self.journal.refresh()
        gone = set(self.journal.order)
        text = done.out or (file.read_text("utf-8", "replace") if file.exists() else "")
        file.unlink(missing_ok=True)
        if seen_gone := {key for key, _, _ in marks(text)} & gone_before:
            self.find("a forgotten memory is exported", batches=seen_gone, command=done)
        if kind == "jsonl" and done.code == 0:
            seen = Counter(key for line in text.splitlines() for key in {k for k, _, _ in marks(line)})
            # Of a merge come the product and the third.
            if halves := {
                key: count for key, count in seen.items() if count not in (2, 3, 4) and key not in gone
            }:
                self.find("a part of a batch is exported", batches=halves)

    def check(self) -> None:
        if problems := broken(self.vault):
            self.find("check finds a broken vault", problems=problems)
        self.counts["check"] += 1

    def verify(self) -> None:
        self.run("audit", "verify")

    def query(self) -> None:
        question = f"What is near the {self.chance.choice(_WORDS)}?"
        how = self.chance.choice((["--explain"], ["--quote", "--json"], ["--explain", "--json"]))
        self.look("query", question, *how)

    def other(self) -> None:
        ways = (
            ["conflicts"], ["audit", "--since", "1min"], ["view", "list"], ["list", "-n", 5], ["review"],
            ["list", "--as-of", "1min"], ["search", "harbour", "--as-of", "1min"], ["grant"],
            ["task", "list"], ["forget", "--dry-run", "--tag", "nothing"], ["maintain", "--dry-run"],
        )  # fmt: skip
        self.look(*self.chance.choice(ways))


class Keeper(Worker):
    """Maintains the vault, over and over."""

    def work(self) -> None:
        while not self.is_over:
            steps = ((), ("--only", "embed"), ("--only", "optimize"), ("--skip", "rivals"))
            self.run("maintain", *self.chance.choice(steps))
            if self.chance.random() < 0.2:
                self.run("check", "--repair")
