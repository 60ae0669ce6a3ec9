#!/usr/bin/env python3
"""Damage every file of a vault and look at what memos then says.

    scripts/campaigns/flips.py [--seed 1] [--seconds 60] [--count N] [--keep]

Each try copies a vault (plain or encrypted, with or without a write-ahead log, or one whose ``init`` was
killed) or a model, damages one file of it (flipped bits, zeroed, overwritten, repeated or outdated blocks, a
cut, a tail), and runs commands that read, `check`, `check --repair`, and a write. A finding is

- a traceback, an abort, a hang, more than LARGEST bytes of memory, an undocumented exit code, an error
  without words;
- a wrong answer given silently: a text that was never stored, or a missing memory, while `check` finds
  nothing;
- a repair that changes a text which was right.

What no hash covers (memos_cli/guides/security.md) may be wrong silently: counted as ``unprotected``. A vault
may also be as it was before its last writes if its write-ahead log is damaged: counted as ``end of the log``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from common import Campaign, Run, copy_folder, embed_by_words, main
from flip_vaults import (
    ALL,
    Subject,
    Text,
    build,
    current,
    run,
    run_all,
    unfinished,
    with_log,
    with_passphrase,
)
from judging import judge

from memos_cli.models.gguf.gguf_header import read_header

UNPROTECTED = frozenset(
    """
    tags title hits last_hit heat score created updated expires priority frozen sensitivity
    owner author role ref time source sha256 span source_title uses_left recipe report
    lessons seconds saved model bytes
    """.split()
)
"""Fields that no hash covers for every memory (memos_cli/guides/security.md)."""
CHECK = ("check", "--json")
IGNORED = frozenset(("vault", "database", "bytes", "heat", "heats", "start", "search", "total"))
"""Fields that depend on the place and the time of a command."""
# --- damage --------------------------------------------------------------------------------------

Damage = Callable[[bytearray, Random, bytes], None]


def _flip(data: bytearray, chance: Random, older: bytes) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 16))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: Random, older: bytes) -> None:
    data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _block(data: bytearray, chance: Random) -> slice:
    """An aligned block of the size of a sector or a page, or a short run somewhere."""
    size = chance.choice((16, 512, 4096))
    at = chance.randrange(0, len(data), size if size > 16 else 1)
    return slice(at, min(at + size, len(data)))


def _zero(data: bytearray, chance: Random, older: bytes) -> None:
    block = _block(data, chance)
    data[block] = bytes(block.stop - block.start)


def _overwrite(data: bytearray, chance: Random, older: bytes) -> None:
    block = _block(data, chance)
    data[block] = chance.randbytes(block.stop - block.start)


def _duplicate(data: bytearray, chance: Random, older: bytes) -> None:
    """A write that went to the wrong place: an aligned block stands where another one should."""
    size = chance.choice((512, 4096))
    source, target = (chance.randrange(0, len(data), size) for _ in range(2))
    part = data[source : source + size][: len(data) - target]
    data[target : target + len(part)] = part


def _outdate(data: bytearray, chance: Random, older: bytes) -> None:
    """A write that was lost: an aligned block is as it was some writes ago."""
    size = chance.choice((512, 4096))
    changed = [at for at in range(0, len(data), size) if data[at : at + size] != older[at : at + size]]
    at = chance.choice(changed or [0])
    part = (older[at : at + size] + bytes(size))[: len(data[at : at + size])]
    data[at : at + size] = part


def _cut(data: bytearray, chance: Random, older: bytes) -> None:
    del data[chance.choice((0, chance.randrange(len(data)), len(data) - 1, len(data) // 4096 * 4096 // 2)) :]


def _extend(data: bytearray, chance: Random, older: bytes) -> None:
    data += chance.choice((bytes(4096), chance.randbytes(4096), b"\n", bytes(data[:4096])))


def _insert(data: bytearray, chance: Random, older: bytes) -> None:
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.randint(1, 20))


DAMAGES: dict[str, Damage] = {
    "flip": _flip, "byte": _byte, "zero": _zero, "overwrite": _overwrite, "duplicate": _duplicate,
    "outdate": _outdate, "cut": _cut, "extend": _extend, "insert": _insert,
}  # fmt: skip
WEIGHTS = (40, 12, 10, 8, 8, 8, 8, 3, 3)


def damage(campaign: Campaign, subject: Subject, vault: Path) -> tuple[str, str]:
    """Damage one file of ``vault``. Returns which, and how."""
    files = sorted(path for path in vault.rglob("*") if path.is_file() and path.stat().st_size)
    if subject.key:
        files.append(Path(subject.environment["MEMOS_KEY_FILE"]))
    weights = [
        {"memos.db": 12, "memos.db-wal": 12, "memos.db-journal": 6}.get(path.name, 2) for path in files
    ]
    path = campaign.chance.choices(files, weights)[0]
    how = campaign.chance.choices([*DAMAGES], WEIGHTS)[0]
    name = path.relative_to(vault).as_posix() if path.is_relative_to(vault) else "key"
    if name.startswith(("blobs", "index")):
        name = name.partition("/")[0]
    before = path.read_bytes()
    older = subject.older / path.relative_to(vault) if subject.older and path.is_relative_to(vault) else None
    data = bytearray(before)
    DAMAGES[how](data, campaign.chance, older.read_bytes() if older and older.exists() else b"")
    path.write_bytes(data)
    return name, how if data != before else "nothing"


# --- what is said then ---------------------------------------------------------------------------


def commands(campaign: Campaign, subject: Subject) -> list[tuple[str, ...]]:
    """Commands that read, the same for each try of a vault."""
    ids = [*subject.moments[-1]] or ["01"]
    words = subject.moments[-1].get(ids[0], "some text").split()[:3]
    some = ids[8 % len(ids)]
    asked, model = " ".join(words), str(campaign.folder / "llama.gguf")
    return [
        ALL, ("show", ids[0], "--json"), ("show", ids[-1]), ("history", ids[0], "--json"),
        ("stats", "--json"), ("search", asked, "--json"), ("search", "气候政策", "--json"),
        ("audit", "verify"), ("audit",), ("query", asked, "--explain", "--json", "--model", model),
        ("query", asked, "--quote", "--json"),
        ("export", "--format", "jsonl", "--up-to", "secret"), ("list", "--payload", "activation", "--json"),
        ("list", "--payload", "parametric", "--json"), ("conflicts", "--json"), ("pin", "--json"),
        ("list", "--view", "work", "--json"), ("maintain", "--dry-run", "--json"), ("access", some),
    ]  # fmt: skip


def texts_in(value: Any) -> Iterator[Text]:
    """Each text of a memory in what a command printed as JSON, with its id."""
    if isinstance(value, dict):
        id = value.get("id")
        if isinstance(id, str):
            if isinstance(value.get("text"), str) and value.get("payload", "plaintext") == "plaintext":
                yield id, value["text"]
            versions = value.get("versions")
            for version in versions if isinstance(versions, list) else ():
                if isinstance(version.get("text"), str):
                    yield id, version["text"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from texts_in(each)


def wrong(campaign: Campaign, subject: Subject, done: Run) -> tuple[str, str]:
    """A wrong answer of a command that ended well: what kind, and details; empty where there is none."""
    if done.code not in (0, 3) or ("--json" not in done.arguments and "jsonl" not in done.arguments):
        return "", ""
    try:
        values = done.values
    except ValueError as error:
        return "no JSON", str(error)
    for id, text in texts_in(values):
        part = text.removesuffix("…")  # a quote is a sentence of it
        if not any(known == id and part in whole for known, whole in subject.texts):
            return "text", f"{id}: {text[:200]!r}"
    given = done.arguments[4:]
    if given == ALL:
        there = current(done)
        if there != subject.moments[-1]:
            return ("older" if there in subject.moments else "memories"), f"{len(there)} memories"
    if given[0] == "maintain" or subject.name == "init":  # tells of times; no vault was whole before
        return "", ""
    fields = sorted({*differing(values, right_answer(campaign, subject, given))} - IGNORED)
    if not fields:
        return "", ""
    return ("unprotected" if set(fields) <= UNPROTECTED else "answer"), ", ".join(fields)


def differing(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """The fields in which two answers differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differing(one.get(key), other.get(key), key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for each, another in zip(one, other, strict=True):
            yield from differing(each, another, name)
    elif one != other:
        yield name or "rows"


def attempt(campaign: Campaign, subject: Subject) -> None:
    """Damage one file of a copy, and run commands on it."""
    vault = copy_folder(subject.folder, campaign.folder / "tried")
    if subject.key:
        shutil.copy(subject.key, key := campaign.folder / "tried.key")
        subject.environment["MEMOS_KEY_FILE"] = str(key)
    file, how = damage(campaign, subject, vault)
    where = f"{subject.name} {file} {how}"
    campaign.counts[f"file {subject.name} {file}"] += 1
    campaign.counts[f"damage {how}"] += 1
    kept = copy_folder(vault, campaign.folder / "damaged")
    several = [ALL, *campaign.chance.sample(commands(campaign, subject)[1:], 2)]
    # Last comes what leaves a trace that others show: an export is in the history, and a use is counted.
    several.sort(key=lambda given: ("--quote" in given, given[0] == "export"))
    *runs, examined = run_all(subject, vault, [*several, CHECK])
    said: list[tuple[str, str, Run]] = []
    before: dict[str, str] = {}
    for done in (*runs, examined):
        if problem := judge(campaign, done):
            report(campaign, f"{where}: {problem}", kept, done)
    for done in runs:
        kind, details = wrong(campaign, subject, done)
        if kind:
            said.append((kind, details, done))
        elif done.arguments[4:] == ALL and not done.code:
            before = current(done)
    compare(campaign, examined, kept, where, said)
    if not campaign.chance.randrange(4):
        after(campaign, subject, vault, kept, where, before)


def compare(
    campaign: Campaign, examined: Run, kept: Path, where: str, said: list[tuple[str, str, Run]]
) -> None:
    """Report wrong answers that are not explained by what `check` found in a damaged copy."""
    has_findings = examined.arguments[4:] == CHECK and examined.out.strip()
    rules = {each["rule"] for each in examined.values[0]["findings"]} if has_findings else {"must"}
    campaign.counts[f"check found {' and '.join(sorted(rules)) or 'nothing'}"] += 1
    lost_end = "memos.db-wal" in where  # SQLite drops all frames from the first damaged one, as after a crash
    for kind, details, done in said:
        if "must" in rules or (rules and kind in ("answer", "unprotected")):
            campaign.counts[f"wrong and told, {kind}"] += 1
        elif kind == "unprotected" or (lost_end and kind in ("older", "answer")):
            campaign.counts[f"silent, {kind}: {'end of the log' if lost_end else details}"] += 1
        else:
            report(campaign, f"{where}: silent wrong answer: {kind}: {details}", kept, done)


def attempt_model(campaign: Campaign, subject: Subject, models: dict[str, bytes]) -> None:
    """Damage a model, mostly its header, and ask it."""
    vault, chance = copy_folder(subject.folder, campaign.folder / "tried"), campaign.chance
    name = chance.choice([*models])
    data = bytearray(models[name])
    ends = (data.index(b"tokenizer.ggml"), len(data), read_header(campaign.folder / name).data_start)
    end = chance.choice(ends)
    part = data[:end]
    how = chance.choices([*DAMAGES], WEIGHTS)[0]
    DAMAGES[how](part, chance, bytes(part))
    data[:end] = part
    model = vault / "tmp" / name
    model.write_bytes(data)
    campaign.counts[f"file model {name}"] += 1
    asked = ("query", "Where is the harbour?", "--generate", "--max-tokens", "4", "--model", str(model))
    for done in run_all(subject, vault, [("models", str(model)), asked]):
        campaign.counts[f"model, exit {done.code}"] += 1
        if problem := judge(campaign, done):
            report(campaign, f"model {name} {how}: {problem}", vault, done)


def after(
    campaign: Campaign, subject: Subject, vault: Path, kept: Path, where: str, before: dict[str, str]
) -> None:
    """Repair the damaged copy and write to it: no crash, and no text that was right is changed."""
    repair, write = ("check", "--repair", "--json"), ("ingest", "-", "--type", "fact")
    several: list[tuple[str, ...]] = [repair, write, ALL, CHECK]
    if "VAULT.toml" in where or subject.name == "init":
        several.insert(0, ("init",))
    for done in run_all(subject, vault, several, stdin=[b"A new memory."] * len(several)):
        if problem := judge(campaign, done):
            report(campaign, f"{where}: then {problem}", kept, done)
        if done.arguments[4:] == ALL and before and not done.code:
            there = current(done)
            if lost := [id for id, text in before.items() if there.get(id) != text]:
                report(campaign, f"{where}: repair or write changed {lost}", kept, done)
    campaign.counts["usable after repair" if done.code == 0 else "damaged after repair"] += 1


def report(campaign: Campaign, what: str, kept: Path, done: Run) -> None:
    """Record a finding, and put the damaged vault aside for who keeps the folder."""
    aside = campaign.folder / f"finding-{len(campaign.found)}"
    shutil.copytree(kept, aside)
    campaign.find(what, command=done, output=done.out[:500], vault=aside)


def work(campaign: Campaign) -> None:
    from tiny_models import ARCHITECTURES, UNFIT, write_model

    embed_by_words()
    models = {}
    for architecture in (*ARCHITECTURES, *UNFIT):
        path = write_model(campaign.folder / f"{architecture}.gguf", architecture)
        models[path.name] = path.read_bytes()
    made = {"plain": build(campaign, "plain")}
    makers: dict[str, tuple[int, Callable[[], Subject]]] = {
        "plain": (10, lambda: made["plain"]),
        "encrypted": (8, lambda: build(campaign, "encrypted", "--encrypt")),
        "log": (6, lambda: with_log(campaign, made["plain"])),
        "passphrase": (1, lambda: with_passphrase(campaign)),
        "init": (2, lambda: unfinished(campaign)),
    }
    weights = [weight for weight, _ in makers.values()]
    for _ in campaign.tries():
        if campaign.chance.random() < 0.1:
            attempt_model(campaign, made["plain"], models)
            continue
        name = campaign.chance.choices([*makers], weights)[0]
        if name not in made:  # made when it is needed: a short run has time for tries
            made[name] = makers[name][1]()
        attempt(campaign, made[name])


def right_answer(campaign: Campaign, subject: Subject, given: tuple[str, ...]) -> list[Any]:
    """What a command answers while nothing is damaged."""
    if given not in subject.answers:
        vault = copy_folder(subject.folder, campaign.folder / "whole")
        key = {"MEMOS_KEY_FILE": str(subject.key)} if subject.key else {}
        subject.answers[given] = run(replace(subject, environment=key), vault, *given).values
    return subject.answers[given]


if __name__ == "__main__":
    main("flips", __doc__ or "", work)
