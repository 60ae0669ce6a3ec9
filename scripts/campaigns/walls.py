#!/usr/bin/env python3
"""Compare what a principal is shown with and without memories that it may not read.

Each try draws a vault: owners, grants, groups, views, tasks, tokens, tags, titles, versions, links, states.
The vault is copied, and memories that one principal may not read are added to the copy only: of all its other
owners, in all states, with the same words and tags, linked to what is visible. Then that principal runs the
same commands on both, reading and writing, and each must print the same bytes, exit with the same code, and
leave the same visible memories.

Ids and times need no replacing: see ``worlds.fixed``. What differs by necessity is covered: numbers of audit
rows and the audit's head (`memos help security`), measured times, tokens, and the path of the copy. Not
tried: imports of bundles with the id of a hidden memory, which get a new id.
"""

from __future__ import annotations

import difflib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import worlds
from common import Campaign, Run, broken, contents, main, memos
from worlds import OPEN_TAGS, PEOPLE, SUBJECTS, TAGS, TYPES, VALUES, Asker, World, fixed

COMMANDS = 60
"""Compared commands on one pair of vaults."""
_COVERED = (
    (re.compile(r'"n": \d+(?=, "time")'), '"n": N'),  # the number of an audit row
    (re.compile(r"\b\d+:[0-9a-f]{64}\b"), "HEAD"),
    (re.compile(r'"(timings|seconds)": \{[^}]*\}'), '"measured"'),
    (re.compile(r"memos_[\w-]{43}"), "TOKEN"),
)
_ID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")
_AUDIT_TABLE = re.compile(r"^\d+\t", re.MULTILINE)


@dataclass
class Pair:
    """A vault, its copy with hidden memories, and who asks."""

    plain: World
    copy: World
    asker: Asker
    visible: list[str]
    """What was in the vault before the copy, visible or not."""
    hidden: list[str]
    read: set[str] = field(default_factory=set)
    """What the asker could read so far."""
    typed: set[str] = field(default_factory=set)
    """The ids that the asker has typed: an import keeps them as references."""


def work(campaign: Campaign) -> None:
    for number in campaign.tries():
        folder = campaign.folder / f"world-{number}"
        folder.mkdir()
        pair = draw(campaign, folder, campaign.seed * 100_000 + number)
        compare(campaign, pair)
        if not campaign.found:
            shutil.rmtree(folder)


def draw(campaign: Campaign, folder: Path, seed: int) -> Pair:
    """Fill a vault, copy it, and add to the copy what ``asker`` may not read."""
    chance = campaign.chance
    files = folder / "files"
    files.mkdir()
    plain = World(campaign, folder / "vault-a", files, seed)
    plain.run(worlds.MAKER, "init", "-q")
    name = chance.choice(PEOPLE)
    roles = ("reader", "writer") if name == worlds.MAKER else ("", "", "reader", "writer", "owner")
    role = chance.choice(roles)
    is_alone = chance.random() < 0.15
    owners = [name] if is_alone else [name, *chance.sample(PEOPLE, 3)]
    if is_alone and chance.random() < 0.5:
        plain.environment = {"MEMOS_EMBEDDER": "none"}  # only hidden memories get vectors
    for who in owners:
        for _ in range(chance.randint(1, 3)):
            plain.add(who, (*OPEN_TAGS, *TAGS))
    if not is_alone:
        _share(plain, name)
    for who, ids in list(plain.owned.items()):
        for _ in range(chance.randint(0, 4)):
            if ids:
                plain.change(who, ids, (*OPEN_TAGS, *TAGS))
    if not plain.environment:  # or the owners of hidden memories would compute vectors of visible ones
        for who in plain.owned:
            plain.run(who, "embed")
    asker = Asker(name, role)
    if role:
        made = plain.run(worlds.MAKER, "token", "create", name, "--role", role)
        asker = Asker(name, role, made.out.strip())
    copy = World(campaign, folder / "vault-b", files, seed, plain.step)
    shutil.copytree(plain.vault, copy.vault)
    visible = [id for ids in plain.owned.values() for id in ids]
    hide(campaign, copy, asker, plain)
    hidden = [id for ids in copy.owned.values() for id in ids]
    plain.step = copy.step = copy.step + 1000
    return Pair(plain, copy, asker, visible, hidden)


def _share(world: World, name: str) -> None:
    """Grant some of it: memories, tags, views; directly, by groups, to everyone. Keep some for tasks."""
    chance = world.chance
    world.run(worlds.MAKER, "group", "add", "group:team", *chance.sample(PEOPLE, 2))
    for who, ids in world.owned.items():
        if chance.random() < 0.4:
            world.run(who, "view", "set", f"view-{who[-3:]}", "--tag", chance.choice(OPEN_TAGS))
        for _ in range(chance.randint(0, 3)):
            targets = [*ids, f"tag:{chance.choice(OPEN_TAGS)}", f"view:view-{who[-3:]}"]
            to = chance.choice((name, name, "everyone", "group:team", "agent:zed"))
            world.run(
                who, "grant", chance.choice(targets), to, chance.choice(("read", "write", "share", "admin"))
            )
    for who in list(world.owned):
        if chance.random() < 0.3:
            world.add(who, TAGS, "--for", chance.choice(("agent:eve", "agent:zed")), "--task", "release-1")


def hide(campaign: Campaign, copy: World, asker: Asker, plain: World) -> None:
    """Add what ``asker`` may not read. Its owners change it, and link it to what is visible."""
    chance = campaign.chance
    copy.is_hidden = True
    others = [who for who in PEOPLE if who != asker.principal]
    agents = [who for who in others if who.startswith("agent:")]
    for who in chance.sample(others, chance.randint(1, len(others))):
        for _ in range(chance.randint(1, 3)):
            task = ("--for", chance.choice(agents), "--task", "release-1") if chance.random() < 0.2 else ()
            copy.add(who, TAGS, *task)
        ids = copy.owned.get(who, [])
        for _ in range(chance.randint(0, 6)):
            if ids:
                copy.change(who, ids, TAGS)
        for _ in range(chance.randint(0, 3)):
            theirs = plain.owned.get(who)
            if ids and theirs:
                kind = chance.choice(("about", "part_of", "follows", "contradicts", "similar_to"))
                copy.run(who, "link", chance.choice(ids), kind, chance.choice(theirs))
        if ids and chance.random() < 0.3:
            to = chance.choice([each for each in others if each != who])
            copy.run(who, "grant", chance.choice(ids), to, chance.choice(("read", "admin")))
        if ids and chance.random() < 0.3:
            copy.run(who, "search", "nothing of this is there", "--tag", "none")
        if ids and chance.random() < 0.2:
            copy.run(who, "forget", chance.choice(ids), "--yes")


def compare(campaign: Campaign, pair: Pair) -> None:
    """Run the same commands on both vaults. The first that differs ends it: what follows would differ too."""
    theirs = {id: held for id, held in contents(pair.copy.vault).items() if id in pair.hidden}
    pair.read = _readable(pair)
    if leaked := pair.read & {*pair.hidden}:
        return campaign.find(
            "hidden memories are listed", asker=pair.asker, vault=pair.copy.vault, ids=leaked
        )
    for arguments, stdin in commands(campaign, pair):
        if time.monotonic() - campaign.started > campaign.seconds:
            break
        pair.plain.step += 1
        runs = [_ask(world, pair, arguments, stdin) for world in (pair.plain, pair.copy)]
        campaign.counts["compared"] += 1
        campaign.counts[f"compared {arguments[0]}"] += 1
        campaign.counts[f"exit {runs[0].code}"] += 1
        if any(run.broke for run in runs):
            return campaign.find("a command broke", vault=pair.copy.vault, plain=runs[0], copy=runs[1])
        told = [_covered(run, world) for run, world in zip(runs, (pair.plain, pair.copy), strict=True)]
        if told[0] != told[1]:
            without, hidden = (text.splitlines() for text in told)
            lines = difflib.unified_diff(without, hidden, "without", "with", lineterm="", n=0)
            return campaign.find(
                "hidden memories change what is printed",
                vault=pair.copy.vault, asker=pair.asker, command=" ".join(arguments),
                difference="\n".join(lines),
            )  # fmt: skip
        pair.typed |= {*_ID.findall(" ".join((*arguments, stdin)))}
        if named := _named_hidden(pair, runs[1]):
            return campaign.find(
                "ids of hidden memories are printed", asker=pair.asker, ids=named, command=runs[1],
                out=runs[1].out,
            )  # fmt: skip
    plain, copy = contents(pair.plain.vault), contents(pair.copy.vault)
    if {id: held for id, held in copy.items() if id in pair.hidden} != theirs:
        campaign.find("hidden memories were changed", vault=pair.copy.vault, asker=pair.asker)
    known = {*plain, *copy} - {*pair.hidden}
    differing = [id for id in known if _seen(plain.get(id), pair) != _seen(copy.get(id), pair)]
    if differing:
        campaign.find("visible memories differ", vault=pair.copy.vault, ids=differing)
    for world in (pair.plain, pair.copy):
        if problems := broken(world.vault):
            campaign.find("check finds a broken vault", vault=world.vault, problems=problems)


def _named_hidden(pair: Pair, run: Run) -> set[str]:
    """The ids in an output that the asker could read neither at the beginning nor after the command.

    What its own audit says of memories that are gone is its own doing.
    """
    named = ({*_ID.findall(run.out + run.err)} - pair.typed) & {*pair.visible, *pair.hidden}
    if named - pair.read:
        pair.read |= _readable(pair)
    unread = named - pair.read
    return unread & contents(pair.copy.vault).keys() if unread else unread


def _readable(pair: Pair) -> set[str]:
    """The ids that the asker can list in the copy. The plain vault is asked, too: both audit the reads."""
    listed = [
        _ask(world, pair, ["list", "--state", "all", "--json"], "") for world in (pair.plain, pair.copy)
    ]
    return {str(row["id"]) for row in listed[1].values}


def _seen(held: tuple[object, ...] | None, pair: Pair) -> object:
    """What ``contents`` says of a memory, without its links to hidden ones."""
    if held is None:
        return None
    *rest, links = held
    assert isinstance(links, tuple)
    return (*rest, tuple(link for link in links if link[1] not in pair.hidden))


def _ask(world: World, pair: Pair, arguments: list[str], stdin: str) -> Run:
    own = [each.replace("@", str(world.vault)) for each in arguments]
    return memos(
        "--vault", world.vault, *pair.asker.options, *own, stdin=stdin, env=pair.asker.environment,
        first=fixed(world.seed, pair.plain.step),
    )  # fmt: skip


def _covered(run: Run, world: World) -> str:
    text = f"exit {run.code}\n{run.out}\n{run.err}".replace(str(world.vault), "VAULT")
    for pattern, instead in _COVERED:
        text = pattern.sub(instead, text)
    return _AUDIT_TABLE.sub("N\t", text) if "audit" in run.arguments else text


def commands(campaign: Campaign, pair: Pair) -> Iterator[tuple[list[str], str]]:
    """Draw what the asker tries: (arguments, standard input)."""
    chance = campaign.chance
    for _ in range(COMMANDS):
        draw = chance.choices((_reads, _writes, _rights), (6, 3, 1))[0]
        arguments, stdin = chance.choice(draw(campaign, pair))()
        if chance.random() < 0.45:
            arguments = [*arguments, "--json"]
        elif chance.random() < 0.1:
            arguments = [*arguments, "-q"]
        yield [str(each) for each in arguments], stdin


Way = Callable[[], tuple[list[object], str]]


def _ways(*lists: list[object]) -> list[Way]:
    return [lambda each=each: (each, "") for each in lists]  # type: ignore[misc]


def _id(campaign: Campaign, pair: Pair) -> str:
    """An id: of a visible or a hidden memory (absent in the plain vault), or of none. Or its start."""
    chance = campaign.chance
    kind = chance.random()
    if kind < 0.2 and pair.hidden:
        return chance.choice(pair.hidden)
    if kind < 0.25:
        return "01HF" + "0" * 22
    id = chance.choice(pair.visible or ["01HF"])
    return id[: chance.randint(8, 26)] if chance.random() < 0.15 else id


def _filter(campaign: Campaign) -> list[object]:
    chance = campaign.chance
    return chance.choice(
        [
            [], [], [],
            ["--tag", chance.choice((*TAGS, *OPEN_TAGS))],
            ["--type", chance.choice(TYPES)],
            ["--source", chance.choice(("list-", "note-", "stdin", "talk"))],
            ["--after", "2023-05-01"],
            ["--view", f"view-{chance.choice(PEOPLE)[-3:]}"],
        ]
    )  # fmt: skip


def _reads(campaign: Campaign, pair: Pair) -> list[Way]:
    chance = campaign.chance
    id, some = _id(campaign, pair), _filter(campaign)
    words = f"{chance.choice(SUBJECTS)} {chance.choice((*VALUES, *worlds.NOUNS))}"
    question = f"What is the {chance.choice(SUBJECTS)}?"
    action = chance.choice(("add", "link", "merge", "forget", "search", "maintain", "refused"))
    state = chance.choice(("all", "archived", "expired", "quarantined", "merged", "generated"))
    return _ways(
        ["list", *some], ["list", "--state", state, *some], ["list", "-n", chance.randint(1, 4)],
        ["list", "--as-of", "2023-11-14T22:13:40Z"], ["list", "--payload", "activation"],
        ["search", words, *some], ["search", words, *some], ["search", question, "-k", chance.randint(1, 20)],
        ["search", words, "--as-of", "2023-11-14T22:13:45Z"],
        ["query", question, "--explain", *some], ["query", question, "--quote"],
        ["query", words, "--explain"],
        ["show", id], ["show", id, "--graph", "--depth", 4], ["history", id], ["diff", id], ["access", id],
        ["stats"], ["stats"], ["conflicts"], ["conflicts", "--similar"], ["review"],
        ["export", "--format", chance.choice(("jsonl", "markdown", "mip", "memos", "mem0", "letta")), *some],
        ["export", id, "--format", "jsonl"], ["export", "--up-to", "secret", "--format", "jsonl"],
        ["audit"], ["audit", "--cube", id], ["audit", "--by", chance.choice(PEOPLE)], ["audit", "verify"],
        ["audit", "--action", action],
        ["view", "list"], ["task", "list"], ["group", "list"], ["grant"], ["token", "list"], ["check"],
        ["forget", id, "--dry-run"], ["forget", "--dry-run", *(some or ["--tag", "work"])],
        ["maintain", "--dry-run"], ["maintain", "--history"], ["subscribe"], ["publish"], ["audit", "reads"],
        ["promote", id, "--to", "activation", "--dry-run"],
    )  # fmt: skip


def _writes(campaign: Campaign, pair: Pair) -> list[Way]:
    chance = campaign.chance
    id, other, some = _id(campaign, pair), _id(campaign, pair), _filter(campaign)
    tag = chance.choice((*TAGS, *OPEN_TAGS))
    text = pair.plain.text()
    kind = chance.choice(("about", "part_of", "follows", "contradicts", "similar_to"))
    imported = f'{{"id": "{id}", "text": "{text}", "tags": ["{tag}"]}}\n'
    typed: list[Way] = [
        lambda: (["ingest", "-", "--lines", "--tag", tag], text),
        lambda: (["ingest", "-", "--lines", "--source", "list-1"], f"{text}\n{pair.plain.text()}"),
        lambda: (["ingest", "-", "--for", "agent:eve", "--task", "release-1"], text),
        lambda: (["import", "-", "--from", "plain"], imported),
    ]
    return typed + _ways(
        ["ingest", pair.plain.note()], ["ingest", pair.plain.talk()], ["embed"],
        ["edit", id, "--text", text], ["edit", id, "--title", "A title"], ["tag", id, "--add", tag],
        ["tag", id, other, "--remove", tag], ["archive", id], ["archive", *(some or ["--tag", tag])],
        ["restore", id], ["restore", *(some or ["--tag", tag])], ["expire", id, "--at", "30d"],
        ["freeze", id], ["unfreeze", id], ["mark", "personal", id], ["pin", id], ["unpin", id],
        ["slice", id, "--size", "50"],
        ["rollback", id, "--to", 1], ["link", id, kind, other], ["unlink", id, kind, other],
        ["merge", id, other], ["merge", "--undo", id], ["review", id, "--approve"],
        ["conflicts", "--resolve", "keep-newest"],
        ["conflicts", id, "--resolve", "keep-both"], ["forget", id, "--yes"], ["task", "done", "release-1"],
        ["forget", "--yes", *(some or ["--tag", tag])], ["maintain"], ["maintain", "--only", "rivals"],
        ["view", "set", "mine", "--tag", tag, "--pin", id],
        ["view", "remove", f"view-{chance.choice(PEOPLE)[-3:]}"],
        ["unsubscribe", "harbour"], ["update", "harbour"],
    )  # fmt: skip


def _rights(campaign: Campaign, pair: Pair) -> list[Way]:
    chance = campaign.chance
    id, who, of = _id(campaign, pair), chance.choice(PEOPLE), chance.choice(PEOPLE)
    tag = f"tag:{chance.choice((*TAGS, *OPEN_TAGS))}"
    right = chance.choice(("read", "write", "share", "admin"))
    return _ways(
        ["access", id, "--for", who], ["grant", id, who, right], ["grant", tag, who, right, "--of", of],
        ["revoke", id, who], ["revoke", tag, who, "--of", of],
        ["grant", f"view:view-{of[-3:]}", who, "--of", of], ["group", "add", "group:team", who],
        ["token", "create", who, "--role", "reader"],
        ["token", "revoke", 9], ["grant", "vault", who, right],
    )  # fmt: skip


if __name__ == "__main__":
    main("walls", __doc__, work)
