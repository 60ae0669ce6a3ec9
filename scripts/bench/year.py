#!/usr/bin/env python3
"""A year of use in minutes: what the nightly choice of states saves, against other ways to choose.

    scripts/bench/year.py [--cubes 50000] [--days 365] [--queries 200] [--disk-mb 2000] [--json FILE]

A fake clock; and in place of a model its recorded costs (the figures of `memos bench ttft` in `memos help
figures`: what reading and restoring so many tokens takes, and the size of a state). Everything else is real:
a vault of N memories, each query's use noted in it, `memos maintain` each night, `memos check` each month.

Questions fall on memories by Zipf's law, and what is hot drifts: each day some of the hot ones give way to
others, and once a month a burst falls on a few. Each question reads one memory. Compared with `economy`:
  lru       each night a state is made of whatever was used that day; the least recently used give way
  oracle    knows the future: each night what saves most a byte in the days to come, over the best horizon

Prints for each the share of long memories that were read from a state, seconds saved, seconds spent making
states, what is left of it, and how much of the oracle's that is.
"""

from __future__ import annotations

import bisect
import math
import random
import sys
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_tools import LINES, command_line, write_json

from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.derived.saved_states import State
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.storage.blobs import piece_digests
from memos_cli.infrastructure.vault import check
from memos_cli.interface.ask.usage import record_use
from memos_cli.interface.memory import Memos
from memos_cli.interface.vault.maintenance import STEPS
from memos_cli.operation.states.activation import Promoted, Restored
from memos_cli.settings import Settings

DAY = 86_400_000
START = 1_750_000_000_000
SCALE = 1000
"""A blob of this vault stands for one so many times as large."""
WORTHWHILE = 1200
HOT, LIFE = 500, 50
"""How many memories are hot at a time, and for how many days each."""
WORDS = (
    *("harbour", "lantern", "keeper", "granite", "pilot", "orchard", "kitchen", "clock", "flood", "quarry"),
    *("wall", "office", "key"),
)


def read_seconds(tokens: int) -> float:
    """What reading takes: through the recorded 3.2 s for 512 tokens and 16.5 s for 2,048."""
    return 0.00565 * tokens + 1.18e-6 * tokens**2


def state_bytes(tokens: int) -> int:
    return 23_000 * tokens


def restore_seconds(tokens: int) -> float:
    return 0.01 + state_bytes(tokens) / 1.0e9


def gain(tokens: int) -> float:
    return read_seconds(tokens) - restore_seconds(tokens)


@dataclass
class Tally:
    """What one way of choosing came to."""

    saved: float = 0.0
    spent: float = 0.0
    hits: int = 0
    asked: int = 0
    peak: int = 0

    @property
    def net(self) -> float:
        return self.saved - self.spent


def draw_year(sizes: Sequence[int], days: int, queries: int, seed: int) -> list[list[int]]:
    """For each day, the memories that its questions read."""
    draw = random.Random(seed)
    ranks = list(range(len(sizes)))
    draw.shuffle(ranks)
    weights = [1 / (rank + 1) ** 1.1 for rank in range(len(ranks))]
    total, running = sum(weights), 0.0
    edges = []
    for weight in weights:
        running += weight / total
        edges.append(running)
    year = []
    burst: list[int] = []
    for day in range(days):
        for _ in range(HOT // LIFE):  # each of the hot ones gives way, after so many days on average
            hot, cold = draw.randrange(HOT), draw.randrange(HOT, len(ranks))
            ranks[hot], ranks[cold] = ranks[cold], ranks[hot]
        if day % 30 == 0:
            burst = draw.sample(range(len(sizes)), 5)
        asked = []
        for _ in range(queries):
            if day % 30 < 3 and draw.random() < 0.3:
                asked.append(draw.choice(burst))
            else:
                asked.append(ranks[min(len(ranks) - 1, bisect.bisect(edges, draw.random()))])
        year.append(asked)
    return year


def lru(year: Sequence[Sequence[int]], tokens: Sequence[int], disk: int) -> Tally:
    """A state of whatever was used, the least recently used out."""
    tally, there, held = Tally(), OrderedDict[int, None](), 0
    for day in year:
        for cube in day:
            if not tokens[cube]:
                continue
            tally.asked += 1
            if cube in there:
                tally.hits += 1
                tally.saved += gain(tokens[cube])
                there.move_to_end(cube)
        for cube in dict.fromkeys(each for each in day if tokens[each]):
            if cube in there or state_bytes(tokens[cube]) > disk:
                continue
            while held + state_bytes(tokens[cube]) > disk:
                gone, _ = there.popitem(last=False)
                held -= state_bytes(tokens[gone])
            there[cube] = None
            held += state_bytes(tokens[cube])
            tally.spent += read_seconds(tokens[cube])
        tally.peak = max(tally.peak, held)
    return tally


def oracle(year: Sequence[Sequence[int]], tokens: Sequence[int], disk: int) -> Tally:
    return max(
        (_knowing(year, tokens, disk, days) for days in (1, 3, 7, 14, 30, 90, 365)), key=lambda t: t.net
    )


def _knowing(year: Sequence[Sequence[int]], tokens: Sequence[int], disk: int, horizon: int) -> Tally:
    tally, there = Tally(), set[int]()
    counts = [Counter(cube for cube in day if tokens[cube]) for day in year]
    ahead: Counter[int] = Counter()
    for day in counts[:horizon]:
        ahead.update(day)
    for number, day in enumerate(counts):
        # The night before this day: what the next ``horizon`` days will use.
        worth = {
            cube: count * gain(tokens[cube]) - (0.0 if cube in there else read_seconds(tokens[cube]))
            for cube, count in ahead.items()
        }
        room, chosen = disk, set[int]()
        for cube in sorted(worth, key=lambda c: -worth[c] / state_bytes(tokens[c])):
            if worth[cube] > 0 and state_bytes(tokens[cube]) <= room:
                chosen.add(cube)
                room -= state_bytes(tokens[cube])
        tally.spent += sum(read_seconds(tokens[cube]) for cube in chosen - there)
        there = chosen
        tally.peak = max(tally.peak, disk - room)
        for cube, count in day.items():
            tally.asked += count
            if cube in there:
                tally.hits += count
                tally.saved += count * gain(tokens[cube])
        ahead.subtract(day)
        ahead += Counter()
        if number + horizon < len(counts):
            ahead.update(counts[number + horizon])
    return tally


class Recorded(Memos):
    """A vault whose states are made from recorded costs: no model runs."""

    tally: Tally

    def promote(self, ids: Sequence[str] = (), *, dry_run: bool = False, **_: Any) -> Promoted:
        (cube,) = self.access.get_many(ids)
        tokens = len(cube.text) // 4
        seconds, size = read_seconds(tokens), state_bytes(tokens) // SCALE
        made = Promoted("", 1, True, 1, tokens, tokens, size, seconds, gain(tokens), dry_run)
        if dry_run:
            return made
        data = cube.id.encode() * (size // 26 + 1)
        blob = self.vault.blobs.put(data[:size])
        # What restoring takes is taken off here: a small blob is restored in no time.
        state = State(
            "", blob, size, piece_digests(data[:size]), list(range(64)), tokens, "recorded",
            {"model": cube.id}, gain(tokens),
        )  # fmt: skip
        with self.vault.change(self.principal, self.now()) as change:
            digest = bytes.fromhex(blob)
            saved_states.keep(change, state, [(cube.n, cube.version, "document")], title="", digest=digest)
        self.tally.spent += seconds
        return made


def economy(
    folder: Path, year: Sequence[Sequence[int]], texts: Sequence[str], disk: int
) -> tuple[Tally, float]:
    """The real vault, each night looked after. Returns the tally, and the longest night in seconds."""
    clock = [START]
    settings = Settings(
        vault=str(folder), principal="user:ann", activation_disk_mb=disk / SCALE / 1e6, query_log=0
    )
    longest = 0.0
    tally = Tally()
    with Recorded(settings, clock=lambda: clock[0]) as memos:
        memos.tally = tally
        memos.create_vault()
        for start in range(0, len(texts), 5000):
            part = "\n".join(texts[start : start + 5000])
            memos.ingest(options=LINES, text=part.encode(), embed=False)
        numbers = [n for (n,) in memos.vault.connection.execute("SELECT n FROM cube ORDER BY n")]
        for number, day in enumerate(year):
            states = {each.cubes("document")[0]: each for each in memos.activations()}
            cubes = queries.by_rowid(memos.vault.connection, [numbers[at] for at in set(day)])
            for at in day:
                clock[0] += DAY // (len(day) + 1)
                n = numbers[at]
                state = states.get(n)
                if len(texts[at]) >= WORTHWHILE:
                    tally.asked += 1
                    if state:
                        tally.hits += 1
                        tally.saved += gain(len(texts[at]) // 4)
                fresh = queries.by_rowid(memos.vault.connection, [n])[n]
                record_use(memos, [fresh], Restored(state, 64, bool(state)) if state else Restored())
            assert cubes
            clock[0] = START + (number + 1) * DAY
            begin = time.perf_counter()
            report = memos.maintain(steps=[step for step in STEPS if step not in ("embed", "rivals")])
            longest = max(longest, time.perf_counter() - begin)
            assert not report.failed, report.failed
            held = sum(each.state.size for each in memos.activations()) * SCALE
            tally.peak = max(tally.peak, held)
            assert held <= disk, (held, disk)
            if number % 30 == 29 or number == len(year) - 1:
                findings = check.examine(folder, timeout=10.0)
                assert findings == [], findings[:3]
                print(f"day {number + 1}: {tally.hits} of {tally.asked} from a state", file=sys.stderr)
    return tally, longest


def main() -> int:
    parser = command_line(__doc__)
    parser.add_argument("--cubes", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--queries", type=int, default=200, help="a day")
    parser.add_argument("--disk-mb", type=int, default=2000)
    wanted = parser.parse_args()
    draw = random.Random(7)
    texts = []
    for n in range(wanted.cubes):
        length = int(min(12_000, draw.lognormvariate(6.6, 1.0)))
        text = f"Memory {n}: " + " ".join(draw.choices(WORDS, k=max(3, length // 7)))
        texts.append(text)
    tokens = [len(text) // 4 if len(text) >= WORTHWHILE else 0 for text in texts]
    year = draw_year(tokens, wanted.days, wanted.queries, seed=3)
    disk = wanted.disk_mb * 1_000_000
    tallies = {"lru": lru(year, tokens, disk), "oracle": oracle(year, tokens, disk)}
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        tallies["economy"], longest = economy(Path(scratch) / "vault", year, texts, disk)
    whole = time.perf_counter() - begin
    best = tallies["oracle"].net
    print(
        f"{wanted.cubes:,} memories, {wanted.days} days of {wanted.queries} questions, {wanted.disk_mb} MB; "
        f"{whole:.0f} s"
    )
    print("way       from a state   saved s   spent s     net s   of the oracle   most MB")
    for name in ("lru", "economy", "oracle"):
        tally = tallies[name]
        share = tally.hits / max(1, tally.asked)
        print(
            f"{name:<9} {share:>12.1%} {tally.saved:>9,.0f} {tally.spent:>9,.0f} {tally.net:>9,.0f} "
            f"{tally.net / best if best else math.nan:>15.1%} {tally.peak / 1e6:>9,.0f}"
        )
    print(f"longest night {longest:.2f} s")
    write_json(wanted.json, {name: {**vars(tally), "net": tally.net} for name, tally in tallies.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
