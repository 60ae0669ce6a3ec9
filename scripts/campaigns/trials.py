"""One trial of a command: what it should leave, a disturbed run, and the same command again."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from commands import User
from common import Run
from world import Command, Look, between, differences

_NAMED = re.compile(r"[0-9a-f]{64}\.mip(\.gz)?")
TIMES = 5
"""Disturbances of a command from the same start: the undisturbed run is needed once."""
FRESH = 0.05
"""The share of commands that start a Python interpreter of their own."""
Disturbed = tuple[Run, str]
"""The disturbed run, and what disturbed it."""
Disturb = Callable[[Command, Run], Disturbed]
"""Runs a command disturbed; it is given the run that was not."""


def try_command(
    user: User,
    command: Command,
    disturb: Disturb,
    watch: Callable[[], None] | None = None,
    more: Iterable[int] = (),
) -> None:
    """Try ``command`` from the user's files as they are; they end as the command leaves them.

    ``watch`` runs in the process of the undisturbed run, before it. For each of ``more`` it is disturbed once
    more, from the same start.
    """
    user.save()
    before = user.look()
    undisturbed = _run(user, command, watch)
    if undisturbed.code not in command.codes or undisturbed.broke:
        user.campaign.find(f"{command.kind}: an undisturbed run fails", run=undisturbed)
        return user.start()
    right = user.look()
    for _ in chain((0,), more):
        user.put_back()
        run, cause = disturb(command, undisturbed)
        trial = _Trial(user, command, (before, right), run, cause, undisturbed.code)
        try:
            trial.judge_between()
            is_fresh = user.chance.random() < FRESH
            trial.judge_after(_run(user, command, fresh=is_fresh))
        except sqlite3.Error as error:
            trial.find("a vault cannot be read", error=error)
        if trial.found:
            return user.start()
    return None


def _run(user: User, command: Command, arm: Callable[[], None] | None = None, **options: Any) -> Run:
    return user.run(*command.arguments, stdin=command.stdin, env=command.env, arm=arm, **options)


class _Trial:
    """What a disturbed run left, and what is wrong with it."""

    def __init__(
        self, user: User, command: Command, looks: tuple[Look, Look], run: Run, cause: str, code: int
    ) -> None:
        self.user, self.command, self.run, self.cause = user, command, run, cause
        (self.before, self.right), self.code = looks, code
        self.found = False

    def find(self, what: str, **details: object) -> None:
        self.found = True
        self.user.campaign.find(f"{self.command.kind}: {what}", cause=self.cause, run=self.run, **details)

    def judge_between(self) -> None:
        """Judge what is there before the command is run again."""
        now = self.user.look()
        self.complete = not differences(self.before, now, self.right, ("vectors",))
        for wrong in between(self.before, now, self.right):
            self.find("half done or too much", wrong=wrong)
        if self.run.broke or (self.run.code and not _is_clear(self.run)):
            self.find("broke, or says nothing clear")
        if (not self.run.signal and self.run.code == self.code) or _acknowledged(self.run):
            noted = ("vectors",) if "run `memos embed`" in self.run.err else ()
            for wrong in differences(self.before, now, self.right, noted):
                self.find("acknowledged, but not done", wrong=wrong, out=self.run.out)
        for vault in self._vaults():
            for finding in self.user.examine(vault):
                if finding.rule == "must":
                    self.find("breaks a must", finding=finding)
        for place in self.user.publications():
            self._follow(place)

    def judge_after(self, again: Run) -> None:
        """Judge what the second run has left."""
        codes = {self.code, *self.command.again} if self.complete else {self.code}
        if again.broke or again.code not in codes:
            self.find("the same command fails afterwards", again=again)
        if again.code == 0:
            for wrong in differences(self.before, self.user.look(), self.right, self.command.repeats):
                self.find("the same command gives something else afterwards", wrong=wrong, again=again)
        for place in self.user.publications():
            self._follow(place)
        for vault in self._vaults():
            for finding in self.user.clean(vault):
                self.find("left something that maintain does not clean", finding=finding)
        for place in self.user.publications():
            left = {path.name for path in place.iterdir()} ^ _names(place)
            if left and "publish" in self.command.arguments:
                self.find("a publication has other files than its index names", files=left)

    def _vaults(self) -> list[Path]:
        """The vaults that the command may have touched."""
        named = self.command.arguments
        vault = Path(named[1]) if named[0] == "--vault" else self.user.vault
        return [vault] if (vault / "VAULT.toml").exists() else []

    def _follow(self, place: Path) -> None:
        """A reader who has followed from the beginning takes in what lies there."""
        if "publish" not in self.command.arguments:
            return
        run = partial(self.user.run, "--vault", self.user.reader)
        follows = f'"{place.name}"' in run("subscribe", "--json").out
        done = run("update", place.name) if follows else run("subscribe", place, "--trust")
        if done.code or self.user.examine(self.user.reader):
            self.find("a publication cannot be followed", place=place, follow=done)


def _names(place: Path) -> set[str]:
    """The files that the index of a publication names, and the index."""
    index = (place / "index.jsonl").read_text()
    return {"index.jsonl", *(found.group() for found in _NAMED.finditer(_with_suffixes(index)))}


def _with_suffixes(index: str) -> str:
    told: dict[str, Any] = json.loads(index.splitlines()[0])
    whole = [told["bundle"], *told["adapters"]]
    names = [f"{each['sha256']}.mip" for each in whole if each]
    return " ".join([*names, *(f"{each['sha256']}.mip.gz" for each in told["deltas"])])


def _acknowledged(run: Run) -> bool:
    """Whether the command has said in JSON that it is done."""
    try:
        return not run.code and "--json" in run.arguments and bool(run.values)
    except ValueError:
        return False


def _is_clear(run: Run) -> bool:
    """Whether the command has said what failed."""
    if "check" in run.arguments and run.out:
        return True  # it lists what is wrong
    starts = ("memos: ", '{"error"', "failed", "note: ")
    return any(line.startswith(starts) for line in run.err.splitlines())
