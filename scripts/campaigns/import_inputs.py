"""What ``imports.py`` gives to `import`, `ingest` and `--batch`: exports, bundles, texts and requests."""

from __future__ import annotations

import hashlib
import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import exports
import hostile
import hostile_texts
from common import Campaign

from memos_cli.interface.share import bundle

TEXTS = ("The heron nests in May.", "The otter sleeps by day.", "The crane is grey.", "The swan is loud.")


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
    vault: Path = Path()
    """The copy that it is given to."""

    @property
    def line(self) -> tuple[object, ...]:
        """The whole command line."""
        return ("--vault", self.vault, "--as", "user:ann", *self.command, *([self.path] if self.path else []))

    @property
    def size(self) -> int:
        if self.path is None:
            return len(self.stdin)
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(each.stat().st_size for each in files if each.is_file())


SEEDS: dict[str, dict[str, Any]] = {
    "chatgpt": {"conversations.json": exports.CHATS},
    "claude": {
        "conversations.json": exports.CLAUDE,
        "projects.json": exports.PROJECTS,
        "memories.json": exports.MEMORIES,
    },
    "mem0": {"mem0.json": exports.MEM0},
    "letta": {"sam.af": exports.LETTA},
    "memos": {"textual_memory.json": exports.TREE, "config.json": {"model_schema": "x"}},
    "memos flat": {"textual_memory.json": exports.FLAT},
    "memos payloads": {"textual_memory.json": exports.PAYLOADS},
    "mcp": {"memory.jsonl": exports.MCP},
    "plain": {
        "log.jsonl": [{"id": "l1", "text": "The pump was replaced."}, {"id": "l2", "text": "It runs."}]
    },
}
FORMATS = {
    "md": "markdown", "html": "html", "csv": "csv", "tsv": "csv", "py": "code", "yaml": "code", "txt": "text",
    "log": "text", "json": "json", "jsonl": "jsonl", "talk": "jsonl",
}  # fmt: skip
"""The option ``--format`` for kinds of texts."""
TURN = {"id": "t1", "role": "user", "name": "Ann", "time": "2026-05-01", "content": "The tide is high."}
REQUEST = {
    "query": "harbour", "k": 3, "tag": "work", "type": "fact", "source": "x", "after": "2026-05-01",
    "before": "30d", "view": "work",
}  # fmt: skip
INGEST_OPTIONS: tuple[tuple[str, ...], ...] = (
    (), (), ("--lines",), ("--quarantine",), ("--secrets", "refuse"), ("--encoding", "gbk"),
    ("--time", "2026-01-01"),
)  # fmt: skip
IMPORT_OPTIONS: tuple[tuple[str, ...], ...] = (
    (), (), (), ("--quarantine",), ("--dry-run",), ("--encoding", "latin-1"), ("--secrets", "refuse"),
)  # fmt: skip


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
        notes = [hostile_texts.markdown(chance) for _ in range(chance.randint(1, 4))]
        files = {f"{n}.md": hostile_texts.encoded(note, chance) for n, note in enumerate(notes)}
    elif kind == "plain":
        table = hostile_texts.table
        made = (("a.opml", hostile_texts.outline), ("b.csv", table), ("c.tsv", table))
        files = {name: hostile_texts.encoded(draw(chance), chance) for name, draw in chance.sample(made, 2)}
    else:
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
        tags: list[str] = chance.choice((["junk"], ["work"], []))
        whole = {**record, "id": chance.choice(ids), "versions": versions, "tags": tags}
        cubes.append(hostile.hurt(whole, chance) if chance.random() < 0.5 else whole)
    kinds = ("about", "derived_from", "merged_into", "contradicts", "part_of", "x")
    links = [
        {"source": chance.choice(ids), "kind": chance.choice(kinds), "target": chance.choice(ids)}
        for _ in range(chance.randint(0, 4))
    ]
    to = ("everyone", "agent:eve", "group:team")
    grants = [
        {"target": chance.choice(ids), "principal": chance.choice(to), "right": "admin", "expires": None}
        for _ in range(chance.randint(0, 2))
    ]
    rebuild = [{"view": "", "document": chance.choices(ids, k=2)}]
    ways = ((), ("--with-grants",), ("--quarantine",), ("--reread",), ("--secrets", "allow"))
    options = chance.choice(ways)
    if chance.random() < 0.3:
        lines = (bundle.to_line(c) if isinstance(c, dict) else hostile.as_json(c, chance) for c in cubes)
        files = {"all.jsonl": b"".join(lines)}
        return Input("bundle lines", ("import", *options), put(campaign, files, chance, plain=True))
    parts = {"cubes.jsonl": cubes, "links.jsonl": links, "access.jsonl": grants, "rebuild.jsonl": rebuild}
    parts = {
        name: hostile.hurt(rows, chance) if chance.random() < 0.2 else rows for name, rows in parts.items()
    }
    files = {"all.mip": _sealed(parts, chance)}
    return Input("bundle", ("import", *options), put(campaign, files, chance, plain=True))


def _sealed(parts: dict[str, Any], chance: Random) -> bytes:
    """A bundle of any parts with a manifest that fits, or nearly."""
    lines = {
        name: b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        if isinstance(rows, list)
        else hostile.as_json(rows, chance)
        for name, rows in parts.items()
    }
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
    kind = chance.choice([*hostile_texts.TEXTS, "json", "jsonl", "ipynb", "talk"])
    if kind in hostile_texts.TEXTS:
        data = hostile_texts.encoded(hostile_texts.TEXTS[kind](chance), chance)
    elif kind == "ipynb":
        data = hostile.as_json(hostile_texts.notebook(chance), chance)
    elif kind == "json":
        values = (hostile.value(chance), hostile.hurt(exports.MEM0, chance))
        data = hostile.as_json(chance.choice(values), chance)
    else:
        turns = [hostile.hurt(TURN, chance) for _ in range(chance.randint(1, 6))]
        data = b"\n".join(hostile.as_json(turn, chance) for turn in turns)
    if chance.random() < 0.2:
        data = hostile.damage(data, chance)
    options = chance.choice(INGEST_OPTIONS)
    if chance.random() < 0.25:
        as_form = ("--format", FORMATS[kind]) if kind in FORMATS else ()
        return Input(f"ingest - {kind}", ("ingest", "-", *as_form, *options), stdin=data)
    ending = "jsonl" if kind == "talk" else kind
    name = chance.choice(("input", "input", "2026-05-01 notes", "a\x1b[31mb", "ü", "\udcff")) + "." + ending
    return Input(f"ingest {kind}", ("ingest", *options), put(campaign, {name: data}, chance, plain=True))


def draw_requests(campaign: Campaign, base: Base) -> Input:
    """Lines for `search --batch` and `query --batch`."""
    chance = campaign.chance
    lines = [
        hostile_texts.encoded(hostile.text(chance), chance)
        if chance.random() < 0.3
        else hostile.as_json(hostile.hurt(REQUEST, chance), chance)
        for _ in range(chance.randint(1, 8))
    ]
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
    options = chance.choice(IMPORT_OPTIONS)
    return ("import", *(("--from", kind) if chance.random() < 0.5 else ()), *options)


def put(campaign: Campaign, files: dict[str, bytes], chance: Random, *, plain: bool = False) -> Path:
    """Write files: one as it is, several as a folder, or all as an archive."""
    folder = Path(tempfile.mkdtemp(prefix="input-"))
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
