#!/usr/bin/env python3
"""Publishing and following: what an update transfers when a hundredth of the memories has changed.

    scripts/bench/publishing.py [--memories 1000 10000 100000] [--json FILE]

For each size: memories of 40 to 400 characters are published into a folder and followed by another vault;
then 1 % of them are edited, published again and fetched. Told are the bytes of the bundle, those of the
update (index included) and their share, and the seconds of each step. No model is asked: without vectors.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_tools import command_line, invent_words, write_json

from memos_cli.cube import Filter
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, PublishOptions, ReadOptions
from memos_cli.interface.share import signing
from memos_cli.interface.share.feeds.remote import INDEX
from memos_cli.settings import Settings

WORDS = invent_words(8_000)
CHANGED = 0.01


def text(drawn: random.Random) -> str:
    """A memory of 40 to 400 characters."""
    return " ".join(drawn.choices(WORDS, k=drawn.randint(6, 57)))


def timed(step: Callable[[], Any]) -> tuple[Any, float]:
    start = time.monotonic()
    return step(), time.monotonic() - start


def measure(folder: Path, count: int) -> dict[str, float]:
    drawn = random.Random(2)

    def enter(name: str) -> Memos:
        memos = Memos(Settings(vault=str(folder / name), principal="user:bench", embedder="none"))
        memos.create_vault()
        return memos

    with enter("ann") as ann, enter("bob") as bob:
        lines = "\n".join(f"{n} {text(drawn)}" for n in range(count)).encode()
        ann.ingest(
            options=IngestOptions(ReadOptions(lines=True), NewMemoryFields(tags=("all",))),
            text=lines,
            embed=False,
        )
        wanted = PublishOptions(filter=Filter(tags=("all",)))
        sent, publishing = timed(
            lambda: ann.publish(ann.propose("all", wanted, target=str(folder / "public")))
        )
        came, following = timed(lambda: bob.subscribe(sent.url, trust=True))
        assert came.added == count, came
        for cube in drawn.sample([*ann.cubes(filter=Filter())], max(1, int(count * CHANGED))):
            ann.edit(cube.id, text=f"{cube.text} {text(drawn)}")
        again, publishing_again = timed(lambda: ann.publish(ann.propose("all")))
        updated, updating = timed(lambda: bob.update("all"))
        assert updated.versions == max(1, int(count * CHANGED)), updated
        index = (Path(sent.url) / INDEX).stat().st_size
    return {
        "memories": count, "bundle_bytes": again.bytes, "update_bytes": updated.received + index,
        "share": (updated.received + index) / again.bytes, "publish_s": publishing, "subscribe_s": following,
        "publish_again_s": publishing_again, "update_s": updating,
    }  # fmt: skip


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--memories", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    wanted = parser.parse_args()
    found = []
    for count in wanted.memories:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {"MEMOS_CONFIG": f"{folder}/config.toml", "MEMOS_CACHE": f"{folder}/cache"}
            signing.own_key(make=True)
            found.append(measure(Path(folder), count))
        each = found[-1]
        steps = ("publish", "subscribe", "publish_again", "update")
        print(
            f"{count:>9,} memories: bundle {each['bundle_bytes']:,} bytes, update {each['update_bytes']:,} "
            f"({each['share']:.2%}); seconds: " + ", ".join(f"{s} {each[f'{s}_s']:.1f}" for s in steps),
            flush=True,
        )
    write_json(wanted.json, found)


if __name__ == "__main__":
    main()
