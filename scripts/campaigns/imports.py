#!/usr/bin/env python3
"""Give every importer and reader hostile input, and look at what becomes of the vault.

    scripts/campaigns/imports.py [--seed 1] [--seconds 60] [--count N] [--keep]

Each try takes a fresh copy of a vault with memories of several owners and kinds, and gives one input to `import`,
`ingest`, `search --batch` or `query --batch`: an export of another program, a bundle, a text, a table, a mail, an
archive. The input is drawn from a grammar, is a valid one with parts replaced, or has damaged bytes. A finding is

- a traceback, an abort, a hang, more than LARGEST bytes of memory, an undocumented exit code, an error without words;
- a memory, link, right, pin or answer that was there before and is not as it was;
- something that `check` finds;
- a new memory whose place in its source does not read `same`, or that prints control characters on a terminal.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import exports
import hostile
from common import Campaign, Run, findings, main, memos
from flips import judge, limited, use_fake_embedder

from memos_cli.interface.exchange import bundle

TEXTS = ("The heron nests in May.", "The otter sleeps by day.", "The crane is grey.", "The swan is loud.")
SLOWEST, PER_MEGABYTE = 20.0, 10.0
"""Seconds that a command may take, and those that a megabyte of input adds: the machine may be busy."""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
"""What rich writes on a terminal: colours."""
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ROWS = {
    "memories": "SELECT id, payload, type, state, version, digest, ref, author, role, owner, time, created, updated, expires,"
    " priority, frozen, sensitivity, uses_left FROM cube WHERE n <= ?1 ORDER BY n",
    "versions": "SELECT * FROM version WHERE cube <= ?1 ORDER BY n",
    "tags": "SELECT * FROM tag WHERE cube <= ?1 ORDER BY cube, tag",
    "links": "SELECT * FROM link WHERE source <= ?1 OR target <= ?1 ORDER BY 1, 2, 3",
    "pins": "SELECT * FROM pin WHERE cube <= ?1 ORDER BY 1, 2",
    "rules": "SELECT owner, kind, target, principal, right, giver, expires FROM rule"
    " WHERE kind <> 'cube' OR target IN (SELECT id FROM cube WHERE n <= ?1) ORDER BY n",
    "tokens": "SELECT * FROM token WHERE ?1",
    "groups": "SELECT * FROM member WHERE ?1",
    "views": "SELECT * FROM view WHERE ?1",
    "rest": "SELECT * FROM policy WHERE name NOT LIKE 'rebuild:%' AND name NOT LIKE 'compared:%' AND name <> 'forgotten' AND ?1",
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


@dataclass(frozen=True)
class Base:
    """The vault that every try starts with."""

    folder: Path
    ids: list[str]
    last: int
    rows: dict[str, list[Any]]
    answers: dict[str, Any]


@dataclass(frozen=True)
class Input:
    """What one try gives to a command: a path, or standard input; and how the command begins."""

    kind: str
    command: tuple[str, ...]
    path: Path | None = None
    stdin: bytes = b""

    @property
    def size(self) -> int:
        if self.path is None:
            return len(self.stdin)
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(each.stat().st_size for each in files if each.is_file())


# --- the vault -----------------------------------------------------------------------------------


def build(campaign: Campaign) -> Base:
    """A vault with memories of two users: edited, linked, frozen, pinned, granted, archived, quarantined."""
    folder = campaign.folder / "base"

    def run(*given: str, who: str = "user:ann", stdin: str = "") -> Run:
        done = memos("--vault", folder, "--as", who, *given, stdin=stdin)
        if done.code or done.signal:
            raise RuntimeError(f"the vault could not be built: {done}")
        return done

    def say(*texts: str, who: str = "user:ann", options: tuple[str, ...] = ()) -> list[str]:
        kept = run("ingest", "-", "--lines", "--json", *options, who=who, stdin="\n".join(texts))
        return list(kept.values[0]["ids"])

    run("init")
    one, two, three = say(*TEXTS[:3], options=("--tag", "work"))
    (held,) = say("The page from outside.", options=("--quarantine",))
    (away,) = say("The stork is away.")
    for given in (
        ("edit", one, "--text", "The heron nests in June."), ("edit", one, "--text", TEXTS[0] + " Again."), ("link", one, "about", two),
        ("freeze", three), ("pin", one), ("grant", one, "user:bo", "read"), ("archive", away), ("view", "set", "work", "--tag", "work"),
        ("group", "add", "group:team", "user:bo"),
    ):  # fmt: skip
        run(*given)
    friend = campaign.folder / "friend.mip"
    with friend.open("wb") as stream:
        bundle.write(stream, {"cubes.jsonl": [{**exports.RECORDS[0], "places": []}]})
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


# --- inputs --------------------------------------------------------------------------------------

SEEDS: dict[str, dict[str, Any]] = {
    "chatgpt": {"conversations.json": exports.CHATS},
    "claude": {"conversations.json": exports.CLAUDE, "projects.json": exports.PROJECTS, "memories.json": exports.MEMORIES},
    "mem0": {"mem0.json": exports.MEM0},
    "letta": {"sam.af": exports.LETTA},
    "memos": {"textual_memory.json": exports.TREE, "config.json": {"model_schema": "x"}},
    "memos flat": {"textual_memory.json": exports.FLAT},
    "memos payloads": {"textual_memory.json": exports.PAYLOADS},
    "mcp": {"memory.jsonl": exports.MCP},
    "plain": {"log.jsonl": [{"id": "l1", "text": "The pump was replaced."}, {"id": "l2", "text": "It runs."}]},
}  # fmt: skip


def draw_export(campaign: Campaign, base: Base) -> Input:
    """An export of another program, as a file, a folder or an archive."""
    chance = campaign.chance
    kind = chance.choice([*SEEDS])
    files = {}
    for name, whole in SEEDS[kind].items():
        spoiled = hostile.hurt(whole, chance) if chance.random() < 0.8 else whole
        if kind == "letta" and chance.random() < 0.2:
            spoiled = json.dumps(spoiled)
        if name.endswith(".jsonl") and isinstance(spoiled, list):
            data = b"\n".join(hostile.as_json(each, chance) for each in spoiled)
        else:
            data = hostile.as_json(spoiled, chance)
        files[name] = hostile.damage(data, chance) if chance.random() < 0.3 else data
    return Input(f"export {kind}", _import(chance, kind.split()[0]), put(campaign, files, chance))


def draw_files(campaign: Campaign, base: Base) -> Input:
    """Notes, outlines, tables, pickles: files that are no JSON."""
    chance = campaign.chance
    kind = chance.choice(("notes", "plain", "memos"))
    if kind == "notes":
        files = {
            f"{n}.md": hostile.encoded(hostile.markdown(chance), chance) for n in range(chance.randint(1, 4))
        }
    elif kind == "plain":
        made = (("a.opml", hostile.outline), ("b.csv", hostile.table), ("c.tsv", hostile.table))
        files = {name: hostile.encoded(draw(chance), chance) for name, draw in chance.sample(made, 2)}
    else:
        import pickle

        told = {"text": hostile.text(chance), "memory": [hostile.text(chance)], "x": hostile.value(chance)}
        files = {"activation_memory.pickle": hostile.damage(pickle.dumps(told, chance.randint(0, 5)), chance)}
    return Input(f"files {kind}", _import(chance, kind), put(campaign, files, chance))


def draw_bundle(campaign: Campaign, base: Base) -> Input:
    """A bundle, or lines of one, that names memories that are here and others, in all ways."""
    chance = campaign.chance
    new = [record["id"] for record in exports.RECORDS]
    ids = [*base.ids, *new]
    cubes = []
    for record in chance.choices(exports.RECORDS, k=chance.randint(0, 4)):
        texts = chance.choices([*TEXTS, TEXTS[0] + " Again.", hostile.text(chance)], k=chance.randint(1, 3))
        versions = [{**record["versions"][0], "version": n, "text": each} for n, each in enumerate(texts, 1)]
        whole = {
            **record,
            "id": chance.choice(ids),
            "versions": versions,
            "tags": chance.choice((["junk"], ["work"], [])),
        }
        cubes.append(hostile.hurt(whole, chance) if chance.random() < 0.5 else whole)
    kinds = ("about", "derived_from", "merged_into", "contradicts", "part_of", "x")
    links = [
        {"source": chance.choice(ids), "kind": chance.choice(kinds), "target": chance.choice(ids)}
        for _ in range(chance.randint(0, 4))
    ]
    grants = [{"target": chance.choice(ids), "principal": chance.choice(("everyone", "agent:eve", "group:team")), "right": "admin", "expires": None}
              for _ in range(chance.randint(0, 2))]  # fmt: skip
    rebuild = [{"view": "", "document": chance.choices(ids, k=2)}]
    options = chance.choice(
        ((), ("--with-grants",), ("--quarantine",), ("--reread",), ("--secrets", "allow"))
    )
    if chance.random() < 0.3:
        lines = [
            bundle.to_line(each) if isinstance(each, dict) else hostile.as_json(each, chance)
            for each in cubes
        ]
        files = {"all.jsonl": b"".join(lines)}
        return Input("bundle lines", ("import", *options), put(campaign, files, chance, plain=True))
    parts = {"cubes.jsonl": cubes, "links.jsonl": links, "access.jsonl": grants, "rebuild.jsonl": rebuild}
    parts = {
        name: hostile.hurt(rows, chance) if chance.random() < 0.2 else rows for name, rows in parts.items()
    }
    return Input(
        "bundle", ("import", *options), put(campaign, {"all.mip": _sealed(parts, chance)}, chance, plain=True)
    )


def _sealed(parts: dict[str, Any], chance: Random) -> bytes:
    """A bundle of any parts with a manifest that fits, or nearly."""
    import hashlib

    lines = {name: b"".join(json.dumps(row).encode() + b"\n" for row in rows) if isinstance(rows, list) else hostile.as_json(rows, chance)
             for name, rows in parts.items()}  # fmt: skip
    if chance.random() < 0.1:
        lines |= {
            hostile.NAMES[chance.randrange(6)].replace("\0", "")[:90] or "x": b"x",
            "adapters.jsonl": b'{"sha256": 5}\n',
        }
    told = {
        name: {"bytes": len(data), "records": data.count(b"\n"), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in lines.items()
    }
    manifest: Any = {"format": "mip", "version": 1, "members": told}
    if chance.random() < 0.1:
        manifest = hostile.hurt(manifest, chance)
    data = hostile.tar({"manifest.json": json.dumps(manifest).encode() + b"\n", **lines}, chance)
    return hostile.damage(data, chance) if chance.random() < 0.1 else data


def draw_text(campaign: Campaign, base: Base) -> Input:
    """A file or standard input for `ingest`."""
    chance = campaign.chance
    kind = chance.choice([*hostile.TEXTS, "json", "jsonl", "ipynb", "talk"])
    if kind in hostile.TEXTS:
        data = hostile.encoded(hostile.TEXTS[kind](chance), chance)
    elif kind == "ipynb":
        data = hostile.as_json(hostile.notebook(chance), chance)
    elif kind == "json":
        data = hostile.as_json(
            chance.choice((hostile.value(chance), hostile.hurt(exports.MEM0, chance))), chance
        )
    else:
        turn = {
            "id": "t1",
            "role": "user",
            "name": "Ann",
            "time": "2026-05-01",
            "content": "The tide is high.",
        }
        data = b"\n".join(
            hostile.as_json(hostile.hurt(turn, chance), chance) for _ in range(chance.randint(1, 6))
        )
    if chance.random() < 0.2:
        data = hostile.damage(data, chance)
    options = chance.choice(
        (
            (),
            (),
            ("--lines",),
            ("--quarantine",),
            ("--secrets", "refuse"),
            ("--encoding", "gbk"),
            ("--time", "2026-01-01"),
        )
    )
    if chance.random() < 0.25:
        form = {
            "md": "markdown",
            "tsv": "csv",
            "py": "code",
            "txt": "text",
            "yaml": "code",
            "log": "text",
            "talk": "jsonl",
        }.get(kind, kind)
        as_form = (
            ("--format", form) if form in ("text", "markdown", "code", "html", "json", "jsonl", "csv") else ()
        )
        return Input(f"ingest - {kind}", ("ingest", "-", *as_form, *options), stdin=data)
    ending = "jsonl" if kind == "talk" else kind
    name = chance.choice(("input", "input", "2026-05-01 notes", "a\x1b[31mb", "ü", "\udcff")) + "." + ending
    return Input(f"ingest {kind}", ("ingest", *options), put(campaign, {name: data}, chance, plain=True))


def draw_requests(campaign: Campaign, base: Base) -> Input:
    """Lines for `search --batch` and `query --batch`."""
    chance = campaign.chance
    wish = {
        "query": "harbour",
        "k": 3,
        "tag": "work",
        "type": "fact",
        "source": "x",
        "after": "2026-05-01",
        "before": "30d",
        "view": "work",
    }
    lines = [hostile.encoded(hostile.text(chance), chance) if chance.random() < 0.3 else hostile.as_json(hostile.hurt(wish, chance), chance)
             for _ in range(chance.randint(1, 8))]  # fmt: skip
    command = chance.choice((("search",), ("query", "--quote"), ("query", "--quote", "--json")))
    return Input(f"batch {command[0]}", (*command, "--batch", "-"), stdin=b"\n".join(lines))


DRAWS: dict[Callable[[Campaign, Base], Input], int] = {
    draw_export: 4,
    draw_files: 2,
    draw_bundle: 4,
    draw_text: 6,
    draw_requests: 1,
}


def _import(chance: Random, kind: str) -> tuple[str, ...]:
    options = chance.choice(
        ((), (), (), ("--quarantine",), ("--dry-run",), ("--encoding", "latin-1"), ("--secrets", "refuse"))
    )
    return ("import", *(("--from", kind) if chance.random() < 0.5 else ()), *options)


def put(campaign: Campaign, files: dict[str, bytes], chance: Random, *, plain: bool = False) -> Path:
    """Write files: one as it is, several as a folder, or all as an archive."""
    folder = campaign.folder / "input"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if not plain and chance.random() < 0.35:
        (folder / "export.zip").write_bytes(hostile.archive(files, chance))
        return folder / "export.zip"
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if len(files) == 1 and (plain or chance.random() < 0.7):
        return folder / next(iter(files))
    if chance.random() < 0.1:
        (folder / "link.md").symlink_to("/etc/passwd")
    return folder


# --- tries ---------------------------------------------------------------------------------------


def attempt(campaign: Campaign, base: Base) -> None:
    """Give one input to a copy of the vault, and look at what is there then."""
    vault = campaign.folder / "vault"
    shutil.rmtree(vault, ignore_errors=True)
    shutil.copytree(base.folder, vault)
    given = campaign.chance.choices([*DRAWS], [*DRAWS.values()])[0](campaign, base)
    campaign.counts[f"input {given.kind}"] += 1
    command = [*given.command, *([given.path] if given.path else [])]
    limit = SLOWEST + PER_MEGABYTE * given.size / 1e6
    done = memos(
        "--vault", vault, "--as", "user:ann", *command, stdin=given.stdin, timeout=limit, first=limited
    )
    campaign.counts[f"exit {done.code}"] += 1
    if problem := judge(campaign, done):
        report(campaign, given, problem, done)
    if raw := RAW.search(done.err.replace("\r\n", "\n")):
        report(campaign, given, f"a raw {raw[0]!r} in its messages", done)
    rows, _ = rows_of(vault, base.last)
    wanted = base.rows
    if given.command[0] == "query":  # which counts as a use
        rows, wanted = (
            {**each, "memories": [row[:3] + row[4:12] + row[13:] for row in each["memories"]]}
            for each in (rows, wanted)
        )
    if changed := [name for name in rows if rows[name] != wanted[name]]:
        report(campaign, given, f"what was there before has changed: {changed}", done)
    if broken := findings(vault, first=limited):
        report(campaign, given, f"check: {broken[:3]}", done)
    if not done.hung:
        look(campaign, base, given, vault)


def look(campaign: Campaign, base: Base, given: Input, vault: Path) -> None:
    """Show what came in as on a terminal, and see that its places read as they did."""
    find = ("--vault", vault, "--as", "user:ann")
    listed = memos(*find, "list", "--state", "all", "--json", first=limited)
    if problem := judge(campaign, listed):
        report(campaign, given, f"then {problem}", listed)
        return
    known = {row[0] for row in base.rows["memories"]}
    new = [row["id"] for row in listed.values if row["id"] not in known]
    campaign.counts["memories that came"] += len(new)
    looks: list[tuple[str, ...]] = [("show", id) for id in campaign.chance.sample(new, min(2, len(new)))]
    looks += [
        ("list",),
        ("search", "harbour otter"),
        ("history", (new or base.ids)[0]),
        ("export", "--format", "markdown"),
    ]
    for each in campaign.chance.sample(looks, 2):
        shown = memos(*find, *each, first=on_terminal)
        problem = judge(campaign, shown)
        raw = RAW.search(ESCAPES.sub("", shown.out))
        if problem or raw:
            report(
                campaign,
                given,
                f"then {problem or f'a raw {raw[0]!r} on a terminal'}" if raw or problem else "",
                shown,
            )
    for id in new[:2] if given.command[0] == "ingest" and given.path else ():
        shown = memos(*find, "show", id, "--json", first=limited)
        for place in shown.values[0]["places"] if not shown.code else ():
            campaign.counts[f"place reads {place['reads']}"] += 1
            if place["reads"] not in ("same", "masked"):
                report(campaign, given, f"its place reads {place['reads']}", shown)
    if given.kind.startswith("bundle") and not campaign.chance.randrange(4):
        here = answers_of(vault, frozenset(known))
        wanted = {name: [id for id in ids if id in known] for name, ids in base.answers.items()}
        if here != wanted:
            report(campaign, given, f"answers have changed: {here} {wanted}", listed)


def report(campaign: Campaign, given: Input, what: str, done: Run) -> None:
    """Record a finding, and put the input aside for who keeps the folder."""
    aside = campaign.folder / f"finding-{len(campaign.found)}"
    aside.mkdir()
    if given.path:
        shutil.copytree(campaign.folder / "input", aside / "input", symlinks=True)
    else:
        (aside / "stdin").write_bytes(given.stdin)
    campaign.find(
        f"{given.kind}: {what}", command=done, output=done.out[:300], given=given.command, input=aside
    )


def work(campaign: Campaign) -> None:
    use_fake_embedder()
    base = build(campaign)
    for _ in campaign.tries():
        attempt(campaign, base)


if __name__ == "__main__":
    main("imports", __doc__ or "", work)
