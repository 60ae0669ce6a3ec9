#!/usr/bin/env python3
"""Give every importer and reader hostile input, and look at what becomes of the vault.

    scripts/campaigns/imports.py [--seed 1] [--seconds 60] [--count N] [--keep]

Each try takes a fresh copy of a vault with memories of several owners and kinds, and gives one input to
`import`, `ingest`, `search --batch` or `query --batch`: an export of another program, a bundle, a text, a
table, a mail, an archive. The input is drawn from a grammar, is a valid one with parts replaced, or has
damaged bytes. A finding is

- a traceback, an abort, a hang, more than LARGEST bytes of memory, an undocumented exit code, an error
  without words;
- a memory, link, right, pin or answer that was there before and is not as it was;
- something that `check` finds;
- a new memory whose place in its source does not read `same`, or that prints control characters on a
  terminal.
"""

from __future__ import annotations

import io
import re
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import Campaign, Run, copy_folder, embed_by_words, main, memos, succeeded
from exports import RECORDS
from import_inputs import DRAWS, TEXTS, Base, Input
from judging import judge, limited, memos_in_turn

from memos_cli.infrastructure.vault.check import examine
from memos_cli.interface.share import bundle

SLOWEST, PER_MEGABYTE = 20.0, 10.0
"""Seconds of processor that a command may take, and those that a megabyte of input adds."""
TOGETHER = 8
"""Inputs that share a process; a vault each."""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
"""What rich writes on a terminal: colours."""
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ROWS = {
    "memories": "SELECT id, payload, type, state, version, digest, ref, author, role, owner, time, created,"
    " updated, expires, priority, frozen, sensitivity, uses_left FROM cube WHERE n <= ?1 ORDER BY n",
    "versions": "SELECT * FROM version WHERE cube <= ?1 ORDER BY n",
    "tags": "SELECT * FROM tag WHERE cube <= ?1 ORDER BY cube, tag",
    "links": "SELECT * FROM link WHERE source <= ?1 OR target <= ?1 ORDER BY 1, 2, 3",
    "pins": "SELECT * FROM pin WHERE cube <= ?1 ORDER BY 1, 2",
    "rules": "SELECT owner, kind, target, principal, right, giver, expires FROM rule"
    " WHERE kind <> 'cube' OR target IN (SELECT id FROM cube WHERE n <= ?1) ORDER BY n",
    "tokens": "SELECT * FROM token WHERE ?1",
    "groups": "SELECT * FROM member WHERE ?1",
    "views": "SELECT * FROM view WHERE ?1",
    "rest": "SELECT * FROM policy WHERE name NOT LIKE 'rebuild:%' AND name NOT LIKE 'compared:%'"
    " AND name <> 'forgotten' AND ?1",
}
"""All that an import may not change, of the memories up to a number."""


class Terminal(io.TextIOWrapper):
    """Standard output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal() -> None:
    """Let a fork write as on a terminal."""
    limited()
    sys.stdout, sys.stderr = (Terminal(io.FileIO(n, "w", closefd=False), encoding="utf-8") for n in (1, 2))


# --- the vault -----------------------------------------------------------------------------------


def build(campaign: Campaign) -> Base:
    """A vault with memories of two users: edited, linked, frozen, pinned, granted, archived, quarantined."""
    folder = campaign.folder / "base"

    def run(*given: str, who: str = "user:ann", stdin: str = "") -> Run:
        return succeeded(memos("--vault", folder, "--as", who, *given, stdin=stdin))

    def say(*texts: str, who: str = "user:ann", options: tuple[str, ...] = ()) -> list[str]:
        kept = run("ingest", "-", "--lines", "--json", *options, who=who, stdin="\n".join(texts))
        return list(kept.values[0]["ids"])

    run("init")
    one, two, three = say(*TEXTS[:3], options=("--tag", "work"))
    (held,) = say("The page from outside.", options=("--quarantine",))
    (away,) = say("The stork is away.")
    for given in (
        ("edit", one, "--text", "The heron nests in June."),
        ("edit", one, "--text", TEXTS[0] + " Again."),
        ("link", one, "about", two),
        ("freeze", three),
        ("pin", one),
        ("grant", one, "user:bo", "read"),
        ("archive", away),
        ("view", "set", "work", "--tag", "work"),
        ("group", "add", "group:team", "user:bo"),
    ):
        run(*given)
    friend = campaign.folder / "friend.mip"
    with friend.open("wb") as stream:
        bundle.write(stream, {"cubes.jsonl": [{**RECORDS[0], "places": []}]})
    run("import", str(friend))
    (hidden,) = say("Bo keeps this to himself.", who="user:bo")
    rows, last = rows_of(folder, None)
    return Base(folder, [one, two, three, held, away, hidden], last, rows, answers_of(folder))


def rows_of(folder: Path, last: int | None) -> tuple[dict[str, list[Any]], int]:
    """What must stay as it is, of the memories up to the number ``last``; of all for None."""
    with closing(sqlite3.connect(f"file:{folder / 'memos.db'}?mode=ro", uri=True)) as db:
        if last is None:
            (last,) = db.execute("SELECT max(n) FROM cube").fetchone()
        return {name: db.execute(query, (last,)).fetchall() for name, query in ROWS.items()}, last


def answers_of(folder: Path, known: frozenset[str] | None = None) -> dict[str, Any]:
    """Which memories searches find, and which junk would be forgotten; only those that are ``known``."""

    def ids(done: Run) -> list[str]:
        return sorted(row["id"] for row in done.values if known is None or row["id"] in known)

    find = ("--vault", folder, "--as", "user:ann")
    found = {text: ids(memos(*find, "search", text, "-k", "500", "--json")) for text in TEXTS[:2]}
    return {
        **found,
        "bo": ids(memos("--vault", folder, "--as", "user:bo", "list", "--state", "all", "--json")),
    }


# --- tries ---------------------------------------------------------------------------------------


def attempt(campaign: Campaign, base: Base, count: int) -> None:
    """Give some inputs to a copy of the vault each, and look at what is there then."""
    trials = []
    for number in range(count):
        vault = copy_folder(base.folder, campaign.folder / f"vault-{number}")
        draw = campaign.chance.choices([*DRAWS], [*DRAWS.values()])[0]
        trials.append(replace(draw(campaign, base), vault=vault))
    limit = sum(SLOWEST + PER_MEGABYTE * each.size / 1e6 for each in trials)
    stdin = [each.stdin for each in trials]
    runs = memos_in_turn([each.line for each in trials], stdin=stdin, timeout=limit)
    whole: list[Input] = []
    looks: list[tuple[object, ...]] = []
    for given, done in zip(trials, runs, strict=False):
        campaign.counts[f"input {given.kind}"] += 1
        campaign.counts[f"exit {done.code}"] += 1
        if problem := judge(campaign, done):
            report(campaign, given, problem, done)
        if done.processor > SLOWEST + PER_MEGABYTE * given.size / 1e6:
            report(campaign, given, f"took {done.processor:.0f} s", done)
        if raw := RAW.search(done.err.replace("\r\n", "\n")):
            report(campaign, given, f"a raw {raw[0]!r} in its messages", done)
        whole.append(given)
        looks.append(compare(campaign, base, given, done))
    for given, shown in zip(whole, memos_in_turn(looks, first=on_terminal, timeout=limit), strict=False):
        look(campaign, given, shown)
    for given in trials:
        if given.path:
            folder = given.path
            while folder.parent != campaign.folder:
                folder = folder.parent
            shutil.rmtree(folder)


def compare(campaign: Campaign, base: Base, given: Input, done: Run) -> tuple[object, ...]:
    """Compare a vault with what was there before. Returns a command that shows something of what is new."""
    vault, chance = given.vault, campaign.chance
    rows, _ = rows_of(vault, base.last)
    wanted = base.rows
    if given.command[0] == "query":  # which counts as a use
        rows, wanted = (
            {**each, "memories": [row[:3] + row[4:12] + row[13:] for row in each["memories"]]}
            for each in (rows, wanted)
        )
    if changed := [name for name in rows if rows[name] != wanted[name]]:
        report(campaign, given, f"what was there before has changed: {changed}", done)
    if broken := examine(vault, timeout=5.0):  # in this process, which is quicker: a plain vault
        report(campaign, given, f"check: {broken[:3]}", done)
    with closing(sqlite3.connect(f"file:{vault / 'memos.db'}?mode=ro", uri=True)) as db:
        new = [id for (id,) in db.execute("SELECT id FROM cube WHERE n > ? ORDER BY n", (base.last,))]
    campaign.counts["memories that came"] += len(new)
    if given.kind.startswith("bundle") and not chance.randrange(8):
        known = frozenset(row[0] for row in base.rows["memories"])
        here = answers_of(vault, known)
        right = {name: [id for id in ids if id in known] for name, ids in base.answers.items()}
        if here != right:
            report(campaign, given, f"answers have changed: {here} {right}", done)
    chance.shuffle(new)
    ways: list[tuple[str, ...]] = [("list", "--state", "all"), ("search", "harbour otter"), ("stats",)]
    ways += [("history", (new or base.ids)[0]), ("export", "--format", "markdown"), ("list", "--json")]
    ways += [("show", id) for id in new[:1] * 3]
    if new and given.command[0] == "ingest" and given.path and chance.random() < 0.5:
        ways = [("show", new[0], "--json")]
    return ("--vault", vault, "--as", "user:ann", *chance.choice(ways))


def look(campaign: Campaign, given: Input, shown: Run) -> None:
    """What a command shows on a terminal has no control characters, and a place reads as it did."""
    if problem := judge(campaign, shown):
        report(campaign, given, f"then {problem}", shown)
    if raw := RAW.search(ESCAPES.sub("", shown.out)):
        report(campaign, given, f"a raw {raw[0]!r} on a terminal", shown)
    if "show" in shown.arguments and "--json" in shown.arguments and not shown.code:
        for place in shown.values[0]["places"]:
            campaign.counts[f"place reads {place['reads']}"] += 1
            if place["reads"] not in ("same", "masked"):
                report(campaign, given, f"its place reads {place['reads']}", shown)


def report(campaign: Campaign, given: Input, what: str, done: Run) -> None:
    """Record a finding, and put the input aside for who keeps the folder."""
    aside = campaign.folder / f"finding-{len(campaign.found)}"
    aside.mkdir()
    if given.path:
        whole = given.path if given.path.is_dir() else given.path.parent
        shutil.copytree(whole, aside / "input", symlinks=True)
    else:
        (aside / "stdin").write_bytes(given.stdin)
    campaign.find(
        f"{given.kind}: {what}", command=done, output=done.out[:300], given=given.command, input=aside
    )


def work(campaign: Campaign) -> None:
    embed_by_words()
    base = build(campaign)
    for number in campaign.tries():
        if number % TOGETHER == 0:
            attempt(campaign, base, min(TOGETHER, campaign.count - number))


if __name__ == "__main__":
    main("imports", __doc__ or "", work)
