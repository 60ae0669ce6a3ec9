#!/usr/bin/env python3
"""Use one vault from many processes at once, for a long time, and check all that they are told.

Writers add, edit, tag, archive, restore, merge, link and forget batches of memories; readers list, search,
show, measure, export, check and query them; one process maintains the vault, others publish, follow, import,
grant and make tokens. Throughout: what was acknowledged and not forgotten is there, what was forgotten is
nowhere, nobody sees half a change, and no command ends in a way that is not documented. Before, several
processes make a vault at once; after, two forget overlapping sets, two maintain, and everything on the disk
is looked through.

--count is the most commands of each process.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
import time
import traceback
from collections import Counter
from contextlib import closing
from pathlib import Path

from common import Campaign, Run, contents, findings, main, memos
from soak_journal import MEMBERS, Journal, marks, traces
from soak_traders import Follower, Guard, Importer, Publisher
from soak_workers import Keeper, Reader, Worker, Writer

WORKERS: tuple[type[Worker], ...] = (
    Writer, Reader, Writer, Reader, Keeper, Publisher, Follower, Importer, Guard, Reader,
)  # fmt: skip
_OWN = {"VAULT.toml", "memos.db", "blobs", "index", "tmp", "lock", "maintain.lock", "watch.lock", "asking"}


def work(campaign: Campaign) -> None:
    next(campaign.tries())
    vault = campaign.folder / "vault"
    _begin(campaign, vault)
    _soak(campaign, vault)
    _end_forgetting(campaign, vault)
    _examine(campaign, vault)
    second = campaign.folder / "second"
    if (run := memos("--vault", second, "update")).code:
        campaign.find("the last update failed", command=run)
    else:
        _examine_files(campaign, second, Journal(campaign.folder / "journal"))


def _begin(campaign: Campaign, vault: Path) -> None:
    """Let several processes make the vault at once."""
    for name in ("journal", "results", "public"):
        (campaign.folder / name).mkdir()
    for run in _at_once([("--vault", vault, "init", "-q")] * 5):
        campaign.counts["init at once"] += 1
        if run.code or run.broke:
            campaign.find("init failed beside another", command=run)
    if problems := findings(vault):
        campaign.find("a vault that several made at once is not whole", problems=problems)
    for command in (("--vault", campaign.folder / "second", "init", "-q"), ("key", "new")):
        if (run := memos(*command)).code:
            campaign.find("could not begin", command=run)


def _at_once(commands: list[tuple[object, ...]]) -> list[Run]:
    """Run commands at the same time, each in a process."""
    children = []
    for command in commands:
        reading, writing = os.pipe()
        if not (child := os.fork()):
            run = memos(*command, timeout=120)
            told = [run.code, run.signal, run.out, run.err, run.seconds, run.hung]
            os.write(writing, json.dumps(told).encode())
            os._exit(0)
        os.close(writing)
        children.append((child, reading, command))
    runs = []
    for child, reading, command in children:
        with os.fdopen(reading) as file:
            code, number, out, err, seconds, hung = json.loads(file.read())
        os.waitpid(child, 0)
        runs.append(Run(tuple(map(str, command)), code, number, out, err, seconds, hung))
    return runs


def _soak(campaign: Campaign, vault: Path) -> None:
    until = campaign.started + campaign.seconds
    children = []
    for number, kind in enumerate(WORKERS, 1):
        chance = random.Random(campaign.seed * 1000 + number)
        if not (child := os.fork()):
            name = f"{kind.__name__.lower()}-{number}"
            _be(kind(name, number, vault, campaign.folder, until, campaign.count, chance))
        children.append(child)
    largest = _watch(vault, children)
    longest: dict[str, float] = {}
    for path in (campaign.folder / "results").iterdir():
        kept = json.loads(path.read_text())
        campaign.counts.update(Counter(kept["counts"]))
        campaign.found += kept["found"]
        longest |= {kind: max(longest.get(kind, 0), took) for kind, took in kept["longest"].items()}
    if len(list((campaign.folder / "results").iterdir())) != len(WORKERS):
        campaign.find("a process of the campaign died")
    print("longest wait\t" + "  ".join(f"{kind} {took:.1f} s" for kind, took in sorted(longest.items())))
    print("largest files\t" + "  ".join(f"{name} {size / 1e6:.1f} MB" for name, size in largest.items()))


def _be(worker: Worker) -> None:
    try:
        worker.work()  # type: ignore[attr-defined]
    except BaseException:  # noqa: BLE001 (a process of the campaign must not go on as another one)
        worker.find("the campaign itself broke", trace=traceback.format_exc())
    worker.save()
    sys.stdout.flush()
    os._exit(0)


def _watch(vault: Path, children: list[int]) -> dict[str, int]:
    """Wait for all. Returns how large the database and its log became."""
    largest, waiting = dict.fromkeys(("memos.db", "memos.db-wal"), 0), set(children)
    while waiting:
        for child in list(waiting):
            if os.waitpid(child, os.WNOHANG)[0]:
                waiting.discard(child)
        for name in largest:
            if (path := vault / name).exists():
                largest[name] = max(largest[name], path.stat().st_size)
        time.sleep(0.2)
    return largest


def _end_forgetting(campaign: Campaign, vault: Path) -> None:
    """Forget overlapping sets at once, maintain twice at once, and then forget something alone."""
    lines = "One end.\nTwo ends.\nThree ends.\n"
    ids = memos("--vault", vault, "ingest", "-", "--lines", "--json", stdin=lines).values[0]["ids"]
    runs = _at_once([("--vault", vault, "forget", *some, "--yes") for some in (ids[:2], ids[1:])])
    if sorted(run.code for run in runs) not in ([0, 2], [0, 0]) or any(run.broke for run in runs):
        campaign.find("two that forget at once", runs=[str(run) for run in runs])
    runs = _at_once([("--vault", vault, "maintain")] * 2)
    if not {run.code for run in runs} <= {0, 11} or any(run.broke for run in runs):
        campaign.find("two that maintain at once", runs=[str(run) for run in runs])
    left = memos("--vault", vault, "list", "--json").values
    for id in ids:
        memos("--vault", vault, "forget", id, "--yes")
    if {row["id"] for row in left} & {*ids} - {ids[0], ids[2]}:
        campaign.find("what two forgot at once is there", ids=ids)
    last = memos("--vault", vault, "ingest", "-", "--json", stdin="The last one.").values[0]["ids"]
    done = memos("--vault", vault, "forget", *last, "--yes", "--json")
    if done.code or not done.values[0]["settled"]:
        campaign.find("forgetting leaves bytes though nobody else is there", command=done)


def _examine(campaign: Campaign, vault: Path) -> None:
    """Compare what is there at the end with the journal, to the last byte."""
    journal = Journal(campaign.folder / "journal")
    held = contents(vault)
    there: dict[str, dict[int, tuple[object, ...]]] = {}
    for memory in held.values():
        found = {(key, member) for version in memory[4] for key, member, _ in marks(version[2])}
        if len(found) == 1:
            key, member = found.pop()
            there.setdefault(key, {})[member] = memory
    for key, batch in journal.refresh().items():
        members = there.get(key, {})
        if batch.forgetting and members and (batch.forgotten or len(members) != MEMBERS):
            campaign.find("what was forgotten is there", batch=key)
        if not batch.ids or batch.forgetting:
            continue
        if len(members) != MEMBERS:
            campaign.find("an acknowledged batch is lost", batch=key, ids=batch.ids)
        for member, memory in members.items():
            version = marks(memory[4][-1][2])[-1][2]  # type: ignore[index]
            if not batch.acked[member] <= version <= batch.begun[member]:
                campaign.find(
                    "not the acknowledged version at the end", batch=key, version=version, acked=batch.acked
                )
            if not batch.tags <= set(memory[5]):  # type: ignore[call-overload]
                campaign.find("an acknowledged tag is lost", batch=key, tags=memory[5], acked=batch.tags)
    verified = memos("--vault", vault, "audit", "verify")
    if verified.code:
        campaign.find("the audit does not verify", command=verified, out=verified.out)
    campaign.counts["batches"] = len(journal.batches)
    campaign.counts["audit rows"] = int(verified.out.split()[-1].split(":")[0]) if verified.out else 0
    _examine_files(campaign, vault, journal)
    left = [path.name for path in campaign.folder.iterdir() if path.name.startswith((".", "tmp", "memos-"))]
    if left:
        campaign.find("temporary files are left", names=left)


def _examine_files(campaign: Campaign, vault: Path, journal: Journal) -> None:
    if problems := findings(vault):
        campaign.find("check finds something at the end", problems=problems)
    known = journal.refresh()
    is_first = vault.name == "vault"
    gone = {key for key, batch in known.items() if (batch.forgotten if is_first else batch.withdrawn)}
    if left := traces(vault, gone):
        campaign.find("bytes of forgotten memories are left", left=left)
    strangers = {path.name for path in vault.iterdir()} - _OWN
    if strangers or any((vault / "tmp").iterdir()):
        campaign.find("files are left in the vault", names=strangers, tmp=list((vault / "tmp").iterdir()))
    copy = campaign.folder / "vacuumed.db"
    with closing(sqlite3.connect(vault / "memos.db")) as db:
        db.execute("VACUUM INTO ?", (str(copy),))
    sizes = (vault / "memos.db").stat().st_size, copy.stat().st_size
    copy.unlink()
    print(f"{vault.name}\tmemos.db {sizes[0] / 1e6:.1f} MB, its content {sizes[1] / 1e6:.1f} MB")
    if sizes[0] > 3 * sizes[1] + 2_000_000:
        campaign.find("the database is much larger than its content", bytes=sizes)


if __name__ == "__main__":
    main("soak", __doc__, work)
