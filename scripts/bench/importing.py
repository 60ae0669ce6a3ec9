#!/usr/bin/env python3
"""Import: a gigabyte of a ChatGPT export, and exports of each kind that were damaged at random.

    scripts/bench/importing.py [--gigabytes 1] [--mutations 10000] [--json FILE]

large      a generated `conversations.json` is imported by a process of its own, without vectors: messages a
           second, and peak memory
mutations  N files of each kind with bytes changed, cut out and put in are read to their end: how many raised
           anything but an error of ours (the bytes are drawn anew in each run; --seed repeats one)
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import exports
from search import peak

from memos_cli.errors import MemosError
from memos_cli.interface.exchange import bundle, lines
from memos_cli.interface.exchange.adopting import to_foreign
from memos_cli.interface.importing import IMPORTS, Export, open_export

PUT = (b'"', b"{", b"]", b"null", b"\x00", b"\xff", b"1e999", b"[" * 2000)


def write_large(path: Path, size: int) -> int:
    """Write an export of about ``size`` bytes. Returns how many messages it has."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(3, 9))) for _ in range(8_000)]
    written = count = number = 0
    with path.open("w") as file:
        file.write("[")
        while written < size:
            messages = [
                exports.message(
                    f"{number}-m{at + 1}",
                    "user" if at % 2 == 0 else "assistant",
                    " ".join(chance.choices(words, k=chance.randint(20, 180))),
                )
                for at in range(chance.randint(4, 60))
            ]
            text = json.dumps(exports.chat(f"c{number}", f"Chat {number}", *messages))
            written += file.write((", " if number else "") + text)
            count, number = count + len(messages), number + 1
        file.write("]")
    return count


def large(gigabytes: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conversations.json"
        messages = write_large(path, round(gigabytes * 1e9))
        environment = {**os.environ, "MEMOS_VAULT": str(Path(folder) / "vault"), "MEMOS_AS": "user:bench"}
        command = [sys.executable, "-m", "memos_cli"]
        subprocess.run([*command, "init"], check=True, capture_output=True, env=environment)
        begin = time.perf_counter()
        most = peak([*command, "import", str(path), "--no-embed", "--quiet"], environment)
        seconds = time.perf_counter() - begin
    return {
        "messages": messages,
        "seconds": seconds,
        "messages_per_second": messages / seconds,
        "peak_mib": most * 1e6 / (1 << 20),
    }


def mutate(content: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(max(1, len(content)))
        match chance.choice(("change", "change", "cut", "put", "end")):
            case "change" if content:
                content[at] = chance.randrange(256)
            case "cut":
                del content[at : at + chance.randint(1, 50)]
            case "put":
                content[at:at] = chance.choice(PUT)
            case "end":
                del content[at:]
    return content


def read_bundle(export: Export) -> Iterator[object]:
    """The memories of a bundle, as far as a vault would take them."""
    yield from _memories(bundle.read(io.BytesIO(export.read(export.names[0]))))


def read_lines(export: Export) -> Iterator[object]:
    yield from _memories(lines.read(io.BytesIO(export.read(export.names[0])))[0])


def _memories(found: bundle.Bundle) -> Iterator[object]:
    for record in found.parts.get("cubes.jsonl", ()):
        with suppress(KeyError, TypeError, ValueError):  # what an import tells of a record
            yield to_foreign(record)


READERS = {**IMPORTS, "mip": read_bundle, "jsonl": read_lines}


def mutations(count: int, seed: int) -> dict[str, int]:
    """How many of ``count`` damaged exports of each kind raised what they should not."""
    crashes = {}
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        known = exports.write_all(Path(folder) / "exports")
        for kind, read in READERS.items():
            path = known[kind]
            files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
            originals = {file: file.read_bytes() for file in files}
            crashes[kind] = 0
            for _ in range(count):
                target = chance.choice(files)
                target.write_bytes(mutate(bytearray(originals[target]), chance))
                try:
                    with open_export(path) as export:
                        for _ in read(export):
                            pass
                except MemosError:
                    pass
                except Exception as error:  # noqa: BLE001 (that is what is counted)
                    crashes[kind] += 1
                    print(f"{kind}: {type(error).__name__}: {error}", file=sys.stderr)
                target.write_bytes(originals[target])
    return crashes


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    wanted = parser.parse_args()
    figures: dict[str, object] = {}
    if wanted.gigabytes:
        figures["large"] = found = large(wanted.gigabytes)
        print(
            f"{found['messages']:,} messages in {found['seconds']:.0f} s: "
            f"{found['messages_per_second']:,.0f} a second, peak memory {found['peak_mib']:.0f} MiB"
        )
    if wanted.mutations:
        figures["crashes"] = crashes = mutations(wanted.mutations, wanted.seed)
        print(f"{wanted.mutations:,} damaged exports of each kind (seed {wanted.seed}): {crashes}")
    if wanted.json:
        wanted.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
