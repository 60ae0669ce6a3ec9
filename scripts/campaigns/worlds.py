"""Vaults for ``walls.py``: one drawn at random, and what is added to a copy that one principal must not see.

Ids and times are drawn too: every command runs with a clock and a source of ids that depend only on the seed
and the number of the step, so that the same step makes the same memory in both vaults, to the byte.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from common import Campaign, Run, memos

MAKER = "user:ana"
PEOPLE = (MAKER, "user:bob", "user:cat", "agent:eve", "agent:zed")
OPEN_TAGS = ("shared", "shared/x", "team")
"""Tags that grants are given on; hidden memories have none of them."""
TAGS = ("work", "home", "work/x", "wörk")
SUBJECTS = ("harbour fee", "staging port", "rent", "dog", "printer", "会议 时间", "bakery", "train to Łódź")
VALUES = ("25", "30", "closed", "open until 8", "Rex", "Heron", "Berlin", "not known")
NOUNS = ("lamp", "garden", "invoice", "swan", "lake", "ferry", "oven", "backup", "disk", "letter")
TYPES = ("fact", "preference", "document", "event", "instruction")
_START = 1_700_000_000_000


@dataclass(frozen=True)
class Asker:
    """Who asks: a principal, perhaps with a token of a role."""

    principal: str
    role: str = ""
    token: str = ""

    @property
    def options(self) -> list[str]:
        return [] if self.token else ["--as", self.principal]

    @property
    def environment(self) -> dict[str, str]:
        return {"MEMOS_TOKEN": self.token} if self.token else {}


@dataclass
class World:
    """A vault that is being filled, by commands of those who own something in it."""

    campaign: Campaign
    vault: Path
    files: Path
    seed: int
    step: int = 0
    owned: dict[str, list[str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    is_hidden: bool = False
    """Whether what is added from now on is to be hidden: it must not be what somebody has already."""

    @property
    def chance(self) -> random.Random:
        return self.campaign.chance

    def run(self, who: str, *arguments: object, stdin: str = "") -> Run:
        self.step += 1
        done = memos(
            "--vault", self.vault, "--as", who, *arguments, stdin=stdin, env=self.environment,
            first=fixed(self.seed, self.step),
        )  # fmt: skip
        self.campaign.counts["prepared"] += 1
        if done.broke:
            self.campaign.find("a command broke", command=done)
        return done

    def text(self) -> str:
        """A sentence that is like others, and may contradict one."""
        pick, own = self.chance.choice, f" in {1000 + self.step}" if self.is_hidden else ""
        if self.chance.random() < 0.6:
            return f"The {pick(SUBJECTS)} is {pick(VALUES)}{own}."
        return f"The {pick(NOUNS)} near the {pick(NOUNS)} is {pick(VALUES)} for the {pick(NOUNS)}{own}."

    def add(self, who: str, tags: tuple[str, ...], *more: str) -> list[str]:
        """Let somebody store one to three memories. Returns their ids."""
        pick, draw = self.chance.choice, self.chance.random
        options = ["--json", "--lines", *more]
        for tag in self.chance.sample(tags, self.chance.randint(0, 2)):
            options += ["--tag", tag]
        options += ["--type", pick(TYPES)] if draw() < 0.6 else []
        options += ["--time", f"2023-{self.chance.randint(1, 9):02}-03"] if draw() < 0.3 else []
        options += ["--expires", "30d"] if draw() < 0.1 else []
        options += ["--no-embed"] if draw() < 0.3 else []
        options += ["--sensitivity", pick(("personal", "confidential", "secret"))] if draw() < 0.2 else []
        options += ["--quarantine"] if draw() < 0.1 else []
        number = self.step if self.is_hidden else self.chance.randint(1, 3)
        options += ["--source", f"list-{number}"] if draw() < 0.3 else []
        kind = draw()
        if kind < 0.2:
            return self.take(self.run(who, "ingest", self.talk(), *options[2:], "--json"), who)
        if kind < 0.4:
            return self.take(self.run(who, "ingest", self.note(), *options[2:], "--json"), who)
        lines = "\n".join(self.text() for _ in range(self.chance.randint(1, 3)))
        return self.take(self.run(who, "ingest", "-", *options, stdin=lines), who)

    def take(self, done: Run, who: str) -> list[str]:
        ids = [str(id) for id in done.values[0].get("ids", ())] if done.out else []
        self.owned.setdefault(who, []).extend(ids)
        return ids

    def note(self) -> Path:
        """A Markdown file, the same for whoever ingests it."""
        number = self.step if self.is_hidden else self.chance.randint(1, 4)
        path = self.files / f"note-{number}.md"
        if not path.exists():
            path.write_text("\n\n".join(f"## {self.chance.choice(NOUNS)}\n\n{self.text()}" for _ in range(2)))
        return path

    def talk(self) -> Path:
        number = self.step if self.is_hidden else self.chance.randint(1, 4)
        path = self.files / f"talk-{number}.jsonl"
        if not path.exists():
            said = {"role": "user", "name": "Ann"}
            turns = [
                {"id": f"c{at}", **said, "time": f"2023-05-0{at}", "content": self.text()}
                for at in range(1, 4)
            ]
            path.write_text("\n".join(map(json.dumps, turns)))
        return path

    def change(self, who: str, among: list[str], tags: tuple[str, ...]) -> Run:
        """Let somebody change memories of its own."""
        pick, id = self.chance.choice, self.chance.choice(among)
        two = self.chance.sample(among, min(2, len(among)))
        ways: list[list[object]] = [
            ["edit", id, "--text", self.text()],
            ["edit", id, "--title", pick(NOUNS)],
            ["tag", id, "--add", pick(tags)],
            ["archive", id],
            ["restore", id],
            ["expire", id, "--at", pick(("never", "30d", "after 2 uses", "2023-01-01"))],
            ["freeze", id],
            ["unfreeze", id],
            ["mark", pick(("open", "personal", "secret")), id],
            ["pin", id],
            ["slice", id, "--size", "50"],
            ["rollback", id, "--to", "1"],
            ["link", two[0], pick(("about", "part_of", "follows", "contradicts", "similar_to")), two[-1]],
            ["merge", *two],
            ["review", id, "--approve"],
        ]
        done = self.run(who, *pick(ways), "--json")
        if done.arguments[4] in ("merge", "slice") and done.out:
            self.owned[who] += [done.values[0]["id"], *done.values[0]["of"]]
            self.owned[who] = sorted({*self.owned[who]})
        return done


def fixed(seed: int, step: int) -> Callable[[], None]:
    """What a fork does first: its clock stands, and the ids that it makes follow from seed and step."""

    def begin() -> None:
        from memos_cli import cube

        chance = random.Random(seed * 1_000_003 + step)
        now = (_START + step * 1_000) * 1_000_000
        time.time_ns = lambda: now
        unsafe: Any = cube
        unsafe.os = SimpleNamespace(urandom=chance.randbytes)

    return begin
